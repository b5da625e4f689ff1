//! What is told of how an answer is come by: before, without fetching anything, and after.

use crate::fakes::{Answer, Mode, PatientClock, World, participant};
use crate::requests::city;
use twinlink_core::{Explain, Explanation, SourceState, StepKind};

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
