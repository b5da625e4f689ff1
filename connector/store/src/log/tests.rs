//! A disk that fills up, and has room again.

use crate::{EvaluationOptions, TwinStore};
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Change, Code, Journal, Refusal};
use twinlink_policy::Guard;

static FREE: AtomicU64 = AtomicU64::new(u64::MAX);

fn free(_: &Path) -> std::io::Result<u64> {
    Ok(FREE.load(Ordering::SeqCst))
}

fn insert(store: &TwinStore, value: i64) -> Result<u64, Refusal> {
    let everything = Guard::everything();
    let name = NamedNode::new_unchecked("http://e/a");
    let quad = Quad::new(
        name.clone(),
        name,
        Literal::from(value),
        GraphName::DefaultGraph,
    );
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX);
    let applied = store.apply(&Change::Insert(vec![quad]), None, &everything, &budget)?;
    Ok(applied.sequence)
}

/// INVARIANT(disk-full-refuses)
#[test]
fn disk_full_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let options = EvaluationOptions::default;
    let store = TwinStore::open_on(folder.path(), free, options()).unwrap();
    let journal = store.journal();
    let append = |text: &str| futures::executor::block_on(journal.append(text.into()));
    assert_eq!(insert(&store, 1).unwrap(), 1);
    assert_eq!(append("first").unwrap(), 1);

    FREE.store(1 << 20, Ordering::SeqCst);
    for value in 2..5 {
        let refusal = insert(&store, value).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Unavailable, "store.disk")
        );
    }
    assert_eq!(append("refused").unwrap_err().check(), "store.disk");
    // What was acknowledged is read, and several writers at once leave nothing behind.
    assert_eq!(store.snapshot().len(), 1);
    assert_eq!(journal.read(0, 10).unwrap().len(), 1);
    std::thread::scope(|scope| {
        for value in 5..9 {
            let store = &store;
            scope.spawn(move || assert!(insert(store, value).is_err()));
        }
    });

    FREE.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(insert(&store, 9).unwrap(), 2);
    assert_eq!(append("second").unwrap(), 2);
    assert_eq!(store.snapshot().len(), 2);
    drop((store, journal));
    let store = TwinStore::open(folder.path(), options()).unwrap();
    assert_eq!(store.snapshot().len(), 2, "none of the refused is there");
    assert_eq!(store.changes(1, 10).unwrap().len(), 2);
}

/// Writers that go on while the disk fills up and empties: each change that was acknowledged is there, no other is.
#[test]
fn no_change_on_a_refused_one() {
    static ROOM: AtomicU64 = AtomicU64::new(0);
    /// Full for every third write.
    fn sometimes(_: &Path) -> std::io::Result<u64> {
        let turn = ROOM.fetch_add(1, Ordering::SeqCst);
        Ok(if turn % 3 == 2 { 0 } else { u64::MAX })
    }
    let folder = tempfile::tempdir().unwrap();
    let options = EvaluationOptions::default;
    let store = TwinStore::open_on(folder.path(), sometimes, options()).unwrap();
    let acknowledged = std::thread::scope(|scope| {
        let writers = (0..4).map(|writer| {
            let store = &store;
            scope.spawn(move || {
                let values = (0..40).map(|number| writer * 1000 + number);
                values
                    .filter(|value| insert(store, *value).is_ok())
                    .collect::<Vec<_>>()
            })
        });
        let writers = writers.collect::<Vec<_>>();
        let values = writers.into_iter().flat_map(|one| one.join().unwrap());
        values.map(|value| value.to_string()).collect::<Vec<_>>()
    });
    assert!(!acknowledged.is_empty() && acknowledged.len() < 160);
    let values = |store: &TwinStore| {
        let budget = Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX);
        let snapshot = store.snapshot();
        let quads = snapshot.quads(&Guard::everything(), &budget).unwrap();
        let mut values = quads
            .map(|quad| match quad.object {
                oxrdf::Term::Literal(literal) => literal.value().to_owned(),
                other => panic!("{other}"),
            })
            .collect::<Vec<_>>();
        values.sort();
        values
    };
    let mut acknowledged = acknowledged;
    acknowledged.sort();
    assert_eq!(values(&store), acknowledged);
    drop(store);
    let store = TwinStore::open(folder.path(), options()).unwrap();
    assert_eq!(values(&store), acknowledged);
}
