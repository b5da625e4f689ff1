//! A ledger that forgets everything at its end, and one that cannot be written.

use futures::future::{BoxFuture, FutureExt, ready};
use oxrdf::NamedNode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::policy::{Counter, Incident, Usage, World};
use twinlink_core::{Begun, Code, Obligation, Refusal, Seen, StateOfWorld, Turn};
use uuid::Uuid;

#[derive(Default)]
pub(crate) struct FakeLedger {
    state: Mutex<State>,
    pub(crate) is_full: AtomicBool,
    /// How often somebody decided.
    pub(crate) looks: AtomicU64,
}

#[derive(Default)]
struct State {
    usage: Vec<(Counter, Usage)>,
    incidents: Vec<Incident>,
    obligations: Vec<Obligation>,
    version: u64,
    now: Option<OffsetDateTime>,
}

impl FakeLedger {
    pub(crate) fn usage(&self) -> Vec<Usage> {
        let state = self.state.lock().unwrap();
        state.usage.iter().map(|(_, usage)| *usage).collect()
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> T,
    ) -> BoxFuture<'static, Result<T, Refusal>>
    where
        T: Send + 'static,
    {
        if self.is_full.load(Ordering::SeqCst) {
            return ready(Err(Refusal::new(Code::Unavailable, "ledger", "full"))).boxed();
        }
        let mut state = self.state.lock().unwrap();
        state.version += 1;
        ready(Ok(change(&mut state))).boxed()
    }
}

impl World for State {
    fn usage(&self, counter: &Counter) -> Option<Usage> {
        let mut known = self.usage.iter().filter(|(known, _)| known == counter);
        Some(known.next().map(|(_, usage)| *usage).unwrap_or_default())
    }

    fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn has_violations(&self, participant: &NamedNode) -> bool {
        let mut owed = self.obligations.iter();
        owed.any(|one| one.participant == *participant && one.blocks(self.now.unwrap()))
    }

    fn performed(&self, _: &NamedNode, _: &NamedNode) -> Option<oxsdatatypes::DateTime> {
        None
    }
}

impl StateOfWorld for FakeLedger {
    fn look(
        &self,
        participant: &NamedNode,
        now: OffsetDateTime,
        see: &mut dyn FnMut(&dyn World),
    ) -> Seen {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.lock().unwrap();
        state.now = Some(now);
        see(&*state);
        let owed = state.obligations.iter();
        let deadlines = owed
            .filter(|one| one.participant == *participant)
            .filter_map(|one| one.due);
        Seen {
            version: state.version,
            until: deadlines.filter(|due| *due > now).min(),
        }
    }

    fn version(&self, _: &NamedNode) -> u64 {
        self.state.lock().unwrap().version
    }

    fn begin(&self, now: OffsetDateTime, turn: Turn) -> BoxFuture<'static, Result<Begun, Refusal>> {
        self.change(|state| {
            state.now = Some(now);
            let beginning = turn(state)?;
            let mut charged = Vec::new();
            for counter in beginning.charges {
                let before = state.usage(&counter).unwrap();
                let at = now.format(&Rfc3339).unwrap().parse().ok();
                let after = Usage {
                    count: before.count + 1,
                    first: before.first.or(at),
                    last: at,
                    ..before
                };
                state.usage.retain(|(known, _)| *known != counter);
                state.usage.push((counter.clone(), after));
                charged.push((counter, before));
            }
            state.obligations.extend(beginning.obligations);
            let permit = beginning.permit;
            Ok(Begun { permit, charged })
        })
        .map(|result| result.and_then(|begun| begun))
        .boxed()
    }

    fn meter(
        &self,
        counters: Vec<Counter>,
        spent: Duration,
    ) -> BoxFuture<'static, Result<(), Refusal>> {
        self.change(|state| {
            for (counter, usage) in &mut state.usage {
                if counters.contains(counter) {
                    usage.metered += spent;
                }
            }
        })
    }

    fn declare(
        &self,
        incident: Incident,
        _: OffsetDateTime,
    ) -> BoxFuture<'static, Result<(), Refusal>> {
        self.change(|state| state.incidents.push(incident))
    }

    fn end(
        &self,
        incident: NamedNode,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Incident, Refusal>> {
        self.change(|state| {
            let mut known = state.incidents.iter_mut();
            let known = known.find(|known| known.id == incident).unwrap();
            known.ends = now.format(&Rfc3339).unwrap().parse().unwrap();
            known.clone()
        })
    }

    fn incidents(&self) -> Vec<Incident> {
        self.state.lock().unwrap().incidents.clone()
    }

    fn obligations(&self) -> Vec<Obligation> {
        self.state.lock().unwrap().obligations.clone()
    }

    fn fulfilled(&self, _: usize) -> Result<Vec<Obligation>, Refusal> {
        Ok(Vec::new())
    }

    fn fulfil(
        &self,
        obligation: Uuid,
        evidence: Option<String>,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Obligation, Refusal>> {
        self.change(|state| {
            let mut owed = state.obligations.iter();
            let place = owed.position(|one| one.id == obligation).unwrap();
            let mut settled = state.obligations.remove(place);
            settled.fulfilled = Some(now);
            settled.evidence = evidence;
            settled
        })
    }
}
