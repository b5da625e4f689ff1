//! Both sides of an exchange, as the log of use takes them in: what we ask and get, and what others say that they got.

use super::entry::{Draft, Record};
use super::envelope::{Acknowledgement, Asking, Received};
use super::scribe::{Told, ended};
use super::{EntryKind, ReceiptClaims, Receipts, audit, fault, text, verify_receipt};
use crate::PublicKey;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, SignedRequest, Signer};
use uuid::Uuid;

/// How many records back from the last one that was acknowledged others are, in bits: 128 KiB.
const WINDOW: u64 = 1 << 20;

/// Requests of which the intents wait for their siblings.
pub(super) type Siblings = Mutex<Vec<(Draft, Told)>>;

/// Which of the last records were acknowledged, by sequence number.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The number of the first bit: a multiple of 64.
    first: u64,
    bits: VecDeque<u64>,
}

/// What became of an answer that arrived: it is on record once the first resolves; what may be acknowledged then, or what
/// is wrong with its receipt.
pub type Answered = (
    BoxFuture<'static, Result<(), Refusal>>,
    Result<Received, Refusal>,
);

/// An answer that arrived, and what is to be checked of its receipt.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Who answered.
    pub provider: &'a NamedNode,
    /// The request here that it is a part of.
    pub request: Uuid,
    /// The request's id in both logs.
    pub transaction: &'a str,
    /// SHA-256 of what was asked, lower-case hex.
    pub request_digest: &'a str,
    /// SHA-256 over the rows as they arrived, lower-case hex.
    pub result_digest: &'a str,
    /// Rows or triples that arrived.
    pub rows: u64,
    /// The receipt that came with them.
    pub receipt: &'a str,
}

impl Receipts {
    /// Makes the intent to ask a peer durable. Gives what the peer is to be shown: the proof that the log holds it.
    ///
    /// Requests that are begun together, as the parts of one question are, share one fsync: each gives way once to the
    /// others before it goes to the disk.
    ///
    /// # Errors
    /// [`Code::Unavailable`]: then the request must not be sent.
    // INVARIANT(no-intent-no-request): what a peer is shown exists only once the intent is on disk.
    pub async fn ask(&self, asking: &Asking) -> Result<SignedRequest, Refusal> {
        let (draft, transaction) = Draft::asked(asking).map_err(|error| fault(&error))?;
        let (told, written) = oneshot::channel();
        lock(&self.siblings).push((draft, told));
        give_way().await;
        let mut siblings = std::mem::take(&mut *lock(&self.siblings));
        // Who was given up meanwhile asks nobody.
        siblings.retain(|(_, told)| !told.is_canceled());
        if !siblings.is_empty() {
            self.scribe.hand_all(siblings)?;
        }
        let written = written.await.unwrap_or_else(|_| Err(ended()))?;
        Ok(SignedRequest {
            by: Signer::Connector,
            transaction,
            envelope: text(written)?,
        })
    }

    /// Checks the receipt of an answer that arrived, and records both; what is wrong with a receipt is recorded, too.
    /// The record is in the log before whatever is handed to it after this returns, and on disk once the inner future
    /// resolves: then, and only then, what it gives may be acknowledged.
    ///
    /// # Errors
    /// [`Code::Unavailable`]; inside, what is wrong with the receipt, as [`verify_receipt`] and `receipt.request`,
    /// `receipt.result`, `receipt.participant`.
    pub fn answered(
        &self,
        arrived: &Arrived<'_>,
        own: &NamedNode,
        keys: &[PublicKey],
        now: OffsetDateTime,
    ) -> Result<Answered, Refusal> {
        let checked = verify_receipt(arrived.receipt, arrived.provider, keys).and_then(|claims| {
            claims.check_arrived(arrived, own)?;
            let digest = arrived.result_digest.to_owned();
            let transaction = arrived.transaction.to_owned();
            Ok(Received::new(transaction, &claims, digest, arrived.rows))
        });
        let kind = EntryKind::Answered {
            participant: arrived.provider.as_str().to_owned(),
            transaction: arrived.transaction.to_owned(),
            request: arrived.request.to_string(),
            result_digest: arrived.result_digest.to_owned(),
            rows: arrived.rows,
            receipt: match arrived.receipt.len() > super::LENGTH {
                true => String::new(),
                false => arrived.receipt.to_owned(),
            },
            fault: checked.as_ref().err().map(|r| r.check().to_owned()),
        };
        let written = self.write(kind, now)?;
        Ok((Box::pin(async move { written.await.map(drop) }), checked))
    }

    /// Takes in what a consumer says that it received, as far as we gave it and it did not say so before. Blocks on the
    /// journal; resolves to how many answers that is once it is on disk.
    ///
    /// What the consumer says of them may differ from what we gave: that is for [`super::reconcile()`] to tell.
    ///
    /// # Errors
    /// As [`Acknowledgement::verify`]; [`Code::Unavailable`].
    // INVARIANT(only-what-was-given-is-acknowledged): an acknowledgement is kept if it names records of answers to its sender.
    pub fn acknowledge(
        &self,
        statement: &str,
        (consumer, keys): (&NamedNode, &[PublicKey]),
        own: &NamedNode,
        now: OffsetDateTime,
    ) -> Result<impl Future<Output = Result<usize, Refusal>> + Send + use<>, Refusal> {
        let said = Acknowledgement::verify(statement, (consumer, keys), own)?;
        let mut transactions = Vec::new();
        for received in said.received {
            if self.gave(&received, consumer)? && self.mark(received.sequence) {
                transactions.push(received.transaction);
            }
        }
        let count = transactions.len();
        let written = match count {
            0 => None,
            _ => Some(self.write(
                EntryKind::Acknowledged {
                    participant: consumer.as_str().to_owned(),
                    transactions,
                    acknowledgement: statement.to_owned(),
                },
                now,
            )?),
        };
        Ok(async move {
            if let Some(written) = written {
                written.await?;
            }
            Ok(count)
        })
    }

    /// Whether our log has the answer that this is about, to this consumer.
    fn gave(&self, received: &Received, consumer: &NamedNode) -> Result<bool, Refusal> {
        Ok(match audit::at(&*self.journal, received.sequence)? {
            Some((Record::Entry(entry), digest)) if digest == received.record => {
                matches!(&entry.kind, EntryKind::Completion { used, .. }
                    if used.participant.as_deref() == Some(consumer.as_str())
                        && used.transaction.as_deref() == Some(&received.transaction))
            }
            _ => false,
        })
    }

    pub(super) fn mark(&self, sequence: u64) -> bool {
        lock(&self.acknowledged).mark(sequence)
    }
}

impl ReceiptClaims {
    /// Checks that it is of the answer that arrived, for this consumer.
    ///
    /// # Errors
    /// [`Code::Invalid`], check `receipt.participant`, `receipt.request` or `receipt.result`.
    pub fn check_arrived(&self, arrived: &Arrived<'_>, own: &NamedNode) -> Result<(), Refusal> {
        let fail =
            |check, detail: &str| Err(Refusal::new(Code::Invalid, check, detail).at(&self.iss));
        if self.used.participant.as_deref() != Some(own.as_str()) {
            return fail("receipt.participant", "is of another consumer's use");
        }
        if self.used.transaction.as_deref() != Some(arrived.transaction)
            || self.used.request_digest != arrived.request_digest
        {
            return fail("receipt.request", "is of another request");
        }
        if self.result_digest != arrived.result_digest || self.rows != arrived.rows {
            return fail("receipt.result", "is of other rows than those that arrived");
        }
        Ok(())
    }
}

impl Window {
    /// Marks a number; whether it was not marked before. What is too far back counts as marked.
    pub(super) fn mark(&mut self, sequence: u64) -> bool {
        if self.bits.is_empty() {
            // What came shortly before may still come.
            self.first = sequence.saturating_sub(WINDOW / 2) / 64 * 64;
        }
        let Some(place) = sequence.checked_sub(self.first) else {
            return false;
        };
        if place / 64 >= 2 * WINDOW / 64 {
            // Far ahead: nothing that is kept now would still be within the window.
            self.bits.clear();
            return self.mark(sequence);
        }
        let word = usize::try_from(place / 64).unwrap_or(usize::MAX);
        while self.bits.len() <= word {
            self.bits.push_back(0);
        }
        let bit = 1_u64 << (place % 64);
        let is_new = self.bits.get_mut(word).is_some_and(|bits| {
            let is_new = *bits & bit == 0;
            *bits |= bit;
            is_new
        });
        while self.bits.len() as u64 > WINDOW / 64 {
            self.bits.pop_front();
            self.first += 64;
        }
        is_new
    }
}

/// Lets others that are ready go first, once.
async fn give_way() {
    let mut has_given = false;
    std::future::poll_fn(|context| match has_given {
        true => Poll::Ready(()),
        false => {
            has_given = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in them is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
