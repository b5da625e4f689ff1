//! Members of a federation in one process: a twin store each, asked through the ports and without a network between.

mod streamed;

use crate::answer::{Answer, Table};
use oxrdf::{NamedNode, Quad};
use spargebra::Query;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Age, Budget, Change, Clock, Code, Conditions, Delegation, Explain, Federation as _, Harvest,
    Head, Limits, Piece, Refusal, Requirement, Sink, SourceState, SourceStatus, Twin, Workers,
    parse_query,
};
use twinlink_federation::{
    FederationLimits, Federator, Peers, Rows, SubAnswer, SubQuery, Summaries, Summarized, Summary,
    SummaryLimits, SummaryQuestion, SummaryReply, Unanswered,
};
use twinlink_store::{EvaluationOptions, QuadWorkbench, TwinStore};
use uuid::Uuid;

pub(crate) use streamed::stream;

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
        Self::with_workers(members, limits, is_summarised, clock, workers, between)
    }

    fn with_workers(
        members: &[Member],
        limits: FederationLimits,
        is_summarised: bool,
        clock: Arc<dyn Clock>,
        workers: Arc<dyn Workers>,
        between: impl FnOnce(Arc<dyn Peers>) -> Arc<dyn Peers>,
    ) -> Result<Self, String> {
        let [first, peers @ ..] = members else {
            return Err("nobody to ask".to_owned());
        };
        let permit = first.permit.as_ref().ok_or("the first member denies")?;
        let others = Arc::new(Others::new(peers));
        let mut federator = Federator::new(
            participant(0),
            Arc::clone(&first.store) as _,
            Arc::new(QuadWorkbench::default()),
            workers,
            between(Arc::clone(&others) as _),
            clock,
            limits,
        );
        if is_summarised {
            federator = federator.with_summaries(Arc::new(Shown {
                first: Arc::clone(&first.store),
                others: Arc::clone(&others),
            }));
        }
        Ok(Self {
            federator,
            others,
            permit: permit.clone(),
        })
    }

    /// Asks the first member.
    ///
    /// # Errors
    /// A refusal, in words.
    pub(crate) fn ask(&self, query: &Query) -> Result<Told, String> {
        self.ask_requiring(query, Requirement::default())
    }

    /// The same, where something is required of the members.
    ///
    /// # Errors
    /// As [`Town::ask`].
    pub(crate) fn ask_requiring(
        &self,
        query: &Query,
        require: Requirement,
    ) -> Result<Told, String> {
        let budget = budget();
        let harvest = self.gather(query, &budget, require, None)?;
        let mut kept = Kept::default();
        harvest.merge.run(&budget, &mut kept).map_err(word)?;
        let sources = kept.rows.solutions.iter().map(|row| &row.sources);
        Ok(Told {
            row_sources: sources
                .map(|sources| sources.iter().map(|source| usize::from(*source)).collect())
                .collect(),
            states: harvest.sources.iter().map(|source| source.state).collect(),
            sources: harvest.sources,
            unsure: harvest.unsure,
            answer: kept.answer()?,
            requests: self.others.requests.swap(0, Ordering::Relaxed),
            probes: self.others.probes.swap(0, Ordering::Relaxed),
            summaries: self.others.summaries.swap(0, Ordering::Relaxed),
            summary_bytes: self.others.bytes.swap(0, Ordering::Relaxed),
        })
    }

    /// What is told of how the first would answer, or did, up to its last step.
    ///
    /// # Errors
    /// A refusal, in words.
    pub(crate) fn explain(&self, query: &Query, explain: Explain) -> Result<Harvest, String> {
        self.gather(query, &budget(), Requirement::default(), Some(explain))
    }

    fn gather(
        &self,
        query: &Query,
        budget: &Budget,
        require: Requirement,
        explain: Option<Explain>,
    ) -> Result<Harvest, String> {
        let conditions = conditions(require, explain);
        let delegation = delegation();
        let permit = &self.permit;
        let gathered = self
            .federator
            .gather(query, None, permit, &delegation, budget, &conditions);
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(gathered).map_err(word)
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

struct Others {
    members: Vec<Member>,
    requests: AtomicUsize,
    probes: AtomicUsize,
    summaries: AtomicUsize,
    bytes: AtomicUsize,
}

impl Others {
    fn new(members: &[Member]) -> Self {
        Self {
            members: members.to_vec(),
            requests: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
            summaries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    fn answer(&self, peer: &NamedNode, question: &SubQuery) -> Result<SubAnswer, Unanswered> {
        let refused = |refusal: Refusal| Unanswered::NotEvaluable {
            reason: refusal.to_string(),
        };
        let number = self.list().iter().position(|name| name == peer);
        let member = number.and_then(|number| self.members.get(number));
        let is_probe = question.query.starts_with("SELECT ?e0 ");
        let count = if is_probe {
            &self.probes
        } else {
            &self.requests
        };
        count.fetch_add(1, Ordering::Relaxed);
        let Some(member) = member else {
            let reason = "there is no such peer".to_owned();
            return Err(Unanswered::Unreachable { reason });
        };
        let Some(permit) = &member.permit else {
            let reason = "no permission".to_owned();
            return Err(Unanswered::Denied { reason });
        };
        // What travels is text, as on the wire.
        let query = parse_query(&question.query, None, &Limits::default()).map_err(refused)?;
        let mut kept = Kept::default();
        let dataset = question.dataset.as_ref();
        let evaluated = member
            .store
            .evaluate(&query, dataset, permit, &question.budget, &mut kept);
        let evaluated = evaluated.map_err(refused)?;
        let head = kept.head.ok_or_else(|| Unanswered::NotEvaluable {
            reason: "an answer without a head".to_owned(),
        })?;
        Ok(SubAnswer {
            head,
            rows: kept.rows,
            status: SourceStatus {
                rows: evaluated.rows,
                not_evaluable: evaluated.not_evaluable,
                ..status(peer, evaluated.as_of, permit)
            },
            beyond: Vec::new(),
        })
    }
}

impl Peers for Others {
    fn list(&self) -> Vec<NamedNode> {
        (1..=self.members.len()).map(participant).collect()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<SubAnswer, Unanswered>> {
        let answer = self.answer(peer, question);
        Box::pin(std::future::ready(answer))
    }
}

fn status(member: &NamedNode, as_of: Option<OffsetDateTime>, permit: &Permit) -> SourceStatus {
    SourceStatus {
        participant: member.clone(),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of,
        policies: permit.policies().to_vec(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

/// What the members show, in short.
struct Shown {
    first: Arc<TwinStore>,
    others: Arc<Others>,
}

impl Shown {
    fn reply(&self, name: &NamedNode, question: &SummaryQuestion<'_>) -> Option<Summarized> {
        let number = self.others.list().iter().position(|peer| peer == name);
        let (store, permit) = match number {
            None => (&self.first, question.permit),
            Some(number) => {
                let member = self.others.members.get(number)?;
                self.others.summaries.fetch_add(1, Ordering::Relaxed);
                (&member.store, member.permit.as_ref()?)
            }
        };
        let snapshot = store.snapshot();
        let version = snapshot.sequence().to_string();
        let said = |reply| Summarized {
            reply,
            status: Some(status(name, snapshot.time(), permit)),
        };
        if question.held == Some(&version) {
            return Some(said(SummaryReply::Held));
        }
        let quads = snapshot.quads(permit.guard(), question.budget).ok()?;
        let limits = SummaryLimits::default();
        let everyone = (0..=self.others.members.len()).map(participant);
        let summary = Summary::of(version, quads, &limits)?.with_recipients(everyone.collect());
        // What travels is bytes, as on the wire.
        let bytes = summary.encode();
        if number.is_some() {
            self.others.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        let summary = Summary::decode(&bytes, &limits).ok()?;
        Some(said(SummaryReply::Other(Arc::new(summary))))
    }
}

impl Summaries for Shown {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> Later<'a, Result<Option<Summarized>, Unanswered>> {
        let reply = self.reply(member, question);
        Box::pin(std::future::ready(Ok(reply)))
    }
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
    fn answer(self) -> Result<Answer, String> {
        match self.head.ok_or("an answer without a head")? {
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
