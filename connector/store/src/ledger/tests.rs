#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

use super::*;
use futures::executor::block_on;
use std::io;
use std::sync::atomic::Ordering;
use time::macros::datetime;
use twinlink_core::{Beginning, ObligationKind, ObligationState};
use twinlink_policy::{Ask, Permit, Policy, PolicySet, RdfFormat, RuleKind};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

pub(super) fn iri(name: &str) -> NamedNode {
    NamedNode::new(format!("https://{name}.example/")).unwrap()
}

pub(super) fn permit() -> Permit {
    let policy = "@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <https://city.example/policy> a odrl:Set ; odrl:permission [
            odrl:target <https://city.example/twin> ; odrl:action odrl:read ] .";
    let dataset = NamedNode::new("https://city.example/twin").unwrap();
    let policies = Policy::parse(policy, RdfFormat::Turtle, None).unwrap();
    let set = PolicySet::compile(dataset, policies).unwrap();
    let ask = Ask {
        participant: iri("fire"),
        subject: "ada".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: NamedNode::new("http://www.w3.org/ns/odrl/2/read").unwrap(),
        now: moment(NOW).unwrap(),
    };
    set.decide(&ask).unwrap()
}

pub(super) fn counter(participant: &NamedNode) -> Counter {
    Counter {
        policy: iri("policy"),
        kind: RuleKind::Permission,
        rule: 1,
        participant: participant.clone(),
    }
}

pub(super) fn duty(due: Option<OffsetDateTime>) -> Obligation {
    Obligation {
        id: Uuid::now_v7(),
        kind: ObligationKind::Duty,
        participant: iri("fire"),
        action: NamedNode::new("http://www.w3.org/ns/odrl/2/delete").unwrap(),
        towards: vec![iri("city")],
        consequences: vec![iri("pay")],
        policy: iri("policy"),
        request: Uuid::now_v7(),
        user: (iri("fire"), "ada".to_owned()),
        incident: None,
        since: NOW,
        due,
        fulfilled: None,
        evidence: None,
    }
}

pub(super) fn incident(name: &str, hours: i64) -> Incident {
    Incident {
        id: iri(name),
        kinds: vec![iri("leak")],
        area: Some("POINT(25 60)".to_owned()),
        begins: moment(NOW).unwrap(),
        ends: moment(NOW + time::Duration::hours(hours)).unwrap(),
        declared_by: iri("city"),
    }
}

/// A turn that lets a use begin while there were less than `limit`.
pub(super) fn at_most(limit: u64) -> Turn {
    Box::new(move |world| {
        let counter = counter(&iri("fire"));
        if world.usage(&counter).unwrap().count >= limit {
            return Err(Refusal::new(Code::Forbidden, "policy", "used up"));
        }
        Ok(Beginning {
            permit: permit(),
            charges: vec![counter],
            obligations: Vec::new(),
        })
    })
}

pub(super) fn owes(obligation: Obligation) -> Turn {
    Box::new(|_| {
        Ok(Beginning {
            permit: permit(),
            charges: Vec::new(),
            obligations: vec![obligation],
        })
    })
}

pub(super) fn usage(ledger: &Ledger) -> Usage {
    let mut found = None;
    ledger.look(&iri("fire"), NOW, &mut |world| {
        found = world.usage(&counter(&iri("fire")));
    });
    found.unwrap()
}

fn is_blocked(ledger: &Ledger, now: OffsetDateTime) -> bool {
    let mut blocked = false;
    ledger.look(&iri("fire"), now, &mut |world| {
        blocked = world.has_violations(&iri("fire"));
    });
    blocked
}

/// INVARIANT(exactly-the-limit)
#[test]
fn exactly_the_limit() {
    const LIMIT: u64 = 37;
    let ledger = Ledger::in_memory().unwrap();
    let let_in = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let tries = (0..10).map(|_| ledger.begin(NOW, at_most(LIMIT)));
                    // All queued before the first is waited for.
                    let tries: Vec<_> = tries.collect();
                    tries
                        .into_iter()
                        .filter_map(|one| block_on(one).ok())
                        .count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap() as u64)
            .sum::<u64>()
    });
    assert_eq!((let_in, usage(&ledger).count), (LIMIT, LIMIT));
}

#[test]
fn a_use_knows_what_was_used_before_it() {
    let ledger = Ledger::in_memory().unwrap();
    let first = block_on(ledger.begin(NOW, at_most(9))).unwrap();
    assert_eq!(first.charged[0].1, Usage::default());
    let later = NOW + time::Duration::minutes(5);
    let second = block_on(ledger.begin(later, at_most(9))).unwrap();
    assert_eq!(second.charged[0].1.count, 1);
    block_on(ledger.meter(vec![counter(&iri("fire"))], Duration::from_millis(1500))).unwrap();
    block_on(ledger.meter(vec![counter(&iri("fire"))], Duration::from_millis(500))).unwrap();
    let used = usage(&ledger);
    assert_eq!((used.count, used.metered), (2, Duration::from_secs(2)));
    assert_eq!(used.first, Some(moment(NOW).unwrap()));
    assert_eq!(used.last, Some(moment(later).unwrap()));
}

#[test]
fn one_rule_counts_one_use_once() {
    let ledger = Ledger::in_memory().unwrap();
    let turn: Turn = Box::new(|_| {
        Ok(Beginning {
            permit: permit(),
            charges: vec![counter(&iri("fire")), counter(&iri("fire"))],
            obligations: Vec::new(),
        })
    });
    assert_eq!(block_on(ledger.begin(NOW, turn)).unwrap().charged.len(), 1);
    assert_eq!(usage(&ledger).count, 1);
}

#[test]
fn a_turn_that_panics_costs_itself() {
    let ledger = Ledger::in_memory().unwrap();
    let refusal = block_on(ledger.begin(NOW, Box::new(|_| panic!("as told")))).unwrap_err();
    assert_eq!(refusal.code(), Code::Internal);
    assert!(block_on(ledger.begin(NOW, at_most(1))).is_ok());
}

#[test]
fn a_duty_past_its_deadline_blocks_until_it_is_settled() {
    let ledger = Ledger::in_memory().unwrap();
    let due = NOW + time::Duration::hours(1);
    let owed = duty(Some(due));
    let before = ledger.version(&iri("fire"));
    block_on(ledger.begin(NOW, owes(owed.clone()))).unwrap();
    assert_ne!(ledger.version(&iri("fire")), before);
    let seen = ledger.look(&iri("fire"), NOW, &mut |_| ());
    assert_eq!(seen.until, Some(due));
    assert_eq!(ledger.obligations(), vec![owed.clone()]);
    assert!(!is_blocked(&ledger, due - time::Duration::SECOND));
    assert!(is_blocked(&ledger, due));
    assert_eq!(
        ledger.obligations()[0].state(due),
        ObligationState::Violated
    );
    assert_eq!(ledger.look(&iri("fire"), due, &mut |_| ()).until, None);

    let evidence = Some("deleted by Ada".to_owned());
    let settled = block_on(ledger.fulfil(owed.id, evidence.clone(), due)).unwrap();
    assert_eq!(settled.state(due), ObligationState::Fulfilled);
    assert!(!is_blocked(&ledger, due));
    assert_eq!(ledger.obligations(), Vec::new());
    assert_eq!(ledger.fulfilled(10).unwrap(), vec![settled]);
    let again = block_on(ledger.fulfil(owed.id, None, due)).unwrap_err();
    assert_eq!(again.code(), Code::NotFound);
    let mut performed = None;
    ledger.look(&iri("fire"), due, &mut |world| {
        performed = world.performed(&iri("fire"), &owed.action);
    });
    assert_eq!(performed, Some(moment(due).unwrap()));
}

#[test]
fn a_review_that_is_overdue_blocks_nobody() {
    let ledger = Ledger::in_memory().unwrap();
    let review = Obligation {
        kind: ObligationKind::Review,
        ..duty(Some(NOW))
    };
    block_on(ledger.begin(NOW, owes(review.clone()))).unwrap();
    assert!(!is_blocked(&ledger, NOW));
    assert_eq!(
        ledger.obligations()[0].state(NOW),
        ObligationState::Violated
    );
    assert!(!review.blocks(NOW));
}

#[test]
fn obligations_come_by_deadline() {
    let ledger = Ledger::in_memory().unwrap();
    let hours = |hours| Some(NOW + time::Duration::hours(hours));
    for due in [None, hours(5), hours(2), None, hours(3)] {
        block_on(ledger.begin(NOW, owes(duty(due)))).unwrap();
    }
    let due: Vec<_> = ledger.obligations().iter().map(|one| one.due).collect();
    assert_eq!(due, [hours(2), hours(3), hours(5), None, None]);
}

#[test]
fn incidents_are_declared_once_and_end() {
    let ledger = Ledger::in_memory().unwrap();
    let (fire, before) = (iri("fire"), ledger.version(&iri("fire")));
    block_on(ledger.declare(incident("one", 4), NOW)).unwrap();
    let declared = ledger.version(&fire);
    assert_ne!(declared, before);
    let again = block_on(ledger.declare(incident("one", 8), NOW)).unwrap_err();
    assert_eq!(again.code(), Code::Conflict);
    let backwards = block_on(ledger.declare(incident("two", -1), NOW)).unwrap_err();
    assert_eq!(backwards.code(), Code::Invalid);
    let kindless = Incident {
        kinds: Vec::new(),
        ..incident("two", 1)
    };
    assert!(block_on(ledger.declare(kindless, NOW)).is_err());
    let nested = format!(
        "{}POINT(1 2){}",
        "GEOMETRYCOLLECTION(".repeat(900),
        ")".repeat(900)
    );
    for area in ["", "here", "POLYGON((1 2", "POLYGON EMPTY", &nested] {
        let placeless = Incident {
            area: Some(area.to_owned()),
            ..incident("two", 1)
        };
        let refused = block_on(ledger.declare(placeless, NOW)).unwrap_err();
        let told = (refused.code(), refused.check());
        assert_eq!(told, (Code::Invalid, "incident.area"), "{area:.30}");
    }
    let over = NOW + time::Duration::hours(1);
    let ended = block_on(ledger.end(iri("one"), over)).unwrap();
    assert_eq!(ended.ends, moment(over).unwrap());
    assert_ne!(ledger.version(&fire), declared);
    let later = over + time::Duration::hours(1);
    assert_eq!(block_on(ledger.end(iri("one"), later)).unwrap(), ended);
    assert_eq!(ledger.incidents(), vec![ended]);
    let unknown = block_on(ledger.end(iri("two"), over)).unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[test]
fn only_what_concerns_an_organisation_changes_its_version() {
    let ledger = Ledger::in_memory().unwrap();
    let other = ledger.version(&iri("other"));
    block_on(ledger.begin(NOW, at_most(1))).unwrap();
    assert_eq!(ledger.version(&iri("other")), other);
    block_on(ledger.declare(incident("one", 1), NOW)).unwrap();
    assert_ne!(ledger.version(&iri("other")), other);
}

#[test]
fn a_restart_finds_all() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(directory.path()).unwrap();
    assert!(matches!(
        Ledger::open(directory.path()),
        Err(StoreError::InUse(_))
    ));
    let (open, settled) = (duty(Some(NOW)), duty(None));
    block_on(ledger.begin(NOW, at_most(9))).unwrap();
    block_on(ledger.meter(vec![counter(&iri("fire"))], Duration::from_millis(7))).unwrap();
    block_on(ledger.begin(NOW, owes(open.clone()))).unwrap();
    block_on(ledger.begin(NOW, owes(settled.clone()))).unwrap();
    block_on(ledger.fulfil(settled.id, Some("é\n".to_owned()), NOW)).unwrap();
    block_on(ledger.declare(incident("two", 2), NOW)).unwrap();
    block_on(ledger.declare(incident("one", 2), NOW)).unwrap();
    let all = |ledger: &Ledger| {
        let mut performed = None;
        ledger.look(&iri("fire"), NOW, &mut |world| {
            performed = world.performed(&iri("fire"), &settled.action);
        });
        (
            usage(ledger),
            ledger.obligations(),
            ledger.fulfilled(10).unwrap(),
            ledger.incidents(),
            performed,
            is_blocked(ledger, NOW),
        )
    };
    let before = all(&ledger);
    assert_eq!(before.1, vec![open]);
    assert!(before.4.is_some() && before.5);
    drop(ledger);
    assert_eq!(all(&Ledger::open(directory.path()).unwrap()), before);
}

static FREE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(u64::MAX);

fn free(_: &Path) -> io::Result<u64> {
    Ok(FREE.load(Ordering::SeqCst))
}

/// INVARIANT(disk-full-refuses)
#[test]
fn without_room_nothing_is_counted_and_it_goes_on_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open_on(folder.path(), free).unwrap();
    block_on(ledger.declare(incident("first", 1), NOW)).unwrap();
    FREE.store(1 << 20, Ordering::SeqCst);
    for _ in 0..3 {
        let refusal = block_on(ledger.declare(incident("second", 1), NOW)).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Unavailable, "store.disk")
        );
    }
    assert_eq!(ledger.incidents().len(), 1);
    FREE.store(u64::MAX, Ordering::SeqCst);
    block_on(ledger.declare(incident("second", 1), NOW)).unwrap();
    drop(ledger);
    let ledger = Ledger::open_on(folder.path(), free).unwrap();
    assert_eq!(ledger.incidents().len(), 2);
}
