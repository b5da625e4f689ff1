//! As questions are asked that require nothing of sources: rows may leave as they come.

use super::{Kept, Member, RealTime, STACK, Told, Town, budget, conditions, delegation};
use futures::executor::block_on;
use spargebra::Query;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use twinlink_core::{
    Code, Federation as _, Gathered, Refusal, Requirement, Sink as _, Told as Ended, Workers,
};
use twinlink_federation::FederationLimits;

/// Asks the first of the members, which asks the others; and whether rows left as they came.
///
/// # Errors
/// A refusal, in words.
pub(crate) fn stream(
    members: &[Member],
    query: &Query,
    limits: FederationLimits,
) -> Result<(Told, bool), String> {
    Town::streaming(members, limits)?
        .stream(query)
        .map_err(super::word)
}

impl Town {
    /// These members, with summaries, where rows may leave as they come.
    ///
    /// # Errors
    /// As [`Town::new`].
    pub(crate) fn streaming(members: &[Member], limits: FederationLimits) -> Result<Self, String> {
        let (clock, threads) = (Arc::new(RealTime), Arc::new(Threads::default()));
        Self::of_parts(members, limits, clock, threads, |parts| parts)
    }

    /// Asks the first member, and takes what comes; and whether rows left as they came. Takes workers on other threads.
    ///
    /// # Errors
    /// A refusal, of a question of which rows may have left.
    pub(crate) fn stream(&self, query: &Query) -> Result<(Told, bool), Refusal> {
        let (budget, delegation) = (budget(), delegation());
        let conditions = conditions(Requirement::default(), None);
        let gathered =
            self.federator
                .stream(query, None, &self.permit, &delegation, &budget, &conditions);
        let mut kept = Kept::default();
        let (ended, is_streamed) = match block_on(gathered)? {
            Gathered::Held(harvest) => {
                harvest.merge.run(&budget, &mut kept)?;
                let ended = Ended {
                    sources: harvest.sources,
                    unsure: harvest.unsure,
                    explanation: harvest.explanation,
                };
                (ended, false)
            }
            Gathered::Streamed(mut rows) => {
                while let Some(piece) = block_on(rows.next())? {
                    kept.put(piece)?;
                }
                (rows.told(), true)
            }
        };
        Ok((self.told(ended, kept)?, is_streamed))
    }
}

/// A thread for each job: whoever puts rows may wait for whoever reads them.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    busy: Arc<AtomicUsize>,
}

impl Threads {
    /// Whether a job is being done.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::SeqCst) > 0
    }
}

impl Workers for Threads {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        let busy = Busy::new(&self.busy);
        let work = move || {
            job();
            drop(busy);
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(work);
        let made = thread.map(drop);
        made.map_err(|error| Refusal::new(Code::Exhausted, "threads", error))
    }
}

/// Counts a job, until it is over.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
