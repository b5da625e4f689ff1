//! A connector whose ports do what a test tells them, behind the real door on an in-memory connection.

use crate::grpc::routes;
use crate::runtime::{SystemClock, Threads};
use crate::serve::PeerCertificate;
use axum::Extension;
use futures::future::{BoxFuture, FutureExt, ready};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use oxrdf::{Literal, NamedNode, Variable};
use oxrdfio::RdfFormat;
use spargebra::Query;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tonic::transport::{Channel, Endpoint};
use twinlink_client::{Client, Token};
use twinlink_core::policy::{Permit, Policy, PolicySet};
use twinlink_core::{
    Applied, Authenticator, Budget, Caller, Change, Code, Connector, Credentials, DatasetChoice,
    Delegation, Evaluated, Federation, Harvest, Head, Intent, Limits, Piece, PolicySource,
    Recorded, Refusal, Sink, Solution, Twin, UseLog, UseRecord,
};
use twinlink_store::Ledger;

pub(crate) const CITY: &str = "https://city.example/";
pub(crate) const TOKEN: &str = "a.b.c";

type Evaluation =
    dyn Fn(&Query, &Budget, &mut dyn Sink) -> Result<Evaluated, Refusal> + Send + Sync;

/// What a test says of the connector before it opens.
pub(crate) struct World {
    pub(crate) evaluation: Box<Evaluation>,
    pub(crate) is_owner: bool,
    pub(crate) is_permitted: bool,
    pub(crate) limits: Limits,
    pub(crate) changes: Arc<Mutex<Vec<Change>>>,
}

const POLICIES: &str = "
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
    <https://city.example/policy> a odrl:Set ;
        odrl:permission
            [ odrl:target <https://city.example/twin> ; odrl:action odrl:read ] ,
            [ odrl:target <https://city.example/twin> ; odrl:action odrl:modify ] .";

/// The head of the rows that [`row`] makes.
pub(crate) fn head() -> Piece {
    Piece::Head(Head::Solutions(vec![Variable::new_unchecked("x")]))
}

/// A row of this connector's own.
pub(crate) fn row(text: &str) -> Solution {
    Solution {
        values: vec![Some(Literal::from(text).into())],
        sources: Arc::from([0]),
    }
}

impl World {
    /// A twin that evaluates by this.
    pub(crate) fn new(
        evaluation: impl Fn(&Query, &Budget, &mut dyn Sink) -> Result<Evaluated, Refusal>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            evaluation: Box::new(evaluation),
            is_owner: false,
            is_permitted: true,
            limits: Limits::default(),
            changes: Arc::default(),
        }
    }

    /// A twin that answers with these rows.
    pub(crate) fn with_rows(rows: &'static [&'static str]) -> Self {
        Self::new(move |_, _, sink| {
            sink.put(head())?;
            if !rows.is_empty() {
                sink.put(Piece::Solutions(
                    rows.iter().map(|text| row(text)).collect(),
                ))?;
            }
            Ok(Evaluated {
                rows: rows.len() as u64,
                ..Evaluated::default()
            })
        })
    }

    pub(crate) fn connector(self) -> Connector {
        let policies = if self.is_permitted {
            Policy::parse(POLICIES, RdfFormat::Turtle, None).unwrap()
        } else {
            Vec::new()
        };
        let dataset = NamedNode::new_unchecked("https://city.example/twin");
        Connector {
            participant: NamedNode::new_unchecked(CITY),
            authenticator: Arc::new(FakeAuthenticator(self.is_owner)),
            policies: Arc::new(FakePolicies(Arc::new(
                PolicySet::compile(dataset, policies).unwrap(),
            ))),
            twin: Arc::new(FakeTwin {
                evaluation: self.evaluation,
                changes: self.changes,
            }),
            federation: Arc::new(NoFederation),
            world: Arc::new(Ledger::in_memory().unwrap()),
            permits: Arc::default(),
            questions: Arc::default(),
            use_log: Arc::new(FakeLog),
            clock: Arc::new(SystemClock),
            workers: Arc::new(Threads::new(16)),
            admission: Arc::default(),
            limits: self.limits,
            age_grain: Duration::from_secs(60),
            review: Duration::from_secs(3600),
        }
    }

    /// The door of this connector, and a channel to it.
    pub(crate) async fn open(self) -> Channel {
        let peers = Arc::new(|| vec![NamedNode::new_unchecked("https://police.example/")]);
        let router = routes(Arc::new(self.connector()), peers)
            .into_axum_router()
            .layer(Extension(PeerCertificate(Arc::new(
                b"certificate".to_vec(),
            ))));
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move {
            let builder = Builder::new(TokioExecutor::new());
            // Ends with the client, in some tests in the middle of an answer.
            drop(
                builder
                    .serve_connection(TokioIo::new(theirs), TowerToHyperService::new(router))
                    .await,
            );
        });
        let ours = Mutex::new(Some(TokioIo::new(ours)));
        Endpoint::from_static("http://twin.example")
            .connect_with_connector(tower::service_fn(move |_| {
                let ours = ours.lock().unwrap().take();
                ready(ours.ok_or_else(|| std::io::Error::other("connected before")))
            }))
            .await
            .unwrap()
    }

    pub(crate) async fn client(self) -> Client {
        Client::over(self.open().await, Arc::new(Token::new(TOKEN)))
    }
}

struct FakeTwin {
    evaluation: Box<Evaluation>,
    changes: Arc<Mutex<Vec<Change>>>,
}

impl Twin for FakeTwin {
    fn evaluate(
        &self,
        query: &Query,
        _: Option<&DatasetChoice>,
        _: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        (self.evaluation)(query, budget, sink)
    }

    fn change(
        &self,
        change: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        self.changes.lock().unwrap().push(change.clone());
        let inserted = match change {
            Change::Insert(quads) | Change::Replace(_, quads) => quads.len() as u64,
            Change::Update { .. } | Change::Clear(_) => 0,
        };
        Ok(Applied {
            sequence: 7,
            inserted,
            removed: 0,
            created: false,
            version: None,
        })
    }
}

/// Knows whoever shows the token and the certificate of the tests.
struct FakeAuthenticator(bool);

impl Authenticator for FakeAuthenticator {
    fn authenticate(&self, shown: &Credentials, _: OffsetDateTime) -> Result<Caller, Refusal> {
        let token = shown.token.as_ref().map(twinlink_core::Secret::reveal);
        if token != Some(TOKEN) || shown.certificate.as_deref() != Some(b"certificate") {
            return Err(Refusal::new(
                Code::Unauthenticated,
                "token",
                "not the one of the tests",
            ));
        }
        Ok(Caller::assertion(
            NamedNode::new_unchecked("https://fire.example/"),
            "ada".to_owned(),
            Vec::new(),
            None,
            "1".to_owned(),
            self.0,
        ))
    }
}

struct FakePolicies(Arc<PolicySet>);

impl PolicySource for FakePolicies {
    fn current(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0)
    }
}

struct FakeLog;

impl UseLog for FakeLog {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        ready(Ok(Intent {
            record,
            sequence: 1,
        }))
        .boxed()
    }

    fn complete<'a>(&'a self, _: Intent, done: Recorded) -> BoxFuture<'a, Result<String, Refusal>> {
        ready(Ok(format!("receipt for {} rows", done.rows))).boxed()
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
        _: &'a twinlink_core::Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        ready(Err(Refusal::new(Code::Internal, "federation", "none here"))).boxed()
    }
}
