//! Members of a federation in one process: a twin store each, asked through the ports and without a network between.

mod others;
mod shown;
mod streamed;

use crate::answer::{Answer, Table};
use oxrdf::{NamedNode, Quad};
use spargebra::Query;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Age, Budget, Change, Clock, Code, Conditions, Delegation, Explain, Federation as _, Harvest,
    Head, Piece, Refusal, Requirement, Sink, SourceState, SourceStatus, Told as Ended, Twin,
    Workers,
};
use twinlink_federation::{FederationLimits, Federator, Peers, Rows, Summaries};
use twinlink_store::{EvaluationOptions, QuadWorkbench, TwinStore};
use uuid::Uuid;

use others::{Others, status};
use shown::Shown;
pub(crate) use streamed::{Threads, stream};

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stack as evaluations have it in a connector.
const STACK: usize = 64 << 20;

/// What [`Clock::sleep_until`] and [`Peers::ask`] give.
type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One member.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its twin.
    pub(crate) store: Arc<TwinStore>,
    /// What it shows the caller; none where it denies.
    pub(crate) permit: Option<Permit>,
}

/// An answer, with what became of each member.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) answer: Answer,
    /// The members that each row rests on.
    pub(crate) row_sources: Vec<Vec<usize>>,
    pub(crate) states: Vec<SourceState>,
    /// The word on each member.
    pub(crate) sources: Vec<SourceStatus>,
    /// Operators that lacked a member.
    pub(crate) unsure: Vec<String>,
    /// How many sub-queries went to peers, probes for what they hold apart.
    pub(crate) requests: usize,
    /// How many questions went to peers only to learn what they hold.
    pub(crate) probes: usize,
    /// How many questions for summaries went to peers, and the bytes that these gave.
    pub(crate) summaries: usize,
    pub(crate) summary_bytes: usize,
}

/// Who takes part, by number.
pub(crate) fn participant(number: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("https://member{number}.example/"))
}

/// A twin that holds these quads.
///
/// # Errors
/// A text.
pub(crate) fn store(quads: Vec<Quad>, modify: &Permit) -> Result<Arc<TwinStore>, String> {
    let store = TwinStore::in_memory(EvaluationOptions::default());
    let store = store.map_err(|error| error.to_string())?;
    let change = Change::Insert(quads);
    let changed = store.change(&change, None, modify, &budget());
    changed.map_err(word)?;
    Ok(Arc::new(store))
}

/// Asks the first of the members, which asks the others.
///
/// # Errors
/// A refusal, in words.
pub(crate) fn ask(
    members: &[Member],
    query: &Query,
    limits: FederationLimits,
    is_summarised: bool,
) -> Result<Told, String> {
    Town::new(members, limits, is_summarised)?.ask(query)
}

/// What a federation is made of beside its clock.
pub(crate) struct Parts {
    /// That of the first member.
    pub(crate) twin: Arc<dyn Twin>,
    pub(crate) peers: Arc<dyn Peers>,
    /// None where it plans without.
    pub(crate) summaries: Option<Arc<dyn Summaries>>,
}

/// Members of which the first can be asked many questions.
pub(crate) struct Town {
    federator: Federator,
    others: Arc<Others>,
    permit: Permit,
}

impl Town {
    /// These members, with summaries of what they show or without.
    ///
    /// # Errors
    /// Where there is none, or the first denies.
    pub(crate) fn new(
        members: &[Member],
        limits: FederationLimits,
        is_summarised: bool,
    ) -> Result<Self, String> {
        let clock = Arc::new(RealTime);
        Self::over(members, limits, is_summarised, clock, |others| others)
    }

    /// The same by another clock, and with something between the first and the others.
    ///
    /// # Errors
    /// As [`Town::new`].
    pub(crate) fn over(
        members: &[Member],
        limits: FederationLimits,
        is_summarised: bool,
        clock: Arc<dyn Clock>,
        between: impl FnOnce(Arc<dyn Peers>) -> Arc<dyn Peers>,
    ) -> Result<Self, String> {
        let workers = Arc::new(RightHere);
        Self::of_parts(members, limits, clock, workers, |parts| Parts {
            peers: between(parts.peers),
            summaries: parts.summaries.filter(|_| is_summarised),
            ..parts
        })
    }

    /// The same of other parts than such a federation has by itself.
    ///
    /// # Errors
    /// As [`Town::new`].
    pub(crate) fn of_parts(
        members: &[Member],
        limits: FederationLimits,
        clock: Arc<dyn Clock>,
        workers: Arc<dyn Workers>,
        change: impl FnOnce(Parts) -> Parts,
    ) -> Result<Self, String> {
        let [first, peers @ ..] = members else {
            return Err("nobody to ask".to_owned());
        };
        let permit = first.permit.as_ref().ok_or("the first member denies")?;
        let others = Arc::new(Others::new(peers));
        let parts = change(Parts {
            twin: Arc::clone(&first.store) as _,
            peers: Arc::clone(&others) as _,
            summaries: Some(Arc::new(Shown {
                first: Arc::clone(&first.store),
                others: Arc::clone(&others),
            })),
        });
        let mut federator = Federator::new(
            participant(0),
            parts.twin,
            Arc::new(QuadWorkbench::default()),
            workers,
            parts.peers,
            clock,
            limits,
        );
        if let Some(summaries) = parts.summaries {
            federator = federator.with_summaries(summaries);
        }
        Ok(Self {
            federator,
            others,
            permit: permit.clone(),
        })
    }

    /// The same, where each member says to whom what it shows may be told.
    pub(crate) fn telling(self, recipients: Vec<Vec<NamedNode>>) -> Self {
        // It is said once.
        drop(self.others.recipients.set(recipients));
        self
    }

    /// What peers were asked so far, by their numbers.
    pub(crate) fn asked(&self) -> Vec<(usize, String)> {
        let asked = &self.others.asked;
        asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the first member.
    ///
    /// # Errors
    /// A refusal, in words.
    pub(crate) fn ask(&self, query: &Query) -> Result<Told, String> {
        self.ask_requiring(query, Requirement::default())
            .map_err(word)
    }

    /// The same, where something is required of the members.
    ///
    /// # Errors
    /// A refusal.
    pub(crate) fn ask_requiring(
        &self,
        query: &Query,
        require: Requirement,
    ) -> Result<Told, Refusal> {
        let budget = budget();
        let harvest = self.gather(query, &budget, require, None)?;
        let mut kept = Kept::default();
        harvest.merge.run(&budget, &mut kept)?;
        let ended = Ended {
            sources: harvest.sources,
            unsure: harvest.unsure,
            explanation: harvest.explanation,
        };
        self.told(ended, kept)
    }

    fn told(&self, ended: Ended, kept: Kept) -> Result<Told, Refusal> {
        let sources = kept.rows.solutions.iter().map(|row| &row.sources);
        let count = |number: &AtomicUsize| number.swap(0, Ordering::Relaxed);
        Ok(Told {
            row_sources: sources
                .map(|sources| sources.iter().map(|source| usize::from(*source)).collect())
                .collect(),
            states: ended.sources.iter().map(|source| source.state).collect(),
            sources: ended.sources,
            unsure: ended.unsure,
            answer: kept.answer()?,
            requests: count(&self.others.requests),
            probes: count(&self.others.probes),
            summaries: count(&self.others.summaries),
            summary_bytes: count(&self.others.bytes),
        })
    }

    /// What is told of how the first would answer, or did, up to its last step.
    ///
    /// # Errors
    /// A refusal, in words.
    pub(crate) fn explain(&self, query: &Query, explain: Explain) -> Result<Harvest, String> {
        self.gather(query, &budget(), Requirement::default(), Some(explain))
            .map_err(word)
    }

    fn gather(
        &self,
        query: &Query,
        budget: &Budget,
        require: Requirement,
        explain: Option<Explain>,
    ) -> Result<Harvest, Refusal> {
        let conditions = conditions(require, explain);
        let delegation = delegation();
        let permit = &self.permit;
        let gathered = self
            .federator
            .gather(query, None, permit, &delegation, budget, &conditions);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| Refusal::new(Code::Internal, "runtime", error))?;
        runtime.block_on(gathered)
    }
}

/// Runs on a thread with a stack as evaluations have it.
///
/// # Errors
/// Where the thread cannot be made, or panics.
pub(crate) fn deep<T: Send>(job: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        let thread = thread.spawn_scoped(scope, job);
        let thread = thread.map_err(|error| error.to_string())?;
        thread.join().map_err(|_| "panicked".to_owned())
    })
}

/// No threads: whoever asks, works.
struct RightHere;

impl Workers for RightHere {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        job();
        Ok(())
    }
}

/// Time as it passes.
pub(crate) struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Nothing here waits: evaluations watch their budgets themselves.
    fn sleep_until(&self, _: Instant) -> Later<'static, ()> {
        Box::pin(std::future::pending())
    }
}

#[derive(Debug, Default)]
struct Kept {
    head: Option<Head>,
    rows: Rows,
}

impl Sink for Kept {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        match piece {
            Piece::Head(_) if self.head.is_some() => {
                return Err(Refusal::new(Code::Internal, "answer", "two heads"));
            }
            Piece::Head(head) => self.head = Some(head),
            Piece::Solutions(rows) => self.rows.solutions.extend(rows),
            Piece::Triples(triples) => self.rows.triples.extend(triples),
        }
        Ok(())
    }
}

impl Kept {
    fn answer(self) -> Result<Answer, Refusal> {
        let headless = || Refusal::new(Code::Internal, "answer", "an answer without a head");
        match self.head.ok_or_else(headless)? {
            Head::Boolean(value) => Ok(Answer::Boolean(value)),
            Head::Graph => Ok(Answer::Graph(self.rows.triples.iter().collect())),
            Head::Solutions(variables) => {
                let rows = self.rows.solutions.into_iter().map(|row| row.values);
                Ok(Answer::Table(Table {
                    variables,
                    rows: rows.collect(),
                    ordered: false,
                }))
            }
        }
    }
}

fn conditions(require: Requirement, explain: Option<Explain>) -> Conditions {
    Conditions {
        require,
        age: Age::EXACT,
        explain,
    }
}

fn delegation() -> Delegation {
    Delegation {
        claims: std::collections::BTreeMap::new(),
        request: Uuid::nil(),
        participant: participant(0),
        subject: "conformance".to_owned(),
        actors: Vec::new(),
        roles: Vec::new(),
        purpose: None,
        break_glass: None,
        on_behalf: Vec::new(),
        left_out: Vec::new(),
    }
}

fn budget() -> Budget {
    Budget::new(Instant::now() + PATIENCE, 1_000_000)
}

fn word(refusal: Refusal) -> String {
    refusal.to_string()
}

#[cfg(test)]
mod tests;
