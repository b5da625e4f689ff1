//! Aggregates in two steps: what each member's solutions add up to, and what that adds up to.

use super::table::Table;
use oxrdf::vocab::xsd;
use oxrdf::{Literal, Term, Variable};
use spargebra::algebra::{AggregateExpression, AggregateFunction, Expression, GraphPattern};

/// How many solutions there are in a group.
const COUNT: &str = "twinlinkCount";

/// What becomes of the partial values of a column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name in the rows of members.
    name: Variable,
    function: AggregateFunction,
    /// The aggregate that it belongs to.
    of: Variable,
}

/// The columns of partial values, and the pattern that gives them; none where some aggregate needs all solutions.
pub(super) fn partials(
    inner: &GraphPattern,
    keys: &[Variable],
    aggregates: &[(Variable, AggregateExpression)],
) -> Option<(Vec<Column>, GraphPattern)> {
    let mut columns = Vec::new();
    let mut asked = vec![(
        Variable::new_unchecked(COUNT),
        AggregateExpression::CountSolutions { distinct: false },
    )];
    for (of, aggregate) in aggregates {
        let mut ask = |function: AggregateFunction, aggregate: AggregateExpression| {
            let name = Variable::new_unchecked(format!("twinlinkPart_{}", columns.len()));
            asked.push((name.clone(), aggregate));
            columns.push(Column {
                name,
                function,
                of: of.clone(),
            });
        };
        let call = |name: AggregateFunction, expr: &Expression| AggregateExpression::FunctionCall {
            name,
            expr: expr.clone(),
            distinct: false,
        };
        match aggregate {
            AggregateExpression::CountSolutions { distinct: false } => {
                ask(AggregateFunction::Sum, aggregate.clone());
            }
            AggregateExpression::FunctionCall {
                name,
                expr,
                distinct: false,
            } => match name {
                AggregateFunction::Count => ask(AggregateFunction::Sum, aggregate.clone()),
                AggregateFunction::Sum | AggregateFunction::Min | AggregateFunction::Max => {
                    ask(name.clone(), aggregate.clone());
                }
                AggregateFunction::Avg => {
                    ask(AggregateFunction::Avg, call(AggregateFunction::Sum, expr));
                    ask(AggregateFunction::Avg, call(AggregateFunction::Count, expr));
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    let variables = keys.iter().chain(asked.iter().map(|(name, _)| name));
    let variables = variables.cloned().collect();
    let pattern = GraphPattern::Project {
        inner: Box::new(GraphPattern::Group {
            inner: Box::new(inner.clone()),
            variables: keys.to_vec(),
            aggregates: asked,
        }),
        variables,
    };
    Some((columns, pattern))
}

/// What a row of partial values is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// It is of no solutions.
    Nothing,
    /// It adds up to what all solutions would.
    Exact,
    /// It may not: a sum of what is no number, or of numbers that are rounded.
    Inexact,
}

pub(super) fn check(columns: &[Column], names: &[Variable], values: &[Option<Term>]) -> Checked {
    let value = |name: &str| {
        let place = names.iter().position(|column| column.as_str() == name)?;
        values.get(place)?.as_ref()
    };
    match value(COUNT) {
        Some(Term::Literal(count)) if count.value() == "0" => return Checked::Nothing,
        Some(Term::Literal(_)) => {}
        _ => return Checked::Inexact,
    }
    let is_exact = columns.iter().all(|column| {
        value(column.name.as_str()).is_some_and(|value| match column.function {
            AggregateFunction::Min | AggregateFunction::Max => kind(value).is_some(),
            _ => matches!(kind(value), Some(Kind::Number(_))),
        })
    });
    if is_exact {
        Checked::Exact
    } else {
        Checked::Inexact
    }
}

/// Whether the least of the least values is the least of all: where they are of one kind.
pub(super) fn are_alike(columns: &[Column], table: &Table) -> bool {
    let mut ends = columns.iter().filter(|column| {
        matches!(
            column.function,
            AggregateFunction::Min | AggregateFunction::Max
        )
    });
    ends.all(|column| {
        let mut kinds = table.column(&column.name).map(kind);
        let first = kinds.next();
        first.is_none_or(|first| kinds.all(|kind| kind == first))
    })
}

/// Values that are ordered, and added up without rounding.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// With its datatype: equal numbers of two are two terms.
    Number(String),
    Text,
}

fn kind(term: &Term) -> Option<Kind> {
    let Term::Literal(literal) = term else {
        return None;
    };
    if literal.language().is_some() {
        return None;
    }
    let datatype = literal.datatype();
    if datatype == xsd::STRING {
        Some(Kind::Text)
    } else if datatype == xsd::INTEGER || datatype == xsd::DECIMAL {
        Some(Kind::Number(datatype.as_str().to_owned()))
    } else {
        None
    }
}

/// The groups that the rows of partial values add up to.
pub(super) fn merged(
    columns: &[Column],
    keys: &[Variable],
    aggregates: &[(Variable, AggregateExpression)],
    rows: GraphPattern,
) -> GraphPattern {
    // No query can name it.
    let total = |column: &Column| Variable::new_unchecked(format!(" {}", column.name.as_str()));
    let mut sums = Vec::new();
    let mut averages = Vec::new();
    for (of, _) in aggregates {
        let parts: Vec<_> = columns.iter().filter(|column| column.of == *of).collect();
        let call = |column: &Column, name: &AggregateFunction| AggregateExpression::FunctionCall {
            name: name.clone(),
            expr: Expression::Variable(column.name.clone()),
            distinct: false,
        };
        match parts.as_slice() {
            [sum, count] => {
                for part in [sum, count] {
                    sums.push((total(part), call(part, &AggregateFunction::Sum)));
                }
                averages.push((of.clone(), total(sum), total(count)));
            }
            [part] => sums.push((of.clone(), call(part, &part.function))),
            _ => {}
        }
    }
    let mut pattern = GraphPattern::Group {
        inner: Box::new(rows),
        variables: keys.to_vec(),
        aggregates: sums,
    };
    for (of, sum, count) in averages {
        let zero = Expression::from(Literal::from(0));
        let [sum, count] = [sum, count].map(|name| Box::new(Expression::Variable(name)));
        pattern = GraphPattern::Extend {
            inner: Box::new(pattern),
            variable: of,
            expression: Expression::If(
                Box::new(Expression::Equal(count.clone(), Box::new(zero.clone()))),
                Box::new(zero),
                Box::new(Expression::Divide(sum, count)),
            ),
        };
    }
    pattern
}
