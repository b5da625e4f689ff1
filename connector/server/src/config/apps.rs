//! Apps of the organisation: the clients that may get tokens, and whether some may do without a certificate.

use super::{ConfigError, files_from, iri, read_toml};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;
use twinlink_trust::{MustSign, Reading};

/// The longest name of a client, in bytes.
const NAME: usize = 128;

/// What is asked of apps. By default none may do without a client certificate, and none need sign its requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Apps {
    /// Our own: with a token that is bound to their key, and a proof of it with each request (DPoP).
    pub dpop: bool,
    /// Those of peers too, with tokens of their organisation.
    pub peers: bool,
    /// Whose questions and changes count only if they are signed, by the app itself or by its organisation's connector.
    pub require_signed_requests: RequireSigned,
}

/// `true`: everybody's; or the roles of those who must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequireSigned {
    /// Everybody's, or nobody's.
    All(bool),
    /// Whoever's token has one of these roles.
    Roles(Vec<String>),
}

impl Default for RequireSigned {
    fn default() -> Self {
        Self::All(false)
    }
}

impl Apps {
    /// Whose requests must be signed.
    pub fn must_sign(&self) -> MustSign {
        match &self.require_signed_requests {
            RequireSigned::All(false) => MustSign::Nobody,
            RequireSigned::All(true) => MustSign::Everybody,
            RequireSigned::Roles(roles) => {
                let roles = roles.iter().cloned();
                MustSign::Roles(roles.map(NamedNode::new_unchecked).collect())
            }
        }
    }

    /// The roles are IRIs, so that one that is misspelt does not let everybody off.
    pub(super) fn validate(self) -> Result<Self, String> {
        if let RequireSigned::Roles(roles) = &self.require_signed_requests {
            if roles.is_empty() {
                return Err("names no role: give `true`, `false` or roles".to_owned());
            }
            for role in roles {
                iri(role)?;
            }
        }
        Ok(self)
    }
}

/// A client of our own organisation that may get tokens from the connector, as its file has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientFile {
    /// Its name: `client_id`, and the `sub` of the tokens that it gets for itself.
    pub id: String,
    /// The certificates of ours that it shows, each by its `x5t#S256`; several while one is renewed.
    pub certificates: Vec<String>,
    /// The public keys that sign its assertions (`private_key_jwt`): JWK, as JSON text.
    pub keys: Vec<String>,
    /// Roles that its tokens may have. None given: none.
    pub roles: Vec<String>,
    /// Purposes that its tokens may state. None given: none.
    pub purposes: Vec<String>,
    /// The connectors, by participant id, that its tokens may be for. None given: ours.
    pub audiences: Vec<String>,
    /// The client that may exchange its tokens, to act for it.
    pub may_act: Option<String>,
    /// Whether it may exchange tokens.
    pub exchange: bool,
    /// Whether it may ask whether a token of ours is good.
    pub introspect: bool,
    /// How long its tokens live, in seconds.
    pub lifetime_seconds: Option<u32>,
}

impl ClientFile {
    /// How long its tokens live.
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime_seconds.unwrap_or(300).into())
    }

    fn validate(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &'static str, problem: String| ConfigError::Value {
            path: path.to_owned(),
            key,
            problem,
        };
        let is_graphic = self.id.bytes().all(|byte| byte.is_ascii_graphic());
        if self.id.is_empty() || self.id.len() > NAME || !is_graphic || self.id.contains("://") {
            let problem = "is no name: expected 1 to 128 letters, digits and signs, and no URL";
            return Err(wrong("id", problem.to_owned()));
        }
        if self.certificates.is_empty() && self.keys.is_empty() {
            let problem = "and `keys` are empty: nothing can prove that it is this client";
            return Err(wrong("certificates", problem.to_owned()));
        }
        for thumbprint in &self.certificates {
            let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if thumbprint.len() != 43 || !thumbprint.bytes().all(is_base64url) {
                let problem =
                    format!("holds `{thumbprint}`, expected x5t#S256: 43 letters of base64url");
                return Err(wrong("certificates", problem));
            }
        }
        for (key, iris) in [
            ("roles", &self.roles),
            ("purposes", &self.purposes),
            ("audiences", &self.audiences),
        ] {
            for text in iris {
                iri(text).map_err(|problem| wrong(key, problem))?;
            }
        }
        match self.lifetime_seconds {
            None | Some(1..=3600) => Ok(()),
            Some(other) => Err(wrong(
                "lifetime_seconds",
                format!("is {other}, expected 1 to 3600"),
            )),
        }
    }
}

/// The clients' files of a folder, in the order of their names.
pub(super) fn load(reading: &Reading, folder: &Path) -> Result<Vec<ClientFile>, ConfigError> {
    let mut clients: Vec<ClientFile> = Vec::new();
    for path in files_from(reading, folder, &["toml"])? {
        let client: ClientFile = read_toml(reading, &path)?;
        client.validate(&path)?;
        let shared = |one: &ClientFile| {
            let shows = |print: &String| one.certificates.contains(print);
            one.id == client.id || client.certificates.iter().any(shows)
        };
        if clients.iter().any(shared) {
            return Err(ConfigError::Value {
                path,
                key: "id",
                problem: "or one of the certificates is another client's too".to_owned(),
            });
        }
        clients.push(client);
    }
    Ok(clients)
}
