//! Whether the disk has room: asked before every write, because the file cannot be written any more, nor read, after
//! one write that failed in the middle.

use crate::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// What is left free on the disk, so that the largest group of writes never meets its end: in bytes.
const RESERVE: u64 = 64 << 20;
/// A written page takes others with it on its way into the tree.
const FACTOR: u64 = 4;

/// Tells the free bytes of the disk that a folder is on.
pub(crate) type Free = fn(&Path) -> io::Result<u64>;

/// The disk's room.
pub(crate) struct Room {
    /// None for a log in memory.
    folder: Option<PathBuf>,
    free: Free,
    was_full: bool,
}

impl Room {
    /// The room beside a file; a log in memory has no file.
    pub(crate) fn new(folder: Option<PathBuf>, free: Free) -> Self {
        Self {
            folder,
            free,
            was_full: false,
        }
    }

    /// Refuses a write for which there is no room. Asked again for the next one: it recovers by itself.
    // INVARIANT(disk-full-refuses): without room nothing is begun, and what was acknowledged stays readable.
    pub(crate) fn check(&mut self, bytes: usize) -> Result<(), StoreError> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let needed = RESERVE.saturating_add(FACTOR.saturating_mul(bytes as u64));
        // A disk that does not tell how full it is gets the benefit of the doubt: a failed write stops the log.
        let free = (self.free)(folder).unwrap_or(u64::MAX);
        let is_full = free < needed;
        if is_full != self.was_full {
            self.was_full = is_full;
            if is_full {
                tracing::error!(free, needed, folder = %folder.display(), "the disk is full: changes and answers are refused until there is room");
            } else {
                tracing::info!(free, "the disk has room again");
            }
        }
        if is_full {
            return Err(StoreError::DiskFull { free, needed });
        }
        Ok(())
    }
}

/// Whether the disk that a folder is on has room for writes: for who asks whether the connector is ready.
pub fn has_room(folder: &Path) -> bool {
    free(folder).is_ok_and(|free| free >= RESERVE)
}

/// The free bytes of the disk that a folder is on, for who is not root.
pub(crate) fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
