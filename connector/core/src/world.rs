//! The state of the world that decisions rest on: use so far, incidents, duties. Durable, and written before it counts.

use crate::Refusal;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::fmt;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_policy::{Counter, Incident, Permit, Usage, World};
use uuid::Uuid;

/// The durable ledger of use, incidents and duties. Owner: `twinlink-store`.
///
/// Whatever changes it is on disk before its future resolves; where it cannot be written, nothing is acknowledged.
pub trait StateOfWorld: Send + Sync {
    /// Shows the durable state, as it stands at `now`, to a decision about an organisation. Does not wait for the disk.
    fn look(
        &self,
        participant: &NamedNode,
        now: OffsetDateTime,
        see: &mut dyn FnMut(&dyn World),
    ) -> Seen;

    /// The [`Seen::version`] that [`StateOfWorld::look`] would tell now.
    fn version(&self, participant: &NamedNode) -> u64;

    /// Gives a turn, in which nothing else changes: it decides on the newest state, what it charges and imposes is made
    /// durable, and then the use may begin. Turns are given one after the other, so uses that race for the last one
    /// that a rule allows do not both get it.
    ///
    /// # Errors
    /// The turn's own refusal; [`crate::Code::Unavailable`] where the ledger cannot be written.
    fn begin(&self, now: OffsetDateTime, turn: Turn) -> BoxFuture<'static, Result<Begun, Refusal>>;

    /// Adds to the time that uses under these rules took. Queued when called, whether or not the future is awaited.
    ///
    /// # Errors
    /// As [`StateOfWorld::begin`].
    fn meter(
        &self,
        counters: Vec<Counter>,
        spent: Duration,
    ) -> BoxFuture<'static, Result<(), Refusal>>;

    /// Declares an incident.
    ///
    /// # Errors
    /// [`crate::Code::Conflict`] where there is one of this name, [`crate::Code::Invalid`] where it ends before it
    /// begins, [`crate::Code::Exhausted`] where too many are open; as [`StateOfWorld::begin`].
    fn declare(
        &self,
        incident: Incident,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<(), Refusal>>;

    /// Ends an incident now. To end one that is over changes nothing.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] where there is none of this name; as [`StateOfWorld::begin`].
    fn end(
        &self,
        incident: NamedNode,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Incident, Refusal>>;

    /// Incidents that are kept, the newest first.
    fn incidents(&self) -> Vec<Incident>;

    /// Obligations that are not fulfilled, those that are due first.
    fn obligations(&self) -> Vec<Obligation>;

    /// Obligations that were fulfilled, at most `most`, the newest first. Blocks.
    ///
    /// # Errors
    /// [`crate::Code::Unavailable`] where the ledger cannot be read.
    fn fulfilled(&self, most: usize) -> Result<Vec<Obligation>, Refusal>;

    /// Settles an obligation, also one whose deadline has passed.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] where none of this id is open; as [`StateOfWorld::begin`].
    fn fulfil(
        &self,
        obligation: Uuid,
        evidence: Option<String>,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Obligation, Refusal>>;
}

/// A decision that is made in a turn of its own.
pub type Turn = Box<dyn FnOnce(&dyn World) -> Result<Beginning, Refusal> + Send>;

/// How long what was seen holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Another number whenever anything that decisions about the organisation rest on has changed.
    pub version: u64,
    /// When it will be otherwise by time alone: the next deadline of a duty of the organisation.
    pub until: Option<OffsetDateTime>,
}

/// What a use begins with.
#[derive(Debug)]
pub struct Beginning {
    /// What is permitted.
    pub permit: Permit,
    /// The rules that count this use.
    pub charges: Vec<Counter>,
    /// What has to be done for it, and by whom.
    pub obligations: Vec<Obligation>,
}

/// A use that is counted, with its obligations on record.
#[derive(Debug)]
pub struct Begun {
    /// What is permitted.
    pub permit: Permit,
    /// The rules that counted it, each with the use before it.
    pub charged: Vec<(Counter, Usage)>,
}

/// Something that has to be done for a use that was permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// Its id.
    pub id: Uuid,
    /// What sort it is.
    pub kind: ObligationKind,
    /// Who owes it.
    pub participant: NamedNode,
    /// What has to be done: an ODRL action, such as `odrl:delete`.
    pub action: NamedNode,
    /// Whom to tell, pay or ask, where the policy says so.
    pub towards: Vec<NamedNode>,
    /// What has to be done besides, once it is late.
    pub consequences: Vec<NamedNode>,
    /// The policy that asks for it.
    pub policy: NamedNode,
    /// The request that was permitted.
    pub request: Uuid,
    /// Who used: organisation and person.
    pub user: (NamedNode, String),
    /// The incident for which glass was broken.
    pub incident: Option<NamedNode>,
    /// Since when it is owed.
    pub since: OffsetDateTime,
    /// Until when it has to be done. None: some time.
    pub due: Option<OffsetDateTime>,
    /// When it was settled.
    pub fulfilled: Option<OffsetDateTime>,
    /// What was said for proof when it was.
    pub evidence: Option<String>,
}

/// What sort an obligation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObligationKind {
    /// A duty of the organisation that was permitted. Past its deadline it gets no new permit.
    Duty,
    /// The owner looks over a use that broke the glass. Past its deadline it stands out in the list, and stops nobody:
    /// an office that does not review must not keep its own people from its own twin.
    Review,
}

/// How an obligation stands: <https://www.w3.org/TR/odrl-model/#duty>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObligationState {
    /// It may still be done in time.
    Pending,
    /// It was done.
    Fulfilled,
    /// It was not done in time, and is not done yet.
    Violated,
}

impl Obligation {
    /// How it stands at a moment. Nobody has to notice that a deadline passes.
    pub fn state(&self, now: OffsetDateTime) -> ObligationState {
        match (self.fulfilled, self.due) {
            (Some(_), _) => ObligationState::Fulfilled,
            (None, Some(due)) if due <= now => ObligationState::Violated,
            (None, _) => ObligationState::Pending,
        }
    }

    /// Whether it is one that keeps its debtor from new permits at a moment.
    pub fn blocks(&self, now: OffsetDateTime) -> bool {
        self.kind == ObligationKind::Duty && self.state(now) == ObligationState::Violated
    }
}

impl ObligationState {
    /// The word for the reader.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Fulfilled => "fulfilled",
            Self::Violated => "violated",
        }
    }
}

impl ObligationKind {
    /// The word for the reader.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duty => "duty",
            Self::Review => "review",
        }
    }
}

impl fmt::Display for ObligationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ObligationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
