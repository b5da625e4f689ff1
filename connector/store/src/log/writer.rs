//! The thread that writes the log.

use super::rewrite::DUE;
use super::{Batch, CHANGES, COMMITS, JOURNAL, JOURNAL_END, META, SEAL, log_error};
use crate::StoreError;
use crate::durable::{Keeper, Undo};
use futures::channel::oneshot;
use redb::{Database, Durability};
use std::sync::mpsc;

/// How much one transaction takes together.
const GROUP: usize = 512;
const GROUP_BYTES: usize = 32 << 20;

/// What the writer is asked to do.
pub(super) enum Job {
    Commit(Batch, oneshot::Sender<Result<(), StoreError>>),
    Append {
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
        done: oneshot::Sender<Result<Vec<u64>, StoreError>>,
    },
    /// Puts other records in place of some.
    Replace(Vec<(u64, Vec<u8>)>, oneshot::Sender<Result<(), StoreError>>),
}

/// Writes what it is sent, a group at a time.
pub(super) struct Writer {
    pub(super) keeper: Keeper,
    /// The numbers of the last batch and of the last record that are durable.
    pub(super) last_commit: u64,
    pub(super) last_record: u64,
    /// The seal that is durable.
    pub(super) last_seal: Option<Vec<u8>>,
    /// The [`Batch::serial`] of the last batch that is durable.
    pub(super) last_batch: u64,
}

impl Writer {
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Some(first) = self.keeper.next(jobs) {
            let mut bytes = first.bytes();
            let mut group = vec![first];
            while group.len() < GROUP && bytes < GROUP_BYTES {
                let Ok(job) = jobs.try_recv() else { break };
                bytes += job.bytes();
                group.push(job);
            }
            let group = self.refuse_orphans(group);
            let first_record = self.last_record + 1;
            let written = self.keeper.check(bytes);
            let written = written.and_then(|()| self.write(&group, bytes));
            answer(group, &written, first_record);
        }
    }

    /// Answers changes that build on one that was refused, and replacements of what is not there, and leaves the others.
    // INVARIANT(no-change-on-a-refused-one): a batch is written only if the batch it was made from is.
    fn refuse_orphans(&self, group: Vec<Job>) -> Vec<Job> {
        let mut last = self.last_batch;
        let mut left = Vec::with_capacity(group.len());
        for job in group {
            match job {
                Job::Commit(batch, done) if batch.parent != last => {
                    drop(done.send(Err(StoreError::Orphan)));
                }
                Job::Commit(batch, done) => {
                    last = batch.serial;
                    left.push(Job::Commit(batch, done));
                }
                Job::Replace(records, done) if !self.has_all(&records) => {
                    let error = "there is no record to replace";
                    drop(done.send(Err(log_error(error))));
                }
                other @ (Job::Append { .. } | Job::Replace(..)) => left.push(other),
            }
        }
        left
    }

    /// Whether all these records are on disk: their numbers begin with 1, and none is left out.
    fn has_all(&self, records: &[(u64, Vec<u8>)]) -> bool {
        let mut sequences = records.iter().map(|(sequence, _)| *sequence);
        sequences.all(|sequence| (1..=self.last_record).contains(&sequence))
    }

    // INVARIANT(acknowledged-means-durable): jobs are answered after this has returned, and redb's commit has synced.
    fn write(&mut self, group: &[Job], bytes: usize) -> Result<(), StoreError> {
        let (last_commit, last_record) = (self.last_commit, self.last_record);
        let last_seal = &self.last_seal;
        self.keeper.write(
            bytes,
            |durable| write_through(&durable.database(), group, last_record),
            || undo(last_commit, last_record, last_seal.clone()),
        )?;
        for job in group {
            match job {
                Job::Commit(batch, _) => {
                    self.last_batch = batch.serial;
                    self.last_commit = batch.sequence;
                }
                Job::Append { records, seal, .. } => {
                    self.last_record += records.len() as u64;
                    self.last_seal = Some(seal.clone());
                }
                Job::Replace(..) => {}
            }
        }
        Ok(())
    }
}

fn write_through(
    database: &Database,
    group: &[Job],
    mut last_record: u64,
) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().map_err(log_error)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(log_error)?;
    {
        let mut commits = transaction.open_table(COMMITS).map_err(log_error)?;
        let mut changes = transaction.open_table(CHANGES).map_err(log_error)?;
        let mut journal = transaction.open_table(JOURNAL).map_err(log_error)?;
        for job in group {
            match job {
                Job::Commit(batch, _) => {
                    let nanoseconds =
                        i64::try_from(batch.time.unix_timestamp_nanos()).map_err(log_error)?;
                    commits
                        .insert(batch.sequence, nanoseconds)
                        .map_err(log_error)?;
                    for (number, part) in (0_u32..).zip(&batch.parts) {
                        changes
                            .insert((batch.sequence, number), part.as_slice())
                            .map_err(log_error)?;
                    }
                }
                // INVARIANT(sealed-as-written): records reach the disk with the seal over them, or not at all.
                Job::Append { records, seal, .. } => {
                    for record in records {
                        last_record += 1;
                        journal
                            .insert(last_record, record.as_slice())
                            .map_err(log_error)?;
                    }
                    let mut seals = transaction.open_table(SEAL).map_err(log_error)?;
                    seals
                        .insert(JOURNAL_END, seal.as_slice())
                        .map_err(log_error)?;
                }
                Job::Replace(records, _) => {
                    for (sequence, record) in records {
                        journal
                            .insert(*sequence, record.as_slice())
                            .map_err(log_error)?;
                    }
                    let mut meta = transaction.open_table(META).map_err(log_error)?;
                    meta.insert(DUE, 1).map_err(log_error)?;
                }
            }
        }
    }
    transaction.commit().map_err(log_error)
}

/// Takes back what is behind the last that was acknowledged. Not what was put in the place of records: that is on record
/// before, and done again by whoever was refused.
fn undo(last_commit: u64, last_record: u64, last_seal: Option<Vec<u8>>) -> Box<Undo> {
    Box::new(move |database| {
        let transaction = database.begin_write().map_err(log_error)?;
        {
            let mut commits = transaction.open_table(COMMITS).map_err(log_error)?;
            commits
                .retain_in(last_commit + 1.., |_, _| false)
                .map_err(log_error)?;
            let mut changes = transaction.open_table(CHANGES).map_err(log_error)?;
            changes
                .retain_in((last_commit + 1, 0).., |_, _| false)
                .map_err(log_error)?;
            let mut journal = transaction.open_table(JOURNAL).map_err(log_error)?;
            journal
                .retain_in(last_record + 1.., |_, _| false)
                .map_err(log_error)?;
            let mut seals = transaction.open_table(SEAL).map_err(log_error)?;
            match &last_seal {
                Some(seal) => seals.insert(JOURNAL_END, seal.as_slice()),
                None => seals.remove(JOURNAL_END),
            }
            .map_err(log_error)?;
        }
        transaction.commit().map_err(log_error)
    })
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Commit(batch, _) => batch.parts.iter().map(Vec::len).sum(),
            Self::Append { records, seal, .. } => {
                records.iter().map(Vec::len).sum::<usize>() + seal.len()
            }
            Self::Replace(records, _) => records.iter().map(|(_, record)| record.len()).sum(),
        }
    }
}

fn answer(group: Vec<Job>, written: &Result<(), StoreError>, first_record: u64) {
    let mut record = first_record;
    for job in group {
        // Whoever asked may have gone away: then nobody needs the answer.
        match job {
            Job::Commit(batch, done) => {
                if written.is_ok() {
                    (batch.publish)();
                }
                drop(done.send(written.clone()));
            }
            Job::Append { records, done, .. } => {
                let after = record + records.len() as u64;
                drop(done.send(written.clone().map(|()| (record..after).collect())));
                record = after;
            }
            Job::Replace(_, done) => drop(done.send(written.clone())),
        }
    }
}
