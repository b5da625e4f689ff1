//! Sorted rows of ids, one array per order in which they are looked up.

use crate::dictionary::{DEFAULT_GRAPH, Id};
use rustc_hash::FxHashSet;

/// A quad as ids: graph, subject, predicate, object.
pub(crate) type IdQuad = [Id; 4];

/// A quad in some order, first component in the highest bits: comparing numbers compares rows.
pub(crate) type Row = u128;

/// The orders. Those that start with the graph hold every quad; the others hold the quads of named graphs, for
/// patterns over any named graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Gspo,
    Gpso,
    Gops,
    Spog,
    Psog,
    Opsg,
}

/// Where in the orders the matches of a pattern are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) order: Order,
    pub(crate) low: Row,
    /// Included.
    pub(crate) high: Row,
    /// Rows in the range that match: those equal to `value` under `mask`.
    pub(crate) mask: Row,
    pub(crate) value: Row,
}

/// Some changes as sorted arrays: rows added, and rows of older levels that are gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Level {
    orders: [Sorted; 6],
    dead: FxHashSet<IdQuad>,
}

#[derive(Debug, Clone, Default)]
struct Sorted {
    rows: Vec<Row>,
    /// Every [`STRIDE`]th row, so that a search touches few cache lines.
    fences: Vec<Row>,
}

const STRIDE: usize = 64;

impl Order {
    pub(crate) const ALL: [Self; 6] = [
        Self::Gspo,
        Self::Gpso,
        Self::Gops,
        Self::Spog,
        Self::Psog,
        Self::Opsg,
    ];

    /// Whether the order holds the quads of the default graph too.
    fn holds_default(self) -> bool {
        matches!(self, Self::Gspo | Self::Gpso | Self::Gops)
    }

    pub(crate) fn pack(self, [g, s, p, o]: IdQuad) -> Row {
        let [a, b, c, d] = match self {
            Self::Gspo => [g, s, p, o],
            Self::Gpso => [g, p, s, o],
            Self::Gops => [g, o, p, s],
            Self::Spog => [s, p, o, g],
            Self::Psog => [p, s, o, g],
            Self::Opsg => [o, p, s, g],
        };
        Row::from(a) << 96 | Row::from(b) << 64 | Row::from(c) << 32 | Row::from(d)
    }

    #[inline]
    pub(crate) fn unpack(self, row: Row) -> IdQuad {
        let [a, b, c, d] = [
            (row >> 96) as Id,
            (row >> 64) as Id,
            (row >> 32) as Id,
            row as Id,
        ];
        match self {
            Self::Gspo => [a, b, c, d],
            Self::Gpso => [a, c, b, d],
            Self::Gops => [a, d, c, b],
            Self::Spog => [d, a, b, c],
            Self::Psog => [d, b, a, c],
            Self::Opsg => [d, c, b, a],
        }
    }
}

impl Range {
    /// The matches of a pattern in one graph.
    pub(crate) fn in_graph(g: Id, s: Option<Id>, p: Option<Id>, o: Option<Id>) -> Self {
        match (s, p, o) {
            (Some(s), Some(p), Some(o)) => Self::prefix(Order::Gspo, &[g, s, p, o]),
            (Some(s), Some(p), None) => Self::prefix(Order::Gspo, &[g, s, p]),
            (Some(s), None, None) => Self::prefix(Order::Gspo, &[g, s]),
            (Some(s), None, Some(o)) => {
                Self::prefix(Order::Gspo, &[g, s]).only(Row::from(Id::MAX), Row::from(o))
            }
            (None, Some(p), Some(o)) => Self::prefix(Order::Gops, &[g, o, p]),
            (None, None, Some(o)) => Self::prefix(Order::Gops, &[g, o]),
            (None, Some(p), None) => Self::prefix(Order::Gpso, &[g, p]),
            (None, None, None) => Self::prefix(Order::Gspo, &[g]),
        }
    }

    /// The matches of a pattern in any named graph.
    pub(crate) fn in_named(s: Option<Id>, p: Option<Id>, o: Option<Id>) -> Self {
        match (s, p, o) {
            (Some(s), Some(p), Some(o)) => Self::prefix(Order::Spog, &[s, p, o]),
            (Some(s), Some(p), None) => Self::prefix(Order::Spog, &[s, p]),
            (Some(s), None, None) => Self::prefix(Order::Spog, &[s]),
            (Some(s), None, Some(o)) => {
                Self::prefix(Order::Spog, &[s]).only(Row::from(Id::MAX) << 32, Row::from(o) << 32)
            }
            (None, Some(p), Some(o)) => Self::prefix(Order::Opsg, &[o, p]),
            (None, None, Some(o)) => Self::prefix(Order::Opsg, &[o]),
            (None, Some(p), None) => Self::prefix(Order::Psog, &[p]),
            (None, None, None) => Self {
                low: Row::from(DEFAULT_GRAPH + 1) << 96,
                ..Self::prefix(Order::Gspo, &[])
            },
        }
    }

    /// The same matches, sought from the object: for a subject with many more quads than the object has.
    pub(crate) fn from_object(g: Option<Id>, s: Id, o: Id) -> Self {
        match g {
            Some(g) => Self::prefix(Order::Gops, &[g, o]).only(Row::from(Id::MAX), Row::from(s)),
            None => {
                Self::prefix(Order::Opsg, &[o]).only(Row::from(Id::MAX) << 32, Row::from(s) << 32)
            }
        }
    }

    /// The rows of a graph, of one object if given, with a predicate from `p` on.
    pub(crate) fn predicates_from(g: Id, o: Option<Id>, p: Id) -> Self {
        let (all, from) = match o {
            Some(o) => (
                Self::prefix(Order::Gops, &[g, o]),
                Order::Gops.pack([g, 0, p, o]),
            ),
            None => (
                Self::prefix(Order::Gpso, &[g]),
                Order::Gpso.pack([g, 0, p, 0]),
            ),
        };
        Self { low: from, ..all }
    }

    fn prefix(order: Order, ids: &[Id]) -> Self {
        let mut low = 0;
        let mut shift = 128_u32;
        for id in ids {
            shift -= 32;
            low |= Row::from(*id) << shift;
        }
        let rest = Row::MAX.checked_shr(128 - shift).unwrap_or(0);
        Self {
            order,
            low,
            high: low | rest,
            mask: 0,
            value: 0,
        }
    }

    fn only(self, mask: Row, value: Row) -> Self {
        Self {
            mask,
            value,
            ..self
        }
    }
}

impl Level {
    /// Rows that a newer level must hold as added, or as dead.
    pub(crate) fn new(added: &[IdQuad], dead: impl IntoIterator<Item = IdQuad>) -> Self {
        Self {
            orders: Order::ALL.map(|order| {
                let mut rows = added
                    .iter()
                    .filter(|quad| order.holds_default() || !in_default(quad))
                    .map(|quad| order.pack(*quad))
                    .collect::<Vec<_>>();
                rows.sort_unstable();
                Sorted::new(rows)
            }),
            dead: dead.into_iter().collect(),
        }
    }

    /// This level with a newer one on top.
    pub(crate) fn merged(&self, newer: &Self, keep_dead: bool) -> Self {
        // A quad that is dead in the older level and added in the newer is alive in a level below: it just stays so.
        let revived = newer.orders[0]
            .rows
            .iter()
            .map(|row| Order::Gspo.unpack(*row))
            .filter(|quad| self.dead.contains(quad))
            .collect::<FxHashSet<_>>();
        let mut killed = FxHashSet::default();
        for quad in &newer.dead {
            if self.contains(*quad) {
                killed.insert(*quad);
            }
        }
        let mut dead = FxHashSet::default();
        if keep_dead {
            dead.extend(
                self.dead
                    .iter()
                    .filter(|quad| !revived.contains(*quad))
                    .copied(),
            );
            dead.extend(
                newer
                    .dead
                    .iter()
                    .filter(|quad| !killed.contains(*quad))
                    .copied(),
            );
        }
        let mut orders: [Sorted; 6] = Default::default();
        for (place, order) in Order::ALL.into_iter().enumerate() {
            if let (Some(merged), Some(older), Some(newer)) = (
                orders.get_mut(place),
                self.orders.get(place),
                newer.orders.get(place),
            ) {
                *merged = Sorted::new(merge(order, &older.rows, &newer.rows, &killed, &revived));
            }
        }
        Self { orders, dead }
    }

    /// Changes: rows added and rows dead.
    pub(crate) fn size(&self) -> usize {
        self.orders[0].rows.len() + self.dead.len()
    }

    /// Rows added.
    pub(crate) fn rows(&self) -> usize {
        self.orders[0].rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// Quads of older levels that are gone.
    pub(crate) fn dead(&self) -> &FxHashSet<IdQuad> {
        &self.dead
    }

    /// Whether the quad was added here.
    pub(crate) fn contains(&self, quad: IdQuad) -> bool {
        let row = Order::Gspo.pack(quad);
        !self.orders[0].places(row, row).is_empty()
    }

    /// The rows from `low` to `high`, both included.
    #[inline]
    pub(crate) fn range(&self, order: Order, low: Row, high: Row) -> &[Row] {
        let sorted = self.sorted(order);
        sorted
            .rows
            .get(sorted.places(low, high))
            .unwrap_or_default()
    }

    /// Where in an order the rows from `low` to `high` are.
    #[inline]
    pub(crate) fn places(&self, order: Order, low: Row, high: Row) -> std::ops::Range<usize> {
        self.sorted(order).places(low, high)
    }

    /// The rows at some places of an order.
    #[inline]
    pub(crate) fn rows_at(&self, order: Order, places: std::ops::Range<usize>) -> &[Row] {
        self.sorted(order).rows.get(places).unwrap_or_default()
    }

    #[inline]
    fn sorted(&self, order: Order) -> &Sorted {
        let [gspo, gpso, gops, spog, psog, opsg] = &self.orders;
        match order {
            Order::Gspo => gspo,
            Order::Gpso => gpso,
            Order::Gops => gops,
            Order::Spog => spog,
            Order::Psog => psog,
            Order::Opsg => opsg,
        }
    }

    /// The first row from `low` on.
    pub(crate) fn first(&self, order: Order, low: Row) -> Option<Row> {
        self.range(order, low, Row::MAX).first().copied()
    }

    /// Bytes in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let rows = self
            .orders
            .iter()
            .map(|sorted| sorted.rows.capacity() + sorted.fences.capacity());
        16 * rows.sum::<usize>() + 18 * self.dead.capacity()
    }
}

impl Sorted {
    fn new(mut rows: Vec<Row>) -> Self {
        rows.shrink_to_fit();
        Self {
            fences: rows.iter().step_by(STRIDE).copied().collect(),
            rows,
        }
    }

    #[inline]
    fn places(&self, low: Row, high: Row) -> std::ops::Range<usize> {
        if self.rows.is_empty() {
            return 0..0;
        }
        let start = self.seek(low, 0);
        let rest = self.rows.get(start..).unwrap_or_default();
        // Most ranges are short: look nearby before searching all.
        let near = rest.get(..STRIDE).unwrap_or(rest);
        let length = if near.last().is_some_and(|last| *last <= high) && near.len() < rest.len() {
            self.seek_after(high, start / STRIDE) - start
        } else {
            near.partition_point(|row| *row <= high)
        };
        start..start + length
    }

    /// The place of the first row that is not less than `low`, from a block on.
    fn seek(&self, low: Row, block: usize) -> usize {
        let fences = self.fences.get(block..).unwrap_or_default();
        let block = block
            + fences
                .partition_point(|fence| *fence < low)
                .saturating_sub(1);
        let start = block * STRIDE;
        let rows = self.rows.get(start..).unwrap_or_default();
        let rows = rows.get(..STRIDE).unwrap_or(rows);
        start + rows.partition_point(|row| *row < low)
    }

    fn seek_after(&self, high: Row, block: usize) -> usize {
        match high.checked_add(1) {
            Some(after) => self.seek(after, block),
            None => self.rows.len(),
        }
    }
}

fn in_default(quad: &IdQuad) -> bool {
    let [g, ..] = quad;
    *g == DEFAULT_GRAPH
}

fn merge(
    order: Order,
    older: &[Row],
    newer: &[Row],
    killed: &FxHashSet<IdQuad>,
    revived: &FxHashSet<IdQuad>,
) -> Vec<Row> {
    let mut merged = Vec::with_capacity(older.len() + newer.len());
    let mut newer = newer
        .iter()
        .copied()
        .filter(|row| revived.is_empty() || !revived.contains(&order.unpack(*row)))
        .peekable();
    for row in older {
        while let Some(new) = newer.next_if(|new| new < row) {
            merged.push(new);
        }
        if killed.is_empty() || !killed.contains(&order.unpack(*row)) {
            merged.push(*row);
        }
    }
    merged.extend(newer);
    merged
}

#[cfg(test)]
mod tests;
