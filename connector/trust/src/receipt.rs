//! The signed log of use: every use is on disk before it happens, chained to all before it, and ends with a receipt.

mod audit;
mod entry;
mod scribe;

use crate::{CurrentIdentity, PublicKey, TrustError, jws};
use entry::Draft;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use scribe::{Scribe, Written};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Intent, Journal, Recorded, Refusal, UseLog, UseRecord};

pub use audit::{Audit, audit, list_entries};
pub use entry::{Entry, EntryKind};

/// No token or other JWS of ours has this type.
const TYPE: &str = "twinlink-receipt+jwt";

/// The longest receipt, in bytes.
const LENGTH: usize = 64 * 1024;

/// The log of use over a journal, signing receipts with the connector's identity key.
pub struct Receipts {
    identity: Arc<CurrentIdentity>,
    scribe: Scribe,
}

/// What a receipt says: a compact JWS, ES256. Of the answer it holds digest and count, never a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptClaims {
    /// The participant that answered and signs.
    pub iss: String,
    /// The request's id.
    pub request: String,
    /// The place of the completion in the signer's log.
    pub sequence: u64,
    /// The place of the intent in the signer's log.
    pub intent: u64,
    /// When the answer ended: RFC 3339.
    pub time: String,
    /// Who asked, by participant id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    /// The person or program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// The ODRL action.
    pub action: String,
    /// The policies that let it through.
    pub policies: Vec<String>,
    /// The version of the policy set.
    pub policy_version: String,
    /// SHA-256 of the request's text, lower-case hex.
    pub request_digest: String,
    /// SHA-256 over the rows as released, lower-case hex.
    pub result_digest: String,
    /// Rows or triples released.
    pub rows: u64,
    /// Whether every source was settled.
    pub complete: bool,
    /// The check that ended it early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// SHA-256 of the completion's record in the signer's log, lower-case hex. With `previous` in that record, it
    /// seals all records before it.
    pub record: String,
    /// SHA-256 of the record before it, lower-case hex.
    pub previous: String,
}

impl Receipts {
    /// Opens the log of use: finds its last record, and starts the thread that writes it. Blocks on the journal.
    ///
    /// # Errors
    /// [`Code::Unavailable`] where the journal cannot be read, [`Code::Internal`] where no thread can be started.
    pub fn open(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            identity,
            scribe: Scribe::start(journal)?,
        })
    }

    fn sign(
        &self,
        intent: &Intent,
        done: &Recorded,
        written: Written,
    ) -> Result<String, TrustError> {
        let identity = self.identity.load();
        let record = &intent.record;
        let text = |term: &NamedNode| term.as_str().to_owned();
        let claims = ReceiptClaims {
            iss: text(identity.participant()),
            request: record.request.to_string(),
            sequence: written.sequence,
            intent: intent.sequence,
            time: moment(done.time)?,
            participant: record.participant.as_ref().map(text),
            subject: record.subject.clone(),
            purpose: record.purpose.as_ref().map(text),
            action: text(&record.action),
            policies: record.policies.iter().map(text).collect(),
            policy_version: record.policy_version.clone(),
            request_digest: record.request_digest.clone(),
            result_digest: done.result_digest.clone(),
            rows: done.rows,
            complete: done.complete,
            failed: done.failed.clone(),
            record: written.digest,
            previous: written.previous,
        };
        let payload = serde_json::to_vec(&claims)
            .map_err(|error| TrustError::cryptography("write a receipt", error))?;
        jws::sign(&payload, TYPE, identity.key())
    }
}

/// Verifies a receipt with the keys of the participant that should have signed it.
///
/// # Errors
/// [`Code::Invalid`]: not a receipt, another signer, or not signed by one of the keys.
pub fn verify_receipt(
    receipt: &str,
    signer: &NamedNode,
    keys: &[PublicKey],
) -> Result<ReceiptClaims, Refusal> {
    let refuse = |check, detail: &dyn std::fmt::Display| {
        Refusal::new(Code::Invalid, check, detail).at(signer.as_str())
    };
    let payload = jws::read(receipt, LENGTH, &[TYPE])
        .and_then(|unverified| unverified.verify(keys))
        .map_err(|fault| refuse("receipt.signature", &fault))?;
    let claims: ReceiptClaims =
        crate::json::object(&payload).map_err(|reason| refuse("receipt.claims", &reason))?;
    if claims.iss != signer.as_str() {
        return Err(refuse(
            "receipt.iss",
            &"it is another participant's receipt",
        ));
    }
    Ok(claims)
}

impl UseLog for Receipts {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        Box::pin(async move {
            let draft = Draft::intent(&record).map_err(fault)?;
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
            let draft = Draft::completion(&intent, &done).map_err(fault)?;
            let written = self.scribe.write(draft).await?;
            self.sign(&intent, &done, written).map_err(fault)
        })
    }
}

fn moment(time: time::OffsetDateTime) -> Result<String, TrustError> {
    time.format(&Rfc3339)
        .map_err(|error| TrustError::cryptography("write a time", error))
}

fn fault(error: TrustError) -> Refusal {
    Refusal::new(Code::Internal, "use-log", error)
}

impl std::fmt::Debug for Receipts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receipts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
