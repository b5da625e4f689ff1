use super::*;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Change, Code, Priority};
use twinlink_policy::Guard;
use twinlink_store::EvaluationOptions;
use twinlink_trust::{Authority, Subject};
use uuid::Uuid;

/// A log that writes nothing down.
struct Silent;

impl UseLog for Silent {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        Box::pin(async move {
            Ok(Intent {
                record,
                sequence: 1,
            })
        })
    }

    fn complete<'a>(&'a self, _: Intent, done: Recorded) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async move {
            match done.result_digest.is_empty() {
                true => Err(Refusal::new(Code::Unavailable, "use-log", "no")),
                false => Ok("a.b.c".to_owned()),
            }
        })
    }
}

fn name(text: &str) -> NamedNode {
    NamedNode::new_unchecked(text)
}

pub(crate) fn metrics() -> Metrics {
    let now = OffsetDateTime::now_utc();
    let subject = Subject {
        participant: name("https://city.example/"),
        hosts: vec!["localhost".to_owned()],
    };
    let authority = Authority::create("city", now).unwrap();
    let issued = authority
        .issue(&subject, time::Duration::days(10), now)
        .unwrap();
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let quad = Quad::new(
        name("http://e/secret"),
        name("http://e/p"),
        Literal::from(1),
        GraphName::DefaultGraph,
    );
    let budget = Budget::new(Instant::now() + Duration::from_secs(60), 10);
    let everything = Guard::everything();
    store
        .apply(&Change::Insert(vec![quad]), None, &everything, &budget)
        .unwrap();
    let identity = CurrentIdentity::new(issued.identity().unwrap());
    Metrics::new(Arc::new(store), identity, || 3)
}

fn record(refused: Option<&str>) -> UseRecord {
    let action = name("http://www.w3.org/ns/odrl/2/read");
    UseRecord {
        participant: Some(name("https://fire.example/")),
        subject: Some("officer-7".to_owned()),
        refused: refused.map(str::to_owned),
        ..UseRecord::new(Uuid::nil(), OffsetDateTime::UNIX_EPOCH, action)
    }
}

fn done(rows: u64, complete: bool, failed: Option<&str>) -> Recorded {
    Recorded {
        rows,
        result_digest: "00".to_owned(),
        complete,
        failed: failed.map(str::to_owned),
        changed_to: None,
        time: OffsetDateTime::UNIX_EPOCH + Duration::from_millis(50),
    }
}

#[tokio::test]
async fn what_passes_the_log_is_counted_and_nobody_named() {
    let memory = Memory::new(1000);
    let mut held = memory.share(Priority::Incident).reserve();
    held.resize(900).unwrap();
    held.resize(700).unwrap();
    let metrics = metrics().with_memory(memory);
    let log = metrics.counting(Arc::new(Silent));
    log.intend(record(Some("policy"))).await.unwrap();
    for end in [
        done(5, true, None),
        done(2, false, None),
        done(1, false, Some("deadline")),
    ] {
        let intent = log.intend(record(None)).await.unwrap();
        log.complete(intent, end).await.unwrap();
    }
    let text = metrics.text().unwrap();
    for line in [
        r#"twinlink_requests_refused_total{action="read",check="policy"} 1"#,
        r#"twinlink_requests_ended_total{action="read",outcome="complete"} 1"#,
        r#"twinlink_requests_ended_total{action="read",outcome="incomplete"} 1"#,
        r#"twinlink_requests_ended_total{action="read",outcome="deadline"} 1"#,
        "twinlink_rows_released_total 8",
        "twinlink_request_seconds_count 3",
        r#"twinlink_request_seconds_bucket{le="0.064"} 3"#,
        r#"twinlink_request_seconds_bucket{le="0.032"} 0"#,
        "twinlink_twin_quads 1.0",
        "twinlink_evaluations_running 3.0",
        "twinlink_evaluations_memory_bytes 700.0",
        "twinlink_evaluations_memory_most_bytes 900.0",
        "twinlink_evaluations_memory_limit_bytes 1000.0",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for private in ["fire.example", "officer", "secret"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    let left = text
        .lines()
        .find_map(|line| line.strip_prefix("twinlink_certificate_left_seconds "));
    let left: f64 = left.unwrap().parse().unwrap();
    assert!((863_000.0..864_001.0).contains(&left), "{left}");
}

#[tokio::test]
async fn the_numbers_are_told_on_an_address_of_their_own() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = Arc::new(metrics())
        .serve("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let ask = async |path: &str| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    };
    let page = ask("/metrics").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("application/openmetrics-text"), "{page}");
    assert!(ask("/sparql").await.starts_with("HTTP/1.1 404"));
}

#[test]
fn what_ends_is_told_with_whose_it_is_and_turned_away_by_check() {
    let now = OffsetDateTime::now_utc();
    let authority = Authority::create("city", now).unwrap();
    let subject = Subject {
        participant: name("https://city.example/"),
        hosts: vec!["localhost".to_owned()],
    };
    let issued = authority
        .issue(&subject, time::Duration::days(10), now)
        .unwrap();
    let identity = issued.identity().unwrap();
    let list = authority.revoke(&[], now, now + time::Duration::days(2));
    let mut own =
        twinlink_trust::TrustedParty::own(&identity, authority.certificate_pem().to_owned());
    own.revocations_pem = Some(list.unwrap());
    let trusted = twinlink_trust::Trusted::new(own, Vec::new()).unwrap();
    let metrics = metrics().watching(
        CurrentIdentity::new(identity),
        twinlink_trust::Registry::new(trusted),
    );
    metrics.turned_away("http.body");
    metrics.turned_away("http.body");
    let text = metrics.text().unwrap();
    assert!(
        text.contains("twinlink_turned_away_total{check=\"http.body\"} 2"),
        "{text}"
    );
    let left = |what: &str| -> f64 {
        let line = format!(
            "twinlink_expiry_left_seconds{{what=\"{what}\",participant=\"https://city.example/\"}} "
        );
        let line = text.lines().find_map(|one| one.strip_prefix(&line));
        line.unwrap_or_else(|| panic!("{what} in {text}"))
            .parse()
            .unwrap()
    };
    let day = 24.0 * 3600.0;
    assert!((9.9 * day..=10.0 * day).contains(&left("certificate")));
    assert!((1.9 * day..=2.0 * day).contains(&left("revocation list")));
    assert!(left("authority") > 100.0 * day);
}
