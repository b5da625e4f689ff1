//! The ledger in memory: what a decision looks at.

use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use twinlink_core::{Obligation, ObligationKind};
use twinlink_policy::{Counter, Incident, Usage, World};
use uuid::Uuid;

/// Use, incidents and what is owed.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    usage: FxHashMap<Counter, Usage>,
    /// By begin, then by name.
    incidents: Vec<Incident>,
    obligations: BTreeMap<Uuid, Obligation>,
    /// The deadlines of duties that each organisation owes.
    deadlines: FxHashMap<NamedNode, BTreeSet<(OffsetDateTime, Uuid)>>,
    performed: FxHashMap<(NamedNode, NamedNode), OffsetDateTime>,
    /// How often something changed for everybody, and for one organisation.
    shared: u64,
    own: FxHashMap<NamedNode, u64>,
}

/// One change of the state, and of the file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// The use under a rule is now this.
    Use(Counter, Usage),
    /// Something is owed.
    Oblige(Obligation),
    /// It was done.
    Fulfil(Obligation),
    /// An incident is now this.
    Declare(Incident),
    /// An incident is not kept any longer.
    Forget(NamedNode),
}

impl State {
    /// Makes a change.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Use(counter, usage) => {
                self.touch(&counter.participant);
                self.usage.insert(counter, usage);
            }
            Change::Oblige(obligation) => {
                self.touch(&obligation.participant);
                if let Some(deadline) = deadline(&obligation) {
                    let owed = self.deadlines.entry(obligation.participant.clone());
                    owed.or_default().insert(deadline);
                }
                self.obligations.insert(obligation.id, obligation);
            }
            Change::Fulfil(obligation) => {
                self.touch(&obligation.participant);
                self.obligations.remove(&obligation.id);
                if let Some(deadline) = deadline(&obligation)
                    && let Some(owed) = self.deadlines.get_mut(&obligation.participant)
                {
                    owed.remove(&deadline);
                }
                if let Some(when) = obligation.fulfilled {
                    self.perform(obligation.participant, obligation.action, when);
                }
            }
            Change::Declare(incident) => {
                self.shared += 1;
                self.incidents.retain(|known| known.id != incident.id);
                let place = self.incidents.partition_point(|known| {
                    (known.begins.partial_cmp(&incident.begins))
                        .is_some_and(|order| order.then(known.id.cmp(&incident.id)).is_lt())
                });
                self.incidents.insert(place, incident);
            }
            Change::Forget(id) => {
                self.shared += 1;
                self.incidents.retain(|known| known.id != id);
            }
        }
    }

    /// Notes when a duty was last done.
    pub(super) fn perform(
        &mut self,
        participant: NamedNode,
        action: NamedNode,
        when: OffsetDateTime,
    ) {
        let last = self.performed.entry((participant, action)).or_insert(when);
        *last = when.max(*last);
    }

    pub(super) fn usage(&self, counter: &Counter) -> Usage {
        self.usage.get(counter).copied().unwrap_or_default()
    }

    /// Whether anything is known of a use.
    pub(super) fn has_used(&self, counter: &Counter) -> bool {
        self.usage.contains_key(counter)
    }

    pub(super) fn incident(&self, id: &NamedNode) -> Option<&Incident> {
        self.incidents.iter().find(|known| known.id == *id)
    }

    pub(super) fn all_incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// How many incidents are not over at a moment.
    pub(super) fn incidents_after(&self, at: DateTime) -> usize {
        let mut ends = self.incidents.iter().map(|incident| incident.ends);
        let open = ends.by_ref().filter(|ends| *ends > at);
        open.count()
    }

    /// The oldest that is over at a moment, where there are too many for one more.
    pub(super) fn forgettable(&self, most: usize, at: DateTime) -> Option<NamedNode> {
        if self.incidents.len() < most {
            return None;
        }
        let over = self.incidents.iter().find(|incident| incident.ends <= at);
        over.map(|incident| incident.id.clone())
    }

    pub(super) fn obligation(&self, id: Uuid) -> Option<&Obligation> {
        self.obligations.get(&id)
    }

    pub(super) fn obligations(&self) -> impl Iterator<Item = &Obligation> {
        self.obligations.values()
    }

    /// When a duty was last done.
    pub(super) fn performed(
        &self,
        participant: &NamedNode,
        action: &NamedNode,
    ) -> Option<OffsetDateTime> {
        // The map's key owns its parts.
        let key = (participant.clone(), action.clone());
        self.performed.get(&key).copied()
    }

    pub(super) fn open_obligations(&self) -> usize {
        self.obligations.len()
    }

    /// Another number after every change that concerns the organisation: both parts only grow.
    pub(super) fn version(&self, participant: &NamedNode) -> u64 {
        self.shared + self.own.get(participant).copied().unwrap_or_default()
    }

    /// The first deadline after `now`.
    pub(super) fn next_deadline(
        &self,
        participant: &NamedNode,
        now: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let owed = self.deadlines.get(participant)?;
        let mut later = owed.range((now, Uuid::max())..);
        later.next().map(|(due, _)| *due)
    }

    fn touch(&mut self, participant: &NamedNode) {
        match self.own.get_mut(participant) {
            Some(number) => *number += 1,
            None => drop(self.own.insert(participant.clone(), 1)),
        }
    }
}

/// The deadline by which an obligation could come to block its debtor.
fn deadline(obligation: &Obligation) -> Option<(OffsetDateTime, Uuid)> {
    match obligation.kind {
        ObligationKind::Duty => obligation.due.map(|due| (due, obligation.id)),
        ObligationKind::Review => None,
    }
}

/// The state as it stands at a moment.
pub(super) struct Moment<'a> {
    pub(super) state: &'a State,
    pub(super) now: OffsetDateTime,
}

impl World for Moment<'_> {
    fn usage(&self, counter: &Counter) -> Option<Usage> {
        Some(self.state.usage(counter))
    }

    fn incidents(&self) -> &[Incident] {
        self.state.all_incidents()
    }

    fn has_violations(&self, participant: &NamedNode) -> bool {
        let owed = self.state.deadlines.get(participant);
        let first = owed.and_then(BTreeSet::first);
        first.is_some_and(|(due, _)| *due <= self.now)
    }

    fn performed(&self, participant: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        super::moment(self.state.performed(participant, action)?).ok()
    }
}
