//! Whether the connector is ready: as a number, and for probes that have no certificate.

use super::Metrics;
use crate::readiness::Readiness;
use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

impl Metrics {
    /// Tells, too, whether the connector is ready.
    #[must_use]
    pub(crate) fn with_readiness(mut self, readiness: Arc<Readiness>) -> Self {
        let checks = Checks(Arc::clone(&readiness));
        self.registry.register_collector(Box::new(checks));
        self.readiness = readiness;
        self
    }
}

/// `/health` and `/ready`, as the connector's own door has them: the names of checks that fail and nothing else.
pub(super) fn routes(readiness: Arc<Readiness>) -> Router {
    let ready = get(move || async move {
        match readiness.lacking().await {
            none if none.is_empty() => "ready\n".into_response(),
            lacking => not_ready(&lacking),
        }
    });
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", ready)
}

fn not_ready(lacking: &[&str]) -> Response {
    let text = format!("not ready: {}\n", lacking.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// One number a check.
#[derive(Debug)]
struct Checks(Arc<Readiness>);

impl Collector for Checks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Whether what requests need is there, by check: 1 or 0";
        let mut family = encoder.encode_descriptor("ready", help, None, MetricType::Gauge)?;
        for (check, found) in self.0.look() {
            let labels = [("check", check)];
            let number = f64::from(u8::from(found.is_ok()));
            ConstGauge::new(number).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn get(readiness: &Arc<Readiness>, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = routes(Arc::clone(readiness))
            .oneshot(request)
            .await
            .unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn probes_learn_the_names_of_checks_and_nothing_else() {
        let readiness = Arc::default();
        assert_eq!(
            get(&readiness, "/ready").await,
            (StatusCode::OK, "ready\n".to_owned())
        );
        let full = Readiness::default().with("disk", || Err("/home/city has 3 bytes".to_owned()));
        let full = Arc::new(full);
        full.stop();
        let told = (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: serving, disk\n".to_owned(),
        );
        assert_eq!(get(&full, "/ready").await, told);
        assert_eq!(
            get(&full, "/health").await,
            (StatusCode::OK, "ok\n".to_owned())
        );
        assert_eq!(get(&full, "/metrics").await.0, StatusCode::NOT_FOUND);

        let metrics = crate::metrics::tests::metrics().with_readiness(full);
        let text = metrics.text().unwrap();
        for line in [
            "twinlink_ready{check=\"disk\"} 0",
            "twinlink_ready{check=\"serving\"} 0",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(!text.contains("/home/city"));
    }
}
