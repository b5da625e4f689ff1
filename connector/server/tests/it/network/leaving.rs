//! Clients that go away, or stop reading, in the middle: their evaluations end, and others are served.

mod peers;

use super::caller::Caller;
use super::town::Organisation;
use futures::FutureExt as _;
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use twinlink_client::{Error, QueryOptions};
use twinlink_trust::Protocol;

/// Does not end before the deadline of a test that fails, and finds nothing on the way.
const ENDLESS: &str =
    "{ ?a tl:concerns ?hub . ?b tl:concerns ?hub . ?c tl:concerns ?hub . ?d tl:concerns ?hub
    FILTER(CONCAT(STR(?a), STR(?b), STR(?c), STR(?d)) = 'never') }";

/// As [`ENDLESS`], and finds rows all the time.
const ROWS: &str =
    "SELECT * WHERE { ?a tl:concerns ?hub . ?b tl:concerns ?hub . ?c tl:concerns ?hub }";

/// The deadline of a request, and far below it, and below what a member gets of it.
const LONG: Duration = Duration::from_secs(600);
const SOON: Duration = Duration::from_secs(20);

/// What is asked by whoever goes away.
struct Asked {
    kind: &'static str,
    text: String,
    federated: bool,
}

impl Asked {
    fn query(text: String) -> Self {
        Self {
            kind: "application/sparql-query",
            text,
            federated: false,
        }
    }

    fn update(text: &str) -> Self {
        Self {
            kind: "application/sparql-update",
            text: text.to_owned(),
            federated: false,
        }
    }
}

/// A connector with so many evaluation threads and a few thousand triples about one thing.
async fn narrow(threads: usize) -> (Organisation, Caller) {
    let mut city = Organisation::new("city");
    city.import(&hub(), None);
    city.configure(&format!(
        "[limits]\nconcurrency = {threads}\norganisation_concurrency = {threads}\ncaller_concurrency = {threads}\n\
         waiting = 0\ndeadline_seconds = {}",
        LONG.as_secs()
    ));
    city.serve().await;
    let steward = city.steward();
    (city, steward)
}

/// A few thousand triples about one thing.
fn hub() -> String {
    let mut data = String::new();
    for number in 0..3000 {
        writeln!(
            data,
            "<https://city.example/{number}> tl:concerns <https://city.example/hub> ."
        )
        .unwrap();
    }
    data
}

/// Whether the one thread is taken.
async fn is_busy(city: &Organisation, caller: &Caller) -> bool {
    let page = caller.query(city, "ASK {}").await;
    match page.status {
        StatusCode::OK => false,
        StatusCode::TOO_MANY_REQUESTS => true,
        other => panic!("{other}: {}", page.text),
    }
}

async fn wait_until(city: &Organisation, caller: &Caller, busy: bool, case: &str) {
    let waited = timeout(SOON, async {
        while is_busy(city, caller).await != busy {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{case}: busy is {}", !busy);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_frees_the_thread() {
    let (city, steward) = narrow(1).await;
    // Before the head of the answer is known, and after.
    for query in [
        format!("ASK {ENDLESS}"),
        format!("SELECT (COUNT(*) AS ?n) WHERE {ENDLESS}"),
        format!("SELECT * WHERE {ENDLESS}"),
        ROWS.to_owned(),
    ] {
        let query = format!("PREFIX tl: <https://w3id.org/twinlink/ns#> {query}");
        for door in ["grpc", "http/1.1", "http/2"] {
            let asked = Asked::query(query.clone());
            let asked = tokio::spawn(hang(&city, &steward, asked, door).await);
            let case = format!("{door}: {query}");
            wait_until(&city, &steward, true, &case).await;
            asked.abort();
            assert!(asked.await.unwrap_err().is_cancelled(), "{case}");
            wait_until(&city, &steward, false, &case).await;
        }
    }
}

/// Also one that waits for its turn to write.
#[tokio::test(flavor = "multi_thread")]
async fn whose_update_is_not_made_yet_frees_the_thread_and_leaves_nothing() {
    let (city, steward) = narrow(2).await;
    let prologue = "PREFIX tl: <https://w3id.org/twinlink/ns#>";
    let first = format!("{prologue} INSERT {{ ?a tl:first ?b }} WHERE {ENDLESS}");
    let second = format!("{prologue} INSERT DATA {{ tl:a tl:second tl:b }}");
    for door in ["http/1.1", "http/2"] {
        let writes = tokio::spawn(hang(&city, &steward, Asked::update(&first), door).await);
        wait_for(&city, 1, door).await;
        let waits = tokio::spawn(hang(&city, &steward, Asked::update(&second), door).await);
        wait_for(&city, 2, door).await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled(), "{door}");
        wait_for(&city, 1, door).await;
        writes.abort();
        assert!(writes.await.unwrap_err().is_cancelled(), "{door}");
        wait_for(&city, 0, door).await;
    }
    for made in ["first", "second"] {
        let pattern = format!("?s <https://w3id.org/twinlink/ns#{made}> ?o");
        assert_eq!(steward.count(&city, &pattern).await, "0");
    }
}

/// Waits until so many evaluations run, by the connector's own count.
async fn wait_for(city: &Organisation, running: usize, case: &str) {
    let line = format!("twinlink_evaluations_running {running}.0\n");
    let waited = timeout(SOON, async {
        while !city.node().metrics().text().unwrap().contains(&line) {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{case}: not {running}");
}

fn is_refused(response: &hyper::Result<http::Response<hyper::body::Incoming>>) -> bool {
    let status = response.as_ref().map(http::Response::status);
    status.is_ok_and(|status| status == StatusCode::TOO_MANY_REQUESTS)
}

/// Asks and keeps the connection for as long as the future lives.
async fn hang(
    city: &Organisation,
    caller: &Caller,
    asked: Asked,
    door: &'static str,
) -> impl Future<Output = ()> + Send + 'static {
    if door == "grpc" {
        let client = caller.client(city).await.unwrap();
        let options = QueryOptions {
            federated: asked.federated,
            ..QueryOptions::new(asked.text, Instant::now() + LONG)
        };
        return async move {
            let mut answer = client.query(options.clone()).await;
            // The thread of the question before may not be free yet.
            while let Err(Error::Exhausted(_)) = answer {
                answer = client.query(options.clone()).await;
            }
            std::future::pending::<()>().await;
            drop((answer, client));
        }
        .boxed();
    }
    let path = match asked.federated {
        true => "/sparql?federated=true",
        false => "/sparql",
    };
    let request = caller.request(city, Method::POST, path, asked.kind, asked.text);
    if door == "http/2" {
        let stream = caller.connection(city, Protocol::Http2).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        return async move {
            let answer = async {
                let mut response = sender.send_request(request.clone()).await;
                while is_refused(&response) {
                    drop(response.unwrap().collect().await);
                    response = sender.send_request(request.clone()).await;
                }
                std::future::pending::<()>().await;
                drop(response);
            };
            tokio::join!(answer, connection).1.unwrap();
        }
        .boxed();
    }
    let stream = caller.connection(city, Protocol::Http1).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    async move {
        let answer = async {
            let mut response = sender.send_request(request.clone()).await;
            while is_refused(&response) {
                drop(response.unwrap().collect().await);
                response = sender.send_request(request.clone()).await;
            }
            std::future::pending::<()>().await;
            drop(response);
        };
        tokio::join!(answer, connection).1.unwrap();
    }
    .boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_reading_frees_the_thread_at_the_deadline() {
    let (city, steward) = narrow(1).await;
    let query = format!("PREFIX tl: <https://w3id.org/twinlink/ns#> {ROWS}");
    let started = Instant::now();
    // Over gRPC the client says in a header how long it waits, over HTTP in a parameter.
    let client = steward.client(&city).await.unwrap();
    let options = QueryOptions::new(&query, started + Duration::from_secs(2));
    let unread = client.query(options).await.unwrap();
    wait_until(&city, &steward, false, "grpc").await;
    drop(unread);

    let path = "/sparql?timeout=2000";
    let kind = "application/sparql-query";
    let request = steward.request(&city, Method::POST, path, kind, query);
    let stream = steward.connection(&city, Protocol::Http1).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut response = sender.send_request(request.clone()).await.unwrap();
    while response.status() == StatusCode::TOO_MANY_REQUESTS {
        response.body_mut().collect().await.unwrap();
        response = sender.send_request(request.clone()).await.unwrap();
    }
    assert_eq!(response.status(), StatusCode::OK);
    wait_until(&city, &steward, false, "http").await;
    // What is read now is not taken for the whole answer.
    let broken = loop {
        match response.body_mut().frame().await {
            Some(Ok(_)) => {}
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken);
}
