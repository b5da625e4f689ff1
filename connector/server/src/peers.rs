//! The peers: one connection each, delegated tokens of a moment, and no trust in what they answer.

mod asked;
mod delegated;
mod foreign;
mod members;
mod overview;
mod reply;

pub(crate) use foreign::ReadyForeign;
pub use foreign::{Foreign, ForeignError};
pub(crate) use members::Members;

use crate::config::PeerFile;
use crate::evidence::Evidence;
use crate::grpc::Participants;
use crate::runtime::SystemClock;
use crate::telemetry;
use arc_swap::ArcSwap;
use asked::Asked;
use delegated::Delegated;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tonic::codegen::http::Uri;
use twinlink_client::{Client, ClientConfig, Error, Token, VerifyPeer, WitnessReply};
use twinlink_core::{Code, Delegation, Refusal, Secret};
use twinlink_federation::{Opened, PeerTraits, Peers, SubAnswer, SubQuery, Unanswered, hedged};
use twinlink_trust::{
    Acknowledgement, CertificateFacts, CurrentIdentity, Identity, Protocol, Received, Registry,
    TokenIssuer, client_config,
};
use uuid::Uuid;

/// How long a connection to a peer may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a peer may take to take in what it is told of logs.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one replica of a peer may take before another is asked beside it.
const HEDGE: Duration = Duration::from_secs(1);

/// The connectors of other organisations, over gRPC. They can be replaced while requests run.
pub struct Remote {
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    peers: Arc<ArcSwap<Vec<Peer>>>,
    /// Those whose people's questions go on to our peers.
    brokered: ArcSwap<Vec<NamedNode>>,
    evidence: Arc<Evidence>,
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
    /// Where it listens.
    url: String,
    /// Whether it is asked together with its own peers.
    is_broker: bool,
    /// How long ago its twin may have changed last.
    max_age: Option<Duration>,
    /// Of its replicas: all of them prove to be this participant.
    replicas: Arc<[Client]>,
    /// The replica that answered last is asked first.
    preferred: Arc<AtomicUsize>,
    /// Of the identity that the connection shows, whatever is in force by now: a token is bound to a certificate.
    issuer: TokenIssuer,
    delegated: Arc<Delegated>,
}

/// Peers that can be put in force.
pub(crate) struct ReadyPeers {
    peers: Vec<Peer>,
    brokered: Vec<NamedNode>,
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
        evidence: Arc<Evidence>,
    ) -> Result<Self, PeerError> {
        let remote = Self {
            identity,
            registry,
            peers: Arc::default(),
            brokered: ArcSwap::default(),
            evidence,
        };
        remote.replace(entries)?;
        Ok(remote)
    }

    /// Puts the peers of other entries in force, on connections that show the identity that is in force.
    ///
    /// # Errors
    /// As [`Remote::new`]; then all stays as it was.
    pub fn replace(&self, entries: Vec<PeerFile>) -> Result<(), PeerError> {
        let identity = (*self.identity.load()).clone();
        self.put(self.ready(entries, identity)?);
        Ok(())
    }

    /// Puts other peers in force for all later questions, on new connections: what is trusted may have changed too, and it
    /// is looked at in handshakes.
    pub(crate) fn put(&self, ready: ReadyPeers) {
        self.peers.store(Arc::new(ready.peers));
        self.brokered.store(Arc::new(ready.brokered));
    }

    /// What these entries come to where their connections show this identity. All that could be wrong is found out here.
    ///
    /// # Errors
    /// As [`Remote::new`].
    pub(crate) fn ready(
        &self,
        entries: Vec<PeerFile>,
        identity: Identity,
    ) -> Result<ReadyPeers, PeerError> {
        let brokered = entries.iter().filter(|entry| entry.brokered);
        let brokered = brokered.map(PeerFile::participant).collect();
        let identity = CurrentIdentity::new(identity);
        let mut peers = Vec::new();
        for entry in entries {
            let participant = entry.participant();
            let Some(url) = entry.url else { continue };
            let urls = std::iter::once(&url).chain(&entry.replicas);
            let replicas = urls.map(|url| self.client(&participant, url, &identity));
            match replicas.collect::<Result<_, _>>() {
                Ok(replicas) => peers.push(Peer {
                    participant,
                    url,
                    is_broker: entry.broker,
                    max_age: entry
                        .max_age_seconds
                        .map(|most| Duration::from_secs(most.into())),
                    replicas,
                    preferred: Arc::default(),
                    issuer: TokenIssuer::new(Arc::clone(&identity)),
                    delegated: Arc::default(),
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
        Ok(ReadyPeers { peers, brokered })
    }

    /// The peer whose SPARQL endpoint has this URL.
    fn at(&self, endpoint: &NamedNode) -> Option<NamedNode> {
        let url = endpoint.as_str().strip_suffix("/sparql")?;
        let peers = self.peers.load();
        let peer = peers.iter().find(|peer| peer.url == url);
        peer.map(|peer| peer.participant.clone())
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

    /// Tells a peer, in this connector's own name, what was received of its answers.
    ///
    /// # Errors
    /// As [`Client::acknowledge`].
    pub(crate) async fn acknowledge(
        &self,
        peer: &NamedNode,
        received: Vec<Received>,
    ) -> Result<u32, Error> {
        let client = self.own_client(peer)?;
        let identity = self.identity.load();
        let said = Acknowledgement::new(&identity, peer, received, OffsetDateTime::now_utc());
        let said = said
            .sign(&identity)
            .map_err(|error| Error::Configuration(error.to_string()))?;
        client
            .acknowledge(said, (Instant::now() + PATIENCE).into())
            .await
    }

    /// Shows a peer our log at some size, in this connector's own name.
    ///
    /// # Errors
    /// As [`Client::witness`].
    pub(crate) async fn witness(
        &self,
        peer: &NamedNode,
        checkpoint: String,
        proof: (u64, Vec<[u8; 32]>),
    ) -> Result<WitnessReply, Error> {
        let deadline = Instant::now() + PATIENCE;
        let client = self.own_client(peer)?;
        client.witness(checkpoint, proof, deadline.into()).await
    }

    /// What is recorded of questions to peers.
    pub(crate) fn evidence(&self) -> &Arc<Evidence> {
        &self.evidence
    }

    /// To a peer, to speak of the logs of use in this connector's own name.
    fn own_client(&self, peer: &NamedNode) -> Result<Client, Error> {
        let gone = || Error::Configuration("it is no peer any more".to_owned());
        let peers = self.peers.load();
        let entry = entry_of(&peers, peer).ok_or_else(gone)?;
        let delegation = Delegation {
            request: Uuid::now_v7(),
            participant: self.identity.load().participant().clone(),
            subject: "connector".to_owned(),
            actors: Vec::new(),
            roles: Vec::new(),
            purpose: None,
            claims: BTreeMap::new(),
            break_glass: None,
            on_behalf: Vec::new(),
            left_out: Vec::new(),
        };
        let token = self
            .token(entry, &delegation)
            .map_err(|why| Error::Token(why.to_string()))?;
        let replica = entry.preferred.load(Ordering::Relaxed);
        entry.client(replica, token).map_err(|_| gone())
    }

    async fn question(
        &self,
        peer: &NamedNode,
        question: &SubQuery,
    ) -> Result<SubAnswer, Unanswered> {
        let peers = self.peers.load_full();
        let entry = entry_of(&peers, peer).ok_or_else(no_peer)?;
        let ask = |number: usize| -> BoxFuture<'_, _> {
            Box::pin(async move {
                let asked = self.begin(entry, number, question).await?;
                asked.whole(&question.room).await
            })
        };
        entry.hedged(ask).await
    }

    /// As [`Remote::question`], up to the head: the replica that gives it first is read to the end.
    async fn opened(&self, peer: &NamedNode, question: &SubQuery) -> Result<Opened, Unanswered> {
        let peers = self.peers.load_full();
        let entry = entry_of(&peers, peer).ok_or_else(no_peer)?;
        let ask = |number: usize| -> BoxFuture<'_, _> {
            Box::pin(async move { Ok(self.begin(entry, number, question).await?.opened()) })
        };
        entry.hedged(ask).await
    }

    async fn begin(
        &self,
        entry: &Peer,
        replica: usize,
        question: &SubQuery,
    ) -> Result<Asked, Unanswered> {
        let token = self.token(entry, &question.delegation)?;
        Asked::begin(entry, replica, token, question, &self.evidence).await
    }
}

impl Peer {
    /// Asks its replicas, the one that answered last first.
    async fn hedged<'a, T>(
        &self,
        ask: impl Fn(usize) -> BoxFuture<'a, Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let first = self.preferred.load(Ordering::Relaxed);
        let ask = |number: usize| {
            let asked = telemetry::asking(&self.participant, ask(number));
            asked.map_ok(move |answer| (number, answer)).boxed()
        };
        let asked = hedged(self.replicas.len(), first, ask, HEDGE, &SystemClock);
        let (number, answer) = asked.await?;
        self.preferred.store(number, Ordering::Relaxed);
        Ok(answer)
    }

    fn client(&self, replica: usize, token: Token) -> Result<Client, Unanswered> {
        let client = self.replicas.get(replica);
        let client = client.ok_or_else(|| Unanswered::Unreachable {
            reason: "it has no such replica".to_owned(),
        })?;
        Ok(client.with_tokens(Arc::new(token)))
    }
}

fn no_peer() -> Unanswered {
    Unanswered::Unreachable {
        reason: "it is no peer any more".to_owned(),
    }
}

impl Remote {
    /// The token for a sub-request, in the name of our own people; of another organisation's where we are its broker.
    fn token(&self, peer: &Peer, delegation: &Delegation) -> Result<Token, Unanswered> {
        peer.delegated.token(delegation, || {
            let now = OffsetDateTime::now_utc();
            let issued = if self.brokered.load().contains(&delegation.participant) {
                peer.issuer.pass_on(delegation, &peer.participant, now)
            } else {
                peer.issuer.delegate(delegation, &peer.participant, now)
            };
            token(peer, issued)
        })
    }
}

fn token(peer: &Peer, issued: Result<Secret, Refusal>) -> Result<Token, Unanswered> {
    let participant = &peer.participant;
    issued
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

    fn traits(&self, peer: &NamedNode) -> PeerTraits {
        let peers = self.peers.load();
        let entry = entry_of(&peers, peer);
        PeerTraits {
            is_broker: entry.is_some_and(|entry| entry.is_broker),
            max_age: entry.and_then(|entry| entry.max_age),
            ..PeerTraits::default()
        }
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(self.question(peer, question))
    }

    fn open<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<Opened, Unanswered>> {
        Box::pin(self.opened(peer, question))
    }
}

/// They are sorted: with hundreds of peers it is looked up hundreds of times for one question.
fn entry_of<'a>(peers: &'a [Peer], participant: &NamedNode) -> Option<&'a Peer> {
    let found = peers.binary_search_by(|entry| entry.participant.cmp(participant));
    peers.get(found.ok()?)
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

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("peers", &self.peers.load())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
