//! A person or program of an organisation, asking a connector by either door.

use super::town::Organisation;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oxrdf::{NamedNode, NamedNodeRef};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twinlink_client::{Client, ClientConfig, Error, Outcome, QueryOptions, Row, Token};
use twinlink_trust::{
    CurrentIdentity, Protocol, Registry, TokenIssuer, TokenRequest, client_config,
};

/// Enough for every answer that comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);

/// Who asks, and as what.
#[derive(Clone)]
pub(crate) struct Caller {
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    roles: Vec<NamedNode>,
    purpose: Option<NamedNode>,
    token: Option<String>,
}

/// A whole answer over gRPC.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) rows: Vec<Row>,
    pub(crate) outcome: Outcome,
}

/// A whole answer over HTTP.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Caller {
    pub(crate) fn new(
        identity: Arc<CurrentIdentity>,
        registry: Arc<Registry>,
        roles: &[NamedNodeRef<'_>],
        purpose: Option<NamedNodeRef<'_>>,
    ) -> Self {
        Self {
            identity,
            registry,
            roles: roles.iter().map(|role| role.into_owned()).collect(),
            purpose: purpose.map(NamedNodeRef::into_owned),
            token: None,
        }
    }

    /// Shows this token instead of its own.
    pub(crate) fn with_token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// What its token says.
    pub(crate) fn claims(&self, audience: &NamedNode) -> TokenRequest {
        let identity = self.identity.load();
        TokenRequest {
            claims: std::collections::BTreeMap::new(),
            subject: "ada".to_owned(),
            client_id: identity.participant().as_str().to_owned(),
            audience: audience.clone(),
            roles: self.roles.clone(),
            purpose: self.purpose.clone(),
            thumbprint: identity.thumbprint().to_owned(),
            lifetime: Duration::from_secs(300),
            agreement: None,
            request: None,
        }
    }

    pub(crate) fn issue(&self, request: &TokenRequest, now: OffsetDateTime) -> String {
        let issuer = TokenIssuer::new(Arc::clone(&self.identity));
        issuer.issue(request, now).unwrap().reveal().to_owned()
    }

    pub(crate) fn token(&self, at: &Organisation) -> String {
        self.token
            .clone()
            .unwrap_or_else(|| self.issue(&self.claims(&at.id), OffsetDateTime::now_utc()))
    }

    fn tls(&self, at: &Organisation, protocol: Protocol) -> Arc<rustls::ClientConfig> {
        let (identity, registry) = (Arc::clone(&self.identity), Arc::clone(&self.registry));
        Arc::new(client_config(identity, registry, at.id.clone(), protocol).unwrap())
    }

    pub(crate) async fn client(&self, at: &Organisation) -> Result<Client, Error> {
        Client::connect(&ClientConfig {
            endpoint: at.url().parse().unwrap(),
            tls: self.tls(at, Protocol::Http2),
            verify_peer: Arc::new(|_| Ok(())),
            tokens: Arc::new(Token::new(self.token(at))),
            connect_timeout: PATIENCE,
        })
        .await
    }

    /// Asks over gRPC and reads the whole answer.
    pub(crate) async fn ask(&self, at: &Organisation, query: &str) -> Result<Answered, Error> {
        self.put(at, QueryOptions::new(query, Instant::now() + PATIENCE))
            .await
    }

    /// As [`Caller::ask`], over the peers' twins too.
    pub(crate) async fn ask_all(
        &self,
        at: &Organisation,
        query: &str,
        patience: Duration,
    ) -> Result<Answered, Error> {
        let options = QueryOptions {
            federated: true,
            ..QueryOptions::new(query, Instant::now() + patience)
        };
        self.put(at, options).await
    }

    /// Asks with these options and reads the whole answer.
    pub(crate) async fn put(
        &self,
        at: &Organisation,
        options: QueryOptions,
    ) -> Result<Answered, Error> {
        let mut answer = self.client(at).await?.query(options).await?;
        let mut rows = Vec::new();
        while let Some(batch) = answer.next().await? {
            rows.extend(batch);
        }
        let outcome = answer.outcome().await?;
        Ok(Answered { rows, outcome })
    }

    /// A TLS connection on which the caller has proved who it is.
    pub(crate) async fn connection(
        &self,
        at: &Organisation,
        protocol: Protocol,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(at.address()).await?;
        TlsConnector::from(self.tls(at, protocol))
            .connect("localhost".try_into().unwrap(), tcp)
            .await
    }

    /// A request with the caller's token, unless the caller has the empty one.
    pub(crate) fn request(
        &self,
        at: &Organisation,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        let token = self.token(at);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        request.body(Full::new(body.into())).unwrap()
    }

    /// Sends over HTTP/1.1 and reads the whole answer.
    pub(crate) async fn send(&self, at: &Organisation, request: Request<Full<Bytes>>) -> Page {
        let stream = self.connection(at, Protocol::Http1).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Page::read(sender.send_request(request).await.unwrap()).await
    }

    /// Sends over HTTP/2 and reads the whole answer.
    pub(crate) async fn send_http2(
        &self,
        at: &Organisation,
        request: Request<Full<Bytes>>,
    ) -> Page {
        let stream = self.connection(at, Protocol::Http2).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        Page::read(sender.send_request(request).await.unwrap()).await
    }

    pub(crate) async fn query(&self, at: &Organisation, query: &str) -> Page {
        let kind = "application/sparql-query";
        self.send(
            at,
            self.request(at, Method::POST, "/sparql", kind, query.to_owned()),
        )
        .await
    }

    pub(crate) async fn update(&self, at: &Organisation, update: &str) -> Page {
        let kind = "application/sparql-update";
        self.send(
            at,
            self.request(at, Method::POST, "/sparql", kind, update.to_owned()),
        )
        .await
    }

    /// How many quads the caller sees of a graph pattern, as text.
    pub(crate) async fn count(&self, at: &Organisation, pattern: &str) -> String {
        let query = format!("SELECT (COUNT(*) AS ?n) WHERE {{ {pattern} }}");
        let answered = self.ask(at, &query).await.unwrap();
        value(&answered.rows[0], 0)
    }
}

impl Page {
    pub(crate) async fn read(response: http::Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.into()).unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

/// A value of a row without its syntax.
pub(crate) fn value(row: &Row, column: usize) -> String {
    match &row.values[column] {
        None => String::new(),
        Some(oxrdf::Term::Literal(literal)) => literal.value().to_owned(),
        Some(oxrdf::Term::NamedNode(node)) => node.as_str().to_owned(),
        Some(other) => other.to_string(),
    }
}
