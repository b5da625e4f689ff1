//! The body of an answer, followed until its last byte has left: how a stream ended shows only there.

use super::export::Traced;
use axum::body::{Body, Bytes, HttpBody};
use http::HeaderMap;
use http::response::Parts;
use hyper::body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Statuses of gRPC that are an error of the server, by number:
/// <https://opentelemetry.io/docs/specs/semconv/rpc/grpc/#grpc-status>.
const ERRORS: [i64; 6] = [2, 4, 12, 13, 14, 15];

/// A body, and the span that ends with it.
pub(super) struct Followed {
    body: Body,
    span: Option<Traced>,
}

impl Followed {
    pub(super) fn new(
        body: Body,
        mut span: Traced,
        head: &Parts,
        refused: Option<&'static str>,
    ) -> Self {
        span.says("http.response.status_code", i64::from(head.status.as_u16()));
        if let Some(check) = refused {
            span.says("twinlink.check", check);
        }
        if head.status.is_server_error() {
            span.fail("");
        }
        let mut followed = Self {
            body,
            span: Some(span),
        };
        followed.status(&head.headers);
        followed.end_if_whole();
        followed
    }

    /// Takes the status of gRPC: among the headers where there is no body, else among the trailers.
    fn status(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|it| it.to_str().ok());
        let status = status.and_then(|status| status.parse::<i64>().ok());
        if let (Some(span), Some(status)) = (&mut self.span, status) {
            span.says("rpc.grpc.status_code", status);
            if ERRORS.contains(&status) {
                span.fail("");
            }
        }
    }

    fn end_if_whole(&mut self) {
        if self.body.is_end_stream()
            && let Some(span) = self.span.take()
        {
            span.end();
        }
    }
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.status(trailers);
                }
                self.end_if_whole();
            }
            Some(Err(_)) => {
                if let Some(mut span) = self.span.take() {
                    span.fail("the answer was broken off");
                    span.end();
                }
            }
            None => {
                if let Some(span) = self.span.take() {
                    span.end();
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
