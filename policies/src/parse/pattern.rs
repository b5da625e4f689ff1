//! Reads sets of nodes given as SPARQL: a graph pattern, or a SELECT query, whose `?this` is the node.
//!
//! The fragment: basic graph patterns and property paths, FILTER with (NOT) EXISTS, UNION, MINUS, VALUES and GRAPH.

mod measure;
pub(super) mod polarity;

use super::reader::Reader;
use crate::guard::NodePattern;
use oxrdf::vocab::xsd;
use oxrdf::{Term, Variable};
use polarity::{Outside, Rewriting, Side};
use spargebra::algebra::GraphPattern;
use spargebra::{Query, SparqlParser};

/// The longest text, in bytes.
const MOST_BYTES: usize = 8 << 10;
/// How deep brackets may nest: the parser goes down them, on whatever thread it is called.
const MOST_NESTING: usize = 12;
/// The most characters of operators: the parser goes one call deeper for each of a chain.
const MOST_OPERATORS: usize = 64;
/// The longest compiled pattern, as SPARQL, in bytes: three-valued EXISTS are written twice.
const MOST_COMPILED: usize = 64 << 10;

/// The node.
pub(super) fn this() -> Variable {
    Variable::new_unchecked("this")
}

/// Reads the text of a pattern.
pub(super) fn pattern(reader: &mut Reader<'_>, term: &Term, side: Side) -> Option<NodePattern> {
    let Term::Literal(literal) = term else {
        reader.malformed(format_args!("tl:pattern is a text of SPARQL, not {term}"));
        return None;
    };
    if literal.datatype() != xsd::STRING {
        reader.malformed(format_args!(
            "tl:pattern is a text of SPARQL of type xsd:string, not {}",
            literal.datatype()
        ));
        return None;
    }
    let text = literal.value().trim();
    if text.len() > MOST_BYTES {
        reader.too_many("bytes of one tl:pattern", MOST_BYTES);
        return None;
    }
    let size = measure::measure(text);
    if size.nesting > MOST_NESTING {
        reader.too_many("brackets inside one another in a tl:pattern", MOST_NESTING);
        return None;
    }
    if size.operators > MOST_OPERATORS {
        reader.too_many("operators in a tl:pattern", MOST_OPERATORS);
        return None;
    }
    if text.contains(polarity::ANONYMOUS) {
        reader.malformed(format_args!(
            "names in a tl:pattern cannot hold {}",
            polarity::ANONYMOUS
        ));
        return None;
    }
    let query = match text.starts_with('{') {
        true => format!("SELECT ?this WHERE {text}"),
        false => text.to_owned(),
    };
    let parsed = match SparqlParser::new().parse_query(&query) {
        Ok(parsed) => parsed,
        Err(error) => {
            reader.malformed(format_args!("tl:pattern is no SPARQL: {error}"));
            return None;
        }
    };
    match compile(parsed, side) {
        Ok(pattern) if pattern.text().len() <= MOST_COMPILED => Some(pattern),
        Ok(_) => {
            reader.too_many("bytes of one compiled tl:pattern", MOST_COMPILED);
            None
        }
        Err(Outside(what)) => {
            reader.malformed(format_args!(
                "tl:pattern uses {what}: patterns are made of triples, paths, FILTER, EXISTS, UNION, MINUS, VALUES \
                 and GRAPH, and ?this is in every solution"
            ));
            None
        }
    }
}

fn compile(query: Query, side: Side) -> Result<NodePattern, Outside> {
    let Query::Select {
        dataset, pattern, ..
    } = query
    else {
        return Err(Outside("a query form that is not SELECT".to_owned()));
    };
    if dataset.is_some() {
        return Err(Outside("FROM".to_owned()));
    }
    let mut pattern = pattern;
    loop {
        pattern = match pattern {
            GraphPattern::Distinct { inner } | GraphPattern::Reduced { inner } => *inner,
            other => break pattern_of(other, side),
        };
    }
}

fn pattern_of(projection: GraphPattern, side: Side) -> Result<NodePattern, Outside> {
    let GraphPattern::Project { inner, variables } = projection else {
        // An ORDER BY, a LIMIT: it says which.
        let error = Rewriting::default().pattern(projection, side);
        return Err(error
            .err()
            .unwrap_or_else(|| Outside("no SELECT".to_owned())));
    };
    let pattern = Rewriting::default().pattern(*inner, side)?;
    if !variables.contains(&this()) || !polarity::binds(&pattern, &this()) {
        return Err(Outside("solutions without ?this".to_owned()));
    }
    Ok(nodes(pattern))
}

/// The nodes that are `?this` in a pattern.
pub(super) fn nodes(pattern: GraphPattern) -> NodePattern {
    NodePattern::new(Query::Select {
        dataset: None,
        pattern: GraphPattern::Distinct {
            inner: Box::new(GraphPattern::Project {
                inner: Box::new(pattern),
                variables: vec![this()],
            }),
        },
        base_iri: None,
    })
}

/// The nodes that are in both sets.
pub(super) fn both(left: &NodePattern, right: &NodePattern) -> NodePattern {
    let (left, right) = if left <= right {
        (left, right)
    } else {
        (right, left)
    };
    let inner = |one: &NodePattern| match one.query() {
        Query::Select { pattern, .. } => Some(Box::new(pattern.clone())),
        _ => None,
    };
    match (inner(left), inner(right)) {
        _ if left == right => left.clone(),
        (Some(left), Some(right)) => nodes(GraphPattern::Join { left, right }),
        // Every node pattern is a SELECT.
        _ => nodes(GraphPattern::Values {
            variables: vec![this()],
            bindings: Vec::new(),
        }),
    }
}
