use super::fixture::{Answer, Fixture, as_guest, get, send};
use http::{Method, StatusCode};

const TURTLE: &str = "text/turtle; charset=utf-8";
const JOHN: &str = "<http://person/1> <http://name> 'John' .";
const JANE: &str = "<http://person/1> <http://name> 'Jane' .";

async fn put(fixture: &Fixture, path: &str, body: &str) -> StatusCode {
    fixture
        .ask(send(Method::PUT, path, TURTLE, body))
        .await
        .status
}

async fn delete(fixture: &Fixture, path: &str) -> StatusCode {
    fixture.ask(send(Method::DELETE, path, "", "")).await.status
}

async fn update(fixture: &Fixture, path: &str, text: &str) -> Answer {
    fixture
        .ask(send(Method::POST, path, "application/sparql-update", text))
        .await
}

async fn holds(fixture: &Fixture, path: &str, query: &str) -> bool {
    let request = send(Method::POST, path, "application/sparql-query", query);
    let answer = fixture.ask(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.text);
    answer.text.contains("true")
}

#[tokio::test]
async fn a_graph_lives_from_put_to_delete() {
    for path in ["/data/person/1.ttl", "/data?graph=http%3A%2F%2Fa%2F1.ttl"] {
        let fixture = Fixture::stored();
        assert_eq!(fixture.ask(get(path)).await.status, StatusCode::NOT_FOUND);
        assert_eq!(put(&fixture, path, JOHN).await, StatusCode::CREATED);
        assert!(fixture.ask(get(path)).await.text.contains("John"));
        assert_eq!(put(&fixture, path, JANE).await, StatusCode::NO_CONTENT);
        let answer = fixture.ask(get(path)).await;
        assert!(answer.text.contains("Jane") && !answer.text.contains("John"));
        let more = send(Method::POST, path, TURTLE, JOHN);
        assert_eq!(fixture.ask(more).await.status, StatusCode::NO_CONTENT);
        let answer = fixture.ask(get(path)).await;
        assert!(answer.text.contains("Jane") && answer.text.contains("John"));
        let head = fixture.ask(send(Method::HEAD, path, "", "")).await;
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(delete(&fixture, path).await, StatusCode::NO_CONTENT);
        assert_eq!(delete(&fixture, path).await, StatusCode::NOT_FOUND);
        let head = fixture.ask(send(Method::HEAD, path, "", "")).await;
        assert_eq!(head.status, StatusCode::NOT_FOUND);
        assert_eq!(put(&fixture, path, "").await, StatusCode::NO_CONTENT);
        assert_eq!(fixture.ask(get(path)).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_default_graph_is_not_the_others() {
    let fixture = Fixture::stored();
    put(&fixture, "/data?graph=http://a/", JOHN).await;
    put(&fixture, "/data?default", JANE).await;
    let answer = fixture.ask(get("/data?default")).await;
    assert!(answer.text.contains("Jane") && !answer.text.contains("John"));
    assert_eq!(
        delete(&fixture, "/data?default").await,
        StatusCode::NO_CONTENT
    );
    assert!(
        !fixture
            .ask(get("/data?default"))
            .await
            .text
            .contains("Jane")
    );
    assert!(
        fixture
            .ask(get("/data?graph=http://a/"))
            .await
            .text
            .contains("John")
    );
}

#[tokio::test]
async fn a_new_graph_is_found_where_its_location_says() {
    let fixture = Fixture::stored();
    let answer = fixture.ask(send(Method::POST, "/data", TURTLE, JOHN)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let location = answer.header("location").to_owned();
    let path = location.strip_prefix("https://city.example").unwrap();
    assert!(fixture.ask(get(path)).await.text.contains("John"));
    let indirect = format!("/data?graph={location}");
    assert!(fixture.ask(get(&indirect)).await.text.contains("John"));
}

#[tokio::test]
async fn graph_names_are_decoded_once() {
    let fixture = Fixture::stored();
    assert_eq!(
        put(&fixture, "/data?graph=http://a/%31", JOHN).await,
        StatusCode::CREATED
    );
    assert_eq!(
        put(&fixture, "/data?graph=http://a/%2531", JANE).await,
        StatusCode::CREATED
    );
    assert!(
        fixture
            .ask(get("/data?graph=http%3A%2F%2Fa%2F1"))
            .await
            .text
            .contains("John")
    );
    assert!(
        fixture
            .ask(get("/data?graph=http://a/%2531"))
            .await
            .text
            .contains("Jane")
    );
}

#[tokio::test]
async fn the_protocols_dataset_wins_over_the_querys() {
    let fixture = Fixture::stored();
    put(&fixture, "/data?graph=http://a/", JOHN).await;
    put(&fixture, "/data?graph=http://b/", JANE).await;
    let query = "ASK FROM <http://b/> { ?s ?p 'John' }";
    assert!(!holds(&fixture, "/sparql", query).await);
    assert!(holds(&fixture, "/sparql?default-graph-uri=http://a/", query).await);
    let named = "ASK { GRAPH ?g { ?s ?p 'Jane' } }";
    assert!(holds(&fixture, "/sparql?named-graph-uri=http://b/", named).await);
    assert!(!holds(&fixture, "/sparql?named-graph-uri=http://a/", named).await);
}

#[tokio::test]
async fn updates_see_the_protocols_dataset_and_base() {
    let fixture = Fixture::stored();
    put(&fixture, "/data?graph=http://a/", JOHN).await;
    put(&fixture, "/data?graph=http://b/", JANE).await;
    let text = "INSERT { GRAPH <http://c/> { ?s <copied> ?o } } WHERE { ?s ?p ?o }";
    let answer = update(&fixture, "/sparql?using-graph-uri=http://a/", text).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
    assert_eq!(answer.header("twinlink-inserted"), "1");
    let query = "ASK { GRAPH <http://c/> { ?s <https://city.example/copied> 'John' } }";
    assert!(holds(&fixture, "/sparql", query).await);
    let query = "ASK { GRAPH <http://c/> { ?s ?p 'Jane' } }";
    assert!(!holds(&fixture, "/sparql", query).await);
}

#[tokio::test]
async fn broken_rdf_leaves_the_graph_as_it_was() {
    let fixture = Fixture::stored();
    put(&fixture, "/data/x", JOHN).await;
    let broken = format!("{JANE}\n<http://person/1> oops");
    assert_eq!(
        put(&fixture, "/data/x", &broken).await,
        StatusCode::BAD_REQUEST
    );
    let answer = fixture.ask(get("/data/x")).await;
    assert!(answer.text.contains("John") && !answer.text.contains("Jane"));
}

#[tokio::test]
async fn guests_see_what_is_theirs_and_cannot_tell_the_rest_from_nothing() {
    let fixture = Fixture::stored();
    put(&fixture, "/data?graph=http://open/", JOHN).await;
    put(&fixture, "/data?graph=http://closed/", JANE).await;
    let open = fixture.ask(as_guest(get("/data?graph=http://open/"))).await;
    assert!(open.text.contains("John"));
    let hidden = fixture
        .ask(as_guest(get("/data?graph=http://closed/")))
        .await;
    let absent = fixture
        .ask(as_guest(get("/data?graph=http://absent/")))
        .await;
    for answer in [&hidden, &absent] {
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.header("twinlink-sources"), "");
    }
    let shape = |answer: &Answer| {
        let mut problem: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        problem["instance"] = serde_json::Value::Null;
        problem
    };
    assert_eq!(shape(&hidden), shape(&absent));
    for path in [
        "/data?graph=http://open/",
        "/data?graph=http://absent/",
        "/data",
    ] {
        let write = as_guest(send(Method::POST, path, TURTLE, JANE));
        assert_eq!(fixture.ask(write).await.status, StatusCode::FORBIDDEN);
    }
    let drop = as_guest(send(Method::DELETE, "/data?graph=http://closed/", "", ""));
    assert_eq!(fixture.ask(drop).await.status, StatusCode::FORBIDDEN);
}
