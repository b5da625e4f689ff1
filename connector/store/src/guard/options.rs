//! What a store has for all its guards.

use super::pseudonym::PseudonymKey;

/// What a store has for all its guards.
#[derive(Debug, Clone)]
pub(crate) struct GuardOptions {
    /// Makes pseudonyms. A guard that needs one is refused without.
    pub(crate) key: Option<PseudonymKey>,
    /// The most quads that one guard may show beside those of the snapshot.
    pub(crate) overlay_quads: usize,
    /// Whether what a change cannot have altered is kept over it.
    pub(crate) keeps: bool,
}

impl Default for GuardOptions {
    fn default() -> Self {
        Self {
            key: None,
            overlay_quads: 5_000_000,
            keeps: true,
        }
    }
}
