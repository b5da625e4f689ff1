//! Answers with a fault: as a whole, and in parts.

use super::clock::IdleClock;
use super::faults::{Fault, MAX_AGE};
use super::peers::{Log, lock};
use crate::chance::Chance;
use futures::StreamExt as _;
use oxrdf::{Literal, NamedNode, Term, Triple, Variable};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Clock as _, Head, Solution, SourceState};
use twinlink_federation::{Opened, Part, Rows, SubAnswer, Unanswered};

/// What becomes of a good answer.
pub(super) fn spoil(
    fault: Fault,
    mut answer: SubAnswer,
    chance: &mut Chance,
) -> Result<SubAnswer, Unanswered> {
    match fault {
        Fault::Resets => {
            let head = (!chance.once_in(3)).then_some(answer.head);
            cut(&mut answer.rows, chance);
            return Err(Unanswered::Broken {
                reason: "reset".to_owned(),
                head,
                rows: answer.rows,
            });
        }
        Fault::Receipt => return Err(no_receipt()),
        Fault::Partial | Fault::NotEvaluable => cut(&mut answer.rows, chance),
        Fault::Lies => lie(&answer.head, &mut answer.rows, chance),
        Fault::Swaps => {
            answer.head = match answer.head {
                Head::Solutions(_) if chance.once_in(2) => Head::Boolean(true),
                Head::Solutions(mut columns) => {
                    columns.push(Variable::new_unchecked("more"));
                    Head::Solutions(columns)
                }
                Head::Graph | Head::Boolean(_) => Head::Solutions(Vec::new()),
            };
        }
        _ => {}
    }
    say(fault, &mut answer, chance);
    Ok(answer)
}

/// What it says of itself.
fn say(fault: Fault, answer: &mut SubAnswer, chance: &mut Chance) {
    let status = &mut answer.status;
    match fault {
        Fault::Skew => {
            let years = [-2_000, -1, 1, 2_000].get(chance.below(4)).copied();
            let skew = time::Duration::days(365 * years.unwrap_or_default());
            status.as_of = OffsetDateTime::now_utc().checked_add(skew);
        }
        Fault::Old => status.as_of = Some(OffsetDateTime::now_utc() - 2 * MAX_AGE),
        Fault::Stale => status.state = SourceState::Stale,
        Fault::Partial => status.state = SourceState::Partial,
        Fault::NotEvaluable => status.not_evaluable = 1 + chance.below(3) as u64,
        _ => {}
    }
}

fn no_receipt() -> Unanswered {
    Unanswered::NotEvaluable {
        reason: "its receipt is not of what it answered".to_owned(),
    }
}

/// Takes some rows away.
pub(super) fn cut(rows: &mut Rows, chance: &mut Chance) {
    rows.solutions
        .truncate(chance.below(rows.solutions.len() + 1));
    rows.triples.truncate(chance.below(rows.triples.len() + 1));
}

/// Adds what was not asked for.
fn lie(head: &Head, rows: &mut Rows, chance: &mut Chance) {
    let never = || NamedNode::new_unchecked("urn:never");
    match head {
        Head::Graph => rows.triples.push(Triple::new(never(), never(), never())),
        Head::Boolean(_) => rows.triples.push(Triple::new(never(), never(), never())),
        Head::Solutions(columns) => {
            // Too many values, or of truth values none.
            let extra = usize::from(chance.once_in(2));
            let value = Some(Term::from(Literal::from("never")));
            let sources = Arc::from([0]);
            rows.solutions.push(Solution {
                values: vec![value; columns.len() + 1 + extra],
                sources,
            });
        }
    }
}

/// What happens next to an answer that is read as it comes.
enum Next {
    Part(Part),
    /// Rows that were not asked for.
    Lie(Rows),
    Wait(Duration),
    Hang,
    Panic,
    Fail(Unanswered),
}

/// An answer that comes in parts, with a fault before, between or behind them.
pub(super) struct Broken {
    peer: NamedNode,
    head: Head,
    steps: VecDeque<Next>,
    clock: Arc<IdleClock>,
    log: Arc<Mutex<Log>>,
    /// Whether anything came that could be believed.
    has_come: bool,
}

impl Broken {
    pub(super) fn new(
        peer: &NamedNode,
        fault: Fault,
        mut answer: SubAnswer,
        mut chance: Chance,
        clock: &Arc<IdleClock>,
        log: &Arc<Mutex<Log>>,
    ) -> Self {
        say(fault, &mut answer, &mut chance);
        let mut steps = VecDeque::new();
        let SubAnswer {
            mut rows, status, ..
        } = answer;
        while !rows.solutions.is_empty() || !rows.triples.is_empty() {
            let size = 1 + chance.below(2);
            let part = Rows {
                solutions: front(&mut rows.solutions, size),
                triples: front(&mut rows.triples, size),
            };
            if fault == Fault::Slow {
                steps.push_back(Next::Wait(Duration::from_millis(100)));
            }
            steps.push_back(Next::Part(Part::Rows(part)));
        }
        let place = chance.below(steps.len() + 1);
        let mut rest = steps.split_off(place);
        rest.push_back(Next::Part(Part::End(Box::new(status))));
        let reason = "as told".to_owned();
        match fault {
            Fault::TooSlow => steps.push_back(Next::Wait(Duration::from_secs(3600))),
            Fault::Hangs | Fault::HangsLater => steps.push_back(Next::Hang),
            Fault::Panics => steps.push_back(Next::Panic),
            Fault::Garbage => steps.push_back(Next::Fail(Unanswered::NotEvaluable { reason })),
            // It breaks, or ends as if there were no more.
            Fault::Resets if chance.once_in(3) => rest.clear(),
            Fault::Resets => steps.push_back(Next::Fail(Unanswered::Broken {
                reason,
                head: None,
                rows: Rows::default(),
            })),
            Fault::Receipt => {
                rest.pop_back();
                rest.push_back(Next::Fail(no_receipt()));
            }
            Fault::Lies => {
                let mut rows = Rows::default();
                lie(&answer.head, &mut rows, &mut chance);
                steps.push_back(Next::Lie(rows));
            }
            Fault::Swaps => {
                // Of another form than its head.
                let other = match &answer.head {
                    Head::Graph => Head::Solutions(Vec::new()),
                    Head::Solutions(_) | Head::Boolean(_) => Head::Graph,
                };
                let mut rows = Rows::default();
                lie(&other, &mut rows, &mut chance);
                steps.push_back(Next::Lie(rows));
            }
            _ => {}
        }
        steps.append(&mut rest);
        Self {
            peer: peer.clone(),
            has_come: answer.head == Head::Boolean(true),
            head: answer.head,
            steps,
            clock: Arc::clone(clock),
            log: Arc::clone(log),
        }
    }

    pub(super) fn opened(self) -> Opened {
        let head = self.head.clone();
        let parts = futures::stream::unfold(self, |mut answer| async move {
            let part = answer.next().await?;
            Some((part, answer))
        });
        Opened {
            head,
            parts: parts.boxed(),
        }
    }

    async fn next(&mut self) -> Option<Result<Part, Unanswered>> {
        loop {
            let Some(next) = self.steps.pop_front() else {
                self.fails(false);
                return None;
            };
            match next {
                Next::Part(part) => {
                    self.has_come |= matches!(part, Part::Rows(_));
                    return Some(Ok(part));
                }
                Next::Lie(rows) => {
                    self.fails(true);
                    return Some(Ok(Part::Rows(rows)));
                }
                Next::Wait(time) => {
                    let is_long = time > Duration::from_secs(60);
                    if is_long {
                        self.fails(false);
                    }
                    let until = self.clock.instant() + time;
                    self.clock.sleep_until(until).await;
                }
                Next::Hang => {
                    self.fails(false);
                    std::future::pending::<()>().await;
                }
                Next::Panic => {
                    self.fails(true);
                    std::panic::resume_unwind(Box::new("as told"));
                }
                Next::Fail(why) => {
                    self.fails(matches!(why, Unanswered::NotEvaluable { .. }));
                    return Some(Err(why));
                }
            }
        }
    }

    /// Notes how it fails.
    fn fails(&self, is_unbelieved: bool) {
        if self.has_come {
            let mut log = lock(&self.log);
            log.broken += 1;
            if is_unbelieved {
                log.soured.insert(self.peer.clone());
            }
        }
    }
}

fn front<T>(of: &mut Vec<T>, most: usize) -> Vec<T> {
    let size = most.min(of.len());
    of.drain(..size).collect()
}
