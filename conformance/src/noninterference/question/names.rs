//! What a question names: the terms at the ends of its patterns, and those in its VALUES.

use oxrdf::Term;
use spargebra::Query;
use spargebra::algebra::{AggregateExpression, Expression, GraphPattern, OrderExpression};
use spargebra::term::{GroundTerm, TermPattern};
use std::collections::HashSet;
use twinlink_core::policy::Named;

/// Those of a query; none where they are too many.
pub(crate) fn of_query(query: &Query) -> HashSet<Term> {
    let (Query::Select { pattern, .. }
    | Query::Construct { pattern, .. }
    | Query::Describe { pattern, .. }
    | Query::Ask { pattern, .. }) = query;
    of_pattern(pattern)
}

/// Those of a WHERE part; none where they are too many.
pub(in crate::noninterference) fn of_pattern(pattern: &GraphPattern) -> HashSet<Term> {
    let names = all(pattern);
    if names.len() > Named::MOST {
        return HashSet::new();
    }
    names
}

/// Those of a WHERE part, however many.
pub(in crate::noninterference) fn all(pattern: &GraphPattern) -> HashSet<Term> {
    let mut names = HashSet::new();
    in_pattern(pattern, &mut names);
    names
}

fn in_pattern(pattern: &GraphPattern, names: &mut HashSet<Term>) {
    match pattern {
        GraphPattern::Bgp { patterns } => {
            for triple in patterns {
                names.extend(
                    [end(&triple.subject), end(&triple.object)]
                        .into_iter()
                        .flatten(),
                );
            }
        }
        GraphPattern::Path {
            subject, object, ..
        } => {
            names.extend([end(subject), end(object)].into_iter().flatten());
        }
        GraphPattern::Values { bindings, .. } => {
            let values = bindings.iter().flatten().flatten();
            names.extend(values.map(|value| match value {
                GroundTerm::NamedNode(node) => Term::from(node.clone()),
                GroundTerm::Literal(literal) => literal.clone().into(),
            }));
        }
        GraphPattern::Join { left, right }
        | GraphPattern::Lateral { left, right }
        | GraphPattern::Union { left, right }
        | GraphPattern::Minus { left, right } => {
            in_pattern(left, names);
            in_pattern(right, names);
        }
        GraphPattern::LeftJoin {
            left,
            right,
            expression,
        } => {
            in_pattern(left, names);
            in_pattern(right, names);
            expression.iter().for_each(|one| in_expression(one, names));
        }
        GraphPattern::Filter { expr, inner } => {
            in_pattern(inner, names);
            in_expression(expr, names);
        }
        GraphPattern::Extend {
            inner, expression, ..
        } => {
            in_pattern(inner, names);
            in_expression(expression, names);
        }
        GraphPattern::OrderBy { inner, expression } => {
            in_pattern(inner, names);
            for OrderExpression::Asc(one) | OrderExpression::Desc(one) in expression {
                in_expression(one, names);
            }
        }
        GraphPattern::Group {
            inner, aggregates, ..
        } => {
            in_pattern(inner, names);
            for (_, aggregate) in aggregates {
                if let AggregateExpression::FunctionCall { expr, .. } = aggregate {
                    in_expression(expr, names);
                }
            }
        }
        GraphPattern::Graph { inner, .. }
        | GraphPattern::Project { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner }
        | GraphPattern::Slice { inner, .. }
        | GraphPattern::Service { inner, .. } => in_pattern(inner, names),
    }
}

/// An expression has patterns only in EXISTS.
fn in_expression(expression: &Expression, names: &mut HashSet<Term>) {
    match expression {
        Expression::Exists(pattern) => in_pattern(pattern, names),
        Expression::NamedNode(_)
        | Expression::Literal(_)
        | Expression::Variable(_)
        | Expression::Bound(_) => {}
        Expression::UnaryPlus(one) | Expression::UnaryMinus(one) | Expression::Not(one) => {
            in_expression(one, names);
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
            in_expression(left, names);
            in_expression(right, names);
        }
        Expression::If(one, two, three) => {
            for part in [one, two, three] {
                in_expression(part, names);
            }
        }
        Expression::In(one, list) => {
            in_expression(one, names);
            list.iter().for_each(|part| in_expression(part, names));
        }
        Expression::Coalesce(list) | Expression::FunctionCall(_, list) => {
            list.iter().for_each(|part| in_expression(part, names));
        }
    }
}

fn end(term: &TermPattern) -> Option<Term> {
    match term {
        TermPattern::NamedNode(node) => Some(node.clone().into()),
        TermPattern::Literal(literal) => Some(literal.clone().into()),
        TermPattern::BlankNode(_) | TermPattern::Variable(_) => None,
    }
}
