//! The rows of a traced query, each with its sources.

use super::SOURCES;
use oxrdf::Term;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use twinlink_core::{Head, Piece, Refusal, Sink, Solution, Sources};

/// Rows put at once, where they were held.
const PIECE: usize = 512;

/// Gives each row its sources, and hides what is not the caller's.
pub(crate) struct Labels<'a> {
    /// Where the rows go.
    pub(crate) sink: &'a mut dyn Sink,
    /// How many columns are the caller's, where the others name graphs of ours.
    pub(crate) columns: Option<usize>,
    /// The sets of members that graphs stand for.
    pub(crate) sets: Vec<Sources>,
    /// The members that count for every row, where there are no such columns.
    pub(crate) everyone: Sources,
    /// The unions made so far, by the sets they are of.
    pub(crate) unions: FxHashMap<Vec<usize>, Sources>,
    /// The rows so far, where equal ones are one.
    pub(crate) distinct: Option<Distinct>,
    /// How many rows went on.
    pub(crate) rows: u64,
}

/// Rows that are held until all their sources are known.
pub(crate) struct Distinct {
    places: FxHashMap<Vec<Option<Term>>, usize>,
    held: Vec<Solution>,
    /// How many are not held any more.
    gone: usize,
    /// The most that are held: of more than the answer may have, the sources do not matter.
    most: u64,
}

impl Labels<'_> {
    fn label(&mut self, mut row: Solution) -> Solution {
        let Some(columns) = self.columns else {
            row.sources = Arc::clone(&self.everyone);
            return row;
        };
        let graphs = row.values.split_off(columns.min(row.values.len()));
        let mut sets: Vec<_> = graphs.iter().flatten().filter_map(set_of).collect();
        sets.sort_unstable();
        sets.dedup();
        let known = &self.sets;
        let union = self.unions.entry(sets).or_insert_with_key(|sets| {
            let sets = sets.iter().filter_map(|set| known.get(*set));
            union(sets)
        });
        row.sources = Arc::clone(union);
        row
    }

    fn put_rows(&mut self, rows: Vec<Solution>) -> Result<(), Refusal> {
        self.rows += rows.len() as u64;
        self.sink.put(Piece::Solutions(rows))
    }

    /// Hands on the rows that are held still.
    ///
    /// # Errors
    /// Those of the sink.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        let Some(distinct) = &mut self.distinct else {
            return Ok(());
        };
        let mut rows = std::mem::take(&mut distinct.held).into_iter();
        distinct.gone += rows.len();
        loop {
            let piece: Vec<_> = rows.by_ref().take(PIECE).collect();
            if piece.is_empty() {
                return Ok(());
            }
            self.put_rows(piece)?;
        }
    }
}

impl Distinct {
    /// No rows yet; no more than `most` are held.
    pub(crate) fn new(most: u64) -> Self {
        Self {
            places: FxHashMap::default(),
            held: Vec::new(),
            gone: 0,
            most,
        }
    }

    /// Takes a row; false where there is no more room.
    fn take(&mut self, row: Solution) -> bool {
        let place = self.gone + self.held.len();
        match self.places.get(&row.values) {
            Some(place) => {
                let known = place.checked_sub(self.gone);
                let known = known.and_then(|place| self.held.get_mut(place));
                if let Some(known) = known
                    && known.sources != row.sources
                {
                    known.sources = union([&known.sources, &row.sources]);
                }
            }
            None => {
                self.places.insert(row.values.clone(), place);
                self.held.push(row);
            }
        }
        self.held.len() as u64 <= self.most
    }
}

impl Sink for Labels<'_> {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        match piece {
            Piece::Head(Head::Solutions(mut variables)) => {
                variables.truncate(self.columns.unwrap_or(variables.len()));
                self.sink.put(Piece::Head(Head::Solutions(variables)))
            }
            Piece::Solutions(rows) => {
                let rows: Vec<_> = rows.into_iter().map(|row| self.label(row)).collect();
                let Some(distinct) = &mut self.distinct else {
                    return self.put_rows(rows);
                };
                let mut has_room = true;
                for row in rows {
                    has_room &= distinct.take(row);
                }
                if has_room { Ok(()) } else { self.finish() }
            }
            other => self.sink.put(other),
        }
    }
}

fn union<'a>(sets: impl IntoIterator<Item = &'a Sources>) -> Sources {
    let mut union: Vec<u16> = sets.into_iter().flat_map(|set| set.to_vec()).collect();
    union.sort_unstable();
    union.dedup();
    union.into()
}

/// The number of the set that a graph of ours stands for.
fn set_of(term: &Term) -> Option<usize> {
    let Term::NamedNode(name) = term else {
        return None;
    };
    let (set, _) = name.as_str().strip_prefix(SOURCES)?.split_once(':')?;
    set.parse().ok()
}
