//! Clients that go away, or stop reading, in the middle: their evaluations end, and others are served.

use super::caller::{Caller, PATIENCE};
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

/// Far below the deadline of a request.
const SOON: Duration = Duration::from_secs(20);

/// A connector with one evaluation thread and a few thousand triples about one thing.
async fn narrow() -> (Organisation, Caller) {
    let mut city = Organisation::new("city");
    let mut data = String::new();
    for number in 0..3000 {
        writeln!(
            data,
            "<https://city.example/{number}> tl:concerns <https://city.example/hub> ."
        )
        .unwrap();
    }
    city.import(&data, None);
    city.configure("[limits]\nconcurrency = 1\nwaiting = 0\ndeadline_seconds = 60");
    city.serve().await;
    let steward = city.steward();
    (city, steward)
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
    let (city, steward) = narrow().await;
    // Before the head of the answer is known, and after.
    for query in [
        format!("ASK {ENDLESS}"),
        format!("SELECT (COUNT(*) AS ?n) WHERE {ENDLESS}"),
        format!("SELECT * WHERE {ENDLESS}"),
        ROWS.to_owned(),
    ] {
        let query = format!("PREFIX tl: <https://w3id.org/twinlink/ns#> {query}");
        for door in ["grpc", "http/1.1", "http/2"] {
            let asked = tokio::spawn(hang(&city, &steward, query.clone(), door).await);
            let case = format!("{door}: {query}");
            wait_until(&city, &steward, true, &case).await;
            asked.abort();
            assert!(asked.await.unwrap_err().is_cancelled(), "{case}");
            wait_until(&city, &steward, false, &case).await;
        }
    }
}

fn is_refused(response: &hyper::Result<http::Response<hyper::body::Incoming>>) -> bool {
    let status = response.as_ref().map(http::Response::status);
    status.is_ok_and(|status| status == StatusCode::TOO_MANY_REQUESTS)
}

/// Asks and keeps the connection for as long as the future lives.
async fn hang(
    city: &Organisation,
    caller: &Caller,
    query: String,
    door: &'static str,
) -> impl Future<Output = ()> + Send + 'static {
    if door == "grpc" {
        let client = caller.client(city).await.unwrap();
        let options = QueryOptions::new(query, Instant::now() + 2 * PATIENCE);
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
    let kind = "application/sparql-query";
    let request = caller.request(city, Method::POST, "/sparql", kind, query);
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
    let (city, steward) = narrow().await;
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
