//! Choices that are the same for the same seed, on every machine.

use crate::chance::Chance;

/// A source of choices.
#[derive(Debug, Clone)]
pub(super) struct Random(Chance);

impl Random {
    /// The choices of this seed; `stream` keeps apart what should not follow from each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed ^ stream.wrapping_add(1).wrapping_mul(0xD1B5_4A32_D192_ED03);
        let mut chance = Chance::new(mixed);
        chance.below(2);
        Self(chance)
    }

    /// A number below `end`; 0 where that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True so many times of a hundred.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of them.
    ///
    /// # Panics
    /// Never, where there is one.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let place = self.below(of.len());
        #[expect(
            clippy::indexing_slicing,
            reason = "callers hand in lists that are not empty"
        )]
        &of[place]
    }

    /// From `low` to `high` of them, each at most once.
    pub(super) fn some<T: Clone>(&mut self, of: &[T], low: usize, high: usize) -> Vec<T> {
        let mut left = of.to_vec();
        let count = self.between(low, high).min(left.len());
        let mut some = Vec::with_capacity(count);
        while some.len() < count {
            some.push(left.swap_remove(self.below(left.len())));
        }
        some
    }
}
