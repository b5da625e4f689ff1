//! What became of every member while a question was asked: the plain word at the end.

use oxrdf::NamedNode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{SourceState, SourceStatus};

/// One entry for each member, ourselves first, and after those that we ask those that brokers ask.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    participant: NamedNode,
    trouble: Option<(SourceState, String)>,
    is_out: bool,
    rows: u64,
    started: Option<Instant>,
    elapsed: Duration,
    as_of: Option<OffsetDateTime>,
    policies: Vec<NamedNode>,
    not_evaluable: u64,
    receipt: Option<String>,
    /// The member that asked it, where we did not.
    broker: Option<usize>,
}

impl Ledger {
    pub(crate) fn new(participants: impl IntoIterator<Item = NamedNode>) -> Self {
        let entries = participants.into_iter();
        let entries = entries.map(|participant| Entry::new(participant, None));
        Self {
            entries: Mutex::new(entries.collect()),
        }
    }

    /// The number of a member that a broker asked, as it says. None where we ask that member ourselves, or there are too
    /// many.
    // INVARIANT(members-speak-for-themselves): of a member that is asked here, no broker's word is taken.
    pub(crate) fn beyond(&self, broker: usize, participant: &NamedNode) -> Option<usize> {
        let mut entries = self.lock();
        let known = entries
            .iter()
            .position(|entry| &entry.participant == participant);
        if let Some(number) = known {
            let first = entries.get(number)?.broker?;
            drop(entries);
            if first != broker {
                let reason = "is reached by two brokers, and may count twice";
                self.trouble(number, SourceState::Partial, reason);
            }
            return Some(number);
        }
        let number = entries.len();
        if number >= usize::from(u16::MAX) {
            return None;
        }
        entries.push(Entry::new(participant.clone(), Some(broker)));
        Some(number)
    }

    /// How long a broker took for a member, by its word.
    pub(crate) fn took(&self, member: usize, elapsed: Duration) {
        self.with(member, |entry| entry.elapsed = entry.elapsed.max(elapsed));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // Entries are whole after every step, also after one that panicked.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, member: usize, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().get_mut(member) {
            change(entry);
        }
    }

    /// A sub-request begins.
    pub(crate) fn begin(&self, member: usize, now: Instant) {
        self.with(member, |entry| {
            entry.started.get_or_insert(now);
        });
    }

    /// A sub-request ended.
    pub(crate) fn end(&self, member: usize, now: Instant) {
        self.with(member, |entry| {
            if let Some(started) = entry.started {
                entry.elapsed = now.saturating_duration_since(started);
            }
        });
    }

    /// Something of the member is missing. Of several troubles the first counts, unless a later one says more.
    pub(crate) fn trouble(&self, member: usize, state: SourceState, reason: &str) {
        self.with(member, |entry| {
            let rank = |state: SourceState| match state {
                SourceState::Complete | SourceState::Empty => 0,
                SourceState::Stale => 1,
                SourceState::Partial => 2,
                SourceState::NotEvaluable => 3,
                SourceState::TimedOut | SourceState::Unreachable | SourceState::Denied => 4,
            };
            entry.is_out |= rank(state) == 4;
            let known = entry.trouble.as_ref().map_or(0, |(state, _)| rank(*state));
            if rank(state) > known {
                let reason = format!("<{}> {reason}", entry.participant.as_str());
                entry.trouble = Some((state, reason));
            }
        });
    }

    /// The member is not asked any more.
    pub(crate) fn leave_out(&self, member: usize) {
        self.with(member, |entry| entry.is_out = true);
    }

    pub(crate) fn is_out(&self, member: usize) -> bool {
        self.lock().get(member).is_none_or(|entry| entry.is_out)
    }

    /// Rows or triples that the member gave.
    pub(crate) fn rows(&self, member: usize, rows: usize) {
        self.with(member, |entry| {
            entry.rows = entry.rows.saturating_add(rows as u64);
        });
    }

    /// What the member says of itself in one answer. Items not evaluated may be the same in each: the most counts.
    pub(crate) fn says(&self, member: usize, status: &SourceStatus) {
        self.with(member, |entry| {
            entry.as_of = match (entry.as_of, status.as_of) {
                (Some(before), Some(now)) => Some(before.min(now)),
                (before, now) => before.or(now),
            };
            for policy in &status.policies {
                if !entry.policies.contains(policy) {
                    entry.policies.push(policy.clone());
                }
            }
            entry.policies.sort();
            entry.not_evaluable = entry.not_evaluable.max(status.not_evaluable);
            if status.receipt.is_some() {
                entry.receipt.clone_from(&status.receipt);
            }
        });
        if status.not_evaluable > 0 {
            let reason = format!("could not evaluate {} values", status.not_evaluable);
            self.trouble(member, SourceState::Partial, &reason);
        }
        if !status.state.is_settled() {
            let reason = status.reason.as_deref().map_or_else(
                || format!("says its answer is {}", status.state),
                |reason| format!("says: {reason}"),
            );
            self.trouble(member, status.state, &reason);
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.lock().iter().all(|entry| entry.trouble.is_none())
    }

    /// The word on every member.
    pub(crate) fn statuses(&self) -> Vec<SourceStatus> {
        self.lock()
            .iter()
            .map(|entry| {
                let settled = if entry.rows > 0 {
                    SourceState::Complete
                } else {
                    SourceState::Empty
                };
                SourceStatus {
                    participant: entry.participant.clone(),
                    state: entry.trouble.as_ref().map_or(settled, |(state, _)| *state),
                    rows: entry.rows,
                    elapsed: entry.elapsed,
                    as_of: entry.as_of,
                    policies: entry.policies.clone(),
                    not_evaluable: entry.not_evaluable,
                    reason: entry.trouble.as_ref().map(|(_, reason)| reason.clone()),
                    receipt: entry.receipt.clone(),
                }
            })
            .collect()
    }
}

impl Entry {
    fn new(participant: NamedNode, broker: Option<usize>) -> Self {
        Self {
            participant,
            trouble: None,
            is_out: false,
            rows: 0,
            started: None,
            elapsed: Duration::ZERO,
            as_of: None,
            policies: Vec::new(),
            not_evaluable: 0,
            receipt: None,
            broker,
        }
    }
}
