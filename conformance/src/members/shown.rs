//! What members show, in short.

use super::{Later, Others, status};
use oxrdf::NamedNode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use twinlink_federation::{
    Peers as _, Summaries, Summarized, Summary, SummaryLimits, SummaryQuestion, SummaryReply,
    Unanswered,
};
use twinlink_store::TwinStore;

/// What the members show, in short.
pub(super) struct Shown {
    pub(super) first: Arc<TwinStore>,
    pub(super) others: Arc<Others>,
}

impl Shown {
    fn reply(&self, name: &NamedNode, question: &SummaryQuestion<'_>) -> Option<Summarized> {
        let number = self.others.list().iter().position(|peer| peer == name);
        let (store, permit) = match number {
            None => (&self.first, question.permit),
            Some(number) => {
                let member = self.others.members.get(number)?;
                self.others.summaries.fetch_add(1, Ordering::Relaxed);
                (&member.store, member.permit.as_ref()?)
            }
        };
        let snapshot = store.snapshot();
        let version = snapshot.sequence().to_string();
        let said = |reply| Summarized {
            reply,
            status: Some(status(name, snapshot.time(), permit)),
        };
        if question.held == Some(&version) {
            return Some(said(SummaryReply::Held));
        }
        let quads = snapshot.quads(permit.guard(), question.budget).ok()?;
        let limits = SummaryLimits::default();
        let recipients = self
            .others
            .recipients(number.map_or(0, |number| number + 1));
        let summary = Summary::of(version, quads, &limits)?.with_recipients(recipients);
        // What travels is bytes, as on the wire.
        let bytes = summary.encode();
        if number.is_some() {
            self.others.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
        }
        let summary = Summary::decode(&bytes, &limits).ok()?;
        Some(said(SummaryReply::Other(Arc::new(summary))))
    }
}

impl Summaries for Shown {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> Later<'a, Result<Option<Summarized>, Unanswered>> {
        let reply = self.reply(member, question);
        Box::pin(std::future::ready(Ok(reply)))
    }
}
