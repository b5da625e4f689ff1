//! A log whose records were purged is written anew when it is opened next: what they said lies in free pages of the old
//! file until then. The new file never held it. The old one is overwritten before it is let go, as far as a file system
//! lets one: one that copies on write, and a disk that levels wear, keep old blocks for a while that no program reaches.

use super::{CACHE_BYTES, CHANGES, COMMITS, JOURNAL, META, SEAL, log_error};
use crate::StoreError;
use crate::durable::{self, Durable};
use redb::{Database, Key, ReadTransaction, ReadableTable, TableDefinition, TableError, Value};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// In the table of [`META`], where the file must be written anew.
pub(super) const DUE: &str = "purged";
/// How many bytes go into one transaction, about.
const TOGETHER: usize = 16 << 20;

/// The same log in a file that never held what was purged; the same file where nothing was.
// INVARIANT(purged-is-gone): once a log is opened again, its file holds nothing of a record that was purged.
pub(super) fn rewritten(durable: Durable, path: &Path) -> Result<Durable, StoreError> {
    let beside = path.with_extension("rewriting");
    // What a kill left in the middle.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(log_error(error)),
        _ => {}
    }
    if !is_due(&durable)? {
        return Ok(durable);
    }
    tracing::info!(file = %path.display(), "records were purged: the log is written anew without them");
    let new = durable::open_file(&beside, CACHE_BYTES, true)?;
    {
        let (old, new) = (durable.read().map_err(log_error)?, new.database());
        copy(&old, &new, META, |key| *key != DUE)?;
        copy(&old, &new, COMMITS, |_| true)?;
        copy(&old, &new, CHANGES, |_| true)?;
        copy(&old, &new, JOURNAL, |_| true)?;
        copy(&old, &new, SEAL, |_| true)?;
    }
    let mut old = OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(log_error)?;
    fs::rename(&beside, path).map_err(log_error)?;
    durable::sync_folder_of(path).map_err(log_error)?;
    drop(durable);
    // The new file is in its place whatever becomes of the old one.
    if let Err(error) = overwrite(&mut old) {
        tracing::warn!(%error, "the old file of the log could not be overwritten");
    }
    Ok(new)
}

fn is_due(durable: &Durable) -> Result<bool, StoreError> {
    let transaction = durable.read().map_err(log_error)?;
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get(DUE).map_err(log_error)?.is_some()),
        Err(TableError::TableDoesNotExist(_)) => Ok(false),
        Err(error) => Err(log_error(error)),
    }
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &Database,
    table: TableDefinition<'_, K, V>,
    is_kept: impl Fn(&K::SelfType<'_>) -> bool,
) -> Result<(), StoreError> {
    let source = match from.open_table(table) {
        // Not every version has every table.
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        source => source.map_err(log_error)?,
    };
    let mut entries = source.iter().map_err(log_error)?.peekable();
    loop {
        let transaction = to.begin_write().map_err(log_error)?;
        {
            let mut target = transaction.open_table(table).map_err(log_error)?;
            let mut bytes = 0;
            while bytes < TOGETHER
                && let Some(entry) = entries.next()
            {
                let (key, value) = entry.map_err(log_error)?;
                if is_kept(&key.value()) {
                    let value = value.value();
                    bytes += V::as_bytes(&value).as_ref().len();
                    target.insert(key.value(), value).map_err(log_error)?;
                }
            }
        }
        // Synced, as every commit is that says nothing else.
        transaction.commit().map_err(log_error)?;
        if entries.peek().is_none() {
            return Ok(());
        }
    }
}

fn overwrite(file: &mut File) -> io::Result<()> {
    let zeros = [0; 64 << 10];
    let mut left = file.metadata()?.len();
    while left > 0 {
        let length = left.min(zeros.len() as u64);
        let some = zeros.get(..usize::try_from(length).unwrap_or_default());
        file.write_all(some.unwrap_or_default())?;
        left -= length;
    }
    file.sync_all()
}
