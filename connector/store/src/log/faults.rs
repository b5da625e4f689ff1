//! A disk that fails in the middle of a commit, at each of its points.

use super::Log;
use crate::durable::faulty::{Disk, Failing};
use crate::{EvaluationOptions, TwinStore};
use futures::executor::block_on;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Change, Code, Journal, Refusal};
use twinlink_policy::Guard;

const PATIENCE: Duration = Duration::from_secs(60);
/// Points of a commit that are tried. A test fails if a commit has more.
const POINTS: usize = 100;

fn open(disk: &Disk) -> TwinStore {
    let log = Log::over(disk.clone()).unwrap();
    TwinStore::load(log, EvaluationOptions::default()).unwrap()
}

/// Quads with a value each, as one change. A refusal tells of the disk.
fn insert(store: &TwinStore, values: std::ops::Range<i64>) -> Result<u64, Refusal> {
    let name = NamedNode::new_unchecked("http://e/a");
    let quads = values.map(|value| {
        let value = Literal::from(value);
        Quad::new(name.clone(), name.clone(), value, GraphName::DefaultGraph)
    });
    let budget = Budget::new(Instant::now() + PATIENCE, u64::MAX);
    let change = Change::Insert(quads.collect());
    let applied = store.apply(&change, None, &Guard::everything(), &budget)?;
    Ok(applied.sequence)
}

/// A record, with a seal that names it.
fn append(store: &TwinStore, text: &str) -> Result<u64, Refusal> {
    let numbers = block_on(store.journal().append(vec![text.into()], text.into()))?;
    Ok(numbers[0])
}

/// What a store holds: the quads of each change, and the records, of which the last is the one that the seal names.
fn contents(store: &TwinStore) -> (Vec<usize>, Vec<String>) {
    let changes = store.changes(1, 100).unwrap();
    let changes: Vec<_> = changes.iter().map(|change| change.added.len()).collect();
    let records = store.journal().read(0, 1000).unwrap();
    let texts = records
        .into_iter()
        .enumerate()
        .map(|(place, (number, record))| {
            assert_eq!(number, place as u64 + 1);
            String::from_utf8(record).unwrap()
        });
    assert_eq!(store.snapshot().len(), changes.iter().sum::<usize>());
    let texts: Vec<_> = texts.collect();
    let seal = store.journal().seal().unwrap();
    let seal = seal.map(|seal| String::from_utf8(seal).unwrap());
    assert_eq!(seal.as_ref(), texts.last());
    (changes, texts)
}

fn refused_by_the_disk(refusal: &Refusal) {
    let told = (refusal.code(), refusal.check());
    assert_eq!(told, (Code::Unavailable, "store.disk"), "{refusal}");
}

/// Does it until it is taken. The store comes to itself without being asked; nobody says when.
fn at_last<T>(mut attempt: impl FnMut() -> Result<T, Refusal>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(done) => return done,
            Err(refusal) => assert!(Instant::now() < until, "{refusal}"),
        }
        std::thread::yield_now();
    }
}

/// Fails one point of a commit. False where the commit has no such point.
fn fail_at(point: usize, times: usize, failing: Failing) -> bool {
    let disk = Disk::default();
    let store = open(&disk);
    assert_eq!(insert(&store, 0..3).unwrap(), 1);
    assert_eq!(append(&store, "first").unwrap(), 1);
    let (mut changes, mut records) = (vec![3], vec!["first".to_owned()]);

    disk.fail(point, times, failing);
    match insert(&store, 3..1000) {
        Ok(_) => changes.push(997),
        Err(refusal) => refused_by_the_disk(&refusal),
    }
    match append(&store, "second") {
        Ok(_) => records.push("second".to_owned()),
        Err(refusal) => refused_by_the_disk(&refusal),
    }
    let acknowledged = (changes.clone(), records.clone());
    if !disk.has_failed() {
        return false;
    }
    if times > 1 {
        // What was acknowledged is read meanwhile, and nothing else; nothing is taken.
        assert_eq!(contents(&store), acknowledged);
        assert!(store.fault().is_some());
        refused_by_the_disk(&append(&store, "refused").unwrap_err());
        refused_by_the_disk(&insert(&store, 0..1).unwrap_err());
    }
    // Ended now, at least what was acknowledged is there, and of the others each is there whole or not at all.
    for left in [disk.after_kill(), disk.after_power_loss()] {
        let (changes, records) = contents(&open(&left));
        assert!(changes.starts_with(&acknowledged.0) && [3, 997].starts_with(&changes));
        assert!(
            records.starts_with(&acknowledged.1)
                && ["first", "second"]
                    .starts_with(&records.iter().map(String::as_str).collect::<Vec<_>>())
        );
    }

    disk.heal();
    let number = at_last(|| append(&store, "third"));
    records.push("third".to_owned());
    assert_eq!(number, records.len() as u64);
    assert!(store.fault().is_none());
    let number = at_last(|| insert(&store, 1000..1002));
    changes.push(2);
    assert_eq!(number, changes.len() as u64);
    let acknowledged = (changes, records);
    assert_eq!(contents(&store), acknowledged);
    for left in [disk.after_kill(), disk.after_power_loss()] {
        assert_eq!(
            contents(&open(&left)),
            acknowledged,
            "what was refused is not there"
        );
    }
    drop(store);
    assert_eq!(contents(&open(&disk)), acknowledged);
    true
}

fn at_every_point(failing: Failing) {
    for times in [1, usize::MAX] {
        let points = (0..POINTS).take_while(|point| fail_at(*point, times, failing));
        let points = points.count();
        assert!((1..POINTS).contains(&points), "{failing:?}: {points}");
    }
}

/// INVARIANT(refused-is-not-there)
#[test]
fn refused_is_not_there() {
    at_every_point(Failing::Full);
}

#[test]
fn a_broken_disk_at_every_point_of_a_commit() {
    at_every_point(Failing::Broken);
}

/// After a failed sync nobody builds on pages that are in memory alone.
#[test]
fn a_forgetful_disk_at_every_point_of_a_commit() {
    at_every_point(Failing::Forgetful);
}
