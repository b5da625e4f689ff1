//! Whether an answer is the expected one.
//!
//! Terms are compared by value: engines may keep `01` or write `1`, as the suites' authors allow. What a value is
//! depends on the datatype, and the datatype itself must be the expected one.

use crate::answer::{Answer, Table};
use crate::canonical::canonical;
use oxrdf::vocab::xsd;
use oxrdf::{BlankNode, Graph, GraphName, Literal, NamedNode, Quad, Term, Variable};
use oxsdatatypes::{Boolean, DateTime, Decimal, Double, Float, Integer};
use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;

/// Compares answers: graphs and datasets up to the names of blank nodes, tables as multisets, or in order where the
/// expected one is ordered.
///
/// # Errors
/// The first difference, in words.
pub(crate) fn same_answer(expected: &Answer, actual: &Answer) -> Result<(), String> {
    match (expected, actual) {
        (Answer::Boolean(expected), Answer::Boolean(actual)) if expected == actual => Ok(()),
        (Answer::Boolean(expected), Answer::Boolean(actual)) => {
            Err(format!("expected {expected}, got {actual}"))
        }
        (Answer::Graph(expected), Answer::Graph(actual)) => same_graph(expected, actual),
        (Answer::Table(expected), Answer::Table(actual)) => same_table(expected, actual),
        _ => Err(format!("expected {}, got {}", kind(expected), kind(actual))),
    }
}

/// Compares graphs.
///
/// # Errors
/// As [`same_answer`].
pub(crate) fn same_graph(expected: &Graph, actual: &Graph) -> Result<(), String> {
    let quads = |graph: &Graph| -> Vec<Quad> {
        let default = GraphName::DefaultGraph;
        let triples = graph.iter().map(oxrdf::TripleRef::into_owned);
        triples
            .map(|triple| triple.in_graph(default.clone()))
            .collect()
    };
    same_quads(quads(expected), quads(actual))
}

/// Compares datasets.
///
/// # Errors
/// As [`same_answer`].
pub(crate) fn same_quads(expected: Vec<Quad>, actual: Vec<Quad>) -> Result<(), String> {
    let form = |quads: Vec<Quad>| {
        canonical(quads.into_iter().map(|mut quad| {
            quad.object = by_value(quad.object);
            quad
        }))
    };
    same_lines(&form(expected)?, &form(actual)?)
}

fn same_table(expected: &Table, actual: &Table) -> Result<(), String> {
    let names = |table: &Table| -> BTreeSet<String> {
        let variables = table.variables.iter();
        variables.map(|name| name.as_str().to_owned()).collect()
    };
    let (expected_names, actual_names) = (names(expected), names(actual));
    if expected_names != actual_names {
        return Err(format!(
            "expected variables {expected_names:?}, got {actual_names:?}"
        ));
    }
    if expected.rows.len() != actual.rows.len() {
        return Err(format!(
            "expected {} rows, got {}",
            expected.rows.len(),
            actual.rows.len()
        ));
    }
    let ordered = expected.ordered;
    let form = |table| canonical(as_quads(table, ordered));
    if form(expected)? == form(actual)? {
        return Ok(());
    }
    let text = |table: &Table| {
        let rows = table.rows.iter();
        let mut lines: Vec<_> = rows.map(|row| line(&table.variables, row)).collect();
        if !ordered {
            lines.sort();
        }
        lines
    };
    let (expected, actual) = (text(expected), text(actual));
    let different = expected
        .iter()
        .zip(&actual)
        .find(|(one, other)| one != other);
    Err(match different {
        Some((one, other)) => format!("expected the row {one}, got {other}"),
        None => "rows share blank nodes otherwise".to_owned(),
    })
}

/// A row for the report, without the names of blank nodes.
fn line(variables: &[Variable], row: &[Option<Term>]) -> String {
    let values = variables.iter().zip(row);
    let values = values.filter_map(|(variable, value)| match value.as_ref()? {
        Term::BlankNode(_) => Some(format!("{variable}=_:")),
        term => Some(format!("{variable}={}", by_value(term.clone()))),
    });
    let mut values: Vec<_> = values.collect();
    values.sort();
    format!("({})", values.join(" "))
}

/// A table as quads: a blank node for each different row, with how often it comes, or where if order counts.
///
/// Rows hang together only by the blank nodes that they share, so telling them apart stays cheap.
fn as_quads(table: &Table, ordered: bool) -> Vec<Quad> {
    let mut places: HashMap<Vec<(&str, Term)>, Vec<usize>> = HashMap::new();
    for (place, row) in table.rows.iter().enumerate() {
        let mut key: Vec<(&str, Term)> = table
            .variables
            .iter()
            .zip(row)
            .filter_map(|(variable, value)| Some((variable.as_str(), by_value(value.clone()?))))
            .collect();
        key.sort_by_key(|(variable, _)| *variable);
        places.entry(key).or_default().push(place);
    }
    let mut quads = Vec::new();
    for (row, places) in places {
        let node = BlankNode::default();
        let mut say = |property: &str, value: Term| {
            let property = NamedNode::new_unchecked(format!("urn:row:{property}"));
            quads.push(Quad::new(
                node.clone(),
                property,
                value,
                GraphName::DefaultGraph,
            ));
        };
        if ordered {
            for place in places {
                say("place", Literal::from(place as u64).into());
            }
        } else {
            say("count", Literal::from(places.len() as u64).into());
        }
        for (variable, value) in row {
            say(&format!("value:{variable}"), value);
        }
    }
    quads
}

/// Compares lines.
///
/// # Errors
/// One that is missing, and one that is surplus.
pub(crate) fn same_lines(expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let lines = |text| -> BTreeSet<&str> { str::lines(text).collect() };
    let (wanted, got) = (lines(expected), lines(actual));
    let missing = wanted.difference(&got).next();
    let surplus = got.difference(&wanted).next();
    Err(match (missing, surplus) {
        (Some(missing), Some(surplus)) => format!("missing: {missing} surplus: {surplus}"),
        (Some(missing), None) => format!("missing: {missing}"),
        (None, Some(surplus)) => format!("surplus: {surplus}"),
        (None, None) => "the same lines in another order".to_owned(),
    })
}

/// The term with its value written in the canonical way of its datatype.
fn by_value(term: Term) -> Term {
    let Term::Literal(literal) = &term else {
        return term;
    };
    let (text, datatype) = (literal.value(), literal.datatype());
    let canonical = match datatype {
        xsd::INTEGER => rewritten::<Integer>(text),
        xsd::DECIMAL => rewritten::<Decimal>(text),
        xsd::DOUBLE => rewritten::<Double>(text),
        xsd::FLOAT => rewritten::<Float>(text),
        xsd::BOOLEAN => rewritten::<Boolean>(text),
        xsd::DATE_TIME => rewritten::<DateTime>(text),
        _ => None,
    };
    match canonical {
        Some(text) => Literal::new_typed_literal(text, datatype).into(),
        None => term,
    }
}

fn rewritten<T: FromStr + ToString>(text: &str) -> Option<String> {
    text.parse::<T>().ok().map(|value| value.to_string())
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Boolean(_) => "a truth value",
        Answer::Graph(_) => "a graph",
        Answer::Table(_) => "rows",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[Option<Term>]], ordered: bool) -> Table {
        Table {
            variables: vec![Variable::new_unchecked("a"), Variable::new_unchecked("b")],
            rows: rows.iter().map(|row| row.to_vec()).collect(),
            ordered,
        }
    }

    fn text(value: &str) -> Option<Term> {
        Some(Literal::from(value).into())
    }

    #[test]
    fn rows_are_a_multiset() {
        let (x, y) = ([text("x"), None], [text("y"), None]);
        let expected = table(&[&x, &y, &x], false);
        assert!(same_table(&expected, &table(&[&y, &x, &x], false)).is_ok());
        assert!(same_table(&expected, &table(&[&y, &y, &x], false)).is_err());
        assert!(same_table(&expected, &table(&[&x, &y], false)).is_err());
    }

    #[test]
    fn order_counts_where_it_is_expected() {
        let (x, y) = ([text("x"), None], [text("y"), None]);
        let expected = table(&[&x, &y, &x], true);
        assert!(same_table(&expected, &table(&[&x, &y, &x], false)).is_ok());
        assert!(same_table(&expected, &table(&[&x, &x, &y], false)).is_err());
    }

    #[test]
    fn blank_nodes_are_matched_across_rows() {
        let node = || Some(Term::from(BlankNode::default()));
        let (n, m) = (node(), node());
        let shared = table(&[&[n.clone(), text("1")], &[n, text("2")]], false);
        let apart = table(&[&[m, text("1")], &[node(), text("2")]], false);
        let k = node();
        let again = table(&[&[k.clone(), text("2")], &[k, text("1")]], false);
        assert!(same_table(&shared, &again).is_ok());
        assert!(same_table(&shared, &apart).is_err());
    }

    #[test]
    fn values_are_compared_not_their_spelling() {
        let typed = |text, datatype| Some(Term::from(Literal::new_typed_literal(text, datatype)));
        let one = table(&[&[typed("1.0", xsd::DECIMAL), None]], false);
        let same = table(&[&[typed("01", xsd::DECIMAL), None]], false);
        let other = table(&[&[typed("1", xsd::INTEGER), None]], false);
        assert!(same_table(&one, &same).is_ok());
        assert!(same_table(&one, &other).is_err());
    }

    #[test]
    fn variables_must_be_the_same() {
        let mut actual = table(&[], false);
        actual.variables.pop();
        assert!(same_table(&table(&[], false), &actual).is_err());
    }
}
