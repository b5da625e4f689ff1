//! Terms to dense ids and back: immutable segments, shared by all snapshots that know them.

use crate::StoreError;
use crate::term;
use oxrdf::TermRef;
use rustc_hash::FxSeededState;
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock};

/// The id of a term. Ids are dense, never reused, and mean the same in every later snapshot of this process.
pub(crate) type Id = u32;

/// The id that stands for the default graph. No term has it.
pub(crate) const DEFAULT_GRAPH: Id = 0;

/// A last segment up to this many terms is copied to extend it; a larger one is left alone until it is merged.
const SMALL: usize = 4096;

/// Where the ids of terms begin that are made beside those of a snapshot and may outlast it: so far above all others that
/// later snapshots have room below.
const APART: Id = 1 << 30;

/// All terms of one snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dictionary {
    /// In the order of their ids; each is a good deal larger than the next.
    segments: Vec<Arc<Segment>>,
}

/// A dictionary that grows; nobody else sees it until it is finished.
#[derive(Debug)]
pub(crate) struct Growing {
    base: Dictionary,
    new: Segment,
    text: String,
}

#[derive(Debug, Clone, Default)]
struct Segment {
    /// The id of its first term.
    first: Id,
    /// Where each term's text ends.
    ends: Vec<u32>,
    texts: String,
    /// Open addressing over the terms' hashes: the place of the term in this segment, or [`FREE`].
    slots: Vec<u32>,
}

const FREE: u32 = u32::MAX;

/// Seeded once per process, so that nobody can prepare terms that collide.
static HASHER: LazyLock<FxSeededState> = LazyLock::new(|| {
    let seed = std::hash::RandomState::new().hash_one(0_u8);
    FxSeededState::with_seed(seed as usize)
});

impl Dictionary {
    /// The id that the next new term would get.
    pub(crate) fn next(&self) -> Id {
        self.segments
            .last()
            .map_or(DEFAULT_GRAPH + 1, |last| last.next())
    }

    /// The term's id, if it has one.
    pub(crate) fn id(&self, term: TermRef<'_>) -> Option<Id> {
        let mut text = String::with_capacity(64);
        term::encode(term, &mut text);
        self.id_of_text(&text, hash(&text))
    }

    /// The text of an id of this dictionary.
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        // Most terms are in the first segment: there is no shorter way than to look there first.
        self.segments
            .iter()
            .find(|segment| id < segment.next())
            .and_then(|segment| segment.text(id.checked_sub(segment.first)?))
    }

    /// Makes it grow.
    pub(crate) fn grow(&self) -> Growing {
        Growing {
            new: Segment {
                first: self.next(),
                ..Segment::default()
            },
            base: self.clone(),
            text: String::new(),
        }
    }

    /// Makes it grow beside those that come after it: see [`Dictionary::carried`].
    pub(crate) fn grow_apart(&self) -> Growing {
        let mut growing = self.grow();
        growing.new.first = growing.new.first.max(APART);
        growing
    }

    /// Of this dictionary, which grew apart, the terms that were made, with all those of a later one; none where one of
    /// the later terms, from the id `first_new` on, is one that was made, or there is no room.
    pub(crate) fn carried(&self, first_new: Id, later: &Self) -> Option<Self> {
        if later.next() > APART {
            return None;
        }
        let mut segments = later.segments.clone();
        if let Some(made) = self.segments.last().filter(|made| made.first >= APART) {
            for id in first_new..later.next() {
                let text = later.text(id)?;
                if made.place(text, hash(text)).is_some() {
                    return None;
                }
            }
            segments.push(Arc::clone(made));
        }
        Some(Self { segments })
    }

    /// Bytes in memory, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.segments
            .iter()
            .map(|segment| {
                segment.texts.capacity() + 4 * (segment.ends.capacity() + segment.slots.len())
            })
            .sum()
    }

    fn id_of_text(&self, text: &str, hash: u64) -> Option<Id> {
        self.segments
            .iter()
            .find_map(|segment| segment.place(text, hash).map(|place| segment.first + place))
    }
}

impl Growing {
    /// The term's id; a new one if it had none.
    ///
    /// # Errors
    /// [`StoreError::Full`] where ids or a segment's bytes run out.
    pub(crate) fn id(&mut self, term: TermRef<'_>) -> Result<Id, StoreError> {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        term::encode(term, &mut text);
        let id = self.id_of_text(&text);
        self.text = text;
        id
    }

    /// The ids of terms given as texts.
    ///
    /// # Errors
    /// As [`Growing::id`].
    pub(crate) fn ids_of_texts(&mut self, texts: &[String]) -> Result<Vec<Id>, StoreError> {
        texts.iter().map(|text| self.id_of_text(text)).collect()
    }

    fn id_of_text(&mut self, text: &str) -> Result<Id, StoreError> {
        let hash = hash(text);
        match self.base.id_of_text(text, hash) {
            Some(id) => Ok(id),
            None => self.new.insert(text, hash),
        }
    }

    /// The text of an id, old or new.
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match id.checked_sub(self.new.first) {
            Some(place) => self.new.text(place),
            None => self.base.text(id),
        }
    }

    /// Whether there are no new terms.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.new.ends.is_empty()
    }

    /// Bytes of the new terms.
    pub(crate) fn made_bytes(&self) -> usize {
        self.new.texts.len() + 16 * self.new.ends.len()
    }

    /// The finished dictionary, with the new terms in a segment of their own: for one that does not last.
    pub(crate) fn finish_apart(self) -> Dictionary {
        let mut segments = self.base.segments;
        if !self.new.ends.is_empty() {
            segments.push(Arc::new(self.new));
        }
        Dictionary { segments }
    }

    /// The finished dictionary.
    pub(crate) fn finish(self) -> Dictionary {
        let mut segments = self.base.segments;
        let mut last = self.new;
        if last.ends.is_empty() {
            return Dictionary { segments };
        }
        // Merging while the last is at least a quarter of the one before keeps the segments few and the copying low.
        while let Some(before) = segments.last() {
            let small = before.ends.len() + last.ends.len() <= SMALL;
            let due = small || last.ends.len() >= before.ends.len() / 4;
            if !due || before.texts.len() + last.texts.len() > u32::MAX as usize {
                break;
            }
            last = before.joined(&last);
            segments.pop();
        }
        last.texts.shrink_to_fit();
        last.ends.shrink_to_fit();
        segments.push(Arc::new(last));
        Dictionary { segments }
    }
}

impl Segment {
    fn next(&self) -> Id {
        let length = self.ends.len() as u32;
        self.first + length
    }

    fn text(&self, place: u32) -> Option<&str> {
        let place = place as usize;
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(place)?;
        self.texts.get(start as usize..end as usize)
    }

    fn place(&self, text: &str, hash: u64) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut slot = self.start(hash);
        loop {
            let place = *self.slots.get(slot)?;
            if place == FREE {
                return None;
            }
            if self.text(place) == Some(text) {
                return Some(place);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn insert(&mut self, text: &str, hash: u64) -> Result<Id, StoreError> {
        if let Some(place) = self.place(text, hash) {
            return Ok(self.first + place);
        }
        let id = self.next();
        let end = u32::try_from(self.texts.len() + text.len()).map_err(|_| StoreError::Full)?;
        // Ids above the dictionary's are for the terms that a query makes: leave it room.
        if id >= u32::MAX / 2 {
            return Err(StoreError::Full);
        }
        self.texts.push_str(text);
        self.ends.push(end);
        if self.ends.len() * 2 > self.slots.len() {
            self.rehash(self.ends.len());
        } else {
            self.occupy(hash, id - self.first);
        }
        Ok(id)
    }

    /// One segment of two neighbours.
    fn joined(&self, next: &Self) -> Self {
        let mut joined = Self {
            first: self.first,
            ends: Vec::with_capacity(self.ends.len() + next.ends.len()),
            texts: String::with_capacity(self.texts.len() + next.texts.len()),
            slots: Vec::new(),
        };
        joined.ends.extend_from_slice(&self.ends);
        joined.texts.push_str(&self.texts);
        joined.texts.push_str(&next.texts);
        let shift = self.ends.last().copied().unwrap_or(0);
        joined.ends.extend(next.ends.iter().map(|end| end + shift));
        joined.rehash(joined.ends.len());
        joined
    }

    fn rehash(&mut self, terms: usize) {
        let size = (terms * 2 + 1).next_power_of_two().max(16);
        self.slots = vec![FREE; size];
        let mut start = 0;
        for place in 0..self.ends.len() {
            let Some(end) = self.ends.get(place).copied() else {
                break;
            };
            if let Some(text) = self.texts.get(start as usize..end as usize) {
                let hash = hash(text);
                self.occupy(hash, place as u32);
            }
            start = end;
        }
    }

    fn occupy(&mut self, hash: u64, place: u32) {
        let mut slot = self.start(hash);
        let mask = self.slots.len() - 1;
        while let Some(taken) = self.slots.get_mut(slot) {
            if *taken == FREE {
                *taken = place;
                return;
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Where to begin looking. There are always free slots, and a power of two of them.
    fn start(&self, hash: u64) -> usize {
        let hash = hash as usize;
        hash & (self.slots.len() - 1)
    }
}

fn hash(text: &str) -> u64 {
    HASHER.hash_one(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::NamedNode;

    #[test]
    fn ids_are_dense_and_stay() {
        let mut dictionary = Dictionary::default();
        let mut known = Vec::new();
        for round in 0..60_u32 {
            let mut growing = dictionary.grow();
            for number in 0..=(round * 7 % 900) {
                let node = NamedNode::new_unchecked(format!(
                    "http://example.com/{}",
                    number * (round % 5 + 1)
                ));
                let id = growing.id(node.as_ref().into()).unwrap();
                known.push((node, id));
            }
            dictionary = growing.finish();
            for (node, id) in &known {
                assert_eq!(dictionary.id(node.as_ref().into()), Some(*id));
                assert_eq!(
                    dictionary.text(*id),
                    Some(format!("<{}", node.as_str()).as_str())
                );
            }
        }
        let mut ids = known.iter().map(|(_, id)| *id).collect::<Vec<_>>();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids, (1..dictionary.next()).collect::<Vec<_>>());
        assert_eq!(dictionary.text(DEFAULT_GRAPH), None);
        assert_eq!(dictionary.text(dictionary.next()), None);
    }
}
