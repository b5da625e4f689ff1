//! Patterns and conditions with other names for their variables.

use crate::needs::Atom;
use oxrdf::Variable;
use spargebra::algebra::Expression;
use spargebra::term::{NamedNodePattern, TermPattern};

pub(super) fn rename_atom(atom: &Atom, rename: &impl Fn(&Variable) -> Variable) -> Atom {
    let mut atom = atom.clone();
    for end in [&mut atom.triple.subject, &mut atom.triple.object] {
        if let TermPattern::Variable(variable) = end {
            *variable = rename(variable);
        }
    }
    if let NamedNodePattern::Variable(variable) = &mut atom.triple.predicate {
        *variable = rename(variable);
    }
    atom
}

/// The condition, which has no EXISTS in it: those do not travel.
pub(super) fn rename_expression(
    expression: &Expression,
    rename: &impl Fn(&Variable) -> Variable,
) -> Expression {
    let mut expression = expression.clone();
    rename_in(&mut expression, rename);
    expression
}

fn rename_in(expression: &mut Expression, rename: &impl Fn(&Variable) -> Variable) {
    match expression {
        Expression::NamedNode(_) | Expression::Literal(_) | Expression::Exists(_) => {}
        Expression::Variable(variable) | Expression::Bound(variable) => {
            *variable = rename(variable);
        }
        Expression::UnaryPlus(inner) | Expression::UnaryMinus(inner) | Expression::Not(inner) => {
            rename_in(inner, rename);
        }
        Expression::Or(left, right)
        | Expression::And(left, right)
        | Expression::Equal(left, right)
        | Expression::SameTerm(left, right)
        | Expression::Greater(left, right)
        | Expression::GreaterOrEqual(left, right)
        | Expression::Less(left, right)
        | Expression::LessOrEqual(left, right)
        | Expression::Add(left, right)
        | Expression::Subtract(left, right)
        | Expression::Multiply(left, right)
        | Expression::Divide(left, right) => {
            rename_in(left, rename);
            rename_in(right, rename);
        }
        Expression::In(left, list) => {
            rename_in(left, rename);
            list.iter_mut().for_each(|item| rename_in(item, rename));
        }
        Expression::If(condition, then, otherwise) => {
            for part in [condition, then, otherwise] {
                rename_in(part, rename);
            }
        }
        Expression::Coalesce(list) | Expression::FunctionCall(_, list) => {
            list.iter_mut().for_each(|item| rename_in(item, rename));
        }
    }
}
