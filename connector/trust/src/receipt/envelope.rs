//! What a consumer signs: its request before it asks, and what it received after.

use super::ReceiptClaims;
use super::checkpoint::signed;
use crate::merkle::Digest256;
use crate::{Identity, PublicKey, TrustError, jws};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};
use uuid::Uuid;

/// No other JWS of ours has these types.
const REQUEST: &str = "twinlink-request+jwt";
const ACKNOWLEDGEMENT: &str = "twinlink-acknowledgement+jwt";

/// How old a request may be, and how far its clock may be ahead, in seconds.
const AGE: i64 = 300;
const LEEWAY: i64 = 60;

/// A request as the consumer signed it: it cannot deny having asked, nor the provider what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The consumer, by participant id.
    pub iss: String,
    /// The provider that is asked.
    pub aud: String,
    /// The request's id at the consumer: both logs have it.
    pub transaction: String,
    /// When: seconds since 1970.
    pub iat: i64,
    /// By chance: no two envelopes are the same.
    pub nonce: String,
    /// SHA-256 of the request's text, lower-case hex.
    pub request_digest: String,
    /// The person or program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// What a consumer received, as it signed it: the provider can prove that its answer arrived, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The consumer, by participant id.
    pub iss: String,
    /// The provider that answered.
    pub aud: String,
    /// When: seconds since 1970.
    pub iat: i64,
    /// The request's id at the provider.
    pub request: String,
    /// The digest of the provider's record: its receipt proves it.
    pub record: Digest256,
    /// SHA-256 over the rows as they arrived, lower-case hex.
    pub result_digest: String,
    /// Rows or triples that arrived.
    pub rows: u64,
}

impl Envelope {
    /// A request of this identity's organisation to a provider.
    pub fn new(
        identity: &Identity,
        provider: &NamedNode,
        transaction: Uuid,
        request_digest: String,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            iss: identity.participant().as_str().to_owned(),
            aud: provider.as_str().to_owned(),
            transaction: transaction.to_string(),
            iat: now.unix_timestamp(),
            nonce: Uuid::new_v4().to_string(),
            request_digest,
            subject: None,
            purpose: None,
        }
    }

    /// As a compact JWS, ES256.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn sign(&self, identity: &Identity) -> Result<String, TrustError> {
        sign(self, REQUEST, identity)
    }

    /// Verifies a request to `provider`, made within the last five minutes. That its `nonce` is new is for
    /// [`crate::OnceStore`] to say.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `envelope.signature`, `envelope.aud`, `envelope.iat` or `envelope.digest`.
    pub fn verify(
        text: &str,
        (consumer, keys): (&NamedNode, &[PublicKey]),
        provider: &NamedNode,
        request_digest: &str,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let refuse = |check, reason: &dyn std::fmt::Display| {
            Refusal::new(Code::Unauthenticated, check, reason).at(consumer.as_str())
        };
        let envelope: Self =
            signed(text, REQUEST, keys).map_err(|reason| refuse("envelope.signature", &reason))?;
        if envelope.iss != consumer.as_str() {
            return Err(refuse(
                "envelope.signature",
                &"is another participant's request",
            ));
        }
        if envelope.aud != provider.as_str() {
            return Err(refuse("envelope.aud", &"is a request to another connector"));
        }
        let now = now.unix_timestamp();
        let window = now.saturating_sub(AGE)..=now.saturating_add(LEEWAY);
        if !window.contains(&envelope.iat) {
            return Err(refuse("envelope.iat", &"is of another time"));
        }
        if envelope.request_digest != request_digest {
            return Err(refuse("envelope.digest", &"is of another request"));
        }
        Ok(envelope)
    }
}

impl Acknowledgement {
    /// Says that what a receipt promises arrived: `result_digest` and `rows` as the consumer saw them itself.
    pub fn new(
        identity: &Identity,
        receipt: &ReceiptClaims,
        result_digest: String,
        rows: u64,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            iss: identity.participant().as_str().to_owned(),
            aud: receipt.iss.clone(),
            iat: now.unix_timestamp(),
            request: receipt.used.request.clone(),
            record: receipt.record,
            result_digest,
            rows,
        }
    }

    /// As a compact JWS, ES256.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn sign(&self, identity: &Identity) -> Result<String, TrustError> {
        sign(self, ACKNOWLEDGEMENT, identity)
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
        let said: Self = signed(text, ACKNOWLEDGEMENT, keys).map_err(|reason| refuse(&reason))?;
        if said.iss != consumer.as_str() || said.aud != provider.as_str() {
            return Err(refuse(&"is between other participants"));
        }
        Ok(said)
    }
}

fn sign(claims: &impl Serialize, typ: &str, identity: &Identity) -> Result<String, TrustError> {
    let payload = serde_json::to_vec(claims)
        .map_err(|error| TrustError::cryptography("write a statement", error))?;
    jws::sign(&payload, typ, identity.key())
}
