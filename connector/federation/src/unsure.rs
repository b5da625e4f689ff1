//! Operators whose result can be wrong, not only short, while a source is missing.

use crate::algebra::{conjuncts, expressions, pattern, walk, walk_expression};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};

/// The names of the operators in the query that need every source, in the order of this list.
///
/// ASK is among them because its "no" does.
pub(crate) fn needs_all(query: &Query) -> Vec<String> {
    let mut found = Vec::new();
    if matches!(query, Query::Ask { .. }) {
        found.push("ASK");
    }
    walk(
        pattern(query),
        &mut |pattern| match pattern {
            GraphPattern::LeftJoin { .. } => {
                found.push("OPTIONAL");
                // A condition within it stands here.
                found.extend(negations(pattern));
            }
            GraphPattern::Minus { .. } => found.push("MINUS"),
            GraphPattern::Group { .. } => found.push("aggregate"),
            GraphPattern::Slice { inner, .. } if is_ordered(inner) => {
                found.push("ORDER BY with LIMIT");
            }
            _ => found.extend(negations(pattern)),
        },
        &mut |_| {},
    );
    let order = [
        "OPTIONAL",
        "MINUS",
        "NOT EXISTS",
        "EXISTS",
        "aggregate",
        "ORDER BY with LIMIT",
        "ASK",
    ];
    order
        .into_iter()
        .filter(|name| found.contains(name))
        .map(str::to_owned)
        .collect()
}

fn is_ordered(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::OrderBy { .. } => true,
        GraphPattern::Project { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner } => is_ordered(inner),
        _ => false,
    }
}

/// EXISTS that is a whole condition only lets rows through: it is monotone. In any other place it may be negated.
fn negations(pattern: &GraphPattern) -> Vec<&'static str> {
    let is_condition = matches!(pattern, GraphPattern::Filter { .. });
    let mut found = Vec::new();
    for part in expressions(pattern).into_iter().flat_map(conjuncts) {
        if is_condition && matches!(part, Expression::Exists(_)) {
            continue;
        }
        let (mut all, mut negated) = (0_usize, 0_usize);
        walk_expression(part, &mut |part| match part {
            Expression::Not(inner) if matches!(**inner, Expression::Exists(_)) => negated += 1,
            Expression::Exists(_) => all += 1,
            _ => {}
        });
        if negated > 0 {
            found.push("NOT EXISTS");
        }
        if all > negated {
            found.push("EXISTS");
        }
    }
    found
}
