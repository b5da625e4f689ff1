//! What is older than the caller accepts is given, and told stale.

use crate::failures::members;
use crate::fakes::{Answer, PatientClock, World, conditions, participant};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Clock, Conditions, Refusal, SourceState};
use twinlink_federation::PeerTraits;

const COUNT: &str = "SELECT (COUNT(*) AS ?n) { ?s <urn:p0> ?x }";
const ROWS: &str = "SELECT * { ?s <urn:p0> ?x }";

/// Three members that changed so many seconds ago.
fn world(ages: [Option<i64>; 3]) -> World {
    let world = World::new(members());
    let now = PatientClock::new().now();
    for (member, age) in ages.into_iter().enumerate() {
        if let Some(age) = age {
            let changed = now - time::Duration::seconds(age);
            world.ages.lock().unwrap().insert(member, changed);
        }
    }
    world
}

fn within(seconds: u64, words: &[&str]) -> Conditions {
    let mut conditions = conditions(None);
    conditions.require.max_age = Some(Duration::from_secs(seconds));
    for word in words {
        conditions.require.add(word).unwrap();
    }
    conditions
}

fn ask(world: &World, query: &str, conditions: &Conditions) -> Result<Answer, Refusal> {
    let clock = PatientClock::new();
    World::ask_under(&world.federator(&clock), &clock, query, None, conditions)
}

fn states(answer: &Answer) -> Vec<SourceState> {
    answer.sources.iter().map(|source| source.state).collect()
}

const COMPLETE: SourceState = SourceState::Complete;
const STALE: SourceState = SourceState::Stale;

#[test]
fn what_is_too_old_is_given_and_told() {
    let world = world([Some(10), Some(400), Some(0)]);
    let free = ask(&world, ROWS, &conditions(None)).unwrap();
    let answer = ask(&world, ROWS, &within(300, &[])).unwrap();
    assert_eq!(answer.rows.solutions.len(), free.rows.solutions.len());
    assert_eq!(states(&answer), [COMPLETE, STALE, COMPLETE]);
    let stale = &answer.sources[1];
    let reason = stale.reason.as_ref().unwrap();
    assert!(reason.contains("longer than 300 s ago"), "{reason}");
    assert!(reason.contains(participant(1).as_str()), "{reason}");
    assert_eq!(stale.as_of, world.ages.lock().unwrap().get(&1).copied());
    // No operator needs all of it, and one does.
    assert!(answer.unsure.is_empty());
    let counted = ask(&world, COUNT, &within(300, &[])).unwrap();
    assert_eq!(counted.unsure, ["aggregate"]);
    // Our own twin is a source like the others.
    let answer = ask(&world, ROWS, &within(5, &[])).unwrap();
    assert_eq!(states(&answer), [STALE, STALE, COMPLETE]);
    let answer = ask(&world, ROWS, &within(400, &[])).unwrap();
    assert_eq!(states(&answer), [COMPLETE; 3]);
    assert_eq!(states(&free), [COMPLETE; 3]);
}

#[test]
fn who_does_not_tell_its_age_is_stale() {
    let world = world([Some(0), None, Some(-3600)]);
    let answer = ask(&world, ROWS, &within(300, &[])).unwrap();
    assert_eq!(states(&answer), [COMPLETE, STALE, STALE]);
    // Where no data are asked for, none are too old.
    let answer = ask(&world, "SELECT (1 AS ?x) {}", &within(300, &["all"])).unwrap();
    assert_eq!(states(&answer), [SourceState::Empty; 3]);
}

#[test]
fn what_is_required_is_not_stale() {
    let world = world([Some(0), Some(400), Some(0)]);
    for words in [["all"], ["3"], ["exact"], ["https://member1.example/"]] {
        let refusal = ask(&world, ROWS, &within(300, &words)).unwrap_err();
        assert_eq!(refusal.check(), "require", "{words:?}");
        assert_eq!(refusal.sources()[1].state, STALE, "{words:?}");
        assert!(ask(&world, ROWS, &within(400, &words)).is_ok(), "{words:?}");
    }
    for words in [["2"], ["https://member2.example/"]] {
        assert!(ask(&world, ROWS, &within(300, &words)).is_ok(), "{words:?}");
    }
}

#[test]
fn a_member_has_a_bound_of_its_own() {
    let mut world = world([Some(900), Some(400), Some(400)]);
    let bound = PeerTraits {
        max_age: Some(Duration::from_secs(300)),
        ..PeerTraits::default()
    };
    world.traits.insert(1, bound);
    let answer = ask(&world, ROWS, &conditions(None)).unwrap();
    assert_eq!(states(&answer), [COMPLETE, STALE, COMPLETE]);
    // The caller's own word goes before it.
    let answer = ask(&world, ROWS, &within(500, &[])).unwrap();
    assert_eq!(states(&answer), [STALE, COMPLETE, COMPLETE]);
}

/// INVARIANT(stale-rows-are-told)
#[test]
fn stale_rows_are_told() {
    use crate::fakes::Mode;
    let world = world([Some(0), Some(400), Some(0)]).with(1, Mode::HangsLater);
    // It answered the probe and gave no row: what is missing is the worse.
    let answer = ask(&world, ROWS, &within(300, &[])).unwrap();
    assert_eq!(answer.sources[1].rows, 0);
    assert_eq!(answer.sources[1].state, SourceState::TimedOut);
    // With rows of it in the answer, those may be wrong.
    let world = self::world([Some(0), Some(400), Some(0)]);
    let mut world = world;
    world.limits.rows_per_fetch = 1;
    let answer = ask(&world, ROWS, &within(300, &[])).unwrap();
    assert!(answer.sources[1].rows > 0);
    assert_eq!(answer.sources[1].state, STALE);
    let reason = answer.sources[1].reason.as_ref().unwrap();
    assert!(reason.contains("more than the 1 rows"), "{reason}");
    assert_eq!(answer.sources[2].state, SourceState::Partial);
}

#[test]
fn the_clock_of_the_question_counts() {
    // All members are held to one moment: the one in which it was asked.
    let world = world([Some(0), Some(300), Some(300)]);
    let answer = ask(&world, COUNT, &within(300, &["all", "exact"])).unwrap();
    assert_eq!(states(&answer), [COMPLETE; 3]);
    assert_eq!(answer.sources[0].as_of, Some(OffsetDateTime::UNIX_EPOCH));
}
