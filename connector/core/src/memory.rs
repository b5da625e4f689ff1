//! How much memory all evaluations hold together: reserved before it is used, a part of it for incidents alone.

use crate::{Code, Priority, Refusal};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The part of the memory that only what an incident asks for may have: one in so many.
const FOR_INCIDENTS: usize = 4;

/// When who found no memory free may come again: by then most of what ran has ended.
const ADVICE: Duration = Duration::from_secs(2);

/// Memory for the evaluations of a connector, in bytes.
///
/// Each evaluation reserves what it is about to hold, and gives it back when it ends. Routine requests leave a quarter
/// to what an incident asks for.
// INVARIANT(memory-together): what is reserved is at most the limit at every moment, and no routine request adds to it
// beyond three quarters.
#[derive(Debug)]
pub struct Memory {
    limit: usize,
    reserved: AtomicUsize,
    most: AtomicUsize,
}

/// What one request may reserve of the memory of all.
#[derive(Debug, Clone)]
pub struct MemoryShare {
    memory: Arc<Memory>,
    priority: Priority,
}

/// What one evaluation has reserved. Given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    share: Option<MemoryShare>,
    bytes: usize,
}

/// There is not so much memory free now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the evaluations that run now hold nearly all of the {limit} bytes that they may hold together"
)]
pub struct MemoryFull {
    /// What all may hold together, in bytes.
    pub limit: usize,
}

impl Memory {
    /// So many bytes for all.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            reserved: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    /// What all may hold together, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// What is reserved now, in bytes.
    pub fn reserved(&self) -> usize {
        self.reserved.load(Ordering::SeqCst)
    }

    /// The most that was reserved at one time so far, in bytes.
    pub fn most_reserved(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// For a request of this priority.
    pub fn share(self: &Arc<Self>, priority: Priority) -> MemoryShare {
        MemoryShare {
            memory: Arc::clone(self),
            priority,
        }
    }

    fn take(&self, bytes: usize, priority: Priority) -> Result<(), MemoryFull> {
        let limit = match priority {
            Priority::Incident => self.limit,
            Priority::Routine => self.limit - self.limit / FOR_INCIDENTS,
        };
        let grow = |reserved: usize| reserved.checked_add(bytes).filter(|all| *all <= limit);
        let grown = self
            .reserved
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, grow);
        let before = grown.map_err(|_| MemoryFull { limit: self.limit })?;
        self.most.fetch_max(before + bytes, Ordering::SeqCst);
        Ok(())
    }
}

impl MemoryShare {
    /// What the request is for.
    pub fn priority(&self) -> Priority {
        self.priority
    }

    /// Nothing yet.
    pub fn reserve(&self) -> Reservation {
        Reservation {
            share: Some(self.clone()),
            bytes: 0,
        }
    }
}

impl Reservation {
    /// Of memory that nobody counts.
    pub fn unlimited() -> Self {
        Self {
            share: None,
            bytes: 0,
        }
    }

    /// What it is of, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Makes it one of so many bytes.
    ///
    /// # Errors
    /// [`MemoryFull`] where others hold too much: then it is as large as it was.
    pub fn resize(&mut self, bytes: usize) -> Result<(), MemoryFull> {
        if let Some(MemoryShare { memory, priority }) = &self.share {
            match bytes.checked_sub(self.bytes) {
                Some(0) => {}
                Some(more) => memory.take(more, *priority)?,
                None => drop(
                    memory
                        .reserved
                        .fetch_sub(self.bytes - bytes, Ordering::SeqCst),
                ),
            }
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(share) = &self.share {
            share
                .memory
                .reserved
                .fetch_sub(self.bytes, Ordering::SeqCst);
        }
    }
}

impl From<MemoryFull> for Refusal {
    fn from(full: MemoryFull) -> Self {
        Self::new(Code::Exhausted, "limits.memory_total", full)
            .open()
            .retry_after(ADVICE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// INVARIANT(memory-together)
        #[test]
        fn memory_together(
            limit in 0_usize..1000,
            steps in prop::collection::vec((0_usize..4, any::<bool>(), 0_usize..600), 0..60),
        ) {
            let memory = Memory::new(limit);
            let mut held: Vec<Reservation> = Vec::new();
            for (place, is_incident, bytes) in steps {
                let priority = if is_incident { Priority::Incident } else { Priority::Routine };
                if held.len() <= place {
                    held.push(memory.share(priority).reserve());
                }
                let place = place.min(held.len() - 1);
                let before = held[place].bytes();
                let others: usize = held.iter().map(Reservation::bytes).sum::<usize>() - before;
                let is_routine = held[place].share.as_ref().unwrap().priority == Priority::Routine;
                let most = if is_routine { limit - limit / FOR_INCIDENTS } else { limit };
                let fits = bytes <= before || others + bytes <= most;
                let resized = held[place].resize(bytes);
                prop_assert_eq!(resized.is_ok(), fits);
                prop_assert_eq!(held[place].bytes(), if fits { bytes } else { before });
                let all: usize = held.iter().map(Reservation::bytes).sum();
                prop_assert_eq!(memory.reserved(), all);
                prop_assert!(all <= limit);
                prop_assert!(memory.most_reserved() <= limit);
            }
            drop(held);
            prop_assert_eq!(memory.reserved(), 0);
        }
    }

    #[test]
    fn many_threads_never_hold_more_than_the_limit() {
        let memory = Memory::new(1000);
        std::thread::scope(|scope| {
            for thread in 0..8_usize {
                let memory = &memory;
                scope.spawn(move || {
                    let mut held = memory.share(Priority::Incident).reserve();
                    for round in 0..2000_usize {
                        let _is_full = held.resize((round * 37 + thread * 211) % 400);
                    }
                });
            }
        });
        assert_eq!(memory.reserved(), 0);
        assert!((1..=1000).contains(&memory.most_reserved()));
    }

    #[test]
    fn who_finds_no_memory_is_told_when_to_come_again() {
        let memory = Memory::new(100);
        let mut routine = memory.share(Priority::Routine).reserve();
        let refusal = Refusal::from(routine.resize(80).unwrap_err());
        assert_eq!(refusal.check(), "limits.memory_total");
        assert!(refusal.retry().is_some() && refusal.public().contains("100 bytes"));
        routine.resize(75).unwrap();
        memory
            .share(Priority::Incident)
            .reserve()
            .resize(25)
            .unwrap();
    }
}
