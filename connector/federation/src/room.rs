//! What one question holds of what members gave: reserved as it comes, given back when the answer is through.

use std::sync::{Arc, Mutex, PoisonError};
use twinlink_core::{Budget, MemoryFull, Reservation};

/// Memory is reserved in steps of so many bytes: all requests share one count of it.
const GRAIN: usize = 256 << 10;

/// Room for what is received for one question, at the question's limit of memory and out of the memory of all. Whatever
/// holds a part of it holds all of it.
// INVARIANT(received-within-memory): what members gave for a question is reserved before it is kept, and no more is kept
// than may be reserved.
#[derive(Debug, Clone)]
pub struct Room(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    reservation: Reservation,
    bytes: usize,
    most: usize,
}

/// There is no room for more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The question has had as much as it may.
    #[error("what all sources give to one question may take {0} bytes of memory, and no more")]
    Question(usize),
    /// Others have.
    #[error(transparent)]
    Together(#[from] MemoryFull),
}

impl Room {
    /// For a question with this budget.
    pub fn of(budget: &Budget) -> Self {
        Self(Arc::new(Mutex::new(Held {
            reservation: budget.reserve(),
            bytes: 0,
            most: budget.memory(),
        })))
    }

    /// Makes room for so many bytes more.
    ///
    /// # Errors
    /// [`NoRoom`]: then nothing has changed, and they are not to be kept.
    pub fn take(&self, bytes: usize) -> Result<(), NoRoom> {
        // A count that is a step behind is no wrong one.
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = held.bytes.saturating_add(bytes);
        if all > held.most {
            return Err(NoRoom::Question(held.most));
        }
        let wanted = all.div_ceil(GRAIN).saturating_mul(GRAIN);
        if wanted > held.reservation.bytes() {
            held.reservation.resize(wanted)?;
        }
        held.bytes = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use twinlink_core::{Memory, Priority};

    #[test]
    fn a_question_takes_what_it_may_and_gives_it_back() {
        let memory = Memory::new(16 * GRAIN);
        let budget = Budget::new(Instant::now(), 1)
            .with_memory(4 * GRAIN)
            .sharing(memory.share(Priority::Routine));
        let rooms: Vec<_> = (0..4).map(|_| Room::of(&budget)).collect();
        rooms[0].take(1).unwrap();
        rooms[0].take(4 * GRAIN - 1).unwrap();
        assert_eq!(rooms[0].take(1), Err(NoRoom::Question(4 * GRAIN)));
        assert_eq!(memory.reserved(), 4 * GRAIN);
        for room in &rooms[1..3] {
            room.take(3 * GRAIN + 1).unwrap();
        }
        // Three quarters of all are held.
        let full = rooms[3].take(1).unwrap_err();
        assert!(matches!(full, NoRoom::Together(_)), "{full}");
        drop(rooms);
        assert_eq!(memory.reserved(), 0);
    }
}
