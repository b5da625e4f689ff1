//! One organisation with its log of use, in memory.

use crate::library::Fault;
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use oxrdf::NamedNode;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};
use twinlink_core::{Journal, Recorded, Refusal, UseLog as _, UseRecord};
use twinlink_trust::{
    Acknowledgement, Arrived, Asking, Authority, Checkpoint, CurrentIdentity, EntryKind, Identity,
    PublicKey, Receipts, Shown, Subject, Witness, Witnessed, list_entries, verify_checkpoint,
    verify_envelope,
};
use uuid::Uuid;

/// Numbered records.
pub(super) type Records = Vec<(u64, Vec<u8>)>;

/// A journal in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    records: Mutex<Records>,
    seal: Mutex<Option<Vec<u8>>>,
}

/// An organisation.
pub(super) struct Side {
    pub(super) id: NamedNode,
    pub(super) identity: Arc<Identity>,
    pub(super) journal: Arc<Memory>,
    receipts: Receipts,
    /// The state of its twin, which its intents name.
    pub(super) version: Option<Arc<str>>,
}

impl Memory {
    pub(super) fn of(records: Records) -> Self {
        Self {
            records: Mutex::new(records),
            seal: Mutex::default(),
        }
    }

    pub(super) fn records(&self) -> Records {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What was signed of it when it was written last.
    pub(super) fn sealed(&self) -> Vec<u8> {
        let seal = self.seal.lock().unwrap_or_else(PoisonError::into_inner);
        seal.clone().unwrap_or_default()
    }

    pub(super) fn replace(&self, records: Records) {
        *self.records.lock().unwrap_or_else(PoisonError::into_inner) = records;
    }
}

impl Journal for Memory {
    fn append(
        &self,
        added: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut places = Vec::with_capacity(added.len());
        for record in added {
            let sequence = records.last().map_or(1, |(last, _)| last + 1);
            records.push((sequence, record));
            places.push(sequence);
        }
        *self.seal.lock().unwrap_or_else(PoisonError::into_inner) = Some(seal);
        Box::pin(ready(Ok(places)))
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        let seal = self.seal.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(seal.clone())
    }

    fn read(&self, from: u64, most: usize) -> Result<Records, Refusal> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
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
            receipts: Receipts::open(shared, current, &[]).map_err(fault)?,
            version: None,
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

    /// A whole use with what both sides record of it; gives the receipt, and the consumer's log as it showed it.
    pub(super) fn provide(
        &self,
        consumer: &Self,
        rows: u64,
    ) -> Result<(String, Checkpoint), Fault> {
        let now = OffsetDateTime::now_utc();
        let (mut used, request) = (record(consumer), Uuid::now_v7());
        used.dataset_version.clone_from(&self.version);
        let asking = Asking {
            provider: self.id.clone(),
            request,
            request_digest: used.request_digest.clone(),
            subject: used.subject.clone().unwrap_or_default(),
            purpose: used.purpose.clone(),
            time: now,
        };
        let signed = block_on(consumer.receipts.ask(&asking)).map_err(fault)?;
        let shown = verify_envelope(&signed.envelope, &consumer.id, &consumer.keys());
        let shown = shown.map_err(fault)?.checkpoint;
        let transaction = signed.transaction.clone();
        used.signed = Some(signed);
        let intent = block_on(self.receipts.intend(used)).map_err(fault)?;
        let result_digest = format!("{rows:064x}");
        let done = Recorded {
            rows,
            result_digest: result_digest.clone(),
            complete: true,
            failed: None,
            changed_to: None,
            time: now,
        };
        let receipt = block_on(self.receipts.complete(intent, done)).map_err(fault)?;
        let arrived = Arrived {
            provider: &self.id,
            request,
            transaction: &transaction,
            request_digest: &asking.request_digest,
            result_digest: &result_digest,
            rows,
            receipt: &receipt,
        };
        let answered = consumer
            .receipts
            .answered(&arrived, &consumer.id, &self.keys(), now);
        let (written, received) = answered.map_err(fault)?;
        block_on(written).map_err(fault)?;
        let received = vec![received.map_err(fault)?];
        let said = Acknowledgement::new(&consumer.identity, &self.id, received, now);
        let said = said.sign(&consumer.identity).map_err(fault)?;
        let keys = consumer.keys();
        let taken = self
            .receipts
            .acknowledge(&said, (&consumer.id, &keys), &self.id, now);
        block_on(taken.map_err(fault)?).map_err(fault)?;
        Ok((receipt, shown))
    }

    /// Signs that it saw another's log at its last checkpoint, and both keep that.
    pub(super) fn witness(&self, other: &Self) -> Result<Checkpoint, Fault> {
        let last = other.last_checkpoint()?;
        let entries = list_entries(&*other.journal, 0, usize::MAX).map_err(fault)?;
        let text = entries
            .iter()
            .rev()
            .find_map(|(_, entry)| match &entry.kind {
                EntryKind::Checkpoint { checkpoint, .. } => Some(checkpoint),
                _ => None,
            });
        let text = text.ok_or_else(|| fault("there is no checkpoint"))?;
        let current = CurrentIdentity::new((*self.identity).clone());
        let witness = Witness::new(current, &Witnessed::default());
        let (keys, now) = (other.keys(), OffsetDateTime::now_utc());
        let keep = |kind| block_on(self.receipts.note(kind, now)).map(drop);
        let shown = witness.cosign(text, (&other.id, &keys), (0, &[]), now, keep);
        let Shown::Cosigned(cosignature) = shown.map_err(fault)? else {
            return Err(fault("a first checkpoint was not cosigned"));
        };
        let kind = EntryKind::Cosigned {
            participant: self.id.as_str().to_owned(),
            cosignature,
        };
        block_on(other.receipts.note(kind, now)).map_err(fault)?;
        Ok(last)
    }
}

fn record(consumer: &Side) -> UseRecord {
    let iri = NamedNode::new_unchecked;
    let action = iri("http://www.w3.org/ns/odrl/2/read");
    UseRecord {
        participant: Some(consumer.id.clone()),
        subject: Some("officer-7".to_owned()),
        purpose: Some(iri("https://purposes.example/emergency")),
        policies: vec![iri("https://city.example/policies/1")],
        policy_version: "v1".to_owned(),
        token_id: Some("token-1".to_owned()),
        request_digest: "ab".repeat(32),
        ..UseRecord::new(Uuid::now_v7(), OffsetDateTime::now_utc(), action)
    }
}

pub(super) fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}
