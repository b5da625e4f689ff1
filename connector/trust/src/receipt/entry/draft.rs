//! A record before it has a place in the log.

use super::super::{Asking, moment};
use super::{Entry, EntryKind, Used};
use crate::TrustError;
use crate::merkle::Digest256;
use oxrdf::NamedNode;
use twinlink_core::{Intent, Recorded, Signer, UseRecord};
use uuid::Uuid;

/// A record that has no place in the log yet.
#[derive(Debug)]
pub(in crate::receipt) struct Draft {
    time: String,
    kind: EntryKind,
}

impl Draft {
    pub(in crate::receipt) fn new(time: String, kind: EntryKind) -> Self {
        Self { time, kind }
    }

    pub(in crate::receipt) fn intent(record: &UseRecord) -> Result<Self, TrustError> {
        let kind = EntryKind::Intent {
            used: Used::of(record),
            token: record.token_id.clone(),
            trace: record.trace.clone(),
            refused: record.refused.clone(),
            times: record.times,
            envelope: signed(record, Signer::Connector),
            held: signed(record, Signer::App),
            dataset_version: record.dataset_version.as_deref().map(str::to_owned),
        };
        Ok(Self::new(moment(record.time)?, kind))
    }

    pub(in crate::receipt) fn completion(
        intent: &Intent,
        done: &Recorded,
    ) -> Result<Self, TrustError> {
        let kind = EntryKind::Completion {
            used: Used::of(&intent.record),
            intent: intent.sequence,
            rows: done.rows,
            result_digest: done.result_digest.clone(),
            complete: done.complete,
            failed: done.failed.clone(),
        };
        Ok(Self::new(moment(done.time)?, kind))
    }

    /// Of a use that changed the twin.
    pub(in crate::receipt) fn changed(
        intent: &Intent,
        done: &Recorded,
    ) -> Result<Option<Self>, TrustError> {
        let Some(version) = &done.changed_to else {
            return Ok(None);
        };
        let kind = EntryKind::Changed {
            request: intent.record.request.to_string(),
            intent: intent.sequence,
            dataset_version: version.to_string(),
        };
        Ok(Some(Self::new(moment(done.time)?, kind)))
    }

    pub(in crate::receipt) fn time(&self) -> &str {
        &self.time
    }

    #[cfg(test)]
    pub(in crate::receipt) fn kind(self) -> EntryKind {
        self.kind
    }

    /// A request to a peer, under a new id; gives that too.
    pub(in crate::receipt) fn asked(asking: &Asking) -> Result<(Self, String), TrustError> {
        let transaction = Uuid::now_v7().to_string();
        let text = |term: &NamedNode| term.as_str().to_owned();
        let kind = EntryKind::Asked {
            participant: text(&asking.provider),
            transaction: transaction.clone(),
            request: asking.request.to_string(),
            request_digest: asking.request_digest.clone(),
            subject: asking.subject.clone(),
            purpose: asking.purpose.as_ref().map(text),
        };
        Ok((Self::new(moment(asking.time)?, kind), transaction))
    }

    /// Whether it is about logs alone: of those, peers are not told for their own sake, or two would tell each other for
    /// ever.
    pub(in crate::receipt) fn is_of_logs(&self) -> bool {
        matches!(
            self.kind,
            EntryKind::Checkpoint { .. }
                | EntryKind::Delivered { .. }
                | EntryKind::Cosigned { .. }
                | EntryKind::Witnessed { .. }
                | EntryKind::Contradicted { .. }
                | EntryKind::Readmitted { .. }
                | EntryKind::Known { .. }
                | EntryKind::Key { .. }
                | EntryKind::Unproven { .. }
        )
    }

    /// The signed text, of a checkpoint.
    pub(in crate::receipt) fn checkpoint(&self) -> Option<(u64, &str)> {
        match &self.kind {
            EntryKind::Checkpoint {
                size, checkpoint, ..
            } => Some((*size, checkpoint)),
            _ => None,
        }
    }

    /// Whether it is shown to others, with the proof that it is in the log.
    pub(in crate::receipt) fn is_shown(&self) -> bool {
        matches!(
            self.kind,
            EntryKind::Completion { .. } | EntryKind::Asked { .. }
        )
    }

    /// The record's bytes, after the record with this digest.
    pub(in crate::receipt) fn after(self, previous: Digest256) -> Result<Vec<u8>, TrustError> {
        // A checkpoint holds nothing to hide, and every byte of it must be one that its signature covers.
        let salt = match self.kind {
            EntryKind::Checkpoint { .. } => String::new(),
            _ => Uuid::new_v4().simple().to_string(),
        };
        let entry = Entry {
            previous,
            salt,
            time: self.time,
            kind: self.kind,
        };
        serde_json::to_vec(&entry)
            .map_err(|error| TrustError::cryptography("write a record of use", error))
    }
}

fn signed(record: &UseRecord, by: Signer) -> Option<String> {
    let signed = record.signed.as_ref().filter(|signed| signed.by == by);
    signed.map(|signed| signed.envelope.clone())
}
