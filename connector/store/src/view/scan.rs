//! The matches of one triple pattern, as far as the guard shows them.

use super::{State, View};
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::guard::{Decision, IdGuard, OverlayRows, Pattern, Residual};
use crate::index::Rows;
use crate::run::{IdQuad, Range};
use crate::snapshot::Snapshot;
use rustc_hash::FxHashSet;
use spareval::InternalQuad;
use std::rc::Rc;
use std::sync::Arc;

/// Below this many rows a pattern is not worth splitting.
const SPLIT: usize = 64;
/// A lookup of subject and object reads the subject's rows if they are no more than this.
const FEW: usize = 16;

/// The visible matches of a pattern.
pub(super) struct Scan<'a> {
    rows: Rows<'a>,
    residual: Option<Residual>,
    /// What the guard shows beside them.
    added: Option<Box<OverlayRows>>,
    /// Parts of the pattern that are still to be scanned; none for most patterns.
    parts: Option<Parts<'a>>,
    state: Rc<State>,
    stopped: bool,
}

struct Parts<'a> {
    snapshot: &'a Snapshot,
    guard: Arc<IdGuard>,
    left: Vec<Part>,
    /// For a merge of graphs: the triples that are out.
    seen: Option<FxHashSet<[Id; 3]>>,
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Quads of the snapshot as they are.
    Shown(Pattern),
    /// These and what the guard shows beside them.
    Whole(Pattern),
}

impl<'a> Scan<'a> {
    /// No matches.
    pub(super) fn none(view: &View<'a>) -> Self {
        Self {
            rows: Rows::none(),
            residual: None,
            added: None,
            parts: None,
            state: Rc::clone(&view.state),
            stopped: false,
        }
    }

    /// The visible matches of a pattern.
    pub(super) fn new(view: &View<'a>, pattern: Pattern) -> Self {
        let mut scan = Self::none(view);
        let mut left = Vec::new();
        scan.added = view.guard.added(pattern);
        scan.open(view.snapshot, &view.guard, pattern, &mut left);
        if !left.is_empty() {
            scan.parts = Some(Parts {
                snapshot: view.snapshot,
                guard: Arc::clone(&view.guard),
                left,
                seen: None,
            });
        }
        scan
    }

    /// The visible matches in any of the graphs, every triple once.
    pub(super) fn merged(view: &View<'a>, pattern: Pattern, graphs: &[Id]) -> Self {
        let in_graph = |graph: &Id| {
            Part::Whole(Pattern {
                g: Some(*graph),
                ..pattern
            })
        };
        let left = graphs.iter().map(in_graph).collect();
        Self::of_parts(view, left, graphs.len() > 1)
    }

    /// The visible matches in the default graph and all named graphs, every triple once.
    pub(super) fn merged_all(view: &View<'a>, pattern: Pattern) -> Self {
        let default = Pattern {
            g: Some(DEFAULT_GRAPH),
            ..pattern
        };
        let named = Pattern { g: None, ..pattern };
        // Where no named graph has a match, no triple comes twice.
        let is_mixed =
            view.snapshot.index.size(&named.range()) > 0 || view.guard.added(named).is_some();
        Self::of_parts(
            view,
            vec![Part::Whole(named), Part::Whole(default)],
            is_mixed,
        )
    }

    fn of_parts(view: &View<'a>, left: Vec<Part>, repeats: bool) -> Self {
        Self {
            parts: Some(Parts {
                snapshot: view.snapshot,
                guard: Arc::clone(&view.guard),
                left,
                seen: repeats.then(FxHashSet::default),
            }),
            ..Self::none(view)
        }
    }

    /// Decides a pattern and begins its scan, or puts its parts to `left`.
    fn open(
        &mut self,
        snapshot: &'a Snapshot,
        guard: &Arc<IdGuard>,
        pattern: Pattern,
        left: &mut Vec<Part>,
    ) {
        self.residual = None;
        match guard.decide(pattern) {
            Decision::Denied => self.rows = Rows::none(),
            Decision::Allowed => self.rows = snapshot.index.rows(&range(snapshot, pattern)),
            Decision::Residual(residual) => {
                let range = range(snapshot, pattern);
                if split(snapshot, guard, pattern, &range, left) {
                    self.rows = Rows::none();
                } else {
                    self.rows = snapshot.index.rows(&range);
                    self.residual = Some(residual);
                }
            }
        }
    }

    /// Begins the next part; false where there is none.
    fn advance(&mut self) -> bool {
        let Some(mut parts) = self.parts.take() else {
            return false;
        };
        let pattern = match parts.left.pop() {
            Some(Part::Shown(pattern)) => pattern,
            Some(Part::Whole(pattern)) => {
                self.added = parts.guard.added(pattern);
                pattern
            }
            None => return false,
        };
        self.open(parts.snapshot, &parts.guard, pattern, &mut parts.left);
        self.parts = Some(parts);
        true
    }

    fn next_row(&mut self) -> Option<Result<IdQuad, StoreError>> {
        loop {
            while let Some(quad) = self.rows.next() {
                if let Err(error) = self.state.watch.step() {
                    return Some(Err(error));
                }
                if self
                    .residual
                    .as_ref()
                    .is_none_or(|residual| residual.shows(quad))
                    && self.is_new(quad)
                {
                    return Some(Ok(quad));
                }
            }
            // What a split leaves comes before what is added to the whole.
            let is_split = matches!(&self.parts, Some(parts) if matches!(parts.left.last(), Some(Part::Shown(_))));
            if !is_split {
                while let Some(quad) = self.added.as_mut().and_then(|added| added.next()) {
                    if let Err(error) = self.state.watch.step() {
                        return Some(Err(error));
                    }
                    if self.is_new(quad) {
                        return Some(Ok(quad));
                    }
                }
            }
            if !self.advance() {
                return None;
            }
        }
    }

    #[inline]
    fn is_new(&mut self, [_, s, p, o]: IdQuad) -> bool {
        match &mut self.parts {
            Some(Parts {
                seen: Some(seen), ..
            }) => seen.insert([s, p, o]),
            _ => true,
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<InternalQuad<Id>, StoreError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        match self.next_row() {
            Some(Ok([g, s, p, o])) => Some(Ok(InternalQuad {
                subject: s,
                predicate: p,
                object: o,
                graph_name: (g != DEFAULT_GRAPH).then_some(g),
            })),
            Some(Err(error)) => {
                self.stopped = true;
                Some(Err(error))
            }
            None => {
                self.stopped = true;
                // Lookups that find nothing cost time too.
                self.state.watch.step().err().map(Err)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.parts {
            Some(_) => (0, None),
            None => {
                let added = self.added.as_ref().map_or(0, |added| added.most());
                (0, Some(self.rows.most() + added))
            }
        }
    }
}

fn range(snapshot: &Snapshot, pattern: Pattern) -> Range {
    let range = pattern.range();
    if let (Some(s), None, Some(o)) = (pattern.s, pattern.p, pattern.o) {
        let rows = snapshot.index.size(&range);
        let other = Range::from_object(pattern.g, s, o);
        if rows > FEW && snapshot.index.size(&other) < rows {
            return other;
        }
    }
    range
}

/// Splits a pattern with many rows by graph, or by predicate: so that what the guard hides is skipped as a whole.
fn split(
    snapshot: &Snapshot,
    guard: &Arc<IdGuard>,
    pattern: Pattern,
    range: &Range,
    left: &mut Vec<Part>,
) -> bool {
    if pattern.s.is_some() {
        return false;
    }
    let rows = snapshot.index.size(range);
    match pattern.g {
        None => {
            let graphs = guard.graphs(snapshot);
            if rows < SPLIT.max(16 * graphs.len()) {
                return false;
            }
            left.extend(graphs.iter().rev().map(|graph| {
                Part::Shown(Pattern {
                    g: Some(*graph),
                    ..pattern
                })
            }));
            true
        }
        Some(g) if pattern.p.is_none() && rows >= SPLIT => {
            let predicates = snapshot.index.predicates(g, pattern.o);
            left.extend(predicates.into_iter().rev().map(|p| {
                Part::Shown(Pattern {
                    p: Some(p),
                    ..pattern
                })
            }));
            true
        }
        Some(_) => false,
    }
}
