//! Answers that nobody takes. A client that opens no window of HTTP/2, or reads no byte, is not asked for its patience by
//! whoever writes the answer: what is ready waits, and nobody looks at it. So the wait itself is bounded.

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use hyper::rt::Executor;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

tokio::task_local! {
    /// Of the answer that goes out on the stream of HTTP/2 which this task serves.
    static STREAM: Arc<Untaken>;
}

/// Since when a client has not taken what is ready for it; none while there is nothing.
#[derive(Debug, Default)]
pub(super) struct Untaken(Mutex<Option<Instant>>);

/// The body of an answer, which notes when it is ready and when more of it is wanted.
pub(super) struct Answer {
    body: Body,
    untaken: Arc<Untaken>,
}

/// Serves each stream of HTTP/2 for as long as its client takes what is ready for it.
#[derive(Debug, Clone)]
pub(super) struct Streams(pub(super) Duration);

impl Untaken {
    fn note(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Resolves where nothing was taken for so long, or up to twice as long.
    // INVARIANT(answers-are-taken): an answer that nobody takes is dropped, and with it what makes it.
    pub(super) async fn for_long(&self, time: Duration) {
        loop {
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let latest = since.unwrap_or_else(Instant::now) + time;
            if latest <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(latest).await;
        }
    }
}

impl Answer {
    /// On the stream that the task serves; else on the connection, where one answer goes out at a time.
    pub(super) fn new(body: Body, connection: &Arc<Untaken>) -> Self {
        let untaken = STREAM.try_with(Arc::clone);
        let untaken = untaken.unwrap_or_else(|_| Arc::clone(connection));
        untaken.note(Some(Instant::now()));
        Self { body, untaken }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let is_ready = frame.is_ready();
        self.untaken.note(is_ready.then(Instant::now));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.untaken.note(None);
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let (untaken, time) = (Arc::new(Untaken::default()), self.0);
        let waits = Arc::clone(&untaken);
        tokio::spawn(STREAM.scope(untaken, async move {
            tokio::select! {
                biased;
                _ = stream => {}
                // To drop the stream resets it.
                () = waits.for_long(time) => {}
            }
        }));
    }
}
