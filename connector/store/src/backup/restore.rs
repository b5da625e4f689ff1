//! A copy becomes a store again: beside the place where it is wanted, whole and on disk, before it gets there.

use super::{Contents, Entry, File, TABLES, Table, fault, read_each};
use crate::{StoreError, ledger, log};
use redb::Database;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// How many bytes go into one transaction, about.
const TOGETHER: usize = 16 << 20;

/// Makes a store of a copy, in a directory that is made for it, and syncs it. What of the directory is there after an
/// error is not to be used. Blocks.
///
/// It checks the copy's form. Whose copy it is and whether it is whole is for the caller to find out, by the digest, by
/// opening the store, and by its log of use.
///
/// # Errors
/// [`StoreError::Backup`] where the copy is none, or the directory is there or cannot be written.
pub fn restore(input: impl Read, directory: &Path) -> Result<(Contents, Vec<u8>), StoreError> {
    fs::create_dir(directory).map_err(|error| at(directory, &error))?;
    let open = |file: &str| {
        let path = directory.join(file);
        Database::create(&path).map_err(|error| at(&path, &error))
    };
    let (twin, ledger) = (open(log::FILE)?, open(ledger::FILE)?);
    let mut batch = Batch {
        twin: &twin,
        ledger: &ledger,
        table: None,
        entries: Vec::new(),
        bytes: 0,
    };
    // A table without entries is a table all the same.
    for table in &TABLES {
        batch.table = Some(table);
        batch.write()?;
    }
    let found = read_each(input, |table, key, value| batch.push(table, key, value))?;
    batch.write()?;
    drop((twin, ledger));
    sync(directory)?;
    Ok(found)
}

/// Entries of one table that are written together.
struct Batch<'a> {
    twin: &'a Database,
    ledger: &'a Database,
    table: Option<&'static Table>,
    entries: Vec<Entry>,
    bytes: usize,
}

impl Batch<'_> {
    fn push(
        &mut self,
        table: &'static Table,
        key: Vec<u8>,
        value: Vec<u8>,
    ) -> Result<(), StoreError> {
        let is_same = self.table.is_some_and(|of| of.number == table.number);
        if !is_same || self.bytes >= TOGETHER {
            self.write()?;
        }
        self.table = Some(table);
        self.bytes += key.len() + value.len();
        self.entries.push((key, value));
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let Some(table) = self.table else {
            return Ok(());
        };
        let database = match table.file {
            File::Twin => self.twin,
            File::Ledger => self.ledger,
        };
        // Synced, as every commit is that says nothing else.
        let transaction = database.begin_write().map_err(fault)?;
        (table.put)(&transaction, &self.entries)?;
        transaction.commit().map_err(fault)?;
        self.entries.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// Puts a directory where there is none, or an empty one; both are in one directory. It is there whole or not at all,
/// after a power loss, too.
///
/// # Errors
/// [`StoreError::Backup`], also where the other is not empty.
pub fn place(from: &Path, to: &Path) -> Result<(), StoreError> {
    // Fails where the other is a file, or a directory with something in it.
    fs::rename(from, to).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists => {
            fault(format_args!("{} is not empty", to.display()))
        }
        _ => at(to, &error),
    })?;
    sync(&parent(to))
}

/// Exchanges two directories that are in one directory, at once.
///
/// # Errors
/// [`StoreError::Backup`], also where the file system cannot do that: then both are where they were.
pub fn exchange(one: &Path, other: &Path) -> Result<(), StoreError> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
        .map_err(|error| at(other, &error))?;
    sync(&parent(other))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn sync(directory: &Path) -> Result<(), StoreError> {
    let synced = fs::File::open(directory).and_then(|file| file.sync_all());
    synced.map_err(|error| at(directory, &error))
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    fault(format_args!("{}: {error}", path.display()))
}
