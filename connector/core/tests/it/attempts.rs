//! Brief questions are answered without a thread of their own, and all others as ever.

use crate::fakes::{FakeTwin, World, block_on};
use oxrdf::{Literal, Variable};
use spargebra::Query;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use twinlink_core::policy::Permit;
use twinlink_core::{
    Applied, Budget, Change, Code, Connector, DatasetChoice, Evaluated, Head, Piece, Refusal, Sink,
    Solution, Twin, answer,
};

/// What an attempt comes to.
#[derive(Clone, Copy)]
enum Fate {
    Whole,
    TooLong,
    NotNow,
    TooManyRows,
    Panics,
}

struct Trying {
    fate: Mutex<Fate>,
    attempts: AtomicUsize,
    inner: Arc<FakeTwin>,
}

impl Twin for Trying {
    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        permit: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        assert_eq!(budget.steps(), None);
        self.inner.evaluate(query, dataset, permit, budget, sink)
    }

    fn attempt(
        &self,
        _: &Query,
        _: Option<&DatasetChoice>,
        _: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        assert!(budget.steps().is_some());
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let refuse = |check| Err(Refusal::new(Code::Exhausted, check, "as told"));
        let rows = match *self.fate.lock().unwrap() {
            Fate::Whole => 1,
            Fate::TooManyRows => 1000,
            Fate::TooLong => return refuse("limits.steps"),
            Fate::NotNow => return refuse("policy.ready"),
            Fate::Panics => panic!("as told"),
        };
        let variables = vec![Variable::new_unchecked("x")];
        sink.put(Piece::Head(Head::Solutions(variables)))?;
        let row = || Solution {
            values: vec![Some(Literal::from(7).into())],
            sources: Arc::from([0]),
        };
        sink.put(Piece::Solutions((0..rows).map(|_| row()).collect()))?;
        Ok(Evaluated {
            rows,
            ..Evaluated::default()
        })
    }

    fn change(
        &self,
        _: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        Ok(Applied::default())
    }
}

struct Case {
    world: World,
    twin: Arc<Trying>,
    connector: Connector,
}

impl Case {
    fn new(fate: Fate) -> Self {
        let world = World::new();
        let twin = Arc::new(Trying {
            fate: Mutex::new(fate),
            attempts: AtomicUsize::new(0),
            inner: Arc::clone(&world.twin),
        });
        let connector = Connector {
            twin: Arc::clone(&twin) as _,
            ..world.connector()
        };
        Self {
            world,
            twin,
            connector,
        }
    }

    /// The rows of the answer.
    fn ask(&self, query: &str) -> u64 {
        let mut request = self.world.request();
        query.clone_into(&mut request.query);
        block_on(async {
            let reply = answer(&self.connector, &self.world.credentials(), request).await;
            reply.unwrap().finish().await.unwrap().rows
        })
    }

    /// How often it was tried, and how often evaluated on a thread.
    fn counts(&self) -> (usize, usize) {
        let evaluations = self.world.twin.evaluations.load(Ordering::SeqCst);
        (self.twin.attempts.load(Ordering::SeqCst), evaluations)
    }
}

const BRIEF: &str = "SELECT ?x WHERE { ?x ?y ?z }";

#[test]
fn what_is_brief_needs_no_thread_and_is_on_record() {
    let case = Case::new(Fate::Whole);
    assert_eq!((case.ask(BRIEF), case.ask(BRIEF)), (1, 1));
    assert_eq!(case.counts(), (2, 0));
    let log = case.world.log();
    assert_eq!((log.intents.len(), log.completed.len()), (2, 2));
    assert!(
        log.completed
            .iter()
            .all(|done| done.rows == 1 && done.complete)
    );
}

#[test]
fn no_long_work_on_the_runtime() {
    for fate in [Fate::TooLong, Fate::TooManyRows] {
        let case = Case::new(fate);
        assert_eq!((case.ask(BRIEF), case.ask(BRIEF)), (3, 3));
        // It is not tried again.
        assert_eq!(case.counts(), (1, 2));
    }
    for fate in [Fate::NotNow, Fate::Panics] {
        let case = Case::new(fate);
        assert_eq!((case.ask(BRIEF), case.ask(BRIEF)), (3, 3));
        assert_eq!(case.counts(), (2, 2));
    }
    let case = Case::new(Fate::Whole);
    assert_eq!(case.ask("SELECT ?x WHERE { ?x ?y ?z } ORDER BY ?z"), 3);
    assert_eq!(case.counts(), (0, 1));
}

#[test]
fn no_more_rows_than_the_limit_also_at_once() {
    let mut case = Case::new(Fate::Whole);
    case.connector.limits.rows = 0;
    let reply = block_on(async {
        let (credentials, request) = (case.world.credentials(), case.world.request());
        let mut reply = answer(&case.connector, &credentials, request).await?;
        while reply.next().await?.is_some() {}
        reply.finish().await
    });
    assert_eq!(reply.unwrap_err().check(), "limits.rows");
}
