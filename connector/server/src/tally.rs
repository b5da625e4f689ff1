//! A bound on what refusals cost the disk: one by one while they are few, counted while they are a flood.

use crate::metrics::Metrics;
use crate::serve::PeerCertificate;
use crate::shown::Refused;
use axum::extract::{Request, State as Given};
use axum::middleware::Next;
use axum::response::Response;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Intent, Recorded, Refusal, UseLog, UseRecord};
use twinlink_trust::{Registry, Watcher};
use twinlink_vocab::tl;
use uuid::Uuid;

/// Refusals that are written down one by one, however fast they come; after that one a second.
const BURST: u32 = 4096;

/// Kinds of refusals that are counted apart; what comes on top is counted together.
const KINDS: usize = 1024;

/// Failed handshakes that wait for their record.
const HANDSHAKES: usize = 64;

/// How often what was counted is written down.
const WINDOW: Duration = Duration::from_secs(60);

/// A log of use that refusals cannot flood.
pub(crate) struct Tally {
    log: Arc<dyn UseLog>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
}

/// Who was refused what, by which check.
type Kind = (Option<NamedNode>, NamedNode, String);

struct State {
    left: u32,
    filled: Instant,
    counted: HashMap<Kind, u64>,
}

impl Tally {
    /// In front of this log.
    pub(crate) fn new(
        log: Arc<dyn UseLog>,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            log,
            registry,
            metrics,
            state: Mutex::new(State {
                left: BURST,
                filled: Instant::now(),
                counted: HashMap::new(),
            }),
        }
    }

    /// Records what a door turned away before it was a request, where its certificate says who it was. Of strangers there
    /// is a count in the metrics only.
    pub(crate) async fn turned_away(&self, check: &str, certificate: Option<&[u8]>) {
        self.metrics.turned_away(check);
        let now = OffsetDateTime::now_utc();
        let facts = certificate.and_then(|der| self.registry.current().client(der, now).ok());
        if let Some(facts) = facts {
            self.record(check, Some(facts.participant), None, now).await;
        }
    }

    /// Records a handshake that failed though its certificate names somebody we know. Who it was is not known.
    pub(crate) async fn handshake_failed(&self, claimed: &NamedNode) {
        let check = "tls.handshake";
        self.metrics.turned_away(check);
        let claimed = format!("claims to be {}", claimed.as_str());
        self.record(check, None, Some(claimed), OffsetDateTime::now_utc())
            .await;
    }

    async fn record(
        &self,
        check: &str,
        participant: Option<NamedNode>,
        subject: Option<String>,
        time: OffsetDateTime,
    ) {
        let record = UseRecord {
            subject,
            ..blank((participant, turned_away(), check.to_owned()), time)
        };
        if let Err(error) = self.intend(record).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// Whether this one is written down by itself; if not, it is counted.
    fn admit(&self, record: &UseRecord, check: &str, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = now.saturating_duration_since(state.filled).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX);
            state.left = state.left.saturating_add(more).min(BURST);
            state.filled += Duration::from_secs(seconds);
        }
        if state.left > 0 {
            state.left -= 1;
            return true;
        }
        state.count((
            record.participant.clone(),
            record.action.clone(),
            check.to_owned(),
        ));
        false
    }

    /// Writes down what was counted.
    pub(crate) async fn flush(&self) {
        let counted = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut state.counted)
        };
        let now = OffsetDateTime::now_utc();
        for (kind, times) in counted {
            let record = UseRecord {
                times: Some(times),
                ..blank(kind, now)
            };
            if let Err(error) = self.log.intend(record).await {
                tracing::error!(%error, times, "refusals could not be recorded");
            }
        }
    }

    /// Writes down what was counted, again and again for as long as the connector lives.
    pub(crate) async fn keep(tally: std::sync::Weak<Self>) {
        let mut windows = tokio::time::interval(WINDOW);
        loop {
            windows.tick().await;
            match tally.upgrade() {
                Some(tally) => tally.flush().await,
                None => return,
            }
        }
    }
}

impl State {
    fn count(&mut self, mut kind: Kind) {
        if self.counted.len() >= KINDS && !self.counted.contains_key(&kind) {
            kind = (None, turned_away(), "other".to_owned());
        }
        *self.counted.entry(kind).or_default() += 1;
    }
}

/// Tells the tally of handshakes that failed. More at a time than are kept are not worth a record each.
pub(crate) fn watcher(tally: &Arc<Tally>) -> Watcher {
    let (failed, mut failures) = tokio::sync::mpsc::channel::<NamedNode>(HANDSHAKES);
    let tally = Arc::clone(tally);
    // Ends when nobody listens any more, and all that came until then is written down.
    tokio::spawn(async move {
        while let Some(claimed) = failures.recv().await {
            tally.handshake_failed(&claimed).await;
        }
    });
    Arc::new(move |claimed: &NamedNode| {
        let (Ok(()) | Err(_)) = failed.try_send(claimed.clone());
    })
}

/// Records what the doors turn away: the outermost layer of both.
pub(crate) async fn record(
    Given(tally): Given<Arc<Tally>>,
    request: Request,
    next: Next,
) -> Response {
    let certificate = request.extensions().get::<PeerCertificate>().cloned();
    let response = next.run(request).await;
    if let Some(check) = turned_away_by(&response) {
        let certificate = certificate.as_ref().map(|one| one.0.as_slice());
        tally.turned_away(check, certificate).await;
    }
    response
}

/// The check of a door, where a response is a refusal that the request's way has not recorded.
fn turned_away_by(response: &Response) -> Option<&'static str> {
    let extensions = response.extensions();
    let unrecorded = |refused: &Refused| (!refused.is_recorded).then_some(refused.check);
    if let Some(refused) = extensions.get::<Refused>() {
        return unrecorded(refused);
    }
    let Some(status) = extensions.get::<tonic::Status>() else {
        // A call that there is none of.
        let code = response.headers().get(tonic::Status::GRPC_STATUS)?;
        return (code != "0").then_some("grpc.method");
    };
    match status
        .source()
        .and_then(|source| source.downcast_ref::<Refused>())
    {
        Some(refused) => unrecorded(refused),
        // The library's own: bytes that are no message, or one that is too large.
        None => Some("grpc.message"),
    }
}

fn turned_away() -> NamedNode {
    NamedNode::new_unchecked(format!("{}turnAway", tl::NAMESPACE))
}

/// A refusal of which nothing more is known.
fn blank((participant, action, check): Kind, time: OffsetDateTime) -> UseRecord {
    UseRecord {
        participant,
        refused: Some(check),
        ..UseRecord::new(Uuid::now_v7(), time, action)
    }
}

impl UseLog for Tally {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        if let Some(check) = &record.refused
            && !self.admit(&record, check, Instant::now())
        {
            // It has no place in the log of its own; nobody completes a refusal.
            let intent = Intent {
                record,
                sequence: 0,
            };
            return Box::pin(std::future::ready(Ok(intent)));
        }
        self.log.intend(record)
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        self.log.complete(intent, done)
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::tests::metrics;
    use twinlink_trust::{Authority, Trusted, TrustedParty};

    #[derive(Default)]
    struct Kept(Mutex<Vec<UseRecord>>);

    impl UseLog for Kept {
        fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
            self.0.lock().unwrap().push(record.clone());
            let intent = Intent {
                record,
                sequence: 1,
            };
            Box::pin(std::future::ready(Ok(intent)))
        }

        fn complete<'a>(
            &'a self,
            _: Intent,
            _: Recorded,
        ) -> BoxFuture<'a, Result<String, Refusal>> {
            Box::pin(std::future::ready(Ok(String::new())))
        }
    }

    /// What a flood costs is bounded, and none of it is lost.
    #[tokio::test]
    async fn a_flood_of_refusals_is_counted() {
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
        let flood = 20_000_u64;
        for number in 0..flood {
            let check = if number % 2 == 0 {
                "token.exp"
            } else {
                "http.body"
            };
            let record = blank((Some(city.clone()), turned_away(), check.to_owned()), now);
            tally.intend(record).await.unwrap();
        }
        // A use is not a refusal: it is written down, or fails.
        let mut used = blank((Some(city.clone()), turned_away(), String::new()), now);
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

    #[tokio::test]
    async fn however_many_kinds_there_are_so_many_are_counted_apart() {
        let mut state = State {
            left: 0,
            filled: Instant::now(),
            counted: HashMap::new(),
        };
        for number in 0..3 * KINDS {
            state.count((None, turned_away(), number.to_string()));
        }
        assert_eq!(state.counted.len(), KINDS + 1);
        assert_eq!(state.counted.values().sum::<u64>(), 3 * KINDS as u64);
    }
}
