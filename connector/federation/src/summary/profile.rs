//! Characteristic sets: which predicates subjects have together, how many there are, and what they point to outside.
//!
//! A mark stands for a constant that a subject points to, in one step or in two by way of another node of the member:
//! in data that was lifted from many places, `?thing rdf:type ?local . ?local owl:sameAs <shared>` is the rule. Only
//! predicates that lead outward are marked, all of them.

use super::Between;
use super::filter::hash;
use oxrdf::{NamedNode, Term};
use std::collections::BTreeSet;

/// Subjects by the predicates that they have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Profiles {
    pub(super) sets: Vec<Profile>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Profile {
    /// Numbers of predicates, in order.
    pub(super) predicates: Vec<usize>,
    /// How many subjects have just these.
    pub(super) subjects: u64,
    /// What these are marked with, each in order; equal ones once. An empty list with no subject of its own would say
    /// nothing: subjects with too many marks make `is_open`.
    pub(super) marks: Lists,
    /// Whether some subject may be marked with anything.
    pub(super) is_open: bool,
}

/// What one subject must have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Star {
    pub(crate) predicates: BTreeSet<NamedNode>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) between: Vec<Between>,
}

/// A path of one or two steps to one of some constants.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The predicate of the last step.
    pub(super) last: NamedNode,
    /// Of the path to each of the constants.
    pub(super) hashes: Vec<u16>,
}

impl Mark {
    /// By `first`, and then by the other if there is one.
    pub(crate) fn new(first: &NamedNode, then: Option<&NamedNode>, objects: &[Term]) -> Self {
        let objects = objects.iter();
        Self {
            last: then.unwrap_or(first).clone(),
            hashes: objects.map(|object| mark(first, then, object)).collect(),
        }
    }
}

impl Profiles {
    /// Whether some subject has all the predicates, and for each of `marks` one of its hashes.
    pub(super) fn may_hold(&self, predicates: &[usize], marks: &[&[u16]]) -> bool {
        self.sets.iter().any(|set| {
            let has_predicates = predicates
                .iter()
                .all(|predicate| set.predicates.binary_search(predicate).is_ok());
            has_predicates && (set.is_open || marks.is_empty() || set.marks.may_hold(marks))
        })
    }

    /// How many marks there are, and lists of them.
    pub(super) fn cost(&self) -> usize {
        let lists = self.sets.iter().map(|set| &set.marks);
        lists.map(|lists| lists.marks.len() + lists.len()).sum()
    }

    pub(super) fn bytes(&self) -> usize {
        let sets = self.sets.iter();
        sets.map(|set| {
            let marks = set.marks.marks.len() * 2 + set.marks.len() * 4;
            16 + set.predicates.len() * 8 + marks
        })
        .sum()
    }
}

/// Lists of marks, each in order. They lie one behind the other: there are thousands, of a few marks each, and all are
/// looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lists {
    marks: Vec<u16>,
    ends: Vec<u32>,
}

impl Lists {
    pub(super) fn push(&mut self, list: &[u16]) {
        self.marks.extend(list);
        // There is no room for as many marks as this cannot count.
        let end = u32::try_from(self.marks.len()).unwrap_or(u32::MAX);
        self.ends.push(end);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u16]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let list = self.marks.get(start..end).unwrap_or_default();
            start = end;
            list
        })
    }

    /// Whether some list has, for each of `marks`, one of its hashes.
    fn may_hold(&self, marks: &[&[u16]]) -> bool {
        // Mostly one of them is in no list at all: that is seen much sooner.
        let are_there = marks
            .iter()
            .all(|any| any.iter().any(|mark| self.marks.contains(mark)));
        let has = |list: &[u16], any: &[u16]| any.iter().any(|m| list.binary_search(m).is_ok());
        are_there
            && self
                .iter()
                .any(|list| marks.iter().all(|any| has(list, any)))
    }
}

impl FromIterator<Vec<u16>> for Lists {
    fn from_iter<T: IntoIterator<Item = Vec<u16>>>(all: T) -> Self {
        let mut lists = Self::default();
        all.into_iter().for_each(|list| lists.push(&list));
        lists
    }
}

pub(super) fn mark(first: &NamedNode, then: Option<&NamedNode>, object: &Term) -> u16 {
    let then = then.map_or("", NamedNode::as_str);
    let hash = hash(&[
        b"m",
        first.as_str().as_bytes(),
        then.as_bytes(),
        object.to_string().as_bytes(),
    ]);
    // The high bits are as good as any; the lower half of all marks is for these.
    u16::try_from(hash >> 49).unwrap_or_default()
}

/// The mark of a subject that has a number in a step, by the number of the predicate. A condition asks for up to all
/// the steps at once: hashes would meet other marks too often.
pub(super) fn step(predicate: usize, step: u8) -> u16 {
    let predicate = u16::try_from(predicate % 128).unwrap_or_default();
    1 << 15 | predicate << 8 | u16::from(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_for_nothing_else() {
        let steps = (0..128).flat_map(|predicate| (0..=255).map(move |one| step(predicate, one)));
        let steps: BTreeSet<_> = steps.collect();
        assert_eq!(steps.len(), 128 * 256);
        let name = |n: usize| NamedNode::new_unchecked(format!("urn:{n}"));
        let marks = (0..1_000).map(|n| mark(&name(n), None, &name(n + 1).into()));
        assert!(marks.into_iter().all(|mark| !steps.contains(&mark)));
    }
}
