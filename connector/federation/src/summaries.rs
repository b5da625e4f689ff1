//! Summaries of all members: how they are had, and kept for the next question.

mod sent;

use crate::members::Members;
use crate::peers::Unanswered;
use crate::summary::Summary;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use twinlink_core::policy::Permit;
use twinlink_core::{Budget, Delegation, SourceStatus};

/// Where summaries come from: this twin's is made here, a peer's is asked for.
pub trait Summaries: Send + Sync {
    /// What the member shows this caller for this purpose, and nothing that it withholds. None where there is no
    /// summary: the member is asked what it can match then.
    ///
    /// Need not watch the deadline: whoever calls drops the future when it has passed.
    ///
    /// # Errors
    /// Why the member did not say.
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>>;
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
    /// It, where it is held here.
    pub base: Option<&'a Summary>,
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

pub(crate) use sent::Sent;

/// What an entry takes beside its summary, in bytes, roughly.
const ENTRY: usize = 512;

/// The summaries had so far.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    kept: Mutex<All>,
}

/// What is kept, and how much that is: counted as it comes and goes, as with many members and callers there is much of it.
#[derive(Debug, Default)]
struct All {
    of: FxHashMap<Key, Kept>,
    bytes: usize,
}

/// Whose view of which member. Two callers never share what they know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    member: NamedNode,
    participant: NamedNode,
    subject: String,
    roles: Vec<NamedNode>,
    purpose: Option<NamedNode>,
    claims: BTreeMap<NamedNode, Vec<NamedNode>>,
    /// Breaking the glass for an incident shows more.
    break_glass: Option<NamedNode>,
}

impl Key {
    pub(crate) fn new(member: &NamedNode, delegation: &Delegation) -> Self {
        Self {
            member: member.clone(),
            participant: delegation.participant.clone(),
            subject: delegation.subject.clone(),
            roles: delegation.roles.clone(),
            purpose: delegation.purpose.clone(),
            claims: delegation.claims.clone(),
            break_glass: delegation.break_glass.clone(),
        }
    }
}

#[derive(Debug, Clone)]
struct Kept {
    /// None where the member gave none.
    summary: Option<Arc<Summary>>,
    /// When the member last said that it is so.
    confirmed: Instant,
    used: Instant,
    /// What it takes, roughly: counting it reads all of the summary.
    bytes: usize,
}

impl All {
    fn forget(&mut self, gone: Option<Kept>) {
        let bytes = gone.map_or(0, |kept| kept.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, All> {
        // Each change is one call of the map; a count that is a little off costs a summary at most.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The summary of a member, as the member itself confirms or as it did no longer ago than the limits allow. None where
    /// it gives none.
    ///
    /// # Errors
    /// Why it did not answer. What is held of it stays, for it to confirm when it does.
    pub(crate) async fn summary(
        &self,
        members: &Members<'_>,
        summaries: &dyn Summaries,
        member: usize,
    ) -> Result<Option<Arc<Summary>>, Unanswered> {
        let Some(name) = members.names.get(member) else {
            return Ok(None);
        };
        let delegation = members.delegation;
        let key = Key::new(name, delegation);
        let now = members.clock.instant();
        let kept = self.lock().of.get_mut(&key).map(|kept| {
            kept.used = now;
            kept.clone()
        });
        let limits = &members.limits;
        // This twin is asked anyway: it costs no request.
        if let Some(kept) = kept.as_ref().filter(|_| member != 0) {
            let age = match kept.summary {
                // How old it is has to be asked.
                Some(_) if members.ledger.must_be_fresh(member) => Duration::ZERO,
                Some(_) => limits.summary_age,
                None => limits.summary_retry,
            };
            if now.saturating_duration_since(kept.confirmed) < age {
                return Ok(kept.summary.clone());
            }
        }
        let (held, bytes) = kept.map_or((None, ENTRY), |kept| (kept.summary, kept.bytes));
        let question = SummaryQuestion {
            permit: members.permit,
            delegation,
            budget: members.budget,
            held: held.as_ref().map(|held| held.version()),
            base: held.as_deref(),
        };
        members.ledger.begin(member, now);
        let reply = members.brief(member, summaries.summary(name, &question));
        let reply = reply.await;
        members.ledger.end(member, members.clock.instant());
        let reply = match reply {
            Ok(reply) => reply,
            Err(
                why @ (Unanswered::Unreachable { .. }
                | Unanswered::NotAsked { .. }
                | Unanswered::TimedOut),
            ) if member != 0 => return Err(why),
            // It is there, and gives none.
            Err(_) => None,
        };
        if let Some(status) = reply.as_ref().and_then(|reply| reply.status.as_ref()) {
            members.ledger.says(member, status);
        }
        let (summary, bytes) = match (reply.map(|reply| reply.reply), held) {
            (Some(SummaryReply::Held), held) => (held, bytes),
            (Some(SummaryReply::Other(summary)), _) => {
                let bytes = ENTRY + summary.bytes();
                (Some(summary), bytes)
            }
            (None, _) => (None, ENTRY),
        };
        let kept = Kept {
            summary: summary.clone(),
            confirmed: now,
            used: now,
            bytes,
        };
        self.keep(key, kept, limits.summary_bytes);
        Ok(summary)
    }

    /// Keeps it, and no more bytes than so many: what was not used for longest goes.
    fn keep(&self, key: Key, kept: Kept, most: usize) {
        let mut all = self.lock();
        all.bytes = all.bytes.saturating_add(kept.bytes);
        let before = all.of.insert(key, kept);
        all.forget(before);
        while all.bytes > most {
            let oldest = all.of.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            let gone = all.of.remove(&oldest);
            all.forget(gone);
        }
    }
}
