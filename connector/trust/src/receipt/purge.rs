//! Records that are forgotten: what they said and their salt go, their digests stay, so tree and chain are whole. That
//! they went, by whom and why, is on record before anything goes.

use super::audit::{decode, walk};
use super::entry::{Entry, EntryKind, Record, tombstone};
use super::{Receipts, fault, moment};
use crate::token::revokes_until;
use std::collections::BTreeSet;
use time::OffsetDateTime;
use twinlink_core::{Code, Journal, Refusal};

/// The most records that are purged at once.
const MOST: usize = 100_000;
/// The longest reason, in bytes.
const REASON: usize = 4 << 10;

/// What was purged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Purged {
    /// The places of the records.
    pub records: Vec<u64>,
    /// The place of the record that says so; none where nothing was left to purge.
    pub recorded: Option<u64>,
}

impl Receipts {
    /// Forgets what the records at these places of the journal say. What is purged already stays so. From here on nobody
    /// reads it; it leaves the disk when the journal is opened next.
    ///
    /// # Errors
    /// [`Code::NotFound`], check `purge.record`, where there is none; [`Code::Conflict`], check `purge.record`, for one that
    /// keeps a token revoked which may not have expired; [`Code::Invalid`], check `purge.record`, for one
    /// that says nothing of a use, `purge.reason` without a reason; [`Code::Unavailable`]. Where that comes late, the
    /// purge is on record and may be asked for again.
    // INVARIANT(purged-and-the-log-says-so): a record is purged after the log says on disk, under a checkpoint, that it is.
    pub async fn purge(
        &self,
        places: &[u64],
        by: &str,
        reason: &str,
        time: OffsetDateTime,
    ) -> Result<Purged, Refusal> {
        if reason.trim().is_empty() || reason.len() > REASON {
            let detail = format_args!("a purge has a reason, of at most {REASON} bytes");
            return Err(Refusal::about_input("purge.reason", detail));
        }
        let places: BTreeSet<u64> = places.iter().copied().collect();
        if places.len() > MOST {
            let detail = format_args!("at most {MOST} records are purged at once");
            return Err(Refusal::about_input("purge.record", detail));
        }
        let mut left = Vec::new();
        for place in places {
            if let Some(tombstone) = left_of(&*self.journal, place, time)? {
                left.push((place, tombstone));
            }
        }
        if left.is_empty() {
            return Ok(Purged::default());
        }
        let records: Vec<u64> = left.iter().map(|(place, _)| *place).collect();
        let kind = EntryKind::Purge {
            records: records.clone(),
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        let recorded = self.note(kind, time).await?;
        // Only what is under a checkpoint may go.
        self.seal().await?;
        self.journal.replace(left).await?;
        Ok(Purged {
            records,
            recorded: Some(recorded),
        })
    }
}

/// What to put in a record's place; none where it is there already.
fn left_of(
    journal: &dyn Journal,
    place: u64,
    now: OffsetDateTime,
) -> Result<Option<Vec<u8>>, Refusal> {
    let found = journal.read(place, 1)?.into_iter().next();
    let Some((_, bytes)) = found.filter(|(at, _)| *at == place) else {
        let detail = format_args!("the log has no record {place}");
        return Err(Refusal::new(Code::NotFound, "purge.record", detail).open());
    };
    match decode(place, &bytes)?.0 {
        Record::Purged => Ok(None),
        Record::Entry(entry) if is_of_a_use(&entry.kind) => {
            check_in_force(place, &entry, now)?;
            match tombstone(&bytes) {
                Some(left) => Ok(Some(left)),
                None => Err(fault(&"a record of a use has no tombstone")),
            }
        }
        Record::Entry(_) => Err(Refusal::about_input(
            "purge.record",
            format_args!("record {place} says nothing of a use, and stays"),
        )),
    }
}

/// Refuses what is still needed.
// INVARIANT(in-force-stays): while a revoked token may be good otherwise, the record that revokes it stays: a start looks there.
fn check_in_force(place: u64, entry: &Entry, now: OffsetDateTime) -> Result<(), Refusal> {
    let Some(until) = revokes_until(entry).filter(|until| *until > now) else {
        return Ok(());
    };
    let until = moment(until).map_err(|error| fault(&error))?;
    let detail = format_args!(
        "record {place} keeps a token revoked, which would count again after a restart; from {until} on it has expired"
    );
    Err(Refusal::new(Code::Conflict, "purge.record", detail).open())
}

fn is_of_a_use(kind: &EntryKind) -> bool {
    matches!(
        kind,
        EntryKind::Intent { .. }
            | EntryKind::Completion { .. }
            | EntryKind::Changed { .. }
            | EntryKind::Asked { .. }
            | EntryKind::Answered { .. }
    )
}

/// The places of the records that say something of a request, by its id here or in both logs. Reads the whole log. Blocks.
///
/// # Errors
/// [`Code::Internal`], naming the record that cannot be read.
pub fn find_purgeable(journal: &dyn Journal, request: &str) -> Result<Vec<u64>, Refusal> {
    let mut found = Vec::new();
    walk(journal, |place, record, _| {
        if let Record::Entry(entry) = record
            && is_of_a_use(&entry.kind)
            && entry.kind.requests().contains(&request)
        {
            found.push(place);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The places of the records that are purged, without the log saying so. Reads the whole log. Blocks.
///
/// # Errors
/// As [`find_purgeable`].
pub fn unrecorded_purges(journal: &dyn Journal) -> Result<Vec<u64>, Refusal> {
    let mut gone = BTreeSet::new();
    let mut said = BTreeSet::new();
    walk(journal, |place, record, _| {
        match record {
            Record::Purged => drop(gone.insert(place)),
            Record::Entry(entry) => {
                if let EntryKind::Purge { records, .. } = &entry.kind {
                    // Not what comes after: nobody knows that yet.
                    said.extend(records.iter().filter(|record| **record < place));
                }
            }
        }
        Ok(())
    })?;
    Ok(gone.difference(&said).copied().collect())
}
