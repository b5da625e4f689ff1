//! Test manifests: <https://www.w3.org/2001/sw/DataAccess/tests/README>.

use crate::library::{Fault, Library};
use oxrdf::vocab::rdf;
use oxrdf::{Graph, NamedNode, NamedOrBlankNode, Term, TermRef};
use std::collections::{HashSet, VecDeque};

/// Some manifests, read together with all that they include.
#[derive(Debug)]
pub(crate) struct Manifest {
    graph: Graph,
    cases: Vec<Case>,
}

/// One test.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Its IRI.
    pub(crate) iri: NamedNode,
    /// Its IRI in short, such as `functions#bnode01`.
    pub(crate) id: String,
    /// Its kind, by the local name of its test type, such as `QueryEvaluationTest`.
    pub(crate) kind: String,
}

/// A term of a manifest, and the way on from there.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    graph: &'a Graph,
    term: Term,
}

/// Which tests of a manifest count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// Those that `mf:entries` lists.
    Entries,
    /// Those, and after them whatever else the manifest describes.
    All,
}

impl Manifest {
    /// Reads manifests by their paths from the folder; none where the folder lacks the first.
    pub(crate) fn load(
        library: &Library,
        paths: &[&str],
        take: Take,
    ) -> Result<Option<Self>, Fault> {
        if !paths.first().is_some_and(|path| library.has(path)) {
            return Ok(None);
        }
        let mut manifest = Self {
            graph: Graph::new(),
            cases: Vec::new(),
        };
        let mut entries = Vec::new();
        let mut left: VecDeque<_> = paths.iter().map(|path| library.iri(path)).collect();
        let mut seen = HashSet::new();
        while let Some(iri) = left.pop_front() {
            if !seen.insert(iri.clone()) {
                continue;
            }
            manifest.graph.extend(&library.graph(&iri)?);
            let node = manifest.node(iri);
            let included = node.list(&mf("include"));
            let listed = node.list(&mf("entries"));
            // Depth first: what a manifest includes comes where it includes it.
            for iri in included.iter().filter_map(Node::iri).rev() {
                left.push_front(iri);
            }
            entries.extend(listed.iter().filter_map(Node::iri));
        }
        if take == Take::All {
            entries.extend(manifest.described());
        }
        let mut seen = HashSet::new();
        entries.retain(|iri| seen.insert(iri.clone()));
        manifest.cases = entries
            .into_iter()
            .map(|iri| manifest.case(iri))
            .collect::<Result<_, _>>()?;
        Ok(Some(manifest))
    }

    /// The tests, in the order of the manifests.
    pub(crate) fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Where the description of a test starts.
    pub(crate) fn start(&self, case: &Case) -> Node<'_> {
        self.node(case.iri.clone())
    }

    fn node(&self, term: impl Into<Term>) -> Node<'_> {
        Node {
            graph: &self.graph,
            term: term.into(),
        }
    }

    fn case(&self, iri: NamedNode) -> Result<Case, Fault> {
        let kind = self
            .node(iri.clone())
            .all(&rdf::TYPE.into_owned())
            .filter_map(|node| node.local())
            .find(|kind| is_test_type(kind))
            .ok_or_else(|| Fault::content(&iri, "an entry without a test type"))?;
        let id = iri.as_str().rsplit("data-sparql11/").next();
        let id = id.unwrap_or_default().replace("/manifest#", "#");
        Ok(Case { iri, id, kind })
    }

    /// All that has a test type, in the order of their IRIs.
    fn described(&self) -> Vec<NamedNode> {
        let mut found: Vec<_> = self
            .graph
            .triples_for_predicate(rdf::TYPE)
            .filter(|triple| {
                let node = self.node(triple.object.into_owned());
                node.local().is_some_and(|kind| is_test_type(&kind))
            })
            .filter_map(|triple| self.node(triple.subject.into_owned()).iri())
            .collect();
        found.sort();
        found
    }
}

fn is_test_type(local: &str) -> bool {
    local.ends_with("Test") || local.ends_with("Test11")
}

impl<'a> Node<'a> {
    /// All values of a property.
    pub(crate) fn all(&self, property: &NamedNode) -> impl Iterator<Item = Self> + use<'a> {
        let graph = self.graph;
        let objects: Vec<Term> = match self.subject() {
            Some(subject) => graph
                .objects_for_subject_predicate(&subject, property)
                .map(TermRef::into_owned)
                .collect(),
            None => Vec::new(),
        };
        objects.into_iter().map(move |term| Node { graph, term })
    }

    /// A value of a property.
    pub(crate) fn one(&self, property: &NamedNode) -> Option<Self> {
        self.all(property).next()
    }

    /// A value of a property that must be there.
    pub(crate) fn need(&self, property: &NamedNode) -> Result<Self, Fault> {
        self.one(property)
            .ok_or_else(|| Fault::content(&self.term, format_args!("lacks {property}")))
    }

    /// The members of the list that a property has as its value; none where there is no list.
    pub(crate) fn list(&self, property: &NamedNode) -> Vec<Self> {
        let mut members = Vec::new();
        let mut seen = HashSet::new();
        let mut cell = self.one(property);
        while let Some(node) = cell {
            let Some(first) = node.one(&rdf::FIRST.into_owned()) else {
                break;
            };
            if !seen.insert(node.term.clone()) {
                break;
            }
            members.push(first);
            cell = node.one(&rdf::REST.into_owned());
        }
        members
    }

    /// The IRI, if it is one.
    pub(crate) fn iri(&self) -> Option<NamedNode> {
        match &self.term {
            Term::NamedNode(iri) => Some(iri.clone()),
            _ => None,
        }
    }

    /// The IRI, which it must be.
    pub(crate) fn need_iri(&self) -> Result<NamedNode, Fault> {
        self.iri()
            .ok_or_else(|| Fault::content(&self.term, "not an IRI"))
    }

    /// The lexical form, if it is a literal.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.term {
            Term::Literal(literal) => Some(literal.value().to_owned()),
            _ => None,
        }
    }

    /// The term.
    pub(crate) fn term(&self) -> &Term {
        &self.term
    }

    /// What follows the last `#` or `/` of the IRI.
    pub(crate) fn local(&self) -> Option<String> {
        let iri = self.iri()?;
        iri.as_str().rsplit(['#', '/']).next().map(str::to_owned)
    }

    fn subject(&self) -> Option<NamedOrBlankNode> {
        match &self.term {
            Term::NamedNode(iri) => Some(iri.clone().into()),
            Term::BlankNode(node) => Some(node.clone().into()),
            Term::Literal(_) => None,
        }
    }
}

/// Some node of a class.
pub(crate) fn one_of<'a>(graph: &'a Graph, class: &NamedNode) -> Option<Node<'a>> {
    let subject = graph.subject_for_predicate_object(rdf::TYPE, class)?;
    let term = subject.into_owned().into();
    Some(Node { graph, term })
}

/// A term of the manifest vocabulary.
pub(crate) fn mf(local: &str) -> NamedNode {
    let namespace = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#";
    NamedNode::new_unchecked(format!("{namespace}{local}"))
}

/// A term of the vocabulary for query tests.
pub(crate) fn qt(local: &str) -> NamedNode {
    let namespace = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#";
    NamedNode::new_unchecked(format!("{namespace}{local}"))
}

/// A term of the vocabulary for update tests.
pub(crate) fn ut(local: &str) -> NamedNode {
    let namespace = "http://www.w3.org/2009/sparql/tests/test-update#";
    NamedNode::new_unchecked(format!("{namespace}{local}"))
}

#[cfg(test)]
mod tests;
