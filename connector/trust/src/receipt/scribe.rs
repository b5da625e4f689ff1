//! The one thread that writes the log: the chain's order is the journal's, however many requests there are at once.
//!
//! A thread rather than a lock: a request that is dropped half-way must not leave the chain half-written. Records that
//! arrive while others are on their way to disk go together next time, so the journal can commit them as a group.

use super::entry::{Draft, GENESIS, digest};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::join_all;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use twinlink_core::{Code, Journal, Refusal};

/// How many records wait for the disk before more are refused.
const WAITING: usize = 4096;

/// The most records that go to disk together.
const TOGETHER: usize = 256;

/// The way to the thread. It ends when this is dropped.
pub(super) struct Scribe {
    orders: SyncSender<Order>,
}

/// A record's place, once it is on disk.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Its sequence number.
    pub(super) sequence: u64,
    /// Its digest.
    pub(super) digest: String,
    /// The digest of the record before it.
    pub(super) previous: String,
}

struct Order {
    draft: Draft,
    reply: oneshot::Sender<Result<Written, Refusal>>,
}

impl Scribe {
    pub(super) fn start(journal: Arc<dyn Journal>) -> Result<Self, Refusal> {
        let tail = last_digest(&*journal)?;
        let (orders, incoming) = sync_channel(WAITING);
        std::thread::Builder::new()
            .name("use-log".to_owned())
            .spawn(move || write_all(&*journal, &incoming, Some(tail)))
            .map_err(|error| Refusal::new(Code::Internal, "use-log", error))?;
        Ok(Self { orders })
    }

    pub(super) async fn write(&self, draft: Draft) -> Result<Written, Refusal> {
        let (reply, written) = oneshot::channel();
        self.orders
            .try_send(Order { draft, reply })
            .map_err(|error| match error {
                TrySendError::Full(_) => unavailable("too many records wait for the disk"),
                TrySendError::Disconnected(_) => unavailable("the writing thread ended"),
            })?;
        written
            .await
            .unwrap_or_else(|_| Err(unavailable("the writing thread ended")))
    }
}

/// Runs until no sender is left. `tail` is none after a fault: then it is read from the journal again.
fn write_all(journal: &dyn Journal, incoming: &Receiver<Order>, mut tail: Option<String>) {
    while let Ok(first) = incoming.recv() {
        let mut orders = vec![first];
        orders.extend(incoming.try_iter().take(TOGETHER - 1));
        let known = match tail.take() {
            Some(tail) => Ok(tail),
            None => last_digest(journal),
        };
        match known {
            Ok(known) => tail = write_together(journal, orders, known),
            Err(refusal) => orders.into_iter().for_each(|order| {
                // Whoever does not wait any more needs no reply.
                drop(order.reply.send(Err(refusal.clone())));
            }),
        }
    }
}

/// Writes these and waits for all of them. Gives the new tail, or none where one failed.
// INVARIANT(chain-order): a record's `previous` is the digest of the record before it in the journal.
fn write_together(journal: &dyn Journal, orders: Vec<Order>, mut tail: String) -> Option<String> {
    let mut appends = Vec::with_capacity(orders.len());
    let mut replies = Vec::with_capacity(orders.len());
    for Order { draft, reply } in orders {
        match draft.after(&tail) {
            Ok(record) => {
                let previous = std::mem::replace(&mut tail, digest(&record));
                appends.push(journal.append(record));
                replies.push((reply, previous, tail.clone()));
            }
            Err(error) => drop(reply.send(Err(unavailable(error)))),
        }
    }
    // join_all polls in order, so the journal takes them in order whether it does so at the call or at the first poll.
    let results = block_on(join_all(appends));
    let mut last = None;
    let mut whole = true;
    for ((reply, previous, digest), result) in replies.into_iter().zip(results) {
        let result = result.map_err(unavailable).and_then(|sequence| {
            if last.is_some_and(|last| last >= sequence) {
                return Err(unavailable("the journal changed the order of records"));
            }
            last = Some(sequence);
            Ok(Written {
                sequence,
                digest,
                previous,
            })
        });
        whole &= result.is_ok();
        drop(reply.send(result));
    }
    whole.then_some(tail)
}

/// The digest of the journal's last record: found by doubling and halving, for a long journal costs too much to read.
fn last_digest(journal: &dyn Journal) -> Result<String, Refusal> {
    let read = |from| journal.read(from, 1).map_err(unavailable);
    let Some((mut at, mut record)) = read(0)?.into_iter().next() else {
        return Ok(GENESIS.to_owned());
    };
    let mut step = 1_u64;
    while step > 0 {
        match at
            .checked_add(step)
            .map(read)
            .transpose()?
            .and_then(|found| found.into_iter().next())
        {
            Some((found, text)) => {
                (at, record) = (found, text);
                step = step.saturating_mul(2);
            }
            // Nothing from there on: the last record is nearer than that.
            None => step /= 2,
        }
    }
    Ok(digest(&record))
}

fn unavailable(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Unavailable, "use-log", error)
}
