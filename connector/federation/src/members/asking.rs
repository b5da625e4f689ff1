//! What goes with a question to a member, and what comes of it.

use super::Members;
use crate::algebra::columns;
use crate::dialect::Dialect;
use crate::peers::{PeerTraits, Rows};
use oxrdf::Variable;
use spargebra::Query;
use std::time::Duration;
use twinlink_core::{Head, Sources};

impl Members<'_> {
    /// What is known of a member before it is asked. Our own twin takes all that there is.
    pub(crate) fn traits(&self, member: usize) -> PeerTraits {
        let peer = self.names.get(member).filter(|_| member > 0);
        peer.map_or_else(PeerTraits::default, |peer| self.peers.traits(peer))
    }

    /// What may be sent to a member. To our own twin all.
    pub(crate) fn sending(&self, member: usize) -> Sending {
        let traits = self.traits(member);
        Sending {
            learnt: member == 0 || (self.limits.share_bindings && traits.takes_bindings),
            most: self.limits.bindings.min(traits.values),
            tells_sources: traits.is_broker,
            dialect: traits.dialect,
        }
    }

    /// Whether a member's answer to the query is one that we could give over the same data.
    // INVARIANT(as-we-would): what a member makes of its data stands for what we would make of it only where that is the same.
    pub(crate) fn answers(&self, member: usize, query: &Query) -> bool {
        let traits = self.traits(member);
        traits.dialect.answers(query, traits.values)
    }
}

/// How long a member may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// No longer than this, and no longer than half of what is left.
    Most(Duration),
    /// Its share of what is left: more is to come.
    Share,
    /// The same, where no other answer stands beside its own.
    Only,
    /// The same, for a part of the question that names it.
    Service,
    /// All that is left: nothing comes after.
    All,
}

/// What may go along with a sub-request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    /// Whether those learnt from other members may, beside those of the question.
    pub(crate) learnt: bool,
    /// How many at most.
    pub(crate) most: usize,
    /// Whether it says whose each row is, and so is better asked for rows than for triples.
    pub(crate) tells_sources: bool,
    /// Which conditions may.
    pub(crate) dialect: Dialect,
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
