//! Signed heads of a log, and what peers say of them: one head for everybody, and nothing behind it ever changes.

use crate::merkle::Digest256;
use crate::{Identity, PublicKey, TrustError, json, jws};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};

/// No other JWS of ours has these types.
const CHECKPOINT: &str = "twinlink-checkpoint+jwt";
const COSIGNATURE: &str = "twinlink-cosignature+jwt";

/// The longest of both, in bytes.
const LENGTH: usize = 4096;

/// A log at some size, as its owner signed it: what <https://c2sp.org/tlog-checkpoint> says, as a JWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The participant whose log it is.
    pub log: String,
    /// How many records.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Digest256,
    /// When the last of them was written: RFC 3339.
    pub time: String,
}

/// What a witness signs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cosignature {
    iss: String,
    iat: i64,
    checkpoint: Checkpoint,
}

impl Checkpoint {
    pub(super) fn sign(&self, identity: &Identity) -> Result<String, TrustError> {
        let payload = serde_json::to_vec(self)
            .map_err(|error| TrustError::cryptography("write a checkpoint", error))?;
        jws::sign(&payload, CHECKPOINT, identity.key())
    }
}

/// Verifies a checkpoint with the keys of the participant whose log it should be.
///
/// # Errors
/// [`Code::Invalid`], check `checkpoint`.
pub fn verify_checkpoint(
    text: &str,
    signer: &NamedNode,
    keys: &[PublicKey],
) -> Result<Checkpoint, Refusal> {
    let checkpoint: Checkpoint = signed(text, LENGTH, CHECKPOINT, keys)
        .map_err(|reason| refuse(reason).at(signer.as_str()))?;
    if checkpoint.log != signer.as_str() {
        return Err(refuse("is of another participant's log").at(signer.as_str()));
    }
    Ok(checkpoint)
}

/// Verifies what a witness signed; gives the checkpoint that it has seen.
///
/// # Errors
/// [`Code::Invalid`], check `checkpoint`.
pub fn verify_cosignature(
    text: &str,
    witness: &NamedNode,
    keys: &[PublicKey],
) -> Result<Checkpoint, Refusal> {
    let seen: Cosignature = signed(text, LENGTH, COSIGNATURE, keys)
        .map_err(|reason| refuse(reason).at(witness.as_str()))?;
    if seen.iss != witness.as_str() {
        return Err(refuse("is another witness's cosignature").at(witness.as_str()));
    }
    Ok(seen.checkpoint)
}

/// A statement of this identity's organisation that it has seen a log grow to a checkpoint.
pub(super) fn cosign(
    checkpoint: Checkpoint,
    identity: &Identity,
    now: OffsetDateTime,
) -> Result<String, TrustError> {
    let cosignature = Cosignature {
        iss: identity.participant().as_str().to_owned(),
        iat: now.unix_timestamp(),
        checkpoint,
    };
    let payload = serde_json::to_vec(&cosignature)
        .map_err(|error| TrustError::cryptography("write a cosignature", error))?;
    jws::sign(&payload, COSIGNATURE, identity.key())
}

/// The claims of a JWS of this type, at most so long, that one of the keys signed.
pub(super) fn signed<T: serde::de::DeserializeOwned>(
    text: &str,
    length: usize,
    typ: &str,
    keys: &[PublicKey],
) -> Result<T, String> {
    let payload = jws::read(text, length, &[typ])
        .and_then(|unverified| unverified.verify(keys))
        .map_err(|fault| fault.to_string())?;
    json::object(&payload)
}

fn refuse(reason: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Invalid, "checkpoint", reason)
}
