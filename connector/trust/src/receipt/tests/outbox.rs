//! What was received and not yet acknowledged, when a connector starts again.

use super::exchange::Two;
use super::*;

impl Two {
    /// Asks, is answered, and records that.
    fn receive(&self) -> Received {
        let signed = block_on(self.police.receipts.ask(&self.asking())).unwrap();
        let receipt = self.answer(&signed);
        self.arrived(&signed.transaction, &receipt, 12).unwrap()
    }

    /// Of the police, that start again.
    fn left(&self, most: usize) -> Vec<Received> {
        let again = Case::open(&self.police.city, &self.police.journal.copied());
        let last = again.last().unwrap().unwrap();
        let found = again.undelivered(last, most).unwrap();
        assert!(found.iter().all(|(peer, _)| *peer == self.city.city.id));
        found.into_iter().map(|(_, received)| received).collect()
    }
}

/// INVARIANT(acknowledged-after-a-restart)
#[test]
fn acknowledged_after_a_restart() {
    let two = Two::new();
    let received: Vec<Received> = (0..5).map(|_| two.receive()).collect();
    // What was wrong is not acknowledged, before a restart or after.
    let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
    let receipt = two.answer(&signed);
    assert!(two.arrived(&signed.transaction, &receipt, 13).is_err());
    // Nothing was said of them: as they came, all are due again.
    assert_eq!(two.left(100), received);
    // The last ones, where there are too many.
    assert_eq!(two.left(2), received[3..]);
    let peer = &two.city.city.id;
    let noted = two.police.receipts.delivered(peer, &received[1..3], now());
    block_on(noted).unwrap();
    let left = two.left(100);
    assert_eq!(left, [&received[..1], &received[3..]].concat());
    // Killed after the city took them and before we noted that: it takes them again, and they count once, though it started
    // again as well.
    assert_eq!(two.acknowledge(left.clone()).unwrap(), 3);
    assert_eq!(two.acknowledge(left.clone()).unwrap(), 0);
    let Two { city, police } = two;
    let journal = city.journal.copied();
    let again = Case::open(&city.city, &journal);
    let last = again.last().unwrap().unwrap();
    assert!(again.undelivered(last, 100).unwrap().is_empty());
    let two = Two {
        city: Case {
            receipts: again,
            journal,
            ..city
        },
        police,
    };
    let before = two.city.journal.records.lock().unwrap().len();
    assert_eq!(two.acknowledge(left).unwrap(), 0);
    assert_eq!(two.city.journal.records.lock().unwrap().len(), before);
    assert_eq!(two.acknowledge(received).unwrap(), 2);
}

/// The state of the twin is the owner's to know: whoever is shown a part must not learn that the rest changed.
#[test]
fn the_version_of_the_twin_is_in_no_receipt() {
    let case = Case::new();
    let version = "17-a1b2c3";
    let used = UseRecord {
        dataset_version: Some(version.into()),
        ..record()
    };
    let intent = block_on(case.receipts.intend(used)).unwrap();
    let receipt = block_on(case.receipts.complete(intent, done())).unwrap();
    let of = |record: &[u8]| String::from_utf8(record.to_vec()).unwrap();
    let records = case.journal.records.lock().unwrap().clone();
    assert!(of(&records[0].1).contains(version));
    assert!(!of(&records[1].1).contains("a1b2c3"));
    let record = URL_SAFE_NO_PAD.decode(receipt.rsplit('.').next().unwrap());
    assert_eq!(of(&record.unwrap()), of(&records[1].1));
}
