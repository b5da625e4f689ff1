//! What a pattern of a policy can read: which quads can come or go without its nodes becoming others.
//!
//! It says so by the triple patterns in it alone, whatever graph they match in. Where that is not plain to see, it reads
//! everything: then every change touches it.

use oxrdf::{NamedNode, Term, Variable};
use spargebra::Query;
use spargebra::algebra::{
    AggregateExpression, Expression, Function, GraphPattern, PropertyPathExpression,
};
use spargebra::term::{NamedNodePattern, TermPattern};
use twinlink_core::algebra::{children, expressions, parts};

/// The variable whose values are the nodes.
const THIS: &str = "this";

/// What a pattern can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reads {
    /// Any quad, the names of graphs, or the clock.
    Everything,
    /// Quads like these, and nothing else.
    Quads {
        /// Each with what is fixed of it.
        like: Vec<Read>,
        /// Whether a node can be one that no quad has brought: it is one of the snapshot's terms, or not, by chance.
        makes_nodes: bool,
    },
}

/// Quads with these terms; none: any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Read {
    pub(super) subject: Option<Term>,
    pub(super) predicate: Option<NamedNode>,
    pub(super) object: Option<Term>,
}

impl Reads {
    /// Of a query `SELECT ?this WHERE ...`, whose default graph is the union of all graphs.
    pub(super) fn of(query: &Query) -> Self {
        let mut reader = Reader::default();
        match query {
            Query::Select { pattern, .. } => reader.pattern(pattern),
            _ => reader.is_everything = true,
        }
        if reader.is_everything {
            return Self::Everything;
        }
        Self::Quads {
            like: reader.like,
            makes_nodes: reader.makes_nodes,
        }
    }
}

#[derive(Default)]
struct Reader {
    like: Vec<Read>,
    makes_nodes: bool,
    is_everything: bool,
}

impl Reader {
    fn pattern(&mut self, pattern: &GraphPattern) {
        match pattern {
            GraphPattern::Bgp { patterns } => {
                for one in patterns {
                    self.like.push(Read {
                        subject: fixed(&one.subject),
                        predicate: match &one.predicate {
                            NamedNodePattern::NamedNode(node) => Some(node.clone()),
                            NamedNodePattern::Variable(_) => None,
                        },
                        object: fixed(&one.object),
                    });
                }
            }
            GraphPattern::Path {
                subject,
                path,
                object,
            } => {
                if is_nullable(path) {
                    self.ends(subject, object);
                }
                self.path(path);
            }
            GraphPattern::Extend { variable, .. } => {
                self.makes_nodes |= variable.as_str() == THIS;
            }
            GraphPattern::Values { variables, .. } => {
                self.makes_nodes |= variables.iter().any(|variable| variable.as_str() == THIS);
            }
            GraphPattern::Group { aggregates, .. } => {
                let named =
                    |(variable, _): &(Variable, AggregateExpression)| variable.as_str() == THIS;
                self.makes_nodes |= aggregates.iter().any(named);
            }
            // Which graphs there are, what others say, and which rows come first, any quad can change.
            GraphPattern::Graph { .. }
            | GraphPattern::Service { .. }
            | GraphPattern::Slice { .. } => {
                self.is_everything = true;
                return;
            }
            GraphPattern::Join { .. }
            | GraphPattern::Lateral { .. }
            | GraphPattern::Union { .. }
            | GraphPattern::Minus { .. }
            | GraphPattern::LeftJoin { .. }
            | GraphPattern::Filter { .. }
            | GraphPattern::OrderBy { .. }
            | GraphPattern::Project { .. }
            | GraphPattern::Distinct { .. }
            | GraphPattern::Reduced { .. } => {}
        }
        for expression in expressions(pattern) {
            self.expression(expression);
        }
        for child in children(pattern) {
            self.pattern(child);
        }
    }

    /// A path of length zero leads from every node to itself, of the dataset or given.
    fn ends(&mut self, subject: &TermPattern, object: &TermPattern) {
        match (fixed(subject), fixed(object)) {
            (None, None) => self.is_everything = true,
            (Some(_), Some(_)) => {}
            (Some(_), None) => self.makes_nodes |= is_this(object),
            (None, Some(_)) => self.makes_nodes |= is_this(subject),
        }
    }

    fn path(&mut self, path: &PropertyPathExpression) {
        match path {
            PropertyPathExpression::NamedNode(node) => self.like.push(Read {
                predicate: Some(node.clone()),
                ..Read::default()
            }),
            PropertyPathExpression::NegatedPropertySet(_) => self.like.push(Read::default()),
            PropertyPathExpression::Reverse(inner)
            | PropertyPathExpression::ZeroOrMore(inner)
            | PropertyPathExpression::OneOrMore(inner)
            | PropertyPathExpression::ZeroOrOne(inner) => self.path(inner),
            PropertyPathExpression::Sequence(one, other)
            | PropertyPathExpression::Alternative(one, other) => {
                self.path(one);
                self.path(other);
            }
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Exists(pattern) => self.pattern(pattern),
            // What is otherwise at another time was never a matter of quads.
            Expression::FunctionCall(
                Function::Now
                | Function::Rand
                | Function::Uuid
                | Function::StrUuid
                | Function::BNode,
                _,
            ) => self.is_everything = true,
            _ => {}
        }
        for part in parts(expression) {
            self.expression(part);
        }
    }
}

/// The term, where it is no variable and no blank node, which stands for one.
fn fixed(pattern: &TermPattern) -> Option<Term> {
    match pattern {
        TermPattern::NamedNode(node) => Some(node.clone().into()),
        TermPattern::Literal(literal) => Some(literal.clone().into()),
        TermPattern::BlankNode(_) | TermPattern::Variable(_) => None,
    }
}

fn is_this(pattern: &TermPattern) -> bool {
    matches!(pattern, TermPattern::Variable(variable) if variable.as_str() == THIS)
}

/// Whether the path leads from a node to itself without any quad.
fn is_nullable(path: &PropertyPathExpression) -> bool {
    match path {
        PropertyPathExpression::NamedNode(_) | PropertyPathExpression::NegatedPropertySet(_) => {
            false
        }
        PropertyPathExpression::ZeroOrMore(_) | PropertyPathExpression::ZeroOrOne(_) => true,
        PropertyPathExpression::Reverse(inner) | PropertyPathExpression::OneOrMore(inner) => {
            is_nullable(inner)
        }
        PropertyPathExpression::Sequence(one, other) => is_nullable(one) && is_nullable(other),
        PropertyPathExpression::Alternative(one, other) => is_nullable(one) || is_nullable(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spargebra::SparqlParser;

    fn reads(text: &str) -> Reads {
        let text = format!("PREFIX : <http://e/> SELECT ?this WHERE {{ {text} }}");
        Reads::of(&SparqlParser::new().parse_query(&text).unwrap())
    }

    /// The predicates that are read, `?` for any, and whether nodes are made.
    fn told(text: &str) -> (Vec<String>, bool) {
        let Reads::Quads { like, makes_nodes } = reads(text) else {
            return (vec!["everything".to_owned()], true);
        };
        let name = |read: Read| match read.predicate {
            Some(node) => node.as_str().replace("http://e/", ""),
            None => "?".to_owned(),
        };
        (like.into_iter().map(name).collect(), makes_nodes)
    }

    #[test]
    fn patterns_say_what_they_read() {
        let is = |text: &str, names: &[&str], makes_nodes: bool| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(told(text), (names, makes_nodes), "{text}");
        };
        is("?this :p 1", &["p"], false);
        is(
            "?this :p ?x FILTER NOT EXISTS { ?x :q ?y }",
            &["q", "p"],
            false,
        );
        is(
            "{ ?this :p 1 } UNION { ?this :q 1 } MINUS { ?this :r 1 }",
            &["p", "q", "r"],
            false,
        );
        is(
            "?this :p ?x OPTIONAL { ?x :q ?y FILTER EXISTS { ?y :r 1 } }",
            &["r", "p", "q"],
            false,
        );
        is("?this :p/(:q|^:r)+ ?x", &["p", "q", "r"], false);
        is("?this :p/:q* :a", &["p", "q"], false);
        is("?this ?p 1", &["?"], false);
        is("?this !:p 1", &["?"], false);
        is("?x :p ?y BIND(IRI(?y) AS ?this)", &["p"], true);
        is("?this :p ?y BIND(STR(?y) AS ?z)", &["p"], false);
        is("VALUES ?this { :a :b }", &[], true);
        is("VALUES ?x { :a :b } ?this :p ?x", &["p"], false);
        is("?this :p* :a", &["p"], true);
        is("?x :p* :a . ?this :q ?x", &["p", "q"], false);
        is(
            "?this :p ?n FILTER(?n > 3 && STRLEN(STR(?this)) < 9)",
            &["p"],
            false,
        );
        is(
            "{ SELECT ?this (MAX(?n) AS ?m) { ?this :p ?n } GROUP BY ?this }",
            &["p"],
            false,
        );
        is("{ SELECT (MAX(?n) AS ?this) { ?x :p ?n } }", &["p"], true);
    }

    #[test]
    fn what_is_not_plain_reads_everything() {
        for text in [
            "?this :p* ?x",
            "?this :p? ?x",
            "?this :p/:q* ?x",
            "GRAPH :g { ?this :p 1 }",
            "GRAPH ?g { ?this :p 1 }",
            "?this :p ?t FILTER(?t < NOW())",
            "?this :p ?t FILTER(?t < RAND())",
            "?this :p 1 FILTER NOT EXISTS { GRAPH ?g { ?this :q 1 } }",
            "{ SELECT ?this { ?this :p 1 } LIMIT 1 }",
        ] {
            assert_eq!(reads(text), Reads::Everything, "{text}");
        }
    }
}
