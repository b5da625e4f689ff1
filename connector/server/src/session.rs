//! Asking a connector as a person or program of an organisation: the command line and the demo do it this way.

use crate::cli::Failure;
use crate::config::Config;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_client::{Client, ClientConfig, Error, Token, TokenSource};
use twinlink_trust::{
    Binding, CurrentIdentity, Identity, Protocol, Registry, TokenIssuer, TokenRequest,
    client_config,
};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a token of ours lives: long enough for one call and its clock skew.
const TOKEN: Duration = Duration::from_secs(300);

/// Who asks, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// The person or program.
    pub(crate) subject: String,
    /// Roles of the organisation's people.
    pub(crate) roles: Vec<NamedNode>,
    /// The purpose of the use.
    pub(crate) purpose: Option<NamedNode>,
    /// What else to claim: left operands of constraints and their values.
    pub(crate) claims: BTreeMap<NamedNode, Vec<NamedNode>>,
}

/// An organisation's keys and the connectors it knows, ready to connect to one of them.
#[derive(Debug)]
pub(crate) struct Session {
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    audience: NamedNode,
    url: String,
}

impl Session {
    /// To the organisation's own connector, or to the one of the participant `at`.
    ///
    /// # Errors
    /// Configuration and key material that do not hold together; a participant that is not known.
    pub(crate) fn open(config: &Config, at: Option<&NamedNode>) -> Result<Self, Failure> {
        let peers = config.peers()?;
        let (audience, url) = match at {
            None => (config.participant.clone(), config.public_url.clone()),
            Some(at) if at == &config.participant => (at.clone(), config.public_url.clone()),
            Some(at) => {
                let url = peers
                    .iter()
                    .find(|peer| &peer.participant() == at)
                    .and_then(|peer| peer.url.clone())
                    .ok_or_else(|| {
                        format!(
                            "<{}> is no peer with a connector: see `twinlink peer list`",
                            at.as_str()
                        )
                    })?;
                (at.clone(), url)
            }
        };
        let identity = Identity::load(&config.identity.certificate, &config.identity.key)?;
        Ok(Self {
            identity: CurrentIdentity::new(identity),
            registry: Registry::new(crate::wire::trusted(config, peers)?),
            audience,
            url,
        })
    }

    /// The connector's URL.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The connector's participant id.
    pub(crate) fn audience(&self) -> &NamedNode {
        &self.audience
    }

    /// Connects.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) async fn connect(&self, person: Person) -> Result<Client, Failure> {
        let tls = client_config(
            Arc::clone(&self.identity),
            Arc::clone(&self.registry),
            self.audience.clone(),
            Protocol::Http2,
        )?;
        let config = ClientConfig {
            endpoint: self
                .url
                .parse()
                .map_err(|error| format!("`{}` is no URL: {error}", self.url))?,
            tls: Arc::new(tls),
            // The TLS configuration pins the participant already.
            verify_peer: Arc::new(|_| Ok(())),
            tokens: Arc::new(self.tokens(person)),
            connect_timeout: CONNECT,
        };
        Ok(Client::connect(&config).await?)
    }

    /// A token for the connector, bound to the organisation's own certificate.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub(crate) fn token(
        &self,
        person: &Person,
        lifetime: Duration,
    ) -> Result<twinlink_core::Secret, Failure> {
        Ok(self.tokens(person.clone()).issue(lifetime, None)?)
    }

    /// As [`Session::token`], bound to a key of an app that has no certificate, by its thumbprint.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub(crate) fn token_for_key(
        &self,
        person: &Person,
        lifetime: Duration,
        thumbprint: &str,
    ) -> Result<twinlink_core::Secret, Failure> {
        let tokens = self.tokens(person.clone());
        Ok(tokens.issue(lifetime, Some(Binding::Key(thumbprint)))?)
    }

    fn tokens(&self, person: Person) -> Tokens {
        Tokens {
            issuer: TokenIssuer::new(Arc::clone(&self.identity)),
            identity: Arc::clone(&self.identity),
            audience: self.audience.clone(),
            person,
        }
    }
}

/// A fresh token for each call.
struct Tokens {
    issuer: TokenIssuer,
    identity: Arc<CurrentIdentity>,
    audience: NamedNode,
    person: Person,
}

impl Tokens {
    fn issue(
        &self,
        lifetime: Duration,
        binding: Option<Binding<'_>>,
    ) -> Result<twinlink_core::Secret, twinlink_trust::TrustError> {
        let identity = self.identity.load();
        let request = TokenRequest {
            subject: self.person.subject.clone(),
            client_id: identity.participant().as_str().to_owned(),
            audience: self.audience.clone(),
            roles: self.person.roles.clone(),
            purpose: self.person.purpose.clone(),
            claims: self.person.claims.clone(),
            thumbprint: identity.thumbprint().to_owned(),
            lifetime,
            agreement: None,
            request: None,
        };
        let binding = binding.unwrap_or(Binding::Certificate(&request.thumbprint));
        let now = OffsetDateTime::now_utc();
        self.issuer.issue_bound(&request, binding, now)
    }
}

impl TokenSource for Tokens {
    fn token(&self) -> BoxFuture<'_, Result<Token, Error>> {
        let token = self
            .issue(TOKEN, None)
            .map(|secret| Token::new(secret.reveal()))
            .map_err(|error| Error::Token(error.to_string()));
        Box::pin(std::future::ready(token))
    }
}
