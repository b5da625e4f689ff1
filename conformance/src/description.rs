//! SPARQL 1.1 Service Description: <https://www.w3.org/TR/sparql11-service-description/>.

use crate::exchange::rdf;
use crate::http::{Request, SPARQL, Target};
use crate::library::{Fault, Library};
use crate::manifest::{Manifest, Take};
use crate::report::{Report, Verdict};
use oxrdf::vocab::rdf as rdf_vocab;
use oxrdf::{Graph, NamedNode, NamedOrBlankNode, Term};
use std::collections::HashSet;

const NAMESPACE: &str = "http://www.w3.org/ns/sparql-service-description#";

/// The properties of the vocabulary: what has them, what their values are, and whether there is at most one.
const PROPERTIES: &[(&str, &str, &str, bool)] = &[
    ("endpoint", "Service", ANY, false),
    ("feature", "Service", "Feature", false),
    (
        "defaultEntailmentRegime",
        "Service",
        "EntailmentRegime",
        true,
    ),
    (
        "defaultSupportedEntailmentProfile",
        "Service",
        "EntailmentProfile",
        true,
    ),
    ("entailmentRegime", "NamedGraph", "EntailmentRegime", true),
    (
        "supportedEntailmentProfile",
        "NamedGraph",
        "EntailmentProfile",
        true,
    ),
    ("extensionFunction", "Service", "Function", false),
    ("extensionAggregate", "Service", "Aggregate", false),
    ("languageExtension", "Service", "Feature", false),
    ("supportedLanguage", "Service", "Language", false),
    ("propertyFeature", "Service", "Feature", false),
    ("defaultDataset", "Service", "Dataset", true),
    ("availableGraphs", "Service", "GraphCollection", true),
    ("resultFormat", "Service", ANY, false),
    ("inputFormat", "Service", ANY, false),
    ("defaultGraph", "Dataset", "Graph", true),
    ("namedGraph", "GraphCollection", "NamedGraph", false),
    ("name", "NamedGraph", ANY, true),
    ("graph", "NamedGraph", "Graph", true),
];

/// Any resource.
const ANY: &str = "";

const CLASSES: &[&str] = &[
    "Service",
    "Language",
    "Function",
    "Aggregate",
    "EntailmentRegime",
    "EntailmentProfile",
    "GraphCollection",
    "Dataset",
    "Graph",
    "NamedGraph",
    "Feature",
];

/// The named things of the vocabulary, with their classes.
const THINGS: &[(&str, &str)] = &[
    ("DereferencesURIs", "Feature"),
    ("UnionDefaultGraph", "Feature"),
    ("RequiresDataset", "Feature"),
    ("EmptyGraphs", "Feature"),
    ("BasicFederatedQuery", "Feature"),
    ("SPARQL10Query", "Language"),
    ("SPARQL11Query", "Language"),
    ("SPARQL11Update", "Language"),
];

/// Runs the three cases.
pub(crate) fn run(
    suite: &'static str,
    library: &Library,
    target: &dyn Fn() -> Result<Box<dyn Target>, Fault>,
) -> Result<Report, Fault> {
    let path = "sparql11/service-description/manifest.ttl";
    let Some(manifest) = Manifest::load(library, &[path], Take::Entries)? else {
        return Ok(Report::not_found(suite));
    };
    let target = target()?;
    let endpoint = format!("{}{SPARQL}", target.root());
    let mut cases = Vec::new();
    for case in manifest.cases() {
        let described = describe(target.as_ref(), &endpoint)?;
        let result = match case.id.rsplit('#').next().unwrap_or_default() {
            "returns-rdf" => described.map(drop),
            "has-endpoint-triple" => described.and_then(|graph| has_endpoint(&graph, &endpoint)),
            "conforms-to-schema" => described.and_then(|graph| conforms(&graph)),
            _ => {
                let reason = "no runner for this test".to_owned();
                cases.push((case.id.clone(), Verdict::Skipped(reason)));
                continue;
            }
        };
        let verdict = match result {
            Ok(()) => Verdict::Passed,
            Err(reason) => Verdict::Failed(reason),
        };
        cases.push((case.id.clone(), verdict));
    }
    Ok(Report::of(suite, cases))
}

/// What the endpoint says of itself when it is asked nothing.
fn describe(target: &dyn Target, endpoint: &str) -> Result<Result<Graph, String>, Fault> {
    let response = target.send(&Request::get(SPARQL))?;
    if !response.is_success() {
        return Ok(Err(response.summary()));
    }
    let graph = rdf(response.media_type(), &response.body, endpoint);
    Ok(match graph {
        Ok(graph) if graph.is_empty() => Err("the description is empty".to_owned()),
        other => other,
    })
}

fn has_endpoint(graph: &Graph, endpoint: &str) -> Result<(), String> {
    let property = sd("endpoint");
    let named: Vec<_> = graph
        .triples_for_predicate(&property)
        .map(|triple| triple.object.to_string())
        .collect();
    if named.contains(&format!("<{endpoint}>")) {
        Ok(())
    } else {
        Err(format!("sd:endpoint names {named:?}, not <{endpoint}>"))
    }
}

/// Whether each term of the vocabulary is one, and is used as the vocabulary says.
fn conforms(graph: &Graph) -> Result<(), String> {
    let service = sd("Service");
    if graph
        .subject_for_predicate_object(rdf_vocab::TYPE, &service)
        .is_none()
    {
        return Err("nothing is a sd:Service".to_owned());
    }
    let mut seen = HashSet::new();
    for triple in graph {
        if let Term::NamedNode(object) = triple.object.into_owned()
            && let Some(local) = local(&object)
        {
            known(local, triple.predicate == rdf_vocab::TYPE)?;
        }
        let predicate = triple.predicate.into_owned();
        let Some(local) = local(&predicate) else {
            continue;
        };
        let found = PROPERTIES.iter().find(|(name, ..)| *name == local);
        let Some((_, domain, range, is_single)) = found else {
            return Err(format!("sd:{local} is no property of the vocabulary"));
        };
        let subject = triple.subject.into_owned();
        can_be(graph, &subject, domain, local)?;
        match triple.object.into_owned() {
            Term::Literal(literal) => {
                return Err(format!("sd:{local} has the literal {literal} as its value"));
            }
            Term::NamedNode(object) => can_be(graph, &object.into(), range, local)?,
            Term::BlankNode(object) => can_be(graph, &object.into(), range, local)?,
        }
        if *is_single && !seen.insert((subject, local.to_owned())) {
            return Err(format!("sd:{local} has two values where it can have one"));
        }
    }
    Ok(())
}

fn known(local: &str, as_class: bool) -> Result<(), String> {
    let is_class = CLASSES.contains(&local);
    let is_thing = THINGS.iter().any(|(name, _)| *name == local);
    if is_class || (is_thing && !as_class) {
        Ok(())
    } else {
        Err(format!("sd:{local} is no such term of the vocabulary"))
    }
}

/// Whether what the description says of a node lets it be of a class.
fn can_be(
    graph: &Graph,
    node: &NamedOrBlankNode,
    class: &str,
    property: &str,
) -> Result<(), String> {
    let mut stated: Vec<String> = graph
        .objects_for_subject_predicate(node, rdf_vocab::TYPE)
        .filter_map(|object| match object.into_owned() {
            Term::NamedNode(class) => local(&class).map(str::to_owned),
            _ => None,
        })
        .collect();
    if let NamedOrBlankNode::NamedNode(name) = node {
        let thing = local(name).and_then(|name| THINGS.iter().find(|(thing, _)| *thing == name));
        stated.extend(thing.map(|(_, class)| (*class).to_owned()));
    }
    let fits = |stated: &String| {
        // Every dataset is a collection of graphs.
        stated == class || (class == "GraphCollection" && stated == "Dataset")
    };
    if class == ANY || stated.is_empty() || stated.iter().any(fits) {
        Ok(())
    } else {
        Err(format!(
            "{node} at sd:{property} is {stated:?}, not sd:{class}"
        ))
    }
}

fn local(iri: &NamedNode) -> Option<&str> {
    iri.as_str().strip_prefix(NAMESPACE)
}

fn sd(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{NAMESPACE}{local}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "@prefix sd: <http://www.w3.org/ns/sparql-service-description#> .";

    fn graph(text: &str) -> Graph {
        rdf(
            "text/turtle",
            format!("{HEAD}{text}").as_bytes(),
            "http://x/sparql",
        )
        .unwrap()
    }

    #[test]
    fn a_sound_description_conforms() {
        let graph = graph(
            "<#s> a sd:Service ; sd:endpoint <> ; sd:supportedLanguage sd:SPARQL11Query ;
             sd:feature sd:EmptyGraphs, <http://x/own> ;
             sd:defaultDataset [ a sd:Dataset ; sd:defaultGraph [ a sd:Graph ] ;
               sd:namedGraph [ a sd:NamedGraph ; sd:name <http://x/g> ] ] .",
        );
        assert_eq!(conforms(&graph), Ok(()));
        assert_eq!(has_endpoint(&graph, "http://x/sparql"), Ok(()));
        assert!(has_endpoint(&graph, "http://x/other").is_err());
    }

    #[test]
    fn misuse_of_the_vocabulary_is_found() {
        for wrong in [
            "<#s> sd:endpoint <> .",
            "<#s> a sd:Service ; sd:endPoint <> .",
            "<#s> a sd:Service ; sd:endpoint \"x\" .",
            "<#s> a sd:Service ; sd:feature sd:SPARQL11Query .",
            "<#s> a sd:Service ; sd:feature sd:Nonsense .",
            "<#s> a sd:Service ; sd:defaultDataset [ a sd:Graph ] .",
            "<#s> a sd:Service ; sd:defaultDataset <#a>, <#b> .",
            "<#s> a sd:Service, sd:Nonsense .",
        ] {
            assert!(conforms(&graph(wrong)).is_err(), "{wrong}");
        }
    }
}
