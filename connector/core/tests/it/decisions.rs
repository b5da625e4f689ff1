//! Decisions that rest on more than the request: kept, counted, and looked at again while an answer leaves.

use crate::fakes::{MODIFY, World, block_on};
use std::sync::atomic::Ordering;
use twinlink_core::{Code, Reply, StateOfWorld, answer};

/// As [`READ`] in other words.
const READ_TOO: &str = "
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
    <https://city.example/policy/all> a odrl:Set ; odrl:permission [
        odrl:target <https://city.example/twin> ; odrl:action odrl:use ] .";

impl World {
    fn ask(&self) -> Reply {
        block_on(answer(
            &self.connector(),
            &self.credentials(),
            self.request(),
        ))
        .unwrap()
    }
}

/// INVARIANT(fresh-permits)
#[test]
fn fresh_permits() {
    let world = World::new();
    let connector = world.connector();
    let ask = || {
        let credentials = world.credentials();
        let asked = answer(&connector, &credentials, world.request());
        let done = block_on(async { asked.await?.finish().await });
        (done.map(drop), world.ledger.looks.swap(0, Ordering::SeqCst))
    };
    assert!(matches!(ask(), (Ok(()), 1)));
    assert!(matches!(ask(), (Ok(()), 0)), "decided a moment ago");
    block_on(world.ledger.meter(Vec::new(), std::time::Duration::ZERO)).unwrap();
    assert!(matches!(ask(), (Ok(()), 1)), "the world is another");
    world.policies.replace(READ_TOO);
    assert!(matches!(ask(), (Ok(()), 1)), "the policies are others");
    world.policies.replace(MODIFY);
    assert!(
        matches!(ask(), (Err(_), 1)),
        "nothing is permitted any more"
    );
    assert!(matches!(ask(), (Err(_), 1)), "a denial is not kept");
}

/// INVARIANT(no-longer-than-permitted)
#[test]
fn no_longer_than_permitted() {
    let world = World::new();
    let mut reply = world.ask();
    assert!(block_on(reply.next()).unwrap().is_some());
    world.policies.replace(MODIFY);
    let refusal = block_on(reply.next()).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Forbidden, "policy")
    );
    assert_eq!(refusal.public(), "not permitted");
    let log = world.log();
    assert_eq!(log.completed[0].failed.as_deref(), Some("policy"));
    assert_eq!(
        (log.completed[0].rows, log.completed[0].complete),
        (1, false)
    );
}

#[test]
fn an_answer_goes_on_where_what_is_permitted_stays_the_same() {
    let world = World::new();
    let mut reply = world.ask();
    assert!(block_on(reply.next()).unwrap().is_some());
    world.policies.replace(READ_TOO);
    assert!(block_on(reply.next()).unwrap().is_some());
    assert!(block_on(reply.finish()).unwrap().complete);
}
