//! One organisation with its log of use, in memory.

use crate::library::Fault;
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use oxrdf::NamedNode;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use twinlink_core::{Journal, Recorded, Refusal, UseLog as _, UseRecord};
use twinlink_trust::{
    Acknowledgement, Authority, Checkpoint, CurrentIdentity, EntryKind, Envelope, Identity,
    PublicKey, Receipts, Subject, list_entries, verify_checkpoint, verify_receipt,
};
use uuid::Uuid;

/// Numbered records.
pub(super) type Records = Vec<(u64, Vec<u8>)>;

/// A journal in memory.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Records>);

/// An organisation.
pub(super) struct Side {
    pub(super) id: NamedNode,
    pub(super) identity: Arc<Identity>,
    pub(super) journal: Arc<Memory>,
    receipts: Receipts,
}

impl Memory {
    pub(super) fn of(records: Records) -> Self {
        Self(Mutex::new(records))
    }

    pub(super) fn records(&self) -> Records {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn replace(&self, records: Records) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = records;
    }
}

impl Journal for Memory {
    fn append(&self, record: Vec<u8>) -> BoxFuture<'_, Result<u64, Refusal>> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = records.last().map_or(1, |(last, _)| last + 1);
        records.push((sequence, record));
        Box::pin(ready(Ok(sequence)))
    }

    fn read(&self, from: u64, most: usize) -> Result<Records, Refusal> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = records.iter().filter(|(sequence, _)| *sequence >= from);
        Ok(found.take(most).cloned().collect())
    }
}

impl Side {
    pub(super) fn new(id: &str) -> Result<Self, Fault> {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create(id, now).map_err(fault)?;
        let id = NamedNode::new(id).map_err(fault)?;
        let subject = Subject {
            participant: id.clone(),
            hosts: Vec::new(),
        };
        let issued = authority.issue(&subject, Duration::days(1), now);
        let identity = issued.and_then(|issued| issued.identity()).map_err(fault)?;
        let current = CurrentIdentity::new(identity);
        let journal = Arc::new(Memory::default());
        let shared: Arc<dyn Journal> = Arc::clone(&journal) as _;
        Ok(Self {
            id,
            identity: current.load(),
            journal,
            receipts: Receipts::open(shared, current).map_err(fault)?,
        })
    }

    pub(super) fn keys(&self) -> Vec<PublicKey> {
        vec![self.identity.key().public().clone()]
    }

    pub(super) fn seal(&self) -> Result<(), Fault> {
        block_on(self.receipts.seal()).map_err(fault)
    }

    pub(super) fn last_checkpoint(&self) -> Result<Checkpoint, Fault> {
        let entries = list_entries(&*self.journal, 0, usize::MAX).map_err(fault)?;
        let last = entries
            .iter()
            .rev()
            .find_map(|(_, entry)| match &entry.kind {
                EntryKind::Checkpoint { checkpoint, .. } => Some(checkpoint),
                _ => None,
            });
        let last = last.ok_or_else(|| fault("there is no checkpoint"))?;
        verify_checkpoint(last, &self.id, &self.keys()).map_err(fault)
    }

    /// A request of a consumer that is refused.
    pub(super) fn refuse(&self, consumer: &Self) -> Result<(), Fault> {
        let mut record = record(consumer);
        record.refused = Some("policy".to_owned());
        block_on(self.receipts.intend(record)).map_err(fault)?;
        Ok(())
    }

    /// A whole use with what both sides record of it; gives the receipt.
    pub(super) fn provide(&self, consumer: &Self, rows: u64) -> Result<String, Fault> {
        let now = OffsetDateTime::now_utc();
        let note = |side: &Self, kind| block_on(side.receipts.note(kind, now)).map_err(fault);
        let used = record(consumer);
        let digest = used.request_digest.clone();
        let transaction = Uuid::now_v7();
        let envelope = Envelope::new(
            &consumer.identity,
            &self.id,
            transaction,
            digest.clone(),
            now,
        );
        let signed = envelope.sign(&consumer.identity).map_err(fault)?;
        let asked = EntryKind::Asked {
            participant: self.id.as_str().to_owned(),
            transaction: transaction.to_string(),
            request_digest: digest.clone(),
            envelope: signed.clone(),
        };
        note(consumer, asked)?;
        let keys = consumer.keys();
        let read = Envelope::verify(&signed, (&consumer.id, &keys), &self.id, &digest, now);
        let requested = EntryKind::Requested {
            request: used.request.to_string(),
            participant: consumer.id.as_str().to_owned(),
            transaction: read.map_err(fault)?.transaction,
            envelope: signed,
        };
        note(self, requested)?;
        let intent = block_on(self.receipts.intend(used)).map_err(fault)?;
        let result_digest = format!("{rows:064x}");
        let done = Recorded {
            rows,
            result_digest: result_digest.clone(),
            complete: true,
            failed: None,
            time: now,
        };
        let receipt = block_on(self.receipts.complete(intent, done)).map_err(fault)?;
        let claims = verify_receipt(&receipt, &self.id, &self.keys()).map_err(fault)?;
        let said = Acknowledgement::new(
            &consumer.identity,
            &claims,
            result_digest.clone(),
            rows,
            now,
        );
        let answered = EntryKind::Answered {
            participant: self.id.as_str().to_owned(),
            transaction: transaction.to_string(),
            request: claims.used.request.clone(),
            result_digest,
            rows,
            receipt: receipt.clone(),
        };
        note(consumer, answered)?;
        let acknowledged = EntryKind::Acknowledged {
            participant: consumer.id.as_str().to_owned(),
            request: claims.used.request,
            acknowledgement: said.sign(&consumer.identity).map_err(fault)?,
        };
        note(self, acknowledged)?;
        Ok(receipt)
    }
}

fn record(consumer: &Side) -> UseRecord {
    let iri = NamedNode::new_unchecked;
    UseRecord {
        request: Uuid::now_v7(),
        time: OffsetDateTime::now_utc(),
        participant: Some(consumer.id.clone()),
        subject: Some("officer-7".to_owned()),
        purpose: Some(iri("https://purposes.example/emergency")),
        action: iri("http://www.w3.org/ns/odrl/2/read"),
        policies: vec![iri("https://city.example/policies/1")],
        policy_version: "v1".to_owned(),
        agreements: Vec::new(),
        break_glass: None,
        token_id: Some("token-1".to_owned()),
        request_digest: "ab".repeat(32),
        refused: None,
    }
}

pub(super) fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
