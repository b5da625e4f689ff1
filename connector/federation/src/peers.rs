//! How peers are asked: the port, and what one request may cost. Implemented where the sockets are.

mod opened;

pub use opened::{Opened, Part};

use crate::dialect::Dialect;
use crate::room::Room;
use futures::future::BoxFuture;
use oxrdf::{NamedNode, Triple};
use std::time::Duration;
use twinlink_core::{
    Budget, DatasetChoice, Delegation, Head, Solution, SourceStatus, bytes_of_solutions,
    bytes_of_triples,
};

/// The connectors of other organisations.
pub trait Peers: Send + Sync {
    /// The participant ids of all peers, in a stable order.
    fn list(&self) -> Vec<NamedNode>;

    /// The peer that a question means by this endpoint: its participant id, or its address.
    fn at(&self, endpoint: &NamedNode) -> Option<NamedNode> {
        self.list().contains(endpoint).then(|| endpoint.clone())
    }

    /// What is known of a peer before it is asked.
    fn traits(&self, _peer: &NamedNode) -> PeerTraits {
        PeerTraits::default()
    }

    /// Asks one peer. The answer is about the peer's own twin: it does not ask its peers in turn, unless it is a broker
    /// and the question says whom to leave out.
    ///
    /// Need not watch the deadline: whoever calls drops the future when it has passed.
    ///
    /// # Errors
    /// Why there is no answer, or how much of it there is.
    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>>;

    /// As [`Peers::ask`], of a peer that is no broker, for rows that are read as they come. By default they come together.
    ///
    /// # Errors
    /// Why there is no answer; nothing of it came then.
    fn open<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<Opened, Unanswered>> {
        Box::pin(async move { Opened::of(self.ask(peer, question).await) })
    }
}

/// What holds for one peer. By default it is a connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerTraits {
    /// Whether values learnt from others may be sent to it.
    pub takes_bindings: bool,
    /// The most values that it takes with one request.
    pub values: usize,
    /// Whether a blank node has the same label in all its answers. Where it has not, a row with one is of no use beside
    /// rows of other answers, and left out.
    pub keeps_labels: bool,
    /// Whether it is asked together with its own peers, and believed about them.
    pub is_broker: bool,
    /// How long ago it may have changed last, where the caller does not say; where it did longer ago it is stale.
    pub max_age: Option<Duration>,
    /// What it evaluates as we do.
    pub dialect: Dialect,
}

impl Default for PeerTraits {
    fn default() -> Self {
        Self {
            takes_bindings: true,
            values: usize::MAX,
            keeps_labels: true,
            is_broker: false,
            dialect: Dialect::Ours,
            max_age: None,
        }
    }
}

/// A question to one peer, part of a larger one.
#[derive(Debug, Clone)]
pub struct SubQuery {
    /// SPARQL 1.1 Query, without FROM.
    pub query: String,
    /// The dataset it is about, where the caller chose one.
    pub dataset: Option<DatasetChoice>,
    /// On whose behalf.
    pub delegation: Delegation,
    /// For a broker: the participants that it does not ask, because they are asked already. None: it asks nobody.
    pub left_out: Option<Vec<NamedNode>>,
    /// The time and the rows that the peer has.
    pub budget: Budget,
    /// Where room is made for its rows as they come, before they are kept. Those that there is no room for are not kept,
    /// and the answer is [`Unanswered::Broken`].
    pub room: Room,
}

/// The rows of an answer that was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Of SELECT.
    pub solutions: Vec<Solution>,
    /// Of CONSTRUCT and DESCRIBE.
    pub triples: Vec<Triple>,
}

impl Rows {
    /// About what they take in memory, in bytes.
    pub fn bytes(&self) -> usize {
        bytes_of_solutions(&self.solutions) + bytes_of_triples(&self.triples)
    }
}

/// What a peer answered.
#[derive(Debug, Clone, PartialEq)]
pub struct SubAnswer {
    /// Its form.
    pub head: Head,
    /// Its rows. The sources of a row count the peer as 0 and those in `beyond` from 1 on; where there are none, all of
    /// them count.
    pub rows: Rows,
    /// What the peer says of itself: state, age, policies, items not evaluated, receipt.
    pub status: SourceStatus,
    /// Of a broker: what it says of the members that it asked.
    pub beyond: Vec<SourceStatus>,
}

/// Why there is no answer, or not the whole of it. Reasons are plain words for the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unanswered {
    /// The peer does not permit this to this caller.
    #[error("denied: {reason}")]
    Denied {
        /// The peer's word.
        reason: String,
    },
    /// No connection.
    #[error("unreachable: {reason}")]
    Unreachable {
        /// What failed: name, address, handshake.
        reason: String,
    },
    /// Nothing was sent to it.
    #[error("not asked: {reason}")]
    NotAsked {
        /// Why not: too much waits for it, or it asked to be left alone.
        reason: String,
    },
    /// No answer in time.
    #[error("timed out")]
    TimedOut,
    /// The peer cannot evaluate the question.
    #[error("not evaluable: {reason}")]
    NotEvaluable {
        /// The peer's word.
        reason: String,
    },
    /// The answer began and did not end.
    #[error("broken off: {reason}")]
    Broken {
        /// What broke.
        reason: String,
        /// The form of the answer, where it got that far.
        head: Option<Head>,
        /// What came before.
        rows: Rows,
    },
}

/// What one federated question may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FederationLimits {
    /// The longest to wait for a member to say what it can contribute; never more than half of what is left.
    pub probe_patience: Duration,
    /// The most rows or triples of one sub-request; a member that has more is `partial`.
    pub rows_per_fetch: usize,
    /// The most quads fetched for one question; a member whose quads do not fit any more is `partial`.
    pub quads: usize,
    /// The most sub-requests that run at one peer at once for one question.
    pub concurrency: usize,
    /// Whether values learnt from one member are sent to another peer to keep its answer short. They tell the peer
    /// what this caller may know of the others; without, more is fetched and the answer is the same.
    pub share_bindings: bool,
    /// The most values sent with one sub-request. Twice as many rows are fetched at most to find out whether a
    /// pattern has that few; with 0, every pattern is fetched whole.
    pub bindings: usize,
    /// What a sub-request costs, as a number of rows that could be shipped instead.
    pub request_rows: usize,
    /// How much of the time that is left one sub-request may take, in hundredths: a member that hangs leaves the others
    /// what they need for what comes after.
    pub share_percent: u32,
    /// The most requests that run at one peer at once, of all questions together; one whose rows are read as they come
    /// counts until they begin to. Routine requests leave a quarter of them to incidents, and one caller about half to
    /// others.
    pub peer_concurrency: usize,
    /// The most requests that wait for their turn at one peer.
    pub peer_waiting: usize,
    /// So many failures in a row, and a peer is left alone for a while.
    pub breaker_failures: u32,
    /// For how long it is left alone before it is tried once; doubled after each trial that fails.
    pub breaker_pause: Duration,
    /// The longest that it is left alone before it is tried.
    pub breaker_longest: Duration,
    /// A request that was given up sooner than that is no failure of the peer.
    pub breaker_patience: Duration,
    /// The longest query sent to a peer as a whole, in bytes.
    pub query_bytes: usize,
    /// The deepest nesting of brackets in a query sent as a whole.
    pub nesting: usize,
    /// For how long a peer's summary is believed without asking the peer whether it is still so. What a peer gained
    /// meanwhile may be missed; with zero, the default, nothing is.
    pub summary_age: Duration,
    /// For how long a peer that gave no summary is not asked for one again.
    pub summary_retry: Duration,
    /// The most memory for summaries of all peers and callers, in bytes.
    pub summary_bytes: usize,
}

impl Default for FederationLimits {
    fn default() -> Self {
        Self {
            probe_patience: Duration::from_secs(5),
            rows_per_fetch: 200_000,
            quads: 2_000_000,
            concurrency: 4,
            share_bindings: true,
            bindings: 1_000,
            request_rows: 100,
            share_percent: 75,
            peer_concurrency: 32,
            peer_waiting: 256,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(5),
            breaker_longest: Duration::from_secs(60),
            breaker_patience: Duration::from_secs(3),
            query_bytes: 128 * 1024,
            nesting: 48,
            summary_age: Duration::ZERO,
            summary_retry: Duration::from_secs(60),
            summary_bytes: 256 << 20,
        }
    }
}
