//! Right operands as what they denote: points of a scale, or names of concepts.

use crate::analyse::formula::Scale;
use crate::analyse::interval::End;
use crate::analyse::taxonomy::key;
use crate::analyse::value::seconds;
use oxrdf::Term;
use oxrdf::vocab::{rdf, xsd};
use oxsdatatypes::{Date, DateTime, Decimal, Double, Duration};

/// A right operand: a span of points on a scale, or a concept.
pub(super) enum Right {
    Span(Scale, End, End),
    Concept(String),
    Unknown,
}

/// Reads it by its type. Languages and plain strings are names like any other.
pub(super) fn right(term: &Term) -> Right {
    let Term::Literal(literal) = term else {
        return Right::Concept(key(term.as_ref()));
    };
    let text = literal.value();
    let at = |scale, point| Right::Span(scale, End::Closed(point), End::Closed(point));
    let read = match literal.datatype() {
        xsd::DATE_TIME | xsd::DATE_TIME_STAMP => {
            text.parse::<DateTime>().ok().and_then(|instant| {
                let is_zoned = instant.timezone_offset().is_some();
                Some(at(Scale::Instant { is_zoned }, seconds(instant)?))
            })
        }
        xsd::DATE => text.parse().ok().and_then(day),
        xsd::DURATION | xsd::DAY_TIME_DURATION => text
            .parse::<Duration>()
            .ok()
            .and_then(length)
            .map(|length| at(Scale::Duration, length)),
        xsd::FLOAT | xsd::DOUBLE => text
            .parse::<Double>()
            .ok()
            .and_then(|double| Decimal::try_from(double).ok())
            .map(|number| at(Scale::Number(None), number)),
        xsd::STRING | rdf::LANG_STRING => Some(Right::Concept(key(term.as_ref()))),
        // The whole numbers of XML Schema are written as decimals are.
        _ => text
            .parse()
            .ok()
            .map(|number| at(Scale::Number(None), number)),
    };
    read.unwrap_or(Right::Unknown)
}

/// From its midnight to the next, which is not in it.
fn day(day: Date) -> Option<Right> {
    let is_zoned = day.timezone_offset().is_some();
    let begin = seconds(DateTime::try_from(day).ok()?)?;
    let end = begin.checked_add(86_400)?;
    let scale = Scale::Instant { is_zoned };
    Some(Right::Span(scale, End::Closed(begin), End::Open(end)))
}

/// In seconds. Months are of no fixed length.
fn length(duration: Duration) -> Option<Decimal> {
    if duration.years() != 0 || duration.months() != 0 {
        return None;
    }
    let whole = duration.days() * 86_400 + duration.hours() * 3600 + duration.minutes() * 60;
    Decimal::from(whole).checked_add(duration.seconds())
}
