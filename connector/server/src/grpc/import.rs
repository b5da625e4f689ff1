//! `Import`: RDF taken in within bounds, parsed on a worker, applied as one change.

use super::{credentials, iri, patience, some};
use crate::arriving::SLOWEST;
use crate::intake;
use bytes::{Bytes, BytesMut};
use oxrdf::GraphName;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Streaming};
use twinlink_core::{
    Change, ChangeRequest, Changed, Code, Connector, Operation, Refusal, admit_change, change,
    content_digest, operation_digest,
};
use twinlink_ingest::{IngestError, ReadOptions, Syntax, read};
use twinlink_proto::v1::{self, import_request::Part};

/// What the first bytes of gzip are.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Takes in, parses and applies.
pub(super) async fn import(
    connector: &Arc<Connector>,
    request: Request<Streaming<v1::ImportRequest>>,
) -> Result<v1::ImportResponse, Refusal> {
    let credentials = credentials(&request)?;
    let started = Instant::now();
    // Its own clock: a large file may take longer to arrive than a request may run.
    let until = patience(request.metadata())?.map(|patience| started + patience);
    let mut incoming = Incoming {
        stream: request.into_inner(),
        started,
        patience: connector.limits.deadline,
        until,
        limit: connector.limits.body_bytes,
    };
    let head = incoming.head().await?;
    let purpose = iri("grpc.purpose", "purpose", &head.purpose)?;
    let options = options(&head, connector.limits.body_bytes)?;
    let graph = options.graph.clone();
    admit_change(connector, &credentials, purpose.as_ref()).await?;
    let (bytes, end) = incoming.body().await?;
    if head.gzip && !bytes.starts_with(&GZIP) {
        return Err(Refusal::about_input(
            "import.gzip",
            "the chunks are not gzip, as the head says",
        ));
    }
    let media_type = options.syntax.media_type();
    let quads = intake::parse(connector, move |wanted| {
        let read = read(wanted.reader(&bytes), &options);
        wanted.check()?;
        Ok((read.map_err(wrong)?, content_digest(&bytes)))
    });
    let (quads, body) = match until {
        Some(until) => timeout_at(until, quads).await.map_err(|_| timed_out())??,
        None => quads.await?,
    };
    let kind = if head.replace { "replace" } else { "insert" };
    let digest = operation_digest(&Operation {
        kind,
        graph: &head.graph_iri,
        media_type,
        base: &head.base_iri,
        body: &body,
    });
    let change_to_make = if head.replace {
        Change::Replace(graph, quads)
    } else {
        Change::Insert(quads)
    };
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let request = ChangeRequest {
        purpose,
        envelope: some(end.envelope),
        patience: left,
        ..ChangeRequest::new(change_to_make, digest)
    };
    let Changed {
        request,
        applied,
        receipt,
    } = change(connector, &credentials, request).await?;
    Ok(v1::ImportResponse {
        inserted: applied.inserted,
        removed: applied.removed,
        sequence: applied.sequence,
        request_id: request.to_string(),
        receipt,
    })
}

fn options(head: &v1::ImportHead, limit: usize) -> Result<ReadOptions, Refusal> {
    let syntax = Syntax::from_media_type(&head.media_type).ok_or_else(|| {
        let known: Vec<_> = Syntax::ALL.iter().map(|s| s.media_type()).collect();
        Refusal::about_input(
            "import.media_type",
            format_args!(
                "media type `{}` is not one of {}",
                head.media_type,
                known.join(", ")
            ),
        )
    })?;
    let graph = iri("import.graph_iri", "graph_iri", &head.graph_iri)?;
    Ok(ReadOptions {
        name: "import".to_owned(),
        syntax,
        base: some(head.base_iri.clone()),
        // A file that names graphs itself fits neither into one graph nor in place of one.
        named_graphs: graph.is_none() && !head.replace,
        graph: graph.map_or(GraphName::DefaultGraph, GraphName::from),
        limit: limit as u64,
    })
}

/// All that can be wrong with a file is its sender's, and so is all that the text tells.
fn wrong(error: IngestError) -> Refusal {
    match error {
        IngestError::TooLarge { .. } => {
            Refusal::new(Code::Exhausted, "limits.body_bytes", error).open()
        }
        other => Refusal::about_input("rdf.syntax", other),
    }
}

/// The messages of the client.
struct Incoming {
    stream: Streaming<v1::ImportRequest>,
    started: Instant,
    /// How long the client may take whatever its speed.
    patience: Duration,
    /// The client's own deadline.
    until: Option<Instant>,
    limit: usize,
}

impl Incoming {
    async fn head(&mut self) -> Result<v1::ImportHead, Refusal> {
        match self.next(0).await? {
            Some(Part::Head(head)) => Ok(head),
            _ => Err(invalid("the first message is not the head")),
        }
    }

    /// The bytes, once the client has said that these are all.
    // INVARIANT(whole-imports): a stream that ends without its last message changes nothing. A reset looks like an end.
    async fn body(&mut self) -> Result<(Bytes, v1::ImportEnd), Refusal> {
        let mut bytes = BytesMut::new();
        let end = loop {
            match self.next(bytes.len()).await? {
                Some(Part::Chunk(chunk)) => {
                    if bytes.len() + chunk.len() > self.limit {
                        return Err(Refusal::new(
                            Code::Exhausted,
                            "limits.body_bytes",
                            format_args!("the chunks hold more than {} bytes", self.limit),
                        )
                        .open());
                    }
                    bytes.extend_from_slice(&chunk);
                }
                Some(Part::End(end)) if end.bytes == bytes.len() as u64 => break end,
                Some(Part::End(end)) => {
                    return Err(invalid(format_args!(
                        "{} bytes arrived, the last message counts {}",
                        bytes.len(),
                        end.bytes
                    )));
                }
                Some(Part::Head(_)) => return Err(invalid("there is a second head")),
                None => return Err(invalid("the stream ended without its last message")),
            }
        };
        match self.next(bytes.len()).await? {
            None => Ok((bytes.freeze(), end)),
            Some(_) => Err(invalid("there is a message after the last")),
        }
    }

    async fn next(&mut self, received: usize) -> Result<Option<Part>, Refusal> {
        let earned = Duration::from_secs((received / SLOWEST) as u64);
        let slowest = self.started + self.patience + earned;
        let until = self.until.map_or(slowest, |until| until.min(slowest));
        match timeout_at(until, self.stream.message()).await {
            Err(_) => Err(timed_out()),
            Ok(Err(status)) => Err(invalid(format_args!(
                "the stream broke off: {}",
                status.message()
            ))),
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(v1::ImportRequest { part: Some(part) }))) => Ok(Some(part)),
            Ok(Ok(Some(v1::ImportRequest { part: None }))) => Err(invalid("a message is empty")),
        }
    }
}

fn invalid(what: impl std::fmt::Display) -> Refusal {
    Refusal::about_input("import.messages", what)
}

fn timed_out() -> Refusal {
    Refusal::new(Code::Timeout, "deadline", "the deadline passed")
}
