//! Sets of quads in a form in which equal means isomorphic.
//!
//! The form is RDFC-1.0, <https://www.w3.org/TR/rdf-canon/>, made by sophia: an implementation of RDF that shares no
//! code with the engines under test.

use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad, Term};
use sophia_api::quad::Spog;
use sophia_api::term::{BnodeId, IriRef, LanguageTag, SimpleTerm};
use std::collections::HashSet;

/// How the error of [`canonical`] begins.
pub(crate) const UNDECIDED: &str = "cannot be compared";

/// The canonical N-Quads, sorted.
///
/// # Errors
/// A text, where the quads are so symmetrical that naming their blank nodes would take too long.
pub(crate) fn canonical(quads: impl IntoIterator<Item = Quad>) -> Result<String, String> {
    let dataset: HashSet<Spog<SimpleTerm<'static>>> = quads.into_iter().map(quad).collect();
    let mut text = Vec::new();
    sophia_c14n::rdfc10::normalize(&dataset, &mut text)
        .map_err(|error| format!("{UNDECIDED}: {error}"))?;
    String::from_utf8(text).map_err(|error| error.to_string())
}

fn quad(quad: Quad) -> Spog<SimpleTerm<'static>> {
    let graph = match quad.graph_name {
        GraphName::DefaultGraph => None,
        GraphName::NamedNode(name) => Some(iri(&name)),
        GraphName::BlankNode(node) => Some(blank(node.as_str())),
    };
    let subject = match quad.subject {
        NamedOrBlankNode::NamedNode(name) => iri(&name),
        NamedOrBlankNode::BlankNode(node) => blank(node.as_str()),
    };
    ([subject, iri(&quad.predicate), term(&quad.object)], graph)
}

fn term(term: &Term) -> SimpleTerm<'static> {
    match term {
        Term::NamedNode(name) => iri(name),
        Term::BlankNode(node) => blank(node.as_str()),
        Term::Literal(literal) => {
            let value = literal.value().to_owned().into();
            match literal.language() {
                Some(tag) => {
                    let tag = LanguageTag::new_unchecked(tag.to_owned().into());
                    SimpleTerm::LiteralLanguage(value, tag, None)
                }
                None => {
                    let datatype = literal.datatype().as_str().to_owned();
                    SimpleTerm::LiteralDatatype(value, IriRef::new_unchecked(datatype.into()))
                }
            }
        }
    }
}

fn iri(name: &NamedNode) -> SimpleTerm<'static> {
    SimpleTerm::Iri(IriRef::new_unchecked(name.as_str().to_owned().into()))
}

fn blank(label: &str) -> SimpleTerm<'static> {
    SimpleTerm::BlankNode(BnodeId::new_unchecked(label.to_owned().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::{BlankNode, Literal};

    fn edge(from: &BlankNode, to: &BlankNode) -> Quad {
        let knows = NamedNode::new_unchecked("http://example.org/knows");
        Quad::new(from.clone(), knows, to.clone(), GraphName::DefaultGraph)
    }

    #[test]
    fn labels_of_blank_nodes_do_not_count() {
        let make = || {
            let (a, b) = (BlankNode::default(), BlankNode::default());
            canonical([edge(&a, &b), edge(&b, &a)]).unwrap()
        };
        assert_eq!(make(), make());
    }

    #[test]
    fn structure_counts() {
        let (a, b) = (BlankNode::default(), BlankNode::default());
        let circle = canonical([edge(&a, &b), edge(&b, &a)]).unwrap();
        let loops = canonical([edge(&a, &a), edge(&b, &b)]).unwrap();
        assert_ne!(circle, loops);
    }

    #[test]
    fn literals_and_graph_names_are_kept() {
        let name = NamedNode::new_unchecked("http://example.org/n");
        let text = Literal::new_language_tagged_literal_unchecked("a", "en");
        let one = Quad::new(name.clone(), name.clone(), text.clone(), name.clone());
        let other = Quad::new(name.clone(), name, text, GraphName::DefaultGraph);
        let (one, other) = (canonical([one]).unwrap(), canonical([other]).unwrap());
        assert!(one.contains("\"a\"@en <http://example.org/n> ."), "{one}");
        assert!(other.contains("\"a\"@en ."), "{other}");
    }
}
