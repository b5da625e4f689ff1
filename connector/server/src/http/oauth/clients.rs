//! Who may ask for tokens: the clients of the own organisation, and which one a request is of.

use super::{Asked, AuthorizationServer, TOKEN, about};
use crate::cli::Failure;
use crate::config::{ClientFile, PeerFile};
use crate::http::Door;
use crate::shown;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, Secret};
use twinlink_trust::{AssertionOf, PublicKey, claimed_client, verify_assertion};

/// <https://www.rfc-editor.org/rfc/rfc7523#section-2.2>
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The clients in force, checked.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    clients: Vec<Arc<Client>>,
    /// The peers that may ask about tokens of ours that are for them.
    inspectors: Vec<NamedNode>,
}

/// A client of the own organisation.
#[derive(Debug)]
pub(super) struct Client {
    file: ClientFile,
    keys: Vec<PublicKey>,
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) who: Who,
    /// Of its certificate, where it shows one.
    pub(super) thumbprint: Option<String>,
}

#[derive(Debug)]
pub(super) enum Who {
    /// Whoever holds the connector's own key, which signs tokens anyway.
    Operator(NamedNode),
    /// A configured client.
    Client(Arc<Client>),
    /// Another organisation's connector.
    Peer(NamedNode),
}

impl Clients {
    /// Checks what is configured.
    ///
    /// # Errors
    /// A key that cannot be used, naming its client.
    pub(crate) fn new(files: Vec<ClientFile>, peers: &[PeerFile]) -> Result<Self, Failure> {
        let clients = files.into_iter().map(|file| {
            let keys = PublicKey::set(&file.keys, None, format_args!("client {}", file.id))?;
            Ok(Arc::new(Client { file, keys }))
        });
        Ok(Self {
            clients: clients.collect::<Result<_, Failure>>()?,
            inspectors: peers
                .iter()
                .filter(|peer| peer.introspect)
                .map(PeerFile::participant)
                .collect(),
        })
    }

    fn find(&self, matches: impl Fn(&Client) -> bool) -> Option<Arc<Client>> {
        self.clients.iter().find(|one| matches(one)).cloned()
    }

    pub(super) fn may_inspect(&self, peer: &NamedNode) -> bool {
        self.inspectors.contains(peer)
    }
}

impl Client {
    pub(super) fn may_exchange(&self) -> bool {
        self.file.exchange
    }

    pub(super) fn may_introspect(&self) -> bool {
        self.file.introspect
    }

    pub(super) fn may_act(&self) -> Option<&str> {
        self.file.may_act.as_deref()
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.file.lifetime()
    }

    pub(super) fn roles(&self) -> &[String] {
        &self.file.roles
    }

    pub(super) fn has_purpose(&self, purpose: &str) -> bool {
        self.file.purposes.iter().any(|one| one == purpose)
    }

    /// Whether its tokens may be for this connector; without a list, for our own.
    pub(super) fn may_ask(&self, audience: &NamedNode, own: &NamedNode) -> bool {
        let listed = &self.file.audiences;
        (listed.is_empty() && audience == own) || listed.iter().any(|one| one == audience.as_str())
    }
}

impl Authenticated {
    /// Its `client_id`.
    pub(super) fn id(&self) -> &str {
        match &self.who {
            Who::Operator(id) | Who::Peer(id) => id.as_str(),
            Who::Client(client) => &client.file.id,
        }
    }

    /// Its organisation.
    pub(super) fn participant(&self, own: &NamedNode) -> NamedNode {
        match &self.who {
            Who::Operator(id) | Who::Peer(id) => id.clone(),
            Who::Client(_) => own.clone(),
        }
    }
}

impl AuthorizationServer {
    /// Which client a request is of: by an assertion that it signed, or else by its certificate.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `client`, `client.id`, `certificate...` or `assertion...`.
    // INVARIANT(configured-clients-only): who is no configured client, no peer and not the operator gets nothing.
    pub(super) fn authenticate(
        &self,
        door: &Door,
        asked: &Asked,
        now: OffsetDateTime,
    ) -> Result<Authenticated, Refusal> {
        let trusted = self.registry.current();
        let clients = self.clients.load();
        let facts = match shown::certificate(&asked.head.extensions) {
            Some(certificate) => Some(trusted.client(&certificate, now)?),
            None => None,
        };
        let stated = asked.optional("client_id")?;
        let is_ours = facts
            .as_ref()
            .is_none_or(|facts| &facts.participant == trusted.own());
        let who = match asked.optional("client_assertion")? {
            Some(assertion) => {
                if asked.optional("client_assertion_type")? != Some(ASSERTION) {
                    return Err(about("`client_assertion_type` is not that of a JWT"));
                }
                let assertion = Secret::new(assertion);
                let id = claimed_client(&assertion)
                    .ok_or_else(|| refuse("the assertion names no client"))?;
                let client = clients
                    .find(|one| one.file.id == id && !one.keys.is_empty())
                    .ok_or_else(|| refuse("no client signs its requests under this name"))?;
                let audiences = [
                    door.connector.participant.as_str(),
                    &door.url(TOKEN),
                    &door.url(asked.head.uri.path()),
                ];
                let of = AssertionOf {
                    client: &client.file.id,
                    keys: &client.keys,
                    audiences: &audiences,
                };
                verify_assertion(&assertion, &of, &self.used, now)?;
                if !is_ours {
                    return Err(refuse("the certificate is another organisation's"));
                }
                Who::Client(client)
            }
            None => {
                let facts = facts
                    .as_ref()
                    .ok_or_else(|| refuse("the client does not authenticate"))?;
                if !is_ours {
                    Who::Peer(facts.participant.clone())
                } else if facts.thumbprint == self.identity.load().thumbprint() {
                    Who::Operator(facts.participant.clone())
                } else {
                    let shows = |one: &Client| one.file.certificates.contains(&facts.thumbprint);
                    let found = clients.find(shows);
                    Who::Client(found.ok_or_else(|| refuse("the certificate is no client's"))?)
                }
            }
        };
        let client = Authenticated {
            who,
            thumbprint: facts.map(|facts| facts.thumbprint),
        };
        if stated.is_some_and(|stated| stated != client.id()) {
            let detail = "`client_id` names another client than the one that authenticates";
            return Err(Refusal::new(Code::Unauthenticated, "client.id", detail));
        }
        Ok(client)
    }
}

fn refuse(detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, "client", detail)
}
