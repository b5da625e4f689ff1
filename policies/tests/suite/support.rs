//! What all tests write and ask.

use oxrdf::NamedNode;
use twinlink_policy::{Ask, Policy, PolicyError, PolicySet, RdfFormat};

pub(crate) const PREFIXES: &str = "
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
@prefix dpv: <https://w3id.org/dpv#> .
@prefix sector-infra: <https://w3id.org/dpv/sector/infra#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix ex: <http://example.org/> .
";

/// The dataset of all tests is `ex:twin`.
pub(crate) fn dataset() -> NamedNode {
    ex("twin")
}

pub(crate) fn ex(name: &str) -> NamedNode {
    NamedNode::new(format!("http://example.org/{name}")).unwrap()
}

pub(crate) fn odrl(name: &str) -> NamedNode {
    NamedNode::new(format!("http://www.w3.org/ns/odrl/2/{name}")).unwrap()
}

pub(crate) fn tl(name: &str) -> NamedNode {
    NamedNode::new(format!("https://w3id.org/twinlink/ns#{name}")).unwrap()
}

pub(crate) fn turtle(text: &str) -> Result<Vec<Policy>, Vec<PolicyError>> {
    Policy::parse(&format!("{PREFIXES}{text}"), RdfFormat::Turtle, None)
}

pub(crate) fn policies(text: &str) -> Vec<Policy> {
    turtle(text).unwrap_or_else(|errors| panic!("{text}\n{}", lines(&errors)))
}

pub(crate) fn set(text: &str) -> PolicySet {
    PolicySet::compile(dataset(), policies(text))
        .unwrap_or_else(|errors| panic!("{}", lines(&errors)))
}

pub(crate) fn lines(errors: &[PolicyError]) -> String {
    let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// `ex:fire` asks to read, at noon of 20 November 2026, with no role and no purpose.
pub(crate) fn ask() -> Ask {
    Ask {
        participant: ex("fire"),
        subject: "officer 1".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: odrl("read"),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    }
}

pub(crate) fn ask_for(purpose: NamedNode) -> Ask {
    Ask {
        purpose: Some(purpose),
        ..ask()
    }
}

pub(crate) fn ask_as(role: NamedNode) -> Ask {
    Ask {
        roles: vec![role],
        ..ask()
    }
}

pub(crate) fn permission(constraints: &str) -> PolicySet {
    set(&format!(
        "ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
           odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; {constraints} ] ."
    ))
}

/// Permits reading to all, prohibits it under the constraints.
pub(crate) fn prohibition(constraints: &str) -> PolicySet {
    set(&format!(
        "ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:prohibit ;
           odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ;
           odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ; {constraints} ] ."
    ))
}

pub(crate) fn refused(text: &str, parts: &[&str]) {
    let errors = match turtle(text) {
        Ok(_) => panic!("published: {text}"),
        Err(errors) => lines(&errors),
    };
    for part in parts {
        assert!(errors.contains(part), "{text}\nsays: {errors}\nnot: {part}");
    }
}

pub(crate) const PROFILE: &str = "odrl:profile <https://w3id.org/twinlink/profile/1>";

/// A rule that is in order but for what is added.
pub(crate) fn rule(addition: &str) -> String {
    format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; {addition} ] ."
    )
}

pub(crate) fn constraint(inside: &str) -> String {
    rule(&format!("odrl:constraint [ {inside} ]"))
}
