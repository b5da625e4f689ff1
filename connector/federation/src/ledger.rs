//! What became of every member while a question was asked: the plain word at the end.

use oxrdf::NamedNode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Age, Freshness, SourceState, SourceStatus};

/// One entry for each member, ourselves first, and after those that we ask those that brokers ask.
#[derive(Debug)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    /// How exactly the caller may know how old our own twin is.
    age: Age,
    /// How old the caller lets those be that brokers ask.
    beyond: Option<Freshness>,
}

#[derive(Debug)]
struct Entry {
    participant: NamedNode,
    /// How old it may be.
    fresh: Option<Freshness>,
    trouble: Option<(SourceState, String)>,
    /// Why it is stale: by what it told of its age, or by its own word.
    stale: Option<String>,
    is_out: bool,
    rows: u64,
    started: Option<Instant>,
    elapsed: Duration,
    as_of: Option<OffsetDateTime>,
    policies: Vec<NamedNode>,
    not_evaluable: u64,
    receipt: Option<String>,
    /// Whether it was stopped, as others had given all that was wanted.
    is_enough: bool,
    /// The member that asked it, where we did not.
    broker: Option<usize>,
}

impl Ledger {
    /// Of these members, each with how old it may be; `beyond` of those that brokers ask. `age` is how exactly the caller
    /// may know how old the first is.
    pub(crate) fn new(
        participants: impl IntoIterator<Item = (NamedNode, Option<Freshness>)>,
        beyond: Option<Freshness>,
        age: Age,
    ) -> Self {
        let entries = participants.into_iter();
        let entries = entries.map(|(participant, fresh)| Entry::new(participant, fresh, None));
        Self {
            entries: Mutex::new(entries.collect()),
            age,
            beyond,
        }
    }

    /// Whether it matters how old a member is.
    pub(crate) fn must_be_fresh(&self, member: usize) -> bool {
        let entries = self.lock();
        entries
            .get(member)
            .is_some_and(|entry| entry.fresh.is_some())
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
        entries.push(Entry::new(participant.clone(), self.beyond, Some(broker)));
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
                SourceState::Complete | SourceState::Empty | SourceState::Stale => 0,
                SourceState::Partial => 1,
                SourceState::NotEvaluable => 2,
                SourceState::TimedOut | SourceState::Unreachable | SourceState::Denied => 3,
            };
            entry.is_out |= rank(state) == 3;
            let known = entry.trouble.as_ref().map_or(0, |(state, _)| rank(*state));
            if state == SourceState::Stale {
                entry.stale.get_or_insert_with(|| reason.to_owned());
            } else if rank(state) > known {
                entry.trouble = Some((state, reason.to_owned()));
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
        let as_of = match member {
            0 => self.age.told(status.as_of),
            _ => status.as_of,
        };
        self.with(member, |entry| {
            if entry.stale.is_none() {
                entry.stale = entry.fresh.and_then(|fresh| fresh.lacks(as_of));
            }
            entry.as_of = match (entry.as_of, as_of) {
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

    /// Whether anything is wrong with anybody by now.
    pub(crate) fn has_trouble(&self) -> bool {
        let entries = self.lock();
        entries.iter().any(|entry| entry.trouble(false).is_some())
    }

    /// The member was stopped: no more rows are wanted.
    pub(crate) fn enough(&self, member: usize, now: Instant) {
        self.end(member, now);
        self.with(member, |entry| entry.is_enough = true);
    }

    pub(crate) fn is_settled(&self) -> bool {
        let entries = self.lock();
        entries.iter().all(|entry| entry.trouble(true).is_none())
    }

    /// The word on every member.
    pub(crate) fn statuses(&self) -> Vec<SourceStatus> {
        self.told(true)
    }

    /// The word on every member while more may be heard of it: what is wrong now is so at the end.
    pub(crate) fn so_far(&self) -> Vec<SourceStatus> {
        self.told(false)
    }

    fn told(&self, is_end: bool) -> Vec<SourceStatus> {
        self.lock()
            .iter()
            .map(|entry| {
                let trouble = entry.trouble(is_end);
                let settled = if entry.rows > 0 || entry.is_enough {
                    SourceState::Complete
                } else {
                    SourceState::Empty
                };
                SourceStatus {
                    participant: entry.participant.clone(),
                    state: trouble.as_ref().map_or(settled, |(state, _)| *state),
                    rows: entry.rows,
                    elapsed: entry.elapsed,
                    as_of: entry.as_of,
                    policies: entry.policies.clone(),
                    not_evaluable: entry.not_evaluable,
                    reason: entry.reason(trouble),
                    receipt: entry.receipt.clone(),
                }
            })
            .collect()
    }
}

impl Entry {
    fn new(participant: NamedNode, fresh: Option<Freshness>, broker: Option<usize>) -> Self {
        Self {
            participant,
            fresh,
            trouble: None,
            stale: None,
            is_out: false,
            rows: 0,
            started: None,
            elapsed: Duration::ZERO,
            as_of: None,
            policies: Vec::new(),
            not_evaluable: 0,
            receipt: None,
            is_enough: false,
            broker,
        }
    }

    /// What is wrong with it. That it never told how old it is counts at the end only.
    fn trouble(&self, is_end: bool) -> Option<(SourceState, String)> {
        // Of who was not asked, nothing is in the answer that could be too old.
        let is_untold = is_end && self.as_of.is_none() && self.started.is_some();
        let untold = || self.fresh.filter(|_| is_untold)?.lacks(None);
        match (self.trouble.clone(), self.stale.clone().or_else(untold)) {
            // Rows that may be wrong come before those that are missing.
            // INVARIANT(stale-rows-are-told): rows that rest on what is too old are told so, whatever else is wrong.
            (Some((_, reason)), Some(stale)) if self.rows > 0 => {
                Some((SourceState::Stale, format!("{stale}; and {reason}")))
            }
            (None, Some(stale)) => Some((SourceState::Stale, stale)),
            (trouble, _) => trouble,
        }
    }

    /// The word on it, with its name.
    fn reason(&self, trouble: Option<(SourceState, String)>) -> Option<String> {
        let name = self.participant.as_str();
        if let Some((_, reason)) = trouble {
            return Some(format!("<{name}> {reason}"));
        }
        self.is_enough
            .then(|| format!("<{name}> was stopped: there were enough rows"))
    }
}
