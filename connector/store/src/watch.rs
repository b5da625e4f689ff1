//! Keeps an evaluation within its time and memory, and remembers what went wrong.

use crate::{StoreError, memory};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Reservation};

/// The most steps between two looks at the clock; an attempt has its own number, and ends with it.
const STEPS: u32 = 1024;
/// Looks are about so far apart, however long a step takes.
const PACE: Duration = Duration::from_millis(1);
/// What an evaluation reserves of the memory of all at a time: more than nearly every one holds.
const GRAIN: usize = 1 << 20;

/// Keeps an evaluation within its time and memory.
///
/// One thread makes it and evaluates: the atomics are only there because the evaluator wants its functions to be shareable.
#[derive(Debug)]
pub(crate) struct Watch {
    budget: Budget,
    countdown: AtomicU32,
    /// What the thread held when the evaluation began, less what it has handed over since.
    base: AtomicIsize,
    slow: Mutex<Slow>,
}

#[derive(Debug)]
struct Slow {
    /// Steps between looks, for now.
    interval: u32,
    looked: Instant,
    failed: Option<StoreError>,
    /// Of the memory of all evaluations: at every look more than this one holds.
    reservation: Reservation,
}

/// Tells whether an evaluation came to a bad end that the evaluator may have taken for an expression's error.
#[derive(Debug, Clone)]
pub struct Health(pub(crate) Arc<Watch>);

/// What unwinds an evaluation that must stop where no error can be returned.
pub(crate) struct Stopped;

impl Health {
    /// Nothing, or why the evaluation must not be believed.
    ///
    /// # Errors
    /// The first error that the view reported.
    pub fn check(&self) -> Result<(), StoreError> {
        self.0.slow().failed.clone().map_or(Ok(()), Err)
    }

    /// As [`Health::check`], and looks at the clock.
    ///
    /// # Errors
    /// As [`Health::check`].
    pub fn look(&self) -> Result<(), StoreError> {
        self.0.look()
    }

    pub(crate) fn fail(&self, error: StoreError) {
        self.0.fail(error);
    }

    pub(crate) fn hand_over(&self, bytes: usize) {
        self.0.hand_over(bytes);
    }
}

impl Watch {
    pub(crate) fn new(budget: &Budget) -> Self {
        let now = Instant::now();
        Self {
            budget: budget.clone(),
            countdown: AtomicU32::new(budget.steps().unwrap_or(STEPS)),
            base: AtomicIsize::new(memory::held()),
            slow: Mutex::new(Slow {
                interval: STEPS,
                looked: now,
                failed: None,
                reservation: budget.reserve(),
            }),
        }
    }

    /// Counts a step of work; looks at the clock once in a while.
    #[inline]
    pub(crate) fn step(&self) -> Result<(), StoreError> {
        match self.countdown.load(Ordering::Relaxed).checked_sub(1) {
            Some(left) => {
                self.countdown.store(left, Ordering::Relaxed);
                Ok(())
            }
            None => self.look(),
        }
    }

    /// As [`Watch::step`], where no error can be returned: unwinds to [`crate::evaluate`], past the panic hook.
    #[inline]
    pub(crate) fn step_or_unwind(&self) {
        if self.step().is_err() {
            resume_unwind(Box::new(Stopped));
        }
    }

    /// Remembers the error: the evaluator turns errors inside expressions into "no value".
    pub(crate) fn fail(&self, error: StoreError) -> StoreError {
        self.countdown.store(0, Ordering::Relaxed);
        self.slow().failed.get_or_insert_with(|| error.clone());
        error
    }

    /// Looks at the clock and at memory now.
    #[cold]
    pub(crate) fn look(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        let mut slow = self.slow();
        if slow.failed.is_none() {
            slow.failed = self.fault(now, &mut slow.reservation);
        }
        if let Some(error) = &slow.failed {
            self.countdown.store(0, Ordering::Relaxed);
            return Err(error.clone());
        }
        if self.budget.steps().is_some() {
            // All that are left stay as they are.
            slow.looked = now;
            return Ok(());
        }
        // A step may be a nanosecond's work or, between two rows of a cross product, a second's.
        let elapsed = now.saturating_duration_since(slow.looked);
        slow.looked = now;
        slow.interval = if elapsed > PACE {
            let times = u32::try_from(elapsed.as_nanos() / PACE.as_nanos()).unwrap_or(u32::MAX);
            slow.interval / times.max(2)
        } else {
            (slow.interval * 2 + 1).min(STEPS)
        };
        self.countdown.store(slow.interval, Ordering::Relaxed);
        Ok(())
    }

    // INVARIANT(memory-within-its-limit): at every place where the deadline is looked at, so is what the evaluation holds.
    fn fault(&self, now: Instant, reservation: &mut Reservation) -> Option<StoreError> {
        if self.budget.is_cancelled() {
            return Some(StoreError::Cancelled);
        }
        if now >= self.budget.deadline() {
            return Some(StoreError::Deadline);
        }
        if self.budget.steps().is_some() && self.countdown.load(Ordering::Relaxed) == 0 {
            return Some(StoreError::Steps);
        }
        let limit = self.budget.memory();
        let held = memory::held().saturating_sub(self.base.load(Ordering::Relaxed));
        let held = usize::try_from(held).unwrap_or_default();
        if held > limit {
            return Some(StoreError::Memory(limit));
        }
        let wanted = (held / GRAIN + 1).saturating_mul(GRAIN);
        if wanted == reservation.bytes() {
            return None;
        }
        reservation.resize(wanted).err().map(StoreError::Together)
    }

    /// Bytes that the evaluation made are somebody else's from now on, who frees them on another thread.
    pub(crate) fn hand_over(&self, bytes: usize) {
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        self.base.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Makes something that stays when the evaluation is over: it is not counted.
    pub(crate) fn keeping<T>(&self, make: impl FnOnce() -> T) -> T {
        let before = memory::held();
        let made = make();
        self.base
            .fetch_add(memory::held() - before, Ordering::Relaxed);
        made
    }

    fn slow(&self) -> std::sync::MutexGuard<'_, Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
