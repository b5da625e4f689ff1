//! Traces for a collector, by [OTLP](https://opentelemetry.io/docs/specs/otlp/) over gRPC. Off without an endpoint.

use super::Context;
use crate::cli::Failure;
use opentelemetry::trace::{
    Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{KeyValue, Value};
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

/// A request, or one to a peer for it, as the collector is told of it. One that is dropped was given up.
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
            // What a caller does not follow itself is not followed here: W3C Trace Context, section 3.2.2.5.1.
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
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
        self.next(SpanKind::Server, operation, came_with, None)
    }

    /// Begins to follow a request to a peer, for one that stands here.
    pub(super) fn asks(&self, peer: &NamedNode, from: Context) -> (Context, Traced) {
        self.next(SpanKind::Client, "ask a peer", Some(from), Some(peer))
    }

    fn next(
        &self,
        kind: SpanKind,
        name: &'static str,
        parent: Option<Context>,
        peer: Option<&NamedNode>,
    ) -> (Context, Traced) {
        let Some((_, tracer)) = &self.0 else {
            let context = parent.map_or_else(Context::fresh, Context::child);
            return (context, Traced(None));
        };
        let none = opentelemetry::Context::new();
        let parent = match parent.map(Context::ids) {
            None => none,
            Some((trace, span, is_sampled)) => none.with_remote_span_context(SpanContext::new(
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
        let mut span = tracer
            .span_builder(name)
            .with_kind(kind)
            .start_with_context(tracer, &parent);
        if let Some(peer) = peer {
            let peer = peer.as_str().to_owned();
            span.set_attribute(KeyValue::new("twinlink.peer", peer));
        }
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
    /// Whether nobody is told.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn says(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// That it failed by our fault, or a peer's.
    pub(super) fn fail(&mut self, why: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(why));
        }
    }

    /// That it came to its end.
    pub(super) fn end(mut self) {
        if let Some(mut span) = self.0.take() {
            span.end();
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new("error.type", "given up"));
            span.end();
        }
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
    use crate::telemetry::context::Place;
    use crate::telemetry::followed::Followed;
    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::extract::Request;
    use axum::response::Response;
    use futures::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::Frame;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

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

    /// All that a collector was told, once there is no more.
    async fn told(
        traces: Traces,
        mut received: mpsc::UnboundedReceiver<(String, Vec<u8>)>,
    ) -> Vec<u8> {
        traces.end().await;
        let mut all = Vec::new();
        while let Ok((path, bytes)) = received.try_recv() {
            let export = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
            assert_eq!(path, export);
            all.extend(bytes);
        }
        all
    }

    fn holds(bytes: &[u8], part: impl AsRef<[u8]>) -> bool {
        let part = part.as_ref();
        bytes.windows(part.len()).any(|window| window == part)
    }

    /// An answer of these parts, up to its end or until it is dropped.
    async fn answer(
        traced: Traced,
        parts: Vec<Result<Frame<Bytes>, std::io::Error>>,
        is_read: bool,
    ) {
        let (head, body) = Response::new(StreamBody::new(stream::iter(parts))).into_parts();
        let mut body = Followed::new(Body::new(body), traced, &head, Some("policy"));
        while is_read && body.frame().await.is_some() {}
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_collector_is_told_of_the_request_and_its_trace() {
        let (endpoint, received) = collector().await;
        let city = NamedNode::new_unchecked("https://city.example/");
        let police = NamedNode::new_unchecked("https://police.example/");
        let traces = Traces::to(&endpoint, &city).unwrap();
        let came = Context::parse(SAMPLED).unwrap();
        let (context, traced) = traces.begin("/sparql", Some(came));
        assert_eq!(context.trace(), came.trace());
        assert_ne!(context.span(), came.span());
        // What is asked of a peer meanwhile is a step of it.
        let place = Place {
            context,
            traces: traces.clone(),
        };
        let asked = crate::telemetry::asking(&police, async {
            Err::<(), _>(crate::telemetry::traceparent().unwrap())
        });
        let sent = place.during(asked).await.unwrap_err();
        let step = Context::parse(&sent).unwrap();
        assert_eq!(step.trace(), came.trace());
        assert_ne!(step.span(), context.span());
        let row = Frame::data(Bytes::from_static(b"row"));
        answer(traced, vec![Ok(row)], true).await;
        let bytes = told(traces, received).await;
        for one in [came, context, step] {
            assert!(holds(&bytes, one.ids().1.to_be_bytes()), "{one}");
        }
        assert!(holds(&bytes, came.ids().0.to_be_bytes()));
        for word in [
            "/sparql",
            "policy",
            "ask a peer",
            "not answered",
            city.as_str(),
            police.as_str(),
        ] {
            assert!(holds(&bytes, word), "{word}");
        }
        assert!(!holds(&bytes, "row"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn how_an_answer_ended_is_told_when_it_did() {
        let row = || Ok(Frame::data(Bytes::from_static(b"row")));
        let status = |status: &'static str| {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static(status));
            Ok(Frame::trailers(trailers))
        };
        let broken = || Err(std::io::Error::other("gone"));
        let (failed, left) = ("broken off", "given up");
        // An error has code 2 in a span's status: field 3 of two bytes of field 15.
        let error = [0x7a, 0x02, 0x18, 0x02];
        for (parts, is_read, words, is_error) in [
            (
                vec![row(), status("0")],
                true,
                vec!["rpc.grpc.status_code"],
                false,
            ),
            (
                vec![row(), status("7")],
                true,
                vec!["rpc.grpc.status_code"],
                false,
            ),
            (
                vec![row(), status("14")],
                true,
                vec!["rpc.grpc.status_code"],
                true,
            ),
            (vec![row(), broken()], true, vec![failed], false),
            (vec![row()], false, vec![left], false),
            (vec![row()], true, vec![], false),
        ] {
            let (endpoint, received) = collector().await;
            let city = NamedNode::new_unchecked("https://city.example/");
            let traces = Traces::to(&endpoint, &city).unwrap();
            let (_, traced) = traces.begin("/sparql", None);
            answer(traced, parts, is_read).await;
            let bytes = told(traces, received).await;
            for word in ["rpc.grpc.status_code", failed, left] {
                assert_eq!(
                    holds(&bytes, word),
                    words.contains(&word),
                    "{word} {words:?}"
                );
            }
            assert_eq!(holds(&bytes, error), is_error, "{words:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_its_caller_does_not_follow_is_not_followed() {
        let (endpoint, received) = collector().await;
        let city = NamedNode::new_unchecked("https://city.example/");
        let traces = Traces::to(&endpoint, &city).unwrap();
        let came = Context::parse(&SAMPLED.replace("-01", "-00")).unwrap();
        let (context, traced) = traces.begin("/sparql", Some(came));
        assert_eq!(context.trace(), came.trace());
        assert!(context.to_string().ends_with("-00"));
        answer(traced, Vec::new(), true).await;
        assert!(told(traces, received).await.is_empty());
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
