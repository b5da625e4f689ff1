//! Certificate, key, authority and revocation lists as files that are renewed while the connector serves: read as one
//! set, checked whole, and the last good set kept where the new one is not.

use crate::{CertificateFacts, Identity, TrustError, Trusted, pem};
use oxrdf::NamedNode;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use time::OffsetDateTime;

/// How often a set that changes under our eyes is read again before it is given up for now.
const READS: usize = 3;

/// Where the set lies.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    /// The connector's certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates of the authorities.
    pub authorities: PathBuf,
    /// Revocation lists.
    pub revocations: Vec<PathBuf>,
    /// Whatever else belongs to the set, such as the files of peers: read by others, watched here.
    pub others: Vec<PathBuf>,
}

/// What the files held at one moment: two are equal only if no byte differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

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

/// Watches the set.
#[derive(Debug)]
pub struct Renewal {
    files: KeyFiles,
    /// Of the set in force.
    good: Fingerprint,
    /// Of a set that was refused: not tried again until it changes.
    bad: Option<Fingerprint>,
}

impl KeyFiles {
    /// The fingerprint of what the files hold now. A missing file counts as such: it may be on its way.
    ///
    /// # Errors
    /// [`TrustError::File`] for any other fault in reading.
    pub fn fingerprint(&self) -> Result<Fingerprint, TrustError> {
        let own = [&self.certificate, &self.key, &self.authorities];
        let mut hasher = Sha256::new();
        for path in own.into_iter().chain(&self.revocations).chain(&self.others) {
            hasher.update(path.as_os_str().as_encoded_bytes());
            match pem::read_file(path) {
                Ok(text) => hasher.update(Sha256::digest(text)),
                Err(TrustError::File { error, .. })
                    if error.kind() == std::io::ErrorKind::NotFound =>
                {
                    hasher.update([0]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Fingerprint(hasher.finalize().into()))
    }

    /// Reads a set that nobody changes meanwhile: what `load` makes of it, with its fingerprint.
    ///
    /// # Errors
    /// `load`'s; [`TrustError::Content`] where the files change faster than they can be read.
    pub fn read<T>(
        &self,
        mut load: impl FnMut() -> Result<T, TrustError>,
    ) -> Result<(T, Fingerprint), TrustError> {
        let mut fault = None;
        for _ in 0..READS {
            let before = self.fingerprint()?;
            let loaded = load();
            if self.fingerprint()? != before {
                continue;
            }
            match loaded {
                Ok(loaded) => return Ok((loaded, before)),
                Err(error) => fault = Some(error),
            }
            break;
        }
        Err(fault.unwrap_or_else(|| {
            TrustError::content(
                self.certificate.display(),
                "changes while it is read: it is tried again later",
            )
        }))
    }
}

impl Renewal {
    /// Watches files of which this set is in force.
    pub fn new(files: KeyFiles, good: Fingerprint) -> Self {
        Self {
            files,
            good,
            bad: None,
        }
    }

    /// Watches these files from now on: those of a peer that is new, or no longer those of one that is gone. That the list
    /// is another one is a change, too.
    pub fn watch(&mut self, files: KeyFiles) {
        self.files = files;
    }

    /// Looks whether the files changed and, if they did, gives `take` the turn: it loads, checks and puts in force, or
    /// changes nothing. Call it every few seconds, and at once where somebody says that there is something new.
    ///
    /// Gives whether a new set is in force now.
    ///
    /// # Errors
    /// What is wrong with a new set, once: the last good one stays in force.
    // INVARIANT(last-good-kept): a set that is broken, or half written, puts nothing out of force.
    pub fn poll<E: From<TrustError>>(
        &mut self,
        take: impl FnOnce() -> Result<(), E>,
    ) -> Result<bool, E> {
        let before = self.files.fingerprint()?;
        if before == self.good || Some(before) == self.bad {
            return Ok(false);
        }
        let taken = take();
        if self.files.fingerprint()? != before {
            // Somebody was writing: what was read may be half of two sets. The next look decides, whatever came of it.
            return Ok(false);
        }
        match taken {
            Ok(()) => {
                (self.good, self.bad) = (before, None);
                Ok(true)
            }
            Err(error) => {
                self.bad = Some(before);
                Err(error)
            }
        }
    }

    /// Whether the files hold a set that was refused.
    pub fn is_behind(&self) -> bool {
        self.bad.is_some()
    }
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
