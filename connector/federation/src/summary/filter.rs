//! A set of keys in few bits, which never denies a member of it: a [Bloom filter](https://doi.org/10.1145/362686.362692).

use oxrdf::{NamedNode, Term};

/// Bits for each key at least, where there is room.
const BITS: usize = 12;
/// Bits that are looked at for each key.
const PROBES: u64 = 9;

/// What is known of constants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    pub(super) words: Vec<u64>,
}

impl Filter {
    /// The keys in at most so many bytes. Where that is too few, it answers "perhaps" more often.
    pub(super) fn of(keys: impl ExactSizeIterator<Item = u64>, most_bytes: usize) -> Self {
        let mut filter = Self::empty(keys.len(), most_bytes);
        keys.for_each(|key| filter.insert(key));
        filter
    }

    /// With room for so many keys. Its size is a power of two: a key more or less seldom changes where all the others
    /// are, and it can be folded.
    pub(super) fn empty(keys: usize, most_bytes: usize) -> Self {
        let words = (keys.saturating_mul(BITS) / 64).max(1);
        let words = words.checked_next_power_of_two().unwrap_or(usize::MAX);
        let most = (most_bytes / 8).max(1);
        Self {
            words: vec![0; words.min(1 << most.ilog2())],
        }
    }

    pub(super) fn insert(&mut self, key: u64) {
        for bit in self.places(key) {
            if let Some(word) = self.words.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    /// In half the room.
    pub(super) fn fold(&mut self) {
        let upper = self.words.split_off(self.words.len() / 2);
        if self.words.is_empty() {
            self.words = upper;
            return;
        }
        for (word, other) in self.words.iter_mut().zip(upper) {
            *word |= other;
        }
    }

    pub(super) fn has(&self, key: u64) -> bool {
        self.places(key).all(|bit| {
            self.words
                .get(bit / 64)
                .is_none_or(|word| word & (1 << (bit % 64)) != 0)
        })
    }

    fn places(&self, key: u64) -> impl Iterator<Item = usize> + use<> {
        let bits = (self.words.len() as u64).saturating_mul(64).max(1);
        // Two hashes make all the others: Kirsch and Mitzenmacher, https://doi.org/10.1002/rsa.20208
        let (first, second) = (key, mix(key ^ 0x9e37_79b9_7f4a_7c15) | 1);
        (0..PROBES).map(move |probe| {
            let place = first.wrapping_add(probe.wrapping_mul(second)) % bits;
            usize::try_from(place).unwrap_or_default()
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// The key of a term as subject or object, of one predicate or of any.
pub(super) fn end(is_subject: bool, predicate: Option<&NamedNode>, term: &Term) -> u64 {
    let role = if is_subject { "s" } else { "o" };
    let predicate = predicate.map_or("", NamedNode::as_str);
    hash(&[
        role.as_bytes(),
        predicate.as_bytes(),
        term.to_string().as_bytes(),
    ])
}

/// The key of the name of a graph.
pub(super) fn graph(name: &NamedNode) -> u64 {
    hash(&[b"g", name.as_str().as_bytes()])
}

/// The key of a piece of a literal of a predicate.
pub(super) fn piece(predicate: &NamedNode, piece: &[u8]) -> u64 {
    hash(&[b"p", predicate.as_str().as_bytes(), piece])
}

/// The same everywhere and always: it travels. FNV-1a, then mixed.
pub(super) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // No byte of UTF-8 is 0xff, so parts do not run into one another.
        for byte in part.iter().chain(&[0xff]) {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(hash)
}

/// The last steps of [SplitMix64](https://doi.org/10.1145/2660193.2660195).
fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
