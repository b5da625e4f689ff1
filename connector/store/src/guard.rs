//! A guard as ids of one snapshot: decides a pattern before it is scanned.

use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::index::Rows;
use crate::run::{IdQuad, Range};
use crate::snapshot::Snapshot;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};
use twinlink_policy::{Guard, Selector};

/// A guard as ids of one snapshot.
#[derive(Debug)]
pub(crate) struct IdGuard {
    permits: Vec<IdSelector>,
    prohibitions: Vec<IdSelector>,
    /// The named graphs that show at least one quad, ascending; found when first asked for.
    graphs: OnceLock<Vec<Id>>,
}

#[derive(Debug, Clone)]
struct IdSelector {
    graph: Option<Id>,
    property: Option<Id>,
    class: Option<Arc<FxHashSet<Id>>>,
}

/// A pattern: none stands for a variable. A graph of none is any named graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pattern {
    pub(crate) g: Option<Id>,
    pub(crate) s: Option<Id>,
    pub(crate) p: Option<Id>,
    pub(crate) o: Option<Id>,
}

/// What the guard says of a pattern.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    /// No match can be visible.
    Denied,
    /// Every match is visible.
    Allowed,
    /// It depends on the row.
    Residual(Residual),
}

/// The part of a guard that a pattern leaves open.
#[derive(Debug, Clone)]
pub(crate) struct Residual {
    /// None where a permit covers all matches.
    permits: Option<Vec<IdSelector>>,
    prohibitions: Vec<IdSelector>,
}

/// Whether a selector covers the matches of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Covers {
    All,
    None,
    Some,
}

impl IdGuard {
    pub(crate) fn new(guard: &Guard, snapshot: &Snapshot) -> Self {
        let mut classes = FxHashMap::default();
        let mut compile = |selectors: &[&Selector]| {
            selectors
                .iter()
                .filter_map(|selector| IdSelector::new(selector, snapshot, &mut classes))
                .collect()
        };
        // What is not evaluated yet falls to the safe side: no permit has it, and a prohibition goes without it.
        let whole = |selector: &&Selector| {
            selector.nodes.is_none() && selector.named.is_none() && selector.recorded.is_none()
        };
        let permits = guard.permits().iter().filter(whole).collect::<Vec<_>>();
        let prohibitions = guard.prohibitions().iter().collect::<Vec<_>>();
        Self {
            permits: compile(&permits),
            prohibitions: compile(&prohibitions),
            graphs: OnceLock::new(),
        }
    }

    /// Decides a pattern without looking at any row.
    pub(crate) fn decide(&self, pattern: Pattern) -> Decision {
        let mut prohibitions = Vec::new();
        for selector in &self.prohibitions {
            match selector.covers(pattern) {
                Covers::All => return Decision::Denied,
                Covers::Some => prohibitions.push(selector.clone()),
                Covers::None => {}
            }
        }
        let mut permits = Vec::new();
        for selector in &self.permits {
            match selector.covers(pattern) {
                Covers::All => {
                    return if prohibitions.is_empty() {
                        Decision::Allowed
                    } else {
                        Decision::Residual(Residual {
                            permits: None,
                            prohibitions,
                        })
                    };
                }
                Covers::Some => permits.push(selector.clone()),
                Covers::None => {}
            }
        }
        if permits.is_empty() {
            Decision::Denied
        } else {
            Decision::Residual(Residual {
                permits: Some(permits),
                prohibitions,
            })
        }
    }

    /// Whether the quad is visible, should it be there.
    pub(crate) fn covers(&self, quad: IdQuad) -> bool {
        self.permits.iter().any(|selector| selector.holds(quad))
            && !self
                .prohibitions
                .iter()
                .any(|selector| selector.holds(quad))
    }

    /// The named graphs that show at least one quad, ascending.
    ///
    /// A graph that is wholly denied is not looked into, one that is wholly allowed only for its first quad.
    pub(crate) fn graphs(&self, snapshot: &Snapshot) -> &[Id] {
        self.graphs.get_or_init(|| {
            let mut graphs = snapshot.index.named_graphs();
            graphs.retain(|graph| self.shows(snapshot, *graph));
            graphs
        })
    }

    /// Whether the graph shows at least one quad.
    pub(crate) fn shows(&self, snapshot: &Snapshot, graph: Id) -> bool {
        match self.graphs.get() {
            Some(graphs) => graphs.binary_search(&graph).is_ok(),
            None => self.quads_of_graph(snapshot, graph).next().is_some(),
        }
    }

    /// The visible quads of a graph.
    pub(crate) fn quads_of_graph<'a>(
        &self,
        snapshot: &'a Snapshot,
        graph: Id,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        self.quads_of(snapshot, graph, None)
    }

    /// The visible quads of a graph, with a predicate if one is given.
    pub(crate) fn quads_of<'a>(
        &self,
        snapshot: &'a Snapshot,
        graph: Id,
        predicate: Option<Id>,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        let pattern = Pattern {
            g: Some(graph),
            s: None,
            p: predicate,
            o: None,
        };
        let decision = self.decide(pattern);
        let rows = match decision {
            Decision::Denied => Rows::none(),
            _ => snapshot
                .index
                .rows(&Range::in_graph(graph, None, predicate, None)),
        };
        rows.filter(move |quad| decision.shows(*quad))
    }

    /// All visible quads.
    pub(crate) fn quads<'a>(
        self: &Arc<Self>,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = IdQuad> + use<'a> {
        let guard = Arc::clone(self);
        let graphs = std::iter::once(DEFAULT_GRAPH).chain(snapshot.index.named_graphs());
        graphs.flat_map(move |graph| guard.quads_of_graph(snapshot, graph))
    }
}

impl Decision {
    fn shows(&self, quad: IdQuad) -> bool {
        match self {
            Self::Denied => false,
            Self::Allowed => true,
            Self::Residual(residual) => residual.shows(quad),
        }
    }
}

impl Residual {
    /// Whether a row of the pattern is visible.
    #[inline]
    pub(crate) fn shows(&self, quad: IdQuad) -> bool {
        !self
            .prohibitions
            .iter()
            .any(|selector| selector.holds(quad))
            && self
                .permits
                .as_ref()
                .is_none_or(|permits| permits.iter().any(|selector| selector.holds(quad)))
    }
}

impl IdSelector {
    /// None where the selector names a term that the snapshot does not have: it covers nothing there.
    fn new(
        selector: &Selector,
        snapshot: &Snapshot,
        classes: &mut FxHashMap<Id, Arc<FxHashSet<Id>>>,
    ) -> Option<Self> {
        let graph = match &selector.graph {
            Some(graph) => Some(snapshot.graph(&graph.to_graph_name())?),
            None => None,
        };
        let property = match &selector.property {
            Some(property) => Some(snapshot.dictionary.id(property.as_ref().into())?),
            None => None,
        };
        let class = match &selector.class {
            Some(class) => {
                let id = snapshot.dictionary.id(class.as_ref().into())?;
                Some(Arc::clone(
                    classes
                        .entry(id)
                        .or_insert_with(|| Arc::new(instances(snapshot, id))),
                ))
            }
            None => None,
        };
        Some(Self {
            graph,
            property,
            class,
        })
    }

    fn covers(&self, pattern: Pattern) -> Covers {
        let graph = match (self.graph, pattern.g) {
            (None, _) => Covers::All,
            (Some(DEFAULT_GRAPH), None) => Covers::None,
            (Some(_), None) => Covers::Some,
            (Some(wanted), Some(bound)) => Covers::all_or_none(wanted == bound),
        };
        let property = match (self.property, pattern.p) {
            (None, _) => Covers::All,
            (Some(_), None) => Covers::Some,
            (Some(wanted), Some(bound)) => Covers::all_or_none(wanted == bound),
        };
        let class = match (&self.class, pattern.s) {
            (None, _) => Covers::All,
            (Some(class), None) if class.is_empty() => Covers::None,
            (Some(_), None) => Covers::Some,
            (Some(class), Some(bound)) => Covers::all_or_none(class.contains(&bound)),
        };
        let all = [graph, property, class];
        if all.contains(&Covers::None) {
            Covers::None
        } else if all.contains(&Covers::Some) {
            Covers::Some
        } else {
            Covers::All
        }
    }

    #[inline]
    fn holds(&self, [g, s, p, _]: IdQuad) -> bool {
        self.property.is_none_or(|property| property == p)
            && self.graph.is_none_or(|graph| graph == g)
            && self.class.as_ref().is_none_or(|class| class.contains(&s))
    }
}

impl Covers {
    fn all_or_none(all: bool) -> Self {
        if all { Self::All } else { Self::None }
    }
}

/// The subjects of `rdf:type class` in any graph, visible or not.
fn instances(snapshot: &Snapshot, class: Id) -> FxHashSet<Id> {
    let Some(rdf_type) = snapshot.dictionary.id(oxrdf::vocab::rdf::TYPE.into()) else {
        return FxHashSet::default();
    };
    let ranges = [
        Range::in_graph(DEFAULT_GRAPH, None, Some(rdf_type), Some(class)),
        Range::in_named(None, Some(rdf_type), Some(class)),
    ];
    ranges
        .iter()
        .flat_map(|range| snapshot.index.rows(range))
        .map(|[_, s, ..]| s)
        .collect()
}
