//! What stands before each peer, for all questions together: so many requests at once, and none while it is down.

mod breaker;
mod bulkhead;

use crate::peers::{FederationLimits, Unanswered};
use breaker::{Breaker, Pass};
pub(crate) use bulkhead::Bulkhead;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Admission, AdmissionLimits, Clock, Delegation, Priority, Seat};

/// The gates of all peers.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    of: Mutex<HashMap<NamedNode, Arc<Gate>>>,
}

/// One peer's.
#[derive(Debug)]
pub(crate) struct Gate {
    seats: Arc<Admission>,
    breaker: Mutex<Breaker>,
    /// A request that was given up sooner says nothing of the peer.
    patience: Duration,
    pace: Mutex<Pace>,
    /// Whether it gave rows once that were not to be believed.
    is_doubted: AtomicBool,
}

/// What is known of how fast it is.
#[derive(Debug, Default)]
struct Pace {
    /// How long brief requests take: as long as the slowest, and less again as others take less.
    usual: Option<Duration>,
    /// When it last gave any sign.
    heard: Option<Instant>,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// What is never long in coming: a peer that stays silent is not there.
    Brief,
    /// Rows, which may take their time.
    Rows,
}

/// As many as any caller may have.
const FEW: usize = 4;

/// So many times as long as usual a peer may take for something brief.
const TIMES: u32 = 4;

/// One request at a gate. Ends without a word where it is dropped: then it says nothing of the peer.
#[derive(Debug)]
pub(crate) struct Attempt {
    gate: Arc<Gate>,
    pass: Pass,
    errand: Errand,
    /// Since when the peer is waited for, once it was sent and while nobody else is.
    waiting: Mutex<Option<Instant>>,
    is_sent: AtomicBool,
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
            seats: Arc::new(seats(limits.peer_concurrency, limits.peer_waiting)),
            breaker: Mutex::new(Breaker::new(
                limits.breaker_failures,
                limits.breaker_pause,
                limits.breaker_longest,
            )),
            patience: limits.breaker_patience,
            pace: Mutex::default(),
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

    /// How long it is waited for where something brief is asked: a few times as long as usual, and never so short that
    /// giving up would say nothing of it.
    pub(crate) fn patience(&self, most: Duration) -> Duration {
        let usual = lock(&self.pace).usual;
        usual.map_or(most, |usual| {
            usual.saturating_mul(TIMES).max(self.patience).min(most)
        })
    }

    /// Begins a request.
    ///
    /// # Errors
    /// [`Unanswered::NotAsked`] while the peer is taken for down.
    pub(crate) fn begin(
        self: &Arc<Self>,
        now: Instant,
        errand: Errand,
    ) -> Result<Attempt, Unanswered> {
        let pass = lock(&self.breaker).pass(now).map_err(|since| {
            let since = since.replace_nanosecond(0).unwrap_or(since);
            Unanswered::NotAsked {
                reason: format!(
                    "breaker open since {}",
                    since.format(&Rfc3339).unwrap_or_default()
                ),
            }
        })?;
        Ok(Attempt {
            gate: Arc::clone(self),
            pass,
            errand,
            waiting: Mutex::default(),
            is_sent: AtomicBool::new(false),
        })
    }
}

impl Attempt {
    /// Waits until it may be sent.
    ///
    /// # Errors
    /// [`Unanswered::NotAsked`] where too many wait already.
    // INVARIANT(incidents-pass-at-each-peer): at each peer routine requests leave a quarter of the seats to incidents, and
    // one caller half of them to others.
    pub(crate) async fn seat(
        &self,
        delegation: &Delegation,
        priority: Priority,
        clock: &dyn Clock,
    ) -> Result<Seat, Unanswered> {
        let (participant, subject) = (&delegation.participant, &delegation.subject);
        let seat = self.gate.seats.admit(participant, subject, priority).await;
        let seat = seat.map_err(|_| Unanswered::NotAsked {
            reason: "too many requests wait for it already".to_owned(),
        })?;
        self.wait(clock);
        self.is_sent.store(true, Ordering::Relaxed);
        Ok(seat)
    }

    /// From now on the peer is waited for.
    pub(crate) fn wait(&self, clock: &dyn Clock) {
        *lock(&self.waiting) = Some(clock.instant());
    }

    /// The peer gave something. What is waited for next is not up to it.
    pub(crate) fn heard(&self, clock: &dyn Clock) {
        let now = clock.instant();
        let since = lock(&self.waiting).take();
        let mut pace = lock(&self.gate.pace);
        pace.heard = Some(now);
        if let (Errand::Brief, Some(since)) = (self.errand, since) {
            let took = now.saturating_duration_since(since);
            let faded = pace.usual.map(|usual| usual - usual / 8 + took / 8);
            pace.usual = Some(faded.map_or(took, |faded| faded.max(took)));
        }
    }

    /// Whether the request left.
    pub(crate) fn is_sent(&self) -> bool {
        self.is_sent.load(Ordering::Relaxed)
    }

    /// The peer answered, or failed to.
    pub(crate) fn ended<T>(&self, answer: &Result<T, Unanswered>, clock: &dyn Clock) {
        match answer {
            Err(Unanswered::Unreachable { .. }) if lock(&self.waiting).is_some() => {
                self.failed(clock.instant(), clock.now());
            }
            Err(Unanswered::Unreachable { .. }) => {}
            Err(Unanswered::TimedOut) => self.gave_up(clock),
            // That says nothing of it.
            Err(Unanswered::NotAsked { .. }) => self.is_sent.store(false, Ordering::Relaxed),
            // Whatever it said, it is there.
            Ok(_)
            | Err(
                Unanswered::Denied { .. }
                | Unanswered::NotEvaluable { .. }
                | Unanswered::Broken { .. },
            ) => {
                self.heard(clock);
                lock(&self.gate.breaker).answered(self.pass);
            }
        }
    }

    /// There was no word of it for as long as it was waited for.
    // INVARIANT(impatience-opens-no-breaker): whoever waits a moment only, or reads slowly, does not cut a peer off for
    // others.
    pub(crate) fn gave_up(&self, clock: &dyn Clock) {
        let now = clock.instant();
        let Some(since) = *lock(&self.waiting) else {
            return;
        };
        if now.saturating_duration_since(since) < self.gate.patience {
            return;
        }
        let heard = lock(&self.gate.pace).heard;
        let is_silent = heard.is_none_or(|heard| heard <= since);
        if self.errand == Errand::Brief && is_silent {
            // Each further one would cost a question as much.
            lock(&self.gate.breaker).silent(self.pass, now, clock.now());
        } else {
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

/// Seats at one peer.
fn seats(together: usize, waiting: usize) -> Admission {
    let together = together.max(1);
    let limits = AdmissionLimits {
        together,
        // Mostly all callers are our own people.
        organisation: together,
        caller: (together / 2).max(FEW),
        waiting,
        waiting_caller: (waiting / 4).max(FEW).min(waiting),
        urgent_purposes: Vec::new(),
    };
    Admission::new(limits).reserving(together / 4)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // All are whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
