use super::fixture::{Answer, Fixture, get};
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use tower::ServiceExt as _;
use twinlink_core::{Code, Refusal, SourceState};

const ROWS: &str = "/sparql?query=SELECT%20%2A%20%7B%7D";
const MANY: usize = 20_000;

fn asking(path: &str) -> Request<Body> {
    let mut request = get(path);
    let accept = "application/x-ndjson".parse().unwrap();
    request.headers_mut().insert("accept", accept);
    request
}

fn lines(answer: &Answer) -> Vec<Value> {
    let lines = answer.text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn rows_have_their_sources_and_the_outcome_is_the_last_line() {
    for count in [0, 2, MANY] {
        let answer = Fixture::rows(count, || Ok(())).ask(asking(ROWS)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        assert!(!answer.broken);
        let lines = lines(&answer);
        assert_eq!(lines.len(), count + 2);
        assert_eq!(lines[0], json!({ "head": { "vars": ["x"] } }));
        if count > 0 {
            let value = &lines[1]["binding"]["x"];
            assert_eq!(value["type"], "literal");
            assert_eq!(value["value"], "0");
            assert_eq!(
                value["datatype"],
                "http://www.w3.org/2001/XMLSchema#integer"
            );
            assert!(lines[1]["sources"].is_array());
        }
        let outcome = &lines[count + 1]["outcome"];
        assert_eq!(outcome["complete"], true);
        assert_eq!(outcome["rows"], count);
        assert_eq!(outcome["receipt"], "header.payload.signature");
        assert_eq!(outcome["request"], answer.header("twinlink-request"));
        assert_eq!(
            outcome["sources"][0]["participant"],
            "https://city.example/"
        );
    }
}

#[tokio::test]
async fn truth_values_and_graphs_are_lines_too() {
    let ask = asking("/sparql?query=ASK%20%7B%7D");
    let answer = lines(&Fixture::default().ask(ask).await);
    assert_eq!(answer[0], json!({ "head": {}, "boolean": true }));
    assert!(answer[1]["outcome"].is_object());
    let path = "/sparql?query=CONSTRUCT%20WHERE%20%7B%3Fs%20%3Fp%20%3Fo%7D";
    let answer = lines(&Fixture::graph(1).ask(asking(path)).await);
    assert_eq!(answer[0], json!({ "head": {} }));
    assert_eq!(answer[1]["triple"]["predicate"]["type"], "uri");
    assert_eq!(answer.len(), 3);
}

#[tokio::test]
async fn lines_come_only_where_they_are_asked_for() {
    for (accept, is_lines) in [
        ("*/*", false),
        ("application/*", false),
        ("application/x-ndjson, text/csv;q=0.5", true),
        ("application/x-ndjson;q=0.5, text/csv", false),
        ("application/x-ndjson;q=0, */*", false),
    ] {
        let mut request = get(ROWS);
        request
            .headers_mut()
            .insert("accept", accept.parse().unwrap());
        let answer = Fixture::rows(2, || Ok(())).ask(request).await;
        let is = answer.header("content-type") == "application/x-ndjson";
        assert_eq!(is, is_lines, "{accept}");
    }
    let mut request = get(ROWS);
    request
        .headers_mut()
        .insert("accept", "image/png".parse().unwrap());
    let answer = Fixture::rows(2, || Ok(())).ask(request).await;
    assert!(
        answer.text.contains("application/x-ndjson"),
        "{}",
        answer.text
    );
}

/// However large, and without trailers.
#[tokio::test]
async fn what_is_missing_is_in_the_outcome() {
    for count in [2, 60_000] {
        let fixture = Fixture::rows(count, || Ok(())).without_peer(SourceState::TimedOut);
        let answer = fixture.ask(asking(&format!("{ROWS}&federated=true"))).await;
        assert!(!answer.broken);
        let last = lines(&answer).pop().unwrap();
        assert_eq!(last["outcome"]["complete"], false);
        assert_eq!(last["outcome"]["sources"][1]["state"], "timed out");
    }
}

#[tokio::test]
async fn what_breaks_off_has_no_outcome() {
    let fails = || Err(Refusal::new(Code::Internal, "test", "broke down"));
    let answer = Fixture::rows(MANY, fails).ask(asking(ROWS)).await;
    assert!(answer.broken);
    assert!(!answer.text.contains("outcome"));
    // Before anything was sent it has a status of its own.
    let answer = Fixture::rows(0, fails).ask(asking(ROWS)).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_leave_while_others_are_waited_for() {
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Arc::new(Mutex::new(waits));
    // All rows of a first piece, and then nothing until the first line was read.
    let fixture = Fixture::rows(1024, move || {
        waits.lock().unwrap().recv().unwrap();
        Ok(())
    });
    let response = fixture.router().oneshot(asking(ROWS)).await.unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"{\"head\""), "{first:?}");
    go_on.send(()).unwrap();
    let rest = body.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("\"outcome\""));
}
