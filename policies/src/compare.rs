//! Compares what a policy states with what is: values by their datatypes, times as instants.

use crate::model::{Comparison, Moment};
use crate::{Truth, unit};
use oxrdf::vocab::xsd;
use oxrdf::{Literal, Term};
use oxsdatatypes::{
    Boolean, Date, DateTime, DayTimeDuration, Decimal, Double, Duration, Float, Time,
};
use std::cmp::Ordering;

/// A term with its value, read once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operand {
    pub(crate) term: Term,
    pub(crate) unit: Option<Term>,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Decimal(Decimal),
    Double(Double),
    Moment(Moment),
    Time(Time),
    Duration(Duration),
    Boolean(Boolean),
    /// Equal where the terms are the same, without order: strings, names.
    Text,
    Name,
    /// Of a datatype we do not know, not in its lexical space, or no number: equal to nothing, different from nothing.
    Opaque,
}

impl Operand {
    pub(crate) fn new(term: Term) -> Self {
        let value = Value::of(&term);
        Self {
            term,
            unit: None,
            value,
        }
    }

    /// In a unit of time, a number is a length of time.
    pub(crate) fn with_unit(self, unit: Option<Term>) -> Self {
        let length = match (&unit, self.value) {
            (Some(unit), Value::Decimal(number)) => unit::time(number, unit),
            _ => None,
        };
        match length {
            Some(length) => Self {
                value: Value::Duration(length.into()),
                unit: None,
                ..self
            },
            None => Self { unit, ..self },
        }
    }

    /// The number, where it is one that a decimal holds.
    pub(crate) fn decimal(&self) -> Option<Decimal> {
        match self.value {
            Value::Decimal(number) => Some(number),
            _ => None,
        }
    }

    /// The instant, where it is one.
    pub(crate) fn instant(&self) -> Option<DateTime> {
        match self.value {
            Value::Moment(Moment::Instant(instant)) => Some(instant),
            _ => None,
        }
    }

    /// Whether the comparison holds; unknown where the values cannot be compared, or are in other units.
    pub(crate) fn compare(&self, comparison: Comparison, other: &Self) -> Truth {
        if self.unit != other.unit {
            return Truth::Unknown;
        }
        match (self.order(other), comparison) {
            (Some(order), _) => comparison.holds(order).into(),
            (None, Comparison::Equal) => self.same_term(other),
            (None, Comparison::NotEqual) => !self.same_term(other),
            (None, _) => Truth::Unknown,
        }
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        use Value::{Boolean, Decimal, Double, Duration, Moment, Time};
        match (self.value, other.value) {
            (Decimal(left), Decimal(right)) => left.partial_cmp(&right),
            (Double(left), Double(right)) => left.partial_cmp(&right),
            (Decimal(left), Double(right)) => oxsdatatypes::Double::from(left).partial_cmp(&right),
            (Double(left), Decimal(right)) => left.partial_cmp(&oxsdatatypes::Double::from(right)),
            (Moment(left), Moment(right)) => order_moments(left, right),
            (Time(left), Time(right)) => left.partial_cmp(&right),
            (Duration(left), Duration(right)) => left.partial_cmp(&right),
            (Boolean(left), Boolean(right)) => (left == right).then_some(Ordering::Equal),
            _ => None,
        }
    }

    fn same_term(&self, other: &Self) -> Truth {
        match (self.value, other.value) {
            (Value::Text, Value::Text)
            | (Value::Name, Value::Name)
            | (Value::Boolean(_), Value::Boolean(_)) => (self.term == other.term).into(),
            _ => Truth::Unknown,
        }
    }
}

impl Value {
    fn of(term: &Term) -> Self {
        match term {
            Term::NamedNode(_) | Term::BlankNode(_) => Self::Name,
            Term::Literal(literal) => Self::of_literal(literal).unwrap_or(Self::Opaque),
        }
    }

    fn of_literal(literal: &Literal) -> Option<Self> {
        let text = literal.value();
        if literal.language().is_some() {
            return Some(Self::Text);
        }
        match literal.datatype() {
            xsd::STRING => Some(Self::Text),
            xsd::BOOLEAN => text.parse().ok().map(Self::Boolean),
            xsd::DATE_TIME | xsd::DATE_TIME_STAMP => {
                Some(Self::Moment(Moment::Instant(text.parse().ok()?)))
            }
            xsd::DATE => Some(Self::Moment(Moment::Day(text.parse().ok()?))),
            xsd::TIME => text.parse().ok().map(Self::Time),
            xsd::DURATION | xsd::DAY_TIME_DURATION | xsd::YEAR_MONTH_DURATION => {
                text.parse().ok().map(Self::Duration)
            }
            xsd::DOUBLE => text.parse::<Double>().ok().map(Self::Double),
            xsd::FLOAT => {
                let float: Float = text.parse().ok()?;
                Some(Self::Double(float.into()))
            }
            datatype if is_decimal(datatype) => text.parse().ok().map(Self::Decimal),
            _ => None,
        }
    }
}

fn is_decimal(datatype: oxrdf::NamedNodeRef<'_>) -> bool {
    [
        xsd::DECIMAL,
        xsd::INTEGER,
        xsd::NON_NEGATIVE_INTEGER,
        xsd::POSITIVE_INTEGER,
        xsd::NON_POSITIVE_INTEGER,
        xsd::NEGATIVE_INTEGER,
        xsd::LONG,
        xsd::INT,
        xsd::SHORT,
        xsd::BYTE,
        xsd::UNSIGNED_LONG,
        xsd::UNSIGNED_INT,
        xsd::UNSIGNED_SHORT,
        xsd::UNSIGNED_BYTE,
    ]
    .contains(&datatype)
}

impl Comparison {
    /// Whether it holds between two values in this order.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::NotEqual => order != Ordering::Equal,
            Self::Less => order == Ordering::Less,
            Self::LessOrEqual => order != Ordering::Greater,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// Compares instants; none where either side has no time zone. A day is the 24 hours from its midnight: the day before is
/// less, the day itself equal.
pub(crate) fn order_moments(left: Moment, right: Moment) -> Option<Ordering> {
    match (left, right) {
        (Moment::Instant(left), right) => order(left, right),
        (left, Moment::Instant(right)) => order(right, left).map(Ordering::reverse),
        (Moment::Day(left), Moment::Day(right)) => {
            left.timezone_offset()?;
            right.timezone_offset()?;
            left.partial_cmp(&right)
        }
    }
}

fn order(now: DateTime, moment: Moment) -> Option<Ordering> {
    now.timezone_offset()?;
    match moment {
        Moment::Instant(instant) => {
            instant.timezone_offset()?;
            now.partial_cmp(&instant)
        }
        Moment::Day(day) => {
            day.timezone_offset()?;
            let begin = midnight(day)?;
            let end = begin.checked_add_day_time_duration(DayTimeDuration::new(86_400))?;
            Some(match (now.partial_cmp(&begin)?, now.partial_cmp(&end)?) {
                (Ordering::Less, _) => Ordering::Less,
                (_, Ordering::Less) => Ordering::Equal,
                _ => Ordering::Greater,
            })
        }
    }
}

fn midnight(day: Date) -> Option<DateTime> {
    DateTime::try_from(day).ok()
}

#[cfg(test)]
mod tests {
    use super::Operand;
    use crate::Truth;
    use crate::model::Comparison::{Equal, Greater, Less, NotEqual};
    use oxrdf::vocab::xsd;
    use oxrdf::{Literal, NamedNode, NamedNodeRef};

    fn operand(text: &str, datatype: NamedNodeRef<'_>) -> Operand {
        Operand::new(Literal::new_typed_literal(text, datatype).into())
    }

    #[test]
    fn values_are_compared_by_datatype() {
        let (day, time) = (xsd::DATE, xsd::DATE_TIME);
        for (left, comparison, right, expected) in [
            (
                ("1", xsd::INTEGER),
                Equal,
                ("1.0", xsd::DECIMAL),
                Truth::True,
            ),
            (("2", xsd::INT), Less, ("1e1", xsd::DOUBLE), Truth::True),
            (
                ("NaN", xsd::DOUBLE),
                Equal,
                ("NaN", xsd::DOUBLE),
                Truth::Unknown,
            ),
            (
                ("NaN", xsd::DOUBLE),
                NotEqual,
                ("1", xsd::INTEGER),
                Truth::Unknown,
            ),
            (
                ("10", xsd::STRING),
                Greater,
                ("9", xsd::STRING),
                Truth::Unknown,
            ),
            (
                ("1", xsd::STRING),
                NotEqual,
                ("1", xsd::INTEGER),
                Truth::Unknown,
            ),
            (
                ("a", xsd::STRING),
                NotEqual,
                ("b", xsd::STRING),
                Truth::True,
            ),
            (
                ("PT60M", xsd::DURATION),
                Equal,
                ("PT1H", xsd::DAY_TIME_DURATION),
                Truth::True,
            ),
            (
                ("2026-11-20T01:00:00+02:00", time),
                Equal,
                ("2026-11-19T23:00:00Z", time),
                Truth::True,
            ),
            (
                ("2026-11-20T01:00:00", time),
                Less,
                ("2026-11-20T02:00:00Z", time),
                Truth::Unknown,
            ),
            (
                ("2026-11-20T12:00:00Z", time),
                Equal,
                ("2026-11-20Z", day),
                Truth::True,
            ),
            (
                ("2026-11-20Z", day),
                Less,
                ("2026-11-21T00:00:00Z", time),
                Truth::True,
            ),
            (
                ("x", xsd::INTEGER),
                Equal,
                ("x", xsd::INTEGER),
                Truth::Unknown,
            ),
            (
                ("false", xsd::BOOLEAN),
                NotEqual,
                ("true", xsd::BOOLEAN),
                Truth::True,
            ),
        ] {
            let outcome = operand(left.0, left.1).compare(comparison, &operand(right.0, right.1));
            assert_eq!(outcome, expected, "{left:?} {comparison:?} {right:?}");
        }
    }

    #[test]
    fn units_must_agree() {
        let euro = Some(NamedNode::new_unchecked("http://example.org/euro").into());
        let five = operand("5", xsd::INTEGER);
        let euros = five.clone().with_unit(euro);
        assert_eq!(five.compare(Equal, &euros), Truth::Unknown);
        assert_eq!(euros.compare(Equal, &euros), Truth::True);
        let dollar = Some(NamedNode::new_unchecked("http://example.org/dollar").into());
        let dollars = operand("5", xsd::INTEGER).with_unit(dollar);
        assert_eq!(euros.compare(Equal, &dollars), Truth::Unknown);
    }

    #[test]
    fn units_of_time_are_converted() {
        let of =
            |number: &str, unit: oxrdf::Term| operand(number, xsd::DECIMAL).with_unit(Some(unit));
        let qudt = |name: &str| {
            NamedNode::new_unchecked(format!("http://qudt.org/vocab/unit/{name}")).into()
        };
        let minutes = of("90", qudt("MIN"));
        let time = NamedNode::new_unchecked("http://www.w3.org/2006/time#unitHour");
        for hours in [
            of("1.5", qudt("HR")),
            of("1.5", time.into()),
            of("1.5", Literal::from("h").into()),
            operand("PT1H30M", xsd::DURATION),
        ] {
            assert_eq!(minutes.compare(Equal, &hours), Truth::True, "{hours:?}");
        }
        for unknown in ["MO", "YR", "", "unitHour"] {
            let other = of("1", qudt(unknown));
            assert_eq!(
                minutes.compare(NotEqual, &other),
                Truth::Unknown,
                "{unknown}"
            );
        }
    }
}
