//! Answers on the wire: whole with its outcome in the header, or streamed with its outcome in the trailer or the last line.

use super::fault::Fault;
use super::negotiate::{Accept, content_type};
use super::outcome::{self, REQUEST, TRAILERS, fields};
use super::writer::Writer;
use crate::telemetry::in_same_trace;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::Stream;
use http::header::{CONTENT_TYPE, TE, TRAILER};
use http::{HeaderMap, StatusCode, Version};
use http_body_util::StreamBody;
use hyper::body::Frame;
use std::time::Instant;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use twinlink_core::{Code, Head, Refusal, Reply};
use uuid::Uuid;

/// An answer up to this size goes out whole, in bytes.
const WHOLE: usize = 64 * 1024;

/// As [`WHOLE`], for a client that could not be told the outcome after the rows.
const WHOLE_WITHOUT_TRAILERS: usize = 4 * 1024 * 1024;

/// How many parts of a body wait for a slow reader before the answer waits too.
const IN_FLIGHT: usize = 2;

/// What a client's connection can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Rows as they come, and the outcome after them.
    Trailers,
    /// Rows as they come; the receipt is then at `/receipts/` and the request's id.
    Chunks,
    /// Only what is known whole: HTTP/1.0 takes a broken connection for the end.
    Whole,
}

/// How an answer is to be sent.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) accept: Accept,
    /// When the last of it must be out.
    pub(super) until: Instant,
    pub(super) carries: Carries,
    /// Whether an answer without rows is "not found".
    pub(super) empty_is_missing: bool,
}

impl Carries {
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-6.5.1>: trailers only for those who say that they read them.
    pub(super) fn of(version: Version, headers: &HeaderMap) -> Self {
        let reads_trailers = headers.get_all(TE).iter().any(|value| {
            let mut names = value.to_str().unwrap_or_default().split(',');
            names.any(|name| name.trim().eq_ignore_ascii_case("trailers"))
        });
        if version >= Version::HTTP_2 || version == Version::HTTP_11 && reads_trailers {
            Self::Trailers
        } else if version == Version::HTTP_11 {
            Self::Chunks
        } else {
            Self::Whole
        }
    }

    /// How much of an answer is held back until it is known whole.
    fn whole(self, tells_outcome: bool) -> usize {
        match self {
            Self::Trailers | Self::Chunks if tells_outcome => 0,
            Self::Trailers => WHOLE,
            Self::Chunks | Self::Whole => WHOLE_WITHOUT_TRAILERS,
        }
    }
}

/// Sends an answer.
///
/// Returns when it is known whole, or larger than is held back. A refusal until then is a status of its own; one after
/// that breaks the body off.
///
/// # Errors
/// The reply's refusal, or 406.
pub(super) async fn deliver(mut reply: Reply, delivery: Delivery) -> Result<Response, Fault> {
    let request = reply.request();
    let (mut writer, media_type) = Writer::open(reply.head(), &delivery.accept)?;
    let is_boolean = matches!(reply.head(), Head::Boolean(_));
    let most = delivery.carries.whole(writer.tells_outcome());
    loop {
        let Some(piece) = reply.next().await.map_err(Fault::of(request))? else {
            let outcome = reply.finish().await.map_err(Fault::of(request))?;
            if delivery.empty_is_missing && outcome.rows == 0 && !is_boolean {
                let missing = Refusal::new(Code::NotFound, "graph", "the graph has no triples");
                return Err(Fault::of(request)(missing));
            }
            let body = writer.finish(request, &outcome);
            let body = body.map_err(Fault::of(request))?;
            let mut response = head(request, media_type, Body::from(body));
            response.headers_mut().extend(fields(&outcome));
            return Ok(response);
        };
        writer.put(&piece).map_err(Fault::of(request))?;
        if writer.waiting() > most {
            break;
        }
    }
    if delivery.carries == Carries::Whole {
        let long = "the answer is too long for HTTP/1.0: ask with HTTP/1.1 or HTTP/2";
        return Err(Fault::of(request)(
            Refusal::new(Code::Exhausted, "http.version", long).open(),
        ));
    }
    let trailers = delivery.carries == Carries::Trailers;
    let (parts_in, parts) = mpsc::channel(IN_FLIGHT);
    let task = pump(reply, writer, trailers, delivery.until, parts_in);
    tokio::spawn(in_same_trace(task).in_current_span());
    let body = Body::new(StreamBody::new(frames(parts)));
    let mut response = head(request, media_type, body);
    if trailers {
        response.headers_mut().insert(TRAILER, TRAILERS);
    }
    Ok(response)
}

fn head(request: Uuid, media_type: &'static str, body: Body) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type(media_type));
    headers.insert(REQUEST, outcome::request(request));
    response
}

/// A part of a streamed body.
enum Part {
    Frame(Frame<Bytes>),
    /// The body is whole: without this last part it broke off.
    End,
}

/// The rest of an answer, as fast as the client reads.
// INVARIANT(no-short-answer): a body that ends well holds every row; a refusal in the middle is an error of the body.
fn frames(
    parts: mpsc::Receiver<Result<Part, Refusal>>,
) -> impl Stream<Item = Result<Frame<Bytes>, Refusal>> + Send {
    futures::stream::try_unfold(parts, |mut parts| async move {
        match parts.recv().await {
            Some(Ok(Part::Frame(frame))) => Ok(Some((frame, parts))),
            Some(Ok(Part::End)) => Ok(None),
            Some(Err(refusal)) => Err(refusal),
            None => Err(Refusal::new(
                Code::Timeout,
                "http.reader",
                "the client did not read the answer in time",
            )),
        }
    })
}

/// Draws the answer and hands it to the connection; on a task of its own, so that a client which stops reading does
/// not hold the evaluation beyond the deadline.
async fn pump(
    reply: Reply,
    writer: Writer,
    trailers: bool,
    until: Instant,
    parts: mpsc::Sender<Result<Part, Refusal>>,
) {
    let drawn = async {
        if let Err(refusal) = draw(reply, writer, trailers, &parts).await {
            tracing::warn!(%refusal, "an answer broke off");
            // Where the client is gone nobody is left to tell.
            drop(parts.send(Err(refusal)).await);
        }
    };
    tokio::select! {
        biased;
        () = drawn => {}
        // Also while the evaluation finds nothing to send: dropping the reply stops it.
        () = parts.closed() => tracing::info!(check = "http.reader", "a client went away from its answer"),
        () = tokio::time::sleep_until(until.into()) => {
            tracing::warn!(check = "http.reader", "an answer broke off: it was not read in time");
        }
    }
}

async fn draw(
    mut reply: Reply,
    mut writer: Writer,
    trailers: bool,
    parts: &mpsc::Sender<Result<Part, Refusal>>,
) -> Result<(), Refusal> {
    send(parts, Part::Frame(Frame::data(writer.take()))).await?;
    while let Some(piece) = reply.next().await? {
        writer.put(&piece)?;
        if writer.waiting() > 0 {
            send(parts, Part::Frame(Frame::data(writer.take()))).await?;
        }
    }
    let request = reply.request();
    let outcome = reply.finish().await?;
    let flawed = !outcome.complete || !outcome.unsure.is_empty();
    if flawed && !trailers && !writer.tells_outcome() {
        // Without trailers the client would take these rows for all there are.
        return Err(Refusal::new(
            Code::Unavailable,
            "http.trailers",
            "a source is missing and the client does not read trailers",
        ));
    }
    send(
        parts,
        Part::Frame(Frame::data(writer.finish(request, &outcome)?)),
    )
    .await?;
    if trailers {
        send(parts, Part::Frame(Frame::trailers(fields(&outcome)))).await?;
    }
    send(parts, Part::End).await
}

async fn send(parts: &mpsc::Sender<Result<Part, Refusal>>, part: Part) -> Result<(), Refusal> {
    let gone = |_| Refusal::new(Code::Timeout, "http.reader", "the client went away");
    parts.send(Ok(part)).await.map_err(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    #[test]
    fn trailers_go_only_to_those_who_read_them() {
        let carries = |version, te: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(te) = te {
                headers.insert(TE, HeaderValue::from_static(te));
            }
            Carries::of(version, &headers)
        };
        assert_eq!(carries(Version::HTTP_2, None), Carries::Trailers);
        assert_eq!(
            carries(Version::HTTP_11, Some("gzip, Trailers")),
            Carries::Trailers
        );
        assert_eq!(carries(Version::HTTP_11, None), Carries::Chunks);
        assert_eq!(carries(Version::HTTP_10, Some("trailers")), Carries::Whole);
    }
}
