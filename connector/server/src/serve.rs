//! The listener: our own TLS acceptor, one port for gRPC and HTTP, and a clean way to stop.

mod lingering;
mod prompt;
mod seats;
mod untaken;

use crate::tally::Tally;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::Version;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use lingering::Lingering;
use oxrdf::NamedNode;
use prompt::Prompt;
use seats::{Seat, Seats};
use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;
use twinlink_trust::{CertificateFacts, Watcher};
use untaken::{Answer, Streams, Untaken};

pub(crate) use seats::Peer;

/// The client's certificate from the TLS handshake, DER: in the extensions of every request.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Arc<Vec<u8>>);

/// Tells that the connection ends soon: in the extensions of every request, for answers that have no end of their own.
#[derive(Debug, Clone)]
pub(crate) struct Closing(watch::Receiver<()>);

/// The most connections at once; further clients wait in the system's backlog.
const CONNECTIONS: usize = 4096;

/// The least, however few files the system lets us open.
const FEWEST: usize = 16;

/// Streams at once on one HTTP/2 connection.
const STREAMS: u32 = 256;

/// What a client may send before anybody reads it, on a stream of HTTP/2 and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// The headers of a request over HTTP/2, in bytes.
const HEADER_BYTES: u32 = 16 * 1024;

/// Streams that a client reset before anybody looked at them, and that we reset for its errors: beyond, the connection
/// ends. <https://www.cve.org/CVERecord?id=CVE-2023-44487>
const RESETS: usize = 20;
const OWN_RESETS: usize = 1024;

/// What waits to be sent on a stream of HTTP/2, in bytes.
const SEND_BUFFER: usize = 256 * 1024;

/// A connection that came to nothing.
pub(crate) struct ConnectionRefused<'a> {
    /// Where it came from.
    pub(crate) address: SocketAddr,
    /// The check that failed.
    pub(crate) check: &'static str,
    /// For the operator.
    pub(crate) reason: &'a dyn Display,
    /// Who proved that it is at the other end.
    pub(crate) proven: Option<&'a NamedNode>,
    /// Whom a certificate that does not hold names: anybody can write a name into one.
    pub(crate) claimed: Option<&'a NamedNode>,
}

tokio::task_local! {
    /// Whom the certificate names that did not hold in the handshake which this task makes.
    static CLAIMED: Cell<Option<NamedNode>>;
}

/// What connections may take.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// At once.
    seats: usize,
    /// How long a client may take for its handshake.
    handshake: Duration,
    /// How long it may take to send the first bytes after that, and a request's headers.
    headers: Duration,
    /// How long it may leave an answer where it is.
    untaken: Duration,
    /// The age at which a connection is to be opened anew, so that certificates of both sides are shown again.
    oldest: Duration,
    /// How long what is open at that age may go on.
    last: Duration,
    /// How long open requests may go on after the end was asked for.
    grace: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            seats: CONNECTIONS,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            untaken: Duration::from_secs(60),
            oldest: Duration::from_secs(3600),
            last: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        }
    }
}

/// How many connections fit into so many open files: a quarter is left to the store, to peers and to logs.
pub(crate) fn connections(files: Option<u64>) -> usize {
    let files = files.map_or(CONNECTIONS, |files| {
        usize::try_from(files - files / 4).unwrap_or(usize::MAX)
    });
    files.clamp(FEWEST, CONNECTIONS)
}

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Arc<arc_swap::ArcSwap<rustls::ServerConfig>>,
    bounds: Bounds,
    tally: Option<Arc<Tally>>,
}

/// Keeps for each handshake of a listener whom a certificate that does not hold claimed to be of.
pub(crate) fn claims() -> Watcher {
    Arc::new(|claimed: &NamedNode| {
        // Where no listener of ours makes the handshake, nobody wants to know.
        let noted = CLAIMED.try_with(|claims| claims.set(Some(claimed.clone())));
        let (Ok(()) | Err(_)) = noted;
    })
}

impl Closing {
    /// Resolves when it does.
    pub(crate) async fn soon(mut self) {
        // The sender goes with the connection: either way it ends.
        drop(self.0.changed().await);
    }
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// The system's error, with the address in its text.
    pub async fn bind(
        address: SocketAddr,
        tls: Arc<arc_swap::ArcSwap<rustls::ServerConfig>>,
    ) -> io::Result<Self> {
        let tcp = TcpListener::bind(address).await.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        Ok(Self {
            tcp,
            tls,
            bounds: Bounds::default(),
            tally: None,
        })
    }

    /// The same, telling of connections that come to nothing.
    #[must_use]
    pub(crate) fn telling(mut self, tally: Arc<Tally>) -> Self {
        self.tally = Some(tally);
        self
    }

    /// The same, with so many connections at most.
    #[must_use]
    pub(crate) fn with_connections(mut self, most: usize) -> Self {
        self.bounds.seats = most;
        self
    }

    /// The bound address; its port is never 0.
    ///
    /// # Errors
    /// The system's error.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `end` resolves, then lets open requests finish for a short while.
    pub async fn serve(self, service: Router, end: impl Future<Output = ()>) {
        let bounds = self.bounds;
        let seats = Seats::new(bounds.seats);
        let (drain, draining) = watch::channel(());
        let (stop, stopped) = watch::channel(());
        tokio::pin!(end);
        loop {
            let place = tokio::select! {
                place = seats.place() => place,
                () = &mut end => break,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                () = &mut end => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors or a connection that died in the backlog: neither ends the service.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let tally = self.tally.clone();
            let door = Door { address, tally };
            let seat = match seats.seat(place, address.ip()) {
                Ok(seat) => seat,
                Err(full) => {
                    door.refuse("limits.connections", &full, None, None);
                    continue;
                }
            };
            let connection = Connection {
                door,
                seat,
                service: service.clone(),
                bounds,
            };
            let acceptor = TlsAcceptor::from(self.tls.load_full());
            let draining = draining.clone();
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = connection.run(stream, acceptor, draining) => {}
                    // Resolves with an error when `stop` is dropped: the grace is over.
                    _ = stopped.changed() => {}
                }
            });
        }
        drop(self.tcp);
        drop(drain);
        // Every connection has a seat: when all are free, all have ended.
        tokio::select! {
            () = seats.empty() => {}
            () = tokio::time::sleep(bounds.grace) => {}
        }
        drop(stop);
    }
}

/// Where one came from, and who is told if it comes to nothing.
struct Door {
    address: SocketAddr,
    tally: Option<Arc<Tally>>,
}

impl Door {
    fn refuse(
        &self,
        check: &'static str,
        reason: &dyn Display,
        proven: Option<&NamedNode>,
        claimed: Option<&NamedNode>,
    ) {
        if let Some(tally) = &self.tally {
            tally.connection_refused(&ConnectionRefused {
                address: self.address,
                check,
                reason,
                proven,
                claimed,
            });
        }
    }
}

/// One that was accepted.
struct Connection {
    door: Door,
    seat: Seat,
    service: Router,
    bounds: Bounds,
}

impl Connection {
    async fn run(
        mut self,
        stream: TcpStream,
        acceptor: TlsAcceptor,
        draining: watch::Receiver<()>,
    ) {
        // Small messages go out at once; where the option cannot be set they go out all the same.
        drop(stream.set_nodelay(true));
        let shake = async {
            let shaken = tokio::time::timeout(self.bounds.handshake, acceptor.accept(stream)).await;
            (shaken, CLAIMED.with(Cell::take))
        };
        let (shaken, claimed) = CLAIMED.scope(Cell::default(), shake).await;
        let shaken = shaken.unwrap_or_else(|_| Err(io::Error::other("it took too long")));
        let tls = match shaken {
            Ok(tls) => tls,
            Err(error) => {
                let claimed = claimed.as_ref();
                return self.door.refuse("tls.handshake", &error, None, claimed);
            }
        };
        let leaf = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = leaf.map(|leaf| PeerCertificate(Arc::new(leaf.to_vec())));
        // The handshake has verified it: from here on it says who this is.
        let facts = leaf.and_then(|leaf| CertificateFacts::read(leaf).ok());
        if let Some(facts) = facts
            && let Err(full) = self.seat.prove(facts.participant.clone())
        {
            let proven = Some(&facts.participant);
            return self.door.refuse("limits.connections", &full, proven, None);
        }
        self.serve(tls, certificate, draining).await;
    }

    async fn serve(
        self,
        tls: TlsStream<TcpStream>,
        certificate: Option<PeerCertificate>,
        mut draining: watch::Receiver<()>,
    ) {
        let Self {
            seat,
            service,
            bounds,
            ..
        } = self;
        let peer = Arc::new(seat.peer().clone());
        let (close, closing) = watch::channel(());
        let closing = Closing(closing);
        let untaken = Arc::new(Untaken::default());
        let waits = Arc::clone(&untaken);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            request.extensions_mut().insert(Arc::clone(&peer));
            request.extensions_mut().insert(closing.clone());
            let request = match request.version() {
                Version::HTTP_2 => request.map(|body| Body::new(Lingering::new(body))),
                _ => request.map(Body::new),
            };
            let (answer, untaken) = (service.clone().oneshot(request), Arc::clone(&untaken));
            async move {
                let answer = answer.await;
                answer.map(|answer| answer.map(|body| Body::new(Answer::new(body, &untaken))))
            }
        });
        let io = TokioIo::new(Prompt::new(tls, bounds.headers));
        let served = builder(&bounds).serve_connection(io, service).into_owned();
        let mut served = pin!(served);
        let served = tokio::select! {
            served = served.as_mut() => Ok(served),
            () = waits.for_long(bounds.untaken) => return,
            // The client is told to open no more requests here; those that are open go on, for a while.
            () = async {
                tokio::select! {
                    () = tokio::time::sleep(bounds.oldest) => {}
                    // Resolves with an error when `drain` is dropped: the connector stops.
                    _ = draining.changed() => {}
                }
            } => {
                drop(close);
                served.as_mut().graceful_shutdown();
                tokio::time::timeout(bounds.last, served).await
            }
        };
        match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection ended early"),
            Err(_) => tracing::debug!("a connection was ended: it was too old"),
        }
    }
}

/// Both versions of HTTP, with what a client may make us hold or do.
fn builder(bounds: &Bounds) -> Builder<Streams> {
    let mut builder = Builder::new(Streams(bounds.untaken));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(OWN_RESETS)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

#[cfg(test)]
mod tests;
