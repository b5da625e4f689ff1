//! The door as a client meets it, over a twin that follows a script or one that keeps what it is told.

mod delivery;
mod fixture;
mod graph_store;
mod lines;
mod protocol;
mod stored;

use fixture::{Fixture, get, send, text};
use http::{Method, Request, StatusCode};

#[tokio::test]
async fn the_front_page_names_the_endpoints_and_no_data() {
    let answer = Fixture::default().ask(get("/")).await;
    let page: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(page["sparql"], "https://city.example/sparql");
    assert_eq!(page["participant"], "https://city.example/");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("vary").contains("Accept"));
}

#[tokio::test]
async fn health_needs_no_credentials_and_ready_tells_the_truth() {
    let fixture = Fixture::default();
    let stranger = |path: &str| Request::get(path).body(text("")).unwrap();
    assert_eq!(fixture.ask(stranger("/health")).await.text, "ok");
    assert_eq!(fixture.ask(stranger("/ready")).await.text, "ready");
    fixture.stop();
    let answer = fixture.ask(stranger("/ready")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        answer.text.contains("not ready: serving"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn what_does_not_exist_is_a_problem() {
    let fixture = Fixture::default();
    for path in ["/nothing", "/sparql/deeper", "/health/x"] {
        let answer = fixture.ask(get(path)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let fixture = Fixture::default();
    for (method, path, allow) in [
        (Method::PUT, "/sparql", "GET, HEAD, POST, OPTIONS"),
        (
            Method::PATCH,
            "/data?default",
            "GET, HEAD, PUT, POST, DELETE, OPTIONS",
        ),
        (Method::POST, "/health", "GET, HEAD"),
        (Method::DELETE, "/", "GET, HEAD"),
    ] {
        let answer = fixture.ask(send(method, path, "", "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), allow);
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let answer = fixture.ask(send(Method::OPTIONS, "/sparql", "", "")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.header("allow"), "GET, HEAD, POST, OPTIONS");
}

#[tokio::test]
async fn long_urls_are_refused() {
    let path = format!("/sparql?query={}", "a".repeat(40_000));
    let answer = Fixture::default().ask(get(&path)).await;
    assert_eq!(answer.status, StatusCode::URI_TOO_LONG);
}

#[tokio::test]
async fn strangers_are_asked_for_a_token() {
    let fixture = Fixture::default();
    for (header, value) in [
        ("accept", "*/*"),
        ("authorization", "Bearer bad"),
        ("authorization", "Basic Z29vZDpnb29k"),
    ] {
        let request = Request::get("/sparql?query=ASK%7B%7D&access_token=good")
            .header(header, value)
            .body(text(""))
            .unwrap();
        let answer = fixture.ask(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
    }
    let mut twice = get("/sparql?query=ASK%7B%7D");
    twice
        .headers_mut()
        .append("authorization", "Bearer bad".parse().unwrap());
    assert_eq!(fixture.ask(twice).await.status, StatusCode::BAD_REQUEST);
    assert!(fixture.seen().is_empty());
}

#[tokio::test]
async fn the_service_description_says_nothing_of_the_twin() {
    let request = Request::get("/sparql")
        .header("accept", "application/n-triples")
        .body(text(""))
        .unwrap();
    let fixture = Fixture::default();
    let answer = fixture.ask(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/n-triples");
    let endpoint = "sparql-service-description#endpoint> <https://city.example/sparql>";
    assert!(answer.text.contains(endpoint), "{}", answer.text);
    assert!(!answer.text.contains("namedGraph"));
    assert!(fixture.seen().is_empty());
    let html = Request::get("/sparql")
        .header("accept", "text/html")
        .body(text(""))
        .unwrap();
    assert_eq!(fixture.ask(html).await.status, StatusCode::NOT_ACCEPTABLE);
}
