//! `twinlink peer`: whom this connector knows.

use super::policy::term;
use super::{Console, Failure};
use crate::config::{Config, PeerFile};
use clap::{Args, Subcommand};
use oxrdf::NamedNode;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum PeerCommand {
    /// Add an organisation by the card that its `twinlink init` wrote.
    Add(AddArguments),
    /// List the organisations this connector knows.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// The peer's card.toml. Get it by a way you trust: it says whose certificates and tokens you will believe.
    card: PathBuf,
    /// A role that the peer may assert for its people, such as tl:RescueOfficer. May be given more than once; none given:
    /// none.
    #[arg(long = "role", value_name = "IRI", value_parser = term)]
    roles: Vec<NamedNode>,
    /// A purpose that the peer may assert, such as tl:EmergencyResponse. May be given more than once; none given: none.
    #[arg(long = "purpose", value_name = "IRI", value_parser = term)]
    purposes: Vec<NamedNode>,
    /// A left operand, such as tl:legalBasis, that the peer may assert values of. May be given more than once; none given:
    /// none.
    #[arg(long = "claim", value_name = "IRI", value_parser = term)]
    claims: Vec<NamedNode>,
    /// The peer only asks: do not ask it.
    #[arg(long)]
    asks_only: bool,
    /// The peer is a broker: ask it together with its own peers, and believe what it says of them. It may also ask for
    /// people of other organisations, within these roles and purposes.
    #[arg(long)]
    broker: bool,
    /// Be a broker for the peer: pass questions of its people on to the other peers, in our name.
    #[arg(long)]
    brokered: bool,
    /// As JSON: the peer, and the file it is in.
    #[arg(long)]
    json: bool,
    /// Take the peer for stale, where who asks says nothing else, if its twin changed last more than so many seconds ago.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    max_age: Option<u32>,
}

pub(super) fn run(
    file: &Path,
    command: &PeerCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    match command {
        PeerCommand::Add(given) => {
            let (peer, path) = add(&config, given)?;
            if given.json {
                console.say(json!({"file": path, "peer": to_json(&peer)}));
            } else {
                console.say(format_args!("wrote {}", path.display()));
            }
            console.note("a running connector takes it in within seconds");
        }
        PeerCommand::List { json: true } => {
            console.say(Value::from_iter(config.peers()?.iter().map(to_json)));
        }
        PeerCommand::List { json: false } => {
            let rows: Vec<Vec<String>> = config
                .peers()?
                .into_iter()
                .map(|peer| {
                    let url = peer.url.unwrap_or_else(|| "asks only".to_owned());
                    vec![
                        peer.participant,
                        url,
                        peer.roles.join(" "),
                        peer.purposes.join(" "),
                    ]
                })
                .collect();
            console.table(
                &[
                    "participant",
                    "url",
                    "may assert roles",
                    "may assert purposes",
                ],
                &rows,
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn to_json(peer: &PeerFile) -> Value {
    json!({
        "participant": peer.participant,
        "url": peer.url,
        "roles": peer.roles,
        "purposes": peer.purposes,
        "claims": peer.claims,
        "broker": peer.broker,
        "brokered": peer.brokered,
    })
}

fn add(config: &Config, given: &AddArguments) -> Result<(PeerFile, PathBuf), Failure> {
    let mut peer = PeerFile::load(&given.card)?;
    if peer.participant() == config.participant {
        return Err(format!(
            "{} is this connector's own card: give the peer's",
            given.card.display()
        )
        .into());
    }
    // The card's own wishes count for nothing: what it may assert is ours to say.
    peer.roles = texts(&given.roles);
    peer.purposes = texts(&given.purposes);
    peer.claims = texts(&given.claims);
    peer.broker = given.broker;
    peer.brokered = given.brokered;
    peer.introspect = false;
    // They are files of the card's sender, not of this machine.
    peer.revocations.clear();
    peer.max_age_seconds = given.max_age;
    if given.asks_only {
        peer.url = None;
    }
    let path = save(config, &peer)?;
    Ok((peer, path))
}

fn texts(iris: &[NamedNode]) -> Vec<String> {
    iris.iter().map(|iri| iri.as_str().to_owned()).collect()
}

/// Writes the peer's file after checking that trust in it can be set up.
pub(crate) fn save(config: &Config, peer: &PeerFile) -> Result<PathBuf, Failure> {
    let known = config.peers()?;
    if known
        .iter()
        .any(|other| other.participant == peer.participant)
    {
        return Err(format!(
            "<{}> is known already: remove its file from {} to add it anew",
            peer.participant,
            config.peers.display()
        )
        .into());
    }
    let with_it = known.into_iter().chain([peer.clone()]).collect();
    crate::wire::trusted(config, with_it)?;
    let path = free_name(&config.peers, &slug(&peer.participant));
    let text = toml::to_string(peer)?;
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// Participants whose ids differ only in what a file name cannot hold keep a file each.
fn free_name(folder: &Path, slug: &str) -> PathBuf {
    let names = (2..).map(|number: u32| format!("{slug}-{number}.toml"));
    let mut names = [format!("{slug}.toml")].into_iter().chain(names);
    names
        .find_map(|name| Some(folder.join(name)).filter(|path| !path.exists()))
        .unwrap_or_else(|| folder.join(slug))
}

/// A file name for a participant id: `https://city.example/` becomes `city.example`.
fn slug(participant: &str) -> String {
    let bare = participant.trim_start_matches("https://");
    let name: String = bare
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    name.trim_matches(['-', '.']).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn file_names_stay_in_their_folder() {
        assert_eq!(slug("https://city.example/"), "city.example");
        assert_eq!(slug("https://a.example/../../etc"), "a.example-..-..-etc");
    }
}
