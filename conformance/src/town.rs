//! A connector of a city and the organisations around it: real sockets, an authority and keys for each.

use crate::embedded::{Running, files, furnish};
use crate::http::{Remote, RemoteSettings};
use crate::library::Fault;
use oxrdf::NamedNode;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio_rustls::rustls;
use twinlink_client::{ClientConfig, Token};
use twinlink_core::Secret;
use twinlink_store::{EvaluationOptions, StoreError, TwinStore};
use twinlink_trust::{
    Authority, Binding, CurrentIdentity, Entry, Identity, Protocol, Registry, Subject, TokenIssuer,
    TokenRequest, Trusted, TrustedParty, client_config, list_entries,
};

/// The role that the city's peers may assert.
pub(crate) const OFFICER: &str = "https://roles.example/officer";
/// The purpose that the city's peers may assert.
pub(crate) const EMERGENCY: &str = "https://purposes.example/emergency";

pub(crate) const DATASET: &str = "https://city.example/twin";
/// Longer than any suite takes.
const LIFETIME: Duration = Duration::from_secs(900);
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// An organisation with an authority of its own and one certificate.
#[derive(Debug)]
pub(crate) struct Organisation {
    pub(crate) id: NamedNode,
    pub(crate) authority: Authority,
    pub(crate) identity: Arc<CurrentIdentity>,
}

/// The city's connector, which trusts the police and the rescue department. Every officer of theirs may read its twin,
/// and its own stewards may do anything with it.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) city: Organisation,
    pub(crate) police: Organisation,
    pub(crate) rescue: Organisation,
    /// Whom the clients expect to meet.
    pub(crate) registry: Arc<Registry>,
    running: Running,
    folder: tempfile::TempDir,
}

/// A second process of the city's.
#[derive(Debug)]
pub(crate) struct Replica {
    running: Running,
    folder: tempfile::TempDir,
}

impl Organisation {
    /// An organisation with a new authority.
    pub(crate) fn new(id: &str) -> Result<Self, Fault> {
        let authority = Authority::create(id, OffsetDateTime::now_utc()).map_err(fault)?;
        let identity = certify(&authority, id, time::Duration::days(1))?;
        Ok(Self {
            id: iri(id),
            authority,
            identity,
        })
    }

    /// A good token for another's connector, bound to this organisation's certificate.
    pub(crate) fn token(&self, audience: &NamedNode, role: &str) -> Result<Secret, Fault> {
        self.token_for(audience, role, self.identity.load().thumbprint())
    }

    /// As [`Self::token`], for a purpose.
    pub(crate) fn token_stating(
        &self,
        audience: &NamedNode,
        role: &str,
        purpose: &NamedNode,
    ) -> Result<Secret, Fault> {
        let identity = self.identity.load();
        let binding = Binding::Certificate(identity.thumbprint());
        self.token_bound(audience, role, Some(purpose), binding)
    }

    /// As [`Self::token`], bound to any certificate.
    pub(crate) fn token_for(
        &self,
        audience: &NamedNode,
        role: &str,
        thumbprint: &str,
    ) -> Result<Secret, Fault> {
        self.token_bound(audience, role, None, Binding::Certificate(thumbprint))
    }

    /// As [`Self::token`], bound to a key.
    pub(crate) fn token_for_key(
        &self,
        audience: &NamedNode,
        role: &str,
        thumbprint: &str,
    ) -> Result<Secret, Fault> {
        self.token_bound(audience, role, None, Binding::Key(thumbprint))
    }

    fn token_bound(
        &self,
        audience: &NamedNode,
        role: &str,
        purpose: Option<&NamedNode>,
        binding: Binding<'_>,
    ) -> Result<Secret, Fault> {
        let request = TokenRequest {
            claims: std::collections::BTreeMap::new(),
            subject: "person-7".to_owned(),
            client_id: self.id.as_str().to_owned(),
            audience: audience.clone(),
            roles: vec![iri(role)],
            purpose: purpose.cloned(),
            // The binding says it.
            thumbprint: String::new(),
            lifetime: LIFETIME,
            agreement: None,
            request: None,
        };
        TokenIssuer::new(Arc::clone(&self.identity))
            .issue_bound(&request, binding, OffsetDateTime::now_utc())
            .map_err(fault)
    }

    /// As a peer's file has it.
    fn card(&self) -> String {
        let key = self.identity.load().key().public().to_jwk();
        card(&self.id, &[&key], self.authority.certificate_pem())
    }
}

impl Town {
    /// Starts the city's connector; `more` ends its configuration, within `[identity]`.
    pub(crate) fn start(more: &str) -> Result<Self, Fault> {
        Self::start_with(more, |_, _| Ok(()))
    }

    /// As [`Self::start`], with something more in its folder, made by the city's authority.
    pub(crate) fn start_with(
        more: &str,
        prepare: impl FnOnce(&Path, &Authority) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        Self::start_by(more, prepare, Running::start)
    }

    /// As [`Self::start_with`]; it looks so often whether its files have changed.
    pub(crate) fn start_watched(
        more: &str,
        every: Duration,
        prepare: impl FnOnce(&Path, &Authority) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        Self::start_by(more, prepare, |home| Running::start_watched(home, every))
    }

    fn start_by(
        more: &str,
        prepare: impl FnOnce(&Path, &Authority) -> Result<(), Fault>,
        start: impl FnOnce(&Path) -> Result<Running, Fault>,
    ) -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let home = folder.path();
        let [city, police, rescue] = ["city", "police", "rescue"];
        let id = |name: &str| format!("https://{name}.example/");
        let (police, rescue) = (
            Organisation::new(&id(police))?,
            Organisation::new(&id(rescue))?,
        );
        let authority = Authority::create(city, OffsetDateTime::now_utc()).map_err(fault)?;
        furnish(home, &iri(&id(city)), &iri(DATASET), &authority, more)?;
        let [certificate, key, _] = files(home);
        let identity = Identity::load(&certificate, &key).map_err(fault)?;
        for (name, peer) in [("police.toml", &police), ("rescue.toml", &rescue)] {
            fs::write(home.join("peers").join(name), peer.card()).map_err(fault)?;
        }
        fs::write(home.join("policies/peers.ttl"), policy(&[&police, &rescue])).map_err(fault)?;
        prepare(home, &authority)?;
        let own = TrustedParty::own(&identity, authority.certificate_pem().to_owned());
        let registry = Registry::new(Trusted::new(own, Vec::new()).map_err(fault)?);
        Ok(Self {
            city: Organisation {
                id: iri(&id(city)),
                authority,
                identity: CurrentIdentity::new(identity),
            },
            police,
            rescue,
            registry,
            running: start(home)?,
            folder,
        })
    }

    /// Where the city's connector is.
    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// A way to the city's HTTP door under a certificate. Sends no token of its own.
    pub(crate) fn http(&self, identity: &Arc<CurrentIdentity>) -> Result<Remote, Fault> {
        Remote::new(RemoteSettings {
            url: self.running.url(),
            tls: Some(Arc::new(self.tls(identity, Protocol::Http1)?)),
            token: None,
        })
    }

    /// A way to the city's gRPC door under a certificate.
    pub(crate) fn grpc(
        &self,
        identity: &Arc<CurrentIdentity>,
        token: &str,
    ) -> Result<ClientConfig, Fault> {
        Ok(ClientConfig {
            endpoint: self.running.url().parse().map_err(fault)?,
            tls: Arc::new(self.tls(identity, Protocol::Http2)?),
            // The TLS configuration pins the participant already.
            verify_peer: Arc::new(|_| Ok(())),
            tokens: Arc::new(Token::new(token)),
            connect_timeout: CONNECT,
        })
    }

    /// One of the connector's own numbers.
    pub(crate) fn gauge(&self, name: &str) -> Result<f64, Fault> {
        self.running.gauge(name)
    }

    /// The connector's folder.
    pub(crate) fn home(&self) -> &Path {
        self.folder.path()
    }

    /// Has the connector read its certificates, peers and policies again.
    pub(crate) fn reload(&self) -> Result<(), Fault> {
        self.running.reload()
    }

    /// Whether what its files say is in force.
    pub(crate) fn is_current(&self) -> Result<bool, Fault> {
        self.running.is_current()
    }

    /// Lets officers of these read all, and nobody else.
    pub(crate) fn permit(&self, peers: &[&Organisation]) -> Result<(), Fault> {
        let file = self.home().join("policies/peers.ttl");
        fs::write(file, policy(peers)).map_err(fault)?;
        self.reload()
    }

    /// Another process of the city, as if both were behind one URL: the same identity, peers and clients, but a twin and
    /// a log of its own.
    pub(crate) fn replica(&self) -> Result<Replica, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        for part in ["identity", "policies", "peers", "clients"] {
            fs::create_dir(folder.path().join(part)).map_err(fault)?;
            for file in fs::read_dir(self.home().join(part)).map_err(fault)? {
                let file = file.map_err(fault)?;
                let to = folder.path().join(part).join(file.file_name());
                fs::copy(file.path(), to).map_err(fault)?;
            }
        }
        let config = "twinlink.toml";
        fs::copy(self.home().join(config), folder.path().join(config)).map_err(fault)?;
        Ok(Replica {
            running: Running::start_as(folder.path(), self.url())?,
            folder,
        })
    }

    /// Stops the connector, and reads its log of use.
    pub(crate) fn stop(self) -> Result<Vec<Entry>, Fault> {
        stopped(self.running, &self.folder)
    }

    /// How a client shows itself, and whom it expects.
    pub(crate) fn tls(
        &self,
        identity: &Arc<CurrentIdentity>,
        protocol: Protocol,
    ) -> Result<rustls::ClientConfig, Fault> {
        let (registry, city) = (Arc::clone(&self.registry), self.city.id.clone());
        client_config(Arc::clone(identity), registry, city, protocol).map_err(fault)
    }
}

impl Replica {
    /// Where it listens: its URL is another one's.
    pub(crate) fn port(&self) -> u16 {
        self.running.port()
    }

    /// Stops it, and reads its log of use.
    pub(crate) fn stop(self) -> Result<Vec<Entry>, Fault> {
        stopped(self.running, &self.folder)
    }
}

fn stopped(running: Running, folder: &tempfile::TempDir) -> Result<Vec<Entry>, Fault> {
    drop(running);
    let journal = reopen(&folder.path().join("twin"))?.journal();
    let entries = list_entries(&journal, 0, usize::MAX).map_err(fault)?;
    Ok(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// A certificate with a new key; a negative lifetime makes one that has expired.
pub(crate) fn certify(
    authority: &Authority,
    id: &str,
    lifetime: time::Duration,
) -> Result<Arc<CurrentIdentity>, Fault> {
    let subject = Subject {
        participant: iri(id),
        hosts: vec!["localhost".to_owned()],
    };
    let issued = authority.issue(&subject, lifetime, OffsetDateTime::now_utc());
    let identity = issued.and_then(|issued| issued.identity()).map_err(fault)?;
    Ok(CurrentIdentity::new(identity))
}

/// Opens a store whose connector has stopped. Threads that wrote for it may let go of it a moment later.
fn reopen(folder: &Path) -> Result<TwinStore, Fault> {
    let started = Instant::now();
    loop {
        match TwinStore::open(folder, EvaluationOptions::default()) {
            Err(StoreError::InUse { .. }) if started.elapsed() < CONNECT => {
                std::thread::yield_now();
            }
            opened => return opened.map_err(fault),
        }
    }
}

/// A peer's file: token keys as JWK, authorities as PEM.
pub(crate) fn card(id: &NamedNode, keys: &[&str], authorities: &str) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("'{key}'")).collect();
    format!(
        "participant = \"{}\"\ntoken_keys = [{}]\nroles = [\"{OFFICER}\"]\n\
         purposes = [\"{EMERGENCY}\"]\nauthority = '''\n{authorities}'''\n",
        id.as_str(),
        keys.join(", ")
    )
}

/// Officers of these may read all.
pub(crate) fn policy(peers: &[&Organisation]) -> String {
    let permission = |peer: &&Organisation| {
        format!(
            "odrl:permission [ odrl:target <{DATASET}> ; odrl:assignee <{}> ; odrl:action odrl:read ;\n\
             odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand <{OFFICER}> ] ]",
            peer.id.as_str()
        )
    };
    let permissions: Vec<String> = peers.iter().map(permission).collect();
    format!(
        "@prefix odrl: <{}> .\n@prefix tl: <{}> .\n<{DATASET}#peers> a odrl:Set ; odrl:profile {} ;\n{} .\n",
        twinlink_vocab::odrl::NAMESPACE,
        twinlink_vocab::tl::NAMESPACE,
        twinlink_vocab::tl::PROFILE,
        permissions.join(" ;\n")
    )
}

/// An agreement by which officers of a peer may read all: its id, and its text.
pub(crate) fn agreement(city: &Organisation, peer: &Organisation) -> (String, String) {
    let uid = format!("{DATASET}#agreement");
    let text = format!(
        "@prefix odrl: <{}> .\n@prefix tl: <{}> .\n<{uid}> a odrl:Agreement ; odrl:profile {} ;\n\
         odrl:assigner <{}> ; odrl:assignee <{}> ;\n\
         odrl:permission [ odrl:target <{DATASET}> ; odrl:action odrl:read ;\n\
         odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand <{OFFICER}> ] ] .\n",
        twinlink_vocab::odrl::NAMESPACE,
        twinlink_vocab::tl::NAMESPACE,
        twinlink_vocab::tl::PROFILE,
        city.id.as_str(),
        peer.id.as_str()
    );
    (uid, text)
}

fn iri(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
