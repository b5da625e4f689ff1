//! What it costs to know who asks: ASK with a token over mutual TLS, beside a bare tonic service that sends back what it
//! got, over the same listener, client and connections, in turns of the same run.

use super::receipts::{forgetful, middle};
use crate::embedded::{files, furnish, token};
use crate::library::Fault;
use futures::stream::{self, BoxStream};
use oxrdf::NamedNode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use twinlink::config::Config;
use twinlink::http::HttpSettings;
use twinlink::wire::{Node, runtime};
use twinlink_client::{Client, ClientConfig, QueryOptions, Token};
use twinlink_core::{Connector, Credentials, Secret};
use twinlink_proto::v1::{self, connector_server::ConnectorServer, query_response::Part};
use twinlink_trust::{
    Authority, CurrentIdentity, Identity, Protocol, Registry, Trusted, TrustedParty, client_config,
};

/// Requests in flight, over so many connections.
const TOGETHER: usize = 64;
const CONNECTIONS: usize = 4;
/// How long each is measured, and how often: the medians count.
const ROUND: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;
/// The least part of the bare service's rate.
const RATIO: f64 = 0.60;
/// Token checks that are measured.
const CHECKS: usize = 2000;
const QUERY: &str = "ASK { <http://e/s> <http://e/p> <http://e/o> }";

/// A service that sends back what it got: one message, or the two of an ASK.
#[derive(Debug)]
struct Echo;

/// What is asked of a server.
#[derive(Clone, Copy)]
enum Call {
    Echo,
    Ask,
}

/// A server that listens, and connections to it.
struct Door(Vec<Client>);

pub(super) fn run() -> Result<Value, Fault> {
    let folder = tempfile::tempdir().map_err(fault)?;
    let home = folder.path();
    let id = NamedNode::new_unchecked("https://conformance.example/");
    let authority = Authority::create("conformance", OffsetDateTime::now_utc()).map_err(fault)?;
    let dataset = NamedNode::new_unchecked("https://conformance.example/twin");
    furnish(home, &id, &dataset, &authority, "")?;
    let [certificate, key, _] = files(home);
    let identity = Identity::load(&certificate, &key).map_err(fault)?;
    let own = TrustedParty::own(&identity, authority.certificate_pem().to_owned());
    let registry = Registry::new(Trusted::new(own, Vec::new()).map_err(fault)?);
    let shown = identity.certificate().to_vec();
    let tls = client_config(
        CurrentIdentity::new(identity),
        registry,
        id,
        Protocol::Http2,
    );
    let tls = Arc::new(tls.map_err(fault)?);
    let pass = token(&certificate, &key)?;

    let (servers, clients) = (runtime().map_err(fault)?, runtime().map_err(fault)?);
    let inside = servers.enter();
    let node = Node::open(Config::load(&home.join("twinlink.toml")).map_err(fault)?);
    let node = node.map_err(fault)?;
    drop(inside);
    let open = |router| Door::open(router, &node, (&servers, &clients), &tls, &pass);
    let alone = Arc::new(forgetful(&node.connector()));
    let bare = open(Routes::new(ConnectorServer::new(Echo)).into_axum_router())?;
    let alone = open(twinlink::grpc::routes(alone, Arc::new(Vec::new)).into_axum_router())?;
    let served = open(node.service(HttpSettings::new("https://localhost".to_owned())))?;
    let measured = [
        ("echo", &bare, Call::Echo),
        ("echo_of_two_messages", &bare, Call::Ask),
        ("ask", &alone, Call::Ask),
        ("ask_with_receipt", &served, Call::Ask),
    ];
    let mut rates = vec![Vec::new(); measured.len()];
    for _ in 0..ROUNDS {
        for ((_, door, call), rates) in measured.iter().zip(&mut rates) {
            rates.push(clients.block_on(door.measure(*call))?);
        }
    }
    let rates: Vec<f64> = rates.into_iter().map(middle).collect();
    let rate = |wanted: &str| {
        let mut all = measured.iter().zip(&rates);
        let found = all.find(|((name, ..), _)| *name == wanted);
        found.map_or(f64::NAN, |(_, rate)| *rate)
    };
    let ratio = rate("ask") / rate("echo");
    let checks = checks(&node.connector(), &pass, &shown, || {
        token(&certificate, &key)
    })?;
    Ok(json!({
        "in_flight": TOGETHER,
        "echo_per_s": rate("echo"),
        "echo_of_two_messages_per_s": rate("echo_of_two_messages"),
        "ask_per_s": rate("ask"),
        "ask_with_receipt_per_s": rate("ask_with_receipt"),
        "ask_to_echo": ratio,
        "ask_to_echo_bound": RATIO,
        "ask_to_echo_of_two_messages": rate("ask") / rate("echo_of_two_messages"),
        "ask_with_receipt_to_echo": rate("ask_with_receipt") / rate("echo"),
        "uncached_check_us": checks.0,
        "cached_check_us": checks.1,
        "ok": ratio >= RATIO,
    }))
}

/// The medians of checking a token and a certificate for the first time and again, in microseconds.
pub(super) fn checks(
    connector: &Connector,
    known: &Secret,
    certificate: &[u8],
    fresh: impl Fn() -> Result<Secret, Fault>,
) -> Result<(f64, f64), Fault> {
    let check = |token: &Secret| {
        let credentials = Credentials {
            token: Some(token.clone()),
            certificate: Some(certificate.to_vec()),
            possession: None,
            envelope: None,
            trace: None,
        };
        let begun = Instant::now();
        let caller = connector
            .authenticator
            .authenticate(&credentials, OffsetDateTime::now_utc());
        let took = begun.elapsed().as_secs_f64() * 1e6;
        caller.map(|_| took).map_err(fault)
    };
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..CHECKS {
        first.push(check(&fresh()?)?);
    }
    check(known)?;
    for _ in 0..CHECKS {
        again.push(check(known)?);
    }
    Ok((middle(first), middle(again)))
}

impl Door {
    /// Serves on a port of its own until the servers' runtime ends.
    fn open(
        router: axum::Router,
        node: &Node,
        (servers, clients): (&Runtime, &Runtime),
        tls: &Arc<tokio_rustls::rustls::ClientConfig>,
        token: &Secret,
    ) -> Result<Self, Fault> {
        let listener = servers.block_on(node.listen()).map_err(fault)?;
        let port = listener.address().map_err(fault)?.port();
        servers.spawn(listener.serve(router, std::future::pending()));
        let config = ClientConfig {
            endpoint: format!("https://localhost:{port}").parse().map_err(fault)?,
            tls: Arc::clone(tls),
            // The TLS configuration pins the participant already.
            verify_peer: Arc::new(|_| Ok(())),
            tokens: Arc::new(Token::new(token.reveal())),
            connect_timeout: Duration::from_secs(10),
        };
        let connect = |_| clients.block_on(Client::connect(&config)).map_err(fault);
        (0..CONNECTIONS)
            .map(connect)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Calls a second.
    async fn measure(&self, call: Call) -> Result<f64, Fault> {
        let started = Instant::now();
        let callers: Vec<_> = (0..TOGETHER)
            .zip(self.0.iter().cycle())
            .map(|(_, client)| {
                let client = client.clone();
                tokio::spawn(async move {
                    let mut calls = 0_u32;
                    while started.elapsed() < ROUND {
                        call.make(&client).await?;
                        calls += 1;
                    }
                    Ok::<_, Fault>(calls)
                })
            })
            .collect();
        let mut calls = 0;
        for caller in callers {
            calls += caller.await.map_err(fault)??;
        }
        Ok(f64::from(calls) / started.elapsed().as_secs_f64())
    }
}

impl Call {
    async fn make(self, client: &Client) -> Result<(), Fault> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        match self {
            Self::Echo => {
                let text = NamedNode::new_unchecked("https://echo.example/");
                let back = client.describe(Some(text.clone()), deadline).await;
                match back.map_err(fault)?.participant == text {
                    true => Ok(()),
                    false => Err(fault("the echo is of something else")),
                }
            }
            Self::Ask => {
                let options = QueryOptions::new(QUERY, deadline);
                let mut answer = client.query(options).await.map_err(fault)?;
                while answer.next().await.map_err(fault)?.is_some() {}
                answer.outcome().await.map(drop).map_err(fault)
            }
        }
    }
}

#[tonic::async_trait]
impl v1::connector_server::Connector for Echo {
    type QueryStream = BoxStream<'static, Result<v1::QueryResponse, Status>>;

    async fn query(
        &self,
        _: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        let head = v1::Head {
            kind: Some(v1::head::Kind::Boolean(false)),
        };
        let source = v1::SourceStatus {
            participant: "https://echo.example/".to_owned(),
            state: v1::SourceState::Complete.into(),
            ..Default::default()
        };
        let outcome = v1::Outcome {
            sources: vec![source],
            rows: 1,
            complete: true,
            ..Default::default()
        };
        let parts = [Part::Head(head), Part::Outcome(outcome)];
        let messages = parts.map(|part| Ok(v1::QueryResponse { part: Some(part) }));
        Ok(Response::new(Box::pin(stream::iter(messages))))
    }

    async fn describe(
        &self,
        request: Request<v1::DescribeRequest>,
    ) -> Result<Response<v1::DescribeResponse>, Status> {
        Ok(Response::new(v1::DescribeResponse {
            participant: request.into_inner().purpose,
            ..Default::default()
        }))
    }

    async fn import(
        &self,
        _: Request<Streaming<v1::ImportRequest>>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn summarize(
        &self,
        _: Request<v1::SummarizeRequest>,
    ) -> Result<Response<v1::SummarizeResponse>, Status> {
        Err(Status::unimplemented("an echo"))
    }
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
