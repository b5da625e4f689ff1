//! The twin of who asks, which fails like any other member.

use super::faults::Fault;
use spargebra::Query;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use twinlink_core::policy::Permit;
use twinlink_core::{
    Applied, Budget, Change, Code, DatasetChoice, Evaluated, Piece, Refusal, Sink, Twin,
};

/// A twin with a fault.
pub(super) struct FaultyTwin {
    pub(super) inner: Arc<dyn Twin>,
    pub(super) fault: Fault,
    /// After how many rows, where it breaks in the middle.
    pub(super) rows: usize,
    /// Whether the fault shows.
    pub(super) is_on: Arc<AtomicBool>,
}

impl Twin for FaultyTwin {
    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        permit: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let fault = if self.is_on.load(Ordering::SeqCst) {
            self.fault
        } else {
            Fault::None
        };
        let refusal = |code| Refusal::new(code, "twin", "as told");
        match fault {
            Fault::Refuses => Err(refusal(Code::Unavailable)),
            Fault::TooSlow => Err(refusal(Code::Timeout)),
            Fault::Resets => {
                let mut few = Few {
                    sink,
                    left: self.rows,
                };
                let evaluated = self
                    .inner
                    .evaluate(query, dataset, permit, budget, &mut few);
                evaluated.and(Err(refusal(Code::Exhausted)))
            }
            _ => self.inner.evaluate(query, dataset, permit, budget, sink),
        }
    }

    fn change(
        &self,
        change: &Change,
        read: Option<&Permit>,
        modify: &Permit,
        budget: &Budget,
    ) -> Result<Applied, Refusal> {
        self.inner.change(change, read, modify, budget)
    }
}

/// Takes no more rows than so many.
struct Few<'a> {
    sink: &'a mut dyn Sink,
    left: usize,
}

impl Sink for Few<'_> {
    fn put(&mut self, mut piece: Piece) -> Result<(), Refusal> {
        let count = usize::try_from(piece.rows()).unwrap_or(usize::MAX);
        match &mut piece {
            Piece::Head(_) => {}
            Piece::Solutions(rows) => rows.truncate(self.left),
            Piece::Triples(triples) => triples.truncate(self.left),
        }
        self.sink.put(piece)?;
        if count > self.left {
            return Err(Refusal::new(Code::Exhausted, "twin", "as told"));
        }
        self.left -= count;
        Ok(())
    }
}
