//! The log in the words of others: transaction records of Federated Service Connectivity,
//! <https://gitdocumentatie.logius.nl/publicatie/fsc/logging/>.

use super::claimed_use;
use super::entry::{Entry, EntryKind, Used};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A transaction log record as `GET /logs` of an FSC manager gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionRecord {
    /// What links both sides' records.
    pub transaction_id: String,
    /// `DIRECTION_INCOMING` at the provider, `DIRECTION_OUTGOING` at the consumer.
    pub direction: String,
    /// By what it was allowed. FSC has one grant; we have an agreement, or policies: the hash of the first, of its text then.
    /// At the consumer it is what the provider's receipt says. Records of earlier versions have a policy's id, or nothing.
    pub grant_hash: String,
    /// Who asked.
    pub source: Source,
    /// Who was asked.
    pub destination: Destination,
    /// On whose behalf it was asked, where not for itself: who acts for the subject now and who did before. Not of FSC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    /// The program that asked, where the source is not the organisation itself. Not of FSC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// What was asked of it.
    pub service_name: String,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `SOURCE_TYPE_SOURCE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The peer.
    pub outway_peer_id: String,
}

/// Who was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// `DESTINATION_TYPE_DESTINATION`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The peer.
    pub service_peer_id: String,
}

/// The entries that are transactions: uses by others and questions to others, not refusals nor what follows on them.
///
/// `peer_id` says what a participant is called in the FSC group, such as its OIN: FSC allows 20 characters, which our
/// participant ids exceed. `service` is what our twin is called there.
pub fn export_transactions<'a>(
    entries: impl IntoIterator<Item = &'a Entry> + Clone,
    own: &str,
    service: &str,
    peer_id: impl Fn(&str) -> String,
) -> Vec<TransactionRecord> {
    let promised: HashMap<&str, Used> = entries.clone().into_iter().filter_map(promised).collect();
    let record =
        |entry: &Entry, transaction: &str, (from, to): (&str, &str), used: Option<&Used>| {
            let created = OffsetDateTime::parse(&entry.time, &Rfc3339);
            let is_incoming = to == own;
            TransactionRecord {
                transaction_id: transaction.to_owned(),
                direction: if is_incoming {
                    "DIRECTION_INCOMING"
                } else {
                    "DIRECTION_OUTGOING"
                }
                .to_owned(),
                grant_hash: used.map_or("", grant).to_owned(),
                source: Source {
                    kind: "SOURCE_TYPE_SOURCE".to_owned(),
                    outway_peer_id: peer_id(from),
                },
                destination: Destination {
                    kind: "DESTINATION_TYPE_DESTINATION".to_owned(),
                    service_peer_id: peer_id(to),
                },
                actors: used.map(|used| used.actors.clone()).unwrap_or_default(),
                client: used.and_then(|used| used.client.clone()),
                service_name: service.to_owned(),
                created_at: created.map_or(0, OffsetDateTime::unix_timestamp),
            }
        };
    let transaction = |entry: &'a Entry| match &entry.kind {
        EntryKind::Intent {
            used,
            refused: None,
            ..
        } => {
            let from = used.participant.as_deref()?;
            let name = used.transaction.as_deref().unwrap_or(&used.request);
            Some(record(entry, name, (from, own), Some(used)))
        }
        EntryKind::Asked {
            participant,
            transaction,
            ..
        } => {
            let used = promised.get(transaction.as_str());
            Some(record(entry, transaction, (own, participant), used))
        }
        _ => None,
    };
    entries.into_iter().filter_map(transaction).collect()
}

fn grant(used: &Used) -> &str {
    let agreement = used.agreements.first().map(|(_, hash)| hash);
    let hash = agreement.or(used.policy_hashes.first());
    let hash = hash.filter(|hash| !hash.is_empty());
    hash.or(used.policies.first()).map_or("", String::as_str)
}

/// What a peer's receipt says, which was verified when it came.
fn promised(entry: &Entry) -> Option<(&str, Used)> {
    match &entry.kind {
        EntryKind::Answered {
            transaction,
            receipt,
            fault: None,
            ..
        } => Some((transaction, claimed_use(receipt)?)),
        _ => None,
    }
}
