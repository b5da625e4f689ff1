//! Purging: on record, under a checkpoint, and the log verifies.

use super::*;

// INVARIANT(purged-and-the-log-says-so)
#[test]
fn a_use_is_purged_and_the_log_says_so() {
    let case = Case::new();
    let receipts: Vec<_> = (0..3).map(|_| block_on(case.use_once()).unwrap()).collect();
    let claims = case.verify(&receipts[1]).unwrap();
    let places = find_purgeable(&*case.journal, &claims.used.request).unwrap();
    assert_eq!(places, [claims.intent, claims.sequence]);
    let purge =
        |places: &[u64], reason: &str| block_on(case.receipts.purge(places, "ada", reason, now()));
    let purged = purge(&places, "asked by the person").unwrap();
    assert_eq!(purged.records, places);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    for place in &places {
        let records = case.journal.records.lock().unwrap();
        let (_, left) = records.iter().find(|(at, _)| at == place).unwrap();
        assert!(!text(left).contains("officer-7") && left.len() < 64);
    }
    let after = case
        .verify_log(std::slice::from_ref(&claims.checkpoint))
        .unwrap();
    assert_eq!((after.purged, after.open), (2, 0));
    claims.check_against(&*case.journal).unwrap();
    let said = list_entries(&*case.journal, purged.recorded.unwrap(), 1).unwrap();
    let EntryKind::Purge {
        records,
        by,
        reason,
    } = &said[0].1.kind
    else {
        panic!("{said:?}");
    };
    assert_eq!((records, by.as_str()), (&places, "ada"));
    assert_eq!(reason, "asked by the person");
    assert!(unrecorded_purges(&*case.journal).unwrap().is_empty());
    // Again changes nothing; the log goes on after a restart.
    assert_eq!(purge(&places, "again").unwrap(), Purged::default());
    let journal = case.journal.copied();
    let again = Case::open(&case.city, &journal);
    let intent = block_on(again.intend(record())).unwrap();
    block_on(again.complete(intent, done())).unwrap();
    assert_eq!(audit(&*journal).unwrap().purged, 2);
}

#[test]
fn what_must_stay_is_not_purged() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    case.seal();
    let last = case.journal.records.lock().unwrap().last().unwrap().0;
    let purge = |place: u64, reason: &str| {
        let refusal = block_on(case.receipts.purge(&[place], "ada", reason, now()));
        refusal.unwrap_err().check().to_owned()
    };
    assert_eq!(purge(last, "a checkpoint"), "purge.record");
    assert_eq!(purge(last + 1, "nothing there"), "purge.record");
    assert_eq!(purge(3, " "), "purge.reason");
    // Where the disk refuses, nothing is gone.
    case.journal.failing.store(true, Ordering::SeqCst);
    assert_eq!(purge(3, "full"), "use-log");
    assert_eq!(case.verify_log(&[]).unwrap().purged, 0);
}

#[test]
fn a_purge_that_nobody_recorded_is_seen() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    case.seal();
    case.tamper(0, |record| *record = tombstone(record).unwrap());
    assert_eq!(case.verify_log(&[]).unwrap().purged, 1);
    assert_eq!(unrecorded_purges(&*case.journal).unwrap(), [3]);
}

/// INVARIANT(in-force-stays)
#[test]
fn in_force_stays() {
    let case = Case::new();
    let mut revoking = record();
    revoking.action = iri(crate::REVOKE);
    let intent = block_on(case.receipts.intend(revoking)).unwrap();
    let place = intent.sequence;
    block_on(case.receipts.complete(intent, done())).unwrap();
    let purge = |time| block_on(case.receipts.purge(&[place], "ada", "asked for", time));
    let refusal = purge(now()).unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Conflict, "purge.record")
    );
    assert!(
        refusal.public().contains("keeps a token revoked"),
        "{}",
        refusal.public()
    );
    // Once the token must have expired it may go.
    assert_eq!(
        purge(now() + time::Duration::days(2)).unwrap().records,
        [place]
    );
}
