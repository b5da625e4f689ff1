//! `twinlink policy`: what policies do, before and after they are published.

mod count;
mod diff;
mod expect;
mod explain;
mod suppose;

use super::{Console, Failure};
use crate::config::{self, Config};
use crate::wire;
use clap::Subcommand;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use twinlink_policy::analyse::comparison::Access;
use twinlink_policy::{GraphNameKey, Policy, PolicySet};
use twinlink_vocab::{dpv, nl, odrl, sector_infra, tl};

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Say in plain words what policies do, and name every term that is not understood.
    Check {
        /// Policy files, Turtle or JSON-LD. [default: those of the configuration]
        files: Vec<PathBuf>,
        /// As JSON: a list of findings with file, whether it is an error, and the sentence.
        #[arg(long)]
        json: bool,
    },
    /// Say what a caller would be permitted, which rules decided, and why the others did not.
    Explain(explain::ExplainArguments),
    /// Compare what policies permit with what you expect of them, from files of expectations.
    Test(expect::TestArguments),
    /// Say who gains and who loses when new policies take the place of old ones, with an example of each.
    Diff(diff::DiffArguments),
}

pub(super) fn run(
    file: &Path,
    command: &PolicyCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    match command {
        PolicyCommand::Check { files, json } => check(file, files, *json, console),
        PolicyCommand::Explain(given) => explain::run(file, given, console),
        PolicyCommand::Test(given) => expect::run(file, given, console),
        PolicyCommand::Diff(given) => diff::run(file, given, console),
    }
}

fn check(
    file: &Path,
    files: &[PathBuf],
    json: bool,
    console: &Console,
) -> Result<ExitCode, Failure> {
    // Files can be checked without a connector; with one, their targets are checked too.
    let config = match Config::load(file) {
        Ok(config) => Some(config),
        Err(_) if !files.is_empty() => None,
        Err(error) => return Err(error.into()),
    };
    let files = match &config {
        Some(config) if files.is_empty() => config.policy_files()?,
        _ => files.to_vec(),
    };
    let dataset = config.as_ref().map(|config| &config.dataset);
    let mut errors = 0;
    let mut told = Vec::new();
    for path in &files {
        let text = read(path)?;
        if !json {
            console.say(format_args!("{}:", path.display()));
        }
        let base = dataset.map(NamedNode::as_str);
        for finding in twinlink_policy::check(&text, wire::policy_format(path), base, dataset) {
            errors += usize::from(finding.is_error());
            if json {
                told.push(json!({
                    "file": path,
                    "is_error": finding.is_error(),
                    "finding": finding.to_string().trim(),
                }));
            } else {
                console.say(format_args!("  {finding}"));
            }
        }
    }
    if json {
        console.say(Value::Array(told));
    }
    match errors {
        0 => {}
        1 => return Err("1 error: these policies would not be published".into()),
        _ => return Err(format!("{errors} errors: these policies would not be published").into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The policies of these files, and of the files in these folders, in force for one dataset. Without a dataset, that
/// of the first rule: policies can be looked at without a connector.
fn compiled(paths: &[PathBuf], dataset: Option<&NamedNode>) -> Result<PolicySet, Failure> {
    let mut all = Vec::new();
    for path in paths {
        for file in policy_files(path)? {
            let base = dataset.map(NamedNode::as_str);
            let parsed = Policy::parse(&read(&file)?, wire::policy_format(&file), base);
            all.extend(parsed.map_err(|errors| in_words(&file, &errors))?);
        }
    }
    let dataset = dataset.or_else(|| all.iter().find_map(Policy::dataset));
    let Some(dataset) = dataset.cloned() else {
        return Ok(PolicySet::default());
    };
    PolicySet::compile(dataset, all).map_err(|errors| {
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        in_words(path, &errors)
    })
}

fn policy_files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_dir() {
        Ok(config::files(path, &["ttl", "jsonld"])?)
    } else {
        Ok(vec![path.to_owned()])
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path);
    text.map_err(|error| format!("cannot read {}: {error}", path.display()).into())
}

fn in_words(path: &Path, errors: &[twinlink_policy::PolicyError]) -> Failure {
    let lines: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {error}", path.display()))
        .collect();
    lines.join("\n").into()
}

/// An IRI, or a name with one of the prefixes that messages use: `tl:`, `nl:`, `odrl:`, `dpv:`, `sector-infra:`.
pub(crate) fn term(text: &str) -> Result<NamedNode, String> {
    let namespaces = [
        ("tl:", tl::NAMESPACE),
        ("nl:", nl::NAMESPACE),
        ("odrl:", odrl::NAMESPACE),
        ("dpv:", dpv::NAMESPACE),
        ("sector-infra:", sector_infra::NAMESPACE),
    ];
    let named = namespaces
        .iter()
        .find_map(|(prefix, namespace)| Some((namespace, text.strip_prefix(prefix)?)));
    match named {
        Some((namespace, local)) => config::iri(&format!("{namespace}{local}")),
        // Every `prefix:name` is an IRI too, of a scheme that nobody means.
        None if SCHEMES.iter().any(|scheme| text.starts_with(scheme)) => config::iri(text),
        None => Err(format!(
            "holds `{text}`: write the IRI in full, or a name that begins with tl:, nl:, odrl:, dpv: or sector-infra:"
        )),
    }
}

/// What the IRIs of parties, purposes, roles, graphs, properties and classes begin with.
const SCHEMES: [&str; 4] = ["https://", "http://", "urn:", "did:"];

/// An instant with its time zone.
fn instant(text: &str) -> Result<DateTime, String> {
    let parsed: Option<DateTime> = text.parse().ok();
    parsed
        .filter(|instant| instant.timezone_offset().is_some())
        .ok_or_else(|| {
            format!("is `{text}`, expected a time with its zone, such as 2026-11-20T12:00:00Z")
        })
}

fn access_to_json(access: &Access) -> serde_json::Value {
    let iris = |names: &[NamedNode]| -> Vec<String> {
        names.iter().map(|name| name.as_str().to_owned()).collect()
    };
    let ask = &access.ask;
    serde_json::json!({
        "participant": ask.participant.as_str(),
        "roles": iris(&ask.roles),
        "purpose": ask.purpose.as_ref().map(NamedNode::as_str),
        "action": ask.action.as_str(),
        "at": ask.now.to_string(),
        "graph": match &access.graph {
            GraphNameKey::Default => None,
            GraphNameKey::Named(graph) => Some(graph.as_str()),
        },
        "property": access.property.as_str(),
        "classes": iris(&access.classes),
    })
}
