//! The way of one request, top to bottom. Both doors, and every later one, call this and nothing else.

mod arrivals;
mod body;
mod change;
mod decide;
mod gather;
mod instant;
mod permits;
mod questions;
mod summarize;

use crate::limits::{Budget, Limits};
use crate::ports::{
    Authenticator, Clock, Federation, Intent, PolicySource, Twin, UseLog, UseRecord, Workers,
};
use crate::{
    Admission, Caller, Code, Credentials, Head, Outcome, Piece, Refusal, Request, Signable, Signer,
    StateOfWorld, request_digest, syntax,
};
use body::Body;
pub use change::{Changed, admit_change, change};
pub(crate) use decide::authenticate;
use decide::{Decision, Granted, Wish, odrl, same_purpose};
use futures::channel::oneshot;
use futures::future::{Either, select};
use oxrdf::NamedNode;
use questions::{Asked, Question};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) use instant::policy_time;
pub use permits::PermitCache;
pub use questions::QuestionCache;
pub use summarize::{SUMMARY, summarize};

/// What one connector is made of, as its requests see it.
#[derive(Clone)]
pub struct Connector {
    /// Its participant id.
    pub participant: NamedNode,
    /// Who is asking.
    pub authenticator: Arc<dyn Authenticator>,
    /// May they.
    pub policies: Arc<dyn PolicySource>,
    /// By what has happened so far.
    pub world: Arc<dyn StateOfWorld>,
    /// What they may, where that was decided a moment ago.
    pub permits: Arc<PermitCache>,
    /// What they asked, where they asked it a moment ago.
    pub questions: Arc<QuestionCache>,
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
    /// Whose turn it is.
    pub admission: Arc<Admission>,
    /// What one request may cost.
    pub limits: Limits,
    /// How exactly they who see a part of the twin are told when it last changed; zero: not at all.
    pub age_grain: Duration,
    /// How soon a use that broke the glass is to be reviewed, where its policy does not say.
    pub review: Duration,
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
    let signable = request.signable();
    let mut record = record(connector, request.id, "read", &signable.digest);
    let way = async {
        let caller = authenticate(connector, credentials, &mut record)?;
        same_purpose(&caller, request.purpose.as_ref())?;
        let envelope = request.envelope.as_deref();
        let shown = (credentials, envelope);
        check_signed(connector, shown, &caller, &signable, &mut record)?;
        let wish = Wish::new(&caller, "read", request.break_glass.as_ref());
        let decision = decide::consider(connector, wish, &mut record)?;
        let seat = decide::admit(connector, &caller, &decision).await?;
        let budget = seat.budget(&budget);
        let plan = plan(connector, caller, request).await?;
        let (granted, intent) = intend(connector, decision, &mut record).await?;
        gather::gather(connector, plan, granted, intent, seat, &budget, started).await
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

/// The use goes on record, then it is counted, where it is: each is on disk before the next, and both before anything
/// is evaluated.
// INVARIANT(cannot-be-recorded-is-not-counted): no use is counted that is not on record, and none begins that is not counted.
async fn intend(
    connector: &Connector,
    decision: Decision,
    record: &mut UseRecord,
) -> Result<(Granted, Intent), Refusal> {
    record.dataset_version = connector.twin.version();
    let intent = connector.use_log.intend(record.clone()).await?;
    let granted = decide::begin(connector, decision, record).await?;
    Ok((granted, intent))
}

/// A question that is understood. Only [`plan`] makes one.
struct Plan {
    request: Request,
    question: Arc<Question>,
    caller: Caller,
}

/// A question with a fault in its text is refused before it counts as a use.
async fn plan(connector: &Connector, caller: Caller, request: Request) -> Result<Plan, Refusal> {
    let asked = Asked::new(&caller, &request);
    if let Some(question) = connector.questions.get(&asked) {
        return Ok(Plan {
            request,
            question,
            caller,
        });
    }
    let limits = connector.limits;
    let questions = Arc::clone(&connector.questions);
    offload(connector, move || {
        let query = syntax::parse_query(&request.query, request.base.as_deref(), &limits)?;
        let question = questions.put(asked, query);
        Ok(Plan {
            request,
            question,
            caller,
        })
    })
    .await
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
    match select(pin!(work), deadline).await {
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
pub(crate) async fn refuse(
    connector: &Connector,
    mut record: UseRecord,
    refusal: Refusal,
) -> Refusal {
    tracing::info!(request = %record.request, code = ?refusal.code(), check = refusal.check(), party = refusal.party(), %refusal, "refused");
    record.refused = Some(refusal.check().to_owned());
    if let Err(error) = connector.use_log.intend(record).await {
        tracing::error!(%error, "a refusal could not be recorded");
        return refusal;
    }
    refusal.recorded()
}

fn budget(connector: &Connector, patience: Option<Duration>, now: Instant) -> Budget {
    let patience = patience.map_or(connector.limits.deadline, |p| {
        p.min(connector.limits.deadline)
    });
    let limits = &connector.limits;
    Budget::new(now + patience, limits.rows)
        .with_memory(limits.memory)
        .with_result_bytes(limits.result_bytes)
}

/// Verifies what the caller's organisation or app signed of the request: a wrong one is refused, and none where one must be.
// INVARIANT(wrong-envelope-no-answer): a request that comes with an envelope is answered only if the envelope is of it.
fn check_signed(
    connector: &Connector,
    (credentials, envelope): (&Credentials, Option<&str>),
    caller: &Caller,
    signable: &Signable,
    record: &mut UseRecord,
) -> Result<(), Refusal> {
    record.signed = connector.authenticator.signed_request(
        envelope.or(credentials.envelope.as_deref()),
        credentials,
        caller,
        signable,
        connector.clock.now(),
    )?;
    let signed = record.signed.as_ref();
    if signed.is_some_and(|signed| signed.by == Signer::App) {
        record.options.clone_from(&signable.options);
    }
    Ok(())
}

fn record(connector: &Connector, request: Uuid, action: &str, digest: &str) -> UseRecord {
    UseRecord {
        request_digest: digest.to_owned(),
        ..UseRecord::new(request, connector.clock.now(), odrl(action))
    }
}

pub(crate) fn use_record(
    connector: &Connector,
    request: Uuid,
    action: NamedNode,
    text: &str,
) -> UseRecord {
    UseRecord {
        request_digest: request_digest(text, None, None),
        ..UseRecord::new(request, connector.clock.now(), action)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("participant", &self.participant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
