//! A disk that fills up, and has room again.

use crate::{EvaluationOptions, TwinStore, UseJournal};
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

/// A disk that does not tell.
fn mute(_: &Path) -> std::io::Result<u64> {
    Err(std::io::Error::other("no such disk"))
}

/// Fail closed: who cannot tell whether there is room does not write.
#[test]
fn a_disk_that_tells_nothing_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let options = EvaluationOptions::default();
    let store = TwinStore::open_on(folder.path(), mute, options).unwrap();
    let refusal = insert(&store, 1).unwrap_err();
    let told = (refusal.code(), refusal.check());
    assert_eq!(told, (Code::Unavailable, "store.disk"));
    assert!(refusal.to_string().contains("no such disk"), "{refusal}");
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

fn one(journal: &UseJournal, record: Vec<u8>) -> Result<u64, Refusal> {
    let places = futures::executor::block_on(journal.append(vec![record], b"seal".to_vec()))?;
    assert_eq!(places.len(), 1);
    Ok(places[0])
}

/// INVARIANT(sealed-as-written)
#[test]
fn sealed_as_written() {
    static FULL: AtomicU64 = AtomicU64::new(u64::MAX);
    fn free(_: &Path) -> std::io::Result<u64> {
        Ok(FULL.load(Ordering::SeqCst))
    }
    let folder = tempfile::tempdir().unwrap();
    let store = TwinStore::open_on(folder.path(), free, EvaluationOptions::default()).unwrap();
    let journal = store.journal();
    assert_eq!(journal.seal().unwrap(), None);
    let append = |records: &[&str], seal: &str| {
        let records = records.iter().map(|one| one.as_bytes().to_vec()).collect();
        futures::executor::block_on(journal.append(records, seal.into()))
    };
    assert_eq!(append(&["a", "b"], "over 2").unwrap(), [1, 2]);
    FULL.store(0, Ordering::SeqCst);
    assert_eq!(append(&["c"], "over 3").unwrap_err().check(), "store.disk");
    assert_eq!(journal.seal().unwrap().unwrap(), b"over 2");
    FULL.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(append(&["d", "e", "f"], "over 5").unwrap(), [3, 4, 5]);
    drop((store, journal));
    let store = TwinStore::open(folder.path(), EvaluationOptions::default()).unwrap();
    assert_eq!(store.journal().seal().unwrap().unwrap(), b"over 5");
    assert_eq!(store.journal().read(0, 10).unwrap().len(), 5);
}

/// INVARIANT(disk-full-refuses)
#[test]
fn disk_full_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let options = EvaluationOptions::default;
    let store = TwinStore::open_on(folder.path(), free, options()).unwrap();
    let journal = store.journal();
    let append = |text: &str| one(&journal, text.into());
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

fn holds(folder: &Path, text: &str) -> bool {
    let bytes = std::fs::read(folder.join(super::FILE)).unwrap();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

// INVARIANT(purged-is-gone)
#[test]
fn what_was_purged_is_gone_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let open = || TwinStore::open(folder.path(), EvaluationOptions::default()).unwrap();
    let store = open();
    let journal = store.journal();
    for number in 1..=300 {
        let record = format!("secret {number:04} {}", "x".repeat(200));
        let appended = one(&journal, record.into_bytes());
        assert_eq!(appended.unwrap(), number);
    }
    assert_eq!(insert(&store, 1).unwrap(), 1);
    let all = [(7, b"left of 7".to_vec()), (300, b"left of 300".to_vec())];
    futures::executor::block_on(journal.replace(all.to_vec())).unwrap();
    // All or none, and the log goes on.
    let mixed = vec![(8, b"nothing".to_vec()), (301, b"nothing".to_vec())];
    assert!(futures::executor::block_on(journal.replace(mixed)).is_err());
    assert_eq!(journal.read(7, 1).unwrap(), [(7, b"left of 7".to_vec())]);
    assert!(journal.read(8, 1).unwrap()[0].1.starts_with(b"secret 0008"));
    assert_eq!(insert(&store, 2).unwrap(), 2);
    let records = journal.read(0, 1000).unwrap();
    drop((store, journal));
    let store = open();
    assert!(!holds(folder.path(), "secret 0007") && !holds(folder.path(), "secret 0300"));
    assert!(holds(folder.path(), "secret 0008"));
    assert_eq!(store.journal().read(0, 1000).unwrap(), records);
    assert_eq!(
        (store.snapshot().len(), store.snapshot().sequence()),
        (2, 2)
    );
    let append = store.journal();
    assert_eq!(append.seal().unwrap().unwrap(), b"seal");
    assert_eq!(one(&append, vec![1]).unwrap(), 301);
    // What a kill in the middle of that leaves is no obstacle.
    drop((store, append));
    std::fs::write(folder.path().join("twin.rewriting"), "half").unwrap();
    assert_eq!(open().journal().read(0, 1000).unwrap().len(), 301);
    assert!(!folder.path().join("twin.rewriting").exists());
}
