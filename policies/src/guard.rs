//! What a decision leaves visible: the shape a policy compiles to.

use oxrdf::{GraphName, NamedNode};

/// The part of a dataset that a caller may see: what some permit covers and no prohibition covers.
///
/// A guard names terms, not rows: the twin store compiles it to ids once per snapshot and decides each triple
/// pattern before it scans.
// INVARIANT(deny-by-default): a guard without permits shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Guard {
    permits: Vec<Selector>,
    prohibitions: Vec<Selector>,
}

/// A set of quads: all that match every condition given; with none, every quad of the dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Selector {
    /// Quads of this graph. [`GraphName::DefaultGraph`] is the default graph alone.
    pub graph: Option<GraphNameKey>,
    /// Quads with this predicate.
    pub property: Option<NamedNode>,
    /// Quads whose subject is an instance of this class: the dataset holds `subject rdf:type class` in any graph,
    /// visible or not.
    pub class: Option<NamedNode>,
}

/// A graph that a selector can name. Blank graph names cannot be the target of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GraphNameKey {
    /// The default graph.
    Default,
    /// The graph of this name.
    Named(NamedNode),
}

impl Guard {
    /// What the permits cover less what the prohibitions cover.
    pub fn new(permits: Vec<Selector>, prohibitions: Vec<Selector>) -> Self {
        Self {
            permits,
            prohibitions,
        }
    }

    /// Shows nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Shows every quad.
    pub fn everything() -> Self {
        Self::new(vec![Selector::default()], Vec::new())
    }

    /// The sets of which a quad must be in one.
    pub fn permits(&self) -> &[Selector] {
        &self.permits
    }

    /// The sets of which a quad must be in none.
    pub fn prohibitions(&self) -> &[Selector] {
        &self.prohibitions
    }

    /// Whether no quad of any dataset can be visible.
    pub fn is_nothing(&self) -> bool {
        self.permits.is_empty() || self.prohibitions.contains(&Selector::default())
    }

    /// Whether every quad of every dataset is visible.
    pub fn is_everything(&self) -> bool {
        self.permits.contains(&Selector::default()) && self.prohibitions.is_empty()
    }
}

impl Selector {
    /// Whether every quad that `other` selects is selected by this too.
    pub fn covers(&self, other: &Self) -> bool {
        fn wider<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
            wide.is_none() || wide == narrow
        }
        wider(self.graph.as_ref(), other.graph.as_ref())
            && wider(self.property.as_ref(), other.property.as_ref())
            && wider(self.class.as_ref(), other.class.as_ref())
    }

    /// Whether no quad can be selected by both. Classes do not tell: a subject may be of two.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        fn differ<T: PartialEq>(left: Option<&T>, right: Option<&T>) -> bool {
            left.is_some() && right.is_some() && left != right
        }
        differ(self.graph.as_ref(), other.graph.as_ref())
            || differ(self.property.as_ref(), other.property.as_ref())
    }
}

impl GraphNameKey {
    /// The graph's name as RDF has it.
    pub fn to_graph_name(&self) -> GraphName {
        match self {
            Self::Default => GraphName::DefaultGraph,
            Self::Named(name) => GraphName::NamedNode(name.clone()),
        }
    }
}
