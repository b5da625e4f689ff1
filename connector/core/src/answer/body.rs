//! The rows on their way out: a bounded channel from the evaluation thread to the door.

use super::decide::Granted;
use super::{Connector, panicked, timed_out, within};
use crate::ports::{Intent, Recorded};
use crate::{
    Budget, Code, Explanation, Head, Outcome, Piece, Refusal, ResultDigest, Seat, Sink,
    SourceStatus,
};
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Either, select};
use futures::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// How many pieces wait for a slow reader before the evaluation waits too.
const IN_FLIGHT: usize = 8;

/// What an evaluation says at its end.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) sources: Vec<SourceStatus>,
    /// Operators that lacked a source.
    pub(super) unsure: Vec<String>,
    pub(super) explanation: Option<Explanation>,
}

type End = Result<Ended, Refusal>;

/// An evaluation.
#[derive(Debug)]
pub(super) enum Feed {
    /// On a thread of its own.
    Running {
        pieces: mpsc::Receiver<Piece>,
        end: oneshot::Receiver<End>,
    },
    /// That was over before it was asked for.
    Over {
        pieces: VecDeque<Piece>,
        end: Option<End>,
    },
}

/// The rows of a reply, counted and digested as they leave.
pub(super) struct Body {
    connector: Connector,
    granted: Granted,
    /// When the evaluation began.
    started: Instant,
    budget: Budget,
    feed: Feed,
    intent: Option<Intent>,
    digest: ResultDigest,
}

/// Starts an evaluation on a worker.
pub(super) fn feed(
    connector: &Connector,
    seat: Seat,
    budget: &Budget,
    evaluation: impl FnOnce(&Budget, &mut dyn Sink) -> End + Send + 'static,
) -> Result<Feed, Refusal> {
    let (pieces_in, pieces) = mpsc::channel(IN_FLIGHT);
    let (end_in, end) = oneshot::channel();
    let budget = budget.clone();
    let deadline = connector.clock.sleep_until(budget.deadline());
    connector.workers.run(Box::new(move || {
        let mut sink = ChannelSink {
            pieces: pieces_in,
            deadline,
            budget: budget.clone(),
            rows: 0,
            bytes: 0,
        };
        let end = catch_unwind(AssertUnwindSafe(|| evaluation(&budget, &mut sink)))
            .unwrap_or_else(|_| Err(panicked()));
        // The next may begin only when this thread is free.
        drop(seat);
        // First the end, then the channel closes: a reader that sees it closed finds the end there.
        drop(end_in.send(end));
    }))?;
    Ok(Feed::Running { pieces, end })
}

impl Feed {
    async fn next(&mut self) -> Option<Piece> {
        match self {
            Self::Running { pieces, .. } => pieces.next().await,
            Self::Over { pieces, .. } => pieces.pop_front(),
        }
    }

    /// What it says at its end, once.
    async fn end(&mut self) -> End {
        let end = match self {
            Self::Running { end, .. } => end.await.ok(),
            Self::Over { end, .. } => end.take(),
        };
        end.unwrap_or_else(|| Err(panicked()))
    }
}

struct ChannelSink {
    pieces: mpsc::Sender<Piece>,
    /// A reader that neither reads nor goes away frees the thread at the deadline.
    deadline: BoxFuture<'static, ()>,
    budget: Budget,
    rows: u64,
    bytes: usize,
}

impl Sink for ChannelSink {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        self.rows += match &piece {
            Piece::Head(_) => 0,
            Piece::Solutions(rows) => rows.len() as u64,
            Piece::Triples(triples) => triples.len() as u64,
        };
        if self.rows > self.budget.rows() {
            return Err(Refusal::new(
                Code::Exhausted,
                "limits.rows",
                format_args!("the answer has more than {} rows", self.budget.rows()),
            )
            .open());
        }
        self.bytes = self.bytes.saturating_add(piece.bytes());
        if self.bytes > self.budget.result_bytes() {
            let most = self.budget.result_bytes();
            return Err(Refusal::new(
                Code::Exhausted,
                "limits.result_bytes",
                format_args!("the answer has more than {most} bytes"),
            )
            .open());
        }
        if self.budget.is_cancelled() {
            return Err(timed_out());
        }
        let sent = select(self.pieces.send(piece), &mut self.deadline);
        match futures::executor::block_on(sent) {
            Either::Left((Ok(()), _)) => Ok(()),
            Either::Left((Err(_), _)) => Err(Refusal::new(
                Code::Timeout,
                "reader",
                "the reader went away",
            )),
            Either::Right(((), _)) => Err(timed_out()),
        }
    }
}

impl Body {
    /// Waits for the head.
    pub(super) async fn open(
        connector: Connector,
        granted: Granted,
        intent: Intent,
        budget: Budget,
        feed: Feed,
    ) -> Result<(Head, Self), Refusal> {
        // Before the head is waited for: what is dropped while it waits is metered, too.
        let started = connector.clock.instant();
        let mut body = Self {
            connector,
            granted,
            started,
            budget,
            feed,
            intent: Some(intent),
            digest: ResultDigest::default(),
        };
        match body.feed.next().await {
            Some(Piece::Head(head)) => {
                body.granted.check(&body.connector)?;
                body.digest.head(&head);
                Ok((head, body))
            }
            Some(_) => Err(Refusal::new(
                Code::Internal,
                "evaluation",
                "the first piece is not the head",
            )),
            None => Err(body.feed.end().await.err().unwrap_or_else(panicked)),
        }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        let feed = &mut self.feed;
        let piece = within(&self.connector, &self.budget, async {
            Ok(feed.next().await)
        })
        .await;
        let piece = piece.and_then(|piece| {
            if piece.is_some() {
                self.granted.check(&self.connector)?;
            }
            Ok(piece)
        });
        match piece {
            Ok(piece) => {
                self.count(piece.as_ref());
                Ok(piece)
            }
            Err(refusal) => {
                self.budget.cancel();
                self.complete(false, Some(refusal.check())).await?;
                Err(refusal)
            }
        }
    }

    fn count(&mut self, piece: Option<&Piece>) {
        match piece {
            Some(Piece::Solutions(rows)) => self.digest.solutions(rows),
            Some(Piece::Triples(triples)) => self.digest.triples(triples),
            Some(Piece::Head(_)) | None => {}
        }
    }

    /// Takes the end of the evaluation and completes the record.
    pub(super) async fn finish(mut self) -> Result<Outcome, Refusal> {
        let end = self.feed.end().await;
        let (complete, failed) = match &end {
            Ok(ended) => (ended.sources.iter().all(|s| s.state.is_settled()), None),
            Err(refusal) => (false, Some(refusal.check())),
        };
        let rows = self.digest.rows();
        let receipt = self.complete(complete, failed).await?;
        let Ended {
            sources,
            unsure,
            explanation,
        } = end?;
        Ok(Outcome {
            sources,
            rows,
            complete,
            unsure,
            explanation: explanation.map(Box::new),
            receipt,
        })
    }

    /// Completes the record of use, once, with what was released so far.
    async fn complete(
        &mut self,
        complete: bool,
        failed: Option<&'static str>,
    ) -> Result<String, Refusal> {
        let intent = self
            .intent
            .take()
            .ok_or_else(|| Refusal::new(Code::Internal, "receipt", "completed twice"))?;
        let done = Recorded {
            rows: self.digest.rows(),
            result_digest: self.digest.finish(),
            complete,
            failed: failed.map(str::to_owned),
            time: self.connector.clock.now(),
        };
        self.granted.meter(&self.connector, self.started).await?;
        self.connector.use_log.complete(intent, done).await
    }
}

/// A reply that is dropped stops its evaluation. The time that it took counts all the same.
impl Drop for Body {
    fn drop(&mut self) {
        self.budget.cancel();
        drop(self.granted.meter(&self.connector, self.started));
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("rows", &self.digest.rows())
            .finish_non_exhaustive()
    }
}
