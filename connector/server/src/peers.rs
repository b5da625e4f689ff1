//! The peers: one connection each, a fresh delegated token for each question, and no trust in what they answer.

mod overview;
mod reply;

use crate::config::PeerFile;
use crate::grpc::Participants;
use crate::telemetry;
use arc_swap::ArcSwap;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tonic::codegen::http::Uri;
use twinlink_client::{Client, ClientConfig, Dataset, QueryOptions, Token, VerifyPeer};
use twinlink_core::{Code, Delegation};
use twinlink_federation::{Peers, SubAnswer, SubQuery, Unanswered};
use twinlink_trust::{
    CertificateFacts, CurrentIdentity, Protocol, Registry, TokenIssuer, client_config,
};

/// How long a connection to a peer may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// The connectors of other organisations, over gRPC. They can be replaced while requests run.
pub struct Remote {
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    peers: Arc<ArcSwap<Vec<Peer>>>,
}

/// What is wrong with a peer's entry.
#[derive(Debug, thiserror::Error)]
#[error("peer <{}>: {reason}", .participant.as_str())]
pub struct PeerError {
    /// Which peer.
    pub participant: NamedNode,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Debug, Clone)]
struct Peer {
    participant: NamedNode,
    client: Client,
    /// Of the identity that the connection shows, whatever is in force by now: a token is bound to a certificate.
    issuer: TokenIssuer,
}

impl Remote {
    /// The peers of these entries that have a URL. Connects to none of them yet. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`PeerError`] for an entry that cannot work.
    pub fn new(
        entries: Vec<PeerFile>,
        identity: Arc<CurrentIdentity>,
        registry: Arc<Registry>,
    ) -> Result<Self, PeerError> {
        let remote = Self {
            identity,
            registry,
            peers: Arc::default(),
        };
        remote.replace(entries)?;
        Ok(remote)
    }

    /// Puts other entries in force for all later questions, on new connections: what is trusted may have changed too,
    /// and it is looked at in handshakes.
    ///
    /// # Errors
    /// As [`Remote::new`]; then all stays as it was.
    pub fn replace(&self, entries: Vec<PeerFile>) -> Result<(), PeerError> {
        self.peers.store(Arc::new(self.peers(entries)?));
        Ok(())
    }

    /// Whether these entries could be put in force.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub fn check(&self, entries: Vec<PeerFile>) -> Result<(), PeerError> {
        self.peers(entries).map(drop)
    }

    fn peers(&self, entries: Vec<PeerFile>) -> Result<Vec<Peer>, PeerError> {
        let identity = CurrentIdentity::new((*self.identity.load()).clone());
        let mut peers = Vec::new();
        for entry in entries {
            let participant = entry.participant();
            let Some(url) = entry.url else { continue };
            match self.client(&participant, &url, &identity) {
                Ok(client) => peers.push(Peer {
                    participant,
                    client,
                    issuer: TokenIssuer::new(Arc::clone(&identity)),
                }),
                Err(reason) => {
                    return Err(PeerError {
                        participant,
                        reason,
                    });
                }
            }
        }
        peers.sort_by(|a, b| a.participant.cmp(&b.participant));
        Ok(peers)
    }

    /// The participant ids of the peers there are at each call.
    pub fn participants(&self) -> Participants {
        let peers = Arc::clone(&self.peers);
        Arc::new(move || participants(&peers.load()))
    }

    fn client(
        &self,
        participant: &NamedNode,
        url: &str,
        identity: &Arc<CurrentIdentity>,
    ) -> Result<Client, String> {
        let endpoint: Uri = url
            .parse()
            .map_err(|error| format!("`{url}` is no URL: {error}"))?;
        let tls = client_config(
            Arc::clone(identity),
            Arc::clone(&self.registry),
            participant.clone(),
            Protocol::Http2,
        )
        .map_err(|error| error.to_string())?;
        Client::lazy(&ClientConfig {
            endpoint,
            tls: Arc::new(tls),
            verify_peer: is_certificate_of(participant.clone()),
            // Each question brings its own.
            tokens: Arc::new(Token::new("")),
            connect_timeout: CONNECT,
        })
        .map(|client| client.with_trace(telemetry::traceparent))
        .map_err(|error| error.to_string())
    }

    async fn question(
        &self,
        peer: &NamedNode,
        question: &SubQuery,
    ) -> Result<SubAnswer, Unanswered> {
        let started = Instant::now();
        let peers = self.peers.load_full();
        let entry = peers
            .iter()
            .find(|entry| &entry.participant == peer)
            .ok_or_else(|| Unanswered::Unreachable {
                reason: "it is no peer any more".to_owned(),
            })?;
        let client = entry
            .client
            .with_tokens(Arc::new(token(entry, &question.delegation)?));
        let answer = client
            .query(options(question))
            .await
            .map_err(|error| reply::unanswered(peer, error))?;
        reply::receive(peer, answer, question.budget.rows(), started).await
    }
}

fn token(peer: &Peer, delegation: &Delegation) -> Result<Token, Unanswered> {
    let participant = &peer.participant;
    peer.issuer
        .delegate(delegation, participant, OffsetDateTime::now_utc())
        .map(|token| Token::new(token.reveal()))
        .map_err(|refusal| {
            tracing::info!(peer = participant.as_str(), check = refusal.check(), %refusal, "a peer was not asked");
            let reason = refusal.public().to_owned();
            match refusal.code() {
                Code::Forbidden => Unanswered::Denied { reason },
                _ => Unanswered::NotEvaluable { reason },
            }
        })
}

impl Peers for Remote {
    fn list(&self) -> Vec<NamedNode> {
        participants(&self.peers.load())
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(self.question(peer, question))
    }
}

fn participants(peers: &[Peer]) -> Vec<NamedNode> {
    peers.iter().map(|peer| peer.participant.clone()).collect()
}

/// The TLS configuration pins the participant already; this holds whatever becomes of that.
// INVARIANT(peer-is-pinned): no question goes out on a connection whose certificate names another participant.
fn is_certificate_of(participant: NamedNode) -> VerifyPeer {
    Arc::new(move |der| {
        let facts = CertificateFacts::read(der)?;
        if facts.participant == participant {
            Ok(())
        } else {
            Err(format!(
                "the certificate is of <{}>, not of <{}>",
                facts.participant.as_str(),
                participant.as_str()
            ))
        }
    })
}

fn options(question: &SubQuery) -> QueryOptions {
    let mut options = QueryOptions::new(question.query.clone(), question.budget.deadline().into());
    options.dataset = question.dataset.as_ref().map(|dataset| Dataset {
        default_graphs: dataset.default_graphs.clone(),
        named_graphs: dataset.named_graphs.clone(),
    });
    options.purpose = question.delegation.purpose.clone();
    options.break_glass = question.delegation.break_glass.clone();
    options.request_id = Some(question.delegation.request.to_string());
    options
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("peers", &self.peers.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
