//! Conditions as formulas over axes: what a policy asks of the values of left operands.

use super::interval::Intervals;
use super::schedule::Schedule;
use super::taxonomy::ConceptTest;
use std::collections::BTreeSet;
use std::rc::Rc;

/// A condition on a request. Parts are shared, as a formula and what it denies have much in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Formula {
    Always,
    Never,
    Literal(Rc<Literal>),
    All(Rc<[Self]>),
    Any(Rc<[Self]>),
    /// Exactly one.
    One(Rc<[Self]>),
    Not(Rc<Self>),
    /// All, one after the other: their delays add up.
    Sequence(Rc<[Self]>),
}

/// A condition on the value of one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    pub(super) axis: Axis,
    pub(super) scale: Scale,
    pub(super) set: Set,
}

/// What a value belongs to: a left operand, of a step where it is of one step of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Axis {
    pub(super) operand: String,
    /// The sequence and the step, numbered through the document.
    pub(super) step: Option<(usize, usize)>,
}

/// How values are told apart. Values on different scales are never compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scale {
    /// With its unit, where one is stated.
    Number(Option<String>),
    /// In seconds since 1970.
    Instant {
        is_zoned: bool,
    },
    /// In seconds.
    Duration,
    /// Names that are all different.
    Name,
    /// Names of concepts, of which two may be one.
    Concept,
    Unknown,
}

/// A set of values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Set {
    Points(Intervals),
    Schedule(Schedule),
    Names(Names),
    Concepts(ConceptTest),
    /// Some set, nobody knows which.
    Unknown,
}

/// Finitely many names, or all but finitely many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(super) listed: BTreeSet<String>,
    pub(super) is_listed: bool,
}

impl Formula {
    pub(super) fn literal(axis: Axis, scale: Scale, set: Set) -> Self {
        Self::Literal(Rc::new(Literal { axis, scale, set }))
    }

    pub(super) fn unknown(operand: &str) -> Self {
        Self::literal(Axis::of(operand), Scale::Unknown, Set::Unknown)
    }

    /// The axis has one of these names, or none of them.
    pub(super) fn named<'a>(
        operand: impl Into<String>,
        names: impl IntoIterator<Item = &'a str>,
        is_listed: bool,
    ) -> Self {
        let listed = names.into_iter().map(str::to_owned).collect();
        let set = Set::Names(Names { listed, is_listed });
        Self::literal(Axis::of(operand), Scale::Name, set)
    }

    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::All(parts.into_iter().collect())
    }

    pub(super) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(parts.into_iter().collect())
    }

    pub(super) fn not(inner: Self) -> Self {
        Self::Not(Rc::new(inner))
    }

    /// The left operands it speaks of.
    pub(super) fn operands(&self) -> BTreeSet<&str> {
        match self {
            Self::Always | Self::Never => BTreeSet::new(),
            Self::Literal(literal) => BTreeSet::from([literal.axis.operand.as_str()]),
            Self::All(parts) | Self::Any(parts) | Self::One(parts) | Self::Sequence(parts) => {
                parts.iter().flat_map(Self::operands).collect()
            }
            Self::Not(inner) => inner.operands(),
        }
    }
}

impl Axis {
    pub(super) fn of(operand: impl Into<String>) -> Self {
        Self {
            operand: operand.into(),
            step: None,
        }
    }
}

impl Names {
    /// All names.
    pub(super) fn all() -> Self {
        Self {
            listed: BTreeSet::new(),
            is_listed: false,
        }
    }

    pub(super) fn complement(&self) -> Self {
        Self {
            listed: self.listed.clone(),
            is_listed: !self.is_listed,
        }
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let (left, right) = (&self.listed, &other.listed);
        let listed: BTreeSet<&String> = match (self.is_listed, other.is_listed) {
            (true, true) => left.intersection(right).collect(),
            (true, false) => left.difference(right).collect(),
            (false, true) => right.difference(left).collect(),
            (false, false) => left.union(right).collect(),
        };
        Self {
            listed: listed.into_iter().cloned().collect(),
            is_listed: self.is_listed || other.is_listed,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_listed && self.listed.is_empty()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.listed.contains(name) == self.is_listed
    }

    pub(super) fn is_within(&self, other: &Self) -> bool {
        if self.is_listed {
            self.listed.iter().all(|name| other.contains(name))
        } else {
            !other.is_listed && other.listed.is_subset(&self.listed)
        }
    }

    pub(super) fn is_apart(&self, other: &Self) -> bool {
        match (self.is_listed, other.is_listed) {
            (true, _) => !self.listed.iter().any(|name| other.contains(name)),
            (false, true) => other.is_apart(self),
            (false, false) => false,
        }
    }

    /// One of them: a name nobody has mentioned where all but some are meant.
    pub(super) fn pick(&self) -> Option<String> {
        if self.is_listed {
            return self.listed.first().cloned();
        }
        let fresh = |number: usize| format!("https://example.org/other-{number}");
        (1..).map(fresh).find(|name| !self.listed.contains(name))
    }
}
