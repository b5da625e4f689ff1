//! Signed requests as they come in: each counts once, and what one signature serves is verified once.

use super::checkpoint::{Checkpoint, verify_checkpoint};
use super::envelope::{Expected, read_envelope};
use crate::token::{AGE, Holder, LEEWAY, verify_request};
use crate::{By, OnceStore, RequestOf, Trusted};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use twinlink_core::{Caller, Code, Credentials, Refusal, Signable, SignedRequest, Signer};

/// The most requests that are remembered at a time, about 150 bytes each: those of three minutes, two thousand a second.
const REMEMBERED: usize = 400_000;

/// The most checkpoints that are remembered: each serves the requests that reached the consumer's disk together.
const CHECKPOINTS: usize = 512;

/// Verifies the requests that consumers and their apps sign.
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
        credentials: &Credentials,
        caller: &Caller,
        signable: &Signable,
        (trusted, now): (&Arc<Trusted>, OffsetDateTime),
    ) -> Result<SignedRequest, Refusal> {
        // A connector shows its log: a checkpoint, and what is in it.
        match envelope.contains('~') {
            true => self.of_connector(envelope, caller, signable, (trusted, now)),
            false => self.of_app(envelope, credentials, caller, signable, (trusted, now)),
        }
    }

    /// Its log names the question and not its options: these come over a connection between the two connectors alone.
    fn of_connector(
        &self,
        envelope: &str,
        caller: &Caller,
        signable: &Signable,
        (trusted, now): (&Arc<Trusted>, OffsetDateTime),
    ) -> Result<SignedRequest, Refusal> {
        let consumer = caller.participant();
        let claims = read_envelope(envelope, consumer, |text| {
            self.checkpoint(text, caller, trusted)
        })?;
        claims.check(&Expected {
            provider: trusted.own(),
            request_digest: &signable.digest,
            subject: caller.subject(),
            purpose: caller.purpose(),
            now,
        })?;
        let until = now + Duration::seconds(AGE + LEEWAY);
        let id = claims.record.to_text();
        self.once(caller, (consumer.as_str(), &id), until, now)
            .map_err(|refusal| refusal.at(consumer.as_str()))?;
        Ok(SignedRequest {
            by: Signer::Connector,
            transaction: claims.transaction,
            envelope: envelope.to_owned(),
        })
    }

    /// Signed by who holds the token: with the key that it was just found to hold.
    fn of_app(
        &self,
        envelope: &str,
        credentials: &Credentials,
        caller: &Caller,
        signable: &Signable,
        (trusted, now): (&Arc<Trusted>, OffsetDateTime),
    ) -> Result<SignedRequest, Refusal> {
        let possession = credentials.possession.as_ref();
        let proven = possession.and_then(|possession| possession.proven.get());
        let holder = match (possession, proven, &credentials.certificate) {
            (Some(_), Some(thumbprint), _) => Holder::Key(thumbprint),
            (None, _, Some(certificate)) => Holder::Certificate(certificate),
            _ => return Err(refuse("envelope.key", "nobody proved to hold a key")),
        };
        let token = credentials.token.as_ref();
        let of = RequestOf {
            audience: trusted.own(),
            signable,
            purpose: caller.purpose(),
            token: token.ok_or_else(|| refuse("envelope.token", "there is no token"))?,
        };
        let fresh = verify_request(envelope, &of, holder, now)?;
        let until = OffsetDateTime::from_unix_timestamp(fresh.issued)
            .map_or(now, |issued| issued + Duration::seconds(AGE + 1));
        self.once(caller, (&fresh.key, &fresh.id), until, now)?;
        Ok(SignedRequest {
            by: Signer::App,
            transaction: fresh.id,
            envelope: fresh.evidence,
        })
    }

    /// The last step, so that only who asks rightly can fill the store.
    fn once(
        &self,
        caller: &Caller,
        shown: (&str, &str),
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let by = By {
            organisation: caller.participant().as_str(),
            client: caller.subject(),
        };
        let shown = self.shown.admit(by, shown, until, now);
        shown.map_err(|not| not.refusal("envelope.once", "requests", "was shown before"))
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

fn refuse(check: &'static str, detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}
