//! `twinlink audit readmit`: takes a peer's log up again that contradicted what it had shown before.

use crate::cli::ask::PersonArguments;
use crate::cli::incident::with_steward;
use crate::cli::{Console, Failure};
use crate::config::Config;
use crate::wire;
use clap::Args;
use oxrdf::NamedNode;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;
use twinlink_store::{StoreError, TwinStore};
use twinlink_trust::{CurrentIdentity, Identity, Readmission, Receipts, read_file, witnessed};

/// How long a running connector may take: it reads its whole log.
const PATIENCE: Duration = Duration::from_secs(600);

#[derive(Debug, Args)]
#[command(
    after_help = "A connector whose log was put back from a backup shows another past than it had shown before: its peers keep both of its\n\
                  signatures and cosign nothing any more, for whether it lost records or removed them cannot be told from the log. Ask\n\
                  its operator, compare what both sides hold (`twinlink audit reconcile`), and then, and only then, take its log up\n\
                  again. That you did, why, and from which checkpoint on, is on record; the contradiction stays in the log, and\n\
                  `audit verify` tells of both.\n\n\
                  Example: the police told us by telephone that they restored their backup of yesterday\n  \
                  twinlink audit readmit https://police.example/ --reason 'restored on 2026-11-20 after a disk failure, J. Virtanen'"
)]
pub(crate) struct ReadmitArguments {
    /// The peer, by its participant id. `twinlink doctor` names those that contradict themselves.
    #[arg(value_parser = crate::cli::policy::term)]
    peer: NamedNode,
    /// A file with the peer's signed checkpoint from which its log goes on. [default: the first one that contradicted]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    person: PersonArguments,
    /// As JSON: where that is recorded, and how long the peer's log was at the checkpoint.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(
    file: &Path,
    given: &ReadmitArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let from = given.from.as_deref().map(read_file).transpose()?;
    let from = from.map(|text| text.trim().to_owned());
    let (recorded, size) = match crate::cli::load::open_existing(&config) {
        Ok(store) => alone(&config, &store, given, from.as_deref())?,
        Err(StoreError::InUse(_)) => {
            let readmitted = with_steward(file, &given.person, async |client| {
                let deadline = Instant::now() + PATIENCE;
                let (peer, reason) = (given.peer.clone(), given.reason.clone());
                Ok(client.readmit(peer, from, reason, deadline).await?)
            })?;
            (readmitted.recorded, readmitted.size)
        }
        Err(error) => return Err(error.into()),
    };
    if given.json {
        console.say(json!({ "recorded": recorded, "size": size }));
    } else {
        let peer = given.peer.as_str();
        console.say(format_args!(
            "the log of <{peer}> is taken up again from {size} records on: record {recorded} says so"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// No connector runs: the log is written here.
fn alone(
    config: &Config,
    store: &TwinStore,
    given: &ReadmitArguments,
    from: Option<&str>,
) -> Result<(u64, u64), Failure> {
    let identity = Identity::load(&config.identity.certificate, &config.identity.key)?;
    let trusted = wire::trusted(config, config.peers()?)?;
    let journal = store.journal();
    let by = given.person.person().subject;
    let readmission = Readmission {
        participant: &given.peer,
        from,
        by: &by,
        reason: &given.reason,
    };
    let (kind, checkpoint) =
        readmission.record(&witnessed(&journal)?, trusted.keys(&given.peer))?;
    let own = trusted.keys(&config.participant);
    let receipts = Receipts::open(Arc::new(journal), CurrentIdentity::new(identity), own)?;
    let now = OffsetDateTime::now_utc();
    let recorded = wire::runtime()?.block_on(async {
        let recorded = receipts.note(kind, now).await?;
        receipts.seal().await?;
        Ok::<u64, Failure>(recorded)
    })?;
    Ok((recorded, checkpoint.size))
}
