//! The rows on their way out: a bounded channel from the evaluation thread to the door, or as the sources give them.

use super::arrivals::Arrivals;
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

/// Where the rows come from.
#[derive(Debug)]
pub(super) enum Feed {
    /// An evaluation on a thread of its own.
    Running {
        pieces: mpsc::Receiver<Piece>,
        end: oneshot::Receiver<End>,
    },
    /// One that was over before it was asked for.
    Over {
        pieces: VecDeque<Piece>,
        end: Option<End>,
    },
    /// Sources that give them while they are read.
    Arrivals(Box<Arrivals>),
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
            allowance: Allowance::of(&budget),
            budget: budget.clone(),
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
    async fn next(&mut self) -> Result<Option<Piece>, Refusal> {
        match self {
            Self::Running { pieces, .. } => Ok(pieces.next().await),
            Self::Over { pieces, .. } => Ok(pieces.pop_front()),
            Self::Arrivals(arrivals) => arrivals.next().await,
        }
    }

    /// What it says at its end, once.
    async fn end(&mut self) -> End {
        let end = match self {
            Self::Running { end, .. } => end.await.ok(),
            Self::Over { end, .. } => end.take(),
            Self::Arrivals(arrivals) => Some(Ok(arrivals.ended())),
        };
        end.unwrap_or_else(|| Err(panicked()))
    }
}

struct ChannelSink {
    pieces: mpsc::Sender<Piece>,
    /// A reader that neither reads nor goes away frees the thread at the deadline.
    deadline: BoxFuture<'static, ()>,
    budget: Budget,
    allowance: Allowance,
}

/// What an answer may still have.
#[derive(Debug)]
pub(super) struct Allowance {
    rows: u64,
    most_rows: u64,
    bytes: usize,
    most_bytes: usize,
}

impl Allowance {
    pub(super) fn of(budget: &Budget) -> Self {
        Self {
            rows: 0,
            most_rows: budget.rows(),
            bytes: 0,
            most_bytes: budget.result_bytes(),
        }
    }

    /// Counts a piece.
    ///
    /// # Errors
    /// [`Code::Exhausted`] where it is too much.
    pub(super) fn take(&mut self, piece: &Piece) -> Result<(), Refusal> {
        self.rows += piece.rows();
        if self.rows > self.most_rows {
            return Err(Refusal::new(
                Code::Exhausted,
                "limits.rows",
                format_args!("the answer has more than {} rows", self.most_rows),
            )
            .open());
        }
        self.bytes = self.bytes.saturating_add(piece.bytes());
        if self.bytes > self.most_bytes {
            return Err(Refusal::new(
                Code::Exhausted,
                "limits.result_bytes",
                format_args!("the answer has more than {} bytes", self.most_bytes),
            )
            .open());
        }
        Ok(())
    }
}

impl Sink for ChannelSink {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        self.allowance.take(&piece)?;
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
        match body.feed.next().await? {
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
        let piece = within(&self.connector, &self.budget, self.feed.next()).await;
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
            changed_to: None,
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
