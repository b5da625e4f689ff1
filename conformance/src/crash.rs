//! The program killed in the middle of writes: what it acknowledged is there whole, and so is the record of use.
//!
//! Three clients change the twin and one asks, over HTTP with certificates and tokens. After some acknowledgements, by
//! chance, the process is killed as `kill -9` does; then its folder is read as an operator reads it. The next round goes on
//! in the same folder, so each start finds what a kill left. In some rounds a backup is taken meanwhile; some are played
//! by two connectors of which one asks the other. At last a disk fills up.

mod copies;
mod full;
mod peers;

use crate::chance::Chance;
use crate::http::{Request, SPARQL, Target as _};
use crate::library::Fault;
use crate::program::{Home, Program};
use crate::report::{Report, Verdict};
use copies::Copying;
use peers::Pair;
use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Journal, Secret};
use twinlink_policy::Guard;
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_trust::{EntryKind, SigningKey, audit, list_entries, verify_receipt};

/// How often the program is killed where nobody says.
pub(crate) const ROUNDS: usize = 25;
/// After so many rounds a new folder is begun: reading a log that only grows would take ever longer.
const FOLDER: usize = 25;
/// One round in so many has a backup.
const COPIED: usize = 4;
/// One in so many is played by two connectors of which one asks the other.
const PAIRED: usize = 3;
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
    let (mut cases, mut settled) = (Vec::new(), Vec::new());
    let (mut changes, mut receipts, mut copies) = (0, 0, 0);
    while cases.len() < rounds {
        let home = program.init()?;
        let token = program.token(&home)?;
        let mut pair = Pair::new(&program)?;
        let mut promises = Promises::default();
        for _ in 0..FOLDER.min(rounds - cases.len()) {
            let after = 1 + chance.below(60);
            let case = format!(
                "round {}, killed after {after} acknowledgements, seed {seed}",
                cases.len() + 1
            );
            let is_copied = cases.len() % COPIED == 0;
            let verdict = match (cases.len() + 1) % PAIRED {
                0 => judged(pair.round(&program, after.div_ceil(2))?),
                _ => round(&program, &home, &token, (after, is_copied), &mut promises)?,
            };
            cases.push((case, verdict));
        }
        changes += promises.changes.len();
        receipts += promises.receipts.len() + pair.receipts();
        copies += promises.copies;
        if pair.receipts() > 0 {
            let case = format!("all acknowledged after round {}, seed {seed}", cases.len());
            settled.push((case, judged(pair.settle(&program)?)));
        }
    }
    cases.append(&mut settled);
    let (verdict, counts) = full::run(&program)?;
    cases.push((full::CASE.to_owned(), verdict));
    changes += counts.changes;
    receipts += counts.receipts;
    let report = Report::of(name, cases);
    Ok(report
        .with("acknowledged_changes", changes)
        .with("receipts", receipts)
        .with("backups", copies)
        .with("writes_that_met_the_end_of_the_disk", counts.cut_off))
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
    Ok(judged(kept.map(drop)))
}

fn judged(kept: Result<(), String>) -> Verdict {
    kept.map_or_else(Verdict::Failed, |()| Verdict::Passed)
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
        let (request, told) = insertion(tag, number);
        match remote.send(&request) {
            Ok(answer) if answer.is_success() => drop(tell.send(told)),
            _ => return,
        }
    }
}

/// A change of the twin, and what its client is told if it is taken.
fn insertion(tag: &str, number: u32) -> (Request, Told) {
    let quads = if number.is_multiple_of(10) {
        LARGE
    } else {
        SMALL
    };
    let subject = format!("https://conformance.example/{tag}/{number}");
    let values = (0..quads).map(|value| value.to_string());
    let values = values.collect::<Vec<_>>().join(",");
    let update =
        format!("INSERT DATA {{ <{subject}> <https://conformance.example/value> {values} }}");
    let request = Request::with_body("POST", SPARQL, "application/sparql-update", update);
    (request, Told::Changed { subject, quads })
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
    check_records(&store.journal())?;
    drop(store);
    check_receipts(home, "https://conformance.example/", &promises.receipts)
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

/// Each receipt that a client holds is of a record in the log.
fn check_receipts(home: &Home, signer: &str, receipts: &[String]) -> Result<(), String> {
    let store = TwinStore::open(&home.path().join("twin"), EvaluationOptions::default());
    let store = store.map_err(|error| format!("the store does not open: {error}"))?;
    let key = SigningKey::load(&home.path().join("identity").join("key.pem"));
    let key = key.map_err(|error| error.to_string())?.public().clone();
    let signer = oxrdf::NamedNode::new_unchecked(signer);
    for receipt in receipts {
        verify_receipt(receipt, &signer, std::slice::from_ref(&key))
            .and_then(|claims| claims.check_against(&store.journal()))
            .map_err(|error| format!("a receipt without its record: {error}"))?;
    }
    Ok(())
}

/// The log of use is whole; no completion is without its intent.
fn check_records(journal: &dyn Journal) -> Result<(), String> {
    audit(journal).map_err(|error| error.to_string())?;
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
