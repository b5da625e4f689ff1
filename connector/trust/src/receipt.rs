//! The signed log of use: every use is on disk before it happens, chained to all before it, and ends with a receipt.
//!
//! The records are the leaves of a Merkle tree. Its root is signed once for all records that reach the disk together; a
//! receipt is that signature, the record, and the path from the record to the root.

mod again;
mod audit;
mod checkpoint;
mod end;
mod entry;
mod envelope;
mod exchange;
mod export;
mod keys;
mod outbox;
mod purge;
mod readmit;
mod reconcile;
mod requests;
mod resume;
mod scribe;
mod statements;
mod witness;

use crate::merkle::{Digest256, verify_inclusion};
use crate::{CurrentIdentity, PublicKey, TrustError};
use again::Ended;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entry::{Draft, Record};
use exchange::{Siblings, Window};
use futures::channel::oneshot;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use scribe::{Scribe, Written};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Intent, Journal, Recorded, Refusal, UseLog, UseRecord};
use uuid::Uuid;

pub(crate) use audit::read_entry;
pub use audit::{
    Audit, audit, dataset_versions, list_entries, prove_consistency, show_entries, verify_log,
};
pub use checkpoint::{Checkpoint, verify_checkpoint, verify_cosignature};
pub use end::check_end;
pub use entry::{Entry, EntryKind, Used, tombstone};
pub use envelope::{
    ACKNOWLEDGED_TOGETHER, Acknowledgement, Asking, EnvelopeClaims, Expected, Received,
    verify_envelope,
};
pub use exchange::{Answered, Arrived};
pub use export::{TransactionRecord, export_transactions};
pub use keys::{own_keys, peers_keys};
pub use purge::{Purged, find_purgeable, unrecorded_purges};
pub use readmit::Readmission;
pub use reconcile::{Agreement, Exchange, consumed, provided, reconcile, unsigned};
pub(crate) use requests::SignedRequests;
pub use scribe::Sealed;
pub use statements::{Statements, verify_statements};
pub use witness::{Shown, Witness, Witnessed, witnessed};

/// The longest receipt, in bytes.
const LENGTH: usize = 64 * 1024;

/// The longest that records stay without a checkpoint behind them in the log.
const OPEN: Duration = Duration::from_secs(1);

/// The log of use over a journal, signing receipts with the connector's identity key.
pub struct Receipts {
    scribe: Scribe,
    journal: Arc<dyn Journal>,
    /// Requests to peers that are about to go to the log together.
    siblings: Siblings,
    acknowledged: Mutex<Window>,
    ended: Ended,
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

/// A record that somebody shows of its log, proven to be in it.
struct Proven {
    checkpoint: Checkpoint,
    record: Record,
    digest: Digest256,
    index: u64,
    /// Only where to look: the index is what is proven.
    sequence: u64,
}

impl Receipts {
    /// Opens the log of use: finds its end, checks that we wrote it, and starts the thread that goes on. `former` are keys
    /// that were ours besides the identity's, where it may be signed with one of them. Blocks on the journal.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where the journal cannot be read, [`Code::Internal`] where no thread can be started, or
    /// the end of the journal is no log of use; check `use-log.end` where it is none of ours.
    pub fn open(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
        former: &[PublicKey],
    ) -> Result<Self, Refusal> {
        Self::sealing_after(journal, identity, former, OPEN)
    }

    fn sealing_after(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
        former: &[PublicKey],
        patience: Duration,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            scribe: Scribe::start(Arc::clone(&journal), identity, former.to_vec(), patience)?,
            journal,
            siblings: Siblings::default(),
            acknowledged: Mutex::default(),
            ended: Ended::default(),
        })
    }

    /// Records what belongs to a use and is no use itself: what peers acknowledged, cosigned and showed.
    /// Resolves to its place in the journal once it is on disk.
    ///
    /// # Errors
    /// [`Code::Internal`] for a use or a checkpoint: those have their own ways in; [`Code::Unavailable`].
    pub async fn note(&self, kind: EntryKind, time: OffsetDateTime) -> Result<u64, Refusal> {
        Ok(self.write(kind, time)?.await?.sequence)
    }

    /// Hands a record to the disk, before and after what others hand: it is in its place once this returns, and on disk
    /// once that resolves.
    fn write(
        &self,
        kind: EntryKind,
        time: OffsetDateTime,
    ) -> Result<impl Future<Output = Result<Written, Refusal>> + Send + use<>, Refusal> {
        if let EntryKind::Intent { .. }
        | EntryKind::Completion { .. }
        | EntryKind::Changed { .. }
        | EntryKind::Asked { .. }
        | EntryKind::Checkpoint { .. }
        | EntryKind::Key { .. }
        | EntryKind::Unproven { .. } = kind
        {
            return Err(fault(&"a use is not noted, but intended and completed"));
        }
        let draft = Draft::new(moment(time).map_err(|error| fault(&error))?, kind);
        self.scribe.hand(draft)
    }

    /// The journal that it is written to: to be read.
    pub fn journal(&self) -> &dyn Journal {
        &*self.journal
    }

    /// At most `most` records from sequence number `from` on, as they lie in the journal. Blocks.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn records(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        self.journal.read(from, most)
    }

    /// The last record's sequence number. Blocks.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn last(&self) -> Result<Option<u64>, Refusal> {
        resume::last_sequence(&*self.journal)
    }

    /// The last checkpoint that was written since this was opened: what peers are shown.
    pub fn sealed(&self) -> Option<Sealed> {
        self.scribe.sealed()
    }

    /// Whether records are taken. False only after a fault of ours.
    pub fn is_alive(&self) -> bool {
        self.scribe.is_alive()
    }

    /// As [`prove_consistency`], of this log. Blocks.
    ///
    /// # Errors
    /// As [`prove_consistency`].
    pub fn prove(&self, old: u64, new: u64) -> Result<Vec<Digest256>, Refusal> {
        prove_consistency(&*self.journal, old, new)
    }

    /// As [`witnessed()`], of this log. Blocks.
    ///
    /// # Errors
    /// As [`witnessed()`].
    pub fn witnessed(&self) -> Result<Witnessed, Refusal> {
        witnessed(&*self.journal)
    }

    /// Puts a signed checkpoint behind all that was written. Otherwise there is one after a second, and at the end.
    ///
    /// # Errors
    /// [`Code::Unavailable`].
    pub async fn seal(&self) -> Result<(), Refusal> {
        self.scribe.seal().await
    }
}

/// A record shown: the signed checkpoint, `~`, and with dots between them the record's index, its sequence number, its
/// path and the record itself, these two in base64url.
fn text(written: Written) -> Result<String, Refusal> {
    let proof = written
        .proof
        .ok_or_else(|| fault(&"nothing proves the record"))?;
    let path: Vec<u8> = proof.path.iter().flat_map(Digest256::bytes).collect();
    let mut text = String::with_capacity(
        proof.checkpoint.len() + 4 * (path.len() + proof.record.len()) / 3 + 48,
    );
    text.push_str(&proof.checkpoint);
    // Writing to a string cannot fail.
    let _ = write!(text, "~{}.{}.", proof.index, written.sequence);
    URL_SAFE_NO_PAD.encode_string(path, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(proof.record, &mut text);
    Ok(text)
}

/// Reads what [`text`] wrote. Where it is wrong, the part that is: `form`, `signature` or `proof`.
fn read_shown(
    text: &str,
    verify: impl FnOnce(&str) -> Result<Checkpoint, Refusal>,
) -> Result<Proven, (&'static str, String)> {
    let form = |what: &str| ("form", what.to_owned());
    if text.len() > LENGTH {
        return Err(form("is over 64 KiB"));
    }
    let (checkpoint, leaf) = text.split_once('~').ok_or_else(|| form("has no `~`"))?;
    let mut parts = leaf.split('.');
    let (Some(index), Some(sequence), Some(path), Some(record), None) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return Err(form("has not four parts after its checkpoint"));
    };
    let (Some(index), Some(sequence)) = (number(index), number(sequence)) else {
        return Err(form("has a place that is no number"));
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let path = bytes(path)
        .and_then(|path| Digest256::list(&path))
        .ok_or_else(|| form("has a path that is none"))?;
    let record = bytes(record).ok_or_else(|| form("has a record that is not base64url"))?;
    let checkpoint = verify(checkpoint).map_err(|refusal| ("signature", refusal.to_string()))?;
    let digest = Digest256::of_leaf(&record);
    if !verify_inclusion(digest, index, checkpoint.size, &path, checkpoint.root) {
        let what = "the record is not in the tree that was signed";
        return Err(("proof", what.to_owned()));
    }
    let (record, _) = Record::read(&record).ok_or_else(|| form("has a record of no known kind"))?;
    Ok(Proven {
        checkpoint,
        record,
        digest,
        index,
        sequence,
    })
}

/// A number in its one spelling.
fn number(text: &str) -> Option<u64> {
    let number = text.parse().ok()?;
    (format!("{number}") == text).then_some(number)
}

/// The participant that a receipt says it is of: to find the keys to verify it with, and for nothing else.
pub fn claimed_signer(receipt: &str) -> Option<NamedNode> {
    let (checkpoint, _) = receipt.split_once('~')?;
    let claimed: Checkpoint = crate::jws::unverified(checkpoint)?;
    NamedNode::new(claimed.log).ok()
}

/// What a receipt says was used, unverified.
fn claimed_use(receipt: &str) -> Option<Used> {
    let (_, leaf) = receipt.split_once('~')?;
    let (_, record) = leaf.rsplit_once('.')?;
    match Record::read(&URL_SAFE_NO_PAD.decode(record).ok()?)?.0 {
        Record::Entry(entry) => match entry.kind {
            EntryKind::Completion { used, .. } => Some(used),
            _ => None,
        },
        Record::Purged => None,
    }
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
    let verify = |checkpoint: &str| verify_checkpoint(checkpoint, signer, keys);
    let shown = read_shown(receipt, verify).map_err(|(part, detail)| {
        let check = match part {
            "form" => "receipt.form",
            "signature" => "receipt.signature",
            _ => "receipt.proof",
        };
        refuse(check, &detail)
    })?;
    let not_a_use = || refuse("receipt.claims", &"the record is not the end of a use");
    let Record::Entry(entry) = shown.record else {
        return Err(not_a_use());
    };
    match entry.kind {
        EntryKind::Completion {
            used,
            intent,
            rows,
            result_digest,
            complete,
            failed,
        } => Ok(ReceiptClaims {
            iss: shown.checkpoint.log.clone(),
            used,
            sequence: shown.sequence,
            intent,
            time: entry.time,
            result_digest,
            rows,
            complete,
            failed,
            record: shown.digest,
            index: shown.index,
            checkpoint: shown.checkpoint,
        }),
        _ => Err(not_a_use()),
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
            let changed = Draft::changed(&intent, &done).map_err(|error| fault(&error))?;
            let completion = Draft::completion(&intent, &done).map_err(|error| fault(&error))?;
            let Some(changed) = changed else {
                let written = self.scribe.write(completion).await?;
                self.ended.put(&intent, written.sequence);
                return text(written);
            };
            let (first, noted) = oneshot::channel();
            let (second, completed) = oneshot::channel();
            let both = vec![(changed, first), (completion, second)];
            self.scribe.hand_all(both)?;
            noted.await.unwrap_or_else(|_| Err(scribe::ended()))?;
            let written = completed.await.unwrap_or_else(|_| Err(scribe::ended()))?;
            self.ended.put(&intent, written.sequence);
            text(written)
        })
    }

    fn receipt(&self, request: Uuid, of: (&NamedNode, &str)) -> Result<Option<String>, Refusal> {
        self.again(request, of)
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
