//! Copies of a store: all that its directory holds, as it was at one moment, while it goes on being written.
//!
//! A copy is made of what the files' tables hold, not of their bytes. So it is consistent (a read transaction of redb sees
//! one commit, however many come after it), it holds nothing that was deleted and lies in a free page still, and it can
//! be read by a version of the program that lays out its files otherwise.
//!
//! The twin is pinned before the ledger. A use is counted in the ledger before it ends in the log of use, so every use that
//! ended in the copy is counted in the copy. Other uses are as a crash leaves them.
//!
//! The format: the line [`HEAD`], then entries of a table's number (1 byte), the lengths of key and value (4 bytes each,
//! little-endian), key and value as redb has them. Table 0 ends it: what the caller says of the copy, such as its digest.

mod restore;

pub use restore::{exchange, place, restore};

use crate::ledger::{self, Ledger};
use crate::{StoreError, TwinStore, log};
use futures::FutureExt;
use futures::future::BoxFuture;
use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableError,
    TableHandle, Value, WriteTransaction,
};
use sha2::{Digest, Sha256};
use std::io::Read;
use time::OffsetDateTime;
use twinlink_core::{Journal, Refusal};

/// The first bytes of a copy: what it is, and the version of its format.
const HEAD: &[u8] = b"twinlink backup 1\n";
/// The number of the entry that ends a copy.
const END: u8 = 0;
/// How many bytes are handed on at once, about.
const CHUNK: usize = 256 << 10;
/// The longest key, and the longest value: of the end, too.
const KEY_BYTES: usize = 1 << 20;
const VALUE_BYTES: usize = 1 << 30;

/// A store's contents at one moment. Free pages of its files are not reused while one is there: do not keep it for long.
pub struct Pinned {
    twin: ReadTransaction,
    ledger: ReadTransaction,
    sequence: u64,
    time: Option<OffsetDateTime>,
}

/// What a copy holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Changes of the twin.
    pub changes: u64,
    /// Records of use.
    pub records: u64,
    /// Entries of the ledger.
    pub ledger: u64,
    /// The copy's length up to its end, in bytes.
    pub bytes: u64,
    /// SHA-256 over these bytes, lower-case hex.
    pub sha256: String,
}

/// The log of use of a [`Pinned`] store: to be read only.
#[derive(Debug)]
pub struct PinnedJournal<'a>(&'a Pinned);

/// Takes bytes of a copy as they are made.
pub type Take<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), StoreError>;

/// A key and its value, as redb has them.
type Entry = (Vec<u8>, Vec<u8>);

/// Which file a table is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Twin,
    Ledger,
}

/// A table that is copied. The numbers are the format's: they never change.
struct Table {
    number: u8,
    file: File,
    name: fn() -> String,
    copy: fn(&ReadTransaction, u8, &mut Writer<'_>) -> Result<(), StoreError>,
    put: fn(&WriteTransaction, &[Entry]) -> Result<(), StoreError>,
}

/// A line of [`TABLES`]: the functions for the types of a table's keys and values.
macro_rules! table {
    ($number:literal, $file:ident, $table:path) => {
        Table {
            number: $number,
            file: File::$file,
            name: || $table.name().to_owned(),
            copy: |transaction, number, writer| copy(transaction, $table, number, writer),
            put: |transaction, entries| put(transaction, $table, entries),
        }
    };
}
/// All tables of the store, in the order of the copy.
// INVARIANT(whole-backups): a copy holds every table of every file of the store, or is none.
static TABLES: [Table; 11] = [
    table!(1, Twin, log::META),
    table!(2, Twin, log::COMMITS),
    table!(3, Twin, log::CHANGES),
    table!(4, Twin, log::JOURNAL),
    table!(5, Twin, log::SEAL),
    table!(10, Ledger, ledger::META),
    table!(11, Ledger, ledger::USAGE),
    table!(12, Ledger, ledger::INCIDENT_RECORDS),
    table!(13, Ledger, ledger::OPEN),
    table!(14, Ledger, ledger::SETTLED),
    table!(15, Ledger, ledger::PERFORMED),
];

impl Pinned {
    /// Pins what is durable now.
    ///
    /// # Errors
    /// [`StoreError::Log`], [`StoreError::Ledger`] where a file cannot be read; [`StoreError::Backup`] where one holds
    /// a table that is not known here.
    pub fn new(store: &TwinStore, ledger: &Ledger) -> Result<Self, StoreError> {
        // In this order: see above.
        let twin = store.log().read()?;
        let ledger = ledger.read()?;
        let (sequence, time) = match log::last_commit(&twin)? {
            Some(last) => (last.sequence, Some(last.time)),
            None => (0, None),
        };
        let pinned = Self {
            twin,
            ledger,
            sequence,
            time,
        };
        pinned.know_all_tables()?;
        Ok(pinned)
    }

    /// The number of the twin's last change; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// When that change was made.
    pub fn time(&self) -> Option<OffsetDateTime> {
        self.time
    }

    /// Its log of use.
    pub fn journal(&self) -> PinnedJournal<'_> {
        PinnedJournal(self)
    }

    /// How many entries there are to copy.
    ///
    /// # Errors
    /// As [`Pinned::new`].
    pub fn entries(&self) -> Result<u64, StoreError> {
        let mut entries = 0;
        for file in [File::Twin, File::Ledger] {
            let transaction = self.transaction(file);
            for handle in transaction.list_tables().map_err(fault)? {
                let table = transaction.open_untyped_table(handle).map_err(fault)?;
                entries += table.len().map_err(fault)?;
            }
        }
        Ok(entries)
    }

    /// Hands on a copy, without its [`end`]. Blocks.
    ///
    /// # Errors
    /// As [`Pinned::new`]; `take`'s own.
    pub fn copy(&self, take: Take<'_>) -> Result<Contents, StoreError> {
        let mut writer = Writer {
            take,
            pending: HEAD.to_vec(),
            digest: Sha256::new(),
            contents: Contents::default(),
        };
        for table in &TABLES {
            (table.copy)(self.transaction(table.file), table.number, &mut writer)?;
        }
        writer.finish()
    }

    fn transaction(&self, file: File) -> &ReadTransaction {
        match file {
            File::Twin => &self.twin,
            File::Ledger => &self.ledger,
        }
    }

    fn know_all_tables(&self) -> Result<(), StoreError> {
        for file in [File::Twin, File::Ledger] {
            for table in self.transaction(file).list_tables().map_err(fault)? {
                let is_known = |known: &Table| known.file == file && (known.name)() == table.name();
                if !TABLES.iter().any(is_known) {
                    let name = table.name();
                    return Err(fault(format_args!(
                        "nothing is known of the table `{name}`"
                    )));
                }
            }
        }
        Ok(())
    }
}

impl Journal for PinnedJournal<'_> {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let refusal = fault("a copy of the log takes no records");
        std::future::ready(Err(refusal.into())).boxed()
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        Ok(log::records(&self.0.twin, from, most)?)
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(log::seal(&self.0.twin)?)
    }
}

/// The bytes that end a copy, with what the caller says of it.
///
/// # Errors
/// [`StoreError::Backup`] where that is too long.
pub fn end(said: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(said.len() + 9);
    frame(END, &[], said, &mut bytes)?;
    Ok(bytes)
}

/// Reads a copy to its end: what it holds, and what was said of it. Nothing of it is believed but its form.
///
/// # Errors
/// [`StoreError::Backup`] where it is none, is cut short, or has bytes after its end.
pub fn read(input: impl Read) -> Result<(Contents, Vec<u8>), StoreError> {
    read_each(input, |_, _, _| Ok(()))
}

/// Calls `each` for every entry, with its table.
fn read_each(
    input: impl Read,
    mut each: impl FnMut(&'static Table, Vec<u8>, Vec<u8>) -> Result<(), StoreError>,
) -> Result<(Contents, Vec<u8>), StoreError> {
    let mut reader = Reader {
        input,
        digest: Sha256::new(),
        bytes: 0,
    };
    if reader.take(HEAD.len())? != HEAD {
        return Err(fault("this is no backup that this program reads"));
    }
    let mut contents = Contents::default();
    loop {
        let (bytes, digest) = (reader.bytes, reader.digest.clone());
        let (number, key, value) = reader.entry()?;
        if number == END {
            reader.is_over()?;
            contents.bytes = bytes;
            contents.sha256 = hex(digest);
            return Ok((contents, value));
        }
        let known = TABLES.iter().find(|table| table.number == number);
        let table = known.ok_or_else(|| fault(format_args!("it holds a table {number}")))?;
        contents.count(table.number);
        each(table, key, value)?;
    }
}

impl Contents {
    fn count(&mut self, number: u8) {
        match number {
            2 => self.changes += 1,
            4 => self.records += 1,
            11.. => self.ledger += 1,
            _ => {}
        }
    }
}

/// Makes a copy.
struct Writer<'a> {
    take: Take<'a>,
    pending: Vec<u8>,
    digest: Sha256,
    contents: Contents,
}

impl Writer<'_> {
    fn entry(&mut self, number: u8, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.contents.count(number);
        frame(number, key, value, &mut self.pending)?;
        if self.pending.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let chunk = std::mem::take(&mut self.pending);
        self.digest.update(&chunk);
        self.contents.bytes += chunk.len() as u64;
        (self.take)(chunk)
    }

    fn finish(mut self) -> Result<Contents, StoreError> {
        self.flush()?;
        self.contents.sha256 = hex(self.digest);
        Ok(self.contents)
    }
}

/// Reads a copy.
struct Reader<R> {
    input: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Reader<R> {
    fn entry(&mut self) -> Result<(u8, Vec<u8>, Vec<u8>), StoreError> {
        let head = self.take(9)?;
        let (number, key, value) = match *head {
            [number, a, b, c, d, e, f, g, h] => {
                let length = |bytes| u32::from_le_bytes(bytes) as usize;
                (number, length([a, b, c, d]), length([e, f, g, h]))
            }
            _ => return Err(fault("it is cut short")),
        };
        if key > KEY_BYTES || value > VALUE_BYTES {
            return Err(fault("it holds an entry that is too long"));
        }
        Ok((number, self.take(key)?, self.take(value)?))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        // Grows with what is there: a length alone takes no memory.
        let mut limited = self.input.by_ref().take(length as u64);
        limited.read_to_end(&mut bytes).map_err(fault)?;
        if bytes.len() < length {
            return Err(fault("it is cut short"));
        }
        self.digest.update(&bytes);
        self.bytes += length as u64;
        Ok(bytes)
    }

    fn is_over(&mut self) -> Result<(), StoreError> {
        match self.input.read(&mut [0]).map_err(fault)? {
            0 => Ok(()),
            _ => Err(fault("there are bytes after its end")),
        }
    }
}

fn frame(number: u8, key: &[u8], value: &[u8], bytes: &mut Vec<u8>) -> Result<(), StoreError> {
    if key.len() > KEY_BYTES || value.len() > VALUE_BYTES {
        return Err(fault("an entry is too long"));
    }
    let length = |of: &[u8]| u32::try_from(of.len()).map_err(fault);
    bytes.push(number);
    bytes.extend_from_slice(&length(key)?.to_le_bytes());
    bytes.extend_from_slice(&length(value)?.to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
    Ok(())
}

fn copy<K: Key + 'static, V: Value + 'static>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
    number: u8,
    writer: &mut Writer<'_>,
) -> Result<(), StoreError> {
    let table = match transaction.open_table(table) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        table => table.map_err(fault)?,
    };
    for entry in table.iter().map_err(fault)? {
        let (key, value) = entry.map_err(fault)?;
        let (key, value) = (key.value(), value.value());
        writer.entry(
            number,
            K::as_bytes(&key).as_ref(),
            V::as_bytes(&value).as_ref(),
        )?;
    }
    Ok(())
}

fn put<K: Key + 'static, V: Value + 'static>(
    transaction: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
    entries: &[Entry],
) -> Result<(), StoreError> {
    let fits = |width: Option<usize>, bytes: &[u8]| width.is_none_or(|width| width == bytes.len());
    let mut table = transaction.open_table(table).map_err(fault)?;
    for (key, value) in entries {
        if !fits(K::fixed_width(), key) || !fits(V::fixed_width(), value) {
            return Err(fault("it holds an entry of another table"));
        }
        let replaced = table
            .insert(K::from_bytes(key), V::from_bytes(value))
            .map_err(fault)?;
        if replaced.is_some() {
            return Err(fault("it holds an entry twice"));
        }
    }
    Ok(())
}

fn hex(digest: Sha256) -> String {
    crate::guard::hex(&digest.finalize())
}

pub(crate) fn fault(error: impl std::fmt::Display) -> StoreError {
    StoreError::Backup(error.to_string())
}

impl std::fmt::Debug for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pinned")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}
