//! What stands before each peer, for all questions together: so many requests at once, and none while it is down.

mod breaker;
mod bulkhead;

use crate::peers::{FederationLimits, Unanswered};
use breaker::{Breaker, Pass};
pub(crate) use bulkhead::{Bulkhead, Seat};
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::Clock;

/// The gates of all peers.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    of: Mutex<HashMap<NamedNode, Arc<Gate>>>,
}

/// One peer's.
#[derive(Debug)]
pub(crate) struct Gate {
    bulkhead: Arc<Bulkhead>,
    breaker: Mutex<Breaker>,
    /// A request that was given up sooner says nothing of the peer.
    patience: Duration,
    /// Whether it gave rows once that were not to be believed.
    is_doubted: AtomicBool,
}

/// One request at a gate. Ends without a word where it is dropped: then it says nothing of the peer.
#[derive(Debug)]
pub(crate) struct Attempt {
    gate: Arc<Gate>,
    pass: Pass,
    /// Since when the peer is waited for, once it was sent and while nobody else is.
    waiting: Mutex<Option<Instant>>,
}

impl Gates {
    /// The gate of a peer. Those of peers that are no more are forgotten.
    pub(crate) fn of(
        &self,
        peer: &NamedNode,
        peers: &[NamedNode],
        limits: &FederationLimits,
    ) -> Arc<Gate> {
        let mut gates = lock(&self.of);
        if gates.len() > peers.len() {
            gates.retain(|name, _| peers.contains(name));
        }
        let gate = gates
            .entry(peer.clone())
            .or_insert_with(|| Arc::new(Gate::new(limits)));
        Arc::clone(gate)
    }
}

impl Gate {
    fn new(limits: &FederationLimits) -> Self {
        Self {
            bulkhead: Bulkhead::new(limits.peer_concurrency, limits.peer_waiting),
            breaker: Mutex::new(Breaker::new(
                limits.breaker_failures,
                limits.breaker_pause,
                limits.breaker_longest,
            )),
            patience: limits.breaker_patience,
            is_doubted: AtomicBool::new(false),
        }
    }

    /// No row of it leaves any more before its whole answer is there and is believed.
    pub(crate) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    /// Whether its rows are believed at the end of its answers only.
    pub(crate) fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Relaxed)
    }

    /// Whether a request would be let through now.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        lock(&self.breaker).lets_through(now)
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Unanswered::Unreachable`] while the peer is taken for down.
    pub(crate) fn begin(self: &Arc<Self>, now: Instant) -> Result<Attempt, Unanswered> {
        let pass = lock(&self.breaker).pass(now).map_err(|since| {
            let since = since.replace_nanosecond(0).unwrap_or(since);
            Unanswered::Unreachable {
                reason: format!(
                    "breaker open since {}",
                    since.format(&Rfc3339).unwrap_or_default()
                ),
            }
        })?;
        Ok(Attempt {
            gate: Arc::clone(self),
            pass,
            waiting: Mutex::default(),
        })
    }
}

impl Attempt {
    /// Waits until it may be sent.
    ///
    /// # Errors
    /// [`Unanswered::Unreachable`] where too many wait already.
    pub(crate) async fn seat(&self, clock: &dyn Clock) -> Result<Seat, Unanswered> {
        let seat = self.gate.bulkhead.enter().await;
        let seat = seat.map_err(|waiting| Unanswered::Unreachable {
            reason: format!("{waiting} requests wait for it already"),
        })?;
        self.wait(clock);
        Ok(seat)
    }

    /// From now on the peer is waited for.
    pub(crate) fn wait(&self, clock: &dyn Clock) {
        *lock(&self.waiting) = Some(clock.instant());
    }

    /// The peer gave something. What is waited for next is not up to it.
    pub(crate) fn heard(&self) {
        *lock(&self.waiting) = None;
    }

    /// The peer answered, or failed to.
    pub(crate) fn ended<T>(&self, answer: &Result<T, Unanswered>, clock: &dyn Clock) {
        match answer {
            Err(Unanswered::Unreachable { .. }) if lock(&self.waiting).is_some() => {
                self.failed(clock.instant(), clock.now());
            }
            Err(Unanswered::TimedOut) => self.gave_up(clock),
            Err(Unanswered::Unreachable { .. }) => {}
            // Whatever it said, it is there.
            Ok(_)
            | Err(
                Unanswered::Denied { .. }
                | Unanswered::NotEvaluable { .. }
                | Unanswered::Broken { .. },
            ) => lock(&self.gate.breaker).answered(self.pass),
        }
    }

    /// There was no word of it for as long as it was waited for.
    // INVARIANT(impatience-opens-no-breaker): whoever waits a moment only, or reads slowly, does not cut a peer off for
    // others.
    pub(crate) fn gave_up(&self, clock: &dyn Clock) {
        let now = clock.instant();
        let since = *lock(&self.waiting);
        let waited = since.map(|since| now.saturating_duration_since(since));
        if waited.is_some_and(|waited| waited >= self.gate.patience) {
            self.failed(now, clock.now());
        }
    }

    fn failed(&self, now: Instant, time: OffsetDateTime) {
        lock(&self.gate.breaker).failed(self.pass, now, time);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        lock(&self.gate.breaker).left(self.pass);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // All are whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
