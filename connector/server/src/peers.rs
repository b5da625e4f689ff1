//! The peers: one connection each, delegated tokens of a moment, and no trust in what they answer.

mod delegated;
mod foreign;
mod members;
mod overview;
mod reply;

pub use foreign::{Foreign, ForeignError};
pub(crate) use members::Members;

use crate::config::PeerFile;
use crate::evidence::{Answered, Evidence};
use crate::grpc::Participants;
use crate::runtime::SystemClock;
use crate::telemetry;
use arc_swap::ArcSwap;
use delegated::Delegated;
use futures::future::{BoxFuture, FutureExt as _, TryFutureExt as _};
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tonic::codegen::http::Uri;
use twinlink_client::{
    Client, ClientConfig, Dataset, Error, QueryOptions, Token, VerifyPeer, WitnessReply,
};
use twinlink_core::{Code, Delegation, Refusal, Secret, request_digest};
use twinlink_federation::{PeerTraits, Peers, SubAnswer, SubQuery, Unanswered, hedged};
use twinlink_trust::{
    Acknowledgement, CertificateFacts, CurrentIdentity, Protocol, Received, Registry, TokenIssuer,
    client_config,
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

    /// Puts other entries in force for all later questions, on new connections: what is trusted may have changed too,
    /// and it is looked at in handshakes.
    ///
    /// # Errors
    /// As [`Remote::new`]; then all stays as it was.
    pub fn replace(&self, entries: Vec<PeerFile>) -> Result<(), PeerError> {
        let brokered = entries.iter().filter(|entry| entry.brokered);
        let brokered = brokered.map(PeerFile::participant).collect();
        self.peers.store(Arc::new(self.peers(entries)?));
        self.brokered.store(Arc::new(brokered));
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
        Ok(peers)
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
        let entry = entry_of(&peers, peer).ok_or_else(|| Unanswered::Unreachable {
            reason: "it is no peer any more".to_owned(),
        })?;
        let ask = |number: usize| -> BoxFuture<'_, _> {
            Box::pin(async move {
                let token = self.token(entry, &question.delegation)?;
                entry
                    .question(number, token, question, &self.evidence)
                    .await
            })
        };
        entry.hedged(ask).await
    }
}

impl Peer {
    /// Asks its replicas, the one that answered last first.
    async fn hedged<'a, T>(
        &self,
        ask: impl Fn(usize) -> BoxFuture<'a, Result<T, Unanswered>>,
    ) -> Result<T, Unanswered> {
        let first = self.preferred.load(Ordering::Relaxed);
        let ask = |number: usize| ask(number).map_ok(move |answer| (number, answer)).boxed();
        let asked = hedged(self.replicas.len(), first, ask, HEDGE, &SystemClock);
        let (number, answer) = asked.await?;
        self.preferred.store(number, Ordering::Relaxed);
        Ok(answer)
    }

    /// Asks one of its replicas. Each request is a use of its own at the provider.
    async fn question(
        &self,
        replica: usize,
        token: Token,
        question: &SubQuery,
        evidence: &Evidence,
    ) -> Result<SubAnswer, Unanswered> {
        let started = Instant::now();
        let (peer, delegation) = (&self.participant, &question.delegation);
        let client = self.client(replica, token)?;
        let digest = request_digest(&question.query, None, question.dataset.as_ref());
        let signed = evidence
            .ask(peer, delegation, &digest)
            .await
            .map_err(|refusal| not_asked(peer, &refusal))?;
        let mut options = options(question);
        options.envelope = Some(signed.envelope.clone());
        let answer = client
            .query(options)
            .await
            .map_err(|error| reply::unanswered(peer, error))?;
        let (answer, rows, result_digest) =
            reply::receive(self, answer, question.budget.rows(), started).await?;
        let receipt = answer.status.receipt.as_deref().unwrap_or_default();
        evidence
            .answered(Answered {
                peer,
                delegation,
                signed: &signed,
                request_digest: &digest,
                result_digest: &result_digest,
                rows,
                receipt,
            })
            .await
            .map_err(|refusal| not_believed(&refusal))?;
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

/// Our own log cannot take the intent: what is not on record is not asked.
fn not_asked(peer: &NamedNode, refusal: &Refusal) -> Unanswered {
    tracing::error!(peer = peer.as_str(), check = refusal.check(), %refusal, "a peer was not asked");
    let reason = "it was not asked: the intent to ask could not be recorded".to_owned();
    Unanswered::NotEvaluable { reason }
}

fn not_believed(refusal: &Refusal) -> Unanswered {
    let reason = match refusal.code() {
        Code::Unavailable => "its answer could not be recorded",
        _ => "its receipt is not of what it answered",
    };
    Unanswered::NotEvaluable {
        reason: reason.to_owned(),
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

fn options(question: &SubQuery) -> QueryOptions {
    let mut options = QueryOptions::new(question.query.clone(), question.budget.deadline().into());
    options.dataset = question.dataset.as_ref().map(|dataset| Dataset {
        default_graphs: dataset.default_graphs.clone(),
        named_graphs: dataset.named_graphs.clone(),
    });
    options.federated = question.left_out.is_some();
    options.left_out = question.left_out.clone().unwrap_or_default();
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
