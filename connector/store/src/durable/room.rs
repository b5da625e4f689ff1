//! Whether the disk has room: asked before every write, because a write that fails in the middle costs all that wait for
//! it, and the file must then be opened again.

use crate::StoreError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is left free on the disk, so that the largest group of writes never meets its end: in bytes.
const RESERVE: u64 = 64 << 20;
/// A written page takes others with it on its way into the tree.
const FACTOR: u64 = 4;

/// The least that is written to prove that a disk takes writes again, in bytes.
const PROOF: usize = 1 << 20;

/// Tells the free bytes of the disk that a folder is on.
pub(crate) type Free = fn(&Path) -> io::Result<u64>;

/// The disk's room.
pub(crate) struct Room {
    /// The file's folder; none for a log in memory.
    folder: Option<PathBuf>,
    /// Beside the file: what proves that the disk takes writes.
    proof: PathBuf,
    free: Free,
    was_full: bool,
}

impl Room {
    /// The room beside a file.
    pub(crate) fn beside(file: &Path, free: Free) -> Self {
        let proof = file.with_extension("proof");
        // What a kill left.
        drop(fs::remove_file(&proof));
        Self {
            folder: Some(file.parent().unwrap_or(Path::new(".")).to_owned()),
            proof,
            free,
            was_full: false,
        }
    }

    /// The room of what is no file.
    pub(crate) fn of_memory() -> Self {
        Self {
            folder: None,
            proof: PathBuf::new(),
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
        let found = enough((self.free)(folder), bytes);
        if found.is_err() != self.was_full {
            self.was_full = found.is_err();
            match &found {
                Err(error) => {
                    tracing::error!(%error, folder = %folder.display(), "nothing is written")
                }
                Ok(()) => tracing::info!("the disk has room again"),
            }
        }
        found
    }

    /// Writes about as many bytes as a write that failed, and lets them go: free bytes that are told are not all, where
    /// there are quotas or the disk has a fault.
    pub(crate) fn prove(&self, bytes: usize) -> Result<(), StoreError> {
        if self.folder.is_none() {
            return Ok(());
        }
        let bytes = (FACTOR as usize).saturating_mul(bytes);
        let written = self.write_proof(bytes.clamp(PROOF, RESERVE as usize));
        drop(fs::remove_file(&self.proof));
        written.map_err(|error| StoreError::Failed(error.to_string()))
    }

    fn write_proof(&self, bytes: usize) -> io::Result<()> {
        let mut file = File::create(&self.proof)?;
        let piece = vec![0xA5; PROOF];
        for _ in 0..bytes.div_ceil(PROOF) {
            file.write_all(&piece)?;
        }
        file.sync_all()
    }
}

/// Whether the disk that a folder is on has room for writes: for who asks whether the connector is ready.
///
/// # Errors
/// [`StoreError::DiskFull`]; [`StoreError::NoRoomTold`] where the disk does not say.
pub fn room(folder: &Path) -> Result<(), StoreError> {
    enough(free(folder), 0)
}

/// Whether so many bytes may be written.
fn enough(free: io::Result<u64>, bytes: usize) -> Result<(), StoreError> {
    let needed = RESERVE.saturating_add(FACTOR.saturating_mul(bytes as u64));
    match free {
        Ok(free) if free >= needed => Ok(()),
        Ok(free) => Err(StoreError::DiskFull { free, needed }),
        Err(error) => Err(StoreError::NoRoomTold(error.to_string())),
    }
}

/// The free bytes of the disk that a folder is on, for who is not root.
pub(crate) fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
