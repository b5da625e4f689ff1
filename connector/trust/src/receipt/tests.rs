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
    failing: AtomicBool,
}

impl Journal for Memory {
    fn append(&self, record: Vec<u8>) -> BoxFuture<'_, Result<u64, Refusal>> {
        Box::pin(async move {
            if self.failing.load(Ordering::SeqCst) {
                return Err(Refusal::new(Code::Internal, "disk", "no space left"));
            }
            let mut records = self.records.lock().unwrap();
            let sequence = records.last().map_or(3, |(last, _)| last + 5);
            records.push((sequence, record));
            Ok(sequence)
        })
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let records = self.records.lock().unwrap();
        let found = records.iter().filter(|(sequence, _)| *sequence >= from);
        Ok(found.take(most).cloned().collect())
    }
}

struct Case {
    city: Organisation,
    journal: Arc<Memory>,
    receipts: Receipts,
}

impl Case {
    fn new() -> Self {
        let city = Organisation::new("https://city.example/");
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
        Receipts::open(journal, Arc::clone(&city.current)).unwrap()
    }

    async fn use_once(&self) -> Result<String, Refusal> {
        let intent = self.receipts.intend(record()).await?;
        self.receipts.complete(intent, done()).await
    }

    fn verify(&self, receipt: &str) -> Result<ReceiptClaims, Refusal> {
        let key = self.city.identity().key().public().clone();
        verify_receipt(receipt, &self.city.id, &[key])
    }

    fn tamper(&self, at: usize, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.journal.records.lock().unwrap()[at].1);
    }
}

fn record() -> UseRecord {
    UseRecord {
        request: uuid::Uuid::now_v7(),
        time: now(),
        participant: Some(iri("https://police.example/")),
        subject: Some("officer-7".to_owned()),
        purpose: Some(iri("https://purposes.example/emergency")),
        action: iri("http://www.w3.org/ns/odrl/2/read"),
        policies: vec![iri("https://city.example/policies/1")],
        policy_version: "v1".to_owned(),
        token_id: Some("token-1".to_owned()),
        request_digest: "ab".repeat(32),
        refused: None,
    }
}

fn done() -> Recorded {
    Recorded {
        rows: 12,
        result_digest: "cd".repeat(32),
        complete: true,
        failed: None,
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
        claims.participant.as_deref(),
        Some("https://police.example/")
    );
    assert_eq!(claims.rows, 12);
    assert_eq!(claims.result_digest, "cd".repeat(32));
    assert_eq!((claims.intent, claims.sequence), (3, 8));
    claims.check_against(&*case.journal).unwrap();
    let entries = list_entries(&*case.journal, 0, 10).unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0].1.previous, "0".repeat(64));
    assert_eq!(entries[1].1.request, claims.request);
    let found = audit(&*case.journal).unwrap();
    assert_eq!((found.records, found.last), (2, Some(8)));
    assert_eq!(found.head, claims.record);
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
    assert!(text.starts_with(r#"{"previous":"000"#), "{text}");
    let order = [
        "previous",
        "request",
        "time",
        "kind",
        "participant",
        "subject",
        "purpose",
        "action",
        "policies",
        "policy_version",
        "token",
        "request_digest",
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
    assert_eq!(audit(&*case.journal).unwrap().records, 400);
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let mut case = Case::new();
    for uses in 1..8 {
        block_on(case.use_once()).unwrap();
        case.receipts = Case::open(&case.city, &case.journal);
        assert_eq!(audit(&*case.journal).unwrap().records, uses * 2);
    }
}

#[test]
fn tampering_is_found() {
    let case = Case::new();
    let receipts: Vec<_> = (0..5).map(|_| block_on(case.use_once()).unwrap()).collect();
    let claims = case.verify(&receipts[2]).unwrap();
    let whole = case.journal.records.lock().unwrap().clone();
    let restore = || whole.clone_into(&mut case.journal.records.lock().unwrap());

    case.tamper(4, |record| {
        let text = String::from_utf8(record.clone()).unwrap();
        *record = text.replace("officer-7", "officer-8").into_bytes();
    });
    let refusal = audit(&*case.journal).unwrap_err();
    assert_eq!(refusal.check(), "audit.chain");
    assert!(refusal.to_string().contains("record 28"), "{refusal}");
    restore();
    case.journal.records.lock().unwrap().remove(5);
    assert_eq!(audit(&*case.journal).unwrap_err().check(), "audit.chain");
    assert_eq!(
        claims.check_against(&*case.journal).unwrap_err().check(),
        "audit.receipt"
    );
    restore();
    case.journal.records.lock().unwrap().swap(2, 3);
    assert_eq!(audit(&*case.journal).unwrap_err().check(), "audit.chain");
    restore();
    // Whoever cuts the end off leaves a whole chain; a receipt from beyond the cut shows it.
    case.journal.records.lock().unwrap().truncate(4);
    audit(&*case.journal).unwrap();
    assert_eq!(
        claims.check_against(&*case.journal).unwrap_err().check(),
        "audit.receipt"
    );
    restore();
    case.tamper(5, |record| record.push(b' '));
    assert_eq!(
        claims.check_against(&*case.journal).unwrap_err().check(),
        "audit.receipt"
    );
    restore();
    claims.check_against(&*case.journal).unwrap();
}

#[test]
fn receipts_of_others_and_other_texts_are_refused() {
    let case = Case::new();
    let receipt = block_on(case.use_once()).unwrap();
    let key = case.city.identity().key().clone();
    let other = Organisation::new("https://police.example/");
    let check = |receipt: &str| case.verify(receipt).unwrap_err().check();
    let payload = receipt.split('.').nth(1).unwrap();
    let payload =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let header = r#"{"alg":"ES256","typ":"twinlink-receipt+jwt"}"#;
    case.verify(&forge(header, &payload, &key)).unwrap();
    assert_eq!(
        check(&forge(header, &payload, other.identity().key())),
        "receipt.signature"
    );
    let more = payload.replace("\"rows\":12", "\"rows\":13");
    let spliced = receipt.replace(
        receipt.split('.').nth(1).unwrap(),
        &base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, more),
    );
    assert_eq!(check(&spliced), "receipt.signature");
    let named = payload.replace("https://city.example/\"", "https://police.example/\"");
    assert_eq!(check(&forge(header, &named, &key)), "receipt.iss");
    assert_eq!(
        check(&forge(r#"{"alg":"ES256","typ":"at+jwt"}"#, &payload, &key)),
        "receipt.signature"
    );
    assert_eq!(check(&forge(header, "{}", &key)), "receipt.claims");
    assert_eq!(check(""), "receipt.signature");
}

#[test]
fn a_receipt_is_no_token_and_a_token_no_receipt() {
    let case = Case::new();
    let receipt = block_on(case.use_once()).unwrap();
    let trusted = case.city.trusting(&[]);
    let refused = crate::verify_token(&twinlink_core::Secret::new(receipt), &trusted, "x", now());
    assert_eq!(refused.unwrap_err().check(), "token.typ");
    let token = case
        .city
        .issuer()
        .issue(&case.city.request(&case.city), now())
        .unwrap();
    assert_eq!(
        case.verify(token.reveal()).unwrap_err().check(),
        "receipt.signature"
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
    assert_eq!(audit(&*case.journal).unwrap().records, 5);
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
