//! What names a state of the twin: the number of its last change, and a hash over all changes that led to it.
//!
//! Two logs with one version hold the same changes in the same order. To canonicalize the whole twin
//! (<https://www.w3.org/TR/rdf-canon/>) after each change would cost more than the change, and would not say how it came about.

use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 over the version before, the number of the change and a part of it as it lies in the log, part by part.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Chain([u8; 32]);

impl Chain {
    /// With one more part of a change.
    #[must_use]
    pub(crate) fn and(self, sequence: u64, part: &[u8]) -> Self {
        let hasher = Sha256::new().chain_update(self.0);
        let hasher = hasher.chain_update(sequence.to_be_bytes());
        Self(hasher.chain_update(part).finalize().into())
    }

    /// What names the state after a change: its number, a hyphen, and the hash.
    pub(crate) fn version(self, sequence: u64) -> String {
        format!("{sequence}-{self}")
    }

    /// With all parts of a change.
    #[must_use]
    pub(crate) fn with(self, sequence: u64, parts: &[Vec<u8>]) -> Self {
        parts
            .iter()
            .fold(self, |chain, part| chain.and(sequence, part))
    }
}

/// Lower-case hex.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
