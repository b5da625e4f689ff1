//! Summaries of all members: how they are had, and kept for the next question.

use crate::members::Members;
use crate::summary::Summary;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use twinlink_core::policy::Permit;
use twinlink_core::{Budget, Delegation, SourceStatus};

/// Where summaries come from: this twin's is made here, a peer's is asked for.
pub trait Summaries: Send + Sync {
    /// What the member shows this caller for this purpose, and nothing that it withholds. None where there is no
    /// summary: the member is asked what it can match then.
    ///
    /// Need not watch the deadline: whoever calls drops the future when it has passed.
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Option<Summarized>>;
}

/// A question for a summary.
#[derive(Debug)]
pub struct SummaryQuestion<'a> {
    /// What this twin shows.
    pub permit: &'a Permit,
    /// On whose behalf, and for which purpose.
    pub delegation: &'a Delegation,
    /// The time there is.
    pub budget: &'a Budget,
    /// The version that is held already.
    pub held: Option<&'a str>,
}

/// A reply to it.
#[derive(Debug, Clone)]
pub enum SummaryReply {
    /// What is held is as it would be made now.
    Held,
    /// This is.
    Other(Arc<Summary>),
}

/// A reply, and what the member says of itself.
#[derive(Debug, Clone)]
pub struct Summarized {
    /// The reply.
    pub reply: SummaryReply,
    /// Age, policies and receipt of this use, where it has some.
    pub status: Option<SourceStatus>,
}

impl From<SummaryReply> for Summarized {
    fn from(reply: SummaryReply) -> Self {
        Self {
            reply,
            status: None,
        }
    }
}

/// The summaries had so far.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    kept: Mutex<FxHashMap<Key, Kept>>,
}

/// Whose view of which member. Two callers never share what they know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    member: NamedNode,
    participant: NamedNode,
    subject: String,
    roles: Vec<NamedNode>,
    purpose: Option<NamedNode>,
    claims: BTreeMap<NamedNode, Vec<NamedNode>>,
    /// Breaking the glass for an incident shows more.
    break_glass: Option<NamedNode>,
}

#[derive(Debug, Clone)]
struct Kept {
    summary: Arc<Summary>,
    /// When the member last said that it is so.
    confirmed: Instant,
    used: Instant,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<Key, Kept>> {
        // Each change is one call of the map.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The summary of a member, as the member itself confirms or as it did no longer ago than the limits allow.
    pub(crate) async fn summary(
        &self,
        members: &Members<'_>,
        summaries: &dyn Summaries,
        member: usize,
    ) -> Option<Arc<Summary>> {
        let name = members.names.get(member)?;
        let delegation = members.delegation;
        let key = Key {
            member: name.clone(),
            participant: delegation.participant.clone(),
            subject: delegation.subject.clone(),
            roles: delegation.roles.clone(),
            purpose: delegation.purpose.clone(),
            claims: delegation.claims.clone(),
            break_glass: delegation.break_glass.clone(),
        };
        let now = members.clock.instant();
        let kept = self.lock().get_mut(&key).map(|kept| {
            kept.used = now;
            kept.clone()
        });
        let limits = &members.limits;
        if let Some(kept) = &kept
            // This twin is asked anyway: it costs no request.
            && member != 0
            && now.saturating_duration_since(kept.confirmed) < limits.summary_age
        {
            return Some(Arc::clone(&kept.summary));
        }
        let question = SummaryQuestion {
            permit: members.permit,
            delegation,
            budget: members.budget,
            held: kept.as_ref().map(|kept| kept.summary.version()),
        };
        members.ledger.begin(member, now);
        let reply = members
            .in_time(summaries.summary(name, &question), limits.probe_patience)
            .await
            .flatten();
        members.ledger.end(member, members.clock.instant());
        if let Some(status) = reply.as_ref().and_then(|reply| reply.status.as_ref()) {
            members.ledger.says(member, status);
        }
        let summary = match (reply.map(|reply| reply.reply), kept) {
            (Some(SummaryReply::Held), Some(kept)) => kept.summary,
            (Some(SummaryReply::Other(summary)), _) => summary,
            (Some(SummaryReply::Held), None) | (None, _) => {
                self.lock().remove(&key);
                return None;
            }
        };
        let kept = Kept {
            summary: Arc::clone(&summary),
            confirmed: now,
            used: now,
        };
        self.keep(key, kept, limits.summary_bytes);
        Some(summary)
    }

    /// Keeps it, and no more bytes than so many: what was not used for longest goes.
    fn keep(&self, key: Key, kept: Kept, most: usize) {
        let mut all = self.lock();
        all.insert(key, kept);
        let mut bytes: usize = all.values().map(|kept| kept.summary.bytes()).sum();
        while bytes > most {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            let gone = all.remove(&oldest);
            bytes -= gone.map_or(bytes, |kept| kept.summary.bytes());
        }
    }
}
