//! A store on disk that somebody tampered with, who can write the file and has no key: found by who looks, and by the start.
//!
//! What stands in the file's tables is changed by way of a copy, and a real store is made of it again.

use super::journal::{Records, Side, fault};
use crate::chance::Chance;
use crate::library::Fault;
use crate::report::Verdict;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use twinlink_core::{Budget, Change, Journal};
use twinlink_policy::Guard;
use twinlink_store::backup::{self, Pinned};
use twinlink_store::{EvaluationOptions, JournalFile, Ledger, TwinStore};
use twinlink_trust::{
    Agreement, Checkpoint, CurrentIdentity, Digest256, Entry, EntryKind, Receipts, consumed,
    dataset_versions, list_entries, provided, reconcile, verify_log,
};

/// The tables of a copy, by their numbers in it.
const CHANGES: u8 = 3;
const JOURNAL: u8 = 4;
const SEAL: u8 = 5;
const END: u8 = 0;

type Rows = Vec<(u8, Vec<u8>, Vec<u8>)>;
type Case = fn(&World, &mut Chance) -> Result<(), String>;

/// A provider whose log is in a file, and its consumer.
struct World {
    city: Side,
    police: Side,
    /// What the city's file holds after some uses, and after some more.
    before: Rows,
    after: Rows,
    held: Checkpoint,
}

/// Spoils one store in every way.
pub(super) fn cases(chance: &mut Chance) -> Result<Vec<(&'static str, Verdict)>, Fault> {
    let world = World::make(chance)?;
    let cases: [(&'static str, Case); 9] = [
        ("a file that nobody touched", untouched),
        ("a record flipped in the file", flipped),
        ("records appended to the file", appended),
        ("records appended, and the seal taken away", unsealed),
        ("the file's last records dropped", dropped),
        ("the last records and the seal dropped", dropped_with_seal),
        ("the last checkpoint dropped", without_checkpoint),
        ("the file replaced by an older copy", rolled_back),
        ("a change of the twin altered", change_altered),
    ];
    let judge = |(name, case): (&'static str, Case)| {
        let found = case(&world, chance);
        (
            name,
            found.map_or_else(Verdict::Failed, |()| Verdict::Passed),
        )
    };
    Ok(cases.into_iter().map(judge).collect())
}

impl World {
    fn make(chance: &mut Chance) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let twin = folder.path().join("twin");
        let store = TwinStore::open(&twin, EvaluationOptions::default()).map_err(fault)?;
        let ledger = Ledger::open(&twin).map_err(fault)?;
        let mut city = Side::new("https://city.example/")?;
        let police = Side::new("https://police.example/")?;
        let mut copies = Vec::new();
        let mut held = None;
        for _ in 0..2 {
            for number in 0..=chance.below(3) {
                insert(&store, number as i64)?;
                city.version = store.snapshot().version();
                city.provide(&police, chance.below(100) as u64)?;
            }
            city.seal()?;
            police.seal()?;
            held = Some(city.last_checkpoint()?);
            let mut copy = Vec::new();
            let mut take = |bytes: Vec<u8>| {
                copy.extend(bytes);
                Ok(())
            };
            let pinned = Pinned::new(&store, &ledger).map_err(fault)?;
            pinned.copy(&mut take).map_err(fault)?;
            copy.extend(backup::end(b"").map_err(fault)?);
            let mut rows = read(&copy);
            rows.extend(log(&city.journal.records(), &city.journal.sealed()));
            copies.push(rows);
        }
        let after = copies.pop().ok_or_else(|| fault("no copy"))?;
        let before = copies.pop().ok_or_else(|| fault("no copy"))?;
        Ok(Self {
            city,
            police,
            before,
            after,
            held: held.ok_or_else(|| fault("no checkpoint"))?,
        })
    }

    /// What `audit verify` says of a file: alone, and with the checkpoint that a peer holds.
    fn verify(&self, folder: &Path, held: &[Checkpoint]) -> Result<(), String> {
        let file = JournalFile::open(folder).map_err(|error| error.to_string())?;
        let found = verify_log(&file, &self.city.id, &self.city.keys(), held).map_err(text)?;
        found.sealed().map_err(text)?;
        match found.unproven.first() {
            None => Ok(()),
            Some(range) => Err(format!("unproven: {range:?}")),
        }
    }

    /// Starts on it, as a connector does, uses it once, and stops.
    fn start(&self, folder: &Path) -> Result<(), String> {
        let store = TwinStore::open_existing(folder, EvaluationOptions::default());
        let store = store.map_err(|error| error.to_string())?;
        let identity = CurrentIdentity::new((*self.city.identity).clone());
        let journal: Arc<dyn Journal> = Arc::new(store.journal());
        drop(store);
        let receipts = Receipts::open(Arc::clone(&journal), identity, &[]).map_err(text)?;
        futures::executor::block_on(receipts.seal()).map_err(text)?;
        drop(receipts);
        // Its thread lets go of the file.
        while Arc::strong_count(&journal) > 1 {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Both who looks and the start must say so.
    fn refused(&self, folder: &Path, by: &str) -> Result<(), String> {
        for (what, found) in [
            ("verified", self.verify(folder, &[])),
            ("started", self.start(folder)),
        ] {
            match found {
                Ok(()) => return Err(format!("{what}, and nothing was found")),
                Err(said) if said.contains(by) => {}
                Err(said) => return Err(format!("{what}, and found: {said}; not: {by}")),
            }
        }
        Ok(())
    }
}

fn untouched(world: &World, _: &mut Chance) -> Result<(), String> {
    let folder = store(&world.after)?;
    world.verify(&twin(&folder), std::slice::from_ref(&world.held))?;
    check_versions(&twin(&folder))?;
    world.start(&twin(&folder))?;
    world.verify(&twin(&folder), std::slice::from_ref(&world.held))
}

/// Any byte of any record, where it lies in the file itself.
fn flipped(world: &World, chance: &mut Chance) -> Result<(), String> {
    let folder = store(&world.after)?;
    let file = twin(&folder).join("twin.redb");
    let mut bytes = std::fs::read(&file).map_err(|error| error.to_string())?;
    let records = world.city.journal.records();
    let (_, record) = chance.one(&records).ok_or("no record")?;
    let places: Vec<usize> = places(&bytes, record);
    let (at, bit) = (chance.below(record.len()), chance.below(8));
    for place in &places {
        if let Some(byte) = bytes.get_mut(place + at) {
            *byte ^= 1 << bit;
        }
    }
    if places.is_empty() {
        return Err("the record is not in the file in one piece".to_owned());
    }
    std::fs::write(&file, bytes).map_err(|error| error.to_string())?;
    match world.verify(&twin(&folder), &[]) {
        Ok(()) => Err("nothing was found".to_owned()),
        Err(said) if said.contains("of the log of use") => Ok(()),
        Err(said) => Err(format!("it is not said where: {said}")),
    }
}

fn appended(world: &World, chance: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    for _ in 0..=chance.below(3) {
        forge(&mut rows)?;
    }
    let folder = store(&rows)?;
    world.refused(&twin(&folder), "behind the last that was written here")
}

/// As a program of before seals leaves it after a kill: taken up, never in silence.
fn unsealed(world: &World, chance: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    for _ in 0..=chance.below(3) {
        forge(&mut rows)?;
    }
    rows.retain(|(table, ..)| *table != SEAL);
    let folder = store(&rows)?;
    let twin = twin(&folder);
    for (when, by) in [("before", "under no signature"), ("after", "unproven")] {
        match world.verify(&twin, &[]) {
            Err(said) if said.contains(by) => {}
            found => return Err(format!("{when} the start: {found:?}")),
        }
        world.start(&twin)?;
    }
    Ok(())
}

fn dropped(world: &World, chance: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    cut(&mut rows, 1 + chance.below(3));
    world.refused(&twin(&store(&rows)?), "records are gone")
}

/// What is left may be what an earlier moment had: whoever holds a checkpoint finds it.
fn dropped_with_seal(world: &World, chance: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    cut(&mut rows, 2 + chance.below(3));
    rows.retain(|(table, ..)| *table != SEAL);
    let folder = store(&rows)?;
    match world.verify(&twin(&folder), std::slice::from_ref(&world.held)) {
        Err(said) if said.contains("its end was cut off") => Ok(()),
        found => Err(format!("with what a peer holds: {found:?}")),
    }
}

fn without_checkpoint(world: &World, _: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    cut(&mut rows, 1);
    world.refused(&twin(&store(&rows)?), "records are gone")?;
    rows.retain(|(table, ..)| *table != SEAL);
    match world.verify(&twin(&store(&rows)?), &[]) {
        Err(said) if said.contains("under no signature") => Ok(()),
        found => Err(format!("without its seal: {found:?}")),
    }
}

/// A file that was good once. Alone it is good; a peer has more.
fn rolled_back(world: &World, _: &mut Chance) -> Result<(), String> {
    let folder = store(&world.before)?;
    let twin = twin(&folder);
    world.verify(&twin, &[])?;
    match world.verify(&twin, std::slice::from_ref(&world.held)) {
        Err(said) if said.contains("its end was cut off") => {}
        found => return Err(format!("with what a peer holds: {found:?}")),
    }
    let file = JournalFile::open(&twin).map_err(|error| error.to_string())?;
    let ours = list_entries(&file, 0, usize::MAX).map_err(text)?;
    let theirs = list_entries(&*world.police.journal, 0, usize::MAX).map_err(text)?;
    let compared = reconcile(
        &provided(&ours, world.police.id.as_str()),
        &consumed(&theirs, world.city.id.as_str()),
    );
    match compared
        .iter()
        .any(|(_, found)| *found == Agreement::OnlyThere)
    {
        true => Ok(()),
        false => Err(format!("by reconciling: {compared:?}")),
    }
}

fn change_altered(world: &World, _: &mut Chance) -> Result<(), String> {
    let mut rows = world.after.clone();
    let part = rows.iter_mut().find(|(table, ..)| *table == CHANGES);
    let (_, _, part) = part.ok_or("no change")?;
    // The last quad's object: still a part, and another one.
    let last = part.last_mut().ok_or("an empty part")?;
    *last ^= 1;
    match check_versions(&twin(&store(&rows)?)) {
        Ok(()) => Err("nothing was found".to_owned()),
        Err(_) => Ok(()),
    }
}

/// As `audit verify` does it: the states that the log of use names, made anew from the log of changes.
fn check_versions(folder: &Path) -> Result<(), String> {
    let file = JournalFile::open(folder).map_err(|error| error.to_string())?;
    let named = dataset_versions(&file).map_err(text)?;
    let number = |version: &str| version.split_once('-').and_then(|(at, _)| at.parse().ok());
    let wanted: BTreeSet<u64> = named.keys().filter_map(|version| number(version)).collect();
    let found = file.versions(&wanted).map_err(|error| error.to_string())?;
    let is_there = |version: &String| found.values().any(|found| found == version);
    match !named.is_empty() && named.keys().all(is_there) {
        true => Ok(()),
        false => Err(format!("{named:?} are named, {found:?} are found")),
    }
}

/// Puts a record behind the last that follows on it.
fn forge(rows: &mut Rows) -> Result<(), String> {
    let journal = rows.iter().filter(|(table, ..)| *table == JOURNAL);
    let records: Vec<_> = journal.collect();
    let (_, _, last) = records.last().ok_or("no record")?;
    let intent = records.iter().find_map(|(_, _, record)| {
        let entry: Entry = serde_json::from_slice(record).ok()?;
        matches!(entry.kind, EntryKind::Intent { .. }).then_some(entry)
    });
    let mut entry = intent.ok_or("no intent")?;
    entry.previous = Digest256::of_leaf(last);
    let record = serde_json::to_vec(&entry).map_err(|error| error.to_string())?;
    let key = (records.len() as u64 + 1).to_le_bytes().to_vec();
    let end = rows.iter().rposition(|(table, ..)| *table == JOURNAL);
    rows.insert(end.map_or(0, |end| end + 1), (JOURNAL, key, record));
    Ok(())
}

/// Takes the last records away.
fn cut(rows: &mut Rows, count: usize) {
    for _ in 0..count {
        if let Some(last) = rows.iter().rposition(|(table, ..)| *table == JOURNAL) {
            rows.remove(last);
        }
    }
}

fn log(records: &Records, seal: &[u8]) -> Rows {
    let row = |(at, record): &(u64, Vec<u8>)| (JOURNAL, at.to_le_bytes().to_vec(), record.clone());
    let mut rows: Rows = records.iter().map(row).collect();
    rows.push((SEAL, b"journal".to_vec(), seal.to_vec()));
    rows
}

/// The entries of a copy, without its first line and its end.
fn read(copy: &[u8]) -> Rows {
    let mut rows = Rows::new();
    let line = copy
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or_default();
    let mut rest = copy.get(line + 1..).unwrap_or_default();
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte))
    };
    while let Some((head, left)) = rest.split_at_checked(9) {
        let (key, value) = (head.get(1..5).map(number), head.get(5..9).map(number));
        let (Some(&table), Some(key), Some(value)) = (head.first(), key, value) else {
            break;
        };
        let Some((bytes, left)) = left.split_at_checked(key + value) else {
            break;
        };
        rest = left;
        if table != END {
            let (key, value) = bytes.split_at(key);
            rows.push((table, key.to_vec(), value.to_vec()));
        }
    }
    rows
}

/// A store of these entries, in a folder of its own.
fn store(rows: &Rows) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut rows = rows.clone();
    // A copy has its tables in their order.
    rows.sort_by_key(|(table, ..)| *table);
    let mut copy = b"twinlink backup 1\n".to_vec();
    for (table, key, value) in &rows {
        copy.push(*table);
        copy.extend_from_slice(&(key.len() as u32).to_le_bytes());
        copy.extend_from_slice(&(value.len() as u32).to_le_bytes());
        copy.extend_from_slice(key);
        copy.extend_from_slice(value);
    }
    copy.extend(backup::end(b"").map_err(|error| error.to_string())?);
    backup::restore(&*copy, &twin(&folder)).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn twin(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("twin")
}

fn places(bytes: &[u8], record: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(record.len()).enumerate();
    let found = windows.filter(|(_, window)| *window == record);
    found.map(|(place, _)| place).collect()
}

fn insert(store: &TwinStore, value: i64) -> Result<(), Fault> {
    let name = NamedNode::new_unchecked("https://city.example/a");
    let quad = Quad::new(
        name.clone(),
        name,
        Literal::from(value),
        GraphName::DefaultGraph,
    );
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX);
    let everything = Guard::everything();
    let change = Change::Insert(vec![quad]);
    store
        .apply(&change, None, &everything, &budget)
        .map_err(fault)?;
    Ok(())
}

fn text(refusal: twinlink_core::Refusal) -> String {
    refusal.to_string()
}
