//! The listener: our own TLS acceptor, one port for gRPC and HTTP, and a clean way to stop.

mod lingering;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http::Version;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use lingering::Lingering;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// The client's certificate from the TLS handshake, DER: in the extensions of every request.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub Arc<Vec<u8>>);

/// How long a client may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a client may take to send a request's headers.
const HEADERS: Duration = Duration::from_secs(10);

/// Connections at once; further clients wait in the system's backlog.
const CONNECTIONS: usize = 4096;

/// Streams at once on one HTTP/2 connection.
const STREAMS: u32 = 256;

/// The age at which a connection is to be opened anew, so that certificates of both sides are shown again.
const OLDEST: Duration = Duration::from_secs(3600);

/// How long open requests may go on after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// A bound listener, not yet serving.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Arc<arc_swap::ArcSwap<rustls::ServerConfig>>,
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
        Ok(Self { tcp, tls })
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
        let seats = Arc::new(Semaphore::new(CONNECTIONS));
        let (drain, draining) = tokio::sync::watch::channel(());
        let (stop, stopped) = tokio::sync::watch::channel(());
        tokio::pin!(end);
        loop {
            let seat = tokio::select! {
                seat = Arc::clone(&seats).acquire_owned() => seat,
                () = &mut end => break,
            };
            let accepted = tokio::select! {
                accepted = self.tcp.accept() => accepted,
                () = &mut end => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors or a connection that died in the backlog: neither ends the service.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            };
            let acceptor = TlsAcceptor::from(self.tls.load_full());
            let service = service.clone();
            let draining = draining.clone();
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = connection(stream, acceptor, service, draining) => {}
                    // Resolves with an error when `stop` is dropped: the grace is over.
                    _ = stopped.changed() => {}
                }
                drop(seat);
            });
        }
        drop(self.tcp);
        drop(drain);
        // Every connection has a seat: when all are free, all have ended.
        let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        tokio::select! {
            _ = seats.acquire_many(all) => {}
            () = tokio::time::sleep(GRACE) => {}
        }
        drop(stop);
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    service: Router,
    mut draining: tokio::sync::watch::Receiver<()>,
) {
    // Small messages go out at once; where the option cannot be set they go out all the same.
    drop(stream.set_nodelay(true));
    let tls = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => {
            tracing::info!(check = "tls.handshake", %error, "a connection was refused");
            return;
        }
        Err(_) => {
            tracing::info!(
                check = "tls.handshake",
                "a connection was refused: it took too long"
            );
            return;
        }
    };
    let certificate = tls
        .get_ref()
        .1
        .peer_certificates()
        .and_then(<[_]>::first)
        .map(|leaf| PeerCertificate(Arc::new(leaf.to_vec())));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        let request = match request.version() {
            Version::HTTP_2 => request.map(|body| Body::new(Lingering::new(body))),
            _ => request.map(Body::new),
        };
        service.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let served = builder
        .serve_connection(TokioIo::new(tls), service)
        .into_owned();
    let mut served = pin!(served);
    let served = tokio::select! {
        served = served.as_mut() => served,
        // The client is told to open no more requests here; those that are open go on.
        () = async {
            tokio::select! {
                () = tokio::time::sleep(OLDEST) => {}
                // Resolves with an error when `drain` is dropped: the connector stops.
                _ = draining.changed() => {}
            }
        } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
