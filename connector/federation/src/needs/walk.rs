//! Paths, as what can be walked: steps, and the ends that they lead from and to.

use super::{Atom, Planner};
use crate::algebra::Context;
use spargebra::algebra::PropertyPathExpression;
use spargebra::term::{NamedNodePattern, TermPattern};

/// A path. Its solutions use only quads that some number of its steps leads to, from either end.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Where it starts and ends.
    pub(crate) ends: [TermPattern; 2],
    pub(crate) steps: Vec<WalkStep>,
    /// The most steps of a solution, where there is a most.
    pub(crate) longest: Option<usize>,
}

/// A step of a path: a quad of any subject and object.
#[derive(Debug)]
pub(crate) struct WalkStep {
    pub(crate) atom: Atom,
    /// Whether it leads from object to subject.
    pub(crate) is_reverse: bool,
}

impl Planner {
    pub(super) fn walk(
        &mut self,
        [subject, object]: [&TermPattern; 2],
        path: &PropertyPathExpression,
        context: &Context,
    ) -> Walk {
        let mut walk = Walk {
            ends: [subject.clone(), object.clone()],
            steps: Vec::new(),
            longest: longest(path),
        };
        self.steps(path, false, context, &mut walk.steps);
        walk
    }

    /// The quads that any step of the path can take. Inside a path, a step of zero length starts where another ended.
    fn steps(
        &mut self,
        path: &PropertyPathExpression,
        is_reverse: bool,
        context: &Context,
        steps: &mut Vec<WalkStep>,
    ) {
        match path {
            PropertyPathExpression::NamedNode(predicate) => {
                let mut atom = self.everything(context);
                atom.triple.predicate = NamedNodePattern::NamedNode(predicate.clone());
                steps.push(WalkStep { atom, is_reverse });
            }
            PropertyPathExpression::NegatedPropertySet(except) => {
                let mut atom = self.everything(context);
                atom.except.clone_from(except);
                steps.push(WalkStep { atom, is_reverse });
            }
            PropertyPathExpression::Reverse(inner) => {
                self.steps(inner, !is_reverse, context, steps);
            }
            PropertyPathExpression::ZeroOrMore(inner)
            | PropertyPathExpression::OneOrMore(inner)
            | PropertyPathExpression::ZeroOrOne(inner) => {
                self.steps(inner, is_reverse, context, steps);
            }
            PropertyPathExpression::Sequence(left, right)
            | PropertyPathExpression::Alternative(left, right) => {
                self.steps(left, is_reverse, context, steps);
                self.steps(right, is_reverse, context, steps);
            }
        }
    }
}

/// The most steps that the path can take; none where there is no such number.
fn longest(path: &PropertyPathExpression) -> Option<usize> {
    match path {
        PropertyPathExpression::NamedNode(_) | PropertyPathExpression::NegatedPropertySet(_) => {
            Some(1)
        }
        PropertyPathExpression::ZeroOrMore(_) | PropertyPathExpression::OneOrMore(_) => None,
        PropertyPathExpression::Reverse(inner) | PropertyPathExpression::ZeroOrOne(inner) => {
            longest(inner)
        }
        PropertyPathExpression::Sequence(left, right) => {
            Some(longest(left)?.saturating_add(longest(right)?))
        }
        PropertyPathExpression::Alternative(left, right) => {
            Some(longest(left)?.max(longest(right)?))
        }
    }
}
