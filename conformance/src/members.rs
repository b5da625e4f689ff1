//! Members of a federation in one process: a twin store each, asked through the ports and without a network between.

use crate::answer::{Answer, Table};
use oxrdf::{NamedNode, Quad};
use spargebra::Query;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Change, Clock, Code, Delegation, Federation as _, Head, Limits, Piece, Refusal, Sink,
    SourceState, SourceStatus, Twin, Workers, parse_query,
};
use twinlink_federation::{
    FederationLimits, Federator, Peers, Rows, SubAnswer, SubQuery, Unanswered,
};
use twinlink_store::{EvaluationOptions, QuadWorkbench, TwinStore};
use uuid::Uuid;

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
) -> Result<Told, String> {
    let [first, peers @ ..] = members else {
        return Err("nobody to ask".to_owned());
    };
    let permit = first.permit.as_ref().ok_or("the first member denies")?;
    let federator = Federator::new(
        participant(0),
        Arc::clone(&first.store) as _,
        Arc::new(QuadWorkbench::default()),
        Arc::new(RightHere),
        Arc::new(Others(peers.to_vec())),
        Arc::new(RealTime),
        limits,
    );
    let delegation = Delegation {
        request: Uuid::nil(),
        participant: participant(0),
        subject: "conformance".to_owned(),
        roles: Vec::new(),
        purpose: None,
        break_glass: None,
    };
    let budget = budget();
    let gathered = federator.gather(query, None, permit, &delegation, &budget);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let harvest = runtime.block_on(gathered).map_err(word)?;
    let mut kept = Kept::default();
    harvest.merge.run(&budget, &mut kept).map_err(word)?;
    let sources = kept.rows.solutions.iter().map(|row| &row.sources);
    Ok(Told {
        row_sources: sources
            .map(|sources| sources.iter().map(|source| usize::from(*source)).collect())
            .collect(),
        states: harvest.sources.iter().map(|source| source.state).collect(),
        answer: kept.answer()?,
    })
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

struct Others(Vec<Member>);

impl Others {
    fn answer(&self, peer: &NamedNode, question: &SubQuery) -> Result<SubAnswer, Unanswered> {
        let refused = |refusal: Refusal| Unanswered::NotEvaluable {
            reason: refusal.to_string(),
        };
        let number = self.list().iter().position(|name| name == peer);
        let member = number.and_then(|number| self.0.get(number));
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
                participant: peer.clone(),
                state: SourceState::Complete,
                rows: evaluated.rows,
                elapsed: Duration::ZERO,
                as_of: evaluated.as_of,
                policies: permit.policies().to_vec(),
                not_evaluable: evaluated.not_evaluable,
                reason: None,
                receipt: None,
            },
        })
    }
}

impl Peers for Others {
    fn list(&self) -> Vec<NamedNode> {
        (1..=self.0.len()).map(participant).collect()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(std::future::ready(self.answer(peer, question)))
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

struct RealTime;

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

fn budget() -> Budget {
    Budget::new(Instant::now() + PATIENCE, 1_000_000)
}

fn word(refusal: Refusal) -> String {
    refusal.to_string()
}
