//! Whom a rule is about.

use super::Constraint;
use oxrdf::NamedNode;

/// A participant, or a collection of participants: <https://www.w3.org/TR/odrl-model/#party-partyCollection>.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Party {
    One(NamedNode),
    Collection(Collection),
}

/// Participants that belong together, as the document says with `odrl:partOf`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Collection {
    /// Its own name, or that of its source, for messages.
    pub(crate) name: Option<NamedNode>,
    /// Everyone in it, sorted: its source and itself among them.
    pub(crate) members: Vec<NamedNode>,
    /// Which of its members. All must hold.
    pub(crate) refinements: Vec<Constraint>,
}

impl Party {
    /// Whether it is, or has as a member, the participant; refinements are not looked at.
    pub(crate) fn has(&self, participant: &NamedNode) -> bool {
        match self {
            Self::One(one) => one == participant,
            Self::Collection(collection) => collection.members.binary_search(participant).is_ok(),
        }
    }

    /// Who may be meant.
    pub(crate) fn members(&self) -> &[NamedNode] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Collection(collection) => &collection.members,
        }
    }

    /// What must hold of a member besides.
    pub(crate) fn refinements(&self) -> &[Constraint] {
        match self {
            Self::One(_) => &[],
            Self::Collection(collection) => &collection.refinements,
        }
    }
}
