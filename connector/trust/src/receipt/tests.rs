mod again;
mod end;
mod exchange;
mod held;
mod outbox;
mod purge;
mod readmit;
mod witness;

use super::*;
use crate::testing::{Organisation, forge, iri, now};
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// A journal in memory, which can fail. Sequence numbers leave gaps, as a journal's may.
#[derive(Default)]
struct Memory {
    records: Mutex<Vec<(u64, Vec<u8>)>>,
    seal: Mutex<Option<Vec<u8>>>,
    failing: AtomicBool,
}

impl Journal for Memory {
    fn append(
        &self,
        added: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        Box::pin(async move {
            if self.failing.load(Ordering::SeqCst) {
                return Err(Refusal::new(Code::Internal, "disk", "no space left"));
            }
            let mut records = self.records.lock().unwrap();
            let mut places = Vec::new();
            for record in added {
                let sequence = records.last().map_or(3, |(last, _)| last + 5);
                records.push((sequence, record));
                places.push(sequence);
            }
            *self.seal.lock().unwrap() = Some(seal);
            Ok(places)
        })
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.seal.lock().unwrap().clone())
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let records = self.records.lock().unwrap();
        let found = records.iter().filter(|(sequence, _)| *sequence >= from);
        Ok(found.take(most).cloned().collect())
    }

    fn replace(&self, others: Vec<(u64, Vec<u8>)>) -> BoxFuture<'_, Result<(), Refusal>> {
        let mut records = self.records.lock().unwrap();
        for (sequence, other) in others {
            let place = records.iter_mut().find(|(at, _)| *at == sequence);
            place.unwrap().1 = other;
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Case {
    city: Organisation,
    journal: Arc<Memory>,
    receipts: Receipts,
}

impl Case {
    fn new() -> Self {
        Self::of("https://city.example/")
    }

    fn of(id: &str) -> Self {
        let city = Organisation::new(id);
        let journal = Arc::new(Memory::default());
        let receipts = Self::open(&city, &journal);
        Self {
            city,
            journal,
            receipts,
        }
    }

    fn open(city: &Organisation, journal: &Arc<Memory>) -> Receipts {
        let journal: Arc<dyn Journal> = Arc::clone(journal) as _;
        // No checkpoint comes in between because a test is slow.
        let patience = Duration::from_secs(24 * 3600);
        Receipts::sealing_after(journal, Arc::clone(&city.current), &[], patience).unwrap()
    }

    async fn use_once(&self) -> Result<String, Refusal> {
        let intent = self.receipts.intend(record()).await?;
        self.receipts.complete(intent, done()).await
    }

    fn verify(&self, receipt: &str) -> Result<ReceiptClaims, Refusal> {
        let key = self.city.identity().key().public().clone();
        verify_receipt(receipt, &self.city.id, &[key])
    }

    /// How many intents and completions there are, in a log that is whole.
    fn uses(&self) -> usize {
        self.verify_log(&[]).unwrap();
        let entries = list_entries(&*self.journal, 0, usize::MAX).unwrap();
        let is_use = |kind: &EntryKind| {
            matches!(
                kind,
                EntryKind::Intent { .. } | EntryKind::Completion { .. }
            )
        };
        entries
            .iter()
            .filter(|(_, entry)| is_use(&entry.kind))
            .count()
    }

    fn verify_log(&self, held: &[Checkpoint]) -> Result<Audit, Refusal> {
        let key = self.city.identity().key().public().clone();
        verify_log(&*self.journal, &self.city.id, &[key], held)
    }

    fn seal(&self) {
        block_on(self.receipts.seal()).unwrap();
    }

    fn tamper(&self, at: usize, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.journal.records.lock().unwrap()[at].1);
    }
}

fn record() -> UseRecord {
    let action = iri("http://www.w3.org/ns/odrl/2/read");
    UseRecord {
        participant: Some(iri("https://police.example/")),
        subject: Some("officer-7".to_owned()),
        purpose: Some(iri("https://purposes.example/emergency")),
        policies: vec![iri("https://city.example/policies/1")],
        policy_version: "v1".to_owned(),
        token_id: Some("token-1".to_owned()),
        request_digest: "ab".repeat(32),
        ..UseRecord::new(uuid::Uuid::now_v7(), now(), action)
    }
}

fn done() -> Recorded {
    Recorded {
        rows: 12,
        result_digest: "cd".repeat(32),
        complete: true,
        failed: None,
        changed_to: None,
        time: now(),
    }
}

#[test]
fn a_receipt_says_what_was_used_and_is_verified() {
    let case = Case::new();
    let receipt = block_on(case.use_once()).unwrap();
    let claims = case.verify(&receipt).unwrap();
    assert_eq!(claims.iss, "https://city.example/");
    assert_eq!(
        claims.used.participant.as_deref(),
        Some("https://police.example/")
    );
    assert_eq!(claims.rows, 12);
    assert_eq!(claims.result_digest, "cd".repeat(32));
    assert_eq!((claims.intent, claims.sequence), (3, 8));
    claims.check_against(&*case.journal).unwrap();
    let entries = list_entries(&*case.journal, 0, 10).unwrap();
    assert_eq!(entries[0].1.previous, Digest256::of_nothing());
    assert_eq!(entries[1].1.kind.requests(), [claims.used.request.as_str()]);
    assert_eq!((claims.index, claims.checkpoint.size), (1, 2));
    let found = case
        .verify_log(std::slice::from_ref(&claims.checkpoint))
        .unwrap();
    assert!(found.records >= 2, "{found:?}");
    let shown = show_entries(&*case.journal, &claims.used.request).unwrap();
    assert_eq!(shown, entries[..2]);
}

#[test]
fn the_intent_is_on_disk_before_it_is_given_out() {
    let case = Case::new();
    let intent = block_on(case.receipts.intend(record())).unwrap();
    let entries = list_entries(&*case.journal, 0, 10).unwrap();
    assert_eq!(entries[0].0, intent.sequence);
    assert!(matches!(entries[0].1.kind, EntryKind::Intent { .. }));
}

#[test]
fn records_have_one_spelling() {
    let case = Case::new();
    let mut refused = record();
    refused.participant = None;
    refused.refused = Some("token.exp".to_owned());
    block_on(case.receipts.intend(refused)).unwrap();
    let text = String::from_utf8(case.journal.records.lock().unwrap()[0].1.clone()).unwrap();
    assert!(text.starts_with(r#"{"previous":""#), "{text}");
    let order = [
        "previous",
        "salt",
        "time",
        "kind",
        "request",
        "participant",
        "subject",
        "purpose",
        "action",
        "policies",
        "policy_version",
        "request_digest",
        "token",
        "refused",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|name| text.find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    let again = list_entries(&*case.journal, 0, 1).unwrap().remove(0).1;
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}

#[test]
fn chain_order() {
    let case = Case::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let uses = (0..25).map(|_| case.use_once());
                for receipt in block_on(join_all(uses)) {
                    case.verify(&receipt.unwrap()).unwrap();
                }
            });
        }
    });
    assert_eq!(case.uses(), 400);
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let mut city = Organisation::new("https://city.example/");
    let mut journal = Arc::new(Memory::default());
    for uses in 1..8 {
        let receipts = Case::open(&city, &journal);
        let case = Case {
            city,
            journal,
            receipts,
        };
        block_on(case.use_once()).unwrap();
        assert_eq!(case.uses(), uses * 2);
        drop(case.receipts);
        (city, journal) = (case.city, case.journal);
        // Its thread ends with a checkpoint, and lets go of the journal.
        while Arc::strong_count(&journal) > 1 {
            std::thread::yield_now();
        }
        assert_eq!(audit(&*journal).unwrap().open, 0);
    }
}

#[test]
fn tampering_is_found() {
    let case = Case::new();
    let receipts: Vec<_> = (0..5).map(|_| block_on(case.use_once()).unwrap()).collect();
    case.seal();
    let claims = case.verify(&receipts[2]).unwrap();
    let held = [claims.checkpoint.clone()];
    let whole = case.journal.records.lock().unwrap().clone();
    let restore = || whole.clone_into(&mut case.journal.records.lock().unwrap());
    let check = || case.verify_log(&held).unwrap_err().check();

    case.tamper(4, |record| {
        let text = String::from_utf8(record.clone()).unwrap();
        *record = text.replace("officer-7", "officer-8").into_bytes();
    });
    assert_eq!(check(), "audit.chain");
    restore();
    case.journal.records.lock().unwrap().remove(5);
    assert_eq!(check(), "audit.chain");
    restore();
    case.journal.records.lock().unwrap().swap(2, 3);
    assert_eq!(check(), "audit.chain");
    restore();
    // A space more in the last record changes nothing that it says.
    case.tamper(whole.len() - 1, |record| record.push(b' '));
    assert_eq!(check(), "audit.chain");
    restore();
    // Whoever cuts the end off leaves a whole chain; the seal shows it, and without that a receipt from beyond the cut.
    case.journal.records.lock().unwrap().truncate(4);
    let refusal = case.verify_log(&[]).unwrap_err();
    assert_eq!(refusal.check(), "audit.end");
    let seal = case.journal.seal.lock().unwrap().take();
    let found = case.verify_log(&[]).unwrap();
    assert_eq!(found.sealed().unwrap_err().check(), "audit.end");
    assert_eq!(check(), "audit.held");
    let refusal = claims.check_against(&*case.journal).unwrap_err();
    assert_eq!(refusal.check(), "audit.receipt");
    restore();
    *case.journal.seal.lock().unwrap() = seal;
    case.verify_log(&held).unwrap().sealed().unwrap();
    claims.check_against(&*case.journal).unwrap();
}

#[test]
fn one_signature_is_the_receipt_of_many() {
    let case = Case::new();
    let uses = (0..200).map(|_| case.use_once());
    let receipts = block_on(join_all(uses));
    let claims: Vec<_> = receipts
        .iter()
        .map(|r| case.verify(r.as_ref().unwrap()).unwrap())
        .collect();
    let mut sizes: Vec<_> = claims.iter().map(|claims| claims.checkpoint.size).collect();
    sizes.dedup();
    // How many go together is up to the threads; never one each where all come at once.
    assert!(sizes.len() < 200, "{sizes:?}");
    let held: Vec<_> = claims
        .iter()
        .map(|claims| claims.checkpoint.clone())
        .collect();
    case.verify_log(&held).unwrap();
}

#[test]
fn receipts_of_others_and_other_texts_are_refused() {
    let case = Case::new();
    let receipt = block_on(case.use_once()).unwrap();
    let second = block_on(case.use_once()).unwrap();
    let other = Organisation::new("https://police.example/");
    let check = |receipt: &str| case.verify(receipt).unwrap_err().check();
    let (checkpoint, leaf) = receipt.split_once('~').unwrap();
    let (checkpoint2, leaf2) = second.split_once('~').unwrap();
    assert_eq!(check(&format!("{checkpoint}~{leaf2}")), "receipt.proof");
    assert_eq!(check(&format!("{checkpoint2}~{leaf}")), "receipt.proof");
    assert_eq!(check(""), "receipt.form");
    assert_eq!(check(checkpoint), "receipt.form");
    assert_eq!(check(&format!("{checkpoint}~")), "receipt.form");
    assert_eq!(check(&format!("{receipt}~")), "receipt.form");
    let (places, encoded) = leaf.rsplit_once('.').unwrap();
    let json = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
    let changed = json.replace("\"rows\":12", "\"rows\":13");
    assert_ne!(json, changed);
    let changed = URL_SAFE_NO_PAD.encode(changed);
    let put = |places: &str| format!("{checkpoint}~{places}.{changed}");
    assert_eq!(check(&put(places)), "receipt.proof");
    for places in [
        "+1.8.", "01.8.", "1.8.AAAA", "1.8", "1.8..", "1.8.=", "-1.8.",
    ] {
        assert_eq!(check(&put(places)), "receipt.form", "{places}");
    }
    let signed_by = |key: &crate::SigningKey, typ: &str, log: &str| {
        let payload = URL_SAFE_NO_PAD
            .decode(checkpoint.split('.').nth(1).unwrap())
            .unwrap();
        let payload = String::from_utf8(payload)
            .unwrap()
            .replace("https://city.example/", log);
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#);
        format!("{}~{leaf}", forge(&header, &payload, key))
    };
    let own = case.city.identity().key().clone();
    let (typ, id) = ("twinlink-checkpoint+jwt", "https://city.example/");
    case.verify(&signed_by(&own, typ, id)).unwrap();
    assert_eq!(
        check(&signed_by(other.identity().key(), typ, id)),
        "receipt.signature"
    );
    assert_eq!(check(&signed_by(&own, "at+jwt", id)), "receipt.signature");
    assert_eq!(
        check(&signed_by(&own, typ, "https://police.example/")),
        "receipt.signature"
    );
}

#[test]
fn a_receipt_is_no_token_and_a_token_no_receipt() {
    let case = Case::new();
    let receipt = block_on(case.use_once()).unwrap();
    let trusted = case.city.trusting(&[]);
    let verify = |text: &str| {
        let text = twinlink_core::Secret::new(text);
        crate::verify_token(&text, &trusted, "x", now())
            .unwrap_err()
            .check()
    };
    assert_eq!(verify(&receipt), "token.form");
    assert_eq!(verify(receipt.split_once('~').unwrap().0), "token.typ");
    let token = case
        .city
        .issuer()
        .issue(&case.city.request(&case.city), now())
        .unwrap();
    assert_eq!(
        case.verify(token.reveal()).unwrap_err().check(),
        "receipt.form"
    );
}

#[test]
fn without_a_journal_there_is_no_answer_and_afterwards_there_is_again() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    let intent = block_on(case.receipts.intend(record())).unwrap();
    case.journal.failing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refusal = block_on(case.receipts.intend(record())).unwrap_err();
        assert_eq!(refusal.code(), Code::Unavailable);
        assert_eq!(refusal.public(), "not available now");
    }
    let refusal = block_on(case.receipts.complete(intent, done())).unwrap_err();
    assert_eq!(refusal.code(), Code::Unavailable);
    case.journal.failing.store(false, Ordering::SeqCst);
    block_on(case.use_once()).unwrap();
    assert_eq!(case.uses(), 5);
}

#[test]
fn a_request_that_is_dropped_leaves_the_chain_whole() {
    let case = Case::new();
    for _ in 0..20 {
        let mut dropped = case.receipts.intend(record());
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        let _pending = dropped.as_mut().poll(&mut context);
        drop(dropped);
        block_on(case.use_once()).unwrap();
    }
    audit(&*case.journal).unwrap();
}

#[test]
fn a_use_is_not_noted() {
    let case = Case::new();
    block_on(case.use_once()).unwrap();
    let entries = list_entries(&*case.journal, 0, 2).unwrap();
    for (_, entry) in entries {
        assert!(block_on(case.receipts.note(entry.kind, now())).is_err());
    }
}

#[test]
fn a_long_log_is_taken_up_at_its_last_checkpoint() {
    let case = Case::new();
    for round in 0..3 {
        let uses = (0..700).map(|_| case.use_once());
        block_on(join_all(uses))
            .into_iter()
            .for_each(|receipt| drop(receipt.unwrap()));
        if round != 1 {
            case.seal();
        }
        let count = case.journal.records.lock().unwrap().len() as u64;
        for size in [0, 1, 700, count - 1, count] {
            let tail = resume::resume(&*case.journal, size).unwrap();
            assert_eq!(tail.peaks.size(), size);
        }
        let found = audit(&*case.journal).unwrap();
        let tail = resume::resume(&*case.journal, u64::MAX).unwrap();
        assert_eq!((tail.peaks.root(), tail.head), (found.root, found.head));
    }
}

#[test]
fn records_do_not_stay_long_without_a_checkpoint() {
    let city = Organisation::new("https://city.example/");
    let journal = Arc::new(Memory::default());
    let shared: Arc<dyn Journal> = Arc::clone(&journal) as _;
    let current = Arc::clone(&city.current);
    let receipts = Receipts::sealing_after(shared, current, &[], Duration::ZERO).unwrap();
    block_on(receipts.intend(record())).unwrap();
    // Without any further request.
    while audit(&*journal).unwrap().checkpoints == 0 {
        std::thread::yield_now();
    }
    assert_eq!(audit(&*journal).unwrap().open, 0);
}
