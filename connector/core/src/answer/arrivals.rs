//! Rows that leave as the sources give them, held to the limits of an answer.

use super::body::{Allowance, Ended};
use super::gather::finished;
use super::timed_out;
use crate::explain::Discard;
use crate::{Age, Budget, Clock, Piece, Refusal, Seat, Step, StepKind, Streamed, Told};
use std::sync::Arc;
use std::time::Instant;

/// An answer that is read from its sources.
pub(super) struct Arrivals {
    rows: Box<dyn Streamed>,
    allowance: Allowance,
    age: Age,
    budget: Budget,
    /// Where the answer is explained in place of being given.
    explained: Option<Explained>,
    /// The request has it until its last row left, as an evaluation has it until its thread is free.
    _seat: Seat,
}

/// Rows that are counted and thrown away.
struct Explained {
    clock: Arc<dyn Clock>,
    started: Instant,
    is_begun: bool,
    rows: u64,
}

impl Arrivals {
    pub(super) fn new(rows: Box<dyn Streamed>, seat: Seat, budget: &Budget, age: Age) -> Self {
        Self {
            rows,
            allowance: Allowance::of(budget),
            age,
            budget: budget.clone(),
            explained: None,
            _seat: seat,
        }
    }

    /// The same, explained in place of being given.
    pub(super) fn explained(mut self, clock: &Arc<dyn Clock>) -> Self {
        self.explained = Some(Explained {
            clock: Arc::clone(clock),
            started: clock.instant(),
            is_begun: false,
            rows: 0,
        });
        self
    }

    pub(super) async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        let Some(explained) = &mut self.explained else {
            return self.arrive().await;
        };
        if !explained.is_begun {
            explained.is_begun = true;
            return Ok(Some(Discard::head()));
        }
        while let Some(piece) = self.arrive().await? {
            if let Some(explained) = &mut self.explained {
                explained.rows += piece.rows();
            }
        }
        Ok(None)
    }

    async fn arrive(&mut self) -> Result<Option<Piece>, Refusal> {
        let piece = self.rows.next().await?;
        if let Some(piece) = &piece {
            self.allowance.take(piece)?;
        }
        if piece.is_some() && self.budget.is_cancelled() {
            return Err(timed_out());
        }
        Ok(piece)
    }

    pub(super) fn ended(&mut self) -> Ended {
        let Told {
            mut sources,
            unsure,
            explanation,
        } = self.rows.told();
        if let Some(ourselves) = sources.first_mut() {
            ourselves.as_of = self.age.told(ourselves.as_of);
        }
        let explanation = explanation.map(|mut told| {
            let Some(explained) = &self.explained else {
                return told;
            };
            told.push(Step::new(
                StepKind::Evaluate,
                "nothing: rows leave as they come",
            ));
            let now = explained.clock.instant();
            let elapsed = now.saturating_duration_since(explained.started);
            finished(told, explained.rows, elapsed)
        });
        Ended {
            sources,
            unsure,
            explanation,
        }
    }
}

impl std::fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arrivals")
            .field("allowance", &self.allowance)
            .finish_non_exhaustive()
    }
}
