//! What a case is about, as it was made up: data, policies (or what they come to) and a caller. Nothing here was parsed.

use oxrdf::{NamedNode, Quad};
use twinlink_core::policy::{End, Guard, Measure, Step};

/// The dataset's IRI.
pub(super) const TWIN: &str = "http://e/twin";
/// The connector's secret for pseudonyms.
pub(super) const KEY: [u8; 32] = *b"a secret that everybody may know";
/// The namespace of everything else that is made up.
pub(super) const E: &str = "http://e/";

/// Data, policies and a caller.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) quads: Vec<Quad>,
    /// What questions are about: the quads, and what some of them are shown as.
    pub(super) about: Vec<Quad>,
    pub(super) policies: Vec<Policy>,
    pub(super) caller: Caller,
    /// Where no policy says it: what a decision leaves.
    pub(super) guards: Option<Guards>,
}

/// What the caller may see and change.
#[derive(Debug, Clone)]
pub(super) struct Guards {
    pub(super) read: Guard,
    pub(super) modify: Guard,
}

/// Who asks, for which purpose, and when.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) participant: NamedNode,
    pub(super) roles: Vec<NamedNode>,
    pub(super) purpose: Option<NamedNode>,
    pub(super) now: Moment,
}

/// An ODRL policy.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    pub(super) uid: NamedNode,
    pub(super) kind: Kind,
    /// Over its own prohibitions; else these win.
    pub(super) permissions_win: bool,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Set,
    Agreement,
    Offer,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) permits: bool,
    /// None: everyone.
    pub(super) assignees: Vec<NamedNode>,
    pub(super) actions: Vec<Action>,
    pub(super) targets: Vec<Target>,
    pub(super) constraints: Vec<Constraint>,
    /// What is done to what a permission to read shows, in this order. The recipient of a pseudonym is whoever asks.
    pub(super) transforms: Vec<Step>,
    /// By which property how many minutes old it must be.
    pub(super) delay: Option<(NamedNode, i64)>,
    /// What is told of the only target, which is not shown itself.
    pub(super) figures: Option<Figures>,
}

/// A statistic.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) name: NamedNode,
    pub(super) dimensions: Vec<NamedNode>,
    pub(super) measure: Option<Measure>,
    pub(super) minimum: u32,
}

/// Some of ODRL's actions; `Use` includes all but `Transfer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Use,
    Read,
    Modify,
    Distribute,
    Transfer,
    Aggregate,
}

/// Part of the dataset: each list that is not empty must hold the graph, the predicate, a class of the subject; and so on.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) graphs: Vec<Place>,
    pub(super) properties: Vec<NamedNode>,
    pub(super) classes: Vec<NamedNode>,
    /// What holds for the subject.
    pub(super) nodes: Option<Nodes>,
    /// The end that the question must name; in a prohibition, must not.
    pub(super) named: Option<End>,
}

impl Target {
    /// To one graph, property and class at most.
    pub(super) fn narrow(&mut self) {
        self.graphs.truncate(1);
        self.properties.truncate(1);
        self.classes.truncate(1);
    }
}

/// Some nodes.
#[derive(Debug, Clone)]
pub(super) enum Nodes {
    /// The group of a pattern in which `?this` is the node.
    Pattern(String),
    /// A polygon that they lie in.
    Area(String),
    /// A shape of SHACL; its class is the target class.
    Shape {
        class: Option<NamedNode>,
        property: NamedNode,
        condition: Condition,
    },
}

/// What a shape says of a property's values.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// There is one.
    Some,
    /// This is one.
    Has(NamedNode),
    /// All are of the class.
    Class(NamedNode),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Default,
    Named(NamedNode),
}

#[derive(Debug, Clone)]
pub(super) enum Constraint {
    Purpose(Membership, Vec<NamedNode>),
    Role(Membership, Vec<NamedNode>),
    DateTime(Comparison, When),
    And(Vec<Self>),
    Or(Vec<Self>),
    Xone(Vec<Self>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Eq,
    Neq,
    IsAnyOf,
    IsNoneOf,
    IsA,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Neq,
    Lt,
    Lteq,
    Gt,
    Gteq,
}

/// A local time in November 2026, and how many minutes it is ahead of UTC, where that is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) day: i64,
    pub(super) minute: i64,
    pub(super) ahead: Option<i64>,
}

/// The right operand of a comparison of times.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Instant(Moment),
    /// A whole day; its minute counts for nothing.
    Day(Moment),
}

/// A made-up IRI.
pub(super) fn iri(name: impl std::fmt::Display) -> NamedNode {
    NamedNode::new_unchecked(format!("{E}{name}"))
}
