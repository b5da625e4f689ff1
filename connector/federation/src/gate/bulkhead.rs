//! So many at once; some more wait in the order they came, and all others are turned away.

use super::lock;
use futures::channel::oneshot;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// A room with so many seats.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    seats: usize,
    waiting: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    queue: VecDeque<oneshot::Sender<Seat>>,
}

/// One of the seats. Free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat(Option<Arc<Bulkhead>>);

impl Bulkhead {
    pub(crate) fn new(seats: usize, waiting: usize) -> Arc<Self> {
        Arc::new(Self {
            seats: seats.max(1),
            waiting,
            state: Mutex::default(),
        })
    }

    /// Waits for a seat; where too many wait already, says how many.
    pub(crate) async fn enter(self: &Arc<Self>) -> Result<Seat, usize> {
        let turn = {
            let mut state = lock(&self.state);
            if state.taken < self.seats {
                state.taken += 1;
                return Ok(Seat(Some(Arc::clone(self))));
            }
            // Whoever gave up does not wait any more.
            state.queue.retain(|waiting| !waiting.is_canceled());
            if state.queue.len() >= self.waiting {
                return Err(state.queue.len());
            }
            let (sender, turn) = oneshot::channel();
            state.queue.push_back(sender);
            turn
        };
        // A sender is dropped only after it sent.
        turn.await.map_err(|_| 0)
    }

    fn release(self: &Arc<Self>) {
        loop {
            let mut state = lock(&self.state);
            let Some(next) = state.queue.pop_front() else {
                state.taken -= 1;
                return;
            };
            drop(state);
            match next.send(Seat(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // It gave up: the seat is for the one behind it.
                Err(mut seat) => seat.0 = None,
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(bulkhead) = self.0.take() {
            bulkhead.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    #[test]
    fn the_next_enters_when_one_leaves() {
        let room = Bulkhead::new(1, 2);
        let first = room.enter().now_or_never().unwrap().unwrap();
        let mut second = Box::pin(room.enter());
        assert!(second.as_mut().now_or_never().is_none());
        let mut third = Box::pin(room.enter());
        assert!(third.as_mut().now_or_never().is_none());
        assert_eq!(room.enter().now_or_never().unwrap().unwrap_err(), 2);
        // One that gave up makes room in the queue and is passed over.
        drop(second);
        let mut fourth = Box::pin(room.enter());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(first);
        let third = third.now_or_never().unwrap().unwrap();
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(third);
        drop(fourth.now_or_never().unwrap().unwrap());
        assert_eq!(lock(&room.state).taken, 0);
    }

    proptest! {
        /// Whatever enters, waits, gives up and leaves: never more than the seats, and none is lost.
        #[test]
        fn seats_are_neither_lost_nor_doubled(seats in 1..4_usize, steps in prop::collection::vec((0..3_u8, 0..8_usize), 0..60)) {
            let room = Bulkhead::new(seats, 4);
            let mut inside = Vec::new();
            let mut outside = Vec::new();
            for (step, which) in steps {
                match step {
                    0 => {
                        let room = Arc::clone(&room);
                        outside.push(Box::pin(async move { room.enter().await }));
                    }
                    1 if !inside.is_empty() => drop(inside.swap_remove(which % inside.len())),
                    2 if !outside.is_empty() => drop(outside.swap_remove(which % outside.len())),
                    _ => {}
                }
                let mut still = Vec::new();
                for mut waiting in std::mem::take(&mut outside) {
                    match waiting.as_mut().now_or_never() {
                        Some(entered) => inside.extend(entered),
                        None => still.push(waiting),
                    }
                }
                outside = still;
                prop_assert!(inside.len() <= seats);
                prop_assert!(outside.is_empty() || inside.len() == seats);
            }
            outside.clear();
            inside.clear();
            prop_assert_eq!(lock(&room.state).taken, 0);
        }
    }
}
