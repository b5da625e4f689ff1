//! Rows of a federated question that leave as they come: held to the limits, the age and the record of every answer.

use crate::decisions::permission;
use crate::fakes::{World, block_on};
use futures::future::{BoxFuture, FutureExt, ready};
use oxrdf::{Literal, NamedNode, Variable};
use spargebra::Query;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use time::macros::datetime;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Code, Conditions, Connector, DatasetChoice, Delegation, Explain, Explanation,
    Federation, Gathered, Harvest, Head, Piece, Refusal, Request, Solution, SourceState,
    SourceStatus, StepKind, Streamed, Told, answer,
};

/// Streams these pieces, or refuses to gather: only who requires something of sources asks for that.
struct Streams {
    pieces: usize,
    /// How the rows end, where not well.
    end: Option<Code>,
    gathered: AtomicUsize,
}

impl Federation for Streams {
    fn gather<'a>(
        &'a self,
        _: &'a Query,
        _: Option<&'a DatasetChoice>,
        _: &'a Permit,
        _: &'a Delegation,
        _: &'a Budget,
        _: &'a Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        self.gathered.fetch_add(1, Ordering::Relaxed);
        ready(Err(Refusal::new(Code::Unavailable, "gathered", "as told"))).boxed()
    }

    fn stream<'a>(
        &'a self,
        _: &'a Query,
        _: Option<&'a DatasetChoice>,
        _: &'a Permit,
        _: &'a Delegation,
        _: &'a Budget,
        conditions: &'a Conditions,
    ) -> BoxFuture<'a, Result<Gathered, Refusal>> {
        let head = Piece::Head(Head::Solutions(vec![Variable::new_unchecked("x")]));
        let row = Solution {
            values: vec![Some(Literal::from(1).into())],
            sources: Arc::from([1]),
        };
        let rows = Piece::Solutions(vec![row; 10]);
        let rows = std::iter::repeat_n(rows, self.pieces);
        let scripted = Scripted {
            pieces: std::iter::once(head).chain(rows).collect(),
            end: self.end,
            is_explained: conditions.explain.is_some(),
        };
        ready(Ok(Gathered::Streamed(Box::new(scripted)))).boxed()
    }
}

struct Scripted {
    pieces: VecDeque<Piece>,
    end: Option<Code>,
    is_explained: bool,
}

impl Streamed for Scripted {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Piece>, Refusal>> {
        let next = match (self.pieces.pop_front(), self.end) {
            (None, Some(code)) => Err(Refusal::new(code, "scripted", "as told")),
            (piece, _) => Ok(piece),
        };
        ready(next).boxed()
    }

    fn told(&mut self) -> Told {
        let source = |name: &str, state| SourceStatus {
            participant: NamedNode::new_unchecked(name),
            state,
            rows: 10,
            elapsed: Duration::ZERO,
            as_of: Some(datetime!(2026-11-20 11:59:31 UTC)),
            policies: Vec::new(),
            not_evaluable: 0,
            reason: None,
            receipt: None,
        };
        Told {
            sources: vec![
                source("https://city.example/", SourceState::Complete),
                source("https://police.example/", SourceState::Partial),
            ],
            unsure: vec!["OPTIONAL".to_owned()],
            explanation: self.is_explained.then(Explanation::default),
        }
    }
}

fn connector(world: &World, pieces: usize, end: Option<Code>) -> (Connector, Arc<Streams>) {
    let federation = Arc::new(Streams {
        pieces,
        end,
        gathered: AtomicUsize::new(0),
    });
    let connector = Connector {
        federation: Arc::clone(&federation) as _,
        ..world.connector()
    };
    (connector, federation)
}

fn request(world: &World) -> Request {
    Request {
        federated: true,
        ..world.request()
    }
}

#[test]
fn rows_that_leave_as_they_come_are_an_answer_like_any() {
    let world = World::new();
    let (connector, federation) = connector(&world, 3, None);
    let outcome = block_on(async {
        let credentials = world.credentials();
        let reply = answer(&connector, &credentials, request(&world));
        let mut reply = reply.await.unwrap();
        let mut rows = 0;
        while let Some(piece) = reply.next().await.unwrap() {
            rows += piece.rows();
        }
        assert_eq!(rows, 30);
        reply.finish().await.unwrap()
    });
    assert_eq!(federation.gathered.load(Ordering::Relaxed), 0);
    assert_eq!((outcome.rows, outcome.complete), (30, false));
    assert_eq!(outcome.sources[1].state, SourceState::Partial);
    assert_eq!(outcome.unsure, ["OPTIONAL"]);
    assert_eq!(outcome.receipt, "receipt 1");
    let done = &world.log().completed[0];
    assert_eq!((done.rows, done.complete, &done.failed), (30, false, &None));
}

#[test]
fn what_is_required_of_sources_is_held_to_before_a_row_leaves() {
    let world = World::new();
    for word in ["all", "2", "https://police.example/", "exact"] {
        let (connector, federation) = connector(&world, 3, None);
        let mut request = request(&world);
        request.require.add(word).unwrap();
        let refusal = block_on(answer(&connector, &world.credentials(), request)).unwrap_err();
        assert_eq!(refusal.check(), "gathered", "{word}");
        assert_eq!(federation.gathered.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn rows_that_leave_as_they_come_are_bounded() {
    let mut world = World::new();
    world.limits.rows = 25;
    let (connector, _) = connector(&world, 100, None);
    let refusal = block_on(async {
        let credentials = world.credentials();
        let reply = answer(&connector, &credentials, request(&world));
        reply.await.unwrap().finish().await.unwrap_err()
    });
    assert_eq!(refusal.check(), "limits.rows");
    let done = &world.log().completed[0];
    assert_eq!((done.rows, done.complete), (20, false));
    assert_eq!(done.failed.as_deref(), Some("limits.rows"));
}

#[test]
fn rows_that_turn_out_not_to_be_believed_are_no_answer() {
    let world = World::new();
    let (connector, _) = connector(&world, 2, Some(Code::Unavailable));
    let refusal = block_on(async {
        let credentials = world.credentials();
        let reply = answer(&connector, &credentials, request(&world));
        reply.await.unwrap().finish().await.unwrap_err()
    });
    assert_eq!(refusal.check(), "scripted");
    let done = &world.log().completed[0];
    assert_eq!((done.rows, done.complete), (20, false));
    // Before anything left it is a refusal like any.
    let (connector, _) = super::streams::connector(&world, 0, Some(Code::Unavailable));
    let mut reply = block_on(answer(&connector, &world.credentials(), request(&world))).unwrap();
    assert!(block_on(reply.next()).is_err());
}

#[test]
fn rows_that_are_explained_are_counted() {
    let world = World::new();
    let (connector, _) = connector(&world, 3, None);
    let mut request = request(&world);
    request.explain = Some(Explain::Analyze);
    let outcome = block_on(async {
        let credentials = world.credentials();
        let reply = answer(&connector, &credentials, request);
        reply.await.unwrap().finish().await.unwrap()
    });
    assert_eq!(outcome.rows, 0);
    let told = outcome.explanation.unwrap();
    let last = told.steps.last().unwrap();
    assert_eq!((last.kind, last.rows), (StepKind::Evaluate, Some(30)));
}

#[test]
fn the_age_that_is_told_after_the_rows_is_as_coarse() {
    let world = World::new();
    let part =
        "[ odrl:source <https://city.example/twin> ; odrl:refinement [ odrl:leftOperand tl:graph ;
        odrl:operator odrl:eq ; odrl:rightOperand <https://city.example/graph> ] ]";
    let part = permission("").replace("<https://city.example/twin>", part);
    world.policies.replace(&part);
    let (connector, _) = connector(&world, 1, None);
    let outcome = block_on(async {
        let credentials = world.credentials();
        let reply = answer(&connector, &credentials, request(&world));
        reply.await.unwrap().finish().await.unwrap()
    });
    let ages: Vec<_> = outcome.sources.iter().map(|source| source.as_of).collect();
    let exact = datetime!(2026-11-20 11:59:31 UTC);
    // Of ourselves to the minute; peers see to theirs.
    assert_eq!(ages, [Some(datetime!(2026-11-20 11:59 UTC)), Some(exact)]);
}
