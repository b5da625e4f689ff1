//! The connection: TCP, mutual TLS and the check that the server is the one that was meant.

use crate::error::ConnectFailure;
use crate::{Error, TokenSource};
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

/// Checks the server's certificate (DER) after the handshake, such as for the participant id in its URI SAN.
///
/// The error says what was wrong with it.
pub type VerifyPeer = Arc<dyn Fn(&[u8]) -> Result<(), String> + Send + Sync>;

/// How a client reaches its connector.
#[derive(Clone)]
pub struct ClientConfig {
    /// Where the connector listens: `https://host:port`.
    pub endpoint: Uri,
    /// Roots, our certificate and key, revocation: what makes the handshake trustworthy.
    pub tls: Arc<rustls::ClientConfig>,
    /// Whether the certificate that the handshake proved is of the connector we mean.
    pub verify_peer: VerifyPeer,
    /// Where access tokens come from.
    pub tokens: Arc<dyn TokenSource>,
    /// The longest that name lookup, TCP and TLS together may take.
    pub connect_timeout: Duration,
}

impl ClientConfig {
    /// A channel that connects at its first call, and again after it was lost.
    ///
    /// # Errors
    /// [`Error::Configuration`].
    pub fn lazy_channel(&self) -> Result<Channel, Error> {
        Ok(self
            .transport()?
            .connect_with_connector_lazy(self.connector()?))
    }

    /// A channel that is connected.
    pub(crate) async fn channel(&self) -> Result<Channel, Error> {
        let connector = self.connector()?;
        Ok(self.transport()?.connect_with_connector(connector).await?)
    }

    fn transport(&self) -> Result<Endpoint, Error> {
        if self.endpoint.scheme_str() != Some("https") {
            return Err(Error::Configuration(format!(
                "`{}` is not an https URL",
                self.endpoint
            )));
        }
        Ok(Endpoint::from(self.endpoint.clone())
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20))
    }

    fn connector(&self) -> Result<Connector, Error> {
        let wrong = |what: &str| Error::Configuration(format!("`{}` {what}", self.endpoint));
        let host = self
            .endpoint
            .host()
            .ok_or_else(|| wrong("has no host"))?
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(host.clone())
            .map_err(|_| wrong("has a host that is neither a DNS name nor an address"))?;
        let port = self.endpoint.port_u16().unwrap_or(443);
        Ok(Connector(Arc::new(Target {
            place: format!("{host}:{port}"),
            host,
            port,
            name,
            tls: with_http2(&self.tls),
            verify_peer: Arc::clone(&self.verify_peer),
            patience: self.connect_timeout,
        })))
    }
}

/// Makes connections, for tonic.
struct Connector(Arc<Target>);

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = ConnectFailure;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectFailure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::time::timeout(target.patience, target.connect())
                .await
                .unwrap_or(Err(ConnectFailure::TimedOut))
        })
    }
}

struct Target {
    /// Host and port, for messages.
    place: String,
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: Arc<rustls::ClientConfig>,
    verify_peer: VerifyPeer,
    patience: Duration,
}

impl Target {
    async fn connect(&self) -> Result<TokioIo<TlsStream<TcpStream>>, ConnectFailure> {
        let place = &self.place;
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(|error| ConnectFailure::Unreachable(format!("{place}: {error}")))?;
        // Small messages go out at once; where the option cannot be set they go out all the same.
        drop(tcp.set_nodelay(true));
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(self.name.clone(), tcp)
            .await
            .map_err(|error| match error.get_ref().and_then(certificate_fault) {
                Some(fault) => ConnectFailure::Impostor(format!("{place}: {fault}")),
                None => ConnectFailure::Unreachable(format!("TLS handshake with {place}: {error}")),
            })?;
        let (_, session) = stream.get_ref();
        let certificate = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .ok_or_else(|| ConnectFailure::Impostor(format!("{place} showed no certificate")))?;
        (self.verify_peer)(certificate)
            .map_err(|fault| ConnectFailure::Impostor(format!("{place}: {fault}")))?;
        if session.alpn_protocol() != Some(b"h2") {
            return Err(ConnectFailure::Unreachable(format!(
                "{place} does not speak HTTP/2"
            )));
        }
        Ok(TokioIo::new(stream))
    }
}

/// A certificate that our own verifier turned down.
fn certificate_fault<'a>(
    error: &'a (dyn std::error::Error + Send + Sync + 'static),
) -> Option<&'a rustls::Error> {
    error
        .downcast_ref::<rustls::Error>()
        .filter(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}

fn with_http2(tls: &Arc<rustls::ClientConfig>) -> Arc<rustls::ClientConfig> {
    if tls.alpn_protocols == [b"h2".to_vec()] {
        return Arc::clone(tls);
    }
    let mut tls = tls.as_ref().clone();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(tls)
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("endpoint", &self.endpoint)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}
