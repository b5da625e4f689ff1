//! Rows of an evaluation of ours, kept for a next step.

use crate::peers::Rows;
use crate::room::Room;
use twinlink_core::{Code, Head, Piece, Refusal, Sink};

/// Keeps the pieces of an evaluation, and ends it when there are more rows than wanted.
pub(crate) struct Collector {
    pub(crate) head: Option<Head>,
    pub(crate) rows: Rows,
    pub(crate) is_cut: bool,
    most: usize,
    room: Option<Room>,
}

impl Collector {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            head: None,
            rows: Rows::default(),
            most,
            is_cut: false,
            room: None,
        }
    }

    /// The same, for rows that are kept in this room.
    pub(crate) fn within(mut self, room: &Room) -> Self {
        self.room = Some(room.clone());
        self
    }
}

impl Sink for Collector {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        if let Some(room) = &self.room {
            room.take(piece.bytes())
                .map_err(|full| Refusal::new(Code::Exhausted, "federation.memory", full).open())?;
        }
        match piece {
            Piece::Head(head) => self.head = Some(head),
            Piece::Solutions(rows) => self.rows.solutions.extend(rows),
            Piece::Triples(triples) => self.rows.triples.extend(triples),
        }
        self.is_cut = self.rows.solutions.len() > self.most || self.rows.triples.len() > self.most;
        if self.is_cut {
            return Err(Refusal::new(
                Code::Exhausted,
                "federation.rows",
                "more rows than are fetched at most",
            ));
        }
        Ok(())
    }
}
