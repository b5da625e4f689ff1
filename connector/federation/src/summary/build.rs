//! Making a summary of the quads that a caller may see.

mod detail;
mod outline;

use super::filter;
use super::part::Part;
use super::profile::Profiles;
use super::{Graphs, Named, Summary, SummaryLimits};
pub(super) use detail::AUTHORITIES;
use oxrdf::{GraphName, NamedNode, Quad};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The most named graphs that have a part each. With more, each part is of the graphs of a bucket.
pub(super) const GRAPHS: usize = 64;

/// What a caller may see, to pass by as often as is needed: the same quads each time, in any order.
pub trait View {
    /// The named graphs of which there is a quad, in any order. None where the view ended early.
    fn graphs(&self) -> Option<Vec<GraphName>>;

    /// Calls back on each quad of a graph, until it gives false. None where the view ended early.
    fn each(&self, graph: &GraphName, each: &mut dyn FnMut(Quad) -> bool) -> Option<()>;
}

impl Summary {
    /// The summary of the quads that a caller may see, in any order; none where it would be too large.
    ///
    /// `version` must be another one whenever the quads may be others.
    pub fn of(
        version: String,
        quads: impl IntoIterator<Item = Quad>,
        limits: &SummaryLimits,
    ) -> Option<Self> {
        let mut graphs: FxHashMap<GraphName, Vec<Quad>> = FxHashMap::default();
        for quad in quads {
            graphs
                .entry(quad.graph_name.clone())
                .or_default()
                .push(quad);
        }
        Self::of_view(version, &Held(graphs), limits)
    }

    /// As [`Summary::of`], in memory that does not grow with the quads. None also where the view ended early.
    pub fn of_view(version: String, view: &dyn View, limits: &SummaryLimits) -> Option<Self> {
        let default = part(view, &[GraphName::DefaultGraph], &[], limits)?;
        let mut bundles: BTreeMap<Graphs, (Vec<GraphName>, Vec<NamedNode>)> = BTreeMap::new();
        let graphs = view.graphs()?;
        let are_few = graphs.len() <= GRAPHS;
        for graph in graphs {
            let (key, name) = match &graph {
                GraphName::NamedNode(name) if are_few => (Graphs::One(name.clone()), None),
                GraphName::NamedNode(name) => (Graphs::Several(bucket(name)), Some(name.clone())),
                // Nobody can ask for it by name.
                GraphName::BlankNode(_) | GraphName::DefaultGraph => (Graphs::Several(0), None),
            };
            let (graphs, names) = bundles.entry(key).or_default();
            graphs.push(graph);
            names.extend(name);
        }
        let named = bundles.into_iter().map(|(graphs, (of, names))| {
            let part = part(view, &of, &names, limits)?;
            Some(Named {
                graphs,
                part: Arc::new(part),
            })
        });
        let summary = Self {
            version,
            recipients: Vec::new(),
            is_cut: false,
            default: Arc::new(default),
            named: named.collect::<Option<_>>()?,
        };
        summary.within(limits)
    }

    /// The summary after a change of nothing but these graphs, as it would be made from the start. None where that must
    /// be done: where graphs share parts, or parts are cut.
    pub fn after(
        &self,
        version: String,
        changed: &[GraphName],
        view: &dyn View,
        limits: &SummaryLimits,
    ) -> Option<Self> {
        let is_shared = |named: &Named| matches!(named.graphs, Graphs::Several(_));
        if self.is_cut || self.named.iter().any(is_shared) {
            return None;
        }
        let mut summary = self.clone();
        summary.version = version;
        for graph in changed {
            let part = part(view, std::slice::from_ref(graph), &[], limits)?;
            let key = match graph {
                GraphName::DefaultGraph => {
                    summary.default = Arc::new(part);
                    continue;
                }
                GraphName::NamedNode(name) => Graphs::One(name.clone()),
                GraphName::BlankNode(_) => return None,
            };
            let place = summary
                .named
                .binary_search_by(|named| named.graphs.cmp(&key));
            if let Ok(place) = place {
                summary.named.remove(place);
            }
            let place = place.unwrap_or_else(|place| place);
            if part.triples > 0 {
                let part = Arc::new(part);
                let named = Named { graphs: key, part };
                summary.named.insert(place, named);
            }
        }
        if summary.named.len() > GRAPHS {
            return None;
        }
        summary.within(limits).filter(|summary| !summary.is_cut)
    }

    /// Cut to the limits of all parts together; none where even that is too much.
    fn within(mut self, limits: &SummaryLimits) -> Option<Self> {
        let parts = || std::iter::once(&self.default).chain(self.named.iter().map(|n| &n.part));
        let predicates = parts().map(|part| part.predicates.len());
        if predicates.sum::<usize>() > limits.predicates {
            return None;
        }
        loop {
            let parts = self.parts_mut();
            let bytes: usize = parts.iter().map(|part| part.filter.bytes()).sum();
            // A filter has a word at least.
            if bytes <= limits.filter_bytes.max(parts.len() * 8) {
                break;
            }
            let largest = parts.into_iter().max_by_key(|part| part.filter.bytes())?;
            Arc::make_mut(largest).filter.fold();
            self.is_cut = true;
        }
        loop {
            let cost = |part: &Part| part.profiles.as_ref().map_or(0, Profiles::cost);
            let parts = self.parts_mut();
            if parts.iter().map(|part| cost(part)).sum::<usize>() <= limits.marks {
                return Some(self);
            }
            let largest = parts.into_iter().max_by_key(|part| cost(part))?;
            Arc::make_mut(largest).profiles = None;
            self.is_cut = true;
        }
    }

    fn parts_mut(&mut self) -> Vec<&mut Arc<Part>> {
        let named = self.named.iter_mut().map(|named| &mut named.part);
        std::iter::once(&mut self.default).chain(named).collect()
    }
}

/// The bucket that a graph falls into where there are many.
pub(super) fn bucket(name: &NamedNode) -> u8 {
    let bucket = filter::graph(name) % GRAPHS as u64;
    u8::try_from(bucket).unwrap_or_default()
}

/// What is known of some graphs: in detail, or in outline where they are large.
fn part(
    view: &dyn View,
    graphs: &[GraphName],
    names: &[NamedNode],
    limits: &SummaryLimits,
) -> Option<Part> {
    let mut quads = Vec::new();
    let mut are_few = true;
    for graph in graphs {
        view.each(graph, &mut |quad| {
            are_few = quads.len() < limits.detailed;
            if are_few {
                quads.push(quad);
            }
            are_few
        })?;
        if !are_few {
            drop(quads);
            return Part::outlined(view, graphs, names, limits);
        }
    }
    Some(Part::detailed(quads, names, limits))
}

/// Quads in memory.
struct Held(FxHashMap<GraphName, Vec<Quad>>);

impl View for Held {
    fn graphs(&self) -> Option<Vec<GraphName>> {
        let graphs = self
            .0
            .keys()
            .filter(|graph| **graph != GraphName::DefaultGraph);
        Some(graphs.cloned().collect())
    }

    fn each(&self, graph: &GraphName, each: &mut dyn FnMut(Quad) -> bool) -> Option<()> {
        for quad in self.0.get(graph).into_iter().flatten() {
            if !each(quad.clone()) {
                break;
            }
        }
        Some(())
    }
}
