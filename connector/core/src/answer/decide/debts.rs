//! What is owed for a use: the permit's obligations, with what the request says of them.

use crate::world::{Obligation, ObligationKind};
use crate::{Code, Refusal};
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use time::OffsetDateTime;
use twinlink_policy::{Ask, Basis, Debtor, Permit};
use uuid::Uuid;

/// What obligations say beside what the permit does.
pub(super) struct Debts {
    pub(super) owner: NamedNode,
    pub(super) request: Uuid,
    pub(super) now: OffsetDateTime,
    /// When the owner must have reviewed the use, where no policy says so.
    pub(super) review: OffsetDateTime,
}

impl Debts {
    // INVARIANT(broken-glass-is-reviewed): a use that breaks the glass leaves a review to be done by the owner.
    pub(super) fn of(&self, permit: &Permit, ask: &Ask) -> Result<Vec<Obligation>, Refusal> {
        let incident = match permit.basis() {
            Basis::BreakGlass(incident) => Some(incident),
            Basis::Ordinary => None,
        };
        let mut all = Vec::new();
        for asked in permit.obligations() {
            let (kind, participant) = match asked.debtor {
                Debtor::Caller => (ObligationKind::Duty, &ask.participant),
                Debtor::Owner => (ObligationKind::Review, &self.owner),
            };
            all.push(Obligation {
                kind,
                participant: participant.clone(),
                action: asked.action.clone(),
                towards: asked.towards.clone(),
                consequences: asked.consequences.clone(),
                policy: asked.policy.clone(),
                due: asked.due.map(day_time).transpose()?,
                ..self.blank(ask, incident)
            });
        }
        let is_reviewed = all.iter().any(|one| one.kind == ObligationKind::Review);
        if incident.is_some() && !is_reviewed {
            let policy = permit.policies().first();
            all.push(Obligation {
                policy: policy.unwrap_or(&self.owner).clone(),
                ..self.blank(ask, incident)
            });
        }
        Ok(all)
    }

    /// A review of this use by the owner.
    fn blank(&self, ask: &Ask, incident: Option<&NamedNode>) -> Obligation {
        Obligation {
            id: Uuid::now_v7(),
            kind: ObligationKind::Review,
            participant: self.owner.clone(),
            action: NamedNode::new_unchecked("https://w3id.org/twinlink/ns#review"),
            towards: Vec::new(),
            consequences: Vec::new(),
            policy: self.owner.clone(),
            request: self.request,
            user: (ask.participant.clone(), ask.subject.clone()),
            incident: incident.cloned(),
            since: self.now,
            due: Some(self.review),
            fulfilled: None,
            evidence: None,
        }
    }
}

/// The same instant, as records have it.
fn day_time(moment: DateTime) -> Result<OffsetDateTime, Refusal> {
    OffsetDateTime::parse(
        &moment.to_string(),
        &time::format_description::well_known::Rfc3339,
    )
    .map_err(|error| Refusal::new(Code::Internal, "obligation.due", error))
}
