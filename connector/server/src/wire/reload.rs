//! What the files of the configuration say: read and checked as one set, and put in force as one.

use super::publish::policies_from;
use super::{Node, Policies, keys};
use crate::cli::Failure;
use crate::config::{Config, ForeignFile, PeerFile};
use crate::http::oauth::Clients;
use crate::peers::{Foreign, ReadyForeign, ReadyPeers};
use oxrdf::NamedNode;
use std::path::Path;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_policy::PolicySet;
use twinlink_trust::{
    Assertable, Identity, Reading, Renewal, TrustError, Trusted, TrustedParty, check_identity,
};

/// For how long revocation lists count after their end: who issues them may be down for a day.
const STALENESS: time::Duration = time::Duration::hours(24);

/// What the files say, each read once.
pub(super) struct Set {
    pub(super) identity: Identity,
    pub(super) trusted: Trusted,
    pub(super) peers: Vec<PeerFile>,
    pub(super) foreign: Vec<ForeignFile>,
    pub(super) policies: PolicySet,
    pub(super) clients: Clients,
}

/// A set of which nothing is wrong any more.
struct Ready {
    identity: Identity,
    trusted: Trusted,
    peers: ReadyPeers,
    foreign: ReadyForeign,
    policies: PolicySet,
    clients: Clients,
}

impl Set {
    pub(super) fn read(config: &Config, reading: &Reading) -> Result<Self, Failure> {
        let (certificate, key) = (&config.identity.certificate, &config.identity.key);
        let identity = reading.identity(certificate, key)?;
        let peers = config.peers_from(reading)?;
        Ok(Self {
            trusted: trusted_from(reading, config, &identity, peers.clone())?,
            clients: Clients::new(config.clients_from(reading)?, &peers)?,
            policies: policies_from(reading, config)?,
            foreign: config.foreign_from(reading)?,
            identity,
            peers,
        })
    }
}

impl Node {
    /// Reads policies, peers and certificates again. Keeps all that was in force where any of it is wrong. Blocks on the
    /// disk; must be called in a tokio runtime.
    ///
    /// # Errors
    /// What is wrong, with the file it is in.
    pub fn reload(&self) -> Result<(), Failure> {
        self.renewal()
            .reload(|reading| self.ready(reading), |ready| self.put(ready))
    }

    /// As [`Node::reload`], where certificates, lists, peers or clients have changed. Policies change when somebody says so.
    ///
    /// # Errors
    /// What is wrong, once.
    pub(super) fn renew(&self, now: Instant) -> Result<bool, Failure> {
        let policy = &self.config.policy;
        let is_reason = |path: &Path| {
            !path.starts_with(&self.config.policies)
                && !policy.profiles.iter().any(|profile| profile == path)
        };
        self.renewal().poll(
            now,
            is_reason,
            |reading| self.ready(reading),
            |ready| self.put(ready),
        )
    }

    /// Whether what the files say is in force, policies too. Reads them all.
    pub fn is_current(&self) -> bool {
        self.renewal().is_current()
    }

    fn renewal(&self) -> MutexGuard<'_, Renewal> {
        // Whoever panicked put nothing in force, or all of it.
        self.renewal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that could be wrong is found out here.
    fn ready(&self, reading: &Reading) -> Result<Ready, Failure> {
        let set = Set::read(&self.config, reading)?;
        let trusted = set.trusted.keeping_newer_lists(&self.registry.current())?;
        check_identity(&set.identity, &trusted, OffsetDateTime::now_utc())?;
        Ok(Ready {
            peers: self.remote.ready(set.peers, set.identity.clone())?,
            foreign: Foreign::ready(set.foreign, reading)?,
            identity: set.identity,
            trusted,
            policies: set.policies,
            clients: set.clients,
        })
    }

    /// Peers come after what is trusted: they connect anew by it.
    fn put(&self, ready: Ready) -> Result<(), Failure> {
        // The one step that can fail comes first: another organisation's identity.
        self.identity.replace(ready.identity)?;
        let dropped = self.registry.current().dropped(&ready.trusted);
        self.registry.replace(ready.trusted);
        keys::keep(&self.receipts, dropped);
        self.remote.put(ready.peers);
        self.foreign.replace(ready.foreign);
        let Policies(policies) = &*self.policies;
        policies.store(Arc::new(ready.policies));
        self.server.clients.store(Arc::new(ready.clients));
        Ok(())
    }
}

/// What the configuration trusts, checked.
pub(crate) fn trusted(config: &Config, peers: Vec<PeerFile>) -> Result<Trusted, Failure> {
    let reading = Reading::default();
    let identity = reading.identity(&config.identity.certificate, &config.identity.key)?;
    trusted_from(&reading, config, &identity, peers)
}

fn trusted_from(
    reading: &Reading,
    config: &Config,
    identity: &Identity,
    peers: Vec<PeerFile>,
) -> Result<Trusted, Failure> {
    if identity.participant() != &config.participant {
        return Err(format!(
            "{} is of <{}>, but this connector is <{}>",
            config.identity.certificate.display(),
            identity.participant().as_str(),
            config.participant.as_str()
        )
        .into());
    }
    let authorities = reading.small(&config.identity.authority)?;
    let mut own = TrustedParty::own(identity, authorities);
    let lists = config
        .identity
        .revocations
        .iter()
        .map(|path| reading.small(path))
        .collect::<Result<Vec<_>, _>>()?;
    for path in &config.identity.overlapping_keys {
        own.token_keys.push(reading.small(path)?);
    }
    if !lists.is_empty() {
        own.revocations_pem = Some(lists.concat());
    }
    let brokers = peers.iter().filter(|peer| peer.broker);
    let brokers: Vec<_> = brokers.map(PeerFile::participant).collect();
    let peers = peers.into_iter().map(|peer| party(reading, peer));
    let peers = peers.collect::<Result<_, _>>()?;
    let trusted = Trusted::new(own, peers)?;
    Ok(trusted.with_brokers(&brokers).tolerating(STALENESS))
}

fn party(reading: &Reading, peer: PeerFile) -> Result<TrustedParty, TrustError> {
    let nodes = |iris: Vec<String>| iris.into_iter().map(NamedNode::new_unchecked).collect();
    let lists = peer.revocations.iter();
    let lists = lists
        .map(|path| reading.small(path))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(TrustedParty {
        participant: peer.participant(),
        token_keys: peer.token_keys,
        authorities_pem: peer.authority,
        revocations_pem: (!lists.is_empty()).then(|| lists.concat()),
        roles: Assertable::Only(nodes(peer.roles)),
        purposes: Assertable::Only(nodes(peer.purposes)),
        claims: Assertable::Only(nodes(peer.claims)),
    })
}
