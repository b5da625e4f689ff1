//! Signed requests as they come in: each counts once, and what one signature serves is verified once.

use super::checkpoint::{Checkpoint, verify_checkpoint};
use super::envelope::{AGE, Expected, LEEWAY, read_envelope};
use crate::{NotOnce, OnceStore, Trusted};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use twinlink_core::{Caller, Code, Refusal, SignedRequest};

/// The most requests that are remembered at a time, about 150 bytes each: those of three minutes, two thousand a second.
const REMEMBERED: usize = 400_000;

/// The most checkpoints that are remembered: each serves the requests that reached the consumer's disk together.
const CHECKPOINTS: usize = 512;

/// Verifies the requests that consumers sign.
#[derive(Debug)]
pub(crate) struct SignedRequests {
    shown: OnceStore,
    verified: Mutex<Verified>,
}

/// Checkpoints that were verified by what is trusted still.
#[derive(Debug, Default)]
struct Verified {
    trusted: Option<Arc<Trusted>>,
    checkpoints: HashMap<String, Checkpoint>,
}

impl SignedRequests {
    pub(crate) fn new() -> Self {
        Self {
            shown: OnceStore::new(REMEMBERED),
            verified: Mutex::default(),
        }
    }

    /// As [`twinlink_core::Authenticator::signed_request`].
    // INVARIANT(one-envelope-one-request): a signed request counts once, at whatever door and however many show it at once.
    pub(crate) fn verify(
        &self,
        envelope: &str,
        caller: &Caller,
        request_digest: &str,
        trusted: &Arc<Trusted>,
        now: OffsetDateTime,
    ) -> Result<SignedRequest, Refusal> {
        let consumer = caller.participant();
        let claims = read_envelope(envelope, consumer, |text| {
            self.checkpoint(text, caller, trusted)
        })?;
        claims.check(&Expected {
            provider: trusted.own(),
            request_digest,
            subject: caller.subject(),
            purpose: caller.purpose(),
            now,
        })?;
        let until = now + Duration::seconds(AGE + LEEWAY);
        let id = claims.record.to_text();
        self.shown
            .admit(consumer.as_str(), &id, until, now)
            .map_err(|not| {
                let (code, reason) = match not {
                    NotOnce::Again => (Code::Unauthenticated, "was shown before"),
                    NotOnce::Full => (Code::Exhausted, "too many requests are remembered"),
                };
                Refusal::new(code, "envelope.once", reason).at(consumer.as_str())
            })?;
        Ok(SignedRequest {
            transaction: claims.transaction,
            envelope: envelope.to_owned(),
        })
    }

    fn checkpoint(
        &self,
        text: &str,
        caller: &Caller,
        trusted: &Arc<Trusted>,
    ) -> Result<Checkpoint, Refusal> {
        let consumer = caller.participant();
        if let Some(known) = self.verified().of(trusted).get(text)
            && known.log == consumer.as_str()
        {
            return Ok(known.clone());
        }
        let checkpoint = verify_checkpoint(text, consumer, trusted.keys(consumer))?;
        let mut verified = self.verified();
        let checkpoints = verified.of(trusted);
        if checkpoints.len() >= CHECKPOINTS {
            checkpoints.clear();
        }
        checkpoints.insert(text.to_owned(), checkpoint.clone());
        Ok(checkpoint)
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, Verified> {
        // A cache is right after every step.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verified {
    /// Those that hold by what is trusted now: with other keys, none does.
    fn of(&mut self, trusted: &Arc<Trusted>) -> &mut HashMap<String, Checkpoint> {
        let is_same = self
            .trusted
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, trusted));
        if !is_same {
            self.trusted = Some(Arc::clone(trusted));
            self.checkpoints.clear();
        }
        &mut self.checkpoints
    }
}
