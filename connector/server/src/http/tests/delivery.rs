use super::fixture::{Answer, Fixture, get};
use axum::body::Body;
use http::{Request, StatusCode, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower::ServiceExt as _;
use twinlink_core::{Code, Evaluated, Head, Piece, Refusal, Solution, SourceState};

const ROWS: &str = "/sparql?query=SELECT%20%2A%20%7B%7D";
const MANY: usize = 20_000;
const TOO_MANY_TO_HOLD: usize = 60_000;

fn accepting(path: &str, accept: &str) -> Request<Body> {
    let mut request = get(path);
    request
        .headers_mut()
        .insert("accept", accept.parse().unwrap());
    request
}

fn reading_trailers(path: &str) -> Request<Body> {
    let mut request = accepting(path, "text/csv");
    request
        .headers_mut()
        .insert("te", "trailers".parse().unwrap());
    request
}

fn fails() -> Result<(), Refusal> {
    Err(Refusal::new(Code::Internal, "test", "broke down"))
}

fn sources(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(answer.header("twinlink-sources")).unwrap()
}

#[tokio::test]
async fn rows_come_in_every_format() {
    for (accept, kind, body) in [
        ("text/csv", "text/csv; charset=utf-8", "x\r\n0\r\n1\r\n"),
        (
            "text/tab-separated-values",
            "text/tab-separated-values; charset=utf-8",
            "?x\n0\n1\n",
        ),
        (
            "application/sparql-results+json",
            "application/sparql-results+json",
            r#"{"head":{"vars":["x"]},"results":{"bindings":[{"x":{"type":"literal","value":"0","datatype":"http://www.w3.org/2001/XMLSchema#integer"}},{"x":{"type":"literal","value":"1","datatype":"http://www.w3.org/2001/XMLSchema#integer"}}]}}"#,
        ),
        (
            "application/sparql-results+xml",
            "application/sparql-results+xml",
            r#"<?xml version="1.0"?><sparql xmlns="http://www.w3.org/2005/sparql-results#"><head><variable name="x"/></head><results><result><binding name="x"><literal datatype="http://www.w3.org/2001/XMLSchema#integer">0</literal></binding></result><result><binding name="x"><literal datatype="http://www.w3.org/2001/XMLSchema#integer">1</literal></binding></result></results></sparql>"#,
        ),
    ] {
        let answer = Fixture::rows(2, || Ok(()))
            .ask(accepting(ROWS, accept))
            .await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), kind);
        assert_eq!(answer.text, body);
    }
}

#[tokio::test]
async fn graphs_come_in_every_format() {
    for (accept, kind) in [
        ("text/turtle; charset=utf-8", "text/turtle; charset=utf-8"),
        ("application/n-triples", "application/n-triples"),
        ("application/rdf+xml", "application/rdf+xml"),
        ("application/ld+json", "application/ld+json"),
        ("application/trig", "application/trig"),
        ("application/n-quads", "application/n-quads"),
        ("*/*", "text/turtle; charset=utf-8"),
    ] {
        let path = "/sparql?query=CONSTRUCT%20WHERE%20%7B%3Fs%20%3Fp%20%3Fo%7D";
        let answer = Fixture::graph(1).ask(accepting(path, accept)).await;
        assert_eq!(answer.status, StatusCode::OK, "{accept}");
        assert_eq!(answer.header("content-type"), kind);
        assert!(
            answer.text.contains("http://example.org/"),
            "{accept}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn what_is_not_offered_is_told_with_what_is() {
    for accept in ["image/png", "text/turtle"] {
        let answer = Fixture::rows(2, || Ok(()))
            .ask(accepting(ROWS, accept))
            .await;
        assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
        assert!(answer.text.contains("text/csv"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_small_answer_carries_its_outcome_in_the_header() {
    let answer = Fixture::rows(2, || Ok(())).ask(get(ROWS)).await;
    assert_eq!(
        answer.header("content-length"),
        answer.text.len().to_string()
    );
    assert_eq!(answer.header("twinlink-complete"), "true");
    assert_eq!(sources(&answer)[0]["participant"], "https://city.example/");
    assert_eq!(sources(&answer)[0]["rows"], 2);
    assert!(answer.trailers.is_none());
}

#[tokio::test]
async fn a_large_answer_carries_its_outcome_in_the_trailer() {
    let answer = Fixture::rows(MANY, || Ok(()))
        .ask(reading_trailers(ROWS))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("trailer").contains("twinlink-sources"));
    assert_eq!(answer.header("twinlink-complete"), "");
    assert_eq!(answer.text.lines().count(), MANY + 1);
    let trailers = answer.trailers.unwrap();
    assert_eq!(trailers["twinlink-complete"], "true");
    assert_eq!(trailers["twinlink-receipt"], "header.payload.signature");
    assert!(!answer.broken);
}

#[tokio::test]
async fn no_short_answer() {
    let answer = Fixture::rows(MANY, fails).ask(reading_trailers(ROWS)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.broken);
    assert!(answer.trailers.is_none());
}

#[tokio::test]
async fn a_failure_before_anything_was_sent_has_a_status_of_its_own() {
    for count in [0, 2] {
        let answer = Fixture::rows(count, fails).ask(get(ROWS)).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(!answer.text.contains("broke down"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_missing_peer_is_told_where_the_client_will_see_it() {
    let path = &format!("{ROWS}&federated=true");
    let fixture = || Fixture::rows(2, || Ok(())).without_peer(SourceState::Unreachable);
    let answer = fixture().ask(get(path)).await;
    assert_eq!(answer.header("twinlink-complete"), "false");
    assert_eq!(sources(&answer)[1]["state"], "unreachable");

    let many = |count| Fixture::rows(count, || Ok(())).without_peer(SourceState::TimedOut);
    let answer = many(MANY).ask(reading_trailers(path)).await;
    assert_eq!(answer.trailers.unwrap()["twinlink-complete"], "false");

    // Without trailers more is held back; what is larger still must not look whole.
    let answer = many(MANY).ask(get(path)).await;
    assert_eq!(answer.header("twinlink-complete"), "false");
    let answer = many(TOO_MANY_TO_HOLD).ask(get(path)).await;
    assert!(answer.broken);
    let answer = Fixture::rows(TOO_MANY_TO_HOLD, || Ok(()))
        .ask(get(path))
        .await;
    assert!(!answer.broken);
}

#[tokio::test]
async fn required_or_refused() {
    let path = |word: &str| format!("{ROWS}&federated=true&require={word}");
    for state in [
        SourceState::Unreachable,
        SourceState::Denied,
        SourceState::Partial,
    ] {
        let fixture = || Fixture::rows(MANY, || Ok(())).without_peer(state);
        for word in [
            "all",
            "2",
            "https://police.example/",
            "https://nobody.example/",
        ] {
            let answer = fixture().ask(get(&path(word))).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{word}");
            let problem: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
            assert_eq!(problem["sources"][1]["state"], state.as_str(), "{problem}");
            assert_eq!(problem["sources"][0]["state"], "complete");
        }
        for word in ["1", "exact", "https://city.example/"] {
            let answer = fixture().ask(get(&path(word))).await;
            assert_eq!(answer.status, StatusCode::OK, "{word}");
        }
    }
    // Where all are in, and where only this twin is asked, nothing is missing.
    for path in [path("all"), format!("{ROWS}&require=all&require=1")] {
        let answer = Fixture::rows(2, || Ok(())).ask(get(&path)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    let values_fail = Fixture::with(|sink| {
        sink.put(Piece::Head(Head::Solutions(Vec::new())))?;
        Ok(Evaluated {
            not_evaluable: 1,
            ..Evaluated::default()
        })
    });
    let answer = values_fail.ask(get(&path("all"))).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = values_fail
        .ask(get(&format!("{ROWS}&federated=true")))
        .await;
    assert_eq!(sources(&answer)[0]["state"], "partial");
}

#[tokio::test]
async fn the_oldest_http_gets_only_what_is_known_whole() {
    let old = |count| async move {
        let mut request = get(ROWS);
        *request.version_mut() = Version::HTTP_10;
        Fixture::rows(count, || Ok(())).ask(request).await
    };
    assert_eq!(old(MANY).await.status, StatusCode::OK);
    let long = old(TOO_MANY_TO_HOLD).await;
    assert!(long.status.is_client_error() || long.status.is_server_error());
    assert!(long.text.contains("HTTP/1.1"), "{}", long.text);
}

#[tokio::test]
async fn a_slow_reader_slows_the_evaluation() {
    let put = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&put);
    let fixture = Fixture::with(move |sink| {
        sink.put(Piece::Head(Head::Solutions(vec![
            oxrdf::Variable::new("x").unwrap(),
        ])))?;
        let row = Solution {
            values: vec![Some(oxrdf::Literal::from("x".repeat(1000)).into())],
            sources: Arc::from([0]),
        };
        for _ in 0..10_000 {
            sink.put(Piece::Solutions(vec![row.clone()]))?;
            counter.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Evaluated::default())
    });
    let response = fixture
        .router()
        .oneshot(reading_trailers(ROWS))
        .await
        .unwrap();
    // About 64 rows are held back and some more wait in the channel; the rest is not evaluated yet.
    assert!(put.load(Ordering::SeqCst) < 200);
    drop(response);
}

#[tokio::test]
async fn a_reader_that_stops_does_not_hold_the_evaluation() {
    let (stopped_in, stopped) = std::sync::mpsc::channel();
    let fixture = Fixture::with(move |sink| {
        let head = Head::Solutions(vec![oxrdf::Variable::new("x").unwrap()]);
        sink.put(Piece::Head(head))?;
        let row = Solution {
            values: vec![Some(oxrdf::Literal::from("x".repeat(1000)).into())],
            sources: Arc::from([0]),
        };
        loop {
            if let Err(refusal) = sink.put(Piece::Solutions(vec![row.clone()])) {
                stopped_in.send(()).unwrap();
                return Err(refusal);
            }
        }
    })
    .within(Duration::from_secs(3));
    let response = fixture
        .router()
        .oneshot(reading_trailers(ROWS))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let wait = move || stopped.recv_timeout(Duration::from_secs(20));
    tokio::task::spawn_blocking(wait).await.unwrap().unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(body.is_err(), "a body that was cut must not end well");
}

/// Over a real connection: what the client sees is what HTTP makes of our body.
async fn over_the_wire(fixture: &Fixture) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = fixture.router();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET {ROWS} HTTP/1.1\r\nhost: city.example\r\nauthorization: Bearer good\r\naccept: text/csv\r\nte: trailers\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    // A connection that is torn down is one way to see that the body broke off.
    drop(stream.read_to_end(&mut received).await);
    server.abort();
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn on_the_wire_trailers_follow_the_rows() {
    let received = over_the_wire(&Fixture::rows(MANY, || Ok(()))).await;
    assert!(received.starts_with("HTTP/1.1 200"));
    let end = received.rsplit("\r\n0\r\n").next().unwrap();
    assert!(end.contains("twinlink-complete: true\r\n"), "{end}");
    assert!(
        end.contains("twinlink-receipt: header.payload.signature\r\n"),
        "{end}"
    );
}

#[tokio::test]
async fn on_the_wire_a_failure_breaks_the_body_off() {
    let received = over_the_wire(&Fixture::rows(200_000, fails)).await;
    assert!(received.starts_with("HTTP/1.1 200"));
    assert!(!received.ends_with("0\r\n\r\n"), "the body ends well");
    assert!(!received.contains("twinlink-complete:"));
}
