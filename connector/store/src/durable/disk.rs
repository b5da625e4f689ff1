//! What redb writes a file through, so that the file can be opened again after an operation on it failed.
//!
//! redb takes nothing more from a file once one operation failed: it must be opened anew. The file itself stays open
//! meanwhile, with its locks, and so hears of every error that the system has for it. Three things are kept that redb
//! cannot know of:
//! - an opening that is over, and whoever still reads through it, gets errors instead of pages that are used again by now;
//! - what was written since the last sync that succeeded. A system may drop it from its memory after a failed sync, or call
//!   it clean. So it is written once more and synced before anybody builds on it;
//! - an opening for reading writes into memory alone, as redb writes while it opens a file that was not closed.

use redb::{BackendError, StorageBackend};
use std::collections::BTreeMap;
use std::io;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// The size of a piece that is kept in memory, in bytes.
const BLOCK: usize = 4096;
/// The most of them: an opening for reading writes few.
const BLOCKS: usize = 16 * 1024;
/// How much is written once more at a time, in bytes.
const PIECE: usize = 1 << 20;

/// A file that stays while it is opened again and again.
#[derive(Debug)]
pub(super) struct Disk {
    file: Box<dyn StorageBackend>,
    /// The number of the opening that may use it.
    current: RwLock<u64>,
    /// What was written since the last sync that succeeded: offset to length.
    unsynced: Mutex<BTreeMap<u64, usize>>,
}

/// One opening: what redb has.
#[derive(Debug)]
pub(super) struct Opening {
    disk: Arc<Disk>,
    number: u64,
    /// Where an opening for reading writes to.
    memory: Option<Mutex<Memory>>,
}

/// What was written into memory over a file.
#[derive(Debug)]
struct Memory {
    blocks: BTreeMap<u64, Box<[u8]>>,
    /// As the opening has it.
    len: u64,
    /// How much of the file is seen below.
    below: u64,
}

impl Disk {
    pub(super) fn new(file: impl StorageBackend) -> Arc<Self> {
        Arc::new(Self {
            file: Box::new(file),
            current: RwLock::new(0),
            unsynced: Mutex::default(),
        })
    }

    /// Another opening; those before it are over.
    pub(super) fn open(self: &Arc<Self>) -> Opening {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current += 1;
        Opening {
            disk: Arc::clone(self),
            number: *current,
            memory: None,
        }
    }

    /// An opening that writes nothing to the file.
    pub(super) fn open_to_read(self: &Arc<Self>) -> io::Result<Opening> {
        let opening = self.open();
        let len = self.file.len()?;
        let memory = Memory {
            blocks: BTreeMap::new(),
            len,
            below: len,
        };
        Ok(Opening {
            memory: Some(Mutex::new(memory)),
            ..opening
        })
    }

    /// Writes what a failed sync left in doubt once more, and syncs: then the disk holds what is read from the file.
    pub(super) fn settle(&self) -> io::Result<()> {
        let written = lock(&self.unsynced).clone();
        let len = self.file.len()?;
        let mut piece = vec![0; PIECE];
        for (offset, length) in written {
            let end = len.min(offset.saturating_add(length as u64));
            let mut at = offset;
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                let (piece, _) = piece.split_at_mut(most);
                self.file.read(at, piece)?;
                self.file.write(at, piece)?;
                at += most as u64;
            }
        }
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        let written = std::mem::take(&mut *lock(&self.unsynced));
        let synced = self.file.sync_data();
        if synced.is_err() {
            let mut unsynced = lock(&self.unsynced);
            written
                .into_iter()
                .for_each(|(offset, length)| note(&mut unsynced, offset, length));
        }
        synced
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        note(&mut lock(&self.unsynced), offset, data.len());
        self.file.write(offset, data)
    }
}

impl Opening {
    /// The file, while this opening is the current one; it stays so until the guard is dropped.
    fn file(&self) -> io::Result<(RwLockReadGuard<'_, u64>, &Disk)> {
        let current = self.disk.current.read();
        let current = current.unwrap_or_else(PoisonError::into_inner);
        match *current == self.number {
            true => Ok((current, &self.disk)),
            false => Err(io::Error::other("the file was opened again meanwhile")),
        }
    }
}

impl Memory {
    fn read(&self, file: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let below = self.below.saturating_sub(offset);
        let below = usize::try_from(below).unwrap_or(out.len()).min(out.len());
        let (from_file, beyond) = out.split_at_mut(below);
        if !from_file.is_empty() {
            file.read(offset, from_file)?;
        }
        beyond.fill(0);
        let first = offset / BLOCK as u64;
        for (number, block) in self.blocks.range(first..end.div_ceil(BLOCK as u64)) {
            let (place, inside) = overlap(*number, offset, end);
            if let (Some(out), Some(block)) = (out.get_mut(place), block.get(inside)) {
                out.copy_from_slice(block);
            }
        }
        Ok(())
    }

    fn write(&mut self, file: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = offset.saturating_add(data.len() as u64);
        if end > self.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for number in offset / BLOCK as u64..end.div_ceil(BLOCK as u64) {
            if !self.blocks.contains_key(&number) {
                if self.blocks.len() >= BLOCKS {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                let start = number * BLOCK as u64;
                let mut block = vec![0; BLOCK];
                let length = usize::try_from(self.len - start).unwrap_or(BLOCK);
                let (within, _) = block.split_at_mut(length.min(BLOCK));
                self.read(file, start, within)?;
                self.blocks.insert(number, block.into_boxed_slice());
            }
            let (place, inside) = overlap(number, offset, end);
            if let Some(block) = self.blocks.get_mut(&number)
                && let (Some(block), Some(data)) = (block.get_mut(inside), data.get(place))
            {
                block.copy_from_slice(data);
            }
        }
        Ok(())
    }

    /// What is beyond a shorter end is zero if the end moves away again.
    fn set_len(&mut self, len: u64) {
        self.len = len;
        self.below = self.below.min(len);
        self.blocks.split_off(&len.div_ceil(BLOCK as u64));
        let inside = usize::try_from(len % BLOCK as u64).unwrap_or_default();
        if let Some(last) = self.blocks.get_mut(&(len / BLOCK as u64)) {
            last.iter_mut().skip(inside).for_each(|byte| *byte = 0);
        }
    }
}

impl StorageBackend for Opening {
    fn len(&self) -> io::Result<u64> {
        let (_current, disk) = self.file()?;
        match &self.memory {
            Some(memory) => Ok(lock(memory).len),
            None => disk.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (_current, disk) = self.file()?;
        match &self.memory {
            Some(memory) => lock(memory).read(&*disk.file, offset, out),
            None => disk.file.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (_current, disk) = self.file()?;
        match &self.memory {
            Some(memory) => {
                lock(memory).set_len(len);
                Ok(())
            }
            None => disk.file.set_len(len),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let (_current, disk) = self.file()?;
        match &self.memory {
            Some(_) => Ok(()),
            None => disk.sync(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (_current, disk) = self.file()?;
        match &self.memory {
            Some(memory) => lock(memory).write(&*disk.file, offset, data),
            None => disk.write(offset, data),
        }
    }

    // The file and its locks stay until nobody has the disk any more: `close` does nothing.

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.disk.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.disk.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.disk.file.query_lock_range(start, end)
    }
}

/// Where a block and the bytes from `offset` to `end` overlap: among these bytes, and in the block.
fn overlap(number: u64, offset: u64, end: u64) -> (Range<usize>, Range<usize>) {
    let start = number * BLOCK as u64;
    let (from, to) = (start.max(offset), end.min(start + BLOCK as u64));
    // At most as long as the bytes, or a block.
    let within = |base: u64| (from - base) as usize..(to - base) as usize;
    (within(offset), within(start))
}

fn note(unsynced: &mut BTreeMap<u64, usize>, offset: u64, length: usize) {
    let known = unsynced.entry(offset).or_default();
    *known = length.max(*known);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
