//! Traces for a collector, by [OTLP](https://opentelemetry.io/docs/specs/otlp/) over gRPC. Off without an endpoint.

use super::Context;
use crate::cli::Failure;
use axum::response::Response;
use opentelemetry::KeyValue;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};
use oxrdf::NamedNode;
use std::fmt;
use std::time::Duration;

/// How long the collector may take. It is never waited for by a request: what it does not take in time is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where traces go, if anywhere.
#[derive(Clone, Default)]
pub(crate) struct Traces(Option<(SdkTracerProvider, SdkTracer)>);

/// A request, as the collector is told of it.
pub(crate) struct Traced(Option<Span>);

impl Traces {
    /// To this collector. Must be called in a tokio runtime. Connects when there is something to send.
    ///
    /// # Errors
    /// An endpoint that is none.
    pub(crate) fn to(endpoint: &str, participant: &NamedNode) -> Result<Self, Failure> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| format!("traces cannot be sent to {endpoint}: {error}"))?;
        // Only what we say of ourselves: detectors would tell of the machine.
        let resource = Resource::builder_empty()
            .with_service_name("twinlink")
            .with_attribute(KeyValue::new(
                "service.instance.id",
                participant.as_str().to_owned(),
            ))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("twinlink");
        Ok(Self(Some((provider, tracer))))
    }

    /// Begins to follow a request that came with this context, if with one.
    pub(crate) fn begin(
        &self,
        operation: &'static str,
        came_with: Option<Context>,
    ) -> (Context, Traced) {
        let Some((_, tracer)) = &self.0 else {
            let context = came_with.map_or_else(Context::fresh, Context::child);
            return (context, Traced(None));
        };
        let parent = opentelemetry::Context::new();
        let parent = match came_with.map(Context::ids) {
            None => parent,
            Some((trace, span, is_sampled)) => parent.with_remote_span_context(SpanContext::new(
                TraceId::from(trace),
                SpanId::from(span),
                if is_sampled {
                    TraceFlags::SAMPLED
                } else {
                    TraceFlags::default()
                },
                true,
                TraceState::default(),
            )),
        };
        let span = tracer
            .span_builder(operation)
            .with_kind(SpanKind::Server)
            .start_with_context(tracer, &parent);
        let own = span.span_context();
        let trace = u128::from_be_bytes(own.trace_id().to_bytes());
        let id = u64::from_be_bytes(own.span_id().to_bytes());
        let context = Context::with(trace, id, own.trace_flags().is_sampled());
        (context, Traced(Some(span)))
    }

    /// Sends what is left, at the end.
    pub(crate) async fn end(&self) {
        let Some((provider, _)) = self.0.clone() else {
            return;
        };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE));
        if let Ok(Err(error)) = ended.await {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

impl Traced {
    /// When the answer begins to leave.
    pub(crate) fn end(self, response: &Response, refused: Option<&'static str>) {
        let Some(mut span) = self.0 else { return };
        let status = i64::from(response.status().as_u16());
        span.set_attribute(KeyValue::new("http.response.status_code", status));
        if let Some(check) = refused {
            span.set_attribute(KeyValue::new("twinlink.check", check));
        }
        if response.status().is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("are_sent", &self.0.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    /// A collector that keeps what it is sent.
    async fn collector() -> (String, mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
        let (sender, received) = mpsc::unbounded_channel();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let service = Router::new().fallback(move |request: Request| {
            let sender = sender.clone();
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                sender.send((path, body.to_vec())).unwrap();
                let mut response = Response::new(Body::from(vec![0_u8; 5]));
                let headers = response.headers_mut();
                headers.insert("content-type", "application/grpc".parse().unwrap());
                headers.insert("grpc-status", "0".parse().unwrap());
                response
            }
        });
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        (endpoint, received)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_is_told_of_the_request_and_its_trace() {
        let (endpoint, mut received) = collector().await;
        let city = NamedNode::new_unchecked("https://city.example/");
        let traces = Traces::to(&endpoint, &city).unwrap();
        let came = Context::fresh();
        let (context, traced) = traces.begin("/sparql", Some(came));
        assert_eq!(context.trace(), came.trace());
        assert_ne!(context.span(), came.span());
        let mut response = Response::new(Body::from("row"));
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        traced.end(&response, Some("policy"));
        let (end, sent) = tokio::join!(traces.end(), received.recv());
        let ((), (path, bytes)) = (end, sent.unwrap());
        assert_eq!(
            path,
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        );
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        let (trace, span, _) = context.ids();
        assert!(holds(&trace.to_be_bytes()) && holds(&span.to_be_bytes()));
        assert!(holds(&came.ids().1.to_be_bytes()), "its parent");
        for word in ["/sparql", "policy", "https://city.example/"] {
            assert!(holds(word.as_bytes()), "{word}");
        }
        assert!(!holds(b"row"));
    }

    #[tokio::test]
    async fn without_a_collector_the_trace_goes_on_all_the_same() {
        let traces = Traces::default();
        let came = Context::fresh();
        let (context, _) = traces.begin("/sparql", Some(came));
        assert_eq!(context.trace(), came.trace());
        let (new, _) = traces.begin("/sparql", None);
        assert_ne!(new.trace(), came.trace());
        traces.end().await;
    }
}
