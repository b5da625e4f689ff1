//! Rows that leave as members give them: the same as those that are held, early, one part at a time, and no more than
//! are wanted.

mod fakes;

use crate::equal::{config, held, same, split};
use crate::fakes::{Answer, World, participant};
use crate::shapes::{PREFIXES, SHAPES};
use crate::summaries::{Shown, name_apart, shops};
use fakes::{
    HandClock, Script, StillClock, Threads, asked, asked_for, end, finish, flow, part, silent,
};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use twinlink_core::{Explain, Gathered, Head, Piece, SourceState, StepKind, Streamed};
use twinlink_federation::{FederationLimits, Federator, Rows, Unanswered};

const LABELS: &str = "SELECT ?p ?l { ?p <urn:label> ?l }";

/// Asks as the answer's way does where nothing is required; and whether rows left as they came.
fn ask(world: &World, query: &str) -> (Answer, bool) {
    let federator = world.federator_by(Arc::new(StillClock), Arc::new(Threads));
    finish(asked(&federator, query, None).unwrap())
}

proptest! {
    #![proptest_config(config())]

    // INVARIANT(streamed-is-merged)
    #[test]
    fn streamed_is_merged(
        held in held(),
        shapes in prop::collection::vec(0..SHAPES.len(), 4),
        is_apart in prop::bool::weighted(0.8),
        detailed in prop_oneof![Just(100_000_usize), Just(3)],
    ) {
        let mut world = World::new(split(&held));
        if is_apart {
            name_apart(&mut world.members);
        }
        world.summaries = Some(Shown::outlined(&world.members, detailed));
        for shape in shapes {
            let (query, by) = SHAPES[shape];
            let query = format!("{PREFIXES}{query}");
            let (answer, is_streamed) = ask(&world, &query);
            same(&query, by, &world.members, &answer, None);
            // Each row is of those whose quads it rests on: as where nothing leaves before all have come.
            if is_streamed {
                for row in &answer.rows.solutions {
                    prop_assert_eq!(row.sources.len(), 1);
                }
            }
        }
    }
}

#[test]
fn what_is_streamed_and_what_is_not() {
    let is_streamed = |query: &str| ask(&shops(), query).1;
    let of_shops = "?p <urn:same> ?c ; <urn:label> ?l . ?o <urn:product> ?p ; <urn:price> ?x";
    for streamed in [
        LABELS.to_owned(),
        format!("SELECT * {{ {of_shops} }}"),
        format!("SELECT ?l {{ {of_shops} OPTIONAL {{ ?o <urn:note> ?n }} FILTER(?x > 10) }}"),
        format!("SELECT DISTINCT ?p {{ {of_shops} }} LIMIT 7 OFFSET 2"),
        format!("SELECT * {{ {of_shops} MINUS {{ ?o <urn:note> ?n }} }}"),
        format!("SELECT (?x * 2 AS ?y) {{ {of_shops} VALUES ?x {{ 11 12 13 }} }}"),
        "SELECT * { { ?p <urn:label> ?l } UNION { ?o <urn:price> ?l } }".to_owned(),
        "ASK { ?p <urn:label> ?l }".to_owned(),
    ] {
        assert!(is_streamed(&streamed), "{streamed}");
    }
    for held in [
        // A product of the catalogue may be two shops'.
        "SELECT DISTINCT ?c { ?p <urn:same> ?c }".to_owned(),
        "SELECT * { ?p <urn:same> ?c . ?q <urn:same> ?c }".to_owned(),
        format!("SELECT * {{ {of_shops} }} ORDER BY ?x"),
        format!("SELECT (COUNT(*) AS ?n) {{ {of_shops} }}"),
        "SELECT * { ?o <urn:product>+ ?p }".to_owned(),
        format!("SELECT * {{ {of_shops} FILTER NOT EXISTS {{ ?z <urn:same> ?c }} }}"),
        format!("SELECT * {{ {of_shops} BIND(RAND() AS ?r) }}"),
        "CONSTRUCT { ?c <urn:at> ?p } { ?p <urn:same> ?c }".to_owned(),
    ] {
        assert!(!is_streamed(&held), "{held}");
    }
    // Nobody knows what they hold.
    let mut unknown = shops();
    unknown.summaries = None;
    assert!(!ask(&unknown, LABELS).1);
    // A question that one member can answer leaves as it comes, whatever it is.
    let mut one = World::new(vec![Vec::new(), shops().members[1].clone()]);
    assert!(ask(&one, "SELECT * { ?p <urn:label> ?l } ORDER BY ?l").1);
    assert!(ask(&one, "CONSTRUCT { ?c <urn:at> ?p } { ?p <urn:same> ?c }").1);
    one.members.swap(0, 1);
    let (answer, is_streamed) = ask(&one, LABELS);
    assert!(is_streamed);
    assert_eq!(answer.rows.solutions.len(), 10);
}

#[test]
fn it_is_told_whether_rows_leave_as_they_come() {
    let world = shops();
    let federator = world.federator_by(Arc::new(StillClock), Arc::new(Threads));
    let told = |query: &str, explain| {
        let (answer, _) = finish(asked(&federator, query, Some(explain)).unwrap());
        answer.explanation.unwrap()
    };
    let plan = told(LABELS, Explain::Plan);
    let fetch = plan.steps.iter().find(|step| step.kind == StepKind::Fetch);
    let fetch = fetch.unwrap();
    assert_eq!(fetch.at.len(), 3);
    assert!(fetch.word.contains("leave as they come"), "{}", fetch.word);
    let run = told(LABELS, Explain::Analyze);
    let fetches = run.steps.iter().filter(|step| step.kind == StepKind::Fetch);
    let rows: Vec<_> = fetches.map(|step| step.rows).collect();
    assert_eq!(rows, [Some(10), Some(10), Some(10)]);
    assert!(run.choices.iter().skip(1).all(|choice| choice.is_asked));
    let sorted = format!("{LABELS} ORDER BY ?l");
    for explain in [Explain::Plan, Explain::Analyze] {
        let held = told(&sorted, explain);
        let word = &held.steps.last().unwrap().word;
        assert!(word.contains("put in order"), "{word}");
    }
}

#[test]
fn a_first_row_leaves_while_another_member_is_at_work() {
    let (answer_late, late) = oneshot::channel::<()>();
    let script = Script::new([
        flow([part(1, 0..3), end(1)]),
        futures::stream::once(late)
            .flat_map(|_| flow([part(2, 0..2), end(2)]))
            .boxed(),
        flow([end(3)]),
    ]);
    let federator = script.federator();
    let Gathered::Streamed(mut rows) = asked(&federator, LABELS, None).unwrap() else {
        panic!("it is held");
    };
    let mut next = || block_on(rows.next()).unwrap();
    assert!(matches!(next(), Some(Piece::Head(Head::Solutions(_)))));
    let Some(Piece::Solutions(first)) = next() else {
        panic!("no row");
    };
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|row| *row.sources == [1]));
    // The second has not answered.
    answer_late.send(()).unwrap();
    let Some(Piece::Solutions(second)) = next() else {
        panic!("no row");
    };
    assert!(second.iter().all(|row| *row.sources == [2]));
    assert_eq!(next(), None);
    let told = rows.told();
    let states: Vec<_> = told.sources.iter().map(|s| (s.state, s.rows)).collect();
    let (complete, empty) = (SourceState::Complete, SourceState::Empty);
    assert_eq!(
        states,
        [(empty, 0), (complete, 3), (complete, 2), (empty, 0)]
    );
}

#[test]
fn a_reader_that_is_slow_makes_members_slow() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let endless = futures::stream::repeat_with(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        part(1, 0..500)
    });
    let script = Script::new([endless.boxed(), flow([end(2)]), flow([end(3)])]);
    let federator = script.federator();
    let Gathered::Streamed(mut rows) = asked(&federator, LABELS, None).unwrap() else {
        panic!("it is held");
    };
    assert_eq!(made.load(Ordering::Relaxed), 0);
    for read in 1..200 {
        assert!(block_on(rows.next()).unwrap().is_some());
        // One that waits to be taken, and one that would follow.
        assert!(made.load(Ordering::Relaxed) <= read + 2, "{made:?} {read}");
    }
}

/// INVARIANT(impatience-opens-no-breaker)
#[test]
fn readers_that_are_slow_open_no_breaker() {
    let endless = || futures::stream::repeat_with(|| part(1, 0..500)).boxed();
    let mut script = Script::new([endless(), flow([end(2)]), flow([end(3)])]);
    for _ in 1..5 {
        script = script.then(1, endless());
    }
    let script = script.then(1, flow([part(1, 0..3), end(1)]));
    let clock = HandClock::new();
    let federator = script.federator_by(Arc::clone(&clock) as _);
    let mut slow: Vec<_> = (0..5).map(|_| begun(&federator)).collect();
    clock.advance(Duration::from_secs(50));
    for rows in &mut slow {
        while let Ok(Some(_)) = block_on(rows.next()) {}
        assert_eq!(rows.told().sources[1].state, SourceState::TimedOut);
    }
    let (answer, _) = finish(asked(&federator, LABELS, None).unwrap());
    assert_eq!(answer.sources[1].state, SourceState::Complete);
    assert_eq!(answer.rows.solutions.len(), 3);
}

/// Who was heard, and falls silent then, is not there any more.
#[test]
fn members_that_fall_silent_open_the_breaker() {
    let silent = || flow([part(1, 0..3)]).chain(futures::stream::pending());
    let mut script = Script::new([silent().boxed(), flow([end(2)]), flow([end(3)])]);
    for _ in 1..5 {
        script = script.then(1, silent().boxed());
    }
    let clock = HandClock::new();
    let federator = script.federator_by(Arc::clone(&clock) as _);
    let mut waiting: Vec<_> = (0..5).map(|_| begun(&federator)).collect();
    for rows in &mut waiting {
        assert!(rows.next().now_or_never().is_none());
    }
    clock.advance(Duration::from_secs(50));
    for rows in &mut waiting {
        while let Ok(Some(_)) = block_on(rows.next()) {}
    }
    let (answer, _) = finish(asked(&federator, LABELS, None).unwrap());
    assert_eq!(answer.sources[1].state, SourceState::Unreachable);
}

/// An answer of which the first row was read.
fn begun(federator: &Federator) -> Box<dyn Streamed> {
    let Gathered::Streamed(mut rows) = asked(federator, LABELS, None).unwrap() else {
        panic!("it is held");
    };
    let mut next = || rows.next().now_or_never().unwrap().unwrap();
    assert!(matches!(next(), Some(Piece::Head(_))));
    assert!(matches!(next(), Some(Piece::Solutions(_))));
    rows
}

#[test]
fn readers_that_are_slow_keep_no_seat_from_others() {
    let endless = || futures::stream::repeat_with(|| part(1, 0..500)).boxed();
    let mut script = Script::new([endless(), flow([end(2)]), flow([end(3)])]);
    let seats = FederationLimits::default().peer_concurrency;
    for _ in 0..seats {
        script = script.then(1, endless());
    }
    let script = script.then(1, flow([part(1, 0..3), end(1)]));
    let federator = script.federator();
    let slow: Vec<_> = (0..=seats).map(|_| begun(&federator)).collect();
    let (answer, _) = finish(asked(&federator, LABELS, None).unwrap());
    assert_eq!(answer.rows.solutions.len(), 3);
    drop(slow);
}

#[test]
fn our_own_twin_waits_for_its_reader_too() {
    let script = Script::new([flow([end(1)]), flow([end(2)]), flow([end(3)])]);
    let (federator, put, ended) = script.with_endless_twin();
    let Gathered::Streamed(mut rows) = asked(&federator, LABELS, None).unwrap() else {
        panic!("it is held");
    };
    for read in 1..200 {
        assert!(block_on(rows.next()).unwrap().is_some());
        assert!(put.load(Ordering::Relaxed) <= read + 2, "{put:?} {read}");
    }
    drop(rows);
    // It stops by itself.
    block_on(ended).unwrap();
}

/// Enough rows stop the members that gave none.
// INVARIANT(rows-have-receipts)
#[test]
fn rows_have_receipts() {
    let (silent, is_gone) = silent();
    let script = Script::new([
        flow([part(1, 0..1), part(1, 1..5), end(1)]),
        silent,
        flow([end(3)]),
    ]);
    let federator = script.federator();
    let query = format!("{LABELS} LIMIT 2 OFFSET 1");
    let (answer, is_streamed) = finish(asked(&federator, &query, None).unwrap());
    assert!(is_streamed);
    assert_eq!(answer.rows.solutions.len(), 2);
    // The second was stopped, and the first was heard to its end.
    assert!(is_gone.now_or_never().is_some());
    assert_eq!(script.asked()[0].1.matches("LIMIT 3").count(), 1);
    let [_, first, second, third] = answer.sources.as_slice() else {
        panic!("{:?}", answer.sources);
    };
    assert_eq!((first.state, first.rows), (SourceState::Complete, 5));
    assert!(!first.policies.is_empty());
    assert_eq!((second.state, second.rows), (SourceState::Complete, 0));
    let reason = second.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("enough"), "{reason}");
    assert_eq!(third.state, SourceState::Empty);
}

#[test]
fn a_truth_ends_with_the_first_row() {
    let script = Script::new([
        futures::stream::pending().boxed(),
        flow([end(2)]),
        futures::stream::pending().boxed(),
    ])
    .answering(2, Head::Boolean(true));
    let federator = script.federator();
    let (answer, _) = finish(asked(&federator, "ASK { ?p <urn:label> ?l }", None).unwrap());
    assert_eq!(answer.head, Head::Boolean(true));
    assert_eq!(answer.sources[2].rows, 1);
}

#[test]
fn a_member_that_breaks_off_is_told() {
    let broken = || {
        Err(Unanswered::Broken {
            reason: "the line is dead".to_owned(),
            head: None,
            rows: Rows::default(),
        })
    };
    let script = Script::new([
        flow([part(1, 0..3), broken()]),
        flow([part(2, 0..2), end(2)]),
        flow([Err(Unanswered::TimedOut)]),
    ]);
    let query = "SELECT ?p ?l { ?p <urn:label> ?l OPTIONAL { ?p <urn:same> ?c } }";
    let (answer, is_streamed) = finish(asked(&script.federator(), query, None).unwrap());
    assert!(is_streamed);
    assert_eq!(answer.rows.solutions.len(), 5);
    let states: Vec<_> = answer.sources.iter().map(|s| (s.state, s.rows)).collect();
    assert_eq!(states[1], (SourceState::Partial, 3));
    assert_eq!(states[2], (SourceState::Complete, 2));
    assert_eq!(states[3], (SourceState::TimedOut, 0));
    assert_eq!(answer.unsure, ["OPTIONAL"]);
    let reason = answer.sources[1].reason.as_deref().unwrap_or_default();
    assert!(reason.contains("the line is dead"), "{reason}");
}

// INVARIANT(no-belief-no-answer)
#[test]
fn no_belief_no_answer() {
    let lie = || {
        Err(Unanswered::NotEvaluable {
            reason: "its receipt is not of what it answered".to_owned(),
        })
    };
    let script = |first| Script::new([first, flow([part(2, 0..2), end(2)]), flow([end(3)])]);
    // Before any row of it left it is told, as ever.
    let early = script(flow([lie()]));
    let (answer, _) = finish(asked(&early.federator(), LABELS, None).unwrap());
    assert_eq!(answer.sources[1].state, SourceState::NotEvaluable);
    assert_eq!(answer.rows.solutions.len(), 2);
    // After that there is no answer.
    let late = script(flow([part(1, 0..3), lie()]));
    let federator = late.federator();
    let Gathered::Streamed(mut rows) = asked(&federator, LABELS, None).unwrap() else {
        panic!("it is held");
    };
    let refusal = loop {
        match block_on(rows.next()) {
            Ok(piece) => assert!(piece.is_some(), "an end"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(refusal.check(), "federation.belief");
    assert!(refusal.public().contains(participant(1).as_str()));
    // From then on no row of it leaves before all of it is believed.
    let again = asked(&federator, LABELS, None).unwrap();
    assert!(matches!(again, Gathered::Held(_)));
}

#[test]
fn other_columns_than_were_asked_for_are_not_taken() {
    let head = Head::Solutions(vec![oxrdf::Variable::new_unchecked("p")]);
    let script = Script::new([
        flow([part(1, 0..3), end(1)]),
        flow([part(2, 0..2), end(2)]),
        flow([end(3)]),
    ])
    .answering(1, head);
    let (answer, _) = finish(asked(&script.federator(), LABELS, None).unwrap());
    assert_eq!(answer.rows.solutions.len(), 2);
    assert_eq!(answer.sources[1].state, SourceState::NotEvaluable);
}

/// What left has no receipt then: there is no answer.
// INVARIANT(rows-have-receipts)
#[test]
fn more_rows_than_an_answer_may_have_are_not_read() {
    let made = Arc::new(AtomicUsize::new(0));
    for query in [LABELS.to_owned(), format!("{LABELS} OFFSET 600")] {
        made.store(0, Ordering::Relaxed);
        let counted = Arc::clone(&made);
        let endless = futures::stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            part(1, 0..500)
        });
        let script = Script::new([endless.boxed(), flow([end(2)]), flow([end(3)])]);
        let gathered = asked_for(&script.federator(), &query, 1_200).unwrap();
        let Gathered::Streamed(mut rows) = gathered else {
            panic!("it is held");
        };
        let mut left = 0;
        let refusal = loop {
            match block_on(rows.next()) {
                Ok(piece) => left += piece.expect("an end").rows(),
                Err(refusal) => break refusal,
            }
        };
        assert_eq!(refusal.check(), "limits.rows");
        assert!(refusal.public().contains("more than 1200 rows"));
        assert!(left <= 1_200, "{query}: {left}");
        assert!(made.load(Ordering::Relaxed) <= 4);
    }
}

#[test]
fn rows_that_are_passed_over_are_none_of_the_answer() {
    let script = Script::new([
        flow([part(1, 0..1_000), part(1, 0..500), end(1)]),
        flow([end(2)]),
        flow([end(3)]),
    ]);
    let query = format!("{LABELS} OFFSET 600");
    let (answer, _) = finish(asked_for(&script.federator(), &query, 1_200).unwrap());
    assert_eq!(answer.rows.solutions.len(), 900);
    assert_eq!(answer.sources[1].state, SourceState::Complete);
}
