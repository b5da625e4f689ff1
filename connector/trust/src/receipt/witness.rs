//! Watching the logs of peers: one head for everybody, and nothing behind it ever changes.

use super::audit;
use super::checkpoint::{Checkpoint, cosign, verify_checkpoint};
use super::entry::{EntryKind, Record};
use crate::merkle::{Digest256, verify_consistency};
use crate::{CurrentIdentity, PublicKey};
use oxrdf::NamedNode;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Journal, Refusal};

/// How many records are read at once.
const BATCH: usize = 1024;

/// Signs a peer's checkpoint only if its log grew from the last one that it signed. Holds one checkpoint of each peer.
pub struct Witness {
    identity: Arc<CurrentIdentity>,
    seen: Mutex<HashMap<String, Seen>>,
}

/// The last that was seen of a log.
struct Seen {
    checkpoint: Checkpoint,
    /// As it was signed.
    text: String,
    /// Whether the log was found to contradict it.
    contradicted: bool,
}

/// What a witness says of a checkpoint that it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// That it saw the log grow to it, signed.
    Cosigned(String),
    /// That it has seen the log at this size, and the proof must be from there.
    Seen(u64),
}

/// What a log of use holds about peers' logs, and what peers say of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witnessed {
    /// The last checkpoint seen of each peer, as it signed it.
    pub seen: BTreeMap<String, String>,
    /// What each peer last said to have seen of this log, as it signed it.
    pub cosigned: BTreeMap<String, String>,
    /// Peers whose logs contradict themselves: what they signed before, and what they signed then. Not those that were
    /// readmitted since.
    pub contradicted: BTreeMap<String, (String, String)>,
    /// The first and the last place of records of this log that were taken up without proof.
    pub unproven: Vec<(u64, u64)>,
}

impl Witness {
    /// A witness that has seen what its own log of use says it has.
    pub fn new(identity: Arc<CurrentIdentity>, witnessed: &Witnessed) -> Self {
        let seen = witnessed.seen.iter().filter_map(|(participant, text)| {
            let seen = Seen {
                checkpoint: crate::jws::unverified(text)?,
                text: text.clone(),
                contradicted: witnessed.contradicted.contains_key(participant),
            };
            Some((participant.clone(), seen))
        });
        Self {
            identity,
            seen: Mutex::new(seen.collect()),
        }
    }

    /// The last checkpoint seen of a log: the proof must be from there.
    pub fn last(&self, log: &NamedNode) -> Option<Checkpoint> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(log.as_str()).map(|seen| seen.checkpoint.clone())
    }

    /// Goes on from a checkpoint that our operator named on record: [`super::Readmission::record`].
    pub fn readmit(&self, checkpoint: Checkpoint, text: String) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen {
            text,
            contradicted: false,
            checkpoint,
        };
        all.insert(seen.checkpoint.log.clone(), seen);
    }

    /// Signs a peer's checkpoint, if the proof shows that its log grew from the last one seen, which the peer says how
    /// large it was: <https://c2sp.org/tlog-witness>.
    ///
    /// `keep` makes a record durable, before anybody sees the signature: a witness that forgets can be made to sign two
    /// histories. It is also given the evidence, once, where the log contradicts what was seen of it.
    ///
    /// # Errors
    /// [`Code::Invalid`], check `checkpoint`, for a checkpoint that its owner did not sign; [`Code::Conflict`], check
    /// `checkpoint.consistency`, for one that does not follow: the peer rewrote its log, or shows several;
    /// `keep`'s own.
    // INVARIANT(one-history): a witness signs checkpoints of a log that are one history only.
    pub fn cosign(
        &self,
        text: &str,
        (signer, keys): (&NamedNode, &[PublicKey]),
        (old_size, proof): (u64, &[Digest256]),
        now: OffsetDateTime,
        keep: impl FnOnce(EntryKind) -> Result<(), Refusal>,
    ) -> Result<Shown, Refusal> {
        let checkpoint = verify_checkpoint(text, signer, keys)?;
        let participant = signer.as_str().to_owned();
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_known = false;
        if let Some(seen) = all.get_mut(&participant) {
            match compare(&seen.checkpoint, &checkpoint, old_size, proof) {
                Follows::Known => is_known = true,
                Follows::Grown => {}
                Follows::Unproven => return Ok(Shown::Seen(seen.checkpoint.size)),
                Follows::Contradicts => {
                    if !seen.contradicted {
                        keep(EntryKind::Contradicted {
                            participant,
                            seen: seen.text.clone(),
                            shown: text.to_owned(),
                        })?;
                        seen.contradicted = true;
                    }
                    return Err(contradiction(&seen.checkpoint, &checkpoint, signer));
                }
            }
        }
        if !is_known {
            keep(EntryKind::Witnessed {
                participant: participant.clone(),
                checkpoint: text.to_owned(),
            })?;
            let contradicted = all.get(&participant).is_some_and(|seen| seen.contradicted);
            let seen = Seen {
                checkpoint: checkpoint.clone(),
                text: text.to_owned(),
                contradicted,
            };
            all.insert(participant, seen);
        }
        cosign(checkpoint, &self.identity.load(), now)
            .map(Shown::Cosigned)
            .map_err(|error| Refusal::new(Code::Internal, "checkpoint", error))
    }
}

/// How a checkpoint follows on the last one seen.
enum Follows {
    Known,
    Grown,
    /// It may or may not: what was shown says nothing of the last one seen.
    Unproven,
    Contradicts,
}

fn compare(seen: &Checkpoint, shown: &Checkpoint, old_size: u64, proof: &[Digest256]) -> Follows {
    if shown.size == seen.size {
        return match shown.root == seen.root {
            true => Follows::Known,
            false => Follows::Contradicts,
        };
    }
    if shown.size < seen.size {
        let time = |checkpoint: &Checkpoint| OffsetDateTime::parse(&checkpoint.time, &Rfc3339).ok();
        // An old one that is shown again is no lie. One that says to be newer is: the end was cut off.
        return match time(shown) > time(seen) {
            true => Follows::Contradicts,
            false => Follows::Unproven,
        };
    }
    if old_size != seen.size {
        return Follows::Unproven;
    }
    match verify_consistency((seen.size, seen.root), (shown.size, shown.root), proof) {
        true => Follows::Grown,
        false => Follows::Contradicts,
    }
}

fn contradiction(seen: &Checkpoint, shown: &Checkpoint, signer: &NamedNode) -> Refusal {
    Refusal::new(
        Code::Conflict,
        "checkpoint.consistency",
        format_args!(
            "a log of {} records does not follow from the one of {} that was seen before",
            shown.size, seen.size
        ),
    )
    .at(signer.as_str())
}

/// What a log says of other logs, and others of it. Reads the whole log, and decodes the few records that matter. Blocks.
///
/// # Errors
/// [`Code::Internal`], naming the record that cannot be read.
pub fn witnessed(journal: &dyn Journal) -> Result<Witnessed, Refusal> {
    let (mut found, mut from) = (Witnessed::default(), 0);
    loop {
        let batch = journal.read(from, BATCH)?;
        if batch.is_empty() {
            return Ok(found);
        }
        for (sequence, bytes) in batch {
            from = sequence.saturating_add(1);
            if !may_matter(&bytes) {
                continue;
            }
            let (Record::Entry(entry), _) = audit::decode(sequence, &bytes)? else {
                continue;
            };
            match entry.kind {
                EntryKind::Witnessed {
                    participant,
                    checkpoint,
                } => drop(found.seen.insert(participant, checkpoint)),
                EntryKind::Cosigned {
                    participant,
                    cosignature,
                } => drop(found.cosigned.insert(participant, cosignature)),
                EntryKind::Contradicted {
                    participant,
                    seen,
                    shown,
                } => drop(found.contradicted.insert(participant, (seen, shown))),
                EntryKind::Unproven { first, last } => found.unproven.push((first, last)),
                EntryKind::Readmitted {
                    participant,
                    checkpoint,
                    ..
                } => {
                    found.contradicted.remove(&participant);
                    found.seen.insert(participant, checkpoint);
                }
                _ => {}
            }
        }
    }
}

/// Whether a record's kind is one of those: it stands early in the record, after members of a known length.
fn may_matter(record: &[u8]) -> bool {
    const KINDS: [&[u8]; 5] = [
        b"\"kind\":\"witnessed\"",
        b"\"kind\":\"cosigned\"",
        b"\"kind\":\"contradicted\"",
        b"\"kind\":\"readmitted\"",
        b"\"kind\":\"unproven\"",
    ];
    is_of(record, &KINDS)
}

/// Whether one of these stands early in a record.
pub(super) fn is_of(record: &[u8], kinds: &[&[u8]]) -> bool {
    let head = record.get(..256).unwrap_or(record);
    let is_kind = |kind: &&[u8]| head.windows(kind.len()).any(|window| window == *kind);
    kinds.iter().any(is_kind)
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}
