//! One record of the log as it lies in the journal: JSON with its members in this order.

mod draft;

use crate::merkle::Digest256;
pub(super) use draft::Draft;
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use twinlink_core::UseRecord;

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The digest of the record before it; that of nothing before the first.
    pub previous: Digest256,
    /// By chance, so that the digest of a record that was purged does not give away what it said. Empty in checkpoints.
    pub salt: String,
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
        /// Who uses what.
        #[serde(flatten)]
        used: Used,
        /// The token's `jti`.
        token: Option<String>,
        /// The trace that the request is a part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<String>,
        /// The check that refused it.
        refused: Option<String>,
        /// How many refusals this one record is of, where it is not one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        times: Option<u64>,
        /// The request as the caller's organisation signed it: [`crate::verify_envelope`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        envelope: Option<String>,
        /// The request as the caller's app signed it, with the token that names its key: [`crate::verify_held_request`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<String>,
        /// The state of the twin when it began: the number of its last change, and a hash over all changes. Only here: of the
        /// receipt, others see every letter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dataset_version: Option<String>,
    },
    /// A use came to its end.
    Completion {
        /// Who used what: again, so that a receipt is this record alone.
        #[serde(flatten)]
        used: Used,
        /// The place of its intent in the journal.
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
    /// A change was made. Beside its completion and not in it, because of the receipt others see every letter.
    Changed {
        /// The request's id.
        request: String,
        /// The place of its intent in the journal.
        intent: u64,
        /// The state of the twin after it, as in intents: whoever has the log of changes can compute it, and so say which change
        /// this was.
        dataset_version: String,
    },
    /// We are about to ask a peer. The proof that this record is in the log is what the peer is shown: its envelope.
    Asked {
        /// The peer.
        participant: String,
        /// The request's id in both logs.
        transaction: String,
        /// The request here that it is a part of.
        request: String,
        /// SHA-256 of the request, lower-case hex.
        request_digest: String,
        /// The person or program.
        subject: String,
        /// The purpose.
        purpose: Option<String>,
    },
    /// A peer answered us.
    Answered {
        /// The peer.
        participant: String,
        /// The request's id in both logs.
        transaction: String,
        /// The request here that it is a part of.
        request: String,
        /// SHA-256 over the rows as they arrived, lower-case hex.
        result_digest: String,
        /// Rows or triples that arrived.
        rows: u64,
        /// The peer's receipt.
        receipt: String,
        /// What is wrong with the receipt: the check that it did not pass.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<String>,
    },
    /// A peer said what it received: [`crate::Acknowledgement`].
    Acknowledged {
        /// The peer.
        participant: String,
        /// The requests' ids in both logs.
        transactions: Vec<String>,
        /// As the peer signed it.
        acknowledgement: String,
    },
    /// A peer took our word for what we received of its answers: nothing is left to be sent.
    Delivered {
        /// The peer.
        participant: String,
        /// The requests' ids in both logs.
        transactions: Vec<String>,
    },
    /// This log up to here, signed: [`crate::Checkpoint`].
    Checkpoint {
        /// How many records are before this one.
        size: u64,
        /// The peaks of the tree over them, largest first.
        peaks: Vec<Digest256>,
        /// As we signed it.
        checkpoint: String,
    },
    /// A peer has seen this log grow up to a checkpoint.
    Cosigned {
        /// The peer.
        participant: String,
        /// As the peer signed it.
        cosignature: String,
    },
    /// We have seen a peer's log grow up to a checkpoint.
    Witnessed {
        /// The peer.
        participant: String,
        /// As the peer signed it.
        checkpoint: String,
    },
    /// A peer showed us a log that does not follow from the one that it showed before: both signed by it.
    Contradicted {
        /// The peer.
        participant: String,
        /// What it signed before.
        seen: String,
        /// What it signed now.
        shown: String,
    },
    /// Our operator takes a peer's log up again that contradicted what it showed before: from a checkpoint on.
    Readmitted {
        /// The peer.
        participant: String,
        /// What we had seen of its log, as it signed it.
        seen: String,
        /// From where on its log must grow, as it signed it.
        checkpoint: String,
        /// The person or program here.
        by: String,
        /// Why.
        reason: String,
    },
    /// A key of ours says of another that it is ours too: the next, or the one before.
    Key {
        /// The other key, as a JWK.
        key: String,
        /// What says so, signed.
        statement: String,
    },
    /// A key that a peer had, and that its card does not name any more: statements that we keep may be signed with it.
    Known {
        /// The peer.
        participant: String,
        /// The key, as a JWK.
        key: String,
    },
    /// These records were found behind all that was signed, when the log was opened: nothing shows that we wrote them.
    Unproven {
        /// The place of the first of them in the journal.
        first: u64,
        /// And of the last.
        last: u64,
    },
    /// Records are about to be purged: only their digests stay.
    Purge {
        /// Their places in the journal.
        records: Vec<u64>,
        /// The person or program.
        by: String,
        /// Why.
        reason: String,
    },
}

/// Who uses what, for which purpose, by which policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The request's id.
    pub request: String,
    /// Its id with who signed the request: in the log of the organisation that asks, which has it too, or the app's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// Who, by participant id.
    pub participant: Option<String>,
    /// The person or program.
    pub subject: Option<String>,
    /// The program that asks, where it is not the organisation itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Who acts for that person or program now, and who did before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    /// The agreement under which it asks, as its token says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// The purpose.
    pub purpose: Option<String>,
    /// The ODRL action.
    pub action: String,
    /// The policies that let it through.
    pub policies: Vec<String>,
    /// The RDFC-1.0 hash of each, in their order: what its text was then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_hashes: Vec<String>,
    /// The version of the policy set: a hash over it.
    pub policy_version: String,
    /// Those of them that are agreements, each with the hash of its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<(String, String)>,
    /// The incident for which the caller broke the glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// SHA-256 of the request, lower-case hex.
    pub request_digest: String,
    /// What else was asked, where an app signed the request: [`twinlink_core::Signable::options`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// What lies in the journal.
pub(super) enum Record {
    Entry(Box<Entry>),
    /// A record was here; its digest is left.
    Purged,
}

/// What is left of a purged record.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tombstone {
    purged: Digest256,
}

impl Used {
    fn of(record: &UseRecord) -> Self {
        let text = |term: &NamedNode| term.as_str().to_owned();
        Self {
            request: record.request.to_string(),
            transaction: record.signed.as_ref().map(|s| s.transaction.clone()),
            participant: record.participant.as_ref().map(text),
            subject: record.subject.clone(),
            client: record.means.client.clone(),
            actors: record.means.actors.clone(),
            agreement: record.means.agreement.as_ref().map(text),
            purpose: record.purpose.as_ref().map(text),
            action: text(&record.action),
            policies: record.policies.iter().map(text).collect(),
            policy_hashes: record.policy_hashes.clone(),
            policy_version: record.policy_version.clone(),
            agreements: record
                .agreements
                .iter()
                .map(|(uid, hash)| (text(uid), hash.clone()))
                .collect(),
            break_glass: record.break_glass.as_ref().map(text),
            request_digest: record.request_digest.clone(),
            options: record.options.clone(),
        }
    }
}

impl EntryKind {
    /// The requests that it is about: the id here, and the id that both sides know.
    pub fn requests(&self) -> Vec<&str> {
        match self {
            Self::Intent { used, .. } | Self::Completion { used, .. } => {
                let transaction = used.transaction.as_deref();
                std::iter::once(used.request.as_str())
                    .chain(transaction)
                    .collect()
            }
            Self::Asked {
                request,
                transaction,
                ..
            }
            | Self::Answered {
                request,
                transaction,
                ..
            } => vec![request, transaction],
            Self::Changed { request, .. } => vec![request],
            Self::Acknowledged { transactions, .. } | Self::Delivered { transactions, .. } => {
                transactions.iter().map(String::as_str).collect()
            }
            Self::Checkpoint { .. }
            | Self::Cosigned { .. }
            | Self::Witnessed { .. }
            | Self::Contradicted { .. }
            | Self::Readmitted { .. }
            | Self::Known { .. }
            | Self::Key { .. }
            | Self::Unproven { .. }
            | Self::Purge { .. } => Vec::new(),
        }
    }

    /// The participant on the other side.
    pub fn participant(&self) -> Option<&str> {
        match self {
            Self::Intent { used, .. } | Self::Completion { used, .. } => {
                used.participant.as_deref()
            }
            Self::Asked { participant, .. }
            | Self::Answered { participant, .. }
            | Self::Acknowledged { participant, .. }
            | Self::Delivered { participant, .. }
            | Self::Cosigned { participant, .. }
            | Self::Witnessed { participant, .. }
            | Self::Contradicted { participant, .. }
            | Self::Readmitted { participant, .. }
            | Self::Known { participant, .. } => Some(participant),
            Self::Changed { .. }
            | Self::Checkpoint { .. }
            | Self::Key { .. }
            | Self::Unproven { .. }
            | Self::Purge { .. } => None,
        }
    }
}

impl Record {
    /// Reads a record strictly: it has one spelling, so no byte of it can change unseen. With its digest.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, Digest256)> {
        if let Ok(tombstone) = serde_json::from_slice::<Tombstone>(bytes) {
            let is_spelled = serde_json::to_vec(&tombstone).is_ok_and(|again| again == bytes);
            return is_spelled.then_some((Self::Purged, tombstone.purged));
        }
        let entry: Entry = serde_json::from_slice(bytes).ok()?;
        let is_spelled = serde_json::to_vec(&entry).is_ok_and(|again| again == bytes);
        is_spelled.then(|| (Self::Entry(Box::new(entry)), Digest256::of_leaf(bytes)))
    }
}

/// What to put in place of a record that is to be forgotten: tree and chain stay whole. None for a checkpoint, which
/// holds nothing about anybody, and for what is no record. Only a record with a checkpoint behind it may be forgotten.
pub fn tombstone(record: &[u8]) -> Option<Vec<u8>> {
    match Record::read(record)? {
        (Record::Purged, _) => Some(record.to_vec()),
        (Record::Entry(entry), _) if matches!(entry.kind, EntryKind::Checkpoint { .. }) => None,
        (Record::Entry(_), purged) => serde_json::to_vec(&Tombstone { purged }).ok(),
    }
}
