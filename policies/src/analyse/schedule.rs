//! Recurring instants, in whole seconds: an anchor, and every period after it.

use super::interval::{End, Interval, Intervals};
use oxsdatatypes::{Decimal, Integer};

/// The instants `anchor + k * period` for k = 0, 1, 2 ...
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    anchor: i128,
    period: i128,
}

/// Whether two schedules meet, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    At(Schedule),
    Never,
    /// The numbers are too large to tell.
    Beyond,
}

impl Schedule {
    /// None where the period is not positive, or something is not a whole number of seconds.
    pub(super) fn new(anchor: Decimal, period: Decimal) -> Option<Self> {
        let (anchor, period) = (whole(anchor)?, whole(period)?);
        (period > 0).then_some(Self { anchor, period })
    }

    /// The instants on both, by the Chinese remainder theorem: they meet if and only if the greatest common divisor of
    /// the periods divides the distance of the anchors.
    pub(super) fn meeting(self, other: Self) -> Meeting {
        let (divisor, inverse) = bezout(self.period, other.period);
        let distance = other.anchor - self.anchor;
        if distance % divisor != 0 {
            return Meeting::Never;
        }
        let meeting = || {
            let period = (self.period / divisor).checked_mul(other.period)?;
            let modulus = other.period / divisor;
            let steps = (distance / divisor)
                .rem_euclid(modulus)
                .checked_mul(inverse.rem_euclid(modulus))?
                .rem_euclid(modulus);
            let anchor = self.anchor.checked_add(self.period.checked_mul(steps)?)?;
            // Where one schedule begins later, the first meeting is not before that.
            let schedule = Self { anchor, period };
            let anchor = schedule.first_from(self.anchor.max(other.anchor))?;
            Some(Self { anchor, period })
        };
        meeting().map_or(Meeting::Beyond, Meeting::At)
    }

    /// The first of its instants in a set.
    pub(super) fn first_in(self, set: &Intervals) -> Option<Decimal> {
        set.iter().find_map(|interval| self.first_within(interval))
    }

    fn first_within(self, interval: &Interval) -> Option<Decimal> {
        let from = match interval.low {
            End::Unbounded => self.anchor,
            End::Closed(point) => whole(point.checked_ceil()?)?,
            End::Open(point) => whole(point.checked_floor()?)?.checked_add(1)?,
        };
        let instant = decimal(self.first_from(from.max(self.anchor))?)?;
        let inside = match interval.high {
            End::Unbounded => true,
            End::Closed(point) => instant <= point,
            End::Open(point) => instant < point,
        };
        inside.then_some(instant)
    }

    fn first_from(self, from: i128) -> Option<i128> {
        let past = from.checked_sub(self.anchor)?.rem_euclid(self.period);
        let missing = if past == 0 { 0 } else { self.period - past };
        from.checked_add(missing)
    }
}

/// The greatest common divisor of two positive numbers, and the inverse of the first modulo the second when both are
/// divided by it.
fn bezout(left: i128, right: i128) -> (i128, i128) {
    let (mut old, mut rest) = (left, right);
    let (mut old_factor, mut factor) = (1, 0);
    while rest != 0 {
        let quotient = old / rest;
        (old, rest) = (rest, old - quotient * rest);
        (old_factor, factor) = (factor, old_factor - quotient * factor);
    }
    (old, old_factor)
}

fn whole(value: Decimal) -> Option<i128> {
    let integer = Integer::try_from(value).ok()?;
    (Decimal::from(integer) == value).then(|| i128::from(i64::from(integer)))
}

fn decimal(value: i128) -> Option<Decimal> {
    Decimal::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::{Meeting, Schedule};

    fn schedule(anchor: i64, period: i64) -> Schedule {
        Schedule::new(anchor.into(), period.into()).unwrap()
    }

    #[test]
    fn schedules_meet_where_brute_force_finds_it() {
        for (anchor, period) in [(0, 30), (7, 12), (5, 9), (100, 1)] {
            for (other_anchor, other_period) in [(0, 45), (1, 45), (16, 30), (60, 30), (516, 45)] {
                let meeting =
                    schedule(anchor, period).meeting(schedule(other_anchor, other_period));
                let first = (0..5000).find(|at| {
                    *at >= anchor
                        && *at >= other_anchor
                        && (at - anchor) % period == 0
                        && (at - other_anchor) % other_period == 0
                });
                match (meeting, first) {
                    (Meeting::At(found), Some(first)) => {
                        assert_eq!(found.anchor, i128::from(first));
                    }
                    (Meeting::Never, None) => {}
                    other => panic!("{anchor} {period} {other_anchor} {other_period}: {other:?}"),
                }
            }
        }
    }
}
