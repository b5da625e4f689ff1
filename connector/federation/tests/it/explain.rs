//! What is told of how an answer is come by: before, without fetching anything, and after.

use crate::fakes::{Answer, Mode, PatientClock, World, participant};
use crate::requests::{city, closes};
use crate::summaries::shops;
use twinlink_core::{Explain, Explanation, Pushed, SourceState, StepKind};

const TWO_MEMBERS: &str = "SELECT * { ?c <urn:cordon> ?n . ?c <urn:near> ?s . ?s <urn:school> ?m }";

fn explain(world: &World, query: &str, explain: Explain) -> (Explanation, Answer) {
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let answer = World::explain_of(&federator, &clock, query, explain);
    (answer.explanation.clone().unwrap(), answer)
}

#[test]
fn a_plan_fetches_nothing() {
    let world = city();
    let (told, _) = explain(&world, TWO_MEMBERS, Explain::Plan);
    assert!(!told.is_run);
    // One question to each: what it can contribute.
    assert_eq!(world.requests(), [1, 1, 1]);
    let fetches: Vec<_> = told
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::Fetch)
        .collect();
    assert!(!fetches.is_empty());
    assert!(fetches.iter().all(|step| step.rows.is_none()));
    let asked: Vec<_> = told.choices.iter().map(|choice| choice.is_asked).collect();
    assert_eq!(asked, [true, true, true], "{told:#?}");
    let all: Vec<_> = fetches.iter().map(|step| step.what.as_str()).collect();
    for name in ["urn:cordon", "urn:near", "urn:school"] {
        assert!(all.iter().any(|what| what.contains(name)), "{all:?}");
    }
}

#[test]
fn what_was_done_is_counted() {
    let world = city();
    let (told, answer) = explain(&world, TWO_MEMBERS, Explain::Analyze);
    assert!(told.is_run);
    let requests: u64 = told.steps.iter().map(|step| step.requests).sum();
    let asked: usize = world.requests()[1..].iter().sum();
    assert_eq!(requests, asked as u64);
    let peers = |step: &&twinlink_core::Step| step.kind == StepKind::Fetch;
    let rows: u64 = told
        .steps
        .iter()
        .filter(peers)
        .filter_map(|step| step.rows)
        .sum();
    let given: u64 = answer.sources.iter().map(|source| source.rows).sum();
    assert!(rows >= given && given > 0, "{rows} {given}");
    assert!(told.steps.iter().any(|step| step.bytes > 0));
}

#[test]
fn a_question_for_one_member_is_sent_whole() {
    let world = city();
    let query = "SELECT * { ?h <urn:hydrant> ?n }";
    for way in [Explain::Plan, Explain::Analyze] {
        let (told, _) = explain(&world, query, way);
        let whole: Vec<_> = told
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Whole)
            .collect();
        assert_eq!(whole.len(), 1, "{told:#?}");
        assert_eq!(whole[0].at, [participant(2)]);
        let choice = &told.choices[1];
        assert!(!choice.is_asked);
        assert!(choice.why.contains("none of 1 patterns"), "{}", choice.why);
    }
}

#[test]
fn what_members_do_themselves_is_told_before() {
    let rows = "{ ?o <urn:price> ?x ; <urn:product> ?p }";
    let three: Vec<_> = (1..4).map(participant).collect();
    for (query, pushed) in [
        (
            format!("SELECT * {rows} ORDER BY ?x LIMIT 2"),
            Pushed::FirstRows,
        ),
        (format!("ASK {rows}"), Pushed::FirstRows),
        (
            "SELECT DISTINCT ?n { ?o <urn:note> ?n }".to_owned(),
            Pushed::DistinctRows,
        ),
        (
            format!("SELECT (COUNT(*) AS ?n) {rows}"),
            Pushed::Aggregates,
        ),
        (
            format!("SELECT ?o (MAX(?x) AS ?a) {rows} GROUP BY ?o"),
            Pushed::Groups,
        ),
    ] {
        let world = shops();
        let (told, _) = explain(&world, &query, Explain::Plan);
        let fetches = told
            .steps
            .iter()
            .filter(|step| step.kind == StepKind::Fetch);
        let [step] = &fetches.collect::<Vec<_>>()[..] else {
            panic!("{query}: {told:#?}");
        };
        assert_eq!(step.pushed, Some(pushed), "{query}");
        assert_eq!((&step.at, step.requests), (&three, 3), "{query}");
        assert_eq!(world.requests()[1..], [0, 0, 0], "{query}");
    }
    // Whole joins in one request for each; and the whole question where one alone can match anything.
    let world = shops();
    let (told, _) = explain(&world, &format!("SELECT * {rows}"), Explain::Plan);
    let joins = told
        .steps
        .iter()
        .filter(|step| step.pushed == Some(Pushed::Joins));
    assert_eq!(
        joins.map(|step| step.at.len()).collect::<Vec<_>>(),
        [1, 1, 1]
    );
    let alone = "SELECT * { ?p <urn:same> <http://catalogue.example/12> }";
    let (told, _) = explain(&world, alone, Explain::Plan);
    let mut steps = told.steps.iter();
    let whole = steps.find(|step| step.kind == StepKind::Whole).unwrap();
    assert_eq!(
        (whole.pushed, &whole.at),
        (Some(Pushed::Question), &vec![participant(3)])
    );
}

#[test]
fn whose_values_may_go_to_whom_is_told_before() {
    let query = "SELECT * { ?c <urn:closes> ?s . ?s <urn:name> ?n ; <urn:pupils> ?p }";
    for recipients in [&[][..], &[0, 1], &[2], &[3], &[2, 3]] {
        let world = closes(recipients);
        let (told, _) = explain(&world, query, Explain::Plan);
        let directions: Vec<_> = told
            .steps
            .iter()
            .flat_map(|step| &step.directions)
            .collect();
        let of_police = directions.iter().filter(|one| one.from == participant(1));
        let mut to: Vec<_> = of_police
            .map(|one| (one.to.clone(), one.is_permitted))
            .collect();
        to.sort();
        let expected = [2, 3].map(|to| (participant(to), recipients.contains(&to)));
        assert_eq!(to, expected, "{recipients:?}");
        // Nothing goes to ourselves, nor from who could learn nothing before.
        assert!(directions.iter().all(|one| one.to != participant(0)));
        assert!(told.steps.iter().all(|step| !step.is_streamed));
    }
}

#[test]
fn members_that_fail_are_told_with_why() {
    let world = city().with(1, Mode::Unreachable);
    let (told, answer) = explain(&world, TWO_MEMBERS, Explain::Analyze);
    assert_eq!(answer.sources[1].state, SourceState::Unreachable);
    assert!(!told.choices[1].is_asked);
    assert!(
        told.choices[1].why.contains("cannot be reached"),
        "{told:#?}"
    );
    // The same for a plan, as it learns that in the same way.
    let (plan, _) = explain(&world, TWO_MEMBERS, Explain::Plan);
    assert_eq!(plan.choices[1], told.choices[1]);
}

#[test]
fn nobody_listens_by_default() {
    assert!(city().ask(TWO_MEMBERS).explanation.is_none());
}

#[test]
fn what_members_give_is_estimated_before_and_set_against_what_comes() {
    let rows = "{ ?o <urn:price> ?x ; <urn:product> ?p }";
    for (query, most, came) in [
        // Whole joins: two quads of each of ten offers, of each of three.
        (format!("CONSTRUCT {{ ?o <urn:x> ?x }} {rows}"), 60, 60),
        (format!("SELECT * {rows} ORDER BY ?x LIMIT 2"), 6, 6),
        (format!("ASK {rows}"), 3, 3),
        (format!("SELECT (COUNT(*) AS ?n) {rows}"), 3, 3),
        (
            "SELECT * { ?p <urn:same> <http://catalogue.example/12> }".to_owned(),
            10,
            1,
        ),
    ] {
        for way in [Explain::Plan, Explain::Analyze] {
            let (told, _) = explain(&shops(), &query, way);
            let steps = told.steps.iter();
            let steps = steps.filter(|step| matches!(step.kind, StepKind::Fetch | StepKind::Whole));
            let steps: Vec<_> = steps.collect();
            let expected: Option<u64> = steps.iter().map(|step| step.estimate).sum();
            let expected = expected.unwrap_or_else(|| panic!("{query}: {steps:#?}"));
            assert!(expected >= came && expected <= most, "{query}: {expected}");
            if way == Explain::Analyze {
                let rows: u64 = steps.iter().filter_map(|step| step.rows).sum();
                assert_eq!(rows, came, "{query}");
            }
        }
    }
}

#[test]
fn requests_that_were_not_sent_are_not_counted() {
    let world = city().with(1, Mode::Unreachable);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let mut counts = Vec::new();
    for _ in 0..=world.limits.breaker_failures {
        let before = world.requests()[1];
        let answer = World::explain_of(&federator, &clock, TWO_MEMBERS, Explain::Analyze);
        let steps = answer.explanation.unwrap().steps;
        let of_it = steps
            .iter()
            .filter(|step| step.at.contains(&participant(1)));
        let told: u64 = of_it.map(|step| step.requests).sum();
        assert_eq!(told, (world.requests()[1] - before) as u64);
        counts.push(told);
    }
    // In the end its breaker lets none through.
    assert_eq!(counts.last(), Some(&0));
}

#[test]
fn plans_are_kept_where_a_member_has_no_summary() {
    let query = "SELECT * { ?o <urn:price> ?x ; <urn:product> ?p }";
    let is_kept = |told: &Explanation| {
        let mut steps = told.steps.iter();
        let step = steps.find(|step| step.kind == StepKind::Plan).unwrap();
        step.word.contains("before")
    };
    let mut world = shops();
    let last = world.members[3].clone();
    world.members.push(last);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let ask = |federator: &_| {
        let answer = World::explain_of(federator, &clock, query, Explain::Analyze);
        answer.explanation.unwrap()
    };
    let first = ask(&federator);
    let summaries = first
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::Summary);
    assert_eq!(summaries.count(), 4, "the last member has no summary");
    assert!(!is_kept(&first));
    assert!(is_kept(&ask(&federator)));
    // What it says it can match is part of what a plan rests on.
    world.modes.lock().unwrap().insert(4, Mode::Denies);
    assert!(!is_kept(&ask(&federator)));
    assert!(is_kept(&ask(&federator)));
}
