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

#[test]
fn one_history() {
    let case = Case::new();
    let police = Organisation::new("https://police.example/");
    let witness = Witness::new(Arc::clone(&police.current), []);
    let keys = [case.city.identity().key().public().clone()];
    let signer = (&case.city.id, &keys[..]);
    let checkpoint = || {
        let receipt = block_on(case.use_once()).unwrap();
        let claims = case.verify(&receipt).unwrap();
        (
            receipt.split_once('~').unwrap().0.to_owned(),
            claims.checkpoint,
        )
    };
    let cosign = |witness: &Witness, text: &str, proof: &[Digest256]| {
        witness.cosign(text, signer, proof, now(), |_| Ok(()))
    };
    let (first, seen) = checkpoint();
    assert!(witness.last(&case.city.id).is_none());
    let cosigned = cosign(&witness, &first, &[]).unwrap();
    let police_keys = [police.identity().key().public().clone()];
    let said = verify_cosignature(&cosigned, &police.id, &police_keys).unwrap();
    assert_eq!(said, seen);
    assert!(verify_cosignature(&cosigned, &case.city.id, &keys).is_err());
    for _ in 0..5 {
        let (next, now) = checkpoint();
        let last = witness.last(&case.city.id).unwrap();
        let proof = prove_consistency(&*case.journal, last.size, now.size).unwrap();
        let refusal = cosign(&witness, &next, &[]).unwrap_err();
        assert_eq!(refusal.check(), "checkpoint.consistency");
        cosign(&witness, &next, &proof).unwrap();
        // Back again is another history.
        assert_eq!(
            cosign(&witness, &first, &proof).unwrap_err().code(),
            Code::Conflict
        );
    }
    // What was not kept was not seen.
    let (next, now) = checkpoint();
    let last = witness.last(&case.city.id).unwrap();
    let proof = prove_consistency(&*case.journal, last.size, now.size).unwrap();
    let full = |_: &Checkpoint| Err(Refusal::new(Code::Unavailable, "use-log", "full"));
    assert!(
        witness
            .cosign(&next, signer, &proof, crate::testing::now(), full)
            .is_err()
    );
    assert_eq!(witness.last(&case.city.id).unwrap(), last);
    // A witness that starts again remembers.
    let again = Witness::new(Arc::clone(&police.current), [last.clone(), seen]);
    assert_eq!(again.last(&case.city.id), Some(last));
    // Another past of the same log, signed with the same key.
    let other = Case::open(&case.city, &Arc::new(Memory::default()));
    let mut text = String::new();
    for _ in 0..10 {
        let intent = block_on(other.intend(record())).unwrap();
        text = block_on(other.complete(intent, done())).unwrap();
    }
    let other = text.split_once('~').unwrap().0;
    let refusal = cosign(&again, other, &proof).unwrap_err();
    assert_eq!(refusal.check(), "checkpoint.consistency");
    assert!(prove_consistency(&*case.journal, 1, 10_000).is_err());
}
