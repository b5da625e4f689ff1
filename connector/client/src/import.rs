//! RDF on its way into a twin.

use crate::Error;
use crate::client::text;
use bytes::Bytes;
use futures::channel::oneshot;
use futures::stream::{self, BoxStream, StreamExt};
use futures::{FutureExt, Stream};
use oxrdf::NamedNode;
use tokio::time::Instant;
use twinlink_proto::v1::{self, import_request::Part};

/// The most bytes of one message.
const CHUNK: usize = 256 * 1024;

/// What is imported, and how.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Media type, such as `text/turtle`.
    pub media_type: String,
    /// Resolves relative IRIs.
    pub base: Option<String>,
    /// The graph for triples of formats that have none; the default graph where there is none.
    pub graph: Option<NamedNode>,
    /// Whether the chunks are compressed with gzip.
    pub gzip: bool,
    /// Whether the graph shall hold just these triples afterwards.
    pub replace: bool,
    /// The purpose; the token must carry the same.
    pub purpose: Option<NamedNode>,
    /// When it must be on the server's disk.
    pub deadline: Instant,
}

/// What an import did. Counts only what we may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Quads added.
    pub inserted: u64,
    /// Quads removed.
    pub removed: u64,
    /// Sequence number of the commit.
    pub sequence: u64,
    /// The connector's signed receipt; empty from one of an earlier version.
    pub receipt: String,
}

/// The messages of the call, and a future that resolves where `chunks` fails.
///
/// A client stream cannot send an error. After a failure the messages stop without [`Part::End`], and the caller drops
/// the call: HTTP/2 servers may read that as the end of the stream, but without its last message it changes nothing.
pub(crate) fn messages(
    options: ImportOptions,
    chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    sign: Option<Sign>,
) -> (
    BoxStream<'static, v1::ImportRequest>,
    impl Future<Output = std::io::Error> + Send,
) {
    let (failed, failure) = oneshot::channel();
    let head = head(&options);
    let source = Source {
        chunks: chunks.boxed(),
        rest: Bytes::new(),
        sent: 0,
        sign,
        failed,
    };
    let pieces = stream::unfold(Some(source), |source| async move {
        let (part, source) = source?.next().await;
        Some((message(part), source))
    });
    let failure = failure.then(|result| async move {
        match result {
            Ok(error) => error,
            Err(oneshot::Canceled) => std::future::pending().await,
        }
    });
    (stream::iter([head]).chain(pieces).boxed(), failure)
}

/// The first message.
pub(crate) fn head(options: &ImportOptions) -> v1::ImportRequest {
    message(Part::Head(v1::ImportHead {
        media_type: options.media_type.clone(),
        base_iri: options.base.clone().unwrap_or_default(),
        graph_iri: text(options.graph.clone()),
        gzip: options.gzip,
        replace: options.replace,
        purpose: text(options.purpose.clone()),
    }))
}

/// Signs what was sent, once all of it was.
pub(crate) type Sign = Box<dyn FnOnce() -> Result<String, Error> + Send>;

/// Where the bytes come from.
struct Source {
    chunks: BoxStream<'static, std::io::Result<Bytes>>,
    rest: Bytes,
    sent: u64,
    sign: Option<Sign>,
    failed: oneshot::Sender<std::io::Error>,
}

impl Source {
    /// The next part, and what is left.
    async fn next(mut self) -> (Part, Option<Self>) {
        while self.rest.is_empty() {
            match self.chunks.next().await {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => return self.fail(error).await,
                None => {
                    let bytes = self.sent;
                    return match self.sign.take().map_or(Ok(String::new()), |sign| sign()) {
                        Ok(envelope) => (Part::End(v1::ImportEnd { bytes, envelope }), None),
                        Err(error) => self.fail(std::io::Error::other(error)).await,
                    };
                }
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(CHUNK));
        self.sent += piece.len() as u64;
        (Part::Chunk(piece), Some(self))
    }

    async fn fail(self, error: std::io::Error) -> (Part, Option<Self>) {
        // The receiver is gone only where the call is over already.
        drop(self.failed.send(error));
        std::future::pending().await
    }
}

fn message(part: Part) -> v1::ImportRequest {
    v1::ImportRequest { part: Some(part) }
}

impl From<v1::ImportResponse> for Imported {
    fn from(response: v1::ImportResponse) -> Self {
        Self {
            inserted: response.inserted,
            removed: response.removed,
            sequence: response.sequence,
            receipt: response.receipt,
        }
    }
}
