//! Whose turn it is: by share, by incident, and never longer than the work lasts.

use crate::fakes::{World, block_on};
use oxrdf::NamedNode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use twinlink_core::policy::Incident;
use twinlink_core::{
    Admission, AdmissionLimits, Caller, Code, Priority, Refusal, Reply, StateOfWorld as _, answer,
};

const URGENT: &str = "https://purposes.example/emergency";

fn one_at_a_time(waiting: usize) -> Arc<Admission> {
    Arc::new(Admission::new(AdmissionLimits {
        waiting,
        waiting_caller: waiting,
        urgent_purposes: vec![NamedNode::new_unchecked(URGENT)],
        ..AdmissionLimits::of(1)
    }))
}

fn as_caller(subject: &str, purpose: Option<&str>, admission: &Arc<Admission>) -> World {
    let mut world = World::new();
    world.caller = Caller::assertion(
        NamedNode::new_unchecked("https://fire.example/"),
        subject.to_owned(),
        Vec::new(),
        purpose.map(NamedNode::new_unchecked),
        "1".to_owned(),
        false,
    );
    world.admission = Arc::clone(admission);
    world
}

async fn ask(world: World) -> Result<Reply, Refusal> {
    answer(&world.connector(), &world.credentials(), world.request()).await
}

#[test]
fn a_seat_is_free_when_its_thread_is() {
    let admission = one_at_a_time(0);
    let mut first = as_caller("first", None, &admission);
    first.twin.hangs.store(true, Ordering::SeqCst);
    first.limits.deadline = std::time::Duration::from_secs(3600);
    let twin = Arc::clone(&first.twin);
    let mut asked = Box::pin(ask(first));
    let mut context = Context::from_waker(Waker::noop());
    while twin.evaluations.load(Ordering::SeqCst) == 0 {
        assert!(asked.as_mut().poll(&mut context).is_pending());
        std::thread::yield_now();
    }
    let refused = || block_on(ask(as_caller("second", None, &admission))).err();
    let refusal = refused().unwrap();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Exhausted, "limits.caller")
    );
    assert!(refusal.retry().is_some());
    assert_eq!(admission.load(), (1, 0));
    // Who goes away gives the seat back, once the evaluation has noticed.
    drop(asked);
    twin.wait_until_cancelled();
    while refused().is_some() {
        std::thread::yield_now();
    }
}

#[test]
fn what_an_incident_asks_for_goes_before_routine() {
    for goes_on in [true, false] {
        let admission = one_at_a_time(8);
        let held = block_on(ask(as_caller("held", None, &admission))).unwrap();
        // Its rows are not read yet, but the work is done: another one holds the seat.
        drop(held);
        let holder = as_caller("holder", None, &admission).caller;
        let seat = loop {
            if admission.load() == (0, 0) {
                break block_on(admission.enter(&holder, Priority::Routine)).unwrap();
            }
            std::thread::yield_now();
        };
        let routine = as_caller("routine", None, &admission);
        let urgent = as_caller("urgent", Some(URGENT), &admission);
        let year = if goes_on { 2027 } else { 2025 };
        let incident = Incident {
            id: NamedNode::new_unchecked("urn:incident"),
            kinds: Vec::new(),
            area: None,
            begins: "2024-01-01T00:00:00Z".parse().unwrap(),
            ends: format!("{year}-01-01T00:00:00Z").parse().unwrap(),
            declared_by: NamedNode::new_unchecked("https://city.example/"),
        };
        let now = time::OffsetDateTime::UNIX_EPOCH;
        block_on(urgent.ledger.declare(incident, now)).unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (Box::pin(ask(routine)), Box::pin(ask(urgent)));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!(admission.load(), (1, 2));
        drop(seat);
        // The seat was given when the other was: only who got it comes on.
        let (mut called, mut waits) = if goes_on {
            (second, first)
        } else {
            (first, second)
        };
        assert!(waits.as_mut().poll(&mut context).is_pending());
        let reply = loop {
            if let Poll::Ready(reply) = called.as_mut().poll(&mut context) {
                break reply.unwrap();
            }
            std::thread::yield_now();
        };
        drop(reply);
        drop(block_on(waits).unwrap());
    }
}
