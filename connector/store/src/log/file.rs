//! The journal of use of a store that nobody has open: read where it lies, and nothing else done to the file.

use super::{CACHE_BYTES, CHANGES, FILE, check_version, last_commit, log_error, records, seal};
use crate::StoreError;
use crate::durable::{present, refused};
use crate::version::Chain;
use futures::FutureExt;
use futures::future::BoxFuture;
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use twinlink_core::{Code, Journal, Refusal};

/// The journal of use in a store's file. Nothing is made, written anew or appended.
pub struct JournalFile(File);

enum File {
    Untouched(redb::ReadOnlyDatabase),
    /// After a kill, redb finds out which pages of its file are free before it lets anybody read; the records stay as they are.
    Repaired(Database),
}

impl JournalFile {
    /// Opens the journal of the store in a directory.
    ///
    /// # Errors
    /// [`StoreError::Absent`] where there is no store, [`StoreError::Lost`] where there was one, [`StoreError::InUse`] where
    /// another process has it open, [`StoreError::Version`] and [`StoreError::Open`] where it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = present(directory, FILE)?;
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        let file = match builder.open_read_only(&path) {
            Ok(database) => File::Untouched(database),
            Err(DatabaseError::RepairAborted) => {
                let repaired = builder.open(&path);
                File::Repaired(repaired.map_err(|error| refused(&path, error))?)
            }
            Err(error) => return Err(refused(&path, error)),
        };
        let journal = Self(file);
        check_version(&journal.transaction()?, &path)?;
        Ok(journal)
    }

    /// What names the state of the twin after each of these changes, made anew from the log of changes as it lies there; none
    /// for a change that it does not reach. Reads the log of changes.
    ///
    /// # Errors
    /// [`StoreError::Log`] where it cannot be read.
    pub fn versions(&self, changes: &BTreeSet<u64>) -> Result<BTreeMap<u64, String>, StoreError> {
        let transaction = self.transaction()?;
        let last = last_commit(&transaction)?.map_or(0, |last| last.sequence);
        let mut wanted = changes.range(..=last).copied().peekable();
        let (mut chain, mut found) = (Chain::default(), BTreeMap::new());
        let table = transaction.open_table(CHANGES).map_err(log_error)?;
        for entry in table.iter().map_err(log_error)? {
            let (key, part) = entry.map_err(log_error)?;
            let (sequence, _) = key.value();
            while let Some(before) = wanted.next_if(|change| *change < sequence) {
                found.insert(before, chain.version(before));
            }
            chain = chain.and(sequence, part.value());
        }
        found.extend(wanted.map(|change| (change, chain.version(change))));
        Ok(found)
    }

    fn transaction(&self) -> Result<ReadTransaction, StoreError> {
        match &self.0 {
            File::Untouched(database) => database.begin_read(),
            File::Repaired(database) => database.begin_read(),
        }
        .map_err(log_error)
    }
}

impl Journal for JournalFile {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let refusal = Refusal::new(Code::Conflict, "log", "it was opened to be read");
        std::future::ready(Err(refusal)).boxed()
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(seal(&self.transaction()?)?)
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        Ok(records(&self.transaction()?, from, most)?)
    }
}

impl std::fmt::Debug for JournalFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JournalFile").finish_non_exhaustive()
    }
}
