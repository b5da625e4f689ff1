//! Which members each row rests on.
//!
//! Each fetched quad stands in one graph that is named for its own graph and for the set of members that gave it, and
//! each triple pattern asks for the name of that graph too. As a quad stands in one such graph only, rows keep their
//! number. A row then rests on the members that gave the quads its patterns matched, those of OPTIONAL included where
//! it matched. A row of DISTINCT rests on all that gave it in any way. Not traced: what EXISTS found, what MINUS and
//! NOT EXISTS did not find. Where rows are grouped, cut after DISTINCT, or found by a path of any length, every
//! member that gave anything counts for every row.

mod labels;
mod tracer;

pub(crate) use labels::{Distinct, Labels};

use crate::algebra::{Context, columns, walk, with_pattern};
use crate::scratch::Scratch;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Variable};
use rustc_hash::FxHashMap;
use spargebra::Query;
use spargebra::algebra::GraphPattern;
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use tracer::Tracer;
use twinlink_core::DatasetChoice;

/// What all names of ours begin with.
const OURS: &str = "urn:x-twinlink:";
/// The graph that says what graphs are.
const LINKS: &str = "urn:x-twinlink:links";
/// From a graph of ours to the named graph that its quads are of. The name of that graph also leads from it to itself.
const OF_GRAPH: &str = "urn:x-twinlink:of-graph";
/// From a graph of ours whose quads are of the default graph, to itself.
const OF_DEFAULT: &str = "urn:x-twinlink:of-default";
/// From a named graph of the merge to itself.
const IS_PLAIN: &str = "urn:x-twinlink:is-plain";
/// What the names of graphs of ours begin with.
const SOURCES: &str = "urn:x-twinlink:sources:";

/// A query that says of each row where its quads come from.
#[derive(Debug, Clone)]
pub(crate) struct Traced {
    /// Gives the columns that were asked for, then those with graphs of ours.
    pub(crate) query: Query,
    /// How many columns were asked for.
    pub(crate) columns: usize,
    /// Whether rows that are equal in these columns are one.
    pub(crate) is_distinct: bool,
    /// Whether it looks at graphs as they are, too.
    needs_plain: bool,
    /// Whether it looks at named graphs.
    has_graphs: bool,
}

/// Rewrites a query so that its rows can be traced over these quads; none where they cannot.
pub(crate) fn trace(
    query: &Query,
    scratch: &Scratch,
    dataset: Option<&DatasetChoice>,
) -> Option<Traced> {
    let Query::Select { pattern: whole, .. } = query else {
        return None;
    };
    let (mut has_graphs, mut is_ours) = (false, scratch.graphs().any(is_ours));
    walk(
        whole,
        &mut |pattern| {
            if let GraphPattern::Graph { name, .. } = pattern {
                has_graphs = true;
                is_ours |= matches!(name, NamedNodePattern::NamedNode(name) if name.as_str().starts_with(OURS));
            }
        },
        &mut |_| {},
    );
    let (inner, is_distinct) = match whole {
        GraphPattern::Distinct { inner } | GraphPattern::Reduced { inner } => (&**inner, true),
        other => (other, false),
    };
    let mut tracer = Tracer::new(has_graphs);
    let pattern = tracer.rewrite(inner, &Context::Default, Some(&mut Vec::new()));
    // Named graphs that are chosen count even where they are empty, and here an empty graph is none.
    let needs_empty_graphs = tracer.needs_plain && has_graphs && dataset.is_some();
    if tracer.is_refused || is_ours || needs_empty_graphs {
        return None;
    }
    let pattern = if is_distinct {
        GraphPattern::Distinct {
            inner: Box::new(pattern),
        }
    } else {
        pattern
    };
    Some(Traced {
        query: with_pattern(query, pattern),
        columns: columns(whole).len(),
        is_distinct,
        needs_plain: tracer.needs_plain,
        has_graphs,
    })
}

impl Traced {
    /// The quads as the query looks for them.
    pub(crate) fn dataset(&self, scratch: Scratch) -> Vec<Quad> {
        let mut quads = Vec::with_capacity(scratch.len());
        let mut graphs: FxHashMap<GraphName, FxHashMap<usize, NamedNode>> = FxHashMap::default();
        let mut number = 0;
        for (quad, set) in scratch.into_quads() {
            if !self.has_graphs && quad.graph_name != GraphName::DefaultGraph {
                continue;
            }
            if self.needs_plain {
                quads.push(quad.clone());
            }
            let known = graphs.get(&quad.graph_name).and_then(|sets| sets.get(&set));
            let ours = known.cloned().unwrap_or_else(|| {
                number += 1;
                let sets = graphs.entry(quad.graph_name.clone()).or_default();
                let ours = NamedNode::new_unchecked(format!("{SOURCES}{set}:{number}"));
                sets.entry(set).or_insert(ours).clone()
            });
            let graph_name = ours.into();
            quads.push(Quad { graph_name, ..quad });
        }
        if self.has_graphs {
            for (graph, sets) in graphs {
                for ours in sets.into_values() {
                    quads.extend(links(graph.clone(), ours));
                }
            }
        }
        quads
    }
}

/// What is said of a graph of ours, and of the graph that its quads are of.
fn links(graph: GraphName, ours: NamedNode) -> Vec<Quad> {
    let say = |subject: NamedOrBlankNode, predicate: &str, object: NamedOrBlankNode| {
        let predicate = NamedNode::new_unchecked(predicate);
        Quad::new(subject, predicate, object, NamedNode::new_unchecked(LINKS))
    };
    let (own, graph) = match graph {
        GraphName::DefaultGraph => {
            return vec![say(ours.clone().into(), OF_DEFAULT, ours.into())];
        }
        GraphName::NamedNode(name) => (
            Some(say(ours.clone().into(), name.as_str(), ours.clone().into())),
            NamedOrBlankNode::from(name),
        ),
        GraphName::BlankNode(blank) => (None, blank.into()),
    };
    let mut links = vec![
        say(graph.clone(), IS_PLAIN, graph.clone()),
        say(ours.into(), OF_GRAPH, graph),
    ];
    links.extend(own);
    links
}

/// That the graph of ours holds quads of what the pattern is about.
fn link(ours: &Variable, context: &Context) -> GraphPattern {
    // With a constant as its object the optimiser would take it for the smallest part, and begin with it.
    let itself = TermPattern::from(ours.clone());
    match context {
        Context::Default => said(itself.clone(), OF_DEFAULT, itself),
        Context::Named(name) => said(itself.clone(), name.as_str(), itself),
        Context::Any(variable) => said(itself, OF_GRAPH, variable.clone().into()),
    }
}

/// That the variable is a named graph of the merge, and none of ours.
fn is_plain(graph: &Variable) -> GraphPattern {
    said(graph.clone().into(), IS_PLAIN, graph.clone().into())
}

fn said(subject: TermPattern, predicate: &str, object: TermPattern) -> GraphPattern {
    GraphPattern::Graph {
        name: NamedNode::new_unchecked(LINKS).into(),
        inner: Box::new(GraphPattern::Bgp {
            patterns: vec![TriplePattern {
                subject,
                predicate: NamedNode::new_unchecked(predicate).into(),
                object,
            }],
        }),
    }
}

fn is_ours(graph: &GraphName) -> bool {
    matches!(graph, GraphName::NamedNode(name) if name.as_str().starts_with(OURS))
}
