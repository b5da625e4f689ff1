//! `twinlink audit purge`: forgets what the log says of requests, with a record that it was forgotten and why.

use crate::cli::ask::PersonArguments;
use crate::cli::incident::with_steward;
use crate::cli::{Console, Failure};
use crate::config::Config;
use crate::wire;
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;
use twinlink_store::{StoreError, TwinStore};
use twinlink_trust::{CurrentIdentity, Identity, Purged, Receipts, find_purgeable};

/// How long a running connector may take: it reads its whole log.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Args)]
#[command(
    after_help = "Of a purged record the digest stays, so `audit verify` still verifies and counts it, and receipts that others hold are\n\
                  still found to be of this log. That it was purged, by whom and why, is on record before anything goes.\n\n\
                  Nobody reads what it said from then on, and it is in no later backup. It leaves the disk when the store is opened\n\
                  next: at once where no connector runs, at its next start where one does. The old file is overwritten; a file system\n\
                  that copies on write, and a disk that levels wear, may keep old blocks for a while. Backups made before still\n\
                  have it, and so have peers and callers their side of the use.\n\n\
                  Example: somebody asks to be forgotten\n  \
                  twinlink audit purge 01928f6e-... --reason 'request of 2026-11-20, article 17'"
)]
pub(crate) struct PurgeArguments {
    /// The requests, by their ids here or in both logs.
    #[arg(value_name = "REQUEST", required_unless_present = "records")]
    requests: Vec<String>,
    /// A record, by its number in `audit list`. May be given more than once.
    #[arg(long = "record", value_name = "NUMBER")]
    records: Vec<u64>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    person: PersonArguments,
    /// As JSON: which records, and where that is recorded.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    file: &Path,
    given: &PurgeArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let purged = match crate::cli::load::open_existing(&config) {
        Ok(store) => alone(&config, store, given)?,
        Err(StoreError::InUse(_)) => {
            let purged = with_steward(file, &given.person, async |client| {
                let deadline = Instant::now() + PATIENCE;
                let (requests, records) = (given.requests.clone(), given.records.clone());
                let reason = given.reason.clone();
                Ok(client.purge(requests, records, reason, deadline).await?)
            })?;
            console.note("the connector runs: what they said leaves the disk at its next start");
            Purged {
                records: purged.records,
                recorded: purged.recorded,
            }
        }
        Err(error) => return Err(error.into()),
    };
    if given.json {
        console.say(json!({ "records": purged.records, "recorded": purged.recorded }));
    } else {
        let count = purged.records.len();
        console.say(format_args!("{count} records purged"));
    }
    Ok(ExitCode::SUCCESS)
}

/// No connector runs: the log is written here.
fn alone(config: &Config, store: TwinStore, given: &PurgeArguments) -> Result<Purged, Failure> {
    let identity = Identity::load(&config.identity.certificate, &config.identity.key)?;
    let journal = store.journal();
    let mut places = given.records.clone();
    for request in &given.requests {
        let found = find_purgeable(&journal, request)?;
        if found.is_empty() {
            return Err(format!("the log says nothing of {request}").into());
        }
        places.extend(found);
    }
    let by = given.person.person().subject;
    let trusted = wire::trusted(config, config.peers()?)?;
    let receipts = Receipts::open(
        Arc::new(journal),
        CurrentIdentity::new(identity),
        trusted.keys(&config.participant),
    )?;
    let now = OffsetDateTime::now_utc();
    let purged = wire::runtime()?.block_on(receipts.purge(&places, &by, &given.reason, now))?;
    drop((receipts, store));
    // Opened anew, its file has nothing of them any more: once the thread that writes the log has let go of it.
    let until = Instant::now() + PATIENCE;
    loop {
        match crate::cli::load::open_existing(config) {
            Err(StoreError::InUse(_)) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            opened => break drop(opened?),
        }
    }
    Ok(purged)
}
