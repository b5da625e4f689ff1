//! Acknowledged means durable: restarts, kills, and stores that are not what they should be.

use crate::support::{all, insert, quad, update, visible};
use futures::executor::block_on;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use twinlink_core::Journal;
use twinlink_core::policy::Guard;
use twinlink_store::{EvaluationOptions, StoreError, TwinStore};

fn open(directory: &Path) -> Result<TwinStore, StoreError> {
    TwinStore::open(directory, EvaluationOptions::default())
}

#[test]
fn a_restart_finds_everything() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    for part in 0..30 {
        insert(&store, (part * 40..part * 40 + 60).map(quad).collect());
        update(
            &store,
            "DELETE { ?s :p1 ?o } WHERE { ?s :p1 ?o } ; INSERT DATA { _:x :p9 'é\\n\"' , 'x'@en }",
        )
        .unwrap();
    }
    let before = (
        all(&store),
        store.snapshot().sequence(),
        (store.snapshot().time(), store.snapshot().version()),
    );
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(
        (
            all(&store),
            store.snapshot().sequence(),
            (store.snapshot().time(), store.snapshot().version())
        ),
        before
    );
    assert_eq!(
        update(&store, "INSERT DATA { :new :p 1 }")
            .unwrap()
            .sequence,
        before.1 + 1
    );
}

/// Who has the log can say which state a version was.
#[test]
fn the_same_changes_lead_to_the_same_version_and_others_to_another() {
    let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, same, other] = directories
        .each_ref()
        .map(|place| open(place.path()).unwrap());
    let version = |store: &TwinStore| store.snapshot().version();
    assert_eq!(version(&one), None);
    let mut seen = Vec::new();
    for (number, change) in [
        "INSERT DATA { :s :p 1 }",
        "DELETE DATA { :s :p 1 }",
        "INSERT DATA { :s :p 1 }",
    ]
    .into_iter()
    .enumerate()
    {
        for store in [&one, &same] {
            update(store, change).unwrap();
        }
        let now = version(&one).unwrap();
        assert!(
            now.starts_with(&format!("{}-", number + 1)) && now.len() == 66,
            "{now}"
        );
        assert_eq!(version(&same).as_ref(), Some(&now));
        // Also where the twin looks as it did before.
        assert!(!seen.contains(&now));
        seen.push(now);
        // What changes nothing is no change.
        update(&one, "DELETE DATA { :nothing :p 1 }").unwrap();
        assert_eq!(version(&one).as_ref(), seen.last());
    }
    update(&other, "INSERT DATA { :s :p 2 }").unwrap();
    assert!(!seen.contains(&version(&other).unwrap()));
    drop(same);
    let again = open(directories[1].path()).unwrap();
    assert_eq!(version(&again).as_ref(), seen.last());
}

#[test]
fn a_large_batch_is_one_change() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let label = |n: u32| oxrdf::Literal::new_simple_literal(format!("number {n}"));
    let quads = (0..100_000_u32).map(|n| {
        let subject = oxrdf::NamedNode::new_unchecked(format!("http://e/{}", n / 4));
        oxrdf::Quad::new(
            subject,
            oxrdf::vocab::rdfs::LABEL,
            label(n),
            oxrdf::GraphName::DefaultGraph,
        )
    });
    assert_eq!(insert(&store, quads.collect()).inserted, 100_000);
    update(
        &store,
        "DELETE DATA { <http://e/0> <http://www.w3.org/2000/01/rdf-schema#label> 'number 0' }",
    )
    .unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(
        (store.snapshot().len(), store.snapshot().sequence()),
        (99_999, 2)
    );
}

#[test]
fn the_feed_tells_every_change() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    update(&store, "INSERT DATA { :a :p 1 . GRAPH :g { :a :p 2 } }").unwrap();
    update(&store, "DELETE DATA { :a :p 1 } ; INSERT DATA { :a :p 3 }").unwrap();
    let changes = store.changes(0, 10).unwrap();
    let texts = |quads: &[oxrdf::Quad]| quads.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        changes
            .iter()
            .map(|change| change.sequence)
            .collect::<Vec<_>>(),
        [1, 2]
    );
    assert_eq!(changes[0].added.len(), 2);
    assert!(texts(&changes[1].added)[0].contains("\"3\""));
    assert!(texts(&changes[1].removed)[0].contains("\"1\""));
    assert_eq!(store.changes(2, 10).unwrap(), changes[1..]);
    assert_eq!(store.changes(1, 1).unwrap(), changes[..1]);
    assert!(store.changes(3, 10).unwrap().is_empty());
}

#[test]
fn the_journal_keeps_records_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let journal = store.journal();
    assert!(journal.read(0, 10).unwrap().is_empty());
    for number in 1..=5_u8 {
        assert_eq!(
            block_on(journal.append(vec![vec![number]], vec![number])).unwrap(),
            [u64::from(number)]
        );
    }
    drop((store, journal));
    let store = open(directory.path()).unwrap();
    let journal = store.journal();
    assert_eq!(
        block_on(journal.append(vec![vec![6]], vec![6])).unwrap(),
        [6]
    );
    assert_eq!(
        journal.read(2, 3).unwrap(),
        [(2, vec![2]), (3, vec![3]), (4, vec![4])]
    );
    assert_eq!(journal.read(6, 3).unwrap(), [(6, vec![6])]);
}

#[test]
fn a_store_that_is_open_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path()).unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse(_)), "{error}");
    assert!(
        error.to_string().contains("is open in another process"),
        "{error}"
    );
}

#[test]
fn what_is_no_store_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "text").unwrap();
    assert!(matches!(open(&file).unwrap_err(), StoreError::Open { .. }));
    let broken = directory.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(
        broken.join("twin.redb"),
        "this is no database, but it is long enough to be looked at",
    )
    .unwrap();
    let error = open(&broken).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }), "{error}");
    assert!(error.to_string().contains("twin.redb"), "{error}");
}

#[test]
fn another_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let database = redb::Database::open(directory.path().join("twin.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction
        .open_table(meta)
        .unwrap()
        .insert("version", 99)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = open(directory.path()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Version {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
}

const DIRECTORY: &str = "TWINLINK_KILL_DIRECTORY";

/// Not a test of its own: the process that [`acknowledged_means_durable`] kills.
#[test]
fn child_that_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let store = std::sync::Arc::new(open(Path::new(&directory)).unwrap());
    let writers = (0..3_u64).map(|writer| {
        let store = std::sync::Arc::clone(&store);
        std::thread::spawn(move || {
            let mut number = 0;
            loop {
                number += 1;
                let large = number % 20 == 0;
                let quads = (0..if large { 5_000 } else { 3 }).map(|part| {
                    oxrdf::Quad::new(
                        oxrdf::NamedNode::new_unchecked(format!(
                            "http://e/{}/{writer}/{number}",
                            std::process::id()
                        )),
                        oxrdf::vocab::rdfs::LABEL,
                        oxrdf::Literal::from(part),
                        oxrdf::GraphName::DefaultGraph,
                    )
                });
                let quads = quads.collect::<Vec<_>>();
                let count = quads.len();
                let applied = insert(&store, quads);
                // One write: lines of several writers must not mix.
                let line = format!(
                    "\nack {} {} {writer} {number} {count}\n",
                    applied.sequence,
                    std::process::id()
                );
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        })
    });
    writers
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
}

// INVARIANT(acknowledged-means-durable)
#[test]
fn acknowledged_means_durable() {
    let rounds = std::env::var("TWINLINK_KILL_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(3_u64);
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(u64, String, usize)> = Vec::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "durability::child_that_is_killed",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Killed after another number of acknowledgements each time; what was written to the pipe by then counts too.
        let kill_after = 1 + round * 37 % 90;
        let mut seen = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Ok(line) = line else { break };
            let Some(fields) = line.strip_prefix("ack ") else {
                continue;
            };
            let fields = fields.split(' ').collect::<Vec<_>>();
            let [sequence, process, writer, number, count] = fields[..] else {
                continue;
            };
            let Ok(count) = count.parse() else { continue };
            acknowledged.push((
                sequence.parse().unwrap(),
                format!("<http://e/{process}/{writer}/{number}>"),
                count,
            ));
            seen += 1;
            if seen == kill_after {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(
            seen >= kill_after,
            "the child ended by itself in round {round}"
        );
        let store = open(directory.path()).unwrap();
        let mut counts = std::collections::HashMap::new();
        for quad in store
            .snapshot()
            .quads(&Guard::everything(), &crate::support::budget())
            .unwrap()
        {
            *counts.entry(quad.subject.to_string()).or_insert(0_usize) += 1;
        }
        for (sequence, subject, count) in &acknowledged {
            assert_eq!(
                counts.get(subject),
                Some(count),
                "change {sequence} in round {round}"
            );
            assert!(*sequence <= store.snapshot().sequence());
        }
        // Batches are there as a whole or not at all.
        assert!(counts.values().all(|count| [3, 5_000].contains(count)));
        assert_eq!(
            visible(&store, &Guard::everything()).len(),
            store.snapshot().len()
        );
    }
}
