//! Wiring: from a configuration to a connector that serves.

mod keys;
mod publish;
mod reload;
mod upkeep;

use crate::arriving::{self, Arrivals};
use crate::backup::Archive;
use crate::cli::Failure;
use crate::config::{Config, LogFormat, machine};
use crate::evidence::{self, Evidence};
use crate::http::HttpSettings;
use crate::http::oauth::AuthorizationServer;
use crate::metrics::Metrics;
use crate::overviews::Overviews;
use crate::peers::{Foreign, Members, Remote};
use crate::readiness::Readiness;
use crate::runtime::{SystemClock, Threads};
use crate::serve::{self, Listener};
use crate::shown::{self, AppsDoor};
use crate::tally::{self, Tally};
use crate::telemetry::{self, Flood, Traces};
use crate::{grpc, http, secret};
use arc_swap::ArcSwap;
use axum::Router;
use axum::middleware::from_fn_with_state;
use oxrdf::NamedNode;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use twinlink_core::{Admission, Connector, Memory, PolicySource};
use twinlink_federation::{FederationLimits, Federator};
use twinlink_policy::PolicySet;
use twinlink_store::{EvaluationOptions, Ledger, TwinStore};
use twinlink_trust::{
    Apps, ClientCertificates, CurrentIdentity, Nonces, Reading, Receipts, Registry, Renewal,
    TokenAuthenticator, read_set, server_config_watched,
};

use reload::Set;
use upkeep::{stop_signal, warn_of_overdue};

pub(crate) use publish::{policies, policy_format, steward};
pub(crate) use reload::trusted;
pub use upkeep::keep_fresh;

/// A connector with its parts that can be replaced while it serves.
#[derive(Debug)]
pub struct Node {
    config: Config,
    connector: Arc<Connector>,
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    policies: Arc<Policies>,
    remote: Arc<Remote>,
    foreign: Arc<Foreign>,
    metrics: Arc<Metrics>,
    receipts: Arc<Receipts>,
    archive: Archive,
    server: AuthorizationServer,
    tally: Arc<Tally>,
    traces: Traces,
    readiness: Arc<Readiness>,
    /// Held by whoever puts another set in force: one at a time.
    renewal: Mutex<Renewal>,
}

/// The policies in force.
#[derive(Debug)]
pub struct Policies(ArcSwap<PolicySet>);

impl PolicySource for Policies {
    fn current(&self) -> Arc<PolicySet> {
        self.0.load_full()
    }
}

impl Node {
    /// Opens the twin, the keys, the policies and the peers. Blocks on the disk; must be called in a tokio runtime.
    ///
    /// # Errors
    /// What does not hold together, with the file it is in.
    pub fn open(config: Config) -> Result<Self, Failure> {
        let read = |reading: &Reading| {
            let set = Set::read(&config, reading)?;
            let foreign = Foreign::ready(set.foreign.clone(), reading)?;
            Ok::<_, Failure>((set, foreign))
        };
        let ((set, ready), good) = read_set(read)?;
        let identity = CurrentIdentity::new(set.identity);
        let peers = set.peers;
        let registry = Registry::new(set.trusted);
        let clients = Arc::new(ArcSwap::from_pointee(set.clients));
        let nonces = config.apps.dpop.then(|| Arc::new(Nonces::new()));
        let mut authenticator =
            TokenAuthenticator::new(Arc::clone(&registry)).requiring(config.apps.must_sign());
        if let Some(nonces) = &nonces {
            authenticator = authenticator.with_apps(Apps {
                nonces: Arc::clone(nonces),
                peers: config.apps.peers,
            });
        }
        let traces = match &config.telemetry.otlp {
            Some(endpoint) => Traces::to(endpoint, &config.participant)?,
            None => Traces::default(),
        };
        let policies = Arc::new(Policies(ArcSwap::from_pointee(set.policies)));
        let store = Arc::new(TwinStore::open(
            &config.store,
            evaluation_options(&config)?,
        )?);
        let ledger = Arc::new(Ledger::open(&config.store)?);
        // A request may need several at a time: to be read, and to be answered here beside what its peers send.
        let workers = Arc::new(Threads::new(
            config.admission.together.saturating_mul(2) + 16,
        ));
        let clock = Arc::new(SystemClock);
        let journal = Arc::new(store.journal());
        authenticator.revoked().restore_all(
            journal.as_ref(),
            &config.participant,
            OffsetDateTime::now_utc(),
        )?;
        let own = registry.current();
        let own = own.keys(&config.participant);
        let receipts = Arc::new(Receipts::open(journal, Arc::clone(&identity), own)?);
        let (evidence, due) = Evidence::new(
            config.participant.clone(),
            Arc::clone(&receipts),
            Arc::clone(&registry),
        );
        let remote = Remote::new(
            peers,
            Arc::clone(&identity),
            Arc::clone(&registry),
            Arc::clone(&evidence),
        )?;
        let remote = Arc::new(remote);
        evidence::watch(&remote, due, &identity, config.cosign);
        let foreign = Arc::new(Foreign::default());
        foreign.replace(ready);
        let members = Arc::new(Members {
            remote: Arc::clone(&remote),
            foreign: Arc::clone(&foreign),
        });
        let federation = Federator::new(
            config.participant.clone(),
            Arc::clone(&store) as _,
            Arc::clone(&store) as _,
            Arc::clone(&workers) as _,
            Arc::clone(&members) as _,
            Arc::clone(&clock) as _,
            FederationLimits {
                summary_age: config.summary_age,
                ..FederationLimits::default()
            },
        )
        .with_summaries(Arc::new(Overviews::new(
            config.participant.clone(),
            Arc::clone(&store),
            Arc::clone(&workers) as _,
            Arc::clone(&remote),
            members,
            Arc::clone(&policies),
        )));
        let archive = Archive::new(
            Arc::clone(&store),
            Arc::clone(&ledger),
            Arc::clone(&identity),
        );
        let readiness = Arc::new(Readiness::of(
            config.store.clone(),
            (Arc::clone(&store), Arc::clone(&ledger)),
            Arc::clone(&receipts),
            (Arc::clone(&identity), Arc::clone(&registry)),
        ));
        tokio::spawn(Readiness::keep(Arc::downgrade(&readiness)));
        let threads = Arc::clone(&workers);
        let metrics = Metrics::new(Arc::clone(&store), Arc::clone(&identity), move || {
            threads.busy()
        });
        let memory = Memory::new(config.memory_total);
        let metrics = metrics
            .watching(Arc::clone(&identity), Arc::clone(&registry))
            .with_memory(Arc::clone(&memory))
            .with_readiness(Arc::clone(&readiness));
        let metrics = Arc::new(metrics.with_evidence(Arc::clone(remote.evidence())));
        let tally = Arc::new(Tally::new(
            Arc::clone(&receipts) as _,
            Arc::clone(&registry),
            Arc::clone(&metrics),
        ));
        tokio::spawn(Tally::keep(Arc::downgrade(&tally)));
        let server = AuthorizationServer {
            identity: Arc::clone(&identity),
            registry: Arc::clone(&registry),
            revoked: authenticator.revoked(),
            used: authenticator.used(),
            nonces,
            clients,
        };
        let connector = Connector {
            participant: config.participant.clone(),
            authenticator: Arc::new(authenticator),
            policies: Arc::clone(&policies) as _,
            world: Arc::clone(&ledger) as _,
            permits: Arc::default(),
            questions: Arc::default(),
            twin: store,
            federation: Arc::new(federation),
            use_log: metrics.counting(Arc::clone(&tally) as _),
            clock,
            workers,
            admission: Arc::new(Admission::new(config.admission.clone()).with_memory(memory)),
            limits: config.limits,
            age_grain: config.policy.age_grain,
            review: config.policy.review,
        };
        Ok(Self {
            config,
            connector: Arc::new(connector),
            identity,
            registry,
            policies,
            remote,
            foreign,
            metrics,
            receipts,
            archive,
            server,
            tally,
            traces,
            readiness,
            renewal: Mutex::new(Renewal::new(good)),
        })
    }

    /// The connector that its requests go through.
    pub fn connector(&self) -> Arc<Connector> {
        Arc::clone(&self.connector)
    }

    /// What it tells of itself in numbers.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Both doors as one service; `public_url` is how others reach it.
    pub fn service(&self, mut settings: HttpSettings) -> Router {
        settings.ready = Arc::clone(&self.readiness);
        let archive = Some(self.archive.clone());
        let participants = self.remote.participants();
        let grpc = grpc::routes_with(
            Arc::clone(&self.connector),
            participants,
            archive,
            Some(Arc::clone(self.remote.evidence())),
            self.readiness.health(),
        );
        let apps = AppsDoor {
            public_url: settings.public_url.as_str().into(),
            nonces: self.server.nonces.clone(),
        };
        let server = Some(self.server.clone());
        let limits = &self.config.limits;
        let arrivals = Arrivals::new(
            self.config.memory_total / 4,
            limits.body_bytes,
            limits.deadline,
        );
        http::routes(Arc::clone(&self.connector), settings, server)
            .merge(grpc.into_axum_router())
            .layer(from_fn_with_state(arrivals, arriving::bound))
            .layer(from_fn_with_state(apps, shown::possession))
            .layer(from_fn_with_state(Arc::clone(&self.tally), tally::record))
            .layer(from_fn_with_state(self.traces.clone(), telemetry::trace))
    }

    /// Binds the configured address, over TLS with client certificates.
    ///
    /// # Errors
    /// The address is taken; the key material cannot be used.
    pub async fn listen(&self) -> Result<Listener, Failure> {
        let tls = server_config_watched(
            Arc::clone(&self.identity),
            Arc::clone(&self.registry),
            match self.config.apps.dpop {
                true => ClientCertificates::Optional,
                false => ClientCertificates::Required,
            },
            serve::claims(),
        )?;
        let tls = Arc::new(ArcSwap::from_pointee(tls));
        let most = serve::connections(machine::open_files());
        let listener = Listener::bind(self.config.listen, tls).await?;
        Ok(listener
            .with_connections(most)
            .telling(Arc::clone(&self.tally)))
    }
}

/// `twinlink serve`: runs until it is told to stop.
pub(crate) fn run(file: &Path, format: Option<LogFormat>) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let flood = telemetry::log(format.unwrap_or(config.telemetry.log));
    runtime()?.block_on(async {
        tokio::spawn(Flood::keep(Arc::clone(&flood)));
        let served = serve(config).await;
        flood.tell();
        served
    })
}

async fn serve(config: Config) -> Result<ExitCode, Failure> {
    let participant = config.participant.clone();
    let public_url = config.public_url.clone();
    let (before, files) = machine::raise_open_files();
    let connections = serve::connections(files);
    tracing::info!(files, before, connections, "files and connections at once");
    let node = Arc::new(Node::open(config)?);
    let listener = node.listen().await?;
    let address = listener.address()?;
    let settings = HttpSettings::new(with_port(&public_url, address));
    let readiness = Arc::clone(&node.readiness);
    let service = node.service(settings);
    if let Some(address) = node.config.metrics {
        let address = Arc::clone(&node.metrics).serve(address).await?;
        tracing::info!(%address, "telling metrics");
    }
    tokio::spawn(keep_fresh(Arc::clone(&node), upkeep::LOOK));
    tokio::spawn(warn_of_overdue(node.connector()));
    let end = stop_signal(Arc::clone(&node))?;
    announce(&participant, address)?;
    tracing::info!(participant = participant.as_str(), %address, "serving");
    listener
        .serve(service, async move {
            end.await;
            readiness.stop();
        })
        .await;
    node.tally.flush().await;
    node.traces.end().await;
    // What was recorded last can then be verified alone, without the next start.
    if let Err(refusal) = node.receipts.seal().await {
        tracing::error!(%refusal, "the log of use ends without a checkpoint");
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// One line on standard output, for whoever waits for us: a supervisor, a test, the demo.
fn announce(participant: &NamedNode, address: SocketAddr) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready <{}> on {address}", participant.as_str())?;
    out.flush()?;
    Ok(())
}

/// How queries are evaluated here.
pub(crate) fn evaluation_options(config: &Config) -> Result<EvaluationOptions, Failure> {
    let options = EvaluationOptions::default();
    match &config.policy.pseudonym_key {
        Some(path) => Ok(options.with_pseudonym_key(&secret::read(path)?)),
        None => Ok(options),
    }
}

/// Enough to go down the largest query that is let in. Reserved, not used, until it is needed.
const STACK: usize = 16 * 1024 * 1024;

/// The runtime of commands and of the server.
///
/// # Errors
/// The system has no threads.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK)
        .enable_all()
        .build()?)
}

/// A URL with port 0 names the port that the system gave.
fn with_port(public_url: &str, address: SocketAddr) -> String {
    match public_url.strip_suffix(":0") {
        Some(host) => format!("{host}:{}", address.port()),
        None => public_url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
