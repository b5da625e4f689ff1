//! Receipts once more, out of the log.

use super::*;
use uuid::Uuid;

impl Case {
    fn again(&self, request: Uuid, participant: &str, subject: &str) -> Option<String> {
        let of = (&iri(participant), subject);
        self.receipts.receipt(request, of).unwrap()
    }
}

const POLICE: &str = "https://police.example/";

#[test]
fn a_receipt_can_be_had_again_however_much_came_after() {
    let case = Case::new();
    let mut given = Vec::new();
    for number in 0..3 {
        for _ in 0..=number {
            block_on(case.use_once()).unwrap();
        }
        let record = record();
        let request = record.request;
        let intent = block_on(case.receipts.intend(record)).unwrap();
        let receipt = block_on(case.receipts.complete(intent, done())).unwrap();
        given.push((request, case.verify(&receipt).unwrap()));
        block_on(case.use_once()).unwrap();
        if number != 1 {
            case.seal();
        }
    }
    block_on(case.use_once()).unwrap();
    for (request, before) in given {
        let again = case.again(request, POLICE, "officer-7").unwrap();
        let claims = case.verify(&again).unwrap();
        claims.check_against(&*case.journal).unwrap();
        assert_eq!((claims.record, claims.index), (before.record, before.index));
        assert_eq!(
            (claims.used, claims.sequence),
            (before.used, before.sequence)
        );
    }
    case.verify_log(&[]).unwrap();
}

#[test]
fn a_receipt_without_a_checkpoint_behind_it_gets_one() {
    let case = Case::new();
    let record = record();
    let request = record.request;
    let changed = Recorded {
        changed_to: Some("7-ab".into()),
        ..done()
    };
    let intent = block_on(case.receipts.intend(record)).unwrap();
    let receipt = block_on(case.receipts.complete(intent, changed)).unwrap();
    assert!(
        !receipt.contains("7-ab"),
        "the state after is in no receipt"
    );
    let again = case.again(request, POLICE, "officer-7").unwrap();
    assert_eq!(
        case.verify(&again).unwrap().record,
        case.verify(&receipt).unwrap().record
    );
    let entries = list_entries(&*case.journal, 0, usize::MAX).unwrap();
    let noted = entries.iter().find_map(|(_, entry)| match &entry.kind {
        EntryKind::Changed {
            request,
            intent,
            dataset_version,
        } => Some((request.clone(), *intent, dataset_version.clone())),
        _ => None,
    });
    assert_eq!(noted.unwrap(), (request.to_string(), 3, "7-ab".to_owned()));
}

/// INVARIANT(own-receipts-only)
#[test]
fn own_receipts_only() {
    let case = Case::new();
    let record = record();
    let request = record.request;
    let intent = block_on(case.receipts.intend(record)).unwrap();
    let place = intent.sequence;
    block_on(case.receipts.complete(intent, done())).unwrap();
    assert!(case.again(request, POLICE, "officer-7").is_some());
    assert!(case.again(request, POLICE, "officer-8").is_none());
    assert!(
        case.again(request, "https://fire.example/", "officer-7")
            .is_none()
    );
    assert!(case.again(Uuid::now_v7(), POLICE, "officer-7").is_none());
    // Nor what began only, or was forgotten.
    let begun = super::record();
    let open = begun.request;
    block_on(case.receipts.intend(begun)).unwrap();
    assert!(case.again(open, POLICE, "officer-7").is_none());
    let places = find_purgeable(&*case.journal, &request.to_string()).unwrap();
    assert!(places.contains(&place));
    let purged = case.receipts.purge(&places, "ada", "asked to", now());
    block_on(purged).unwrap();
    assert!(case.again(request, POLICE, "officer-7").is_none());
}
