//! The log of use after keys changed while it serves: it says which were ours, and keeps those that peers had.

use futures::executor::block_on;
use oxrdf::NamedNode;
use time::OffsetDateTime;
use twinlink_trust::{EntryKind, PublicKey, Receipts};

/// Has the log say at once where our key is another, and keeps the keys that peers had with what they signed there. Blocks.
///
/// What is in force does not wait for the disk: a key that is dropped must not count on because that is full.
pub(super) fn keep(receipts: &Receipts, dropped: Vec<(NamedNode, PublicKey)>) {
    if let Err(refusal) = block_on(receipts.seal()) {
        tracing::error!(%refusal, "the log of use has no checkpoint under the identity that was read yet");
    }
    for (participant, key) in dropped {
        let kind = EntryKind::Known {
            participant: participant.as_str().to_owned(),
            key: key.to_jwk(),
        };
        if let Err(refusal) = block_on(receipts.note(kind, OffsetDateTime::now_utc())) {
            tracing::error!(peer = participant.as_str(), %refusal, "a key that a peer had is not kept: `audit verify` will need it");
        }
    }
}
