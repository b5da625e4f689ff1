//! The log of changes and the journal of use: append-only, in one file of redb, written by one thread.
//!
//! The thread takes all that waits, writes it in one transaction, syncs once and then tells everybody: many small
//! commits share one fsync. Nothing is written while the disk has little room; after a write that failed all the same, the
//! file is opened again without it. The log goes on by itself in both cases.
//!
//! redb keeps both: a pure-Rust B-tree in one file, with checksums, a lock against a second process, and a commit
//! that is one write and one fsync. Measured beside fjall on a slow disk: 352 to 383 synced commits a second of one
//! record of 300 bytes, 295 to 291 of 16 records, 134 to 290 of 128; we took the simpler file.

pub(crate) mod file;
pub(crate) mod part;
mod rewrite;
mod writer;

use crate::StoreError;
use crate::durable::room::{Free, Room};
use crate::durable::{self, Durable, Fault, Keeper, WriterThread};
use futures::channel::oneshot;
use redb::{
    Database, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
};
use std::path::Path;
use std::sync::{Arc, mpsc};
use time::OffsetDateTime;
use writer::{Job, Writer};

/// The version of the tables below and of what is in them.
const VERSION: u64 = 1;
pub(crate) const FILE: &str = "twin.redb";
/// The log is read once, from end to end: a large cache would only cost memory.
const CACHE_BYTES: usize = 8 << 20;
/// `version`.
pub(crate) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Sequence number to time, in nanoseconds since 1970.
pub(crate) const COMMITS: TableDefinition<u64, i64> = TableDefinition::new("commits");
/// Sequence number and part to [`part`].
pub(crate) const CHANGES: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("changes");
/// One entry: what its writer signed of the journal up to its last record.
pub(crate) const SEAL: TableDefinition<&str, &[u8]> = TableDefinition::new("seal");
/// The key of that entry.
const JOURNAL_END: &str = "journal";
/// Sequence number to record.
pub(crate) const JOURNAL: TableDefinition<u64, &[u8]> = TableDefinition::new("journal");

/// The open log.
pub(crate) struct Log {
    durable: Arc<Durable>,
    queue: mpsc::Sender<Job>,
    fault: Fault,
    /// After the queue: fields are dropped in their order.
    thread: WriterThread,
}

/// A batch that is to be durable as a whole.
pub(crate) struct Batch {
    /// Its name among the batches of this process: 1 or more, whether they became durable or not.
    pub(crate) serial: u64,
    /// The batch that it builds on; 0 for what was in the log when it was opened.
    pub(crate) parent: u64,
    pub(crate) sequence: u64,
    pub(crate) time: OffsetDateTime,
    pub(crate) parts: Vec<Vec<u8>>,
    /// Called on the log's thread once the batch is durable, in the order of the batches.
    pub(crate) publish: Box<dyn FnOnce() + Send>,
}

/// One committed batch, as it is read back.
pub(crate) struct Committed {
    pub(crate) sequence: u64,
    pub(crate) time: OffsetDateTime,
}

impl Log {
    /// Opens the log in a directory; where it may be made, makes both if there is nothing of either.
    pub(crate) fn open(directory: &Path, free: Free, may_make: bool) -> Result<Self, StoreError> {
        let (durable, path) = match may_make {
            true => durable::open_or_make(directory, FILE, CACHE_BYTES, create)?,
            false => durable::open(directory, FILE, CACHE_BYTES)?,
        };
        let durable = rewrite::rewritten(durable, &path)?;
        Self::start(durable, &path, Room::beside(&path, free))
    }

    /// A log that lives as long as the process.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        Self::over(redb::backends::InMemoryBackend::new())
    }

    /// A log that is no file.
    pub(crate) fn over(backend: impl redb::StorageBackend) -> Result<Self, StoreError> {
        let (durable, path) = durable::over(backend, CACHE_BYTES)?;
        let transaction = durable.read().map_err(log_error)?;
        let tables = transaction.list_tables().map_err(log_error)?.count();
        drop(transaction);
        if tables == 0 {
            create(&durable.database(), &path)?;
        }
        Self::start(durable, &path, Room::of_memory())
    }

    fn start(durable: Durable, path: &Path, room: Room) -> Result<Self, StoreError> {
        let transaction = durable.read().map_err(log_error)?;
        check_version(&transaction, path)?;
        let last_commit = last_commit(&transaction)?.map_or(0, |last| last.sequence);
        let last_seal = seal(&transaction)?;
        let journal = transaction.open_table(JOURNAL).map_err(log_error)?;
        let last_record = journal
            .last()
            .map_err(log_error)?
            .map_or(0, |(key, _)| key.value());
        drop((journal, transaction));
        let durable = Arc::new(durable);
        let (queue, jobs) = mpsc::channel();
        let keeper = Keeper::new(Arc::clone(&durable), room);
        let fault = keeper.fault();
        let writer = Writer {
            keeper,
            last_commit,
            last_record,
            last_seal,
            last_batch: 0,
        };
        let thread =
            WriterThread::start("twin-log", move || writer.run(&jobs)).map_err(log_error)?;
        Ok(Self {
            durable,
            queue,
            fault,
            thread,
        })
    }

    /// Why nothing is written now, room aside.
    pub(crate) fn fault(&self) -> Option<StoreError> {
        durable::fault(&self.fault, &self.thread)
    }

    /// Hands a batch to the writer. The receiver hears of it once it is durable.
    pub(crate) fn commit(&self, batch: Batch) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, receiver) = oneshot::channel();
        self.send(Job::Commit(batch, done));
        receiver
    }

    /// Hands records to the writer, with the seal over the journal up to them. The receiver hears their numbers once all
    /// that is durable.
    pub(crate) fn append(
        &self,
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> oneshot::Receiver<Result<Vec<u64>, StoreError>> {
        let (done, receiver) = oneshot::channel();
        self.send(Job::Append {
            records,
            seal,
            done,
        });
        receiver
    }

    /// Hands the writer other records in place of some. The receiver hears of it once that is durable.
    pub(crate) fn replace(
        &self,
        records: Vec<(u64, Vec<u8>)>,
    ) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, receiver) = oneshot::channel();
        self.send(Job::Replace(records, done));
        receiver
    }

    /// At most `most` records from number `from` on.
    pub(crate) fn records(
        &self,
        from: u64,
        most: usize,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        records(&self.read()?, from, most)
    }

    /// The seal over the journal.
    pub(crate) fn seal(&self) -> Result<Option<Vec<u8>>, StoreError> {
        seal(&self.read()?)
    }

    /// The batches from number `from` on, at most `most`.
    pub(crate) fn commits(&self, from: u64, most: usize) -> Result<Vec<Committed>, StoreError> {
        let table = self.read()?.open_table(COMMITS).map_err(log_error)?;
        let mut commits = Vec::new();
        for entry in table.range(from..).map_err(log_error)?.take(most) {
            let (key, time) = entry.map_err(log_error)?;
            commits.push(Committed::new(key.value(), time.value())?);
        }
        Ok(commits)
    }

    /// The number of batches.
    pub(crate) fn len(&self) -> Result<u64, StoreError> {
        self.read()?
            .open_table(COMMITS)
            .map_err(log_error)?
            .len()
            .map_err(log_error)
    }

    /// Calls `each` with the parts of some batches, in order.
    pub(crate) fn parts(
        &self,
        sequences: std::ops::RangeInclusive<u64>,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table = self.read()?.open_table(CHANGES).map_err(log_error)?;
        let range = (*sequences.start(), 0)..=(*sequences.end(), u32::MAX);
        for entry in table.range(range).map_err(log_error)? {
            let (key, part) = entry.map_err(log_error)?;
            let (sequence, _) = key.value();
            each(sequence, part.value())?;
        }
        Ok(())
    }

    /// What is durable now.
    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.durable.read().map_err(log_error)
    }

    /// If the writer is gone, the job's sender is dropped and its receiver hears that.
    fn send(&self, job: Job) {
        drop(self.queue.send(job));
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Committed {
    fn new(sequence: u64, nanoseconds: i64) -> Result<Self, StoreError> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into())
            .map_err(|error| damaged(sequence, error))?;
        Ok(Self { sequence, time })
    }
}

/// At most `most` records from number `from` on.
pub(crate) fn records(
    transaction: &ReadTransaction,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let table = transaction.open_table(JOURNAL).map_err(log_error)?;
    let mut records = Vec::new();
    for entry in table.range(from..).map_err(log_error)?.take(most) {
        let (key, record) = entry.map_err(log_error)?;
        records.push((key.value(), record.value().to_vec()));
    }
    Ok(records)
}

/// The seal over the journal; none in a file of an earlier version that was not written since.
pub(crate) fn seal(transaction: &ReadTransaction) -> Result<Option<Vec<u8>>, StoreError> {
    let table = match transaction.open_table(SEAL) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        table => table.map_err(log_error)?,
    };
    let seal = table.get(JOURNAL_END).map_err(log_error)?;
    Ok(seal.map(|seal| seal.value().to_vec()))
}

/// The last batch.
pub(crate) fn last_commit(transaction: &ReadTransaction) -> Result<Option<Committed>, StoreError> {
    let table = transaction.open_table(COMMITS).map_err(log_error)?;
    let last = table.last().map_err(log_error)?;
    last.map(|(key, time)| Committed::new(key.value(), time.value()))
        .transpose()
}

/// A file of another version is left as it is.
fn check_version(transaction: &ReadTransaction, path: &Path) -> Result<(), StoreError> {
    let open = |reason: &str| StoreError::Open {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    match transaction.open_table(META) {
        Ok(meta) => match meta
            .get("version")
            .map_err(log_error)?
            .map(|version| version.value())
        {
            Some(VERSION) => Ok(()),
            Some(found) => Err(StoreError::Version {
                path: path.to_owned(),
                found,
                known: VERSION,
            }),
            None => Err(open("it names no version")),
        },
        Err(TableError::TableDoesNotExist(_)) => {
            let tables = transaction.list_tables().map_err(log_error)?;
            Err(open(match tables.count() {
                0 => "it holds nothing: restore a backup",
                _ => "it holds the tables of another program",
            }))
        }
        Err(error) => Err(open(&error.to_string())),
    }
}

/// The first tables of a new file.
fn create(database: &Database, _: &Path) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(log_error)?;
    {
        let mut meta = transaction.open_table(META).map_err(log_error)?;
        meta.insert("version", VERSION).map_err(log_error)?;
        transaction.open_table(COMMITS).map_err(log_error)?;
        transaction.open_table(CHANGES).map_err(log_error)?;
        transaction.open_table(JOURNAL).map_err(log_error)?;
        transaction.open_table(SEAL).map_err(log_error)?;
    }
    transaction.commit().map_err(log_error)
}

fn log_error(error: impl std::fmt::Display) -> StoreError {
    StoreError::Log(error.to_string())
}

pub(crate) fn damaged(sequence: u64, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        sequence,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
