//! SERVICE: parts of a question that it puts to members by name.

use crate::fakes::{Answer, Mode, PatientClock, World, iri, participant};
use oxrdf::{BlankNode, GraphName, Literal, Quad, Term};
use twinlink_core::{Code, Explain, Refusal, SourceState, StepKind};

fn quad(subject: &str, predicate: &str, object: impl Into<Term>) -> Quad {
    let subject = iri(&format!("urn:{subject}"));
    let predicate = iri(&format!("urn:{predicate}"));
    Quad::new(subject, predicate, object, GraphName::DefaultGraph)
}

/// Two members that know something of the same things; the first also which of them to ask about each.
fn world() -> World {
    let mut members = vec![Vec::new(), Vec::new(), Vec::new()];
    for n in 0..3 {
        let thing = format!("s{n}");
        members[0].push(quad(&thing, "at", participant(1 + n % 2)));
        members[1].push(quad(&thing, "p", Literal::from(i64::try_from(n).unwrap())));
        members[2].push(quad(
            &thing,
            "p",
            Literal::from(10 + i64::try_from(n).unwrap()),
        ));
    }
    World::new(members)
}

fn lines(answer: &Answer) -> Vec<String> {
    let rows = answer.rows.solutions.iter().map(|row| {
        let values = row.values.iter().map(|value| match value {
            Some(Term::Literal(literal)) => literal.value().to_owned(),
            Some(Term::NamedNode(name)) => name.as_str().to_owned(),
            Some(Term::BlankNode(_)) => "_:".to_owned(),
            None => "-".to_owned(),
        });
        values.collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<_> = rows.collect();
    lines.sort();
    lines
}

fn refusal(world: &World, query: &str) -> Refusal {
    world.ask_about(query, None).unwrap_err()
}

#[test]
fn a_part_is_asked_of_the_member_it_names() {
    let world = world();
    for name in ["https://member2.example/", "https://member2.example/sparql"] {
        let answer = world.ask(&format!(
            "SELECT ?s ?x {{ ?s <urn:at> ?m SERVICE <{name}> {{ ?s <urn:p> ?x FILTER(?x > 10) }} }}"
        ));
        assert_eq!(lines(&answer), ["urn:s1 11", "urn:s2 12"]);
        assert_eq!(answer.sources[2].state, SourceState::Complete);
        assert!(
            answer
                .rows
                .solutions
                .iter()
                .all(|row| row.sources.contains(&2))
        );
    }
    // Our own twin is a member too, and a question may be for members by name only.
    let answer = world.ask(&format!(
        "SELECT ?s ?x {{ SERVICE {} {{ ?s <urn:at> {} }} SERVICE {} {{ ?s <urn:p> ?x }} }}",
        participant(0),
        participant(2),
        participant(1),
    ));
    assert_eq!(lines(&answer), ["urn:s1 1"]);
    let asked = world.asked.lock().unwrap();
    // Solutions of one are not sent to another.
    assert!(
        asked
            .iter()
            .all(|(_, question)| !question.query.contains("VALUES"))
    );
}

/// INVARIANT(service-to-members)
#[test]
fn service_to_members() {
    let world = world();
    for name in [
        "https://elsewhere.example/sparql",
        "http://127.0.0.1/",
        "urn:x",
    ] {
        let refusal = refusal(
            &world,
            &format!("SELECT * {{ SERVICE <{name}> {{ ?s ?p ?o }} }}"),
        );
        assert_eq!(refusal.code(), Code::Invalid);
        assert!(
            refusal.public().contains("is no member"),
            "{}",
            refusal.public()
        );
        let answer = world.ask(&format!(
            "SELECT ?s ?o {{ ?s <urn:at> ?m SERVICE SILENT <{name}> {{ ?s ?p ?o }} }}"
        ));
        // As the standard has it: one solution that binds nothing.
        assert_eq!(lines(&answer), ["urn:s0 -", "urn:s1 -", "urn:s2 -"]);
        assert_eq!(answer.unsure, ["SERVICE SILENT"]);
    }
}

#[test]
fn a_member_that_fails_ends_the_answer_unless_it_is_silent() {
    for mode in [
        Mode::Denies,
        Mode::Unreachable,
        Mode::Hangs,
        Mode::Lies,
        Mode::Panics,
    ] {
        let world = world().with(1, mode);
        let query = |silent: &str| {
            format!(
                "SELECT ?s ?x {{ VALUES ?s {{ <urn:s0> }} SERVICE {silent} {} {{ ?s <urn:p> ?x }} }}",
                participant(1)
            )
        };
        let refusal = refusal(&world, &query(""));
        assert_eq!(refusal.code(), Code::Unavailable, "{mode:?}");
        assert!(!refusal.sources()[1].state.is_settled(), "{mode:?}");
        let answer = world.ask(&query("SILENT"));
        assert_eq!(lines(&answer), ["urn:s0 -"], "{mode:?}");
        assert_eq!(answer.unsure, ["SERVICE SILENT"], "{mode:?}");
        assert!(!answer.sources[1].state.is_settled(), "{mode:?}");
    }
}

#[test]
fn the_question_may_say_whom_to_ask() {
    let world = world();
    for query in [
        "SELECT ?s ?x { ?s <urn:at> ?m SERVICE ?m { ?s <urn:p> ?x } }",
        "SELECT ?s ?x { { SERVICE ?m { ?s <urn:p> ?x } } ?s <urn:at> ?m }",
        "SELECT ?s ?x { ?s <urn:at> ?m OPTIONAL { SERVICE ?m { ?s <urn:p> ?x } } }",
    ] {
        assert_eq!(
            lines(&world.ask(query)),
            ["urn:s0 0", "urn:s1 11", "urn:s2 2"],
            "{query}"
        );
    }
    let union = format!(
        "SELECT ?x {{ VALUES ?m {{ {} {} }} SERVICE ?m {{ <urn:s1> <urn:p> ?x }} }}",
        participant(1),
        participant(2)
    );
    assert_eq!(lines(&world.ask(&union)), ["1", "11"]);
    let none = "SELECT ?x { ?s <urn:nobody> ?m SERVICE ?m { ?s <urn:p> ?x } }";
    assert!(world.ask(none).rows.solutions.is_empty());
    for query in [
        "SELECT * { SERVICE ?m { ?s <urn:p> ?x } }",
        "SELECT * { ?s <urn:p> ?x FILTER EXISTS { SERVICE <urn:x> { ?s <urn:p> ?x } } }",
    ] {
        assert_eq!(refusal(&world, query).code(), Code::Invalid, "{query}");
    }
    let literal = "SELECT * { VALUES ?m { 1 } SERVICE ?m { ?s <urn:p> ?x } }";
    assert_eq!(refusal(&world, literal).code(), Code::Invalid);
}

#[test]
fn a_part_within_a_part_is_asked_on_its_own() {
    let world = world();
    let answer = world.ask(&format!(
        "SELECT ?s ?x ?y {{ SERVICE {} {{ ?s <urn:p> ?x OPTIONAL {{ SERVICE {} {{ ?s <urn:p> ?y FILTER(?y > 11) }} }} }} }}",
        participant(1),
        participant(2)
    ));
    assert_eq!(lines(&answer), ["urn:s0 0 -", "urn:s1 1 -", "urn:s2 2 12"]);
}

#[test]
fn rows_keep_their_number_and_their_blank_nodes() {
    let mut world = world();
    let blank = BlankNode::new_unchecked("b0");
    let known =
        |object: Term| Quad::new(blank.clone(), iri("urn:k"), object, GraphName::DefaultGraph);
    world.members[1].push(known(Literal::from(1).into()));
    world.members[1].push(known(blank.clone().into()));
    let answer = world.ask(&format!(
        "SELECT ?b ?x {{ SERVICE {} {{ ?b <urn:k> ?x }} }}",
        participant(1)
    ));
    assert_eq!(lines(&answer), ["_: 1", "_: _:"]);
    let nodes: std::collections::BTreeSet<_> = answer
        .rows
        .solutions
        .iter()
        .map(|row| row.values[0].as_ref().unwrap().to_string())
        .collect();
    assert_eq!(nodes.len(), 1);
    // Where a function could tell that they have names meanwhile, they are left out and that is said.
    let answer = world.ask(&format!(
        "SELECT ?b {{ SERVICE {} {{ ?b <urn:k> ?x }} FILTER(isBlank(?b)) }}",
        participant(1)
    ));
    assert!(answer.rows.solutions.is_empty());
    assert_eq!(answer.sources[1].state, SourceState::Partial);
    // A part that binds nothing has as many solutions as it has.
    let answer = world.ask(&format!(
        "SELECT (COUNT(*) AS ?n) {{ VALUES ?a {{ 1 2 }} SERVICE {} {{ <urn:s0> <urn:p> 0 }} }}",
        participant(1)
    ));
    assert_eq!(lines(&answer), ["2"]);
}

#[test]
fn a_plan_asks_nobody_for_parts() {
    let world = world();
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let query = format!(
        "SELECT * {{ SERVICE {} {{ ?s <urn:p> ?x }} }}",
        participant(1)
    );
    let told = World::explain_of(&federator, &clock, &query, Explain::Plan)
        .explanation
        .unwrap();
    assert_eq!(world.requests(), [0, 0, 0]);
    assert_eq!(told.steps[0].kind, StepKind::Service);
    assert!(told.choices[1].is_asked && !told.choices[2].is_asked);
    let told = World::explain_of(&federator, &clock, &query, Explain::Analyze)
        .explanation
        .unwrap();
    assert_eq!(told.steps[0].rows, Some(3));
    assert_eq!(world.requests(), [0, 1, 0]);
}

#[test]
fn more_endpoints_than_may_be_asked_are_refused() {
    for (count, is_refused) in [(64, false), (65, true), (200, true)] {
        let mut world = world();
        let many = (0..count).map(|n| quad(&format!("x{n}"), "of", iri(&format!("urn:e{n}"))));
        world.members[0].extend(many);
        let query = "SELECT * { ?x <urn:of> ?e SERVICE SILENT ?e { ?s <urn:p> ?y } }";
        let answer = world.ask_about(query, None);
        assert_eq!(answer.is_err(), is_refused, "{count}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.code(), Code::Invalid);
            assert!(
                refusal.public().contains("?e is bound to more than 64"),
                "{refusal}"
            );
        }
    }
}
