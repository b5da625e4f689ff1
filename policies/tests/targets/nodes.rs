//! Evaluates the node patterns of guards.

use crate::support::{PREFIXES, PROFILE, ask, set};
use oxrdf::{Dataset, Term};
use spareval::{QueryEvaluator, QueryResults};
use std::collections::BTreeSet;
use twinlink_policy::{NodePattern, RdfFormat};

pub(crate) const SHACL: &str = "@prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix geo: <http://www.opengis.net/ont/geosparql#> .\n";

/// The data, all of it in the default graph.
pub(crate) fn data(text: &str) -> Dataset {
    let text = format!("{PREFIXES}{SHACL}{text}");
    oxrdfio::RdfParser::from_format(RdfFormat::Turtle)
        .for_slice(&text)
        .map(|quad| quad.unwrap_or_else(|error| panic!("{error} in {text}")))
        .collect()
}

/// The pattern of a permission with a refinement, and that of a prohibition. `also` stands beside the policy.
pub(crate) fn compiled(refinement: &str, also: &str) -> [NodePattern; 2] {
    let target = format!(
        "odrl:target [ a odrl:AssetCollection ; odrl:source ex:twin ; odrl:refinement {refinement} ] ;
         odrl:action odrl:read"
    );
    let permitted = set(&format!(
        "{SHACL} ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ {target} ] . {also}"
    ));
    let permitted = permitted.decide(&ask()).unwrap();
    let prohibited = set(&format!(
        "{SHACL} ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ;
           odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ; odrl:prohibition [ {target} ] . {also}"
    ));
    let prohibited = prohibited.decide(&ask()).unwrap();
    [
        permitted.guard().permits()[0].nodes.clone().unwrap(),
        prohibited.guard().prohibitions()[0].nodes.clone().unwrap(),
    ]
}

/// The nodes of a pattern in some data: IRIs of the namespace of the tests by their local names.
pub(crate) fn select(pattern: &NodePattern, data: &Dataset) -> BTreeSet<String> {
    let mut evaluator = QueryEvaluator::new();
    for (name, function) in spargeo::GEOSPARQL_EXTENSION_FUNCTIONS {
        evaluator = evaluator.with_custom_function(name.into_owned(), function);
    }
    let results = evaluator.prepare(pattern.query()).execute(data).unwrap();
    let QueryResults::Solutions(solutions) = results else {
        panic!("no solutions")
    };
    let nodes = solutions.map(|solution| match solution.unwrap().get("this").unwrap() {
        Term::NamedNode(name) => name.as_str().replace("http://example.org/", ""),
        other => other.to_string(),
    });
    nodes.collect()
}

/// What the permission and the prohibition by a refinement select, as lists of names.
pub(crate) fn selected(refinement: &str, also: &str, data: &Dataset) -> [String; 2] {
    compiled(refinement, also).map(|pattern| {
        let nodes: Vec<_> = select(&pattern, data).into_iter().collect();
        nodes.join(" ")
    })
}

/// Asserts that both select the same nodes.
pub(crate) fn both(refinement: &str, also: &str, data: &Dataset, expected: &str) {
    let [permitted, prohibited] = selected(refinement, also, data);
    assert_eq!(permitted, expected, "permission: {refinement} {also}");
    assert_eq!(prohibited, expected, "prohibition: {refinement} {also}");
}
