//! Fakes for the ports: just enough of each, with switches for what can go wrong.

mod ledger;

pub(crate) use ledger::FakeLedger;

use futures::future::{BoxFuture, FutureExt, ready};
use oxrdf::{Literal, NamedNode, Variable};
use oxrdfio::RdfFormat;
use spargebra::Query;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use time::macros::datetime;
use twinlink_core::policy::{Permit, Policy, PolicySet};
use twinlink_core::{
    Admission, Applied, Authenticator, Budget, Caller, Change, Clock, Code, Conditions, Connector,
    Credentials, DatasetChoice, Delegation, Evaluated, Federation, Harvest, Head, Intent, Limits,
    Piece, PolicySource, Recorded, Refusal, Request, Sink, Solution, Twin, UseLog, UseRecord,
    Workers,
};

pub(crate) const READ: &str = "
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
    <https://city.example/policy/read> a odrl:Set ; odrl:permission [
        odrl:target <https://city.example/twin> ; odrl:action odrl:read ] .";

pub(crate) const MODIFY: &str = "
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
    <https://city.example/policy/modify> a odrl:Set ; odrl:permission [
        odrl:target <https://city.example/twin> ; odrl:action odrl:modify ] .";

pub(crate) struct World {
    pub(crate) policies: Arc<FakePolicies>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) ledger: Arc<FakeLedger>,
    pub(crate) caller: Caller,
    pub(crate) known: bool,
    pub(crate) log_is_full: bool,
    pub(crate) limits: Limits,
    pub(crate) admission: Arc<Admission>,
    pub(crate) twin: Arc<FakeTwin>,
    log: Arc<Mutex<Log>>,
}

#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) intents: Vec<UseRecord>,
    pub(crate) completed: Vec<Recorded>,
}

#[derive(Default)]
pub(crate) struct FakeTwin {
    pub(crate) evaluations: AtomicUsize,
    pub(crate) panics: AtomicBool,
    pub(crate) hangs: AtomicBool,
    pub(crate) hangs_after_head: AtomicBool,
    pub(crate) never_ends: AtomicBool,
    pub(crate) as_of: Mutex<Option<OffsetDateTime>>,
    /// A change that has begun waits for this to be over.
    pub(crate) holds_changes: AtomicBool,
    pub(crate) changes: AtomicUsize,
    cancelled: AtomicBool,
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    futures::executor::block_on(future)
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            policies: Arc::new(FakePolicies::new(READ)),
            clock: Arc::default(),
            ledger: Arc::default(),
            caller: caller("https://fire.example/", &[], false),
            known: true,
            log_is_full: false,
            limits: Limits::default(),
            twin: Arc::default(),
            log: Arc::default(),
            admission: Arc::default(),
        }
    }

    pub(crate) fn connector(&self) -> Connector {
        Connector {
            participant: NamedNode::new_unchecked("https://city.example/"),
            authenticator: Arc::new(FakeAuthenticator(self.known.then(|| self.caller.clone()))),
            policies: Arc::clone(&self.policies) as _,
            world: Arc::clone(&self.ledger) as _,
            permits: Arc::default(),
            questions: Arc::default(),
            twin: Arc::clone(&self.twin) as _,
            federation: Arc::new(NoFederation),
            use_log: Arc::new(FakeLog(self.log_is_full, Arc::clone(&self.log))),
            clock: Arc::clone(&self.clock) as _,
            workers: Arc::new(FreeThreads),
            admission: Arc::clone(&self.admission),
            limits: self.limits,
            age_grain: Duration::from_secs(60),
            review: Duration::from_secs(3600),
        }
    }

    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::default()
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            id: uuid::Uuid::now_v7(),
            query: "SELECT ?x WHERE { ?x ?y ?z }".to_owned(),
            digest: None,
            base: None,
            dataset: None,
            federated: false,
            left_out: Vec::new(),
            require: Default::default(),
            explain: None,
            purpose: None,
            break_glass: None,
            envelope: None,
            patience: None,
        }
    }

    pub(crate) fn log(&self) -> Log {
        self.log.lock().unwrap().clone()
    }
}

impl FakeTwin {
    fn hang(&self, budget: &Budget) -> Refusal {
        while !budget.is_cancelled() {
            std::thread::yield_now();
        }
        self.cancelled.store(true, Ordering::SeqCst);
        Refusal::new(Code::Timeout, "deadline", "cancelled")
    }

    pub(crate) fn wait_until_cancelled(&self) {
        while !self.cancelled.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

impl Twin for FakeTwin {
    fn evaluate(
        &self,
        _: &Query,
        _: Option<&DatasetChoice>,
        _: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        self.evaluations.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "as told");
        if self.hangs.load(Ordering::SeqCst) {
            return Err(self.hang(budget));
        }
        sink.put(Piece::Head(Head::Solutions(vec![Variable::new_unchecked(
            "x",
        )])))?;
        if self.hangs_after_head.load(Ordering::SeqCst) {
            return Err(self.hang(budget));
        }
        for number in 1.. {
            if number > 3 && !self.never_ends.load(Ordering::SeqCst) {
                break;
            }
            let put = sink.put(Piece::Solutions(vec![Solution {
                values: vec![Some(Literal::from(number).into())],
                sources: Arc::from([0]),
            }]));
            if put.is_err() {
                self.cancelled.store(true, Ordering::SeqCst);
            }
            put?;
        }
        Ok(Evaluated {
            rows: 3,
            as_of: *self.as_of.lock().unwrap(),
            ..Evaluated::default()
        })
    }

    fn change(
        &self,
        _: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        self.changes.fetch_add(1, Ordering::SeqCst);
        while self.holds_changes.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        Ok(Applied {
            sequence: 7,
            version: Some("7-ab".into()),
            ..Applied::default()
        })
    }
}

/// A caller of an organisation, with roles.
pub(crate) fn caller(participant: &str, roles: &[&str], is_owner: bool) -> Caller {
    Caller::assertion(
        NamedNode::new_unchecked(participant),
        "ada".to_owned(),
        roles
            .iter()
            .map(|role| NamedNode::new_unchecked(*role))
            .collect(),
        None,
        "1".to_owned(),
        is_owner,
    )
}

struct FakeAuthenticator(Option<Caller>);

impl Authenticator for FakeAuthenticator {
    fn authenticate(&self, _: &Credentials, _: OffsetDateTime) -> Result<Caller, Refusal> {
        let none = || Refusal::new(Code::Unauthenticated, "token", "none");
        self.0.clone().ok_or_else(none)
    }
}

/// Policies that can be replaced.
pub(crate) struct FakePolicies(Mutex<Arc<PolicySet>>);

impl FakePolicies {
    pub(crate) fn new(text: &str) -> Self {
        Self(Mutex::new(Arc::new(compiled(text))))
    }

    pub(crate) fn replace(&self, text: &str) {
        *self.0.lock().unwrap() = Arc::new(compiled(text));
    }
}

fn compiled(text: &str) -> PolicySet {
    let dataset = NamedNode::new_unchecked("https://city.example/twin");
    let policies = match text {
        "" => Vec::new(),
        text => Policy::parse(text, RdfFormat::Turtle, None).unwrap(),
    };
    PolicySet::compile(dataset, policies).unwrap()
}

impl PolicySource for FakePolicies {
    fn current(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

struct FakeLog(bool, Arc<Mutex<Log>>);

impl UseLog for FakeLog {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        let result = if self.0 {
            Err(Refusal::new(
                Code::Unavailable,
                twinlink_core::DISK,
                "the disk is full",
            ))
        } else {
            let mut log = self.1.lock().unwrap();
            log.intents.push(record.clone());
            let sequence = log.intents.len() as u64;
            Ok(Intent { record, sequence })
        };
        ready(result).boxed()
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        self.1.lock().unwrap().completed.push(done);
        ready(Ok(format!("receipt {}", intent.sequence))).boxed()
    }
}

struct NoFederation;

impl Federation for NoFederation {
    fn gather<'a>(
        &'a self,
        _: &'a Query,
        _: Option<&'a DatasetChoice>,
        _: &'a Permit,
        _: &'a Delegation,
        _: &'a Budget,
        _: &'a Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        ready(Err(Refusal::new(
            Code::Internal,
            "federation",
            "there is none",
        )))
        .boxed()
    }
}

/// The time of day is set; deadlines are of real time, and each sleep is a thread.
pub(crate) struct FakeClock(Mutex<OffsetDateTime>);

impl Default for FakeClock {
    fn default() -> Self {
        Self(Mutex::new(datetime!(2026-11-20 12:00 UTC)))
    }
}

impl FakeClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, until: Instant) -> BoxFuture<'static, ()> {
        let (wake, woken) = futures::channel::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
            let _ = wake.send(());
        });
        woken.map(drop).boxed()
    }
}

struct FreeThreads;

impl Workers for FreeThreads {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        std::thread::spawn(job);
        Ok(())
    }
}
