//! A connector without trust, as a program of its own: the same store, federation and wire, and whoever comes is shown
//! everything over plain TCP. It is what a benchmark of the real program stands beside; the real one cannot be told to
//! leave anything of that out.
//!
//! It says where it listens, answers until its standard input ends, and then says how often it was asked.

mod door;
mod peers;

use crate::bench::fedshop_quads;
use crate::engine::Ours;
use crate::library::Fault;
use crate::members::store;
use door::Door;
use oxrdf::NamedNode;
use peers::Plain;
pub(crate) use peers::client;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use twinlink::runtime::Threads;
use twinlink_client::MESSAGE_BYTES;
use twinlink_federation::{FederationLimits, Federator, Summary, SummaryLimits};
use twinlink_proto::v1::connector_server::ConnectorServer;
use twinlink_store::QuadWorkbench;

/// What it is, and whom it asks.
#[derive(Debug, Clone)]
pub struct PlainConnector {
    /// Its participant id.
    pub participant: String,
    /// Its twin: N-Triples, compressed with gzip. None: it holds nothing.
    pub quads: Option<PathBuf>,
    /// Its peers: lines of a participant id, a space and a URL. None: it has none.
    pub peers: Option<PathBuf>,
}

/// As many as a connector has by default, and more than a benchmark needs.
const THREADS: usize = 80;

/// Serves until standard input ends.
///
/// # Errors
/// A [`Fault`] where it does not come to serve.
pub fn serve(given: &PlainConnector) -> Result<(), Fault> {
    let ours = Ours::new().map_err(Fault::Measure)?;
    let quads = given.quads.as_deref().map(fedshop_quads).transpose()?;
    let quads = quads.unwrap_or_default();
    let summary = Summary::of("1".to_owned(), quads.clone(), &SummaryLimits::default());
    let summary = summary.ok_or_else(|| fault("too large for a summary"))?;
    let twin = store(quads, ours.modify()).map_err(Fault::Measure)?;
    let participant = NamedNode::new(given.participant.as_str()).map_err(fault)?;
    let runtime = twinlink::wire::runtime().map_err(fault)?;
    runtime.block_on(async {
        let peers = Plain::read(participant.clone(), summary, given.peers.as_deref())?;
        let peers = Arc::new(peers);
        let workers = Arc::new(Threads::new(THREADS));
        let federator = Federator::new(
            participant.clone(),
            Arc::clone(&twin) as _,
            Arc::new(QuadWorkbench::default()),
            Arc::clone(&workers) as _,
            Arc::clone(&peers) as _,
            Arc::new(twinlink::runtime::SystemClock),
            FederationLimits::default(),
        )
        .with_summaries(peers);
        let door = Door::new(participant, twin, ours.read().clone(), federator, workers);
        let asked = door.asked();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(fault)?;
        say(&format!(
            "ready on {}",
            listener.local_addr().map_err(fault)?
        ))?;
        let service = ConnectorServer::new(door)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let server = Server::builder().add_service(service);
        tokio::select! {
            served = server.serve_with_incoming(incoming) => served.map_err(fault)?,
            ended = tokio::task::spawn_blocking(until_the_end) => ended.map_err(fault)?,
        }
        say(&format!("asked {}", asked()))
    })?;
    runtime.shutdown_timeout(Duration::ZERO);
    Ok(())
}

/// Whoever started us holds the other end: when it is gone, so are we.
fn until_the_end() {
    let mut rest = Vec::new();
    // What cannot be read has ended.
    drop(std::io::stdin().lock().read_to_end(&mut rest));
}

fn say(line: &str) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(fault)
}

fn fault(error: impl ToString) -> Fault {
    Fault::Measure(error.to_string())
}
