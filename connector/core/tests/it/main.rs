//! The way of one request, with fakes at every port.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

mod attempts;
mod decisions;
mod fakes;
mod steward;
mod streams;
mod turns;

use fakes::{World, block_on};
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;
use twinlink_core::{Change, ChangeRequest, Code, Head, Piece, Refusal, answer, change, serve};

#[test]
fn a_permitted_question_is_answered_with_a_receipt() {
    let world = World::new();
    let (head, rows, outcome) = block_on(async {
        let mut reply = answer(&world.connector(), &world.credentials(), world.request())
            .await
            .unwrap();
        let head = reply.head().clone();
        let mut rows = 0;
        while let Some(piece) = reply.next().await.unwrap() {
            if let Piece::Solutions(batch) = piece {
                rows += batch.len();
            }
        }
        (head, rows, reply.finish().await.unwrap())
    });
    assert!(matches!(head, Head::Solutions(variables) if variables.len() == 1));
    assert_eq!((rows, outcome.rows), (3, 3));
    assert!(outcome.complete);
    assert_eq!(outcome.sources.len(), 1);
    assert_eq!(outcome.receipt, "receipt 1");
    let log = world.log();
    assert_eq!(log.intents.len(), 1);
    assert_eq!(log.intents[0].policies.len(), 1);
    assert_eq!(log.completed[0].rows, 3);
    assert_eq!(log.completed[0].result_digest.len(), 64);
}

#[test]
fn what_a_caller_who_went_away_had_asked_is_stopped() {
    let world = World::new();
    world.twin.hangs.store(true, Ordering::SeqCst);
    let (connector, credentials) = (world.connector(), world.credentials());
    let mut asked = Box::pin(answer(&connector, &credentials, world.request()));
    let mut context = Context::from_waker(Waker::noop());
    while world.twin.evaluations.load(Ordering::SeqCst) == 0 {
        assert!(asked.as_mut().poll(&mut context).is_pending());
        std::thread::yield_now();
    }
    drop(asked);
    world.twin.wait_until_cancelled();
}

/// INVARIANT(no-permit-no-answer)
#[test]
fn no_permit_no_answer() {
    let world = World::new();
    world.policies.replace("");
    let refusal = world.refused();
    assert_eq!(refusal.code(), Code::Forbidden);
    assert_eq!(refusal.public(), "not permitted");
    assert_eq!(world.twin.evaluations.load(Ordering::SeqCst), 0);
    assert_eq!(world.log().intents[0].refused.as_deref(), Some("policy"));
}

/// INVARIANT(no-receipt-no-answer)
#[test]
fn no_receipt_no_answer() {
    let mut world = World::new();
    world.log_is_full = true;
    let refusal = world.refused();
    assert_eq!(refusal.code(), Code::Unavailable);
    assert_eq!(world.twin.evaluations.load(Ordering::SeqCst), 0);
}

/// INVARIANT(no-record-no-service)
#[test]
fn no_record_no_service() {
    let mut world = World::new();
    let action = oxrdf::NamedNode::new_unchecked("https://example.org/issue");
    let issue = |world: &World, made: Result<&'static str, Refusal>| {
        block_on(serve(&world.connector(), &action, "asked", |record| {
            record.subject = Some("app".to_owned());
            made
        }))
    };
    assert_eq!(issue(&world, Ok("token")).unwrap(), "token");
    let refusal = Refusal::new(Code::Forbidden, "client.scope", "no");
    let refusal = issue(&world, Err(refusal)).unwrap_err();
    assert!(refusal.is_recorded());
    {
        let log = world.log();
        assert_eq!(log.completed.len(), 1);
        assert_eq!(log.intents[0].subject.as_deref(), Some("app"));
        assert_eq!(log.intents[1].refused.as_deref(), Some("client.scope"));
    }
    world.log_is_full = true;
    let refusal = issue(&world, Ok("token")).unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    assert!(!refusal.is_recorded());
}

#[test]
fn nobody_is_answered_without_proof_of_who_asks() {
    let mut world = World::new();
    world.known = false;
    let refusal = world.refused();
    assert_eq!(refusal.code(), Code::Unauthenticated);
    let log = world.log();
    assert_eq!(log.intents[0].refused.as_deref(), Some("token"));
    assert_eq!(log.intents[0].participant, None);
}

#[test]
fn a_request_cannot_state_another_purpose_than_its_token() {
    let world = World::new();
    let mut request = world.request();
    request.purpose = Some(oxrdf::NamedNode::new_unchecked("https://example.org/other"));
    let refusal = world.refused_for(request);
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Forbidden, "purpose")
    );
}

#[test]
fn a_syntax_error_is_told_with_its_place() {
    let world = World::new();
    let mut request = world.request();
    request.query = "SELECT * WHERE { ?s ?p".to_owned();
    let refusal = world.refused_for(request);
    assert_eq!(refusal.code(), Code::Invalid);
    assert!(refusal.public().contains("1:"), "{}", refusal.public());
}

#[test]
fn too_many_rows_end_the_answer_with_a_refusal() {
    let mut world = World::new();
    world.limits.rows = 2;
    let refusal = world.broken();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Exhausted, "limits.rows")
    );
    assert_eq!(
        world.log().completed[0].failed.as_deref(),
        Some("limits.rows")
    );
}

#[test]
fn a_panic_costs_one_request() {
    let world = World::new();
    world.twin.panics.store(true, Ordering::SeqCst);
    assert_eq!(world.refused().code(), Code::Internal);
    world.twin.panics.store(false, Ordering::SeqCst);
    assert!(
        block_on(answer(
            &world.connector(),
            &world.credentials(),
            world.request()
        ))
        .is_ok()
    );
}

#[test]
fn the_deadline_ends_a_request_and_cancels_its_evaluation() {
    let mut world = World::new();
    world.limits.deadline = Duration::from_secs(2);
    world.twin.hangs.store(true, Ordering::SeqCst);
    assert_eq!(world.refused().code(), Code::Timeout);
    world.twin.wait_until_cancelled();
}

#[test]
fn a_deadline_in_the_middle_is_recorded() {
    let mut world = World::new();
    world.limits.deadline = Duration::from_secs(1);
    world.twin.hangs_after_head.store(true, Ordering::SeqCst);
    assert_eq!(world.broken().code(), Code::Timeout);
    let log = world.log();
    assert_eq!(log.completed[0].failed.as_deref(), Some("deadline"));
    assert!(!log.completed[0].complete);
}

#[test]
fn a_reader_that_does_not_read_frees_the_thread_at_the_deadline() {
    let mut world = World::new();
    world.limits.deadline = Duration::from_secs(1);
    world.twin.never_ends.store(true, Ordering::SeqCst);
    let reply = block_on(answer(
        &world.connector(),
        &world.credentials(),
        world.request(),
    ));
    world.twin.wait_until_cancelled();
    drop(reply.unwrap());
}

#[test]
fn a_dropped_reply_cancels_its_evaluation() {
    let world = World::new();
    world.twin.hangs_after_head.store(true, Ordering::SeqCst);
    let reply = block_on(answer(
        &world.connector(),
        &world.credentials(),
        world.request(),
    ));
    drop(reply.unwrap());
    world.twin.wait_until_cancelled();
}

#[test]
fn a_change_needs_a_permit_of_its_own_and_a_record() {
    let world = World::new();
    let insert = || ChangeRequest::new(Change::Insert(Vec::new()), "00".repeat(32));
    let done = block_on(change(&world.connector(), &world.credentials(), insert()));
    assert_eq!(done.unwrap_err().code(), Code::Forbidden);
    world.policies.replace(fakes::MODIFY);
    let done = block_on(change(&world.connector(), &world.credentials(), insert()));
    assert_eq!(
        done.unwrap().applied.sequence,
        0,
        "who does not see all is not told"
    );
    let after = world.log().completed[0].changed_to.clone();
    assert_eq!(after.as_deref(), Some("7-ab"), "but it is on record");
    assert_eq!(world.log().completed.len(), 1);
    world
        .policies
        .replace(&format!("{}{}", fakes::READ, fakes::MODIFY));
    let done = block_on(change(&world.connector(), &world.credentials(), insert()));
    assert_eq!(done.unwrap().applied.sequence, 7);
}

/// INVARIANT(committed-is-completed)
#[test]
fn committed_is_completed() {
    let world = World::new();
    world.policies.replace(fakes::MODIFY);
    world.twin.holds_changes.store(true, Ordering::SeqCst);
    let (connector, credentials) = (world.connector(), world.credentials());
    let request = ChangeRequest::new(Change::Insert(Vec::new()), "00".repeat(32));
    let mut asked = Box::pin(change(&connector, &credentials, request));
    let mut context = Context::from_waker(Waker::noop());
    while world.twin.changes.load(Ordering::SeqCst) == 0 {
        assert!(asked.as_mut().poll(&mut context).is_pending());
        std::thread::yield_now();
    }
    // Its caller leaves while the change is on its way to the disk.
    drop(asked);
    world.twin.holds_changes.store(false, Ordering::SeqCst);
    while world.log().completed.is_empty() {
        std::thread::yield_now();
    }
    let log = world.log();
    assert_eq!((log.intents.len(), log.completed.len()), (1, 1));
    assert!(log.completed[0].complete);
}

impl World {
    pub(crate) fn refused(&self) -> Refusal {
        self.refused_for(self.request())
    }

    pub(crate) fn refused_for(&self, request: twinlink_core::Request) -> Refusal {
        block_on(answer(&self.connector(), &self.credentials(), request)).unwrap_err()
    }

    fn broken(&self) -> Refusal {
        block_on(async {
            let reply = answer(&self.connector(), &self.credentials(), self.request())
                .await
                .unwrap();
            reply.finish().await.unwrap_err()
        })
    }
}
