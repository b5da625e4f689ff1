//! Request bodies: read within bounds of size and time, and for RDF parsed on a worker.

use super::fault::Fault;
use super::negotiate::GRAPHS;
use crate::arriving::SLOWEST;
use crate::intake::{self, Wanted};
use axum::body::Body;
use axum::extract::{FromRequest as _, Multipart, Request};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Version};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use oxrdf::{GraphName, Quad};
use std::fmt::Display;
use std::time::{Duration, Instant};
use twinlink_core::{Connector, content_digest};
use twinlink_ingest::{IngestError, ReadOptions, Syntax, read};

/// What the first bytes of gzip are.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One document of RDF, not yet read.
struct Document {
    name: String,
    syntax: Syntax,
    bytes: Bytes,
}

/// Reads a body of text.
///
/// # Errors
/// 400 where it is not UTF-8; 408 where it comes too slowly; 413 over the limit; 415 where it is packed.
pub(super) async fn text(
    connector: &Connector,
    head: &Parts,
    body: Body,
    limit: usize,
) -> Result<String, Fault> {
    if is_packed(&head.headers)? {
        return Err(Fault::unsupported(
            "queries, updates and forms are taken unpacked",
        ));
    }
    let bytes = take_in(head, body, limit, connector.limits.deadline).await?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Fault::invalid(
            "http.body",
            format_args!("the body is not UTF-8 at byte {place}"),
        )
    })
}

/// RDF as it came, and what it says.
pub(super) struct Taken {
    pub(super) quads: Vec<Quad>,
    /// Its media type, without parameters; of several parts with them, as the boundary says what the parts are.
    pub(super) media_type: String,
    /// SHA-256 of its bytes as they were sent, lower-case hex.
    pub(super) digest: String,
}

/// Reads a body of RDF into quads of one graph, with fresh labels for its blank nodes. Takes all parts of
/// `multipart/form-data`: <https://www.w3.org/TR/sparql11-http-rdf-update/#http-post>.
///
/// # Errors
/// 400 with the place of a syntax error; 408 where it comes too slowly; 413 over the limit, packed or unpacked; 415
/// for what is no RDF.
pub(super) async fn quads(
    connector: &Connector,
    request: Request,
    graph: GraphName,
    base: String,
) -> Result<Taken, Fault> {
    let (head, body) = request.into_parts();
    let content_type = essence(&head.headers)?;
    let is_packed = is_packed(&head.headers)?;
    // Asked before the body is read: nobody sends a large file to learn that it is not taken.
    let syntax = match content_type.as_deref() {
        Some("multipart/form-data") if !is_packed => None,
        other => Some(rdf_syntax(other)?),
    };
    let media_type = match syntax {
        Some(_) => content_type.unwrap_or_default(),
        None => {
            let whole = head.headers.get(CONTENT_TYPE);
            let whole = whole.and_then(|value| value.to_str().ok());
            whole.unwrap_or_default().to_owned()
        }
    };
    let limit = connector.limits.body_bytes;
    let bytes = take_in(&head, body, limit, connector.limits.deadline).await?;
    let sent = bytes.clone();
    let documents = match syntax {
        Some(syntax) => vec![Document {
            name: "body".to_owned(),
            syntax,
            bytes,
        }],
        None => parts(Request::from_parts(head, Body::from(bytes))).await?,
    };
    if is_packed
        && !documents
            .iter()
            .all(|document| document.bytes.starts_with(&GZIP))
    {
        return Err(Fault::invalid(
            "http.gzip",
            "the body is not gzip, as its content encoding says",
        ));
    }
    // The outer result is the worker's, the inner one the document's.
    intake::parse(connector, move |wanted| {
        let quads = parse(&documents, &graph, &base, limit, wanted);
        Ok(quads.map(|quads| Taken {
            quads,
            media_type,
            digest: content_digest(&sent),
        }))
    })
    .await?
}

/// The media type of a body in lower case, without its parameters.
///
/// # Errors
/// 415 for a charset other than UTF-8.
pub(super) fn essence(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(None);
    };
    media_type(value.to_str().unwrap_or_default()).map(Some)
}

fn media_type(text: &str) -> Result<String, Fault> {
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
    for part in parts {
        let Some((name, value)) = part.split_once('=') else {
            continue;
        };
        let charset = value.trim().trim_matches('"').to_ascii_lowercase();
        if name.trim().eq_ignore_ascii_case("charset")
            && !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii")
        {
            return Err(Fault::unsupported(format!(
                "the charset is {charset}: send UTF-8"
            )));
        }
    }
    Ok(essence)
}

fn rdf_syntax(media_type: Option<&str>) -> Result<Syntax, Fault> {
    GRAPHS
        .iter()
        .find(|(offered, _)| Some(*offered) == media_type)
        .map(|(_, syntax)| *syntax)
        .ok_or_else(|| {
            let known: Vec<_> = GRAPHS.iter().map(|(offered, _)| *offered).collect();
            Fault::unsupported(format!(
                "the body is {}: taken are {}, and multipart/form-data that is not packed as a whole",
                media_type.unwrap_or("of no stated type"),
                known.join(", ")
            ))
        })
}

fn is_packed(headers: &HeaderMap) -> Result<bool, Fault> {
    let encodings: Vec<_> = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|encoding| encoding.trim().to_ascii_lowercase())
        .filter(|encoding| encoding != "identity" && !encoding.is_empty())
        .collect();
    match encodings.as_slice() {
        [] => Ok(false),
        [one] if one == "gzip" || one == "x-gzip" => Ok(true),
        other => Err(Fault::unsupported(format!(
            "the content encoding is {}: taken is gzip",
            other.join(", ")
        ))),
    }
}

// INVARIANT(whole-body): a body is taken in only when its sender ended it, and is as long as was announced.
async fn take_in(
    head: &Parts,
    mut body: Body,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Fault> {
    let announced = head
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Fault::too_large(limit));
    }
    let started = Instant::now();
    let mut bytes = BytesMut::new();
    loop {
        let seconds = bytes.len() / SLOWEST;
        let until = started + patience + Duration::from_secs(seconds as u64);
        match tokio::time::timeout_at(until.into(), body.frame()).await {
            Err(_) => return Err(Fault::too_slow()),
            Ok(None) => {
                return if is_whole(head.version, &body, announced, bytes.len()) {
                    Ok(bytes.freeze())
                } else {
                    Err(Fault::invalid(
                        "http.body",
                        "the body broke off: its sender did not end it",
                    ))
                };
            }
            Ok(Some(Err(error))) => {
                return Err(Fault::invalid(
                    "http.body",
                    format_args!("the body broke off: {error}"),
                ));
            }
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if bytes.len() + data.len() > limit {
                    return Err(Fault::too_large(limit));
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}

/// Whether a body without further frames is the one that was sent.
fn is_whole(version: Version, body: &Body, announced: Option<u64>, received: usize) -> bool {
    // hyper reports a stream that its client reset without an error as a good end; the stream itself knows better. A
    // chunked body of HTTP/1 never says that it ended, and one that broke off is an error there.
    let is_ended = version != Version::HTTP_2 || body.is_end_stream();
    is_ended && announced.is_none_or(|length| length == received as u64)
}

async fn parts(request: Request) -> Result<Vec<Document>, Fault> {
    fn broken(error: impl Display) -> Fault {
        Fault::invalid("http.multipart", error)
    }
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(broken)?;
    let mut documents = Vec::new();
    while let Some(part) = multipart.next_field().await.map_err(broken)? {
        let content_type = part.content_type().map(media_type).transpose()?;
        let syntax = rdf_syntax(content_type.as_deref())?;
        let bytes = part.bytes().await.map_err(broken)?;
        documents.push(Document {
            name: format!("part {}", documents.len() + 1),
            syntax,
            bytes,
        });
    }
    Ok(documents)
}

fn parse(
    documents: &[Document],
    graph: &GraphName,
    base: &str,
    limit: usize,
    wanted: &Wanted,
) -> Result<Vec<Quad>, Fault> {
    let mut quads = Vec::new();
    // Many parts may not together unpack or expand to much more than one body may.
    let share = limit / documents.len().max(1);
    for document in documents {
        let limit = share.max(document.bytes.len());
        let options = ReadOptions {
            name: document.name.clone(),
            syntax: document.syntax,
            base: Some(base.to_owned()),
            graph: graph.clone(),
            named_graphs: false,
            limit: limit as u64,
        };
        let read = read(wanted.reader(&document.bytes), &options);
        wanted.check()?;
        quads.extend(read.map_err(|error| match error {
            IngestError::TooLarge { .. } => Fault::too_large(limit),
            // Every other fault of a document is the sender's, and so is all that its text tells.
            other => Fault::invalid("rdf.syntax", other),
        })?);
    }
    Ok(quads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use hyper::body::Frame;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    fn turned_away(fault: &Fault) -> Option<StatusCode> {
        match fault {
            Fault::TurnedAway { status, .. } => Some(*status),
            Fault::Refused(..) => None,
        }
    }

    fn document(syntax: Syntax, text: &str) -> Result<Vec<Quad>, Fault> {
        let document = Document {
            name: "body".to_owned(),
            syntax,
            bytes: Bytes::from(text.to_owned()),
        };
        parse(
            &[document],
            &GraphName::DefaultGraph,
            "http://base/",
            10_000_000,
            &Wanted::for_tests(),
        )
    }

    /// Data after which no frame comes: reset by its client, or ended.
    struct Sent {
        data: Option<&'static str>,
        is_ended: bool,
    }

    impl hyper::body::Body for Sent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let data = self.data.take();
            Poll::Ready(data.map(|data| Ok(Frame::data(data.into()))))
        }

        fn is_end_stream(&self) -> bool {
            self.is_ended
        }
    }

    /// INVARIANT(whole-body)
    #[tokio::test]
    async fn whole_body() {
        for (version, is_ended, length, is_taken) in [
            (Version::HTTP_2, true, None, true),
            (Version::HTTP_2, true, Some("5"), true),
            (Version::HTTP_2, false, None, false),
            (Version::HTTP_2, false, Some("5"), false),
            (Version::HTTP_2, true, Some("6"), false),
            (Version::HTTP_11, false, None, true),
            (Version::HTTP_11, false, Some("5"), true),
            (Version::HTTP_11, false, Some("6"), false),
        ] {
            let mut request = Request::builder().version(version);
            if let Some(length) = length {
                request = request.header(CONTENT_LENGTH, length);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let data = Some("whole");
            let body = Body::new(Sent { data, is_ended });
            let taken = take_in(&head, body, 100, Duration::from_secs(10)).await;
            let case = format!("{version:?}, ended: {is_ended}, {length:?}");
            assert_eq!(taken.is_ok(), is_taken, "{case}");
        }
    }

    #[test]
    fn a_charset_other_than_utf8_is_not_taken() {
        let fault = media_type("application/sparql-query; charset=UTF-16").unwrap_err();
        assert_eq!(
            turned_away(&fault),
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        assert_eq!(
            media_type("Text/Turtle;charset=\"utf-8\"").unwrap(),
            "text/turtle"
        );
    }

    #[test]
    fn every_graph_format_that_is_offered_is_taken() {
        for (media_type, syntax) in GRAPHS {
            assert_eq!(rdf_syntax(Some(media_type)).unwrap(), syntax);
        }
        for other in [Some("text/plain"), Some("text/n3"), Some(""), None] {
            assert!(rdf_syntax(other).is_err());
        }
    }

    #[test]
    fn deep_nesting_neither_overflows_nor_panics() {
        let deep = 100_000;
        for (syntax, text) in [
            (
                Syntax::Turtle,
                format!("<http://a> <http://b> {}", "[ <http://b> ".repeat(deep)),
            ),
            (
                Syntax::Turtle,
                format!("<http://a> <http://b> {}", "(".repeat(deep)),
            ),
            (Syntax::JsonLd, "[".repeat(deep)),
            (Syntax::JsonLd, "{\"http://b\":".repeat(deep)),
            (Syntax::RdfXml, "<a>".repeat(deep)),
        ] {
            assert!(document(syntax, &text).is_err(), "{syntax:?}");
        }
    }
}
