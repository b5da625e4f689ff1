//! Sets of ids: a bit for each id of the snapshot where that is smaller, a table where not.

use crate::dictionary::Id;
use rustc_hash::FxHashSet;

/// A set of ids.
#[derive(Debug)]
pub(crate) struct IdSet {
    ids: Ids,
    len: usize,
}

#[derive(Debug)]
enum Ids {
    Few(FxHashSet<Id>),
    Bits(Vec<u64>),
}

/// Bytes that an id in a table takes, about.
const ENTRY: usize = 8;

impl IdSet {
    /// The set of these ids.
    pub(crate) fn new(ids: FxHashSet<Id>) -> Self {
        let len = ids.len();
        let words = ids.iter().max().map_or(0, |most| *most as usize / 64 + 1);
        if words * 8 > len * ENTRY {
            return Self {
                ids: Ids::Few(ids),
                len,
            };
        }
        let mut bits = vec![0_u64; words];
        for id in ids {
            if let Some(word) = bits.get_mut(id as usize / 64) {
                *word |= 1 << (id % 64);
            }
        }
        Self {
            ids: Ids::Bits(bits),
            len,
        }
    }

    #[inline]
    pub(crate) fn contains(&self, id: Id) -> bool {
        match &self.ids {
            Ids::Few(ids) => ids.contains(&id),
            Ids::Bits(bits) => bits
                .get(id as usize / 64)
                .is_some_and(|word| word >> (id % 64) & 1 == 1),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The ids, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Id> + '_ {
        let (few, bits) = match &self.ids {
            Ids::Few(ids) => (Some(ids), &[][..]),
            Ids::Bits(bits) => (None, bits.as_slice()),
        };
        let of_bits = (0_u32..).zip(bits).flat_map(|(place, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| place * 64 + bit)
        });
        few.into_iter().flatten().copied().chain(of_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_hold_what_was_put_in() {
        for step in [1, 2, 63, 64, 65, 5000] {
            let ids = (1..400).map(|n| n * step).collect::<FxHashSet<Id>>();
            let set = IdSet::new(ids.clone());
            assert_eq!(set.iter().collect::<FxHashSet<_>>(), ids);
            assert_eq!(set.len(), ids.len());
            for id in 0..500 * step {
                assert_eq!(set.contains(id), ids.contains(&id));
            }
        }
        assert!(IdSet::new(FxHashSet::default()).is_empty());
    }
}
