//! Peers show us their logs: we sign what grew from what we saw before, and keep what contradicts it.

use super::{Evidence, blocking};
use oxrdf::NamedNode;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};
use twinlink_trust::{Digest256, EntryKind, Readmission, Shown, Witness};

/// So much time is between two of a peer's checkpoints that are signed.
const EVERY: Duration = Duration::from_secs(1);

/// What is known of peers' logs.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// None until our own log was read for what was seen before.
    witness: OnceLock<Witness>,
    /// When something was last signed for each peer; of peers alone, so it is as bounded as they are.
    last: Mutex<HashMap<NamedNode, Instant>>,
    contradicted: Mutex<BTreeSet<String>>,
}

impl Evidence {
    /// Reads our own log for what was seen of peers' logs before. Until then, none is signed.
    ///
    /// # Errors
    /// As [`twinlink_trust::Receipts::witnessed`].
    pub(crate) async fn recall(
        &self,
        identity: Arc<twinlink_trust::CurrentIdentity>,
    ) -> Result<(), Refusal> {
        let receipts = Arc::clone(&self.receipts);
        let witnessed = blocking(move || receipts.witnessed()).await?;
        for peer in witnessed.contradicted.keys() {
            tracing::error!(
                peer,
                "a peer's log of use contradicts what it showed before: see `twinlink audit list`"
            );
            lock(&self.watch.contradicted).insert(peer.clone());
        }
        let witness = Witness::new(identity, &witnessed);
        let twice = |_| Refusal::new(Code::Internal, "checkpoint.witness", "recalled twice");
        self.watch.witness.set(witness).map_err(twice)
    }

    /// The peers whose logs contradict what they showed before.
    pub fn contradicted(&self) -> Vec<String> {
        lock(&self.watch.contradicted).iter().cloned().collect()
    }

    /// Takes the log of a peer up again that contradicted itself, on record; gives the record's place, and how long the peer's
    /// log was at the checkpoint from which it goes on. Reads our own log.
    ///
    /// # Errors
    /// As [`Readmission::record`]; [`Code::Unavailable`].
    pub(crate) async fn readmit(
        self: &Arc<Self>,
        peer: NamedNode,
        from: Option<String>,
        (by, reason): (String, String),
    ) -> Result<(u64, u64), Refusal> {
        let evidence = Arc::clone(self);
        blocking(move || {
            let trusted = evidence.registry.current();
            let readmission = Readmission {
                participant: &peer,
                from: from.as_deref(),
                by: &by,
                reason: &reason,
            };
            let known = evidence.receipts.witnessed()?;
            let (kind, checkpoint) = readmission.record(&known, trusted.keys(&peer))?;
            let text = match &kind {
                EntryKind::Readmitted { checkpoint, .. } => checkpoint.clone(),
                _ => String::new(),
            };
            let noted = evidence.receipts.note(kind, OffsetDateTime::now_utc());
            let (recorded, size) = (futures::executor::block_on(noted)?, checkpoint.size);
            if let Some(witness) = evidence.watch.witness.get() {
                witness.readmit(checkpoint, text);
            }
            lock(&evidence.watch.contradicted).remove(peer.as_str());
            tracing::warn!(
                peer = peer.as_str(),
                by,
                reason,
                "a peer's log of use is taken up again"
            );
            Ok((recorded, size))
        })
        .await
    }

    /// Signs a peer's checkpoint, if its log grew from the last one that it showed.
    ///
    /// # Errors
    /// As [`Witness::cosign`]; [`Code::Exhausted`], check `checkpoint.rate`; [`Code::Unavailable`] at the start.
    // INVARIANT(contradictions-are-kept): what shows that a peer rewrote its log is on disk, and told, from then on.
    pub(crate) async fn witnessed(
        self: &Arc<Self>,
        peer: NamedNode,
        checkpoint: String,
        (old_size, proof): (u64, Vec<Digest256>),
    ) -> Result<Shown, Refusal> {
        if self.watch.witness.get().is_none() {
            let detail = "our own log is being read";
            return Err(Refusal::new(
                Code::Unavailable,
                "checkpoint.witness",
                detail,
            ));
        }
        self.check_rate(&peer)?;
        let evidence = Arc::clone(self);
        blocking(move || {
            let trusted = evidence.registry.current();
            let (keys, now) = (trusted.keys(&peer), OffsetDateTime::now_utc());
            let keep = |kind: EntryKind| {
                if matches!(kind, EntryKind::Contradicted { .. }) {
                    lock(&evidence.watch.contradicted).insert(peer.as_str().to_owned());
                }
                let noted = evidence.receipts.note(kind, now);
                futures::executor::block_on(noted).map(drop)
            };
            let witness = evidence.watch.witness.get().ok_or_else(|| {
                Refusal::new(Code::Internal, "checkpoint.witness", "there is no witness")
            })?;
            let old = (old_size, proof.as_slice());
            let shown = witness.cosign(&checkpoint, (&peer, keys), old, now, keep);
            if matches!(shown, Ok(Shown::Cosigned(_))) {
                lock(&evidence.watch.last).insert(peer.clone(), Instant::now());
            }
            if let Err(refusal) = &shown
                && refusal.code() == Code::Conflict
            {
                tracing::error!(peer = peer.as_str(), %refusal, "A PEER REWROTE ITS LOG OF USE: the evidence is in our log");
            }
            shown
        })
        .await
    }

    fn check_rate(&self, peer: &NamedNode) -> Result<(), Refusal> {
        let last = lock(&self.watch.last);
        let is_early = |last: &Instant| last.elapsed() < EVERY;
        if last.get(peer).is_some_and(is_early) {
            let detail = "a log is signed once a second";
            return Err(Refusal::new(Code::Exhausted, "checkpoint.rate", detail).at(peer.as_str()));
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is in them is whole after every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
