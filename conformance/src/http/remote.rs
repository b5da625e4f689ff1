//! A connector reached over a socket.

use super::{Request, Response, Target};
use crate::library::Fault;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use twinlink_core::Secret;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a connector is reached.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// Scheme and authority, such as `https://localhost:8443`.
    pub url: String,
    /// How TLS is done; not used for `http:`.
    pub tls: Option<Arc<ClientConfig>>,
    /// The access token.
    pub token: Option<Secret>,
}

/// A connector reached over a socket: a new connection for each request.
#[derive(Debug)]
pub struct Remote {
    root: String,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    token: Option<Secret>,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    /// Prepares to reach a connector; nothing is sent yet.
    ///
    /// # Errors
    /// [`Fault::Target`] where the URL is not one of a connector.
    pub fn new(settings: RemoteSettings) -> Result<Self, Fault> {
        let root = settings.url.trim_end_matches('/').to_owned();
        let uri: http::Uri = root.parse().map_err(|error| fault(&root, error))?;
        let is_secure = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| fault(&root, "no host"))?;
        let tls = match (is_secure, settings.tls) {
            (false, _) => None,
            (true, Some(config)) => Some(config),
            (true, None) => return Err(fault(&root, "https needs an authority to trust")),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| fault(&root, error))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            root,
            tls,
            token: settings.token,
            runtime,
        })
    }

    async fn exchange(&self, request: &Request) -> Result<Response, Fault> {
        let address = (self.host.as_str(), self.port);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| fault(&self.root, error))?;
        match &self.tls {
            None => self.over(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone())
                    .map_err(|error| fault(&self.root, error))?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let stream = connector.connect(name, stream).await;
                let stream = stream.map_err(|error| fault(&self.root, error))?;
                self.over(stream, request).await
            }
        }
    }

    async fn over<S>(&self, stream: S, request: &Request) -> Result<Response, Fault>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| fault(&self.root, error))?;
        let driver = tokio::spawn(connection);
        let response = sender
            .send_request(self.message(request)?)
            .await
            .map_err(|error| fault(&self.root, error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let body = body.map_err(|error| fault(&self.root, error))?.to_bytes();
        driver.abort();
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        };
        Ok(Response {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(field).collect(),
            body: body.to_vec(),
        })
    }

    fn message(&self, request: &Request) -> Result<http::Request<Full<Bytes>>, Fault> {
        let authority = self.root.rsplit('/').next().unwrap_or_default();
        let mut message = http::Request::builder()
            .method(request.method.as_str())
            .uri(&request.path)
            .header("host", authority);
        if let Some(token) = &self.token {
            message = message.header("authorization", format!("Bearer {}", token.reveal()));
        }
        for (name, value) in &request.headers {
            message = message.header(name, value);
        }
        message
            .body(Full::new(Bytes::from(request.body.clone())))
            .map_err(|error| fault(&self.root, error))
    }
}

impl Target for Remote {
    fn root(&self) -> &str {
        &self.root
    }

    fn send(&self, request: &Request) -> Result<Response, Fault> {
        let exchange = async { tokio::time::timeout(PATIENCE, self.exchange(request)).await };
        let late = |_| Err(fault(&self.root, "no whole response in a minute"));
        self.runtime.block_on(exchange).unwrap_or_else(late)
    }
}

/// TLS with a client certificate: files in PEM.
///
/// # Errors
/// [`Fault::Target`] where a file does not hold what it should.
pub fn tls(certificate: &Path, key: &Path, authority: &Path) -> Result<Arc<ClientConfig>, Fault> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority)? {
        let added = roots.add(root);
        added.map_err(|error| fault(&authority.display().to_string(), error))?;
    }
    let key_name = key.display().to_string();
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(&key_name, error))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault("TLS", error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(certificate)?, key)
        .map_err(|error| fault(&key_name, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let name = path.display().to_string();
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| fault(&name, error))
}

fn fault(root: &str, error: impl std::fmt::Display) -> Fault {
    Fault::Target(format!("{root}: {error}"))
}
