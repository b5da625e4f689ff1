//! What both sides record of a question and its answer.

use super::*;
use crate::peers::asked::options;
use futures::future::join_all;
use std::sync::Mutex;
use twinlink_core::{Intent, Recorded, UseLog, UseRecord, request_digest};
use twinlink_trust::{
    Agreement, Entry, EntryKind, consumed, list_entries, provided, reconcile, verify_cosignature,
    verify_envelope, witnessed,
};

pub(super) fn entries(organisation: &Organisation) -> Vec<(u64, Entry)> {
    list_entries(&*organisation.journal, 0, usize::MAX).unwrap()
}

fn keys(organisation: &Organisation) -> Vec<twinlink_trust::PublicKey> {
    vec![organisation.identity.load().key().public().clone()]
}

impl Pair {
    fn agreements(&self) -> Vec<Agreement> {
        let ours = consumed(&entries(&self.rescue), self.police.id.as_str());
        let theirs = provided(&entries(&self.police), self.rescue.id.as_str());
        let found = reconcile(&ours, &theirs);
        found.into_iter().map(|(_, agreement)| agreement).collect()
    }

    /// Waits for what goes on in the background. The test's own time is the limit.
    pub(super) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn both_sides_record_what_passes_between_them() {
    let pair = Pair::new(World::with_rows(&["a", "b"])).await;
    let asked = (0..3).map(|_| pair.ask());
    for answer in join_all(asked).await {
        answer.unwrap();
    }
    let ours = entries(&pair.rescue);
    let first = ours.iter().take(3);
    for (_, entry) in first {
        assert!(
            matches!(&entry.kind, EntryKind::Asked { participant, subject, .. }
            if participant == pair.police.id.as_str() && subject == "ada")
        );
    }
    let envelopes: Vec<String> = entries(&pair.police)
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Intent { envelope, .. } => envelope,
            _ => None,
        })
        .collect();
    assert_eq!(envelopes.len(), 3);
    let digest = request_digest(&pair.question().query, None, None);
    for envelope in &envelopes {
        let claims = verify_envelope(envelope, &pair.rescue.id, &keys(&pair.rescue)).unwrap();
        assert_eq!(claims.provider, pair.police.id.as_str());
        assert_eq!(claims.request_digest, digest);
    }
    pair.until(|pair| pair.agreements() == [Agreement::Matched; 3])
        .await;
}

/// INVARIANT(no-intent-no-request)
#[tokio::test]
async fn no_intent_no_request_leaves() {
    let evaluated = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&evaluated);
    let pair = Pair::new(World::new(move |_, _, sink| {
        counted.fetch_add(1, Ordering::SeqCst);
        sink.put(head())?;
        Ok(Evaluated::default())
    }))
    .await;
    pair.rescue.journal.is_failing.store(true, Ordering::SeqCst);
    let why = pair.ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::NotEvaluable { reason } if reason.contains("not asked")),
        "{why}"
    );
    assert_eq!(evaluated.load(Ordering::SeqCst), 0);
    assert!(entries(&pair.police).is_empty());
    pair.rescue
        .journal
        .is_failing
        .store(false, Ordering::SeqCst);
    pair.ask().await.unwrap();
    assert_eq!(evaluated.load(Ordering::SeqCst), 1);
}

/// INVARIANT(wrong-envelope-no-answer)
#[tokio::test]
async fn wrong_envelope_no_answer() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    let question = pair.question();
    let evidence = pair.remote.evidence();
    let digest = request_digest(&question.query, None, None);
    let ask = async |delegation: Delegation, digest: String| {
        let signed = evidence.ask(&pair.police.id, &delegation, &digest).await;
        signed.unwrap().envelope
    };
    let good = ask(question.delegation.clone(), digest.clone()).await;
    let other_text = ask(question.delegation.clone(), "ab".repeat(32)).await;
    let mut other = question.delegation.clone();
    other.subject = "eve".to_owned();
    let other_person = ask(other, digest.clone()).await;
    let peers = pair.remote.peers.load_full();
    let client = |question: &SubQuery| {
        let token = pair.remote.token(&peers[0], &question.delegation).unwrap();
        peers[0].client(0, token).unwrap()
    };
    let show = async |envelope: &str| {
        let mut options = options(&question);
        options.envelope = Some(envelope.to_owned());
        let asked = client(&question).query(options).await;
        match asked {
            Ok(answer) => answer.outcome().await.map(drop),
            Err(error) => Err(error),
        }
    };
    for wrong in [&other_text, &other_person, &"nonsense".to_owned()] {
        let refused = show(wrong).await;
        assert!(
            matches!(refused, Err(Error::Unauthenticated(_))),
            "{refused:?}"
        );
    }
    show(&good).await.unwrap();
    let again = show(&good).await;
    assert!(matches!(again, Err(Error::Unauthenticated(_))), "{again:?}");
    let checks: Vec<_> = entries(&pair.police)
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Intent { refused, .. } => refused,
            _ => None,
        })
        .collect();
    let expected = [
        "envelope.digest",
        "envelope.subject",
        "envelope.form",
        "envelope.once",
    ];
    assert_eq!(checks, expected);
}

/// A log that says of every answer that it had a row more.
struct Boasting(Arc<Receipts>);

impl UseLog for Boasting {
    fn intend<'a>(&'a self, record: UseRecord) -> BoxFuture<'a, Result<Intent, Refusal>> {
        self.0.intend(record)
    }

    fn complete<'a>(
        &'a self,
        intent: Intent,
        mut done: Recorded,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        done.result_digest = "ab".repeat(32);
        self.0.complete(intent, done)
    }
}

/// INVARIANT(no-receipt-no-belief)
#[tokio::test]
async fn no_receipt_no_belief() {
    let (rescue, police) = (Organisation::new("rescue"), Organisation::new("police"));
    let registry = police.registry(&rescue);
    let connector = Connector {
        participant: police.id.clone(),
        authenticator: Arc::new(TokenAuthenticator::new(Arc::clone(&registry))),
        use_log: Arc::new(Boasting(Arc::clone(&police.receipts))),
        ..World::with_rows(&["a"]).connector()
    };
    let url = police.serve_as(registry, connector).await;
    let pair = Pair::over(rescue, police, &url);
    let why = pair.ask().await.unwrap_err();
    assert!(
        matches!(&why, Unanswered::NotEvaluable { reason } if reason.contains("receipt")),
        "{why}"
    );
    let mut faults = Vec::new();
    pair.until(|pair| entries(&pair.rescue).len() >= 2).await;
    for (_, entry) in entries(&pair.rescue) {
        if let EntryKind::Answered { fault, receipt, .. } = entry.kind {
            assert!(!receipt.is_empty());
            faults.extend(fault);
        }
    }
    assert_eq!(faults, ["receipt.result"]);
    assert_eq!(pair.agreements(), [Agreement::DigestMismatch("result")]);
}

#[tokio::test]
async fn what_was_denied_is_on_record_on_both_sides() {
    let mut world = World::with_rows(&["a"]);
    world.is_permitted = false;
    let pair = Pair::new(world).await;
    pair.ask().await.unwrap_err();
    assert_eq!(pair.agreements(), [Agreement::Matched]);
}

#[tokio::test]
async fn a_peer_signs_that_it_saw_our_log_grow() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    let sizes = Mutex::new(Vec::new());
    for round in 1..=2 {
        pair.ask().await.unwrap();
        pair.until(|pair| {
            let cosigned = witnessed(&*pair.rescue.journal).unwrap().cosigned;
            let Some(text) = cosigned.get(pair.police.id.as_str()) else {
                return false;
            };
            let seen = verify_cosignature(text, &pair.police.id, &keys(&pair.police)).unwrap();
            assert_eq!(seen.log, pair.rescue.id.as_str());
            let mut sizes = sizes.lock().unwrap();
            if !sizes.contains(&seen.size) {
                sizes.push(seen.size);
            }
            sizes.len() >= round
        })
        .await;
    }
    let theirs = witnessed(&*pair.police.journal).unwrap();
    assert!(theirs.seen.contains_key(pair.rescue.id.as_str()));
    assert!(theirs.contradicted.is_empty());
}

/// INVARIANT(contradictions-are-kept)
#[tokio::test]
async fn contradictions_are_kept_and_told() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    pair.ask().await.unwrap();
    pair.until(|pair| {
        let theirs = witnessed(&*pair.police.journal).unwrap();
        theirs.seen.contains_key(pair.rescue.id.as_str())
    })
    .await;
    // The rescue department begins its log anew, under the same key.
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let journal = Arc::new(UnsureJournal {
        journal: store.journal(),
        is_failing: AtomicBool::new(false),
    });
    let receipts = Receipts::open(
        Arc::clone(&journal) as _,
        Arc::clone(&pair.rescue.identity),
        &[],
    )
    .unwrap();
    let Pair {
        rescue,
        police,
        url,
        ..
    } = pair;
    let rescue = Organisation {
        journal,
        receipts: Arc::new(receipts),
        ..rescue
    };
    let pair = Pair::over(rescue, police, &url);
    for _ in 0..20 {
        pair.ask().await.unwrap();
    }
    pair.until(|pair| {
        let theirs = witnessed(&*pair.police.journal).unwrap();
        theirs.contradicted.contains_key(pair.rescue.id.as_str())
    })
    .await;
}

/// INVARIANT(reused-for-the-same-caller)
#[tokio::test]
async fn reused_for_the_same_caller() {
    let pair = Pair::new(World::with_rows(&["a"])).await;
    let ask = async |subject: &str, left_out: Vec<NamedNode>| {
        let mut question = pair.question();
        question.delegation.subject = subject.to_owned();
        question.delegation.left_out = left_out;
        let asked = pair.remote.ask(&pair.police.id, &question).await;
        asked.unwrap();
        let tokens = entries(&pair.police).into_iter();
        let mut tokens = tokens.filter_map(|(_, entry)| match entry.kind {
            EntryKind::Intent { token, .. } => token,
            _ => None,
        });
        tokens.next_back().unwrap()
    };
    let first = ask("ada", Vec::new()).await;
    assert_eq!(ask("ada", Vec::new()).await, first);
    let other = ask("eve", Vec::new()).await;
    assert_ne!(other, first);
    // What the token does not say makes no other one.
    let left_out = vec![NamedNode::new_unchecked("https://other.example/")];
    assert_eq!(ask("ada", left_out).await, first);
    assert_eq!(ask("eve", Vec::new()).await, other);
    // Whatever it says does.
    let kept = Delegated::default();
    let iri = || NamedNode::new_unchecked("https://other.example/");
    let changes: [fn(&mut Delegation, NamedNode); 6] = [
        |_, _| (),
        |one, iri| one.participant = iri,
        |one, iri| one.roles.push(iri),
        |one, iri| one.purpose = Some(iri),
        |one, iri| drop(one.claims.insert(iri, Vec::new())),
        |one, iri| one.on_behalf.push(iri),
    ];
    for round in 0..2 {
        for (number, change) in changes.into_iter().enumerate() {
            let mut delegation = pair.question().delegation;
            change(&mut delegation, iri());
            let made = kept.token(&delegation, || match round {
                0 => Ok(Token::new(number.to_string())),
                _ => Err("made again"),
            });
            assert_eq!(made, Ok(Token::new(number.to_string())));
        }
    }
    // What could not be made is not kept, and there are not more than so many.
    let mut delegation = pair.question().delegation;
    for number in 0..200 {
        delegation.subject = format!("person-{number}");
        let made: Result<Token, &str> = kept.token(&delegation, || Ok(Token::new("")));
        made.unwrap();
    }
    let first: Result<Token, &str> = kept.token(&pair.question().delegation, || Err("anew"));
    assert_eq!(first, Err("anew"));
    let again = kept.token(&pair.question().delegation, || {
        Ok::<_, &str>(Token::new("b"))
    });
    assert_eq!(again, Ok(Token::new("b")));
}
