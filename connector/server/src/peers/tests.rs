//! Two organisations with keys and logs of their own, over real mutual TLS on loopback.

mod exchange;
mod replicas;
mod streams;

use super::reply::own_status;
use super::*;
use crate::grpc::tests::fakes::{World, head, row};
use crate::serve::Listener;
use oxrdf::Literal;
use std::sync::atomic::AtomicBool;
use twinlink_client::Outcome;
use twinlink_core::{
    Budget, Connector, Delegation, Evaluated, Head, Journal, Piece, Refusal, SourceState,
};
use twinlink_federation::Room;
use twinlink_store::{EvaluationOptions, TwinStore, UseJournal};
use twinlink_trust::{
    Assertable, Authority, ClientCertificates, Identity, Receipts, SigningKey, Subject,
    TokenAuthenticator, Trusted, TrustedParty, server_config,
};
use uuid::Uuid;

/// An organisation with its keys.
struct Organisation {
    id: NamedNode,
    authority: String,
    issuing: Authority,
    identity: Arc<CurrentIdentity>,
    journal: Arc<UnsureJournal>,
    receipts: Arc<Receipts>,
}

/// A journal that fails when it is told to.
struct UnsureJournal {
    journal: UseJournal,
    is_failing: AtomicBool,
}

impl Journal for UnsureJournal {
    fn append(
        &self,
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Box::pin(std::future::ready(Err(Refusal::new(
                Code::Unavailable,
                "disk",
                "full",
            )))),
            false => self.journal.append(records, seal),
        }
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        self.journal.read(from, most)
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        self.journal.seal()
    }
}

impl Organisation {
    fn new(name: &str) -> Self {
        let now = OffsetDateTime::now_utc();
        let id = NamedNode::new(format!("https://{name}.example/")).unwrap();
        let authority = Authority::create(name, now).unwrap();
        let subject = Subject {
            participant: id.clone(),
            hosts: vec!["localhost".to_owned()],
        };
        let issued = authority
            .issue(&subject, time::Duration::HOUR, now)
            .unwrap();
        let key = SigningKey::from_pem(issued.key_pem.reveal(), "key").unwrap();
        let identity = Identity::from_pem(&issued.certificate_pem, key, "certificate").unwrap();
        let identity = CurrentIdentity::new(identity);
        let journal = Arc::new(UnsureJournal {
            journal: TwinStore::in_memory(EvaluationOptions::default())
                .unwrap()
                .journal(),
            is_failing: AtomicBool::new(false),
        });
        let receipts =
            Receipts::open(Arc::clone(&journal) as _, Arc::clone(&identity), &[]).unwrap();
        Self {
            id,
            authority: authority.certificate_pem().to_owned(),
            issuing: authority,
            identity,
            journal,
            receipts: Arc::new(receipts),
        }
    }

    /// Puts a new certificate for the same key in force.
    fn renew(&self) {
        let key = self.identity.load().key().clone();
        let subject = Subject {
            participant: self.id.clone(),
            hosts: vec!["localhost".to_owned()],
        };
        let now = OffsetDateTime::now_utc();
        let lifetime = time::Duration::HOUR * 2;
        let certificate = self.issuing.certify(&subject, &key, lifetime, now).unwrap();
        let renewed = Identity::from_pem(&certificate, key, "certificate").unwrap();
        self.identity.replace(renewed).unwrap();
    }

    fn key(&self) -> String {
        self.identity.load().key().public().to_jwk()
    }

    fn registry(&self, peer: &Self) -> Arc<Registry> {
        let own = TrustedParty::own(&self.identity.load(), self.authority.clone());
        Registry::new(Trusted::new(own, vec![peer.party()]).unwrap())
    }

    /// What others trust.
    fn party(&self) -> TrustedParty {
        TrustedParty {
            claims: twinlink_trust::Assertable::Any,
            participant: self.id.clone(),
            token_keys: vec![self.key()],
            authorities_pem: self.authority.clone(),
            revocations_pem: None,
            roles: Assertable::Any,
            purposes: Assertable::Any,
        }
    }

    /// Its entry at another organisation.
    fn entry(&self, url: &str) -> PeerFile {
        PeerFile {
            claims: Vec::new(),
            participant: self.id.as_str().to_owned(),
            url: Some(url.to_owned()),
            replicas: Vec::new(),
            introspect: false,
            broker: false,
            brokered: false,
            max_age_seconds: None,
            authority: self.authority.clone(),
            revocations: Vec::new(),
            token_keys: vec![self.key()],
            roles: Vec::new(),
            purposes: Vec::new(),
        }
    }

    /// Its connector, serving for as long as the test runs.
    async fn serve(&self, client: &Self, connector: Connector) -> String {
        let registry = self.registry(client);
        let connector = Connector {
            authenticator: Arc::new(TokenAuthenticator::new(Arc::clone(&registry))),
            use_log: Arc::clone(&self.receipts) as _,
            ..connector
        };
        self.serve_as(registry, connector).await
    }

    /// As [`Self::serve`], with ports of the connector's own.
    async fn serve_as(&self, registry: Arc<Registry>, connector: Connector) -> String {
        let (evidence, _) = Evidence::new(
            self.id.clone(),
            Arc::clone(&self.receipts),
            Arc::clone(&registry),
        );
        evidence.recall(Arc::clone(&self.identity)).await.unwrap();
        let tls = server_config(
            Arc::clone(&self.identity),
            registry,
            ClientCertificates::Required,
        )
        .unwrap();
        let tls = Arc::new(ArcSwap::from_pointee(tls));
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), tls)
            .await
            .unwrap();
        let port = listener.address().unwrap().port();
        let routes = crate::grpc::routes_with(
            Arc::new(connector),
            Arc::new(Vec::new),
            None,
            Some(evidence),
            crate::readiness::Readiness::default().health(),
        );
        tokio::spawn(listener.serve(routes.into_axum_router(), std::future::pending()));
        format!("https://localhost:{port}")
    }
}

/// We are the rescue department, the peer is the police.
struct Pair {
    rescue: Organisation,
    police: Organisation,
    remote: Arc<Remote>,
    url: String,
}

impl Pair {
    async fn new(world: World) -> Self {
        Self::with(|police| Connector {
            participant: police.clone(),
            ..world.connector()
        })
        .await
    }

    async fn with(connector: impl FnOnce(&NamedNode) -> Connector) -> Self {
        let rescue = Organisation::new("rescue");
        let police = Organisation::new("police");
        let connector = connector(&police.id);
        let url = police.serve(&rescue, connector).await;
        Self::over(rescue, police, &url)
    }

    fn over(rescue: Organisation, police: Organisation, url: &str) -> Self {
        let registry = rescue.registry(&police);
        let (evidence, due) = Evidence::new(
            rescue.id.clone(),
            Arc::clone(&rescue.receipts),
            Arc::clone(&registry),
        );
        let entries = vec![police.entry(url)];
        let identity = Arc::clone(&rescue.identity);
        let remote = Arc::new(Remote::new(entries, identity, registry, evidence).unwrap());
        crate::evidence::watch(&remote, due, &rescue.identity, Duration::from_secs(1));
        Self {
            rescue,
            police,
            remote,
            url: url.to_owned(),
        }
    }

    fn question(&self) -> SubQuery {
        let budget = Budget::new(Instant::now() + Duration::from_secs(20), 100);
        SubQuery {
            query: "SELECT ?x WHERE { ?x ?y ?z }".to_owned(),
            dataset: None,
            delegation: Delegation {
                claims: std::collections::BTreeMap::new(),
                request: Uuid::now_v7(),
                participant: self.rescue.id.clone(),
                subject: "ada".to_owned(),
                actors: Vec::new(),
                roles: Vec::new(),
                purpose: None,
                break_glass: None,
                on_behalf: Vec::new(),
                left_out: Vec::new(),
            },
            left_out: None,
            room: Room::of(&budget),
            budget,
        }
    }

    async fn ask(&self) -> Result<SubAnswer, Unanswered> {
        self.remote.ask(&self.police.id, &self.question()).await
    }
}

#[tokio::test]
async fn a_peer_answers_for_itself() {
    let pair = Pair::new(World::with_rows(&["a", "b"])).await;
    assert_eq!(pair.remote.list(), std::slice::from_ref(&pair.police.id));
    for _ in 0..2 {
        let answer = pair.ask().await.unwrap();
        assert!(matches!(&answer.head, Head::Solutions(names) if names.len() == 1));
        assert_eq!(
            answer.rows.solutions[1].values,
            [Some(Literal::from("b").into())]
        );
        assert_eq!(answer.status.participant, pair.police.id);
        assert_eq!(answer.status.state, SourceState::Complete);
        assert_eq!(answer.status.rows, 2);
        assert!(answer.status.receipt.is_some());
    }
}

#[tokio::test]
async fn a_connection_goes_on_with_the_certificate_that_it_showed() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    pair.ask().await.unwrap();
    pair.rescue.renew();
    // Open still, under the old certificate: the token must be bound to that one.
    let answer = pair.ask().await.unwrap();
    assert_eq!(answer.status.state, SourceState::Complete);
    pair.police.renew();
    pair.ask().await.unwrap();
    pair.remote.replace(Vec::new()).unwrap();
    assert!(pair.ask().await.is_err());
}

#[tokio::test]
async fn a_peer_that_denies_is_heard() {
    let mut world = World::with_rows(&["a"]);
    world.is_permitted = false;
    let pair = Pair::new(world).await;
    let why = pair.ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::Denied { reason } if reason == "not permitted"),
        "{why}"
    );
}

#[tokio::test]
async fn users_of_others_are_not_vouched_for() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    let mut question = pair.question();
    question.delegation.participant = NamedNode::new("https://outsider.example/").unwrap();
    let why = pair
        .remote
        .ask(&pair.police.id, &question)
        .await
        .unwrap_err();
    assert!(matches!(why, Unanswered::Denied { .. }), "{why}");
}

/// INVARIANT(peer-is-pinned)
#[tokio::test]
async fn peer_is_pinned() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    // At the police's address there is the city now, which we know and trust for other things.
    let city = Organisation::new("police-city");
    let world = World::with_rows(&["forged"]);
    let url = city.serve(&pair.rescue, world.connector()).await;
    pair.remote.replace(vec![pair.police.entry(&url)]).unwrap();
    let why = pair.ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::Unreachable { reason } if reason.contains("not the expected connector")),
        "{why}"
    );
    let verify = is_certificate_of(pair.police.id.clone());
    assert!(verify(pair.police.identity.load().certificate()).is_ok());
    let reason = verify(city.identity.load().certificate()).unwrap_err();
    assert!(reason.contains("police-city"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_lies_about_its_id_is_not_believed() {
    let pair = Pair::with(|_| World::with_rows(&["a"]).connector()).await;
    let why = pair.ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::NotEvaluable { reason } if reason.contains("https://city.example/")),
        "{why}"
    );
}

/// INVARIANT(peer-speaks-for-itself)
#[test]
fn peer_speaks_for_itself() {
    let peer = NamedNode::new("https://police.example/").unwrap();
    let status = |id: &NamedNode| twinlink_client::SourceStatus {
        participant: id.clone(),
        state: twinlink_client::SourceState::Complete,
        rows: 1,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: Vec::new(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    };
    let outcome = |sources, complete| Outcome {
        sources,
        rows: 1,
        complete,
        unsure: Vec::new(),
        explanation: None,
        receipt: String::new(),
    };
    let now = Instant::now();
    let good = own_status(&peer, outcome(vec![status(&peer)], true), now).unwrap();
    assert_eq!(good.state, SourceState::Complete);
    let half = own_status(&peer, outcome(vec![status(&peer)], false), now).unwrap();
    assert_eq!(half.state, SourceState::Partial);
    let both = vec![status(&peer), status(&peer)];
    assert!(own_status(&peer, outcome(both, true), now).is_err());
}

#[tokio::test]
async fn what_came_before_a_failure_is_kept() {
    let pair = Pair::new(World::new(|_, _, sink| {
        sink.put(head())?;
        sink.put(Piece::Solutions(vec![row("a")]))?;
        Err(Refusal::new(Code::Exhausted, "memory", "detail"))
    }))
    .await;
    match pair.ask().await.unwrap_err() {
        Unanswered::Broken { reason, head, rows } => {
            assert!(reason.contains("limit"), "{reason}");
            assert!(head.is_some());
            assert_eq!(rows.solutions.len(), 1);
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn more_rows_than_asked_for_are_not_taken() {
    let pair = Pair::new(World::new(|_, _, sink| {
        sink.put(head())?;
        sink.put(Piece::Solutions(vec![row("a"); 500]))?;
        Ok(Evaluated {
            rows: 500,
            ..Evaluated::default()
        })
    }))
    .await;
    match pair.ask().await.unwrap_err() {
        Unanswered::Broken { rows, .. } => assert_eq!(rows.solutions.len(), 100),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn rows_that_there_is_no_room_for_are_not_kept() {
    let pair = Pair::new(World::new(|_, _, sink| {
        sink.put(head())?;
        for _ in 0..10 {
            sink.put(Piece::Solutions(vec![row(&"a".repeat(1_000))]))?;
        }
        Ok(Evaluated {
            rows: 10,
            ..Evaluated::default()
        })
    }))
    .await;
    let mut question = pair.question();
    question.room = Room::of(&question.budget.clone().with_memory(4 << 10));
    match pair
        .remote
        .ask(&pair.police.id, &question)
        .await
        .unwrap_err()
    {
        Unanswered::Broken { reason, rows, .. } => {
            assert!(reason.contains("4096 bytes of memory"), "{reason}");
            assert!((1..4).contains(&rows.solutions.len()));
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_silent_peer_times_out() {
    let pair = Pair::new(World::new(|_, budget, sink| {
        sink.put(head())?;
        while !budget.is_cancelled() {
            std::thread::yield_now();
        }
        Err(Refusal::new(Code::Timeout, "deadline", "stopped"))
    }))
    .await;
    let mut question = pair.question();
    question.budget = Budget::new(Instant::now() + Duration::from_secs(3), 100);
    let why = pair
        .remote
        .ask(&pair.police.id, &question)
        .await
        .unwrap_err();
    assert!(matches!(why, Unanswered::TimedOut), "{why}");
}

#[tokio::test]
async fn peers_come_and_go_while_requests_run() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    let participants = pair.remote.participants();
    assert_eq!(participants().len(), 1);
    let mut no_address = pair.police.entry("");
    no_address.url = None;
    pair.remote.replace(vec![no_address]).unwrap();
    assert!(participants().is_empty() && pair.remote.list().is_empty());
    let why = pair.ask().await.unwrap_err();
    assert!(matches!(why, Unanswered::Unreachable { .. }), "{why}");

    let error = pair
        .remote
        .replace(vec![pair.police.entry("http://localhost")])
        .unwrap_err();
    assert!(error.to_string().contains("police.example"), "{error}");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("https://localhost:{}", free.local_addr().unwrap().port());
    drop(free);
    pair.remote.replace(vec![pair.police.entry(&gone)]).unwrap();
    let why = pair.ask().await.unwrap_err();
    assert!(matches!(why, Unanswered::Unreachable { .. }), "{why}");
}
