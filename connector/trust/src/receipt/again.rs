//! A receipt once more, out of the log: for a client that could not read it where it came, at the end of an answer.

use super::audit::decode;
use super::entry::{EntryKind, Record};
use super::scribe::{Proof, Written};
use super::{Receipts, fault, text};
use crate::merkle::{Growth, Peaks};
use futures::executor::block_on;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use twinlink_core::{Intent, Refusal};
use uuid::Uuid;

/// How many uses are known at least, the last ones; at most twice as many.
const KNOWN: usize = 32 * 1024;

/// How many records are read at once, and how many at most before and after the one that is looked for.
const WINDOW: u64 = 1024;
const MOST: u64 = 64 * 1024;

/// Where the last uses ended in the journal. A request's id is its own organisation's to choose.
#[derive(Debug, Default)]
pub(super) struct Ended(Mutex<Generations>);

type Places = HashMap<(Uuid, NamedNode), u64>;

#[derive(Debug, Default)]
struct Generations {
    young: Places,
    old: Places,
}

impl Ended {
    pub(super) fn put(&self, intent: &Intent, sequence: u64) {
        let Some(participant) = &intent.record.participant else {
            return;
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.young.len() >= KNOWN {
            all.old = std::mem::take(&mut all.young);
        }
        let request = (intent.record.request, participant.clone());
        all.young.insert(request, sequence);
    }

    fn find(&self, request: &(Uuid, NamedNode)) -> Option<u64> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.young.get(request).or_else(|| all.old.get(request));
        found.copied()
    }
}

impl Receipts {
    /// As [`twinlink_core::UseLog::receipt`]. Blocks.
    // INVARIANT(own-receipts-only): a receipt is given again only to the participant and subject whose use it is of.
    pub(super) fn again(
        &self,
        request: Uuid,
        (participant, subject): (&NamedNode, &str),
    ) -> Result<Option<String>, Refusal> {
        let Some(sequence) = self.ended.find(&(request, participant.clone())) else {
            return Ok(None);
        };
        let mut shown = self.proven(sequence, subject)?;
        if let Found::Open = shown {
            block_on(self.seal())?;
            shown = self.proven(sequence, subject)?;
        }
        match shown {
            Found::Proven(written) => text(*written).map(Some),
            Found::Nothing => Ok(None),
            Found::Open => Err(fault(&"no checkpoint was put behind a record")),
        }
    }

    /// Reads from the checkpoint before the record to the one behind it: a second's records, as a rule.
    fn proven(&self, sequence: u64, subject: &str) -> Result<Found, Refusal> {
        let Some((mut growth, mut from)) = self.before(sequence)? else {
            return Ok(Found::Nothing);
        };
        let most = sequence.saturating_add(MOST);
        let mut found = None;
        while from <= most {
            let batch = self.journal.read(from, WINDOW as usize)?;
            if batch.is_empty() {
                break;
            }
            for (at, bytes) in batch {
                from = at.saturating_add(1);
                let (record, digest) = decode(at, &bytes)?;
                if let Record::Entry(entry) = &record
                    && let EntryKind::Checkpoint { checkpoint, .. } = &entry.kind
                    && let Some((record, index)) = found.take()
                {
                    let path = growth.inclusion(index);
                    let path = path.ok_or_else(|| fault(&"a record has no path"))?;
                    let proof = Proof {
                        record,
                        index,
                        path,
                        checkpoint: checkpoint.as_str().into(),
                    };
                    return Ok(Found::Proven(Box::new(Written {
                        sequence,
                        proof: Some(proof),
                    })));
                }
                let index = growth.push(digest);
                if at == sequence {
                    match record {
                        Record::Entry(entry) if is_of(&entry.kind, subject) => {
                            found = Some((bytes, index));
                        }
                        // Purged since, or somebody else's.
                        _ => return Ok(Found::Nothing),
                    }
                }
            }
        }
        Ok(match found {
            Some(_) => Found::Open,
            None => Found::Nothing,
        })
    }

    /// The tree at the last checkpoint before a record, and where the log goes on from it; none where that is too far.
    fn before(&self, sequence: u64) -> Result<Option<(Growth, u64)>, Refusal> {
        let mut window = WINDOW;
        while window <= MOST {
            let from = sequence.saturating_sub(window);
            let mut last = (from == 0).then(|| (Peaks::default(), 0));
            let mut next = from;
            while next < sequence {
                let most = (sequence - next).min(WINDOW);
                let batch = self.journal.read(next, most as usize)?;
                let Some((end, _)) = batch.last() else { break };
                next = end.saturating_add(1);
                for (at, bytes) in batch.into_iter().filter(|(at, _)| *at < sequence) {
                    if let (Record::Entry(entry), _) = decode(at, &bytes)?
                        && let EntryKind::Checkpoint { size, peaks, .. } = entry.kind
                        && let Some(peaks) = Peaks::new(size, peaks)
                    {
                        last = Some((peaks, at));
                    }
                }
            }
            if let Some((peaks, at)) = last {
                return Ok(Some((Growth::from(peaks), at)));
            }
            window *= 4;
        }
        Ok(None)
    }
}

enum Found {
    Proven(Box<Written>),
    /// It has no checkpoint behind it yet.
    Open,
    Nothing,
}

fn is_of(kind: &EntryKind, subject: &str) -> bool {
    matches!(kind, EntryKind::Completion { used, .. } if used.subject.as_deref() == Some(subject))
}
