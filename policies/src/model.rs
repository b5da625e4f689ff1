//! A policy that the engine understands to the last statement.

pub(crate) mod sentence;
pub(crate) mod treatment;

use crate::guard::Selector;
use oxrdf::NamedNode;
use oxsdatatypes::{Date, DateTime};
use std::fmt;
use treatment::{Figures, Treatment};

/// A published ODRL policy, understood whole: made by [`Policy::parse`] and nowhere else.
///
/// See <https://www.w3.org/TR/odrl-model/#policy>.
// INVARIANT(understood-whole): no statement of a policy's graph is without effect, except labels and descriptions.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub(crate) uid: NamedNode,
    pub(crate) kind: PolicyKind,
    pub(crate) prohibition_wins: bool,
    pub(crate) rules: Vec<Rule>,
    pub(crate) hash: String,
}

/// What kind of policy: <https://www.w3.org/TR/odrl-model/#policy-subclass>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Rules that hold as they stand.
    Set,
    /// Rules that two parties agreed on.
    Agreement,
    /// Rules that a party proposes: never evaluated.
    Offer,
}

/// Whether a rule grants or withholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuleKind {
    /// Grants.
    Permission,
    /// Withholds.
    Prohibition,
}

/// One permission or prohibition. `Display` says it in a sentence.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub(crate) kind: RuleKind,
    pub(crate) number: usize,
    /// None given: anyone.
    pub(crate) assignees: Vec<NamedNode>,
    pub(crate) actions: Vec<NamedNode>,
    pub(crate) targets: Vec<Target>,
    /// All must hold.
    pub(crate) constraints: Vec<Constraint>,
    /// How a permission shows what it selects.
    pub(crate) treatment: Treatment,
}

/// A dataset, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) dataset: NamedNode,
    pub(crate) selectors: Vec<Selector>,
    /// Which nodes the selectors are about, in words.
    pub(crate) about: Vec<String>,
    /// What is told in numbers of that part, instead of the part itself.
    pub(crate) figures: Option<Figures>,
}

/// A condition on a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Constraint {
    Purpose(Membership, Vec<NamedNode>),
    Role(Membership, Vec<NamedNode>),
    DateTime(Comparison, Moment),
    And(Vec<Self>),
    Or(Vec<Self>),
    Xone(Vec<Self>),
}

/// How a purpose or role is compared with the right operands. `odrl:eq` is [`Membership::AnyOf`] of one,
/// `odrl:neq` is [`Membership::NoneOf`] of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Membership {
    AnyOf,
    NoneOf,
    IsA,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A right operand of `odrl:dateTime`: an instant, or a whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Instant(DateTime),
    Day(Date),
}

impl Policy {
    /// The policy's IRI.
    pub fn uid(&self) -> &NamedNode {
        &self.uid
    }

    /// What kind of policy it is.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// Its permissions, then its prohibitions, each in document order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The dataset of its first rule.
    pub fn dataset(&self) -> Option<&NamedNode> {
        let mut targets = self.rules.iter().flat_map(|rule| &rule.targets);
        targets.next().map(|target| &target.dataset)
    }

    /// `sha256:` and the lower-case hex digest of the policy's graph in RDFC-1.0 canonical N-Quads: the same for every
    /// way of writing the same policy. See <https://www.w3.org/TR/rdf-canon/>.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

impl Rule {
    /// Whether it grants or withholds.
    pub fn kind(&self) -> RuleKind {
        self.kind
    }

    /// Its number among the rules of its kind in its policy, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Whether it tells of something in numbers only.
    pub(crate) fn has_figures(&self) -> bool {
        self.targets.iter().any(|target| target.figures.is_some())
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Agreement => "agreement",
            Self::Offer => "offer",
        })
    }
}

impl fmt::Display for RuleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permission => "permission",
            Self::Prohibition => "prohibition",
        })
    }
}
