//! Rows of two connectors that leave as they come, over real mutual TLS.

use super::*;
use crate::runtime::Threads;
use futures::channel::oneshot;
use oxrdf::{GraphName, Quad};
use spargebra::SparqlParser;
use std::sync::Mutex;
use twinlink_core::policy::{Ask, Permit};
use twinlink_core::{Age, Conditions, Federation as _, Gathered, Requirement, Streamed, Told};
use twinlink_federation::{
    FederationLimits, Federator, Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion,
    SummaryReply, Unanswered,
};
use twinlink_store::QuadWorkbench;

/// Each peer is known to hold one thing of its own, and we to hold nothing.
struct Known(Vec<(NamedNode, Arc<Summary>)>);

impl Known {
    fn new(members: &[&NamedNode]) -> Self {
        let known = members.iter().enumerate().map(|(number, member)| {
            let thing = NamedNode::new_unchecked(format!("{}thing", member.as_str()));
            let says = NamedNode::new_unchecked("https://words.example/says");
            let quad = Quad::new(thing, says, Literal::from("a"), GraphName::DefaultGraph);
            let quads = (number > 0).then_some(quad).into_iter().collect::<Vec<_>>();
            let summary = Summary::of("1".to_owned(), quads, &SummaryLimits::default()).unwrap();
            ((*member).clone(), Arc::new(summary))
        });
        Self(known.collect())
    }
}

impl Summaries for Known {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        _: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        let known = self.0.iter().find(|(name, _)| name == member);
        let reply = known.map(|(_, summary)| SummaryReply::Other(Arc::clone(summary)));
        Box::pin(std::future::ready(Ok(reply.map(Summarized::from))))
    }
}

/// We are the rescue department; the police and the city answer as they are told.
struct Town {
    rescue: Organisation,
    federator: Federator,
    permit: Permit,
}

const SAID: &str = "SELECT ?s ?x { ?s <https://words.example/says> ?x }";

fn said(text: &str, count: usize) -> Piece {
    let mut row = row(text);
    let subject = NamedNode::new_unchecked(format!("https://{text}.example/thing"));
    row.values.insert(0, Some(subject.into()));
    Piece::Solutions(vec![row; count])
}

fn columns() -> Piece {
    let names = ["s", "x"].map(oxrdf::Variable::new_unchecked);
    Piece::Head(Head::Solutions(names.to_vec()))
}

impl Town {
    async fn new(police: World, city: World) -> Self {
        let [rescue, one, other] = ["rescue", "police", "city"].map(Organisation::new);
        let own = TrustedParty::own(&rescue.identity.load(), rescue.authority.clone());
        let mut entries = Vec::new();
        let mut parties = Vec::new();
        let mut permit = None;
        for (organisation, world) in [(&one, police), (&other, city)] {
            let connector = Connector {
                participant: organisation.id.clone(),
                ..world.connector()
            };
            permit = connector
                .policies
                .current()
                .decide(&Ask {
                    participant: rescue.id.clone(),
                    subject: "ada".to_owned(),
                    roles: Vec::new(),
                    purpose: None,
                    action: NamedNode::new_unchecked("http://www.w3.org/ns/odrl/2/read"),
                    now: "2026-11-20T12:00:00Z".parse().unwrap(),
                })
                .ok();
            let url = organisation.serve(&rescue, connector).await;
            entries.push(organisation.entry(&url));
            parties.push(organisation.party());
        }
        let registry = Registry::new(Trusted::new(own, parties).unwrap());
        let receipts = Arc::clone(&rescue.receipts);
        let (evidence, due) = Evidence::new(rescue.id.clone(), receipts, Arc::clone(&registry));
        let identity = Arc::clone(&rescue.identity);
        let remote = Arc::new(Remote::new(entries, identity, registry, evidence).unwrap());
        crate::evidence::watch(&remote, due, &rescue.identity, Duration::from_secs(1));
        let federator = Federator::new(
            rescue.id.clone(),
            World::with_rows(&[]).connector().twin,
            Arc::new(QuadWorkbench::default()),
            Arc::new(Threads::new(4)),
            remote,
            Arc::new(SystemClock),
            FederationLimits::default(),
        );
        let known = Known::new(&[&rescue.id, &one.id, &other.id]);
        Self {
            rescue,
            federator: federator.with_summaries(Arc::new(known)),
            permit: permit.unwrap(),
        }
    }

    async fn ask(&self, query: &str, patience: Duration) -> Box<dyn Streamed> {
        let query = SparqlParser::new().parse_query(query).unwrap();
        let delegation = Delegation {
            claims: BTreeMap::new(),
            request: Uuid::now_v7(),
            participant: self.rescue.id.clone(),
            subject: "ada".to_owned(),
            actors: Vec::new(),
            roles: Vec::new(),
            purpose: None,
            break_glass: None,
            on_behalf: Vec::new(),
            left_out: Vec::new(),
        };
        let budget = Budget::new(Instant::now() + patience, 1_000_000);
        let federator = &self.federator;
        let conditions = Conditions {
            require: Requirement::default(),
            age: Age::EXACT,
            explain: None,
        };
        let gathered = federator.stream(
            &query,
            None,
            &self.permit,
            &delegation,
            &budget,
            &conditions,
        );
        match gathered.await.unwrap() {
            Gathered::Streamed(rows) => rows,
            Gathered::Held(_) => panic!("it is held"),
        }
    }
}

async fn next(rows: &mut Box<dyn Streamed>) -> Option<Piece> {
    rows.next().await.unwrap()
}

/// The rest of the rows, and what became of the peers: the city, then the police.
async fn rest(mut rows: Box<dyn Streamed>) -> (u64, Told) {
    let mut count = 0;
    while let Some(piece) = next(&mut rows).await {
        count += piece.rows();
    }
    (count, rows.told())
}

/// Answers with a row, and with another once it is told to.
fn in_two_parts(text: &'static str, go_on: oneshot::Receiver<()>) -> World {
    let go_on = Mutex::new(Some(go_on));
    World::new(move |_, _, sink| {
        sink.put(columns())?;
        sink.put(said(text, 1))?;
        let go_on = go_on.lock().unwrap().take();
        if let Some(go_on) = go_on {
            // The test may be over.
            let _ = futures::executor::block_on(go_on);
        }
        sink.put(said(text, 1))?;
        Ok(Evaluated {
            rows: 2,
            ..Evaluated::default()
        })
    })
}

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn first_rows_leave_while_both_are_at_work() {
    let (police, police_waits) = oneshot::channel();
    let (city, city_waits) = oneshot::channel();
    let town = Town::new(
        in_two_parts("police", police_waits),
        in_two_parts("city", city_waits),
    )
    .await;
    let mut rows = town.ask(SAID, PATIENCE).await;
    assert!(matches!(next(&mut rows).await, Some(Piece::Head(_))));
    for _ in 0..2 {
        let piece = next(&mut rows).await.unwrap();
        assert_eq!(piece.rows(), 1);
    }
    // Neither has gone on.
    police.send(()).unwrap();
    city.send(()).unwrap();
    let (count, told) = rest(rows).await;
    assert_eq!(count, 2);
    for source in &told.sources[1..] {
        assert_eq!((source.state, source.rows), (SourceState::Complete, 2));
        assert!(source.receipt.is_some());
    }
}

#[tokio::test]
async fn a_peer_is_not_read_ahead() {
    let made = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&made);
    let (ended, is_ended) = oneshot::channel();
    let ended = Mutex::new(Some(ended));
    let endless = World::new(move |_, _, sink| {
        sink.put(columns())?;
        loop {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Err(refusal) = sink.put(said("police", 500)) {
                ended.lock().unwrap().take().unwrap().send(()).unwrap();
                return Err(refusal);
            }
        }
    });
    let (_never, waits) = oneshot::channel();
    let town = Town::new(endless, in_two_parts("city", waits)).await;
    let mut rows = town.ask(SAID, PATIENCE).await;
    let mut taken = 0;
    while taken < 100 {
        taken += usize::from(next(&mut rows).await.unwrap().rows() == 500);
    }
    // What two channels, a window of HTTP/2 and two sockets hold; then it waits for us.
    let ahead = made.load(Ordering::SeqCst) - taken;
    assert!(ahead < 1_500, "{ahead} pieces of 500 rows");
    // It hears that nobody reads any more.
    drop(rows);
    is_ended.await.unwrap();
}

#[tokio::test]
async fn enough_rows_stop_a_peer() {
    let (stopped, is_stopped) = oneshot::channel();
    let (begun, has_begun) = oneshot::channel();
    let words = Mutex::new(Some((begun, stopped)));
    let slow = World::new(move |_, budget, sink| {
        sink.put(columns())?;
        let (begun, stopped) = words.lock().unwrap().take().unwrap();
        begun.send(()).unwrap();
        while !budget.is_cancelled() {
            std::thread::sleep(Duration::from_millis(5));
        }
        stopped.send(()).unwrap();
        Err(Refusal::new(Code::Timeout, "deadline", "stopped"))
    });
    let has_begun = Mutex::new(Some(has_begun));
    let quick = World::new(move |_, _, sink| {
        let has_begun = has_begun.lock().unwrap().take().unwrap();
        futures::executor::block_on(has_begun).unwrap();
        sink.put(columns())?;
        sink.put(said("city", 3))?;
        Ok(Evaluated {
            rows: 3,
            ..Evaluated::default()
        })
    });
    let town = Town::new(slow, quick).await;
    let rows = town.ask(&format!("{SAID} LIMIT 3"), PATIENCE).await;
    let (count, told) = rest(rows).await;
    assert_eq!(count, 3);
    assert!(told.sources.iter().all(|source| source.state.is_settled()));
    is_stopped.await.unwrap();
}

#[tokio::test]
async fn a_peer_that_breaks_off_is_told() {
    let broken = World::new(|_, _, sink| {
        sink.put(columns())?;
        sink.put(said("police", 2))?;
        Err(Refusal::new(Code::Exhausted, "memory", "detail"))
    });
    let silent = World::new(|_, budget, sink| {
        sink.put(columns())?;
        sink.put(said("city", 1))?;
        while !budget.is_cancelled() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Refusal::new(Code::Timeout, "deadline", "stopped"))
    });
    let town = Town::new(broken, silent).await;
    let rows = town.ask(SAID, Duration::from_secs(5)).await;
    let (count, told) = rest(rows).await;
    assert_eq!(count, 3);
    let states: Vec<_> = told.sources.iter().map(|s| (s.state, s.rows)).collect();
    assert!(states.contains(&(SourceState::Partial, 2)), "{states:?}");
    assert!(states.contains(&(SourceState::TimedOut, 1)), "{states:?}");
}
