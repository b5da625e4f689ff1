//! `twinlink init`: from nothing to a connector that permits nobody but its own stewards.

use super::{Console, Failure};
use crate::config::{self, PeerFile};
use clap::Args;
use oxrdf::NamedNode;
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use time::{Duration, OffsetDateTime};
use twinlink_trust::{
    Authority, SigningKey, Subject, request_certificate, write_private, write_public,
};

/// How long a certificate of the development authority lives.
const LIFETIME: Duration = Duration::days(397);

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The folder to make it in. Nothing of a connector may be there yet.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Your organisation's participant id: an https IRI that you own.
    #[arg(long, value_name = "IRI")]
    participant: String,
    /// The IRI of your twin, which policies name as their target. [default: the participant id and `twin`]
    #[arg(long, value_name = "IRI")]
    dataset: Option<String>,
    /// Where to listen: address and port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7443")]
    listen: String,
    /// How others reach this connector. [default: https://localhost and the port]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// A further host name or address for the certificate. May be given more than once.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Make a key and a signing request for a real authority, instead of a development authority.
    #[arg(long)]
    csr: bool,
    /// As JSON: participant, dataset, folder, configuration, and the card or the signing request.
    #[arg(long)]
    json: bool,
}

/// What a new connector is made from.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) participant: NamedNode,
    pub(crate) dataset: NamedNode,
    pub(crate) listen: String,
    pub(crate) public_url: String,
    pub(crate) hosts: Vec<String>,
}

pub(super) fn run(given: &InitArguments, console: &Console) -> Result<ExitCode, Failure> {
    let blueprint = given.blueprint()?;
    let folder = &given.folder;
    refuse_to_overwrite(folder)?;
    blueprint.write(folder, given.csr)?;
    let listen: Option<SocketAddr> = given.listen.parse().ok();
    if given.public_url.is_none() && listen.is_some_and(|one| !one.ip().is_loopback()) {
        console.note(format_args!(
            "its card says {}, which nobody else can reach: with --public-url it says how others do",
            blueprint.public_url
        ));
    }
    let shown = folder.display();
    if given.json {
        let card = (!given.csr).then(|| folder.join("card.toml"));
        let request = given.csr.then(|| folder.join("identity/request.pem"));
        console.say(json!({
            "participant": blueprint.participant.as_str(),
            "dataset": blueprint.dataset.as_str(),
            "public_url": blueprint.public_url,
            "folder": folder,
            "config": folder.join("twinlink.toml"),
            "card": card,
            "request": request,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    console.say(format_args!(
        "made a connector for <{}> in {shown}",
        blueprint.participant.as_str()
    ));
    if given.csr {
        console.say(format_args!(
            "next: have {shown}/identity/request.pem signed, save the certificate as identity/certificate.pem\n\
             and the authority's own as identity/authority.pem, then `twinlink --config {shown}/twinlink.toml doctor`"
        ));
    } else {
        console.say(format_args!(
            "next: twinlink --config {shown}/twinlink.toml import FILE...\n\
             then: twinlink --config {shown}/twinlink.toml serve\n\
             to join others: give them {shown}/card.toml, and add theirs with `twinlink peer add CARD`"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

impl InitArguments {
    fn blueprint(&self) -> Result<Blueprint, Failure> {
        let participant = https("--participant", &self.participant)?;
        let dataset = match &self.dataset {
            Some(dataset) => https("--dataset", dataset)?,
            None if self.participant.contains(['?', '#']) => {
                return Err(format!(
                    "--participant is `{}`, with a query or a fragment: name the twin with --dataset",
                    self.participant
                )
                .into());
            }
            None => https(
                "--participant",
                &format!("{}/twin", self.participant.trim_end_matches('/')),
            )?,
        };
        let address: SocketAddr = self.listen.parse().map_err(|_| {
            format!(
                "--listen is `{}`, expected an address and port such as 0.0.0.0:7443",
                self.listen
            )
        })?;
        let public_url = self
            .public_url
            .clone()
            .unwrap_or_else(|| format!("https://localhost:{}", address.port()));
        config::url(&public_url).map_err(|problem| format!("--public-url {problem}"))?;
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        hosts.extend(host_of(&public_url));
        hosts.extend(self.hosts.iter().cloned());
        let mut seen = std::collections::HashSet::new();
        hosts.retain(|host| seen.insert(host.clone()));
        Ok(Blueprint {
            participant,
            dataset,
            listen: self.listen.clone(),
            public_url,
            hosts,
        })
    }
}

impl Blueprint {
    /// Writes a connector's folder: whole, or nothing of it stays.
    pub(crate) fn write(&self, folder: &Path, csr: bool) -> Result<(), Failure> {
        let mut unfinished = Unfinished::new(folder);
        self.write_parts(folder, csr)?;
        unfinished.parts.clear();
        Ok(())
    }

    fn write_parts(&self, folder: &Path, csr: bool) -> Result<(), Failure> {
        let identity = folder.join("identity");
        for part in [&identity, &folder.join("policies"), &folder.join("peers")] {
            fs::create_dir_all(part)
                .map_err(|error| format!("cannot make {}: {error}", part.display()))?;
        }
        let subject = Subject {
            participant: self.participant.clone(),
            hosts: self.hosts.clone(),
        };
        if csr {
            let key = SigningKey::generate()?;
            write_private(&identity.join("key.pem"), key.to_pem()?.reveal())?;
            write_public(
                &identity.join("request.pem"),
                &request_certificate(&subject, &key)?,
            )?;
        } else {
            let now = OffsetDateTime::now_utc();
            let name = format!("{} development authority", self.participant.as_str());
            let authority = Authority::create(&name, now)?;
            let issued = authority.issue(&subject, LIFETIME, now)?;
            authority.save(
                &identity.join("authority.pem"),
                &identity.join("authority-key.pem"),
            )?;
            write_private(&identity.join("key.pem"), issued.key_pem.reveal())?;
            write_public(&identity.join("certificate.pem"), &issued.certificate_pem)?;
            let key = SigningKey::from_pem(issued.key_pem.reveal(), "the new key")?;
            let card = PeerFile {
                participant: self.participant.as_str().to_owned(),
                url: Some(self.public_url.clone()),
                replicas: Vec::new(),
                authority: authority.certificate_pem().to_owned(),
                revocations: Vec::new(),
                token_keys: vec![key.public().to_jwk()],
                roles: Vec::new(),
                purposes: Vec::new(),
                claims: Vec::new(),
                introspect: false,
                broker: false,
                brokered: false,
                max_age_seconds: None,
            };
            write_public(&folder.join("card.toml"), &toml::to_string(&card)?)?;
        }
        write_private(&identity.join("pseudonym.key"), &crate::secret::new())?;
        write_public(
            &folder.join("policies/owner.ttl"),
            &twinlink_policy::owner_policy(&self.participant, &self.dataset),
        )?;
        // Last: a folder with a configuration is a whole connector.
        write_public(
            &folder.join("twinlink.toml"),
            &config::render(
                &self.participant,
                &self.dataset,
                &self.listen,
                &self.public_url,
            ),
        )?;
        Ok(())
    }
}

/// What is removed again unless all of it is made: `init` would take the half for a whole connector.
struct Unfinished {
    parts: Vec<PathBuf>,
}

impl Unfinished {
    /// Only what is not there yet will be ours.
    fn new(folder: &Path) -> Self {
        let parts = PARTS.iter().map(|name| folder.join(name));
        let parts = [folder.to_owned()].into_iter().chain(parts);
        Self {
            parts: parts.filter(|part| !part.exists()).collect(),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for part in &self.parts {
            // What cannot be removed is named by the next `init`.
            drop(match part.is_dir() {
                true => fs::remove_dir_all(part),
                false => fs::remove_file(part),
            });
        }
    }
}

/// What a connector's folder holds.
const PARTS: [&str; 6] = [
    "twinlink.toml",
    "identity",
    "policies",
    "peers",
    "twin",
    "card.toml",
];

/// Keys and policies are too dear to be overwritten by a command that was meant for another folder.
fn refuse_to_overwrite(folder: &Path) -> Result<(), Failure> {
    for name in PARTS {
        if folder.join(name).exists() {
            return Err(format!(
                "{} is there already: `init` makes new connectors only; name another folder",
                folder.join(name).display()
            )
            .into());
        }
    }
    Ok(())
}

fn https(option: &str, text: &str) -> Result<NamedNode, Failure> {
    config::identifier(text).map_err(|problem| format!("{option} {problem}").into())
}

fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    Some(uri.host()?.trim_matches(['[', ']']).to_owned())
}
