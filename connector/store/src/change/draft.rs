//! A change in the making: operations see what those before them did, nobody else sees anything.

use crate::StoreError;
use crate::guard::{IdGuard, Names};
use crate::run::IdQuad;
use crate::snapshot::{Snapshot, encode};
use crate::store::Delta;
use crate::view::View;
use oxrdf::{GraphName, GraphNameRef, Quad};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use twinlink_core::{Budget, Code, Refusal};
use twinlink_policy::Guard;

/// A change in the making.
pub(super) struct Draft<'a> {
    state: Arc<Snapshot>,
    read: &'a Guard,
    /// The quads that may be changed are those it shows as they are: a transformed quad is nowhere to be changed.
    modify: Guard,
    budget: &'a Budget,
    /// What each operation did: quads added and removed.
    steps: Vec<(Vec<IdQuad>, Vec<IdQuad>)>,
    /// Whether the caller, as far as it can see, asked for a change.
    touched: bool,
    /// Quads added, as the caller sees it.
    pub(super) inserted: u64,
    /// Quads removed.
    pub(super) removed: u64,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        snapshot: &Arc<Snapshot>,
        read: &'a Guard,
        modify: &Guard,
        budget: &'a Budget,
    ) -> Self {
        Self {
            state: Arc::clone(snapshot),
            read,
            modify: modify.as_it_is(),
            budget,
            steps: Vec::new(),
            touched: false,
            inserted: 0,
            removed: 0,
        }
    }

    /// What the caller sees now, in an operation that names these terms.
    pub(super) fn view(&self, names: &Names) -> Result<View<'_>, StoreError> {
        self.state.view_for(self.read, names, self.budget)
    }

    /// Whether the caller sees anything of the graph.
    pub(super) fn shows(&self, graph: &GraphName) -> Result<bool, StoreError> {
        let mut quads = self.state.quads_of_graph(self.read, graph, self.budget)?;
        Ok(quads.next().is_some())
    }

    /// What the caller sees of the graph.
    pub(super) fn graph(&self, graph: &GraphName) -> Result<Vec<Quad>, StoreError> {
        let quads = self.state.quads_of_graph(self.read, graph, self.budget)?;
        Ok(quads.collect())
    }

    /// What the caller sees of some graphs.
    pub(super) fn all(
        &self,
        of: impl Fn(GraphNameRef<'_>) -> bool,
    ) -> Result<Vec<Quad>, StoreError> {
        let quads = self.state.quads(self.read, self.budget)?;
        Ok(quads.filter(|quad| of(quad.graph_name.as_ref())).collect())
    }

    /// Removes some quads and then adds some, in an operation that names these terms.
    // INVARIANT(nothing-changed-unpermitted): what is added or visibly removed is checked before it becomes the state.
    pub(super) fn apply(
        &mut self,
        remove: &[Quad],
        add: &[Quad],
        names: &Names,
    ) -> Result<(), Refusal> {
        let mut growing = self.state.dictionary.grow();
        let mut add = add
            .iter()
            .map(|quad| encode(&mut growing, quad))
            .collect::<Result<Vec<_>, StoreError>>()?;
        add.sort_unstable();
        add.dedup();
        // The same state, in which the new terms have ids: guards are compiled to ids.
        let before = if growing.is_unchanged() {
            Arc::clone(&self.state)
        } else {
            Arc::new(self.state.next(
                self.state.sequence(),
                self.state.time(),
                growing.finish(),
                self.state.index.clone(),
            ))
        };
        let read = before.compile(self.read, names, self.budget)?;

        let mut removed = remove
            .iter()
            .filter_map(|quad| before.ids(&read, quad))
            .collect::<Vec<_>>();
        removed.sort_unstable();
        removed.dedup();
        removed.retain(|quad| visible(&before, &read, *quad) && add.binary_search(quad).is_err());
        // To say so tells nothing: the caller sees the quad, and by its policy that it is not the truth.
        if removed.iter().any(|quad| read.adds(*quad)) {
            return Err(Refusal::new(
                Code::Forbidden,
                "policy.transformed",
                "what a policy shows transformed, or in numbers only, cannot be changed",
            ));
        }
        add.retain(|quad| !visible(&before, &read, *quad));
        let modify = before.compile(&self.modify, names, self.budget)?;
        if let Some(quad) = removed
            .iter()
            .chain(&add)
            .find(|quad| !modify.covers(**quad))
        {
            return Err(forbidden(&before, *quad));
        }

        let added = add
            .iter()
            .filter(|quad| !before.index.contains(**quad))
            .copied()
            .collect::<Vec<_>>();
        let index = before.index.apply(&added, &removed);
        let after = before.next(
            before.sequence(),
            before.time(),
            before.dictionary.clone(),
            index,
        );
        if !add.is_empty() {
            let modify = after.compile(&self.modify, names, self.budget)?;
            if let Some(quad) = add.iter().find(|quad| !modify.covers(**quad)) {
                return Err(forbidden(&after, *quad));
            }
            let read = after.compile(self.read, names, self.budget)?;
            let seen = add.iter().filter(|quad| visible(&after, &read, **quad));
            self.inserted += seen.count() as u64;
        }
        self.removed += removed.len() as u64;
        self.touched |= !add.is_empty() || !removed.is_empty();
        if !added.is_empty() || !removed.is_empty() {
            self.steps.push((added, removed));
            self.state = Arc::new(after);
        }
        Ok(())
    }

    /// What is to be committed; none where, to the caller, nothing changes.
    ///
    /// A change that only inserts what is there but hidden is committed too, empty: else the sequence number would
    /// tell that it is there.
    pub(super) fn finish(self) -> Option<Delta> {
        if !self.touched {
            return None;
        }
        let (added, removed) = match <[_; 1]>::try_from(self.steps) {
            Ok([only]) => only,
            Err(steps) => net(steps),
        };
        Some(Delta {
            dictionary: self.state.dictionary.clone(),
            index: self.state.index.clone(),
            added,
            removed,
        })
    }
}

/// Whether a guard shows the quad, as it is or as what another one was made into.
fn visible(snapshot: &Snapshot, guard: &IdGuard, quad: IdQuad) -> bool {
    guard.covers(quad) && snapshot.index.contains(quad) || guard.adds(quad)
}

/// What some steps come to: each quad is added and removed in turn.
fn net(steps: Vec<(Vec<IdQuad>, Vec<IdQuad>)>) -> (Vec<IdQuad>, Vec<IdQuad>) {
    let mut last = FxHashMap::default();
    let mut even = FxHashSet::default();
    for (added, removed) in steps {
        let changes = removed
            .into_iter()
            .map(|quad| (quad, false))
            .chain(added.into_iter().map(|quad| (quad, true)));
        for (quad, there) in changes {
            if !even.remove(&quad) && last.contains_key(&quad) {
                even.insert(quad);
            }
            last.insert(quad, there);
        }
    }
    let mut net = (Vec::new(), Vec::new());
    for (quad, there) in last {
        if !even.contains(&quad) {
            if there {
                net.0.push(quad)
            } else {
                net.1.push(quad)
            }
        }
    }
    net.0.sort_unstable();
    net.1.sort_unstable();
    net
}

fn forbidden(snapshot: &Snapshot, quad: IdQuad) -> Refusal {
    match snapshot.decode(quad) {
        Some(quad) => Refusal::new(
            Code::Forbidden,
            "policy.modify",
            format_args!("the permit does not cover {quad}"),
        ),
        None => Refusal::new(
            Code::Forbidden,
            "policy.modify",
            "the permit does not cover a quad",
        ),
    }
}
