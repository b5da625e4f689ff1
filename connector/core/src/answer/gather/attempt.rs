//! Questions that are answered before a thread would have woken: tried at once, within a small number of steps.

use super::{Connector, Plan};
use crate::ports::Evaluated;
use crate::{Budget, Code, Piece, Refusal, Sink};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use twinlink_policy::Permit;

/// The most steps, each the reading of a quad or less: some hundred microseconds.
///
/// Quads that are read and not shown count too. They are a few nanoseconds each, so an attempt for whose end they are to
/// blame has taken no longer than it takes to wake a thread.
const STEPS: u32 = 4096;
/// The check that ends an attempt at a question that is not brief after all.
const TOO_MUCH: &str = "limits.steps";
/// The most rows or triples.
const ROWS: usize = 32;
/// The most bytes of them.
const BYTES: usize = 64 << 10;

/// Evaluates on this very thread, which others wait for: where the question looks brief and turns out to be, within what
/// is ready in memory. What was tried in vain is forgotten; nobody has seen any of it.
// INVARIANT(no-long-work-on-the-runtime): an attempt ends after so many steps, and makes and waits for nothing.
pub(super) fn attempt(
    connector: &Connector,
    plan: &Plan,
    permit: &Permit,
    budget: &Budget,
) -> Option<(VecDeque<Piece>, Evaluated)> {
    if !plan.question.is_brief() {
        return None;
    }
    let most = usize::try_from(budget.rows()).map_or(ROWS, |rows| rows.min(ROWS));
    let mut kept = Kept {
        pieces: VecDeque::with_capacity(2),
        rows: most,
        bytes: budget.result_bytes().min(BYTES),
    };
    let (query, dataset) = (&plan.question.query, plan.request.dataset.as_ref());
    let brief = budget.clone().with_steps(STEPS);
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        connector
            .twin
            .attempt(query, dataset, permit, &brief, &mut kept)
    }));
    match evaluated {
        Ok(Ok(evaluated)) => Some((kept.pieces, evaluated)),
        Ok(Err(refusal)) if refusal.check() == TOO_MUCH => {
            plan.question.takes_time();
            None
        }
        // Whatever else it was, the evaluation on a thread of its own is the one that says it.
        Ok(Err(_)) | Err(_) => None,
    }
}

/// The pieces of a small answer.
struct Kept {
    pieces: VecDeque<Piece>,
    /// How many rows there is room for.
    rows: usize,
    bytes: usize,
}

impl Sink for Kept {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        let rows = match &piece {
            Piece::Head(_) => 0,
            Piece::Solutions(rows) => rows.len(),
            Piece::Triples(triples) => triples.len(),
        };
        let (Some(rows), Some(bytes)) = (
            self.rows.checked_sub(rows),
            self.bytes.checked_sub(piece.bytes()),
        ) else {
            let detail = "the attempt found too much";
            return Err(Refusal::new(Code::Exhausted, TOO_MUCH, detail));
        };
        (self.rows, self.bytes) = (rows, bytes);
        self.pieces.push_back(piece);
        Ok(())
    }
}
