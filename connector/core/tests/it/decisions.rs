//! Decisions that rest on more than the request: kept, counted, and looked at again while an answer leaves.

use crate::fakes::{MODIFY, World, block_on};
use futures::future::{BoxFuture, ready};
use oxrdf::NamedNode;
use spargebra::Query;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use twinlink_core::policy::{Incident, Permit};
use twinlink_core::{
    Budget, Clock as _, Code, Conditions, DatasetChoice, Delegation, Federation, Harvest,
    ObligationKind, Overview, Refusal, Reply, StateOfWorld, SummaryRequest, answer, summarize,
};

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
    block_on(world.ledger.meter(Vec::new(), Duration::ZERO)).unwrap();
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

/// A permission of the profile, with more to it.
pub(crate) fn permission(more: &str) -> String {
    format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> .
         @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
         <https://city.example/policy/terms> a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
           odrl:permission [ odrl:target <https://city.example/twin> ; odrl:action odrl:read ; {more} ] ."
    )
}

fn constraint(left: &str, operator: &str, right: &str) -> String {
    format!(
        "odrl:constraint [ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

fn leak(hours: u64) -> Incident {
    let at = |hour: u64| format!("2026-11-20T{hour:02}:00:00Z").parse().unwrap();
    Incident {
        id: NamedNode::new_unchecked("https://city.example/leak"),
        kinds: vec![NamedNode::new_unchecked("https://city.example/Grip3")],
        area: None,
        begins: at(11),
        ends: at(12 + hours),
        declared_by: NamedNode::new_unchecked("https://city.example/"),
    }
}

const DURING: &str = "odrl:constraint [ odrl:leftOperand odrl:event ; odrl:operator odrl:eq ;
    odrl:rightOperand <https://city.example/Grip3> ]";

#[test]
fn a_limited_use_is_counted_before_anything_is_evaluated() {
    let world = World::new();
    world
        .policies
        .replace(&permission(&constraint("odrl:count", "lteq", "2")));
    // A question with a fault costs nothing.
    let mut faulty = world.request();
    faulty.query = "SELECT".to_owned();
    assert_eq!(world.refused_for(faulty).code(), Code::Invalid);
    assert!(world.ledger.usage().is_empty());
    for count in 1..=2 {
        let mut reply = world.ask();
        assert_eq!(world.ledger.usage()[0].count, count);
        // The last use that is allowed does not count against itself.
        while block_on(reply.next()).unwrap().is_some() {}
        assert!(block_on(reply.finish()).unwrap().complete);
    }
    assert_eq!(world.refused().check(), "policy");
    assert_eq!(world.twin.evaluations.load(Ordering::SeqCst), 2);
    assert_eq!(world.ledger.usage()[0].count, 2);
}

#[test]
fn where_a_use_cannot_be_counted_there_is_none() {
    let world = World::new();
    world
        .policies
        .replace(&permission(&constraint("odrl:count", "lteq", "2")));
    world.ledger.is_full.store(true, Ordering::SeqCst);
    assert_eq!(world.refused().code(), Code::Unavailable);
    assert_eq!(world.twin.evaluations.load(Ordering::SeqCst), 0);
    // What is not counted does not need the ledger.
    world.policies.replace(READ_TOO);
    assert!(block_on(world.ask().finish()).unwrap().complete);
}

// INVARIANT(cannot-be-recorded-is-not-counted)
#[test]
fn a_use_that_cannot_be_recorded_is_not_counted() {
    let mut world = World::new();
    world
        .policies
        .replace(&permission(&constraint("odrl:count", "lteq", "2")));
    world.log_is_full = true;
    assert_eq!(world.refused().code(), Code::Unavailable);
    assert!(world.ledger.usage().is_empty());
    world.log_is_full = false;
    // Where the count fails, the record says what was meant, and that it came to nothing.
    world.ledger.is_full.store(true, Ordering::SeqCst);
    assert_eq!(world.refused().code(), Code::Unavailable);
    let log = world.log();
    assert_eq!(log.completed.len(), 0);
    let refused: Vec<_> = log
        .intents
        .iter()
        .map(|one| one.refused.is_some())
        .collect();
    assert_eq!(refused, [false, true]);
    assert_eq!(world.twin.evaluations.load(Ordering::SeqCst), 0);
}

#[test]
fn time_is_metered_also_of_answers_that_nobody_reads() {
    let world = World::new();
    let metered = constraint("odrl:meteredTime", "lteq", "\"PT1H\"^^xsd:dayTimeDuration");
    world.policies.replace(&permission(&metered));
    drop(world.ask());
    let dropped = world.ledger.usage()[0].metered;
    assert!(dropped > Duration::ZERO);
    block_on(world.ask().finish()).unwrap();
    assert!(world.ledger.usage()[0].metered > dropped);
}

#[test]
fn access_ends_with_the_incident_also_in_the_middle_of_an_answer() {
    let world = World::new();
    world.policies.replace(&permission(DURING));
    assert_eq!(world.refused().check(), "policy");
    let declare = |hours| block_on(world.ledger.declare(leak(hours), world.clock.now())).unwrap();
    declare(2);
    let mut reply = world.ask();
    assert!(block_on(reply.next()).unwrap().is_some());
    block_on(world.ledger.end(leak(2).id, world.clock.now())).unwrap();
    let refusal = block_on(reply.next()).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Forbidden, "policy")
    );
    assert_eq!(world.refused().check(), "policy");
}

#[test]
fn an_incident_that_nobody_ends_ends_by_itself() {
    let world = World::new();
    world.policies.replace(&permission(DURING));
    block_on(world.ledger.declare(leak(1), world.clock.now())).unwrap();
    let connector = world.connector();
    let credentials = world.credentials();
    let ask = || block_on(answer(&connector, &credentials, world.request()));
    block_on(ask().unwrap().finish()).unwrap();
    let mut reply = ask().unwrap();
    assert!(block_on(reply.next()).unwrap().is_some());
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(block_on(reply.next()).unwrap_err().check(), "policy");
    assert_eq!(ask().unwrap_err().check(), "policy", "not from memory");
}

#[test]
fn a_duty_is_on_record_before_the_answer_and_blocks_when_it_is_late() {
    let world = World::new();
    let delete = constraint("odrl:elapsedTime", "lteq", "\"P1D\"^^xsd:dayTimeDuration");
    world.policies.replace(&permission(&format!(
        "odrl:duty [ odrl:action odrl:delete ; {delete} ]"
    )));
    let reply = world.ask();
    let [owed] = &*world.ledger.obligations() else {
        panic!("one duty for one use");
    };
    assert_eq!(owed.kind, ObligationKind::Duty);
    assert_eq!(owed.participant.as_str(), "https://fire.example/");
    assert_eq!(owed.request, reply.request());
    let due = owed.due.unwrap();
    assert_eq!(due, world.clock.now() + Duration::from_secs(24 * 3600));
    block_on(reply.finish()).unwrap();
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(world.refused().check(), "policy");
    block_on(world.ledger.fulfil(owed.id, None, world.clock.now())).unwrap();
    block_on(world.ask().finish()).unwrap();
}

/// What the fire brigade may see only by breaking the glass.
fn glass() -> String {
    let week = constraint("odrl:elapsedTime", "lteq", "\"P7D\"^^xsd:dayTimeDuration");
    permission(&format!(
        "tl:breakGlass true ; tl:breakGlassFor \"PT2H\"^^xsd:dayTimeDuration ; {DURING} ;
         odrl:duty [ odrl:action tl:review ; {week} ]"
    ))
}

/// INVARIANT(broken-glass-is-reviewed)
#[test]
fn broken_glass_is_reviewed() {
    let world = World::new();
    world.policies.replace(&glass());
    let mut breaking = world.request();
    breaking.break_glass = Some(leak(1).id);
    assert_eq!(world.refused_for(breaking.clone()).check(), "policy");
    block_on(world.ledger.declare(leak(1), world.clock.now())).unwrap();
    // Who may is told so, and gets nothing until they do.
    let hint = world.refused();
    assert_eq!((hint.code(), hint.check()), (Code::Forbidden, "policy"));
    assert!(
        hint.public().contains("break the glass"),
        "{}",
        hint.public()
    );
    assert!(world.ledger.obligations().is_empty());

    let connector = world.connector();
    let reply = block_on(answer(&connector, &world.credentials(), breaking.clone())).unwrap();
    let [review] = &*world.ledger.obligations() else {
        panic!("one review for one use");
    };
    assert_eq!(review.kind, ObligationKind::Review);
    assert_eq!(review.participant, connector.participant);
    assert_eq!(review.incident, Some(leak(1).id));
    assert_eq!(review.user.1, "ada");
    assert!(review.due.is_some());
    block_on(reply.finish()).unwrap();
    let used = world.log().intents.pop().unwrap();
    assert_eq!(used.break_glass, Some(leak(1).id));
    // It opens nothing to those who do not say so again, nor after the incident.
    assert_eq!(world.refused().check(), "policy");
    let mut reply = block_on(answer(&connector, &world.credentials(), breaking.clone())).unwrap();
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(block_on(reply.next()).unwrap_err().check(), "policy");
    assert_eq!(world.refused_for(breaking).check(), "policy");
}

/// Tells in short all that a permit shows, and counts how often it does.
#[derive(Default)]
struct Telling(AtomicUsize);

impl Federation for Telling {
    fn gather<'a>(
        &'a self,
        _: &'a Query,
        _: Option<&'a DatasetChoice>,
        _: &'a Permit,
        _: &'a Delegation,
        _: &'a Budget,
        _: &'a Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        Box::pin(ready(Err(Refusal::new(
            Code::Internal,
            "federation",
            "none",
        ))))
    }

    fn summarize<'a>(
        &'a self,
        _: &'a Permit,
        _: &'a Delegation,
        _: Option<&'a str>,
        _: &'a Budget,
    ) -> BoxFuture<'a, Option<Overview>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let bytes = Some(b"all that is shown".to_vec());
        Box::pin(ready(Some(Overview { bytes, as_of: None })))
    }
}

/// INVARIANT(no-overview-behind-glass)
#[test]
fn no_overview_behind_glass() {
    let world = World::new();
    let telling = Arc::new(Telling::default());
    let mut connector = world.connector();
    connector.federation = Arc::clone(&telling) as _;
    let request = world.request();
    let ask = |break_glass: Option<NamedNode>, confirm: bool| {
        let request = SummaryRequest {
            id: request.id,
            purpose: None,
            break_glass,
            held: Some("1".to_owned()),
            confirm,
            envelope: None,
            patience: None,
        };
        let credentials = world.credentials();
        let told = summarize(&connector, &credentials, request);
        let (overview, _) = block_on(told).unwrap();
        (overview.is_some(), telling.0.swap(0, Ordering::SeqCst))
    };
    assert_eq!(ask(None, false), (true, 1));
    world.policies.replace(&glass());
    block_on(world.ledger.declare(leak(1), world.clock.now())).unwrap();
    for confirm in [false, true] {
        assert_eq!(ask(Some(leak(1).id), confirm), (false, 0), "{confirm}");
    }
    // That it was asked for is on record with the incident, and nobody owes a review of what was not shown.
    let used = world.log().intents.pop().unwrap();
    assert_eq!(used.break_glass, Some(leak(1).id));
    assert!(world.ledger.obligations().is_empty());
}

/// INVARIANT(coarse-age)
#[test]
fn coarse_age() {
    let world = World::new();
    let changed = time::macros::datetime!(2026-11-20 11:58:59 UTC);
    *world.twin.as_of.lock().unwrap() = Some(changed);
    let told = |grain: u64| {
        let mut connector = world.connector();
        connector.age_grain = Duration::from_secs(grain);
        let credentials = world.credentials();
        let asked = answer(&connector, &credentials, world.request());
        let outcome = block_on(async { asked.await?.finish().await });
        outcome.unwrap().sources[0].as_of
    };
    // All is shown: there is nothing to hide.
    assert_eq!(told(60), Some(changed));
    let part =
        "[ odrl:source <https://city.example/twin> ; odrl:refinement [ odrl:leftOperand tl:graph ;
        odrl:operator odrl:eq ; odrl:rightOperand <https://city.example/graph> ] ]";
    world
        .policies
        .replace(&permission("").replace("<https://city.example/twin>", part));
    let minute = time::macros::datetime!(2026-11-20 11:58 UTC);
    assert_eq!(told(60), Some(minute));
    assert_eq!(told(0), None);
}
