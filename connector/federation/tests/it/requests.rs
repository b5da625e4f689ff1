//! What a question costs, and what it tells the peers.

use crate::fakes::{World, iri, participant};
use crate::summaries::Shown;
use oxrdf::{BlankNode, GraphName, Literal, NamedNode, Quad, Term};

fn quad(subject: &str, predicate: &str, object: impl Into<Term>) -> Quad {
    let subject = iri(&format!("urn:{subject}"));
    let predicate = iri(&format!("urn:{predicate}"));
    Quad::new(subject, predicate, object, GraphName::DefaultGraph)
}

fn node(name: &str) -> NamedNode {
    iri(&format!("urn:{name}"))
}

/// The city has schools, the police cordons, the fire brigade hydrants; all have names and places.
pub(crate) fn city() -> World {
    let kinds = [("school", 40), ("cordon", 2), ("hydrant", 10)];
    let members = kinds.map(|(kind, count)| {
        (0..count)
            .flat_map(|n| {
                let thing = format!("{kind}{n}");
                [
                    quad(&thing, kind, Literal::from(i64::from(n))),
                    quad(&thing, "name", Literal::from(format!("{kind} {n}"))),
                    quad(&thing, "near", node(&format!("school{}", n * 2))),
                ]
            })
            .collect()
    });
    World::new(members.to_vec())
}

#[test]
fn a_question_for_one_member_costs_one_probe_each_and_one() {
    let world = city();
    let answer = world.ask(
        "SELECT * { ?h <urn:hydrant> ?n ; <urn:hydrant> ?m FILTER(?n < 5) } ORDER BY ?n LIMIT 3",
    );
    assert_eq!(answer.rows.solutions.len(), 3);
    assert_eq!(world.requests(), [1, 1, 2]);
    let rows: Vec<_> = answer.sources.iter().map(|source| source.rows).collect();
    assert_eq!(rows, [0, 0, 3]);
}

#[test]
fn a_question_for_nobody_costs_one_probe_each() {
    let world = city();
    let answer = world.ask("SELECT * { ?h <urn:nothing> ?n }");
    assert!(answer.rows.solutions.is_empty());
    assert_eq!(world.requests(), [1, 1, 1]);
}

#[test]
fn a_question_about_no_data_asks_nobody() {
    let world = city();
    assert_eq!(world.ask("SELECT (1 AS ?one) { }").rows.solutions.len(), 1);
    assert_eq!(world.requests(), [0, 0, 0]);
}

#[test]
fn patterns_of_one_member_travel_together_with_their_filters() {
    let world = city();
    let answer = world.ask(
        "SELECT * { ?c <urn:cordon> ?n ; <urn:name> ?name . ?h <urn:hydrant> ?m . ?h <urn:hydrant> ?k FILTER(?m = 3) }",
    );
    assert_eq!(answer.rows.solutions.len(), 2);
    let asked = world.asked.lock().unwrap();
    let hydrants: Vec<_> = asked
        .iter()
        .filter(|(member, question)| *member == 2 && !question.query.contains("EXISTS"))
        .filter(|(_, question)| question.query.contains("urn:hydrant"))
        .collect();
    let [(_, question)] = hydrants.as_slice() else {
        panic!("{hydrants:?}");
    };
    assert!(
        question.query.contains("FILTER((?m = "),
        "{}",
        question.query
    );
}

#[test]
fn few_values_keep_the_next_fetch_short() {
    let query = "SELECT * { ?c <urn:cordon> ?n . ?c <urn:near> ?s . ?s <urn:name> ?name }";
    let mut world = city();
    world.limits.bindings = 5;
    world.summaries = Some(Shown::to_all(&world.members));
    let rows = world.ask(query).rows;
    assert_eq!(rows.solutions.len(), 2);
    let total = |world: &World| {
        world
            .ask(query)
            .sources
            .iter()
            .map(|source| source.rows)
            .sum::<u64>()
    };
    let bound = total(&world);
    let mut secretive = city();
    secretive.limits.bindings = 5;
    secretive.summaries = Some(Shown::to_all(&secretive.members));
    secretive.limits.share_bindings = false;
    assert_eq!(secretive.ask(query).rows.solutions.len(), 2);
    assert!(bound < 8, "{bound} triples were fetched");
    assert!(total(&secretive) > 50);
    for (member, question) in secretive.asked.lock().unwrap().iter() {
        assert!(
            // Its own cordons are no news to the police.
            *member != 2 || !question.query.contains("VALUES"),
            "{}",
            question.query
        );
    }
}

/// Which schools the police close; two others know what they are called and how many pupils they have. Each lets these be
/// told what it shows.
pub(crate) fn closes(recipients: &[usize]) -> World {
    let of_schools = |predicate: &'static str, count: u32| {
        let quads = (0..count).map(move |n| {
            quad(
                &format!("school{n}"),
                predicate,
                Literal::from(i64::from(n)),
            )
        });
        quads.collect::<Vec<_>>()
    };
    let closes = (0..3).map(|n| quad(&format!("cordon{n}"), "closes", node(&format!("school{n}"))));
    let members = vec![
        Vec::new(),
        closes.collect(),
        of_schools("name", 500),
        of_schools("pupils", 500),
    ];
    let mut world = World::new(members);
    world.limits.bindings = 5;
    let recipients = recipients.iter().copied().map(participant).collect();
    world.summaries = Some(Shown::told(&world.members, recipients));
    world
}

/// The police close schools, the city knows their names, and somebody else how many pupils they have. Who hears which
/// are closed is for the police to say.
#[test]
fn bindings_by_policy() {
    let hear = |recipients: &[usize], query: &str| {
        let world = closes(recipients);
        world.ask(query);
        let asked = world.asked.lock().unwrap();
        let names = asked
            .iter()
            .filter(|(_, question)| question.query.contains("<urn:school"));
        let mut hear: Vec<_> = names.map(|(member, _)| *member).collect();
        hear.sort_unstable();
        hear.dedup();
        hear
    };
    let query = "SELECT * { ?c <urn:closes> ?s . ?s <urn:name> ?n ; <urn:pupils> ?p }";
    assert!(hear(&[], query).is_empty());
    assert!(hear(&[0, 1], query).is_empty());
    assert_eq!(hear(&[2], query), [2]);
    assert_eq!(hear(&[3], query), [3]);
    assert_eq!(hear(&[2, 3], query), [2, 3]);
    // Descriptions are asked by name where all may hear the names.
    let describe = "DESCRIBE ?s { ?c <urn:closes> ?s }";
    assert!(hear(&[2], describe).is_empty());
    assert_eq!(hear(&[2, 3], describe), [1, 2, 3]);
}

#[test]
fn conditions_are_checked_where_few_rows_are_left() {
    let mut world = city();
    world.summaries = Some(Shown::to_all(&world.members));
    let answer = world.ask(
        "SELECT * { ?c <urn:cordon> ?n . ?c <urn:near> ?s . ?s <urn:name> ?name FILTER(CONTAINS(?name, \"2\")) }",
    );
    assert_eq!(answer.rows.solutions.len(), 1);
    let asked = world.asked.lock().unwrap();
    let mut checked = asked
        .iter()
        .filter(|(_, question)| question.query.contains("CONTAINS"))
        .peekable();
    assert!(checked.peek().is_some());
    for (_, question) in checked {
        assert!(question.query.contains("VALUES"), "{}", question.query);
    }
}

#[test]
fn a_graph_is_not_taken_for_a_few_values() {
    let mut world = city();
    for quad in world.members.iter_mut().flatten() {
        quad.graph_name = node("graph").into();
    }
    world.limits.bindings = 5;
    world.summaries = Some(Shown::to_all(&world.members));
    let answer = world.ask("SELECT * { GRAPH ?g { ?c <urn:cordon> ?n . ?c <urn:name> ?name } }");
    assert_eq!(answer.rows.solutions.len(), 2);
    let fetched: u64 = answer.sources.iter().map(|source| source.rows).sum();
    assert_eq!(fetched, 4);
}

#[test]
fn values_of_the_question_are_no_secret() {
    let mut world = city();
    world.limits.share_bindings = false;
    let answer =
        world.ask("SELECT * { VALUES ?s { <urn:school0> <urn:cordon0> } ?s <urn:name> ?name }");
    assert_eq!(answer.rows.solutions.len(), 2);
    assert_eq!(
        answer.sources.iter().map(|source| source.rows).sum::<u64>(),
        2
    );
}

#[test]
fn no_blank_node_is_ever_sent() {
    let mut world = city();
    for (number, member) in world.members.iter_mut().enumerate() {
        let blank = BlankNode::new_unchecked("b0");
        member.push(quad("joint", "at", blank.clone()));
        let place = Literal::from(i64::try_from(number).unwrap());
        member.push(Quad::new(
            blank,
            node("place"),
            place,
            GraphName::DefaultGraph,
        ));
    }
    let answer = world.ask("SELECT * { <urn:joint> <urn:at> ?b . ?b <urn:place> ?x }");
    assert_eq!(answer.rows.solutions.len(), 3);
    for (_, question) in world.asked.lock().unwrap().iter() {
        assert!(!question.query.contains("_:"), "{}", question.query);
    }
}

#[test]
fn a_description_is_asked_by_name() {
    let world = city();
    let answer = world.ask("DESCRIBE <urn:cordon0>");
    assert_eq!(answer.rows.triples.len(), 3);
    assert_eq!(
        answer.sources.iter().map(|source| source.rows).sum::<u64>(),
        3
    );
    assert_eq!(world.requests(), [2, 2, 2]);
}

#[test]
fn parts_that_cannot_match_are_not_fetched() {
    let world = city();
    world.ask(
        "SELECT * { { ?c <urn:cordon> ?n } UNION { ?s ?p ?o . ?s <urn:nothing> ?x } ?c <urn:name> ?name }",
    );
    for (_, question) in world.asked.lock().unwrap().iter() {
        let is_fetch = !question.query.contains("EXISTS");
        assert!(
            !is_fetch || !question.query.contains("?s ?p ?o"),
            "{}",
            question.query
        );
    }
}

#[test]
fn time_is_asked_here() {
    let world = city();
    world.ask("SELECT * { ?h <urn:hydrant> ?n FILTER(NOW() > \"2020-01-01T00:00:00Z\"^^<http://www.w3.org/2001/XMLSchema#dateTime>) }");
    for (_, question) in world.asked.lock().unwrap().iter() {
        assert!(!question.query.contains("NOW"), "{}", question.query);
    }
}
