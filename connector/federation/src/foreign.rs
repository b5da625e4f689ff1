//! Sub-queries for endpoints that are no connectors: what form of answer they have, and what an endpoint may be asked in
//! their place that does not understand them.

use crate::text::query_text;
use oxrdf::Variable;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::{Query, SparqlParser};

/// What form of answer a sub-query has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubQueryForm {
    /// Rows over these variables.
    Solutions(Vec<Variable>),
    /// Triples.
    Graph,
    /// A truth value.
    Boolean,
}

/// The form of the answer to a sub-query; none where the text is no query.
pub fn form(text: &str) -> Option<SubQueryForm> {
    Some(match SparqlParser::new().parse_query(text).ok()? {
        Query::Select { pattern, .. } => SubQueryForm::Solutions(crate::algebra::columns(&pattern)),
        Query::Construct { .. } | Query::Describe { .. } => SubQueryForm::Graph,
        Query::Ask { .. } => SubQueryForm::Boolean,
    })
}

/// A question whether each of some patterns matches, as an ASK for each, in the order of its columns; none where the text
/// is no such question.
pub fn asks(text: &str) -> Option<Vec<String>> {
    let Query::Select { pattern, .. } = SparqlParser::new().parse_query(text).ok()? else {
        return None;
    };
    let GraphPattern::Project {
        mut inner,
        variables,
    } = pattern
    else {
        return None;
    };
    let mut patterns = Vec::new();
    loop {
        match *inner {
            GraphPattern::Extend {
                inner: rest,
                variable,
                expression: Expression::Exists(pattern),
            } => {
                patterns.push((variable, *pattern));
                inner = rest;
            }
            GraphPattern::Bgp { patterns } if patterns.is_empty() => break,
            _ => return None,
        }
    }
    let ask = |variable: &Variable| {
        let (_, pattern) = patterns.iter().find(|(name, _)| name == variable)?;
        query_text(&Query::Ask {
            dataset: None,
            pattern: pattern.clone(),
            base_iri: None,
        })
    };
    let asks: Option<Vec<_>> = variables.iter().map(ask).collect();
    asks.filter(|asks| !asks.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_about_patterns_is_one_for_each() {
        let text = "SELECT ?e0 ?e1 WHERE { BIND(EXISTS { ?v0 <urn:p> ?v1 } AS ?e0) BIND(EXISTS { GRAPH <urn:g> { <urn:s> ?v0 1 } } AS ?e1) }";
        let asks = asks(text).unwrap();
        assert_eq!(asks.len(), 2);
        assert!(
            asks[0].starts_with("ASK") && asks[0].contains("<urn:p>"),
            "{asks:?}"
        );
        assert!(asks[1].contains("<urn:g>"), "{asks:?}");
        for other in [
            "SELECT * { ?s ?p ?o }",
            "ASK { ?s ?p ?o }",
            "SELECT (1 AS ?e0) { }",
            "nonsense",
        ] {
            assert_eq!(super::asks(other), None, "{other}");
        }
    }

    #[test]
    fn forms_are_those_of_the_answers() {
        let names = vec![Variable::new_unchecked("b"), Variable::new_unchecked("a")];
        let text = "SELECT ?b ?a { ?a ?p ?b } LIMIT 1";
        assert_eq!(form(text), Some(SubQueryForm::Solutions(names)));
        assert_eq!(form("ASK { }"), Some(SubQueryForm::Boolean));
        assert_eq!(form("DESCRIBE <urn:a>"), Some(SubQueryForm::Graph));
        assert_eq!(form("?"), None);
    }
}
