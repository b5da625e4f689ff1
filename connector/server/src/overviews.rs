//! Summaries of what members show: this twin's are made here, once for each change and each view of it.

use crate::peers::Remote;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use twinlink_core::{Budget, SourceState, SourceStatus, Workers};
use twinlink_federation::{
    Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply,
};
use twinlink_policy::Guard;
use twinlink_store::{Snapshot, TwinStore};

/// The most quads that are summarized: it takes a moment after each change, and with more the moment is too long.
const QUADS: usize = 100_000;
/// The most summaries that are kept.
const KEPT: usize = 64;
/// The most memory for them, in bytes.
const KEPT_BYTES: usize = 64 << 20;

/// The summaries of this twin and of its peers.
pub(crate) struct Overviews {
    participant: NamedNode,
    store: Arc<TwinStore>,
    workers: Arc<dyn Workers>,
    remote: Arc<Remote>,
    kept: Arc<Mutex<Kept>>,
    /// One is made at a time: whoever asks for many views costs one thread.
    turn: Arc<Semaphore>,
}

/// Of one snapshot, by what is shown of it. None where it shows too much, or in a way that is not summarized.
#[derive(Default)]
struct Kept {
    sequence: u64,
    of: HashMap<Guard, Option<Arc<Summary>>>,
}

impl Overviews {
    pub(crate) fn new(
        participant: NamedNode,
        store: Arc<TwinStore>,
        workers: Arc<dyn Workers>,
        remote: Arc<Remote>,
    ) -> Self {
        Self {
            participant,
            store,
            workers,
            remote,
            kept: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    async fn own(&self, question: &SummaryQuestion<'_>) -> Option<Summarized> {
        let guard = question.permit.guard();
        let snapshot = self.store.snapshot();
        let as_of = snapshot.time();
        let known = lock(&self.kept).get(snapshot.sequence(), guard);
        let summary = match known {
            Some(known) => known?,
            None => self.make(snapshot, guard.clone(), question.budget).await?,
        };
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

    async fn make(
        &self,
        snapshot: Arc<Snapshot>,
        guard: Guard,
        budget: &Budget,
    ) -> Option<Arc<Summary>> {
        let turn = Arc::clone(&self.turn).acquire_owned().await.ok()?;
        let known = lock(&self.kept).get(snapshot.sequence(), &guard);
        if let Some(known) = known {
            return known;
        }
        let (kept, budget) = (Arc::clone(&self.kept), budget.clone());
        let (sender, receiver) = oneshot::channel();
        let job = move || {
            // Whoever asked may be gone; for the next one it is kept all the same.
            let made = made(&snapshot, &guard, &budget);
            if let Some(made) = &made {
                lock(&kept).put(snapshot.sequence(), guard, made.clone());
            }
            drop(sender.send(made.flatten()));
            drop(turn);
        };
        self.workers.run(Box::new(job)).ok()?;
        receiver.await.ok()?
    }
}

/// The summary of what the guard shows; in it none where it has none, and none where it did not come about.
// INVARIANT(summaries-are-of-the-view): a summary is made of the quads that the caller's guard shows, and of nothing else.
fn made(snapshot: &Snapshot, guard: &Guard, budget: &Budget) -> Option<Option<Arc<Summary>>> {
    // Shown only to questions that name some term: without a question there is less than any question might show.
    if guard.selectors().any(|selector| selector.named.is_some()) {
        return Some(None);
    }
    let mut quads = Vec::new();
    for quad in snapshot.quads(guard, budget).ok()? {
        if quads.len() == QUADS {
            return Some(None);
        }
        if budget.is_cancelled() {
            return None;
        }
        quads.push(quad);
    }
    let Some(summary) = Summary::of(String::new(), quads, &SummaryLimits::default()) else {
        return Some(None);
    };
    // By what is shown: a change of what is not shown does not show.
    let version = Sha256::digest(summary.encode());
    let version = version.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Some(Arc::new(summary.with_version(version))))
}

impl Kept {
    fn get(&self, sequence: u64, guard: &Guard) -> Option<Option<Arc<Summary>>> {
        let is_current = self.sequence == sequence;
        self.of.get(guard).filter(|_| is_current).cloned()
    }

    fn put(&mut self, sequence: u64, guard: Guard, summary: Option<Arc<Summary>>) {
        if sequence < self.sequence {
            return;
        }
        let bytes = |summary: &Option<Arc<Summary>>| summary.as_ref().map_or(0, |s| s.bytes());
        let all: usize = self.of.values().map(bytes).sum();
        if sequence > self.sequence || self.of.len() >= KEPT || all + bytes(&summary) > KEPT_BYTES {
            self.of.clear();
        }
        self.sequence = sequence;
        self.of.insert(guard, summary);
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    // A poisoned cache is still a right cache: entries are whole before they go in.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Summaries for Overviews {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Option<Summarized>> {
        if member == &self.participant {
            Box::pin(self.own(question))
        } else {
            Box::pin(self.remote.overview(member, question))
        }
    }
}
