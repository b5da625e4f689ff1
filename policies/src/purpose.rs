//! Which purpose is a narrower one of which.

mod rules;

pub use rules::PurposeRules;

use crate::truth::Truth;
use oxrdf::{NamedNode, NamedOrBlankNode, Quad, Term};
use oxrdfio::{RdfFormat, RdfParser};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;
use twinlink_vocab::{DUTCH_PROFILE, nl, skos, tl};

static STANDARD: LazyLock<PurposeHierarchy> = LazyLock::new(PurposeHierarchy::read);

/// The terms of the Dutch profile.
static DUTCH: LazyLock<HashSet<NamedNode>> = LazyLock::new(|| {
    let terms = dutch().filter_map(|quad| match quad.subject {
        NamedOrBlankNode::NamedNode(term) => Some(term),
        NamedOrBlankNode::BlankNode(_) => None,
    });
    terms.collect()
});

fn dutch() -> impl Iterator<Item = Quad> {
    let texts = DUTCH_PROFILE.iter();
    let quads = texts.flat_map(|text| RdfParser::from_format(RdfFormat::Turtle).for_slice(text));
    quads.flatten()
}

/// Whether an IRI of one of our own vocabularies is none of its terms.
pub(crate) fn is_misspelt(term: &NamedNode) -> bool {
    let text = term.as_str();
    if text.starts_with(tl::NAMESPACE) {
        return !tl::ALL.iter().any(|known| *known == *term)
            && !STANDARD.broader.contains_key(term);
    }
    text.starts_with(nl::NAMESPACE) && !DUTCH.contains(term)
}

/// Purposes and what is broader than each, for the operator `odrl:isA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeHierarchy {
    broader: BTreeMap<NamedNode, BTreeSet<NamedNode>>,
}

impl PurposeHierarchy {
    /// The purposes of Twinlink's application profile, all concepts of its Dutch profile ([`DUTCH_PROFILE`]), and the
    /// concepts of the Data Privacy Vocabulary above them.
    pub fn standard() -> Self {
        STANDARD.clone()
    }

    fn read() -> Self {
        let mut hierarchy = Self {
            broader: BTreeMap::new(),
        };
        for (narrow, broad) in tl::PURPOSE_BROADER {
            hierarchy.add(narrow.into_owned(), broad.into_owned());
        }
        // A statement that is not read makes a comparison unknown, which grants nothing. A test reads them all.
        for quad in dutch() {
            let (NamedOrBlankNode::NamedNode(concept), Term::NamedNode(other)) =
                (quad.subject, quad.object)
            else {
                continue;
            };
            match quad.predicate.as_ref() {
                skos::BROADER | skos::BROAD_MATCH => hierarchy.add(concept, other),
                skos::EXACT_MATCH => {
                    hierarchy.add(concept.clone(), other.clone());
                    hierarchy.add(other, concept);
                }
                _ => {}
            }
        }
        hierarchy
    }

    /// States that `narrow` is a kind of `broad`, as `skos:broader` or `rdfs:subClassOf` would.
    pub fn add(&mut self, narrow: NamedNode, broad: NamedNode) {
        self.broader.entry(broad.clone()).or_default();
        self.broader.entry(narrow).or_default().insert(broad);
    }

    /// Whether `purpose` is `kind` or narrower. Unknown where either is not in the hierarchy: it may be narrower by a
    /// statement we were not given.
    pub(crate) fn is_a(&self, purpose: &NamedNode, kind: &NamedNode) -> Truth {
        if purpose == kind {
            return Truth::True;
        }
        if !self.broader.contains_key(purpose) || !self.broader.contains_key(kind) {
            return Truth::Unknown;
        }
        self.reached(purpose).contains(kind).into()
    }

    /// The concept and all that are broader, sorted: what an incident of this kind, or a caller with this role, is too.
    pub fn kinds(&self, concept: &NamedNode) -> Vec<NamedNode> {
        self.reached(concept).into_iter().cloned().collect()
    }

    fn reached<'a>(&'a self, start: &'a NamedNode) -> BTreeSet<&'a NamedNode> {
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(self.broader.get(next).into_iter().flatten());
            }
        }
        reached
    }

    /// Every statement, in a fixed order.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&NamedNode, &NamedNode)> {
        self.broader
            .iter()
            .flat_map(|(narrow, broads)| broads.iter().map(move |broad| (narrow, broad)))
    }
}

impl Default for PurposeHierarchy {
    fn default() -> Self {
        Self::standard()
    }
}
