//! The configuration file: read once, validated once, typed from then on.

mod apps;
mod foreign;
mod limits;
pub(crate) mod machine;
mod peer;
mod telemetry;
mod template;

pub use apps::{Apps, ClientFile};
pub use foreign::{ForeignAuth, ForeignAuthKind, ForeignFile};
use limits::RawLimits;
pub(crate) use machine::memory as machine_memory;
pub use peer::PeerFile;
pub use telemetry::{LogFormat, Telemetry};
pub(crate) use template::render;

use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use twinlink_core::{AdmissionLimits, Limits};
use twinlink_trust::Reading;

/// The version of the file format that this program reads and writes.
pub const VERSION: u32 = 1;

/// One connector's configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the file lies; relative paths in it start at its folder.
    pub file: PathBuf,
    /// Who we are: an absolute https IRI.
    pub participant: NamedNode,
    /// The IRI of our twin: what policies name as their target.
    pub dataset: NamedNode,
    /// Where we listen. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// How others reach us, without a slash at the end.
    pub public_url: String,
    /// The folder of the twin.
    pub store: PathBuf,
    /// The folder of the policies: `*.ttl` and `*.jsonld`.
    pub policies: PathBuf,
    /// The folder of the peers: one `*.toml` each.
    pub peers: PathBuf,
    /// The folder of SPARQL endpoints that are members of federated answers: one `*.toml` each.
    pub foreign: PathBuf,
    /// The folder of the own organisation's clients that may get tokens: one `*.toml` each.
    pub clients: PathBuf,
    /// Apps without a certificate.
    pub apps: Apps,
    /// Certificate, key and who vouches for our own clients.
    pub identity: Identity,
    /// What decisions need beside policies.
    pub policy: PolicySettings,
    /// What one request may cost.
    pub limits: Limits,
    /// Requests worked on at once, and waiting.
    pub admission: AdmissionLimits,
    /// The most memory that all evaluations may hold together, in bytes.
    pub memory_total: usize,
    /// How often peers are shown our log of use, where it grew, to cosign it.
    pub cosign: Duration,
    /// For how long what a peer shows in short is believed without asking whether it is still so.
    pub summary_age: Duration,
    /// Where metrics are told, to whoever can connect; nowhere without it.
    pub metrics: Option<SocketAddr>,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// What decisions need beside policies, and what goes with them.
#[derive(Debug, Clone)]
pub struct PolicySettings {
    /// Turtle files that say which purposes, roles and events are kinds of which, beside those that are built in, which
    /// role may state which purpose, and which purpose needs an incident.
    pub profiles: Vec<PathBuf>,
    /// Whether every permission must name the legal basis that it rests on.
    pub legal_bases: bool,
    /// The secret of pseudonyms. None: a policy that shows pseudonyms shows nothing.
    pub pseudonym_key: Option<PathBuf>,
    /// How exactly they who see a part of the twin are told when it last changed; zero: not at all.
    pub age_grain: Duration,
    /// How long the owner may take to review a use that broke the glass, where its policy does not say.
    pub review: Duration,
}

/// Paths of the key material.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Our certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The authority of our own organisation's certificates, PEM.
    pub authority: PathBuf,
    /// Revocation lists, PEM.
    pub revocations: Vec<PathBuf>,
    /// Public keys, a JWK each, that are ours too: before a change of key, and for an hour after it.
    pub overlapping_keys: Vec<PathBuf>,
}

/// What is wrong with a configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no configuration where one was looked for.
    #[error("there is no {}: `twinlink init` makes one, `--config FILE` names another", .path.display())]
    Absent {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML of the expected shape.
    #[error("{}: {message}", .path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Line, column and what was wrong there.
        message: String,
    },
    /// A value is not allowed.
    #[error("{}: `{key}` {problem}", .path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    version: u32,
    participant: String,
    dataset: String,
    listen: String,
    public_url: String,
    #[serde(default = "default_store")]
    store: PathBuf,
    #[serde(default = "default_policies")]
    policies: PathBuf,
    #[serde(default = "default_peers")]
    peers: PathBuf,
    #[serde(default = "default_foreign")]
    foreign: PathBuf,
    #[serde(default = "default_clients")]
    clients: PathBuf,
    #[serde(default)]
    apps: Apps,
    #[serde(default)]
    telemetry: Telemetry,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metrics: Option<String>,
    #[serde(default = "default_cosign_seconds")]
    cosign_seconds: u32,
    #[serde(default)]
    summary_age_seconds: u32,
    identity: RawIdentity,
    #[serde(default)]
    policy: RawPolicy,
    #[serde(default)]
    limits: RawLimits,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    #[serde(default)]
    profiles: Vec<PathBuf>,
    #[serde(default)]
    legal_bases: bool,
    pseudonym_key: Option<PathBuf>,
    age_grain_seconds: Option<u32>,
    review_hours: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    certificate: PathBuf,
    key: PathBuf,
    authority: PathBuf,
    #[serde(default)]
    revocations: Vec<PathBuf>,
    #[serde(default)]
    overlapping_keys: Vec<PathBuf>,
}

fn default_store() -> PathBuf {
    "twin".into()
}

fn default_policies() -> PathBuf {
    "policies".into()
}

fn default_peers() -> PathBuf {
    "peers".into()
}

fn default_cosign_seconds() -> u32 {
    60
}

fn default_foreign() -> PathBuf {
    "foreign".into()
}

fn default_clients() -> PathBuf {
    "clients".into()
}

impl Config {
    /// Reads and validates the file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match read_toml(&Reading::default(), path) {
            Ok(raw) => Self::validate(path, raw),
            Err(ConfigError::Read { path, source }) if source.kind() == ErrorKind::NotFound => {
                Err(ConfigError::Absent { path })
            }
            Err(error) => Err(error),
        }
    }

    fn validate(path: &Path, raw: RawConfig) -> Result<Self, ConfigError> {
        let wrong = |key: &'static str, problem: String| ConfigError::Value {
            path: path.to_owned(),
            key,
            problem,
        };
        if raw.version != VERSION {
            return Err(wrong(
                "version",
                format!("is {}, this program reads {VERSION}", raw.version),
            ));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let limits = raw.limits.validate(&wrong)?;
        let admission = raw.limits.admission(&wrong)?;
        let policy = raw.policy.validate(folder, &wrong)?;
        Ok(Self {
            participant: identifier(&raw.participant).map_err(|p| wrong("participant", p))?,
            dataset: identifier(&raw.dataset).map_err(|p| wrong("dataset", p))?,
            listen: address(&raw.listen).map_err(|p| wrong("listen", p))?,
            metrics: match &raw.metrics {
                Some(text) => Some(address(text).map_err(|p| wrong("metrics", p))?),
                None => None,
            },
            summary_age: match raw.summary_age_seconds {
                seconds @ 0..=86_400 => Duration::from_secs(seconds.into()),
                _ => {
                    let problem = "is not from 0 to 86400".to_owned();
                    return Err(wrong("summary_age_seconds", problem));
                }
            },
            cosign: match raw.cosign_seconds {
                seconds @ 1..=86_400 => Duration::from_secs(seconds.into()),
                _ => return Err(wrong("cosign_seconds", "is not from 1 to 86400".to_owned())),
            },
            telemetry: raw
                .telemetry
                .validate()
                .map_err(|p| wrong("telemetry.otlp", p))?,
            public_url: url(&raw.public_url).map_err(|p| wrong("public_url", p))?,
            store: folder.join(raw.store),
            policies: folder.join(raw.policies),
            peers: folder.join(raw.peers),
            foreign: folder.join(raw.foreign),
            clients: folder.join(raw.clients),
            apps: raw
                .apps
                .validate()
                .map_err(|p| wrong("apps.require_signed_requests", p))?,
            identity: Identity {
                certificate: folder.join(raw.identity.certificate),
                key: folder.join(raw.identity.key),
                authority: folder.join(raw.identity.authority),
                revocations: within(folder, &raw.identity.revocations),
                overlapping_keys: within(folder, &raw.identity.overlapping_keys),
            },
            policy,
            limits,
            admission,
            memory_total: raw.limits.memory_total(&wrong)?,
            file: path.to_owned(),
        })
    }

    /// The peers' files, in the order of their names.
    ///
    /// # Errors
    /// [`ConfigError`], naming the peer's file and the key.
    pub fn peers(&self) -> Result<Vec<PeerFile>, ConfigError> {
        self.peers_from(&Reading::default())
    }

    pub(crate) fn peers_from(&self, reading: &Reading) -> Result<Vec<PeerFile>, ConfigError> {
        self.must_be_there("peers", &self.peers)?;
        files_from(reading, &self.peers, &["toml"])?
            .iter()
            .map(|path| PeerFile::load_from(reading, path))
            .collect()
    }

    /// The files of foreign endpoints, in the order of their names.
    ///
    /// # Errors
    /// [`ConfigError`], naming the endpoint's file and the key.
    pub fn foreign(&self) -> Result<Vec<ForeignFile>, ConfigError> {
        self.foreign_from(&Reading::default())
    }

    pub(crate) fn foreign_from(&self, reading: &Reading) -> Result<Vec<ForeignFile>, ConfigError> {
        foreign::load(reading, &self.foreign)
    }

    /// The clients' files, in the order of their names.
    ///
    /// # Errors
    /// [`ConfigError`], naming the client's file and the key.
    pub fn clients(&self) -> Result<Vec<ClientFile>, ConfigError> {
        self.clients_from(&Reading::default())
    }

    pub(crate) fn clients_from(&self, reading: &Reading) -> Result<Vec<ClientFile>, ConfigError> {
        apps::load(reading, &self.clients)
    }

    /// The policies' files, in the order of their names.
    ///
    /// # Errors
    /// [`ConfigError::Value`] where there is no such folder, [`ConfigError::Read`] where it cannot be read.
    pub fn policy_files(&self) -> Result<Vec<PathBuf>, ConfigError> {
        self.policy_files_from(&Reading::default())
    }

    pub(crate) fn policy_files_from(&self, reading: &Reading) -> Result<Vec<PathBuf>, ConfigError> {
        self.must_be_there("policies", &self.policies)?;
        files_from(reading, &self.policies, &["ttl", "jsonld"])
    }

    /// A folder that is missing is more likely misspelt, or not mounted, than meant to be empty.
    fn must_be_there(&self, key: &'static str, folder: &Path) -> Result<(), ConfigError> {
        if folder.is_dir() {
            return Ok(());
        }
        Err(ConfigError::Value {
            path: self.file.clone(),
            key,
            problem: format!(
                "names {}, which is no folder: make it, or name another",
                folder.display()
            ),
        })
    }
}

fn within(folder: &Path, paths: &[PathBuf]) -> Vec<PathBuf> {
    paths.iter().map(|path| folder.join(path)).collect()
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("is `{text}`, expected an address and port such as `0.0.0.0:7443`"))
}

impl RawPolicy {
    fn validate(
        self,
        folder: &Path,
        wrong: &impl Fn(&'static str, String) -> ConfigError,
    ) -> Result<PolicySettings, ConfigError> {
        let review = self.review_hours.unwrap_or(72);
        if review == 0 || review > 8784 {
            let problem = format!("is {review}, expected 1 to 8784");
            return Err(wrong("policy.review_hours", problem));
        }
        let grain = self.age_grain_seconds.unwrap_or(60);
        if grain > 604_800 {
            let problem = format!("is {grain}, expected at most 604800");
            return Err(wrong("policy.age_grain_seconds", problem));
        }
        let profiles = self.profiles.iter();
        Ok(PolicySettings {
            profiles: profiles.map(|path| folder.join(path)).collect(),
            legal_bases: self.legal_bases,
            pseudonym_key: self.pseudonym_key.map(|path| folder.join(path)),
            age_grain: Duration::from_secs(grain.into()),
            review: Duration::from_secs(u64::from(review) * 3600),
        })
    }
}

fn read_toml<T: serde::de::DeserializeOwned>(
    reading: &Reading,
    path: &Path,
) -> Result<T, ConfigError> {
    let text = reading.text(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        message: place_and_fault(&text, &error),
    })
}

/// What is wrong with a TOML text, in one line. The text itself is not shown: a file that was named by mistake may be
/// one that holds a secret.
pub(crate) fn place_and_fault(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message.to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    let column = last.chars().count() + 1;
    format!("line {line}, column {column}: {message}")
}

pub(crate) fn files(
    folder: &Path,
    endings: &'static [&'static str],
) -> Result<Vec<PathBuf>, ConfigError> {
    files_from(&Reading::default(), folder, endings)
}

/// No folder is an empty one.
fn files_from(
    reading: &Reading,
    folder: &Path,
    endings: &'static [&'static str],
) -> Result<Vec<PathBuf>, ConfigError> {
    match reading.folder(folder, endings) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        found => found.map_err(|source| ConfigError::Read {
            path: folder.to_owned(),
            source,
        }),
    }
}

/// An absolute IRI.
pub(crate) fn iri(text: &str) -> Result<NamedNode, String> {
    NamedNode::new(text).map_err(|error| format!("holds `{text}`, which is not an IRI: {error}"))
}

/// An https IRI with a host.
pub(crate) fn identifier(text: &str) -> Result<NamedNode, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() && !rest.starts_with(['/', '?', '#']) => iri(text),
        _ => Err(format!(
            "is `{text}`, expected an https IRI such as `https://city.example/`"
        )),
    }
}

pub(crate) fn url(text: &str) -> Result<String, String> {
    let valid = text
        .strip_prefix("https://")
        .is_some_and(|rest| !rest.is_empty() && !rest.contains([' ', '?', '#']));
    if valid {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(format!(
            "is `{text}`, expected a URL such as `https://city.example:7443`"
        ))
    }
}

#[cfg(test)]
mod tests;
