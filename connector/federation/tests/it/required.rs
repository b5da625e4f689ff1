//! A question ends as soon as what its caller requires of sources cannot be had any more.

use crate::brokers::{hierarchy, one_each};
use crate::failures::members;
use crate::fakes::{Answer, Mode, PatientClock, World, conditions, participant};
use std::time::{Duration, Instant};
use twinlink_core::{Clock, Conditions, Explain, Refusal, SourceState};

const ROWS: &str = "SELECT * { ?s <urn:p0> ?x }";
const COUNT: &str = "SELECT (COUNT(*) AS ?n) { ?s <urn:p0> ?x }";

fn requiring(words: &[&str]) -> Conditions {
    let mut conditions = conditions(None);
    for word in words {
        conditions.require.add(word).unwrap();
    }
    conditions
}

/// What became of it, and how much time passed meanwhile: by the fakes' clock it does only where somebody is waited for.
fn ask(world: &World, query: &str, words: &[&str]) -> (Result<Answer, Refusal>, Duration) {
    let clock = PatientClock::new();
    let started: Instant = clock.instant();
    let federator = world.federator(&clock);
    let answer = World::ask_under(&federator, &clock, query, None, &requiring(words));
    (answer, clock.instant() - started)
}

/// INVARIANT(no-hope-no-wait)
#[test]
fn no_hope_no_wait() {
    // The second member is down; the third would be waited for.
    for (query, words) in [
        (ROWS, ["3"]),
        (ROWS, ["all"]),
        (ROWS, ["https://member1.example/"]),
        (COUNT, ["exact"]),
    ] {
        let world = World::new(members())
            .with(1, Mode::Unreachable)
            .with(2, Mode::Hangs);
        let (answer, waited) = ask(&world, query, &words);
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.check(), "require", "{words:?}");
        assert_eq!(waited, Duration::ZERO, "{words:?}");
        // Of who was not waited for, nothing is made up.
        let told = refusal.sources();
        assert_eq!(told[1].state, SourceState::Unreachable, "{words:?}");
        assert_eq!(told[2].state, SourceState::Partial, "{words:?}");
        let reason = told[2].reason.as_ref().unwrap();
        assert!(reason.contains("not asked to the end"), "{reason}");
        let text = refusal.public();
        assert!(
            text.contains("<https://member1.example/> is unreachable"),
            "{text}"
        );
        assert!(!text.contains("member2"), "{text}");
    }
}

#[test]
fn where_enough_are_left_the_others_are_waited_for() {
    for (query, words) in [
        (ROWS, ["1"]),
        (ROWS, ["https://member0.example/"]),
        (ROWS, ["exact"]),
    ] {
        let world = World::new(members())
            .with(1, Mode::Unreachable)
            .with(2, Mode::Hangs);
        let (answer, waited) = ask(&world, query, &words);
        let answer = answer.unwrap();
        assert_eq!(answer.sources[2].state, SourceState::TimedOut, "{words:?}");
        assert!(waited > Duration::ZERO, "{words:?}");
        assert!(!answer.rows.solutions.is_empty());
    }
    // Two of three answered in full: the third is no less welcome, and waited for until the deadline at the latest.
    let world = World::new(members()).with(2, Mode::HangsLater);
    let (answer, waited) = ask(&world, ROWS, &["2"]);
    assert_eq!(answer.unwrap().sources[2].state, SourceState::TimedOut);
    assert!(waited > Duration::ZERO && waited < Duration::from_secs(30));
}

#[test]
fn more_than_there_are_is_refused_before_anybody_is_asked() {
    for words in [["4"], ["https://nobody.example/"]] {
        let world = World::new(members());
        let (answer, _) = ask(&world, ROWS, &words);
        assert_eq!(answer.unwrap_err().check(), "require", "{words:?}");
        assert_eq!(world.requests(), [0, 0, 0], "{words:?}");
    }
}

#[test]
fn a_plan_requires_nothing() {
    let world = World::new(members()).with(1, Mode::Unreachable);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let conditions = Conditions {
        explain: Some(Explain::Plan),
        ..requiring(&["all"])
    };
    let planned = World::ask_under(&federator, &clock, ROWS, None, &conditions).unwrap();
    assert!(planned.explanation.is_some());
}

#[test]
fn a_broker_may_bring_more() {
    let (federator, clock) = hierarchy(one_each(), false);
    let rows = "SELECT * { ?s <urn:p> ?x }";
    for (words, holds) in [
        (["3"], true),
        (["4"], false),
        (["all"], true),
        ([participant(2).as_str()], true),
        (["https://nobody.example/"], false),
    ] {
        let answer = World::ask_under(&federator, &clock, rows, None, &requiring(&words));
        let named = answer.as_ref().map(|_| ()).map_err(Refusal::check);
        // Nobody can say before it is asked who stands behind it.
        let end = answer.is_ok_and(|answer| {
            let require = requiring(&words).require;
            require.check(&answer.sources, &answer.unsure).is_ok()
        });
        assert_eq!(end, holds, "{words:?}: {named:?}");
    }
}
