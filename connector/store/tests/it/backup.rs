//! Copies of a store that goes on being written.

use crate::support::{all, insert, quad, update};
use futures::executor::block_on;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use time::OffsetDateTime;
use twinlink_core::policy::Incident;
use twinlink_core::{Journal, StateOfWorld};
use twinlink_store::backup::{self, Contents, Pinned};
use twinlink_store::{EvaluationOptions, Ledger, StoreError, TwinStore};

fn open(directory: &Path) -> (TwinStore, Ledger) {
    let store = TwinStore::open(directory, EvaluationOptions::default()).unwrap();
    (store, Ledger::open(directory).unwrap())
}

fn copy(pinned: &Pinned) -> (Vec<u8>, Contents) {
    let mut bytes = Vec::new();
    let contents = pinned.copy(&mut |chunk| {
        bytes.extend(chunk);
        Ok(())
    });
    bytes.extend(backup::end(b"said").unwrap());
    (bytes, contents.unwrap())
}

fn incident(number: usize) -> Incident {
    let node = |text: String| oxrdf::NamedNode::new(text).unwrap();
    Incident {
        id: node(format!("https://e.example/incident/{number}")),
        kinds: vec![node("https://e.example/Leak".to_owned())],
        area: None,
        begins: "2026-01-01T00:00:00Z".parse().unwrap(),
        ends: "2099-01-01T00:00:00Z".parse().unwrap(),
        declared_by: node("https://e.example/".to_owned()),
    }
}

// INVARIANT(whole-backups)
#[test]
fn a_copy_is_the_store_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (store, ledger) = open(&directory.path().join("twin"));
    insert(&store, (0..1000).map(quad).collect());
    update(&store, "DELETE { ?s :p1 ?o } WHERE { ?s :p1 ?o }").unwrap();
    for record in 0..10_u8 {
        block_on(
            store
                .journal()
                .append(vec![vec![record; 300]], vec![record]),
        )
        .unwrap();
    }
    for number in 0..10 {
        let now = OffsetDateTime::now_utc();
        block_on(ledger.declare(incident(number), now)).unwrap();
    }
    let pinned = Pinned::new(&store, &ledger).unwrap();
    let was = (all(&store), store.snapshot().sequence());
    // What comes after is not in it.
    update(&store, "INSERT DATA { :later :p 1 }").unwrap();
    block_on(store.journal().append(vec![vec![99]], vec![99])).unwrap();
    block_on(ledger.declare(incident(10), OffsetDateTime::now_utc())).unwrap();
    assert_eq!(pinned.sequence(), was.1);
    assert_eq!(pinned.journal().read(0, 99).unwrap().len(), 10);
    let (bytes, contents) = copy(&pinned);
    assert_eq!(
        (contents.changes, contents.records, contents.ledger),
        (2, 10, 10)
    );
    assert_eq!(
        backup::read(&*bytes).unwrap(),
        (contents.clone(), b"said".to_vec())
    );

    let restored = directory.path().join("restored");
    let found = backup::restore(&*bytes, &restored).unwrap();
    assert_eq!(found, (contents, b"said".to_vec()));
    let (again, ledger_again) = open(&restored);
    assert_eq!((all(&again), again.snapshot().sequence()), was);
    assert_eq!(again.snapshot().time(), pinned.time());
    let records = again.journal().read(0, 99).unwrap();
    assert_eq!(records, pinned.journal().read(0, 99).unwrap());
    assert_eq!(ledger_again.incidents().len(), 10);
    // It goes on where it was.
    assert_eq!(again.journal().seal().unwrap().unwrap(), [9]);
    assert_eq!(
        block_on(again.journal().append(vec![vec![7]], vec![7])).unwrap(),
        [11]
    );
    let applied = update(&again, "INSERT DATA { :new :p 1 }").unwrap();
    assert_eq!(applied.sequence, was.1 + 1);
    // And a copy of the copy is the same copy.
    drop((again, ledger_again));
    let second = directory.path().join("second");
    backup::restore(&*bytes, &second).unwrap();
    let (again, ledger_again) = open(&second);
    assert!(copy(&Pinned::new(&again, &ledger_again).unwrap()).0 == bytes);
}

#[test]
fn copies_made_while_others_write_hold_whole_changes() {
    let directory = tempfile::tempdir().unwrap();
    let (store, ledger) = open(&directory.path().join("twin"));
    let acknowledged = AtomicU64::new(0);
    let copies = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=40_u64 {
                let text = format!("INSERT DATA {{ :s{number} :p 1, 2, 3 }}");
                acknowledged.store(update(&store, &text).unwrap().sequence, Ordering::SeqCst);
            }
        });
        let mut copies = Vec::new();
        while copies.len() < 3 {
            let before = acknowledged.load(Ordering::SeqCst);
            copies.push((before, copy(&Pinned::new(&store, &ledger).unwrap())));
        }
        copies
    });
    for (number, (before, (bytes, contents))) in copies.into_iter().enumerate() {
        assert!(contents.changes >= before);
        let to = directory.path().join(format!("copy {number}"));
        backup::restore(&*bytes, &to).unwrap();
        let (copied, _ledger) = open(&to);
        assert_eq!(copied.snapshot().sequence(), contents.changes);
        assert_eq!(copied.snapshot().len() as u64, 3 * contents.changes);
    }
}

#[test]
fn what_is_no_whole_copy_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (store, ledger) = open(&directory.path().join("twin"));
    insert(&store, (0..5).map(quad).collect());
    let (bytes, contents) = copy(&Pinned::new(&store, &ledger).unwrap());
    for cut in 0..bytes.len() {
        let error = backup::read(&bytes[..cut]).unwrap_err();
        assert!(matches!(error, StoreError::Backup(_)), "{cut}: {error}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let error = backup::read(&*longer).unwrap_err().to_string();
    assert!(error.contains("after its end"), "{error}");
    // Another byte is another digest, or no copy.
    for place in 0..contents.bytes as usize {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let found = backup::read(&*changed);
        assert!(found.is_err() || found.unwrap().0.sha256 != contents.sha256);
    }
    // Not where something is.
    let error = backup::restore(&*bytes, directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Backup(_)), "{error}");
}

#[test]
fn a_directory_gets_to_its_place_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["new", "full", "empty"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("new").join("file"), "new").unwrap();
    std::fs::write(path("full").join("file"), "old").unwrap();
    let error = backup::place(&path("new"), &path("full")).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
    backup::exchange(&path("new"), &path("full")).unwrap();
    let read = |name: &str| std::fs::read_to_string(path(name).join("file")).unwrap();
    assert_eq!((read("full"), read("new")), ("new".into(), "old".into()));
    backup::place(&path("full"), &path("empty")).unwrap();
    assert_eq!(read("empty"), "new");
    backup::place(&path("new"), &path("absent")).unwrap();
    assert_eq!(read("absent"), "old");
    assert!(!path("full").exists() && !path("new").exists());
}
