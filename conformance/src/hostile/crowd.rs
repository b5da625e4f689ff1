//! A hostile caller that fills all the seats it may have, all the time: queries and updates, federated ones, functions of
//! GeoSPARQL, some over gRPC and some over HTTP.

use super::other::{Other, Sample};
use super::{PATIENCE, SAMPLE, connect, fault, hostile, idle, leaving, queries};
use crate::http::percent_encoded;
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use futures::future::join_all;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use twinlink_client::{Client, QueryOptions};
use twinlink_trust::Protocol;
use twinlink_vocab::tl;

/// The seats of one caller where nothing is configured: a quarter of all.
pub(super) const AT_ONCE: usize = 16;
/// How often they come.
const TIMES: usize = 2;

#[derive(Default)]
pub(super) struct Crowd {
    pub(super) cases: Vec<(String, Verdict)>,
    /// Of the other caller, while the crowd is there.
    pub(super) beside: Sample,
    /// How much the crowd asked.
    pub(super) asked: usize,
}

/// What one of the crowd asks.
enum Ask {
    Query {
        text: String,
        is_federated: bool,
    },
    /// A path of HTTP, and a form.
    Form {
        path: String,
        body: String,
    },
}

/// Has the crowd ask while the other one asks, then the other one alone, in turns.
pub(super) fn gather(town: &Town, alone: &mut Sample) -> Result<Crowd, Fault> {
    let mut crowd = Crowd::default();
    let all = all();
    let asked = AtomicUsize::new(0);
    for _ in 0..TIMES {
        let is_over = AtomicBool::new(false);
        let come = || {
            hostile(|runtime| {
                let client = connect(town, &town.city, tl::STEWARD.as_str(), runtime)?;
                let seats = (0..AT_ONCE).map(|_| sit(town, &client, &all, (&asked, &is_over)));
                runtime.block_on(join_all(seats));
                Ok(())
            })
        };
        let sample = std::thread::scope(|scope| {
            let crowd = scope.spawn(come);
            let begun = Instant::now();
            // Until all of them are there.
            while asked.load(Ordering::SeqCst) < AT_ONCE && begun.elapsed() < PATIENCE {
                std::thread::yield_now();
            }
            let sample = Other::ask_for(town, SAMPLE);
            is_over.store(true, Ordering::SeqCst);
            let gone = crowd.join();
            gone.unwrap_or_else(|_| Err(fault("the crowd panicked")))?;
            sample
        });
        crowd.beside.add(sample);
        alone.add(Other::ask_for(town, SAMPLE));
        crowd.cases.push(idle(town, "a crowd")?);
    }
    crowd.asked = asked.into_inner();
    let verdict = match crowd.asked {
        0..AT_ONCE => Verdict::Failed("the crowd did not come".to_owned()),
        _ => Verdict::Passed,
    };
    crowd
        .cases
        .push(("a crowd that fills its seats".to_owned(), verdict));
    Ok(crowd)
}

/// One seat: always taken. How a request ends is its own matter, and that it ends is seen by who waits for all.
async fn sit(
    town: &Town,
    client: &Client,
    all: &[Ask],
    (asked, is_over): (&AtomicUsize, &AtomicBool),
) {
    while !is_over.load(Ordering::SeqCst) {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let Some(ask) = all.get(number % all.len().max(1)) else {
            return;
        };
        let done = async {
            match ask {
                Ask::Query { text, is_federated } => query(client, text, *is_federated).await,
                Ask::Form { path, body } => send(town, path, body).await,
            }
        };
        drop(tokio::time::timeout(PATIENCE, done).await);
    }
}

async fn query(client: &Client, text: &str, is_federated: bool) -> Result<(), Fault> {
    let options = QueryOptions {
        federated: is_federated,
        ..QueryOptions::new(text, tokio::time::Instant::now() + PATIENCE)
    };
    let mut answer = client.query(options).await.map_err(fault)?;
    while answer.next().await.map_err(fault)?.is_some() {}
    answer.outcome().await.map(drop).map_err(fault)
}

async fn send(town: &Town, path: &str, body: &str) -> Result<(), Fault> {
    let token = town.city.token(&town.city.id, tl::STEWARD.as_str())?;
    let request = Request::post(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", token.reveal()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body.to_owned())))
        .map_err(fault)?;
    let io = TokioIo::new(leaving::stream(town, Protocol::Http1).await?);
    let (mut sender, connection) = http1::handshake(io).await.map_err(fault)?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(fault)?;
    response.into_body().collect().await.map_err(fault)?;
    driver.abort();
    Ok(())
}

/// Every hostile query by each way in turn, and what is no query of a single twin's.
fn all() -> Vec<Ask> {
    let mut texts: Vec<String> = queries::all().into_iter().map(|(_, text)| text).collect();
    texts.extend(spatial());
    let mut all: Vec<Ask> = texts
        .into_iter()
        .enumerate()
        .map(|(number, text)| match number % 4 {
            0 => Ask::Form {
                path: "/sparql".to_owned(),
                body: format!("query={}", percent_encoded(&text)),
            },
            1 => Ask::Query {
                text,
                is_federated: true,
            },
            2 => Ask::Form {
                path: "/sparql?federated=true".to_owned(),
                body: format!("query={}", percent_encoded(&text)),
            },
            _ => Ask::Query {
                text,
                is_federated: false,
            },
        })
        .collect();
    let step = (all.len() / 8).max(1);
    for (number, update) in updates().into_iter().enumerate() {
        let body = format!("update={}", percent_encoded(&update));
        let path = "/sparql".to_owned();
        all.insert((number * step).min(all.len()), Ask::Form { path, body });
    }
    all
}

/// Functions of GeoSPARQL over products: of points, and of a ring with a thousand corners.
fn spatial() -> Vec<String> {
    let prologue = format!(
        "PREFIX : <{}>\nPREFIX geo: <http://www.opengis.net/ont/geosparql#>\n\
         PREFIX geof: <http://www.opengis.net/def/function/geosparql/>\n\
         PREFIX uom: <http://www.opengis.net/def/uom/OGC/1.0/>\n",
        queries::BASE
    );
    let ring: Vec<String> = (0..=1000)
        .map(|corner| {
            let angle = f64::from(corner % 1000) * std::f64::consts::TAU / 1000.0;
            format!("{:.6} {:.6}", 10.0 * angle.cos(), 10.0 * angle.sin())
        })
        .collect();
    let ring = format!("\"POLYGON(({}))\"^^geo:wktLiteral", ring.join(", "));
    let point =
        "STRDT(CONCAT(\"POINT(\", STR(?x / 100), \" \", STR(?y / 100), \")\"), geo:wktLiteral)";
    let pairs = "?a :value ?x . ?b :value ?y";
    [
        format!(
            "SELECT * {{ {pairs} FILTER(geof:distance({point}, \"POINT(0 0)\"^^geo:wktLiteral, uom:metre) < 0) }}"
        ),
        format!("SELECT (COUNT(*) AS ?n) {{ {pairs} FILTER(geof:sfWithin({point}, {ring})) }}"),
        format!("ASK {{ {pairs} FILTER(geof:sfEquals({ring}, {point})) }}"),
        format!("SELECT (COUNT(*) AS ?n) {{ {pairs} FILTER(geof:sfIntersects({ring}, {ring}) && ?x < 0) }}"),
    ]
    .map(|query| format!("{prologue}{query}"))
    .to_vec()
}

/// Updates that never come to an end, and so change nothing.
fn updates() -> Vec<String> {
    let base = queries::BASE;
    let product = "?a ?p ?x . ?b ?q ?y . ?c ?r ?z FILTER(?c = <urn:none>)";
    let graph = format!("{base}crowd");
    vec![
        format!("INSERT {{ GRAPH <{graph}> {{ ?a <{base}p> ?b }} }} WHERE {{ {product} }}"),
        format!("DELETE {{ ?a ?p ?b }} WHERE {{ {product} }}"),
        format!(
            "DELETE {{ ?a <{base}p> ?b }} INSERT {{ ?b <{base}p> ?a }} WHERE {{ ?a <{base}knows>+ ?b . ?c <{base}knows>+ ?d FILTER(?d = <urn:none>) }}"
        ),
        format!(
            "INSERT {{ GRAPH <{graph}> {{ ?a <{base}p> ?t }} }} WHERE {{ ?a <{base}name> ?x . ?b <{base}name> ?y . ?c <{base}name> ?z BIND(CONCAT(?x, ?y, ?z) AS ?t) FILTER(STRLEN(?t) < 3) }}"
        ),
    ]
}
