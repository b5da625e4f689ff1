//! A connector in this process: real sockets, certificates and tokens, and a twin of its own that is gone at the end.

use crate::http::{Remote, RemoteSettings, Request, Response, Target, tls};
use crate::library::Fault;
use axum::Router;
use oxrdf::NamedNode;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;
use time::{Duration, OffsetDateTime};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use twinlink::config::Config;
use twinlink::http::HttpSettings;
use twinlink::wire::{Node, keep_fresh, runtime};
use twinlink_core::Secret;
use twinlink_policy::owner_policy;
use twinlink_trust::{
    Authority, CurrentIdentity, Identity, Subject, TokenIssuer, TokenRequest, write_private,
    write_public,
};
use twinlink_vocab::tl;

const PARTICIPANT: &str = "https://conformance.example/";
const DATASET: &str = "https://conformance.example/twin";

/// Longer than any suite takes.
const LIFETIME: Duration = Duration::minutes(15);

/// A connector that runs until it is dropped, with a steward of its organisation to ask it.
#[derive(Debug)]
pub struct Embedded {
    remote: Remote,
    /// Stopped before its folder is deleted: it writes there to its end.
    _running: Running,
    _folder: tempfile::TempDir,
}

/// A connector that serves what a folder holds, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    address: SocketAddr,
    node: Weak<Node>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Makes a connector and starts it on a free port of loopback.
    ///
    /// # Errors
    /// [`Fault::Target`] where it does not start.
    pub fn start() -> Result<Self, Fault> {
        let folder = tempfile::tempdir().map_err(fault)?;
        let home = folder.path();
        let authority = Authority::create("conformance", OffsetDateTime::now_utc());
        let authority = authority.map_err(fault)?;
        furnish(home, &iri(PARTICIPANT), &iri(DATASET), &authority, "")?;
        let running = Running::start(home)?;
        let [certificate, key, authority] = files(home);
        let remote = Remote::new(RemoteSettings {
            url: running.url(),
            tls: Some(tls(&certificate, &key, &authority)?),
            token: Some(token(&certificate, &key)?),
        })?;
        Ok(Self {
            remote,
            _running: running,
            _folder: folder,
        })
    }
}

impl Running {
    /// Starts on the address of the folder's configuration.
    ///
    /// # Errors
    /// [`Fault::Target`] where it does not start.
    pub(crate) fn start(home: &Path) -> Result<Self, Fault> {
        Self::start_with(home, Setting::default())
    }

    /// As [`Self::start`], with something before its doors.
    ///
    /// # Errors
    /// [`Fault::Target`] where it does not start.
    pub(crate) fn start_behind(
        home: &Path,
        door: impl FnOnce(Router) -> Router + Send + 'static,
    ) -> Result<Self, Fault> {
        let door: Door = Box::new(door);
        Self::start_with(
            home,
            Setting {
                door: Some(door),
                ..Setting::default()
            },
        )
    }

    /// As [`Self::start`], where others reach it by this URL: as if something stood before it.
    ///
    /// # Errors
    /// [`Fault::Target`] where it does not start.
    pub(crate) fn start_as(home: &Path, public_url: String) -> Result<Self, Fault> {
        let public_url = Some(public_url);
        Self::start_with(
            home,
            Setting {
                public_url,
                ..Setting::default()
            },
        )
    }

    /// As [`Self::start`]; it looks so often whether its files have changed.
    ///
    /// # Errors
    /// [`Fault::Target`] where it does not start.
    pub(crate) fn start_watched(home: &Path, every: std::time::Duration) -> Result<Self, Fault> {
        let look = Some(every);
        Self::start_with(
            home,
            Setting {
                look,
                ..Setting::default()
            },
        )
    }

    fn start_with(home: &Path, setting: Setting) -> Result<Self, Fault> {
        let config = Config::load(&home.join("twinlink.toml")).map_err(fault)?;
        let (stop, stopped) = oneshot::channel();
        let (say, heard) = mpsc::channel();
        let thread = std::thread::spawn(move || serve(config, setting, stopped, &say));
        let (address, node, runtime) = heard.recv().map_err(fault)?.map_err(Fault::Target)?;
        Ok(Self {
            address,
            node,
            runtime,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Scheme and authority, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    /// The port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Running {
    /// One of the numbers that it tells of itself.
    ///
    /// # Errors
    /// [`Fault::Target`] where there is none of this name.
    pub(crate) fn gauge(&self, name: &str) -> Result<f64, Fault> {
        let node = self.node.upgrade().ok_or_else(|| fault("it has stopped"))?;
        let text = node.metrics().text().map_err(fault)?;
        let mut lines = text.lines();
        let number =
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        number.ok_or_else(|| fault(format!("there is no number {name}")))
    }

    /// Whether what its files say is in force.
    ///
    /// # Errors
    /// [`Fault::Target`] where it has stopped.
    pub(crate) fn is_current(&self) -> Result<bool, Fault> {
        let node = self.node.upgrade().ok_or_else(|| fault("it has stopped"))?;
        Ok(node.is_current())
    }

    /// Reads certificates, peers and policies again, as SIGHUP has it.
    ///
    /// # Errors
    /// [`Fault::Target`] where they do not hold together.
    pub(crate) fn reload(&self) -> Result<(), Fault> {
        let _inside = self.runtime.enter();
        let node = self.node.upgrade().ok_or_else(|| fault("it has stopped"))?;
        node.reload().map_err(fault)
    }
}

impl Target for Embedded {
    fn root(&self) -> &str {
        self.remote.root()
    }

    fn send(&self, request: &Request) -> Result<Response, Fault> {
        self.remote.send(request)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The connector stops when the sender is gone.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Where a connector listens, the connector while it serves, and where it runs.
type Served = (SocketAddr, Weak<Node>, Handle);

/// What stands before a connector's doors.
type Door = Box<dyn FnOnce(Router) -> Router + Send>;

/// In what a connector runs.
#[derive(Default)]
struct Setting {
    /// How others reach it.
    public_url: Option<String>,
    /// How often it looks whether its files have changed.
    look: Option<std::time::Duration>,
    door: Option<Door>,
}

/// Serves until told to stop; says first where, or why not.
fn serve(
    config: Config,
    setting: Setting,
    stopped: oneshot::Receiver<()>,
    say: &mpsc::Sender<Result<Served, String>>,
) {
    let served = runtime()
        .map_err(|error| error.to_string())
        .and_then(|runtime| {
            runtime.block_on(async {
                let node = Arc::new(Node::open(config).map_err(|error| error.to_string())?);
                let listener = node.listen().await.map_err(|error| error.to_string())?;
                let address = listener.address().map_err(|error| error.to_string())?;
                if let Some(every) = setting.look {
                    tokio::spawn(keep_fresh(Arc::clone(&node), every));
                }
                let public_url = setting.public_url.unwrap_or_else(|| url(address));
                let service = node.service(HttpSettings::new(public_url));
                drop(say.send(Ok((address, Arc::downgrade(&node), Handle::current()))));
                let end = async { drop(stopped.await) };
                let service = match setting.door {
                    Some(door) => door(service),
                    None => service,
                };
                listener.serve(service, end).await;
                Ok(())
            })
        });
    if let Err(error) = served {
        // Whoever started us reads this as the reason; after the start nobody reads any more.
        drop(say.send(Err(error)));
    }
}

/// Keys, policy and configuration, as `twinlink init` makes them; `more` ends the configuration, within `[identity]`.
pub(crate) fn furnish(
    home: &Path,
    participant: &NamedNode,
    dataset: &NamedNode,
    authority: &Authority,
    more: &str,
) -> Result<(), Fault> {
    let now = OffsetDateTime::now_utc();
    for name in ["identity", "policies", "peers"] {
        fs::create_dir(home.join(name)).map_err(fault)?;
    }
    let subject = Subject {
        participant: participant.clone(),
        hosts: vec!["localhost".to_owned()],
    };
    let issued = authority.issue(&subject, Duration::days(1), now);
    let issued = issued.map_err(fault)?;
    let [certificate, key, root] = files(home);
    write_private(&key, issued.key_pem.reveal()).map_err(fault)?;
    write_public(&certificate, &issued.certificate_pem).map_err(fault)?;
    write_public(&root, authority.certificate_pem()).map_err(fault)?;
    let policy = owner_policy(participant, dataset);
    fs::write(home.join("policies/owner.ttl"), policy).map_err(fault)?;
    let config = format!(
        "version = 1\n\
         participant = \"{}\"\n\
         dataset = \"{}\"\n\
         listen = \"127.0.0.1:0\"\n\
         public_url = \"https://localhost:0\"\n\
         [identity]\n\
         certificate = \"identity/certificate.pem\"\n\
         key = \"identity/key.pem\"\n\
         authority = \"identity/authority.pem\"\n\
         {more}",
        participant.as_str(),
        dataset.as_str()
    );
    fs::write(home.join("twinlink.toml"), config).map_err(fault)
}

/// Certificate, key and authority of a connector's folder.
pub(crate) fn files(home: &Path) -> [std::path::PathBuf; 3] {
    ["certificate.pem", "key.pem", "authority.pem"].map(|name| home.join("identity").join(name))
}

/// A token of a steward, bound to the organisation's own certificate.
pub(crate) fn token(certificate: &Path, key: &Path) -> Result<Secret, Fault> {
    let identity = Identity::load(certificate, key).map_err(fault)?;
    let request = TokenRequest {
        claims: std::collections::BTreeMap::new(),
        subject: "conformance".to_owned(),
        client_id: PARTICIPANT.to_owned(),
        audience: iri(PARTICIPANT),
        roles: vec![tl::STEWARD.into_owned()],
        purpose: None,
        thumbprint: identity.thumbprint().to_owned(),
        lifetime: LIFETIME.unsigned_abs(),
        agreement: None,
        request: None,
    };
    TokenIssuer::new(CurrentIdentity::new(identity))
        .issue(&request, OffsetDateTime::now_utc())
        .map_err(fault)
}

fn url(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

fn iri(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
