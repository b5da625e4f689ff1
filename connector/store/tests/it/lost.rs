//! Where there was a store there is no new one, and who looks changes nothing.

use crate::support::update;
use futures::executor::block_on;
use std::collections::BTreeSet;
use std::path::Path;
use twinlink_core::Journal;
use twinlink_store::{EvaluationOptions, JournalFile, Ledger, StoreError, TwinStore};

fn open(directory: &Path) -> Result<TwinStore, StoreError> {
    TwinStore::open(directory, EvaluationOptions::default())
}

/// INVARIANT(no-store-in-place-of-one)
#[test]
fn no_store_in_place_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("twin");
    let to_read = || JournalFile::open(&folder).unwrap_err();
    let existing = || TwinStore::open_existing(&folder, EvaluationOptions::default()).unwrap_err();
    // Nobody who only looks makes one.
    assert!(matches!(to_read(), StoreError::Absent(_)));
    assert!(matches!(existing(), StoreError::Absent(_)));
    assert!(!folder.exists());
    let store = open(&folder).unwrap();
    let ledger = Ledger::open(&folder).unwrap();
    block_on(store.journal().append(vec![vec![1]], vec![1])).unwrap();
    assert!(matches!(to_read(), StoreError::InUse(_)));
    drop((store, ledger));
    let file = folder.join("twin.redb");
    let whole = std::fs::read(&file).unwrap();
    let journal = JournalFile::open(&folder).unwrap();
    assert_eq!(journal.read(0, 9).unwrap(), [(1, vec![1])]);
    assert_eq!(journal.seal().unwrap().unwrap(), [1]);
    assert!(block_on(journal.append(vec![vec![2]], vec![2])).is_err());
    drop(journal);
    assert_eq!(
        std::fs::read(&file).unwrap(),
        whole,
        "to read leaves every byte as it was"
    );

    for is_empty in [false, true] {
        std::fs::remove_file(&file).unwrap();
        if is_empty {
            std::fs::write(&file, "").unwrap();
        }
        for error in [to_read(), existing(), open(&folder).map(drop).unwrap_err()] {
            assert!(matches!(error, StoreError::Lost { .. }), "{error}");
            assert!(error.to_string().contains("restore a backup"), "{error}");
        }
        std::fs::write(&file, &whole).unwrap();
    }
    // A file of redb that holds nothing is none of ours either.
    std::fs::remove_file(&file).unwrap();
    drop(redb::Database::create(&file).unwrap());
    for error in [to_read(), existing(), open(&folder).map(drop).unwrap_err()] {
        assert!(error.to_string().contains("holds nothing"), "{error}");
    }
}

#[test]
fn the_journal_is_read_after_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let (folder, copy) = (directory.path().join("twin"), directory.path().join("copy"));
    let store = open(&folder).unwrap();
    block_on(store.journal().append(vec![vec![1]], vec![1])).unwrap();
    // As a kill leaves it: nobody closed it.
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(folder.join("twin.redb"), copy.join("twin.redb")).unwrap();
    let journal = JournalFile::open(&copy).unwrap();
    assert_eq!(journal.read(0, 9).unwrap(), [(1, vec![1])]);
}

#[test]
fn versions_are_made_anew_from_the_log_of_changes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let mut versions = Vec::new();
    for number in 1..=5 {
        update(&store, &format!("INSERT DATA {{ :a :p {number} }}")).unwrap();
        versions.push(store.snapshot().version().unwrap().to_string());
    }
    drop(store);
    let file = JournalFile::open(directory.path()).unwrap();
    let found = file.versions(&BTreeSet::from([2, 5, 9])).unwrap();
    let found: Vec<_> = found.into_iter().collect();
    assert_eq!(found, [(2, versions[1].clone()), (5, versions[4].clone())]);
}
