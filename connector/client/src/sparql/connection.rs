//! TCP and TLS to an endpoint: over plain HTTP only on this machine.

use crate::Error;
use crate::error::ConnectFailure;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whether a URL may be asked.
///
/// # Errors
/// [`Error::Configuration`].
pub(super) fn check(url: &Uri) -> Result<(), Error> {
    let host = url.host().unwrap_or_default();
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match url.scheme_str() {
        Some("https") if !host.is_empty() => Ok(()),
        Some("http") if is_here => Ok(()),
        _ => Err(Error::Configuration(format!(
            "`{url}` is neither an https URL nor one of this machine"
        ))),
    }
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Arc<rustls::ClientConfig>,
    patience: Duration,
}

impl Connector {
    pub(super) fn new(tls: Arc<rustls::ClientConfig>, patience: Duration) -> Self {
        Self { tls, patience }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectFailure;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectFailure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let connected = connector.connect(&url);
            let connected = tokio::time::timeout(connector.patience, connected);
            let stream = connected.await.unwrap_or(Err(ConnectFailure::TimedOut))?;
            Ok(TokioIo::new(stream))
        })
    }
}

impl Connector {
    async fn connect(&self, url: &Uri) -> Result<Stream, ConnectFailure> {
        let unreachable = |error: &dyn std::fmt::Display| {
            let host = url.host().unwrap_or_default();
            ConnectFailure::Unreachable(format!("{host}: {error}"))
        };
        let host = url.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_tls = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await;
        let tcp = tcp.map_err(|error| unreachable(&error))?;
        // Small messages go out at once; where the option cannot be set they go out all the same.
        drop(tcp.set_nodelay(true));
        if !is_tls {
            return Ok(Stream::Plain(tcp));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let tls = TlsConnector::from(Arc::clone(&self.tls));
        let stream = tls.connect(name, tcp).await;
        Ok(Stream::Tls(Box::new(
            stream.map_err(|error| unreachable(&error))?,
        )))
    }
}

/// A connection.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let is_good = |url: &str| check(&url.parse().unwrap()).is_ok();
        for url in [
            "https://data.example/sparql",
            "http://localhost:3030/ds",
            "http://127.0.0.1/",
            "http://[::1]:80/",
        ] {
            assert!(is_good(url), "{url}");
        }
        for url in [
            "http://data.example/sparql",
            "http://localhost.example/",
            "ftp://data.example/",
            "/sparql",
        ] {
            assert!(!is_good(url), "{url}");
        }
    }
}
