//! What was received and not yet acknowledged, found again in the log: an answer is in it, and that its peer took our word for
//! it. So a restart forgets no acknowledgement, and sends none twice that arrived.

use super::audit::decode;
use super::entry::{EntryKind, Record};
use super::envelope::{Acknowledgement, Received};
use super::{Receipts, read_shown};
use oxrdf::NamedNode;
use std::collections::HashMap;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};

/// How far back it is looked, in records: what is older stays without acknowledgement, and reconciling tells.
const BACK: u64 = 1 << 17;
/// How many records are read at once.
const BATCH: usize = 1024;

impl Receipts {
    /// Notes that a peer took our word for what we received: it is not sent again.
    ///
    /// # Errors
    /// As [`Receipts::note`].
    pub async fn delivered(
        &self,
        peer: &NamedNode,
        received: &[Received],
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let transactions = received.iter().map(|one| one.transaction.clone());
        let kind = EntryKind::Delivered {
            participant: peer.as_str().to_owned(),
            transactions: transactions.collect(),
        };
        self.note(kind, now).await.map(drop)
    }

    /// The last answers up to a place in the log, at most `most`, of which no peer took our word, oldest first; and takes up
    /// again what peers acknowledged, so that none of that counts twice. Looks at the end of the log alone. Blocks.
    ///
    /// # Errors
    /// [`Code::Internal`], naming the record that cannot be read.
    // INVARIANT(acknowledged-after-a-restart): what was received and is on disk is acknowledged, whenever we stop, once.
    pub fn undelivered(
        &self,
        last: u64,
        most: usize,
    ) -> Result<Vec<(NamedNode, Received)>, Refusal> {
        let mut open: HashMap<String, (u64, NamedNode, Received)> = HashMap::new();
        let mut from = last.saturating_sub(BACK - 1);
        while from <= last {
            let left = usize::try_from(last - from).unwrap_or(BATCH);
            let batch = self.journal.read(from, BATCH.min(left.saturating_add(1)))?;
            if batch.is_empty() {
                break;
            }
            for (sequence, bytes) in batch {
                from = sequence.saturating_add(1);
                if !may_matter(&bytes) {
                    continue;
                }
                let (Record::Entry(entry), _) = decode(sequence, &bytes)? else {
                    continue;
                };
                match entry.kind {
                    EntryKind::Delivered { transactions, .. } => {
                        for transaction in transactions {
                            open.remove(&transaction);
                        }
                    }
                    EntryKind::Acknowledged {
                        acknowledgement, ..
                    } => self.recall(&acknowledgement),
                    kind => {
                        if let Some((peer, received)) = answered(kind) {
                            let id = received.transaction.clone();
                            open.insert(id, (sequence, peer, received));
                        }
                    }
                }
            }
        }
        let mut open: Vec<_> = open.into_values().collect();
        open.sort_by_key(|(sequence, ..)| *sequence);
        let left = open.split_off(open.len().saturating_sub(most));
        let left = left.into_iter();
        Ok(left.map(|(_, peer, received)| (peer, received)).collect())
    }

    /// Signed and checked when it came in.
    fn recall(&self, acknowledgement: &str) {
        let said: Option<Acknowledgement> = crate::jws::unverified(acknowledgement);
        for one in said.into_iter().flat_map(|said| said.received) {
            self.mark(one.sequence);
        }
    }
}

/// What is to be acknowledged of an answer; nothing of one whose receipt is wrong. It was verified when it came in.
fn answered(kind: EntryKind) -> Option<(NamedNode, Received)> {
    let EntryKind::Answered {
        participant,
        transaction,
        result_digest,
        rows,
        receipt,
        fault: None,
        ..
    } = kind
    else {
        return None;
    };
    let believed = |text: &str| {
        crate::jws::unverified(text)
            .ok_or_else(|| Refusal::new(Code::Internal, "checkpoint", "is none"))
    };
    let shown = read_shown(&receipt, believed).ok()?;
    let peer = NamedNode::new(participant).ok()?;
    let received = Received {
        transaction,
        sequence: shown.sequence,
        record: shown.digest,
        result_digest,
        rows,
    };
    Some((peer, received))
}

/// Whether a record's kind is one of those: it stands early in the record, after members of a known length.
fn may_matter(record: &[u8]) -> bool {
    const KINDS: [&[u8]; 3] = [
        b"\"kind\":\"answered\"",
        b"\"kind\":\"delivered\"",
        b"\"kind\":\"acknowledged\"",
    ];
    super::witness::is_of(record, &KINDS)
}
