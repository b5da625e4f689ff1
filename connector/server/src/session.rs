//! Asking a connector as a person or program of an organisation: the command line and the demo do it this way.

use crate::cli::Failure;
use crate::config::Config;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tonic::transport::Channel;
use twinlink_client::{Client, ClientConfig, Error, ProofSource, Token, TokenSource};
use twinlink_core::{Secret, Signable};
use twinlink_trust::{
    Binding, CurrentIdentity, Identity, Proof, ProofOf, Protocol, Registry, RequestOf, SigningKey,
    TokenIssuer, TokenRequest, TrustError, Trusted, app_config, client_config, sign_request,
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
        let config = self.client(self.tls()?, Arc::new(self.tokens(person)))?;
        Ok(Client::connect(&config).await?)
    }

    /// A channel over which nobody is named, for services that need no token. It connects with the first call.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) fn channel(&self) -> Result<Channel, Failure> {
        let config = self.client(self.tls()?, Arc::new(Token::new("")))?;
        Ok(config.lazy_channel()?)
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Failure> {
        let (identity, registry) = (Arc::clone(&self.identity), Arc::clone(&self.registry));
        let audience = self.audience.clone();
        Ok(client_config(
            identity,
            registry,
            audience,
            Protocol::Http2,
        )?)
    }

    fn client(
        &self,
        tls: rustls::ClientConfig,
        tokens: Arc<dyn TokenSource>,
    ) -> Result<ClientConfig, Failure> {
        Ok(ClientConfig {
            endpoint: self
                .url
                .parse()
                .map_err(|error| format!("`{}` is no URL: {error}", self.url))?,
            tls: Arc::new(tls),
            // The TLS configuration pins the participant already.
            verify_peer: Arc::new(|_| Ok(())),
            tokens,
            connect_timeout: CONNECT,
        })
    }

    /// Connects as an app that has no certificate, with a token of the organisation that is bound to the app's key.
    ///
    /// # Errors
    /// As [`Client::connect`].
    async fn connect_app(&self, key: &SigningKey, token: &Secret) -> Result<Client, Failure> {
        let (registry, audience) = (Arc::clone(&self.registry), self.audience.clone());
        let tls = app_config(registry, audience, Protocol::Http2)?;
        let token = Arc::new(Token::new(token.reveal()));
        let client = Client::connect(&self.client(tls, token)?).await?;
        Ok(client.with_proofs(Arc::new(AppKey(key.clone())), &self.url))
    }

    /// As [`Session::connect`], with this token.
    ///
    /// # Errors
    /// As [`Client::connect`].
    async fn connect_with(&self, token: &Secret) -> Result<Client, Failure> {
        let tls = self.tls()?;
        let token = Arc::new(Token::new(token.reveal()));
        Ok(Client::connect(&self.client(tls, token)?).await?)
    }

    /// Connects as this person, with the app's key where there is one, and with the organisation's certificate otherwise:
    /// what is asked is signed with the same key. The token lives for so long.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub(crate) async fn connect_signing(
        &self,
        person: &Person,
        app: Option<&SigningKey>,
        lifetime: Duration,
    ) -> Result<Signing, Failure> {
        let (client, token, key) = match app {
            Some(key) => {
                let thumbprint = key.public().thumbprint();
                let token = self.token_for_key(person, lifetime, &thumbprint)?;
                (self.connect_app(key, &token).await?, token, key.clone())
            }
            None => {
                let token = self.token(person, lifetime)?;
                let client = self.connect_with(&token).await?;
                (client, token, self.identity.load().key().clone())
            }
        };
        Ok(Signing {
            client,
            token,
            key,
            audience: self.audience.clone(),
            purpose: person.purpose.clone(),
        })
    }

    /// The keys that speak for the connector that is asked.
    pub(crate) fn trusted(&self) -> Arc<Trusted> {
        self.registry.current()
    }

    /// A token for the connector, bound to the organisation's own certificate.
    ///
    /// # Errors
    /// As [`TokenIssuer::issue`].
    pub(crate) fn token(&self, person: &Person, lifetime: Duration) -> Result<Secret, Failure> {
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
    ) -> Result<Secret, Failure> {
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

/// A connection, and what signs what goes over it.
pub(crate) struct Signing {
    pub(crate) client: Client,
    token: Secret,
    key: SigningKey,
    audience: NamedNode,
    purpose: Option<NamedNode>,
}

impl Signing {
    /// Signs a request: its id with us, and what goes along with it.
    ///
    /// # Errors
    /// As [`sign_request`].
    pub(crate) fn sign(&self, signable: &Signable) -> Result<(String, String), TrustError> {
        let of = RequestOf {
            audience: &self.audience,
            signable,
            purpose: self.purpose.as_ref(),
            token: &self.token,
        };
        sign_request(&self.key, &of, OffsetDateTime::now_utc())
    }
}

/// An app's key, as each question proves it.
struct AppKey(SigningKey);

impl ProofSource for AppKey {
    fn proof(&self, url: &str, token: &str, nonce: Option<&str>) -> Result<String, Error> {
        let of = ProofOf {
            method: "POST",
            url,
            token: Some(&Secret::new(token)),
            nonces: None,
        };
        Proof::make(&self.0, &of, nonce, OffsetDateTime::now_utc())
            .map(|proof| proof.reveal().to_owned())
            .map_err(|error| Error::Token(error.to_string()))
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
    ) -> Result<Secret, TrustError> {
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
