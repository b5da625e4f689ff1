//! What one request may cost.

use crate::Priority;
use crate::memory::{MemoryShare, Reservation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The most memory of one evaluation, where nothing else is said.
const MEMORY: usize = 512 << 20;

/// The most bytes of one answer, where nothing else is said.
const RESULT: usize = 1 << 30;

/// Limits of every request, from the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest a request may run, whatever its caller asks for.
    pub deadline: Duration,
    /// The most rows or triples of one answer.
    pub rows: u64,
    /// The most memory that one evaluation may hold at a time, in bytes.
    pub memory: usize,
    /// The most bytes of one answer, as it stands in memory.
    pub result_bytes: usize,
    /// The longest query or update text, in bytes.
    pub query_bytes: usize,
    /// The deepest nesting of brackets in a query or update text.
    pub nesting: usize,
    /// The largest request body of RDF, in bytes.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            rows: 1_000_000,
            memory: MEMORY,
            result_bytes: RESULT,
            query_bytes: 256 * 1024,
            nesting: 64,
            body_bytes: 256 * 1024 * 1024,
        }
    }
}

/// What is left for one request: shared by all that work on it.
#[derive(Debug, Clone)]
pub struct Budget {
    deadline: Instant,
    rows: u64,
    memory: usize,
    result_bytes: usize,
    together: Option<MemoryShare>,
    steps: Option<u32>,
    cancelled: Arc<AtomicBool>,
}

impl Budget {
    /// A budget that ends at `deadline` and after `rows` rows.
    pub fn new(deadline: Instant, rows: u64) -> Self {
        Self {
            deadline,
            rows,
            memory: MEMORY,
            result_bytes: RESULT,
            together: None,
            steps: None,
            cancelled: Arc::default(),
        }
    }

    /// The same, with another limit of memory for each evaluation, in bytes. Without this, it is 512 MiB.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// The same, with another limit of the answer's bytes. Without this, it is 1 GiB.
    #[must_use]
    pub fn with_result_bytes(mut self, bytes: usize) -> Self {
        self.result_bytes = bytes;
        self
    }

    /// The same, with a share of the memory of all evaluations. Without this, nobody counts what they hold together.
    #[must_use]
    pub fn sharing(mut self, together: MemoryShare) -> Self {
        self.together = Some(together);
        self
    }

    /// A part of the request's work that ends by itself: with limits of its own, and the same share of memory.
    #[must_use]
    pub fn part(&self, deadline: Instant, rows: u64) -> Self {
        Self {
            together: self.together.clone(),
            ..Self::new(deadline, rows)
        }
    }

    /// The same, for an attempt: an evaluation ends after so many steps, each the reading of a quad or less, and waits for
    /// nothing that others make.
    #[must_use]
    pub fn with_steps(mut self, steps: u32) -> Self {
        self.steps = Some(steps);
        self
    }

    /// When the request must be answered.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time that is left at `now`.
    pub fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// The most rows of the answer.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The most memory that an evaluation may hold at a time, in bytes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// What an evaluation reserves of the memory of all: nothing yet.
    pub fn reserve(&self) -> Reservation {
        let share = self.together.as_ref();
        share.map_or_else(Reservation::unlimited, MemoryShare::reserve)
    }

    /// What the request is for: routine, where nobody said.
    pub fn priority(&self) -> Priority {
        let share = self.together.as_ref();
        share.map_or(Priority::Routine, MemoryShare::priority)
    }

    /// The most bytes of the answer, as it stands in memory.
    pub fn result_bytes(&self) -> usize {
        self.result_bytes
    }

    /// The most steps of an evaluation, where it is only an attempt.
    pub fn steps(&self) -> Option<u32> {
        self.steps
    }

    /// Stops all work on the request: its caller went away, or its time is over.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The flag behind [`Budget::cancel`], for evaluators that poll one.
    pub fn cancellation(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }
}

impl Budget {
    /// Cancels when it is dropped, unless it was released: what a caller who went away had asked for is not worked on.
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }
}

/// Holds a budget until its request is through.
#[derive(Debug)]
#[must_use]
pub struct CancelOnDrop(Option<Budget>);

impl CancelOnDrop {
    /// The work goes on.
    pub(crate) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(budget) = &self.0 {
            budget.cancel();
        }
    }
}
