//! Values of examples: from points of a scale back to what a person writes.

use super::formula::Scale;
use oxsdatatypes::{DateTime, DayTimeDuration, Decimal};
use std::fmt;

/// A value of a left operand.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(Decimal),
    Instant(DateTime),
    Duration(DayTimeDuration),
    Name(String),
}

impl Value {
    /// None where the point lies outside all dates.
    pub(super) fn of(scale: &Scale, point: Decimal) -> Option<Self> {
        match scale {
            Scale::Number(_) => Some(Self::Number(point)),
            Scale::Duration => Some(Self::Duration(DayTimeDuration::new(point))),
            Scale::Instant { is_zoned } => {
                let instant =
                    epoch()?.checked_add_day_time_duration(DayTimeDuration::new(point))?;
                let instant = match is_zoned {
                    true => instant,
                    false => instant.adjust(None)?,
                };
                Some(Self::Instant(instant))
            }
            Scale::Name | Scale::Concept | Scale::Unknown => None,
        }
    }

    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// Seconds since 1970, by UTC where the instant has no time zone.
pub(super) fn seconds(instant: DateTime) -> Option<Decimal> {
    let instant = match instant.timezone_offset() {
        Some(_) => instant,
        None => instant.adjust(Some(oxsdatatypes::TimezoneOffset::UTC))?,
    };
    Some(instant.checked_sub(epoch()?)?.as_seconds())
}

fn epoch() -> Option<DateTime> {
    "1970-01-01T00:00:00Z".parse().ok()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
            Self::Duration(duration) => duration.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}
