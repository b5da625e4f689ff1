//! A peer: whose certificates and tokens we believe, and what it may assert.

use super::{ConfigError, identifier, iri, read_toml, url, within};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use twinlink_trust::Reading;

/// A peer as its file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerFile {
    /// Participant id.
    pub participant: String,
    /// Where its connector listens. None for an organisation that only asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where else it listens: other addresses of the same connector, with the same twin, asked when one of them fails or
    /// takes long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<String>,
    /// The authority of its certificates, PEM.
    pub authority: String,
    /// Files with revocation lists of that authority, PEM, seen from the peer's file. Where there is one it must be current.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revocations: Vec<PathBuf>,
    /// The public keys of its access tokens: JWK, as JSON text.
    pub token_keys: Vec<String>,
    /// Roles that it may assert for its people. None given: none.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Purposes that it may assert. None given: none.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// Left operands, such as `tl:legalBasis`, that it may assert values of. None given: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// Whether its connector may ask whether a token of ours, made for it, is still good.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub introspect: bool,
    /// Whether it is a broker: asked together with its own peers, and believed about them; and taken at its word when it
    /// asks for people of other organisations, within the roles and purposes that it may assert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broker: bool,
    /// Whether we are a broker for it: questions of its people go on to our peers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub brokered: bool,
    /// How long ago its twin may have changed last, in seconds, where who asks does not say. Where it did longer ago, or it
    /// does not tell when, it is stale. None: however long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
}

impl PeerFile {
    /// Reads and validates a peer's file, or the card that `twinlink init` wrote.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_from(&Reading::default(), path)
    }

    pub(super) fn load_from(reading: &Reading, path: &Path) -> Result<Self, ConfigError> {
        let mut peer: Self = read_toml(reading, path)?;
        peer.validate(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        peer.revocations = within(folder, &peer.revocations);
        Ok(peer)
    }

    fn validate(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |key: &'static str, problem: String| ConfigError::Value {
            path: path.to_owned(),
            key,
            problem,
        };
        identifier(&self.participant).map_err(|p| wrong("participant", p))?;
        if let Some(address) = &self.url {
            url(address).map_err(|p| wrong("url", p))?;
        }
        for address in &self.replicas {
            url(address).map_err(|p| wrong("replicas", p))?;
        }
        if self.replicas.len() > 8 || self.url.is_none() && !self.replicas.is_empty() {
            let problem = "holds more than 8 addresses, or stands without `url`".to_owned();
            return Err(wrong("replicas", problem));
        }
        if self.max_age_seconds == Some(0) {
            return Err(wrong("max_age_seconds", "is 0".to_owned()));
        }
        for role in &self.roles {
            iri(role).map_err(|p| wrong("roles", p))?;
        }
        for purpose in &self.purposes {
            iri(purpose).map_err(|p| wrong("purposes", p))?;
        }
        for claim in &self.claims {
            iri(claim).map_err(|p| wrong("claims", p))?;
        }
        if self.token_keys.is_empty() {
            return Err(wrong(
                "token_keys",
                "is empty: without a key none of its tokens can be verified".to_owned(),
            ));
        }
        Ok(())
    }

    /// The participant id. Valid once the file is loaded.
    pub fn participant(&self) -> NamedNode {
        NamedNode::new_unchecked(self.participant.clone())
    }
}
