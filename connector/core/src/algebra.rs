//! SPARQL algebra taken apart: what stands right below a pattern or an expression.
//!
//! Whoever goes down a query goes by these, so that a pattern or an operator that is new is missed in no place.

use spargebra::algebra::{AggregateExpression, Expression, GraphPattern, OrderExpression};

/// The patterns right below a pattern, in their order; not those of EXISTS, which stand in its [`expressions`].
pub fn children(pattern: &GraphPattern) -> Vec<&GraphPattern> {
    match pattern {
        GraphPattern::Bgp { .. } | GraphPattern::Path { .. } | GraphPattern::Values { .. } => {
            Vec::new()
        }
        GraphPattern::Join { left, right }
        | GraphPattern::LeftJoin { left, right, .. }
        | GraphPattern::Lateral { left, right }
        | GraphPattern::Union { left, right }
        | GraphPattern::Minus { left, right } => vec![left, right],
        GraphPattern::Filter { inner, .. }
        | GraphPattern::Graph { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Project { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Reduced { inner }
        | GraphPattern::Slice { inner, .. }
        | GraphPattern::Group { inner, .. }
        | GraphPattern::Service { inner, .. } => vec![inner],
    }
}

/// The expressions that stand in a pattern itself, in their order.
pub fn expressions(pattern: &GraphPattern) -> Vec<&Expression> {
    match pattern {
        GraphPattern::Filter { expr, .. } => vec![expr],
        GraphPattern::LeftJoin { expression, .. } => expression.iter().collect(),
        GraphPattern::Extend { expression, .. } => vec![expression],
        GraphPattern::OrderBy { expression, .. } => expression
            .iter()
            .map(|order| match order {
                OrderExpression::Asc(by) | OrderExpression::Desc(by) => by,
            })
            .collect(),
        GraphPattern::Group { aggregates, .. } => aggregates
            .iter()
            .filter_map(|(_, aggregate)| match aggregate {
                AggregateExpression::FunctionCall { expr, .. } => Some(expr),
                AggregateExpression::CountSolutions { .. } => None,
            })
            .collect(),
        GraphPattern::Bgp { .. }
        | GraphPattern::Path { .. }
        | GraphPattern::Values { .. }
        | GraphPattern::Join { .. }
        | GraphPattern::Lateral { .. }
        | GraphPattern::Union { .. }
        | GraphPattern::Minus { .. }
        | GraphPattern::Graph { .. }
        | GraphPattern::Project { .. }
        | GraphPattern::Distinct { .. }
        | GraphPattern::Reduced { .. }
        | GraphPattern::Slice { .. }
        | GraphPattern::Service { .. } => Vec::new(),
    }
}

/// As [`expressions`], to change them.
pub fn expressions_mut(pattern: &mut GraphPattern) -> Vec<&mut Expression> {
    match pattern {
        GraphPattern::Filter { expr, .. } => vec![expr],
        GraphPattern::LeftJoin { expression, .. } => expression.iter_mut().collect(),
        GraphPattern::Extend { expression, .. } => vec![expression],
        GraphPattern::OrderBy { expression, .. } => expression
            .iter_mut()
            .map(|order| match order {
                OrderExpression::Asc(by) | OrderExpression::Desc(by) => by,
            })
            .collect(),
        GraphPattern::Group { aggregates, .. } => aggregates
            .iter_mut()
            .filter_map(|(_, aggregate)| match aggregate {
                AggregateExpression::FunctionCall { expr, .. } => Some(expr),
                AggregateExpression::CountSolutions { .. } => None,
            })
            .collect(),
        GraphPattern::Bgp { .. }
        | GraphPattern::Path { .. }
        | GraphPattern::Values { .. }
        | GraphPattern::Join { .. }
        | GraphPattern::Lateral { .. }
        | GraphPattern::Union { .. }
        | GraphPattern::Minus { .. }
        | GraphPattern::Graph { .. }
        | GraphPattern::Project { .. }
        | GraphPattern::Distinct { .. }
        | GraphPattern::Reduced { .. }
        | GraphPattern::Slice { .. }
        | GraphPattern::Service { .. } => Vec::new(),
    }
}

/// The expressions that an expression is made of, in their order; of EXISTS, which is made of a pattern, none.
pub fn parts(expression: &Expression) -> Vec<&Expression> {
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

/// As [`parts`], to change them.
pub fn parts_mut(expression: &mut Expression) -> Vec<&mut Expression> {
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
        Expression::In(a, list) => std::iter::once(&mut **a).chain(list).collect(),
        Expression::Coalesce(list) | Expression::FunctionCall(_, list) => list.iter_mut().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::{Query, SparqlParser};

    /// Every variable that an expression of the query names, in the order in which it is met.
    fn met(pattern: &GraphPattern, names: &mut Vec<String>) {
        for expression in expressions(pattern) {
            named(expression, names);
        }
        for child in children(pattern) {
            met(child, names);
        }
    }

    fn named(expression: &Expression, names: &mut Vec<String>) {
        match expression {
            Expression::Variable(name) | Expression::Bound(name) => {
                names.push(name.as_str().to_owned());
            }
            Expression::Exists(pattern) => met(pattern, names),
            _ => {}
        }
        for part in parts(expression) {
            named(part, names);
        }
    }

    #[test]
    fn nothing_below_is_missed() {
        let query = "SELECT (SUM(?a + ?b) AS ?sum) {
              { ?s ?p ?o OPTIONAL { ?s ?q ?v FILTER(?c = ?d) } }
              UNION { GRAPH ?g { ?s ?p ?o FILTER(?e IN (?f, 1, ?h) && !BOUND(?i)) } }
              MINUS { BIND(IF(?j, COALESCE(?k, 2), CONCAT(?l, -?m)) AS ?n) }
              FILTER NOT EXISTS { ?s ?p ?o FILTER(sameTerm(?r, ?t)) }
              SERVICE ?z { ?s ?p ?o FILTER(?u < ?v1) }
            } GROUP BY ?g ORDER BY DESC(?w) LIMIT 5";
        let query = SparqlParser::new().parse_query(query).unwrap();
        let Query::Select { mut pattern, .. } = query else {
            panic!("a SELECT query");
        };
        let mut names = Vec::new();
        met(&pattern, &mut names);
        for name in "a b c d e f h i j k l m r t u v1 w".split(' ') {
            assert!(names.iter().any(|met| met == name), "{name}: {names:?}");
        }
        // What can be changed is what can be seen.
        let mut same = true;
        compare(&mut pattern, &mut same);
        assert!(same);
    }

    fn compare(pattern: &mut GraphPattern, same: &mut bool) {
        let mut copy = pattern.clone();
        *same &= expressions(pattern).len() == expressions_mut(&mut copy).len();
        for expression in expressions_mut(&mut copy) {
            let seen: Vec<_> = parts(expression).into_iter().cloned().collect();
            let changed = parts_mut(expression).into_iter();
            *same &= changed.map(|part| part.clone()).collect::<Vec<_>>() == seen;
        }
        for child in children(pattern) {
            compare(&mut child.clone(), same);
        }
    }
}
