//! The one thread that writes the log: the chain's order is the journal's, however many requests there are at once.
//!
//! A thread rather than a lock: a request that is dropped half-way must not leave the chain half-written. Records that
//! arrive while others are on their way to disk go together next time, so the journal can commit them as a group, and
//! one signature over the tree's root is the receipt of all of them.

use super::checkpoint::Checkpoint;
use super::entry::{Draft, EntryKind};
use super::resume::{Tail, resume};
use crate::CurrentIdentity;
use crate::merkle::{Digest256, Growth};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use twinlink_core::{Code, DISK, Journal, Refusal};

/// How many records wait for the disk before more are refused.
const WAITING: usize = 4096;

/// The most records that go to disk together.
const TOGETHER: usize = 256;

/// The most records without a checkpoint behind them: so many are read at the start.
const OPEN_RECORDS: u64 = 16 * 1024;

/// The way to the thread. It ends when this is dropped, with a checkpoint.
pub(super) struct Scribe {
    orders: SyncSender<Order>,
    sealed: Arc<Mutex<Option<Sealed>>>,
    thread: JoinHandle<()>,
}

/// A checkpoint of the log that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// As it was signed.
    pub checkpoint: String,
    /// How many records it is over.
    pub size: u64,
    /// How many of the records since the log was opened are of uses: the same number says that nothing is to be told.
    pub uses: u64,
}

/// A record's place, once it is on disk.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Its sequence number in the journal.
    pub(super) sequence: u64,
    /// What proves it, where that was wanted.
    pub(super) proof: Option<Proof>,
}

/// What proves a record.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) record: Vec<u8>,
    pub(super) index: u64,
    pub(super) path: Vec<Digest256>,
    /// Signed.
    pub(super) checkpoint: Arc<str>,
}

/// Who waits for a record to be on disk.
pub(super) type Told = oneshot::Sender<Result<Written, Refusal>>;

enum Order {
    Write(Box<Draft>, Told),
    /// Several that go to disk together.
    WriteAll(Vec<(Draft, Told)>),
    /// A checkpoint behind all that was written.
    Seal(oneshot::Sender<Result<(), Refusal>>),
}

struct Writer {
    journal: Arc<dyn Journal>,
    identity: Arc<CurrentIdentity>,
    /// None after a fault: then it is read from the journal again.
    tail: Option<Tail>,
    /// When the first record was written that has no checkpoint behind it.
    open_since: Option<Instant>,
    /// The longest that records stay without a checkpoint behind them in the log.
    patience: Duration,
    /// How many records were written that are about uses.
    uses: u64,
    sealed: Arc<Mutex<Option<Sealed>>>,
}

impl Scribe {
    pub(super) fn start(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
        patience: Duration,
    ) -> Result<Self, Refusal> {
        let tail = resume(&*journal, u64::MAX)?;
        let (orders, incoming) = sync_channel(WAITING);
        let sealed = Arc::default();
        let mut writer = Writer {
            journal,
            identity,
            open_since: (tail.open > 0).then(Instant::now),
            tail: Some(tail),
            patience,
            uses: 0,
            sealed: Arc::clone(&sealed),
        };
        let thread = std::thread::Builder::new()
            .name("use-log".to_owned())
            .spawn(move || writer.run(&incoming))
            .map_err(|error| Refusal::new(Code::Internal, "use-log", error))?;
        Ok(Self {
            orders,
            sealed,
            thread,
        })
    }

    /// Whether records are taken: the thread ends early only by a panic.
    pub(super) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    pub(super) fn sealed(&self) -> Option<Sealed> {
        lock(&self.sealed).clone()
    }

    pub(super) async fn write(&self, draft: Draft) -> Result<Written, Refusal> {
        self.hand(draft)?.await
    }

    /// Gives the record its place before it returns; resolves once it is on disk.
    pub(super) fn hand(
        &self,
        draft: Draft,
    ) -> Result<impl Future<Output = Result<Written, Refusal>> + Send + use<>, Refusal> {
        let (reply, written) = oneshot::channel();
        self.order(Order::Write(Box::new(draft), reply))?;
        Ok(async move { written.await.unwrap_or_else(|_| Err(ended())) })
    }

    /// As [`Self::hand`], for several that share one fsync. Those who wait are told.
    pub(super) fn hand_all(&self, drafts: Vec<(Draft, Told)>) -> Result<(), Refusal> {
        self.order(Order::WriteAll(drafts))
    }

    pub(super) async fn seal(&self) -> Result<(), Refusal> {
        let (reply, sealed) = oneshot::channel();
        self.order(Order::Seal(reply))?;
        sealed.await.unwrap_or_else(|_| Err(ended()))
    }

    fn order(&self, order: Order) -> Result<(), Refusal> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => unavailable("too many records wait for the disk"),
            TrySendError::Disconnected(_) => ended(),
        })
    }
}

impl Writer {
    /// Runs until no sender is left.
    fn run(&mut self, incoming: &Receiver<Order>) {
        loop {
            let patience = self
                .open_since
                .map(|since| self.patience.saturating_sub(since.elapsed()));
            let first = match patience {
                None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => incoming.recv_timeout(patience),
            };
            match first {
                Ok(first) => {
                    let mut orders = vec![first];
                    orders.extend(incoming.try_iter().take(TOGETHER - 1));
                    self.obey(orders);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(refusal) = self.write(Vec::new(), true) {
                        tracing::error!(%refusal, "no checkpoint could be written");
                        // Not at once again: the disk may be full for long.
                        self.open_since = Some(Instant::now());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    drop(self.write(Vec::new(), true));
                    return;
                }
            }
        }
    }

    fn obey(&mut self, orders: Vec<Order>) {
        let (mut writes, mut seals) = (Vec::with_capacity(orders.len()), Vec::new());
        for order in orders {
            match order {
                Order::Write(draft, reply) => writes.push((*draft, reply)),
                Order::WriteAll(all) => writes.extend(all),
                Order::Seal(reply) => seals.push(reply),
            }
        }
        let (drafts, replies): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let count = replies.len();
        let results = match self.write(drafts, false) {
            Ok(results) => results,
            Err(refusal) => vec![Err(refusal); count],
        };
        for (reply, result) in replies.into_iter().zip(results) {
            // Whoever does not wait any more needs no reply.
            drop(reply.send(result));
        }
        if !seals.is_empty() {
            let sealed = self.write(Vec::new(), true).map(|_| ());
            for reply in seals {
                drop(reply.send(sealed.clone()));
            }
        }
    }

    /// Writes these, after a checkpoint where one is due, and waits for all of them.
    // INVARIANT(chain-order): a record's `previous` is the digest of the record before it in the journal.
    fn write(
        &mut self,
        drafts: Vec<Draft>,
        seal: bool,
    ) -> Result<Vec<Result<Written, Refusal>>, Refusal> {
        let tail = match self.tail.take() {
            Some(tail) => tail,
            None => resume(&*self.journal, u64::MAX)?,
        };
        let is_due = seal
            || tail.open >= OPEN_RECORDS
            || self
                .open_since
                .is_some_and(|since| since.elapsed() >= self.patience);
        let checkpoint = match is_due && tail.open > 0 {
            true => Some(self.checkpoint(&tail)?),
            false => None,
        };
        let is_sealed = checkpoint.is_some();
        let sealed = checkpoint.as_ref().and_then(Draft::checkpoint);
        let sealed = sealed.map(|(size, text)| Sealed {
            checkpoint: text.to_owned(),
            size,
            uses: self.uses,
        });
        let uses = drafts.iter().filter(|draft| !draft.is_of_logs()).count() as u64;
        let mut growth = Growth::from(tail.peaks.clone());
        let mut next = Tail {
            open: if is_sealed { 0 } else { tail.open },
            ..tail
        };
        let mut appends = Vec::with_capacity(drafts.len() + 1);
        let mut proofs = Vec::with_capacity(drafts.len());
        for draft in checkpoint.into_iter().chain(drafts) {
            let (is_shown, time) = (draft.is_shown(), draft.time().to_owned());
            let record = draft.after(next.head).map_err(unavailable)?;
            let leaf = Digest256::of_leaf(&record);
            let index = growth.push(leaf);
            next.head = leaf;
            next.time = time;
            proofs.push(is_shown.then(|| (index, record.clone())));
            appends.push(self.journal.append(record));
        }
        // join_all polls in order, so the journal takes them in order whether it does so at the call or at the first poll.
        let mut results = in_order(block_on(join_all(appends)));
        next.open += (results.len() - usize::from(is_sealed)) as u64;
        next.peaks = growth.peaks();
        let is_whole = results.iter().all(Result::is_ok);
        if is_whole {
            self.prove(&next, &mut growth, proofs, &mut results);
            self.open_since = match (next.open, is_sealed) {
                (0, _) => None,
                (_, true) => Some(Instant::now()),
                (_, false) => self.open_since.or_else(|| Some(Instant::now())),
            };
            self.tail = Some(next);
            self.uses += uses;
            if sealed.is_some() {
                *lock(&self.sealed) = sealed;
            }
        } else {
            // What is on disk is not known: no receipt is given for any of it, and the journal is read again.
            for (result, proof) in results.iter_mut().zip(proofs) {
                if proof.is_some() && result.is_ok() {
                    *result = Err(unavailable("other records could not be written"));
                }
            }
        }
        if is_sealed {
            results.remove(0)?;
        }
        Ok(results)
    }

    /// The last step of a receipt: one signature for all.
    fn prove(
        &self,
        tail: &Tail,
        growth: &mut Growth,
        proofs: Vec<Option<(u64, Vec<u8>)>>,
        results: &mut [Result<Written, Refusal>],
    ) {
        if proofs.iter().all(Option::is_none) {
            return;
        }
        let signed = self.signed(tail).map(Arc::<str>::from);
        for (result, proof) in results.iter_mut().zip(proofs) {
            let Some((index, record)) = proof else {
                continue;
            };
            let proven = signed.clone().and_then(|checkpoint| {
                let path = growth.inclusion(index).ok_or_else(ended)?;
                Ok(Proof {
                    record,
                    index,
                    path,
                    checkpoint,
                })
            });
            match (proven, &mut *result) {
                (Ok(proof), Ok(written)) => written.proof = Some(proof),
                (Err(refusal), result) => *result = Err(refusal),
                (Ok(_), Err(_)) => {}
            }
        }
    }

    fn checkpoint(&self, tail: &Tail) -> Result<Draft, Refusal> {
        let kind = EntryKind::Checkpoint {
            size: tail.peaks.size(),
            peaks: tail.peaks.digests().to_vec(),
            checkpoint: self.signed(tail)?,
        };
        Ok(Draft::new(tail.time.clone(), kind))
    }

    fn signed(&self, tail: &Tail) -> Result<String, Refusal> {
        let identity = self.identity.load();
        let checkpoint = Checkpoint {
            log: identity.participant().as_str().to_owned(),
            size: tail.peaks.size(),
            root: tail.peaks.root(),
            time: tail.time.clone(),
        };
        checkpoint
            .sign(&identity)
            .map_err(|error| Refusal::new(Code::Internal, "use-log", error))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // It is replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places, if the journal kept the order.
fn in_order(results: Vec<Result<u64, Refusal>>) -> Vec<Result<Written, Refusal>> {
    let mut last = None;
    let mut place = |sequence| {
        if last.is_some_and(|last| last >= sequence) {
            return Err(unavailable("the journal changed the order of records"));
        }
        last = Some(sequence);
        Ok(Written {
            sequence,
            proof: None,
        })
    };
    let results = results.into_iter();
    results
        .map(|result| result.map_err(not_written).and_then(&mut place))
        .collect()
}

/// That it is the disk's fault is told as it is: who may read the log may do so then.
fn not_written(refusal: Refusal) -> Refusal {
    match refusal.check() {
        DISK => refusal,
        _ => unavailable(refusal),
    }
}

pub(super) fn ended() -> Refusal {
    unavailable("the writing thread ended")
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Unavailable, "use-log", error)
}
