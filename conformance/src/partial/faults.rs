//! Peers that fail, each in its way and at moments by chance, and a clock that passes when nothing else happens.

use crate::chance::Chance;
use oxrdf::{Literal, NamedNode, Term, Triple, Variable};
use spargebra::term::NamedNodePattern;
use spargebra::{Query, SparqlParser};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Clock, Head, Solution, SourceState};
use twinlink_federation::{Peers, Rows, SubAnswer, SubQuery, Unanswered};

type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How old a peer may be, where that matters.
pub(super) const MAX_AGE: Duration = Duration::from_secs(3600);

/// What is wrong with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Its clock is off.
    Skew,
    /// It takes long, and is in time.
    Slow,
    /// It takes more time than there is.
    TooSlow,
    /// No connection.
    Refuses,
    /// The connection breaks in the middle of an answer.
    Resets,
    /// It never answers.
    Hangs,
    /// It answers a question and then no more.
    HangsLater,
    /// What it sends is no answer.
    Garbage,
    /// It gives rows that were not asked for.
    Lies,
    /// It answers in another form than it was asked.
    Swaps,
    /// It has a reason to say no.
    Denies,
    /// It says that its data are old.
    Stale,
    /// Its data are old.
    Old,
    /// It leaves rows out, and says so.
    Partial,
    /// It cannot evaluate some values.
    NotEvaluable,
    /// Asking it fails in a way that nobody thought of.
    Panics,
}

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    Fault::None,
    Fault::Skew,
    Fault::Slow,
    Fault::TooSlow,
    Fault::Refuses,
    Fault::Resets,
    Fault::Hangs,
    Fault::HangsLater,
    Fault::Garbage,
    Fault::Lies,
    Fault::Swaps,
    Fault::Denies,
    Fault::Stale,
    Fault::Old,
    Fault::Partial,
    Fault::NotEvaluable,
    Fault::Panics,
];

impl Fault {
    /// The states that a peer with this fault may have beside those of one that did what it was asked, where it matters
    /// how old it is, or not.
    pub(super) fn states(self, is_dated: bool) -> &'static [SourceState] {
        match self {
            Self::Skew | Self::Old if is_dated => &[SourceState::Stale],
            Self::None | Self::Skew | Self::Old | Self::Slow => &[],
            Self::TooSlow | Self::Hangs | Self::HangsLater => &[SourceState::TimedOut],
            Self::Refuses => &[SourceState::Unreachable],
            // It gave rows and did not come to telling its age.
            Self::Resets if is_dated => &[
                SourceState::Partial,
                SourceState::NotEvaluable,
                SourceState::Stale,
            ],
            // Cut so short that it does not even say what it can match.
            Self::Resets | Self::Partial | Self::NotEvaluable => {
                &[SourceState::Partial, SourceState::NotEvaluable]
            }
            Self::Garbage | Self::Lies | Self::Swaps | Self::Panics => &[SourceState::NotEvaluable],
            Self::Denies => &[SourceState::Denied],
            Self::Stale => &[SourceState::Stale],
        }
    }

    /// Whether a peer that was asked anything shows its fault at once, whatever it holds.
    pub(super) fn shows_at_once(self, is_dated: bool) -> bool {
        matches!(self, Self::Skew | Self::Old) && is_dated
            || matches!(
                self,
                Self::TooSlow
                    | Self::Refuses
                    | Self::Hangs
                    | Self::Garbage
                    | Self::Denies
                    | Self::Stale
                    | Self::NotEvaluable
                    | Self::Panics
            )
    }
}

/// Peers of which some have a fault.
pub(super) struct Faulty {
    pub(super) inner: Arc<dyn Peers>,
    pub(super) faults: BTreeMap<NamedNode, Fault>,
    pub(super) chance: Mutex<Chance>,
    pub(super) clock: Arc<IdleClock>,
    pub(super) asked: Arc<Mutex<BTreeMap<NamedNode, usize>>>,
}

impl Peers for Faulty {
    fn list(&self) -> Vec<NamedNode> {
        self.inner.list()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<SubAnswer, Unanswered>> {
        let number = {
            let mut asked = lock(&self.asked);
            let asked = asked.entry(peer.clone()).or_default();
            *asked += 1;
            *asked
        };
        let fault = self.faults.get(peer).copied().unwrap_or(Fault::None);
        Box::pin(async move {
            let before = match fault {
                Fault::Slow => Duration::from_millis(500),
                Fault::TooSlow => Duration::from_secs(3600),
                _ => Duration::ZERO,
            };
            if !before.is_zero() {
                let until = self.clock.instant() + before;
                self.clock.sleep_until(until).await;
            }
            let reason = "as told".to_owned();
            match fault {
                Fault::Refuses => return Err(Unanswered::Unreachable { reason }),
                Fault::Garbage => return Err(Unanswered::NotEvaluable { reason }),
                Fault::Denies => return Err(Unanswered::Denied { reason }),
                Fault::Hangs => return std::future::pending().await,
                Fault::HangsLater if number > 1 => return std::future::pending().await,
                Fault::Panics => std::panic::resume_unwind(Box::new("as told")),
                _ => {}
            }
            let answer = self.inner.ask(peer, question).await?;
            // Whatever it says where any triple fits is its word on its own twin: nobody can see that it is a lie.
            let fault = match fault {
                Fault::Lies if takes_anything(&question.query) => Fault::Swaps,
                fault => fault,
            };
            spoil(fault, answer, &mut lock(&self.chance))
        })
    }
}

/// Whether any triple could be an answer to the question.
fn takes_anything(query: &str) -> bool {
    let parsed = SparqlParser::new().parse_query(query);
    let Ok(Query::Construct { template, .. }) = parsed else {
        return false;
    };
    let mut predicates = template.iter().map(|triple| &triple.predicate);
    predicates.any(|predicate| matches!(predicate, NamedNodePattern::Variable(_)))
}

/// What becomes of a good answer.
fn spoil(
    fault: Fault,
    mut answer: SubAnswer,
    chance: &mut Chance,
) -> Result<SubAnswer, Unanswered> {
    let status = &mut answer.status;
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
        Fault::Skew => {
            let years = [-2_000, -1, 1, 2_000].get(chance.below(4)).copied();
            let skew = time::Duration::days(365 * years.unwrap_or_default());
            status.as_of = OffsetDateTime::now_utc().checked_add(skew);
        }
        Fault::Old => status.as_of = Some(OffsetDateTime::now_utc() - 2 * MAX_AGE),
        Fault::Stale => status.state = SourceState::Stale,
        Fault::Partial => {
            status.state = SourceState::Partial;
            cut(&mut answer.rows, chance);
        }
        Fault::NotEvaluable => {
            status.not_evaluable = 1 + chance.below(3) as u64;
            cut(&mut answer.rows, chance);
        }
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
    Ok(answer)
}

/// Takes some rows away.
fn cut(rows: &mut Rows, chance: &mut Chance) {
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

/// Its time passes only when nothing else happens.
pub(super) struct IdleClock(Arc<Mutex<Instant>>);

impl IdleClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(Mutex::new(Instant::now()))))
    }
}

impl Clock for IdleClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn instant(&self) -> Instant {
        *lock(&self.0)
    }

    fn sleep_until(&self, until: Instant) -> Later<'static, ()> {
        let now = Arc::clone(&self.0);
        Box::pin(Sleep {
            now,
            until,
            idle: 0,
        })
    }
}

/// Every member answers within a few polls: whoever still sleeps after many waits for nothing else. Who sleeps shorter
/// wakes sooner.
struct Sleep {
    now: Arc<Mutex<Instant>>,
    until: Instant,
    idle: u64,
}

/// Polls for each second of sleep.
const POLLS: u64 = 50;

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut now = lock(&self.now);
        let left = self.until.saturating_duration_since(*now);
        let polls = left.as_secs().saturating_mul(POLLS).max(POLLS);
        let is_over = left.is_zero() || self.idle >= polls;
        if is_over {
            *now = self.until.max(*now);
            return Poll::Ready(());
        }
        drop(now);
        self.idle += 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
