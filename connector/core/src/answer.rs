//! The way of one request, top to bottom. Both doors, and every later one, call this and nothing else.

mod body;

use crate::limits::{Budget, Limits};
use crate::ports::{
    Applied, Authenticator, Clock, Evaluated, Federation, Intent, PolicySource, Recorded, Twin,
    UseLog, UseRecord, Workers,
};
use crate::{
    Caller, Change, Code, Credentials, Delegation, Head, Outcome, Piece, Refusal, Request,
    SourceState, SourceStatus, syntax,
};
use body::{Body, Feed, feed};
use futures::channel::oneshot;
use futures::future::{Either, select};
use oxrdf::NamedNode;
use sha2::{Digest, Sha256};
use spargebra::Query;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_policy::{Ask, Permit};
use uuid::Uuid;

/// What one connector is made of, as its requests see it.
#[derive(Clone)]
pub struct Connector {
    /// Its participant id.
    pub participant: NamedNode,
    /// Who is asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// May they.
    pub policies: Arc<dyn PolicySource>,
    /// The organisation's own twin.
    pub twin: Arc<dyn Twin>,
    /// The peers.
    pub federation: Arc<dyn Federation>,
    /// The record of use.
    pub use_log: Arc<dyn UseLog>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Threads.
    pub workers: Arc<dyn Workers>,
    /// What one request may cost.
    pub limits: Limits,
}

/// An answer on its way: the head is known, the rows follow, the outcome comes last.
///
/// Its fields are private to the crate, and only [`answer()`] makes one: no reply without a permit and a record of use.
// INVARIANT(no-receipt-no-answer): a reply holds an intent that is on disk, and ends with a signed receipt or an error.
#[derive(Debug)]
pub struct Reply {
    request: Uuid,
    head: Head,
    body: Body,
}

impl Reply {
    /// The request's id.
    pub fn request(&self) -> Uuid {
        self.request
    }

    /// What kind of answer comes.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next rows or triples; `None` when all are out, and then [`Reply::finish`] tells the outcome.
    ///
    /// # Errors
    /// A refusal in the middle: what came before is not the whole answer.
    pub async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        self.body.next().await
    }

    /// Completes the record of use and gives the outcome. Drains what was not read.
    ///
    /// # Errors
    /// As [`Reply::next`]; [`Code::Unavailable`] where the record of use cannot be completed.
    pub async fn finish(mut self) -> Result<Outcome, Refusal> {
        while self.body.next().await?.is_some() {}
        self.body.finish().await
    }
}

/// Answers a question over this twin, and over the peers' twins where the request is federated.
///
/// # Errors
/// A [`Refusal`]; it is in the log of use before it is returned.
pub async fn answer(
    connector: &Connector,
    credentials: &Credentials,
    request: Request,
) -> Result<Reply, Refusal> {
    let started = connector.clock.instant();
    let budget = budget(connector, request.patience, started);
    let abandoned = budget.cancel_on_drop();
    let mut record = record(connector, request.id, "read", &request.query);
    let way = async {
        let caller = authenticate(connector, credentials, &mut record)?;
        same_purpose(&caller, request.purpose.as_ref())?;
        let permit = decide(connector, &caller, &mut record)?;
        let plan = plan(connector, caller, permit, request).await?;
        let intent = connector.use_log.intend(record.clone()).await?;
        gather(connector, plan, intent, &budget, started).await
    };
    match within(connector, &budget, way).await {
        Ok(reply) => {
            // From here on it is the reply that stops its evaluation when it is dropped.
            abandoned.release();
            Ok(reply)
        }
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// Changes the twin, if the caller may.
///
/// # Errors
/// As [`answer()`]. After an error nothing has changed.
pub async fn change(
    connector: &Connector,
    credentials: &Credentials,
    change: Change,
    purpose: Option<&NamedNode>,
    patience: Option<Duration>,
) -> Result<Applied, Refusal> {
    let budget = budget(connector, patience, connector.clock.instant());
    let _abandoned = budget.cancel_on_drop();
    let mut record = record(connector, Uuid::now_v7(), "modify", &describe(&change));
    let way = async {
        let caller = authenticate(connector, credentials, &mut record)?;
        same_purpose(&caller, purpose)?;
        let read = permit(connector, &caller, "read").ok();
        let modify = decide(connector, &caller, &mut record)?;
        let change = check(connector, change).await?;
        let intent = connector.use_log.intend(record.clone()).await?;
        let twin = Arc::clone(&connector.twin);
        let held = budget.clone();
        let applied = offload(connector, move || {
            twin.change(&change, read.as_ref(), &modify, &held)
        })
        .await?;
        let done = Recorded {
            rows: applied.inserted + applied.removed,
            result_digest: String::new(),
            complete: true,
            failed: None,
            time: connector.clock.now(),
        };
        connector.use_log.complete(intent, done).await?;
        Ok(applied)
    };
    match within(connector, &budget, way).await {
        Ok(applied) => Ok(applied),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// Whether the caller may change anything at all: for doors, before they take in a large body.
///
/// # Errors
/// As [`answer()`].
pub async fn admit_change(
    connector: &Connector,
    credentials: &Credentials,
    purpose: Option<&NamedNode>,
) -> Result<(), Refusal> {
    let mut record = record(connector, Uuid::now_v7(), "modify", "");
    let permit = authenticate(connector, credentials, &mut record).and_then(|caller| {
        same_purpose(&caller, purpose)?;
        decide(connector, &caller, &mut record)
    });
    match permit {
        Ok(_) => Ok(()),
        Err(refusal) => Err(refuse(connector, record, refusal).await),
    }
}

/// A question that a permit covers. Only [`plan`] makes one.
struct Plan {
    request: Request,
    query: Query,
    permit: Permit,
    caller: Caller,
}

fn authenticate(
    connector: &Connector,
    credentials: &Credentials,
    record: &mut UseRecord,
) -> Result<Caller, Refusal> {
    let caller = connector
        .authenticator
        .authenticate(credentials, connector.clock.now())?;
    record.participant = Some(caller.participant().clone());
    record.subject = Some(caller.subject().to_owned());
    record.purpose = caller.purpose().cloned();
    record.token_id = Some(caller.token_id().to_owned());
    Ok(caller)
}

/// A request may repeat its token's purpose, not widen it.
fn same_purpose(caller: &Caller, stated: Option<&NamedNode>) -> Result<(), Refusal> {
    match stated {
        Some(stated) if caller.purpose() != Some(stated) => Err(Refusal::new(
            Code::Forbidden,
            "purpose",
            format_args!(
                "the request states <{}>, the token does not",
                stated.as_str()
            ),
        )),
        _ => Ok(()),
    }
}

fn decide(
    connector: &Connector,
    caller: &Caller,
    record: &mut UseRecord,
) -> Result<Permit, Refusal> {
    let name = record
        .action
        .as_str()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let permit = permit(connector, caller, name)?;
    record.policies = permit.policies().to_vec();
    record.policy_version = permit.version().to_owned();
    Ok(permit)
}

fn permit(connector: &Connector, caller: &Caller, action: &str) -> Result<Permit, Refusal> {
    let now = connector.clock.now();
    let ask = Ask {
        participant: caller.participant().clone(),
        subject: caller.subject().to_owned(),
        roles: caller.roles().to_vec(),
        purpose: caller.purpose().cloned(),
        action: odrl(action),
        now: policy_time(now)?,
    };
    connector
        .policies
        .current()
        .decide(&ask)
        .map_err(|denied| Refusal::new(Code::Forbidden, "policy", denied))
}

/// A change with a fault in its text is refused before its intent is recorded.
async fn check(connector: &Connector, change: Change) -> Result<Change, Refusal> {
    let limits = connector.limits;
    offload(connector, move || {
        syntax::check_change(&change, &limits)?;
        Ok(change)
    })
    .await
}

async fn plan(
    connector: &Connector,
    caller: Caller,
    permit: Permit,
    request: Request,
) -> Result<Plan, Refusal> {
    let limits = connector.limits;
    offload(connector, move || {
        let query = syntax::parse_query(&request.query, request.base.as_deref(), &limits)?;
        Ok(Plan {
            request,
            query,
            permit,
            caller,
        })
    })
    .await
}

/// Evaluates and opens the reply: returns when the head is known.
async fn gather(
    connector: &Connector,
    plan: Plan,
    intent: Intent,
    budget: &Budget,
    started: Instant,
) -> Result<Reply, Refusal> {
    let request = plan.request.id;
    let feed = if plan.request.federated {
        gather_federated(connector, &plan, budget).await?
    } else {
        gather_here(connector, plan, budget, started)?
    };
    let (head, body) = Body::open(connector.clone(), intent, budget.clone(), feed).await?;
    Ok(Reply {
        request,
        head,
        body,
    })
}

fn gather_here(
    connector: &Connector,
    plan: Plan,
    budget: &Budget,
    started: Instant,
) -> Result<Feed, Refusal> {
    let twin = Arc::clone(&connector.twin);
    let ourselves = ourselves(connector, &plan.permit);
    let clock = Arc::clone(&connector.clock);
    feed(connector, budget, move |budget, sink| {
        let evaluated = twin.evaluate(
            &plan.query,
            plan.request.dataset.as_ref(),
            &plan.permit,
            budget,
            sink,
        )?;
        let elapsed = clock.instant().saturating_duration_since(started);
        Ok((vec![settle(ourselves, &evaluated, elapsed)], Vec::new()))
    })
}

async fn gather_federated(
    connector: &Connector,
    plan: &Plan,
    budget: &Budget,
) -> Result<Feed, Refusal> {
    let delegation = Delegation {
        request: plan.request.id,
        participant: plan.caller.participant().clone(),
        subject: plan.caller.subject().to_owned(),
        roles: plan.caller.roles().to_vec(),
        purpose: plan.caller.purpose().cloned(),
    };
    let harvest = connector
        .federation
        .gather(
            &plan.query,
            plan.request.dataset.as_ref(),
            &plan.permit,
            &delegation,
            budget,
        )
        .await?;
    feed(connector, budget, move |budget, sink| {
        let evaluated = harvest.merge.run(budget, sink)?;
        let mut sources = harvest.sources;
        if let Some(ourselves) = sources.first_mut() {
            ourselves.not_evaluable += evaluated.not_evaluable;
        }
        Ok((sources, harvest.unsure))
    })
}

fn ourselves(connector: &Connector, permit: &Permit) -> SourceStatus {
    SourceStatus {
        participant: connector.participant.clone(),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: permit.policies().to_vec(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

fn settle(mut status: SourceStatus, evaluated: &Evaluated, elapsed: Duration) -> SourceStatus {
    status.rows = evaluated.rows;
    status.as_of = evaluated.as_of;
    status.elapsed = elapsed;
    status.not_evaluable = evaluated.not_evaluable;
    if evaluated.not_evaluable > 0 {
        status.state = SourceState::Partial;
        status.reason = Some(format!(
            "{} values could not be evaluated",
            evaluated.not_evaluable
        ));
    } else if evaluated.rows == 0 {
        status.state = SourceState::Empty;
    }
    status
}

/// Runs a job on a worker thread; a panic there is an internal error of this one request.
///
/// # Errors
/// The job's own, or [`Code::Exhausted`] where all threads are busy.
pub async fn offload<T: Send + 'static>(
    connector: &Connector,
    job: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (sender, receiver) = oneshot::channel();
    connector.workers.run(Box::new(move || {
        let result = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| Err(panicked()));
        // The receiver is gone where the request was dropped meanwhile: nobody is left to tell.
        drop(sender.send(result));
    }))?;
    receiver.await.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> Refusal {
    Refusal::new(Code::Internal, "worker", "the evaluation thread panicked")
}

/// Lets the work run until the budget's deadline, then cancels it.
async fn within<T>(
    connector: &Connector,
    budget: &Budget,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    let deadline = connector.clock.sleep_until(budget.deadline());
    match select(Box::pin(work), deadline).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            budget.cancel();
            Err(timed_out())
        }
    }
}

fn timed_out() -> Refusal {
    Refusal::new(Code::Timeout, "deadline", "the deadline passed")
}

/// Writes a refusal into the log of use. One that cannot be written is still refused, and says so in our log.
async fn refuse(connector: &Connector, mut record: UseRecord, refusal: Refusal) -> Refusal {
    tracing::info!(request = %record.request, code = ?refusal.code(), check = refusal.check(), party = refusal.party(), %refusal, "refused");
    record.refused = Some(refusal.check().to_owned());
    if let Err(error) = connector.use_log.intend(record).await {
        tracing::error!(%error, "a refusal could not be recorded");
    }
    refusal
}

fn budget(connector: &Connector, patience: Option<Duration>, now: Instant) -> Budget {
    let patience = patience.map_or(connector.limits.deadline, |p| {
        p.min(connector.limits.deadline)
    });
    Budget::new(now + patience, connector.limits.rows)
}

fn record(connector: &Connector, request: Uuid, action: &str, text: &str) -> UseRecord {
    UseRecord {
        request,
        time: connector.clock.now(),
        participant: None,
        subject: None,
        purpose: None,
        action: odrl(action),
        policies: Vec::new(),
        policy_version: String::new(),
        token_id: None,
        request_digest: hex(&Sha256::digest(text.as_bytes())),
        refused: None,
    }
}

fn describe(change: &Change) -> String {
    match change {
        Change::Update { update, .. } => update.clone(),
        Change::Insert(quads) => format!("insert {} quads", quads.len()),
        Change::Replace(graph, quads) => format!("replace {graph} by {} quads", quads.len()),
        Change::Clear(graph) => format!("clear {graph}"),
    }
}

fn odrl(action: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://www.w3.org/ns/odrl/2/{action}"))
}

fn policy_time(now: time::OffsetDateTime) -> Result<oxsdatatypes::DateTime, Refusal> {
    let fault = |error: &dyn std::fmt::Display| Refusal::new(Code::Internal, "clock", error);
    now.format(&time::format_description::well_known::Rfc3339)
        .map_err(|error| fault(&error))?
        .parse()
        .map_err(|error| fault(&error))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("participant", &self.participant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
