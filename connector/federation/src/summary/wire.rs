//! A summary as bytes: numbers of variable length, texts and lists after their lengths, the first byte the format.

use super::filter::Filter;
use super::profile::{Profile, Profiles};
use super::range::Range;
use super::{Places, Predicate, Summary, SummaryLimits};
use oxiri::Iri;
use oxrdf::NamedNode;
use std::collections::BTreeSet;

const FORMAT: u8 = 1;
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
        out.number(self.triples);
        out.length(self.predicates.len());
        for predicate in &self.predicates {
            out.text(predicate.name.as_str());
            out.number(predicate.triples);
            out.flags([predicate.is_outward, predicate.has_pieces]);
            out.flags([predicate.range.is_some(), false]);
            for end in predicate.range.iter().flat_map(|range| range.ends()) {
                out.0.extend(end.to_le_bytes());
            }
            out.places(&predicate.subjects);
            out.places(&predicate.objects);
        }
        out.length(self.filter.words.len());
        for word in &self.filter.words {
            out.0.extend(word.to_le_bytes());
        }
        out.flags([self.profiles.is_some(), false]);
        let sets = self.profiles.iter().flat_map(|profiles| &profiles.sets);
        out.length(sets.clone().count());
        for set in sets {
            out.length(set.predicates.len());
            set.predicates.iter().for_each(|number| out.length(*number));
            out.number(set.subjects);
            out.flags([set.is_open, false]);
            out.length(set.marks.len());
            for marks in &set.marks {
                out.length(marks.len());
                marks
                    .iter()
                    .for_each(|mark| out.0.extend(mark.to_le_bytes()));
            }
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
        let triples = input.number()?;
        let mut predicates: Vec<Predicate> = Vec::new();
        for _ in 0..input.length(limits.predicates)? {
            let name = Iri::parse(input.text()?).map_err(|_| SummaryError::Content)?;
            let name = NamedNode::from(name);
            if predicates.last().is_some_and(|last| last.name >= name) {
                return Err(SummaryError::Content);
            }
            let triples = input.number()?;
            let [is_outward, has_pieces] = input.flags()?;
            let [has_range, _] = input.flags()?;
            let range = has_range.then(|| input.range()).transpose()?;
            predicates.push(Predicate {
                range,
                name,
                triples,
                is_outward,
                has_pieces,
                subjects: input.places()?,
                objects: input.places()?,
            });
        }
        let words = input.length(limits.filter_bytes / 8 + 1)?;
        let words = input.take(words.saturating_mul(8))?;
        let words = words.chunks_exact(8).map(|word| {
            let word = word.try_into().map_err(|_| SummaryError::Content)?;
            Ok(u64::from_le_bytes(word))
        });
        let filter = Filter {
            words: words.collect::<Result<_, _>>()?,
        };
        let [has_profiles, _] = input.flags()?;
        let mut room = limits.marks;
        let mut sets = Vec::new();
        for _ in 0..input.length(limits.marks)? {
            sets.push(input.profile(predicates.len(), &mut room)?);
        }
        if !input.0.is_empty() || (!has_profiles && !sets.is_empty()) {
            return Err(SummaryError::Content);
        }
        Ok(Self {
            version,
            triples,
            predicates,
            filter,
            profiles: has_profiles.then_some(Profiles { sets }),
        })
    }
}

struct Writer(Vec<u8>);

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

    fn length(&mut self, length: usize) {
        self.number(length as u64);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.extend(text.as_bytes());
    }

    fn flags(&mut self, [first, second]: [bool; 2]) {
        self.0.push(u8::from(first) | (u8::from(second) << 1));
    }

    fn places(&mut self, places: &Places) {
        self.flags([places.has_literals, places.is_anywhere]);
        self.length(places.authorities.len());
        for authority in &places.authorities {
            self.text(authority);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SummaryError> {
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

    fn number(&mut self) -> Result<u64, SummaryError> {
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

    fn length(&mut self, most: usize) -> Result<usize, SummaryError> {
        let length = usize::try_from(self.number()?).map_err(|_| SummaryError::Size)?;
        if length > most {
            return Err(SummaryError::Size);
        }
        Ok(length)
    }

    fn text(&mut self) -> Result<String, SummaryError> {
        let length = self.length(TEXT)?;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| SummaryError::Content)?;
        Ok(text.to_owned())
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
        let mut lists = Vec::new();
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
            lists.push(marks);
        }
        Ok(Profile {
            predicates: numbers,
            subjects,
            marks: lists,
            is_open,
        })
    }
}
