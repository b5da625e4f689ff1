//! What can be wrong with keys, certificates and trust as they are set up; what is wrong with a request is a refusal.

use std::fmt;

/// A fault in what the operator gave us. Names the file or party and what is wrong, never a content.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A private key is open to others.
    #[error("{path} can be read by everyone (mode {mode:03o}): make it private with chmod 600")]
    Exposed {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A key, certificate or list is not what it should be.
    #[error("{place}: {reason}")]
    Content {
        /// The file, member or party.
        place: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The cryptography could not do it.
    #[error("cannot {task}: {reason}")]
    Cryptography {
        /// What was tried.
        task: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// A token or certificate was asked for that must not be issued.
    #[error("will not issue: {0}")]
    Issue(String),
}

impl TrustError {
    pub(crate) fn content(place: impl fmt::Display, reason: impl fmt::Display) -> Self {
        Self::Content {
            place: place.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn cryptography(task: &'static str, reason: impl fmt::Display) -> Self {
        Self::Cryptography {
            task,
            reason: reason.to_string(),
        }
    }

    pub(crate) fn issue(reason: impl fmt::Display) -> Self {
        Self::Issue(reason.to_string())
    }
}
