//! A query made boundable: what could run or grow without reading a single quad is given places to stop.
//!
//! The evaluator asks the view for quads and terms, and the view watches time and memory. Where it would not ask for
//! long, this makes it: joins whose rows come from nowhere near a quad bind a value to a variable of no name, which the
//! view is then asked to make a term of; the arguments of REPLACE are capped, because its result can be as long as the
//! product of two of them; and CONCAT of many is made of CONCATs of two, with a cap on each. What rows are sorted by is found once for each
//! row.

mod connected;

use connected::{connected, disconnect, reads_quads};
use oxrdf::{NamedNode, NamedNodeRef, Variable};
use spargebra::algebra::{Expression, Function, GraphPattern, OrderExpression};
use twinlink_core::algebra::{expressions_mut, parts_mut};

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
    /// Whether it calls functions that are not SPARQL's own, those that bound it among them.
    pub(crate) calls_functions: bool,
    /// How many joins are watched.
    watched: usize,
    /// How many keys of sorting are bound.
    keys: usize,
}

impl Bounded {
    pub(crate) fn new(pattern: &GraphPattern) -> Self {
        let mut bounded = Self {
            pattern: pattern.clone(),
            calls_service: false,
            calls_functions: false,
            watched: 0,
            keys: 0,
        };
        let mut pattern = std::mem::replace(&mut bounded.pattern, nothing());
        bounded.pattern(&mut pattern);
        bounded.pattern = pattern;
        bounded
    }

    fn pattern(&mut self, pattern: &mut GraphPattern) {
        for expression in expressions_mut(pattern) {
            self.expression(expression);
        }
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
            GraphPattern::LeftJoin { left, right, .. } => {
                self.pattern(left);
                self.pattern(right);
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
            GraphPattern::OrderBy { inner, expression } => {
                self.pattern(inner);
                for order in expression {
                    match order {
                        OrderExpression::Asc(key) | OrderExpression::Desc(key) => {
                            self.key(inner, key);
                        }
                    }
                }
            }
            GraphPattern::Filter { inner, .. }
            | GraphPattern::Extend { inner, .. }
            | GraphPattern::Group { inner, .. }
            | GraphPattern::Graph { inner, .. }
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

    /// Binds what rows are sorted by once for each row: the evaluator would find it anew for every comparison, and RAND()
    /// be another one each time, which is no order at all.
    // INVARIANT(one-key-for-each-row): a row has the same place in the order whatever it is compared with.
    fn key(&mut self, inner: &mut GraphPattern, key: &mut Expression) {
        if matches!(key, Expression::Variable(_)) {
            return;
        }
        self.keys += 1;
        // No query can name it.
        let variable = Variable::new_unchecked(format!(" key {}", self.keys));
        let expression = std::mem::replace(key, Expression::Variable(variable.clone()));
        *inner = GraphPattern::Extend {
            inner: Box::new(std::mem::replace(inner, nothing())),
            variable,
            expression,
        };
    }

    /// Binds a value on every row, which filters do not prevent and the optimiser does not move.
    fn watch(&mut self, pattern: &mut GraphPattern) {
        self.watched += 1;
        self.calls_functions = true;
        *pattern = GraphPattern::Extend {
            inner: Box::new(std::mem::replace(pattern, nothing())),
            // No query can name it.
            variable: Variable::new_unchecked(format!(" watched {}", self.watched)),
            expression: Expression::FunctionCall(Function::Custom(ALIVE.into_owned()), Vec::new()),
        };
    }

    fn expression(&mut self, expression: &mut Expression) {
        for part in parts_mut(expression) {
            self.expression(part);
        }
        match expression {
            Expression::Exists(pattern) => self.pattern(pattern),
            Expression::FunctionCall(Function::Custom(_), _) => self.calls_functions = true,
            Expression::FunctionCall(Function::Replace, list) => {
                self.calls_functions = true;
                for (place, argument) in list.iter_mut().enumerate() {
                    cap(argument, if place == 2 { BRIEF } else { SHORT });
                }
            }
            Expression::FunctionCall(Function::Concat, list) if list.len() > 2 => {
                self.calls_functions = true;
                *list = join(std::mem::take(list));
            }
            _ => {}
        }
    }
}

/// Whether about every row of the join costs the reading of a quad.
fn reads_as_it_goes(left: &GraphPattern, right: &GraphPattern) -> bool {
    connected(left, right) && (reads_quads(left) || reads_quads(right))
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
