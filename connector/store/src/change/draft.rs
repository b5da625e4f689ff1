//! A change in the making: operations see what those before them did, nobody else sees anything.

use crate::StoreError;
use crate::dictionary::DEFAULT_GRAPH;
use crate::guard::{IdGuard, Names};
use crate::run::IdQuad;
use crate::snapshot::{Snapshot, encode};
use crate::store::Delta;
use crate::view::View;
use crate::watch::Watch;
use oxrdf::{GraphName, Quad};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use twinlink_core::{Budget, Code, Refusal};
use twinlink_policy::Guard;

/// What an operation removes, as far as the caller sees it.
#[derive(Clone, Copy)]
pub(super) enum Removed<'a> {
    /// These quads.
    These(&'a [Quad]),
    /// All of a graph.
    Graph(&'a GraphName),
    /// All of the named graphs.
    Named,
    /// All.
    All,
}

/// A change in the making.
pub(super) struct Draft<'a> {
    state: Arc<Snapshot>,
    read: &'a Guard,
    /// The quads that may be changed are those it shows as they are: a transformed quad is nowhere to be changed.
    modify: Guard,
    budget: &'a Budget,
    watch: Watch,
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
            watch: Watch::new(budget),
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

    /// Removes some quads and then adds some, in an operation that names these terms.
    // INVARIANT(nothing-changed-unpermitted): what is added or visibly removed is checked before it becomes the state.
    pub(super) fn apply(
        &mut self,
        remove: Removed<'_>,
        add: &[Quad],
        names: &Names,
    ) -> Result<(), Refusal> {
        let mut growing = self.state.dictionary.grow();
        let mut encoded = Vec::with_capacity(add.len());
        for quad in add {
            self.watch.step()?;
            encoded.push(encode(&mut growing, quad)?);
        }
        let mut add = encoded;
        add.sort_unstable();
        add.dedup();
        // The same state, in which the new terms have ids: guards are compiled to ids.
        let before = if growing.is_unchanged() {
            Arc::clone(&self.state)
        } else {
            self.watch.keeping(|| {
                Arc::new(self.state.next(
                    self.state.sequence(),
                    self.state.time(),
                    growing.finish(),
                    self.state.index.clone(),
                ))
            })
        };
        let read = self.compile(&before, self.read, names)?;

        let mut removed = self.seen(&before, &read, remove)?;
        removed.sort_unstable();
        removed.dedup();
        let removed = self.those(&removed, |quad| {
            visible(&before, &read, quad) && add.binary_search(&quad).is_err()
        })?;
        // To say so tells nothing: the caller sees the quad, and by its policy that it is not the truth.
        if !self.those(&removed, |quad| read.adds(quad))?.is_empty() {
            return Err(Refusal::new(
                Code::Forbidden,
                "policy.transformed",
                "what a policy shows transformed, or in numbers only, cannot be changed",
            ));
        }
        let add = self.those(&add, |quad| !visible(&before, &read, quad))?;
        let modify = self.compile(&before, &self.modify, names)?;
        self.permitted(&before, &modify, &removed)?;
        self.permitted(&before, &modify, &add)?;

        let added = self.those(&add, |quad| !before.index.contains(quad))?;
        let after = self.watch.keeping(|| {
            let index = before.index.apply(&added, &removed);
            let dictionary = before.dictionary.clone();
            before.next(before.sequence(), before.time(), dictionary, index)
        });
        if !add.is_empty() {
            let modify = self.compile(&after, &self.modify, names)?;
            self.permitted(&after, &modify, &add)?;
            let read = self.compile(&after, self.read, names)?;
            let seen = self.those(&add, |quad| visible(&after, &read, quad))?;
            self.inserted += seen.len() as u64;
        }
        self.removed += removed.len() as u64;
        self.touched |= !add.is_empty() || !removed.is_empty();
        if !added.is_empty() || !removed.is_empty() {
            self.steps.push((added, removed));
            self.state = Arc::new(after);
        }
        Ok(())
    }

    /// The guard in ids of a state. It stays with the state.
    fn compile(
        &self,
        state: &Snapshot,
        guard: &Guard,
        names: &Names,
    ) -> Result<Arc<IdGuard>, StoreError> {
        self.watch
            .keeping(|| state.compile(guard, names, self.budget))
    }

    /// What is to be removed, where the caller sees it, in ids of the state and the guard.
    fn seen(
        &self,
        state: &Snapshot,
        read: &Arc<IdGuard>,
        remove: Removed<'_>,
    ) -> Result<Vec<IdQuad>, StoreError> {
        let mut ids = Vec::new();
        match remove {
            Removed::These(quads) => {
                for quad in quads {
                    self.watch.step()?;
                    ids.extend(state.ids(read, quad));
                }
            }
            Removed::Graph(graph) => {
                // Only terms of the snapshot name graphs.
                if let Some(graph) = state.graph(graph) {
                    self.take(read.quads_of(state, graph, None), &mut ids)?;
                }
            }
            Removed::Named => {
                let quads = read.quads(state);
                self.take(
                    quads.filter(|[graph, ..]| *graph != DEFAULT_GRAPH),
                    &mut ids,
                )?;
            }
            Removed::All => self.take(read.quads(state), &mut ids)?,
        }
        Ok(ids)
    }

    fn take(
        &self,
        quads: impl Iterator<Item = IdQuad>,
        ids: &mut Vec<IdQuad>,
    ) -> Result<(), StoreError> {
        for quad in quads {
            self.watch.step()?;
            ids.push(quad);
        }
        Ok(())
    }

    /// Those that it is true of, in their order.
    fn those(
        &self,
        quads: &[IdQuad],
        is: impl Fn(IdQuad) -> bool,
    ) -> Result<Vec<IdQuad>, StoreError> {
        let mut those = Vec::new();
        for quad in quads {
            self.watch.step()?;
            if is(*quad) {
                those.push(*quad);
            }
        }
        Ok(those)
    }

    fn permitted(
        &self,
        state: &Snapshot,
        modify: &IdGuard,
        quads: &[IdQuad],
    ) -> Result<(), Refusal> {
        for quad in quads {
            self.watch.step()?;
            if !modify.covers(*quad) {
                return Err(forbidden(state, *quad));
            }
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
