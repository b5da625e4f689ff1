//! The program killed in the middle of writes: what it acknowledged is there whole, and so is the record of use.
//!
//! Three clients change the twin and one asks, over HTTP with certificates and tokens. After some acknowledgements, by
//! chance, the process is killed as `kill -9` does; then its folder is read as an operator reads it. The next round goes on
//! in the same folder, so each start finds what a kill left. In some rounds a backup is taken meanwhile.

mod copies;

use crate::chance::Chance;
use crate::http::{Request, SPARQL, Target as _};
use crate::library::Fault;
use crate::program::{Home, Program};
use crate::report::{Report, Verdict};
use copies::Copying;
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Journal, Secret};
use twinlink_policy::Guard;
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_trust::{EntryKind, PublicKey, SigningKey, audit, list_entries, verify_receipt};

/// How often the program is killed where nobody says.
pub(crate) const ROUNDS: usize = 25;
/// After so many rounds a new folder is begun: reading a log that only grows would take ever longer.
const FOLDER: usize = 25;
/// One round in so many has a backup.
const COPIED: usize = 5;
/// Clients that change the twin.
const WRITERS: usize = 3;
/// Quads in most changes, and in every tenth.
const SMALL: usize = 3;
const LARGE: usize = 2_000;
/// The longest that a round waits for its acknowledgements.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many records are read at once.
const PAGE: usize = 4096;

/// What a client was told.
enum Told {
    /// That all quads about this subject are durable.
    Changed { subject: String, quads: usize },
    /// An answer, with its receipt.
    Answered { receipt: String },
}

/// What all clients of a folder were told, in all its rounds.
#[derive(Default)]
struct Promises {
    changes: HashMap<String, usize>,
    receipts: Vec<String>,
    /// Backups that came to their end.
    copies: usize,
}

/// Kills the program so many times.
pub(crate) fn run(name: &'static str, rounds: usize, seed: Option<u64>) -> Result<Report, Fault> {
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let mut chance = Chance::new(seed);
    let program = Program::find()?;
    let mut cases = Vec::new();
    let (mut changes, mut receipts, mut copies) = (0, 0, 0);
    while cases.len() < rounds {
        let home = program.init()?;
        let token = program.token(&home)?;
        let mut promises = Promises::default();
        for _ in 0..FOLDER.min(rounds - cases.len()) {
            let after = 1 + chance.below(60);
            let case = format!(
                "round {}, killed after {after} acknowledgements, seed {seed}",
                cases.len() + 1
            );
            let is_copied = cases.len() % COPIED == 0;
            let verdict = round(&program, &home, &token, (after, is_copied), &mut promises)?;
            cases.push((case, verdict));
        }
        changes += promises.changes.len();
        receipts += promises.receipts.len();
        copies += promises.copies;
    }
    let report = Report::of(name, cases);
    Ok(report
        .with("acknowledged_changes", changes)
        .with("receipts", receipts)
        .with("backups", copies))
}

fn round(
    program: &Program,
    home: &Home,
    token: &Secret,
    (after, is_copied): (usize, bool),
    promises: &mut Promises,
) -> Result<Verdict, Fault> {
    let running = program.serve(home)?;
    let (tell, told) = mpsc::channel();
    let mut clients = Vec::new();
    for number in 0..=WRITERS {
        let remote = home.remote(running.port, Some(token.clone()))?;
        let tell = tell.clone();
        let tag = format!("{}/{number}", running.id());
        clients.push(std::thread::spawn(move || match number {
            0 => ask(&remote, &tell),
            _ => change(&remote, &tag, &tell),
        }));
    }
    drop(tell);
    let first = after / 2;
    let mut heard = hear(&told, first, promises);
    let copying =
        is_copied.then(|| Copying::begin(program, (home, running.port), &promises.changes));
    heard = heard && hear(&told, after - first, promises);
    // In half of the rounds the backup is cut off, too.
    if let Some(copying) = copying.as_ref().filter(|_| after % 2 == 0) {
        copying.wait(PATIENCE);
    }
    running.kill()?;
    for client in clients {
        if client.join().is_err() {
            return Ok(Verdict::Failed("a client panicked".to_owned()));
        }
    }
    // What was in flight when the process died was acknowledged all the same.
    told.into_iter().for_each(|told| promises.add(told));
    let copied = copying.map_or(Ok(false), Copying::check);
    promises.copies += usize::from(copied == Ok(true));
    let kept = match heard {
        true => check(home, promises).and(copied),
        false => Err(format!("no {after} acknowledgements in {PATIENCE:?}")),
    };
    Ok(kept.map_or_else(Verdict::Failed, |_| Verdict::Passed))
}

/// Waits for so many acknowledgements; false where they do not come.
fn hear(told: &Receiver<Told>, after: usize, promises: &mut Promises) -> bool {
    let until = Instant::now() + PATIENCE;
    for _ in 0..after {
        let left = until.saturating_duration_since(Instant::now());
        match told.recv_timeout(left) {
            Ok(told) => promises.add(told),
            Err(_) => return false,
        }
    }
    true
}

impl Promises {
    fn add(&mut self, told: Told) {
        match told {
            Told::Changed { subject, quads } => drop(self.changes.insert(subject, quads)),
            Told::Answered { receipt } => self.receipts.push(receipt),
        }
    }
}

/// Changes the twin until the connector is gone.
fn change(remote: &crate::http::Remote, tag: &str, tell: &Sender<Told>) {
    for number in 1_u32.. {
        let quads = if number % 10 == 0 { LARGE } else { SMALL };
        let subject = format!("https://conformance.example/{tag}/{number}");
        let values = (0..quads).map(|value| value.to_string());
        let values = values.collect::<Vec<_>>().join(",");
        let update =
            format!("INSERT DATA {{ <{subject}> <https://conformance.example/value> {values} }}");
        let request = Request {
            method: "POST".to_owned(),
            path: SPARQL.to_owned(),
            headers: vec![(
                "content-type".to_owned(),
                "application/sparql-update".to_owned(),
            )],
            body: update.into_bytes(),
        };
        match remote.send(&request) {
            Ok(answer) if answer.is_success() => {
                drop(tell.send(Told::Changed { subject, quads }));
            }
            _ => return,
        }
    }
}

/// Asks until the connector is gone.
fn ask(remote: &crate::http::Remote, tell: &Sender<Told>) {
    let request = Request {
        headers: vec![("accept".to_owned(), "text/csv".to_owned())],
        ..Request::get(format!("{SPARQL}?query=ASK%7B%3Fs%20%3Fp%201%7D"))
    };
    while let Ok(answer) = remote.send(&request) {
        let Some(receipt) = answer
            .header("twinlink-receipt")
            .filter(|_| answer.is_success())
        else {
            return;
        };
        let receipt = receipt.to_owned();
        drop(tell.send(Told::Answered { receipt }));
    }
}

/// Reads the folder as it was left.
fn check(home: &Home, promises: &Promises) -> Result<(), String> {
    let folder = home.path().join("twin");
    let store = TwinStore::open(&folder, EvaluationOptions::default());
    let store = store.map_err(|error| format!("the store does not open: {error}"))?;
    check_changes(&store, &promises.changes)?;
    let key = SigningKey::load(&home.path().join("identity").join("key.pem"));
    let key = key.map_err(|error| error.to_string())?;
    check_records(&store.journal(), &key.public().clone(), promises)
}

/// Every acknowledged change is there, and every change that is there is there as a whole.
fn check_changes(store: &TwinStore, acknowledged: &HashMap<String, usize>) -> Result<(), String> {
    let budget = Budget::new(Instant::now() + PATIENCE, u64::MAX);
    let snapshot = store.snapshot();
    let quads = snapshot.quads(&Guard::everything(), &budget);
    let mut found = HashMap::<_, usize>::new();
    for quad in quads.map_err(|error| error.to_string())? {
        *found.entry(quad.subject).or_default() += 1;
    }
    let found: HashMap<_, _> = found
        .into_iter()
        .map(|(subject, count)| (subject.to_string(), count))
        .collect();
    for (subject, quads) in acknowledged {
        let there = found.get(&format!("<{subject}>"));
        if there != Some(quads) {
            return Err(format!(
                "{subject}: {quads} quads were acknowledged, {there:?} are there"
            ));
        }
    }
    match found
        .iter()
        .find(|(_, count)| ![SMALL, LARGE].contains(count))
    {
        Some((subject, count)) => Err(format!("{subject}: half a change, {count} quads")),
        None => Ok(()),
    }
}

/// The log of use is whole; each receipt that a client holds is of a record in it; no completion is without its intent.
fn check_records(
    journal: &dyn Journal,
    key: &PublicKey,
    promises: &Promises,
) -> Result<(), String> {
    audit(journal).map_err(|error| error.to_string())?;
    let signer = oxrdf::NamedNode::new_unchecked("https://conformance.example/");
    for receipt in &promises.receipts {
        verify_receipt(receipt, &signer, std::slice::from_ref(key))
            .and_then(|claims| claims.check_against(journal))
            .map_err(|error| format!("a receipt without its record: {error}"))?;
    }
    let (mut intents, mut from) = (HashSet::new(), 0);
    loop {
        let entries = list_entries(journal, from, PAGE).map_err(|error| error.to_string())?;
        let Some((last, _)) = entries.last() else {
            return Ok(());
        };
        from = last + 1;
        for (sequence, entry) in entries {
            match entry.kind {
                EntryKind::Intent { .. } => drop(intents.insert(sequence)),
                EntryKind::Completion { intent, .. } if !intents.contains(&intent) => {
                    return Err(format!(
                        "record {sequence} completes what was never intended"
                    ));
                }
                _ => {}
            }
        }
    }
}
