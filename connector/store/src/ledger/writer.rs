//! The thread that gives turns and writes the ledger.

use super::state::{Change, State};
use super::{record, undo};
use crate::StoreError;
use crate::durable::Keeper;
use futures::channel::oneshot;
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
    pub(super) keeper: Keeper,
    /// What everybody else sees.
    pub(super) durable: Arc<RwLock<State>>,
    /// The same with what is about to be durable.
    pub(super) working: State,
}

impl Writer {
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Some(first) = self.keeper.next(jobs) {
            let mut changes = Vec::new();
            let mut replies = Vec::new();
            let group = std::iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
            let group: Vec<_> = group.collect();
            // Before anybody decides on what cannot be written. It goes on by itself when there is room.
            if let Err(error) = self.keeper.check(group.len() * CHANGE) {
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
                    Err(error) => result.and_then(|()| Err(error.clone().into())),
                };
                // Whoever asked may have gone away.
                drop(done.send(result));
            }
        }
    }

    fn take(&mut self, work: Work) -> Result<Vec<Change>, Refusal> {
        let changes = catch_unwind(AssertUnwindSafe(|| work(&self.working)))
            .unwrap_or_else(|_| Err(Refusal::new(Code::Internal, "ledger", "a turn panicked")))?;
        for change in &changes {
            self.working.apply(change.clone());
        }
        Ok(changes)
    }

    /// After a failed write everything is as everybody sees it.
    // INVARIANT(counted-before-used): a turn is answered after what it changed is on disk, or refused.
    fn write(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let bytes = changes.len() * CHANGE;
        let written = self.keeper.write(
            bytes,
            |file| record::write(&file.database(), &changes),
            || {
                let (changes, durable) = (changes.clone(), Arc::clone(&self.durable));
                Box::new(move |database| {
                    let state = durable.read().unwrap_or_else(PoisonError::into_inner);
                    undo::undo(database, &changes, &state)
                })
            },
        );
        let mut durable = self.durable.write().unwrap_or_else(PoisonError::into_inner);
        match &written {
            Ok(()) => changes.into_iter().for_each(|change| durable.apply(change)),
            Err(_) => self.working = durable.clone(),
        }
        written
    }
}
