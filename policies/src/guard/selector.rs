//! Sets of quads, by what a policy can say of them.

use oxrdf::{GraphName, NamedNode};
use oxsdatatypes::DateTime;
use spargebra::Query;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

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
    /// Quads whose subject is a node of this pattern.
    pub nodes: Option<NodePattern>,
    /// Quads that the question reaches in this direction.
    pub named: Option<Named>,
    /// Quads whose subject is old enough.
    pub recorded: Option<Recorded>,
}

/// A graph that a selector can name. Blank graph names cannot be the target of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GraphNameKey {
    /// The default graph.
    Default,
    /// The graph of this name.
    Named(NamedNode),
}

/// A set of nodes: the values of `?this` in a SPARQL pattern, evaluated over the union of all graphs of the dataset as the
/// default graph (and each as a named graph), whatever of it is visible.
///
/// What a shape, a graph pattern or an area compiles to. Errors in its expressions already fall to the safe side: the
/// pattern of a permission does not select what it cannot evaluate, that of a prohibition and that of the terms which a
/// transform changes do.
#[derive(Debug, Clone)]
pub struct NodePattern {
    /// Its text, by which it is compared.
    text: Arc<str>,
    query: Arc<Query>,
}

/// Relation direction: quads whose subject (or object) the question names.
///
/// The names of a question are the different IRIs and literals that stand as subject or object in its triple patterns
/// or property paths, or in its VALUES, wherever in its WHERE part. A question with more than [`Named::MOST`] of them
/// names none, and so does what is no question: a summary, an export, data to insert or delete. In an update each operation
/// is a question of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Named {
    /// Which end of the quad.
    pub end: End,
    /// Whether the quads are those whose end is *not* named: for prohibitions.
    pub is_negated: bool,
}

/// An end of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// The quad's subject.
    Subject,
    /// The quad's object.
    Object,
}

/// Quads whose subject has a value of `property`, in any graph, visible or not, and all such values are times at or
/// before `until`. Times are of type `xsd:dateTime`; without a zone, and what is no time, are not before anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Recorded {
    /// What says when, such as `sosa:resultTime`.
    pub property: NamedNode,
    /// The moment of the decision less the delay, in whole seconds.
    pub until: DateTime,
}

impl Named {
    /// The most names that a question may have before it names none.
    pub const MOST: usize = 16;
}

impl NodePattern {
    /// Takes a query `SELECT ?this WHERE ...`; its text is compared, not its meaning.
    pub fn new(query: Query) -> Self {
        Self {
            text: query.to_string().into(),
            query: Arc::new(query),
        }
    }

    /// The query, with one variable `?this`.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The query as SPARQL.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl PartialEq for NodePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NodePattern {}

impl PartialOrd for NodePattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for NodePattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for NodePattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for Recorded {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Recorded {
    fn cmp(&self, other: &Self) -> Ordering {
        // Equal instants in different zones are different moments to write down, so the text decides, not the instant.
        let key = |one: &Self| (one.property.clone(), one.until.to_string());
        key(self).cmp(&key(other))
    }
}

impl Selector {
    /// Whether every quad that `other` selects is selected by this too. False where that is not plain to see.
    pub fn covers(&self, other: &Self) -> bool {
        fn wider<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
            wide.is_none() || wide == narrow
        }
        let later = |late: Option<&Recorded>, early: Option<&Recorded>| match (late, early) {
            (None, _) => true,
            (Some(late), Some(early)) => {
                late.property == early.property && early.until <= late.until
            }
            (Some(_), None) => false,
        };
        wider(self.graph.as_ref(), other.graph.as_ref())
            && wider(self.property.as_ref(), other.property.as_ref())
            && wider(self.class.as_ref(), other.class.as_ref())
            && wider(self.nodes.as_ref(), other.nodes.as_ref())
            && wider(self.named.as_ref(), other.named.as_ref())
            && later(self.recorded.as_ref(), other.recorded.as_ref())
    }

    /// Whether no quad can be selected by both. Classes and patterns do not tell: a subject may be of two.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_until_later_covers_what_was_until_earlier() {
        let until = |property: &str, until: &str| Selector {
            recorded: Some(Recorded {
                property: NamedNode::new_unchecked(property),
                until: until.parse().unwrap(),
            }),
            ..Selector::default()
        };
        let early = until("http://example.org/p", "2026-11-20T12:00:00Z");
        let late = until("http://example.org/p", "2026-11-20T14:00:00+01:00");
        let other = until("http://example.org/q", "2026-11-20T14:00:00Z");
        assert!(late.covers(&early) && Selector::default().covers(&late));
        assert!(!early.covers(&late) && !other.covers(&late) && !late.covers(&other));
        assert!(!late.covers(&Selector::default()));
    }
}
