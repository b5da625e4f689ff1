//! Which questions may be answered in no time: by their form, before anything is known of the data.

use super::size;
use crate::algebra::{children, expressions, parts};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};

/// The most patterns and expressions, as [`size::nodes`] counts them: the optimizer is through these in microseconds.
const NODES: usize = 12;
/// The most rows of VALUES and members of IN.
const LIST: usize = 32;

/// Whether an answer may take no time worth speaking of: few patterns, and nothing that works on much before it gives a
/// row, that walks paths, or that calls a function.
pub(crate) fn is_brief(query: &Query) -> bool {
    match query {
        Query::Select { pattern, .. }
        | Query::Ask { pattern, .. }
        | Query::Construct { pattern, .. } => {
            size::nodes(pattern) <= NODES && is_brief_pattern(pattern)
        }
        Query::Describe { .. } => false,
    }
}

fn is_brief_pattern(pattern: &GraphPattern) -> bool {
    let itself = match pattern {
        GraphPattern::Bgp { .. }
        | GraphPattern::Join { .. }
        | GraphPattern::LeftJoin { .. }
        | GraphPattern::Union { .. }
        | GraphPattern::Minus { .. }
        | GraphPattern::Filter { .. }
        | GraphPattern::Extend { .. }
        | GraphPattern::Graph { .. }
        | GraphPattern::Project { .. }
        | GraphPattern::Distinct { .. }
        | GraphPattern::Reduced { .. }
        | GraphPattern::Slice { .. } => true,
        GraphPattern::Values { bindings, .. } => bindings.len() <= LIST,
        GraphPattern::Path { .. }
        | GraphPattern::Lateral { .. }
        | GraphPattern::OrderBy { .. }
        | GraphPattern::Group { .. }
        | GraphPattern::Service { .. } => false,
    };
    itself
        && expressions(pattern).into_iter().all(is_brief_expression)
        && children(pattern).into_iter().all(is_brief_pattern)
}

fn is_brief_expression(expression: &Expression) -> bool {
    let itself = match expression {
        Expression::NamedNode(_)
        | Expression::Literal(_)
        | Expression::Variable(_)
        | Expression::Bound(_)
        | Expression::Or(..)
        | Expression::And(..)
        | Expression::Not(_)
        | Expression::Equal(..)
        | Expression::SameTerm(..)
        | Expression::Greater(..)
        | Expression::GreaterOrEqual(..)
        | Expression::Less(..)
        | Expression::LessOrEqual(..) => true,
        Expression::In(_, list) => list.len() <= LIST,
        Expression::Add(..)
        | Expression::Subtract(..)
        | Expression::Multiply(..)
        | Expression::Divide(..)
        | Expression::UnaryPlus(_)
        | Expression::UnaryMinus(_)
        | Expression::If(..)
        | Expression::Coalesce(_)
        | Expression::FunctionCall(..)
        | Expression::Exists(_) => false,
    };
    itself && parts(expression).into_iter().all(is_brief_expression)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::SparqlParser;

    #[test]
    fn only_small_questions_are_brief() {
        for (text, brief) in [
            ("ASK { <http://e/s> <http://e/p> <http://e/o> }", true),
            (
                "SELECT ?o { ?s ?p ?o FILTER(?o = 1 || ?o IN (2, 3)) }",
                true,
            ),
            (
                "SELECT ?o { GRAPH ?g { ?s ?p ?o } OPTIONAL { ?o ?q ?r } } LIMIT 3",
                true,
            ),
            ("CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }", true),
            ("DESCRIBE <http://e/s>", false),
            ("SELECT ?o { ?s <http://e/p>* ?o }", false),
            ("SELECT ?o { ?s ?p ?o FILTER(REGEX(?o, 'a')) }", false),
            ("SELECT ?o { ?s ?p ?o } ORDER BY ?o", false),
            ("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", false),
            (
                "SELECT ?o { ?s ?p ?o FILTER NOT EXISTS { ?o ?p ?s } }",
                false,
            ),
            (
                "SELECT * { ?a ?b ?c . ?c ?d ?e . ?e ?f ?g . ?g ?h ?i . ?i ?j ?k . ?k ?l ?m . ?m ?n ?o . ?o ?p ?q . ?q ?r ?s }",
                false,
            ),
        ] {
            let query = SparqlParser::new().parse_query(text).unwrap();
            assert_eq!(is_brief(&query), brief, "{text}");
        }
    }
}
