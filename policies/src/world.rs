//! What a decision rests on beside the request: earlier use, declared incidents, duties.

use crate::model::RuleKind;
use oxrdf::{NamedNode, Term};
use oxsdatatypes::DateTime;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

static NO_CLAIMS: Claims = Claims {
    breaks_glass: None,
    values: BTreeMap::new(),
};

/// Whose use a rule counts: all use of one organisation under one rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counter {
    /// The policy, by uid.
    pub policy: NamedNode,
    /// Whether the rule is a permission or a prohibition.
    pub kind: RuleKind,
    /// The rule's number among those of its kind, from 1.
    pub rule: usize,
    /// The organisation.
    pub participant: NamedNode,
}

/// Use so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many uses were let begin.
    pub count: u64,
    /// When the first began.
    pub first: Option<DateTime>,
    /// When the last began.
    pub last: Option<DateTime>,
    /// How long answers took, all uses together: `odrl:meteredTime`.
    pub metered: Duration,
}

/// A declared incident: the event that crisis rules wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its IRI.
    pub id: NamedNode,
    /// What it is: classes or events, such as a GRIP level, broader ones included.
    pub kinds: Vec<NamedNode>,
    /// Where: a WKT geometry in CRS84.
    pub area: Option<String>,
    /// From when.
    pub begins: DateTime,
    /// Until when; it never lasts longer, whoever forgets to end it.
    pub ends: DateTime,
    /// Who declared it.
    pub declared_by: NamedNode,
}

/// What a caller states beside its [`crate::Ask`]. What is believed is up to whoever makes it: a value that is not proven, by a
/// signed token say, does not belong here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// The declared incident for which the caller breaks the glass.
    pub breaks_glass: Option<NamedNode>,
    /// Values of left operands, such as `tl:legalBasis`, `odrl:spatial`, `odrl:fileFormat` or `odrl:system`. One that is not
    /// here is unknown; where it is, all its values are. What only the world can tell is ignored here: `odrl:count`,
    /// `odrl:dateTime` and the like.
    pub values: BTreeMap<NamedNode, Vec<Term>>,
}

/// The world as it is, in which a caller states its claims.
#[derive(Clone, Copy)]
pub struct Claimed<'a> {
    world: &'a dyn World,
    claims: &'a Claims,
}

/// What is known of the world. Implementations tell a consistent state for as long as they are borrowed.
pub trait World {
    /// Use under a rule so far; none where that cannot be told, which grants nothing.
    fn usage(&self, counter: &Counter) -> Option<Usage>;

    /// Incidents that were declared: past ones too, as long as they are kept, with their end.
    fn incidents(&self) -> &[Incident];

    /// Whether the organisation has left a duty undone past its deadline: it gets no new permit until that is settled.
    fn has_violations(&self, participant: &NamedNode) -> bool;

    /// When a duty, named by the IRI of its action, was last done by the organisation, if ever.
    fn performed(&self, participant: &NamedNode, action: &NamedNode) -> Option<DateTime>;

    /// What the caller states. A state that is shared says nothing here: [`Claimed`] adds it for one question.
    fn claims(&self) -> &Claims {
        &NO_CLAIMS
    }
}

impl fmt::Debug for Claimed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Claimed");
        debug.field("claims", self.claims).finish_non_exhaustive()
    }
}

impl<'a> Claimed<'a> {
    /// That world, with these claims.
    pub fn new(world: &'a dyn World, claims: &'a Claims) -> Self {
        Self { world, claims }
    }
}

impl World for Claimed<'_> {
    fn usage(&self, counter: &Counter) -> Option<Usage> {
        self.world.usage(counter)
    }

    fn incidents(&self) -> &[Incident] {
        self.world.incidents()
    }

    fn has_violations(&self, participant: &NamedNode) -> bool {
        self.world.has_violations(participant)
    }

    fn performed(&self, participant: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        self.world.performed(participant, action)
    }

    fn claims(&self) -> &Claims {
        self.claims
    }
}

/// A world in which nothing has happened yet and no incident is declared.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewWorld;

impl World for NewWorld {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage::default())
    }

    fn incidents(&self) -> &[Incident] {
        &[]
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        false
    }

    fn performed(&self, _: &NamedNode, _: &NamedNode) -> Option<DateTime> {
        None
    }
}
