//! `twinlink audit`: the log of use, read and verified with the files of this connector alone: no network, no connector
//! that runs.

use super::{Console, Failure};
use crate::config::Config;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_store::{EvaluationOptions, StoreError, TwinStore, UseJournal};
use twinlink_trust::{
    Agreement, Entry, EntryKind, Exchange, Identity, PublicKey, consumed, export_transactions,
    list_entries, provided, read_file, reconcile, show_entries, verify_log, verify_receipt,
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List who used what, when, for which purpose and by which policy.
    List {
        /// From this record on.
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// At most so many records.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// As JSON, a record a line.
        #[arg(long)]
        json: bool,
    },
    /// Show all that the log has about a request.
    Show {
        /// The request's id, here or at the peer.
        request: String,
    },
    /// Check that nobody changed, dropped, swapped or put in a record, and that the log is the one that others hold.
    Verify(VerifyArguments),
    /// Compare with what a peer recorded: its file is made by `twinlink audit export --format exchanges`.
    Reconcile {
        /// The peer's file.
        theirs: PathBuf,
    },
    /// Write the log for others.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A public key that this connector had before, as a JWK. May be given more than once.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A receipt that a peer has of us. May be given more than once.
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The format.
    #[arg(long, value_enum, default_value = "fsc")]
    format: ExportFormat,
    /// Only what concerns this participant; exchanges need one.
    #[arg(long, value_name = "IRI")]
    with: Option<String>,
    /// What this twin is called there.
    #[arg(long, value_name = "NAME", default_value = "twin")]
    service: String,
    /// A participant's peer id, such as an OIN, as `IRI=ID`. May be given more than once.
    #[arg(long = "peer-id", value_name = "IRI=ID")]
    peer_ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Transaction records of Federated Service Connectivity, as one JSON document.
    Fsc,
    /// For `twinlink audit reconcile` at the peer: ids and digests, nothing else.
    Exchanges,
    /// All records as they are, a line each.
    Records,
}

/// What goes to a peer to be compared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchanges {
    participant: String,
    with: String,
    provided: Vec<Exchange>,
    consumed: Vec<Exchange>,
}

pub(super) fn run(
    file: &Path,
    command: &AuditCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let journal = open(&config)?;
    match command {
        AuditCommand::List { from, limit, json } => {
            let entries = list_entries(&journal, *from, *limit)?;
            list(&entries, *json, console)
        }
        AuditCommand::Show { request } => {
            let entries = show_entries(&journal, request)?;
            if entries.is_empty() {
                return Err(format!("the log has nothing about {request}").into());
            }
            list(&entries, true, console)
        }
        AuditCommand::Verify(given) => verify(&config, &journal, given, console),
        AuditCommand::Reconcile { theirs } => compare(&config, &journal, theirs, console),
        AuditCommand::Export(given) => export(&config, &journal, given, console),
    }
}

fn open(config: &Config) -> Result<UseJournal, Failure> {
    match TwinStore::open(&config.store, EvaluationOptions::default()) {
        Ok(store) => Ok(store.journal()),
        Err(error @ StoreError::InUse { .. }) => Err(format!(
            "{error}: the log is read while the connector does not run, or from a copy"
        )
        .into()),
        Err(error) => Err(error.into()),
    }
}

fn list(entries: &[(u64, Entry)], json: bool, console: &Console) -> Result<ExitCode, Failure> {
    if json {
        for (sequence, entry) in entries {
            console.say(json!({"sequence": sequence, "record": serde_json::to_value(entry)?}));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<String>> = entries.iter().map(|(at, entry)| row(*at, entry)).collect();
    let head = [
        "record", "time", "what", "who", "purpose", "policies", "rows",
    ];
    console.table(&head, &rows);
    Ok(ExitCode::SUCCESS)
}

fn row(sequence: u64, entry: &Entry) -> Vec<String> {
    let (what, purpose, policies, rows) = match &entry.kind {
        EntryKind::Intent { used, refused, .. } => {
            let what = match refused {
                Some(check) => format!("refused: {check}"),
                None => "begins".to_owned(),
            };
            (what, used.purpose.clone(), used.policies.join(" "), None)
        }
        EntryKind::Completion {
            used, rows, failed, ..
        } => {
            let what = match failed {
                Some(check) => format!("broke off: {check}"),
                None => "ends".to_owned(),
            };
            (
                what,
                used.purpose.clone(),
                used.policies.join(" "),
                Some(*rows),
            )
        }
        EntryKind::Asked { purpose, .. } => {
            ("we ask".to_owned(), purpose.clone(), String::new(), None)
        }
        EntryKind::Answered { rows, fault, .. } => {
            let what = match fault {
                Some(check) => format!("we were answered, with a wrong receipt: {check}"),
                None => "we were answered".to_owned(),
            };
            (what, None, String::new(), Some(*rows))
        }
        EntryKind::Acknowledged { transactions, .. } => {
            let what = format!("acknowledged {} answers", transactions.len());
            (what, None, String::new(), None)
        }
        EntryKind::Checkpoint { size, .. } => {
            (format!("checkpoint of {size}"), None, String::new(), None)
        }
        EntryKind::Cosigned { .. } => ("cosigned".to_owned(), None, String::new(), None),
        EntryKind::Witnessed { .. } => ("witnessed".to_owned(), None, String::new(), None),
        EntryKind::Purge { records, .. } => {
            let what = format!("purged {} records", records.len());
            (what, None, String::new(), None)
        }
        EntryKind::Contradicted { .. } => {
            let what = "REWROTE ITS LOG".to_owned();
            (what, None, String::new(), None)
        }
    };
    vec![
        sequence.to_string(),
        entry.time.clone(),
        what,
        entry.kind.participant().unwrap_or_default().to_owned(),
        purpose.unwrap_or_default(),
        policies,
        rows.map(|rows| rows.to_string()).unwrap_or_default(),
    ]
}

fn verify(
    config: &Config,
    journal: &UseJournal,
    given: &VerifyArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let identity = Identity::load(&config.identity.certificate, &config.identity.key)?;
    let mut keys = vec![identity.key().public().clone()];
    for path in &given.keys {
        keys.push(PublicKey::from_jwk(&read_file(path)?, path.display())?);
    }
    let mut held = Vec::new();
    for path in &given.receipts {
        let receipt = verify_receipt(read_file(path)?.trim(), &config.participant, &keys)?;
        receipt.check_against(journal)?;
        held.push(receipt.checkpoint);
    }
    let found = verify_log(journal, &config.participant, &keys, &held)?;
    console.say(json!({
        "records": found.records,
        "purged": found.purged,
        "checkpoints": found.checkpoints,
        "without_checkpoint": found.open,
        "receipts": held.len(),
        "root": found.root.to_string(),
    }));
    console.note("the log is whole");
    Ok(ExitCode::SUCCESS)
}

fn entries(journal: &UseJournal) -> Result<Vec<(u64, Entry)>, Failure> {
    Ok(list_entries(journal, 0, usize::MAX)?)
}

fn compare(
    config: &Config,
    journal: &UseJournal,
    theirs: &Path,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", theirs.display());
    let text = std::fs::read_to_string(theirs).map_err(|error| named(&error))?;
    let theirs: Exchanges = serde_json::from_str(&text).map_err(|error| named(&error))?;
    if theirs.with != config.participant.as_str() {
        return Err(format!("the file is about <{}>, not about us", theirs.with).into());
    }
    let entries = entries(journal)?;
    let provided = provided(&entries, &theirs.participant);
    let consumed = consumed(&entries, &theirs.participant);
    let mut is_good = true;
    for (what, compared) in [
        ("provided", reconcile(&provided, &theirs.consumed)),
        ("consumed", reconcile(&consumed, &theirs.provided)),
    ] {
        for (transaction, agreement) in compared {
            is_good &= agreement == Agreement::Matched;
            console.say(json!({
                "what": what,
                "transaction": transaction,
                "agreement": serde_json::to_value(&agreement)?,
            }));
        }
    }
    match is_good {
        true => Ok(ExitCode::SUCCESS),
        false => Err("the two logs do not agree on everything".into()),
    }
}

fn export(
    config: &Config,
    journal: &UseJournal,
    given: &ExportArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let mut peer_ids = Vec::new();
    for pair in &given.peer_ids {
        let pair = pair.rsplit_once('=').ok_or("--peer-id is IRI=ID")?;
        peer_ids.push(pair);
    }
    let entries = entries(journal)?;
    let is_wanted = |entry: &&Entry| {
        let with = given.with.as_deref();
        with.is_none() || entry.kind.participant() == with
    };
    let all = || entries.iter().map(|(_, entry)| entry).filter(is_wanted);
    let own = config.participant.as_str();
    match given.format {
        ExportFormat::Records => {
            for entry in all() {
                console.say(serde_json::to_string(entry)?);
            }
        }
        ExportFormat::Fsc => {
            let peer_id = |participant: &str| {
                let known = peer_ids.iter().find(|(iri, _)| *iri == participant);
                known.map_or_else(|| participant.to_owned(), |(_, id)| (*id).to_owned())
            };
            let records = export_transactions(all(), own, &given.service, peer_id);
            console.say(json!({"records": records, "pagination": {"next_cursor": ""}}));
        }
        ExportFormat::Exchanges => {
            let with = given
                .with
                .clone()
                .ok_or("exchanges are --with one participant")?;
            let exchanges = Exchanges {
                participant: own.to_owned(),
                provided: provided(&entries, &with),
                consumed: consumed(&entries, &with),
                with,
            };
            console.say(serde_json::to_string(&exchanges)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}
