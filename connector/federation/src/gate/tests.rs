use super::*;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Time does not matter here.
struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        futures::future::pending().boxed()
    }
}

fn of(subject: &str) -> Delegation {
    Delegation {
        request: Uuid::nil(),
        participant: NamedNode::new_unchecked("https://member.example/"),
        subject: subject.to_owned(),
        actors: Vec::new(),
        roles: Vec::new(),
        purpose: None,
        claims: BTreeMap::new(),
        break_glass: None,
        on_behalf: Vec::new(),
        left_out: Vec::new(),
    }
}

/// A seat, where there is one at once.
fn seated(gate: &Arc<Gate>, subject: &str, priority: Priority) -> Option<Seat> {
    let attempt = gate.begin(Instant::now(), Errand::Rows).unwrap();
    let seat = attempt.seat(&of(subject), priority, &NoTime).now_or_never();
    seat.map(|seat| seat.unwrap())
}

/// INVARIANT(incidents-pass-at-each-peer)
#[test]
fn incidents_pass_at_each_peer() {
    let gate = Arc::new(Gate::new(&FederationLimits::default()));
    let ask = |subject: &str| seated(&gate, subject, Priority::Routine);
    let greedy: Vec<_> = std::iter::from_fn(|| ask("greedy")).collect();
    assert_eq!(greedy.len(), 16);
    let others: Vec<_> = std::iter::from_fn(|| ask("another")).collect();
    assert_eq!(others.len(), 8);
    assert!(ask("a third").is_none());
    let urgent = || seated(&gate, "greedy of an incident", Priority::Incident);
    let urgent: Vec<_> = std::iter::from_fn(urgent).collect();
    assert_eq!(urgent.len(), 8);
    drop((greedy, others, urgent));
    assert!(ask("a third").is_some());
}

#[test]
fn who_waits_is_seated_by_priority_and_then_who_has_fewest() {
    let limits = FederationLimits {
        peer_concurrency: 1,
        ..FederationLimits::default()
    };
    let gate = Arc::new(Gate::new(&limits));
    let held = seated(&gate, "first", Priority::Routine).unwrap();
    let wait = |subject: &'static str, priority| {
        let gate = Arc::clone(&gate);
        let mut waiting = Box::pin(async move {
            let attempt = gate.begin(Instant::now(), Errand::Rows).unwrap();
            attempt.seat(&of(subject), priority, &NoTime).await
        });
        assert!(waiting.as_mut().now_or_never().is_none());
        waiting
    };
    let routine = wait("second", Priority::Routine);
    let urgent = wait("third", Priority::Incident);
    drop(held);
    let urgent = urgent.now_or_never().unwrap().unwrap();
    let mut routine = routine;
    assert!(routine.as_mut().now_or_never().is_none());
    drop(urgent);
    assert!(routine.now_or_never().unwrap().is_ok());
}
