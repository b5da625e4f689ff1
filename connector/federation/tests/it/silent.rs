//! Members that do not say what they show: waited for once, and no longer than is their wont.

use crate::fakes::{Answer, Mode, PatientClock, World, participant};
use crate::summaries::{Shown, shops};
use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};
use oxrdf::NamedNode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twinlink_core::{Clock, SourceState};
use twinlink_federation::{Federator, Summaries, Summarized, SummaryQuestion, Unanswered};

const LABELS: &str = "SELECT * { ?p <urn:label> ?l }";

/// Summaries of the shops, of which the first does as it is told.
struct Moody {
    shown: Arc<Shown>,
    mode: Mutex<Mode>,
    clock: Arc<PatientClock>,
    /// How long the first takes.
    takes: Duration,
}

impl Summaries for Moody {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        if *member != participant(1) {
            return self.shown.summary(member, question);
        }
        let reason = "no route".to_owned();
        match *self.mode.lock().unwrap() {
            Mode::Hangs => pending().boxed(),
            Mode::Unreachable => ready(Err(Unanswered::Unreachable { reason })).boxed(),
            _ => async move {
                self.clock.advance(self.takes);
                self.shown.summary(member, question).await
            }
            .boxed(),
        }
    }
}

struct Town {
    world: World,
    moody: Arc<Moody>,
    clock: Arc<PatientClock>,
    federator: Federator,
}

fn town(takes: Duration) -> Town {
    let mut world = shops();
    let clock = PatientClock::new();
    let moody = Arc::new(Moody {
        shown: Shown::of(&world.members),
        mode: Mutex::default(),
        clock: Arc::clone(&clock),
        takes,
    });
    world.summaries = Some(Arc::clone(&moody) as _);
    Town {
        federator: world.federator(&clock),
        world,
        moody,
        clock,
    }
}

impl Town {
    /// The answer, and how long it took by a clock that moves only where somebody is waited for.
    fn ask(&self, mode: Mode) -> (Answer, Duration) {
        *self.moody.mode.lock().unwrap() = mode;
        let before = self.clock.instant();
        let answer = World::ask_of(&self.federator, &self.clock, LABELS, None).unwrap();
        (answer, self.clock.instant() - before)
    }

    fn state(&self, mode: Mode) -> (SourceState, Duration) {
        let (answer, took) = self.ask(mode);
        let rows = answer.rows.solutions.len();
        let state = answer.sources[1].state;
        assert_eq!(rows, if state.is_settled() { 30 } else { 20 });
        (state, took)
    }
}

#[test]
fn a_member_that_stays_silent_is_waited_for_once() {
    let town = town(Duration::ZERO);
    let patience = town.world.limits.probe_patience;
    assert_eq!(town.state(Mode::Hangs), (SourceState::TimedOut, patience));
    // Nor is it asked in another way.
    assert_eq!(town.world.requests()[1], 0);
    for _ in 0..3 {
        let nothing = (SourceState::Unreachable, Duration::ZERO);
        assert_eq!(town.state(Mode::Hangs), nothing);
    }
    // One question tries it later, and it is there again.
    town.clock.advance(town.world.limits.breaker_pause);
    let answered = (SourceState::Complete, Duration::ZERO);
    assert_eq!(town.state(Mode::Well), answered);
    assert_eq!(town.state(Mode::Well), answered);
}

#[test]
fn a_member_is_waited_for_a_few_times_as_long_as_it_takes() {
    let limits = town(Duration::ZERO).world.limits;
    let (least, most) = (limits.breaker_patience, limits.probe_patience);
    let millis = Duration::from_millis;
    for (takes, waits) in [
        (millis(5), least),
        (millis(800), millis(3_200)),
        (millis(4_000), most),
    ] {
        let town = town(takes);
        assert_eq!(town.state(Mode::Well), (SourceState::Complete, takes));
        assert_eq!(town.state(Mode::Hangs), (SourceState::TimedOut, waits));
    }
}

#[test]
fn failures_to_give_a_summary_open_the_breaker() {
    let town = town(Duration::ZERO);
    let reason = |answer: &Answer| answer.sources[1].reason.clone().unwrap();
    for _ in 0..town.world.limits.breaker_failures {
        let (answer, _) = town.ask(Mode::Unreachable);
        assert!(reason(&answer).contains("no route"), "{answer:?}");
    }
    let (answer, _) = town.ask(Mode::Well);
    assert!(reason(&answer).contains("breaker open"), "{answer:?}");
    assert_eq!(town.world.requests()[1], 0);
}

#[test]
fn what_is_held_of_a_member_stays_while_it_does_not_answer() {
    let town = town(Duration::ZERO);
    let sent = || town.moody.shown.sent.load(Ordering::Relaxed);
    let well = || assert_eq!(town.state(Mode::Well).0, SourceState::Complete);
    well();
    assert_eq!(sent(), 4);
    let asked = town.world.requests()[1];
    assert_eq!(town.state(Mode::Unreachable).0, SourceState::Unreachable);
    well();
    assert_eq!(town.state(Mode::Hangs).0, SourceState::TimedOut);
    town.clock.advance(town.world.limits.breaker_pause);
    well();
    // It confirmed what is held: no other was sent, and it was asked for its rows and nothing else.
    assert_eq!(sent(), 4);
    assert_eq!(town.world.requests()[1], asked + 2);
}
