//! What two sides record of what passes between them, and what they make of it.

use super::*;
use twinlink_core::SignedRequest;

/// The city's twin is used by the police, and both keep a log.
pub(super) struct Two {
    pub(super) city: Case,
    pub(super) police: Case,
}

impl Two {
    pub(super) fn new() -> Self {
        Self {
            city: Case::new(),
            police: Case::of("https://police.example/"),
        }
    }

    pub(super) fn asking(&self) -> Asking {
        let used = record();
        Asking {
            provider: self.city.city.id.clone(),
            request: uuid::Uuid::now_v7(),
            request_digest: used.request_digest,
            subject: used.subject.unwrap(),
            purpose: used.purpose,
            time: now(),
        }
    }

    fn keys(case: &Case) -> [PublicKey; 1] {
        [case.city.identity().key().public().clone()]
    }

    /// What the city answers to a signed request: its receipt.
    pub(super) fn answer(&self, signed: &SignedRequest) -> String {
        let used = UseRecord {
            signed: Some(signed.clone()),
            ..record()
        };
        let intent = block_on(self.city.receipts.intend(used)).unwrap();
        block_on(self.city.receipts.complete(intent, done())).unwrap()
    }

    pub(super) fn arrived(
        &self,
        transaction: &str,
        receipt: &str,
        rows: u64,
    ) -> Result<Received, Refusal> {
        let used = record();
        let arrived = Arrived {
            provider: &self.city.city.id,
            request: uuid::Uuid::now_v7(),
            transaction,
            request_digest: &used.request_digest,
            result_digest: &done().result_digest,
            rows,
            receipt,
        };
        let keys = Self::keys(&self.city);
        let (written, checked) = self
            .police
            .receipts
            .answered(&arrived, &self.police.city.id, &keys, now())
            .unwrap();
        block_on(written).unwrap();
        checked
    }

    pub(super) fn acknowledge(&self, received: Vec<Received>) -> Result<usize, Refusal> {
        let identity = self.police.city.identity();
        let said = Acknowledgement::new(&identity, &self.city.city.id, received, now());
        let text = said.sign(&identity).unwrap();
        let keys = Self::keys(&self.police);
        let consumer = (&self.police.city.id, &keys[..]);
        let taken = self
            .city
            .receipts
            .acknowledge(&text, consumer, &self.city.city.id, now())?;
        block_on(taken)
    }
}

fn entries(case: &Case) -> Vec<(u64, Entry)> {
    list_entries(&*case.journal, 0, usize::MAX).unwrap()
}

#[test]
fn reconciled() {
    let two = Two::new();
    let mut transactions = Vec::new();
    for number in 0..6 {
        let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
        transactions.push(signed.transaction.clone());
        if number == 1 {
            // The police asked, and the city says that nobody did.
            continue;
        }
        let receipt = two.answer(&signed);
        let rows = if number == 3 { 11 } else { 12 };
        match two.arrived(&signed.transaction, &receipt, rows) {
            Ok(received) if number != 4 => {
                assert_eq!(two.acknowledge(vec![received]).unwrap(), 1);
            }
            Ok(_) => {}
            Err(refusal) => assert_eq!((number, refusal.check()), (3, "receipt.result")),
        }
    }
    let (here, mut there) = (entries(&two.city), entries(&two.police));
    // The police denies having asked for the third.
    there.retain(|(_, entry)| !entry.kind.requests().contains(&&*transactions[2]));
    let (city, police) = (two.city.city.id.as_str(), two.police.city.id.as_str());
    let (ours, others) = (provided(&here, police), consumed(&there, city));
    let found = reconcile(&ours, &others);
    let expected = [
        Agreement::Matched,
        Agreement::OnlyThere,
        Agreement::OnlyHere,
        Agreement::DigestMismatch("rows"),
        Agreement::NoAcknowledgement,
        Agreement::Matched,
    ];
    let expected: Vec<_> = transactions.iter().cloned().zip(expected).collect();
    assert_eq!(found, expected);
    // From the other side it looks the other way round.
    let turned = reconcile(&others, &ours);
    assert_eq!(turned[1].1, Agreement::OnlyHere);
    assert_eq!(turned[2].1, Agreement::OnlyThere);
    // The city removes a completion of which the police hold the receipt, or the police an answer that they acknowledged.
    let without = |entries: &[(u64, Entry)], ends: fn(&EntryKind) -> bool| -> Vec<(u64, Entry)> {
        let is_of_it = |entry: &Entry| entry.kind.requests().contains(&&*transactions[0]);
        let kept = entries
            .iter()
            .filter(|(_, entry)| !(is_of_it(entry) && ends(&entry.kind)));
        kept.cloned().collect()
    };
    let completed = |kind: &EntryKind| matches!(kind, EntryKind::Completion { .. });
    let answered = |kind: &EntryKind| matches!(kind, EntryKind::Answered { .. });
    let removed = provided(&without(&here, completed), police);
    let missing = |ours: &[Exchange], theirs: &[Exchange]| reconcile(ours, theirs).remove(0).1;
    assert_eq!(
        missing(&removed, &others),
        Agreement::OutcomeMissing("here")
    );
    assert_eq!(
        missing(&others, &removed),
        Agreement::OutcomeMissing("there")
    );
    let removed = consumed(&without(&there, answered), city);
    assert_eq!(missing(&ours, &removed), Agreement::OutcomeMissing("there"));
    // What nobody signed a request for is told apart.
    block_on(two.city.use_once()).unwrap();
    let here = entries(&two.city);
    assert_eq!(unsigned(&here, police), 1);
    assert_eq!(provided(&here, police).len(), 5);
    let only = |entries: &[(u64, Entry)]| -> Vec<Entry> {
        entries.iter().map(|(_, entry)| entry.clone()).collect()
    };
    let exported = export_transactions(&only(&here), city, "twin", str::to_owned);
    assert_eq!(exported.len(), 6);
    assert_eq!(exported[0].transaction_id, expected[0].0);
    assert_eq!(exported[0].direction, "DIRECTION_INCOMING");
    assert_eq!(exported[0].source.outway_peer_id, police);
    let exported = export_transactions(&only(&entries(&two.police)), police, "twin", str::to_owned);
    assert_eq!(exported.len(), 6);
    assert_eq!(exported[0].direction, "DIRECTION_OUTGOING");
    let shown = show_entries(&*two.city.journal, &expected[0].0).unwrap();
    // Intent, completion and acknowledgement.
    assert_eq!(shown.len(), 3);
}

/// INVARIANT(no-intent-no-request)
#[test]
fn no_intent_no_request() {
    let two = Two::new();
    two.police.journal.failing.store(true, Ordering::SeqCst);
    let refusal = block_on(two.police.receipts.ask(&two.asking())).unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    two.police.journal.failing.store(false, Ordering::SeqCst);
    let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
    let found = entries(&two.police);
    assert!(
        matches!(&found[0].1.kind, EntryKind::Asked { transaction, .. }
        if *transaction == signed.transaction)
    );
}

#[test]
fn requests_that_are_begun_together_reach_the_disk_together() {
    let two = Two::new();
    let asking: Vec<_> = (0..24).map(|_| two.asking()).collect();
    let asked = asking.iter().map(|one| two.police.receipts.ask(one));
    let keys = Two::keys(&two.police);
    let sizes: Vec<_> = block_on(join_all(asked))
        .into_iter()
        .map(|signed| {
            let envelope = signed.unwrap().envelope;
            let claims = verify_envelope(&envelope, &two.police.city.id, &keys).unwrap();
            claims.checkpoint.size
        })
        .collect();
    assert_eq!(sizes, [24; 24]);
    // Who was given up before its turn asks nobody.
    let mut dropped = Box::pin(two.police.receipts.ask(&asking[0]));
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    block_on(two.police.receipts.ask(&asking[1])).unwrap();
    assert_eq!(entries(&two.police).len(), 25);
}

#[test]
fn requests_of_others_and_of_another_time_are_refused() {
    let two = Two::new();
    let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
    let keys = Two::keys(&two.police);
    let (police, city) = (&two.police.city.id, &two.city.city.id);
    let claims = verify_envelope(&signed.envelope, police, &keys).unwrap();
    assert_eq!(claims.transaction, signed.transaction);
    let asking = two.asking();
    let good = Expected {
        provider: city,
        request_digest: &asking.request_digest,
        subject: &asking.subject,
        purpose: asking.purpose.as_ref(),
        now: now(),
    };
    let check =
        |expected: Expected<'_>| claims.check(&expected).map_or_else(|r| r.check(), |()| "");
    let later = |seconds| now() + time::Duration::seconds(seconds);
    assert_eq!(check(good), "");
    assert_eq!(
        check(Expected {
            provider: police,
            ..good
        }),
        "envelope.aud"
    );
    assert_eq!(
        check(Expected {
            request_digest: "cd",
            ..good
        }),
        "envelope.digest"
    );
    assert_eq!(
        check(Expected {
            subject: "ada",
            ..good
        }),
        "envelope.subject"
    );
    assert_eq!(
        check(Expected {
            purpose: None,
            ..good
        }),
        "envelope.purpose"
    );
    assert_eq!(
        check(Expected {
            now: later(110),
            ..good
        }),
        ""
    );
    assert_eq!(
        check(Expected {
            now: later(130),
            ..good
        }),
        "envelope.time"
    );
    assert_eq!(
        check(Expected {
            now: later(-70),
            ..good
        }),
        "envelope.time"
    );
    let refused = |text: &str, signer: &NamedNode| {
        let refusal = verify_envelope(text, signer, &keys).unwrap_err();
        assert_eq!(refusal.code(), Code::Unauthenticated);
        refusal.check()
    };
    assert_eq!(refused(&signed.envelope, city), "envelope.signature");
    assert_eq!(refused("", police), "envelope.form");
    let (checkpoint, leaf) = signed.envelope.split_once('~').unwrap();
    assert_eq!(
        refused(&format!("{checkpoint}~1{leaf}"), police),
        "envelope.proof"
    );
    // What the police gave as a provider is no request.
    let receipt = block_on(two.police.use_once()).unwrap();
    assert_eq!(refused(&receipt, police), "envelope.claims");
    let receipt = verify_receipt(&signed.envelope, police, &keys).unwrap_err();
    assert_eq!(receipt.check(), "receipt.claims");
}

/// INVARIANT(one-envelope-one-request)
#[test]
fn one_envelope_one_request() {
    let two = Two::new();
    let registry = two.city.city.registry(&[&two.police.city]);
    let authenticator = crate::TokenAuthenticator::new(registry);
    let used = record();
    let caller = |participant: &NamedNode| {
        twinlink_core::Caller::assertion(
            participant.clone(),
            used.subject.clone().unwrap(),
            Vec::new(),
            used.purpose.clone(),
            "1".to_owned(),
            false,
        )
    };
    let check = |envelope: &str, participant: &NamedNode| {
        use twinlink_core::Authenticator as _;
        let caller = caller(participant);
        let shown = twinlink_core::Credentials::default();
        let of = twinlink_core::Signable::new(&used.request_digest);
        let found = authenticator.signed_request(Some(envelope), &shown, &caller, &of, now());
        found.map_or_else(|refusal| refusal.check(), |_| "")
    };
    for _ in 0..3 {
        let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
        assert_eq!(
            check(&signed.envelope, &two.city.city.id),
            "envelope.signature"
        );
        assert_eq!(check(&signed.envelope, &two.police.city.id), "");
        assert_eq!(
            check(&signed.envelope, &two.police.city.id),
            "envelope.once"
        );
        // A checkpoint that is remembered is one organisation's.
        assert_eq!(
            check(&signed.envelope, &two.city.city.id),
            "envelope.signature"
        );
    }
}

#[test]
fn receipts_of_other_answers_are_found() {
    let two = Two::new();
    let ask = || block_on(two.police.receipts.ask(&two.asking())).unwrap();
    let (one, other) = (ask(), ask());
    let receipt = two.answer(&one);
    let check = |transaction: &str, receipt: &str, rows| {
        let found = two.arrived(transaction, receipt, rows);
        found.map_or_else(|refusal| refusal.check(), |_| "")
    };
    assert_eq!(check(&one.transaction, &receipt, 12), "");
    assert_eq!(check(&other.transaction, &receipt, 12), "receipt.request");
    assert_eq!(check(&one.transaction, &receipt, 13), "receipt.result");
    assert_eq!(check(&one.transaction, "", 12), "receipt.form");
    let own = block_on(two.police.use_once()).unwrap();
    assert_eq!(check(&one.transaction, &own, 12), "receipt.signature");
    let faults: Vec<_> = entries(&two.police)
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Answered { fault, .. } => fault,
            _ => None,
        })
        .collect();
    assert_eq!(faults.len(), 4);
}

/// INVARIANT(only-what-was-given-is-acknowledged)
#[test]
fn only_what_was_given_is_acknowledged() {
    let two = Two::new();
    let mut received = Vec::new();
    for _ in 0..3 {
        let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
        let receipt = two.answer(&signed);
        received.push(two.arrived(&signed.transaction, &receipt, 12).unwrap());
    }
    let before = entries(&two.city).len();
    let mut other = received[0].clone();
    other.transaction = received[1].transaction.clone();
    assert_eq!(two.acknowledge(vec![other]).unwrap(), 0);
    let mut other = received[0].clone();
    other.record = received[1].record;
    assert_eq!(two.acknowledge(vec![other]).unwrap(), 0);
    let mut other = received[0].clone();
    other.sequence += 1;
    assert_eq!(two.acknowledge(vec![other]).unwrap(), 0);
    assert_eq!(entries(&two.city).len(), before);
    assert_eq!(two.acknowledge(received[..2].to_vec()).unwrap(), 2);
    // Said again it counts no more, and takes no room.
    assert_eq!(two.acknowledge(received.clone()).unwrap(), 1);
    assert_eq!(two.acknowledge(received.clone()).unwrap(), 0);
    assert_eq!(entries(&two.city).len(), before + 2);
    let many = vec![received[0].clone(); ACKNOWLEDGED_TOGETHER + 1];
    assert_eq!(
        two.acknowledge(many).unwrap_err().check(),
        "acknowledgement"
    );
    let ours = provided(&entries(&two.city), two.police.city.id.as_str());
    assert!(ours.iter().all(|one| one.acknowledged));
}

#[test]
fn acknowledged_records_are_remembered_in_a_window() {
    let mut window = crate::receipt::exchange::Window::default();
    let far = 1_u64 << 40;
    for at in [5, 1000, 7, 100_000, far, far - 1000] {
        assert!(window.mark(at), "{at}");
        assert!(!window.mark(at), "{at}");
    }
    // Too far back: it counts as acknowledged.
    assert!(!window.mark(8));
    for step in 1..5_u64 {
        assert!(window.mark(far + step * 900_000));
    }
    assert!(!window.mark(far));
}

/// INVARIANT(statements-are-checked)
#[test]
fn statements_are_checked() {
    let two = Two::new();
    for _ in 0..2 {
        let signed = block_on(two.police.receipts.ask(&two.asking())).unwrap();
        let receipt = two.answer(&signed);
        let received = two.arrived(&signed.transaction, &receipt, 12).unwrap();
        two.acknowledge(vec![received]).unwrap();
    }
    let keys = |participant: &NamedNode| {
        let cases = [&two.city, &two.police].into_iter();
        let case = cases.filter(|case| &case.city.id == participant).last();
        case.map(|case| Two::keys(case).to_vec())
            .unwrap_or_default()
    };
    let check = |case: &Case| verify_statements(&*case.journal, &case.city.id, keys);
    let (found, held) = check(&two.city).unwrap();
    assert_eq!((found.envelopes, found.acknowledgements), (2, 2));
    assert!(held.is_empty());
    let (found, _) = check(&two.police).unwrap();
    assert_eq!((found.receipts, found.unknown), (2, 0));
    let stranger = verify_statements(&*two.police.journal, &two.police.city.id, |_| Vec::new());
    assert_eq!(stranger.unwrap().0.unknown, 2);
    // The receipt of one answer beside another: each is good, and says something else.
    let receipts: Vec<String> = entries(&two.police)
        .into_iter()
        .filter_map(|(_, entry)| match entry.kind {
            EntryKind::Answered { receipt, .. } => Some(receipt),
            _ => None,
        })
        .collect();
    let at = entries(&two.police)
        .iter()
        .position(|(_, entry)| matches!(entry.kind, EntryKind::Answered { .. }))
        .unwrap();
    two.police.tamper(at, |record| {
        let text = String::from_utf8(record.clone()).unwrap();
        *record = text.replace(&receipts[0], &receipts[1]).into_bytes();
    });
    let refusal = check(&two.police).unwrap_err();
    assert_eq!(refusal.check(), "audit.statement");
}
