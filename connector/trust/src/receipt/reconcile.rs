//! Two logs of one exchange: does what the provider recorded agree with what the consumer recorded.

use super::entry::{Entry, EntryKind, Used};
use super::envelope::{Acknowledgement, Received};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One use, as one side recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// The id that both sides know: the consumer's, which signed the request.
    pub transaction: String,
    /// SHA-256 of the request's text, lower-case hex.
    pub request_digest: Option<String>,
    /// SHA-256 over the rows, lower-case hex; none where it did not come to an end.
    pub result_digest: Option<String>,
    /// Rows or triples.
    pub rows: Option<u64>,
    /// Whether the consumer's word that it received this is here. A consumer has its own.
    pub acknowledged: bool,
    /// Whether the provider refused it: then nothing was given, and there is nothing to acknowledge.
    #[serde(default)]
    pub refused: bool,
}

/// What became of one use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// Both recorded the same, and the consumer acknowledged it.
    Matched,
    /// Our log has it, theirs has not.
    OnlyHere,
    /// Their log has it, ours has not.
    OnlyThere,
    /// Both have it, and differ: in what.
    DigestMismatch(&'static str),
    /// One side has no record of the outcome, and the other holds what it signed of it: that record was there, and was removed
    /// or purged. At which side it is missing: `here` or `there`.
    OutcomeMissing(&'static str),
    /// Both recorded the same, and one side lacks the consumer's acknowledgement.
    NoAcknowledgement,
}

/// What we provided to a peer, or refused it, from our log with its sequence numbers: what the peer signed a request for.
pub fn provided(entries: &[(u64, Entry)], consumer: &str) -> Vec<Exchange> {
    let mut uses: BTreeMap<u64, Exchange> = BTreeMap::new();
    let mut received: BTreeMap<String, Received> = BTreeMap::new();
    // What apps signed, their organisation's connector knows nothing of.
    let mut held = BTreeSet::new();
    for (sequence, entry) in entries {
        if entry.kind.participant() != Some(consumer) {
            continue;
        }
        match &entry.kind {
            EntryKind::Intent { held: Some(_), .. } => drop(held.insert(*sequence)),
            EntryKind::Completion { intent, .. } if held.contains(intent) => {}
            EntryKind::Intent { used, refused, .. } => {
                let Some(known) = exchange(used) else {
                    continue;
                };
                // What was begun may be refused after all: that is a second record of one request.
                let begun = refused.as_ref().and_then(|_| begun(&mut uses, &known));
                match begun {
                    Some(begun) => begun.refused = true,
                    None => {
                        let refused = refused.is_some();
                        uses.insert(*sequence, Exchange { refused, ..known });
                    }
                }
            }
            EntryKind::Completion {
                used,
                intent,
                rows,
                result_digest,
                ..
            } => {
                // The intent may be purged: the completion says again what it said.
                if let Some(whole) = exchange(used) {
                    let known = uses.entry(*intent).or_insert(whole);
                    known.result_digest = Some(result_digest.clone());
                    known.rows = Some(*rows);
                }
            }
            EntryKind::Acknowledged {
                acknowledgement, ..
            } => {
                // Signed and checked when it came in; what it says is compared below.
                let said: Option<Acknowledgement> = crate::jws::unverified(acknowledgement);
                for one in said.into_iter().flat_map(|said| said.received) {
                    received.insert(one.transaction.clone(), one);
                }
            }
            _ => {}
        }
    }
    for known in uses.values_mut() {
        known.acknowledged = received.get(&known.transaction).is_some_and(|said| {
            Some(&said.result_digest) == known.result_digest.as_ref()
                && Some(said.rows) == known.rows
        });
    }
    uses.into_values().collect()
}

/// How many uses we provided to a participant that its connector signed no request for: its people and apps asked past its own
/// connector, which knows nothing of them.
pub fn unsigned(entries: &[(u64, Entry)], consumer: &str) -> usize {
    let is_unsigned = |kind: &EntryKind| {
        matches!(kind, EntryKind::Intent { used, refused: None, held, .. }
            if (used.transaction.is_none() || held.is_some())
                && used.participant.as_deref() == Some(consumer))
    };
    let found = entries.iter().filter(|(_, entry)| is_unsigned(&entry.kind));
    found.count()
}

/// What we got from a peer, from our log.
pub fn consumed(entries: &[(u64, Entry)], provider: &str) -> Vec<Exchange> {
    let mut uses: BTreeMap<&str, Exchange> = BTreeMap::new();
    for (_, entry) in entries {
        if entry.kind.participant() != Some(provider) {
            continue;
        }
        match &entry.kind {
            EntryKind::Asked {
                transaction,
                request_digest,
                ..
            } => {
                let known = uses
                    .entry(transaction)
                    .or_insert_with(|| blank(transaction));
                known.request_digest = Some(request_digest.clone());
            }
            EntryKind::Answered {
                transaction,
                result_digest,
                rows,
                fault,
                ..
            } => {
                let known = uses
                    .entry(transaction)
                    .or_insert_with(|| blank(transaction));
                known.result_digest = Some(result_digest.clone());
                known.rows = Some(*rows);
                known.acknowledged = fault.is_none();
            }
            _ => {}
        }
    }
    uses.into_values().collect()
}

/// The request as it was begun, and did not end.
fn begun<'a>(uses: &'a mut BTreeMap<u64, Exchange>, known: &Exchange) -> Option<&'a mut Exchange> {
    let mut last = uses.values_mut().rev();
    last.find(|one| one.transaction == known.transaction && one.result_digest.is_none())
}

fn exchange(used: &Used) -> Option<Exchange> {
    let transaction = used.transaction.as_deref()?;
    Some(Exchange {
        request_digest: Some(used.request_digest.clone()),
        ..blank(transaction)
    })
}

fn blank(transaction: &str) -> Exchange {
    Exchange {
        transaction: transaction.to_owned(),
        request_digest: None,
        result_digest: None,
        rows: None,
        acknowledged: false,
        refused: false,
    }
}

/// Compares what one side recorded with what the other did, by the id that both know, in the order of ids.
///
/// An id that is there twice on one side is a mismatch: a log was replayed.
// INVARIANT(reconciled): every use in either list has one line, and only equal ones match.
pub fn reconcile(ours: &[Exchange], theirs: &[Exchange]) -> Vec<(String, Agreement)> {
    let mut all: BTreeMap<&str, (Vec<&Exchange>, Vec<&Exchange>)> = BTreeMap::new();
    for here in ours {
        all.entry(&here.transaction).or_default().0.push(here);
    }
    for there in theirs {
        all.entry(&there.transaction).or_default().1.push(there);
    }
    let compare = |(transaction, (here, there)): (&str, (Vec<&Exchange>, Vec<&Exchange>))| {
        let agreement = match (here.as_slice(), there.as_slice()) {
            ([here], [there]) => agreement(here, there),
            (_, []) => Agreement::OnlyHere,
            ([], _) => Agreement::OnlyThere,
            _ => Agreement::DigestMismatch("one side has it several times"),
        };
        (transaction.to_owned(), agreement)
    };
    all.into_iter().map(compare).collect()
}

fn agreement(here: &Exchange, there: &Exchange) -> Agreement {
    if here.request_digest != there.request_digest {
        return Agreement::DigestMismatch("request");
    }
    if here.refused || there.refused {
        let is_given = here.result_digest.is_some() || there.result_digest.is_some();
        return match is_given {
            true => Agreement::DigestMismatch("refusal"),
            false => Agreement::Matched,
        };
    }
    // One side may not have seen the end: the other cannot know, so it is no mismatch but lacks the acknowledgement.
    if let (Some(ours), Some(theirs)) = (&here.result_digest, &there.result_digest) {
        if ours != theirs {
            return Agreement::DigestMismatch("result");
        }
        if here.rows != there.rows {
            return Agreement::DigestMismatch("rows");
        }
        if here.acknowledged && there.acknowledged {
            return Agreement::Matched;
        }
    }
    // Who holds a good receipt, or a signed word on what was received, holds it of a record that was on disk before.
    if here.acknowledged && there.result_digest.is_none() {
        return Agreement::OutcomeMissing("there");
    }
    if there.acknowledged && here.result_digest.is_none() {
        return Agreement::OutcomeMissing("here");
    }
    Agreement::NoAcknowledgement
}
