//! Bad input on both doors: the right code, a text that reveals nothing, and a twin that stays as it was.

use super::caller::{Caller, PATIENCE, Page};
use super::town::{Organisation, Permission, Town};
use bytes::Bytes;
use http::{Method, StatusCode};
use oxrdf::NamedNode;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;
use twinlink_client::{Error, ImportOptions};
use twinlink_trust::TokenRequest;
use twinlink_vocab::tl;

const TURTLE: &str = "text/turtle";
const SCHOOLS: &str = "/data?graph=https://city.example/graph/schools";

/// What no answer to a guest may hold: of the twin, of its policies, of the checks of the connector.
const SECRETS: [&str; 5] = ["Secret", "residents", "policy/", "token.", "/tmp"];

/// A city with small limits; a guest may read and change the schools and nothing else.
async fn city() -> (Organisation, Caller) {
    let mut city = Organisation::new("city");
    city.import(
        "<https://city.example/school> a tl:School .",
        Some("schools"),
    );
    city.import(
        "<https://city.example/school> tl:residents 'Secret' .",
        Some("residents"),
    );
    for action in ["read", "modify"] {
        let schools = Permission {
            graphs: &["schools"],
            role: Some(tl::CITY_PLANNER),
            action,
            ..Permission::default()
        };
        city.permit(action, schools);
    }
    city.configure("[limits]\nquery_bytes = 20000\nbody_bytes = 50000");
    city.serve().await;
    let guest = city.caller(&[tl::CITY_PLANNER], None);
    (city, guest)
}

async fn everything(city: &Organisation) -> Vec<String> {
    let query = "SELECT * WHERE { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";
    let answered = city.steward().ask(city, query).await.unwrap();
    let rows = answered.rows.iter();
    rows.map(|row| format!("{:?}", row.values)).collect()
}

fn reveals_nothing(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

fn is_problem(page: &Page, status: u16) {
    assert_eq!(page.status.as_u16(), status, "{}", page.text);
    assert_eq!(page.header("content-type"), "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!(problem["status"], status);
    reveals_nothing(&page.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_are_none_are_refused_at_both_doors() {
    let (mut city, guest) = city().await;
    let before = everything(&city).await;
    let cases = [
        (
            "SELECT * WHERE {\n ?s ?p }".to_owned(),
            "sparql.syntax",
            "2:",
        ),
        (String::new(), "sparql.syntax", ""),
        ("ASK { \u{0} }".to_owned(), "sparql.syntax", "1:"),
        (
            "SELECT ?x { ?s ?p ?o } GROUP BY ?s".to_owned(),
            "sparql.syntax",
            "",
        ),
        (
            format!("ASK {{ FILTER({}1{}) }}", "(".repeat(500), ")".repeat(500)),
            "sparql.nesting",
            "line 1",
        ),
        (
            "SELECT * { SERVICE <https://rescue.example/> { ?s ?p ?o } }".to_owned(),
            "sparql.service",
            "SERVICE",
        ),
        (
            "SELECT * { ?s ?p ?o MINUS { SERVICE SILENT ?o { ?s ?p ?o } } }".to_owned(),
            "sparql.service",
            "SERVICE",
        ),
        (
            "SELECT (<urn:nothing>(1) AS ?x) {}".to_owned(),
            "sparql.function",
            "urn:nothing",
        ),
    ];
    for (query, _, said) in &cases {
        let page = guest.query(&city, query).await;
        is_problem(&page, 400);
        assert!(page.text.contains(said), "{query}: {}", page.text);
        let error = guest.ask(&city, query).await.unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{query}: {error}");
        assert!(error.to_string().contains(said), "{query}: {error}");
        reveals_nothing(&error.to_string());
    }
    let long = format!("ASK {{}} #{}", "x".repeat(20_000));
    is_problem(&guest.query(&city, &long).await, 413);
    let error = guest.ask(&city, &long).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)), "{error}");
    assert_eq!(everything(&city).await, before);

    city.stop().await;
    let mut checks: Vec<_> = cases.iter().flat_map(|case| [case.1; 2]).collect();
    checks.extend(["limits.body_bytes", "sparql.length"]);
    assert_eq!(city.refusals(), checks);
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_files_that_are_broken_change_nothing() {
    let (mut city, guest) = city().await;
    let before = everything(&city).await;
    let school = "<https://city.example/new> a <https://w3id.org/twinlink/ns#School>";
    for (update, said) in [
        (
            format!(
                "INSERT DATA {{ GRAPH <https://city.example/graph/schools> {{ {school} }} }} ;\nDELETE"
            ),
            "2:",
        ),
        ("CLEAR XYZ".to_owned(), "1:"),
        ("SELECT * { ?s ?p ?o }".to_owned(), "a SPARQL query"),
        (
            format!(
                "INSERT {{ GRAPH <https://city.example/graph/schools> {{ {school} }} }} WHERE {{ SERVICE <https://x.example/> {{ ?s ?p ?o }} }}"
            ),
            "SERVICE",
        ),
        ("LOAD <https://city.example/file>".to_owned(), "LOAD"),
    ] {
        let page = guest.update(&city, &update).await;
        is_problem(&page, 400);
        assert!(page.text.contains(said), "{update}: {}", page.text);
    }
    let good = format!("{school} .\n");
    for (kind, body, status, said) in [
        (
            TURTLE,
            format!("{good}<https://city.example/x> <broken"),
            400,
            ":2:",
        ),
        (TURTLE, format!("{good}{good} a b c ."), 400, ":3:"),
        ("application/ld+json", "{".to_owned(), 400, ":1:"),
        ("application/rdf+xml", "<a><b>".to_owned(), 400, ""),
        (
            "application/n-triples",
            good.replace(" .", " ,"),
            400,
            ":1:",
        ),
        ("text/html", good.clone(), 415, "text/html"),
        (TURTLE, "#".repeat(60_000), 413, "50000"),
    ] {
        for method in [Method::PUT, Method::POST] {
            let request = guest.request(&city, method, SCHOOLS, kind, body.clone());
            let page = guest.send(&city, request).await;
            is_problem(&page, status);
            assert!(page.text.contains(said), "{kind}: {}", page.text);
        }
        let error = import(&guest, &city, kind, &body).await.unwrap_err();
        let is_expected = match status {
            413 => matches!(error, Error::Exhausted(_)),
            _ => matches!(error, Error::Invalid(_)),
        };
        assert!(is_expected, "{kind}: {error}");
        assert!(error.to_string().contains(said), "{kind}: {error}");
        reveals_nothing(&error.to_string());
    }
    assert_eq!(everything(&city).await, before);
    city.stop().await;
    assert_eq!(everything_stored(&city), before.len());
}

fn everything_stored(city: &Organisation) -> usize {
    city.store().snapshot().len()
}

async fn import(caller: &Caller, at: &Organisation, kind: &str, body: &str) -> Result<u64, Error> {
    let options = ImportOptions {
        media_type: kind.to_owned(),
        base: None,
        graph: Some(NamedNode::new(at.graph("schools")).unwrap()),
        gzip: false,
        replace: false,
        purpose: None,
        deadline: Instant::now() + PATIENCE,
    };
    let chunks = futures::stream::iter([Ok(Bytes::from(body.to_owned()))]);
    let imported = caller.client(at).await?.import(options, chunks).await?;
    Ok(imported.inserted)
}

/// Header `{"alg":"none","typ":"at+jwt"}`.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_prove_nothing_are_refused_at_both_doors() {
    let mut town = Town::new().await;
    let officer = town
        .rescue
        .caller(&[tl::RESCUE_OFFICER], Some(tl::EMERGENCY_RESPONSE));
    let good = officer.claims(&town.city.id);
    let now = OffsetDateTime::now_utc();
    let at = |now| officer.issue(&good, now);
    let with = |request: TokenRequest| officer.issue(&request, now);
    let valid = at(now);
    let parts: Vec<&str> = valid.split('.').collect();
    let other = with(TokenRequest {
        subject: "eve".to_owned(),
        ..good.clone()
    });
    let other: Vec<&str> = other.split('.').collect();
    let police = town.police.identity().load().thumbprint().to_owned();
    let planner = town
        .rescue
        .caller(&[tl::CITY_PLANNER], None)
        .claims(&town.city.id);
    let stranger = Organisation::new("stranger");
    let forged = stranger.caller(&[], None).issue(&good, now);
    let tokens = [
        ("garbage".to_owned(), "token.form"),
        ("a.b.c".to_owned(), "token.form"),
        (format!("{valid}.x"), "token.form"),
        ("x".repeat(9000), "token.length"),
        (format!("{UNSIGNED}.{}.", parts[1]), "token.alg"),
        (
            format!("{}.{}.{}", parts[0], other[1], parts[2]),
            "token.signature",
        ),
        (format!("{}.{}.", parts[0], parts[1]), "token.signature"),
        (at(now - Duration::from_secs(3600)), "token.exp"),
        (at(now + Duration::from_secs(3600)), "token.iat"),
        (
            with(TokenRequest {
                audience: town.police.id.clone(),
                ..good.clone()
            }),
            "token.aud",
        ),
        (
            with(TokenRequest {
                thumbprint: police,
                ..good.clone()
            }),
            "token.cnf",
        ),
        (
            with(TokenRequest {
                roles: planner.roles,
                ..good.clone()
            }),
            "token.roles",
        ),
        (
            with(TokenRequest {
                roles: vec![tl::STEWARD.into_owned()],
                ..good.clone()
            }),
            "token.roles",
        ),
        (
            with(TokenRequest {
                purpose: Some(tl::SCHOOL.into_owned()),
                ..good.clone()
            }),
            "token.purpose",
        ),
        (forged, "token.iss"),
    ];
    let query = "SELECT * WHERE { ?s ?p ?o }";
    for (token, check) in &tokens {
        let caller = officer.clone().with_token(token);
        let page = caller.query(&town.city, query).await;
        is_problem(&page, 401);
        assert_eq!(page.header("www-authenticate"), "Bearer");
        let error = caller.ask(&town.city, query).await.unwrap_err();
        assert!(
            matches!(error, Error::Unauthenticated(_)),
            "{check}: {error}"
        );
        // All alike: which check it was is for the operator.
        assert_eq!(
            error.to_string(),
            "not authenticated: authentication failed"
        );
        let page = caller.update(&town.city, "CLEAR ALL").await;
        is_problem(&page, 401);
    }
    // No token at all, a token of another scheme, and a token that another organisation shows as its own.
    let bare = officer.clone().with_token("");
    is_problem(&bare.query(&town.city, query).await, 401);
    let mut basic = bare.request(
        &town.city,
        Method::GET,
        "/sparql?query=ASK%20%7B%7D",
        "",
        "",
    );
    basic
        .headers_mut()
        .insert("authorization", "Basic YTpi".parse().unwrap());
    is_problem(&bare.send(&town.city, basic).await, 401);
    let thief = town.police.caller(&[], None).with_token(&valid);
    is_problem(&thief.query(&town.city, query).await, 401);
    assert_eq!(
        officer
            .with_token(&valid)
            .query(&town.city, query)
            .await
            .status,
        StatusCode::OK
    );

    town.city.stop().await;
    let mut checks: Vec<_> = tokens.iter().flat_map(|(_, check)| [*check; 3]).collect();
    checks.extend(["token", "token", "token.cnf"]);
    assert_eq!(town.city.refusals(), checks);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_cannot_be_put_on_top() {
    let (mut city, guest) = city().await;
    for purpose in [
        tl::EMERGENCY_RESPONSE.as_str(),
        "https://nobody.example/purpose",
    ] {
        let path = format!("/sparql?query=ASK%20%7B%7D&purpose={purpose}");
        let request = guest.request(&city, Method::GET, &path, "", "");
        is_problem(&guest.send(&city, request).await, 403);
    }
    let request = guest.request(
        &city,
        Method::GET,
        "/sparql?query=ASK%20%7B%7D&purpose=none",
        "",
        "",
    );
    is_problem(&guest.send(&city, request).await, 400);
    city.stop().await;
    assert_eq!(city.refusals(), ["purpose", "purpose", "http.parameters"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_messages_are_refused() {
    let (city, guest) = city().await;
    let before = everything(&city).await;
    let message = |body: &[u8]| {
        let mut framed = vec![0];
        framed.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        framed.extend(body);
        framed
    };
    let query = "/twinlink.v1.Connector/Query";
    for (path, body, status) in [
        (query, message(&[0xff; 40]), "3"),
        (query, message(&[0x0a, 0x7f, 0x41]), "3"),
        // An invalid UTF-8 text, a frame that is cut, one that says it has 4 GiB, and none.
        (query, message(&[0x0a, 0x01, 0xff]), "3"),
        (query, message(b"\x0a\x06ASK {}")[..8].to_vec(), "13"),
        (query, vec![0, 0xff, 0xff, 0xff, 0xff], "11"),
        (query, Vec::new(), "13"),
        (query, message(b"\x0a\x05ASK {"), "3"),
        ("/twinlink.v1.Connector/Import", message(&[0xff; 40]), "3"),
        ("/twinlink.v1.Connector/Nothing", message(&[]), "12"),
    ] {
        let mut request =
            guest.request(&city, Method::POST, path, "application/grpc", body.clone());
        *request.uri_mut() = format!("https://localhost{path}").parse().unwrap();
        request
            .headers_mut()
            .insert("te", "trailers".parse().unwrap());
        request.headers_mut().remove("host");
        let page = guest.send_http2(&city, request).await;
        assert_eq!(
            page.header("grpc-status"),
            status,
            "{path} {body:?}: {page:?}"
        );
        reveals_nothing(&format!("{page:?}"));
    }
    for path in [
        "/nothing",
        "/sparql/x",
        "/twinlink.v1.Nothing/Query",
        "/../etc/passwd",
        "/data/%",
    ] {
        let page = guest
            .send(&city, guest.request(&city, Method::GET, path, "", ""))
            .await;
        assert!(
            matches!(page.status.as_u16(), 400 | 404),
            "{path}: {page:?}"
        );
        assert_eq!(
            page.header("content-type"),
            "application/problem+json",
            "{path}"
        );
        reveals_nothing(&page.text);
    }
    assert_eq!(everything(&city).await, before);
}
