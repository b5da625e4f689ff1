//! Query text to algebra, within bounds.

mod brief;
mod fault;
mod size;

use crate::{Change, Limits, Refusal};
use spargebra::algebra::GraphPattern;
use spargebra::{GraphUpdateOperation, Query, SparqlParser, Update};

pub(crate) use brief::is_brief;

/// The most characters of operators in one text: a chain of so many fits the stack of a worker several times.
const OPERATORS: usize = 2_000;

/// The most patterns and expressions in one query, or in one operation of an update; a triple pattern counts thrice.
const NODES: usize = 500;

/// Parses a SPARQL 1.1 query after checking its length and nesting.
///
/// The parser recurses: call this on [`crate::Workers`], whose stack is deep enough for [`Limits::nesting`].
///
/// # Errors
/// [`crate::Code::Invalid`] with the parser's line and column.
pub fn parse_query(text: &str, base: Option<&str>, limits: &Limits) -> Result<Query, Refusal> {
    check_bounds(text, limits)?;
    let query = parser(base)?.parse_query(text).map_err(|error| {
        match parser(base).map(|parser| parser.parse_update(text)) {
            Ok(Ok(update)) if !update.operations.is_empty() => fault::other("update", "query"),
            _ => fault::refusal(text, &error),
        }
    })?;
    let (Query::Select { pattern, .. }
    | Query::Ask { pattern, .. }
    | Query::Construct { pattern, .. }
    | Query::Describe { pattern, .. }) = &query;
    check_size(pattern)?;
    Ok(query)
}

/// Parses a SPARQL 1.1 update, as [`parse_query`] does a query.
///
/// # Errors
/// As [`parse_query`].
pub fn parse_update(text: &str, base: Option<&str>, limits: &Limits) -> Result<Update, Refusal> {
    check_bounds(text, limits)?;
    let update = parser(base)?.parse_update(text).map_err(|error| {
        match parser(base).map(|parser| parser.parse_query(text)) {
            Ok(Ok(_)) => fault::other("query", "update"),
            _ => fault::refusal(text, &error),
        }
    })?;
    for operation in &update.operations {
        if let GraphUpdateOperation::DeleteInsert { pattern, .. } = operation {
            check_size(pattern)?;
        }
    }
    Ok(update)
}

/// Checks an update's text, and that only one of protocol and text names its dataset:
/// <https://www.w3.org/TR/sparql11-protocol/#update-dataset>. Other changes have no text.
///
/// # Errors
/// As [`parse_update`].
pub(crate) fn check_change(change: &Change, limits: &Limits) -> Result<(), Refusal> {
    let Change::Update {
        update,
        base,
        using,
    } = change
    else {
        return Ok(());
    };
    let parsed = parse_update(update, base.as_deref(), limits)?;
    let named_in_text = parsed.operations.iter().any(
        |operation| matches!(operation, GraphUpdateOperation::DeleteInsert { using, .. } if using.is_some()),
    );
    if using.is_some() && named_in_text {
        return Err(Refusal::about_input(
            "sparql.using",
            "the protocol's using-graph-uri or using-named-graph-uri and the update's own USING or WITH exclude \
             each other: remove one",
        ));
    }
    Ok(())
}

fn parser(base: Option<&str>) -> Result<SparqlParser, Refusal> {
    let parser = SparqlParser::new();
    match base {
        Some(base) => parser
            .with_base_iri(base)
            .map_err(|error| Refusal::about_input("sparql.base", error)),
        None => Ok(parser),
    }
}

/// Bounds what a recursive parser will go down.
fn check_bounds(text: &str, limits: &Limits) -> Result<(), Refusal> {
    if text.len() > limits.query_bytes {
        return Err(Refusal::about_input(
            "sparql.length",
            format_args!(
                "the text has {} bytes, the limit is {}",
                text.len(),
                limits.query_bytes
            ),
        ));
    }
    let shape = size::shape(text);
    if shape.nesting > limits.nesting {
        let before = text.get(..shape.deepest).unwrap_or_default();
        return Err(Refusal::about_input(
            "sparql.nesting",
            format_args!(
                "brackets nest {} deep on line {}, the limit is {}",
                shape.nesting,
                before.matches('\n').count() + 1,
                limits.nesting
            ),
        ));
    }
    if shape.operators > OPERATORS {
        return Err(Refusal::about_input(
            "sparql.operators",
            format_args!(
                "the text has {} operators, the limit is {OPERATORS}",
                shape.operators
            ),
        ));
    }
    Ok(())
}

/// Optimizers and evaluators go down the algebra, and whoever drops it does too, on threads with shorter stacks.
// INVARIANT(bounded-depth): no text that is let in makes any thread go deeper than its stack.
fn check_size(pattern: &GraphPattern) -> Result<(), Refusal> {
    let nodes = size::nodes(pattern);
    if nodes > NODES {
        return Err(Refusal::about_input(
            "sparql.size",
            format_args!(
                "the pattern has {nodes} operators and expressions, a triple pattern counting thrice; the limit is \
                 {NODES}: give constants by VALUES or IN, and split the rest"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_name_the_place() {
        let error =
            parse_query("SELECT * WHERE {\n ?s ?p }", None, &Limits::default()).unwrap_err();
        assert!(error.public().contains("2"), "{}", error.public());
    }

    #[test]
    fn the_dataset_of_an_update_is_named_once() {
        let check = |update: &str, using: bool| {
            let change = Change::Update {
                update: update.to_owned(),
                base: None,
                using: using.then(Default::default),
            };
            check_change(&change, &Limits::default()).map_err(|refusal| refusal.check())
        };
        let with = "WITH <http://a/> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }";
        assert_eq!(check(with, true), Err("sparql.using"));
        assert_eq!(check(with, false), Ok(()));
        assert_eq!(check("DELETE WHERE { ?s ?p ?o }", true), Ok(()));
        assert_eq!(check("CLEAR XYZ", false), Err("sparql.syntax"));
    }

    #[test]
    fn deep_nesting_is_refused_before_parsing() {
        let text = format!("ASK {{ FILTER({}1{}) }}", "(".repeat(500), ")".repeat(500));
        let error = parse_query(&text, None, &Limits::default()).unwrap_err();
        assert_eq!(error.check(), "sparql.nesting");
    }
}
