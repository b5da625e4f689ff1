//! A connector whose own keys are good and whose answers are not: each message as it would be sent is looked at, and some
//! are others when they leave.

use super::super::peers::lock;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use std::io;
use std::sync::{Arc, Mutex};
use twinlink_proto::Message as _;
use twinlink_proto::v1;
use twinlink_proto::v1::query_response::Part;
use twinlink_proto::v1::summarize_response::Kind;

/// What is wrong with the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgery {
    /// Nothing.
    None,
    /// There is none, but a status of gRPC: <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>.
    Status(u8),
    /// Something that is not gRPC answers.
    Page,
    /// It ends behind some messages, without a word.
    NoOutcome,
    /// It breaks off behind some messages.
    Breaks,
    /// Nothing comes behind some messages.
    Hangs,
    /// A message is none.
    Garbage,
    /// A message is longer than any that is taken.
    Huge,
    /// A row has a value more.
    Wide,
    /// Rows come twice.
    Twice,
    /// Rows are left out.
    Fewer,
    /// A row says something else.
    Altered,
    /// The receipt is of another answer.
    Receipt,
    /// There is no receipt.
    NoReceipt,
    /// It answers as somebody else.
    Impostor,
    /// The answer has two heads.
    Heads,
    /// What is told in short is none.
    Summary,
    /// What is told in short has the receipt of something else.
    SummaryReceipt,
}

/// What a forger does from now on, and what it did.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) forgery: Forgery,
    /// How many answers were changed.
    pub(super) changed: usize,
    /// Of an answer before.
    receipt: String,
}

/// Orders that it is to do nothing.
pub(super) fn orders() -> Arc<Mutex<Orders>> {
    Arc::new(Mutex::new(Orders {
        forgery: Forgery::None,
        changed: 0,
        receipt: String::new(),
    }))
}

/// Stands behind a connector's TLS and before its doors.
pub(super) fn before(service: Router, orders: Arc<Mutex<Orders>>) -> Router {
    service.layer(from_fn(move |request: Request, next: Next| {
        let orders = Arc::clone(&orders);
        async move {
            let path = request.uri().path().to_owned();
            let answer = next.run(request).await;
            if path.ends_with("/Query") {
                query(answer, &orders).await
            } else if path.ends_with("/Summarize") {
                summary(answer, &orders).await
            } else {
                answer
            }
        }
    }))
}

async fn summary(answer: Response, orders: &Mutex<Orders>) -> Response {
    let forgery = lock(orders).forgery;
    if !matches!(forgery, Forgery::Summary | Forgery::SummaryReceipt) {
        return answer;
    }
    let (head, frames, trailers) = taken(answer).await;
    let mut steps = Vec::new();
    for frame in frames {
        let Ok(mut told) = v1::SummarizeResponse::decode(frame.as_ref()) else {
            continue;
        };
        lock(orders).changed += 1;
        if forgery == Forgery::Summary {
            if let Some(Kind::Summary(bytes)) = &mut told.kind {
                bytes.iter_mut().for_each(|byte| *byte = !*byte);
            }
        } else if let Some(outcome) = &mut told.outcome {
            outcome.receipt.push('x');
        }
        steps.push(Ok(framed(&told.encode_to_vec())));
    }
    made(head, steps, Some(trailers))
}

async fn query(answer: Response, orders: &Mutex<Orders>) -> Response {
    let forgery = lock(orders).forgery;
    match forgery {
        Forgery::Status(code) => {
            lock(orders).changed += 1;
            let mut answer = Response::new(Body::empty());
            let headers = answer.headers_mut();
            let grpc = HeaderValue::from_static("application/grpc");
            headers.insert(http::header::CONTENT_TYPE, grpc);
            headers.insert("grpc-status", HeaderValue::from(u16::from(code)));
            return answer;
        }
        Forgery::Page => {
            lock(orders).changed += 1;
            let mut answer = Response::new(Body::from("<html>out of order</html>"));
            *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
            return answer;
        }
        _ => {}
    }
    let (head, frames, trailers) = taken(answer).await;
    let parts: Vec<_> = frames
        .iter()
        .filter_map(|frame| v1::QueryResponse::decode(frame.as_ref()).ok()?.part)
        .collect();
    let (steps, is_changed) = forge(forgery, parts, orders);
    if is_changed {
        lock(orders).changed += 1;
    }
    let ends = !matches!(forgery, Forgery::Breaks | Forgery::Hangs);
    made(head, steps, ends.then_some(trailers))
}

/// A message, or the end by an error; none stands for nothing, for ever.
type Steps = Vec<Result<Bytes, Option<io::Error>>>;

/// The messages as they leave, and whether they are others.
fn forge(forgery: Forgery, mut parts: Vec<Part>, orders: &Mutex<Orders>) -> (Steps, bool) {
    let has_batch = |parts: &[Part]| parts.iter().any(|part| matches!(part, Part::Batch(_)));
    let before = parts.clone();
    for part in &mut parts {
        match (forgery, part) {
            (Forgery::Altered, Part::Batch(batch)) => {
                for term in &mut batch.terms {
                    let never = v1::term::Kind::Iri("urn:never".to_owned());
                    term.kind = Some(never);
                }
            }
            (
                Forgery::Altered,
                Part::Head(v1::Head {
                    kind: Some(v1::head::Kind::Boolean(value)),
                }),
            ) => *value = !*value,
            (Forgery::Wide, Part::Batch(batch)) => batch.values.push(1),
            (_, Part::Outcome(outcome)) => match forgery {
                Forgery::None => lock(orders).receipt.clone_from(&outcome.receipt),
                Forgery::Receipt => outcome.receipt.clone_from(&lock(orders).receipt),
                Forgery::NoReceipt => outcome.receipt.clear(),
                Forgery::Impostor => {
                    for source in &mut outcome.sources {
                        source.participant = "https://somebody.example/".to_owned();
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    match forgery {
        Forgery::Fewer => parts.retain(|part| !matches!(part, Part::Batch(_))),
        Forgery::NoOutcome => parts.retain(|part| !matches!(part, Part::Outcome(_))),
        Forgery::Twice => {
            if let Some(place) = parts.iter().position(|part| matches!(part, Part::Batch(_)))
                && let Some(batch) = parts.get(place).cloned()
            {
                parts.insert(place, batch);
            }
        }
        Forgery::Heads => {
            let head = parts.first().cloned();
            if let Some(head) = head {
                parts.insert(0, head);
            }
        }
        // As far as the rows.
        Forgery::Breaks | Forgery::Hangs | Forgery::Garbage | Forgery::Huge => {
            parts.truncate(if has_batch(&parts) { 2 } else { 1 });
        }
        _ => {}
    }
    let is_changed = parts != before;
    let mut steps: Steps = parts
        .into_iter()
        .map(|part| {
            let message = v1::QueryResponse { part: Some(part) };
            Ok(framed(&message.encode_to_vec()))
        })
        .collect();
    match forgery {
        Forgery::Breaks => steps.push(Err(Some(io::Error::other("as told")))),
        Forgery::Hangs => steps.push(Err(None)),
        Forgery::Garbage => steps.push(Ok(framed(&[0xff; 40]))),
        Forgery::Huge => steps.push(Ok(Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff, 1, 2]))),
        _ => {}
    }
    (steps, is_changed)
}

/// The messages of an answer: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
async fn taken(answer: Response) -> (http::response::Parts, Vec<Bytes>, HeaderMap) {
    let (head, body) = answer.into_parts();
    let Ok(body) = body.collect().await else {
        return (head, Vec::new(), HeaderMap::new());
    };
    let trailers = body.trailers().cloned().unwrap_or_default();
    let mut bytes = body.to_bytes();
    let mut frames = Vec::new();
    while let Some(prefix) = bytes.split_to_checked(5) {
        let length = prefix.iter().skip(1);
        let length = length.fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some(frame) = bytes.split_to_checked(length) else {
            break;
        };
        frames.push(frame);
    }
    (head, frames, trailers)
}

trait SplitChecked: Sized {
    fn split_to_checked(&mut self, length: usize) -> Option<Self>;
}

impl SplitChecked for Bytes {
    fn split_to_checked(&mut self, length: usize) -> Option<Self> {
        (self.len() >= length).then(|| self.split_to(length))
    }
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(message);
    frame.into()
}

fn made(head: http::response::Parts, steps: Steps, trailers: Option<HeaderMap>) -> Response {
    let frames = futures::stream::iter(steps).then(|step| async {
        match step {
            Ok(bytes) => Ok(Frame::data(bytes)),
            Err(Some(error)) => Err(error),
            Err(None) => std::future::pending().await,
        }
    });
    let trailers = trailers.map(|trailers| Ok(Frame::trailers(trailers)));
    let frames = frames.chain(futures::stream::iter(trailers));
    Response::from_parts(head, Body::new(StreamBody::new(frames)))
}
