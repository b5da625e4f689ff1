//! Reading the log: what was used, and whether anybody tampered with it. Needs the journal and public keys, no network.

use super::checkpoint::{Checkpoint, verify_checkpoint};
use super::end::{compare, seal_text};
use super::entry::{Entry, Record};
use super::keys::own_keys;
use super::resume::{Tail, resume};
use super::{EntryKind, ReceiptClaims};
use crate::PublicKey;
use crate::merkle::{Digest256, Growth, Peaks};
use oxrdf::NamedNode;
use std::collections::{BTreeMap, HashMap};
use twinlink_core::{Code, Journal, Refusal};

/// How many records are read at once.
const BATCH: usize = 1024;

/// What an audit found to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How many records there are, purged ones included.
    pub records: u64,
    /// How many of them were purged: their digests are left.
    pub purged: u64,
    /// How many signed checkpoints there are.
    pub checkpoints: u64,
    /// How many records, at the end, have no checkpoint behind them.
    pub open: u64,
    /// How many records, at the end, nothing signed is about: neither a checkpoint nor the seal that each batch is
    /// written with. See [`Audit::sealed`].
    pub unsealed: u64,
    /// The first and the last place of records that were taken up without proof that we wrote them, as the log says.
    pub unproven: Vec<(u64, u64)>,
    /// The sequence number of the last.
    pub last: Option<u64>,
    /// The digest of the last: whoever notes it sees later whether the log up to here is still the same.
    pub head: Digest256,
    /// The root of the tree over all records.
    pub root: Digest256,
}

/// At most `most` records from sequence number `from` on, without those that were purged. Blocks.
///
/// # Errors
/// [`Code::Internal`], naming the record that cannot be read.
pub fn list_entries(
    journal: &dyn Journal,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Entry)>, Refusal> {
    let mut entries = Vec::new();
    for (sequence, bytes) in journal.read(from, most)? {
        if let (Record::Entry(entry), _) = decode(sequence, &bytes)? {
            entries.push((sequence, *entry));
        }
    }
    Ok(entries)
}

/// All records about a request, by its id here or at the peer. Reads the whole log. Blocks.
///
/// # Errors
/// As [`list_entries`].
pub fn show_entries(journal: &dyn Journal, request: &str) -> Result<Vec<(u64, Entry)>, Refusal> {
    let mut found = Vec::new();
    walk(journal, |sequence, record, _| {
        if let Record::Entry(entry) = record
            && entry.kind.requests().contains(&request)
        {
            found.push((sequence, (**entry).clone()));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The states of the twin that intents name, each with the first record that names it: `dataset_version`. Reads the whole log.
/// Blocks.
///
/// # Errors
/// As [`list_entries`].
pub fn dataset_versions(journal: &dyn Journal) -> Result<BTreeMap<String, u64>, Refusal> {
    let mut found = BTreeMap::new();
    walk(journal, |sequence, record, _| {
        if let Record::Entry(entry) = record
            && let EntryKind::Intent {
                dataset_version: Some(version),
                ..
            } = &entry.kind
        {
            found.entry(version.clone()).or_insert(sequence);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Walks the whole log and checks that each record seals the one before it, and each checkpoint the tree: not yet who
/// signed it. Blocks.
///
/// # Errors
/// [`Code::Internal`], check `audit.chain`, naming the first record that does not.
pub fn audit(journal: &dyn Journal) -> Result<Audit, Refusal> {
    let read = |text: &str| crate::jws::unverified(text).ok_or_else(|| unread("is none"));
    check(journal, |_| Ok(()), &[], read)
}

/// As [`audit`], and checks that the participant signed every checkpoint with one of these keys, or with one that they say
/// in the log was its own before, and that the log is the one whose checkpoints others hold. Blocks.
///
/// # Errors
/// As [`audit`]; check `audit.checkpoint` for a signature that is not the participant's; check `audit.held` for a
/// checkpoint that others hold and that this log does not lead to: it was cut off or rewritten.
// INVARIANT(tampering-is-found): a log with a byte or record changed, dropped, swapped or put in does not pass.
pub fn verify_log(
    journal: &dyn Journal,
    signer: &NamedNode,
    keys: &[PublicKey],
    held: &[Checkpoint],
) -> Result<Audit, Refusal> {
    let keys = own_keys(journal, signer, keys)?;
    let signed = |text: &str| verify_checkpoint(text, signer, &keys);
    for checkpoint in held {
        if checkpoint.log != signer.as_str() {
            return Err(Refusal::new(
                Code::Invalid,
                "audit.held",
                "a checkpoint that others hold is of another log",
            ));
        }
    }
    check(
        journal,
        |entry| match &entry.kind {
            EntryKind::Checkpoint { checkpoint, .. } => signed(checkpoint).map(drop),
            _ => Ok(()),
        },
        held,
        |text| signed(text).map_err(unread),
    )
}

impl Audit {
    /// Whether every record is under a signature. A log that lies still is; of one that is being written, the last records
    /// may not be when they are read.
    ///
    /// # Errors
    /// [`Code::Internal`], check `audit.end`.
    pub fn sealed(&self) -> Result<(), Refusal> {
        match self.unsealed {
            0 => Ok(()),
            count => Err(end(format_args!(
                "the last {count} records of the log of use are under no signature: nothing shows who wrote them"
            ))),
        }
    }
}

fn unread(reason: impl std::fmt::Display) -> Refusal {
    end(format_args!(
        "what is signed of the end of the log of use {reason}"
    ))
}

fn end(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, "audit.end", detail)
}

/// The proof that the log of `old` records is a part of the log of `new`: what a witness asks for. Blocks.
///
/// # Errors
/// [`Code::NotFound`] where the log is not that long.
pub fn prove_consistency(
    journal: &dyn Journal,
    old: u64,
    new: u64,
) -> Result<Vec<Digest256>, Refusal> {
    let missing = || Refusal::new(Code::NotFound, "checkpoint", "the log is not that long");
    let before = resume(journal, old)?;
    if before.peaks.size() != old || old > new {
        return Err(missing());
    }
    let (mut growth, mut from) = (Growth::from(before.peaks), before.next);
    while growth.size() < new {
        let left = usize::try_from(new - growth.size()).unwrap_or(BATCH);
        let batch = journal.read(from, left.min(BATCH))?;
        if batch.is_empty() {
            return Err(missing());
        }
        for (sequence, bytes) in batch {
            let (_, digest) = decode(sequence, &bytes)?;
            growth.push(digest);
            from = sequence.saturating_add(1);
        }
    }
    growth.consistency().ok_or_else(missing)
}

impl ReceiptClaims {
    /// Checks that the signer's log still holds what the receipt says. Blocks.
    ///
    /// # Errors
    /// [`Code::Internal`], check `audit.receipt`, saying what is missing or was changed.
    pub fn check_against(&self, journal: &dyn Journal) -> Result<(), Refusal> {
        let fault = |detail: &str| Refusal::new(Code::Internal, "audit.receipt", detail);
        let found = at(journal, self.sequence)?;
        let (_, digest) =
            found.ok_or_else(|| fault("the log does not hold the receipt's record"))?;
        if digest != self.record {
            return Err(fault("the log's record is not the one of the receipt"));
        }
        let intent = at(journal, self.intent)?
            .ok_or_else(|| fault("the log does not hold the receipt's intent"))?;
        match intent.0 {
            // Its digest is left, and the completion says again what it said.
            Record::Purged => Ok(()),
            Record::Entry(entry) => match entry.kind {
                EntryKind::Intent { used, .. } if used == self.used => Ok(()),
                _ => Err(fault("the log's intent is not the one of the receipt")),
            },
        }
    }
}

fn check(
    journal: &dyn Journal,
    mut look: impl FnMut(&Entry) -> Result<(), Refusal>,
    held: &[Checkpoint],
    read: impl FnOnce(&str) -> Result<Checkpoint, Refusal>,
) -> Result<Audit, Refusal> {
    let mut tail = Tail::empty();
    let (mut last, mut purged, mut checkpoints) = (None, 0, 0);
    let mut unproven = Vec::new();
    let mut unsealed_purge = None;
    let mut by_size: HashMap<u64, Vec<&Checkpoint>> = HashMap::new();
    for one in held {
        by_size.entry(one.size).or_default().push(one);
    }
    check_held(&by_size, &tail.peaks)?;
    walk(journal, |sequence, record, digest| {
        match record {
            Record::Purged => {
                purged += 1;
                unsealed_purge = Some(sequence);
            }
            Record::Entry(entry) => {
                if entry.previous != tail.head {
                    return Err(broken(
                        sequence,
                        "does not follow on the record before it: one was changed, removed or put in",
                    ));
                }
                if let EntryKind::Checkpoint { size, peaks, .. } = &entry.kind {
                    if *size != tail.peaks.size() || peaks != tail.peaks.digests() {
                        return Err(broken(sequence, "is a checkpoint of another tree"));
                    }
                    check_checkpoint(sequence, entry, &tail)?;
                    checkpoints += 1;
                    unsealed_purge = None;
                }
                if let EntryKind::Unproven { first, last } = entry.kind {
                    unproven.push((first, last));
                }
                look(entry).map_err(|refusal| {
                    Refusal::new(
                        Code::Internal,
                        "audit.checkpoint",
                        format_args!("record {sequence} of the log of use: {refusal}"),
                    )
                })?;
            }
        }
        tail.push(record, digest);
        last = Some(sequence);
        check_held(&by_size, &tail.peaks)
    })?;
    if let Some(sequence) = unsealed_purge {
        return Err(broken(
            sequence,
            "was purged without a checkpoint behind it",
        ));
    }
    if let Some(missing) = held.iter().find(|held| held.size > tail.peaks.size()) {
        return Err(not_held(missing, "the log is shorter: its end was cut off"));
    }
    let seal = seal_text(journal)?;
    let unsealed = match &seal {
        Some(_) => 0,
        None => tail.open,
    };
    if let Some(seal) = seal {
        compare(&read(&seal)?, &tail.peaks).map_err(|refusal| end(refusal.to_string()))?;
    }
    Ok(Audit {
        records: tail.peaks.size(),
        purged,
        checkpoints,
        open: tail.open,
        unsealed,
        unproven,
        last,
        head: tail.head,
        root: tail.peaks.root(),
    })
}

/// Whether what is signed is what stands beside it. By whom, is asked where there are keys.
fn check_checkpoint(sequence: u64, entry: &Entry, tail: &Tail) -> Result<(), Refusal> {
    let EntryKind::Checkpoint { checkpoint, .. } = &entry.kind else {
        return Ok(());
    };
    let signed: Option<Checkpoint> = crate::jws::unverified(checkpoint);
    let fits = signed.is_some_and(|signed| {
        signed.size == tail.peaks.size()
            && signed.root == tail.peaks.root()
            && signed.time == entry.time
            && entry.salt.is_empty()
    });
    match fits {
        true => Ok(()),
        false => Err(broken(
            sequence,
            "is a checkpoint that was signed of another tree",
        )),
    }
}

fn check_held(held: &HashMap<u64, Vec<&Checkpoint>>, peaks: &Peaks) -> Result<(), Refusal> {
    for checkpoint in held.get(&peaks.size()).into_iter().flatten() {
        if checkpoint.root != peaks.root() {
            return Err(not_held(checkpoint, "the log was rewritten"));
        }
    }
    Ok(())
}

/// Calls for each record of the log, in order.
pub(super) fn walk(
    journal: &dyn Journal,
    mut visit: impl FnMut(u64, &Record, Digest256) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut from = 0;
    loop {
        let batch = journal.read(from, BATCH)?;
        if batch.is_empty() {
            return Ok(());
        }
        for (sequence, bytes) in batch {
            let (record, digest) = decode(sequence, &bytes)?;
            visit(sequence, &record, digest)?;
            from = sequence.saturating_add(1);
        }
    }
}

pub(super) fn at(
    journal: &dyn Journal,
    sequence: u64,
) -> Result<Option<(Record, Digest256)>, Refusal> {
    match journal.read(sequence, 1)?.into_iter().next() {
        Some((at, bytes)) if at == sequence => decode(sequence, &bytes).map(Some),
        _ => Ok(None),
    }
}

/// A record's entry; none where it was purged.
pub(crate) fn read_entry(sequence: u64, bytes: &[u8]) -> Result<Option<Entry>, Refusal> {
    Ok(match decode(sequence, bytes)?.0 {
        Record::Entry(entry) => Some(*entry),
        Record::Purged => None,
    })
}

pub(super) fn decode(sequence: u64, bytes: &[u8]) -> Result<(Record, Digest256), Refusal> {
    Record::read(bytes).ok_or_else(|| broken(sequence, "is not a record of use"))
}

fn broken(sequence: u64, what: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        "audit.chain",
        format_args!("record {sequence} of the log of use {what}"),
    )
}

fn not_held(checkpoint: &Checkpoint, what: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        "audit.held",
        format_args!(
            "others hold a checkpoint of {} records: {what}",
            checkpoint.size
        ),
    )
}
