//! Request bodies on their way in, at both doors: how slowly they may come, and how many of their bytes are held.
//!
//! Most of them come before it is known who asks, so they do not count to the memory of evaluations but beside it.

use crate::serve::Peer;
use crate::{http, status};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};
use twinlink_core::{Code, Refusal};

/// A client must send at least this fast, in bytes per second, once the time of a request is used up.
pub(crate) const SLOWEST: usize = 64 * 1024;

/// The longest that nothing may come of a body that somebody waits for.
const PIECE: Duration = Duration::from_secs(30);

/// When who found no memory free may come again.
const ADVICE: Duration = Duration::from_secs(2);

/// What all bodies on their way may hold together.
#[derive(Debug)]
pub(crate) struct Arrivals {
    limit: usize,
    /// Of one peer.
    share: usize,
    /// Of all who have not shown who they are.
    strangers: usize,
    patience: Duration,
    piece: Duration,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    strangers: usize,
    peers: HashMap<Arc<Peer>, usize>,
}

/// One body: what is held of it, until nobody has it and its request is answered.
#[derive(Debug)]
struct Arrival {
    arrivals: Arc<Arrivals>,
    peer: Arc<Peer>,
    bytes: Mutex<usize>,
    failed: OnceLock<Failed>,
}

/// Why no more is taken of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Failed {
    #[error("{}", http::TOO_SLOW)]
    Slow,
    #[error("too many bytes of requests by the same client are on their way")]
    Share,
    #[error("too many bytes of requests are on their way")]
    Together,
}

struct Arriving {
    body: Body,
    arrival: Arc<Arrival>,
    received: usize,
    started: Instant,
    waits: Option<Pin<Box<Sleep>>>,
}

impl Arrivals {
    /// So many bytes together, of which a client may have a quarter and strangers half, but each as many as the largest
    /// body has. Each body has this time, and more as long as it comes fast enough.
    pub(crate) fn new(limit: usize, largest: usize, patience: Duration) -> Arc<Self> {
        let limit = limit.max(largest);
        Arc::new(Self {
            limit,
            share: (limit / 4).max(largest),
            strangers: (limit / 2).max(largest),
            patience,
            piece: PIECE.min(patience),
            held: Mutex::default(),
        })
    }

    // INVARIANT(arriving-together): what is held of bodies is at most the limit, of one client its share, of strangers
    // theirs.
    fn take(&self, peer: &Arc<Peer>, bytes: usize) -> Result<(), Failed> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let all = held.all.saturating_add(bytes);
        let own = held.peers.get(peer).map_or(0, |own| *own);
        let own = own.saturating_add(bytes);
        let is_stranger = matches!(**peer, Peer::Stranger(_));
        let strangers = held.strangers.saturating_add(bytes);
        if own > self.share {
            return Err(Failed::Share);
        }
        if all > self.limit || is_stranger && strangers > self.strangers {
            return Err(Failed::Together);
        }
        held.all = all;
        if is_stranger {
            held.strangers = strangers;
        }
        held.peers.insert(Arc::clone(peer), own);
        Ok(())
    }

    fn give_back(&self, peer: &Arc<Peer>, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.all -= bytes;
        if matches!(**peer, Peer::Stranger(_)) {
            held.strangers -= bytes;
        }
        if let Some(own) = held.peers.get_mut(peer) {
            *own -= bytes;
            if *own == 0 {
                held.peers.remove(peer);
            }
        }
    }
}

impl Arrival {
    fn add(&self, bytes: usize) -> Result<(), Failed> {
        self.arrivals.take(&self.peer, bytes)?;
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
        Ok(())
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let bytes = *self.bytes.get_mut().unwrap_or_else(PoisonError::into_inner);
        if bytes > 0 {
            self.arrivals.give_back(&self.peer, bytes);
        }
    }
}

impl Failed {
    fn response(self, is_grpc: bool) -> Response {
        let refusal = match self {
            Self::Slow if !is_grpc => return http::too_slow(),
            Self::Slow => Refusal::new(Code::Timeout, "limits.arriving", self).open(),
            Self::Share => Refusal::new(Code::Exhausted, "limits.arriving", self)
                .open()
                .retry_after(ADVICE),
            Self::Together => Refusal::new(Code::Unavailable, "limits.arriving", self)
                .open()
                .retry_after(ADVICE),
        };
        match is_grpc {
            true => status::status(&refusal, None).into_http(),
            false => status::problem(&refusal, None),
        }
    }
}

/// Bounds the body of a request: a layer around both doors.
pub(crate) async fn bound(
    State(arrivals): State<Arc<Arrivals>>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Arc<Peer>>().cloned();
    let nobody = || Arc::new(Peer::stranger(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let kind = request.headers().get(::http::header::CONTENT_TYPE);
    let is_grpc = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let arrival = Arc::new(Arrival {
        arrivals,
        peer: peer.unwrap_or_else(nobody),
        bytes: Mutex::default(),
        failed: OnceLock::new(),
    });
    let request = request.map(|body| {
        Body::new(Arriving {
            body,
            arrival: Arc::clone(&arrival),
            received: 0,
            started: Instant::now(),
            waits: None,
        })
    });
    let response = next.run(request).await;
    match arrival.failed.get() {
        Some(failed) => failed.response(is_grpc),
        None => response,
    }
}

impl Arriving {
    /// Until when all that has come so far, and the next piece, must be here.
    fn until(&self) -> Instant {
        let earned = Duration::from_secs((self.received / SLOWEST) as u64);
        let Arrivals {
            patience, piece, ..
        } = *self.arrival.arrivals;
        (self.started + patience + earned).min(Instant::now() + piece)
    }

    fn fail(&self, failed: Failed) -> axum::Error {
        axum::Error::new(*self.arrival.failed.get_or_init(|| failed))
    }
}

// INVARIANT(bodies-in-time): a body of which nothing comes, or too little, ends in an error.
impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let until = self.until();
            let waits = self
                .waits
                .get_or_insert_with(|| Box::pin(sleep_until(until)));
            ready!(waits.as_mut().poll(context));
            return Poll::Ready(Some(Err(self.fail(Failed::Slow))));
        };
        self.waits = None;
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame);
        };
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        self.received += bytes;
        Poll::Ready(Some(match self.arrival.add(bytes) {
            Ok(()) => Ok(frame),
            Err(failed) => Err(self.fail(failed)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
