//! `twinlink backup`: a copy of the store, of a connector that runs or of one that does not.

use super::ask::{PersonArguments, no_answer};
use super::partial::Partial;
use super::{Console, Failure};
use crate::backup::{Archive, Manifest, check};
use crate::config::Config;
use crate::session::Session;
use crate::wire;
use clap::Args;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use twinlink_store::{Ledger, StoreError};
use twinlink_trust::{CurrentIdentity, Identity};

/// How long a running connector may take, if it goes on sending.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Args)]
#[command(
    after_help = "In it: every change of the twin, the whole log of use, the ledger of uses, incidents and obligations, as they are\n\
                  at one moment; signed by this connector. Whoever can read it can read all of the twin: no policy applies, so keep it\n\
                  as you keep the store. Only stewards may take one of a running connector, and that is in its log of use.\n\n\
                  Not in it: keys, certificates, secrets, configuration, policies and peers. Without the identity's key the\n\
                  organisation's certificate must be issued anew; without the key of pseudonyms they all change. Keep copies of\n\
                  those files elsewhere.\n\n\
                  Example: every night\n  \
                  twinlink backup /var/backups/twin-$(date +%F).backup"
)]
pub(super) struct BackupArguments {
    /// Where to write. The file must not be there.
    file: PathBuf,
    #[command(flatten)]
    person: PersonArguments,
    /// As JSON: what is in it.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(
    config: &Path,
    given: &BackupArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(config)?;
    let identity = Identity::load(&config.identity.certificate, &config.identity.key)?;
    let key = identity.key().public().clone();
    let mut partial = Partial::create(&given.file)?;
    match super::load::open_existing(&config) {
        Ok(store) => {
            let ledger = Arc::new(Ledger::open(&config.store)?);
            let archive = Archive::new(Arc::new(store), ledger, CurrentIdentity::new(identity));
            let bar = console.bar(
                fs::metadata(config.store.join("twin.redb"))?.len(),
                "copying",
            );
            let copying = archive.begin()?;
            copying.copy(|_| Ok(()), &mut |chunk| {
                bar.inc(chunk.len() as u64);
                partial
                    .write(&chunk)
                    .map_err(|error| StoreError::Backup(error.to_string()))
            })?;
            bar.finish_and_clear();
        }
        Err(StoreError::InUse(_)) => receive(&config, given, &mut partial, console)?,
        Err(error) => return Err(error.into()),
    }
    // Read again, as it is on the disk.
    partial.sync()?;
    let manifest = check(partial.path(), config.participant.as_str(), &[key])?;
    partial.keep()?;
    tell(&given.file, &manifest, given.json, console);
    Ok(ExitCode::SUCCESS)
}

/// The connector runs and owns its store: it sends the copy.
fn receive(
    config: &Config,
    given: &BackupArguments,
    partial: &mut Partial,
    console: &Console,
) -> Result<(), Failure> {
    let session = Session::open(config, None)?;
    let person = given.person.person();
    wire::runtime()?.block_on(async {
        let client = session
            .connect(person)
            .await
            .map_err(|error| no_answer(&session, &error))?;
        let mut copy = client.back_up(Instant::now() + PATIENCE).await?;
        console.note(format_args!(
            "the connector runs: it copies {} entries",
            copy.entries()
        ));
        let bar = console.bar(0, "receiving");
        while let Some(chunk) = copy.next().await? {
            bar.inc(chunk.len() as u64);
            partial.write(&chunk)?;
        }
        bar.finish_and_clear();
        Ok(())
    })
}

/// What a backup is, for a person or a program.
pub(super) fn tell(file: &Path, manifest: &Manifest, json: bool, console: &Console) {
    let size = manifest.log_of_use.size;
    if json {
        console.say(json!({
            "file": file.display().to_string(),
            "participant": manifest.participant,
            "made": manifest.made,
            "changes": manifest.changes,
            "ledger": manifest.ledger,
            "bytes": manifest.bytes,
            "sha256": manifest.sha256,
            "log_of_use": { "size": size, "root": manifest.log_of_use.root.to_string() },
        }));
        return;
    }
    console.say(format_args!(
        "{}: {} changes, {size} records of use, {} entries of the ledger, {} bytes, made {}",
        file.display(),
        manifest.changes,
        manifest.ledger,
        manifest.bytes,
        manifest.made
    ));
    console.say(format_args!(
        "log of use: {size} records, root {}",
        manifest.log_of_use.root
    ));
}
