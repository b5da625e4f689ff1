//! What others can tell of a log: who holds its checkpoints, and who signs that it has seen them.

use super::*;
use crate::merkle::Growth;

#[test]
fn a_log_that_was_written_anew_is_not_the_one_that_others_hold() {
    let case = Case::new();
    let claims = case.verify(&block_on(case.use_once()).unwrap()).unwrap();
    // The same organisation, the same key, another past.
    let other = Arc::new(Memory::default());
    let receipts = Case::open(&case.city, &other);
    for _ in 0..3 {
        let intent = block_on(receipts.intend(record())).unwrap();
        block_on(receipts.complete(intent, done())).unwrap();
    }
    let key = case.city.identity().key().public().clone();
    let check =
        |held: &[Checkpoint]| verify_log(&*other, &case.city.id, std::slice::from_ref(&key), held);
    check(&[]).unwrap();
    assert_eq!(
        check(&[claims.checkpoint]).unwrap_err().check(),
        "audit.held"
    );
    let stranger = Organisation::new("https://city.example/");
    block_on(receipts.seal()).unwrap();
    let key = stranger.identity().key().public().clone();
    let refusal = verify_log(&*other, &case.city.id, &[key], &[]).unwrap_err();
    assert_eq!(refusal.check(), "audit.checkpoint");
}

#[test]
fn a_record_can_be_forgotten_and_the_log_still_verifies() {
    let case = Case::new();
    let receipts: Vec<_> = (0..3).map(|_| block_on(case.use_once()).unwrap()).collect();
    case.seal();
    let claims: Vec<_> = receipts.iter().map(|r| case.verify(r).unwrap()).collect();
    let before = case.verify_log(&[]).unwrap();
    for at in [2, 3] {
        case.tamper(at, |record| *record = tombstone(record).unwrap());
    }
    let text = String::from_utf8(case.journal.records.lock().unwrap()[2].1.clone()).unwrap();
    assert!(text.len() < 64 && !text.contains("officer"), "{text}");
    let after = case.verify_log(&[claims[2].checkpoint.clone()]).unwrap();
    assert_eq!((after.root, after.head), (before.root, before.head));
    assert_eq!((before.purged, after.purged), (0, 2));
    claims
        .iter()
        .for_each(|claims| claims.check_against(&*case.journal).unwrap());
    assert!(
        show_entries(&*case.journal, &claims[1].used.request)
            .unwrap()
            .is_empty()
    );
    // What is left of a record cannot be made up, and a checkpoint is not forgotten.
    let other = tombstone(&case.journal.records.lock().unwrap()[0].1).unwrap();
    case.tamper(2, |record| *record = other);
    assert_eq!(case.verify_log(&[]).unwrap_err().check(), "audit.chain");
    let last = case
        .journal
        .records
        .lock()
        .unwrap()
        .last()
        .unwrap()
        .1
        .clone();
    assert!(tombstone(&last).is_none());
    assert!(tombstone(b"{}").is_none());
}

#[test]
fn an_intent_is_no_receipt() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    let records = case.journal.records.lock().unwrap().clone();
    let mut growth = Growth::from(crate::Peaks::default());
    for (_, record) in &records[..2] {
        growth.push(Digest256::of_leaf(record));
    }
    let checkpoint = Checkpoint {
        log: case.city.id.as_str().to_owned(),
        size: 2,
        root: growth.peaks().root(),
        time: "2026-11-21T00:00:00Z".to_owned(),
    };
    let written = |at: usize| Written {
        sequence: records[at].0,
        proof: Some(scribe::Proof {
            record: records[at].1.clone(),
            index: at as u64,
            path: growth.clone().inclusion(at as u64).unwrap(),
            checkpoint: checkpoint.sign(&case.city.identity()).unwrap().into(),
        }),
    };
    case.verify(&text(written(1)).unwrap()).unwrap();
    let refusal = case.verify(&text(written(0)).unwrap()).unwrap_err();
    assert_eq!(refusal.check(), "receipt.claims");
}

/// What the police, as a witness, makes of a checkpoint of the city.
pub(super) struct Watch {
    pub(super) case: Case,
    pub(super) police: Case,
    pub(super) witness: Witness,
}

impl Watch {
    pub(super) fn new() -> Self {
        let (case, police) = (Case::new(), Case::of("https://police.example/"));
        let current = Arc::clone(&police.city.current);
        Self {
            case,
            police,
            witness: Witness::new(current, &Witnessed::default()),
        }
    }

    /// A use more, and the city's log after it: with the checkpoint as it was signed.
    pub(super) fn checkpoint(&self) -> (String, Checkpoint) {
        let receipt = block_on(self.case.use_once()).unwrap();
        let claims = self.case.verify(&receipt).unwrap();
        let text = receipt.split_once('~').unwrap().0;
        (text.to_owned(), claims.checkpoint)
    }

    pub(super) fn show(&self, text: &str, old: u64, proof: &[Digest256]) -> Result<Shown, Refusal> {
        let keys = [self.case.city.identity().key().public().clone()];
        let signer = (&self.case.city.id, &keys[..]);
        let keep = |kind| block_on(self.police.receipts.note(kind, now())).map(drop);
        self.witness.cosign(text, signer, (old, proof), now(), keep)
    }

    pub(super) fn kept(&self) -> Witnessed {
        witnessed(&*self.police.journal).unwrap()
    }

    /// Another past of the same log, signed with the same key: a checkpoint of this many uses.
    pub(super) fn rewritten(&self, uses: usize) -> String {
        let other = Case::open(&self.case.city, &Arc::new(Memory::default()));
        let mut text = String::new();
        for _ in 0..uses {
            let intent = block_on(other.intend(record())).unwrap();
            text = block_on(other.complete(intent, done())).unwrap();
        }
        text.split_once('~').unwrap().0.to_owned()
    }
}

/// INVARIANT(one-history)
#[test]
fn one_history() {
    let watch = Watch::new();
    let (first, seen) = watch.checkpoint();
    assert!(watch.witness.last(&watch.case.city.id).is_none());
    let Shown::Cosigned(cosigned) = watch.show(&first, 0, &[]).unwrap() else {
        panic!("not signed")
    };
    let police_keys = [watch.police.city.identity().key().public().clone()];
    let said = verify_cosignature(&cosigned, &watch.police.city.id, &police_keys).unwrap();
    assert_eq!(said, seen);
    assert!(verify_cosignature(&cosigned, &watch.case.city.id, &police_keys).is_err());
    let mut last = seen;
    for _ in 0..5 {
        let (next, now) = watch.checkpoint();
        let proof = prove_consistency(&*watch.case.journal, last.size, now.size).unwrap();
        // From elsewhere it proves nothing, and is no lie.
        let elsewhere = watch.show(&next, last.size - 1, &proof).unwrap();
        assert_eq!(elsewhere, Shown::Seen(last.size));
        let signed = watch.show(&next, last.size, &proof).unwrap();
        assert!(matches!(signed, Shown::Cosigned(_)));
        // The same again is signed again; an old one that is shown again says nothing.
        assert!(matches!(
            watch.show(&next, 0, &[]).unwrap(),
            Shown::Cosigned(_)
        ));
        assert_eq!(watch.witness.last(&watch.case.city.id).unwrap(), now);
        last = now;
    }
    assert_eq!(watch.show(&first, 0, &[]).unwrap(), Shown::Seen(last.size));
    // What was not kept was not seen.
    let (next, now) = watch.checkpoint();
    let proof = prove_consistency(&*watch.case.journal, last.size, now.size).unwrap();
    watch.police.journal.failing.store(true, Ordering::SeqCst);
    assert!(watch.show(&next, last.size, &proof).is_err());
    watch.police.journal.failing.store(false, Ordering::SeqCst);
    assert_eq!(watch.witness.last(&watch.case.city.id).unwrap(), last);
    // A witness that starts again remembers.
    let current = Arc::clone(&watch.police.city.current);
    let again = Witness::new(current, &watch.kept());
    assert_eq!(again.last(&watch.case.city.id), Some(last));
    assert!(watch.kept().contradicted.is_empty());
    assert!(prove_consistency(&*watch.case.journal, 1, 10_000).is_err());
}

/// INVARIANT(contradictions-are-kept)
#[test]
fn contradictions_are_kept() {
    for uses in [2, 4, 8] {
        let watch = Watch::new();
        for _ in 0..3 {
            watch.checkpoint();
        }
        let (text, seen) = watch.checkpoint();
        watch.show(&text, 0, &[]).unwrap();
        // Of as many records, of more and of fewer.
        let other = watch.rewritten(uses);
        let shown: Checkpoint = crate::jws::unverified(&other).unwrap();
        let refusal = match watch.show(&other, seen.size, &[]) {
            // In these tests no time passes: what is shorter and as old may be an old one.
            Ok(told) => {
                assert!(shown.size < seen.size && told == Shown::Seen(seen.size));
                continue;
            }
            Err(refusal) => refusal,
        };
        assert_eq!(refusal.check(), "checkpoint.consistency");
        assert_eq!(refusal.code(), Code::Conflict);
        let kept = watch.kept();
        let (before, after) = &kept.contradicted["https://city.example/"];
        assert_eq!((before, after), (&text, &other));
        // Both are signed by the city: who has the two can show anybody.
        let keys = [watch.case.city.identity().key().public().clone()];
        for text in [before, after] {
            verify_checkpoint(text, &watch.case.city.id, &keys).unwrap();
        }
        // Said once, and nothing else is signed of that past.
        assert!(watch.show(&other, seen.size, &[]).is_err());
        assert_eq!(watch.police.journal.records.lock().unwrap().len(), 2);
        assert_eq!(watch.witness.last(&watch.case.city.id).unwrap(), seen);
    }
}

#[test]
fn what_is_shown_of_a_log_says_whether_anything_was_used() {
    let case = Case::new();
    assert!(case.receipts.sealed().is_none());
    block_on(case.use_once()).unwrap();
    case.seal();
    let first = case.receipts.sealed().unwrap();
    assert_eq!((first.size, first.uses), (2, 2));
    let key = case.city.identity().key().public().clone();
    let signed = verify_checkpoint(&first.checkpoint, &case.city.id, &[key]).unwrap();
    assert_eq!(signed.size, 2);
    let kind = EntryKind::Witnessed {
        participant: "https://police.example/".to_owned(),
        checkpoint: String::new(),
    };
    block_on(case.receipts.note(kind, now())).unwrap();
    case.seal();
    let second = case.receipts.sealed().unwrap();
    assert_eq!((second.size, second.uses), (4, 2));
    let proof = case.receipts.prove(2, 4).unwrap();
    let root = |sealed: &Sealed| {
        let checkpoint: Checkpoint = crate::jws::unverified(&sealed.checkpoint).unwrap();
        (checkpoint.size, checkpoint.root)
    };
    assert!(crate::verify_consistency(
        root(&first),
        root(&second),
        &proof
    ));
}
