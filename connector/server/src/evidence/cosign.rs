//! Peers are shown our log as it grows, and sign that they saw it: then nobody can be shown another one.

use super::Evidence;
use crate::peers::Remote;
use futures::future::join_all;
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::Weak;
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_client::{Error, WitnessReply};
use twinlink_core::{Code, Refusal};
use twinlink_trust::{Digest256, EntryKind, Sealed, verify_cosignature};

/// What a peer has signed.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    size: u64,
    uses: u64,
}

/// Shows every peer our log, where it grew, each time that `interval` has passed. Runs until the peers are gone.
pub(crate) async fn cosign(remote: Weak<Remote>, interval: Duration) {
    let mut peers: HashMap<NamedNode, Known> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        let Some(remote) = remote.upgrade() else {
            return;
        };
        let Some(sealed) = remote.evidence().receipts.sealed() else {
            continue;
        };
        let participants = remote.participants()();
        peers.retain(|peer, _| participants.contains(peer));
        let (all, remote, sealed) = (&peers, &*remote, &sealed);
        let shown = participants.iter().map(|peer| async move {
            let known = all.get(peer).copied().unwrap_or_default();
            if known.uses == sealed.uses {
                return None;
            }
            match show(remote, peer, sealed, known.size).await {
                Ok(known) => known.map(|known| (peer.clone(), known)),
                Err(error) => {
                    tracing::info!(peer = peer.as_str(), %error, "a peer did not cosign our log");
                    None
                }
            }
        });
        let shown: Vec<_> = join_all(shown).await;
        peers.extend(shown.into_iter().flatten());
    }
}

/// Shows a peer our log; what it has signed by then.
async fn show(
    remote: &Remote,
    peer: &NamedNode,
    sealed: &Sealed,
    known: u64,
) -> Result<Option<Known>, Error> {
    let mut from = known;
    for _ in 0..2 {
        let proof = prove(remote.evidence(), from, sealed.size).await;
        let proof = proof.map_err(|refusal| Error::Configuration(refusal.to_string()))?;
        let text = sealed.checkpoint.clone();
        match remote.witness(peer, text, (from, proof)).await {
            Ok(WitnessReply::Cosigned(text)) => {
                return match remote.evidence().cosigned(peer, sealed, text).await {
                    Ok(()) => Ok(Some(Known {
                        size: sealed.size,
                        uses: sealed.uses,
                    })),
                    Err(refusal) => Err(Error::Nonsense(refusal.to_string())),
                };
            }
            Ok(WitnessReply::Seen(size)) if size < sealed.size => from = size,
            Ok(WitnessReply::Seen(size)) => {
                tracing::error!(
                    peer = peer.as_str(),
                    size,
                    ours = sealed.size,
                    "a peer has seen more of our log of use than there is: its end is missing here"
                );
                return Ok(None);
            }
            Err(Error::Conflict(reason)) => {
                tracing::error!(
                    peer = peer.as_str(),
                    reason,
                    "a peer has seen another past of our log of use"
                );
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// That our log grew from this size; of nothing there is nothing to prove.
async fn prove(evidence: &Evidence, old: u64, new: u64) -> Result<Vec<[u8; 32]>, Refusal> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let receipts = std::sync::Arc::clone(&evidence.receipts);
    let proof = super::blocking(move || receipts.prove(old, new)).await?;
    Ok(proof.iter().map(Digest256::bytes).collect())
}

impl Evidence {
    /// Keeps what a peer signed of our log.
    async fn cosigned(
        &self,
        peer: &NamedNode,
        sealed: &Sealed,
        text: String,
    ) -> Result<(), Refusal> {
        let trusted = self.registry.current();
        let seen = verify_cosignature(&text, peer, trusted.keys(peer))?;
        if seen.log != self.own.as_str() || seen.size != sealed.size {
            let detail = "it signed another checkpoint than it was shown";
            return Err(Refusal::new(Code::Invalid, "cosignature", detail));
        }
        let kind = EntryKind::Cosigned {
            participant: peer.as_str().to_owned(),
            cosignature: text,
        };
        let noted = self.receipts.note(kind, OffsetDateTime::now_utc()).await;
        noted.map(drop)
    }
}
