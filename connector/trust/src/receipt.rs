//! The signed log of use: every use is on disk before it happens, chained to all before it, and ends with a receipt.
//!
//! The records are the leaves of a Merkle tree. Its root is signed once for all records that reach the disk together; a
//! receipt is that signature, the record, and the path from the record to the root.

mod audit;
mod checkpoint;
mod entry;
mod envelope;
mod export;
mod reconcile;
mod resume;
mod scribe;

use crate::merkle::{Digest256, verify_inclusion};
use crate::{CurrentIdentity, PublicKey, TrustError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entry::{Draft, Record};
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use scribe::{Scribe, Written};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Intent, Journal, Recorded, Refusal, UseLog, UseRecord};

pub use audit::{Audit, audit, list_entries, prove_consistency, show_entries, verify_log};
pub use checkpoint::{Checkpoint, Witness, verify_checkpoint, verify_cosignature};
pub use entry::{Entry, EntryKind, Used, tombstone};
pub use envelope::{Acknowledgement, Envelope};
pub use export::{TransactionRecord, export_transactions};
pub use reconcile::{Agreement, Exchange, consumed, provided, reconcile};

/// The longest receipt, in bytes.
const LENGTH: usize = 64 * 1024;

/// The longest that records stay without a checkpoint behind them in the log.
const OPEN: Duration = Duration::from_secs(1);

/// The log of use over a journal, signing receipts with the connector's identity key.
pub struct Receipts {
    scribe: Scribe,
}

/// What a receipt says. Of the answer it holds digest and count, never a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptClaims {
    /// The participant that answered and signs.
    pub iss: String,
    /// Who used what.
    pub used: Used,
    /// The place of the completion in the signer's journal.
    pub sequence: u64,
    /// The place of the intent in the signer's journal.
    pub intent: u64,
    /// When the answer ended: RFC 3339.
    pub time: String,
    /// SHA-256 over the rows as released, lower-case hex.
    pub result_digest: String,
    /// Rows or triples released.
    pub rows: u64,
    /// Whether every source was settled.
    pub complete: bool,
    /// The check that ended it early.
    pub failed: Option<String>,
    /// The digest of the completion's record: a leaf of the signer's tree.
    pub record: Digest256,
    /// Its index in the tree.
    pub index: u64,
    /// The tree as it was signed. Whoever keeps it can see later whether the log was cut off or rewritten.
    pub checkpoint: Checkpoint,
}

/// What a receipt adds to the signed checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaf {
    /// Only where to look: the index is what is proven.
    sequence: u64,
    index: u64,
    path: Vec<Digest256>,
    record: String,
}

impl Receipts {
    /// Opens the log of use: finds its end, and starts the thread that writes it. Blocks on the journal.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where the journal cannot be read, [`Code::Internal`] where no thread can be started, or
    /// the end of the journal is no log of use.
    pub fn open(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            scribe: Scribe::start(journal, identity, OPEN)?,
        })
    }

    /// Records what belongs to a use and is no use itself: envelopes, acknowledgements, what peers and we witnessed.
    /// Resolves to its place in the journal once it is on disk.
    ///
    /// # Errors
    /// [`Code::Internal`] for a use or a checkpoint: those have their own ways in; [`Code::Unavailable`].
    pub async fn note(&self, kind: EntryKind, time: OffsetDateTime) -> Result<u64, Refusal> {
        if let EntryKind::Intent { .. }
        | EntryKind::Completion { .. }
        | EntryKind::Checkpoint { .. } = kind
        {
            return Err(fault(&"a use is not noted, but intended and completed"));
        }
        let draft = Draft::new(moment(time).map_err(|error| fault(&error))?, kind);
        Ok(self.scribe.write(draft).await?.sequence)
    }

    /// Puts a signed checkpoint behind all that was written. Otherwise there is one after a second, and at the end.
    ///
    /// # Errors
    /// [`Code::Unavailable`].
    pub async fn seal(&self) -> Result<(), Refusal> {
        self.scribe.seal().await
    }
}

/// The receipt's text: the signed checkpoint, `~`, and the rest as JSON in base64url.
fn text(written: Written) -> Result<String, Refusal> {
    let proof = written
        .proof
        .ok_or_else(|| fault(&"nothing proves the record"))?;
    let leaf = Leaf {
        sequence: written.sequence,
        index: proof.index,
        path: proof.path,
        record: proof.record,
    };
    let leaf = serde_json::to_vec(&leaf).map_err(|error| fault(&error))?;
    let mut text = proof.checkpoint.to_string();
    text.push('~');
    URL_SAFE_NO_PAD.encode_string(leaf, &mut text);
    Ok(text)
}

/// Verifies a receipt with the keys of the participant that should have signed it.
///
/// # Errors
/// [`Code::Invalid`]: `receipt.form`, not a receipt; `receipt.signature`, another signer, or not signed by one of the
/// keys; `receipt.proof`, the record is not one of those signed; `receipt.claims`, it says something else.
pub fn verify_receipt(
    receipt: &str,
    signer: &NamedNode,
    keys: &[PublicKey],
) -> Result<ReceiptClaims, Refusal> {
    let refuse = |check, detail: &dyn std::fmt::Display| {
        Refusal::new(Code::Invalid, check, detail).at(signer.as_str())
    };
    if receipt.len() > LENGTH {
        return Err(refuse("receipt.form", &"is over 64 KiB"));
    }
    let (checkpoint, leaf) = receipt
        .split_once('~')
        .ok_or_else(|| refuse("receipt.form", &"is not a receipt"))?;
    let checkpoint = verify_checkpoint(checkpoint, signer, keys)
        .map_err(|refusal| refuse("receipt.signature", &refusal))?;
    let leaf = URL_SAFE_NO_PAD
        .decode(leaf)
        .map_err(|_| refuse("receipt.form", &"is not base64url"))?;
    let leaf: Leaf =
        crate::json::object(&leaf).map_err(|reason| refuse("receipt.form", &reason))?;
    let record = Digest256::of_leaf(leaf.record.as_bytes());
    if !verify_inclusion(
        record,
        leaf.index,
        checkpoint.size,
        &leaf.path,
        checkpoint.root,
    ) {
        return Err(refuse(
            "receipt.proof",
            &"the record is not in the tree that was signed",
        ));
    }
    match Record::read(leaf.record.as_bytes()) {
        Some((Record::Entry(entry), _)) => match entry.kind {
            EntryKind::Completion {
                used,
                intent,
                rows,
                result_digest,
                complete,
                failed,
            } => Ok(ReceiptClaims {
                iss: checkpoint.log.clone(),
                used,
                sequence: leaf.sequence,
                intent,
                time: entry.time,
                result_digest,
                rows,
                complete,
                failed,
                record,
                index: leaf.index,
                checkpoint,
            }),
            _ => Err(refuse(
                "receipt.claims",
                &"the record is not the end of a use",
            )),
        },
        _ => Err(refuse("receipt.claims", &"the record is not one of use")),
    }
}

impl UseLog for Receipts {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        Box::pin(async move {
            let draft = Draft::intent(&record).map_err(|error| fault(&error))?;
            let written = self.scribe.write(draft).await?;
            Ok(Intent {
                record,
                sequence: written.sequence,
            })
        })
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async move {
            let draft = Draft::completion(&intent, &done).map_err(|error| fault(&error))?;
            text(self.scribe.write(draft).await?)
        })
    }
}

fn moment(time: OffsetDateTime) -> Result<String, TrustError> {
    time.format(&Rfc3339)
        .map_err(|error| TrustError::cryptography("write a time", error))
}

fn fault(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, "use-log", error)
}

impl std::fmt::Debug for Receipts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
