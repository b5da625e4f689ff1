//! `twinlink config check` and `twinlink doctor`: is it right, and if not, what and at whom.

mod ready;

use super::audit::contradicts;
use super::{Console, Failure};
use crate::config::{Config, PeerFile, machine_memory};
use crate::http::oauth::Clients;
use crate::peers::Foreign;
use crate::session::{Person, Session};
use crate::wire;
use clap::{Args, Subcommand};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use tokio::time::Instant;
use twinlink_client::{Description, Error};
use twinlink_core::{Operation, Signable, operation_digest};
use twinlink_store::{EvaluationOptions, JournalFile, StoreError, TwinStore};
use twinlink_trust::{CertificateFacts, Expiry, Identity, Urgency, check_end, witnessed};
use twinlink_vocab::tl;

/// A certificate that ends within this time wants renewal.
const SOON: time::Duration = time::Duration::weeks(4);

/// How long doctor waits for one connector.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long its token lives.
const TOKEN: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the configuration, the keys, the peers and the policies as `serve` would, and print what is in effect.
    Check {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// As JSON: a list of checks with name, party, outcome and detail.
    #[arg(long)]
    json: bool,
}

pub(super) fn config(
    file: &Path,
    command: &ConfigCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let ConfigCommand::Check { json } = command;
    let config = Config::load(file)?;
    // Nothing is opened or made: `serve` may have the store open, and another person may have started it.
    if config.store.exists() && !config.store.is_dir() {
        return Err(format!(
            "{} is no folder: the twin needs one",
            config.store.display()
        )
        .into());
    }
    wire::evaluation_options(&config)?;
    let peers = config.peers()?;
    wire::trusted(&config, peers.clone())?;
    Clients::new(config.clients()?, &peers)?;
    Foreign::check(config.foreign()?)?;
    let policies = wire::policies(&config)?;
    let limits = config.limits;
    if *json {
        console.say(serde_json::json!({
            "participant": config.participant.as_str(),
            "dataset": config.dataset.as_str(),
            "listen": config.listen.to_string(),
            "public_url": config.public_url,
            "store": config.store,
            "peers": peers.len(),
            "policies": policies.policies().len(),
            "policies_version": policies.version().to_string(),
            "deadline_seconds": limits.deadline.as_secs(),
            "rows": limits.rows,
            "query_bytes": limits.query_bytes,
            "concurrency": config.admission.together,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    console.say(format_args!(
        "participant  {}\ndataset      {}\nlisten       {}\npublic_url   {}\nstore        {}\nkey          {} (not shown)\npeers        {}\npolicies     {} in {}, version {}\nlimits       {} s, {} rows, {} bytes of query, {} at once, {} MiB of memory for each evaluation and {} for all",
        config.participant.as_str(),
        config.dataset.as_str(),
        config.listen,
        config.public_url,
        config.store.display(),
        config.identity.key.display(),
        peers.len(),
        policies.policies().len(),
        config.policies.display(),
        policies.version(),
        limits.deadline.as_secs(),
        limits.rows,
        limits.query_bytes,
        config.admission.together,
        limits.memory >> 20,
        config.memory_total >> 20,
    ));
    Ok(ExitCode::SUCCESS)
}

/// One check of the doctor.
struct Finding {
    check: &'static str,
    party: String,
    /// What is wrong; or none and a word on how it is.
    result: Result<String, String>,
}

pub(super) fn doctor(
    file: &Path,
    given: &DoctorArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let findings = match Config::load(file) {
        Ok(config) => examine(&config)?,
        Err(error) => vec![Finding {
            check: "config",
            party: "this connector".to_owned(),
            result: Err(error.to_string()),
        }],
    };
    let failed = findings.iter().filter(|f| f.result.is_err()).count();
    if given.json {
        let list: Vec<serde_json::Value> = findings.iter().map(Finding::to_json).collect();
        console.say(serde_json::Value::Array(list));
    } else {
        for finding in &findings {
            let (word, detail) = match &finding.result {
                Ok(detail) => ("ok  ", detail),
                Err(detail) => ("FAIL", detail),
            };
            console.say(format_args!(
                "{word} {:<12} {}: {detail}",
                finding.check, finding.party
            ));
        }
    }
    if failed > 0 {
        let one = if failed == 1 { "check" } else { "checks" };
        return Err(format!("{failed} {one} of {} failed", findings.len()).into());
    }
    Ok(ExitCode::SUCCESS)
}

fn examine(config: &Config) -> Result<Vec<Finding>, Failure> {
    let own = config.participant.as_str();
    let mut findings = vec![
        finding(
            "config",
            own,
            Ok(format!("{} is valid", config.file.display())),
        ),
        finding("certificate", own, certificate(config)),
        finding("clock", own, clock(config)),
        finding("memory", own, memory(config)),
        finding("policies", own, policies(config)),
        finding("clients", own, clients(config)),
        finding("foreign", own, foreign(config)),
    ];
    let peers = match config.peers() {
        Ok(peers) => peers,
        Err(error) => {
            findings.push(finding("peers", own, Err(error.to_string())));
            return Ok(findings);
        }
    };
    for peer in &peers {
        findings.push(finding("peer.card", &peer.participant, card(peer)));
    }
    match wire::trusted(config, peers.clone()) {
        Ok(trusted) => {
            let hold = Ok("certificates and keys hold together".to_owned());
            findings.push(finding("trust", own, hold));
            let ends = trusted.expiries(OffsetDateTime::now_utc());
            findings.extend(
                ends.iter()
                    .map(|one| finding("expiry", one.participant.as_str(), expiry(one))),
            );
        }
        Err(error) => {
            findings.push(finding("trust", own, Err(error.to_string())));
            return Ok(findings);
        }
    }
    let runtime = wire::runtime()?;
    findings.push(finding("disk", own, ready::disk(config)));
    findings.push(finding("store", own, store(config)));
    let is_ready = runtime.block_on(ready::ready(config, PATIENCE));
    findings.push(finding("ready", own, is_ready));
    findings.push(finding("log.end", own, own_log(config)));
    findings.push(finding("peer.logs", own, logs(config, &runtime)));
    findings.push(finding("port", own, port(config, &runtime)));
    for peer in peers.iter().filter(|peer| peer.url.is_some()) {
        let result = runtime.block_on(reach(config, Some(&peer.participant())));
        findings.push(finding("peer.reach", &peer.participant, result));
    }
    Ok(findings)
}

fn finding(check: &'static str, party: &str, result: Result<String, String>) -> Finding {
    Finding {
        check,
        party: party.to_owned(),
        result,
    }
}

fn certificate(config: &Config) -> Result<String, String> {
    let identity = Identity::load(&config.identity.certificate, &config.identity.key)
        .map_err(|error| error.to_string())?;
    validity(identity.facts())
}

/// What ends, weeks before it does.
fn expiry(one: &Expiry) -> Result<String, String> {
    let Expiry { what, at, days, .. } = one;
    // A list is issued anew every few days: it is late when it is over.
    let is_list = *what == "revocation list";
    match one.urgency() {
        Urgency::Over => Err(format!("its {what} ended on {at}: put a new one in place")),
        Urgency::Now if !is_list => Err(format!("its {what} ends in {days} days: renew it now")),
        Urgency::Soon if !is_list => Ok(format!("its {what} ends in {days} days: renew it soon")),
        _ => Ok(format!("its {what} is valid for {days} more days")),
    }
}

fn validity(facts: &CertificateFacts) -> Result<String, String> {
    let now = OffsetDateTime::now_utc();
    if now < facts.not_before {
        return Err(format!(
            "is valid only from {}: is the clock right?",
            facts.not_before
        ));
    }
    if now > facts.not_after {
        return Err(format!("ended on {}: renew it", facts.not_after));
    }
    let days = (facts.not_after - now).whole_days();
    if facts.not_after - now < SOON {
        return Err(format!("ends in {days} days: renew it now"));
    }
    Ok(format!("valid for {days} more days"))
}

/// Without a time server to ask, what can be told is whether time ran backwards against our own files.
fn clock(config: &Config) -> Result<String, String> {
    let now = SystemTime::now();
    for path in [&config.file, &config.identity.certificate] {
        let written = fs::metadata(path)
            .and_then(|data| data.modified())
            .map_err(|error| format!("cannot look at {}: {error}", path.display()))?;
        if let Ok(ahead) = written.duration_since(now)
            && ahead > Duration::from_secs(60)
        {
            return Err(format!(
                "is {} s behind the time at which {} was written",
                ahead.as_secs(),
                path.display()
            ));
        }
    }
    Ok(format!("{}", OffsetDateTime::now_utc()))
}

/// What evaluations may hold, against what the machine has.
fn memory(config: &Config) -> Result<String, String> {
    let (each, all) = (config.limits.memory >> 20, config.memory_total >> 20);
    let may = format!("evaluations may hold {all} MiB together, each at most {each}");
    match machine_memory().map(|bytes| bytes >> 20) {
        Some(has) if all > has => Err(format!(
            "{may}, but {has} MiB is all that this machine lets it have: lower limits.memory_total_bytes"
        )),
        Some(has) => Ok(format!(
            "{may}, of {has} MiB that this machine lets it have"
        )),
        None => Ok(may),
    }
}

fn policies(config: &Config) -> Result<String, String> {
    let set = wire::policies(config).map_err(|error| error.to_string())?;
    match set.policies().len() {
        0 => Err(format!(
            "there are none in {}: nobody may ask anything",
            config.policies.display()
        )),
        count => Ok(format!("{count} policies, version {}", set.version())),
    }
}

/// The SPARQL endpoints that are members. None of them is asked.
fn foreign(config: &Config) -> Result<String, String> {
    let files = config.foreign().map_err(|error| error.to_string())?;
    let count = files.len();
    Foreign::check(files).map_err(|error| error.to_string())?;
    Ok(format!("{count} SPARQL endpoints are members"))
}

/// The own organisation's clients of the token endpoints.
fn clients(config: &Config) -> Result<String, String> {
    let files = config.clients().map_err(|error| error.to_string())?;
    let count = files.len();
    Clients::new(files, &[]).map_err(|error| error.to_string())?;
    let apps = match config.apps.dpop {
        true => "apps may do without a certificate",
        false => "every client needs a certificate",
    };
    Ok(format!("{count} may get tokens; {apps}"))
}

fn card(peer: &PeerFile) -> Result<String, String> {
    if peer.roles.is_empty() && peer.purposes.is_empty() {
        Ok("may assert no roles and no purposes".to_owned())
    } else {
        Ok(format!(
            "may assert {} roles and {} purposes",
            peer.roles.len(),
            peer.purposes.len()
        ))
    }
}

fn store(config: &Config) -> Result<String, String> {
    match TwinStore::open_existing(&config.store, EvaluationOptions::default()) {
        Ok(store) => {
            let snapshot = store.snapshot();
            Ok(format!(
                "{} quads, change {}",
                snapshot.len(),
                snapshot.sequence()
            ))
        }
        Err(StoreError::Absent(_)) => {
            Ok("there is none yet: `import` and `serve` make it".to_owned())
        }
        Err(StoreError::InUse(_)) => Ok("in use by the running connector".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the end of our own log of use is as we wrote it.
fn own_log(config: &Config) -> Result<String, String> {
    let journal = match JournalFile::open(&config.store) {
        Ok(journal) => journal,
        Err(StoreError::Absent(_)) => return Ok("there is none yet".to_owned()),
        Err(StoreError::InUse(_)) => {
            return Ok("written by the running connector, which found its end good".to_owned());
        }
        Err(error) => return Err(error.to_string()),
    };
    let peers = config.peers().map_err(|error| error.to_string())?;
    let trusted = wire::trusted(config, peers).map_err(|error| error.to_string())?;
    let keys = trusted.keys(&config.participant);
    let said = |refusal: twinlink_core::Refusal| refusal.to_string();
    let end = check_end(&journal, &config.participant, keys).map_err(said)?;
    let unproven = witnessed(&journal).map_err(said)?.unproven;
    match end.or_else(|| unproven.first().copied()) {
        None => Ok("its end is signed by us; `audit verify` looks at all of it".to_owned()),
        Some((first, last)) => Err(format!(
            "records {first} to {last} are under no signature: nothing shows that this connector wrote them"
        )),
    }
}

/// Whether a peer's log of use contradicts what it signed before: our own log keeps the evidence.
fn logs(config: &Config, runtime: &tokio::runtime::Runtime) -> Result<String, String> {
    let journal = match JournalFile::open(&config.store) {
        Ok(journal) => journal,
        Err(StoreError::Absent(_)) => return Ok("nobody showed us one yet".to_owned()),
        Err(StoreError::InUse(_)) => {
            let (_, described) = runtime.block_on(describe(config, None))?;
            let contradicted = described.map(|described| described.contradicted);
            return match contradicted.unwrap_or_default().first() {
                Some(peer) => Err(contradicts(peer.as_str())),
                None => Ok("watched by the running connector: none contradicts itself".to_owned()),
            };
        }
        Err(error) => return Err(error.to_string()),
    };
    let known = witnessed(&journal).map_err(|refusal| refusal.to_string())?;
    match known.contradicted.keys().next() {
        Some(peer) => Err(contradicts(peer)),
        None => Ok(format!(
            "{} peers showed theirs, {} cosigned ours",
            known.seen.len(),
            known.cosigned.len()
        )),
    }
}

/// Either we run and answer on our port, or the port is free.
fn port(config: &Config, runtime: &tokio::runtime::Runtime) -> Result<String, String> {
    match TcpListener::bind(config.listen) {
        Ok(_) => Ok(format!(
            "{} is free: the connector does not run",
            config.listen
        )),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => runtime
            .block_on(reach(config, None))
            .map_err(|problem| format!("{} is taken, and not by us: {problem}", config.listen)),
        Err(error) => Err(format!("cannot listen on {}: {error}", config.listen)),
    }
}

/// Connects as a steward and asks who is there. A peer that knows us but permits nothing is reached all the same.
async fn reach(config: &Config, at: Option<&NamedNode>) -> Result<String, String> {
    let (url, described) = describe(config, at).await?;
    Ok(match described {
        Some(described) => format!("{url} answers, version {}", described.version),
        None => format!("{url} answers; it permits nothing without a purpose"),
    })
}

/// What a connector says of itself, and its URL; nothing where it permits us nothing.
async fn describe(
    config: &Config,
    at: Option<&NamedNode>,
) -> Result<(String, Option<Description>), String> {
    let session = Session::open(config, at).map_err(|error| error.to_string())?;
    let person = Person {
        subject: "doctor".to_owned(),
        roles: vec![tl::STEWARD.into_owned()],
        purpose: None,
        claims: BTreeMap::new(),
    };
    // What a peer lets our stewards assert is its own affair: to be told "not permitted" is to be reached.
    let person = Person {
        roles: if at.is_some() {
            Vec::new()
        } else {
            person.roles
        },
        ..person
    };
    let deadline = Instant::now() + PATIENCE;
    let connected = session.connect_signing(&person, None, TOKEN);
    let signing = tokio::time::timeout_at(deadline, connected)
        .await
        .map_err(|_| format!("{} does not answer in {PATIENCE:?}", session.url()))?
        .map_err(|error| format!("{}: {error}", session.url()))?;
    let url = session.url().to_owned();
    let digest = operation_digest(&Operation {
        kind: "describe",
        ..Operation::default()
    });
    let (_, envelope) = signing
        .sign(&Signable::new(digest))
        .map_err(|error| error.to_string())?;
    let described = signing.client.describe_signed(None, envelope, deadline);
    match described.await {
        Ok(described) => Ok((url, Some(described))),
        Err(Error::Denied(_)) => Ok((url, None)),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

impl Finding {
    fn to_json(&self) -> serde_json::Value {
        let (ok, detail) = match &self.result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        serde_json::json!({"check": self.check, "party": self.party, "ok": ok, "detail": detail})
    }
}
