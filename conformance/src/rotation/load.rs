//! Who asks all the time while everything changes: on new connections again and again, on connections that last, and the
//! city's own people, whose questions go on to a member.

use super::fault;
use super::member::QUESTION;
use crate::http::{Remote, RemoteSettings, Request, Target as _};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{OFFICER, Organisation, Town};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use oxrdf::NamedNode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use twinlink_client::{Client, Error, QueryOptions, Requirement};
use twinlink_core::Secret;
use twinlink_trust::{Authority, CurrentIdentity, Protocol};

/// Who asks on new connections: of the police by gRPC and by HTTP, and of the city for a federated answer.
const CALLERS: [Kind; 5] = [
    Kind::Grpc,
    Kind::Http,
    Kind::Grpc,
    Kind::Http,
    Kind::Federated,
];
/// Who asks on one connection from beginning to end, by gRPC and by HTTP.
const LASTING: usize = 2;
/// Questions on one connection that does not last.
const QUESTIONS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(30);
const QUERY: &str = "ASK {}";
const PATH: &str = "/sparql?query=ASK%20%7B%7D";
/// Between questions on a connection that lasts.
const PAUSE: Duration = Duration::from_millis(3);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Grpc,
    Http,
    Federated,
}

/// What all callers share.
pub(super) struct Load<'a> {
    pub(super) town: &'a Town,
    /// What the police shows from its next connection on.
    pub(super) police: Arc<CurrentIdentity>,
    /// What the city's own people show from their next connection on.
    pub(super) city: Arc<CurrentIdentity>,
    is_over: AtomicBool,
    asked: AtomicUsize,
    /// Connections of each caller that have ended.
    connections: [AtomicUsize; CALLERS.len()],
    /// Questions of each caller whose connection lasts.
    lasting: [AtomicUsize; LASTING],
    /// The most questions on one connection.
    longest: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

impl<'a> Load<'a> {
    pub(super) fn new(town: &'a Town) -> Self {
        Self {
            police: CurrentIdentity::new((*town.police.identity.load()).clone()),
            city: CurrentIdentity::new((*town.city.identity.load()).clone()),
            town,
            is_over: AtomicBool::new(false),
            asked: AtomicUsize::new(0),
            connections: Default::default(),
            lasting: Default::default(),
            longest: AtomicUsize::new(0),
            failures: Mutex::default(),
        }
    }

    /// Has them all ask until `changes` is done.
    pub(super) fn during<T>(&self, changes: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            for (caller, kind) in CALLERS.into_iter().enumerate() {
                scope.spawn(move || self.ask(caller, kind));
            }
            scope.spawn(|| self.last(Self::last_grpc));
            scope.spawn(|| self.last(Self::last_http));
            let done = changes();
            self.is_over.store(true, Ordering::SeqCst);
            done
        })
    }

    /// Requests, connections, and the most requests on one connection.
    pub(super) fn counts(&self) -> [usize; 3] {
        let connections = self.connections.iter();
        let connections: usize = connections.map(|one| one.load(Ordering::SeqCst)).sum();
        [
            self.asked.load(Ordering::SeqCst),
            connections + LASTING,
            self.longest.load(Ordering::SeqCst),
        ]
    }

    fn ask(&self, caller: usize, kind: Kind) {
        while !self.is_over() {
            // One connection shows one certificate, and its tokens are bound to that.
            self.note(match kind {
                Kind::Grpc => self.police().and_then(|caller| self.ask_grpc(&caller)),
                Kind::Http => self.police().and_then(|caller| self.ask_http(&caller)),
                Kind::Federated => self.ask_federated(),
            });
            if let Some(connections) = self.connections.get(caller) {
                connections.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn ask_grpc(&self, caller: &Organisation) -> Result<(), Fault> {
        let held = Held::open(self.town, caller)?;
        for _ in 0..QUESTIONS {
            held.ask(QueryOptions::new(QUERY, deadline()))?;
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn ask_http(&self, caller: &Organisation) -> Result<(), Fault> {
        let tls = self.town.tls(&caller.identity, Protocol::Http1)?;
        let remote = Remote::new(RemoteSettings {
            url: self.town.url(),
            tls: Some(Arc::new(tls)),
            token: Some(caller.token(&self.town.city.id, OFFICER)?),
        })?;
        for _ in 0..QUESTIONS {
            let response = remote.send(&Request::get(PATH))?;
            if !response.is_success() {
                return Err(fault(response.summary()));
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// What the member alone has, of all sources or not at all.
    fn ask_federated(&self) -> Result<(), Fault> {
        let caller = organisation(&self.town.city.id, &self.city)?;
        let held = Held::open(self.town, &caller)?;
        for _ in 0..QUESTIONS {
            let rows = held.ask(QueryOptions {
                federated: true,
                require: Requirement {
                    all: true,
                    ..Requirement::default()
                },
                ..QueryOptions::new(QUESTION, deadline())
            })?;
            if rows != 1 {
                return Err(fault(format!("{rows} rows of the member's one")));
            }
            self.asked.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// A connection that ends before its time is a failure; then there is another one.
    fn last(&self, connect: impl Fn(&Self) -> Result<(), Fault>) {
        while !self.is_over() {
            self.note(connect(self));
        }
    }

    fn last_grpc(&self) -> Result<(), Fault> {
        let held = Held::open(
            self.town,
            &organisation(&self.town.rescue.id, &self.town.rescue.identity)?,
        )?;
        while !self.is_over() {
            held.ask(QueryOptions::new(QUERY, deadline()))?;
            self.lasted(0);
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    fn last_http(&self) -> Result<(), Fault> {
        let caller = organisation(&self.town.rescue.id, &self.town.rescue.identity)?;
        let token = caller.token(&self.town.city.id, OFFICER)?;
        let tls = self.town.tls(&caller.identity, Protocol::Http1)?;
        let uri: http::Uri = self.town.url().parse().map_err(fault)?;
        let port = uri.port_u16().unwrap_or(443);
        runtime()?.block_on(async {
            let tcp = TcpStream::connect(("localhost", port)).await;
            let name = "localhost".try_into().map_err(fault)?;
            let connector = TlsConnector::from(Arc::new(tls));
            let stream = connector.connect(name, tcp.map_err(fault)?).await;
            let opened = http1::handshake(TokioIo::new(stream.map_err(fault)?)).await;
            let (mut sender, connection) = opened.map_err(fault)?;
            tokio::spawn(connection);
            while !self.is_over() {
                self.ask_again(&mut sender, &token).await?;
                self.lasted(1);
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        })
    }

    async fn ask_again(
        &self,
        sender: &mut http1::SendRequest<Empty<Bytes>>,
        token: &Secret,
    ) -> Result<(), Fault> {
        let request = http::Request::get(PATH)
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", token.reveal()))
            .body(Empty::new())
            .map_err(fault)?;
        sender.ready().await.map_err(fault)?;
        let response = sender.send_request(request).await.map_err(fault)?;
        let status = response.status();
        response.into_body().collect().await.map_err(fault)?;
        match status.is_success() {
            true => Ok(()),
            false => Err(fault(format!("on a connection that lasts: {status}"))),
        }
    }

    fn lasted(&self, caller: usize) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(questions) = self.lasting.get(caller) {
            let now = questions.fetch_add(1, Ordering::SeqCst) + 1;
            self.longest.fetch_max(now, Ordering::SeqCst);
        }
    }

    /// As the police is now.
    pub(super) fn police(&self) -> Result<Organisation, Fault> {
        organisation(&self.town.police.id, &self.police)
    }

    /// Until each caller has opened a connection and closed it, and been answered on those that last: what began before is
    /// over then.
    pub(super) fn overlap(&self) -> Result<(), Fault> {
        let all = || self.connections.iter().chain(&self.lasting);
        let count = |one: &AtomicUsize| one.load(Ordering::SeqCst);
        let before: Vec<usize> = all().map(count).collect();
        let begun = Instant::now();
        while all()
            .zip(&before)
            .any(|(now, before)| count(now) < before + 2)
        {
            if begun.elapsed() > 2 * PATIENCE {
                return Err(fault("the callers are not answered any more"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// What has failed since this was last asked.
    pub(super) fn verdict(&self) -> Verdict {
        let failures = std::mem::take(&mut *self.lock());
        match failures.first() {
            None => Verdict::Passed,
            Some(first) => Verdict::Failed(format!("{} failed, first: {first}", failures.len())),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn note(&self, result: Result<(), Fault>) {
        if let Err(failure) = result {
            self.lock().push(failure.to_string());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that shows one certificate, whatever its organisation shows later.
pub(super) struct Held {
    runtime: Runtime,
    client: Client,
}

impl Held {
    pub(super) fn open(town: &Town, caller: &Organisation) -> Result<Self, Fault> {
        let runtime = runtime()?;
        let token = caller.token(&town.city.id, OFFICER)?;
        let config = town.grpc(&caller.identity, token.reveal())?;
        let client = runtime.block_on(Client::connect(&config)).map_err(fault)?;
        Ok(Self { runtime, client })
    }

    /// Asks, reads all that comes, and gives how many rows that is.
    pub(super) fn ask(&self, options: QueryOptions) -> Result<u64, Fault> {
        let asked = async {
            let mut answer = self.client.query(options).await?;
            while answer.next().await?.is_some() {}
            answer.outcome().await
        };
        let outcome: Result<_, Error> = self.runtime.block_on(asked);
        Ok(outcome.map_err(fault)?.rows)
    }

    /// Whether it is told that it is not authenticated any more.
    pub(super) fn is_refused(&self) -> Verdict {
        let options = QueryOptions::new(QUERY, deadline());
        let asked = self.runtime.block_on(self.client.query(options));
        match asked.map(drop) {
            Err(Error::Unauthenticated(_)) => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        }
    }
}

/// An organisation as it shows itself now: its authority issues nothing here.
fn organisation(id: &NamedNode, identity: &CurrentIdentity) -> Result<Organisation, Fault> {
    Ok(Organisation {
        id: id.clone(),
        authority: Authority::create("unused", OffsetDateTime::now_utc()).map_err(fault)?,
        identity: CurrentIdentity::new((*identity.load()).clone()),
    })
}

fn runtime() -> Result<Runtime, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(fault)
}

fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + PATIENCE
}
