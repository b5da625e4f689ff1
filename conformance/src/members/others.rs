//! The members that are asked by the first, and what they were asked.

use super::{Kept, Later, Member, participant};
use oxrdf::NamedNode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::policy::Permit;
use twinlink_core::{Limits, Refusal, SourceState, SourceStatus, Twin as _, parse_query};
use twinlink_federation::{Peers, SubAnswer, SubQuery, Unanswered};

/// Members but for the first.
pub(super) struct Others {
    pub(super) members: Vec<Member>,
    /// By member: to whom the caller may tell what it shows. Everyone, where it is not said.
    pub(super) recipients: OnceLock<Vec<Vec<NamedNode>>>,
    /// What each was asked.
    pub(super) asked: Mutex<Vec<(usize, String)>>,
    pub(super) requests: AtomicUsize,
    pub(super) probes: AtomicUsize,
    pub(super) summaries: AtomicUsize,
    pub(super) bytes: AtomicUsize,
}

impl Others {
    pub(super) fn new(members: &[Member]) -> Self {
        Self {
            members: members.to_vec(),
            recipients: OnceLock::new(),
            asked: Mutex::default(),
            requests: AtomicUsize::new(0),
            probes: AtomicUsize::new(0),
            summaries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    pub(super) fn recipients(&self, member: usize) -> Vec<NamedNode> {
        let everyone = || (0..=self.members.len()).map(participant).collect();
        let said = self.recipients.get();
        said.map_or_else(everyone, |said| {
            said.get(member).cloned().unwrap_or_default()
        })
    }

    fn answer(&self, peer: &NamedNode, question: &SubQuery) -> Result<SubAnswer, Unanswered> {
        let refused = |refusal: Refusal| Unanswered::NotEvaluable {
            reason: refusal.to_string(),
        };
        let number = self.list().iter().position(|name| name == peer);
        let member = number.and_then(|number| self.members.get(number));
        let is_probe = question.query.starts_with("SELECT ?e0 ");
        let count = if is_probe {
            &self.probes
        } else {
            &self.requests
        };
        count.fetch_add(1, Ordering::Relaxed);
        let Some(member) = member else {
            let reason = "there is no such peer".to_owned();
            return Err(Unanswered::Unreachable { reason });
        };
        let Some(permit) = &member.permit else {
            let reason = "no permission".to_owned();
            return Err(Unanswered::Denied { reason });
        };
        if let Some(number) = number {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push((number + 1, question.query.clone()));
        }
        // What travels is text, as on the wire.
        let query = parse_query(&question.query, None, &Limits::default()).map_err(refused)?;
        let mut kept = Kept::default();
        let dataset = question.dataset.as_ref();
        let evaluated = member
            .store
            .evaluate(&query, dataset, permit, &question.budget, &mut kept);
        let evaluated = evaluated.map_err(refused)?;
        let head = kept.head.ok_or_else(|| Unanswered::NotEvaluable {
            reason: "an answer without a head".to_owned(),
        })?;
        Ok(SubAnswer {
            head,
            rows: kept.rows,
            status: SourceStatus {
                rows: evaluated.rows,
                not_evaluable: evaluated.not_evaluable,
                ..status(peer, evaluated.as_of, permit)
            },
            beyond: Vec::new(),
        })
    }
}

impl Peers for Others {
    fn list(&self) -> Vec<NamedNode> {
        (1..=self.members.len()).map(participant).collect()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> Later<'a, Result<SubAnswer, Unanswered>> {
        let answer = self.answer(peer, question);
        Box::pin(std::future::ready(answer))
    }
}

pub(super) fn status(
    member: &NamedNode,
    as_of: Option<OffsetDateTime>,
    permit: &Permit,
) -> SourceStatus {
    SourceStatus {
        participant: member.clone(),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of,
        policies: permit.policies().to_vec(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}
