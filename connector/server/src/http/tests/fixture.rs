//! A connector whose twin follows a script, and a client that speaks to its door.

use crate::http::{HttpSettings, router};
use crate::runtime::{SystemClock, Threads};
use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use oxrdf::{Literal, NamedNode, Term, Triple, Variable};
use spargebra::Query;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use tower::ServiceExt as _;
use twinlink_core::{
    Applied, Authenticator, Budget, Caller, Change, Code, Connector, Credentials, DatasetChoice,
    Delegation, Evaluated, Federation, Harvest, Head, Intent, Limits, Merge, Piece, PolicySource,
    Recorded, Refusal, Secret, Sink, Solution, SourceState, SourceStatus, Twin, UseLog, UseRecord,
};
use twinlink_policy::{Permit, Policy, PolicySet, RdfFormat, owner_policy};
use twinlink_store::{EvaluationOptions, Ledger, TwinStore};
use twinlink_vocab::tl;

/// What anyone may do.
const OPEN: &str = r"
@prefix odrl: <http://www.w3.org/ns/odrl/2/> .
@prefix tl: <https://w3id.org/twinlink/ns#> .
<https://city.example/policy/open> a odrl:Set ;
    odrl:uid <https://city.example/policy/open> ;
    odrl:profile <https://w3id.org/twinlink/profile/1> ;
    odrl:permission [
        odrl:target [ a odrl:AssetCollection ;
            odrl:source <https://city.example/twin> ;
            odrl:refinement [
                odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand <http://open/> ] ] ;
        odrl:action odrl:read ] .
";

/// What an evaluation does.
type Script = Arc<dyn Fn(&mut dyn Sink) -> Result<Evaluated, Refusal> + Send + Sync>;

/// What reached the twin.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    Asked(Box<Query>, Option<DatasetChoice>),
    Changed(Change),
}

/// A connector under test.
pub(super) struct Fixture {
    world: Arc<World>,
    settings: HttpSettings,
    router: Router,
}

struct World {
    script: Script,
    applied: Applied,
    absent: Option<SourceState>,
    seen: Mutex<Vec<Seen>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    pub(super) trailers: Option<HeaderMap>,
    /// Whether the body broke off.
    pub(super) broken: bool,
}

impl Default for Fixture {
    /// ASK is true; there are no rows and no triples.
    fn default() -> Self {
        Self::with(|sink| {
            sink.put(Piece::Head(Head::Boolean(true)))?;
            Ok(Evaluated {
                rows: 1,
                ..Evaluated::default()
            })
        })
    }
}

impl Fixture {
    /// Every evaluation does this.
    pub(super) fn with(
        script: impl Fn(&mut dyn Sink) -> Result<Evaluated, Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self::build(Arc::new(script), Applied::default(), None)
    }

    /// Every change ends like this.
    pub(super) fn applying(applied: Applied) -> Self {
        let script = |_: &mut dyn Sink| Err(Refusal::new(Code::Internal, "test", "not scripted"));
        Self::build(Arc::new(script), applied, None)
    }

    /// A federated answer lacks one peer.
    pub(super) fn without_peer(self, state: SourceState) -> Self {
        Self::build(
            Arc::clone(&self.world.script),
            self.world.applied.clone(),
            Some(state),
        )
    }

    /// Rows with one variable, in pieces of a hundred; then the end that is given.
    pub(super) fn rows(
        count: usize,
        end: impl Fn() -> Result<(), Refusal> + Send + Sync + 'static,
    ) -> Self {
        Self::with(move |sink| {
            sink.put(Piece::Head(Head::Solutions(vec![
                Variable::new("x").unwrap(),
            ])))?;
            for start in (0..count).step_by(100) {
                let rows = (start..count.min(start + 100)).map(|number| Solution {
                    values: vec![Some(Literal::from(number as i64).into())],
                    sources: Arc::from([0]),
                });
                sink.put(Piece::Solutions(rows.collect()))?;
            }
            end()?;
            Ok(Evaluated {
                rows: count as u64,
                ..Evaluated::default()
            })
        })
    }

    /// One triple, or none.
    pub(super) fn graph(triples: usize) -> Self {
        Self::with(move |sink| {
            sink.put(Piece::Head(Head::Graph))?;
            let name = NamedNode::new("http://example.org/ünd").unwrap();
            let triple = Triple::new(name.clone(), name.clone(), Term::from(name));
            if triples > 0 {
                sink.put(Piece::Triples(vec![triple; triples]))?;
            }
            Ok(Evaluated {
                rows: triples as u64,
                ..Evaluated::default()
            })
        })
    }

    /// A twin that keeps what it is told. Stewards may do everything, guests may read the graph `http://open/`.
    pub(super) fn stored() -> Self {
        let mut fixture = Self::default();
        let mut connector = connector(&fixture.world);
        connector.twin = Arc::new(TwinStore::in_memory(EvaluationOptions::default()).unwrap());
        fixture.router = router(Arc::new(connector), fixture.settings.clone());
        fixture
    }

    /// The same, with less time for each request.
    pub(super) fn within(mut self, deadline: Duration) -> Self {
        let mut connector = connector(&self.world);
        connector.limits.deadline = deadline;
        self.router = router(Arc::new(connector), self.settings.clone());
        self
    }

    fn build(script: Script, applied: Applied, absent: Option<SourceState>) -> Self {
        let world = Arc::new(World {
            script,
            applied,
            absent,
            seen: Mutex::default(),
        });
        let settings = HttpSettings::new("https://city.example/");
        let router = router(Arc::new(connector(&world)), settings.clone());
        Self {
            world,
            settings,
            router,
        }
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(super) fn stop(&self) {
        self.settings.ready.stop();
    }

    /// What reached the twin so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.world.seen.lock().unwrap().clone()
    }

    /// The one change that reached the twin.
    pub(super) fn changed(&self) -> Change {
        match self.seen().as_slice() {
            [Seen::Changed(change)] => change.clone(),
            other => panic!("expected one change, saw {other:?}"),
        }
    }

    /// The dataset of the one question that reached the twin.
    pub(super) fn asked(&self) -> (String, Option<DatasetChoice>) {
        match self.seen().as_slice() {
            [Seen::Asked(query, dataset)] => (query.to_string(), dataset.clone()),
            other => panic!("expected one question, saw {other:?}"),
        }
    }

    /// Sends a request and reads the answer to its end.
    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (head, mut body) = response.into_parts();
        let mut answer = Answer {
            status: head.status,
            headers: head.headers,
            text: String::new(),
            trailers: None,
            broken: false,
        };
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data().map_err(|rest| rest.into_trailers())) {
                Ok(Ok(data)) => answer.text.push_str(std::str::from_utf8(&data).unwrap()),
                Ok(Err(trailers)) => answer.trailers = trailers.ok(),
                Err(_) => {
                    answer.broken = true;
                    break;
                }
            }
        }
        answer
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

pub(super) fn text(text: &str) -> Body {
    Body::from(text.to_owned())
}

/// A GET with a good token.
pub(super) fn get(path: &str) -> Request<Body> {
    send(Method::GET, path, "", "")
}

/// The same request by a guest.
pub(super) fn as_guest(mut request: Request<Body>) -> Request<Body> {
    let guest = http::HeaderValue::from_static("Bearer guest");
    request.headers_mut().insert(AUTHORIZATION, guest);
    request
}

/// A request with a good token; no content type where it is empty.
pub(super) fn send(method: Method, path: &str, kind: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(AUTHORIZATION, "bearer good");
    if !kind.is_empty() {
        request = request.header(CONTENT_TYPE, kind);
    }
    request.body(text(body)).unwrap()
}

fn connector(world: &Arc<World>) -> Connector {
    Connector {
        participant: NamedNode::new("https://city.example/").unwrap(),
        authenticator: Arc::new(TwoTokens),
        policies: Arc::new(Open(policies())),
        twin: Arc::<World>::clone(world),
        federation: Arc::<World>::clone(world),
        world: Arc::new(Ledger::in_memory().unwrap()),
        permits: Arc::default(),
        questions: Arc::default(),
        use_log: Arc::new(Forgetful),
        clock: Arc::new(SystemClock),
        workers: Arc::new(Threads::new(8)),
        admission: Arc::default(),
        limits: Limits {
            deadline: Duration::from_secs(20),
            body_bytes: 100_000,
            query_bytes: 10_000,
            ..Limits::default()
        },
        age_grain: Duration::from_secs(60),
        review: Duration::from_secs(3600),
    }
}

struct TwoTokens;

impl Authenticator for TwoTokens {
    fn authenticate(&self, shown: &Credentials, _: OffsetDateTime) -> Result<Caller, Refusal> {
        let caller = |participant: &str, roles, is_owner| {
            Ok(Caller::assertion(
                NamedNode::new(participant).unwrap(),
                "tester".to_owned(),
                roles,
                Some(NamedNode::new("https://city.example/purpose").unwrap()),
                "1".to_owned(),
                is_owner,
            ))
        };
        match shown.token.as_ref().map(Secret::reveal) {
            Some("good") => caller(
                "https://city.example/",
                vec![tl::STEWARD.into_owned()],
                true,
            ),
            Some("guest") => caller("https://guest.example/", Vec::new(), false),
            _ => Err(Refusal::new(
                Code::Unauthenticated,
                "token",
                "not the good one",
            )),
        }
    }
}

struct Open(Arc<PolicySet>);

impl PolicySource for Open {
    fn current(&self) -> Arc<PolicySet> {
        Arc::clone(&self.0)
    }
}

/// Our own steward may read and change everything, anyone may read one graph.
fn policies() -> Arc<PolicySet> {
    let participant = NamedNode::new("https://city.example/").unwrap();
    let dataset = NamedNode::new("https://city.example/twin").unwrap();
    let owner = owner_policy(&participant, &dataset);
    let policies = [owner.as_str(), OPEN]
        .into_iter()
        .flat_map(|text| Policy::parse(text, RdfFormat::Turtle, None).unwrap())
        .collect();
    Arc::new(PolicySet::compile(dataset, policies).unwrap())
}

struct Forgetful;

impl UseLog for Forgetful {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        Box::pin(async {
            Ok(Intent {
                record,
                sequence: 0,
            })
        })
    }

    fn complete<'a>(&'a self, _: Intent, _: Recorded) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async { Ok("header.payload.signature".to_owned()) })
    }
}

impl Twin for World {
    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        _: &Permit,
        _: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let seen = Seen::Asked(Box::new(query.clone()), dataset.cloned());
        self.seen.lock().unwrap().push(seen);
        (self.script)(sink)
    }

    fn change(
        &self,
        change: &Change,
        _: Option<&Permit>,
        _: &Permit,
        _: &Budget,
    ) -> Result<Applied, Refusal> {
        self.seen
            .lock()
            .unwrap()
            .push(Seen::Changed(change.clone()));
        Ok(self.applied.clone())
    }
}

impl Federation for World {
    fn gather<'a>(
        &'a self,
        _: &'a Query,
        _: Option<&'a DatasetChoice>,
        _: &'a Permit,
        _: &'a Delegation,
        _: &'a Budget,
        _: &'a twinlink_core::Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        let source = |name: &str, state| SourceStatus {
            participant: NamedNode::new(name).unwrap(),
            state,
            rows: 0,
            elapsed: Duration::from_millis(5),
            as_of: None,
            policies: Vec::new(),
            not_evaluable: 0,
            reason: None,
            receipt: None,
        };
        let mut sources = vec![source("https://city.example/", SourceState::Complete)];
        sources.extend(
            self.absent
                .map(|state| source("https://police.example/", state)),
        );
        let script = Arc::clone(&self.script);
        let merge = Box::new(Scripted(script));
        Box::pin(async move {
            Ok(Harvest {
                sources,
                unsure: Vec::new(),
                explanation: None,
                merge,
            })
        })
    }
}

struct Scripted(Script);

impl Merge for Scripted {
    fn run(self: Box<Self>, _: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal> {
        (self.0)(sink)
    }
}
