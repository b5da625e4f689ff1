//! What a consumer shows of its own log: its request before it asks, and what it received after.
//!
//! An envelope is the proof that the consumer's log holds its intent to ask, in the form of a receipt: one signature
//! serves all requests that reach the disk together, and whoever keeps an envelope can see later whether the consumer
//! rewrote its log. An acknowledgement is one signed statement about several answers.

use super::checkpoint::{Checkpoint, signed};
use super::entry::{EntryKind, Record};
use super::{Proven, ReceiptClaims, read_shown};
use crate::merkle::Digest256;
use crate::token::{AGE, LEEWAY};
use crate::{Identity, PublicKey, TrustError, jws};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Refusal};
use uuid::Uuid;

/// No other JWS of ours has this type.
const ACKNOWLEDGEMENT: &str = "twinlink-acknowledgement+jwt";

/// The longest acknowledgement, in bytes.
const LENGTH: usize = 64 * 1024;

/// The most answers that one acknowledgement speaks of.
pub const ACKNOWLEDGED_TOGETHER: usize = 128;

/// A request that is about to be sent to a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The peer.
    pub provider: NamedNode,
    /// The request here that it is a part of.
    pub request: Uuid,
    /// SHA-256 of what the peer is asked, lower-case hex: [`twinlink_core::request_digest`].
    pub request_digest: String,
    /// The person or program here.
    pub subject: String,
    /// The purpose.
    pub purpose: Option<NamedNode>,
    /// When.
    pub time: OffsetDateTime,
}

/// A request as the consumer's log has it: it cannot deny having asked, nor the provider what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeClaims {
    /// The consumer.
    pub consumer: String,
    /// The provider that is asked.
    pub provider: String,
    /// The request's id in the consumer's log: both logs have it.
    pub transaction: String,
    /// The consumer's own request that it is a part of.
    pub request: String,
    /// When: RFC 3339.
    pub time: String,
    /// SHA-256 of the request, lower-case hex.
    pub request_digest: String,
    /// The person or program.
    pub subject: String,
    /// The purpose.
    pub purpose: Option<String>,
    /// The digest of the record: a leaf of the consumer's tree. By its salt no two are the same.
    pub record: Digest256,
    /// The consumer's log as it was signed.
    pub checkpoint: Checkpoint,
}

/// What is expected of a request, by what its token says and what it asks.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Ourselves.
    pub provider: &'a NamedNode,
    /// SHA-256 of the request that came, lower-case hex.
    pub request_digest: &'a str,
    /// The person or program that the token names.
    pub subject: &'a str,
    /// The purpose that the token names.
    pub purpose: Option<&'a NamedNode>,
    /// Now.
    pub now: OffsetDateTime,
}

/// One answer that was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// The request's id in the consumer's log.
    pub transaction: String,
    /// The place of the answer's end in the provider's journal, as its receipt has it.
    pub sequence: u64,
    /// The digest of the provider's record there: its receipt proves it.
    pub record: Digest256,
    /// SHA-256 over the rows as they arrived, lower-case hex.
    pub result_digest: String,
    /// Rows or triples that arrived.
    pub rows: u64,
}

/// What a consumer received, as it signed it: the provider can prove that its answers arrived, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The consumer, by participant id.
    pub iss: String,
    /// The provider that answered.
    pub aud: String,
    /// When: seconds since 1970.
    pub iat: i64,
    /// At most [`ACKNOWLEDGED_TOGETHER`].
    pub received: Vec<Received>,
}

/// Verifies an envelope with the keys of the consumer that should have signed it, whenever it was made and whatever of.
///
/// # Errors
/// [`Code::Unauthenticated`]: `envelope.form`, no envelope; `envelope.signature`, another signer, or not signed by one of
/// the keys; `envelope.proof`, the record is not one of those signed; `envelope.claims`, it is no request.
pub fn verify_envelope(
    text: &str,
    consumer: &NamedNode,
    keys: &[PublicKey],
) -> Result<EnvelopeClaims, Refusal> {
    read_envelope(text, consumer, |checkpoint| {
        super::verify_checkpoint(checkpoint, consumer, keys)
    })
}

/// As [`verify_envelope`], where somebody else says what the checkpoint is: who has just verified the same one.
pub(crate) fn read_envelope(
    text: &str,
    consumer: &NamedNode,
    checkpoint: impl FnOnce(&str) -> Result<Checkpoint, Refusal>,
) -> Result<EnvelopeClaims, Refusal> {
    let refuse = |part: &'static str, detail: String| {
        let check = match part {
            "form" => "envelope.form",
            "signature" => "envelope.signature",
            "proof" => "envelope.proof",
            _ => "envelope.claims",
        };
        Refusal::new(Code::Unauthenticated, check, detail).at(consumer.as_str())
    };
    let Proven {
        checkpoint,
        record,
        digest,
        ..
    } = read_shown(text, checkpoint).map_err(|(part, detail)| refuse(part, detail))?;
    let claims = || "the record is no request".to_owned();
    match record {
        Record::Entry(entry) => match entry.kind {
            EntryKind::Asked {
                participant,
                transaction,
                request,
                request_digest,
                subject,
                purpose,
            } => Ok(EnvelopeClaims {
                consumer: checkpoint.log.clone(),
                provider: participant,
                transaction,
                request,
                time: entry.time,
                request_digest,
                subject,
                purpose,
                record: digest,
                checkpoint,
            }),
            _ => Err(refuse("claims", claims())),
        },
        Record::Purged => Err(refuse("claims", claims())),
    }
}

impl EnvelopeClaims {
    /// Checks that it is of the request that came, and was made within the last two minutes. That it was not shown
    /// before is for [`crate::OnceStore`] to say.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `envelope.aud`, `envelope.time`, `envelope.digest`, `envelope.subject` or
    /// `envelope.purpose`.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Refusal> {
        let fail = |check, reason: &str| {
            Err(Refusal::new(Code::Unauthenticated, check, reason).at(self.consumer.as_str()))
        };
        if self.provider != expected.provider.as_str() {
            return fail("envelope.aud", "is a request to another connector");
        }
        let time = OffsetDateTime::parse(&self.time, &Rfc3339).ok();
        let age = time.map(|time| (expected.now - time).whole_seconds());
        if !age.is_some_and(|age| (-LEEWAY..=AGE).contains(&age)) {
            return fail("envelope.time", "is of another time");
        }
        if self.request_digest != expected.request_digest {
            return fail("envelope.digest", "is of another request");
        }
        if self.subject != expected.subject {
            return fail("envelope.subject", "is for another person than the token");
        }
        if self.purpose.as_deref() != expected.purpose.map(NamedNode::as_str) {
            return fail("envelope.purpose", "is for another purpose than the token");
        }
        Ok(())
    }
}

impl Received {
    /// Says that what a receipt promises arrived: `result_digest` and `rows` as the consumer saw them itself.
    pub fn new(
        transaction: String,
        receipt: &ReceiptClaims,
        result_digest: String,
        rows: u64,
    ) -> Self {
        Self {
            transaction,
            sequence: receipt.sequence,
            record: receipt.record,
            result_digest,
            rows,
        }
    }
}

impl Acknowledgement {
    /// What this identity's organisation received from a provider.
    pub fn new(
        identity: &Identity,
        provider: &NamedNode,
        received: Vec<Received>,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            iss: identity.participant().as_str().to_owned(),
            aud: provider.as_str().to_owned(),
            iat: now.unix_timestamp(),
            received,
        }
    }

    /// As a compact JWS, ES256.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn sign(&self, identity: &Identity) -> Result<String, TrustError> {
        let payload = serde_json::to_vec(self)
            .map_err(|error| TrustError::cryptography("write a statement", error))?;
        jws::sign(&payload, ACKNOWLEDGEMENT, identity.key())
    }

    /// Verifies what a consumer says that it received from `provider`.
    ///
    /// # Errors
    /// [`Code::Invalid`], check `acknowledgement`.
    pub fn verify(
        text: &str,
        (consumer, keys): (&NamedNode, &[PublicKey]),
        provider: &NamedNode,
    ) -> Result<Self, Refusal> {
        let refuse = |reason: &dyn std::fmt::Display| {
            Refusal::new(Code::Invalid, "acknowledgement", reason).at(consumer.as_str())
        };
        let said: Self =
            signed(text, LENGTH, ACKNOWLEDGEMENT, keys).map_err(|reason| refuse(&reason))?;
        if said.iss != consumer.as_str() || said.aud != provider.as_str() {
            return Err(refuse(&"is between other participants"));
        }
        if said.received.len() > ACKNOWLEDGED_TOGETHER {
            return Err(refuse(&"speaks of too many answers"));
        }
        Ok(said)
    }
}
