//! What flows from an evaluation to a door: a head, then pieces.

use crate::Refusal;
use oxrdf::{Term, Triple, Variable};
use std::sync::Arc;

/// The sources of a row: indexes into the sources of the answer's outcome.
pub type Sources = Arc<[u16]>;

/// What kind of answer comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// Rows over these variables.
    Solutions(Vec<Variable>),
    /// Triples.
    Graph,
    /// One truth value.
    Boolean(bool),
}

/// One row: a value or none for each variable of the head, and the sources it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// In the order of the head's variables.
    pub values: Vec<Option<Term>>,
    /// Whose data the row rests on.
    pub sources: Sources,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The first piece, once.
    Head(Head),
    /// Some rows; never none.
    Solutions(Vec<Solution>),
    /// Some triples; never none.
    Triples(Vec<Triple>),
}

/// Where an evaluation puts its pieces.
///
/// Called from an evaluation thread; blocks while the receiver is behind. The error says that nobody listens any
/// more: stop.
pub trait Sink {
    /// Takes the next piece.
    ///
    /// # Errors
    /// The receiver is gone, or a limit was reached.
    fn put(&mut self, piece: Piece) -> Result<(), Refusal>;
}
