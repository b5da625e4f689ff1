//! The ways in which a log is spoilt: from a flipped bit to a past that was written anew.

use super::journal::{Memory, Records, Side, fault};
use crate::attacks::Forger;
use crate::chance::Chance;
use crate::library::Fault;
use oxrdf::NamedNode;
use twinlink_trust::{Agreement, Checkpoint, Digest256, Entry, EntryKind, Peaks};

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoiling {
    /// A bit of a record.
    Flip,
    /// A byte put into a record.
    Insert,
    /// A byte taken out of a record.
    Remove,
    /// A record is gone.
    Drop,
    /// Two records changed places.
    Swap,
    /// A record is there again, elsewhere.
    Replay,
    /// A record stands in the place of another.
    Replace,
    /// What is left of a purged record, with another digest.
    FalseTombstone,
    /// The end is gone.
    CutOff,
    /// A record was changed, and all that follows fitted to it, but for signatures.
    RewriteUnsigned,
    /// The same, signed with somebody else's key.
    RewriteByStranger,
    /// The same, signed with the organisation's own key.
    RewriteByOwner,
    /// A statement that another signed was changed by the log's owner, who made all that follows fit.
    StatementChanged,
    /// A statement that another signed stands beside something else, in a log that its owner made fit.
    StatementElsewhere,
    /// All about a use is gone, from a log that its owner made fit.
    UseOmitted,
    /// The number of rows of an answer is another, in a log that its owner made fit.
    RowsByOwner,
    /// So is the digest of its rows.
    DigestByOwner,
    /// How a use ended is gone, from a log that its owner made fit.
    OutcomeOmitted,
    /// The consumer's word on what it received is gone, from a log that its owner made fit.
    AcknowledgementOmitted,
}

/// A log that was spoilt.
pub(super) struct Spoilt {
    pub(super) journal: Memory,
    /// What reconciling must say of a use, where that is certain.
    pub(super) expected: Option<(String, Agreement)>,
}

impl Spoiling {
    pub(super) const ALL: &[Self] = &[
        Self::Flip,
        Self::Insert,
        Self::Remove,
        Self::Drop,
        Self::Swap,
        Self::Replay,
        Self::Replace,
        Self::FalseTombstone,
        Self::CutOff,
        Self::RewriteUnsigned,
        Self::RewriteByStranger,
        Self::RewriteByOwner,
        Self::StatementChanged,
        Self::StatementElsewhere,
        Self::UseOmitted,
        Self::RowsByOwner,
        Self::DigestByOwner,
        Self::OutcomeOmitted,
        Self::AcknowledgementOmitted,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Flip => "a flipped bit",
            Self::Insert => "a byte put in",
            Self::Remove => "a byte taken out",
            Self::Drop => "a record dropped",
            Self::Swap => "records swapped",
            Self::Replay => "a record replayed",
            Self::Replace => "a record replaced by another",
            Self::FalseTombstone => "a false tombstone",
            Self::CutOff => "the end cut off",
            Self::RewriteUnsigned => "a past rewritten without a key",
            Self::RewriteByStranger => "a past rewritten with a stranger's key",
            Self::RewriteByOwner => "a past rewritten by its owner",
            Self::StatementChanged => "another's statement changed",
            Self::StatementElsewhere => "another's statement put elsewhere",
            Self::UseOmitted => "a use left out by its owner",
            Self::RowsByOwner => "a number of rows changed by its owner",
            Self::DigestByOwner => "a digest of rows changed by its owner",
            Self::OutcomeOmitted => "an outcome left out by its owner",
            Self::AcknowledgementOmitted => "an acknowledgement left out by its owner",
        }
    }

    /// Whether the result is what an honest log may look like: only others can tell.
    pub(super) fn looks_honest(self) -> bool {
        matches!(self, Self::CutOff | Self::RewriteByOwner) || self.is_of_a_use()
    }

    /// Whether it takes something that not every log has.
    pub(super) fn needs_something(self) -> bool {
        matches!(self, Self::StatementChanged | Self::StatementElsewhere) || self.is_of_a_use()
    }

    /// Whether the owner changes what its log says of one use.
    fn is_of_a_use(self) -> bool {
        matches!(
            self,
            Self::UseOmitted
                | Self::RowsByOwner
                | Self::DigestByOwner
                | Self::OutcomeOmitted
                | Self::AcknowledgementOmitted
        )
    }

    /// A spoilt copy of a side's log. `whole` are the uses of which both logs still have all, in the order of their ids;
    /// `is_provider` says on which side of them it is.
    pub(super) fn spoil(
        self,
        side: &Side,
        (whole, is_provider): (&[String], bool),
        chance: &mut Chance,
    ) -> Result<Spoilt, Fault> {
        if self.is_of_a_use() {
            return self.of_a_use(side, (whole, is_provider), chance);
        }
        let journal = self.records(side, chance)?;
        Ok(Spoilt {
            journal,
            expected: None,
        })
    }

    /// What the owner changed of one use, and made all that follows fit.
    fn of_a_use(
        self,
        side: &Side,
        (whole, is_provider): (&[String], bool),
        chance: &mut Chance,
    ) -> Result<Spoilt, Fault> {
        let mut records = side.journal.records();
        let owner = Forger::new(&side.identity)?;
        let Some(chosen) = chance.one(whole).cloned() else {
            let journal = Memory::of(records);
            return Ok(Spoilt {
                journal,
                expected: None,
            });
        };
        let expected = match (self, is_provider) {
            (Self::RowsByOwner, _) => Agreement::DigestMismatch("rows"),
            (Self::DigestByOwner, _) => Agreement::DigestMismatch("result"),
            (Self::OutcomeOmitted, true) => Agreement::OutcomeMissing("here"),
            (Self::OutcomeOmitted, false) => Agreement::OutcomeMissing("there"),
            (Self::AcknowledgementOmitted, true) => Agreement::NoAcknowledgement,
            // The consumer's word is in the provider's log.
            (Self::AcknowledgementOmitted, false) => Agreement::Matched,
            (_, true) => Agreement::OnlyThere,
            (_, false) => Agreement::OnlyHere,
        };
        rewrite(&mut records, &side.id, Some(&owner), |entry| {
            !entry.kind.requests().contains(&chosen.as_str()) || self.change(&mut entry.kind)
        })?;
        Ok(Spoilt {
            journal: Memory::of(records),
            expected: Some((chosen, expected)),
        })
    }

    /// Changes a record of the use; false where it is to go.
    fn change(self, kind: &mut EntryKind) -> bool {
        match kind {
            EntryKind::Completion {
                rows,
                result_digest,
                ..
            }
            | EntryKind::Answered {
                rows,
                result_digest,
                ..
            } => match self {
                Self::RowsByOwner => *rows += 1,
                Self::DigestByOwner => *result_digest = "ef".repeat(32),
                Self::OutcomeOmitted | Self::UseOmitted => return false,
                _ => {}
            },
            EntryKind::Acknowledged { .. } => return self != Self::AcknowledgementOmitted,
            _ => return self != Self::UseOmitted,
        }
        true
    }

    fn records(self, side: &Side, chance: &mut Chance) -> Result<Memory, Fault> {
        let mut records = side.journal.records();
        let at = chance.below(records.len());
        let other = different(at, records.len(), chance);
        match self {
            Self::Flip | Self::Insert | Self::Remove => {
                let record = records.get_mut(at).map(|(_, record)| record);
                self.bytes(record.ok_or_else(|| fault("no record"))?, chance);
            }
            Self::Drop => {
                // The last record is the checkpoint: without it the log looks like one that was not yet sealed.
                records.remove(chance.below(records.len() - 1));
            }
            Self::Swap => {
                let (one, two) = (content(&records, at)?, content(&records, other)?);
                put(&mut records, at, two);
                put(&mut records, other, one);
            }
            Self::Replace => {
                let content = content(&records, other)?;
                put(&mut records, at, content);
            }
            Self::Replay => {
                let content = content(&records, at)?;
                records.insert(other, (0, content));
                for (place, (sequence, _)) in records.iter_mut().enumerate() {
                    *sequence = place as u64 + 1;
                }
            }
            Self::FalseTombstone => {
                let digest = Digest256::of_leaf(b"something else").to_text();
                put(
                    &mut records,
                    at,
                    format!("{{\"purged\":\"{digest}\"}}").into_bytes(),
                );
            }
            Self::CutOff => {
                // More than the last checkpoint, which nobody's use is lost with.
                let left = records.len() - 2 - chance.below(records.len() - 2);
                records.truncate(left);
            }
            Self::RewriteUnsigned => rewrite(&mut records, &side.id, None, redate())?,
            Self::RewriteByStranger => {
                let stranger = Side::new(side.id.as_str())?;
                let stranger = Forger::new(&stranger.identity)?;
                rewrite(&mut records, &side.id, Some(&stranger), redate())?;
            }
            Self::RewriteByOwner => {
                let owner = Forger::new(&side.identity)?;
                rewrite(&mut records, &side.id, Some(&owner), redate())?;
            }
            Self::StatementChanged => {
                if texts(&records, statement).is_empty() {
                    return Ok(Memory::of(records));
                }
                let owner = Forger::new(&side.identity)?;
                let mut is_changed = false;
                let change = |entry: &mut Entry| {
                    if let Some(text) = statement(&mut entry.kind).filter(|_| !is_changed) {
                        is_changed = true;
                        *text = altered(text);
                    }
                    true
                };
                rewrite(&mut records, &side.id, Some(&owner), change)?;
            }
            Self::StatementElsewhere => {
                let texts = texts(&records, beside);
                if texts.len() < 2 {
                    return Ok(Memory::of(records));
                }
                let owner = Forger::new(&side.identity)?;
                // Each gets the one of the next.
                let first = texts.first().cloned();
                let mut next = texts.into_iter().skip(1).chain(first);
                let change = |entry: &mut Entry| {
                    if let Some(text) = beside(&mut entry.kind) {
                        *text = next.next().unwrap_or_default();
                    }
                    true
                };
                rewrite(&mut records, &side.id, Some(&owner), change)?;
            }
            Self::UseOmitted
            | Self::RowsByOwner
            | Self::DigestByOwner
            | Self::OutcomeOmitted
            | Self::AcknowledgementOmitted => {}
        }
        Ok(Memory::of(records))
    }

    fn bytes(self, record: &mut Vec<u8>, chance: &mut Chance) {
        let at = chance.below(record.len());
        match self {
            Self::Insert => {
                let byte = chance.one(b" 0a\"}{,").copied();
                record.insert(at, byte.unwrap_or_default());
            }
            Self::Remove => {
                record.remove(at);
            }
            _ => {
                if let Some(byte) = record.get_mut(at) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
    }
}

/// Changes when the first use was.
fn redate() -> impl FnMut(&mut Entry) -> bool {
    let mut is_changed = false;
    move |entry: &mut Entry| {
        if !is_changed && !matches!(entry.kind, EntryKind::Checkpoint { .. }) {
            "2001-01-01T00:00:00Z".clone_into(&mut entry.time);
            is_changed = true;
        }
        true
    }
}

/// What another signed, in a record that has it.
fn statement(kind: &mut EntryKind) -> Option<&mut String> {
    match kind {
        EntryKind::Acknowledged {
            acknowledgement, ..
        } => Some(acknowledgement),
        EntryKind::Cosigned { cosignature, .. } => Some(cosignature),
        EntryKind::Witnessed { checkpoint, .. } => Some(checkpoint),
        kind => beside(kind),
    }
}

/// What another signed of the very request that the record is about.
fn beside(kind: &mut EntryKind) -> Option<&mut String> {
    match kind {
        EntryKind::Intent { envelope, .. } => envelope.as_mut(),
        EntryKind::Answered { receipt, .. } => Some(receipt),
        _ => None,
    }
}

/// All of these texts in a log.
fn texts(records: &Records, of: fn(&mut EntryKind) -> Option<&mut String>) -> Vec<String> {
    let mut texts = Vec::new();
    for (_, record) in records {
        if let Ok(mut entry) = serde_json::from_slice::<Entry>(record) {
            texts.extend(of(&mut entry.kind).cloned());
        }
    }
    texts
}

/// Another letter in the middle: no base64url text stays the same by it.
fn altered(text: &str) -> String {
    let middle = text.len() / 2;
    let letter = |(at, letter): (usize, char)| match (at == middle, letter) {
        (true, 'A') => 'B',
        (true, _) => 'A',
        (false, letter) => letter,
    };
    let changed: String = text.chars().enumerate().map(letter).collect();
    match changed == text {
        true => String::new(),
        false => changed,
    }
}

/// Changes entries, leaves out those that are not kept, and makes all that follows fit: what a forger does who knows the
/// format.
fn rewrite(
    records: &mut Records,
    log: &NamedNode,
    signer: Option<&Forger>,
    mut change: impl FnMut(&mut Entry) -> bool,
) -> Result<(), Fault> {
    let mut head = Digest256::of_nothing();
    let mut peaks = Peaks::default();
    let mut written = Records::new();
    for (sequence, mut record) in std::mem::take(records) {
        if let Ok(mut entry) = serde_json::from_slice::<Entry>(&record) {
            if !change(&mut entry) {
                continue;
            }
            entry.previous = head;
            seal(&mut entry, log, &peaks, signer)?;
            record = serde_json::to_vec(&entry).map_err(fault)?;
            head = Digest256::of_leaf(&record);
        } else {
            // What is left of a purged record is its digest.
            let left: serde_json::Value = serde_json::from_slice(&record).map_err(fault)?;
            let digest = left.get("purged").and_then(serde_json::Value::as_str);
            let digest = digest.and_then(Digest256::from_text);
            head = digest.ok_or_else(|| fault("not a record"))?;
        }
        peaks.push(head);
        written.push((sequence, record));
    }
    *records = written;
    Ok(())
}

/// Makes a checkpoint fit the tree; signed only where there is somebody to sign it.
fn seal(
    entry: &mut Entry,
    log: &NamedNode,
    tree: &Peaks,
    signer: Option<&Forger>,
) -> Result<(), Fault> {
    let time = entry.time.clone();
    let EntryKind::Checkpoint {
        size,
        peaks,
        checkpoint,
    } = &mut entry.kind
    else {
        return Ok(());
    };
    (*size, *peaks) = (tree.size(), tree.digests().to_vec());
    if let Some(signer) = signer {
        let claims = Checkpoint {
            log: log.as_str().to_owned(),
            size: tree.size(),
            root: tree.root(),
            time,
        };
        let header = r#"{"alg":"ES256","typ":"twinlink-checkpoint+jwt"}"#;
        let claims = serde_json::to_string(&claims).map_err(fault)?;
        *checkpoint = signer.sign(header, &claims)?;
    }
    Ok(())
}

fn content(records: &Records, at: usize) -> Result<Vec<u8>, Fault> {
    let found = records.get(at).map(|(_, record)| record.clone());
    found.ok_or_else(|| fault("no record"))
}

fn put(records: &mut Records, at: usize, content: Vec<u8>) {
    if let Some((_, record)) = records.get_mut(at) {
        *record = content;
    }
}

/// Another place.
fn different(at: usize, count: usize, chance: &mut Chance) -> usize {
    (at + 1 + chance.below(count - 1)) % count
}
