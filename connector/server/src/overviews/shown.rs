//! What a guard shows of a snapshot, as summaries are made of it.

use oxrdf::{GraphName, Quad};
use std::collections::HashSet;
use twinlink_core::Budget;
use twinlink_federation::View;
use twinlink_policy::{Guard, Selector};
use twinlink_store::{ChangeSet, Snapshot};

/// A snapshot behind a guard.
pub(super) struct Shown<'a> {
    snapshot: &'a Snapshot,
    guard: &'a Guard,
    budget: &'a Budget,
}

impl<'a> Shown<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, guard: &'a Guard, budget: &'a Budget) -> Self {
        Self {
            snapshot,
            guard,
            budget,
        }
    }
}

impl View for Shown<'_> {
    fn graphs(&self) -> Option<Vec<GraphName>> {
        let summary = self.snapshot.summary(self.guard, self.budget).ok()?;
        Some(summary.graphs.into_iter().map(GraphName::from).collect())
    }

    fn each(&self, graph: &GraphName, each: &mut dyn FnMut(Quad) -> bool) -> Option<()> {
        let quads = self
            .snapshot
            .quads_of_graph(self.guard, graph, self.budget)
            .ok()?;
        for quad in quads {
            if self.budget.is_cancelled() {
                return None;
            }
            if !each(quad) {
                break;
            }
        }
        Some(())
    }
}

/// Whether what is shown of a graph depends on nothing but the graph.
pub(super) fn is_by_graph(guard: &Guard) -> bool {
    let is_plain = |selector: &Selector| {
        let Selector {
            graph: _,
            property: _,
            class,
            nodes,
            named,
            recorded,
        } = selector;
        class.is_none() && nodes.is_none() && named.is_none() && recorded.is_none()
    };
    let is_as_it_is =
        |layer: &Guard| layer.transformed().is_empty() && layer.statistics().is_empty();
    guard.selectors().all(is_plain) && guard.layers().all(is_as_it_is)
}

/// The graphs that some changes touched.
pub(super) fn touched(changes: &[ChangeSet]) -> Vec<GraphName> {
    let quads = changes
        .iter()
        .flat_map(|change| change.added.iter().chain(&change.removed));
    let graphs: HashSet<&GraphName> = quads.map(|quad| &quad.graph_name).collect();
    graphs.into_iter().cloned().collect()
}
