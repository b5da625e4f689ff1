//! Asking one member: this twin on a worker, a peer through the port. Bounded in time and rows, whatever it does.

mod asking;
mod brief;
mod required;
mod stream;

use crate::collector::Collector;
use crate::explain::{Teller, bytes};
use crate::gate::{Attempt, Bulkhead, Gate, Gates};
use crate::ledger::Ledger;
use crate::peers::{FederationLimits, Peers, Rows, SubAnswer, SubQuery, Unanswered};
use crate::room::Room;
use crate::text::query_text;
pub(crate) use asking::{Form, Given, Patience, Sending};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use oxrdf::{NamedNode, Term};
use spargebra::Query;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Clock, Code, Conditions, DatasetChoice, Delegation, Evaluated, Head, Refusal, Seat,
    Sink, SourceState, SourceStatus, Step, StepKind, Twin, Workers,
};

/// What all members are asked with, for one question.
pub(crate) struct Members<'a> {
    pub(crate) ourselves: &'a NamedNode,
    pub(crate) twin: &'a Arc<dyn Twin>,
    pub(crate) workers: &'a Arc<dyn Workers>,
    pub(crate) peers: &'a Arc<dyn Peers>,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) limits: FederationLimits,
    pub(crate) names: Vec<NamedNode>,
    pub(crate) dataset: Option<DatasetChoice>,
    pub(crate) permit: &'a Permit,
    pub(crate) delegation: &'a Delegation,
    pub(crate) budget: &'a Budget,
    /// What members give is kept in.
    pub(crate) room: &'a Room,
    pub(crate) ledger: &'a Ledger,
    /// By member: its requests of this question, so many at once.
    pub(crate) turns: Vec<Arc<Bulkhead>>,
    pub(crate) gates: &'a Gates,
    pub(crate) teller: &'a Teller,
    pub(crate) conditions: &'a Conditions,
    /// Operators of the question that need every source.
    pub(crate) operators: &'a [String],
}

impl Members<'_> {
    /// The same members, of whom each is asked about its own dataset.
    pub(crate) fn without_dataset(&self) -> Members<'_> {
        Members {
            ourselves: self.ourselves,
            twin: self.twin,
            workers: self.workers,
            peers: self.peers,
            clock: self.clock,
            limits: self.limits,
            names: self.names.clone(),
            dataset: None,
            permit: self.permit,
            delegation: self.delegation,
            budget: self.budget,
            room: self.room,
            ledger: self.ledger,
            turns: self.turns.clone(),
            gates: self.gates,
            teller: self.teller,
            conditions: self.conditions,
            operators: self.operators,
        }
    }

    /// Asks a member and puts what became of it into the ledger.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin; that what is required of sources cannot be had any more.
    pub(crate) async fn ask(
        &self,
        member: usize,
        query: &Query,
        form: &Form,
        patience: Patience,
        rows: usize,
    ) -> Result<Option<Given>, Refusal> {
        self.ask_expecting(None, member, query, form, patience, rows)
            .await
    }

    /// As [`Members::ask`], where about so many rows are expected.
    pub(crate) async fn ask_expecting(
        &self,
        estimate: Option<u64>,
        member: usize,
        query: &Query,
        form: &Form,
        patience: Patience,
        rows: usize,
    ) -> Result<Option<Given>, Refusal> {
        let Some(turns) = self.turns.get(member) else {
            return Ok(None);
        };
        let now = self.clock.instant();
        let deadline = self.deadline(patience, now);
        let attempt = OnceLock::new();
        // Dropping it stops the work that was begun for it.
        let rows_and_one = (rows as u64).saturating_add(1);
        let held = Held(self.budget.part(deadline, rows_and_one));
        let answer = async {
            let _turn = turns.enter().await;
            if self.ledger.is_out(member) {
                return None;
            }
            self.ledger.begin(member, self.clock.instant());
            let asked =
                AssertUnwindSafe(self.ask_one((member, patience), query, &held.0, rows, &attempt));
            Some(asked.catch_unwind().await.unwrap_or_else(|_| {
                Err(Failed::Member(Unanswered::NotEvaluable {
                    reason: "failed while it was asked".to_owned(),
                }))
            }))
        };
        let answer = match select(pin!(answer), self.clock.sleep_until(deadline)).await {
            Either::Left((Some(answer), _)) => answer,
            Either::Left((None, _)) => return Ok(None),
            Either::Right(_) => {
                if let Some(attempt) = attempt.get() {
                    attempt.gave_up(&**self.clock);
                }
                Err(Failed::Member(Unanswered::TimedOut))
            }
        };
        let ended = self.clock.instant();
        self.ledger.end(member, ended);
        let is_sent = attempt.get().is_some_and(Attempt::is_sent);
        let (given, word) = match answer {
            Ok(answer) => {
                let given = self.take(member, answer, form, rows, patience);
                (given, "answered".to_owned())
            }
            Err(Failed::Member(why)) => {
                let word = why.to_string();
                (self.excuse(member, why, form, rows, patience), word)
            }
            Err(Failed::Question(refusal)) => return Err(refusal),
        };
        self.teller.step(|| {
            let kind = match patience {
                Patience::Most(_) => StepKind::Probe,
                Patience::Share | Patience::Only => StepKind::Fetch,
                Patience::All => StepKind::Whole,
                Patience::Service => StepKind::Service,
            };
            let came = given.as_ref().filter(|_| kind != StepKind::Probe);
            let rows = |given: &Given| given.rows.solutions.len() + given.rows.triples.len();
            let bytes = given.as_ref().map_or(0, bytes);
            Step {
                at: self.names.get(member).cloned().into_iter().collect(),
                estimate,
                rows: came.map(|given| rows(given) as u64),
                requests: u64::from(is_sent),
                bytes: if member > 0 { bytes } else { 0 },
                elapsed: ended.saturating_duration_since(now),
                word,
                ..Step::new(kind, query_text(query).unwrap_or_default())
            }
        });
        if self.ledger.has_trouble() {
            self.required()?;
        }
        Ok(given)
    }

    /// When a member that is asked now must have answered.
    fn deadline(&self, patience: Patience, now: Instant) -> Instant {
        let left = self.budget.left(now);
        let margin = (left / 10).min(Duration::from_millis(50));
        let most = left.saturating_sub(margin);
        let patience = match patience {
            Patience::Most(patience) => patience.min(left / 2),
            Patience::Share | Patience::Only | Patience::Service => {
                left.saturating_mul(self.limits.share_percent) / 100
            }
            Patience::All => most,
        };
        now + patience.min(most)
    }

    /// Waits for a seat at a peer.
    ///
    /// # Errors
    /// As [`Attempt::seat`].
    async fn seat(&self, attempt: &Attempt) -> Result<Seat, Unanswered> {
        let priority = self.budget.priority();
        attempt.seat(self.delegation, priority, &**self.clock).await
    }

    pub(crate) fn gate(&self, peer: &NamedNode) -> Arc<Gate> {
        self.gates.of(peer, &self.names, &self.limits)
    }

    fn take(
        &self,
        member: usize,
        mut answer: SubAnswer,
        form: &Form,
        most: usize,
        patience: Patience,
    ) -> Option<Given> {
        if !form.fits(&answer.head, &answer.rows) {
            let reason = "gave an answer of another form than it was asked for";
            self.ledger
                .trouble(member, SourceState::NotEvaluable, reason);
            return None;
        }
        self.ledger.says(member, &answer.status);
        let mut sources = None;
        if self.is_broker(member) && patience != Patience::Service {
            sources = self.take_beyond(member, &mut answer);
            if sources.is_none() {
                let reason = "speaks of members that it was not to ask";
                self.ledger
                    .trouble(member, SourceState::NotEvaluable, reason);
                return None;
            }
        }
        let rows = &mut answer.rows;
        self.without_labels(member, rows, patience);
        if rows.solutions.len() > most || rows.triples.len() > most {
            rows.solutions.truncate(most);
            rows.triples.truncate(most);
            self.cut(member, most);
        }
        Some(Given {
            head: answer.head,
            rows: answer.rows,
            sources,
        })
    }

    /// Leaves out rows with blank nodes that may be others in another answer, where other answers will stand beside.
    // INVARIANT(labels-of-one-answer): a blank node that has its label in one answer only meets no other answer.
    fn without_labels(&self, member: usize, rows: &mut Rows, patience: Patience) {
        let keeps = self.traits(member).keeps_labels;
        if keeps || !matches!(patience, Patience::Share | Patience::Most(_)) {
            return;
        }
        let before = rows.solutions.len() + rows.triples.len();
        let is_blank = |term: &Term| matches!(term, Term::BlankNode(_));
        rows.solutions
            .retain(|row| !row.values.iter().flatten().any(is_blank));
        rows.triples
            .retain(|triple| !triple.subject.is_blank_node() && !is_blank(&triple.object));
        let left_out = before - rows.solutions.len() - rows.triples.len();
        if left_out > 0 {
            let reason = format!(
                "gave {left_out} rows with blank nodes, which cannot be told apart from those of its other answers"
            );
            self.ledger.trouble(member, SourceState::Partial, &reason);
        }
    }

    fn cut(&self, member: usize, most: usize) {
        let reason = format!("has more than the {most} rows that are fetched at most");
        self.ledger.trouble(member, SourceState::Partial, &reason);
    }

    fn excuse(
        &self,
        member: usize,
        why: Unanswered,
        form: &Form,
        most: usize,
        patience: Patience,
    ) -> Option<Given> {
        let (state, reason) = match why {
            Unanswered::Denied { reason } => (SourceState::Denied, format!("denied it: {reason}")),
            Unanswered::Unreachable { reason } => (
                SourceState::Unreachable,
                format!("cannot be reached: {reason}"),
            ),
            Unanswered::NotAsked { reason } => {
                (SourceState::Unreachable, format!("was not asked: {reason}"))
            }
            Unanswered::TimedOut => (
                SourceState::TimedOut,
                "did not answer within its share of the time".to_owned(),
            ),
            Unanswered::NotEvaluable { reason } => (
                SourceState::NotEvaluable,
                format!("cannot evaluate it: {reason}"),
            ),
            Unanswered::Broken {
                reason,
                head,
                mut rows,
            } => {
                let reason = format!("broke off its answer: {reason}");
                self.ledger.trouble(member, SourceState::Partial, &reason);
                let head = head?;
                if !form.fits(&head, &rows) || matches!(head, Head::Boolean(_)) {
                    return None;
                }
                rows.solutions.truncate(most);
                rows.triples.truncate(most);
                self.without_labels(member, &mut rows, patience);
                // Of a broker nothing has said yet whose each row is: they count as its own.
                return Some(Given {
                    head,
                    rows,
                    sources: None,
                });
            }
        };
        self.ledger.trouble(member, state, &reason);
        None
    }

    async fn ask_one(
        &self,
        (member, patience): (usize, Patience),
        query: &Query,
        budget: &Budget,
        rows: usize,
        attempt: &OnceLock<Attempt>,
    ) -> Result<SubAnswer, Failed> {
        if member == 0 {
            return self.ask_ourselves(query, budget, rows).await;
        }
        let peer = self.names.get(member).ok_or_else(Failed::unknown)?;
        let question = SubQuery {
            query: query_text(query).ok_or_else(Failed::unknown)?,
            dataset: self.dataset.clone(),
            delegation: self.delegation.clone(),
            // SERVICE names an endpoint, and means that one.
            left_out: match patience {
                Patience::Service => None,
                _ => self.left_out_by(member),
            },
            budget: budget.clone(),
            room: self.room.clone(),
        };
        let errand = self.errand(member, patience);
        let begun = self.gate(peer).begin(self.clock.instant(), errand)?;
        let attempt = attempt.get_or_init(|| begun);
        let _seat = self.seat(attempt).await?;
        let answer = self.peers.ask(peer, &question).await;
        attempt.ended(&answer, &**self.clock);
        Ok(answer?)
    }

    async fn ask_ourselves(
        &self,
        query: &Query,
        budget: &Budget,
        most: usize,
    ) -> Result<SubAnswer, Failed> {
        let (end, sink) = self
            .evaluate_ourselves(query, budget, Collector::new(most).within(self.room))
            .await?;
        let evaluated = match end {
            Ok(evaluated) => evaluated,
            // The collector ended it.
            Err(_) if sink.is_cut => Default::default(),
            Err(refusal) => return Err(Failed::ourselves(refusal, sink.head, sink.rows)),
        };
        Ok(SubAnswer {
            head: sink.head.ok_or_else(Failed::unknown)?,
            rows: sink.rows,
            status: self.own_word(&evaluated),
            beyond: Vec::new(),
        })
    }

    /// Evaluates a part of the question over our own twin, on a worker; with the sink as it is then.
    async fn evaluate_ourselves<S: Sink + Send + 'static>(
        &self,
        query: &Query,
        budget: &Budget,
        mut sink: S,
    ) -> Result<(Result<Evaluated, Refusal>, S), Failed> {
        let (twin, permit) = (Arc::clone(self.twin), self.permit.clone());
        let (dataset, budget) = (self.dataset.clone(), budget.clone());
        let query = query.clone();
        let (sender, receiver) = oneshot::channel();
        self.workers
            .run(Box::new(move || {
                let end = twin.evaluate(&query, dataset.as_ref(), &permit, &budget, &mut sink);
                // The receiver is gone where the question was given up.
                drop(sender.send((end, sink)));
            }))
            .map_err(Failed::Question)?;
        receiver.await.map_err(|_| {
            Failed::Question(Refusal::new(
                Code::Internal,
                "federation.twin",
                "the evaluation of this twin's part ended without a result",
            ))
        })
    }

    /// What we say of ourselves.
    fn own_word(&self, evaluated: &Evaluated) -> SourceStatus {
        SourceStatus {
            participant: self.ourselves.clone(),
            state: SourceState::Complete,
            rows: evaluated.rows,
            elapsed: Duration::ZERO,
            as_of: evaluated.as_of,
            policies: self.permit.policies().to_vec(),
            not_evaluable: evaluated.not_evaluable,
            reason: None,
            receipt: None,
        }
    }
}

enum Failed {
    Member(Unanswered),
    Question(Refusal),
}

impl Failed {
    fn unknown() -> Self {
        Self::Member(Unanswered::NotEvaluable {
            reason: "the question cannot be put to it".to_owned(),
        })
    }

    /// What a refusal of our own twin means, and what came before it.
    fn ourselves(refusal: Refusal, head: Option<Head>, rows: Rows) -> Self {
        let reason = || refusal.public().to_owned();
        match refusal.code() {
            Code::Timeout => Self::Member(Unanswered::TimedOut),
            Code::Exhausted => Self::Member(Unanswered::Broken {
                reason: reason(),
                head,
                rows,
            }),
            Code::Unavailable => Self::Member(Unanswered::Unreachable { reason: reason() }),
            _ => Self::Question(refusal),
        }
    }
}

impl From<Unanswered> for Failed {
    fn from(why: Unanswered) -> Self {
        Self::Member(why)
    }
}

/// A share of a budget that is cancelled when nobody waits for its result any more.
struct Held(Budget);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
