//! The stock policies can be published, and the Dutch profile beside them is in order.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

#[cfg(test)]
#[path = "stock/incident.rs"]
mod incident;

use oxrdf::Term;
use oxrdfio::RdfParser;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use twinlink_policy::{
    DUTCH_RULES_TURTLE, Finding, Policy, PolicySet, PurposeRules, RdfFormat, check,
};
use twinlink_vocab::{DUTCH_PROFILE, TWINLINK_TURTLE};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stock");
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ttl"))
        .collect();
    found.sort();
    assert!(found.len() >= 4, "{found:?}");
    found
}

/// All that a file says of Twinlink's own terms is said of terms that exist.
fn unknown_terms(text: &str) -> Vec<String> {
    let defined: BTreeSet<String> = DUTCH_PROFILE
        .iter()
        .chain([&TWINLINK_TURTLE])
        .flat_map(|text| RdfParser::from_format(RdfFormat::Turtle).for_slice(text))
        .map(|quad| quad.unwrap().subject.to_string())
        .collect();
    let mut unknown = Vec::new();
    for quad in RdfParser::from_format(RdfFormat::Turtle).for_slice(text) {
        let quad = quad.unwrap();
        let terms = [quad.subject.into(), quad.predicate.into(), quad.object];
        unknown.extend(
            terms
                .into_iter()
                .map(|term: Term| term.to_string())
                .filter(|term| {
                    let is_ours = ["ns#", "nl#"].iter().any(|space| {
                        term.starts_with(&format!("<https://w3id.org/twinlink/{space}"))
                    });
                    is_ours && !defined.contains(term)
                }),
        );
    }
    unknown
}

#[test]
fn every_stock_policy_passes_the_check_and_compiles() {
    for path in files() {
        let name = path.display();
        let text = fs::read_to_string(&path).unwrap();
        let policies = Policy::parse(&text, RdfFormat::Turtle, None)
            .unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
        let dataset = policies.first().and_then(Policy::dataset).unwrap().clone();
        let findings = check(&text, RdfFormat::Turtle, None, Some(&dataset));
        let errors: Vec<_> = findings.iter().filter(|one| one.is_error()).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        PolicySet::compile(dataset, policies)
            .unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
    }
}

#[test]
fn every_stock_policy_warns_of_nothing_but_what_it_means() {
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        for finding in check(&text, RdfFormat::Turtle, None, None) {
            if let Finding::Warning(warning) = finding {
                // Public places are for anyone, and whose a parcel is can be asked of each parcel in turn.
                let meant = ["names no assignee", "who can guess names"];
                let is_meant = meant.iter().any(|part| warning.contains(part));
                assert!(is_meant, "{warning}");
            }
        }
    }
}

#[test]
fn every_stock_policy_has_expectations_beside_it_and_says_what_it_is_for() {
    for path in files() {
        assert!(path.with_extension("test.toml").is_file(), "{path:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(unknown_terms(&text), Vec::<String>::new(), "{path:?}");
        let graph: oxrdf::Graph = RdfParser::from_format(RdfFormat::Turtle)
            .for_slice(&text)
            .map(|quad| oxrdf::Triple::from(quad.unwrap()))
            .collect();
        let set = twinlink_vocab::odrl::SET;
        for policy in graph.subjects_for_predicate_object(oxrdf::vocab::rdf::TYPE, set) {
            let count = |property| {
                graph
                    .objects_for_subject_predicate(policy, property)
                    .count()
            };
            assert_eq!(count(twinlink_vocab::dcterms::TITLE), 2, "{policy}");
            assert_eq!(count(twinlink_vocab::dcterms::DESCRIPTION), 1, "{policy}");
        }
    }
}

#[test]
fn who_may_state_which_purpose_is_said_of_terms_that_exist() {
    assert_eq!(unknown_terms(DUTCH_RULES_TURTLE), Vec::<String>::new());
    let rules = PurposeRules::parse(DUTCH_RULES_TURTLE).unwrap();
    assert_ne!(rules, PurposeRules::default());
}
