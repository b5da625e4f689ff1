//! A disk that fails in the middle of a write of the ledger, at each of its points.

use super::tests::{NOW, at_most, counter, duty, incident, iri, owes, permit, usage};
use super::*;
use crate::durable::faulty::{Disk, Failing};
use futures::executor::block_on;
use std::time::Instant;
use twinlink_core::Beginning;

const PATIENCE: Duration = Duration::from_secs(60);
/// Points of a write that are tried. A test fails if a write has more.
const POINTS: usize = 100;

/// All that a ledger tells.
type Contents = (Usage, Vec<Obligation>, Vec<Obligation>, Vec<Incident>, bool);
type Write = dyn Fn(&Ledger) -> Result<(), Refusal>;

fn contents(ledger: &Ledger) -> Contents {
    let mut performed = None;
    ledger.look(&iri("fire"), NOW, &mut |world| {
        performed = world.performed(&iri("fire"), &duty(None).action);
    });
    (
        usage(ledger),
        ledger.obligations(),
        ledger.fulfilled(10).unwrap(),
        ledger.incidents(),
        performed.is_some(),
    )
}

fn refused_by_the_disk(refusal: &Refusal) {
    let told = (refusal.code(), refusal.check());
    assert_eq!(told, (Code::Unavailable, "store.disk"), "{refusal}");
}

/// Fails one point of a write. False where the write has no such point.
fn fail_at(point: usize, times: usize, failing: Failing, write: &Write) -> bool {
    let disk = Disk::default();
    let ledger = Ledger::over(disk.clone()).unwrap();
    block_on(ledger.begin(NOW, at_most(9))).unwrap();
    block_on(ledger.declare(incident("one", 4), NOW)).unwrap();
    block_on(ledger.begin(NOW, owes(duty(Some(NOW))))).unwrap();
    let before = contents(&ledger);

    disk.fail(point, times, failing);
    let written = write(&ledger);
    if !disk.has_failed() {
        return false;
    }
    if let Err(refusal) = &written {
        refused_by_the_disk(refusal);
        // Nobody sees what is not durable.
        assert_eq!(contents(&ledger), before);
    }
    if times > 1 {
        assert!(ledger.fault().is_some());
        refused_by_the_disk(&block_on(ledger.begin(NOW, at_most(9))).unwrap_err());
    }
    disk.heal();
    let until = Instant::now() + PATIENCE;
    while let Err(refusal) = block_on(ledger.declare(incident("two", 2), NOW)) {
        assert!(Instant::now() < until, "{refusal}");
        std::thread::yield_now();
    }
    assert!(ledger.fault().is_none());
    let after = contents(&ledger);
    if written.is_err() {
        let mut incidents = after.3.clone();
        incidents.retain(|known| known.id != iri("two"));
        let others = (
            after.0,
            after.1.clone(),
            after.2.clone(),
            incidents,
            after.4,
        );
        assert_eq!(others, before);
    }
    for left in [disk.after_kill(), disk.after_power_loss()] {
        assert_eq!(contents(&Ledger::over(left).unwrap()), after);
    }
    drop(ledger);
    assert_eq!(contents(&Ledger::over(disk).unwrap()), after);
    true
}

fn at_every_point(write: &Write) {
    for failing in [Failing::Full, Failing::Broken, Failing::Forgetful] {
        for times in [1, usize::MAX] {
            let points = (0..POINTS).take_while(|point| fail_at(*point, times, failing, write));
            let points = points.count();
            assert!((1..POINTS).contains(&points), "{failing:?}: {points}");
        }
    }
}

/// INVARIANT(counted-before-used)
#[test]
fn counted_before_used() {
    at_every_point(&|ledger| block_on(ledger.begin(NOW, at_most(9))).map(drop));
}

#[test]
fn a_new_duty_that_cannot_be_written_is_owed_by_nobody() {
    at_every_point(&|ledger| block_on(ledger.begin(NOW, owes(duty(None)))).map(drop));
}

#[test]
fn a_duty_whose_settling_cannot_be_written_is_open_still() {
    at_every_point(&|ledger| {
        let owed = ledger.obligations().first().map(|owed| owed.id);
        block_on(ledger.fulfil(owed.unwrap(), None, NOW)).map(drop)
    });
}

#[test]
fn an_incident_that_cannot_be_ended_goes_on() {
    let later = NOW + time::Duration::hours(1);
    at_every_point(&move |ledger| block_on(ledger.end(iri("one"), later)).map(drop));
}

/// A page that is split in a write whose sync fails lies in new pages, with what was there before. Taking back what was
/// added does not write all of them again.
#[test]
fn pages_that_were_split_in_memory_alone_are_written_again() {
    let disk = Disk::default();
    let ledger = Ledger::over(disk.clone()).unwrap();
    let mut used = Vec::new();
    for round in 0..150_u32 {
        // In no order, so that pages are split in their middle.
        let name = format!("p{:08x}", round.wrapping_mul(0x9E37_79B9));
        let counter = counter(&iri(&name));
        let turn = |counter: Counter| -> Turn {
            Box::new(move |_| {
                Ok(Beginning {
                    permit: permit(),
                    charges: vec![counter],
                    obligations: Vec::new(),
                })
            })
        };
        disk.fail(0, 1, Failing::Forgetful);
        let refused = block_on(ledger.begin(NOW, turn(counter.clone()))).unwrap_err();
        refused_by_the_disk(&refused);
        block_on(ledger.begin(NOW, turn(counter.clone()))).unwrap();
        used.push(counter);
        let left = Ledger::over(disk.after_power_loss()).unwrap();
        let state = left.durable();
        let mut counts = used.iter().map(|counter| state.usage(counter).count);
        assert!(counts.all(|count| count == 1), "after {round} rounds");
    }
}
