//! Summaries of what members show: this twin's are made here, once for each view of it, and kept up with its changes.
//!
//! After a change, only the parts of graphs that it touched are made anew, where what is shown of a graph depends on
//! nothing else. A summary that takes long to make is not made again for a while: until then there is none, and
//! whoever asks is told what matches the long way.

mod kept;
mod recipients;
mod shown;

use crate::peers::Remote;
use crate::wire::Policies;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use kept::{Entry, Kept};
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use recipients::Recipients;
use sha2::{Digest as _, Sha256};
use shown::Shown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use twinlink_core::{Budget, PolicySource as _, SourceState, SourceStatus, Workers};
use twinlink_federation::{
    Peers, Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply, Unanswered,
};
use twinlink_policy::Guard;
use twinlink_store::{Snapshot, TwinStore};

/// How long the making of one may take.
const MAKING: Duration = Duration::from_secs(120);
/// How long who asks waits for it: no peer is so impatient as not to hear then that there is none yet.
const WAITING: Duration = Duration::from_millis(2_500);
/// One that took longer is not made again for a while.
const SHORT: Duration = Duration::from_millis(200);
/// For so many times as long as it took.
const REST: u32 = 9;
/// With more changes than that it is made anew.
const CHANGES: usize = 256;

/// The summaries of this twin and of its peers.
pub(crate) struct Overviews {
    participant: NamedNode,
    store: Arc<TwinStore>,
    workers: Arc<dyn Workers>,
    remote: Arc<Remote>,
    peers: Arc<dyn Peers>,
    policies: Arc<Policies>,
    kept: Arc<Mutex<Kept>>,
    recipients: Recipients,
    /// One is made at a time: whoever asks for many views costs one thread.
    turn: Arc<Semaphore>,
}

impl Overviews {
    pub(crate) fn new(
        participant: NamedNode,
        store: Arc<TwinStore>,
        workers: Arc<dyn Workers>,
        remote: Arc<Remote>,
        peers: Arc<dyn Peers>,
        policies: Arc<Policies>,
    ) -> Self {
        Self {
            participant,
            store,
            workers,
            remote,
            peers,
            policies,
            kept: Arc::default(),
            recipients: Recipients::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    async fn own(&self, question: &SummaryQuestion<'_>) -> Option<Summarized> {
        let guard = question.permit.guard();
        let snapshot = self.store.snapshot();
        let as_of = snapshot.time();
        let known = lock(&self.kept).get(guard, snapshot.sequence());
        let summary = match known {
            Some(known) => known?,
            None => self.make(snapshot, guard.clone()).await?,
        };
        let purpose = question.delegation.purpose.as_ref();
        let recipients = self.recipients.of(
            &self.policies.current(),
            self.peers.list(),
            question.permit,
            purpose,
            DateTime::now(),
        );
        let summary = told_to(&summary, recipients);
        let reply = if question.held == Some(summary.version()) {
            SummaryReply::Held
        } else {
            SummaryReply::Other(summary)
        };
        Some(Summarized {
            reply,
            status: Some(SourceStatus {
                participant: self.participant.clone(),
                state: SourceState::Complete,
                rows: 0,
                elapsed: Duration::ZERO,
                as_of,
                policies: question.permit.policies().to_vec(),
                not_evaluable: 0,
                reason: None,
                receipt: None,
            }),
        })
    }

    async fn make(&self, snapshot: Arc<Snapshot>, guard: Guard) -> Option<Arc<Summary>> {
        let until = tokio::time::Instant::now() + WAITING;
        let turn = Arc::clone(&self.turn).acquire_owned();
        let turn = tokio::time::timeout_at(until, turn).await.ok()?.ok()?;
        let known = lock(&self.kept).get(&guard, snapshot.sequence());
        if let Some(known) = known {
            return known;
        }
        let (kept, store) = (Arc::clone(&self.kept), Arc::clone(&self.store));
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            let last = lock(&kept).last(&guard);
            let started = Instant::now();
            if last.as_ref().is_some_and(|last| last.rests(started)) {
                drop(sender.send(None));
                return;
            }
            let budget = Budget::new(started + MAKING, u64::MAX);
            let last = last.as_ref();
            let made = kept_up(&store, &snapshot, &guard, last, &budget)
                .map(Some)
                .or_else(|| made(&snapshot, &guard, &budget));
            // Whoever asked may be gone; for the next one it is kept all the same.
            let took = started.elapsed();
            let entry = Entry::new(&snapshot, made.clone().flatten(), took);
            lock(&kept).put(guard, entry);
            drop(sender.send(made.flatten()));
            drop(turn);
        };
        self.workers.run(Box::new(job)).ok()?;
        let made = tokio::time::timeout_at(until, receiver).await;
        made.ok()?.ok()?
    }
}

/// The summary with those whom the caller may tell; its version says so too.
fn told_to(summary: &Arc<Summary>, recipients: Vec<NamedNode>) -> Arc<Summary> {
    if recipients.is_empty() {
        return Arc::clone(summary);
    }
    let mut version = Sha256::new();
    version.update(summary.version());
    for recipient in &recipients {
        version.update(recipient.as_str());
        version.update([0xff]);
    }
    let summary = Summary::clone(summary).with_recipients(recipients);
    Arc::new(summary.with_version(hex(&version.finalize())))
}

/// The summary of what the guard shows; in it none where it has none, and none where it did not come about.
// INVARIANT(summaries-are-of-the-view): a summary is made of the quads that the caller's guard shows, and of nothing else.
fn made(snapshot: &Snapshot, guard: &Guard, budget: &Budget) -> Option<Option<Arc<Summary>>> {
    // Shown only to questions that name some term: without a question there is less than any question might show.
    if guard.selectors().any(|selector| selector.named.is_some()) {
        return Some(None);
    }
    let view = Shown::new(snapshot, guard, budget);
    let summary = Summary::of_view(String::new(), &view, &SummaryLimits::default());
    // It may have been too large as well as too slow; either way there is none for now.
    Some(summary.map(versioned))
}

/// The last summary after the changes since then, where these can be told from it; none where it must be made anew.
fn kept_up(
    store: &TwinStore,
    snapshot: &Snapshot,
    guard: &Guard,
    last: Option<&Entry>,
    budget: &Budget,
) -> Option<Arc<Summary>> {
    let last = last?;
    let summary = last.summary()?;
    if !shown::is_by_graph(guard) || last.is_far_from(snapshot) {
        return None;
    }
    let from = last.sequence() + 1;
    let changes = store.changes(from, CHANGES + 1).ok()?;
    let changes: Vec<_> = changes
        .into_iter()
        .take_while(|change| change.sequence <= snapshot.sequence())
        .collect();
    let is_whole = changes.len() <= CHANGES
        && changes.last().map(|change| change.sequence) == Some(snapshot.sequence());
    if !is_whole {
        return None;
    }
    let graphs = shown::touched(&changes);
    let view = Shown::new(snapshot, guard, budget);
    let limits = SummaryLimits::default();
    let after = summary.after(String::new(), &graphs, &view, &limits);
    after.map(versioned)
}

/// By what is shown: a change of what is not shown does not show.
fn versioned(summary: Summary) -> Arc<Summary> {
    let summary = summary.with_version(String::new());
    let version = hex(&Sha256::digest(summary.encode()));
    Arc::new(summary.with_version(version))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned cache is still a right cache: entries are whole before they go in.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Summaries for Overviews {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        if member == &self.participant {
            Box::pin(async move { Ok(self.own(question).await) })
        } else {
            Box::pin(self.remote.overview(member, question))
        }
    }
}

#[cfg(test)]
mod tests;
