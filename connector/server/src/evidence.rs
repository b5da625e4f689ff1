//! Evidence of what passes between this connector and its peers: the intent to ask on disk before anything is asked, each
//! answer held against its receipt, and what was received acknowledged, in the background.

mod acknowledge;
mod calls;
mod cosign;
mod witness;

use crate::peers::Remote;
use calls::Calls;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use twinlink_core::{Code, Delegation, Refusal, SignedRequest};
use twinlink_trust::{Arrived, Asking, CurrentIdentity, Receipts, Received, Registry};
use witness::Watch;

/// The most answers that wait for their record to be on disk, or for their acknowledgement to be sent, before the next
/// answers wait.
const WAITING: usize = 4096;

/// What was received of a peer's answer, and is on disk here.
pub(crate) type Due = (NamedNode, Received);

/// The record that both sides of an exchange keep.
pub struct Evidence {
    own: NamedNode,
    receipts: Arc<Receipts>,
    registry: Arc<Registry>,
    due: mpsc::Sender<Due>,
    watch: Watch,
    calls: Calls,
}

/// An answer of a peer, as it came.
pub(crate) struct Answered<'a> {
    pub(crate) peer: &'a NamedNode,
    pub(crate) delegation: &'a Delegation,
    pub(crate) signed: &'a SignedRequest,
    pub(crate) request_digest: &'a str,
    pub(crate) result_digest: &'a str,
    pub(crate) rows: u64,
    pub(crate) receipt: &'a str,
}

impl Evidence {
    /// Keeps its records in this log. What is to be acknowledged comes out at the other end.
    pub(crate) fn new(
        own: NamedNode,
        receipts: Arc<Receipts>,
        registry: Arc<Registry>,
    ) -> (Arc<Self>, mpsc::Receiver<Due>) {
        let (due, acknowledged) = mpsc::channel(WAITING);
        let evidence = Self {
            own,
            receipts,
            registry,
            due,
            watch: Watch::default(),
            calls: Calls::default(),
        };
        (Arc::new(evidence), acknowledged)
    }

    /// Our own log of use.
    pub(crate) fn receipts(&self) -> &Arc<Receipts> {
        &self.receipts
    }

    /// Makes the intent to ask durable; gives what the peer is to be shown.
    ///
    /// # Errors
    /// As [`Receipts::ask`]: then the peer must not be asked.
    pub(crate) async fn ask(
        &self,
        peer: &NamedNode,
        delegation: &Delegation,
        request_digest: &str,
    ) -> Result<SignedRequest, Refusal> {
        let asking = Asking {
            provider: peer.clone(),
            request: delegation.request,
            request_digest: request_digest.to_owned(),
            subject: delegation.subject.clone(),
            purpose: delegation.purpose.clone(),
            time: OffsetDateTime::now_utc(),
        };
        self.receipts.ask(&asking).await
    }

    /// Records an answer, and has it acknowledged once that is on disk. Waits for room, not for the disk: the record is in
    /// the log before the end of the use that it is a part of.
    ///
    /// # Errors
    /// What is wrong with its receipt: then the answer must not be believed; [`twinlink_core::Code::Unavailable`] where
    /// the log cannot take it.
    // INVARIANT(no-receipt-no-belief): an answer counts only if its receipt is of these rows, this request and its sender.
    pub(crate) async fn answered(&self, answer: Answered<'_>) -> Result<(), Refusal> {
        let room = self.due.clone().reserve_owned().await.ok();
        let trusted = self.registry.current();
        let arrived = Arrived {
            provider: answer.peer,
            request: answer.delegation.request,
            transaction: &answer.signed.transaction,
            request_digest: answer.request_digest,
            result_digest: answer.result_digest,
            rows: answer.rows,
            receipt: answer.receipt,
        };
        let now = OffsetDateTime::now_utc();
        let keys = trusted.keys(answer.peer);
        let (written, received) = self.receipts.answered(&arrived, &self.own, keys, now)?;
        let received = received.inspect_err(|refusal| {
            tracing::error!(peer = answer.peer.as_str(), check = refusal.check(), %refusal, "a peer's receipt is not of its answer");
        });
        let due = received.as_ref().ok().cloned();
        let (Some(room), Some(due)) = (room, due) else {
            return received.map(drop);
        };
        let peer = answer.peer.clone();
        tokio::spawn(async move {
            match written.await {
                Ok(()) => drop(room.send((peer, due))),
                Err(refusal) => tracing::error!(%refusal, "an answer could not be recorded"),
            }
        });
        Ok(())
    }
}

impl Evidence {
    /// Lets a peer call: before anything is looked at that it says.
    ///
    /// # Errors
    /// [`twinlink_core::Code::Exhausted`], check `evidence.rate`.
    pub(crate) fn call(&self, peer: &NamedNode) -> Result<(), Refusal> {
        self.calls.admit(peer, Instant::now())
    }

    /// Takes in what a consumer says that it received of our answers; gives how many of them that is.
    ///
    /// # Errors
    /// As [`Receipts::acknowledge`].
    pub(crate) async fn acknowledged(
        &self,
        consumer: NamedNode,
        statement: String,
    ) -> Result<u32, Refusal> {
        let (receipts, registry) = (Arc::clone(&self.receipts), Arc::clone(&self.registry));
        let own = self.own.clone();
        let written = blocking(move || {
            let trusted = registry.current();
            let said = (&consumer, trusted.keys(&consumer));
            receipts.acknowledge(&statement, said, &own, OffsetDateTime::now_utc())
        })
        .await?;
        Ok(u32::try_from(written.await?).unwrap_or(u32::MAX))
    }
}

/// Begins what goes on in the background: acknowledgements, and the watch over logs. Ends with the peers.
pub(crate) fn watch(
    remote: &Arc<Remote>,
    due: mpsc::Receiver<Due>,
    identity: &Arc<CurrentIdentity>,
    interval: Duration,
) {
    let evidence = Arc::clone(remote.evidence());
    let identity = Arc::clone(identity);
    let (receipts, left) = (Arc::clone(&evidence.receipts), Arc::downgrade(remote));
    // What comes in from now on has its queue.
    let last = evidence.receipts.last();
    tokio::spawn(async move {
        let find = move || match last? {
            Some(last) => receipts.undelivered(last, acknowledge::WAITING),
            None => Ok(Vec::new()),
        };
        let found = blocking(find).await;
        let found = found.unwrap_or_else(|refusal| {
            tracing::error!(%refusal, "what was not acknowledged before the start is not known");
            Vec::new()
        });
        acknowledge::acknowledge(found, due, left).await;
    });
    tokio::spawn(cosign::cosign(Arc::downgrade(remote), interval));
    tokio::spawn(async move {
        if let Err(refusal) = evidence.recall(identity).await {
            tracing::error!(%refusal, "what peers showed of their logs is not known: none is cosigned");
        }
    });
}

/// Does what blocks on the disk where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = |error| Refusal::new(Code::Internal, "evidence", error);
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evidence")
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}
