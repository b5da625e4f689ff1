//! A query made boundable: what could run or grow without reading a single quad is given places to stop.
//!
//! The evaluator asks the view for quads and terms, and the view watches time and memory. Where it would not ask for
//! long, this makes it: joins whose rows come from nowhere near a quad bind a value to a variable of no name, which the
//! view is then asked to make a term of; and the arguments of REPLACE are capped, because its result can be as long as
//! the product of two of them.

mod connected;

use connected::{connected, disconnect, reads_quads};
use oxrdf::{NamedNode, NamedNodeRef, Variable};
use spargebra::algebra::{
    AggregateExpression, Expression, Function, GraphPattern, OrderExpression,
};

/// Always true; its value is made into a term for the effect.
pub(crate) const ALIVE: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:alive");
/// Its argument, unless that is too long.
pub(crate) const SHORT: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:short");

/// A pattern with places to stop.
#[derive(Debug)]
pub(crate) struct Bounded {
    pub(crate) pattern: GraphPattern,
    /// Whether it calls another endpoint anywhere.
    pub(crate) calls_service: bool,
    /// How many joins are watched.
    watched: usize,
}

impl Bounded {
    pub(crate) fn new(pattern: &GraphPattern) -> Self {
        let mut bounded = Self {
            pattern: pattern.clone(),
            calls_service: false,
            watched: 0,
        };
        let mut pattern = std::mem::replace(&mut bounded.pattern, nothing());
        bounded.pattern(&mut pattern);
        bounded.pattern = pattern;
        bounded
    }

    fn pattern(&mut self, pattern: &mut GraphPattern) {
        match pattern {
            GraphPattern::Bgp { patterns } => {
                let parts = disconnect(std::mem::take(patterns)).into_iter();
                *pattern = parts
                    .reduce(|left, right| self.join(left, right))
                    .unwrap_or_else(nothing);
            }
            GraphPattern::Path { .. } | GraphPattern::Values { .. } => {}
            GraphPattern::Service { inner, .. } => {
                self.calls_service = true;
                self.pattern(inner);
            }
            GraphPattern::Join { left, right } => {
                self.pattern(left);
                self.pattern(right);
                let (left, right) = (
                    std::mem::replace(&mut **left, nothing()),
                    std::mem::replace(&mut **right, nothing()),
                );
                *pattern = self.join(left, right);
            }
            GraphPattern::LeftJoin {
                left,
                right,
                expression,
            } => {
                self.pattern(left);
                self.pattern(right);
                expression
                    .iter_mut()
                    .for_each(|expression| self.expression(expression));
                if !reads_as_it_goes(left, right) {
                    self.watch(pattern);
                }
            }
            GraphPattern::Lateral { left, right } => {
                self.pattern(left);
                self.pattern(right);
                self.watch(pattern);
            }
            GraphPattern::Union { left, right } | GraphPattern::Minus { left, right } => {
                self.pattern(left);
                self.pattern(right);
            }
            GraphPattern::Filter { expr, inner } => {
                self.expression(expr);
                self.pattern(inner);
            }
            GraphPattern::Extend {
                inner, expression, ..
            } => {
                self.expression(expression);
                self.pattern(inner);
            }
            GraphPattern::OrderBy { inner, expression } => {
                self.pattern(inner);
                for order in expression {
                    match order {
                        OrderExpression::Asc(expression) | OrderExpression::Desc(expression) => {
                            self.expression(expression)
                        }
                    }
                }
            }
            GraphPattern::Group {
                inner, aggregates, ..
            } => {
                self.pattern(inner);
                for (_, aggregate) in aggregates {
                    if let AggregateExpression::FunctionCall { expr, .. } = aggregate {
                        self.expression(expr);
                    }
                }
            }
            GraphPattern::Graph { inner, .. }
            | GraphPattern::Project { inner, .. }
            | GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner }
            | GraphPattern::Slice { inner, .. } => self.pattern(inner),
        }
    }

    /// A join, with a place to stop where it needs one.
    fn join(&mut self, left: GraphPattern, right: GraphPattern) -> GraphPattern {
        let needs_watch = !reads_as_it_goes(&left, &right);
        let mut joined = GraphPattern::Join {
            left: Box::new(left),
            right: Box::new(right),
        };
        if needs_watch {
            self.watch(&mut joined);
        }
        joined
    }

    /// Binds a value on every row, which filters do not prevent and the optimiser does not move.
    fn watch(&mut self, pattern: &mut GraphPattern) {
        self.watched += 1;
        *pattern = GraphPattern::Extend {
            inner: Box::new(std::mem::replace(pattern, nothing())),
            // No query can name it.
            variable: Variable::new_unchecked(format!(" watched {}", self.watched)),
            expression: Expression::FunctionCall(Function::Custom(ALIVE.into_owned()), Vec::new()),
        };
    }

    fn expression(&mut self, expression: &mut Expression) {
        match expression {
            Expression::Exists(pattern) => self.pattern(pattern),
            Expression::NamedNode(_)
            | Expression::Literal(_)
            | Expression::Variable(_)
            | Expression::Bound(_) => {}
            Expression::Or(a, b)
            | Expression::And(a, b)
            | Expression::Equal(a, b)
            | Expression::SameTerm(a, b)
            | Expression::Greater(a, b)
            | Expression::GreaterOrEqual(a, b)
            | Expression::Less(a, b)
            | Expression::LessOrEqual(a, b)
            | Expression::Add(a, b)
            | Expression::Subtract(a, b)
            | Expression::Multiply(a, b)
            | Expression::Divide(a, b) => [a, b].into_iter().for_each(|part| self.expression(part)),
            Expression::UnaryPlus(a) | Expression::UnaryMinus(a) | Expression::Not(a) => {
                self.expression(a)
            }
            Expression::If(a, b, c) => [a, b, c].into_iter().for_each(|part| self.expression(part)),
            Expression::In(a, list) => {
                self.expression(a);
                list.iter_mut().for_each(|part| self.expression(part));
            }
            Expression::Coalesce(list) => list.iter_mut().for_each(|part| self.expression(part)),
            Expression::FunctionCall(function, list) => {
                list.iter_mut().for_each(|part| self.expression(part));
                if *function == Function::Replace {
                    list.iter_mut().for_each(shorten);
                }
            }
        }
    }
}

/// Whether about every row of the join costs the reading of a quad.
fn reads_as_it_goes(left: &GraphPattern, right: &GraphPattern) -> bool {
    connected(left, right) && (reads_quads(left) || reads_quads(right))
}

fn shorten(argument: &mut Expression) {
    if !matches!(argument, Expression::Literal(_)) {
        let long = std::mem::replace(argument, NamedNode::from(SHORT).into());
        *argument = Expression::FunctionCall(Function::Custom(SHORT.into_owned()), vec![long]);
    }
}

fn nothing() -> GraphPattern {
    GraphPattern::Bgp {
        patterns: Vec::new(),
    }
}
