//! Answers of endpoints, with what real ones make of the standards.
//!
//! <https://www.w3.org/TR/sparql11-results-json/>, <https://www.w3.org/TR/rdf-sparql-XMLres/>, and for graphs N-Triples,
//! Turtle and RDF/XML.

use super::{EndpointRows, ResultForm};
use crate::Error;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderValue};
use oxrdf::{BlankNode, Literal, NamedNode, Term, Triple, Variable};
use oxrdfio::{RdfFormat, RdfParser};
use serde::Deserialize;
use sparesults::{QueryResultsFormat, QueryResultsParser, SliceQueryResultsParserOutput};
use std::collections::HashMap;

/// What is asked for.
pub(super) fn accept(form: &ResultForm) -> HeaderValue {
    HeaderValue::from_static(match form {
        ResultForm::Graph => "application/n-triples, text/turtle;q=0.8, application/rdf+xml;q=0.5",
        ResultForm::Solutions(_) | ResultForm::Boolean => {
            "application/sparql-results+json, application/sparql-results+xml;q=0.8"
        }
    })
}

/// Reads an answer of the form that was asked for; and whether there are more rows than wanted.
///
/// # Errors
/// [`Error::Nonsense`].
pub(super) fn read(
    headers: &HeaderMap,
    body: &[u8],
    form: &ResultForm,
    most: usize,
) -> Result<(EndpointRows, bool), Error> {
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = media_type.unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    match form {
        ResultForm::Graph => {
            // Older endpoints call N-Triples plain text.
            let format = match media_type {
                "text/plain" => Some(RdfFormat::NTriples),
                other => RdfFormat::from_media_type(other),
            };
            let format = format.ok_or_else(|| unknown(media_type))?;
            graph(format, body, most)
        }
        ResultForm::Solutions(_) | ResultForm::Boolean => match media_type {
            "application/sparql-results+json" | "application/json" | "text/json" => {
                from_json(body, form, most)
            }
            "application/sparql-results+xml" | "application/xml" | "text/xml" => {
                from_xml(body, form, most)
            }
            other => Err(unknown(other)),
        },
    }
}

fn unknown(media_type: &str) -> Error {
    Error::nonsense(format_args!("results as `{media_type}`"))
}

fn graph(format: RdfFormat, body: &[u8], most: usize) -> Result<(EndpointRows, bool), Error> {
    let mut triples = Vec::new();
    for quad in RdfParser::from_format(format).for_slice(body) {
        let quad = quad.map_err(|error| Error::nonsense(format_args!("a graph: {error}")))?;
        if triples.len() == most {
            return Ok((EndpointRows::Graph(triples), true));
        }
        triples.push(Triple::from(quad));
    }
    Ok((EndpointRows::Graph(triples), false))
}

/// As the standard has it; what is not there is not needed for what was asked.
#[derive(Deserialize)]
struct Json {
    boolean: Option<bool>,
    results: Option<JsonResults>,
}

#[derive(Deserialize)]
struct JsonResults {
    bindings: Vec<HashMap<String, JsonTerm>>,
}

#[derive(Deserialize)]
struct JsonTerm {
    #[serde(rename = "type")]
    kind: String,
    value: String,
    datatype: Option<String>,
    #[serde(rename = "xml:lang", alias = "lang")]
    language: Option<String>,
}

fn from_json(body: &[u8], form: &ResultForm, most: usize) -> Result<(EndpointRows, bool), Error> {
    let json: Json = serde_json::from_slice(body)
        .map_err(|error| Error::nonsense(format_args!("results: {error}")))?;
    match (form, json.boolean, json.results) {
        (ResultForm::Boolean, Some(value), _) => Ok((EndpointRows::Boolean(value), false)),
        (ResultForm::Solutions(variables), _, Some(results)) => {
            let is_long = results.bindings.len() > most;
            let rows = results.bindings.into_iter().take(most).map(|mut row| {
                let values = variables.iter().map(|variable| {
                    let value = row.remove(variable.as_str());
                    value.map(JsonTerm::term).transpose()
                });
                values.collect::<Result<Vec<_>, Error>>()
            });
            let rows = rows.collect::<Result<_, _>>()?;
            Ok((EndpointRows::Solutions(rows), is_long))
        }
        _ => Err(Error::nonsense(
            "results of another form than was asked for",
        )),
    }
}

impl JsonTerm {
    fn term(self) -> Result<Term, Error> {
        let wrong = |what: &str| Error::nonsense(format_args!("`{}` as {what}", self.value));
        let node = |iri: &str| NamedNode::new(iri).map_err(|_| wrong("an IRI"));
        Ok(match self.kind.as_str() {
            "uri" => node(&self.value)?.into(),
            "bnode" => blank(&self.value).into(),
            // Virtuoso says "typed-literal" where there is a datatype.
            "literal" | "typed-literal" => match (&self.language, &self.datatype) {
                (Some(language), _) => {
                    Literal::new_language_tagged_literal(self.value.clone(), language)
                        .map_err(|_| wrong("a text with a language"))?
                        .into()
                }
                (None, Some(datatype)) => {
                    let datatype = NamedNode::new(datatype.as_str());
                    let datatype = datatype.map_err(|_| wrong("a literal with a datatype"))?;
                    Literal::new_typed_literal(self.value, datatype).into()
                }
                (None, None) => Literal::new_simple_literal(self.value).into(),
            },
            _ => return Err(wrong("a term")),
        })
    }
}

/// A blank node by whatever its label is: Virtuoso's are IRIs. Different labels stay different.
fn blank(label: &str) -> BlankNode {
    let is_plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && !label.is_empty() {
        return BlankNode::new_unchecked(format!("b{label}"));
    }
    let hex: String = label.bytes().map(|byte| format!("{byte:02x}")).collect();
    BlankNode::new_unchecked(format!("x{hex}"))
}

fn from_xml(body: &[u8], form: &ResultForm, most: usize) -> Result<(EndpointRows, bool), Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::nonsense(format_args!("results: {error}"));
    let parser = QueryResultsParser::from_format(QueryResultsFormat::Xml);
    let output = parser.for_slice(body).map_err(|error| wrong(&error))?;
    match (form, output) {
        (ResultForm::Boolean, SliceQueryResultsParserOutput::Boolean(value)) => {
            Ok((EndpointRows::Boolean(value), false))
        }
        (ResultForm::Solutions(variables), SliceQueryResultsParserOutput::Solutions(solutions)) => {
            let mut rows = Vec::new();
            for solution in solutions {
                let solution = solution.map_err(|error| wrong(&error))?;
                if rows.len() == most {
                    return Ok((EndpointRows::Solutions(rows), true));
                }
                let value = |variable: &Variable| solution.get(variable).cloned();
                rows.push(variables.iter().map(value).collect());
            }
            Ok((EndpointRows::Solutions(rows), false))
        }
        _ => Err(wrong(&"of another form than was asked for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::vocab::xsd;

    fn answer(
        media_type: &'static str,
        body: &str,
        form: &ResultForm,
        most: usize,
    ) -> Result<(EndpointRows, bool), Error> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        read(&headers, body.as_bytes(), form, most)
    }

    fn names(names: &[&str]) -> ResultForm {
        let names = names.iter().map(|name| Variable::new_unchecked(*name));
        ResultForm::Solutions(names.collect())
    }

    #[test]
    fn results_are_read_as_endpoints_write_them() {
        let virtuoso = r#"{ "head": { "link": [], "vars": ["y", "x"] },
            "results": { "distinct": false, "ordered": true, "bindings": [
                { "x": { "type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#integer", "value": "1" }
                , "y": { "type": "bnode", "value": "nodeID://b10045" }},
                { "y": { "type": "literal", "xml:lang": "fi", "value": "koulu" }, "z": { "type": "uri", "value": "urn:z" }} ] } }"#;
        let (rows, is_long) = answer(
            "application/json; charset=utf-8",
            virtuoso,
            &names(&["x", "y"]),
            10,
        )
        .unwrap();
        assert!(!is_long);
        let EndpointRows::Solutions(rows) = rows else {
            panic!("{rows:?}")
        };
        // In the order that was asked for, and nothing else.
        assert_eq!(
            rows[0][0],
            Some(Literal::new_typed_literal("1", xsd::INTEGER).into())
        );
        assert!(matches!(rows[0][1], Some(Term::BlankNode(_))));
        assert_eq!(rows[1][0], None);
        assert_eq!(
            rows[1][1],
            Some(
                Literal::new_language_tagged_literal("koulu", "fi")
                    .unwrap()
                    .into()
            )
        );
        let (rows, is_long) = answer("application/json", virtuoso, &names(&["x"]), 1).unwrap();
        assert!(is_long && matches!(rows, EndpointRows::Solutions(rows) if rows.len() == 1));

        let xml = r#"<?xml version="1.0"?><sparql xmlns="http://www.w3.org/2005/sparql-results#">
            <head><variable name="x"/></head><results><result><binding name="x"><uri>urn:a</uri></binding></result></results></sparql>"#;
        let (rows, _) = answer("application/sparql-results+xml", xml, &names(&["x"]), 10).unwrap();
        let node = NamedNode::new_unchecked("urn:a");
        assert_eq!(rows, EndpointRows::Solutions(vec![vec![Some(node.into())]]));
        let ask = r#"{ "head": {}, "boolean": true }"#;
        let (value, _) = answer(
            "application/sparql-results+json",
            ask,
            &ResultForm::Boolean,
            1,
        )
        .unwrap();
        assert_eq!(value, EndpointRows::Boolean(true));

        let triples = "<urn:a> <urn:b> _:c .\n<urn:a> <urn:b> \"d\" .\n";
        let (rows, is_long) = answer("text/plain", triples, &ResultForm::Graph, 1).unwrap();
        assert!(is_long && matches!(rows, EndpointRows::Graph(triples) if triples.len() == 1));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let json = "application/sparql-results+json";
        for (media_type, body) in [
            ("text/html", "<html>"),
            (json, "{"),
            (json, r#"{ "head": {}, "boolean": true }"#),
            (
                json,
                r#"{ "results": { "bindings": [ { "x": { "type": "uri", "value": "a b> . ?x ?y" } } ] } }"#,
            ),
            (
                json,
                r#"{ "results": { "bindings": [ { "x": { "type": "quine", "value": "a" } } ] } }"#,
            ),
            (
                json,
                r#"{ "results": { "bindings": [ { "x": { "type": "literal", "value": "a", "datatype": "not an iri" } } ] } }"#,
            ),
            ("application/sparql-results+xml", "<sparql>"),
        ] {
            let answer = answer(media_type, body, &names(&["x"]), 10);
            assert!(
                matches!(answer, Err(Error::Nonsense(_))),
                "{body}: {answer:?}"
            );
        }
        assert!(answer("text/turtle", "<urn:a> <urn:b> .", &ResultForm::Graph, 9).is_err());
    }

    #[test]
    fn blank_nodes_keep_apart() {
        let labels = ["b1", "x6231", "nodeID://b1", "", "é", "6231", "xb1"];
        let nodes: std::collections::BTreeSet<_> = labels
            .iter()
            .map(|label| blank(label).as_str().to_owned())
            .collect();
        assert_eq!(nodes.len(), labels.len());
        assert!(
            nodes
                .iter()
                .all(|label| BlankNode::new(label.as_str()).is_ok())
        );
    }
}
