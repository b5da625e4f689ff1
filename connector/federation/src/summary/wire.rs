//! A summary as bytes: numbers of variable length, texts and lists after their lengths, the first byte the format.

use super::build::GRAPHS;
use super::filter::Filter;
use super::part::{Part, Predicate};
use super::profile::{Lists, Profile, Profiles};
use super::range::Range;
use super::{Graphs, Named, Places, Summary, SummaryLimits};
use oxiri::Iri;
use oxrdf::NamedNode;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whoever knows another one only gets no summary, and asks instead.
const FORMAT: u8 = 3;
/// The most recipients.
const RECIPIENTS: usize = 65_536;
/// The longest text, in bytes.
const TEXT: usize = 4_096;

/// Why bytes are no summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SummaryError {
    /// Of another format.
    #[error("a summary of an unknown format")]
    Format,
    /// They end too early, go on too long, or make no sense.
    #[error("not a summary")]
    Content,
    /// More of something than is taken.
    #[error("a summary that is too large")]
    Size,
}

impl Summary {
    /// The summary as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer(vec![FORMAT]);
        out.text(&self.version);
        out.length(self.recipients.len());
        for recipient in &self.recipients {
            out.text(recipient.as_str());
        }
        out.flags([self.is_cut, false]);
        out.part(&self.default);
        out.length(self.named.len());
        for named in &self.named {
            match &named.graphs {
                Graphs::One(name) => {
                    out.0.push(0);
                    out.text(name.as_str());
                }
                Graphs::Several(bucket) => out.0.extend([1, *bucket]),
            }
            out.part(&named.part);
        }
        out.0
    }

    /// Reads what [`Summary::encode`] wrote; memory is bounded by that of the bytes and by the limits.
    ///
    /// # Errors
    /// [`SummaryError`]
    pub fn decode(bytes: &[u8], limits: &SummaryLimits) -> Result<Self, SummaryError> {
        let mut input = Reader(bytes);
        if input.byte()? != FORMAT {
            return Err(SummaryError::Format);
        }
        let version = input.text()?;
        let mut recipients = Vec::new();
        for _ in 0..input.length(RECIPIENTS)? {
            recipients.push(input.name()?);
        }
        let [is_cut, _] = input.flags()?;
        let mut room = *limits;
        let default = Arc::new(input.part(&mut room)?);
        let mut named: Vec<Named> = Vec::new();
        // As many graphs, and a bucket of those that have no name.
        for _ in 0..input.length(GRAPHS + 1)? {
            let graphs = match input.byte()? {
                0 => Graphs::One(input.name()?),
                1 => Graphs::Several(input.byte()?),
                _ => return Err(SummaryError::Content),
            };
            if named.last().is_some_and(|last| last.graphs >= graphs) {
                return Err(SummaryError::Content);
            }
            let part = Arc::new(input.part(&mut room)?);
            named.push(Named { graphs, part });
        }
        if !input.0.is_empty() {
            return Err(SummaryError::Content);
        }
        Ok(Self {
            version,
            recipients,
            is_cut,
            default,
            named,
        })
    }
}

pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    /// [LEB128](https://webassembly.github.io/spec/core/binary/values.html#integers)
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0
                .push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or_default());
    }

    pub(super) fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    fn flags(&mut self, [first, second]: [bool; 2]) {
        self.0.push(u8::from(first) | (u8::from(second) << 1));
    }

    fn part(&mut self, part: &Part) {
        self.number(part.triples);
        self.length(part.predicates.len());
        for predicate in &part.predicates {
            self.text(predicate.name.as_str());
            self.number(predicate.triples);
            self.flags([predicate.is_outward, predicate.has_pieces]);
            self.flags([predicate.range.is_some(), false]);
            for end in predicate.range.iter().flat_map(|range| range.ends()) {
                self.0.extend(end.to_le_bytes());
            }
            self.places(&predicate.subjects);
            self.places(&predicate.objects);
        }
        self.length(part.filter.words.len());
        for word in &part.filter.words {
            self.0.extend(word.to_le_bytes());
        }
        self.flags([part.profiles.is_some(), false]);
        let sets = part.profiles.iter().flat_map(|profiles| &profiles.sets);
        self.length(sets.clone().count());
        for set in sets {
            self.length(set.predicates.len());
            set.predicates
                .iter()
                .for_each(|number| self.length(*number));
            self.number(set.subjects);
            self.flags([set.is_open, false]);
            self.length(set.marks.len());
            for marks in set.marks.iter() {
                self.length(marks.len());
                for mark in marks {
                    self.0.extend(mark.to_le_bytes());
                }
            }
        }
    }

    fn places(&mut self, places: &Places) {
        self.flags([places.has_literals, places.is_anywhere]);
        self.length(places.authorities.len());
        for authority in &places.authorities {
            self.text(authority);
        }
    }
}

pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], SummaryError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(SummaryError::Content)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, SummaryError> {
        self.take(1)?.first().copied().ok_or(SummaryError::Content)
    }

    pub(super) fn number(&mut self) -> Result<u64, SummaryError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if (part << shift) >> shift != part {
                break;
            }
            number |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(SummaryError::Content)
    }

    pub(super) fn length(&mut self, most: usize) -> Result<usize, SummaryError> {
        let length = usize::try_from(self.number()?).map_err(|_| SummaryError::Size)?;
        if length > most {
            return Err(SummaryError::Size);
        }
        Ok(length)
    }

    pub(super) fn word(&mut self) -> Result<u64, SummaryError> {
        let word = self.take(8)?.try_into();
        word.map(u64::from_le_bytes)
            .map_err(|_| SummaryError::Content)
    }

    fn text(&mut self) -> Result<String, SummaryError> {
        let length = self.length(TEXT)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| SummaryError::Content)?;
        Ok(text.to_owned())
    }

    fn name(&mut self) -> Result<NamedNode, SummaryError> {
        let name = Iri::parse(self.text()?).map_err(|_| SummaryError::Content)?;
        Ok(name.into())
    }

    /// A part, of which the limits are what is left of them.
    fn part(&mut self, room: &mut SummaryLimits) -> Result<Part, SummaryError> {
        let triples = self.number()?;
        let mut predicates: Vec<Predicate> = Vec::new();
        for _ in 0..self.length(room.predicates)? {
            let name = self.name()?;
            if predicates.last().is_some_and(|last| last.name >= name) {
                return Err(SummaryError::Content);
            }
            let triples = self.number()?;
            let [is_outward, has_pieces] = self.flags()?;
            let [has_range, _] = self.flags()?;
            let range = has_range.then(|| self.range()).transpose()?;
            predicates.push(Predicate {
                range,
                name,
                triples,
                is_outward,
                has_pieces,
                subjects: self.places()?,
                objects: self.places()?,
            });
        }
        room.predicates -= predicates.len().min(room.predicates);
        let words = self.length(room.filter_bytes / 8 + 1)?;
        // Each is rounded up to a word.
        room.filter_bytes = room
            .filter_bytes
            .saturating_sub(words.saturating_sub(1) * 8);
        let words = self.take(words.saturating_mul(8))?;
        let words = words.chunks_exact(8).map(|word| {
            let word = word.try_into().map_err(|_| SummaryError::Content)?;
            Ok(u64::from_le_bytes(word))
        });
        let filter = Filter {
            words: words.collect::<Result<_, _>>()?,
        };
        let [has_profiles, _] = self.flags()?;
        let mut sets = Vec::new();
        for _ in 0..self.length(room.marks)? {
            sets.push(self.profile(predicates.len(), &mut room.marks)?);
        }
        if !has_profiles && !sets.is_empty() {
            return Err(SummaryError::Content);
        }
        Ok(Part {
            triples,
            predicates,
            filter,
            profiles: has_profiles.then_some(Profiles { sets }),
        })
    }

    fn flags(&mut self) -> Result<[bool; 2], SummaryError> {
        let flags = self.byte()?;
        if flags > 3 {
            return Err(SummaryError::Content);
        }
        Ok([flags & 1 != 0, flags & 2 != 0])
    }

    fn range(&mut self) -> Result<Range, SummaryError> {
        let mut end = || {
            let bytes = self.take(8)?.try_into();
            bytes
                .map(f64::from_le_bytes)
                .map_err(|_| SummaryError::Content)
        };
        Range::new(end()?, end()?).ok_or(SummaryError::Content)
    }

    fn places(&mut self) -> Result<Places, SummaryError> {
        let [has_literals, is_anywhere] = self.flags()?;
        let mut authorities = BTreeSet::new();
        // No more than are made.
        for _ in 0..self.length(super::build::AUTHORITIES)? {
            authorities.insert(self.text()?);
        }
        Ok(Places {
            authorities,
            has_literals,
            is_anywhere,
        })
    }

    fn profile(&mut self, predicates: usize, room: &mut usize) -> Result<Profile, SummaryError> {
        let mut numbers = Vec::new();
        for _ in 0..self.length(predicates)? {
            let number = self.length(predicates)?;
            if number == predicates || numbers.last().is_some_and(|last| *last >= number) {
                return Err(SummaryError::Content);
            }
            numbers.push(number);
        }
        let subjects = self.number()?;
        let [is_open, _] = self.flags()?;
        let mut lists = Lists::default();
        for _ in 0..self.length(*room)? {
            let length = self.length(*room)?;
            *room = room.checked_sub(length + 1).ok_or(SummaryError::Size)?;
            let marks = self.take(length.saturating_mul(2))?.chunks_exact(2);
            let marks = marks.map(|mark| {
                let mark = mark.try_into().map_err(|_| SummaryError::Content)?;
                Ok(u16::from_le_bytes(mark))
            });
            let marks = marks.collect::<Result<Vec<_>, _>>()?;
            if !marks.is_sorted() {
                return Err(SummaryError::Content);
            }
            lists.push(&marks);
        }
        Ok(Profile {
            predicates: numbers,
            subjects,
            marks: lists,
            is_open,
        })
    }
}
