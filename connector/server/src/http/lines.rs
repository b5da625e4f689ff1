//! An answer as lines of JSON (`application/x-ndjson`): rows leave as they come, each with its sources, and the outcome is the
//! last line. For those who read no trailers, as scripts in browsers, or who show what is there while others are waited for.
//!
//! - first `{"head":{"vars":["x"]}}`; of a truth value `{"head":{},"boolean":true}`, of a graph `{"head":{}}`;
//! - then `{"binding":{"x":TERM},"sources":[0,2]}` for each row, or `{"triple":{"subject":TERM,"predicate":TERM,"object":TERM}}`.
//!   Terms are as in [SPARQL 1.1 Query Results JSON](https://www.w3.org/TR/sparql11-results-json/#select-encode-terms);
//!   sources are places in the outcome's list;
//! - last `{"outcome":{"request","complete","rows","sources":[...],"unsure":[...],"receipt"}}`. Without that line the answer
//!   broke off, and is none.

use super::outcome::told;
use oxrdf::{Term, Triple, Variable};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use twinlink_core::{Head, Outcome, Solution};
use uuid::Uuid;

/// <https://github.com/ndjson/ndjson-spec#4-mediatype-and-file-extensions>
pub(super) const MEDIA_TYPE: &str = "application/x-ndjson";

pub(super) fn head(head: &Head) -> Vec<u8> {
    line(&match head {
        Head::Boolean(value) => json!({ "head": {}, "boolean": value }),
        Head::Graph => json!({ "head": {} }),
        Head::Solutions(variables) => {
            let vars: Vec<_> = variables.iter().map(Variable::as_str).collect();
            json!({ "head": { "vars": vars } })
        }
    })
}

pub(super) fn row(variables: &[Variable], row: &Solution) -> Vec<u8> {
    let values = variables.iter().zip(&row.values);
    let bound = values.filter_map(|(variable, value)| {
        let value = term(value.as_ref()?);
        Some((variable.as_str().to_owned(), value))
    });
    line(&json!({ "binding": bound.collect::<Map<_, _>>(), "sources": &row.sources[..] }))
}

pub(super) fn triple(triple: &Triple) -> Vec<u8> {
    line(&json!({ "triple": {
        "subject": term(&triple.subject.clone().into()),
        "predicate": term(&triple.predicate.clone().into()),
        "object": term(&triple.object),
    } }))
}

pub(super) fn outcome(request: Uuid, outcome: &Outcome) -> Vec<u8> {
    line(&json!({ "outcome": {
        "request": request.to_string(),
        "complete": outcome.complete,
        "rows": outcome.rows,
        "sources": told(&outcome.sources),
        "unsure": outcome.unsure,
        "receipt": outcome.receipt,
    } }))
}

fn term(term: &Term) -> Value {
    match term {
        Term::NamedNode(name) => json!({ "type": "uri", "value": name.as_str() }),
        Term::BlankNode(blank) => json!({ "type": "bnode", "value": blank.as_str() }),
        Term::Literal(literal) => {
            let value = literal.value();
            match literal.language() {
                Some(language) => {
                    json!({ "type": "literal", "value": value, "xml:lang": language })
                }
                None if literal.datatype() == oxrdf::vocab::xsd::STRING => {
                    json!({ "type": "literal", "value": value })
                }
                None => {
                    let datatype = literal.datatype().as_str();
                    json!({ "type": "literal", "value": value, "datatype": datatype })
                }
            }
        }
    }
}

fn line(value: &Value) -> Vec<u8> {
    let mut text = String::new();
    // Writing to a string does not fail, and JSON has no bare line ends.
    let _ = writeln!(text, "{value}");
    text.into_bytes()
}
