//! All quads of one snapshot: a few immutable levels, the newest small.

use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::run::{IdQuad, Level, Order, Range, Row};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// The recent level is copied on every commit: it stays this small.
const RECENT: usize = 4096;
/// The middle level is merged into the base at a quarter of the base's size, but not below this.
const MIDDLE: usize = 65_536;

/// The quads of a snapshot.
///
/// A quad that is there is in exactly one level as added, and in no newer level as dead.
// INVARIANT(one-level-each): `apply` is given quads that are not there to add, and quads that are to remove.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    /// The base, the middle and the recent level.
    levels: [Arc<Level>; 3],
    quads: usize,
}

/// The rows of a range, level by level.
#[derive(Debug, Clone)]
pub(crate) struct Rows<'a> {
    order: Order,
    current: std::slice::Iter<'a, Row>,
    /// What killed rows of the current level.
    dead: [Option<&'a FxHashSet<IdQuad>>; 2],
    next: [(&'a [Row], Option<&'a FxHashSet<IdQuad>>); 2],
    mask: Row,
    value: Row,
}

impl Index {
    /// The number of quads.
    pub(crate) fn len(&self) -> usize {
        self.quads
    }

    /// Whether the quad is there.
    pub(crate) fn contains(&self, quad: IdQuad) -> bool {
        let [base, middle, recent] = &self.levels;
        recent.contains(quad)
            || !recent.dead().contains(&quad)
                && (middle.contains(quad) || !middle.dead().contains(&quad) && base.contains(quad))
    }

    /// The index after a change. `added` must not be there, `removed` must.
    pub(crate) fn apply(&self, added: &[IdQuad], removed: &[IdQuad]) -> Self {
        let [base, middle, recent] = &self.levels;
        let quads = self.quads + added.len() - removed.len();
        let change = Level::new(added, removed.iter().copied());
        let size = recent.size() + change.size();
        // The base is the oldest level: nothing below it can be dead.
        let levels = if base.is_empty() && middle.is_empty() && size > MIDDLE {
            [
                Arc::new(recent.merged(&change, false)),
                Arc::default(),
                Arc::default(),
            ]
        } else if size <= RECENT {
            let recent = recent.merged(&change, true);
            [Arc::clone(base), Arc::clone(middle), Arc::new(recent)]
        } else {
            let middle = middle.merged(&recent.merged(&change, true), true);
            if middle.size() > MIDDLE.max(base.rows() / 4) {
                [
                    Arc::new(base.merged(&middle, false)),
                    Arc::default(),
                    Arc::default(),
                ]
            } else {
                [Arc::clone(base), Arc::new(middle), Arc::default()]
            }
        };
        Self { levels, quads }
    }

    /// The quads of a range.
    pub(crate) fn rows(&self, range: &Range) -> Rows<'_> {
        let [base, middle, recent] = &self.levels;
        Rows {
            order: range.order,
            current: base.range(range.order, range.low, range.high).iter(),
            dead: [deadly(middle), deadly(recent)],
            next: [
                (
                    middle.range(range.order, range.low, range.high),
                    deadly(recent),
                ),
                (recent.range(range.order, range.low, range.high), None),
            ],
            mask: range.mask,
            value: range.value,
        }
    }

    /// An upper bound of the rows of a range, at no cost worth mentioning.
    pub(crate) fn size(&self, range: &Range) -> usize {
        self.levels
            .iter()
            .map(|level| level.range(range.order, range.low, range.high).len())
            .sum()
    }

    /// The named graphs that may hold quads, ascending: all that do, and such as hold only dead rows.
    pub(crate) fn named_graphs(&self) -> Vec<Id> {
        let mut graphs = Vec::new();
        let mut next = DEFAULT_GRAPH + 1;
        loop {
            let low = Row::from(next) << 96;
            let first = self
                .levels
                .iter()
                .filter_map(|level| level.first(Order::Gspo, low))
                .min();
            let Some(first) = first else { return graphs };
            let [graph, ..] = Order::Gspo.unpack(first);
            graphs.push(graph);
            next = graph + 1;
        }
    }

    /// The predicates that may occur in a graph, with that object if one is given, ascending.
    pub(crate) fn predicates(&self, graph: Id, object: Option<Id>) -> Vec<Id> {
        let mut predicates = Vec::new();
        let mut from = Some(0);
        while let Some(p) = from {
            let range = Range::predicates_from(graph, object, p);
            let first = self.levels.iter().filter_map(|level| {
                level
                    .range(range.order, range.low, range.high)
                    .first()
                    .copied()
            });
            let Some(first) = first.min() else { break };
            let [_, _, predicate, _] = range.order.unpack(first);
            predicates.push(predicate);
            from = predicate.checked_add(1);
        }
        predicates
    }

    /// Bytes in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.bytes()).sum()
    }
}

impl<'a> Rows<'a> {
    /// No rows.
    pub(crate) fn none() -> Self {
        Rows {
            order: Order::Gspo,
            current: [].iter(),
            dead: [None, None],
            next: [(&[], None), (&[], None)],
            mask: 0,
            value: 0,
        }
    }

    fn advance(&mut self) -> bool {
        loop {
            let [(rows, dead), after] = self.next;
            if rows.is_empty() && after.0.is_empty() {
                return false;
            }
            self.current = rows.iter();
            self.dead = [dead, None];
            self.next = [after, (&[], None)];
            if !rows.is_empty() {
                return true;
            }
        }
    }

    /// At most how many rows are left.
    pub(crate) fn most(&self) -> usize {
        let [(first, _), (second, _)] = self.next;
        self.current.len() + first.len() + second.len()
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = IdQuad;

    #[inline]
    fn next(&mut self) -> Option<IdQuad> {
        loop {
            for row in self.current.by_ref() {
                if row & self.mask != self.value {
                    continue;
                }
                let quad = self.order.unpack(*row);
                if self.dead.iter().flatten().any(|dead| dead.contains(&quad)) {
                    continue;
                }
                return Some(quad);
            }
            if !self.advance() {
                return None;
            }
        }
    }
}

fn deadly(level: &Level) -> Option<&FxHashSet<IdQuad>> {
    Some(level.dead()).filter(|dead| !dead.is_empty())
}

#[cfg(test)]
mod tests;
