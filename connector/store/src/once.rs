//! A value that one thread makes while the others wait for it, each within its own budget.

use crate::StoreError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use twinlink_core::Budget;

/// How long a waiting thread goes without a look at whether its caller is still there.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A value that is made at most once at a time. If making it fails, the next thread tries.
#[derive(Debug)]
pub(crate) struct Once<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
enum State<T> {
    Empty,
    Busy,
    Ready(T),
}

/// Gives the turn back if making the value fails or unwinds.
struct Turn<'a, T>(&'a Once<T>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::Empty),
            changed: Condvar::new(),
        }
    }
}

impl<T: Clone> Once<T> {
    /// The value, if it is made.
    pub(crate) fn get(&self) -> Option<T> {
        match &*self.lock() {
            State::Ready(value) => Some(value.clone()),
            State::Empty | State::Busy => None,
        }
    }

    /// The value; made now if it is not.
    ///
    /// # Errors
    /// That of `make`; [`StoreError::Deadline`] or [`StoreError::Cancelled`] where another thread takes too long;
    /// [`StoreError::NotReady`] where the budget is for an attempt only, and it is not made yet.
    pub(crate) fn get_or_make(
        &self,
        budget: &Budget,
        make: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        loop {
            match &*state {
                State::Ready(value) => return Ok(value.clone()),
                State::Empty | State::Busy if budget.steps().is_some() => {
                    return Err(StoreError::NotReady);
                }
                State::Empty => break,
                State::Busy => {}
            }
            let left = budget.left(Instant::now());
            if budget.is_cancelled() {
                return Err(StoreError::Cancelled);
            }
            if left.is_zero() {
                return Err(StoreError::Deadline);
            }
            (state, _) = self
                .changed
                .wait_timeout(state, left.min(LOOK))
                .unwrap_or_else(PoisonError::into_inner);
        }
        *state = State::Busy;
        drop(state);
        let turn = Turn(self);
        let value = make()?;
        *self.lock() = State::Ready(value.clone());
        drop(turn);
        Ok(value)
    }
}

impl<T> Once<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // The state is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(*state, State::Busy) {
            *state = State::Empty;
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn budget() -> Budget {
        Budget::new(Instant::now() + Duration::from_secs(60), 1)
    }

    #[test]
    fn many_threads_make_it_once() {
        let (once, made) = (Once::default(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let value = once.get_or_make(&budget(), || {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(7)
                    });
                    assert_eq!(value.unwrap(), 7);
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn a_failure_leaves_it_to_the_next() {
        let once = Once::default();
        assert!(
            once.get_or_make(&budget(), || Err(StoreError::Deadline))
                .is_err()
        );
        assert!(once.get().is_none());
        assert_eq!(once.get_or_make(&budget(), || Ok(7)).unwrap(), 7);
    }

    #[test]
    fn nobody_waits_longer_than_its_budget() {
        let once = Once::default();
        once.get_or_make(&budget(), || {
            let short = Budget::new(Instant::now(), 1);
            assert!(matches!(
                once.get_or_make(&short, || Ok(1)),
                Err(StoreError::Deadline)
            ));
            let gone = budget();
            gone.cancel();
            assert!(matches!(
                once.get_or_make(&gone, || Ok(1)),
                Err(StoreError::Cancelled)
            ));
            Ok(7)
        })
        .unwrap();
    }
}
