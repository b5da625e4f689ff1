//! Endpoints as they are: one of our own, quirky ones, and hostile ones, over loopback.

mod abilities;
mod tls;

use super::*;
use crate::grpc::tests::fakes::{TOKEN, World};
use crate::http::{HttpSettings, router};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode};
use oxrdf::{GraphName, Quad};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use twinlink_core::{Budget, Change, Connector, DatasetChoice, Delegation, Twin as _};
use twinlink_federation::Room;
use twinlink_store::{EvaluationOptions, TwinStore};
use uuid::Uuid;

/// What a fake endpoint was sent: its path, its headers and its form, decoded.
type Seen = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// Serves what a closure answers, for as long as the test runs.
async fn serve(
    answer: impl Fn(&str, &str) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (String, Seen) {
    let (service, seen) = recorded(answer);
    (listen(service).await, seen)
}

/// A service that answers by a closure, and what it was sent.
fn recorded(
    answer: impl Fn(&str, &str) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (Router, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let service = Router::new().fallback(
        move |request: axum::http::request::Parts, body: Bytes| async move {
            let form = String::from_utf8_lossy(&body).replace('+', "%20");
            let form = percent_encoding::percent_decode_str(&form).decode_utf8_lossy();
            let path = request.uri.path().to_owned();
            kept.lock()
                .unwrap()
                .push((path.clone(), request.headers, form.to_string()));
            answer(&path, &form)
        },
    );
    (service, seen)
}

async fn listen(service: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, service).await });
    format!("http://127.0.0.1:{port}/sparql")
}

fn json(text: &str) -> Response<Body> {
    with(200, "application/sparql-results+json", text)
}

fn with(status: u16, media_type: &str, text: &str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", media_type)
        .body(Body::from(text.to_owned()))
        .unwrap()
}

fn file(url: &str, more: &str) -> ForeignFile {
    let text = format!(
        "participant = \"https://data.example/\"\nurl = \"{url}\"\nroles = [\"any\"]\npurposes = [\"any\"]\n{more}"
    );
    toml::from_str(&text).unwrap()
}

fn node(iri: &str) -> NamedNode {
    NamedNode::new(iri).unwrap()
}

fn question(query: &str) -> SubQuery {
    let budget = Budget::new(Instant::now() + Duration::from_secs(20), 100);
    SubQuery {
        query: query.to_owned(),
        dataset: None,
        delegation: Delegation {
            claims: BTreeMap::new(),
            request: Uuid::now_v7(),
            participant: node("https://rescue.example/"),
            subject: "ada".to_owned(),
            actors: Vec::new(),
            roles: vec![node("https://rescue.example/officer")],
            purpose: Some(node("https://rescue.example/rescue")),
            break_glass: None,
            on_behalf: Vec::new(),
            left_out: Vec::new(),
        },
        left_out: None,
        room: Room::of(&budget),
        budget,
    }
}

async fn ask(file: ForeignFile, query: &str) -> Result<SubAnswer, Unanswered> {
    let foreign = Foreign::new(vec![file]).unwrap();
    let name = foreign.list().remove(0);
    foreign.ask(&name, &question(query)).await.unwrap()
}

const ROWS: &str = "SELECT ?x ?y WHERE { ?x <urn:p> ?y }";
const EMPTY: &str = r#"{ "head": { "vars": ["x", "y"] }, "results": { "bindings": [] } }"#;

#[tokio::test]
async fn a_connector_answers_as_an_endpoint() {
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let world = World::with_rows(&[]).connector();
    let graph = node("urn:g");
    let quad =
        |graph: GraphName, n: i64| Quad::new(node("urn:s"), node("urn:p"), Literal::from(n), graph);
    let quads = vec![
        quad(GraphName::DefaultGraph, 1),
        quad(graph.clone().into(), 2),
    ];
    let everything = {
        let policies = twinlink_core::PolicySource::current(&*world.policies);
        let ask = twinlink_core::policy::Ask {
            participant: node("https://city.example/"),
            subject: "test".to_owned(),
            roles: Vec::new(),
            purpose: None,
            action: node("http://www.w3.org/ns/odrl/2/modify"),
            now: oxsdatatypes::DateTime::now(),
        };
        policies.decide(&ask).unwrap()
    };
    let budget = Budget::new(Instant::now() + Duration::from_secs(20), 100);
    store
        .change(&Change::Insert(quads), None, &everything, &budget)
        .unwrap();
    let connector = Connector {
        twin: Arc::new(store),
        ..world
    };
    let settings = HttpSettings::new("https://city.example/");
    // What its own listener would have found in the handshake.
    let certificate = crate::serve::PeerCertificate(Arc::new(b"certificate".to_vec()));
    let door = router(Arc::new(connector), settings).layer(axum::Extension(certificate));
    let url = listen(door).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    let login = format!(
        "[auth]\nkind = \"bearer\"\nsecret_file = \"{}\"",
        path.display()
    );
    let ours = || file(&url, &login);

    let answer = ask(ours(), ROWS).await.unwrap();
    assert_eq!(answer.status.state, SourceState::Complete);
    let one = Some(Term::from(Literal::from(1)));
    assert_eq!(
        answer.rows.solutions[0].values,
        [Some(node("urn:s").into()), one]
    );
    assert_eq!(answer.rows.solutions.len(), 1);
    let answer = ask(
        ours(),
        "CONSTRUCT { ?s ?p ?o } WHERE { GRAPH <urn:g> { ?s ?p ?o } }",
    )
    .await;
    assert_eq!(answer.unwrap().rows.triples.len(), 1);
    let probe = "SELECT ?e0 ?e1 WHERE { BIND(EXISTS { ?v0 <urn:p> ?v1 } AS ?e0) BIND(EXISTS { ?v0 <urn:q> ?v1 } AS ?e1) }";
    let answer = ask(ours(), probe).await.unwrap();
    let values = [true, false].map(|value| Some(Term::from(Literal::from(value))));
    assert_eq!(answer.rows.solutions[0].values, values);
    let answer = ask(ours(), "ASK { ?s ?p 3 }").await.unwrap();
    assert_eq!(answer.head, Head::Boolean(false));
    // Its graphs as they are mapped.
    let mapped = file(&url, &format!("default_graphs = [\"urn:g\"]\n{login}"));
    let answer = ask(mapped, ROWS).await.unwrap();
    let two = Some(Term::from(Literal::from(2)));
    assert_eq!(answer.rows.solutions[0].values[1], two);
    // With a token that is not good.
    fs::write(&path, "x.y.z").unwrap();
    let why = ask(ours(), ROWS).await.unwrap_err();
    assert!(matches!(&why, Unanswered::Denied { .. }), "{why}");
    assert!(!why.to_string().contains("x.y.z"), "{why}");
}

/// INVARIANT(foreign-by-leave)
#[tokio::test]
async fn foreign_by_leave() {
    let (url, seen) = serve(|_, _| json(EMPTY)).await;
    let named = |roles: &str, purposes: &str| ForeignFile {
        roles: vec![roles.to_owned()],
        purposes: vec![purposes.to_owned()],
        ..file(&url, "")
    };
    let (officer, rescue) = (
        "https://rescue.example/officer",
        "https://rescue.example/rescue",
    );
    for (roles, purposes) in [
        ("urn:other", "any"),
        ("any", "urn:other"),
        (officer, "urn:x"),
    ] {
        let why = ask(named(roles, purposes), ROWS).await.unwrap_err();
        assert!(matches!(why, Unanswered::Denied { .. }), "{why}");
    }
    assert!(seen.lock().unwrap().is_empty());
    ask(named(officer, rescue), ROWS).await.unwrap();
    let seen = seen.lock().unwrap();
    let [(_, headers, form)] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    // Nothing but the question leaves: not who asks, and not for what.
    assert_eq!(form, &format!("query={ROWS}"));
    assert!(headers.get("authorization").is_none() && headers.get("cookie").is_none());
}

#[tokio::test]
async fn what_cannot_be_asked_at_once_is_asked_one_by_one() {
    let (url, seen) = serve(|_, form| {
        if form.contains("EXISTS") {
            with(
                400,
                "text/plain",
                "Virtuoso 37000 Error SP030: syntax error at 'EXISTS'",
            )
        } else {
            let value = form.contains("urn:p") || form.contains("VALUES");
            json(&format!(r#"{{ "head": {{}}, "boolean": {value} }}"#))
        }
    })
    .await;
    let foreign = Foreign::new(vec![file(&url, "")]).unwrap();
    let name = foreign.list().remove(0);
    let probe = "SELECT ?e0 ?e1 WHERE { BIND(EXISTS { ?v0 <urn:p> ?v1 } AS ?e0) BIND(EXISTS { ?v0 <urn:q> ?v1 } AS ?e1) }";
    // One of them asks what else it can do.
    for requests in [4, 6] {
        let answer = foreign.ask(&name, &question(probe)).await.unwrap().unwrap();
        let values = [true, false].map(|value| Some(Term::from(Literal::from(value))));
        assert_eq!(answer.rows.solutions[0].values, values);
        // What it cannot do is not tried again.
        assert_eq!(seen.lock().unwrap().len(), requests);
    }
}

#[tokio::test]
async fn quirks_are_taken_as_they_are_meant() {
    let (url, _) = serve(|_, _| {
        let mut response = json(
            r#"{ "head": { "link": [], "vars": ["x", "y"] }, "results": { "distinct": false, "ordered": true, "bindings": [
                { "y": { "type": "typed-literal", "datatype": "http://www.w3.org/2001/XMLSchema#integer", "value": "7" },
                  "x": { "type": "bnode", "value": "nodeID://b1" } } ] } }"#,
        );
        let headers = response.headers_mut();
        headers.insert("x-sparql-maxrows", "1".parse().unwrap());
        response
    })
    .await;
    let answer = ask(file(&url, ""), ROWS).await.unwrap();
    let seven = Some(Term::from(Literal::from(7)));
    assert_eq!(answer.rows.solutions[0].values[1], seven);
    assert!(matches!(
        answer.rows.solutions[0].values[0],
        Some(Term::BlankNode(_))
    ));
    // It cuts what it gives, and says so.
    assert_eq!(answer.status.state, SourceState::Partial);
    assert!(answer.status.reason.unwrap().contains("1 rows at most"));
    let foreign = Foreign::new(vec![file(&url, "values = 50")]).unwrap();
    let traits = foreign.traits(&foreign.list()[0]).unwrap();
    assert!(!traits.takes_bindings && !traits.keeps_labels);
    assert_eq!(traits.values, 50);
}

/// INVARIANT(no-redirect)
#[tokio::test]
async fn no_redirect() {
    let (elsewhere, caught) = serve(|_, _| json(EMPTY)).await;
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = elsewhere.clone();
        let (url, _) = serve(move |_, _| {
            let mut response = json(EMPTY);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let headers = response.headers_mut();
            headers.insert("location", elsewhere.parse().unwrap());
            response
        })
        .await;
        let why = ask(file(&url, ""), ROWS).await.unwrap_err().to_string();
        assert!(why.contains("elsewhere"), "{status}: {why}");
    }
    assert!(caught.lock().unwrap().is_empty());
}

#[tokio::test]
async fn hostile_endpoints_get_nothing_and_give_nothing() {
    let cases: [(u16, &str, &str, &str); 5] = [
        (200, "content-encoding", "gzip", "encoding"),
        (200, "content-type", "text/html", "text/html"),
        (500, "x", "y", "500"),
        (429, "retry-after", "1", "429"),
        (200, "x", "injection", "IRI"),
    ];
    for (status, name, value, word) in cases {
        let (name, value) = (name.to_owned(), value.to_owned());
        let (url, _) = serve(move |_, _| {
            let body = match value.as_str() {
                "injection" => r#"{ "results": { "bindings": [ { "x": { "type": "uri", "value": "a> } ; DROP ALL #" } } ] } }"#,
                _ => EMPTY,
            };
            let mut response = json(body);
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            let name: axum::http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
            response
        })
        .await;
        let why = ask(file(&url, ""), ROWS).await.unwrap_err().to_string();
        assert!(why.contains(word), "{status} {word}: {why}");
    }

    // It sends without end.
    let (url, _) = serve(|_, _| {
        let endless = futures::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 4096]))
        });
        let mut response = Response::new(Body::from_stream(endless));
        let value = "application/sparql-results+json".parse().unwrap();
        response.headers_mut().insert("content-type", value);
        response
    })
    .await;
    let why = ask(file(&url, "answer_bytes = 100000"), ROWS)
        .await
        .unwrap_err();
    assert!(why.to_string().contains("larger than 100000"), "{why}");

    // It accepts and never speaks.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/", mute.local_addr().unwrap().port());
    let foreign = Foreign::new(vec![file(&url, "")]).unwrap();
    let mut short = question(ROWS);
    short.budget = Budget::new(Instant::now() + Duration::from_secs(1), 100);
    let why = foreign.ask(&foreign.list()[0], &short).await.unwrap();
    assert!(matches!(why, Err(Unanswered::TimedOut)), "{why:?}");
    drop(mute);
}

#[tokio::test]
async fn tokens_are_had_with_the_clients_own_credentials() {
    let issued = Arc::new(Mutex::new(0));
    let count = Arc::clone(&issued);
    let (url, seen) = serve(move |path, form| {
        if path != "/token" {
            return json(EMPTY);
        }
        assert!(form.contains("grant_type=client_credentials") && form.contains("scope=read all"));
        *count.lock().unwrap() += 1;
        let token = format!("token-{}", count.lock().unwrap());
        let body = format!(
            r#"{{ "access_token": "{token}", "token_type": "Bearer", "expires_in": 600 }}"#
        );
        with(200, "application/json", &body)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "hunter:2\n").unwrap();
    let token_url = url.replace("/sparql", "/token");
    let login = format!(
        "[auth]\nkind = \"client-credentials\"\ntoken_url = \"{token_url}\"\nclient_id = \"twin link\"\nscope = \"read all\"\nsecret_file = \"{}\"",
        path.display()
    );
    let foreign = Foreign::new(vec![file(&url, &login)]).unwrap();
    assert!(!format!("{foreign:?}").contains("hunter"));
    let name = foreign.list().remove(0);
    for _ in 0..2 {
        foreign.ask(&name, &question(ROWS)).await.unwrap().unwrap();
    }
    // One token for both.
    assert_eq!(*issued.lock().unwrap(), 1);
    let seen = seen.lock().unwrap();
    let shown: Vec<_> = seen
        .iter()
        .map(|(_, headers, _)| headers["authorization"].to_str().unwrap().to_owned())
        .collect();
    // <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>: `twin%20link:hunter%3A2`.
    assert_eq!(shown[0], "Basic dHdpbiUyMGxpbms6aHVudGVyJTNBMg==");
    assert_eq!(shown[1..], ["Bearer token-1", "Bearer token-1"]);
}

#[tokio::test]
async fn a_token_that_was_called_back_is_had_anew_once() {
    for good in [2, 99] {
        let issued = Arc::new(Mutex::new(0));
        let (url, seen) = serve(move |path, _| {
            let mut issued = issued.lock().unwrap();
            if path == "/token" {
                *issued += 1;
                return with(
                    200,
                    "application/json",
                    r#"{ "access_token": "t", "token_type": "bearer", "expires_in": 600 }"#,
                );
            }
            if *issued >= good {
                json(EMPTY)
            } else {
                with(401, "text/plain", "no")
            }
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "s").unwrap();
        let login = format!(
            "[auth]\nkind = \"client-credentials\"\ntoken_url = \"{}\"\nclient_id = \"c\"\nsecret_file = \"{}\"",
            url.replace("/sparql", "/token"),
            path.display()
        );
        let answer = ask(file(&url, &login), ROWS).await;
        assert_eq!(answer.is_ok(), good == 2, "{answer:?}");
        assert_eq!(seen.lock().unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a_dataset_that_is_chosen_is_that_of_the_shown_graphs() {
    let (url, seen) = serve(|_, form| match form.contains("ASK") {
        true => json(r#"{ "head": {}, "boolean": false }"#),
        false => json(EMPTY),
    })
    .await;
    let foreign = Foreign::new(vec![file(&url, "named_graphs = [\"urn:a\", \"urn:b\"]")]).unwrap();
    let name = foreign.list().remove(0);
    let mut chosen = question(ROWS);
    chosen.dataset = Some(DatasetChoice {
        default_graphs: vec![node("urn:a"), node("urn:hidden")],
        named_graphs: vec![node("urn:b"), node("urn:hidden")],
    });
    foreign.ask(&name, &chosen).await.unwrap().unwrap();
    chosen.dataset = Some(DatasetChoice {
        default_graphs: Vec::new(),
        named_graphs: vec![node("urn:hidden")],
    });
    foreign.ask(&name, &chosen).await.unwrap().unwrap();
    let forms: Vec<_> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(_, _, form)| form.clone())
        // Whether it heeds them is asked first.
        .filter(|form| !form.contains("ASK"))
        .collect();
    assert!(
        forms[0].ends_with("&default-graph-uri=urn:a&named-graph-uri=urn:b"),
        "{forms:?}"
    );
    assert!(
        forms[1].ends_with(&format!("&default-graph-uri={NO_GRAPH}")),
        "{forms:?}"
    );
}

#[test]
fn files_that_cannot_work_are_refused() {
    for (url, more, word) in [
        ("http://data.example/sparql", "", "https"),
        ("not a url", "", "URL"),
        (
            "https://data.example/",
            "authority = \"/nowhere/ca.pem\"",
            "nowhere",
        ),
        (
            "https://data.example/",
            "[auth]\nkind = \"bearer\"\nsecret_file = \"/nowhere/secret\"",
            "nowhere",
        ),
        (
            "https://data.example/",
            "[auth]\nkind = \"bearer\"\nsecret_env = \"TWINLINK_NO_SUCH_SECRET\"",
            "TWINLINK_NO_SUCH",
        ),
    ] {
        let error = Foreign::new(vec![file(url, more)]).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
