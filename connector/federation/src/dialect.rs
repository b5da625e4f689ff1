//! What a member evaluates as we do. A connector does all that we do; of an endpoint of others only that is certain
//! on which SPARQL 1.1 leaves no choice: <https://www.w3.org/TR/sparql11-query/#OperatorMapping>.
//!
//! A function that an endpoint lacks, or a comparison that it does not extend to a data type, is an error there, and an
//! error in a FILTER drops the row without a word. In what order it puts strings and mixed data types is its own choice,
//! and so what is the least of them, what a sum of them is, and what describes a node.

use crate::algebra::{children, exists_patterns, expressions};
use crate::summary::number;
use crate::text::is_portable;
use oxrdf::vocab::xsd;
use oxrdf::{Literal, NamedNode, Term};
use spargebra::Query;
use spargebra::algebra::{
    AggregateExpression, AggregateFunction, Expression, Function, GraphPattern,
};
use spargebra::term::GroundTerm;
use std::sync::Arc;

/// What is certain of how a member evaluates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// As we do: it is a connector.
    #[default]
    Ours,
    /// By SPARQL 1.1.
    Standard {
        /// Functions of others that it has as well, as whoever set it up declares.
        functions: Arc<[NamedNode]>,
        /// Whether it knows the conditions that came with SPARQL 1.1.
        conditions: bool,
    },
}

impl Dialect {
    /// Whether the member keeps exactly the rows under this condition that we keep.
    pub(crate) fn decides(&self, condition: &Expression) -> bool {
        let (functions, conditions) = match self {
            Self::Ours => return true,
            Self::Standard {
                functions,
                conditions,
            } => (functions, *conditions),
        };
        let standard = Standard { functions };
        conditions && standard.decides(condition)
    }

    /// Whether the member finds all of these values where we do, and nowhere else. Endpoints may keep the value of a literal
    /// and not how it was written: one that is asked for `01` may give it in the place of its own `1`.
    pub(crate) fn finds<'a>(&self, terms: impl IntoIterator<Item = &'a GroundTerm>) -> bool {
        *self == Self::Ours || terms.into_iter().all(is_canonical)
    }

    /// Whether the member's answer to the query is one that we could give, where it takes so many values at most.
    pub(crate) fn answers(&self, query: &Query, values: usize) -> bool {
        is_portable(query)
            && (*self == Self::Ours
                || (!matches!(query, Query::Describe { .. })
                    && self.solves(crate::algebra::pattern(query), values)))
    }

    fn solves(&self, pattern: &GraphPattern, values: usize) -> bool {
        let gives = |expression: &Expression| match self {
            Self::Ours => true,
            Self::Standard { functions, .. } => Standard { functions }.gives(expression),
        };
        let is_solved = match pattern {
            GraphPattern::Filter { expr, .. } => self.decides(expr),
            GraphPattern::LeftJoin { expression, .. } => {
                expression.as_ref().is_none_or(|part| self.decides(part))
            }
            GraphPattern::Extend { expression, .. } => gives(expression),
            GraphPattern::Values { bindings, .. } => {
                bindings.len() <= values && self.finds(bindings.iter().flatten().flatten())
            }
            GraphPattern::Group { aggregates, .. } => aggregates.iter().all(|(_, one)| counts(one)),
            GraphPattern::OrderBy { .. }
            | GraphPattern::Lateral { .. }
            | GraphPattern::Service { .. } => false,
            GraphPattern::Bgp { .. }
            | GraphPattern::Path { .. }
            | GraphPattern::Join { .. }
            | GraphPattern::Union { .. }
            | GraphPattern::Minus { .. }
            | GraphPattern::Graph { .. }
            | GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. }
            | GraphPattern::Slice { .. } => true,
        };
        let mut inner = children(pattern);
        for expression in expressions(pattern) {
            exists_patterns(expression, &mut |pattern| inner.push(pattern));
        }
        is_solved && inner.into_iter().all(|inner| self.solves(inner, values))
    }
}

/// The number of solutions is the same everywhere; what they add up to is not.
fn counts(aggregate: &AggregateExpression) -> bool {
    match aggregate {
        AggregateExpression::CountSolutions { .. } => true,
        AggregateExpression::FunctionCall { name, expr, .. } => {
            *name == AggregateFunction::Count && matches!(expr, Expression::Variable(_))
        }
    }
}

/// What SPARQL 1.1 says, with these functions beside.
struct Standard<'a> {
    functions: &'a [NamedNode],
}

impl Standard<'_> {
    fn decides(&self, condition: &Expression) -> bool {
        match condition {
            Expression::And(left, right) | Expression::Or(left, right) => {
                self.decides(left) && self.decides(right)
            }
            Expression::Not(inner) => self.denies(inner),
            Expression::Equal(left, right) => {
                let is_plain = |one, other| self.is_read(one) && is_comparable(other);
                is_plain(left, right) || is_plain(right, left)
            }
            Expression::Less(left, right)
            | Expression::LessOrEqual(left, right)
            | Expression::Greater(left, right)
            | Expression::GreaterOrEqual(left, right) => {
                let is_plain = |one, other| self.is_read(one) && is_ordered(other);
                is_plain(left, right) || is_plain(right, left)
            }
            Expression::In(left, list) => self.is_read(left) && list.iter().all(is_comparable),
            Expression::FunctionCall(function, arguments) => match function {
                Function::Contains | Function::StrStarts | Function::StrEnds => {
                    self.are_text(arguments)
                }
                // Nothing in it means anything but itself, in any kind of expression.
                Function::Regex => {
                    let is_literal = |text: &Literal| {
                        text.value()
                            .chars()
                            .all(|c| c.is_alphanumeric() || c == ' ')
                    };
                    self.are_text(arguments)
                        && matches!(arguments.get(1), Some(Expression::Literal(text)) if is_literal(text))
                }
                Function::LangMatches => matches!(
                    arguments.as_slice(),
                    [
                        Expression::FunctionCall(Function::Lang, _),
                        Expression::Literal(_)
                    ]
                ),
                Function::Custom(_) => self.gives(condition),
                _ => self.denies(condition),
            },
            _ => self.denies(condition),
        }
    }

    /// As [`Self::decides`], where what is not so has a value too: no error stands for either.
    fn denies(&self, condition: &Expression) -> bool {
        let is_name = |side: &Expression| matches!(side, Expression::NamedNode(_));
        let is_variable = |side: &Expression| matches!(side, Expression::Variable(_));
        match condition {
            // Its pattern is looked at by itself.
            Expression::Bound(_) | Expression::Exists(_) => true,
            Expression::SameTerm(left, right) => [left, right]
                .into_iter()
                .all(|side| is_variable(side) || is_name(side)),
            Expression::Equal(left, right) => {
                (is_variable(left) && is_name(right)) || (is_name(left) && is_variable(right))
            }
            Expression::In(left, list) => is_variable(left) && list.iter().all(is_name),
            Expression::FunctionCall(
                Function::IsIri | Function::IsBlank | Function::IsLiteral,
                arguments,
            ) => arguments.iter().all(is_variable),
            _ => false,
        }
    }

    /// A text that is read, and one that is given without a language.
    fn are_text(&self, arguments: &[Expression]) -> bool {
        matches!(arguments, [text, Expression::Literal(given)]
            if self.is_read(text) && given.datatype() == xsd::STRING)
    }

    /// A value that stands in the data, or is made of it by nothing that could fail elsewhere only.
    fn is_read(&self, expression: &Expression) -> bool {
        !matches!(
            expression,
            Expression::NamedNode(_) | Expression::Literal(_)
        ) && self.gives(expression)
    }

    fn gives(&self, expression: &Expression) -> bool {
        match expression {
            Expression::NamedNode(_) | Expression::Literal(_) | Expression::Variable(_) => true,
            Expression::FunctionCall(Function::Str | Function::Lang, arguments) => arguments
                .iter()
                .all(|part| matches!(part, Expression::Variable(_))),
            Expression::FunctionCall(Function::Custom(name), arguments) => {
                self.functions.contains(name) && arguments.iter().all(|part| self.gives(part))
            }
            _ => false,
        }
    }
}

/// A value that is written in one way only.
fn is_canonical(term: &GroundTerm) -> bool {
    match term {
        GroundTerm::NamedNode(_) => true,
        GroundTerm::Literal(literal) => {
            let text = literal.value();
            match literal.datatype() {
                xsd::STRING => true,
                xsd::BOOLEAN => matches!(text, "true" | "false"),
                xsd::INTEGER => text.parse::<i64>().is_ok_and(|n| n.to_string() == text),
                _ => false,
            }
        }
    }
}

/// A constant of which every endpoint can tell whether another value is the same.
fn is_comparable(expression: &Expression) -> bool {
    match expression {
        Expression::NamedNode(_) => true,
        Expression::Literal(literal) => {
            literal.datatype() == xsd::STRING
                || (literal.datatype() == xsd::BOOLEAN
                    && matches!(literal.value(), "true" | "false"))
                || is_number(literal)
        }
        _ => false,
    }
}

/// A constant of which every endpoint can tell whether another value is less.
fn is_ordered(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(literal) => literal.datatype() == xsd::DATE_TIME || is_number(literal),
        _ => false,
    }
}

fn is_number(literal: &Literal) -> bool {
    let (text, datatype) = (literal.value(), literal.datatype());
    let is_written = match datatype {
        xsd::INTEGER => !text.contains(['.', 'e', 'E']),
        xsd::DECIMAL => !text.contains(['e', 'E']),
        _ => datatype == xsd::FLOAT || datatype == xsd::DOUBLE,
    };
    is_written && number(&Term::from(literal.clone())).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::SparqlParser;

    const GEOF: &str = "http://www.opengis.net/def/function/geosparql/";

    fn standard(functions: &[&str]) -> Dialect {
        let functions = functions.iter();
        let functions = functions.map(|name| NamedNode::new_unchecked(format!("{GEOF}{name}")));
        Dialect::Standard {
            functions: functions.collect(),
            conditions: true,
        }
    }

    fn answers(dialect: &Dialect, text: &str) -> bool {
        let prefixes =
            format!("PREFIX geof: <{GEOF}> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> {text}");
        let query = SparqlParser::new().parse_query(&prefixes).unwrap();
        dialect.answers(&query, 2)
    }

    #[test]
    fn an_endpoint_decides_what_the_standard_settles() {
        let dialect = standard(&[]);
        for condition in [
            "?o = 5",
            "?o < 5.5",
            "1e0 >= ?o",
            "?o > \"2026-01-01T00:00:00Z\"^^xsd:dateTime",
            "?o != <urn:x>",
            "?o IN (1, \"a\", <urn:x>)",
            "?o NOT IN (<urn:x>, <urn:y>)",
            "STR(?o) = \"a\" || LANGMATCHES(LANG(?o), \"en\")",
            "CONTAINS(STR(?o), \"a\") && REGEX(?o, \"plain words\")",
            "BOUND(?o)",
            "!BOUND(?o)",
            "!ISLITERAL(?o)",
            "NOT EXISTS { ?o ?q ?r FILTER(?r < 3) }",
        ] {
            let query = format!("SELECT * {{ ?s ?p ?o FILTER({condition}) }}");
            assert!(answers(&dialect, &query), "{condition}");
        }
    }

    #[test]
    fn what_an_endpoint_may_find_otherwise_is_not_asked_of_it() {
        let dialect = standard(&[]);
        for condition in [
            "geof:sfWithin(?o, ?o)",
            "xsd:integer(?o) < 5",
            // Not every endpoint compares dates, or strings by code points, or knows that two literals differ.
            "?o < \"2026-01-01\"^^xsd:date",
            "?o = \"2026-01-01\"^^xsd:date",
            "?o < \"a\"",
            "?o != 5",
            "!(?o < 5)",
            "?o NOT IN (1, 2)",
            "?o = ?s",
            "?o + 1 < 5",
            "?o = \"x\"^^xsd:integer",
            "?o = \"chat\"@fr",
            "YEAR(?o) = 2026",
            "UCASE(?o) = \"A\"",
            "REGEX(?o, \"^a.*\")",
            "REGEX(?o, \"a\", \"i\")",
            "?o",
            "NOT EXISTS { ?o ?q ?r FILTER(?r != 3) }",
        ] {
            let query = format!("SELECT * {{ ?s ?p ?o FILTER({condition}) }}");
            assert!(!answers(&dialect, &query), "{condition}");
            assert!(!condition.contains("EXISTS") || answers(&Dialect::Ours, &query));
        }
        for query in [
            "SELECT * { ?s ?p ?o } ORDER BY ?o LIMIT 1",
            "SELECT * { { SELECT ?s { ?s ?p ?o } ORDER BY ?o LIMIT 1 } }",
            "SELECT (SUM(?o) AS ?n) { ?s ?p ?o }",
            "SELECT (MAX(?o) AS ?n) { ?s ?p ?o }",
            "SELECT (COUNT(DISTINCT YEAR(?o)) AS ?n) { ?s ?p ?o }",
            "SELECT * { ?s ?p ?o BIND(?o + 1 AS ?n) }",
            "SELECT * { ?s ?p ?o OPTIONAL { ?o ?q ?r FILTER(?r > ?s) } }",
            "SELECT * { ?s ?p ?o VALUES ?o { 1 2 3 } }",
            "SELECT * { ?s ?p ?o VALUES ?o { 01 } }",
            "SELECT * { ?s ?p ?o VALUES ?o { \"a\"@en } }",
            "DESCRIBE <urn:a>",
        ] {
            assert!(!answers(&dialect, query), "{query}");
        }
        for query in [
            "SELECT DISTINCT ?s { ?s ?p ?o OPTIONAL { ?o ?q ?r FILTER(?r > 3) } MINUS { ?s <urn:p>+ 1 } } LIMIT 2",
            "SELECT ?s (COUNT(*) AS ?n) (COUNT(DISTINCT ?o) AS ?m) { ?s ?p ?o VALUES ?o { 1 2 } } GROUP BY ?s",
            "SELECT * { GRAPH ?g { ?s ?p ?o } BIND(STR(?o) AS ?t) } LIMIT 1",
            "CONSTRUCT WHERE { ?s ?p ?o }",
        ] {
            assert!(answers(&dialect, query), "{query}");
        }
    }

    #[test]
    fn declared_functions_are_asked_for() {
        let declared = standard(&["sfWithin", "distance"]);
        for (condition, is_declared) in [
            ("geof:sfWithin(?o, \"POINT(1 1)\")", true),
            ("geof:distance(?o, ?s, <urn:metre>) < 10", true),
            ("geof:sfWithin(geof:buffer(?o, 1), ?s)", false),
            ("geof:sfTouches(?o, ?s)", false),
        ] {
            let query = format!("SELECT * {{ ?s ?p ?o FILTER({condition}) }}");
            assert_eq!(answers(&declared, &query), is_declared, "{condition}");
            assert!(answers(&Dialect::Ours, &query), "{condition}");
        }
        let without = Dialect::Standard {
            functions: Arc::default(),
            conditions: false,
        };
        assert!(!answers(&without, "SELECT * { ?s ?p ?o FILTER(?o < 5) }"));
        assert!(answers(&without, "SELECT * { ?s ?p ?o }"));
    }
}
