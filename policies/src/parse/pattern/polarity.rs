//! Graph patterns whose errors fall to a chosen side.
//!
//! SPARQL's expressions have three values: true, false, error. A FILTER takes an error for false, which loses rows; below
//! MINUS or NOT EXISTS rows that are lost are rows that are found. Here every filter takes an error for what keeps the
//! pattern as a whole on one side.

use oxrdf::vocab::xsd;
use oxrdf::{Literal, NamedNode, Variable};
use spargebra::algebra::{Expression, Function, GraphPattern};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use std::collections::HashMap;

/// Functions of GeoSPARQL: <http://www.opengis.net/def/function/geosparql/>.
const GEO_FUNCTIONS: &str = "http://www.opengis.net/def/function/geosparql/";

/// On which side of the truth a pattern is to be: which rows it has where an expression is in error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::parse) enum Side {
    /// Only rows that surely match.
    Under,
    /// All rows that may match.
    Over,
}

impl std::ops::Not for Side {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Under => Self::Over,
            Self::Over => Self::Under,
        }
    }
}

/// Why a pattern is outside the fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::parse) struct Outside(pub(in crate::parse) String);

fn outside(what: impl Into<String>) -> Outside {
    Outside(what.into())
}

/// Rewrites patterns; recursive, so only for such as were measured.
#[derive(Debug, Default)]
pub(in crate::parse) struct Rewriting {
    /// Blank nodes are named anew by every parse, so that equal texts would not be equal: variables take their place.
    anonymous: HashMap<String, Variable>,
}

impl Rewriting {
    /// The pattern on one side.
    pub(in crate::parse) fn pattern(
        &mut self,
        pattern: GraphPattern,
        side: Side,
    ) -> Result<GraphPattern, Outside> {
        Ok(match pattern {
            GraphPattern::Bgp { patterns } => GraphPattern::Bgp {
                patterns: patterns.into_iter().map(|one| self.triple(one)).collect(),
            },
            GraphPattern::Path {
                subject,
                path,
                object,
            } => GraphPattern::Path {
                subject: self.term(subject),
                path,
                object: self.term(object),
            },
            GraphPattern::Join { left, right } => GraphPattern::Join {
                left: self.boxed(*left, side)?,
                right: self.boxed(*right, side)?,
            },
            GraphPattern::Union { left, right } => GraphPattern::Union {
                left: self.boxed(*left, side)?,
                right: self.boxed(*right, side)?,
            },
            GraphPattern::Minus { left, right } => GraphPattern::Minus {
                left: self.boxed(*left, side)?,
                right: self.boxed(*right, !side)?,
            },
            GraphPattern::Graph { name, inner } => GraphPattern::Graph {
                name,
                inner: self.boxed(*inner, side)?,
            },
            GraphPattern::Filter { expr, inner } => {
                let expression = self.expression(expr, Some(side))?;
                GraphPattern::Filter {
                    expr: decided(expression, side),
                    inner: self.boxed(*inner, side)?,
                }
            }
            values @ GraphPattern::Values { .. } => values,
            GraphPattern::LeftJoin { .. } => return Err(outside("OPTIONAL")),
            GraphPattern::Extend { .. } => return Err(outside("BIND")),
            GraphPattern::Service { .. } => return Err(outside("SERVICE")),
            GraphPattern::Group { .. } => return Err(outside("GROUP BY and aggregates")),
            GraphPattern::OrderBy { .. } => return Err(outside("ORDER BY")),
            GraphPattern::Slice { .. } => return Err(outside("LIMIT and OFFSET")),
            GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. } => return Err(outside("a SELECT inside")),
            _ => return Err(outside("an extension of SPARQL")),
        })
    }

    fn boxed(&mut self, pattern: GraphPattern, side: Side) -> Result<Box<GraphPattern>, Outside> {
        self.pattern(pattern, side).map(Box::new)
    }

    fn triple(&mut self, triple: TriplePattern) -> TriplePattern {
        TriplePattern {
            subject: self.term(triple.subject),
            predicate: triple.predicate,
            object: self.term(triple.object),
        }
    }

    fn term(&mut self, term: TermPattern) -> TermPattern {
        let TermPattern::BlankNode(blank) = term else {
            return term;
        };
        let number = self.anonymous.len() + 1;
        let variable = self.anonymous.entry(blank.into_string());
        let name = || Variable::new_unchecked(format!("{ANONYMOUS}{number}"));
        variable.or_insert_with(name).clone().into()
    }

    /// The expression with the patterns inside it on the side that is asked for. Without one, with three values: it is
    /// an error where the patterns do not tell.
    fn expression(
        &mut self,
        expression: Expression,
        side: Option<Side>,
    ) -> Result<Expression, Outside> {
        let mut both = |a: Box<Expression>, b: Box<Expression>, side| {
            Ok((
                Box::new(self.expression(*a, side)?),
                Box::new(self.expression(*b, side)?),
            ))
        };
        Ok(match expression {
            Expression::Or(a, b) => both(a, b, side).map(|(a, b)| Expression::Or(a, b))?,
            Expression::And(a, b) => both(a, b, side).map(|(a, b)| Expression::And(a, b))?,
            Expression::Equal(a, b) => both(a, b, None).map(|(a, b)| Expression::Equal(a, b))?,
            Expression::SameTerm(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::SameTerm(a, b))?
            }
            Expression::Greater(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::Greater(a, b))?
            }
            Expression::GreaterOrEqual(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::GreaterOrEqual(a, b))?
            }
            Expression::Less(a, b) => both(a, b, None).map(|(a, b)| Expression::Less(a, b))?,
            Expression::LessOrEqual(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::LessOrEqual(a, b))?
            }
            Expression::Add(a, b) => both(a, b, None).map(|(a, b)| Expression::Add(a, b))?,
            Expression::Subtract(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::Subtract(a, b))?
            }
            Expression::Multiply(a, b) => {
                both(a, b, None).map(|(a, b)| Expression::Multiply(a, b))?
            }
            Expression::Divide(a, b) => both(a, b, None).map(|(a, b)| Expression::Divide(a, b))?,
            Expression::Not(a) => {
                let inner = self.expression(*a, side.map(|side| !side))?;
                Expression::Not(Box::new(inner))
            }
            Expression::UnaryPlus(a) => Expression::UnaryPlus(Box::new(self.expression(*a, None)?)),
            Expression::UnaryMinus(a) => {
                Expression::UnaryMinus(Box::new(self.expression(*a, None)?))
            }
            Expression::If(condition, a, b) => Expression::If(
                Box::new(self.expression(*condition, None)?),
                Box::new(self.expression(*a, side)?),
                Box::new(self.expression(*b, side)?),
            ),
            Expression::In(a, list) => {
                Expression::In(Box::new(self.expression(*a, None)?), self.list(list)?)
            }
            // Who writes it says what is to become of errors.
            Expression::Coalesce(list) => Expression::Coalesce(self.list(list)?),
            Expression::FunctionCall(function, list) => {
                check_function(&function)?;
                Expression::FunctionCall(function, self.list(list)?)
            }
            Expression::Exists(pattern) => return self.exists(*pattern, side),
            Expression::NamedNode(_)
            | Expression::Literal(_)
            | Expression::Variable(_)
            | Expression::Bound(_) => expression,
        })
    }

    fn list(&mut self, list: Vec<Expression>) -> Result<Vec<Expression>, Outside> {
        let list = list.into_iter();
        list.map(|one| self.expression(one, None)).collect()
    }

    fn exists(&mut self, pattern: GraphPattern, side: Option<Side>) -> Result<Expression, Outside> {
        let mut on = |side| {
            let pattern = self.pattern(pattern.clone(), side)?;
            Ok(Expression::Exists(Box::new(pattern)))
        };
        if let Some(side) = side {
            return on(side);
        }
        let (sure, possible) = (on(Side::Under)?, on(Side::Over)?);
        if sure == possible {
            return Ok(sure);
        }
        let integer = |text| {
            Box::new(Expression::Literal(Literal::new_typed_literal(
                text,
                xsd::INTEGER,
            )))
        };
        let error = Expression::Divide(integer("1"), integer("0"));
        Ok(if_then(
            sure,
            boolean(true),
            if_then(possible, error, boolean(false)),
        ))
    }
}

/// What variables in the place of blank nodes begin with.
pub(super) const ANONYMOUS: &str = "__anonymous";

/// The expression, true or false: errors, its effective boolean value included, count as the side says.
fn decided(expression: Expression, side: Side) -> Expression {
    if side == Side::Under || is_decided(&expression) {
        return expression;
    }
    let truth = if_then(expression, boolean(true), boolean(false));
    Expression::Coalesce(vec![truth, boolean(true)])
}

/// Whether it can be nothing but true or false.
fn is_decided(expression: &Expression) -> bool {
    match expression {
        Expression::Exists(_) | Expression::Bound(_) => true,
        Expression::Not(inner) => is_decided(inner),
        Expression::And(a, b) | Expression::Or(a, b) => is_decided(a) && is_decided(b),
        _ => false,
    }
}

fn if_then(condition: Expression, then: Expression, otherwise: Expression) -> Expression {
    Expression::If(Box::new(condition), Box::new(then), Box::new(otherwise))
}

fn boolean(value: bool) -> Expression {
    Expression::Literal(Literal::from(value))
}

/// Only functions whose value depends on their arguments, and on nothing else, and that the engine knows.
fn check_function(function: &Function) -> Result<(), Outside> {
    match function {
        Function::BNode | Function::Rand | Function::Now | Function::Uuid | Function::StrUuid => {
            Err(outside(format!(
                "{function}, which is not the same every time"
            )))
        }
        Function::Custom(name) if is_known(name) => Ok(()),
        Function::Custom(name) => Err(outside(format!("the function {name}"))),
        _ => Ok(()),
    }
}

fn is_known(function: &NamedNode) -> bool {
    const RELATIONS: &[&str] = &[
        "distance",
        "sfContains",
        "sfCrosses",
        "sfDisjoint",
        "sfEquals",
        "sfIntersects",
        "sfOverlaps",
        "sfTouches",
        "sfWithin",
    ];
    let casts = [
        xsd::BOOLEAN,
        xsd::DATE,
        xsd::DATE_TIME,
        xsd::DAY_TIME_DURATION,
        xsd::DECIMAL,
        xsd::DOUBLE,
        xsd::DURATION,
        xsd::FLOAT,
        xsd::INTEGER,
        xsd::STRING,
        xsd::TIME,
        xsd::YEAR_MONTH_DURATION,
    ];
    let local = function.as_str().strip_prefix(GEO_FUNCTIONS);
    local.is_some_and(|name| RELATIONS.contains(&name)) || casts.iter().any(|cast| cast == function)
}

/// Whether every row of the pattern, on whatever side, has the variable.
pub(super) fn binds(pattern: &GraphPattern, variable: &Variable) -> bool {
    let is_it = |term: &TermPattern| matches!(term, TermPattern::Variable(one) if one == variable);
    let names_it = |name: &NamedNodePattern| matches!(name, NamedNodePattern::Variable(one) if one == variable);
    match pattern {
        GraphPattern::Bgp { patterns } => patterns.iter().any(|triple| {
            is_it(&triple.subject) || is_it(&triple.object) || names_it(&triple.predicate)
        }),
        GraphPattern::Path {
            subject, object, ..
        } => is_it(subject) || is_it(object),
        GraphPattern::Join { left, right } => binds(left, variable) || binds(right, variable),
        GraphPattern::Union { left, right } => binds(left, variable) && binds(right, variable),
        GraphPattern::Minus { left: inner, .. } | GraphPattern::Filter { inner, .. } => {
            binds(inner, variable)
        }
        GraphPattern::Graph { name, inner } => names_it(name) || binds(inner, variable),
        GraphPattern::Values {
            variables,
            bindings,
        } => {
            let at = variables.iter().position(|one| one == variable);
            at.is_some_and(|at| {
                let mut rows = bindings.iter();
                rows.all(|row| row.get(at).is_some_and(Option::is_some))
            })
        }
        _ => false,
    }
}
