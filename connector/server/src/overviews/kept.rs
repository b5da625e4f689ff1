//! The summaries of this twin, the last of each view of it.

use super::{REST, SHORT};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_federation::Summary;
use twinlink_policy::Guard;
use twinlink_store::Snapshot;

/// The most that are kept.
const MOST: usize = 64;
/// The most memory for them, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// A change of more quads than that is not looked at one by one.
const FAR: usize = 50_000;

/// By what is shown. What was not used for longest goes first.
#[derive(Debug, Default)]
pub(super) struct Kept {
    turn: u64,
    of: HashMap<Guard, Entry>,
}

/// Of one snapshot. No summary where there is too much, or it is shown in a way that is not summarized.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    sequence: u64,
    /// How many quads there were, visible or not.
    quads: usize,
    summary: Option<Arc<Summary>>,
    made: Instant,
    took: Duration,
    used: u64,
}

impl Entry {
    pub(super) fn new(snapshot: &Snapshot, summary: Option<Arc<Summary>>, took: Duration) -> Self {
        Self {
            sequence: snapshot.sequence(),
            quads: snapshot.len(),
            summary,
            made: Instant::now(),
            took,
            used: 0,
        }
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) fn summary(&self) -> Option<&Arc<Summary>> {
        self.summary.as_ref()
    }

    /// Whether so much has changed that looking at it costs more than beginning anew.
    pub(super) fn is_far_from(&self, snapshot: &Snapshot) -> bool {
        self.quads.abs_diff(snapshot.len()) > FAR
    }

    /// Whether it took so long that it is not made again yet.
    pub(super) fn rests(&self, now: Instant) -> bool {
        let rest = self.took.saturating_mul(REST);
        self.took > SHORT && now.saturating_duration_since(self.made) < rest
    }

    fn bytes(&self) -> usize {
        self.summary.as_ref().map_or(0, |summary| summary.bytes())
    }
}

impl Kept {
    /// That of a snapshot.
    pub(super) fn get(&mut self, guard: &Guard, sequence: u64) -> Option<Option<Arc<Summary>>> {
        self.turn += 1;
        let turn = self.turn;
        let entry = self.of.get_mut(guard)?;
        entry.used = turn;
        (entry.sequence == sequence).then(|| entry.summary.clone())
    }

    /// The last, of whatever snapshot.
    pub(super) fn last(&self, guard: &Guard) -> Option<Entry> {
        self.of.get(guard).cloned()
    }

    pub(super) fn put(&mut self, guard: Guard, entry: Entry) {
        self.turn += 1;
        let used = self.turn;
        let is_newer = |before: &Entry| before.sequence <= entry.sequence;
        if self.of.get(&guard).is_none_or(is_newer) {
            self.of.insert(guard, Entry { used, ..entry });
        }
        let mut bytes: usize = self.of.values().map(Entry::bytes).sum();
        while self.of.len() > MOST || bytes > MOST_BYTES {
            let oldest = self.of.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(guard, _)| guard.clone()) else {
                return;
            };
            bytes -= self.of.remove(&oldest).map_or(bytes, |entry| entry.bytes());
        }
    }
}
