//! What an operator's monitoring sees: counts and times in the
//! [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) format, on an address of its own.
//!
//! They are read off the log of use, which every request passes, answered or refused; nothing of a question, an answer
//! or a caller is in them. Who may connect to the address may read them: bind it to an interface of the operator's.

mod probes;

use crate::evidence::Evidence;
use crate::readiness::Readiness;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder, text::encode,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use twinlink_core::{Intent, Memory, Recorded, Refusal, UseLog, UseRecord};
use twinlink_store::TwinStore;
use twinlink_trust::{CurrentIdentity, Expiry};
use uuid::Uuid;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The connector's numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    uses: Uses,
    readiness: Arc<Readiness>,
}

/// Counts by how requests went.
#[derive(Debug, Clone)]
struct Uses {
    refused: Family<Check, Counter>,
    ended: Family<Ended, Counter>,
    rows: Counter,
    seconds: Histogram,
    turned_away: Family<TurnedAway, Counter>,
}

/// The check of a door.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAway {
    check: String,
}

/// When what ends.
struct Expiries {
    identity: Arc<CurrentIdentity>,
    trusted: Arc<twinlink_trust::Registry>,
}

/// The check that refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Check {
    action: String,
    check: String,
}

/// How a request that was let begin ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    action: String,
    /// `complete`, `incomplete` (a source was missing), or the check that broke it off.
    outcome: String,
}

/// What is looked up when somebody asks.
struct State {
    store: Arc<TwinStore>,
    identity: Arc<CurrentIdentity>,
    busy: Box<dyn Fn() -> usize + Send + Sync>,
}

/// A log of use that counts what passes.
struct Counted {
    log: Arc<dyn UseLog>,
    uses: Uses,
}

impl Metrics {
    /// The numbers of a connector; `busy` tells how many evaluations run.
    pub fn new(
        store: Arc<TwinStore>,
        identity: Arc<CurrentIdentity>,
        busy: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        let mut registry = Registry::with_prefix("twinlink");
        let uses = Uses {
            refused: Family::default(),
            ended: Family::default(),
            rows: Counter::default(),
            // From a millisecond to half a minute, the longest that a request may run.
            seconds: Histogram::new(exponential_buckets(0.001, 2.0, 16)),
            turned_away: Family::default(),
        };
        registry.register(
            "turned_away",
            "What the doors turned away before it was a request, and failed handshakes, by the check",
            uses.turned_away.clone(),
        );
        registry.register(
            "requests_refused",
            "Requests refused before they were evaluated, by the check that refused them",
            uses.refused.clone(),
        );
        registry.register(
            "requests_ended",
            "Requests that were evaluated, by how they ended",
            uses.ended.clone(),
        );
        registry.register(
            "rows_released",
            "Rows and triples released",
            uses.rows.clone(),
        );
        registry.register_with_unit(
            "request",
            "From the record of the intent to the record of the end",
            Unit::Seconds,
            uses.seconds.clone(),
        );
        registry.register_collector(Box::new(State {
            store,
            identity,
            busy: Box::new(busy),
        }));
        Self {
            registry,
            uses,
            readiness: Arc::default(),
        }
    }

    /// Tells, too, when what is trusted ends.
    #[must_use]
    pub fn watching(
        mut self,
        identity: Arc<CurrentIdentity>,
        trusted: Arc<twinlink_trust::Registry>,
    ) -> Self {
        let expiries = Expiries { identity, trusted };
        self.registry.register_collector(Box::new(expiries));
        self
    }

    /// Tells, too, what evaluations hold in memory together.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<Memory>) -> Self {
        self.registry.register_collector(Box::new(Held { memory }));
        self
    }

    /// Counts what a door turned away. The check is one of ours, never a text of the client's.
    pub(crate) fn turned_away(&self, check: &str) {
        let check = check.to_owned();
        self.uses
            .turned_away
            .get_or_create(&TurnedAway { check })
            .inc();
    }

    /// The log, counting what passes.
    pub fn counting(&self, log: Arc<dyn UseLog>) -> Arc<dyn UseLog> {
        let uses = self.uses.clone();
        Arc::new(Counted { log, uses })
    }

    /// Tells how many peers' logs of use contradict what they showed before.
    #[must_use]
    pub(crate) fn with_evidence(mut self, evidence: Arc<Evidence>) -> Self {
        self.registry
            .register_collector(Box::new(Logs { evidence }));
        self
    }

    /// All numbers as text.
    ///
    /// # Errors
    /// Never: the text is written to memory.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Binds the address and tells the numbers at `/metrics`, and probes at `/health` and `/ready`, for as long as the process
    /// lives.
    ///
    /// # Errors
    /// The system's error, with the address in its text.
    pub async fn serve(self: Arc<Self>, address: SocketAddr) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let text = format!("cannot tell metrics on {address}: {error}");
            std::io::Error::new(error.kind(), text)
        })?;
        let bound = listener.local_addr()?;
        let probes = probes::routes(Arc::clone(&self.readiness));
        let page = get(move || {
            let metrics = Arc::clone(&self);
            async move {
                // A disk that is looked at may take its time.
                let text = tokio::task::spawn_blocking(move || metrics.text()).await;
                let text = text.ok().and_then(Result::ok).unwrap_or_default();
                ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
            }
        });
        let service = probes.route("/metrics", page);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, service).await {
                tracing::error!(%error, "metrics are no longer told");
            }
        });
        Ok(bound)
    }
}

/// The last part of an action's IRI: `read`, `modify`.
fn action(record: &UseRecord) -> String {
    let iri = record.action.as_str();
    iri.rsplit(['/', '#']).next().unwrap_or(iri).to_owned()
}

impl UseLog for Counted {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        if let Some(check) = &record.refused {
            let labels = Check {
                action: action(&record),
                check: check.clone(),
            };
            self.uses.refused.get_or_create(&labels).inc();
        }
        self.log.intend(record)
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        let outcome = match (&done.failed, done.complete) {
            (Some(check), _) => check.clone(),
            (None, true) => "complete".to_owned(),
            (None, false) => "incomplete".to_owned(),
        };
        let labels = Ended {
            action: action(&intent.record),
            outcome,
        };
        self.uses.ended.get_or_create(&labels).inc();
        self.uses.rows.inc_by(done.rows);
        let took = done.time - intent.record.time;
        self.uses.seconds.observe(took.as_seconds_f64().max(0.0));
        self.log.complete(intent, done)
    }

    fn receipt(&self, request: Uuid, of: (&NamedNode, &str)) -> Result<Option<String>, Refusal> {
        self.log.receipt(request, of)
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let snapshot = self.store.snapshot();
        let left = self.identity.load().not_after() - OffsetDateTime::now_utc();
        let numbers = [
            (
                "evaluations_running",
                "Evaluations that run now",
                (self.busy)() as f64,
            ),
            (
                "twin_quads",
                "Quads of the twin, visible or not",
                snapshot.len() as f64,
            ),
            (
                "twin_bytes",
                "Bytes of the twin in memory, roughly",
                snapshot.bytes() as f64,
            ),
            (
                "twin_changes",
                "Changes of the twin so far",
                snapshot.sequence() as f64,
            ),
            (
                "certificate_left_seconds",
                "Until the connector's certificate ends; negative when it has",
                left.as_seconds_f64(),
            ),
        ];
        for (name, help, number) in numbers {
            let gauge = ConstGauge::new(number);
            let metric: MetricEncoder<'_> =
                encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

impl Collector for Expiries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let now = OffsetDateTime::now_utc();
        let own = Expiry::of_certificate(self.identity.load().facts(), now);
        let ends = self.trusted.current().expiries(now);
        let ends: Vec<Expiry> = std::iter::once(own).chain(ends).collect();
        let help = "Until a certificate, an authority's certificate or a revocation list ends; negative when it has";
        let mut family =
            encoder.encode_descriptor("expiry_left_seconds", help, None, MetricType::Gauge)?;
        for end in &ends {
            let labels = [
                ("what", end.what),
                ("participant", end.participant.as_str()),
            ];
            let left = (end.at - now).as_seconds_f64();
            ConstGauge::new(left).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Expiries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiries").finish_non_exhaustive()
    }
}

/// What evaluations hold together.
#[derive(Debug)]
struct Held {
    memory: Arc<Memory>,
}

impl Collector for Held {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for (name, help, bytes) in [
            (
                "evaluations_memory_bytes",
                "Bytes of memory that evaluations have reserved now",
                self.memory.reserved(),
            ),
            (
                "evaluations_memory_most_bytes",
                "The most that they had reserved at one time",
                self.memory.most_reserved(),
            ),
            (
                "evaluations_memory_limit_bytes",
                "The most that they may reserve together",
                self.memory.limit(),
            ),
        ] {
            let gauge = ConstGauge::new(bytes as f64);
            let metric: MetricEncoder<'_> =
                encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)?;
        }
        Ok(())
    }
}

/// What is known of peers' logs.
#[derive(Debug)]
struct Logs {
    evidence: Arc<Evidence>,
}

impl Collector for Logs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new(self.evidence.contradicted().len() as f64);
        let (name, help) = (
            "peer_logs_contradicted",
            "Peers whose log of use contradicts what they signed of it before",
        );
        let metric: MetricEncoder<'_> =
            encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(metric)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
