//! What is left of one axis after some conditions on it.

use super::formula::{Axis, Literal, Names, Scale, Set};
use super::interval::Intervals;
use super::schedule::{Meeting, Schedule};
use super::taxonomy::{ConceptTest, Passing};
use super::vocabulary::Vocabulary;
use super::{Value, Verdict};
use crate::truth::Truth;
use oxsdatatypes::Decimal;

/// The values that are still possible.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    pub(super) scale: Scale,
    pub(super) points: Intervals,
    schedule: Option<Schedule>,
    names: Names,
    concepts: Vec<(ConceptTest, bool)>,
    /// Something more is asked, and nobody knows what.
    is_unknown: bool,
}

/// One value, to try.
#[derive(Debug, Clone)]
pub(super) enum Sample {
    Name(String),
    Instant { point: Decimal, is_zoned: bool },
}

impl Sample {
    /// Some value of an axis of which nothing is asked yet.
    pub(super) fn any(scale: &Scale) -> Option<Self> {
        match *scale {
            Scale::Name => Some(Self::Name("https://example.org/other".to_owned())),
            Scale::Instant { is_zoned } => Some(Self::Instant {
                point: Decimal::default(),
                is_zoned,
            }),
            _ => None,
        }
    }

    /// Whether it meets a condition; none where that is not so simple.
    pub(super) fn meets(&self, literal: &Literal) -> Option<bool> {
        match (self, &literal.scale, &literal.set) {
            (Self::Name(name), Scale::Name, Set::Names(names)) => Some(names.contains(name)),
            (
                Self::Instant { point, is_zoned },
                Scale::Instant { is_zoned: its },
                Set::Points(points),
            ) if is_zoned == its => Some(points.contains(*point)),
            _ => None,
        }
    }

    pub(super) fn value(self) -> Option<Value> {
        match self {
            Self::Name(name) => Some(Value::Name(name)),
            Self::Instant { point, is_zoned } => Value::of(&Scale::Instant { is_zoned }, point),
        }
    }
}

impl Cell {
    pub(super) fn new(axis: &Axis, scale: &Scale, vocabulary: &Vocabulary) -> Self {
        Self {
            scale: scale.clone(),
            points: vocabulary.domain(axis, scale),
            schedule: None,
            names: Names::all(),
            concepts: Vec::new(),
            is_unknown: *scale == Scale::Unknown,
        }
    }

    /// Narrows it to what a condition allows, or forbids. False where surely nothing is left.
    pub(super) fn narrow(
        &mut self,
        literal: &Literal,
        is_wanted: bool,
        vocabulary: &Vocabulary,
    ) -> bool {
        if self.scale == Scale::Unknown && literal.scale != Scale::Unknown {
            *self = Self::new(&literal.axis, &literal.scale, vocabulary);
            self.is_unknown = true;
        }
        if self.scale != literal.scale {
            self.is_unknown = true;
            return true;
        }
        match &literal.set {
            Set::Points(points) if is_wanted => self.points = self.points.intersection(points),
            Set::Points(points) => self.points = self.points.intersection(&points.complement()),
            Set::Schedule(schedule) if is_wanted => {
                match self.schedule.map(|s| s.meeting(*schedule)) {
                    None => self.schedule = Some(*schedule),
                    Some(Meeting::At(both)) => self.schedule = Some(both),
                    Some(Meeting::Never) => return false,
                    Some(Meeting::Beyond) => self.is_unknown = true,
                }
            }
            Set::Names(names) if is_wanted => self.names = self.names.intersection(names),
            Set::Names(names) => self.names = self.names.intersection(&names.complement()),
            Set::Concepts(test) => {
                self.concepts.push((test.clone(), is_wanted));
                return vocabulary.taxonomy.passing(&self.concepts) != Passing::Nothing;
            }
            Set::Schedule(_) | Set::Unknown => self.is_unknown = true,
        }
        !self.points.is_empty() && !self.names.is_empty()
    }

    /// Whether all values left fulfil a condition, or none.
    pub(super) fn fulfils(&self, literal: &Literal, vocabulary: &Vocabulary) -> Truth {
        if self.scale != literal.scale {
            return Truth::Unknown;
        }
        let (is_inside, is_outside) = match &literal.set {
            Set::Points(points) => (
                self.points.is_within(points),
                self.points.intersection(points).is_empty(),
            ),
            Set::Names(names) => (self.names.is_within(names), self.names.is_apart(names)),
            _ => (false, !self.clone().narrow(literal, true, vocabulary)),
        };
        match (is_inside, is_outside) {
            (_, true) => Truth::False,
            (true, _) => Truth::True,
            _ => Truth::Unknown,
        }
    }

    /// A value that is left, where that is all there is to say of it: where it is a name or an instant, and is known.
    pub(super) fn sample(&self) -> Option<Sample> {
        if self.is_unknown || self.schedule.is_some() {
            return None;
        }
        match self.scale {
            Scale::Name => self.names.pick().map(Sample::Name),
            Scale::Instant { is_zoned } => {
                let point = self.points.pick()?;
                Some(Sample::Instant { point, is_zoned })
            }
            _ => None,
        }
    }

    /// Whether a value is left, and one.
    pub(super) fn verdict(&self, vocabulary: &Vocabulary) -> (Verdict, Option<Value>) {
        let (mut verdict, value) = match self.scale {
            Scale::Name => (Verdict::Compatible, self.names.pick().map(Value::Name)),
            Scale::Concept => match vocabulary.taxonomy.passing(&self.concepts) {
                Passing::By(concept) => (Verdict::Compatible, Some(Value::Name(concept))),
                Passing::Nothing => (Verdict::Conflict, None),
                Passing::Unknown => (Verdict::Unknown, None),
            },
            Scale::Unknown => (Verdict::Unknown, None),
            Scale::Number(_) | Scale::Instant { .. } | Scale::Duration => {
                let point = match self.schedule {
                    Some(schedule) => schedule.first_in(&self.points),
                    None => self.points.pick(),
                };
                let verdict = if point.is_none() && self.schedule.is_some() {
                    Verdict::Conflict
                } else {
                    Verdict::Compatible
                };
                (
                    verdict,
                    point.and_then(|point| Value::of(&self.scale, point)),
                )
            }
        };
        if self.is_unknown {
            verdict = verdict.min(Verdict::Unknown);
        }
        (verdict, value)
    }
}
