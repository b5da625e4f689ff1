//! Asking one member for rows that go on as they come.

use super::{Attempt, Failed, Form, Held, Members};
use crate::explain::bytes_of;
use crate::fetch::Spread;
use crate::gate::Errand;
use crate::peers::{Part, Rows, SubQuery, Unanswered};
use crate::stream::Came;
use crate::text::query_text;
use futures::channel::mpsc;
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt, SinkExt, StreamExt};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::OnceLock;
use twinlink_core::{Budget, Code, Head, Piece, Refusal, Sink, SourceStatus, Step, StepKind};

/// What came of one member so far.
#[derive(Debug, Default)]
struct Given {
    rows: usize,
    bytes: u64,
}

impl Given {
    /// Counts rows. Where they are more than an answer may have, there is none: what left of it has no receipt, and whoever
    /// has more is not heard to its end.
    ///
    /// # Errors
    /// That they are more.
    fn take(&mut self, rows: &Rows, most: Most) -> Result<(), Refusal> {
        self.rows += rows.solutions.len() + rows.triples.len();
        self.bytes += bytes_of(rows);
        if self.rows <= most.of_member {
            return Ok(());
        }
        Err(most.exceeded())
    }
}

/// How many rows there may be.
#[derive(Debug, Clone, Copy)]
struct Most {
    of_answer: usize,
    /// With those that are passed over.
    of_member: usize,
}

impl Most {
    fn exceeded(self) -> Refusal {
        let text = format_args!("the answer has more than {} rows", self.of_answer);
        Refusal::new(Code::Exhausted, "limits.rows", text).open()
    }
}

impl Members<'_> {
    /// Asks a member for its rows, hands them on one part at a time, and puts what became of it into the ledger.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin; and rows that left and are not to be believed.
    pub(crate) async fn stream(
        &self,
        (member, expected): (usize, Option<u64>),
        spread: &Spread,
        mut out: mpsc::Sender<Came>,
    ) -> Result<(), Refusal> {
        let Some(turns) = self.turns.get(member) else {
            return Ok(());
        };
        let began = self.clock.instant();
        let deadline = self.deadline(spread.patience, began);
        let of_answer = usize::try_from(self.budget.rows()).unwrap_or(usize::MAX - 1);
        let most = Most {
            of_answer,
            of_member: of_answer.saturating_add(spread.start),
        };
        let rows_and_one = (most.of_member as u64).saturating_add(1);
        let held = Held(self.budget.part(deadline, rows_and_one));
        let attempt = OnceLock::new();
        let mut given = Given::default();
        let work = async {
            let _turn = turns.enter().await;
            if self.ledger.is_out(member) {
                return Ok(None);
            }
            self.ledger.begin(member, self.clock.instant());
            let (budget, given) = (&held.0, &mut given);
            let asked = async {
                if member == 0 {
                    self.rows_of_ours(spread, budget, most, given, out).await
                } else {
                    let asking = (member, spread, &attempt);
                    self.rows_of_peer(asking, budget, most, given, &mut out)
                        .await
                }
            };
            let asked = AssertUnwindSafe(asked).catch_unwind().await;
            let panicked = || Unanswered::NotEvaluable {
                reason: "failed while it was asked".to_owned(),
            };
            asked.unwrap_or_else(|_| Err(panicked().into())).map(Some)
        };
        let ended = match select(pin!(work), self.clock.sleep_until(deadline)).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => {
                if let Some(attempt) = attempt.get() {
                    attempt.gave_up(&**self.clock);
                }
                Err(Failed::Member(Unanswered::TimedOut))
            }
        };
        let now = self.clock.instant();
        self.ledger.end(member, now);
        let is_sent = attempt.get().is_some_and(Attempt::is_sent);
        let word = match ended {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => {
                self.ledger.says(member, &status);
                "gave its rows as they came".to_owned()
            }
            Err(Failed::Question(refusal)) => return Err(refusal),
            Err(Failed::Member(why)) => {
                self.check_belief(member, &why, given.rows)?;
                let word = why.to_string();
                self.excuse(member, why, &spread.form, 0, spread.patience);
                word
            }
        };
        self.teller.step(|| Step {
            at: self.names.get(member).cloned().into_iter().collect(),
            estimate: expected,
            rows: Some(given.rows as u64),
            requests: u64::from(is_sent),
            bytes: given.bytes,
            elapsed: now.saturating_duration_since(began),
            is_streamed: true,
            word,
            ..Step::new(spread.kind(), query_text(&spread.query).unwrap_or_default())
        });
        Ok(())
    }

    // INVARIANT(no-belief-no-answer): where rows left of a source that then turned out not to be believed, the answer
    // has no outcome, and so is none.
    fn check_belief(&self, member: usize, why: &Unanswered, rows: usize) -> Result<(), Refusal> {
        let Unanswered::NotEvaluable { reason } = why else {
            return Ok(());
        };
        let Some(name) = self.names.get(member).filter(|_| rows > 0) else {
            return Ok(());
        };
        if member > 0 {
            self.gate(name).doubt();
        }
        let name = name.as_str();
        let text = format_args!("<{name}> gave {rows} rows that are not to be believed: {reason}");
        Err(Refusal::new(Code::Unavailable, "federation.belief", text).open())
    }

    async fn rows_of_peer(
        &self,
        (member, spread, attempt): (usize, &Spread, &OnceLock<Attempt>),
        budget: &Budget,
        most: Most,
        given: &mut Given,
        out: &mut mpsc::Sender<Came>,
    ) -> Result<SourceStatus, Failed> {
        let number = u16::try_from(member).map_err(|_| Failed::unknown())?;
        let peer = self.names.get(member).ok_or_else(Failed::unknown)?;
        let question = SubQuery {
            query: query_text(&spread.query).ok_or_else(Failed::unknown)?,
            dataset: self.dataset.clone(),
            delegation: self.delegation.clone(),
            left_out: None,
            budget: budget.clone(),
            room: self.room.clone(),
        };
        let begun = self.gate(peer).begin(self.clock.instant(), Errand::Rows)?;
        let attempt = attempt.get_or_init(|| begun);
        let seat = self.seat(attempt).await?;
        let opened = self.peers.open(peer, &question).await;
        // What follows takes as long as its reader does: whoever waits for a seat need not wait for that.
        drop(seat);
        // Whatever comes now, it is there.
        attempt.ended(&opened, &**self.clock);
        let mut opened = opened?;
        check_form(&spread.form, &opened.head, &Rows::default())?;
        if opened.head == Head::Boolean(true) {
            given.rows = 1;
            send(out, Came::Yes(number)).await?;
        }
        loop {
            attempt.wait(&**self.clock);
            let Some(part) = opened.parts.next().await else {
                break;
            };
            // From here on it is the reader who is waited for.
            attempt.heard(&**self.clock);
            let rows = match part? {
                Part::End(status) => return Ok(*status),
                Part::Rows(rows) => rows,
            };
            check_form(&spread.form, &opened.head, &rows)?;
            given.take(&rows, most).map_err(Failed::Question)?;
            send(out, Came::Rows(number, rows)).await?;
        }
        Err(Failed::Member(Unanswered::Broken {
            reason: "it ended without a word on itself".to_owned(),
            head: None,
            rows: Rows::default(),
        }))
    }

    async fn rows_of_ours(
        &self,
        spread: &Spread,
        budget: &Budget,
        most: Most,
        given: &mut Given,
        out: mpsc::Sender<Came>,
    ) -> Result<SourceStatus, Failed> {
        let outlet = Outlet {
            form: spread.form.clone(),
            most,
            given: Given::default(),
            out,
            deadline: self.clock.sleep_until(budget.deadline()),
        };
        let (end, outlet) = self
            .evaluate_ourselves(&spread.query, budget, outlet)
            .await?;
        *given = outlet.given;
        match end {
            Ok(evaluated) => Ok(self.own_word(&evaluated)),
            // The outlet ended it.
            Err(_) if given.rows > most.of_member => Err(Failed::Question(most.exceeded())),
            Err(refusal) => Err(Failed::ourselves(refusal, None, Rows::default())),
        }
    }
}

fn check_form(form: &Form, head: &Head, rows: &Rows) -> Result<(), Unanswered> {
    if form.fits(head, rows) {
        return Ok(());
    }
    Err(Unanswered::NotEvaluable {
        reason: "it gave an answer of another form than it was asked for".to_owned(),
    })
}

/// Waits until whoever reads has taken it.
async fn send(out: &mut mpsc::Sender<Came>, came: Came) -> Result<(), Failed> {
    // Then nobody reads any more, and nobody hears of this.
    out.send(came).await.map_err(|_| Failed::unknown())
}

/// Where our own twin's rows go, from its thread.
struct Outlet {
    form: Form,
    most: Most,
    given: Given,
    out: mpsc::Sender<Came>,
    deadline: BoxFuture<'static, ()>,
}

impl Outlet {
    fn hand_on(&mut self, came: Came) -> Result<(), Refusal> {
        let sent = select(self.out.send(came), &mut self.deadline);
        match futures::executor::block_on(sent) {
            Either::Left((Ok(()), _)) => Ok(()),
            Either::Left((Err(_), _)) => {
                let detail = "the reader went away";
                Err(Refusal::new(Code::Timeout, "reader", detail))
            }
            Either::Right(((), _)) => {
                let detail = "the deadline passed";
                Err(Refusal::new(Code::Timeout, "deadline", detail))
            }
        }
    }
}

impl Sink for Outlet {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        let rows = match piece {
            Piece::Head(Head::Boolean(true)) => {
                self.given.rows = 1;
                return self.hand_on(Came::Yes(0));
            }
            Piece::Head(head) => {
                let fits = self.form.fits(&head, &Rows::default());
                return fits.then_some(()).ok_or_else(|| {
                    let detail = "an answer of another form than it was asked for";
                    Refusal::new(Code::Internal, "federation.twin", detail)
                });
            }
            Piece::Solutions(solutions) => Rows {
                solutions,
                ..Rows::default()
            },
            Piece::Triples(triples) => Rows {
                triples,
                ..Rows::default()
            },
        };
        self.given.take(&rows, self.most)?;
        self.hand_on(Came::Rows(0, rows))
    }
}

impl Spread {
    /// What kind of step it is.
    pub(crate) fn kind(&self) -> StepKind {
        match self.patience {
            super::Patience::All => StepKind::Whole,
            _ => StepKind::Fetch,
        }
    }
}
