//! Merkle trees over a growing log: <https://www.rfc-editor.org/rfc/rfc9162#section-2.1>.
//!
//! A log of any length is held as its peaks: the roots of the complete subtrees that it consists of, at most 64. They
//! are enough to append, and to prove all that came after them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The longest proof that is read: a tree of 2^64 leaves needs no more.
const LONGEST: usize = 2 * 64;

/// A SHA-256 digest in a tree: of a leaf, of an inner node or of the root.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest256([u8; 32]);

/// The complete subtrees of a log, largest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peaks {
    size: u64,
    peaks: Vec<Digest256>,
}

/// A log that grew from some size on: proves the leaves that came since, and that the tree before is a part of it.
#[derive(Debug, Clone)]
pub struct Growth {
    start: Peaks,
    leaves: Vec<Digest256>,
    /// The digests of ranges of leaves that were asked for before.
    known: HashMap<(u64, u64), Digest256>,
}

impl Digest256 {
    /// The digest of a leaf: SHA-256 over a zero byte and the leaf.
    pub fn of_leaf(leaf: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update([0])
                .chain_update(leaf)
                .finalize()
                .into(),
        )
    }

    /// The root of the tree without leaves.
    pub fn of_nothing() -> Self {
        Self(Sha256::digest([]).into())
    }

    fn of_pair(left: Self, right: Self) -> Self {
        let hasher = Sha256::new().chain_update([1]);
        Self(
            hasher
                .chain_update(left.0)
                .chain_update(right.0)
                .finalize()
                .into(),
        )
    }

    /// The 32 bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// From 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Several, one behind the other; none where there are bytes over.
    pub(crate) fn list(bytes: &[u8]) -> Option<Vec<Self>> {
        let digests = bytes.chunks(32).map(Self::from_bytes);
        digests.collect()
    }

    /// In base64url without padding: 43 characters.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// From base64url without padding.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)
    }
}

impl Peaks {
    /// Peaks as they were written down; none where their number does not fit the size.
    pub fn new(size: u64, peaks: Vec<Digest256>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    pub fn digests(&self) -> &[Digest256] {
        &self.peaks
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Digest256) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = Digest256::of_pair(left, node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The root: the peaks joined from the right.
    pub fn root(&self) -> Digest256 {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else {
            return Digest256::of_nothing();
        };
        peaks.fold(last, |right, left| Digest256::of_pair(left, right))
    }

    /// The peak over the leaves from `first` on, `width` of them, if it is one.
    fn over(&self, first: u64, width: u64) -> Option<Digest256> {
        let mut at = 0_u64;
        let mut left = self.size;
        for peak in &self.peaks {
            let over = 1_u64 << left.checked_ilog2()?;
            if (at, over) == (first, width) {
                return Some(*peak);
            }
            at += over;
            left -= over;
        }
        None
    }
}

impl Growth {
    /// Grows from these peaks.
    pub fn from(start: Peaks) -> Self {
        Self {
            start,
            leaves: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// Appends a leaf; gives its index.
    pub fn push(&mut self, leaf: Digest256) -> u64 {
        self.leaves.push(leaf);
        self.known.clear();
        self.size() - 1
    }

    /// How many leaves there are, those before the start included.
    pub fn size(&self) -> u64 {
        self.start.size + self.leaves.len() as u64
    }

    /// The peaks now.
    pub fn peaks(&self) -> Peaks {
        let mut peaks = self.start.clone();
        self.leaves.iter().for_each(|leaf| peaks.push(*leaf));
        peaks
    }

    /// The path from a leaf to the root now; none for a leaf before the start, or one that is not there:
    /// <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.1>.
    pub fn inclusion(&mut self, index: u64) -> Option<Vec<Digest256>> {
        if index < self.start.size || index >= self.size() {
            return None;
        }
        let (mut first, mut end) = (0, self.size());
        let mut path = Vec::new();
        while end - first > 1 {
            let middle = first + split(end - first);
            if index < middle {
                path.push(self.over(middle, end)?);
                end = middle;
            } else {
                path.push(self.over(first, middle)?);
                first = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// That the tree at the start is a part of the tree now: <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.1>.
    pub fn consistency(&mut self) -> Option<Vec<Digest256>> {
        let old = self.start.size;
        let (mut first, mut end) = (0, self.size());
        if old == 0 || old == end {
            return Some(Vec::new());
        }
        let mut proof = Vec::new();
        while end != old {
            let middle = first + split(end - first);
            if old <= middle {
                proof.push(self.over(middle, end)?);
                end = middle;
            } else {
                proof.push(self.over(first, middle)?);
                first = middle;
            }
        }
        // The whole old tree needs no digest: whoever checks has its root.
        if first != 0 {
            proof.push(self.over(first, end)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// The digest over the leaves from `first` to before `end`. No deeper than the tree: 64 calls.
    fn over(&mut self, first: u64, end: u64) -> Option<Digest256> {
        let width = end - first;
        if width == 1 && first >= self.start.size {
            let place = usize::try_from(first - self.start.size).ok()?;
            return self.leaves.get(place).copied();
        }
        if let Some(digest) = self.known.get(&(first, end)) {
            return Some(*digest);
        }
        let digest = match self.start.over(first, width) {
            Some(peak) => peak,
            None if width == 1 => return None,
            None => {
                let middle = first + split(width);
                Digest256::of_pair(self.over(first, middle)?, self.over(middle, end)?)
            }
        };
        self.known.insert((first, end), digest);
        Some(digest)
    }
}

/// Whether the leaf with this digest is at the index of the tree: <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2>.
// INVARIANT(proofs-are-exact): a proof of inclusion or consistency holds for its own leaf, sizes and roots only.
pub fn verify_inclusion(
    leaf: Digest256,
    index: u64,
    size: u64,
    path: &[Digest256],
    root: Digest256,
) -> bool {
    if index >= size || path.len() > LONGEST {
        return false;
    }
    let (mut place, mut last, mut node) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            node = Digest256::of_pair(*sibling, node);
            let zeros = place.trailing_zeros();
            if place & 1 == 0 && place != 0 {
                place >>= zeros;
                last >>= zeros;
            }
        } else {
            node = Digest256::of_pair(node, *sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && node == root
}

/// Whether the tree of the old size and root is a part of the new one: <https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2>.
pub fn verify_consistency(
    (old, old_root): (u64, Digest256),
    (new, new_root): (u64, Digest256),
    proof: &[Digest256],
) -> bool {
    if old > new || proof.len() > LONGEST {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return proof.is_empty() && old_root == Digest256::of_nothing();
    }
    let mut digests = proof.iter().copied();
    let first = if old.is_power_of_two() {
        Some(old_root)
    } else {
        digests.next()
    };
    let Some(first) = first else {
        return false;
    };
    let zeros = (old - 1).trailing_ones();
    let (mut place, mut last) = ((old - 1) >> zeros, (new - 1) >> zeros);
    let (mut old_node, mut new_node) = (first, first);
    for digest in digests {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old_node = Digest256::of_pair(digest, old_node);
            new_node = Digest256::of_pair(digest, new_node);
            if place & 1 == 0 && place != 0 {
                let zeros = place.trailing_zeros();
                place >>= zeros;
                last >>= zeros;
            }
        } else {
            new_node = Digest256::of_pair(new_node, digest);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old_node == old_root && new_node == new_root
}

/// The largest power of two less than a width of at least two.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

impl std::fmt::Display for Digest256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Digest256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> serde::Deserialize<'de> for Digest256 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("not 32 bytes in base64url"))
    }
}

#[cfg(test)]
mod tests;
