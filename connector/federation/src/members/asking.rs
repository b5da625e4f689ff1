//! What goes with a question to a member, and what comes of it.

use crate::algebra::columns;
use crate::peers::Rows;
use oxrdf::Variable;
use spargebra::Query;
use std::time::Duration;
use twinlink_core::{Head, Sources};

/// How long a member may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// No longer than this, and no longer than half of what is left.
    Most(Duration),
    /// Its share of what is left: more is to come.
    Share,
    /// The same, for a part of the question that names it.
    Service,
    /// All that is left: nothing comes after.
    All,
}

/// Which values may go along with a sub-request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Whether those learnt from other members may, beside those of the question.
    pub(crate) learnt: bool,
    /// How many at most.
    pub(crate) most: usize,
    /// Whether it says whose each row is, and so is better asked for rows than for triples.
    pub(crate) tells_sources: bool,
}

/// What form of answer a question has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    Solutions(Vec<Variable>),
    Graph,
    Boolean,
}

impl Form {
    /// The form of the answer to a query.
    pub(crate) fn of(query: &Query) -> Self {
        match query {
            Query::Select { pattern, .. } => Self::Solutions(columns(pattern)),
            Query::Ask { .. } => Self::Boolean,
            Query::Construct { .. } | Query::Describe { .. } => Self::Graph,
        }
    }

    pub(super) fn fits(&self, head: &Head, rows: &Rows) -> bool {
        match (self, head) {
            (Self::Solutions(expected), Head::Solutions(found)) => {
                expected == found
                    && rows.triples.is_empty()
                    && rows
                        .solutions
                        .iter()
                        .all(|row| row.values.len() == expected.len())
            }
            (Self::Graph, Head::Graph) => rows.solutions.is_empty(),
            (Self::Boolean, Head::Boolean(_)) => {
                rows.solutions.is_empty() && rows.triples.is_empty()
            }
            _ => false,
        }
    }
}

/// What came of an answer. Not all there is where the ledger has a trouble.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) head: Head,
    pub(crate) rows: Rows,
    /// Of a broker's answer: the members that gave something towards it.
    pub(crate) sources: Option<Sources>,
}
