//! Members that are no connectors: what they are sent, and what their blank nodes are worth.

use crate::fakes::{World, iri};
use oxrdf::{BlankNode, GraphName, Literal, Quad, Term};
use twinlink_core::SourceState;
use twinlink_federation::{Dialect, PeerTraits};

fn quad(subject: &str, predicate: &str, object: impl Into<Term>) -> Quad {
    let subject = iri(&format!("urn:{subject}"));
    let predicate = iri(&format!("urn:{predicate}"));
    Quad::new(subject, predicate, object, GraphName::DefaultGraph)
}

fn foreign() -> PeerTraits {
    PeerTraits {
        takes_bindings: false,
        values: 2,
        keeps_labels: false,
        ..PeerTraits::default()
    }
}

/// INVARIANT(labels-of-one-answer)
#[test]
fn labels_of_one_answer() {
    let blank = |predicate: &str| {
        let subject = BlankNode::new_unchecked("b0");
        let predicate = iri(&format!("urn:{predicate}"));
        Quad::new(
            subject,
            predicate,
            Literal::from(1),
            GraphName::DefaultGraph,
        )
    };
    let members = vec![
        vec![
            quad("a", "p", Literal::from(1)),
            quad("a", "q", Literal::from(1)),
        ],
        vec![
            blank("p"),
            blank("q"),
            quad("c", "p", Literal::from(1)),
            quad("c", "q", Literal::from(1)),
        ],
    ];
    let query = "SELECT * { ?s <urn:p> ?x . ?s <urn:q> ?y }";
    let count = "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?x . ?s <urn:q> ?y }";
    let mut world = World::new(members.clone());
    assert_eq!(world.ask(query).rows.solutions.len(), 3);
    world.traits.insert(1, foreign());
    let answer = world.ask(query);
    // What could be another node in another answer is left out, and that is said.
    assert_eq!(answer.rows.solutions.len(), 2);
    assert_eq!(answer.sources[1].state, SourceState::Partial);
    assert!(
        answer.sources[1]
            .reason
            .as_ref()
            .unwrap()
            .contains("blank nodes")
    );
    assert_eq!(world.ask(count).unsure, ["aggregate"]);
    // In one answer they mean what they mean.
    let mut alone = members;
    alone[0].clear();
    let mut world = World::new(alone);
    world.traits.insert(1, foreign());
    let answer = world.ask(query);
    assert_eq!(answer.rows.solutions.len(), 2);
    assert_eq!(answer.sources[1].state, SourceState::Complete);
    // Nor where it gives what it holds, and the rest is done here.
    let mut standard = foreign();
    standard.dialect = endpoint(&[]).dialect;
    world.traits.insert(1, standard);
    for query in [
        query,
        "SELECT * { ?s <urn:p> ?x . ?s <urn:q> ?y } ORDER BY ?x LIMIT 5",
    ] {
        let answer = world.ask(query);
        assert_eq!(answer.rows.solutions.len(), 2, "{query}");
        assert_eq!(answer.sources[1].state, SourceState::Complete, "{query}");
    }
    let greatest = world.ask("SELECT (MAX(?x) AS ?n) { ?s <urn:p> ?x }");
    assert!(greatest.unsure.is_empty());
    // Two answers of it are two.
    let answer = world.ask("SELECT * { { ?s <urn:p> ?x } UNION { ?s <urn:q> ?x } } ORDER BY ?x");
    assert_eq!(answer.sources[1].state, SourceState::Partial);
}

#[test]
fn an_endpoint_gets_no_more_values_than_it_takes() {
    let members = vec![
        vec![
            quad("a", "near", iri("urn:x")),
            quad("b", "near", iri("urn:y")),
        ],
        (0..50)
            .map(|n| quad(&format!("x{n}"), "p", Literal::from(n)))
            .collect(),
    ];
    for (values, sends) in [(1, false), (3, true)] {
        let mut world = World::new(members.clone());
        world.traits.insert(
            1,
            PeerTraits {
                values,
                ..foreign()
            },
        );
        let answer = world.ask(
            "SELECT * { ?s <urn:p> ?n VALUES ?s { <urn:x1> <urn:x2> <urn:x3> } OPTIONAL { ?a <urn:near> ?s } }",
        );
        assert_eq!(answer.rows.solutions.len(), 3);
        let asked = world.asked.lock().unwrap();
        let mut sent = asked
            .iter()
            .filter(|(member, question)| *member == 1 && !question.query.contains("EXISTS"));
        let most = sent
            .clone()
            .map(|(_, question)| question.query.matches("urn:x").count());
        assert!(sends || most.max().unwrap_or_default() <= 3, "{values}");
        assert!(sent.next().is_some());
    }
}

/// A member that is a SPARQL 1.1 endpoint, with these functions beside.
fn endpoint(functions: &[&str]) -> PeerTraits {
    PeerTraits {
        dialect: Dialect::Standard {
            functions: functions.iter().map(|name| iri(name)).collect(),
            conditions: true,
        },
        values: 100,
        ..PeerTraits::default()
    }
}

/// INVARIANT(as-we-would)
#[test]
fn as_we_would() {
    const WITHIN: &str = "http://www.opengis.net/def/function/geosparql/sfWithin";
    let near = quad("b", "at", Literal::from(2));
    let ours = vec![quad("a", "at", Literal::from(1))];
    let of = |query: &str, traits: PeerTraits, is_alone: bool| {
        let ours = if is_alone { Vec::new() } else { ours.clone() };
        let mut world = World::new(vec![ours, vec![near.clone()]]);
        world.traits.insert(1, traits);
        world.ask(query);
        let asked = world.asked.lock().unwrap();
        let to_it = asked.iter().filter(|(member, _)| *member == 1);
        let to_it = to_it.map(|(_, question)| question.query.clone());
        to_it.collect::<Vec<_>>().join("\n")
    };
    let within = format!("SELECT * {{ ?s <urn:at> ?x FILTER(<{WITHIN}>(?x, 1)) }}");
    for (query, word) in [
        (within.as_str(), "sfWithin"),
        ("SELECT * { ?s <urn:at> ?x } ORDER BY ?x LIMIT 1", "ORDER"),
        ("SELECT (MAX(?x) AS ?n) { ?s <urn:at> ?x }", "MAX"),
        ("SELECT * { ?s <urn:at> ?x FILTER(?x != 3) }", "FILTER"),
        (
            "SELECT * { ?s <urn:at> ?x FILTER(STRLEN(?x) > 3) }",
            "FILTER",
        ),
    ] {
        for is_alone in [true, false] {
            let asked = of(query, endpoint(&[]), is_alone);
            assert!(asked.contains("urn:at") && !asked.contains(word), "{asked}");
        }
        // A connector evaluates as we do.
        assert!(of(query, PeerTraits::default(), true).contains(word));
    }
    assert!(of(&within, endpoint(&[WITHIN]), true).contains("sfWithin"));
    let less = "SELECT * { ?s <urn:at> ?x FILTER(?x < 3) }";
    assert!(of(less, endpoint(&[]), false).contains("FILTER"));
}
