//! Every Turtle file of this crate is in order, and says the same as the others.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

use oxrdf::vocab::rdf;
use oxrdf::{Dataset, NamedNode, NamedNodeRef, NamedOrBlankNode, Quad, Term};
use oxrdfio::{RdfFormat, RdfParser};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use twinlink_vocab::{DUTCH_PROFILE, skos};

const LOCAL: &str = "https://w3id.org/twinlink/";
const DUTCH: &str = "https://w3id.org/twinlink/nl#";

fn skos(name: &str) -> NamedNode {
    NamedNode::new(format!("{}{name}", skos::NAMESPACE)).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "ttl") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// All files.
fn all() -> Dataset {
    let mut dataset = Dataset::new();
    for path in files(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        let text = std::fs::read_to_string(&path).unwrap();
        let parser = RdfParser::from_format(RdfFormat::Turtle);
        for quad in parser.for_slice(&text) {
            dataset.insert(&quad.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }
    dataset
}

fn quads(dataset: &Dataset) -> Vec<Quad> {
    dataset.iter().map(|quad| quad.into_owned()).collect()
}

/// What has a value of the property, with the values.
fn by_subject(
    dataset: &Dataset,
    property: NamedNodeRef<'_>,
) -> HashMap<NamedOrBlankNode, Vec<Term>> {
    let mut found: HashMap<NamedOrBlankNode, Vec<Term>> = HashMap::new();
    for quad in dataset.quads_for_predicate(property) {
        found
            .entry(quad.subject.into_owned())
            .or_default()
            .push(quad.object.into_owned());
    }
    found
}

fn has_type(dataset: &Dataset, class: NamedNodeRef<'_>) -> BTreeSet<String> {
    dataset
        .quads_for_predicate(rdf::TYPE)
        .filter(|quad| quad.object == class.into())
        .map(|quad| quad.subject.to_string())
        .collect()
}

/// All terms of the Dutch profile, and those of Twinlink's own that it puts into a scheme.
fn concepts(dataset: &Dataset) -> HashMap<NamedOrBlankNode, Vec<Term>> {
    let schemes = by_subject(dataset, skos("inScheme").as_ref());
    for concept in has_type(dataset, skos::CONCEPT) {
        if concept.starts_with(&format!("<{DUTCH}")) {
            let known = schemes.keys().any(|known| known.to_string() == concept);
            assert!(known, "{concept} is in no scheme");
        }
    }
    schemes
}

/// What is broader, in the same scheme or in another vocabulary.
fn broader(dataset: &Dataset) -> HashMap<NamedOrBlankNode, Vec<Term>> {
    let mut broader = by_subject(dataset, skos::BROADER);
    for (narrow, broad) in by_subject(dataset, skos("broadMatch").as_ref()) {
        broader.entry(narrow).or_default().extend(broad);
    }
    broader
}

#[test]
fn no_term_of_ours_is_used_without_a_definition() {
    let dataset = all();
    let defined: BTreeSet<String> = by_subject(&dataset, rdf::TYPE)
        .keys()
        .map(ToString::to_string)
        .collect();
    for quad in quads(&dataset) {
        let terms = [
            Term::from(quad.subject.clone()),
            Term::from(quad.predicate.clone()),
            quad.object.clone(),
        ];
        for term in terms {
            let text = term.to_string();
            assert!(
                !text.starts_with(&format!("<{LOCAL}")) || defined.contains(&text),
                "{text} in {quad}"
            );
        }
    }
}

#[test]
fn the_dutch_profile_is_every_file_of_its_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("nl");
    let there: Vec<_> = files(&folder)
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let embedded: Vec<_> = DUTCH_PROFILE
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    assert_eq!(embedded, there);
}

#[test]
fn every_concept_is_in_a_known_scheme_with_one_label_in_dutch_and_one_in_english() {
    let dataset = all();
    let schemes = has_type(&dataset, skos("ConceptScheme").as_ref());
    let labels = by_subject(&dataset, skos::PREF_LABEL);
    let concepts = concepts(&dataset);
    assert!(concepts.len() > 100, "{}", concepts.len());
    for (concept, of) in &concepts {
        assert_eq!(of.len(), 1, "{concept} is in {of:?}");
        assert!(
            of.iter()
                .all(|scheme| schemes.contains(&scheme.to_string()))
        );
        let mut languages: Vec<_> = labels
            .get(concept)
            .into_iter()
            .flatten()
            .map(|label| match label {
                Term::Literal(label) => label.language().unwrap_or_default().to_owned(),
                other => panic!("label {other} of {concept}"),
            })
            .collect();
        languages.sort();
        assert_eq!(languages, ["en", "nl"], "{concept}");
    }
}

#[test]
fn every_concept_is_a_top_concept_or_has_a_broader_one_of_its_scheme() {
    let dataset = all();
    let concepts = concepts(&dataset);
    let top = by_subject(&dataset, skos("topConceptOf").as_ref());
    let broader = by_subject(&dataset, skos::BROADER);
    for (concept, scheme) in &concepts {
        let is_top = top.get(concept) == Some(scheme);
        let is_below = broader.get(concept).into_iter().flatten().any(|broad| {
            concepts
                .iter()
                .any(|(other, of)| Term::from(other.clone()) == *broad && of == scheme)
        });
        assert!(is_top != is_below, "{concept}");
    }
}

#[test]
fn no_concept_is_broader_than_itself() {
    let dataset = all();
    let broader = broader(&dataset);
    for start in broader.keys() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = broader.get(start).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            assert_ne!(*next, Term::from(start.clone()), "{start} is in a circle");
            if let Term::NamedNode(name) = next
                && seen.insert(name)
            {
                open.extend(broader.get(&name.clone().into()).into_iter().flatten());
            }
        }
    }
}

/// Levels are compared by what is broader, so the order of a list and that order must be the same.
#[test]
fn in_ordered_lists_each_level_is_a_kind_of_the_one_before() {
    let dataset = all();
    let broader = by_subject(&dataset, skos::BROADER);
    let lists = by_subject(&dataset, skos("memberList").as_ref());
    assert_eq!(lists.len(), 4);
    let one = |subject: &Term, property: NamedNodeRef<'_>| -> Term {
        let found = quads(&dataset).into_iter().find(|quad| {
            Term::from(quad.subject.clone()) == *subject && quad.predicate == property
        });
        found.unwrap().object
    };
    for (list, heads) in lists {
        let mut cell = heads.first().unwrap().clone();
        let mut before = None;
        while cell != Term::from(rdf::NIL) {
            let member = one(&cell, rdf::FIRST);
            if let (Some(before), Term::NamedNode(name)) = (before, &member) {
                let expected = vec![before];
                assert_eq!(broader.get(&name.clone().into()), Some(&expected), "{list}");
            }
            before = Some(member);
            cell = one(&cell, rdf::REST);
        }
    }
}
