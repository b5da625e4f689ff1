//! Certificate, key, authority and revocation lists as files that are renewed while the connector serves: read as one
//! set, checked whole, and the last good set kept where the new one is not.

mod reading;

use crate::{CertificateFacts, Identity, TrustError, Trusted};
use oxrdf::NamedNode;
use std::path::Path;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

pub use reading::{Fingerprint, Reading};

/// How often a set that changes under our eyes is read again before it is given up for now.
const READS: usize = 3;

/// How long a file must be gone before it counts as gone: some programs save by writing anew what they took away first.
const GONE: Duration = Duration::from_secs(5);

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What: `certificate`, `authority` or `revocation list`.
    pub what: &'static str,
    /// Whose.
    pub participant: NamedNode,
    /// When.
    pub at: OffsetDateTime,
    /// Whole days left; negative where it is over.
    pub days: i64,
}

/// How urgent an expiry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// More than four weeks are left.
    None,
    /// Less than four weeks.
    Soon,
    /// Less than a week.
    Now,
    /// It is over.
    Over,
}

/// Keeps a set in force, and renews it.
#[derive(Debug)]
pub struct Renewal {
    /// Of the set in force.
    good: Fingerprint,
    /// Of a set that was refused: not tried again until it changes.
    bad: Option<Fingerprint>,
    /// Of a set that lacks what the one in force has, and since when.
    lacking: Option<(Fingerprint, Instant)>,
}

/// What `load` makes of a set that nobody changes meanwhile, and of what; nothing where the files change faster than they
/// can be read.
// INVARIANT(one-set): what is put in force was read once, and was on disk as it was read once all of it had been.
fn attempt<T, E>(
    mut load: impl FnMut(&Reading) -> Result<T, E>,
) -> Option<(Result<T, E>, Fingerprint)> {
    (0..READS).find_map(|_| {
        let reading = Reading::default();
        let loaded = load(&reading);
        let seen = reading.fingerprint();
        seen.changes().is_empty().then_some((loaded, seen))
    })
}

/// Reads the first set that is to be in force, with its fingerprint.
///
/// # Errors
/// `load`'s; [`TrustError::Content`] where the files change faster than they can be read.
pub fn read_set<T, E: From<TrustError>>(
    load: impl FnMut(&Reading) -> Result<T, E>,
) -> Result<(T, Fingerprint), E> {
    let (loaded, seen) = attempt(load).ok_or_else(restless)?;
    Ok((loaded?, seen))
}

impl Renewal {
    /// Of a set that is in force.
    pub fn new(good: Fingerprint) -> Self {
        Self {
            good,
            bad: None,
            lacking: None,
        }
    }

    /// Looks whether the files changed and, if they did, reads the set anew: `load` reads and checks all of it, `put` puts
    /// it in force. Call it every few seconds; `is_reason` says which changes count.
    ///
    /// Gives whether a new set is in force now. What is gone must be gone for some seconds.
    ///
    /// # Errors
    /// What is wrong with a new set, once: the last good one stays in force.
    // INVARIANT(last-good-kept): a set that is broken, or half written, puts nothing out of force.
    pub fn poll<T, E>(
        &mut self,
        now: Instant,
        is_reason: impl Fn(&Path) -> bool,
        load: impl FnMut(&Reading) -> Result<T, E>,
        put: impl FnOnce(T) -> Result<(), E>,
    ) -> Result<bool, E> {
        if !self.good.changes().into_iter().any(is_reason) {
            (self.bad, self.lacking) = (None, None);
            return Ok(false);
        }
        if let Some(bad) = &self.bad
            && bad.changes().is_empty()
        {
            return Ok(false);
        }
        // Where somebody is writing, the next look decides.
        let Some((loaded, seen)) = attempt(load) else {
            return Ok(false);
        };
        if loaded.is_ok() && self.good.has_more_than(&seen) {
            match &self.lacking {
                Some((same, since)) if *same == seen => {
                    if now.saturating_duration_since(*since) < GONE {
                        return Ok(false);
                    }
                }
                _ => {
                    self.lacking = Some((seen, now));
                    return Ok(false);
                }
            }
        }
        self.settle(loaded, seen, put).map(|()| true)
    }

    /// Reads the set anew, changed or not, and puts it in force: whoever says so knows that it is whole.
    ///
    /// # Errors
    /// What is wrong with it; [`TrustError::Content`] where the files change faster than they can be read. Then the last
    /// good one stays in force.
    pub fn reload<T, E: From<TrustError>>(
        &mut self,
        load: impl FnMut(&Reading) -> Result<T, E>,
        put: impl FnOnce(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let (loaded, seen) = attempt(load).ok_or_else(restless)?;
        self.settle(loaded, seen, put)
    }

    fn settle<T, E>(
        &mut self,
        loaded: Result<T, E>,
        seen: Fingerprint,
        put: impl FnOnce(T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.lacking = None;
        match loaded.and_then(put) {
            Ok(()) => {
                (self.good, self.bad) = (seen, None);
                Ok(())
            }
            Err(error) => {
                self.bad = Some(seen);
                Err(error)
            }
        }
    }

    /// Whether the files hold the set that is in force.
    pub fn is_current(&self) -> bool {
        self.good.changes().is_empty()
    }

    /// Whether the files hold a set that was refused.
    pub fn is_behind(&self) -> bool {
        self.bad.is_some()
    }
}

fn restless() -> TrustError {
    TrustError::content(
        "the configuration's files",
        "they change while they are read: nothing was taken in, try again",
    )
}

/// Checks an identity before it is put in force: that it is valid now, and that our own authorities issued it, so that
/// peers who know them will believe it.
///
/// # Errors
/// [`TrustError::Content`], saying which.
pub fn check_identity(
    identity: &Identity,
    trusted: &Trusted,
    now: OffsetDateTime,
) -> Result<(), TrustError> {
    let fault = |reason: &dyn std::fmt::Display| {
        TrustError::content(
            identity.participant(),
            format_args!("the certificate cannot be used: {reason}"),
        )
    };
    if identity.participant() != trusted.own() {
        return Err(fault(&"it is another participant's"));
    }
    trusted
        .client(identity.certificate(), now)
        .map_err(|refusal| fault(&refusal))?;
    Ok(())
}

impl Expiry {
    /// Of a certificate.
    pub fn of_certificate(facts: &CertificateFacts, now: OffsetDateTime) -> Self {
        Self::new("certificate", &facts.participant, facts.not_after, now)
    }

    pub(crate) fn new(
        what: &'static str,
        participant: &NamedNode,
        at: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            what,
            participant: participant.clone(),
            at,
            days: (at - now).whole_seconds().div_euclid(24 * 3600),
        }
    }

    /// How urgent it is.
    pub fn urgency(&self) -> Urgency {
        match self.days {
            ..0 => Urgency::Over,
            0..7 => Urgency::Now,
            7..28 => Urgency::Soon,
            28.. => Urgency::None,
        }
    }
}

#[cfg(test)]
mod tests;
