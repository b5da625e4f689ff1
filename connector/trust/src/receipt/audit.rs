//! Reading the log: what was used, and whether anybody tampered with it.

use super::entry::{Entry, GENESIS, digest};
use super::{EntryKind, ReceiptClaims};
use twinlink_core::{Code, Journal, Refusal};

/// How many records are read at once.
const BATCH: usize = 1024;

/// What an audit found to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How many records there are.
    pub records: u64,
    /// The sequence number of the last.
    pub last: Option<u64>,
    /// The digest of the last: whoever notes it sees later whether the log up to here is still the same.
    pub head: String,
}

/// At most `most` records from sequence number `from` on. Blocks.
///
/// # Errors
/// [`Code::Internal`], naming the record that cannot be read.
pub fn list_entries(
    journal: &dyn Journal,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Entry)>, Refusal> {
    journal
        .read(from, most)?
        .into_iter()
        .map(|(sequence, record)| Ok((sequence, decode(sequence, &record)?)))
        .collect()
}

/// Walks the whole log and checks that each record seals the one before it. Blocks.
///
/// # Errors
/// [`Code::Internal`], check `audit.chain`, naming the first record that does not.
pub fn audit(journal: &dyn Journal) -> Result<Audit, Refusal> {
    let mut found = Audit {
        records: 0,
        last: None,
        head: GENESIS.to_owned(),
    };
    let mut from = 0;
    loop {
        let batch = journal.read(from, BATCH)?;
        if batch.is_empty() {
            return Ok(found);
        }
        for (sequence, record) in batch {
            let entry = decode(sequence, &record)?;
            if entry.previous != found.head {
                return Err(broken(
                    sequence,
                    "does not follow on the record before it: one was changed, removed or put in",
                ));
            }
            found.records += 1;
            found.last = Some(sequence);
            found.head = digest(&record);
            from = sequence.saturating_add(1);
        }
    }
}

impl ReceiptClaims {
    /// Checks that the signer's log still holds what the receipt says. Blocks.
    ///
    /// # Errors
    /// [`Code::Internal`], check `audit.receipt`, saying what is missing or was changed.
    pub fn check_against(&self, journal: &dyn Journal) -> Result<(), Refusal> {
        let fault = |detail: &str| Refusal::new(Code::Internal, "audit.receipt", detail);
        let record = at(journal, self.sequence)?
            .ok_or_else(|| fault("the log does not hold the receipt's record"))?;
        if digest(&record) != self.record {
            return Err(fault("the log's record is not the one of the receipt"));
        }
        let intent = at(journal, self.intent)?
            .ok_or_else(|| fault("the log does not hold the receipt's intent"))?;
        match decode(self.intent, &intent)? {
            Entry {
                request,
                kind: EntryKind::Intent { request_digest, .. },
                ..
            } if request == self.request && request_digest == self.request_digest => Ok(()),
            _ => Err(fault("the log's intent is not the one of the receipt")),
        }
    }
}

fn at(journal: &dyn Journal, sequence: u64) -> Result<Option<Vec<u8>>, Refusal> {
    let found = journal.read(sequence, 1)?.into_iter().next();
    Ok(found.and_then(|(at, record)| (at == sequence).then_some(record)))
}

fn decode(sequence: u64, record: &[u8]) -> Result<Entry, Refusal> {
    serde_json::from_slice(record).map_err(|_| broken(sequence, "is not a record of use"))
}

fn broken(sequence: u64, what: &str) -> Refusal {
    Refusal::new(
        Code::Internal,
        "audit.chain",
        format_args!("record {sequence} of the log of use {what}"),
    )
}
