use super::fixture::{Fixture, Seen, get, send};
use http::{Method, StatusCode};
use oxrdf::NamedNode;
use twinlink_core::{Applied, Change};

const FORM: &str = "application/x-www-form-urlencoded";
const QUERY: &str = "application/sparql-query";
const UPDATE: &str = "application/sparql-update";

#[tokio::test]
async fn a_query_comes_three_ways() {
    for request in [
        get("/sparql?query=ASK%20%7B%7D"),
        get("/sparql/?query=ASK+%7B%7D"),
        send(Method::POST, "/sparql", FORM, "query=ASK%20%7B%7D"),
        send(
            Method::POST,
            "/sparql",
            "application/sparql-query; charset=utf-8",
            "ASK {}",
        ),
    ] {
        let fixture = Fixture::default();
        let answer = fixture.ask(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(
            answer.header("content-type"),
            "application/sparql-results+json"
        );
        assert_eq!(answer.text, r#"{"head":{},"boolean":true}"#);
        assert_eq!(answer.header("twinlink-complete"), "true");
        assert_eq!(
            answer.header("twinlink-receipt"),
            "header.payload.signature"
        );
        assert!(!answer.header("twinlink-request").is_empty());
        assert_eq!(fixture.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_update_comes_two_ways() {
    for request in [
        send(Method::POST, "/sparql", FORM, "update=CLEAR+ALL"),
        send(Method::POST, "/sparql", UPDATE, "CLEAR ALL"),
    ] {
        let fixture = Fixture::applying(Applied {
            removed: 7,
            ..Applied::default()
        });
        let answer = fixture.ask(request).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        assert_eq!(answer.header("twinlink-removed"), "7");
        let Change::Update {
            update,
            base,
            using,
        } = fixture.changed()
        else {
            panic!("not an update");
        };
        assert_eq!(update, "CLEAR ALL");
        assert_eq!(base.as_deref(), Some("https://city.example/sparql"));
        assert_eq!(using, None);
    }
}

#[tokio::test]
async fn the_protocols_dataset_reaches_the_twin() {
    let fixture = Fixture::default();
    let path = "/sparql?default-graph-uri=http%3A%2F%2Fa%2F&named-graph-uri=http://b/";
    let body = "query=ASK%20%7B%7D&default-graph-uri=http%3A%2F%2Fc%2F";
    fixture.ask(send(Method::POST, path, FORM, body)).await;
    let dataset = fixture.asked().1.unwrap();
    let names = |graphs: &[NamedNode]| -> Vec<_> {
        graphs
            .iter()
            .map(|graph| graph.as_str().to_owned())
            .collect()
    };
    assert_eq!(names(&dataset.default_graphs), ["http://a/", "http://c/"]);
    assert_eq!(names(&dataset.named_graphs), ["http://b/"]);

    let fixture = Fixture::applying(Applied::default());
    let path = "/sparql?using-graph-uri=http://a/&using-named-graph-uri=http://b/";
    fixture
        .ask(send(Method::POST, path, UPDATE, "CLEAR ALL"))
        .await;
    let Change::Update { using, .. } = fixture.changed() else {
        panic!("not an update");
    };
    let using = using.unwrap();
    assert_eq!(names(&using.default_graphs), ["http://a/"]);
    assert_eq!(names(&using.named_graphs), ["http://b/"]);
}

#[tokio::test]
async fn relative_iris_start_at_the_endpoint() {
    let fixture = Fixture::default();
    fixture
        .ask(get("/sparql?query=ASK%20%7B%3Ca%3E%20%3Cb%3E%20%3Cc%3E%7D"))
        .await;
    assert!(fixture.asked().0.contains("<https://city.example/a>"));
}

#[tokio::test]
async fn malformed_requests_are_refused_before_the_twin_sees_them() {
    let post = |kind: &str, body: &str| send(Method::POST, "/sparql", kind, body);
    let with = "WITH <http://a/> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }";
    let long = format!("ASK {{}} #{}", "x".repeat(20_000));
    for (request, status) in [
        (
            get("/sparql?query=ASK%20%7B%7D&query=SELECT%20%2A%20%7B%7D"),
            400,
        ),
        (get("/sparql?query=ASK%20%7B"), 400),
        (get("/sparql?query=ASK%20%7B%7D%FF"), 400),
        (get("/sparql?update=CLEAR%20ALL"), 400),
        (get("/sparql?federated=true"), 400),
        (
            get("/sparql?query=ASK%20%7B%7D&default-graph-uri=relative"),
            400,
        ),
        (
            get("/sparql?query=ASK%20%7B%7D&using-graph-uri=http://a/"),
            400,
        ),
        (get("/sparql?query=ASK%20%7B%7D&timeout=soon"), 400),
        (
            get("/sparql?query=ASK%20%7B%7D&purpose=https://city.example/other"),
            403,
        ),
        (post("text/plain", "ASK {}"), 415),
        (post("", "ASK {}"), 415),
        (post("", "query=ASK%20%7B%7D"), 415),
        (
            post("application/sparql-query; charset=UTF-16", "ASK {}"),
            415,
        ),
        (
            post("application/sparql-update; charset=UTF-16", "CLEAR NAMED"),
            415,
        ),
        (post(FORM, ""), 400),
        (post(FORM, "update=CLEAR%20XYZ"), 400),
        (
            post(FORM, "update=CLEAR%20NAMED&update=CLEAR%20DEFAULT"),
            400,
        ),
        (post(FORM, "update=CLEAR%20ALL&query=ASK%20%7B%7D"), 400),
        (post(FORM, "update=CLEAR%20ALL&federated=true"), 400),
        (post(UPDATE, "CLEAR"), 400),
        (post(QUERY, &long), 413),
        (post(FORM, &format!("query={}", "x".repeat(200_000))), 413),
        (
            send(Method::POST, "/sparql?query=ASK%7B%7D", QUERY, "ASK {}"),
            400,
        ),
        (
            send(
                Method::POST,
                "/sparql?using-named-graph-uri=http://b/",
                UPDATE,
                with,
            ),
            400,
        ),
        (
            send(
                Method::POST,
                "/sparql?default-graph-uri=http://b/",
                UPDATE,
                "CLEAR ALL",
            ),
            400,
        ),
    ] {
        let fixture = Fixture::default();
        let what = format!("{request:?}");
        let answer = fixture.ask(request).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(fixture.seen().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_refused() {
    let mut request = send(Method::POST, "/sparql", QUERY, "");
    *request.body_mut() = axum::body::Body::from(b"ASK { ?s ?p '\xff' }".to_vec());
    let answer = Fixture::default().ask(request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("byte 13"), "{}", answer.text);
}

#[tokio::test]
async fn syntax_errors_tell_their_place_and_deep_nesting_is_one() {
    let answer = Fixture::default()
        .ask(send(Method::POST, "/sparql", QUERY, "ASK {\n ?s ?p }"))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains('2'), "{}", answer.text);
    let deep = format!(
        "ASK {{ FILTER({}1{}) }}",
        "(".repeat(3_000),
        ")".repeat(3_000)
    );
    let answer = Fixture::default()
        .ask(send(Method::POST, "/sparql", QUERY, &deep))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
}

#[tokio::test]
async fn strangers_cannot_send_updates_and_their_bodies_are_not_read() {
    let mut request = send(Method::POST, "/sparql", UPDATE, "");
    request.headers_mut().remove("authorization");
    let endless = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    *request.body_mut() = axum::body::Body::from_stream(endless);
    let answer = Fixture::default().ask(request).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_stated_purpose_must_be_the_tokens() {
    let fixture = Fixture::default();
    let path = "/sparql?query=ASK%20%7B%7D&purpose=https%3A%2F%2Fcity.example%2Fpurpose";
    assert_eq!(fixture.ask(get(path)).await.status, StatusCode::OK);
    assert!(matches!(fixture.seen().as_slice(), [Seen::Asked(..)]));
}
