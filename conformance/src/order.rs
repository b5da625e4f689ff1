//! Whether rows come in the order that a query asks for. Rows that it does not tell apart may come in any.

use crate::answer::Answer;
use oxrdf::{BlankNode, Dataset, Literal, NamedNode, Quad, Term, Variable};
use spareval::{QueryEvaluator, QueryResults};
use spargebra::Query;
use spargebra::algebra::{Expression, Function, GraphPattern, OrderExpression};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use std::collections::BTreeSet;

/// Sorted by what the query sorts by, and then by their places, the rows are as they are. Nothing is said where that is not
/// to be found in the rows, or is by chance. Whether something is said.
///
/// # Errors
/// The first row that should come later.
pub(crate) fn in_order(query: &Query, answer: &Answer) -> Result<bool, String> {
    let (Answer::Table(table), Some(keys)) = (answer, keys(query)) else {
        return Ok(false);
    };
    let mut names = BTreeSet::new();
    for key in keys {
        let (OrderExpression::Asc(key) | OrderExpression::Desc(key)) = key;
        if !variables(key, &mut names) {
            return Ok(false);
        }
    }
    if !names.iter().all(|name| table.variables.contains(name)) {
        return Ok(false);
    }
    let mut data = Dataset::new();
    for (place, row) in table.rows.iter().enumerate() {
        let node = BlankNode::default();
        let mut say = |property: NamedNode, value: Term| {
            let graph = oxrdf::GraphName::DefaultGraph;
            data.insert(&Quad::new(node.clone(), property, value, graph));
        };
        say(property("place"), Literal::from(place as u64).into());
        for (name, value) in table.variables.iter().zip(row) {
            match value {
                // Which of two comes first is nobody's to say.
                Some(Term::BlankNode(_)) => {
                    say(named(name), BlankNode::new_unchecked("one").into())
                }
                Some(value) => say(named(name), value.clone()),
                None => {}
            }
        }
    }
    let place = Variable::new_unchecked("placeOfRow");
    let mut pattern = said(property("place"), &place);
    for name in names {
        pattern = GraphPattern::LeftJoin {
            left: Box::new(pattern),
            right: Box::new(said(named(&name), &name)),
            expression: None,
        };
    }
    let by_place = OrderExpression::Asc(place.clone().into());
    let sorted = Query::Select {
        dataset: None,
        pattern: GraphPattern::Project {
            inner: Box::new(GraphPattern::OrderBy {
                inner: Box::new(pattern),
                expression: keys.iter().cloned().chain([by_place]).collect(),
            }),
            variables: vec![place],
        },
        base_iri: None,
    };
    let word = |error: spareval::QueryEvaluationError| error.to_string();
    let evaluator = QueryEvaluator::new();
    let QueryResults::Solutions(rows) = evaluator.prepare(&sorted).execute(&data).map_err(word)?
    else {
        return Ok(false);
    };
    for (place, row) in rows.enumerate() {
        let row = row.map_err(word)?;
        let expected = Term::from(Literal::from(place as u64));
        if row.get(0) != Some(&expected) {
            return Err(format!("row {place} should come later"));
        }
    }
    Ok(true)
}

/// What the rows of the query are sorted by.
fn keys(query: &Query) -> Option<&[OrderExpression]> {
    let Query::Select { pattern, .. } = query else {
        return None;
    };
    let mut pattern = pattern;
    loop {
        match pattern {
            GraphPattern::OrderBy { expression, .. } => return Some(expression),
            GraphPattern::Project { inner, .. }
            | GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner }
            | GraphPattern::Slice { inner, .. } => pattern = inner,
            _ => return None,
        }
    }
}

/// Adds the variables of an expression, whose value is the same each time; false where it looks at data, or is by chance.
fn variables(expression: &Expression, names: &mut BTreeSet<Variable>) -> bool {
    use Expression as E;
    let all = |parts: &[Expression], names: &mut BTreeSet<Variable>| {
        parts.iter().all(|part| variables(part, names))
    };
    match expression {
        E::NamedNode(_) | E::Literal(_) => true,
        E::Variable(name) | E::Bound(name) => {
            names.insert(name.clone());
            true
        }
        E::Or(a, b)
        | E::And(a, b)
        | E::Equal(a, b)
        | E::SameTerm(a, b)
        | E::Greater(a, b)
        | E::GreaterOrEqual(a, b)
        | E::Less(a, b)
        | E::LessOrEqual(a, b)
        | E::Add(a, b)
        | E::Subtract(a, b)
        | E::Multiply(a, b)
        | E::Divide(a, b) => variables(a, names) && variables(b, names),
        E::UnaryPlus(a) | E::UnaryMinus(a) | E::Not(a) => variables(a, names),
        E::In(a, parts) => variables(a, names) && all(parts, names),
        E::If(a, b, c) => variables(a, names) && variables(b, names) && variables(c, names),
        E::Coalesce(parts) => all(parts, names),
        E::FunctionCall(
            Function::Rand
            | Function::Now
            | Function::Uuid
            | Function::StrUuid
            | Function::BNode
            | Function::Custom(_),
            _,
        )
        | E::Exists(_) => false,
        E::FunctionCall(_, parts) => all(parts, names),
    }
}

fn property(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("urn:x-row:{name}"))
}

fn named(variable: &Variable) -> NamedNode {
    property(&format!("value:{}", variable.as_str()))
}

fn said(property: NamedNode, value: &Variable) -> GraphPattern {
    GraphPattern::Bgp {
        patterns: vec![TriplePattern {
            subject: TermPattern::Variable(Variable::new_unchecked("rowItself")),
            predicate: NamedNodePattern::NamedNode(property),
            object: TermPattern::Variable(value.clone()),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Table;
    use spargebra::SparqlParser;

    fn check(query: &str, rows: &[&[Option<Term>]]) -> Result<bool, String> {
        let query = SparqlParser::new().parse_query(query).unwrap();
        let names = ["a", "b"].map(Variable::new_unchecked);
        let answer = Answer::Table(Table {
            variables: names.to_vec(),
            rows: rows.iter().map(|row| row.to_vec()).collect(),
            ordered: false,
        });
        in_order(&query, &answer)
    }

    #[test]
    fn rows_are_sorted_and_ties_are_free() {
        let number = |number: i64| Some(Term::from(Literal::from(number)));
        let (one, two, three) = (
            [number(1), number(7)],
            [number(1), number(5)],
            [number(2), None],
        );
        let by_a = "SELECT ?a ?b { ?a ?p ?b } ORDER BY ?a";
        assert_eq!(check(by_a, &[&one, &two, &three]), Ok(true));
        assert_eq!(check(by_a, &[&two, &one, &three]), Ok(true));
        assert!(check(by_a, &[&one, &three, &two]).is_err());
        let by_both = "SELECT DISTINCT ?a ?b { ?a ?p ?b } ORDER BY DESC(?a) (?b + 1) LIMIT 3";
        assert_eq!(check(by_both, &[&three, &two, &one]), Ok(true));
        assert!(check(by_both, &[&three, &one, &two]).is_err());
        // What is not there comes first.
        assert!(check("SELECT ?a ?b { ?a ?p ?b } ORDER BY ?b", &[&one, &three]).is_err());
    }

    #[test]
    fn what_is_not_in_the_rows_is_left_alone() {
        let row = [Some(Term::from(Literal::from(1))), None];
        for query in [
            "SELECT ?a ?b { ?a ?p ?b }",
            "SELECT ?a ?b { ?a ?p ?b } ORDER BY ?p",
            "SELECT ?a ?b { ?a ?p ?b } ORDER BY RAND()",
        ] {
            assert_eq!(check(query, &[&row]), Ok(false));
        }
    }
}
