//! Sets of points of an ordered, dense domain: finite unions of intervals.

use crate::model::Comparison;
use oxsdatatypes::Decimal;

/// A set of points. In ascending order, apart from each other, none of them empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Intervals(Vec<Interval>);

/// All points between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(super) low: End,
    pub(super) high: End,
}

/// Where an interval ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nowhere.
    Unbounded,
    /// Before the point.
    Open(Decimal),
    /// At the point, which belongs to the interval.
    Closed(Decimal),
}

impl Intervals {
    /// The whole line.
    pub(crate) fn all() -> Self {
        Self::between(End::Unbounded, End::Unbounded)
    }

    /// No point.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// The points between two ends: none where they cross.
    pub(crate) fn between(low: End, high: End) -> Self {
        let interval = Interval { low, high };
        if interval.is_empty() {
            Self::none()
        } else {
            Self(vec![interval])
        }
    }

    /// The points that compare so with a span, such as a day: equal is inside it, less is before it.
    pub(crate) fn of_span(comparison: Comparison, low: End, high: End) -> Self {
        match comparison {
            Comparison::Equal => Self::between(low, high),
            Comparison::NotEqual => Self::between(low, high).complement(),
            Comparison::Less => Self::between(End::Unbounded, low.turned()),
            Comparison::LessOrEqual => Self::between(End::Unbounded, high),
            Comparison::Greater => Self::between(high.turned(), End::Unbounded),
            Comparison::GreaterOrEqual => Self::between(low, End::Unbounded),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, point: Decimal) -> bool {
        let end = End::Closed(point);
        !self.intersection(&Self::between(end, end)).is_empty()
    }

    /// The points in both.
    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let pairs = self
            .0
            .iter()
            .flat_map(|left| other.0.iter().map(move |right| left.intersection(right)));
        Self(pairs.filter(|both| !both.is_empty()).collect())
    }

    /// The points of the line that are not in it.
    pub(crate) fn complement(&self) -> Self {
        let mut gaps = Vec::new();
        let mut low = Some(End::Unbounded);
        for interval in &self.0 {
            if let Some(low) = low
                && interval.low != End::Unbounded
            {
                gaps.push(Interval {
                    low,
                    high: interval.low.turned(),
                });
            }
            low = (interval.high != End::Unbounded).then(|| interval.high.turned());
        }
        gaps.extend(low.map(|low| Interval {
            low,
            high: End::Unbounded,
        }));
        gaps.retain(|gap| !gap.is_empty());
        Self(gaps)
    }

    /// Whether every point of it is in the other.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.intersection(&other.complement()).is_empty()
    }

    /// Its intervals, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Interval> {
        self.0.iter()
    }

    /// Where it begins. Of an empty set, nowhere.
    pub(super) fn low(&self) -> End {
        self.0.first().map_or(End::Unbounded, |first| first.low)
    }

    /// A point of it, a named one where there is one.
    pub(crate) fn pick(&self) -> Option<Decimal> {
        self.0.first().and_then(Interval::pick)
    }
}

impl Interval {
    fn is_empty(&self) -> bool {
        match (self.low, self.high) {
            (End::Unbounded, _) | (_, End::Unbounded) => false,
            (End::Closed(low), End::Closed(high)) => low > high,
            (End::Open(low) | End::Closed(low), End::Open(high) | End::Closed(high)) => low >= high,
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        let low = match (self.low.point(), other.low.point()) {
            (None, _) => other.low,
            (_, None) => self.low,
            (Some(left), Some(right)) if left == right => self.low.narrower(other.low),
            (Some(left), Some(right)) if left > right => self.low,
            _ => other.low,
        };
        let high = match (self.high.point(), other.high.point()) {
            (None, _) => other.high,
            (_, None) => self.high,
            (Some(left), Some(right)) if left == right => self.high.narrower(other.high),
            (Some(left), Some(right)) if left < right => self.high,
            _ => other.high,
        };
        Self { low, high }
    }

    fn pick(&self) -> Option<Decimal> {
        match (self.low, self.high) {
            (End::Closed(point), _) | (_, End::Closed(point)) => Some(point),
            (End::Unbounded, End::Unbounded) => Some(Decimal::default()),
            (End::Open(low), End::Unbounded) => low.checked_add(1),
            (End::Unbounded, End::Open(high)) => high.checked_sub(1),
            (End::Open(low), End::Open(high)) => {
                let middle = low.checked_add(high)?.checked_div(2)?;
                (low < middle && middle < high).then_some(middle)
            }
        }
    }
}

impl End {
    /// The point at which it is, if it is at one.
    pub(super) fn point(self) -> Option<Decimal> {
        match self {
            Self::Unbounded => None,
            Self::Open(point) | Self::Closed(point) => Some(point),
        }
    }

    /// Whether the point belongs to the interval.
    pub(super) fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// The end of what lies on the other side.
    fn turned(self) -> Self {
        match self {
            Self::Unbounded => Self::Unbounded,
            Self::Open(point) => Self::Closed(point),
            Self::Closed(point) => Self::Open(point),
        }
    }

    fn narrower(self, other: Self) -> Self {
        if self.is_closed() { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Intervals};
    use crate::model::Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};

    fn set(comparison: crate::model::Comparison, point: i64) -> Intervals {
        let point = End::Closed(point.into());
        Intervals::of_span(comparison, point, point)
    }

    #[test]
    fn ends_that_touch_meet_only_if_both_are_closed() {
        for (left, right, meet) in [
            (LessOrEqual, GreaterOrEqual, true),
            (LessOrEqual, Greater, false),
            (Less, GreaterOrEqual, false),
            (Less, Greater, false),
            (Equal, LessOrEqual, true),
            (Equal, Less, false),
            (Equal, NotEqual, false),
            (NotEqual, NotEqual, true),
        ] {
            let both = set(left, 600).intersection(&set(right, 600));
            assert_eq!(!both.is_empty(), meet, "{left:?} {right:?}");
        }
    }

    #[test]
    fn the_complement_is_the_rest_of_the_line() {
        for comparison in [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual] {
            let some = set(comparison, 5).intersection(&set(NotEqual, 3));
            assert!(some.intersection(&some.complement()).is_empty());
            assert_eq!(some.complement().complement(), some);
            assert!(some.is_within(&Intervals::all()));
            assert!(!Intervals::all().is_within(&some));
        }
        assert!(Intervals::all().complement().is_empty());
        assert_eq!(Intervals::none().complement(), Intervals::all());
    }

    #[test]
    fn between_two_points_lies_a_third() {
        let between = set(Greater, 1).intersection(&set(Less, 2));
        let point = between.pick().unwrap();
        let end = End::Closed(point);
        assert!(between.intersection(&Intervals::between(end, end)).pick() == Some(point));
        assert_eq!(between.low(), End::Open(1.into()));
    }
}
