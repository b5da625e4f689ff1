//! `twinlink audit`: the log of use, read and verified with the files of this connector alone, and no network; while the
//! connector runs, which has the log then, by asking it.

mod journal;
mod purge;
mod readmit;
mod versions;

use super::{Console, Failure};
use crate::config::Config;
use crate::wire;
use clap::{Args, Subcommand, ValueEnum};
use journal::Opened;
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_core::Journal;
use twinlink_trust::{
    Agreement, Entry, EntryKind, Exchange, PublicKey, ReceiptClaims, claimed_signer, consumed,
    export_transactions, list_entries, own_keys, peers_keys, provided, read_file, reconcile,
    show_entries, unrecorded_purges, unsigned, verify_log, verify_receipt, verify_statements,
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
    /// Show all that the log has about a request, a record a line, as JSON. `dataset_version` names the state of the twin that it
    /// found: the number of the last change, and a hash chained over all changes. `held` is what an app signed.
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
    /// Forget what the log says of requests: their digests stay, and a record of who had them forgotten, and why.
    Purge(purge::PurgeArguments),
    /// Take a peer's log up again that contradicted what it had shown before, such as one put back from a backup.
    Readmit(readmit::ReadmitArguments),
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A public key that this connector had before, as a JWK: where its log does not say so itself, as it does since it
    /// changed keys while it ran, or with the former one under `identity.overlapping_keys`. May be given more than once.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A public key that a peer had before, as `IRI=FILE`, the file a JWK. May be given more than once.
    #[arg(long = "peer-key", value_name = "IRI=FILE")]
    peer_keys: Vec<String>,
    /// Pass records that the log itself calls unproven: a program of before this one may have left them when it was killed.
    #[arg(long)]
    allow_unproven: bool,
    /// A receipt: one that a peer has of us, which our log must hold; or one that we have of a peer (`twinlink query
    /// --receipt`), which it must have signed. May be given more than once.
    #[arg(long = "receipt", value_name = "FILE")]
    receipts: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The format.
    #[arg(long, value_enum, default_value = "fsc")]
    format: ExportFormat,
    /// Only what concerns this participant; exchanges need one.
    #[arg(long, value_name = "IRI", value_parser = super::policy::term)]
    with: Option<NamedNode>,
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
    match command {
        AuditCommand::Purge(given) => return purge::run(file, given, console),
        AuditCommand::Readmit(given) => return readmit::run(file, given, console),
        _ => {}
    }
    let config = Config::load(file)?;
    let opened = journal::open(&config)?;
    match command {
        AuditCommand::List { from, limit, json } => {
            let entries = list_entries(opened.own()?, *from, *limit)?;
            list(&entries, *json, console)
        }
        AuditCommand::Show { request } => {
            let entries = show_entries(opened.own()?, request)?;
            if entries.is_empty() {
                return Err(format!("the log has nothing about {request}").into());
            }
            list(&entries, true, console)
        }
        AuditCommand::Verify(given) => verify(&config, &opened, given, console),
        AuditCommand::Reconcile { theirs } => compare(&config, opened.journal(), theirs, console),
        AuditCommand::Export(given) => export(&config, opened.own()?, given, console),
        AuditCommand::Purge(_) | AuditCommand::Readmit(_) => Ok(ExitCode::SUCCESS),
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
        EntryKind::Changed {
            dataset_version, ..
        } => {
            let what = format!("changed the twin to {dataset_version}");
            (what, None, String::new(), None)
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
        EntryKind::Delivered { transactions, .. } => {
            let what = format!("took our word on {} answers", transactions.len());
            (what, None, String::new(), None)
        }
        EntryKind::Readmitted { by, reason, .. } => {
            let what = format!("log taken up again by {by}: {reason}");
            (what, None, String::new(), None)
        }
        EntryKind::Cosigned { .. } => ("cosigned".to_owned(), None, String::new(), None),
        EntryKind::Witnessed { .. } => ("witnessed".to_owned(), None, String::new(), None),
        EntryKind::Known { .. } => ("had another key".to_owned(), None, String::new(), None),
        EntryKind::Key { .. } => ("vouched for a key".to_owned(), None, String::new(), None),
        EntryKind::Unproven { first, last } => {
            let what = format!("UNPROVEN: records {first} to {last} are under no signature");
            (what, None, String::new(), None)
        }
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
        who(&entry.kind),
        purpose.unwrap_or_default(),
        policies,
        rows.map(|rows| rows.to_string()).unwrap_or_default(),
    ]
}

/// The organisation, and of ours and theirs who acts for whom.
fn who(kind: &EntryKind) -> String {
    let participant = kind.participant().unwrap_or_default().to_owned();
    let (EntryKind::Intent { used, .. } | EntryKind::Completion { used, .. }) = kind else {
        return participant;
    };
    let subject = used.subject.as_deref().unwrap_or_default();
    match (used.actors.as_slice(), &used.client) {
        ([], Some(client)) if client != subject => format!("{participant} {subject} with {client}"),
        ([], _) => format!("{participant} {subject}"),
        (actors, _) => format!(
            "{participant} {subject}, for whom {} acts",
            actors.join(" for ")
        ),
    }
}

fn verify(
    config: &Config,
    opened: &Opened,
    given: &VerifyArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let journal = match given.receipts.as_slice() {
        [] => opened.own()?,
        _ => opened.journal(),
    };
    let trusted = wire::trusted(config, config.peers()?)?;
    let mut keys = trusted.keys(&config.participant).to_vec();
    for path in &given.keys {
        keys.push(PublicKey::from_jwk(&read_file(path)?, path.display())?);
    }
    let keys = own_keys(journal, &config.participant, &keys)?;
    let kept = peers_keys(journal)?;
    let mut former = Vec::new();
    for pair in &given.peer_keys {
        let (peer, path) = pair.rsplit_once('=').ok_or("--peer-key is IRI=FILE")?;
        let text = read_file(Path::new(path))?;
        former.push((peer, PublicKey::from_jwk(&text, path)?));
    }
    let others = |participant: &NamedNode| {
        let former = former
            .iter()
            .filter(|(peer, _)| *peer == participant.as_str());
        let former = former.map(|(_, key)| key);
        let kept = kept.get(participant.as_str()).into_iter().flatten();
        trusted
            .keys(participant)
            .iter()
            .chain(former)
            .chain(kept)
            .cloned()
            .collect()
    };
    let (mut held, mut theirs) = (Vec::new(), Vec::new());
    for path in &given.receipts {
        let text = read_file(path)?;
        let named = |error| format!("{}: {error}", path.display());
        let signer = claimed_signer(text.trim())
            .ok_or_else(|| format!("{} holds no receipt", path.display()))?;
        if signer == config.participant {
            let receipt = verify_receipt(text.trim(), &signer, &keys).map_err(named)?;
            receipt.check_against(journal).map_err(named)?;
            held.push(receipt.checkpoint);
        } else {
            let known: Vec<PublicKey> = others(&signer);
            let receipt = verify_receipt(text.trim(), &signer, &known).map_err(named)?;
            if receipt.used.participant.as_deref() != Some(config.participant.as_str()) {
                let file = path.display();
                return Err(format!("{file} is a receipt of somebody else's use").into());
            }
            theirs.push(promised(&receipt));
        }
    }
    let receipts = held.len();
    let watched = journal::Watched::new(journal, console);
    watched.begin("verifying what others signed, 1 of 3");
    let (statements, cosigned) = verify_statements(&watched, &config.participant, others)?;
    held.extend(cosigned);
    watched.begin("verifying records and checkpoints, 2 of 3");
    let found = verify_log(&watched, &config.participant, &keys, &held)?;
    let versions = match opened {
        Opened::Running(_) | Opened::None(_) => None,
        Opened::File(file) => {
            found.sealed()?;
            Some(versions::check(file)?)
        }
    };
    watched.begin("looking for what was purged, 3 of 3");
    let unrecorded = unrecorded_purges(&watched)?;
    drop(watched);
    console.say(json!({
        "records": found.records,
        "purged": found.purged,
        "purged_without_record": unrecorded.len(),
        "checkpoints": found.checkpoints,
        "without_checkpoint": found.open,
        "unproven": found.unproven,
        "states_of_the_twin": versions,
        "receipts": receipts,
        "receipts_of_peers": theirs,
        "root": found.root.to_string(),
        "statements_of_others": statements,
    }));
    if !unrecorded.is_empty() {
        return Err(format!("records {unrecorded:?} are purged, and nothing says by whom").into());
    }
    if let Some((first, last)) = found.unproven.first()
        && !given.allow_unproven
    {
        return Err(format!(
            "records {first} to {last} were found under no signature when the log was opened, and nothing shows that this \
             connector wrote them: compare them with what peers hold (`twinlink audit reconcile`); --allow-unproven passes them"
        )
        .into());
    }
    match found.purged {
        0 => console.note("the log is whole"),
        purged => console.note(format_args!(
            "the log is whole; {purged} records are purged"
        )),
    }
    for (peer, (by, reason)) in &statements.readmitted {
        console.note(format_args!(
            "the log of <{peer}> contradicted what it had shown before; {by} took it up again: {reason}"
        ));
    }
    match statements.unsettled.first() {
        None => Ok(ExitCode::SUCCESS),
        Some(peer) => Err(contradicts(peer).into()),
    }
}

fn entries(journal: &dyn Journal) -> Result<Vec<(u64, Entry)>, Failure> {
    Ok(list_entries(journal, 0, usize::MAX)?)
}

fn compare(
    config: &Config,
    journal: &dyn Journal,
    theirs: &Path,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", theirs.display());
    let text = std::fs::read_to_string(theirs).map_err(|error| named(&error))?;
    let theirs: Exchanges = serde_json::from_str(&text).map_err(|error| {
        let place = named(&error);
        format!("{place}: it is no export of a peer's `twinlink audit export --format exchanges`")
    })?;
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
                "agreement": serde_json::to_value(agreement)?,
            }));
        }
    }
    match unsigned(&entries, &theirs.participant) {
        0 => {}
        count => console.note(format_args!(
            "{count} uses by them are not compared: their people asked past their own connector"
        )),
    }
    match is_good {
        true => Ok(ExitCode::SUCCESS),
        false => Err("the two logs do not agree on everything".into()),
    }
}

/// What to do about it.
pub(super) fn contradicts(peer: &str) -> String {
    format!(
        "the log of use of <{peer}> contradicts what it had shown before: `twinlink audit list` has both signatures; where its \
         operator explains it, `twinlink audit readmit {peer} --reason ...` takes it up again"
    )
}

/// What a peer promised that it answered.
fn promised(receipt: &ReceiptClaims) -> serde_json::Value {
    json!({
        "participant": receipt.iss,
        "time": receipt.time,
        "used": receipt.used,
        "rows": receipt.rows,
        "result_digest": receipt.result_digest,
        "complete": receipt.complete,
        "failed": receipt.failed,
    })
}

fn export(
    config: &Config,
    journal: &dyn Journal,
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
        let with = given.with.as_ref().map(NamedNode::as_str);
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
                .as_ref()
                .map(|with| with.as_str().to_owned())
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
