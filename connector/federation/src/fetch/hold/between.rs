//! Between which numbers conditions leave the value of a variable.

use super::super::known::Known;
use crate::summary::number;
use oxrdf::{Term, Variable};
use spargebra::algebra::Expression;
use spargebra::term::GroundTerm;

/// What rounding may have done to a number, in parts of it.
const ROUNDING: f64 = 1e-5;

/// Where a value is.
#[derive(Debug, Clone, Copy)]
struct Interval {
    least: f64,
    greatest: f64,
    /// How far rounding may have moved its ends. It is that of what they were made of: a difference can be much smaller.
    error: f64,
}

/// The least and the greatest number that the variable can be by all the conditions; none where they do not say.
pub(super) fn between(
    variable: &Variable,
    conditions: &[Expression],
    known: &Known,
) -> Option<[f64; 2]> {
    let mut ends = [f64::NEG_INFINITY, f64::INFINITY];
    for condition in conditions {
        let (is_above, is_below, left, right) = match condition {
            Expression::Greater(left, right) | Expression::GreaterOrEqual(left, right) => {
                (true, false, left, right)
            }
            Expression::Less(left, right) | Expression::LessOrEqual(left, right) => {
                (false, true, left, right)
            }
            Expression::Equal(left, right) => (true, true, left, right),
            _ => continue,
        };
        let is_it = |side: &Expression| matches!(side, Expression::Variable(v) if v == variable);
        let (is_above, is_below, other) = if is_it(left) {
            (is_above, is_below, right)
        } else if is_it(right) {
            (is_below, is_above, left)
        } else {
            continue;
        };
        let Some(value) = value(other, known) else {
            continue;
        };
        // What is no number, as where the largest ones are added, bounds nothing.
        if is_above {
            ends[0] = ends[0].max(value.least - value.error);
        }
        if is_below {
            ends[1] = ends[1].min(value.greatest + value.error);
        }
    }
    ends.iter().any(|end| end.is_finite()).then_some(ends)
}

/// Where the value of an expression is.
fn value(expression: &Expression, known: &Known) -> Option<Interval> {
    match expression {
        Expression::Literal(literal) => {
            let number = number(&literal.clone().into())?;
            Some(Interval::new(number, number))
        }
        Expression::Variable(variable) => {
            let numbers = known.terms(variable)?.iter().map(|term| match term {
                GroundTerm::Literal(literal) => number(&Term::from(literal.clone())),
                GroundTerm::NamedNode(_) => None,
            });
            let numbers = numbers.collect::<Option<Vec<_>>>()?;
            let least = numbers.iter().copied().reduce(f64::min)?;
            let greatest = numbers.iter().copied().reduce(f64::max)?;
            Some(Interval::new(least, greatest))
        }
        Expression::Add(left, right) => {
            let (left, right) = (value(left, known)?, value(right, known)?);
            Some(left.plus(right))
        }
        Expression::Subtract(left, right) => {
            let (left, right) = (value(left, known)?, value(right, known)?);
            Some(left.plus(right.negated()))
        }
        Expression::UnaryMinus(inner) => value(inner, known).map(Interval::negated),
        _ => None,
    }
}

impl Interval {
    fn new(least: f64, greatest: f64) -> Self {
        Self {
            least,
            greatest,
            error: (least.abs().max(greatest.abs()) + 1.0) * ROUNDING,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            least: self.least + other.least,
            greatest: self.greatest + other.greatest,
            // Each is larger by far than what the addition itself may round.
            error: self.error + other.error,
        }
    }

    fn negated(self) -> Self {
        Self {
            least: -self.greatest,
            greatest: -self.least,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::needs::{Part, needs};
    use spargebra::SparqlParser;

    fn ends(condition: &str) -> Option<[f64; 2]> {
        let text = format!("ASK {{ ?s ?p ?x FILTER({condition}) }}");
        let query = SparqlParser::new().parse_query(&text).unwrap();
        let needs = needs(&query);
        let filters = match needs.parts.as_slice() {
            [Part::Select(inner, _)] => &inner.filters,
            _ => &needs.filters,
        };
        assert_eq!(filters.len(), 1, "{condition}");
        between(&Variable::new_unchecked("x"), filters, &Known::default())
    }

    #[test]
    fn bounds_leave_room_for_what_rounding_did_to_large_numbers() {
        // Each is true of 0.5, and no float tells the two large ones apart.
        for condition in [
            "?x < 100000000000000001 - 100000000000000000",
            "?x < 100000000000000001 + -100000000000000000",
            "?x > -(100000000000000001 - 100000000000000000)",
            "100000000000000000 - 99999999999999999 > ?x",
            "?x < (100000000000000001 - 1) - 99999999999999999",
        ] {
            let [least, greatest] = ends(condition).unwrap_or([f64::NAN; 2]);
            assert!(
                least <= 0.5 && 0.5 <= greatest,
                "{condition}: {least} {greatest}"
            );
        }
        // Where nothing cancels, they stay close.
        let [least, greatest] = ends("?x = 100 + 20 - 5").unwrap();
        assert!(least > 114.9 && greatest < 115.1, "{least} {greatest}");
    }
}
