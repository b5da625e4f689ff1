use super::*;
use crate::metrics::tests::metrics;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt as _;
use twinlink_core::Code;
use twinlink_trust::{Authority, Trusted, TrustedParty};

/// A log in memory, on a disk that may be full.
#[derive(Default)]
struct Kept(Mutex<Vec<UseRecord>>, AtomicBool);

impl UseLog for Kept {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        if self.1.load(Ordering::SeqCst) {
            let full = Refusal::new(Code::Unavailable, "disk", "full");
            return Box::pin(std::future::ready(Err(full)));
        }
        self.0.lock().unwrap().push(record.clone());
        let intent = Intent {
            record,
            sequence: 1,
        };
        Box::pin(std::future::ready(Ok(intent)))
    }

    fn complete<'a>(&'a self, _: Intent, _: Recorded) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(std::future::ready(Ok(String::new())))
    }
}

/// A tally of the city, in front of a log in memory.
fn tally() -> (Arc<Kept>, Tally, NamedNode) {
    let kept = Arc::new(Kept::default());
    let now = OffsetDateTime::now_utc();
    let authority = Authority::create("city", now).unwrap();
    let city = NamedNode::new_unchecked("https://city.example/");
    let party = TrustedParty {
        participant: city.clone(),
        token_keys: vec![
            twinlink_trust::SigningKey::generate()
                .unwrap()
                .public()
                .to_jwk(),
        ],
        authorities_pem: authority.certificate_pem().to_owned(),
        revocations_pem: None,
        roles: twinlink_trust::Assertable::Any,
        purposes: twinlink_trust::Assertable::Any,
        claims: twinlink_trust::Assertable::Any,
    };
    let registry = Registry::new(Trusted::new(party, Vec::new()).unwrap());
    let tally = Tally::new(Arc::clone(&kept) as _, registry, Arc::new(metrics()));
    (kept, tally, city)
}

/// What a flood costs is bounded, and none of it is lost.
#[tokio::test]
async fn a_flood_of_refusals_is_counted() {
    let (kept, tally, city) = tally();
    let now = OffsetDateTime::now_utc();
    let flood = 20_000_u64;
    for number in 0..flood {
        let check = if number % 2 == 0 {
            "token.exp"
        } else {
            "http.body"
        };
        let record = blank(Some(city.clone()), (turned_away(), check.to_owned()), now);
        tally.intend(record).await.unwrap();
    }
    // A use is not a refusal: it is written down, or fails.
    let mut used = blank(Some(city.clone()), (turned_away(), String::new()), now);
    used.refused = None;
    tally.intend(used).await.unwrap();
    tally.flush().await;
    tally.flush().await;
    let records = kept.0.lock().unwrap();
    let refused = records.iter().filter(|record| record.refused.is_some());
    assert_eq!(
        refused.map(|record| record.times.unwrap_or(1)).sum::<u64>(),
        flood
    );
    assert_eq!(
        records
            .iter()
            .filter(|record| record.times.is_some())
            .count(),
        2
    );
    // One more for each second that this took.
    let bound = usize::try_from(BURST).unwrap() + 3 + 600;
    assert!(records.len() <= bound, "{}", records.len());
}

#[test]
fn however_many_kinds_there_are_so_many_are_counted_apart() {
    let mut state = State::default();
    for number in 0..3 * KINDS {
        let record = blank(
            None,
            (turned_away(), String::new()),
            OffsetDateTime::UNIX_EPOCH,
        );
        state.count(&record, &number.to_string());
    }
    let counted = state.counted();
    assert_eq!(counted.len(), KINDS + 1);
    assert_eq!(
        counted.iter().map(|one| one.2).sum::<u64>(),
        3 * KINDS as u64
    );
}

fn failed<'a>(claimed: Option<&'a NamedNode>) -> ConnectionRefused<'a> {
    ConnectionRefused {
        address: ([192, 0, 2, 1], 1).into(),
        check: "tls.handshake",
        reason: &"its certificate does not hold",
        proven: None,
        claimed,
    }
}

/// INVARIANT(nothing-unproven)
#[tokio::test]
async fn nothing_unproven() {
    let (kept, tally, city) = tally();
    let stranger = NamedNode::new_unchecked("https://stranger.example/");
    let flood = 3 * BURST;
    for _ in 0..flood {
        tally.connection_refused(&failed(Some(&city)));
    }
    tally.connection_refused(&failed(Some(&stranger)));
    tally.connection_refused(&failed(None));
    // The one who was named is not blinded by it: its own refusals are written down one by one.
    for _ in 0..BURST {
        let kind = (turned_away(), "http.body".to_owned());
        let record = blank(Some(city.clone()), kind, OffsetDateTime::now_utc());
        assert_ne!(tally.intend(record).await.unwrap().sequence, 0);
    }
    let proven = ConnectionRefused {
        proven: Some(&city),
        claimed: None,
        check: "limits.connections",
        ..failed(None)
    };
    tally.connection_refused(&proven);
    tally.flush().await;
    let records = kept.0.lock().unwrap();
    let handshakes = of(&records, "tls.handshake");
    assert!(handshakes.iter().all(|record| record.participant.is_none()));
    assert_eq!(times(&handshakes), u64::from(flood));
    let claimed = handshakes
        .iter()
        .filter_map(|record| record.subject.as_deref());
    for claimed in claimed {
        assert_eq!(claimed, "claims to be https://city.example/, unproven");
    }
    let limits = of(&records, "limits.connections");
    assert!(
        limits
            .iter()
            .all(|record| record.participant.as_ref() == Some(&city))
    );
    assert_eq!(times(&limits), 1);
    assert_eq!(of(&records, "http.body").len(), BURST as usize);
    let text = tally.metrics.text().unwrap();
    let all = format!(
        "twinlink_turned_away_total{{check=\"tls.handshake\"}} {}",
        flood + 2
    );
    assert!(text.contains(&all), "{text}");
}

/// INVARIANT(no-count-is-lost)
#[tokio::test]
async fn no_count_is_lost() {
    let (kept, tally, city) = tally();
    kept.1.store(true, Ordering::SeqCst);
    let refused = u64::from(BURST) * 2;
    for number in 0..refused {
        let participant = (number % 2 == 0).then(|| city.clone());
        let kind = (turned_away(), "http.body".to_owned());
        let record = blank(participant, kind, OffsetDateTime::now_utc());
        tally.intend(record).await.unwrap();
        tally.connection_refused(&failed(Some(&city)));
    }
    tally.flush().await;
    tally.flush().await;
    assert!(kept.0.lock().unwrap().is_empty());
    kept.1.store(false, Ordering::SeqCst);
    tally.flush().await;
    tally.flush().await;
    let records = kept.0.lock().unwrap();
    assert_eq!(times(&records.iter().collect::<Vec<_>>()), refused * 2);
}

fn of<'a>(records: &'a [UseRecord], check: &str) -> Vec<&'a UseRecord> {
    let all = records.iter();
    all.filter(|record| record.refused.as_deref() == Some(check))
        .collect()
}

fn times(records: &[&UseRecord]) -> u64 {
    records.iter().map(|record| record.times.unwrap_or(1)).sum()
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the operator reads, of whoever knocks.
#[tokio::test]
async fn each_refusal_names_check_and_party() {
    let (_, tally, city) = tally();
    let written = Written::default();
    let to = written.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false);
    let log = lines.with_writer(move || to.clone()).finish();
    let _logged = tracing::subscriber::set_default(log);
    tally.connection_refused(&failed(Some(&city)));
    let tally = Arc::new(tally);
    let door = |refusal: fn() -> Response| {
        let layer = axum::middleware::from_fn_with_state(Arc::clone(&tally), record);
        let door =
            axum::Router::new().route("/", axum::routing::get(move || async move { refusal() }));
        let peer = Arc::new(Peer::stranger([192, 0, 2, 7].into()));
        let request = http::Request::get("/").extension(peer);
        let request = request.body(axum::body::Body::empty()).unwrap();
        door.layer(layer).oneshot(request)
    };
    let of_http = || {
        let refusal = Refusal::about_input("http.parameters", "what the client sent");
        crate::status::problem(&refusal, None)
    };
    let of_grpc = || {
        let refusal = Refusal::new(Code::Unauthenticated, "grpc.authorization", "two headers");
        crate::status::status(&refusal, None).into_http()
    };
    let of_library = || tonic::Status::internal("no message").into_http();
    for refusal in [of_http as fn() -> Response, of_grpc, of_library] {
        door(refusal).await.unwrap();
    }
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let of = |check: &str| {
        text.lines()
            .find(|line| line.contains(check))
            .unwrap_or_default()
    };
    for check in ["http.parameters", "grpc.authorization", "grpc.message"] {
        let line = of(check);
        assert!(
            line.contains("address=192.0.2.7") && line.contains("turned away"),
            "{text}"
        );
    }
    assert!(of("grpc.authorization").contains("two headers"), "{text}");
    assert!(!text.contains("what the client sent"), "{text}");
    let handshake = of("tls.handshake");
    for word in [
        "address=192.0.2.1:1",
        "unproven=\"https://city.example/\"",
        "does not hold",
    ] {
        assert!(handshake.contains(word), "{word}: {text}");
    }
}
