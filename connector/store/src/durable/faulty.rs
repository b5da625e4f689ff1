//! A disk that fails where a test says so.

#![allow(
    clippy::indexing_slicing,
    reason = "a test that fails here fails rightly"
)]

use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Writes and growth.
    Full,
    /// Writes, growth and syncs.
    Broken,
    /// Syncs. What was to be synced is read all the same, and the next sync leaves it out: so does Linux.
    Forgetful,
}

/// A disk in memory. Its clones are the same disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// As it is read.
    bytes: Vec<u8>,
    /// As it is after a power loss.
    synced: Vec<u8>,
    /// What the next sync brings there.
    dirty: Vec<(usize, Vec<u8>)>,
    /// After so many operations, so many fail.
    fails: Option<(usize, usize, Failing)>,
    has_failed: bool,
}

impl Disk {
    /// Lets operations of a kind fail: after so many that succeed, so many.
    pub(crate) fn fail(&self, after: usize, times: usize, failing: Failing) {
        let mut state = self.state();
        state.fails = Some((after, times, failing));
        state.has_failed = false;
    }

    /// Lets all succeed.
    pub(crate) fn heal(&self) {
        self.state().fails = None;
    }

    /// Whether an operation failed since [`Self::fail`].
    pub(crate) fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    /// The disk as a power loss leaves it: what was synced.
    pub(crate) fn after_power_loss(&self) -> Self {
        let synced = self.state().synced.clone();
        Self::of(synced)
    }

    /// The disk as the end of the process leaves it: what was written.
    pub(crate) fn after_kill(&self) -> Self {
        let bytes = self.state().bytes.clone();
        Self::of(bytes)
    }

    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            synced: bytes.clone(),
            bytes,
            ..State::default()
        })))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Begins an operation; says how it fails if it does.
    fn begin(&mut self, is_sync: bool, grows: bool) -> Option<Failing> {
        let (after, times, failing) = self.fails.as_mut()?;
        let is_meant = match failing {
            Failing::Full => grows,
            Failing::Broken => true,
            Failing::Forgetful => is_sync,
        };
        if !is_meant {
            return None;
        }
        if *after > 0 {
            *after -= 1;
            return None;
        }
        let fails = *times > 0;
        *times = times.saturating_sub(1);
        self.has_failed |= fails;
        fails.then_some(*failing)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let offset = offset as usize;
        let bytes = state.bytes.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        let grows = len as usize > state.bytes.len();
        if state.begin(false, grows).is_some() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        let failing = state.begin(true, false);
        if let Some(failing) = failing {
            if failing == Failing::Forgetful {
                state.dirty.clear();
            }
            return Err(io::Error::other("the disk failed"));
        }
        let (len, dirty) = (state.bytes.len(), std::mem::take(&mut state.dirty));
        state.synced.resize(len, 0);
        for (offset, data) in dirty {
            let end = len.min(offset + data.len());
            if offset < end {
                state.synced[offset..end].copy_from_slice(&data[..end - offset]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let failing = state.begin(false, true);
        // Half of it gets there.
        let data = match failing {
            Some(_) => &data[..data.len() / 2],
            None => data,
        };
        let offset = offset as usize;
        let place = state.bytes.get_mut(offset..offset + data.len());
        place
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        state.dirty.push((offset, data.to_vec()));
        match failing {
            Some(_) => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }
}
