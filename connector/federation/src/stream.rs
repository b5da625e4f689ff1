//! Rows of members that leave as they come.
//!
//! Each member has one part of its rows on the way at most, and gives no more before that is taken. Members are asked while
//! the answer is read, and only then: who reads slowly makes them slow.

use crate::explain::{Before, choices};
use crate::fetch::Spread;
use crate::peers::Rows;
use crate::question::Question;
use crate::scratch::{term_apart, triple_apart};
use futures::channel::mpsc;
use futures::future::{AbortHandle, Abortable, Aborted, BoxFuture, poll_fn};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use std::task::Poll;
use twinlink_core::{Head, Piece, Refusal, Solution, Sources, Streamed, Told};

/// What a member gave.
#[derive(Debug)]
pub(crate) enum Came {
    /// Some rows.
    Rows(u16, Rows),
    /// That it has a solution.
    Yes(u16),
}

/// An answer on its way from members.
pub(crate) struct Arriving {
    question: Arc<Question>,
    /// Until it left: with the first row, so that a question that fails before any can be refused.
    head: Option<Head>,
    /// Rows that follow the head.
    next: Option<Piece>,
    came: mpsc::Receiver<Came>,
    /// That the channel does not end before the work does.
    _open: mpsc::Sender<Came>,
    /// The work on all members.
    work: Option<BoxFuture<'static, Result<(), Refusal>>>,
    /// To stop each of them.
    stops: Vec<(usize, AbortHandle)>,
    /// Those of whom a row left.
    gave: FxHashSet<u16>,
    /// How many rows are still passed over.
    start: usize,
    /// How many may still leave.
    length: Option<usize>,
    is_enough: bool,
}

impl Arriving {
    pub(crate) fn new(question: Question, spread: Arc<Spread>, before: Before) -> Self {
        // Each member has room for one part, and there is none beside.
        let (sender, came) = mpsc::channel(0);
        let open = sender.clone();
        let question = Arc::new(question);
        let mut stops = Vec::new();
        let mut asked = Vec::new();
        for member in &spread.members {
            let (stop, registration) = AbortHandle::new_pair();
            stops.push((*member, stop));
            asked.push((*member, registration));
        }
        let (start, length) = (spread.start, spread.length);
        let head = match &spread.form {
            crate::members::Form::Solutions(variables) => Head::Solutions(variables.clone()),
            crate::members::Form::Graph => Head::Graph,
            crate::members::Form::Boolean => Head::Boolean(false),
        };
        let held = Arc::clone(&question);
        let work = async move {
            let members = held.members();
            let asked = asked.into_iter().map(|(member, stop)| {
                let expected = before.expected(member);
                let rows = members.stream((member, expected), &spread, sender.clone());
                Abortable::new(rows, stop).map(move |ended| (member, ended))
            });
            let mut asked: FuturesUnordered<_> = asked.collect();
            while let Some((member, ended)) = asked.next().await {
                match ended {
                    Ok(ended) => ended?,
                    Err(Aborted) => members.ledger.enough(member, members.clock.instant()),
                }
            }
            members.teller.choose(|| choices(&members, before.known));
            Ok(())
        };
        Self {
            question,
            head: Some(head),
            next: None,
            came,
            _open: open,
            work: Some(work.boxed()),
            stops,
            gave: FxHashSet::default(),
            start,
            length,
            is_enough: false,
        }
    }

    /// Works on the members until one of them gave something; none when all are through.
    async fn arrive(&mut self) -> Result<Option<Came>, Refusal> {
        let (work, came) = (&mut self.work, &mut self.came);
        poll_fn(|context| {
            if let Some(Poll::Ready(end)) = work.as_mut().map(|work| work.poll_unpin(context)) {
                *work = None;
                end?;
            }
            match came.poll_next_unpin(context) {
                Poll::Ready(came) => Poll::Ready(Ok(came)),
                Poll::Pending if work.is_none() => Poll::Ready(Ok(None)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// What leaves of it.
    fn take(&mut self, came: Came) -> Option<Piece> {
        let (member, rows) = match came {
            Came::Rows(member, rows) => (member, rows),
            Came::Yes(member) => {
                self.question.ledger.rows(usize::from(member), 1);
                self.gave.insert(member);
                self.head = self.head.take().map(|_| Head::Boolean(true));
                self.enough();
                return None;
            }
        };
        let count = rows.solutions.len() + rows.triples.len();
        self.question.ledger.rows(usize::from(member), count);
        if self.is_enough {
            return None;
        }
        let own: Sources = Arc::from([member]);
        let mut solutions: Vec<_> = rows.solutions.into_iter().skip(self.start).collect();
        self.start = self.start.saturating_sub(count);
        if let Some(length) = &mut self.length {
            solutions.truncate(*length);
            *length -= solutions.len();
        }
        let piece = if rows.triples.is_empty() {
            let apart = |value: Option<_>| value.map(|term| term_apart(term, member));
            let solutions = solutions.into_iter().map(|row| Solution {
                values: row.values.into_iter().map(apart).collect(),
                sources: Arc::clone(&own),
            });
            Piece::Solutions(solutions.collect())
        } else {
            let triples = rows.triples.into_iter();
            let triples = triples.map(|triple| triple_apart(triple, member));
            Piece::Triples(triples.collect())
        };
        if piece.rows() == 0 {
            return None;
        }
        self.gave.insert(member);
        if self.length == Some(0) {
            self.enough();
        }
        Some(piece)
    }

    /// No more rows are wanted. Peers of whom one left are heard to their end, as their receipts are of all they gave;
    /// they were asked for no more rows than are wanted.
    // INVARIANT(rows-have-receipts): of a peer of whom a row left, the answer is received to its end, or the row is none.
    fn enough(&mut self) {
        self.is_enough = true;
        for (member, stop) in &self.stops {
            let is_needed = u16::try_from(*member).is_ok_and(|member| self.gave.contains(&member));
            if *member == 0 || !is_needed {
                stop.abort();
            }
        }
    }
}

impl Streamed for Arriving {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Piece>, Refusal>> {
        async move {
            if let Some(piece) = self.next.take() {
                return Ok(Some(piece));
            }
            loop {
                let Some(came) = self.arrive().await? else {
                    return Ok(self.head.take().map(Piece::Head));
                };
                self.next = self.take(came);
                let is_yes = matches!(self.head, Some(Head::Boolean(true)));
                if (self.next.is_some() || is_yes)
                    && let Some(head) = self.head.take()
                {
                    return Ok(Some(Piece::Head(head)));
                }
                if let Some(piece) = self.next.take() {
                    return Ok(Some(piece));
                }
            }
        }
        .boxed()
    }

    fn told(&mut self) -> Told {
        let ledger = &self.question.ledger;
        Told {
            sources: ledger.statuses(),
            unsure: if ledger.is_settled() {
                Vec::new()
            } else {
                self.question.operators.clone()
            },
            explanation: self.question.teller.told(),
        }
    }
}
