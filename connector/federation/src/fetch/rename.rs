//! Patterns and conditions with other names for their variables.

use crate::algebra::{Context, walk_expression_mut};
use crate::needs::Atom;
use oxrdf::Variable;
use spargebra::algebra::Expression;
use spargebra::term::{NamedNodePattern, TermPattern};

pub(super) fn rename_atom(atom: &Atom, rename: &impl Fn(&Variable) -> Variable) -> Atom {
    let mut atom = atom.clone();
    if let Context::Any(graph) = &mut atom.context {
        *graph = rename(graph);
    }
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
    walk_expression_mut(&mut expression, &mut |part| {
        if let Expression::Variable(variable) | Expression::Bound(variable) = part {
            *variable = rename(variable);
        }
    });
    expression
}
