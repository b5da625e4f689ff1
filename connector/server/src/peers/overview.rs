//! What a peer shows in short: asked for on behalf of the caller, taken in within bounds.

use super::asked::{not_asked, not_believed};
use super::{Peer, Remote, entry_of, reply};
use crate::evidence::Answered;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Instant;
use twinlink_client::{Error, SummaryOptions, SummaryReply as Told};
use twinlink_core::{SUMMARY, request_digest, summary_digest};
use twinlink_federation::{
    Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply, Unanswered,
};

impl Remote {
    /// The peer's summary for this caller, if it gives one.
    ///
    /// # Errors
    /// Why it did not say.
    pub(crate) async fn overview(
        &self,
        peer: &NamedNode,
        question: &SummaryQuestion<'_>,
    ) -> Result<Option<Summarized>, Unanswered> {
        let peers = self.peers.load_full();
        let Some(entry) = entry_of(&peers, peer) else {
            return Ok(None);
        };
        let ask = |replica: usize| -> BoxFuture<'_, _> {
            Box::pin(self.overview_of(entry, replica, question))
        };
        entry.hedged(ask).await
    }

    /// As one replica of the peer has it.
    async fn overview_of(
        &self,
        entry: &Peer,
        replica: usize,
        question: &SummaryQuestion<'_>,
    ) -> Result<Option<Summarized>, Unanswered> {
        let started = Instant::now();
        let (peer, delegation) = (&entry.participant, question.delegation);
        let client = entry.client(replica, self.token(entry, delegation)?)?;
        let options = SummaryOptions {
            purpose: delegation.purpose.clone(),
            break_glass: delegation.break_glass.clone(),
            request_id: Some(delegation.request.to_string()),
            envelope: None,
            held: question.held.map(str::to_owned),
            confirm: true,
            deadline: question.budget.deadline().into(),
        };
        // Mostly nothing has changed. That is asked first, as it costs neither side a record: nothing new is told.
        if options.held.is_some() {
            let told = client.summarize(options.clone()).await;
            let told = told.map_err(|error| no_summary(peer, error))?;
            if let (Told::Held, Some(outcome)) = (&told.reply, told.outcome) {
                return Ok(Some(Summarized {
                    reply: SummaryReply::Held,
                    status: Some(reply::own_status(peer, outcome, started)?),
                }));
            }
        }
        let request_digest = request_digest(SUMMARY, None, None);
        let asked = self.evidence.ask(peer, delegation, &request_digest).await;
        let signed = asked.map_err(|refusal| not_asked(peer, &refusal))?;
        let options = SummaryOptions {
            envelope: Some(signed.envelope.clone()),
            confirm: false,
            ..options
        };
        let told = client.summarize(options).await;
        let told = told.map_err(|error| no_summary(peer, error))?;
        let Some(outcome) = told.outcome else {
            return Ok(None);
        };
        let result_digest = match &told.reply {
            Told::Bytes(bytes) => summary_digest(bytes),
            Told::Held | Told::None => String::new(),
        };
        let answered = Answered {
            peer,
            delegation,
            signed: &signed,
            request_digest: &request_digest,
            result_digest: &result_digest,
            rows: 0,
            receipt: &outcome.receipt,
        };
        let recorded = self.evidence.answered(answered).await;
        recorded.map_err(|refusal| not_believed(&refusal))?;
        let reply = match &told.reply {
            Told::None => return Ok(None),
            Told::Held => SummaryReply::Held,
            Told::Bytes(bytes) => {
                match Summary::read(bytes, question.base, &SummaryLimits::default()) {
                    Ok(summary) => SummaryReply::Other(Arc::new(summary)),
                    Err(error) => {
                        tracing::info!(peer = peer.as_str(), %error, "a peer's summary is of no use");
                        return Ok(None);
                    }
                }
            }
        };
        Ok(Some(Summarized {
            reply,
            status: Some(reply::own_status(peer, outcome, started)?),
        }))
    }
}

fn no_summary(peer: &NamedNode, error: Error) -> Unanswered {
    tracing::debug!(peer = peer.as_str(), %error, "a peer gives no summary");
    reply::unanswered(peer, error)
}
