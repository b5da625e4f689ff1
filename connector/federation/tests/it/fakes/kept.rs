//! Where answers are put to be looked at.

use twinlink_core::{Head, Piece, Refusal, Sink};
use twinlink_federation::Rows;

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) head: Option<Head>,
    pub(crate) rows: Rows,
}

impl Sink for Kept {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        match piece {
            Piece::Head(head) => {
                assert!(self.head.is_none(), "two heads");
                self.head = Some(head);
            }
            Piece::Solutions(rows) => self.rows.solutions.extend(rows),
            Piece::Triples(triples) => self.rows.triples.extend(triples),
        }
        Ok(())
    }
}
