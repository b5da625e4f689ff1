//! `twinlink peer`: whom this connector knows.

use super::{Console, Failure};
use crate::config::{self, Config, PeerFile};
use clap::{Args, Subcommand};
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
    /// A role that the peer may assert for its people. May be given more than once; none given: none.
    #[arg(long = "role", value_name = "IRI")]
    roles: Vec<String>,
    /// A purpose that the peer may assert. May be given more than once; none given: none.
    #[arg(long = "purpose", value_name = "IRI")]
    purposes: Vec<String>,
    /// A left operand, such as https://w3id.org/twinlink/ns#legalBasis, that the peer may assert values of. May be given
    /// more than once; none given: none.
    #[arg(long = "claim", value_name = "IRI")]
    claims: Vec<String>,
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
}

pub(super) fn run(
    file: &Path,
    command: &PeerCommand,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    match command {
        PeerCommand::Add(given) => {
            let path = add(&config, given)?;
            console.say(format_args!("wrote {}", path.display()));
            console.note("a running connector takes it in on SIGHUP, or at its next start");
        }
        PeerCommand::List { json: true } => {
            let peers: Vec<_> = config
                .peers()?
                .into_iter()
                .map(|peer| serde_json::json!({"participant": peer.participant, "url": peer.url, "roles": peer.roles, "purposes": peer.purposes, "claims": peer.claims}))
                .collect();
            console.say(serde_json::Value::Array(peers));
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

fn add(config: &Config, given: &AddArguments) -> Result<PathBuf, Failure> {
    let mut peer = PeerFile::load(&given.card)?;
    if peer.participant() == config.participant {
        return Err(format!(
            "{} is this connector's own card: give the peer's",
            given.card.display()
        )
        .into());
    }
    // The card's own wishes count for nothing: what it may assert is ours to say.
    peer.roles = checked("--role", &given.roles)?;
    peer.purposes = checked("--purpose", &given.purposes)?;
    peer.claims = checked("--claim", &given.claims)?;
    peer.broker = given.broker;
    peer.brokered = given.brokered;
    if given.asks_only {
        peer.url = None;
    }
    save(config, &peer)
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
    fs::create_dir_all(&config.peers)?;
    let path = config
        .peers
        .join(format!("{}.toml", slug(&peer.participant)));
    let text = toml::to_string(peer)?;
    let unfinished = path.with_extension("part");
    fs::write(&unfinished, text)
        .and_then(|()| fs::rename(&unfinished, &path))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

fn checked(option: &str, iris: &[String]) -> Result<Vec<String>, Failure> {
    for text in iris {
        config::iri(text).map_err(|problem| format!("{option} {problem}"))?;
    }
    Ok(iris.to_vec())
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
