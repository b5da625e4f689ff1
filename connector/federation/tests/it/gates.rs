//! A peer that is down or slow costs little: time is shared, requests are bounded, and who does not answer is left alone.

use crate::fakes::{Answer, Mode, PatientClock, World, iri};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{BoxFuture, pending, ready};
use oxrdf::{GraphName, Literal, Quad};
use std::sync::Mutex;
use std::time::Duration;
use twinlink_core::{Clock, SourceState};
use twinlink_federation::{Unanswered, hedged};

const ALL: &str = "SELECT * { ?s <urn:p> ?x }";
const SECOND: Duration = Duration::from_secs(1);

fn quad(subject: &str, predicate: &str, object: i64) -> Quad {
    Quad::new(
        iri(&format!("urn:{subject}")),
        iri(&format!("urn:{predicate}")),
        Literal::from(object),
        GraphName::DefaultGraph,
    )
}

/// Two members with one match of [`ALL`] each.
fn pair() -> World {
    World::new(vec![vec![quad("a", "p", 1)], vec![quad("b", "p", 2)]])
}

fn set(world: &World, mode: Mode) {
    world.modes.lock().unwrap().insert(1, mode);
}

fn reason(answer: &Answer) -> &str {
    answer.sources[1].reason.as_deref().unwrap_or_default()
}

#[test]
fn a_peer_that_is_down_is_left_alone_and_tried_again() {
    let world = pair().with(1, Mode::Unreachable);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let ask = || World::ask_of(&federator, &clock, ALL, None).unwrap();
    for _ in 0..world.limits.breaker_failures {
        let answer = ask();
        assert!(!reason(&answer).contains("breaker"), "{}", reason(&answer));
    }
    let asked = world.requests()[1];
    for _ in 0..3 {
        let answer = ask();
        assert_eq!(answer.sources[1].state, SourceState::Unreachable);
        let since = "breaker open since 1970-01-01T00:00:00Z";
        assert!(reason(&answer).contains(since), "{}", reason(&answer));
        // What the others hold is there.
        assert_eq!(answer.rows.solutions.len(), 1);
    }
    assert_eq!(world.requests()[1], asked);
    // It is tried once, and then left alone for longer.
    clock.advance(world.limits.breaker_pause);
    ask();
    assert_eq!(world.requests()[1], asked + 1);
    clock.advance(world.limits.breaker_pause);
    ask();
    assert_eq!(world.requests()[1], asked + 1);
    clock.advance(world.limits.breaker_pause);
    set(&world, Mode::Well);
    assert_eq!(ask().rows.solutions.len(), 2);
    assert_eq!(ask().sources[1].state, SourceState::Complete);
}

#[test]
fn a_peer_that_says_no_is_there() {
    for mode in [Mode::Denies, Mode::Lies, Mode::Breaks] {
        let world = pair().with(1, mode);
        let clock = PatientClock::new();
        let federator = world.federator(&clock);
        for _ in 0..world.limits.breaker_failures * 2 {
            let answer = World::ask_of(&federator, &clock, ALL, None).unwrap();
            assert_ne!(
                answer.sources[1].state,
                SourceState::Unreachable,
                "{mode:?}"
            );
        }
    }
}

#[test]
fn a_peer_that_hangs_is_left_alone() {
    let world = pair().with(1, Mode::Hangs);
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let ask = || World::ask_of(&federator, &clock, ALL, None).unwrap();
    assert_eq!(ask().sources[1].state, SourceState::TimedOut);
    // It was waited for once.
    let before = clock.instant();
    for _ in 0..world.limits.breaker_failures {
        let answer = ask();
        assert_eq!(answer.sources[1].state, SourceState::Unreachable);
        assert_eq!(answer.rows.solutions.len(), 1);
    }
    assert_eq!(clock.instant(), before);
}

/// INVARIANT(impatience-opens-no-breaker)
#[test]
fn impatience_opens_no_breaker() {
    let mut world = pair().with(1, Mode::Hangs);
    world.limits.probe_patience = world.limits.breaker_patience - SECOND;
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    for _ in 0..world.limits.breaker_failures * 3 {
        let answer = World::ask_of(&federator, &clock, ALL, None).unwrap();
        assert_eq!(answer.sources[1].state, SourceState::TimedOut);
    }
}

#[test]
fn requests_at_one_peer_are_bounded_over_all_questions() {
    let many = "SELECT * { { ?a <urn:p> ?b } UNION { ?a <urn:q> ?b } UNION { ?a <urn:r> ?b } UNION { ?b ?p 7 } }";
    for most in [1, 2, 3] {
        let quads = |subject: &str| ["p", "q", "r", "s"].map(|p| quad(subject, p, 7)).to_vec();
        let mut world = World::new(vec![quads("a"), quads("b")]);
        world.limits.peer_concurrency = most;
        let clock = PatientClock::new();
        let federator = world.federator(&clock);
        let one = || async { World::gather_of(&federator, &clock, many).await.sources };
        let (first, second, third) = block_on(futures::future::join3(one(), one(), one()));
        for sources in [first, second, third] {
            assert_eq!(sources[1].state, SourceState::Complete);
        }
        assert_eq!(world.most.load(std::sync::atomic::Ordering::Relaxed), most);
    }
    // Whom nobody can wait for is told so.
    let mut world = pair();
    world.limits.peer_concurrency = 1;
    world.limits.peer_waiting = 0;
    let clock = PatientClock::new();
    let federator = world.federator(&clock);
    let one = || async { World::gather_of(&federator, &clock, ALL).await.sources };
    let (first, second) = block_on(futures::future::join(one(), one()));
    assert_eq!(first[1].state, SourceState::Complete);
    assert_eq!(second[1].state, SourceState::Unreachable);
}

#[test]
fn a_member_that_hangs_leaves_the_others_their_time() {
    let mut members = vec![Vec::new(), Vec::new(), Vec::new()];
    for n in 0..40 {
        members[1].push(quad(&format!("s{n}"), "p", n));
        members[2].push(quad(&format!("s{n}"), "q", n));
    }
    members[0].push(quad("s1", "p", 1));
    members[0].push(quad("s1", "q", 1));
    // The second member's part comes in a later round than the first member's.
    let mut world = World::new(members).with(1, Mode::HangsLater);
    world.limits.bindings = 5;
    let answer = world.ask("SELECT * { ?s <urn:p> ?x . ?s <urn:q> ?y }");
    let states: Vec<_> = answer.sources.iter().map(|source| source.state).collect();
    assert_eq!(
        states,
        [
            SourceState::Complete,
            SourceState::TimedOut,
            SourceState::Complete
        ]
    );
    assert_eq!(answer.rows.solutions.len(), 1);
}

/// How a replica answers when it is asked.
type Replica = fn() -> BoxFuture<'static, Result<u8, Unanswered>>;

/// What each replica does, and which were asked.
fn ask_replicas(replicas: &[Replica], first: usize) -> (Result<u8, String>, Vec<usize>, Duration) {
    let asked = Mutex::new(Vec::new());
    let clock = PatientClock::new();
    let before = clock.instant();
    let result = block_on(hedged(
        replicas.len(),
        first,
        |number| {
            asked.lock().unwrap().push(number);
            replicas[number]()
        },
        SECOND,
        &*clock,
    ));
    let result = result.map_err(|why| why.to_string());
    (
        result,
        asked.into_inner().unwrap(),
        clock.instant() - before,
    )
}

fn well() -> BoxFuture<'static, Result<u8, Unanswered>> {
    ready(Ok(1)).boxed()
}

fn hangs() -> BoxFuture<'static, Result<u8, Unanswered>> {
    pending().boxed()
}

fn is_down() -> BoxFuture<'static, Result<u8, Unanswered>> {
    let reason = "no route".to_owned();
    ready(Err(Unanswered::Unreachable { reason })).boxed()
}

fn denies() -> BoxFuture<'static, Result<u8, Unanswered>> {
    let reason = "no".to_owned();
    ready(Err(Unanswered::Denied { reason })).boxed()
}

#[test]
fn another_replica_is_asked_when_one_fails_or_takes_long() {
    let none = Duration::ZERO;
    assert_eq!(ask_replicas(&[well, well], 0), (Ok(1), vec![0], none));
    assert_eq!(ask_replicas(&[well, well], 1), (Ok(1), vec![1], none));
    assert_eq!(ask_replicas(&[is_down, well], 0), (Ok(1), vec![0, 1], none));
    assert_eq!(ask_replicas(&[hangs, well], 0), (Ok(1), vec![0, 1], SECOND));
    let chain = [hangs, is_down, well] as [fn() -> _; 3];
    assert_eq!(ask_replicas(&chain, 0), (Ok(1), vec![0, 1, 2], SECOND));
    // What one says, all say.
    let (answer, asked, _) = ask_replicas(&[denies, well], 0);
    assert_eq!((answer, asked), (Err("denied: no".to_owned()), vec![0]));
    let (answer, asked, _) = ask_replicas(&[is_down, is_down], 1);
    assert_eq!(asked, [1, 0]);
    assert!(answer.unwrap_err().contains("no route"));
    assert!(ask_replicas(&[], 0).0.is_err());
}
