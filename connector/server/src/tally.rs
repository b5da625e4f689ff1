//! A bound on what refusals cost the disk: one by one while they are few, counted while they are a flood. Each participant
//! that proved who it is has a bound of its own; all strangers have one together.

use crate::metrics::Metrics;
use crate::serve::{ConnectionRefused, Peer, PeerCertificate};
use crate::shown::Refused;
use axum::extract::{Request, State as Given};
use axum::middleware::Next;
use axum::response::Response;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::{HashMap, VecDeque};
use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::Notify;
use twinlink_core::{Intent, Recorded, Refusal, UseLog, UseRecord};
use twinlink_trust::Registry;
use twinlink_vocab::tl;
use uuid::Uuid;

/// Refusals of one participant, or of all strangers, that are written down one by one, however fast they come; after that
/// one a second.
const BURST: u32 = 1024;

/// Kinds of refusals of each that are counted apart; what comes on top is counted together.
const KINDS: usize = 256;

/// Connections that came to nothing and wait for their record; further ones are counted.
const WAITING: usize = 64;

/// How often what was counted is written down.
const WINDOW: Duration = Duration::from_secs(60);

/// A log of use that refusals cannot flood.
pub(crate) struct Tally {
    log: Arc<dyn UseLog>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    waits: Arc<Notify>,
    /// Held while what was counted is written down: nothing is written twice.
    flushing: tokio::sync::Mutex<()>,
}

/// What was refused, by which check.
type Kind = (NamedNode, String);

/// Of each participant that proved who it is, and of all others together.
#[derive(Default)]
struct State {
    buckets: HashMap<Option<NamedNode>, Bucket>,
    waiting: VecDeque<UseRecord>,
}

struct Bucket {
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
            state: Mutex::default(),
            waits: Arc::default(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Records what a door turned away before it was a request, where its certificate says who it was. Of strangers there
    /// is a line in the log and a count in the metrics only.
    async fn turned_away(
        &self,
        turned: &TurnedAway,
        certificate: Option<&[u8]>,
        peer: Option<&Peer>,
    ) {
        self.metrics.turned_away(turned.check);
        let now = OffsetDateTime::now_utc();
        let facts = certificate.and_then(|der| self.registry.current().client(der, now).ok());
        let party = facts.as_ref().map(|facts| facts.participant.as_str());
        let address = peer.and_then(Peer::address).map(tracing::field::display);
        let TurnedAway { check, detail } = turned;
        tracing::info!(check, party, address, detail = &**detail, "turned away");
        if let Some(facts) = facts {
            let record = blank(
                Some(facts.participant),
                (turned_away(), (*check).to_owned()),
                now,
            );
            if let Err(error) = self.intend(record).await {
                tracing::error!(%error, "a refusal could not be recorded");
            }
        }
    }

    /// Notes a connection that came to nothing. It is recorded where a participant that we know is concerned: as that
    /// participant's where it proved who it is, and else as nobody's, with the name that was claimed.
    // INVARIANT(nothing-unproven): no refusal is put down to a participant that did not prove who it is.
    pub(crate) fn connection_refused(&self, refused: &ConnectionRefused<'_>) {
        let ConnectionRefused {
            address,
            check,
            reason,
            proven,
            claimed,
        } = refused;
        self.metrics.turned_away(check);
        let party = proven.map(NamedNode::as_str);
        let unproven = claimed.map(NamedNode::as_str);
        tracing::info!(check, %address, party, unproven, %reason, "a connection was refused");
        let is_known = |id: &&NamedNode| self.registry.current().knows(id);
        let subject = claimed.filter(is_known);
        if proven.is_none() && subject.is_none() {
            return;
        }
        let kind = (turned_away(), (*check).to_owned());
        let record = UseRecord {
            subject: subject.map(|id| format!("claims to be {}, unproven", id.as_str())),
            ..blank(proven.cloned(), kind, OffsetDateTime::now_utc())
        };
        let mut state = self.state();
        if !state.admit(&record, check, Instant::now()) {
            return;
        }
        if state.waiting.len() < WAITING {
            state.waiting.push_back(record);
            self.waits.notify_one();
        } else {
            state.count(&record, check);
        }
    }

    /// Writes down the connections that wait for it.
    async fn write_waiting(&self) {
        loop {
            let Some(record) = self.state().waiting.pop_front() else {
                return;
            };
            if let Err(error) = self.log.intend(record.clone()).await {
                self.not_recorded(&record, &error);
            }
        }
    }

    /// Writes down what was counted. What cannot be written stays counted.
    // INVARIANT(no-count-is-lost): what was refused and not written down is counted until it is.
    pub(crate) async fn flush(&self) {
        let _one_at_a_time = self.flushing.lock().await;
        self.write_waiting().await;
        let now = OffsetDateTime::now_utc();
        let counted = self.state().counted();
        for (participant, kind, times) in counted {
            let record = UseRecord {
                times: Some(times),
                ..blank(participant.clone(), kind.clone(), now)
            };
            if let Err(error) = self.log.intend(record).await {
                let left: u64 = self.state().counted().iter().map(|one| one.2).sum();
                tracing::error!(%error, left, "refusals could not be recorded: they stay counted");
                return;
            }
            self.state().written(&participant, &kind, times);
        }
    }

    fn not_recorded(&self, record: &UseRecord, error: &Refusal) {
        tracing::error!(%error, "a refusal could not be recorded: it is counted");
        let check = record.refused.clone().unwrap_or_default();
        self.state().count(record, &check);
    }

    /// Writes down what waits and what was counted, again and again for as long as the connector lives.
    pub(crate) async fn keep(tally: std::sync::Weak<Self>) {
        let Some(waits) = tally.upgrade().map(|tally| Arc::clone(&tally.waits)) else {
            return;
        };
        let mut windows = tokio::time::interval(WINDOW);
        loop {
            let is_window = tokio::select! {
                _ = windows.tick() => true,
                () = waits.notified() => false,
            };
            match (tally.upgrade(), is_window) {
                (Some(tally), true) => tally.flush().await,
                (Some(tally), false) => tally.write_waiting().await,
                (None, _) => return,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bucket(&mut self, participant: &Option<NamedNode>) -> &mut Bucket {
        self.buckets.entry(participant.clone()).or_insert(Bucket {
            left: BURST,
            filled: Instant::now(),
            counted: HashMap::new(),
        })
    }

    /// Whether this one is written down by itself; if not, it is counted.
    fn admit(&mut self, record: &UseRecord, check: &str, now: Instant) -> bool {
        let bucket = self.bucket(&record.participant);
        let seconds = now.saturating_duration_since(bucket.filled).as_secs();
        if seconds > 0 {
            let more = u32::try_from(seconds).unwrap_or(u32::MAX);
            bucket.left = bucket.left.saturating_add(more).min(BURST);
            bucket.filled += Duration::from_secs(seconds);
        }
        if bucket.left > 0 {
            bucket.left -= 1;
            return true;
        }
        self.count(record, check);
        false
    }

    fn count(&mut self, record: &UseRecord, check: &str) {
        let counted = &mut self.bucket(&record.participant).counted;
        let mut kind = (record.action.clone(), check.to_owned());
        if counted.len() >= KINDS && !counted.contains_key(&kind) {
            kind = (turned_away(), "other".to_owned());
        }
        *counted.entry(kind).or_default() += record.times.unwrap_or(1);
    }

    fn counted(&self) -> Vec<(Option<NamedNode>, Kind, u64)> {
        let each = self.buckets.iter().flat_map(|(participant, bucket)| {
            let kinds = bucket.counted.iter();
            kinds.map(|(kind, times)| (participant.clone(), kind.clone(), *times))
        });
        each.collect()
    }

    /// What came in the meantime stays.
    fn written(&mut self, participant: &Option<NamedNode>, kind: &Kind, times: u64) {
        let counted = &mut self.bucket(participant).counted;
        match counted.get_mut(kind) {
            Some(all) if *all > times => *all -= times,
            _ => drop(counted.remove(kind)),
        }
    }
}

/// Records what the doors turn away: the outermost layer of both.
pub(crate) async fn record(
    Given(tally): Given<Arc<Tally>>,
    request: Request,
    next: Next,
) -> Response {
    let certificate = request.extensions().get::<PeerCertificate>().cloned();
    let peer = request.extensions().get::<Arc<Peer>>().cloned();
    let response = next.run(request).await;
    if let Some(turned) = turned_away_by(&response) {
        let certificate = certificate.as_ref().map(|one| one.0.as_slice());
        tally
            .turned_away(&turned, certificate, peer.as_deref())
            .await;
    }
    response
}

/// What a door turned away.
struct TurnedAway {
    check: &'static str,
    /// For the operator.
    detail: Arc<str>,
}

/// The check of a door, where a response is a refusal that the request's way has not recorded.
fn turned_away_by(response: &Response) -> Option<TurnedAway> {
    let extensions = response.extensions();
    let unrecorded = |refused: &Refused| {
        (!refused.is_recorded).then(|| TurnedAway {
            check: refused.check,
            detail: Arc::clone(&refused.detail),
        })
    };
    if let Some(refused) = extensions.get::<Refused>() {
        return unrecorded(refused);
    }
    let Some(status) = extensions.get::<tonic::Status>() else {
        // A call that there is none of.
        let code = response.headers().get(tonic::Status::GRPC_STATUS)?;
        return (code != "0").then(|| TurnedAway {
            check: "grpc.method",
            detail: "there is no such call".into(),
        });
    };
    match status
        .source()
        .and_then(|source| source.downcast_ref::<Refused>())
    {
        Some(refused) => unrecorded(refused),
        // The library's own: bytes that are no message, or one that is too large.
        None => Some(TurnedAway {
            check: "grpc.message",
            detail: status.message().into(),
        }),
    }
}

fn turned_away() -> NamedNode {
    NamedNode::new_unchecked(format!("{}turnAway", tl::NAMESPACE))
}

/// A refusal of which nothing more is known.
fn blank(participant: Option<NamedNode>, (action, check): Kind, time: OffsetDateTime) -> UseRecord {
    UseRecord {
        participant,
        refused: Some(check),
        ..UseRecord::new(Uuid::now_v7(), time, action)
    }
}

/// It has no place in the log of its own; nobody completes a refusal.
fn counted(record: UseRecord) -> Intent {
    Intent {
        record,
        sequence: 0,
    }
}

impl UseLog for Tally {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        let Some(check) = record.refused.clone() else {
            return self.log.intend(record);
        };
        if !self.state().admit(&record, &check, Instant::now()) {
            return Box::pin(std::future::ready(Ok(counted(record))));
        }
        Box::pin(async move {
            match self.log.intend(record.clone()).await {
                Ok(intent) => Ok(intent),
                Err(error) => {
                    self.not_recorded(&record, &error);
                    Ok(counted(record))
                }
            }
        })
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        self.log.complete(intent, done)
    }

    fn receipt(&self, request: Uuid, of: (&NamedNode, &str)) -> Result<Option<String>, Refusal> {
        self.log.receipt(request, of)
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
