//! The open store: the log, the published snapshot, and the turns of its writers.

use crate::dictionary::DEFAULT_GRAPH;
use crate::durable::room;
use crate::evaluate::EvaluationOptions;
use crate::log::{Batch, Log, damaged, part};
use crate::run::IdQuad;
use crate::snapshot::{self, Snapshot};
use crate::version::Chain;
use crate::{StoreError, dictionary::Dictionary, index::Index};
use arc_swap::ArcSwap;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use oxrdf::Quad;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_core::{Budget, Code, Journal, Refusal};

/// How many changes are gathered while the log is read before they go into the index.
const REPLAY: usize = 1 << 21;

/// The organisation's twin: durable, indexed, guarded.
///
/// One process has it open at a time. Readers pin a [`Snapshot`] and never wait; writers take turns.
#[derive(Debug)]
pub struct TwinStore {
    log: Arc<Log>,
    published: Arc<ArcSwap<Snapshot>>,
    /// The batch that made the published snapshot.
    durable: Arc<AtomicU64>,
    head: Mutex<Head>,
    freed: Condvar,
    pub(crate) options: EvaluationOptions,
}

/// The journal of use, in the same file and with the same fsync as the changes.
#[derive(Debug, Clone)]
pub struct UseJournal {
    log: Arc<Log>,
}

/// One committed change, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// Its number: 1 for the first; each has one more than the one before.
    pub sequence: u64,
    /// When it was made.
    pub time: OffsetDateTime,
    /// Quads that were not there before.
    pub added: Vec<Quad>,
    /// Quads that were there before.
    pub removed: Vec<Quad>,
}

/// The newest snapshot, durable or about to be.
#[derive(Debug)]
struct Head {
    snapshot: Arc<Snapshot>,
    /// The batch that made it: [`Batch::serial`].
    batch: u64,
    /// The number of batches made so far, durable or not.
    batches: u64,
    taken: bool,
}

/// The right to write. The next writer gets it when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    store: &'a TwinStore,
    /// The batch that made the snapshot.
    batch: u64,
    pub(crate) snapshot: Arc<Snapshot>,
}

/// What is to be committed.
pub(crate) struct Delta {
    pub(crate) dictionary: Dictionary,
    pub(crate) index: Index,
    pub(crate) added: Vec<IdQuad>,
    pub(crate) removed: Vec<IdQuad>,
}

impl TwinStore {
    /// Opens the store in a directory; makes both if there is nothing of either. Reads the whole log.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has it open, [`StoreError::Version`] where another version of
    /// the program wrote it, [`StoreError::Lost`] where there was one, [`StoreError::Open`] and [`StoreError::Damaged`] where
    /// it cannot be read.
    pub fn open(directory: &Path, options: EvaluationOptions) -> Result<Self, StoreError> {
        Self::open_on(directory, room::free, options)
    }

    /// As [`TwinStore::open`], and makes nothing.
    ///
    /// # Errors
    /// As [`TwinStore::open`]; [`StoreError::Absent`] where there is no store.
    pub fn open_existing(directory: &Path, options: EvaluationOptions) -> Result<Self, StoreError> {
        Self::load(Log::open(directory, room::free, false)?, options)
    }

    /// As [`TwinStore::open`], on a disk that tells its free bytes.
    pub(crate) fn open_on(
        directory: &Path,
        free: room::Free,
        options: EvaluationOptions,
    ) -> Result<Self, StoreError> {
        Self::load(Log::open(directory, free, true)?, options)
    }

    /// A store that lives as long as the process.
    ///
    /// # Errors
    /// [`StoreError::Open`] where there is no thread to be had.
    pub fn in_memory(options: EvaluationOptions) -> Result<Self, StoreError> {
        Self::load(Log::in_memory()?, options)
    }

    /// The newest durable state.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load_full()
    }

    /// The journal of use. The file stays open until every journal and the store are dropped.
    pub fn journal(&self) -> UseJournal {
        UseJournal {
            log: Arc::clone(&self.log),
        }
    }

    /// Why nothing is written to the twin's file now, room aside: then nothing is changed or answered.
    pub fn fault(&self) -> Option<StoreError> {
        self.log.fault()
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Committed changes from a number on, in order, at most `most`: the feed for backups and subscribers. Blocks.
    ///
    /// Everything is in it, whoever may see it: filter before it leaves.
    ///
    /// # Errors
    /// [`StoreError::Log`] and [`StoreError::Damaged`] where the log cannot be read.
    pub fn changes(&self, from: u64, most: usize) -> Result<Vec<ChangeSet>, StoreError> {
        let durable = self.snapshot().sequence();
        let commits = self
            .log
            .commits(from, most)?
            .into_iter()
            .filter(|commit| commit.sequence <= durable);
        commits
            .map(|commit| self.change_set(commit.sequence, commit.time))
            .collect()
    }

    fn change_set(&self, sequence: u64, time: OffsetDateTime) -> Result<ChangeSet, StoreError> {
        let mut set = ChangeSet {
            sequence,
            time,
            added: Vec::new(),
            removed: Vec::new(),
        };
        self.log.parts(sequence..=sequence, |_, bytes| {
            let part = part::read(sequence, bytes)?;
            let mut growing = Dictionary::default().grow();
            let ids = growing.ids_of_texts(&part.texts)?;
            let dictionary = growing.finish();
            for (quads, places) in [
                (&mut set.added, &part.added),
                (&mut set.removed, &part.removed),
            ] {
                for quad in places {
                    let quad = snapshot::decode(&dictionary, quad.map(|place| at(&ids, place)));
                    quads.push(quad.ok_or_else(|| damaged(sequence, "what is no quad"))?);
                }
            }
            Ok(())
        })?;
        Ok(set)
    }

    /// The twin that a log leads to.
    pub(crate) fn load(log: Log, options: EvaluationOptions) -> Result<Self, StoreError> {
        let snapshot = Arc::new(replay(&log)?.with_options(&options));
        Ok(Self {
            log: Arc::new(log),
            published: Arc::new(ArcSwap::new(Arc::clone(&snapshot))),
            durable: Arc::default(),
            head: Mutex::new(Head {
                snapshot,
                batch: 0,
                batches: 0,
                taken: false,
            }),
            freed: Condvar::new(),
            options,
        })
    }

    /// Waits for the right to write.
    pub(crate) fn turn(&self, budget: &Budget) -> Result<Turn<'_>, Refusal> {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        while head.taken {
            let left = budget.left(Instant::now());
            if left.is_zero() || budget.is_cancelled() {
                return Err(Refusal::new(
                    Code::Timeout,
                    "deadline",
                    "other writers took all the time there was",
                ));
            }
            (head, _) = self
                .freed
                .wait_timeout(head, left.min(crate::once::LOOK))
                .unwrap_or_else(PoisonError::into_inner);
        }
        head.taken = true;
        Ok(Turn {
            store: self,
            batch: head.batch,
            snapshot: Arc::clone(&head.snapshot),
        })
    }

    /// Goes back to what is durable, where a batch that was refused is the last that was made. Where it is not, those
    /// made from it are refused too, and the last of them does it.
    fn forget(&self, batch: u64) {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if head.batch == batch {
            head.snapshot = self.published.load_full();
            head.batch = self.durable.load(Ordering::SeqCst);
        }
    }
}

impl Turn<'_> {
    /// Makes the change durable and then visible; returns the state that it led to. The next writer may begin as soon as
    /// the change is in the log's queue: what it builds on becomes durable before its own change does.
    ///
    /// A change whose predecessor is refused by the log is refused too.
    pub(crate) fn commit(self, delta: Delta) -> Result<Arc<Snapshot>, StoreError> {
        let sequence = self.snapshot.sequence() + 1;
        let now = OffsetDateTime::now_utc();
        let time = self.snapshot.time().map_or(now, |before| before.max(now));
        let parts = part::write(&delta.dictionary, &delta.added, &delta.removed)?;
        let (dictionary, index) = (delta.dictionary, delta.index);
        let chain = self.snapshot.chain.with(sequence, &parts);
        let next = self.snapshot.next(sequence, Some(time), dictionary, index);
        let mut next = next.chained(chain);
        next.keep(&self.snapshot, &delta.added, &delta.removed);
        let next = Arc::new(next);
        let published = Arc::clone(&self.store.published);
        let visible = Arc::clone(&next);
        let (store, parent) = (self.store, self.batch);
        let serial = {
            let mut head = store.head.lock().unwrap_or_else(PoisonError::into_inner);
            head.batches += 1;
            head.batch = head.batches;
            head.snapshot = Arc::clone(&next);
            head.batch
        };
        let durable = Arc::clone(&store.durable);
        let done = store.log.commit(Batch {
            serial,
            parent,
            sequence,
            time,
            parts,
            publish: Box::new(move || {
                durable.store(serial, Ordering::SeqCst);
                published.store(visible);
            }),
        });
        drop(self);
        let written = wait(done);
        if written.is_err() {
            store.forget(serial);
        }
        written.map(|()| next)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.store
            .head
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .taken = false;
        self.store.freed.notify_one();
    }
}

impl Journal for UseJournal {
    fn append(
        &self,
        records: Vec<Vec<u8>>,
        seal: Vec<u8>,
    ) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        let done = self.log.append(records, seal);
        async move { Ok(done.await.unwrap_or(Err(StoreError::Stopped))?) }.boxed()
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        Ok(self.log.records(from, most)?)
    }

    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.log.seal()?)
    }

    fn replace(&self, records: Vec<(u64, Vec<u8>)>) -> BoxFuture<'_, Result<(), Refusal>> {
        let done = self.log.replace(records);
        async move { Ok(done.await.unwrap_or(Err(StoreError::Stopped))?) }.boxed()
    }
}

fn wait(done: oneshot::Receiver<Result<(), StoreError>>) -> Result<(), StoreError> {
    futures::executor::block_on(done).unwrap_or(Err(StoreError::Stopped))
}

/// The snapshot that the log leads to.
fn replay(log: &Log) -> Result<Snapshot, StoreError> {
    let commits = log.len()?;
    let Some(last) = log.commits(commits, 1)?.pop() else {
        return match commits {
            0 => Ok(Snapshot::default()),
            _ => Err(damaged(commits, "sequence numbers are missing")),
        };
    };
    let mut growing = Dictionary::default().grow();
    let mut index = Index::default();
    let mut pending: Vec<(IdQuad, bool)> = Vec::new();
    let mut chain = Chain::default();
    log.parts(1..=last.sequence, |sequence, bytes| {
        chain = chain.and(sequence, bytes);
        let part = part::read(sequence, bytes)?;
        let ids = growing.ids_of_texts(&part.texts)?;
        let quad = |quad: &[u32; 4]| quad.map(|place| at(&ids, place));
        pending.extend(part.removed.iter().map(|places| (quad(places), false)));
        pending.extend(part.added.iter().map(|places| (quad(places), true)));
        if pending.len() >= REPLAY {
            index = settle(&index, &mut pending);
        }
        Ok(())
    })?;
    let index = settle(&index, &mut pending);
    let (sequence, time) = (last.sequence, Some(last.time));
    let snapshot = Snapshot::default().next(sequence, time, growing.finish(), index);
    Ok(snapshot.chained(chain))
}

/// Brings changes into the index; of several on one quad the last counts.
fn settle(index: &Index, pending: &mut Vec<(IdQuad, bool)>) -> Index {
    pending.sort_by_key(|(quad, _)| *quad);
    let mut added = Vec::new();
    let mut removed = Vec::new();
    for changes in pending.chunk_by(|(a, _), (b, _)| a == b) {
        if let Some((quad, there)) = changes.last()
            && *there != index.contains(*quad)
        {
            if *there {
                added.push(*quad)
            } else {
                removed.push(*quad)
            }
        }
    }
    pending.clear();
    index.apply(&added, &removed)
}

/// The id at a place that [`part::read`] has checked; 0 is the default graph.
fn at(ids: &[u32], place: u32) -> u32 {
    match (place as usize).checked_sub(1) {
        Some(place) => ids.get(place).copied().unwrap_or(DEFAULT_GRAPH),
        None => DEFAULT_GRAPH,
    }
}
