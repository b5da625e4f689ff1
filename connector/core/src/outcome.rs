//! How an answer came about: a plain word on every source.

use crate::Explanation;
use oxrdf::NamedNode;
use std::fmt;
use std::time::Duration;
use time::OffsetDateTime;

/// What became of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceState {
    /// All that the caller may see and the question needs is in.
    Complete,
    /// Some of it is missing.
    Partial,
    /// The source answered and has nothing.
    Empty,
    /// The source does not permit this to this caller.
    Denied,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The answer rests on data older than the caller accepts.
    Stale,
    /// The source cannot evaluate the question.
    NotEvaluable,
}

/// One source's part in an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// Whose twin.
    pub participant: NamedNode,
    /// What became of it.
    pub state: SourceState,
    /// Rows or triples it gave.
    pub rows: u64,
    /// How long it took, as we saw it.
    pub elapsed: Duration,
    /// When its twin last changed.
    pub as_of: Option<OffsetDateTime>,
    /// The policies that let its rows through.
    pub policies: Vec<NamedNode>,
    /// Items that could not be evaluated, such as geometries with an unknown coordinate system.
    pub not_evaluable: u64,
    /// A plain word for the reader where the state is not `Complete` or `Empty`.
    pub reason: Option<String>,
    /// The id of the source's own receipt, where it gave one.
    pub receipt: Option<String>,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Every source that was asked, ourselves first.
    pub sources: Vec<SourceStatus>,
    /// Rows or triples released.
    pub rows: u64,
    /// Whether every source gave all the caller may see.
    pub complete: bool,
    /// Whether rows may be wrong, not only missing, because an operator that needs all sources (OPTIONAL, MINUS,
    /// NOT EXISTS, aggregates, ORDER BY with LIMIT) lacked one. Says which operators.
    pub unsure: Vec<String>,
    /// How the answer was come by, where that was asked for.
    pub explanation: Option<Box<Explanation>>,
    /// The signed receipt: the signed checkpoint of the log of use, `~`, and the record with its path to it.
    pub receipt: String,
}

impl SourceState {
    /// The word for the reader, as design and wire have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Empty => "empty",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::Stale => "stale",
            Self::NotEvaluable => "not evaluable",
        }
    }

    /// Whether all that the caller may see of this source is in the answer.
    ///
    /// A source that denies is not settled: the reader must know that it may hold more.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Complete | Self::Empty)
    }
}

impl fmt::Display for SourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
