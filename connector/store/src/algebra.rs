//! A query made boundable: what could run or grow without reading a single quad is given places to stop.
//!
//! The evaluator asks the view for quads and terms, and the view watches time and memory. Where it would not ask for
//! long, this makes it: joins whose rows come from nowhere near a quad bind a value to a variable of no name, which the
//! view is then asked to make a term of; the arguments of REPLACE are capped, because its result can be as long as the
//! product of two of them; and CONCAT of many is made of CONCATs of two, with a cap on each.

mod connected;

use connected::{connected, disconnect, reads_quads};
use oxrdf::{NamedNode, NamedNodeRef, Variable};
use spargebra::algebra::{
    AggregateExpression, Expression, Function, GraphPattern, OrderExpression,
};

/// Always true; its value is made into a term for the effect.
pub(crate) const ALIVE: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:alive");
/// Its argument, unless that is too long for what REPLACE looks through.
pub(crate) const SHORT: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:short");
/// Its argument, unless that is too long for what REPLACE puts in.
pub(crate) const BRIEF: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:brief");
/// Its argument, unless that is longer than any text may be.
pub(crate) const LONG: NamedNodeRef<'static> = NamedNodeRef::new_unchecked("urn:x-twinlink:long");

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
                match function {
                    Function::Replace => {
                        for (place, argument) in list.iter_mut().enumerate() {
                            cap(argument, if place == 2 { BRIEF } else { SHORT });
                        }
                    }
                    Function::Concat if list.len() > 2 => {
                        *list = join(std::mem::take(list));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Whether about every row of the join costs the reading of a quad.
fn reads_as_it_goes(left: &GraphPattern, right: &GraphPattern) -> bool {
    connected(left, right) && (reads_quads(left) || reads_quads(right))
}

/// The expressions that an expression is made of, in their order; of EXISTS, which is made of a pattern, none.
pub(crate) fn parts(expression: &Expression) -> Vec<&Expression> {
    match expression {
        Expression::Exists(_)
        | Expression::NamedNode(_)
        | Expression::Literal(_)
        | Expression::Variable(_)
        | Expression::Bound(_) => Vec::new(),
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
        | Expression::Divide(a, b) => vec![a, b],
        Expression::UnaryPlus(a) | Expression::UnaryMinus(a) | Expression::Not(a) => vec![a],
        Expression::If(a, b, c) => vec![a, b, c],
        Expression::In(a, list) => std::iter::once(&**a).chain(list).collect(),
        Expression::Coalesce(list) | Expression::FunctionCall(_, list) => list.iter().collect(),
    }
}

/// Calls a function that lets short texts through.
fn cap(argument: &mut Expression, function: NamedNodeRef<'static>) {
    let long = std::mem::replace(argument, NamedNode::from(function).into());
    *argument = Expression::FunctionCall(Function::Custom(function.into_owned()), vec![long]);
}

/// CONCAT of many as CONCAT of two, each the same of half as many and capped: none then is longer than two texts may be.
/// The language of the result is the same, because it is that of all or none.
fn join(mut list: Vec<Expression>) -> Vec<Expression> {
    let right = list.split_off(list.len() / 2);
    let halves = [list, right].into_iter().map(|half| {
        let half = if half.len() > 2 { join(half) } else { half };
        let mut half = Expression::FunctionCall(Function::Concat, half);
        cap(&mut half, LONG);
        half
    });
    halves.collect()
}

fn nothing() -> GraphPattern {
    GraphPattern::Bgp {
        patterns: Vec::new(),
    }
}
