//! One record of the log as it lies in the journal: JSON with its members in this order.

use super::moment;
use crate::TrustError;
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twinlink_core::{Intent, Recorded, UseRecord};

/// What stands before the first record.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 of the record before it as it lies in the journal, lower-case hex; zeros before the first.
    pub previous: String,
    /// The request's id.
    pub request: String,
    /// When: RFC 3339.
    pub time: String,
    /// What happened.
    #[serde(flatten)]
    pub kind: EntryKind,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum EntryKind {
    /// Somebody is about to use something, or was refused.
    Intent {
        /// Who, by participant id.
        participant: Option<String>,
        /// The person or program.
        subject: Option<String>,
        /// The purpose.
        purpose: Option<String>,
        /// The ODRL action.
        action: String,
        /// The policies that let it through.
        policies: Vec<String>,
        /// The version of the policy set.
        policy_version: String,
        /// The token's `jti`.
        token: Option<String>,
        /// SHA-256 of the request's text, lower-case hex.
        request_digest: String,
        /// The check that refused it.
        refused: Option<String>,
    },
    /// A use came to its end.
    Completion {
        /// The place of its intent in the log.
        intent: u64,
        /// Rows or triples released.
        rows: u64,
        /// SHA-256 over the rows as released, lower-case hex.
        result_digest: String,
        /// Whether every source was settled.
        complete: bool,
        /// The check that ended it early.
        failed: Option<String>,
    },
}

/// A record that has no place in the log yet.
#[derive(Debug)]
pub(super) struct Draft(Entry);

impl Draft {
    pub(super) fn intent(record: &UseRecord) -> Result<Self, TrustError> {
        let text = |term: &NamedNode| term.as_str().to_owned();
        Ok(Self(Entry {
            previous: String::new(),
            request: record.request.to_string(),
            time: moment(record.time)?,
            kind: EntryKind::Intent {
                participant: record.participant.as_ref().map(text),
                subject: record.subject.clone(),
                purpose: record.purpose.as_ref().map(text),
                action: text(&record.action),
                policies: record.policies.iter().map(text).collect(),
                policy_version: record.policy_version.clone(),
                token: record.token_id.clone(),
                request_digest: record.request_digest.clone(),
                refused: record.refused.clone(),
            },
        }))
    }

    pub(super) fn completion(intent: &Intent, done: &Recorded) -> Result<Self, TrustError> {
        Ok(Self(Entry {
            previous: String::new(),
            request: intent.record.request.to_string(),
            time: moment(done.time)?,
            kind: EntryKind::Completion {
                intent: intent.sequence,
                rows: done.rows,
                result_digest: done.result_digest.clone(),
                complete: done.complete,
                failed: done.failed.clone(),
            },
        }))
    }

    /// The record's bytes, after the record with this digest.
    pub(super) fn after(mut self, previous: &str) -> Result<Vec<u8>, TrustError> {
        previous.clone_into(&mut self.0.previous);
        serde_json::to_vec(&self.0)
            .map_err(|error| TrustError::cryptography("write a record of use", error))
    }
}

/// SHA-256 of a record, lower-case hex.
pub(super) fn digest(record: &[u8]) -> String {
    Sha256::digest(record)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
