//! What flows from an evaluation to a door: a head, then pieces.

use crate::Refusal;
use oxrdf::vocab::xsd;
use oxrdf::{Term, TermRef, Triple, Variable};
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

impl Piece {
    /// How many rows or triples it has.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Head(_) => 0,
            Self::Solutions(rows) => rows.len() as u64,
            Self::Triples(triples) => triples.len() as u64,
        }
    }

    /// About what it takes in memory, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Head(_) => 0,
            Self::Solutions(rows) => {
                let rest = rows.capacity() - rows.len();
                rest * size_of::<Solution>() + bytes_of_solutions(rows)
            }
            Self::Triples(triples) => {
                let rest = triples.capacity() - triples.len();
                rest * size_of::<Triple>() + bytes_of_triples(triples)
            }
        }
    }
}

/// About what rows take in memory, in bytes.
pub fn bytes_of_solutions(rows: &[Solution]) -> usize {
    let values = rows.iter().map(|row| {
        let values = row.values.iter().flatten();
        let values = values.map(|value| text(value.as_ref()));
        row.values.capacity() * size_of::<Option<Term>>() + values.sum::<usize>()
    });
    size_of_val(rows) + values.sum::<usize>()
}

/// About what triples take in memory, in bytes.
pub fn bytes_of_triples(triples: &[Triple]) -> usize {
    let parts = triples.iter().map(|triple| {
        text(triple.subject.as_ref().into())
            + triple.predicate.as_str().len()
            + text(triple.object.as_ref())
    });
    size_of_val(triples) + parts.sum::<usize>()
}

/// The bytes of a term's texts.
fn text(term: TermRef<'_>) -> usize {
    match term {
        TermRef::NamedNode(node) => node.as_str().len(),
        TermRef::BlankNode(node) => node.as_str().len(),
        TermRef::Literal(literal) => {
            let kind = match literal.language() {
                Some(language) => language.len(),
                None if literal.datatype() == xsd::STRING => 0,
                None => literal.datatype().as_str().len(),
            };
            literal.value().len() + kind
        }
        #[allow(
            unreachable_patterns,
            reason = "with a feature of oxrdf there are more kinds"
        )]
        _ => 0,
    }
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
