//! Signed heads of a log, and what peers say of them: one head for everybody, and nothing behind it ever changes.

use crate::merkle::{Digest256, verify_consistency};
use crate::{CurrentIdentity, Identity, PublicKey, TrustError, json, jws};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Watches the logs of peers: signs a checkpoint only if the log grew from the last one that it signed.
pub struct Witness {
    identity: Arc<CurrentIdentity>,
    seen: Mutex<HashMap<String, Checkpoint>>,
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

impl Witness {
    /// A witness that has seen these checkpoints: the last of each log that its own log of use holds.
    pub fn new(identity: Arc<CurrentIdentity>, seen: impl IntoIterator<Item = Checkpoint>) -> Self {
        let mut last: HashMap<String, Checkpoint> = HashMap::new();
        for checkpoint in seen {
            let is_older = |known: &Checkpoint| known.size > checkpoint.size;
            if !last.get(&checkpoint.log).is_some_and(is_older) {
                last.insert(checkpoint.log.clone(), checkpoint);
            }
        }
        Self {
            identity,
            seen: Mutex::new(last),
        }
    }

    /// The last checkpoint seen of a log: the proof must be from there.
    pub fn last(&self, log: &NamedNode) -> Option<Checkpoint> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(log.as_str()).cloned()
    }

    /// Signs a peer's checkpoint, if the proof shows that its log grew from the last one seen.
    ///
    /// `keep` makes the checkpoint durable, before anybody sees the signature: a witness that forgets can be made to
    /// sign two histories.
    ///
    /// # Errors
    /// [`Code::Invalid`], check `checkpoint`, for a checkpoint that its owner did not sign; [`Code::Conflict`], check
    /// `checkpoint.consistency`, for one that does not follow: the peer rewrote its log, or shows several;
    /// `keep`'s own.
    // INVARIANT(one-history): a witness signs checkpoints of a log that are one history only.
    pub fn cosign(
        &self,
        checkpoint: &str,
        (signer, keys): (&NamedNode, &[PublicKey]),
        proof: &[Digest256],
        now: OffsetDateTime,
        keep: impl FnOnce(&Checkpoint) -> Result<(), Refusal>,
    ) -> Result<String, Refusal> {
        let checkpoint = verify_checkpoint(checkpoint, signer, keys)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = seen.get(signer.as_str());
        let old = last.map_or((0, Digest256::of_nothing()), |last| (last.size, last.root));
        let proof = if last.is_some() { proof } else { &[] };
        if !verify_consistency(old, (checkpoint.size, checkpoint.root), proof) {
            return Err(Refusal::new(
                Code::Conflict,
                "checkpoint.consistency",
                format_args!(
                    "a log of {} records does not follow from the one of {} that was seen before",
                    checkpoint.size, old.0
                ),
            )
            .at(signer.as_str()));
        }
        keep(&checkpoint)?;
        let identity = self.identity.load();
        let cosignature = Cosignature {
            iss: identity.participant().as_str().to_owned(),
            iat: now.unix_timestamp(),
            checkpoint: checkpoint.clone(),
        };
        let payload = serde_json::to_vec(&cosignature).map_err(fault)?;
        let text = jws::sign(&payload, COSIGNATURE, identity.key()).map_err(fault)?;
        seen.insert(signer.as_str().to_owned(), checkpoint);
        Ok(text)
    }
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

fn fault(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, "checkpoint", error)
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}
