//! Request bodies of HTTP/2 that nobody reads to their end.
//!
//! Who answers before it has read the body, as with 413 or 403, may send the answer and then reset the stream without an
//! error: <https://www.rfc-editor.org/rfc/rfc9113#section-8.1>. Some clients that are still sending see the reset first, and
//! never read the answer. So the stream stays open for a moment, in which the client reads why and ends it itself.

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::timeout;

/// How long a client has to read its answer.
const MOMENT: Duration = Duration::from_secs(1);

/// The most bytes that are read and thrown away meanwhile: a body of little more than its limit then comes to its end.
const LEFT: usize = 256 * 1024;

/// A request's body. Dropped before its end, it is kept for a moment.
#[derive(Debug)]
pub(super) struct Lingering<B: Kept>(Option<B>);

/// What a kept body must be.
pub(super) trait Kept: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Send> + Send + Unpin + 'static> Kept for B {}

impl<B: Kept> Lingering<B> {
    pub(super) fn new(body: B) -> Self {
        Self(Some(body))
    }
}

impl<B: Kept> Body for Lingering<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl<B: Kept> Drop for Lingering<B> {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        // Where the runtime ends, so does the connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keep(body, MOMENT));
        }
    }
}

/// Keeps a body until its client ends it or goes away, or the time is over.
// INVARIANT(bounded-lingering): of a body that nobody wants, no more is read than the bound, and it is not kept for longer.
async fn keep<B: Kept>(mut body: B, time: Duration) {
    let read = async {
        let mut left = LEFT;
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, |data| data.remaining());
            match left.checked_sub(bytes) {
                Some(less) => left = less,
                // No more is taken from the stream, and so its client may send no more.
                None => std::future::pending().await,
            }
        }
    };
    // Either way it is over.
    drop(timeout(time, read).await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::Instant;

    const PIECE: usize = 16 * 1024;

    /// So many pieces, and then its end or nothing any more.
    struct Pieces {
        left: usize,
        ends: bool,
        taken: Arc<AtomicUsize>,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.left.checked_sub(1) {
                Some(left) => {
                    self.left = left;
                    self.taken.fetch_add(PIECE, Ordering::SeqCst);
                    Poll::Ready(Some(Ok(Frame::data(vec![0; PIECE].into()))))
                }
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    /// INVARIANT(bounded-lingering)
    #[tokio::test]
    async fn bounded_lingering() {
        let short = Duration::from_millis(100);
        for (left, ends, is_kept) in [
            (0, true, false),
            (3, true, false),
            (3, false, true),
            (usize::MAX, true, true),
        ] {
            let taken = Arc::new(AtomicUsize::new(0));
            let body = Pieces {
                left,
                ends,
                taken: Arc::clone(&taken),
            };
            let started = Instant::now();
            // Who comes to its end is not kept, however long it might be.
            let time = if is_kept {
                short
            } else {
                Duration::from_secs(60)
            };
            timeout(Duration::from_secs(20), keep(body, time))
                .await
                .unwrap();
            assert_eq!(started.elapsed() >= short && is_kept, is_kept, "{left}");
            assert!(taken.load(Ordering::SeqCst) <= LEFT + PIECE, "{left}");
        }
    }

    #[tokio::test]
    async fn what_is_read_to_its_end_is_as_it_was() {
        let body = Lingering::new(http_body_util::Full::new(Bytes::from("whole")));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(!body.is_end_stream());
        let whole = body.collect().await.unwrap().to_bytes();
        assert_eq!(whole, "whole");
    }
}
