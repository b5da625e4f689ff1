use super::fixture::{Fixture, get, send};
use axum::body::Body;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, Request, StatusCode};
use oxrdf::{GraphName, NamedNode};
use std::io::Write as _;
use twinlink_core::{Applied, Change};

const TURTLE: &str = "text/turtle; charset=utf-8";
const ONE: &str = "<person/1> <http://p/> [ <http://q/> 'x' ] .";

fn graph(name: &str) -> GraphName {
    NamedNode::new(name).unwrap().into()
}

fn created() -> Applied {
    Applied {
        sequence: 3,
        inserted: 2,
        removed: 0,
        created: true,
        version: None,
    }
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn put_packed(content: Vec<u8>) -> Request<Body> {
    let mut request = send(Method::PUT, "/data?default", TURTLE, "");
    request
        .headers_mut()
        .insert("content-encoding", "gzip".parse().unwrap());
    *request.body_mut() = Body::from(content);
    request
}

#[tokio::test]
async fn graphs_are_named_by_parameter_or_path() {
    for (path, name) in [
        ("/data?graph=http%3A%2F%2Fa%2F1.ttl", "http://a/1.ttl"),
        ("/data/?graph=http://a/1.ttl", "http://a/1.ttl"),
        ("/data?graph=http://a/%2531", "http://a/%31"),
        (
            "/data/person/1.ttl",
            "https://city.example/data/person/1.ttl",
        ),
        ("/data/a%20b", "https://city.example/data/a%20b"),
    ] {
        let fixture = Fixture::applying(created());
        let answer = fixture.ask(send(Method::PUT, path, TURTLE, ONE)).await;
        assert_eq!(
            answer.status,
            StatusCode::CREATED,
            "{path}: {}",
            answer.text
        );
        assert_eq!(answer.header("twinlink-inserted"), "2");
        let Change::Replace(target, quads) = fixture.changed() else {
            panic!("not a replacement");
        };
        assert_eq!(target, graph(name));
        assert_eq!(quads.len(), 2);
        assert!(quads.iter().all(|quad| quad.graph_name == target));
        let base = NamedNode::new(name).unwrap();
        let relative = oxrdf::NamedOrBlankNode::from(base);
        assert!(quads[0].subject != relative);
    }
}

#[tokio::test]
async fn the_default_graph_has_a_name_of_its_own() {
    let fixture = Fixture::applying(Applied::default());
    let answer = fixture
        .ask(send(Method::POST, "/data?default", TURTLE, ONE))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    let Change::Insert(quads) = fixture.changed() else {
        panic!("not an insertion");
    };
    assert!(
        quads
            .iter()
            .all(|quad| quad.graph_name == GraphName::DefaultGraph)
    );
}

#[tokio::test]
async fn a_new_graph_gets_a_name_that_leads_to_it() {
    let fixture = Fixture::applying(created());
    let answer = fixture.ask(send(Method::POST, "/data", TURTLE, ONE)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let location = answer.header("location").to_owned();
    assert!(
        location.starts_with("https://city.example/data/"),
        "{location}"
    );
    let Change::Insert(quads) = fixture.changed() else {
        panic!("not an insertion");
    };
    assert_eq!(quads[0].graph_name, graph(&location));
    let nothing = Fixture::applying(Applied::default());
    let answer = nothing.ask(send(Method::POST, "/data", TURTLE, "")).await;
    assert_eq!(
        answer.status,
        StatusCode::BAD_REQUEST,
        "there are no empty graphs"
    );
}

#[tokio::test]
async fn all_parts_of_a_form_are_taken() {
    let form = "--cut\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.ttl\"\r\n\
        Content-Type: text/turtle; charset=utf-8\r\n\r\n<http://s/> <http://p/> _:b .\r\n--cut\r\n\
        Content-Disposition: form-data; name=\"b\"\r\nContent-Type: application/n-triples\r\n\r\n\
        <http://s/> <http://p/> _:b .\r\n--cut--\r\n";
    let fixture = Fixture::applying(Applied::default());
    let kind = "multipart/form-data; boundary=cut";
    let answer = fixture.ask(send(Method::POST, "/data/x", kind, form)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    let Change::Insert(quads) = fixture.changed() else {
        panic!("not an insertion");
    };
    assert_eq!(quads.len(), 2);
    assert_ne!(
        quads[0].object, quads[1].object,
        "blank nodes of two files are two"
    );

    let broken = send(Method::POST, "/data/x", kind, "--cut\r\nnonsense");
    assert_eq!(fixture.ask(broken).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_graph_with_nothing_visible_is_not_found() {
    for path in ["/data?graph=http://a/", "/data/x"] {
        assert_eq!(
            Fixture::graph(0).ask(get(path)).await.status,
            StatusCode::NOT_FOUND
        );
        let answer = Fixture::graph(1).ask(get(path)).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), TURTLE);
        assert_eq!(answer.header("twinlink-complete"), "true");
    }
    assert_eq!(
        Fixture::graph(0).ask(get("/data?default")).await.status,
        StatusCode::OK
    );
    let gone = Fixture::applying(Applied::default());
    let answer = gone.ask(send(Method::DELETE, "/data/x", "", "")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let there = Fixture::applying(Applied {
        removed: 1,
        ..Applied::default()
    });
    let answer = there.ask(send(Method::DELETE, "/data/x", "", "")).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(matches!(there.changed(), Change::Clear(_)));
}

#[tokio::test]
async fn head_asks_without_reading_the_graph() {
    let fixture = Fixture::default();
    let mut request = send(Method::HEAD, "/data/x", "", "");
    request
        .headers_mut()
        .insert("accept", "text/turtle; charset=utf-8".parse().unwrap());
    let answer = fixture.ask(request).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), TURTLE);
    assert!(answer.text.is_empty());
    assert!(!answer.header("twinlink-request").is_empty());
    assert!(fixture.asked().0.starts_with("ASK"));
}

#[tokio::test]
async fn malformed_requests_change_nothing() {
    let put = |path: &str, kind: &str, body: &str| send(Method::PUT, path, kind, body);
    let large = "#".repeat(200_000);
    for (request, status) in [
        (get("/data"), 400),
        (put("/data", TURTLE, ONE), 400),
        (get("/data?graph=relative"), 400),
        (get("/data?graph=http://a/&default"), 400),
        (get("/data?graph=http://a/&graph=http://b/"), 400),
        (get("/data/x?graph=http://a/"), 400),
        (get("/data/x?purpose=none"), 400),
        (put("/data/x", "text/plain", ONE), 415),
        (put("/data/x", "", ONE), 415),
        (put("/data/x", "text/turtle; charset=utf-16", ONE), 415),
        (
            put("/data/x", "application/x-www-form-urlencoded", ONE),
            415,
        ),
        (put("/data/x", TURTLE, &large), 413),
        (
            put(
                "/data/x",
                "application/trig",
                "<http://g/> { <http://s/> <http://p/> 1 }",
            ),
            400,
        ),
        (
            put(
                "/data/x",
                "application/ld+json",
                r#"{"@context":"http://remote.example/"}"#,
            ),
            400,
        ),
        (
            put(
                "/data/x",
                TURTLE,
                &"<http://s/> <http://p/> ".to_owned().repeat(2),
            ),
            400,
        ),
        (put_packed(b"not packed at all".to_vec()), 400),
        (put_packed(packed(&vec![b' '; 50_000_000])), 413),
    ] {
        let fixture = Fixture::applying(created());
        let what = format!("{request:?}");
        let answer = fixture.ask(request).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(fixture.seen().is_empty(), "{what}");
    }
    let mut brotli = put("/data/x", TURTLE, ONE);
    brotli
        .headers_mut()
        .insert("content-encoding", "br".parse().unwrap());
    let answer = Fixture::applying(created()).ask(brotli).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn broken_rdf_is_refused_with_its_place() {
    let text = "<http://a> <http://b> <http://c> .\n<http://a> oops .";
    let answer = Fixture::applying(created())
        .ask(send(Method::PUT, "/data/x", TURTLE, text))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text.contains("body:2:"), "{}", answer.text);
}

#[tokio::test]
async fn packed_bodies_are_taken() {
    let fixture = Fixture::applying(created());
    let answer = fixture.ask(put_packed(packed(ONE.as_bytes()))).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert!(
        matches!(fixture.changed(), Change::Replace(GraphName::DefaultGraph, quads) if quads.len() == 2)
    );
}

#[tokio::test]
async fn strangers_bodies_are_not_read() {
    let mut request = send(Method::PUT, "/data/x", TURTLE, "");
    request.headers_mut().remove("authorization");
    let endless = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    *request.body_mut() = Body::from_stream(endless);
    let fixture = Fixture::applying(created());
    assert_eq!(fixture.ask(request).await.status, StatusCode::UNAUTHORIZED);
    assert!(fixture.seen().is_empty());
}
