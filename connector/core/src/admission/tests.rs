use super::*;
use futures::FutureExt as _;
use futures::future::BoxFuture;

type Entering = BoxFuture<'static, Result<Seat, Refusal>>;

fn caller(organisation: &str, person: &str) -> Caller {
    let organisation = NamedNode::new_unchecked(format!("https://{organisation}.example/"));
    Caller::assertion(
        organisation,
        person.to_owned(),
        Vec::new(),
        None,
        String::new(),
        false,
    )
}

/// Two seats, one of them at most for a caller; three wait, two of them at most for a caller.
fn narrow() -> Arc<Admission> {
    Arc::new(Admission::new(AdmissionLimits {
        together: 2,
        organisation: 2,
        caller: 1,
        waiting: 3,
        waiting_caller: 2,
        urgent_purposes: Vec::new(),
    }))
}

/// Comes and, where there is no seat, stands in the queue.
fn come(admission: &Arc<Admission>, who: &Caller, priority: Priority) -> Entering {
    let (admission, who) = (Arc::clone(admission), who.clone());
    let mut entering = async move { admission.enter(&who, priority).await }.boxed();
    match (&mut entering).now_or_never() {
        Some(done) => std::future::ready(done).boxed(),
        None => entering,
    }
}

fn now(entering: &mut Entering) -> Option<Result<Seat, Refusal>> {
    entering.now_or_never()
}

fn seat(entering: &mut Entering) -> Seat {
    now(entering).expect("a seat").expect("no refusal")
}

#[test]
fn who_came_first_is_seated_first_and_nobody_beyond_its_share() {
    let admission = narrow();
    let [a, b, c] = ["a", "b", "c"].map(|name| caller(name, "person"));
    let first = seat(&mut come(&admission, &a, Priority::Routine));
    let mut again = come(&admission, &a, Priority::Routine);
    assert!(now(&mut again).is_none(), "a has its share");
    // There is a seat that a may not have: others do not wait behind it.
    let second = seat(&mut come(&admission, &b, Priority::Routine));
    let mut third = come(&admission, &c, Priority::Routine);
    assert_eq!(admission.load(), (2, 2));
    drop(second);
    let third = seat(&mut third);
    assert!(now(&mut again).is_none());
    drop(first);
    drop((seat(&mut again), third));
    assert_eq!(admission.load(), (0, 0));
}

#[test]
fn who_has_fewest_seats_is_next() {
    let admission = Arc::new(Admission::new(AdmissionLimits {
        waiting_caller: 8,
        ..AdmissionLimits::of(4)
    }));
    let [greedy, modest] = ["greedy", "modest"].map(|name| caller(name, "person"));
    let others = ["x", "y", "z"]
        .map(|name| seat(&mut come(&admission, &caller(name, "p"), Priority::Routine)));
    let held = seat(&mut come(&admission, &greedy, Priority::Routine));
    let mut queue: Vec<_> = (0..3)
        .map(|n| {
            come(
                &admission,
                &caller("greedy", &format!("person-{n}")),
                Priority::Routine,
            )
        })
        .collect();
    let mut late = come(&admission, &modest, Priority::Routine);
    drop(others.into_iter().next());
    // The modest organisation has no seat yet, so its request passes three that came before.
    drop(seat(&mut late));
    assert!(queue.iter_mut().any(|one| now(one).is_some()));
    drop((held, queue));
    assert_eq!(admission.load(), (0, 0));
}

// INVARIANT(bounded-waiting)
#[test]
fn bounded_waiting() {
    let admission = narrow();
    let names: Vec<_> = (0..8).map(|n| caller(&format!("o{n}"), "person")).collect();
    let seats = [0, 1].map(|n| seat(&mut come(&admission, &names[n], Priority::Routine)));
    let mut own: Vec<_> = (0..2)
        .map(|_| come(&admission, &names[2], Priority::Routine))
        .collect();
    let refused = now(&mut come(&admission, &names[2], Priority::Incident))
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.check()),
        (Code::Exhausted, "limits.caller")
    );
    assert!(refused.retry().is_some());
    let mut last = come(&admission, &names[3], Priority::Routine);
    let refused = now(&mut come(&admission, &names[4], Priority::Routine))
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.check()),
        (Code::Unavailable, "limits.waiting")
    );
    assert_eq!(refused.retry(), Some(Duration::from_secs(2)));
    // An urgent one takes the place of the routine one that came last; when all are urgent, it is sent away too.
    let mut urgent: Vec<_> = (4..7)
        .map(|n| come(&admission, &names[n], Priority::Incident))
        .collect();
    assert_eq!(
        now(&mut last).unwrap().unwrap_err().check(),
        "limits.waiting"
    );
    assert!(own.iter_mut().all(|one| now(one).unwrap().is_err()));
    let refused = now(&mut come(&admission, &names[7], Priority::Incident))
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(admission.load(), (2, 3));
    drop(seats);
    assert_eq!(urgent.iter_mut().filter_map(now).count(), 3);
    assert_eq!(admission.load(), (0, 0));
}

#[test]
fn incidents_pass_but_routine_has_its_turn() {
    let admission = Arc::new(Admission::new(AdmissionLimits {
        together: 1,
        organisation: 1,
        caller: 1,
        waiting: 64,
        waiting_caller: 64,
        urgent_purposes: Vec::new(),
    }));
    let held = seat(&mut come(&admission, &caller("x", "p"), Priority::Routine));
    let mut queue: Vec<_> = (0..4)
        .map(|n| {
            (
                Priority::Routine,
                come(
                    &admission,
                    &caller("day", &n.to_string()),
                    Priority::Routine,
                ),
            )
        })
        .collect();
    let urgent = (0..6).map(|n| {
        (
            Priority::Incident,
            come(
                &admission,
                &caller("night", &n.to_string()),
                Priority::Incident,
            ),
        )
    });
    queue.extend(urgent);
    drop(held);
    let mut order = String::new();
    while !queue.is_empty() {
        let ready = queue.iter_mut().position(|(_, one)| {
            // Given back at once, which calls the next.
            now(one).is_some_and(|seat| seat.is_ok())
        });
        let (priority, _) = queue.remove(ready.expect("somebody is next"));
        order.push(if priority == Priority::Incident {
            'i'
        } else {
            'r'
        });
    }
    assert_eq!(order, "iiiriiirrr");
}

#[test]
fn who_goes_away_leaves_no_place_behind() {
    let admission = narrow();
    let [a, b] = ["a", "b"].map(|name| caller(name, "person"));
    for _ in 0..1000 {
        let held = seat(&mut come(&admission, &a, Priority::Routine));
        let waits = come(&admission, &a, Priority::Incident);
        // One goes while it waits, one after it was called and before it has noticed.
        let called = come(&admission, &a, Priority::Routine);
        drop(waits);
        drop(held);
        drop(called);
        assert_eq!(admission.load(), (0, 0));
    }
    drop(seat(&mut come(&admission, &b, Priority::Routine)));
    let state = admission.state();
    assert!(state.organisations.is_empty() && state.callers.is_empty());
}

#[test]
fn routine_leaves_what_is_reserved_to_incidents() {
    let limits = AdmissionLimits {
        organisation: 4,
        caller: 4,
        ..AdmissionLimits::of(4)
    };
    let admission = Arc::new(Admission::new(limits).reserving(1));
    let [a, b] = ["a", "b"].map(|name| caller(name, "person"));
    let held: Vec<_> = (0..3)
        .map(|_| seat(&mut come(&admission, &a, Priority::Routine)))
        .collect();
    let mut routine = come(&admission, &b, Priority::Routine);
    assert!(now(&mut routine).is_none());
    let urgent = seat(&mut come(&admission, &b, Priority::Incident));
    // What an incident's leaves is not routine's either.
    drop(urgent);
    assert!(now(&mut routine).is_none());
    drop(held);
    drop(seat(&mut routine));
    assert_eq!(admission.load(), (0, 0));
}
