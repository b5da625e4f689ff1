//! Answers of which rows leave while others are still to come.

use crate::ports::Harvest;
use crate::{Explanation, Piece, Refusal, SourceStatus};
use futures::future::BoxFuture;

/// What a federation has for a question.
pub enum Gathered {
    /// All that is needed: the last step makes the answer of it.
    Held(Harvest),
    /// The answer itself, as it comes.
    Streamed(Box<dyn Streamed>),
}

/// An answer that comes row by row. Whoever reads it drives it: nothing is fetched but while [`Streamed::next`] is
/// awaited, so sources wait for a reader that is slow. Dropping it stops them.
pub trait Streamed: Send {
    /// The next piece, the head first; none at the end.
    ///
    /// # Errors
    /// What the question did wrong; or what is wrong with rows that left already: then they are no answer.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Piece>, Refusal>>;

    /// What became of it, after the last piece.
    fn told(&mut self) -> Told;
}

/// What is known once all rows are out.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Every source, ourselves first. Rows count them by their place here.
    pub sources: Vec<SourceStatus>,
    /// Operators that needed a source which is missing.
    pub unsure: Vec<String>,
    /// How it was come by, where that was asked for.
    pub explanation: Option<Explanation>,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held(harvest) => f.debug_tuple("Held").field(harvest).finish(),
            Self::Streamed(_) => f.debug_tuple("Streamed").finish_non_exhaustive(),
        }
    }
}
