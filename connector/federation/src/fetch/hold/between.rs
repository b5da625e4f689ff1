//! Between which numbers conditions leave the value of a variable.

use super::super::known::Known;
use crate::summary::number;
use oxrdf::{Term, Variable};
use spargebra::algebra::Expression;
use spargebra::term::GroundTerm;

/// What rounding may have done to a number, in parts of it.
const ROUNDING: f64 = 1e-5;

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
        let Some([least, greatest]) = value(other, known) else {
            continue;
        };
        if is_above {
            ends[0] = ends[0].max(least - (least.abs() + 1.0) * ROUNDING);
        }
        if is_below {
            ends[1] = ends[1].min(greatest + (greatest.abs() + 1.0) * ROUNDING);
        }
    }
    ends.iter().any(|end| end.is_finite()).then_some(ends)
}

/// The least and the greatest value of an expression.
fn value(expression: &Expression, known: &Known) -> Option<[f64; 2]> {
    match expression {
        Expression::Literal(literal) => {
            let number = number(&literal.clone().into())?;
            Some([number, number])
        }
        Expression::Variable(variable) => {
            let numbers = known.terms(variable)?.iter().map(|term| match term {
                GroundTerm::Literal(literal) => number(&Term::from(literal.clone())),
                GroundTerm::NamedNode(_) => None,
            });
            let numbers = numbers.collect::<Option<Vec<_>>>()?;
            let least = numbers.iter().copied().reduce(f64::min)?;
            Some([least, numbers.iter().copied().reduce(f64::max)?])
        }
        Expression::Add(left, right) => {
            let ([a, b], [c, d]) = (value(left, known)?, value(right, known)?);
            Some([a + c, b + d])
        }
        Expression::Subtract(left, right) => {
            let ([a, b], [c, d]) = (value(left, known)?, value(right, known)?);
            Some([a - d, b - c])
        }
        Expression::UnaryMinus(inner) => value(inner, known).map(|[a, b]| [-b, -a]),
        _ => None,
    }
}
