//! What the log and the ledger both are made of: a file of redb, and one thread that writes it.

mod disk;
#[cfg(test)]
pub(crate) mod faulty;
mod keeper;
pub(crate) mod room;

use crate::StoreError;
use crate::ledger::FILE as LEDGER;
use arc_swap::ArcSwap;
use disk::Disk;
pub(crate) use keeper::{Fault, Keeper};
use redb::backends::FileBackend;
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, StorageBackend, TransactionError,
};
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

/// A file of redb. After an operation on it failed it is opened again: see [`Keeper`].
#[derive(Debug)]
pub(crate) struct Durable {
    disk: Arc<Disk>,
    database: ArcSwap<Database>,
    cache: usize,
}

impl Durable {
    fn over(backend: impl StorageBackend, cache: usize) -> Result<Self, DatabaseError> {
        let disk = Disk::new(backend);
        let database = Database::builder()
            .set_cache_size(cache)
            .create_with_backend(disk.open())?;
        Ok(Self {
            disk,
            database: ArcSwap::from_pointee(database),
            cache,
        })
    }

    /// The file as it is open now. Whoever writes asks each time.
    pub(crate) fn database(&self) -> Arc<Database> {
        self.database.load_full()
    }

    /// What is durable now.
    pub(crate) fn read(&self) -> Result<ReadTransaction, TransactionError> {
        self.database.load().begin_read()
    }

    /// Opens the file again, and calls `undo` before anybody else sees it. Whoever still reads what was open hears an error.
    fn reopen(&self, undo: &Undo) -> Result<(), StoreError> {
        let opening = self.disk.open();
        self.disk.settle().map_err(failed_write)?;
        self.open_as(opening, undo)
    }

    /// As [`Self::reopen`], but nothing is written to the file: what `undo` writes stays in memory.
    fn reopen_to_read(&self, undo: &Undo) -> Result<(), StoreError> {
        let opening = self.disk.open_to_read().map_err(failed_write)?;
        self.open_as(opening, undo)
    }

    fn open_as(&self, opening: disk::Opening, undo: &Undo) -> Result<(), StoreError> {
        let database = Database::builder()
            .set_cache_size(self.cache)
            .create_with_backend(opening)
            .map_err(failed_write)?;
        undo(&database)?;
        self.database.store(Arc::new(database));
        Ok(())
    }
}

/// Takes back what a failed write may have left in the file, so that only what was acknowledged is in it.
pub(crate) type Undo = dyn Fn(&Database) -> Result<(), StoreError> + Send;

/// What puts the first tables into a new file.
pub(crate) type Prepare = fn(&Database, &Path) -> Result<(), StoreError>;

/// Opens a file in the store's directory, with a cache of so many bytes. Nothing is made.
///
/// # Errors
/// [`StoreError::Absent`] where there is none, nor anything else of a store; [`StoreError::Lost`] where there was one;
/// [`StoreError::InUse`] where another process has it open, else [`StoreError::Open`].
pub(crate) fn open(
    directory: &Path,
    name: &str,
    cache: usize,
) -> Result<(Durable, PathBuf), StoreError> {
    let path = present(directory, name)?;
    Ok((open_file(&path, cache, false)?, path))
}

/// As [`open`]; where nothing of a store is there, makes the directory, and the file with what `prepare` puts into it: whole,
/// or not at all.
// INVARIANT(no-store-in-place-of-one): a new file is made only where nothing is left of one.
pub(crate) fn open_or_make(
    directory: &Path,
    name: &str,
    cache: usize,
    prepare: Prepare,
) -> Result<(Durable, PathBuf), StoreError> {
    match open(directory, name, cache) {
        Err(StoreError::Absent(_)) => {}
        opened => return opened,
    }
    make_directory(directory)?;
    let (path, making) = (
        directory.join(name),
        directory.join(format!("{name}.making")),
    );
    let durable = match open_file(&making, cache, true) {
        Err(StoreError::InUse(_)) => return Err(StoreError::InUse(path)),
        Err(_) => {
            // What a kill left half made.
            fs::remove_file(&making).map_err(|error| failed(&making, error))?;
            open_file(&making, cache, true)?
        }
        Ok(durable) => durable,
    };
    if path.exists() {
        // Another process was faster.
        drop(durable);
        fs::remove_file(&making).map_err(|error| failed(&making, error))?;
        return open(directory, name, cache);
    }
    prepare(&durable.database(), &path)?;
    fs::rename(&making, &path).map_err(|error| failed(&path, error))?;
    // The file is there after a power loss only if its directory was synced.
    sync_folder_of(&path).map_err(|error| failed(&path, error))?;
    Ok((durable, path))
}

/// Opens a file; makes it if there is none and it may be made.
pub(crate) fn open_file(path: &Path, cache: usize, may_make: bool) -> Result<Durable, StoreError> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(may_make)
        .truncate(false)
        .open(path)
        .map_err(|error| failed(path, error))?;
    let durable = FileBackend::new(file).and_then(|file| Durable::over(file, cache));
    durable.map_err(|error| refused(path, error))
}

/// The path of a file that is there, and holds something.
pub(crate) fn present(directory: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = directory.join(name);
    let length = match fs::metadata(&path) {
        Ok(found) if found.is_file() => Some(found.len()),
        Ok(_) => return Err(failed(&path, "it is no file")),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(failed(
                directory,
                format_args!("it is no directory: {error}"),
            ));
        }
        Err(error) => return Err(failed(&path, error)),
    };
    match length {
        Some(0) => Err(StoreError::Lost {
            reason: format!("{name} is empty"),
            path: directory.to_owned(),
        }),
        Some(_) => Ok(path),
        // The ledger is made after the twin's file, so what remains of it says that there was one.
        None if name != LEDGER && directory.join(LEDGER).exists() => Err(StoreError::Lost {
            reason: format!("{name} is gone, {LEDGER} is there"),
            path: directory.to_owned(),
        }),
        None => Err(StoreError::Absent(directory.to_owned())),
    }
}

fn make_directory(directory: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(directory).map_err(|error| {
        let what = match directory.exists() {
            true => format!("it is no directory: {error}"),
            false => error.to_string(),
        };
        failed(directory, what)
    })
}

/// Why redb did not open a file.
pub(crate) fn refused(path: &Path, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        error => failed(path, error),
    }
}

/// What lies elsewhere than in a file, with the path that errors name it by.
pub(crate) fn over(
    backend: impl StorageBackend,
    cache: usize,
) -> Result<(Durable, PathBuf), StoreError> {
    let path = PathBuf::from("in memory");
    let durable = Durable::over(backend, cache).map_err(|error| failed(&path, error))?;
    Ok((durable, path))
}

/// Why a thread writes nothing now, room aside.
pub(crate) fn fault(fault: &Fault, thread: &WriterThread) -> Option<StoreError> {
    match thread.is_alive() {
        true => fault.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        false => Some(StoreError::Stopped),
    }
}

/// Makes durable which files are in a file's directory.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all())
}

pub(crate) fn failed(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn failed_write(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// The thread that writes. It is waited for when this is dropped, so that the file is closed when its owner is gone;
/// the owner drops its end of the queue before, which is how the thread comes to an end.
#[derive(Debug)]
pub(crate) struct WriterThread(Option<JoinHandle<()>>);

impl WriterThread {
    pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(work).map(|thread| Self(Some(thread)))
    }

    /// Whether it writes still: it ends early only by a panic.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        // The last owner may be a job of the thread itself.
        if let Some(thread) = self.0.take()
            && thread.thread().id() != std::thread::current().id()
        {
            drop(thread.join());
        }
    }
}
