//! Asking one member what never takes long: what it shows, and what it can match.
//!
//! Questions are planned when all have said so. So one that stays silent is waited for once, for a few times as long as it
//! usually takes, and by nobody else for a while: its breaker opens.

use super::{Form, Members, Patience};
use crate::gate::Errand;
use crate::peers::Unanswered;
use futures::FutureExt;
use futures::future::{Either, select};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::OnceLock;
use std::time::Duration;
use twinlink_core::Refusal;

impl Members<'_> {
    /// How long a member is waited for that is asked something brief.
    pub(crate) fn patience(&self, member: usize) -> Duration {
        let most = self.limits.probe_patience;
        match self.names.get(member) {
            // A broker waits for others itself.
            Some(peer) if member > 0 && !self.is_broker(member) => self.gate(peer).patience(most),
            _ => most,
        }
    }

    /// What a request at the member's gate is.
    pub(super) fn errand(&self, member: usize, patience: Patience) -> Errand {
        match patience {
            Patience::Most(_) if !self.is_broker(member) => Errand::Brief,
            _ => Errand::Rows,
        }
    }

    /// Waits for the answer to something brief, at the member's gate, and no longer than half of what time is left.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn brief<T>(
        &self,
        member: usize,
        answer: impl Future<Output = Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let begun = self.clock.instant();
        let patience = self.patience(member).min(self.budget.left(begun) / 2);
        let attempt = OnceLock::new();
        let work = async {
            let Some(peer) = self.names.get(member).filter(|_| member > 0) else {
                return answer.await;
            };
            let pass = self.gate(peer).begin(self.clock.instant(), Errand::Brief)?;
            let attempt = attempt.get_or_init(|| pass);
            let _seat = self.seat(attempt).await?;
            let answer = answer.await;
            attempt.ended(&answer, &**self.clock);
            answer
        };
        let work = AssertUnwindSafe(work).catch_unwind();
        match select(pin!(work), self.clock.sleep_until(begun + patience)).await {
            Either::Left((answer, _)) => answer.unwrap_or_else(|_| {
                Err(Unanswered::NotEvaluable {
                    reason: "failed while it was asked".to_owned(),
                })
            }),
            Either::Right(_) => {
                if let Some(attempt) = attempt.get() {
                    attempt.gave_up(&**self.clock);
                }
                Err(Unanswered::TimedOut)
            }
        }
    }

    /// The member is not there, and is not asked anything else.
    ///
    /// # Errors
    /// That what is required of sources cannot be had any more.
    pub(crate) fn missed(&self, member: usize, why: Unanswered) -> Result<(), Refusal> {
        self.excuse(member, why, &Form::Boolean, 0, Patience::All);
        self.ledger.leave_out(member);
        self.required()
    }
}
