//! Where a log ends: found from its last checkpoint, because a long journal costs too much to read whole.

use super::audit::decode;
use super::entry::{Entry, EntryKind, Record};
use super::scribe::unavailable;
use crate::merkle::{Digest256, Peaks};
use twinlink_core::{Journal, Refusal};

/// How many records are read at first, going back from the end.
const WINDOW: u64 = 1024;

/// The end of a log.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// The tree over all records.
    pub(super) peaks: Peaks,
    /// The digest of the last.
    pub(super) head: Digest256,
    /// When the last was written.
    pub(super) time: String,
    /// How many records have no checkpoint behind them.
    pub(super) open: u64,
    /// The least sequence number that the next may have.
    pub(super) next: u64,
    /// The last checkpoint that was read, and its sequence number.
    pub(super) checkpoint: Option<(u64, Box<Entry>)>,
}

impl Tail {
    pub(super) fn empty() -> Self {
        Self {
            peaks: Peaks::default(),
            head: Digest256::of_nothing(),
            time: String::new(),
            open: 0,
            next: 0,
            checkpoint: None,
        }
    }

    pub(super) fn push(&mut self, record: &Record, digest: Digest256) {
        self.peaks.push(digest);
        self.head = digest;
        self.open += 1;
        if let Record::Entry(entry) = record {
            self.time.clone_from(&entry.time);
            if matches!(entry.kind, EntryKind::Checkpoint { .. }) {
                self.open = 0;
            }
        }
    }
}

/// The log's first `size` records, or all where it has fewer. Blocks.
pub(super) fn resume(journal: &dyn Journal, size: u64) -> Result<Tail, Refusal> {
    let Some(last) = last_sequence(journal)? else {
        return Ok(Tail::empty());
    };
    let mut window = WINDOW;
    loop {
        let from = last.saturating_sub(window - 1);
        if let Some(tail) = read_on(journal, from, last, size)? {
            return Ok(tail);
        }
        window = window.saturating_mul(4);
    }
}

/// Reads from the last checkpoint in this window that is early enough; none where there is none. Then the
/// window must begin earlier.
fn read_on(
    journal: &dyn Journal,
    from: u64,
    last: u64,
    size: u64,
) -> Result<Option<Tail>, Refusal> {
    let mut tail = (from == 0).then(Tail::empty);
    let (mut next, mut past) = (from, false);
    while next <= last && !past {
        let batch = journal.read(next, 1024).map_err(unavailable)?;
        if batch.is_empty() {
            break;
        }
        for (sequence, bytes) in batch {
            next = sequence.saturating_add(1);
            let (record, digest) = decode(sequence, &bytes)?;
            if let Record::Entry(entry) = &record
                && let EntryKind::Checkpoint {
                    size: before,
                    peaks,
                    ..
                } = &entry.kind
                && *before <= size
                && tail.is_none()
            {
                tail = Peaks::new(*before, peaks.clone()).map(|peaks| Tail {
                    peaks,
                    head: entry.previous,
                    next: sequence,
                    ..Tail::empty()
                });
            }
            past = tail.as_ref().is_some_and(|tail| tail.peaks.size() >= size);
            if past {
                break;
            }
            if let Some(tail) = &mut tail {
                tail.push(&record, digest);
                tail.next = next;
                if let Record::Entry(entry) = record
                    && matches!(entry.kind, EntryKind::Checkpoint { .. })
                {
                    tail.checkpoint = Some((sequence, entry));
                }
            }
        }
    }
    Ok(tail)
}

/// The last record's sequence number, found by doubling and halving.
pub(super) fn last_sequence(journal: &dyn Journal) -> Result<Option<u64>, Refusal> {
    let read = |from| journal.read(from, 1).map_err(unavailable);
    let Some((mut at, _)) = read(0)?.into_iter().next() else {
        return Ok(None);
    };
    let mut step = 1_u64;
    while step > 0 {
        let found = at.checked_add(step).map(read).transpose()?;
        match found.and_then(|found| found.into_iter().next()) {
            Some((found, _)) => {
                at = found;
                step = step.saturating_mul(2);
            }
            // Nothing from there on: the last record is nearer than that.
            None => step /= 2,
        }
    }
    Ok(Some(at))
}
