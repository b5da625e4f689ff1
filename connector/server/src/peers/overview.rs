//! What a peer shows in short: asked for on behalf of the caller, taken in within bounds.

use super::{Remote, reply, token};
use oxrdf::NamedNode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use twinlink_client::SummaryOptions;
use twinlink_federation::{
    Summarized, Summary, SummaryError, SummaryLimits, SummaryQuestion, SummaryReply,
};

/// The largest summary that is taken from a peer, in bytes.
const MOST_BYTES: usize = 16 << 20;

impl Remote {
    /// The peer's summary for this caller, if it gives one. Whatever goes wrong here, the peer is asked the long way and
    /// what becomes of that is told.
    pub(crate) async fn overview(
        &self,
        peer: &NamedNode,
        question: &SummaryQuestion<'_>,
    ) -> Option<Summarized> {
        let started = Instant::now();
        let delegation = question.delegation;
        let peers = self.peers.load_full();
        let entry = peers.iter().find(|entry| &entry.participant == peer)?;
        let replica = entry.preferred.load(Ordering::Relaxed);
        let client = entry.client(replica, token(entry, delegation).ok()?).ok()?;
        let options = SummaryOptions {
            purpose: delegation.purpose.clone(),
            break_glass: delegation.break_glass.clone(),
            request_id: Some(delegation.request.to_string()),
            envelope: None,
            held: question.held.map(str::to_owned),
            deadline: question.budget.deadline().into(),
        };
        let told = match client.summarize(options).await {
            Ok(told) => told?,
            Err(error) => {
                tracing::debug!(peer = peer.as_str(), %error, "a peer gives no summary");
                return None;
            }
        };
        let reply = match told.bytes.as_deref().map(read) {
            None => SummaryReply::Held,
            Some(Ok(summary)) => SummaryReply::Other(Arc::new(summary)),
            Some(Err(error)) => {
                tracing::info!(peer = peer.as_str(), %error, "a peer's summary is of no use");
                return None;
            }
        };
        let status = reply::own_status(peer, told.outcome, started).ok()?;
        Some(Summarized {
            reply,
            status: Some(status),
        })
    }
}

fn read(bytes: &[u8]) -> Result<Summary, SummaryError> {
    if bytes.len() > MOST_BYTES {
        return Err(SummaryError::Size);
    }
    Summary::decode(bytes, &SummaryLimits::default())
}
