//! The thread that gives turns and writes the ledger.

use super::state::{Change, State};
use super::{record, stopped};
use crate::StoreError;
use crate::log::room::Room;
use futures::channel::oneshot;
use redb::Database;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use twinlink_core::{Code, Refusal};

/// How many turns share one sync.
const GROUP: usize = 512;
/// What a turn writes, about, in bytes; what is kept free besides is far more.
const CHANGE: usize = 16 << 10;

/// Looks at the newest state and says what changes.
type Work = Box<dyn FnOnce(&State) -> Result<Vec<Change>, Refusal> + Send>;

/// One turn.
pub(super) struct Job {
    pub(super) work: Work,
    /// Hears of it once it is durable.
    pub(super) done: oneshot::Sender<Result<(), Refusal>>,
}

/// Gives turns, a group at a time.
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    /// What everybody else sees.
    pub(super) durable: Arc<RwLock<State>>,
    /// The same with what is about to be durable.
    pub(super) working: State,
    pub(super) room: Room,
    pub(super) is_stopped: bool,
}

impl Writer {
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut changes = Vec::new();
            let mut replies = Vec::new();
            let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
            let group: Vec<_> = group.collect();
            // Before anybody decides on what cannot be written. It goes on by itself when there is room.
            if let Err(error) = self.room.check(group.len() * CHANGE) {
                for job in group {
                    drop(job.done.send(Err(error.clone().into())));
                }
                continue;
            }
            for job in group {
                let result = self.take(job.work).map(|made| changes.extend(made));
                replies.push((job.done, result));
            }
            let written = self.write(changes);
            for (done, result) in replies {
                let result = match &written {
                    Ok(()) => result,
                    // Also what changed nothing: it may rest on what is not durable.
                    Err(_) => result.and_then(|()| Err(stopped())),
                };
                // Whoever asked may have gone away.
                drop(done.send(result));
            }
        }
    }

    fn take(&mut self, work: Work) -> Result<Vec<Change>, Refusal> {
        if self.is_stopped {
            return Err(stopped());
        }
        let changes = catch_unwind(AssertUnwindSafe(|| work(&self.working)))
            .unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "ledger", "a turn panicked")))?;
        for change in &changes {
            self.working.apply(change.clone());
        }
        Ok(changes)
    }

    /// After a failed write it is not known what is on disk: no more turns are given.
    // INVARIANT(counted-before-used): a turn is answered after what it changed is on disk, or refused.
    fn write(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        if let Err(error) = record::write(&self.database, &changes) {
            tracing::error!(%error, "the ledger could not be written: no more uses are counted, so none begin that must be");
            self.is_stopped = true;
            return Err(error);
        }
        let mut durable = self.durable.write().unwrap_or_else(PoisonError::into_inner);
        changes.into_iter().for_each(|change| durable.apply(change));
        Ok(())
    }
}
