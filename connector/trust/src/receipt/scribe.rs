//! The one thread that writes the log: the chain's order is the journal's, however many requests there are at once.
//!
//! A thread rather than a lock: a request that is dropped half-way must not leave the chain half-written. Records that
//! arrive while others are on their way to disk go together next time, so the journal can commit them as a group, and
//! one signature over the tree's root is the receipt of all of them. It is made before, and goes to disk with them: the
//! next start believes no record behind it.

use super::checkpoint::Checkpoint;
use super::end::find_end;
use super::entry::{Draft, EntryKind};
use super::keys::vouch;
use super::moment;
use super::resume::Tail;
use crate::merkle::{Digest256, Growth};
use crate::{CurrentIdentity, Identity, PublicKey};
use futures::channel::oneshot;
use futures::executor::block_on;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
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
    /// Keys that were ours too, as far as is known.
    former: Vec<PublicKey>,
    /// None after a fault: then it is read from the journal again.
    tail: Option<Tail>,
    /// Who signed last.
    signer: Signer,
    /// What is to be said of the end that was found, before anything is written behind it.
    unproven: Option<(u64, u64)>,
    /// When the first record was written that has no checkpoint behind it.
    open_since: Option<Instant>,
    /// The longest that records stay without a checkpoint behind them in the log.
    patience: Duration,
    /// How many records were written that are about uses.
    uses: u64,
    sealed: Arc<Mutex<Option<Sealed>>>,
}

/// Who signed the end of the log.
enum Signer {
    /// Nobody did, or the identity's key that is in force.
    Nobody,
    /// A key of ours, before this was opened.
    Before(PublicKey),
    /// This identity, here.
    Here(Arc<Identity>),
}

impl Signer {
    fn key(&self) -> Option<&PublicKey> {
        match self {
            Self::Nobody => None,
            Self::Before(key) => Some(key),
            Self::Here(identity) => Some(identity.key().public()),
        }
    }
}

/// Records that go to disk together, as they follow on the end.
struct Page {
    growth: Growth,
    next: Tail,
    records: Vec<Vec<u8>>,
    /// The index of each that is shown to others.
    shown: Vec<Option<u64>>,
}

impl Page {
    fn push(&mut self, draft: Draft) -> Result<(), Refusal> {
        let (is_shown, time) = (draft.is_shown(), draft.time().to_owned());
        let is_checkpoint = draft.checkpoint().is_some();
        let record = draft.after(self.next.head).map_err(unavailable)?;
        let leaf = Digest256::of_leaf(&record);
        let index = self.growth.push(leaf);
        self.next.head = leaf;
        self.next.time = time;
        self.next.open = if is_checkpoint { 0 } else { self.next.open + 1 };
        self.records.push(record);
        self.shown.push(is_shown.then_some(index));
        Ok(())
    }
}

impl Scribe {
    pub(super) fn start(
        journal: Arc<dyn Journal>,
        identity: Arc<CurrentIdentity>,
        former: Vec<PublicKey>,
        patience: Duration,
    ) -> Result<Self, Refusal> {
        let (orders, incoming) = sync_channel(WAITING);
        let sealed = Arc::default();
        let mut writer = Writer {
            journal,
            identity,
            former,
            tail: None,
            signer: Signer::Nobody,
            unproven: None,
            open_since: None,
            patience,
            uses: 0,
            sealed: Arc::clone(&sealed),
        };
        let tail = writer.find_end()?;
        let has_news = writer.unproven.is_some() || writer.has_new_key(&writer.identity.load());
        writer.open_since = (tail.open > 0 || has_news).then(Instant::now);
        writer.tail = Some(tail);
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
            Ok(written) => written.into_iter().map(Ok).collect(),
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

    /// Reads where the log ends, and what is to be said of that.
    fn find_end(&mut self) -> Result<Tail, Refusal> {
        let identity = self.identity.load();
        let mut keys = vec![identity.key().public().clone()];
        keys.extend(self.former.iter().cloned());
        keys.extend(self.signer.key().cloned());
        let end = find_end(&*self.journal, identity.participant(), &keys)?;
        if let Some((first, last)) = end.unproven {
            tracing::error!(
                first,
                last,
                "records of the log of use are under no signature of ours: they are taken up as unproven, on record"
            );
        }
        self.unproven = end.unproven;
        if end.key.as_ref() != self.signer.key() {
            self.signer = end.key.map_or(Signer::Nobody, Signer::Before);
        }
        let checkpoint = None;
        Ok(Tail {
            checkpoint,
            ..end.tail
        })
    }

    /// Whether another key signed last than the one that is to sign now.
    fn has_new_key(&self, identity: &Identity) -> bool {
        let before = self.signer.key();
        before.is_some_and(|before| before != identity.key().public())
    }

    /// What comes before all else: that records are unproven, and that keys changed.
    fn news(&self, identity: &Identity) -> Result<Vec<Draft>, Refusal> {
        let now = OffsetDateTime::now_utc();
        let fault = |error| Refusal::new(Code::Internal, "use-log", error);
        let mut kinds = Vec::new();
        if let Some((first, last)) = self.unproven {
            kinds.push(EntryKind::Unproven { first, last });
        }
        if self.has_new_key(identity) {
            if let Signer::Here(before) = &self.signer {
                let next = identity.key().public();
                kinds.push(vouch(before, next, now).map_err(fault)?);
            }
            if let Some(key) = self.signer.key() {
                kinds.push(vouch(identity, key, now).map_err(fault)?);
            }
        }
        let time = moment(now).map_err(fault)?;
        let drafts = kinds.into_iter();
        Ok(drafts.map(|kind| Draft::new(time.clone(), kind)).collect())
    }

    /// Writes these, after a checkpoint where one is due, and waits for all of them. One signature is the seal of the log up
    /// to the last of them, and the receipt of each.
    // INVARIANT(chain-order): a record's `previous` is the digest of the record before it in the journal.
    fn write(&mut self, drafts: Vec<Draft>, seal: bool) -> Result<Vec<Written>, Refusal> {
        let tail = match self.tail.take() {
            Some(tail) => tail,
            None => self.find_end()?,
        };
        let identity = self.identity.load();
        let count = drafts.len();
        let uses = drafts.iter().filter(|draft| !draft.is_of_logs()).count() as u64;
        let mut page = Page {
            growth: Growth::from(tail.peaks.clone()),
            next: tail.clone(),
            records: Vec::with_capacity(count + 1),
            shown: Vec::with_capacity(count + 1),
        };
        for draft in self.news(&identity)? {
            page.push(draft)?;
        }
        let is_due = seal
            || page.next.open >= OPEN_RECORDS
            || self
                .open_since
                .is_some_and(|since| since.elapsed() >= self.patience);
        let mut sealed = None;
        if is_due && page.next.open > 0 {
            page.next.peaks = page.growth.peaks();
            let size = page.next.peaks.size();
            let checkpoint = signed(&page.next, &identity)?;
            sealed = Some(Sealed {
                checkpoint: checkpoint.clone(),
                size,
                uses: self.uses,
            });
            let kind = EntryKind::Checkpoint {
                size,
                peaks: page.next.peaks.digests().to_vec(),
                checkpoint,
            };
            page.push(Draft::new(page.next.time.clone(), kind))?;
        }
        for draft in drafts {
            page.push(draft)?;
        }
        if page.records.is_empty() {
            self.tail = Some(tail);
            return Ok(Vec::new());
        }
        page.next.peaks = page.growth.peaks();
        let seal: Arc<str> = signed(&page.next, &identity)?.into();
        let shown: Vec<_> = page
            .records
            .iter()
            .zip(&page.shown)
            .map(|(record, index)| index.map(|index| (index, record.clone())))
            .collect();
        // What is on disk after a fault is not known: no receipt is given for any of it, and the journal is read again.
        let places = block_on(self.journal.append(page.records, seal.as_bytes().to_vec()))
            .map_err(not_written)?;
        let is_in_order = places.len() == shown.len() && places.is_sorted_by(|a, b| a < b);
        if !is_in_order {
            return Err(unavailable("the journal changed the order of records"));
        }
        self.open_since = match (page.next.open, sealed.is_some()) {
            (0, _) => None,
            (_, true) => Some(Instant::now()),
            (_, false) => self.open_since.or_else(|| Some(Instant::now())),
        };
        self.tail = Some(page.next);
        self.signer = Signer::Here(identity);
        self.unproven = None;
        self.uses += uses;
        if sealed.is_some() {
            *lock(&self.sealed) = sealed;
        }
        let own = shown.len() - count;
        let written = places.into_iter().zip(shown).skip(own);
        let mut prove = |(sequence, shown): (u64, Option<(u64, Vec<u8>)>)| {
            let proof = shown.map(|(index, record)| {
                Ok::<_, Refusal>(Proof {
                    record,
                    index,
                    path: page.growth.inclusion(index).ok_or_else(ended)?,
                    checkpoint: Arc::clone(&seal),
                })
            });
            let proof = proof.transpose()?;
            Ok(Written { sequence, proof })
        };
        written.map(&mut prove).collect()
    }
}

/// The log up to here, signed.
fn signed(tail: &Tail, identity: &Identity) -> Result<String, Refusal> {
    let checkpoint = Checkpoint {
        log: identity.participant().as_str().to_owned(),
        size: tail.peaks.size(),
        root: tail.peaks.root(),
        time: tail.time.clone(),
    };
    checkpoint
        .sign(identity)
        .map_err(|error| Refusal::new(Code::Internal, "use-log", error))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // It is replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
