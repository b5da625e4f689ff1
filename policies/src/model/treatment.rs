//! How a permission shows what it selects: as it is, changed, late, or in numbers only.

use crate::guard::{Function, Measure, Part};
use oxrdf::NamedNode;
use oxsdatatypes::DayTimeDuration;

/// What is done to the selected statements before they are shown. Nothing: they are shown as they are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Treatment {
    /// In the order in which they are done.
    pub(crate) steps: Vec<Transform>,
    pub(crate) delay: Option<Delay>,
}

/// One change of the selected statements.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transform {
    pub(crate) part: Part,
    /// Its nodes in words, where it is about nodes.
    pub(crate) about: Option<String>,
    pub(crate) change: Change,
}

/// What becomes of a term, as far as the policy alone tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// The same for everybody.
    Fixed(Function),
    /// A pseudonym: whose, only the request tells.
    Pseudonymise,
}

/// Statements about things are shown so long after they were recorded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Delay {
    /// What says when they were.
    pub(crate) property: NamedNode,
    pub(crate) period: DayTimeDuration,
}

/// What is told in numbers of the selected statements, instead of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figures {
    /// None: named after the policy and the rule.
    pub(crate) name: Option<NamedNode>,
    pub(crate) dimensions: Vec<NamedNode>,
    pub(crate) measure: Option<Measure>,
    pub(crate) minimum: u32,
}
