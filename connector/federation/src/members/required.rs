//! When there is no hope left for what the caller requires of sources.

use super::Members;
use twinlink_core::Refusal;

impl Members<'_> {
    /// Ends the question where what the caller requires of sources cannot be had any more.
    ///
    /// # Errors
    /// As [`twinlink_core::Requirement::check_so_far`].
    // INVARIANT(no-hope-no-wait): nobody is waited for once too few sources are left for what the caller requires.
    pub(crate) fn required(&self) -> Result<(), Refusal> {
        let require = &self.conditions.require;
        if require.is_nothing() || self.teller.is_plan() {
            return Ok(());
        }
        let sources = self.ledger.so_far();
        let is_settled = sources.iter().all(|source| source.state.is_settled());
        let more = (1..self.names.len())
            .any(|member| self.is_broker(member) && !self.ledger.is_out(member));
        let unsure = if is_settled { &[] } else { self.operators };
        require.check_so_far(&sources, unsure, more)
    }
}
