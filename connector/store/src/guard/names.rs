//! What a question names: see [`twinlink_policy::Named`].

use oxrdf::Term;
use rustc_hash::FxHashSet;
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::term::{GroundTerm, TermPattern};
use twinlink_core::algebra::{children, expressions, parts};
use twinlink_policy::Named;

/// The terms that a question names, in a fixed order; none if they are too many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Names(Vec<Term>);

impl Names {
    /// Those of a query.
    pub(crate) fn of_query(query: &Query) -> Self {
        let (Query::Select { pattern, .. }
        | Query::Construct { pattern, .. }
        | Query::Describe { pattern, .. }
        | Query::Ask { pattern, .. }) = query;
        Self::of_pattern(pattern)
    }

    /// Those of a WHERE part.
    pub(crate) fn of_pattern(pattern: &GraphPattern) -> Self {
        let mut search = Search::default();
        search.pattern(pattern);
        if search.0.len() > Named::MOST {
            return Self::default();
        }
        let mut names = search.0.into_iter().collect::<Vec<_>>();
        names.sort_by_cached_key(ToString::to_string);
        Self(names)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Term> {
        self.0.iter()
    }
}

#[derive(Default)]
struct Search(FxHashSet<Term>);

impl Search {
    fn name(&mut self, term: Term) {
        // One more than allowed tells that they are too many.
        if self.0.len() <= Named::MOST {
            self.0.insert(term);
        }
    }

    fn end(&mut self, term: &TermPattern) {
        match term {
            TermPattern::NamedNode(node) => self.name(node.clone().into()),
            TermPattern::Literal(literal) => self.name(literal.clone().into()),
            TermPattern::BlankNode(_) | TermPattern::Variable(_) => {}
        }
    }

    fn pattern(&mut self, pattern: &GraphPattern) {
        match pattern {
            GraphPattern::Bgp { patterns } => {
                for triple in patterns {
                    self.end(&triple.subject);
                    self.end(&triple.object);
                }
            }
            GraphPattern::Path {
                subject, object, ..
            } => {
                self.end(subject);
                self.end(object);
            }
            GraphPattern::Values { bindings, .. } => {
                for value in bindings.iter().flatten().flatten() {
                    self.name(match value {
                        GroundTerm::NamedNode(node) => node.clone().into(),
                        GroundTerm::Literal(literal) => literal.clone().into(),
                    });
                }
            }
            _ => {}
        }
        for expression in expressions(pattern) {
            self.expression(expression);
        }
        for child in children(pattern) {
            self.pattern(child);
        }
    }

    /// Only EXISTS has patterns.
    fn expression(&mut self, expression: &Expression) {
        if let Expression::Exists(pattern) = expression {
            self.pattern(pattern);
        }
        for part in parts(expression) {
            self.expression(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::SparqlParser;

    fn names(query: &str) -> Vec<String> {
        let query = SparqlParser::new()
            .with_prefix("", "http://e/")
            .unwrap()
            .parse_query(query)
            .unwrap();
        let names = Names::of_query(&query);
        let short = names.iter().map(|name| name.to_string());
        short.map(|name| name.replace("http://e/", "")).collect()
    }

    #[test]
    fn names_are_the_ends_of_patterns_and_values() {
        for (query, expected) in [
            (
                "SELECT * { :a :p ?x . ?x :q 5 }",
                vec!["\"5\"^^<http://www.w3.org/2001/XMLSchema#integer>", "<a>"],
            ),
            ("SELECT * { ?x :p/:q+ :a }", vec!["<a>"]),
            (
                "SELECT * { VALUES ?x { :a :b UNDEF } GRAPH :g { ?x :p _:z } }",
                vec!["<a>", "<b>"],
            ),
            (
                "SELECT * { ?x :p ?y FILTER(?x = :a || NOT EXISTS { :b :p ?x }) }",
                vec!["<b>"],
            ),
            (
                "SELECT (COUNT(?x) AS ?n) { { SELECT ?x { ?x :p :a } } UNION { ?x :p :a } }",
                vec!["<a>"],
            ),
            (
                "CONSTRUCT { :no :no :no } WHERE { ?x ?y ?z OPTIONAL { ?x :p :a } MINUS { ?x :p :b } }",
                vec!["<a>", "<b>"],
            ),
        ] {
            assert_eq!(names(query), expected, "{query}");
        }
    }

    #[test]
    fn too_many_names_are_none() {
        let some = |count: usize| {
            let values = (0..count).map(|n| format!(":n{n} ")).collect::<String>();
            names(&format!("SELECT * {{ VALUES ?x {{ {values} }} ?x :p ?y }}")).len()
        };
        assert_eq!(some(Named::MOST), Named::MOST);
        assert_eq!(some(Named::MOST + 1), 0);
    }
}
