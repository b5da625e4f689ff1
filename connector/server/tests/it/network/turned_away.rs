//! What the doors turn away stands in the log of use, and so do certificates that do not hold: a peer's lists of revoked
//! ones are looked at like our own.

use super::caller::PATIENCE;
use super::town::Organisation;
use http::{Method, StatusCode};
use std::fs;
use std::path::Path;
use time::{Duration, OffsetDateTime};
use twinlink_trust::{Authority, EntryKind, Protocol, list_entries};

fn authority(of: &Organisation) -> Authority {
    let file = |name: &str| of.path(&format!("identity/{name}.pem"));
    Authority::load(&file("authority"), &file("authority-key")).unwrap()
}

/// A list of the police's authority beside the city's file of the police.
fn write_list(at: &Path, police: &Organisation, is_revoked: bool, age: Duration) {
    let facts = police.identity().load().facts().clone();
    let revoked = if is_revoked { vec![facts] } else { Vec::new() };
    let issued = OffsetDateTime::now_utc() - age;
    let list = authority(police).revoke(&revoked, issued, issued + Duration::hours(1));
    fs::write(at, list.unwrap()).unwrap();
}

async fn connects(police: &Organisation, city: &Organisation) -> bool {
    let health = police.caller(&[], None);
    let Ok(stream) = health.connection(city, Protocol::Http1).await else {
        return false;
    };
    let io = hyper_util::rt::TokioIo::new(stream);
    let opened = hyper::client::conn::http1::handshake::<_, http_body_util::Full<bytes::Bytes>>(io);
    let Ok((mut sender, connection)) = opened.await else {
        return false;
    };
    tokio::spawn(connection);
    let request = http::Request::get("/health").header("host", "localhost");
    let sent = sender.send_request(request.body(Default::default()).unwrap());
    tokio::time::timeout(PATIENCE, sent).await.unwrap().is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_revocation_lists_count_like_our_own() {
    let (mut city, mut police) = (Organisation::new("city"), Organisation::new("police"));
    city.serve().await;
    police.serve().await;
    city.introduce(&police, &[], &[]);
    police.introduce(&city, &[], &[]);
    police.node().reload().unwrap();
    city.node().reload().unwrap();
    assert!(connects(&police, &city).await);
    let folder = city.path("peers");
    let file = fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let list = folder.join("police.crl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("revocations = [\"police.crl\"]\n{text}")).unwrap();
    // A list that is named and not there takes nothing into force.
    assert!(city.node().reload().is_err());
    for (is_revoked, age, expected) in [
        (false, Duration::hours(26), false),
        // Over, but for less than a day: who issues lists may be down.
        (false, Duration::hours(20), true),
        (true, Duration::hours(19), false),
        // Older than the one in force.
        (false, Duration::hours(20), false),
        (false, Duration::hours(2), true),
        (true, Duration::hours(1), false),
        (false, Duration::ZERO, true),
        (true, Duration::hours(20), true),
    ] {
        write_list(&list, &police, is_revoked, age);
        city.node().reload().unwrap();
        assert_eq!(
            connects(&police, &city).await,
            expected,
            "{is_revoked} {age}"
        );
    }
    let output = city.program().arg("doctor").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("https://police.example/: its revocation list ended on"),
        "{said}"
    );
    assert!(
        said.contains("https://police.example/: its authority is valid for"),
        "{said}"
    );
    city.stop().await;
    let refusals = city.refusals();
    assert!(
        refusals.iter().any(|check| check == "tls.handshake"),
        "{refusals:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_door_turns_away_is_recorded_with_who_it_was() {
    let (mut city, police) = (Organisation::new("city"), Organisation::new("police"));
    city.serve().await;
    city.introduce(&police, &[], &[]);
    police.introduce(&city, &[], &[]);
    city.node().reload().unwrap();
    let steward = city.steward();
    for (method, path, kind, body, status) in [
        (
            Method::PUT,
            "/data?default",
            "text/turtle",
            "<broken",
            StatusCode::BAD_REQUEST,
        ),
        (
            Method::PUT,
            "/data?default",
            "text/unheard",
            "",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            Method::DELETE,
            "/sparql",
            "",
            "",
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (Method::GET, "/nowhere", "", "", StatusCode::NOT_FOUND),
        (
            Method::POST,
            "/twinlink.v1.Connector/Nothing",
            "application/grpc",
            "",
            StatusCode::OK,
        ),
        (
            Method::POST,
            "/twinlink.v1.Connector/Query",
            "application/grpc",
            "\0\0\0\0\x01\u{7f}",
            StatusCode::OK,
        ),
    ] {
        let request = steward.request(&city, method, path, kind, body);
        let page = steward.send(&city, request).await;
        assert_eq!(page.status, status, "{path} {page:?}");
    }
    // What the request's way refuses stands there once.
    let stranger = police.caller(&[], None).with_token("no.good.token");
    assert_eq!(
        stranger.query(&city, "ASK {}").await.status,
        StatusCode::UNAUTHORIZED
    );
    city.stop().await;
    let journal = city.store().journal();
    let mut turned: Vec<(String, Option<String>)> = list_entries(&journal, 0, 1000)
        .unwrap()
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Intent { used, refused, .. } => Some((refused?, used.participant)),
            _ => None,
        })
        .collect();
    turned.sort();
    let city = Some("https://city.example/".to_owned());
    let checks: Vec<&str> = turned.iter().map(|(check, _)| check.as_str()).collect();
    assert_eq!(
        checks,
        [
            "grpc.message",
            "grpc.method",
            "http.content-type",
            "http.method",
            "http.path",
            "rdf.syntax",
            "token.form"
        ]
    );
    for (check, who) in &turned {
        assert_eq!(
            who,
            if check == "token.form" { &None } else { &city },
            "{check}"
        );
    }
}
