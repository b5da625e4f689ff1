//! Paths across members: what is fetched is what they lead to, and who may not be told where tells all.

use crate::equal::sorted;
use crate::fakes::{World, iri, participant};
use crate::merged::{evaluate, merge};
use crate::summaries::Shown;
use oxrdf::{BlankNode, GraphName, NamedOrBlankNode, Quad, Term};
use spargebra::SparqlParser;

const FROM_HERE: &str = "SELECT ?x { <urn:r0> <urn:to>+ ?x }";

fn road(from: impl Into<NamedOrBlankNode>, to: impl Into<Term>) -> Quad {
    Quad::new(from, iri("urn:to"), to, GraphName::DefaultGraph)
}

fn place(number: usize) -> oxrdf::NamedNode {
    iri(&format!("urn:r{number}"))
}

/// A road that goes from member to member, so many times, and many roads elsewhere at each.
fn roads(length: usize) -> Vec<Vec<Quad>> {
    let member = |member: usize| {
        let of_it = (0..length).filter(|number| number % 3 == member);
        let of_it = of_it.map(|number| road(place(number), place(number + 1)));
        let elsewhere = (0..1_000).map(|number| {
            let place = |number| iri(&format!("urn:e{member}-{number}"));
            road(place(number), place(number + 1))
        });
        of_it.chain(elsewhere).collect()
    };
    (0..3).map(member).collect()
}

fn world(members: Vec<Vec<Quad>>, recipients: &[usize]) -> World {
    let mut world = World::new(members);
    let recipients = recipients.iter().copied().map(participant).collect();
    world.summaries = Some(Shown::told(&world.members, recipients));
    world
}

/// Asks, compares with the merge, and tells what was asked of the peers.
fn ask(world: &World, query: &str) -> Vec<(usize, String)> {
    let answer = world.ask(query);
    let parsed = SparqlParser::new().parse_query(query).unwrap();
    let (_, expected) = evaluate(&merge(&world.members), &parsed, None).unwrap();
    assert!(!expected.solutions.is_empty());
    assert_eq!(sorted(&answer.rows), sorted(&expected), "{query}");
    let asked = world.asked.lock().unwrap();
    let asked = asked.iter().filter(|(member, _)| *member > 0);
    asked
        .map(|(member, asked)| (*member, asked.query.clone()))
        .collect()
}

/// Whether it asks for what leads on from some places, or for one quad of a node.
fn is_bound(query: &str) -> bool {
    query.contains("VALUES") || query.contains("LIMIT 1")
}

#[test]
fn only_what_a_path_leads_to_is_fetched() {
    for query in [
        FROM_HERE,
        "SELECT ?x { <urn:r6> ^<urn:to>* ?x }",
        "SELECT ?x { ?x <urn:to>+ <urn:r6> }",
        "SELECT ?x { <urn:r0> (<urn:to>/<urn:to>)+ ?x }",
        "SELECT ?x { <urn:r0> !<urn:from>+ ?x }",
        "ASK { <urn:r0> <urn:to>+ <urn:r6> }",
        "SELECT ?x ?y { <urn:r0> <urn:to>+ ?x . ?x <urn:to>+ ?y }",
        "SELECT ?x { VALUES ?s { <urn:r0> <urn:r3> } ?s <urn:to>+ ?x }",
    ] {
        let world = world(roads(6), &[0, 1, 2]);
        if query.starts_with("ASK") {
            assert_eq!(world.ask(query).head, twinlink_core::Head::Boolean(true));
            continue;
        }
        let asked = ask(&world, query);
        assert!(asked.iter().all(|(_, query)| is_bound(query)), "{asked:?}");
    }
}

#[test]
fn a_path_binds_what_it_leads_to() {
    let mut members = roads(6);
    for (member, quads) in members.iter_mut().enumerate() {
        let closed = |number| {
            let place = iri(&format!("urn:e{member}-{number}"));
            Quad::new(
                place,
                iri("urn:is"),
                iri("urn:closed"),
                GraphName::DefaultGraph,
            )
        };
        quads.extend((0..500).map(closed));
        quads.push(Quad::new(
            place(5),
            iri("urn:is"),
            iri("urn:closed"),
            GraphName::DefaultGraph,
        ));
    }
    let world = world(members, &[0, 1, 2]);
    let asked = ask(
        &world,
        "SELECT ?x { <urn:r0> <urn:to>+ ?x . ?x <urn:is> <urn:closed> }",
    );
    assert!(asked.iter().all(|(_, query)| is_bound(query)), "{asked:?}");
}

// INVARIANT(bindings-by-policy)
#[test]
fn where_a_path_led_is_told_to_those_only_who_may_know() {
    // Nobody may be told anything but this organisation itself.
    let world = world(roads(6), &[0]);
    for (member, query) in ask(&world, FROM_HERE) {
        // What the question says itself is nobody's secret.
        let tells = (1..7).any(|number| query.contains(&format!("urn:r{number}>")));
        assert!(!tells, "{member} was told: {query}");
    }
}

#[test]
fn a_path_over_blank_nodes_has_all_steps_of_their_member() {
    let mut members = roads(3);
    let blank = BlankNode::new_unchecked("b");
    members[1].push(road(place(3), blank.clone()));
    members[1].push(road(blank, place(7)));
    members[2].push(road(place(7), place(8)));
    let world = world(members, &[0, 1, 2]);
    let asked = ask(
        &world,
        "SELECT ?x { <urn:r0> <urn:to>+ ?x FILTER(!isBlank(?x)) }",
    );
    let whole: Vec<_> = asked.iter().filter(|(_, query)| !is_bound(query)).collect();
    assert!(matches!(whole.as_slice(), [(1, _)]), "{whole:?}");
}

#[test]
fn few_steps_and_long_ways_are_fetched_at_once() {
    // There are fewer than two rounds cost.
    let mut few = roads(6);
    for member in &mut few {
        member.truncate(20);
    }
    let first = world(few, &[0, 1, 2]);
    assert_eq!(ask(&first, FROM_HERE).len(), 2);
    // Each round leads one step on: sooner or later it would have been cheaper to fetch all.
    let second = world(roads(90), &[0, 1, 2]);
    let asked = ask(&second, FROM_HERE);
    assert!(
        asked.iter().any(|(_, query)| !is_bound(query)),
        "{}",
        asked.len()
    );
    assert!(asked.len() < 40, "{}", asked.len());
}
