//! Keeps a file writable: asks for room before a write, and brings the file back after one that failed.
//!
//! After a failed write nothing is written until the file could be opened again. That is tried at once, and then again and
//! again by itself. Meanwhile what was acknowledged is read, through an opening that leaves the file as it is.

use super::room::Room;
use super::{Durable, Undo};
use crate::StoreError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long after a failed attempt the next one is made: doubled each time, up to the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Why nothing is written now, for others than the writer's thread.
pub(crate) type Fault = Arc<Mutex<Option<StoreError>>>;

/// What the writer's thread asks before it writes.
pub(crate) struct Keeper {
    durable: Arc<Durable>,
    room: Room,
    broken: Option<Broken>,
    fault: Fault,
}

/// A file whose last write failed.
struct Broken {
    error: StoreError,
    undo: Box<Undo>,
    /// The bytes of the write that failed.
    bytes: usize,
    /// Whether it is open for reading.
    is_read: bool,
    wait: Duration,
    next: Instant,
}

impl Keeper {
    pub(crate) fn new(durable: Arc<Durable>, room: Room) -> Self {
        Self {
            durable,
            room,
            broken: None,
            fault: Fault::default(),
        }
    }

    /// Where it says why nothing is written.
    pub(crate) fn fault(&self) -> Fault {
        Arc::clone(&self.fault)
    }

    /// Waits for a job, and meanwhile tries a broken file again. None when no more can come.
    pub(crate) fn next<J>(&mut self, jobs: &Receiver<J>) -> Option<J> {
        loop {
            let Some(broken) = &self.broken else {
                return jobs.recv().ok();
            };
            let left = broken.next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.mend();
                continue;
            }
            match jobs.recv_timeout(left) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Whether so many bytes may be written now.
    pub(crate) fn check(&mut self, bytes: usize) -> Result<(), StoreError> {
        match &self.broken {
            Some(broken) => Err(broken.error.clone()),
            None => self.room.check(bytes),
        }
    }

    /// Writes. If that fails, or panics, it is taken back before anybody hears of it, and before anybody reads.
    // INVARIANT(refused-is-not-there): what was answered with an error is in no later state of the file. Where the process
    // dies before it was taken back, it is there whole or not at all.
    pub(crate) fn write(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&Durable) -> Result<(), StoreError>,
        undo: impl FnOnce() -> Box<Undo>,
    ) -> Result<(), StoreError> {
        let written = catch_unwind(AssertUnwindSafe(|| write(&self.durable)));
        let error = match written {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => StoreError::Failed(error.to_string()),
            Err(_) => StoreError::Failed("the writer panicked".to_owned()),
        };
        tracing::error!(%error, "nothing more is written until the disk can be written again");
        self.tell(Some(error.clone()));
        self.broken = Some(Broken {
            error: error.clone(),
            undo: undo(),
            bytes,
            is_read: false,
            wait: FIRST,
            next: Instant::now(),
        });
        self.mend();
        Err(error)
    }

    /// Tries to open the file again; where that fails, to read at least.
    fn mend(&mut self) {
        let Some(mut broken) = self.broken.take() else {
            return;
        };
        let tried = self.room.check(broken.bytes);
        let tried = tried.and_then(|()| self.room.prove(broken.bytes));
        let tried = tried.and_then(|()| {
            broken.is_read = false;
            caught(|| self.durable.reopen(&broken.undo))
        });
        let Err(error) = tried else {
            tracing::info!("the disk can be written again");
            self.tell(None);
            return;
        };
        tracing::debug!(%error, "the disk cannot be written yet");
        if !broken.is_read {
            match caught(|| self.durable.reopen_to_read(&broken.undo)) {
                Ok(()) => broken.is_read = true,
                Err(error) => tracing::error!(%error, "the disk cannot be read either"),
            }
        }
        broken.next = Instant::now() + broken.wait;
        broken.wait = LONGEST.min(broken.wait * 2);
        self.broken = Some(broken);
    }

    fn tell(&self, error: Option<StoreError>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }
}

/// A file may be in a state that redb takes for impossible.
fn caught(work: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::Failed("the file cannot be opened".to_owned())))
}
