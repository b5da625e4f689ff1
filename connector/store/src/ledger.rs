//! The ledger of use, incidents and obligations: what decisions rest on beside policies, durable.
//!
//! It lies in a file of its own beside the twin's: a use that is not counted then costs the ledger nothing, and one that
//! is counted does not wait for a large change of the twin. One thread writes it. It gives turns to all that waits,
//! writes what they changed in one transaction, syncs once, and only then shows it and tells everybody.

#[cfg(test)]
mod faults;
mod record;
mod state;
#[cfg(test)]
mod tests;
mod undo;
mod writer;

use crate::StoreError;
use crate::durable::room::{self, Room};
use crate::durable::{self, Durable, Fault, Keeper, WriterThread};
use crate::guard::envelope;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use redb::{ReadTransaction, StorageBackend};
use state::{Change, Moment, State};
use std::path::Path;
use std::sync::mpsc::{self, TrySendError};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Begun, Code, Obligation, Refusal, Seen, StateOfWorld, Turn};
use twinlink_policy::{Counter, Incident, Usage, World};
use uuid::Uuid;
use writer::{Job, Writer};

pub(crate) use record::{INCIDENTS as INCIDENT_RECORDS, META, OPEN, PERFORMED, SETTLED, USAGE};

pub(crate) const FILE: &str = "ledger.redb";
/// It is read once, when it is opened.
const CACHE_BYTES: usize = 4 << 20;
/// How many turns wait; more are refused.
const WAITING: usize = 4096;
/// The most obligations that are not fulfilled. Uses that would add to them are refused.
const OBLIGATIONS: usize = 200_000;
/// The most incidents that are not over.
const OPEN_INCIDENTS: usize = 1000;
/// The most incidents that are kept.
const INCIDENTS: usize = 10_000;
/// The longest text of one incident, in bytes.
const INCIDENT_BYTES: usize = 64 << 10;
/// The longest proof that an obligation was fulfilled, in bytes.
const EVIDENCE_BYTES: usize = 4 << 10;

/// The durable [`StateOfWorld`]. One process has it open at a time.
pub struct Ledger {
    file: Arc<Durable>,
    durable: Arc<RwLock<State>>,
    queue: mpsc::SyncSender<Job>,
    fault: Fault,
    /// After the queue: fields are dropped in their order.
    thread: WriterThread,
}

impl Ledger {
    /// Opens the ledger in the store's directory; makes both if there are none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it open, [`StoreError::Version`] where another version of the
    /// program wrote it, [`StoreError::Open`] and [`StoreError::Ledger`] where it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_on(directory, room::free)
    }

    /// As [`Ledger::open`], on a disk that tells its free bytes.
    fn open_on(directory: &Path, free: room::Free) -> Result<Self, StoreError> {
        let (file, path) = durable::open_or_make(directory, FILE, CACHE_BYTES, record::prepare)?;
        Self::start(file, &path, Room::beside(&path, free))
    }

    /// A ledger that lives as long as the process.
    ///
    /// # Errors
    /// [`StoreError::Open`] where there is no thread to be had.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::over(redb::backends::InMemoryBackend::new())
    }

    fn over(backend: impl StorageBackend) -> Result<Self, StoreError> {
        let (file, path) = durable::over(backend, CACHE_BYTES)?;
        Self::start(file, &path, Room::of_memory())
    }

    fn start(file: Durable, path: &Path, room: Room) -> Result<Self, StoreError> {
        record::prepare(&file.database(), path)?;
        let state = record::load(&file.database())?;
        let file = Arc::new(file);
        let durable = Arc::new(RwLock::new(state.clone()));
        let (queue, jobs) = mpsc::sync_channel(WAITING);
        let keeper = Keeper::new(Arc::clone(&file), room);
        let fault = keeper.fault();
        let writer = Writer {
            keeper,
            durable: Arc::clone(&durable),
            working: state,
        };
        let thread =
            WriterThread::start("ledger", move || writer.run(&jobs)).map_err(ledger_error)?;
        Ok(Self {
            file,
            durable,
            queue,
            fault,
            thread,
        })
    }

    /// Why nothing is counted now, room aside: then no use begins that must be.
    pub fn fault(&self) -> Option<StoreError> {
        durable::fault(&self.fault, &self.thread)
    }

    /// Queues a turn now; the future resolves when what it changed is durable.
    fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> Result<(Vec<Change>, T), Refusal> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Refusal>> {
        let (done, written) = oneshot::channel();
        let (found_in, found) = oneshot::channel();
        let job = Job {
            work: Box::new(move |state| {
                let (changes, value) = work(state)?;
                // Whoever went away meanwhile is counted all the same.
                drop(found_in.send(value));
                Ok(changes)
            }),
            done,
        };
        let queued = self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("too many uses wait for the ledger"),
            TrySendError::Disconnected(_) => stopped(),
        });
        async move {
            queued?;
            written.await.unwrap_or_else(|_| Err(stopped()))?;
            found.await.map_err(|_| stopped())
        }
        .boxed()
    }

    /// What is durable now, settled obligations too.
    pub(crate) fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.file.read().map_err(ledger_error)
    }

    fn durable(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.durable.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateOfWorld for Ledger {
    fn look(
        &self,
        participant: &NamedNode,
        now: OffsetDateTime,
        see: &mut dyn FnMut(&dyn World),
    ) -> Seen {
        let state = self.durable();
        see(&Moment { state: &state, now });
        Seen {
            version: state.version(participant),
            until: state.next_deadline(participant, now),
        }
    }

    fn version(&self, participant: &NamedNode) -> u64 {
        self.durable().version(participant)
    }

    // INVARIANT(exactly-the-limit): a turn decides on a state in which every turn before it is counted.
    fn begin(&self, now: OffsetDateTime, turn: Turn) -> BoxFuture<'static, Result<Begun, Refusal>> {
        self.turn(move |state| {
            let beginning = turn(&Moment { state, now })?;
            let room = OBLIGATIONS.saturating_sub(state.open_obligations());
            if beginning.obligations.len() > room {
                return Err(Refusal::new(
                    Code::Exhausted,
                    "ledger.obligations",
                    format_args!("{OBLIGATIONS} obligations are open: have some fulfilled"),
                ));
            }
            let at = moment(now)?;
            let mut changes = Vec::new();
            let mut charged = Vec::new();
            for counter in beginning.charges {
                if charged.iter().any(|(known, _)| *known == counter) {
                    continue;
                }
                let before = state.usage(&counter);
                changes.push(Change::Use(counter.clone(), counted(before, at)));
                charged.push((counter, before));
            }
            changes.extend(beginning.obligations.into_iter().map(Change::Oblige));
            let permit = beginning.permit;
            Ok((changes, Begun { permit, charged }))
        })
    }

    fn meter(
        &self,
        counters: Vec<Counter>,
        spent: Duration,
    ) -> BoxFuture<'static, Result<(), Refusal>> {
        self.turn(move |state| {
            let changes = counters.into_iter().map(|counter| {
                let before = state.usage(&counter);
                let metered = before.metered.saturating_add(spent);
                Change::Use(counter, Usage { metered, ..before })
            });
            Ok((changes.collect(), ()))
        })
    }

    fn declare(
        &self,
        incident: Incident,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<(), Refusal>> {
        self.turn(move |state| {
            check(&incident)?;
            let is_known = state.incident(&incident.id).is_some();
            if is_known {
                return Err(Refusal::new(
                    Code::Conflict,
                    "incident.id",
                    format_args!("{} is declared already: name another", incident.id),
                )
                .open());
            }
            let at = moment(now)?;
            if state.incidents_after(at) >= OPEN_INCIDENTS {
                return Err(Refusal::new(
                    Code::Exhausted,
                    "incident.count",
                    format_args!("{OPEN_INCIDENTS} incidents are open: end some"),
                )
                .open());
            }
            let mut changes = vec![Change::Declare(incident)];
            changes.extend(state.forgettable(INCIDENTS, at).map(Change::Forget));
            Ok((changes, ()))
        })
    }

    fn end(
        &self,
        incident: NamedNode,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Incident, Refusal>> {
        self.turn(move |state| {
            let Some(known) = state.incident(&incident) else {
                return Err(not_found("incident.id", &incident));
            };
            let at = moment(now)?;
            if known.ends <= at {
                return Ok((Vec::new(), known.clone()));
            }
            let ended = Incident {
                ends: at,
                ..known.clone()
            };
            Ok((vec![Change::Declare(ended.clone())], ended))
        })
    }

    fn incidents(&self) -> Vec<Incident> {
        let mut incidents = self.durable().all_incidents().to_vec();
        incidents.reverse();
        incidents
    }

    fn obligations(&self) -> Vec<Obligation> {
        let mut open: Vec<_> = self.durable().obligations().cloned().collect();
        // None, which has no deadline, comes last.
        open.sort_by_key(|one| (one.due.is_none(), one.due, one.since));
        open
    }

    fn fulfilled(&self, most: usize) -> Result<Vec<Obligation>, Refusal> {
        Ok(record::fulfilled(&self.read()?, most)?)
    }

    fn fulfil(
        &self,
        obligation: Uuid,
        evidence: Option<String>,
        now: OffsetDateTime,
    ) -> BoxFuture<'static, Result<Obligation, Refusal>> {
        self.turn(move |state| {
            if evidence
                .as_ref()
                .is_some_and(|text| text.len() > EVIDENCE_BYTES)
            {
                return Err(Refusal::about_input(
                    "obligation.evidence",
                    format_args!("the evidence is over {EVIDENCE_BYTES} bytes"),
                ));
            }
            let Some(open) = state.obligation(obligation) else {
                return Err(not_found("obligation.id", obligation));
            };
            let settled = Obligation {
                fulfilled: Some(now),
                evidence,
                ..open.clone()
            };
            Ok((vec![Change::Fulfil(settled.clone())], settled))
        })
    }
}

/// The use after one more has begun.
fn counted(before: Usage, at: DateTime) -> Usage {
    Usage {
        count: before.count.saturating_add(1),
        first: before.first.or(Some(at)),
        last: Some(at),
        metered: before.metered,
    }
}

fn check(incident: &Incident) -> Result<(), Refusal> {
    let fault = |check, detail: &str| Err(Refusal::about_input(check, detail));
    let area = incident.area.as_deref().unwrap_or_default();
    let kinds = incident.kinds.iter().map(|kind| kind.as_str().len());
    if area.len() + kinds.sum::<usize>() + incident.id.as_str().len() > INCIDENT_BYTES {
        return fault("incident.length", "the incident is over 64 KiB");
    }
    if incident.area.is_some() && envelope(area).is_none() {
        return fault(
            "incident.area",
            "the area is no WKT geometry, such as POLYGON((24.9 60.1, 25.0 60.1, 25.0 60.2, 24.9 60.1))",
        );
    }
    let is_on_earth = envelope(area).is_none_or(|area| {
        let [low, high] = [area.min(), area.max()];
        low.x >= -180.0 && high.x <= 180.0 && low.y >= -90.0 && high.y <= 90.0
    });
    if !is_on_earth {
        return fault(
            "incident.area",
            "the area goes beyond longitudes of 180 or latitudes of 90 degrees: longitude comes first",
        );
    }
    if incident.kinds.is_empty() {
        return fault("incident.kind", "an incident is of some kind");
    }
    let has_zones =
        incident.begins.timezone_offset().is_some() && incident.ends.timezone_offset().is_some();
    if !has_zones || incident.ends <= incident.begins {
        return fault(
            "incident.ends",
            "an incident ends after it begins, in a time zone",
        );
    }
    Ok(())
}

/// The same instant, as policies have it.
fn moment(time: OffsetDateTime) -> Result<DateTime, Refusal> {
    let fault = |error: &dyn std::fmt::Display| Refusal::new(Code::Internal, "clock", error);
    time.format(&time::format_description::well_known::Rfc3339)
        .map_err(|error| fault(&error))?
        .parse()
        .map_err(|error| fault(&error))
}

fn not_found(check: &'static str, what: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::NotFound, check, format_args!("there is no {what}")).open()
}

fn unavailable(reason: &'static str) -> Refusal {
    Refusal::new(Code::Unavailable, "ledger", reason)
}

fn stopped() -> Refusal {
    unavailable("the ledger's thread has ended: start the program again")
}

fn ledger_error(error: impl std::fmt::Display) -> StoreError {
    StoreError::Ledger(error.to_string())
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}
