//! Members that give their rows as they are told, and time that stands still.

use crate::fakes::{Answer, FakeWorkbench, Kept, conditions, delegation, iri, participant, permit};
use crate::summaries::{Shown, shops};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{BoxFuture, pending, ready};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use oxrdf::{GraphName, Literal, NamedNode, Quad, Variable};
use spargebra::{Query, SparqlParser};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Applied, Budget, Change, Clock, Code, DatasetChoice, Evaluated, Explain, Federation, Gathered,
    Head, Piece, Refusal, Sink, Solution, SourceState, SourceStatus, Twin, Workers,
};
use twinlink_federation::{
    FederationLimits, Federator, Opened, Part, Peers, Rows, SubAnswer, SubQuery, Unanswered,
};

/// What a member gives, part by part.
pub(super) type Flow = BoxStream<'static, Result<Part, Unanswered>>;

/// A thread for each job: whoever puts rows may wait for whoever reads them.
pub(super) struct Threads;

impl Workers for Threads {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        std::thread::spawn(job);
        Ok(())
    }
}

/// Nothing is ever too late.
pub(super) struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
        pending().boxed()
    }
}

/// Time that passes when it is told to.
pub(super) struct HandClock {
    now: Arc<Mutex<Instant>>,
    sleepers: Arc<Mutex<Vec<Waker>>>,
}

impl HandClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            now: Arc::new(Mutex::new(Instant::now())),
            sleepers: Arc::default(),
        })
    }

    pub(super) fn advance(&self, by: Duration) {
        *self.now.lock().unwrap() += by;
        for sleeper in std::mem::take(&mut *self.sleepers.lock().unwrap()) {
            sleeper.wake();
        }
    }
}

impl Clock for HandClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH
    }

    fn instant(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn sleep_until(&self, until: Instant) -> BoxFuture<'static, ()> {
        let (now, sleepers) = (Arc::clone(&self.now), Arc::clone(&self.sleepers));
        futures::future::poll_fn(move |context| {
            if *now.lock().unwrap() >= until {
                return Poll::Ready(());
            }
            sleepers.lock().unwrap().push(context.waker().clone());
            Poll::Pending
        })
        .boxed()
    }
}

fn budget(rows: u64) -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(60), rows)
}

/// Asks for an answer of which rows may leave as they come.
pub(super) fn asked(
    federator: &Federator,
    query: &str,
    explain: Option<Explain>,
) -> Result<Gathered, Refusal> {
    gathered(federator, query, explain, 1_000_000)
}

/// As [`asked`], for no more rows.
pub(super) fn asked_for(
    federator: &Federator,
    query: &str,
    rows: u64,
) -> Result<Gathered, Refusal> {
    gathered(federator, query, None, rows)
}

fn gathered(
    federator: &Federator,
    query: &str,
    explain: Option<Explain>,
    rows: u64,
) -> Result<Gathered, Refusal> {
    let query = SparqlParser::new().parse_query(query).unwrap();
    let (permit, delegation) = (permit(), delegation());
    let (budget, conditions) = (budget(rows), conditions(explain));
    block_on(federator.stream(&query, None, &permit, &delegation, &budget, &conditions))
}

/// The answer to its end, and whether its rows left as they came.
pub(super) fn finish(gathered: Gathered) -> (Answer, bool) {
    let mut kept = Kept::default();
    let (told, is_streamed) = match gathered {
        Gathered::Held(harvest) => {
            harvest.merge.run(&budget(1_000_000), &mut kept).unwrap();
            let told = twinlink_core::Told {
                sources: harvest.sources,
                unsure: harvest.unsure,
                explanation: harvest.explanation,
            };
            (told, false)
        }
        Gathered::Streamed(mut rows) => {
            while let Some(piece) = block_on(rows.next()).unwrap() {
                assert!(kept.head.is_some() || matches!(piece, Piece::Head(_)));
                kept.put(piece).unwrap();
            }
            (rows.told(), true)
        }
    };
    let answer = Answer {
        head: kept.head.unwrap(),
        rows: kept.rows,
        sources: told.sources,
        unsure: told.unsure,
        explanation: told.explanation,
    };
    (answer, is_streamed)
}

/// The shops, and what each of the three gives.
pub(super) struct Script {
    peers: Arc<Scripted>,
    members: Vec<Vec<Quad>>,
}

pub(super) struct Scripted {
    /// What each gives when it is asked next; nothing at all where that is not said.
    flows: Mutex<Vec<(usize, Flow)>>,
    heads: Mutex<BTreeMap<usize, Head>>,
    asked: Mutex<Vec<(usize, String)>>,
}

impl Script {
    pub(super) fn new(flows: [Flow; 3]) -> Self {
        let flows = flows.into_iter().enumerate();
        let flows = flows.map(|(number, flow)| (number + 1, flow));
        Self {
            peers: Arc::new(Scripted {
                flows: Mutex::new(flows.collect()),
                heads: Mutex::default(),
                asked: Mutex::default(),
            }),
            members: shops().members,
        }
    }

    /// What one of them gives when it is asked once more.
    pub(super) fn then(self, member: usize, flow: Flow) -> Self {
        self.peers.flows.lock().unwrap().push((member, flow));
        self
    }

    /// One of them begins its answer otherwise.
    pub(super) fn answering(self, member: usize, head: Head) -> Self {
        self.peers.heads.lock().unwrap().insert(member, head);
        self
    }

    /// Who was asked what.
    pub(super) fn asked(&self) -> Vec<(usize, String)> {
        self.peers.asked.lock().unwrap().clone()
    }

    pub(super) fn federator(&self) -> Federator {
        self.federator_by(Arc::new(StillClock))
    }

    pub(super) fn federator_by(&self, clock: Arc<dyn Clock>) -> Federator {
        self.over(Arc::new(Endless::default()), clock)
    }

    /// Our own twin has labels too, without end; with how many parts it gave, and a word when it stopped.
    pub(super) fn with_endless_twin(
        mut self,
    ) -> (Federator, Arc<AtomicUsize>, oneshot::Receiver<()>) {
        let ours = iri("http://here.example/product");
        let label = Literal::from("a label");
        self.members[0] = vec![Quad::new(
            ours,
            iri("urn:label"),
            label,
            GraphName::DefaultGraph,
        )];
        let (sender, ended) = oneshot::channel();
        let twin = Endless {
            put: Arc::default(),
            ended: Mutex::new(Some(sender)),
        };
        let put = Arc::clone(&twin.put);
        (self.over(Arc::new(twin), Arc::new(StillClock)), put, ended)
    }

    fn over(&self, twin: Arc<Endless>, clock: Arc<dyn Clock>) -> Federator {
        Federator::new(
            participant(0),
            twin,
            Arc::new(FakeWorkbench),
            Arc::new(Threads),
            Arc::clone(&self.peers) as _,
            clock,
            FederationLimits::default(),
        )
        .with_summaries(Shown::of(&self.members))
    }
}

impl Peers for Scripted {
    fn list(&self) -> Vec<NamedNode> {
        (1..4).map(participant).collect()
    }

    fn ask<'a>(
        &'a self,
        _: &'a NamedNode,
        _: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        let reason = "it is not asked for all at once".to_owned();
        ready(Err(Unanswered::Unreachable { reason })).boxed()
    }

    fn open<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<Opened, Unanswered>> {
        let number = (1..4).find(|number| participant(*number) == *peer).unwrap();
        let asked = (number, question.query.clone());
        self.asked.lock().unwrap().push(asked);
        let head = self.heads.lock().unwrap().get(&number).cloned();
        let columns = ["p", "l"].map(Variable::new_unchecked);
        let head = head.unwrap_or_else(|| match question.query.starts_with("ASK") {
            true => Head::Boolean(false),
            false => Head::Solutions(columns.to_vec()),
        });
        let mut flows = self.flows.lock().unwrap();
        let next = flows.iter().position(|(member, _)| *member == number);
        let parts = next.map_or_else(|| flow([end(number)]), |next| flows.remove(next).1);
        ready(Ok(Opened { head, parts })).boxed()
    }
}

/// Gives rows for as long as they are taken.
#[derive(Default)]
struct Endless {
    put: Arc<AtomicUsize>,
    ended: Mutex<Option<oneshot::Sender<()>>>,
}

impl Twin for Endless {
    fn evaluate(
        &self,
        _: &Query,
        _: Option<&DatasetChoice>,
        _: &Permit,
        _: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let columns = ["p", "l"].map(Variable::new_unchecked);
        sink.put(Piece::Head(Head::Solutions(columns.to_vec())))?;
        let end = loop {
            self.put.fetch_add(1, Ordering::Relaxed);
            if let Err(refusal) = sink.put(Piece::Solutions(rows(0, 0..500))) {
                break refusal;
            }
        };
        let ended = self.ended.lock().unwrap().take().unwrap();
        ended.send(()).unwrap();
        Err(end)
    }

    fn change(
        &self,
        _: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        Err(Refusal::new(Code::Internal, "twin", "not asked for"))
    }
}

fn rows(member: usize, numbers: Range<usize>) -> Vec<Solution> {
    let row = |number| Solution {
        values: vec![
            Some(iri(&format!("http://shop{member}.example/product{number}")).into()),
            Some(Literal::from(format!("product {number}")).into()),
        ],
        sources: Arc::from([0_u16]),
    };
    numbers.map(row).collect()
}

/// Some rows of a member.
pub(super) fn part(member: usize, numbers: Range<usize>) -> Result<Part, Unanswered> {
    Ok(Part::Rows(Rows {
        solutions: rows(member, numbers),
        ..Rows::default()
    }))
}

/// What a member says at its end.
pub(super) fn end(member: usize) -> Result<Part, Unanswered> {
    Ok(Part::End(Box::new(SourceStatus {
        participant: participant(member),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: vec![iri("https://policy.example/p")],
        not_evaluable: 0,
        reason: None,
        receipt: None,
    })))
}

/// These parts, one after the other.
pub(super) fn flow<const N: usize>(parts: [Result<Part, Unanswered>; N]) -> Flow {
    stream::iter(parts).boxed()
}

/// Gives nothing, ever; and a word when nobody waits for it any more.
pub(super) fn silent() -> (Flow, oneshot::Receiver<()>) {
    struct Gone(Option<oneshot::Sender<()>>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (sender, gone) = oneshot::channel();
    let held = Gone(Some(sender));
    let flow = stream::pending().map(move |part| {
        let _ = &held;
        part
    });
    (flow.boxed(), gone)
}
