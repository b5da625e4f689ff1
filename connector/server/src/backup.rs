//! Backups: a copy of the store that ends with a signed word on what it is, so that it can be checked by itself.

use crate::cli::Failure;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Refusal};
use twinlink_store::backup::{self, Contents, Pinned};
use twinlink_store::{Ledger, StoreError, TwinStore};
use twinlink_trust::{
    CurrentIdentity, Digest256, PublicKey, audit, sign_manifest, verify_manifest,
};

/// What is copied, and whose word is put on it.
#[derive(Debug, Clone)]
pub(crate) struct Archive {
    pub(crate) store: Arc<TwinStore>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) identity: Arc<CurrentIdentity>,
    is_busy: Arc<AtomicBool>,
}

/// The right to make a copy: one at a time, because each keeps free pages of the files from being used again.
#[derive(Debug)]
pub(crate) struct Copying(Archive);

/// What a connector says of a copy of its store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Whose store it is.
    pub(crate) participant: String,
    /// When the copy was begun: RFC 3339.
    pub(crate) made: String,
    /// The version of the program that made it.
    pub(crate) program: String,
    /// Changes of the twin: the number of the last.
    pub(crate) changes: u64,
    /// Entries of the ledger of use.
    pub(crate) ledger: u64,
    /// The copy's length without what is said of it, in bytes.
    pub(crate) bytes: u64,
    /// SHA-256 over these bytes, lower-case hex.
    pub(crate) sha256: String,
    /// The log of use as the copy has it.
    pub(crate) log_of_use: LogOfUse,
}

/// How long a log of use is, and the root of the Merkle tree over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogOfUse {
    pub(crate) size: u64,
    pub(crate) root: Digest256,
}

impl Archive {
    pub(crate) fn new(
        store: Arc<TwinStore>,
        ledger: Arc<Ledger>,
        identity: Arc<CurrentIdentity>,
    ) -> Self {
        Self {
            store,
            ledger,
            identity,
            is_busy: Arc::default(),
        }
    }

    /// The right to make a copy.
    ///
    /// # Errors
    /// [`Code::Exhausted`], check `backup.busy`, while somebody else makes one.
    pub(crate) fn begin(&self) -> Result<Copying, Refusal> {
        if self.is_busy.swap(true, Ordering::SeqCst) {
            let detail = "another backup is being made: try again when it is done";
            return Err(Refusal::new(Code::Exhausted, "backup.busy", detail).open());
        }
        Ok(Copying(self.clone()))
    }
}

impl Copying {
    /// Copies what is durable now; hands on its bytes, to the last. Tells first how many entries there are. Blocks.
    ///
    /// # Errors
    /// [`Code::Internal`], check `audit.chain`, where the log of use is not whole: a backup of it would not be taken
    /// back; where the store cannot be read; those of `begin` and `take`.
    pub(crate) fn copy(
        &self,
        begin: impl FnOnce(u64) -> Result<(), StoreError>,
        take: &mut dyn FnMut(Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<Manifest, Refusal> {
        let Archive {
            store,
            ledger,
            identity,
            ..
        } = &self.0;
        let now = OffsetDateTime::now_utc();
        let pinned = Pinned::new(store, ledger)?;
        begin(pinned.entries()?)?;
        let log = audit(&pinned.journal())?;
        let contents = pinned.copy(take)?;
        let identity = identity.load();
        let manifest = Manifest {
            participant: identity.participant().as_str().to_owned(),
            made: now.format(&Rfc3339).map_err(|error| fault(&error))?,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            changes: contents.changes,
            ledger: contents.ledger,
            bytes: contents.bytes,
            sha256: contents.sha256,
            log_of_use: LogOfUse {
                size: log.records,
                root: log.root,
            },
        };
        let said = serde_json::to_vec(&manifest).map_err(|error| fault(&error))?;
        let signed = sign_manifest(&said, &identity).map_err(|error| fault(&error))?;
        take(backup::end(signed.as_bytes())?)?;
        Ok(manifest)
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::SeqCst);
    }
}

/// Checks a backup by itself: that it is whole, and that the participant signed with one of these keys what it holds.
///
/// # Errors
/// What is wrong with it, with its name.
// INVARIANT(our-own-whole-backups): nothing of a backup is used before its digest is the one that its owner signed.
pub(crate) fn check(
    file: &Path,
    participant: &str,
    keys: &[PublicKey],
) -> Result<Manifest, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let input = File::open(file).map_err(|error| named(&error))?;
    let (found, said) = backup::read(BufReader::new(input)).map_err(|error| named(&error))?;
    let said = std::str::from_utf8(&said).map_err(|error| named(&error))?;
    let said = verify_manifest(said, keys).map_err(|refusal| {
        named(&format_args!(
            "{refusal}: another connector's, or made with a key that was replaced (--key names it)"
        ))
    })?;
    let manifest: Manifest = serde_json::from_slice(&said).map_err(|error| named(&error))?;
    if manifest.participant != participant {
        let owner = &manifest.participant;
        return Err(named(&format_args!("it is <{owner}>'s, not <{participant}>'s")).into());
    }
    if !manifest.describes(&found) {
        return Err(named(&"it was changed: it is not what its owner signed").into());
    }
    Ok(manifest)
}

impl Manifest {
    /// Whether it is said of these contents.
    pub(crate) fn describes(&self, found: &Contents) -> bool {
        let said = Contents {
            changes: self.changes,
            records: self.log_of_use.size,
            ledger: self.ledger,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
        };
        said == *found
    }
}

fn fault(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, "backup", error)
}
