//! Keeps an evaluation within its time and memory, and remembers what went wrong.

use crate::StoreError;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use twinlink_core::Budget;

/// The most memory that the process may grow by while one evaluation runs.
const MEMORY_BYTES: usize = 1 << 30;
/// The most steps between two looks at the clock.
const STEPS: u32 = 1024;
/// Looks are about so far apart, however long a step takes.
const PACE: Duration = Duration::from_millis(1);
/// How often memory is looked at.
const WEIGH: Duration = Duration::from_millis(10);

/// Keeps an evaluation within its time and memory.
///
/// One thread evaluates: the atomics are only there because the evaluator wants its functions to be shareable.
#[derive(Debug)]
pub(crate) struct Watch {
    budget: Budget,
    countdown: AtomicU32,
    slow: Mutex<Slow>,
}

#[derive(Debug)]
struct Slow {
    /// Steps between looks, for now.
    interval: u32,
    looked: Instant,
    weighed: Instant,
    /// What the process had in memory at the start.
    bytes: Option<usize>,
    failed: Option<StoreError>,
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
}

impl Watch {
    pub(crate) fn new(budget: &Budget) -> Self {
        let now = Instant::now();
        Self {
            budget: budget.clone(),
            countdown: AtomicU32::new(STEPS),
            slow: Mutex::new(Slow {
                interval: STEPS,
                looked: now,
                weighed: now,
                bytes: None,
                failed: None,
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
            slow.failed = self.fault(&mut slow, now);
        }
        if let Some(error) = &slow.failed {
            self.countdown.store(0, Ordering::Relaxed);
            return Err(error.clone());
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

    fn fault(&self, slow: &mut Slow, now: Instant) -> Option<StoreError> {
        if self.budget.is_cancelled() {
            return Some(StoreError::Cancelled);
        }
        if now >= self.budget.deadline() {
            return Some(StoreError::Deadline);
        }
        if slow.bytes.is_some() && now.saturating_duration_since(slow.weighed) < WEIGH {
            return None;
        }
        slow.weighed = now;
        let bytes = resident()?;
        let before = *slow.bytes.get_or_insert(bytes);
        (bytes.saturating_sub(before) > MEMORY_BYTES).then_some(StoreError::Memory(MEMORY_BYTES))
    }

    fn slow(&self) -> std::sync::MutexGuard<'_, Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of this process in memory; none where the system does not say.
///
/// Of the whole process: an evaluation can be stopped for what another one takes, but none can take the machine.
fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(
        kilobytes
            .trim()
            .strip_suffix(" kB")?
            .parse::<usize>()
            .ok()?
            * 1024,
    )
}
