//! Callers that go away over HTTP, from queries and from changes: their threads are free soon, and no change is done in part.

use super::{DEADLINE, LEEWAY, connect, fault, queries, whole};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use twinlink_client::Client;
use twinlink_trust::Protocol;
use twinlink_vocab::tl;

/// How many go away.
const LEAVERS: u32 = 1000;
/// How many quads a change is of that may come to its end first.
const QUADS: usize = 1000;
/// They stay for up to so long.
const STAY: u32 = 20;
/// How often the gauge is read.
const LOOK: Duration = Duration::from_millis(2);

/// What became of them.
#[derive(Default)]
pub(super) struct Left {
    pub(super) cases: Vec<(String, Verdict)>,
    /// How long each thread took to be free after its caller had gone, ascending.
    pub(super) freed: Vec<Duration>,
    /// Changes that were made whole before their callers left.
    pub(super) made: usize,
    /// Changes of which nothing is left.
    pub(super) unmade: usize,
}

/// What a caller asks for that leaves.
struct Asked {
    what: &'static str,
    method: Method,
    path: String,
    kind: &'static str,
    body: String,
    /// The graph that it fills, where it is one that may come to its end.
    graph: Option<String>,
}

/// Asks and goes away a thousand times, over both versions of HTTP.
pub(super) fn leave(town: &Town, runtime: &Runtime) -> Result<Left, Fault> {
    let token = town.city.token(&town.city.id, tl::STEWARD.as_str())?;
    let mut left = Left::default();
    let mut slow: Vec<(&str, Duration)> = Vec::new();
    let mut graphs = Vec::new();
    let hostile = queries::all();
    for number in 0..LEAVERS {
        let (_, query) = hostile
            .get(number as usize % hostile.len())
            .ok_or_else(|| fault("there are no hostile queries"))?;
        let asked = asked(number, query);
        let stay = Duration::from_millis((number * 7 % (STAY + 1)).into());
        let request = Request::builder()
            .method(asked.method.clone())
            .uri(&asked.path)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", token.reveal()))
            .header("content-type", asked.kind)
            .body(Full::new(Bytes::from(asked.body)))
            .map_err(fault)?;
        let took = runtime.block_on(async {
            // Every other one by a version of HTTP each, whatever is asked.
            match number / 5 % 2 {
                0 => once(town, request, stay).await?,
                _ => once_http2(town, request, stay).await?,
            }
            let gone = Instant::now();
            free(town, gone).await
        })?;
        if took > DEADLINE + LEEWAY {
            slow.push((asked.what, took));
        }
        left.freed.push(took);
        graphs.extend(asked.graph);
    }
    left.freed.sort_unstable();
    let late = slow.iter().max_by_key(|(_, took)| *took);
    let verdict = match late {
        None => Verdict::Passed,
        Some((what, took)) => {
            let (count, took) = (slow.len(), took.as_millis());
            Verdict::Failed(format!("{count} were late; {what} by {took} ms"))
        }
    };
    let case = format!("{LEAVERS} callers that went away over HTTP");
    left.cases.push((case, verdict));
    let client = connect(town, &town.city, tl::STEWARD.as_str(), runtime)?;
    runtime.block_on(left.judge(&client, &graphs))?;
    Ok(left)
}

fn asked(number: u32, query: &str) -> Asked {
    let base = queries::BASE;
    let graph = format!("{base}left/{number}");
    let update = |body| {
        (
            "POST",
            "/sparql".to_owned(),
            "application/sparql-update",
            body,
        )
    };
    let fills = format!("{base}fills");
    let triples = || {
        let triple = |n: usize| format!("<{base}n{n}> <{fills}> \"{n}\" .\n");
        (0..QUADS).map(triple).collect::<String>()
    };
    let target = format!("/data?graph={graph}");
    let (what, (method, path, kind, body), may_end) = match number % 5 {
        0 => (
            "a query",
            (
                "POST",
                "/sparql".to_owned(),
                "application/sparql-query",
                query.to_owned(),
            ),
            false,
        ),
        1 => (
            "an update without end",
            update(format!(
                "INSERT {{ GRAPH <{graph}> {{ ?a <{fills}> ?b }} }} WHERE {{ ?a ?p ?x . ?b ?q ?y . ?c ?r ?z FILTER(?c = <urn:none>) }}"
            )),
            false,
        ),
        2 => (
            "an update",
            update(format!(
                "INSERT {{ GRAPH <{graph}> {{ ?s <{fills}> ?o }} }} WHERE {{ SELECT ?s ?o {{ ?s <{base}value> ?o }} LIMIT {QUADS} }}"
            )),
            true,
        ),
        3 => (
            "PUT of a graph",
            ("PUT", target, "application/n-triples", triples()),
            true,
        ),
        _ => (
            "POST to a graph",
            ("POST", target, "text/turtle", triples()),
            true,
        ),
    };
    Asked {
        what,
        method: method.parse().unwrap_or(Method::POST),
        path,
        kind,
        body,
        graph: may_end.then_some(graph),
    }
}

pub(super) async fn stream(town: &Town, protocol: Protocol) -> Result<TlsStream<TcpStream>, Fault> {
    let tls = town.tls(&town.city.identity, protocol)?;
    let url: http::Uri = town.url().parse().map_err(fault)?;
    let port = url.port_u16().ok_or_else(|| fault("no port"))?;
    let tcp = TcpStream::connect(("localhost", port)).await;
    let name = "localhost".try_into().map_err(fault)?;
    let connector = TlsConnector::from(Arc::new(tls));
    connector
        .connect(name, tcp.map_err(fault)?)
        .await
        .map_err(fault)
}

/// Sends, stays a while, and closes the connection.
async fn once(town: &Town, request: Request<Full<Bytes>>, stay: Duration) -> Result<(), Fault> {
    let io = TokioIo::new(stream(town, Protocol::Http1).await?);
    let (mut sender, connection) = http1::handshake(io).await.map_err(fault)?;
    let asked = async { tokio::join!(sender.send_request(request), connection) };
    // However it ended: what counts is what is left of it.
    drop(tokio::time::timeout(stay, asked).await);
    Ok(())
}

/// Sends, stays a while, and resets the stream; the connection goes on for as long as it takes to say so.
async fn once_http2(
    town: &Town,
    request: Request<Full<Bytes>>,
    stay: Duration,
) -> Result<(), Fault> {
    let io = TokioIo::new(stream(town, Protocol::Http2).await?);
    let opened = http2::handshake(TokioExecutor::new(), io).await;
    let (mut sender, connection) = opened.map_err(fault)?;
    let asked = tokio::spawn(connection);
    drop(tokio::time::timeout(stay, sender.send_request(request)).await);
    drop(sender);
    drop(asked);
    Ok(())
}

/// How long it takes until nothing is evaluated any more, by the connector's own gauge.
async fn free(town: &Town, gone: Instant) -> Result<Duration, Fault> {
    let mut quiet = None;
    loop {
        let is_busy = town.gauge("twinlink_evaluations_running")? > 0.0;
        match (is_busy, quiet) {
            // What was read from the socket may only be about to begin.
            (false, Some(since)) => return Ok(since),
            (false, None) => quiet = Some(gone.elapsed()),
            (true, _) => quiet = None,
        }
        if gone.elapsed() > super::PATIENCE {
            return Err(fault("an evaluation does not end"));
        }
        sleep(LOOK).await;
    }
}

impl Left {
    /// Whether each change is there as a whole or not at all.
    async fn judge(&mut self, client: &Client, graphs: &[String]) -> Result<(), Fault> {
        let mut torn = Vec::new();
        for graph in graphs {
            match count(client, &format!("GRAPH <{graph}> {{ ?s ?p ?o }}")).await? {
                0 => self.unmade += 1,
                QUADS => self.made += 1,
                other => torn.push(format!("{other} of {QUADS} quads in {graph}")),
            }
        }
        let verdict = match torn.first() {
            None => Verdict::Passed,
            Some(first) => Verdict::Failed(format!("{} changes in part; {first}", torn.len())),
        };
        self.cases
            .push(("changes whole or not at all".to_owned(), verdict));
        Ok(())
    }

    pub(super) fn at(&self, percent: usize) -> usize {
        let at = (self.freed.len() * percent).div_ceil(100).saturating_sub(1);
        self.freed.get(at).map_or(0, |took| whole(*took) / 1000)
    }
}

async fn count(client: &Client, pattern: &str) -> Result<usize, Fault> {
    let query = format!("SELECT (COUNT(*) AS ?n) {{ {pattern} }}");
    let until = tokio::time::Instant::now() + super::PATIENCE;
    let options = twinlink_client::QueryOptions::new(query, until);
    let mut answer = client.query(options).await.map_err(fault)?;
    let mut counted = None;
    while let Some(rows) = answer.next().await.map_err(fault)? {
        let value = rows.first().and_then(|row| row.values.first().cloned());
        if let Some(Some(oxrdf::Term::Literal(number))) = value {
            counted = number.value().parse().ok();
        }
    }
    counted.ok_or_else(|| fault("a count is no number"))
}
