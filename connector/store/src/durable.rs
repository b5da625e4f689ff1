//! What the log and the ledger both are made of: a file of redb, and one thread that writes it.

use crate::StoreError;
use redb::{Database, DatabaseError, StorageBackend};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Opens a file in the store's directory, with a cache of so many bytes; makes both if there are none.
///
/// # Errors
/// [`StoreError::InUse`] where another process has it open, else [`StoreError::Open`].
pub(crate) fn open(
    directory: &Path,
    name: &str,
    cache: usize,
) -> Result<(Database, PathBuf), StoreError> {
    fs::create_dir_all(directory).map_err(|error| {
        let what = match directory.exists() {
            true => format!("it is no directory: {error}"),
            false => error.to_string(),
        };
        failed(directory, what)
    })?;
    let path = directory.join(name);
    let is_new = !path.exists();
    let database = Database::builder()
        .set_cache_size(cache)
        .create(&path)
        .map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.clone()),
            error => failed(&path, error),
        })?;
    if is_new {
        // The file is there after a power loss only if its directory was synced.
        sync_folder_of(&path).map_err(|error| failed(&path, error))?;
    }
    Ok((database, path))
}

/// What lies elsewhere than in a file, with the path that errors name it by.
pub(crate) fn over(
    backend: impl StorageBackend,
    cache: usize,
) -> Result<(Database, PathBuf), StoreError> {
    let path = PathBuf::from("in memory");
    let database = Database::builder()
        .set_cache_size(cache)
        .create_with_backend(backend)
        .map_err(|error| failed(&path, error))?;
    Ok((database, path))
}

/// Makes durable which files are in a file's directory.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all())
}

fn failed(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Open {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
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
