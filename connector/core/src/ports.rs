//! What the request's way needs of the world: each port has one owner outside this crate.

use crate::{
    Age, Budget, Caller, Change, Credentials, DatasetChoice, Delegation, Explain, Explanation,
    Gathered, Means, Refusal, Requirement, Signable, Sink, SourceStatus,
};
use futures::future::BoxFuture;
use oxrdf::{NamedNode, Quad};
use spargebra::Query;
use std::sync::Arc;
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_policy::{Permit, PolicySet};
use uuid::Uuid;

/// Verifies who asks. Owner: `twinlink-trust`.
pub trait Authenticator: Send + Sync {
    /// Makes a caller of what a door was shown.
    ///
    /// # Errors
    /// [`crate::Code::Unauthenticated`], naming the check that failed.
    fn authenticate(
        &self,
        credentials: &Credentials,
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal>;

    /// Verifies a request as the caller's organisation signed it, or the app that holds the token: that it was made to this
    /// connector, a moment ago, for this caller, of what was asked, and was not shown before. None came: none, where the
    /// caller need not sign.
    ///
    /// # Errors
    /// [`crate::Code::Unauthenticated`], naming the check that failed; by default for each that comes.
    fn signed_request(
        &self,
        envelope: Option<&str>,
        _credentials: &Credentials,
        _caller: &Caller,
        _signable: &Signable,
        _now: OffsetDateTime,
    ) -> Result<Option<SignedRequest>, Refusal> {
        let detail = "signed requests are not understood here";
        match envelope {
            None => Ok(None),
            Some(_) => Err(Refusal::new(
                crate::Code::Unauthenticated,
                "envelope",
                detail,
            )),
        }
    }
}

/// The policies in force. A change takes effect on the next request.
pub trait PolicySource: Send + Sync {
    /// The compiled set.
    fn current(&self) -> Arc<PolicySet>;
}

/// Time. Tests bring their own.
pub trait Clock: Send + Sync {
    /// Time of day, for tokens, policies and records.
    fn now(&self) -> OffsetDateTime;
    /// Monotonic time, for deadlines.
    fn instant(&self) -> Instant;
    /// Resolves at `until`.
    fn sleep_until(&self, until: Instant) -> BoxFuture<'static, ()>;
}

/// Threads for evaluation: with a deep stack, bounded in number.
pub trait Workers: Send + Sync {
    /// Runs the job on a thread where it may block.
    ///
    /// # Errors
    /// [`crate::Code::Exhausted`] where all threads are busy and the queue is full.
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal>;
}

/// What an evaluation reports when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evaluated {
    /// Rows or triples put into the sink; for ASK one.
    pub rows: u64,
    /// Items that could not be evaluated, such as geometries with an unknown coordinate system.
    pub not_evaluable: u64,
    /// When the twin, as this evaluation saw it, last changed.
    pub as_of: Option<OffsetDateTime>,
}

/// What a change did. Counts only what the caller may see.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// Sequence number of the commit; the same as before where nothing changed. 0 to a caller who sees only a part of
    /// the twin: it counts the changes of the rest too.
    pub sequence: u64,
    /// Quads added.
    pub inserted: u64,
    /// Quads removed.
    pub removed: u64,
    /// Whether a replaced or inserted-into graph held nothing visible before.
    pub created: bool,
    /// What names the state of the twin after it, as [`Twin::version`] does: for the owner's own record.
    pub version: Option<Arc<str>>,
}

/// The organisation's twin. Owner: `twinlink-store`. All methods block: call them on [`Workers`].
pub trait Twin: Send + Sync {
    /// What names the state that is visible now, whoever asks: for the owner's own record, and for nobody else. Does not
    /// block. None by default.
    fn version(&self) -> Option<Arc<str>> {
        None
    }

    /// Evaluates a query over the part that the permit shows, on one pinned snapshot.
    ///
    /// # Errors
    /// What the query did wrong, a limit reached, or the sink's own refusal.
    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        permit: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal>;

    /// As [`Twin::evaluate`], on a thread that others wait for: without blocking, within [`Budget::steps`], and by what is
    /// ready in memory. A twin that cannot promise this does not try.
    ///
    /// # Errors
    /// `limits.steps` where the question takes more than an attempt; all else means that this was not the moment.
    fn attempt(
        &self,
        _query: &Query,
        _dataset: Option<&DatasetChoice>,
        _permit: &Permit,
        _budget: &Budget,
        _sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let detail = "this twin does not try";
        Err(Refusal::new(
            crate::Code::Unavailable,
            "twin.attempt",
            detail,
        ))
    }

    /// Makes a change durable, or makes none.
    ///
    /// WHERE parts see what `read` shows, nothing without one. Every quad added or removed must be one that `modify`
    /// covers. Returns after fsync.
    ///
    /// # Errors
    /// [`crate::Code::Forbidden`] for a visible quad that may not be changed; what the update did wrong.
    fn change(
        &self,
        change: &Change,
        read: Option<&Permit>,
        modify: &Permit,
        budget: &Budget,
    ) -> Result<Applied, Refusal>;
}

/// Evaluates over quads that were fetched for one question. Owner: `twinlink-store`. Blocks.
pub trait Workbench: Send + Sync {
    /// Evaluates the query over just these quads.
    ///
    /// # Errors
    /// As [`Twin::evaluate`].
    fn evaluate_over(
        &self,
        quads: Vec<Quad>,
        query: &Query,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal>;
}

/// Asks this twin and its peers together. Owner: `twinlink-federation`.
pub trait Federation: Send + Sync {
    /// Gathers what the question needs from this twin, as the permit shows it, and from all peers.
    ///
    /// A peer that does not answer is a status, not an error, as long as what the caller requires can still be had. With
    /// [`Explain::Plan`] nothing is fetched.
    ///
    /// # Errors
    /// What the query did wrong, a limit reached, or what is required of sources and cannot be had any more.
    fn gather<'a>(
        &'a self,
        query: &'a Query,
        dataset: Option<&'a DatasetChoice>,
        permit: &'a Permit,
        delegation: &'a Delegation,
        budget: &'a Budget,
        conditions: &'a Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>>;

    /// As [`Federation::gather`], where rows may leave before all have come: one that left cannot turn out wrong by what
    /// comes later. What became of the sources is known at the end only.
    ///
    /// By default nothing leaves before all has come.
    fn stream<'a>(
        &'a self,
        query: &'a Query,
        dataset: Option<&'a DatasetChoice>,
        permit: &'a Permit,
        delegation: &'a Delegation,
        budget: &'a Budget,
        conditions: &'a Conditions,
    ) -> BoxFuture<'a, Result<Gathered, Refusal>> {
        let gathered = self.gather(query, dataset, permit, delegation, budget, conditions);
        Box::pin(async move { Ok(Gathered::Held(gathered.await?)) })
    }

    /// Tells in short what of this twin the permit shows, to a peer that plans a question of its own. `held` is the
    /// version that the peer has.
    ///
    /// None where there is no summary, as by default: the peer asks what it would have learnt from it.
    fn summarize<'a>(
        &'a self,
        _permit: &'a Permit,
        _delegation: &'a Delegation,
        _held: Option<&'a str>,
        _budget: &'a Budget,
    ) -> BoxFuture<'a, Option<Overview>> {
        Box::pin(std::future::ready(None))
    }
}

/// What goes with a question over all twins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// What the caller requires of the sources.
    pub require: Requirement,
    /// How exactly the caller may know when this twin last changed.
    pub age: Age,
    /// Whether to tell how the answer is come by.
    pub explain: Option<Explain>,
}

/// What a peer is told of this twin, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The summary, with its version in it. None where what the peer has is as it would be made now.
    pub bytes: Option<Vec<u8>>,
    /// When the twin, as it was summarized, last changed.
    pub as_of: Option<OffsetDateTime>,
}

/// What was gathered, and how to make the answer of it.
pub struct Harvest {
    /// Every source, ourselves first.
    pub sources: Vec<SourceStatus>,
    /// Operators that needed a source which is missing.
    pub unsure: Vec<String>,
    /// How it was gathered, or would be, where that was asked for.
    pub explanation: Option<Explanation>,
    /// The last step: joins what was gathered. Runs on [`Workers`].
    pub merge: Box<dyn Merge>,
}

/// The last step of a federated answer: sync and without sockets.
pub trait Merge: Send {
    /// Evaluates the question over what was gathered.
    ///
    /// # Errors
    /// As [`Twin::evaluate`].
    fn run(self: Box<Self>, budget: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal>;
}

/// The durable, signed log of use. Owner: `twinlink-trust`, over a journal of `twinlink-store`.
pub trait UseLog: Send + Sync {
    /// Makes the intent durable: before anything is evaluated.
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>>;

    /// Records how it ended and signs the receipt.
    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>>;

    /// The receipt of a use that ended, once more, for the participant and subject whose use it was. None where it is not
    /// theirs, or not at hand any more, as by default. Blocks: call it on [`Workers`].
    ///
    /// # Errors
    /// [`crate::Code::Unavailable`] and [`crate::Code::Internal`] where the log cannot be read.
    fn receipt(&self, _request: Uuid, _of: (&NamedNode, &str)) -> Result<Option<String>, Refusal> {
        Ok(None)
    }
}

/// A durable, append-only list of records. Owner: `twinlink-store`.
pub trait Journal: Send + Sync {
    /// Appends records, and puts a seal over all records up to them in place of the one before: all or nothing of that.
    /// Resolves to their sequence numbers once it is on disk.
    fn append(
        &self,
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>>;

    /// The seal that came with the last records; none where none ever did. Blocks.
    ///
    /// # Errors
    /// As [`Journal::read`].
    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal>;

    /// At most `most` records from sequence number `from` on, in order. Blocks.
    ///
    /// # Errors
    /// [`crate::Code::Internal`] where the disk cannot be read.
    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal>;

    /// Puts other records in place of some, all or none of them, by sequence number; resolves once that is on disk. What
    /// they said is not read any more, and leaves the disk when the journal is opened next.
    ///
    /// By default a journal keeps its records: [`crate::Code::Unavailable`].
    fn replace(&self, _records: Vec<(u64, Vec<u8>)>) -> BoxFuture<'_, Result<(), Refusal>> {
        let refusal = Refusal::new(crate::Code::Unavailable, "journal", "it keeps its records");
        Box::pin(std::future::ready(Err(refusal)))
    }
}

/// Who is about to use what, for which purpose, by which policies.
#[derive(Debug, Clone, PartialEq)]
pub struct UseRecord {
    /// The request's id.
    pub request: Uuid,
    /// When.
    pub time: OffsetDateTime,
    /// The caller's organisation, or none where it could not be established.
    pub participant: Option<NamedNode>,
    /// The person or program.
    pub subject: Option<String>,
    /// The purpose.
    pub purpose: Option<NamedNode>,
    /// The ODRL action.
    pub action: NamedNode,
    /// The policies that let it through, or stopped it.
    pub policies: Vec<NamedNode>,
    /// The hash of each of them, as <https://www.w3.org/TR/rdf-canon/> has it: what its text was then.
    pub policy_hashes: Vec<String>,
    /// The version of the policy set.
    pub policy_version: String,
    /// Those of them that are agreements, each with the hash of its text.
    pub agreements: Vec<(NamedNode, String)>,
    /// The incident for which the caller broke the glass, where that was needed.
    pub break_glass: Option<NamedNode>,
    /// By whom and under what the subject asks.
    pub means: Means,
    /// The token's `jti`.
    pub token_id: Option<String>,
    /// The trace that the request is a part of. In no receipt.
    pub trace: Option<String>,
    /// SHA-256 of the request, lower-case hex: [`crate::request_digest`].
    pub request_digest: String,
    /// What else was asked, where an app signed the request: [`Signable::options`].
    pub options: Vec<String>,
    /// The request as the caller's organisation signed it, or its app, where one did.
    pub signed: Option<SignedRequest>,
    /// The state of the twin when the use was about to begin. In no receipt: to whom a part is shown, it would tell that the
    /// rest changed.
    pub dataset_version: Option<Arc<str>>,
    /// Where the request was refused: the check that failed.
    pub refused: Option<String>,
    /// How many refusals this one record is of, where it is not one: a flood of them is counted, not written down.
    pub times: Option<u64>,
}

impl UseRecord {
    /// Of a use of which nothing more is known yet.
    pub fn new(request: Uuid, time: OffsetDateTime, action: NamedNode) -> Self {
        Self {
            request,
            time,
            participant: None,
            subject: None,
            purpose: None,
            action,
            policies: Vec::new(),
            policy_hashes: Vec::new(),
            policy_version: String::new(),
            agreements: Vec::new(),
            break_glass: None,
            means: Means::default(),
            token_id: None,
            trace: None,
            request_digest: String::new(),
            options: Vec::new(),
            signed: None,
            dataset_version: None,
            refused: None,
            times: None,
        }
    }
}

/// A request as it was signed by who asks: evidence, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// Who signed it.
    pub by: Signer,
    /// The request's id with who signed it: in the organisation's log, or the app's own.
    pub transaction: String,
    /// What was signed, with what shows whose key it was.
    pub envelope: String,
}

/// Who signs a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// The connector of the organisation that asks.
    Connector,
    /// Whoever holds the token, with the key that it is bound to.
    App,
}

/// An intent that is on disk. Cannot be copied: it is completed once.
#[derive(Debug)]
pub struct Intent {
    /// What was recorded.
    pub record: UseRecord,
    /// Its place in the log.
    pub sequence: u64,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Rows or triples released.
    pub rows: u64,
    /// SHA-256 over the rows as they were released, lower-case hex.
    pub result_digest: String,
    /// Whether every source was settled.
    pub complete: bool,
    /// The check that ended it early, if one did.
    pub failed: Option<String>,
    /// Of a change: what names the state of the twin after it. In no receipt, as [`UseRecord::dataset_version`].
    pub changed_to: Option<Arc<str>>,
    /// When.
    pub time: OffsetDateTime,
}

impl std::fmt::Debug for Harvest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harvest")
            .field("sources", &self.sources)
            .field("unsure", &self.unsure)
            .finish_non_exhaustive()
    }
}
