//! Replicas of one peer, each behind a listener of its own, of which one does not answer.

use super::exchange::entries;
use super::*;
use oxrdfio::RdfFormat;
use std::sync::{Condvar, Mutex, mpsc};
use twinlink_core::policy::{Ask, Permit, Policy, PolicySet};
use twinlink_federation::SummaryQuestion;
use twinlink_trust::{Entry, EntryKind};

/// How many evaluations began, for who waits until there is one.
#[derive(Default)]
struct Begun(Mutex<usize>, Condvar);

impl Begun {
    fn add(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_all();
    }

    fn wait(&self) {
        let begun = self.0.lock().unwrap();
        drop(self.1.wait_while(begun, |begun| *begun == 0).unwrap());
    }

    fn count(&self) -> usize {
        *self.0.lock().unwrap()
    }
}

/// A pair whose police has a replica that begins each evaluation and goes on until the sender is dropped, and one that
/// answers, once the first has begun one.
async fn one_that_hangs() -> (Pair, mpsc::Sender<()>, Arc<Begun>) {
    let (rescue, police) = (Organisation::new("rescue"), Organisation::new("police"));
    let begun = Arc::new(Begun::default());
    let (release, released) = mpsc::channel::<()>();
    let (counted, released) = (Arc::clone(&begun), Mutex::new(released));
    let hangs = World::new(move |_, _, sink| {
        counted.add();
        released.lock().unwrap().recv().unwrap_err();
        sink.put(head())?;
        Ok(Evaluated::default())
    });
    let of_police = |world: World| Connector {
        participant: police.id.clone(),
        ..world.connector()
    };
    let hanging = police.serve(&rescue, of_police(hangs)).await;
    let awaited = Arc::clone(&begun);
    let answers = World::new(move |_, _, sink| {
        awaited.wait();
        sink.put(head())?;
        sink.put(Piece::Solutions(vec![row("b")]))?;
        Ok(Evaluated {
            rows: 1,
            ..Evaluated::default()
        })
    });
    let answering = police.serve(&rescue, of_police(answers)).await;
    let pair = Pair::over(rescue, police, &hanging);
    let entry = PeerFile {
        replicas: vec![answering],
        ..pair.police.entry(&hanging)
    };
    pair.remote.replace(vec![entry]).unwrap();
    (pair, release, begun)
}

#[tokio::test]
async fn what_one_replica_does_not_answer_another_does() {
    let (pair, release, begun) = one_that_hangs().await;
    let answer = pair.ask().await.unwrap();
    assert_eq!(
        answer.rows.solutions[0].values,
        [Some(Literal::from("b").into())]
    );
    // Whoever it was that answered, it is one source.
    assert_eq!(answer.status.participant, pair.police.id);
    assert_eq!(answer.status.state, SourceState::Complete);
    assert_eq!((answer.status.rows, answer.beyond.len()), (1, 0));
    assert_eq!(begun.count(), 1);

    // Both were asked, and each on record: at the peer as two uses, of which one came to its end with a receipt.
    let of_police = entries(&pair.police);
    let mut envelopes = Vec::new();
    for (_, entry) in &of_police {
        if let EntryKind::Intent {
            refused, envelope, ..
        } = &entry.kind
        {
            assert_eq!(*refused, None);
            envelopes.push(envelope.clone().unwrap());
        }
    }
    envelopes.sort();
    envelopes.dedup();
    assert_eq!(envelopes.len(), 2);
    let ends = of_police.iter().filter_map(|(_, entry)| match &entry.kind {
        EntryKind::Completion { rows, failed, .. } => Some((*rows, failed.clone())),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), [(1, None)]);
    let is_answered = |(_, entry): (u64, Entry)| matches!(entry.kind, EntryKind::Answered { .. });
    pair.until(|pair| entries(&pair.rescue).into_iter().any(is_answered))
        .await;
    // Here as two requests under one question, and the receipt of what was believed.
    let mut asked = Vec::new();
    let mut questions = Vec::new();
    let mut answered = Vec::new();
    for (_, entry) in entries(&pair.rescue) {
        match entry.kind {
            EntryKind::Asked {
                transaction,
                request,
                ..
            } => {
                asked.push(transaction);
                questions.push(request);
            }
            EntryKind::Answered {
                transaction,
                receipt,
                fault,
                ..
            } => {
                assert_eq!(
                    (Some(receipt), fault),
                    (answer.status.receipt.clone(), None)
                );
                answered.push(transaction);
            }
            _ => {}
        }
    }
    assert_eq!((asked.len(), answered.len()), (2, 1));
    assert_ne!(asked[0], asked[1]);
    assert_eq!(questions[0], questions[1]);
    assert_eq!(answered[0], asked[1]);

    // The next question goes to the one that answered.
    pair.ask().await.unwrap();
    assert_eq!(begun.count(), 1);
    drop(release);
}

#[tokio::test]
async fn a_replica_that_never_speaks_does_not_keep_its_summary_from_us() {
    // Connections are made in its backlog, and nobody is there.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let pair = Pair::new(World::with_rows(&["b"])).await;
    let entry = PeerFile {
        replicas: vec![pair.url.clone()],
        ..pair.police.entry(&format!("https://localhost:{port}"))
    };
    pair.remote.replace(vec![entry]).unwrap();
    let (question, permit) = (pair.question(), permit());
    let asked = SummaryQuestion {
        permit: &permit,
        delegation: &question.delegation,
        budget: &question.budget,
        held: None,
        base: None,
    };
    // It has none to give. But it was there to say so, and is asked first from now on.
    let told = pair.remote.overview(&pair.police.id, &asked).await;
    assert!(told.unwrap().is_none());
    let peers = pair.remote.peers.load();
    assert_eq!(peers[0].preferred.load(Ordering::SeqCst), 1);
    drop(mute);
}

fn permit() -> Permit {
    let policy = "
        @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
        <https://rescue.example/policy> a odrl:Set ; odrl:permission [
            odrl:target <https://rescue.example/twin> ; odrl:action odrl:read ] .";
    let node = |iri: &str| NamedNode::new(iri).unwrap();
    let policies = Policy::parse(policy, RdfFormat::Turtle, None).unwrap();
    let policies = PolicySet::compile(node("https://rescue.example/twin"), policies).unwrap();
    let ask = Ask {
        participant: node("https://rescue.example/"),
        subject: "ada".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: node("http://www.w3.org/ns/odrl/2/read"),
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
    };
    policies.decide(&ask).unwrap()
}
