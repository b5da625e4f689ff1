//! Policies as the evaluator has them: all of ODRL, by the nodes of the graph they came from.

use crate::compare::Operand;
pub(super) use crate::model::Conflict;
use crate::model::PolicyKind;
pub(super) use crate::operator::Operator;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// One policy, with the rules it inherits.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// The policy's IRI.
    pub(super) uid: NamedNode,
    pub(super) kind: PolicyKind,
    pub(super) conflict: Conflict,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Permission,
    Prohibition,
    /// A policy's obligation, a permission's duty, a duty's consequence, a prohibition's remedy.
    Duty,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) node: NamedOrBlankNode,
    pub(super) kind: Kind,
    /// None given: anyone. One must fit.
    pub(super) assignees: Vec<Collection>,
    /// None given: anything. One must fit.
    pub(super) targets: Vec<Collection>,
    /// None given: any. One must fit, of a duty each must be done.
    pub(super) actions: Vec<Action>,
    /// All must hold.
    pub(super) constraints: Vec<Constraint>,
    /// Duties of a permission, consequences of a duty, remedies of a prohibition.
    pub(super) duties: Vec<Self>,
    /// Of a duty, what else its action must be about: who is informed, who is compensated, what comes out.
    pub(super) functions: Vec<(NamedNode, Term)>,
}

/// A party or an asset, or a collection of such.
#[derive(Debug, Clone)]
pub(super) struct Collection {
    pub(super) node: Term,
    pub(super) is_collection: bool,
    pub(super) source: Option<Term>,
    /// Which of its members. All must hold.
    pub(super) refinements: Vec<Constraint>,
}

#[derive(Debug, Clone)]
pub(super) struct Action {
    pub(super) action: NamedNode,
    /// The action, and all that it is included in.
    pub(super) kinds: Vec<NamedNode>,
    /// All must hold.
    pub(super) refinements: Vec<Constraint>,
}

#[derive(Debug, Clone)]
pub(super) struct Constraint {
    pub(super) node: NamedOrBlankNode,
    pub(super) test: Test,
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    Compare {
        left: NamedNode,
        /// What it is where nothing newer is known: `odrl:status`.
        status: Vec<Operand>,
        operator: Operator,
        right: Right,
    },
    Combine(Logic, Vec<Constraint>),
}

#[derive(Debug, Clone)]
pub(super) enum Right {
    Values(Vec<Operand>),
    /// Whatever the state of the world says the value of this is, in this unit.
    Reference(NamedNode, Option<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logic {
    And,
    Or,
    Xone,
    AndSequence,
}

const LOGICS: &[(NamedNodeRef<'static>, Logic)] = &[
    (odrl::AND, Logic::And),
    (odrl::OR, Logic::Or),
    (odrl::XONE, Logic::Xone),
    (odrl::AND_SEQUENCE, Logic::AndSequence),
];

impl Logic {
    pub(super) fn all() -> impl Iterator<Item = (NamedNodeRef<'static>, Self)> {
        LOGICS.iter().copied()
    }

    pub(super) fn name(self) -> NamedNodeRef<'static> {
        let line = LOGICS.iter().find(|(_, known)| *known == self);
        line.map_or(odrl::LOGICAL_CONSTRAINT, |(name, _)| *name)
    }
}

/// The node as a term.
pub(super) fn term(node: &NamedOrBlankNode) -> Term {
    match node {
        NamedOrBlankNode::NamedNode(name) => name.clone().into(),
        NamedOrBlankNode::BlankNode(blank) => blank.clone().into(),
    }
}
