//! `twinlink restore`: a store out of a backup, whole or not at all.

use super::backup::tell;
use super::{Console, Failure};
use crate::backup::{Manifest, check};
use crate::config::Config;
use crate::wire;
use clap::Args;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_store::{Ledger, TwinStore, backup};
use twinlink_trust::{Checkpoint, PublicKey, audit, read_file, verify_log};

#[derive(Debug, Args)]
#[command(
    after_help = "The backup is checked whole, then a store is made of it beside the configured one, opened and verified: the twin,\n\
                  the ledger, every record of the log of use and every signature in it. Only then it is moved into place, at once.\n\n\
                  The store must be empty or absent; with --replace it may be there, if the backup's log of use goes on from it: no\n\
                  use that is on record is ever forgotten. A store that cannot be opened any more must be moved away by hand; if\n\
                  the backup is older than what peers have receipts of, their reconciliation will show that.\n\n\
                  Keys, certificates, configuration, policies and peers are not in a backup: `twinlink init` or your copies of them come first.\n\n\
                  Example: is last night's backup good?\n  \
                  twinlink restore --check /var/backups/twin-2026-11-20.backup"
)]
pub(super) struct RestoreArguments {
    /// The backup.
    file: PathBuf,
    /// Check the backup as for a restore, and put nothing in place.
    #[arg(long, conflicts_with = "replace")]
    check: bool,
    /// Put it in place of a store that is there, if the backup's log of use goes on from that store's. The old store
    /// is kept beside it.
    #[arg(long)]
    replace: bool,
    /// A public key that this connector had before, as a JWK. May be given more than once.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// As JSON: what was restored.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    config: &Path,
    given: &RestoreArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(config)?;
    let trusted = wire::trusted(&config, config.peers()?)?;
    let mut keys = trusted.keys(&config.participant).to_vec();
    for path in &given.keys {
        keys.push(PublicKey::from_jwk(&read_file(path)?, path.display())?);
    }
    let there = match given.check {
        true => None,
        false => present(&config, given.replace)?,
    };
    console.note("checking the backup");
    let manifest = check(&given.file, config.participant.as_str(), &keys)?;
    let beside = Beside::new(&config.store)?;
    console.note("making a store of it");
    let input = BufReader::new(File::open(&given.file)?);
    let (found, _) = backup::restore(input, &beside.path)?;
    if !manifest.describes(&found) {
        return Err("the backup was changed while it was read".into());
    }
    console.note("verifying the store");
    verify(&config, &manifest, &keys, there.as_ref(), &beside.path)?;
    match (given.check, there) {
        (true, _) => {}
        (false, None) => backup::place(&beside.path, &config.store)?,
        (false, Some(_)) => {
            backup::exchange(&beside.path, &config.store)?;
            let kept = beside.keep()?;
            console.note(format_args!("the old store is in {}", kept.display()));
        }
    }
    tell(&given.file, &manifest, given.json, console);
    Ok(ExitCode::SUCCESS)
}

/// Where the log of use ends that is there already; none where there is nothing.
fn present(config: &Config, may_replace: bool) -> Result<Option<Checkpoint>, Failure> {
    let is_empty = match fs::read_dir(&config.store) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(format!("{}: {error}", config.store.display()).into()),
    };
    if is_empty {
        return Ok(None);
    }
    // Also where it may be replaced: a connector that runs has it open.
    let store = super::load::open_existing(config)?;
    if !may_replace {
        return Err(format!(
            "{} is not empty: --replace restores a backup that goes on from it",
            config.store.display()
        )
        .into());
    }
    let log = audit(&store.journal())?;
    Ok(Some(Checkpoint {
        log: config.participant.as_str().to_owned(),
        size: log.records,
        root: log.root,
        time: String::new(),
    }))
}

/// Opens the store that was made, and verifies all of it.
///
/// A store is replaced only by one whose log of use goes on from its own.
fn verify(
    config: &Config,
    manifest: &Manifest,
    keys: &[PublicKey],
    there: Option<&Checkpoint>,
    made: &Path,
) -> Result<(), Failure> {
    let store = TwinStore::open_existing(made, wire::evaluation_options(config)?)?;
    drop(Ledger::open(made)?);
    if store.snapshot().sequence() != manifest.changes {
        return Err("the twin that was made does not end with the backup's last change".into());
    }
    if let Some(there) = there
        && there.size > manifest.log_of_use.size
    {
        return Err(format!(
            "the backup is older than the store: its log of use has {} records, the store's has {}; restoring it would \
             forget uses",
            manifest.log_of_use.size, there.size
        )
        .into());
    }
    let held: Vec<_> = there.into_iter().cloned().collect();
    let log = verify_log(&store.journal(), &config.participant, keys, &held)
        .map_err(|refusal| format!("the backup's log of use: {refusal}"))?;
    if (log.records, log.root) != (manifest.log_of_use.size, manifest.log_of_use.root) {
        return Err("the backup's log of use is not the one that its owner signed".into());
    }
    Ok(())
}

/// A directory beside the store; gone in the end if it is there still.
struct Beside {
    path: PathBuf,
    kept: PathBuf,
}

impl Beside {
    fn new(store: &Path) -> Result<Self, Failure> {
        let beside = |word: &str| {
            let mut name = store.as_os_str().to_owned();
            name.push(format!(".{word}.{}", std::process::id()));
            PathBuf::from(name)
        };
        if let Some(parent) = store.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(Self {
            path: beside("restoring"),
            kept: beside("replaced"),
        })
    }

    /// What is in it now is to be kept.
    fn keep(self) -> Result<PathBuf, Failure> {
        backup::place(&self.path, &self.kept)?;
        Ok(self.kept.clone())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.path));
    }
}
