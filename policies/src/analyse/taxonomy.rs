//! What is known of concepts: which is a kind or a part of which, and which can have nothing in common.
//!
//! The world is open: what no statement says may still be so.

use super::vocabulary::{geonames, geosparql, owl, skos};
use crate::truth::Truth;
use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{Graph, NamedOrBlankNodeRef, TermRef};
use std::collections::{BTreeMap, BTreeSet};

/// Concepts in an order from narrow to broad, with statements of what is disjoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taxonomy {
    broader: BTreeMap<String, BTreeSet<String>>,
    disjoint: BTreeSet<(String, String)>,
}

/// What a constraint asks of one concept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConceptTest {
    /// It is one of these.
    Is(Vec<String>),
    /// It is this, or a kind or a part of it.
    Below(String),
    /// This is it, or a kind or a part of it.
    Above(String),
}

/// Whether one concept can pass all tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Passing {
    By(String),
    Nothing,
    Unknown,
}

impl Taxonomy {
    /// Reads `rdfs:subClassOf`, `skos:broader` and its kin, `geo:sfWithin`, `gn:parentFeature`, `owl:disjointWith`,
    /// `owl:AllDifferent` and `owl:AllDisjointClasses`; takes no notice of anything else.
    pub fn read(&mut self, graph: &Graph) {
        for triple in graph {
            if triple.predicate == rdf::TYPE {
                self.broader.entry(key(triple.subject.into())).or_default();
            }
            let (subject, object) = (key(triple.subject.into()), key(triple.object));
            match triple.predicate {
                rdfs::SUB_CLASS_OF
                | skos::BROADER
                | skos::BROADER_TRANSITIVE
                | geonames::PARENT_FEATURE
                | geosparql::WITHIN => self.add(&subject, &object),
                skos::NARROWER => self.add(&object, &subject),
                owl::DISJOINT_WITH => self.separate(&subject, &object),
                owl::DISTINCT_MEMBERS | owl::MEMBERS => {
                    let members = list(graph, triple.object);
                    for (index, left) in members.iter().enumerate() {
                        for right in members.iter().skip(index + 1) {
                            self.separate(left, right);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// States that one concept is a kind or a part of the other.
    pub fn add(&mut self, narrow: &str, broad: &str) {
        self.broader.entry(broad.to_owned()).or_default();
        let above = self.broader.entry(narrow.to_owned()).or_default();
        above.insert(broad.to_owned());
    }

    /// States that nothing is a kind or a part of both.
    pub fn separate(&mut self, left: &str, right: &str) {
        for concept in [left, right] {
            self.broader.entry(concept.to_owned()).or_default();
        }
        self.disjoint.insert((left.to_owned(), right.to_owned()));
        self.disjoint.insert((right.to_owned(), left.to_owned()));
    }

    /// Looks for a concept that passes all tests, or for the reason why none can, now or when more is known.
    pub(super) fn passing(&self, tests: &[(ConceptTest, bool)]) -> Passing {
        let listed = tests.iter().find_map(|(test, is_wanted)| match test {
            ConceptTest::Is(names) if *is_wanted => Some(names),
            _ => None,
        });
        let candidates: Vec<&String> = match listed {
            Some(names) => names.iter().collect(),
            None => {
                let mentioned = tests.iter().flat_map(|(test, _)| test.names());
                let all: BTreeSet<_> = self.broader.keys().chain(mentioned).collect();
                all.into_iter().collect()
            }
        };
        let mut can_any = false;
        for candidate in candidates {
            let truth = Truth::all(tests.iter().map(|(test, is_wanted)| {
                let truth = self.passes(candidate, test);
                if *is_wanted { truth } else { !truth }
            }));
            match truth {
                Truth::True => return Passing::By(candidate.clone()),
                Truth::Unknown => can_any = true,
                Truth::False => {}
            }
        }
        let is_impossible = match listed {
            Some(_) => !can_any,
            None => self.exclude_each_other(tests),
        };
        if is_impossible {
            Passing::Nothing
        } else {
            Passing::Unknown
        }
    }

    fn passes(&self, concept: &str, test: &ConceptTest) -> Truth {
        let (is_true, apart) = match test {
            ConceptTest::Is(names) => (
                names.iter().any(|name| name == concept),
                names.iter().all(|name| self.are_disjoint(name, concept)),
            ),
            ConceptTest::Below(name) => (
                self.is_below(concept, name),
                self.are_disjoint(name, concept),
            ),
            ConceptTest::Above(name) => (
                self.is_below(name, concept),
                self.are_disjoint(name, concept),
            ),
        };
        match (is_true, apart) {
            (true, _) => Truth::True,
            (false, true) => Truth::False,
            (false, false) => Truth::Unknown,
        }
    }

    /// Whether two of the tests cannot be passed by one concept, known or not.
    fn exclude_each_other(&self, tests: &[(ConceptTest, bool)]) -> bool {
        use ConceptTest::{Above, Below};
        let excluded = |left: &(ConceptTest, bool), right: &(ConceptTest, bool)| match (left, right)
        {
            ((Below(one), true), (Below(other) | Above(other), true)) => {
                self.are_disjoint(one, other)
            }
            ((Below(one), true), (Below(other), false)) => self.is_below(one, other),
            ((Above(one), true), (Above(other), false)) => self.is_below(other, one),
            _ => false,
        };
        tests
            .iter()
            .any(|left| tests.iter().any(|right| excluded(left, right)))
    }

    fn is_below(&self, narrow: &str, broad: &str) -> bool {
        self.above(narrow).contains(broad)
    }

    fn are_disjoint(&self, left: &str, right: &str) -> bool {
        let right = self.above(right);
        self.above(left).into_iter().any(|left| {
            right.iter().any(|right| {
                self.disjoint
                    .contains(&(left.to_owned(), (*right).to_owned()))
            })
        })
    }

    /// A concept, and all that is above it.
    fn above<'a>(&'a self, concept: &'a str) -> BTreeSet<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![concept];
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                let above = self.broader.get(next).into_iter().flatten();
                open.extend(above.map(String::as_str));
            }
        }
        seen
    }
}

impl ConceptTest {
    fn names(&self) -> &[String] {
        match self {
            Self::Is(names) => names,
            Self::Below(name) | Self::Above(name) => std::slice::from_ref(name),
        }
    }
}

/// How a term is named in a taxonomy: an IRI by itself, anything else as in N-Triples.
pub(super) fn key(term: TermRef<'_>) -> String {
    match term {
        TermRef::NamedNode(name) => name.as_str().to_owned(),
        other => other.to_string(),
    }
}

fn list(graph: &Graph, head: TermRef<'_>) -> Vec<String> {
    let mut members = Vec::new();
    let mut seen = BTreeSet::new();
    let mut next = Some(head.into_owned());
    while let Some(cell) = next {
        let cell: NamedOrBlankNodeRef<'_> = match cell.as_ref() {
            TermRef::BlankNode(blank) => blank.into(),
            _ => break,
        };
        if !seen.insert(cell.to_string()) {
            break;
        }
        members.extend(
            graph
                .object_for_subject_predicate(cell, rdf::FIRST)
                .map(key),
        );
        next = graph
            .object_for_subject_predicate(cell, rdf::REST)
            .map(TermRef::into_owned);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::{ConceptTest, Passing, Taxonomy};

    #[test]
    fn silence_is_unknown_and_disjointness_is_inherited() {
        let mut taxonomy = Taxonomy::default();
        taxonomy.add("research", "purpose");
        taxonomy.add("trials", "research");
        taxonomy.add("trade", "purpose");
        let is = |name: &str| (ConceptTest::Is(vec![name.to_owned()]), true);
        let below = |name: &str| (ConceptTest::Below(name.to_owned()), true);
        let by = |name: &str| Passing::By(name.to_owned());
        let passing = |t: &Taxonomy, tests: &[_]| t.passing(tests);
        assert_eq!(
            passing(&taxonomy, &[is("trials"), below("purpose")]),
            by("trials")
        );
        assert_eq!(
            passing(&taxonomy, &[is("trials"), below("trade")]),
            Passing::Unknown
        );
        assert_eq!(
            passing(&taxonomy, &[is("trials"), is("trade")]),
            Passing::Unknown
        );
        assert_eq!(
            passing(&taxonomy, &[below("research"), below("trade")]),
            Passing::Unknown
        );
        taxonomy.separate("research", "trade");
        assert_eq!(
            passing(&taxonomy, &[is("trials"), below("trade")]),
            Passing::Nothing
        );
        assert_eq!(
            passing(&taxonomy, &[below("trials"), below("trade")]),
            Passing::Nothing
        );
        let not = (ConceptTest::Below("research".to_owned()), false);
        assert_eq!(
            passing(&taxonomy, &[below("trials"), not]),
            Passing::Nothing
        );
    }
}
