//! The statements of a document, in its order.

use super::MOST_BYTES;
use crate::error::PolicyError;
use oxrdf::{Graph, GraphName, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, Triple, TripleRef};
use oxrdfio::{RdfFormat, RdfParser};
use std::collections::{HashMap, HashSet};
use twinlink_vocab::{dcterms, odrl};

/// One RDF graph, read in full.
#[derive(Debug, Clone, Default)]
pub(crate) struct Document {
    subjects: Vec<NamedOrBlankNode>,
    statements: HashMap<NamedOrBlankNode, Vec<(NamedNode, Term)>>,
    values: HashMap<(NamedOrBlankNode, NamedNode), Vec<Term>>,
    wholes: HashSet<Term>,
    inverse: HashMap<(Term, NamedNode), Vec<NamedOrBlankNode>>,
}

/// What an asset or a party says of itself that a policy could say of it.
const INVERSE: [NamedNodeRef<'static>; 3] =
    [odrl::HAS_POLICY, odrl::ASSIGNER_OF, odrl::ASSIGNEE_OF];

impl Document {
    pub(crate) fn read(
        text: &str,
        format: RdfFormat,
        base: Option<&str>,
    ) -> Result<Self, PolicyError> {
        if text.len() > MOST_BYTES {
            return Err(PolicyError::TooLarge {
                bytes: text.len(),
                most: MOST_BYTES,
            });
        }
        if !matches!(
            format,
            RdfFormat::Turtle | RdfFormat::NTriples | RdfFormat::JsonLd { .. }
        ) {
            return Err(PolicyError::Format {
                format: format.name().to_owned(),
            });
        }
        let fault = |detail: String| PolicyError::Syntax {
            format: format.name().to_owned(),
            detail,
        };
        let mut parser = RdfParser::from_format(format).without_named_graphs();
        if let Some(base) = base {
            parser = parser
                .with_base_iri(base)
                .map_err(|error| fault(format!("base IRI <{base}>: {error}")))?;
        }
        let quads = parser.for_slice(text).with_document_loader(|iri| {
            Err(format!("context <{iri}> is not fetched: write it into the document").into())
        });
        let mut document = Self::default();
        let mut seen = HashSet::new();
        for quad in quads {
            let quad = quad.map_err(|error| fault(error.to_string()))?;
            debug_assert_eq!(quad.graph_name, GraphName::DefaultGraph);
            let triple = Triple::from(quad);
            if seen.insert(triple.clone()) {
                document.add(triple);
            }
        }
        Ok(document)
    }

    /// The statements of a graph, in an order that depends on nothing else.
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut triples: Vec<_> = graph.iter().map(TripleRef::into_owned).collect();
        triples.sort_by_cached_key(Triple::to_string);
        let mut document = Self::default();
        for triple in triples {
            document.add(triple);
        }
        document
    }

    fn add(&mut self, triple: Triple) {
        if triple.predicate == odrl::PART_OF || triple.predicate == dcterms::IS_PART_OF {
            self.wholes.insert(triple.object.clone());
        }
        if INVERSE.iter().any(|known| *known == triple.predicate) {
            let key = (triple.object.clone(), triple.predicate.clone());
            let of = self.inverse.entry(key).or_default();
            of.push(triple.subject.clone());
        }
        self.values
            .entry((triple.subject.clone(), triple.predicate.clone()))
            .or_default()
            .push(triple.object.clone());
        let known = self.statements.entry(triple.subject.clone()).or_default();
        if known.is_empty() {
            self.subjects.push(triple.subject);
        }
        known.push((triple.predicate, triple.object));
    }

    /// Everything that something is said about, in order of first mention.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &NamedOrBlankNode> {
        self.subjects.iter()
    }

    /// What is said about a thing.
    pub(crate) fn about(&self, subject: &NamedOrBlankNode) -> &[(NamedNode, Term)] {
        self.statements.get(subject).map_or(&[], Vec::as_slice)
    }

    /// The values of one property of a thing, in document order.
    pub(crate) fn values(&self, subject: &NamedOrBlankNode, property: NamedNodeRef<'_>) -> &[Term] {
        let key = (subject.clone(), property.into_owned());
        self.values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The things of which `odrl:hasPolicy`, `assignerOf` or `assigneeOf` has this value, in document order.
    pub(crate) fn with(&self, property: NamedNodeRef<'_>, value: &Term) -> &[NamedOrBlankNode] {
        let key = (value.clone(), property.into_owned());
        self.inverse.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The inverse properties that a thing has, of which all values are described: policies of this document.
    pub(crate) fn inverse(
        &self,
        subject: &NamedOrBlankNode,
    ) -> impl Iterator<Item = NamedNodeRef<'static>> {
        let is_described = |value: &Term| match value {
            Term::NamedNode(name) => !self.about(&name.clone().into()).is_empty(),
            Term::BlankNode(blank) => !self.about(&blank.clone().into()).is_empty(),
            Term::Literal(_) => false,
        };
        INVERSE.into_iter().filter(move |property| {
            let values = self.values(subject, *property);
            !values.is_empty() && values.iter().all(is_described)
        })
    }

    /// Whether anything is said to be a part of the thing.
    pub(crate) fn has_parts(&self, thing: &Term) -> bool {
        self.wholes.contains(thing)
    }

    /// A thing, and every thing that statements lead to from it.
    pub(crate) fn reachable(&self, subject: &NamedOrBlankNode) -> HashSet<NamedOrBlankNode> {
        let mut reached = HashSet::new();
        let mut open = vec![subject.clone()];
        while let Some(next) = open.pop() {
            if reached.contains(&next) {
                continue;
            }
            open.extend(
                self.about(&next)
                    .iter()
                    .filter_map(|(_, object)| match object {
                        Term::NamedNode(name) => Some(name.clone().into()),
                        Term::BlankNode(blank) => Some(blank.clone().into()),
                        _ => None,
                    }),
            );
            reached.insert(next);
        }
        reached
    }
}
