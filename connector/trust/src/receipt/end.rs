//! Whether the end of a log is as we wrote it. Every batch of records reaches the disk with a signature over all records up
//! to it, so whoever can write the file, but has no key of ours, cannot put a record behind the last without being seen.

use super::checkpoint::{Checkpoint, verify_checkpoint};
use super::entry::EntryKind;
use super::keys::own_keys;
use super::resume::{Tail, last_sequence, resume};
use crate::PublicKey;
use crate::merkle::Peaks;
use oxrdf::NamedNode;
use twinlink_core::{Code, Journal, Refusal};

/// The end of our log, as it was found.
#[derive(Debug)]
pub(super) struct End {
    pub(super) tail: Tail,
    /// The key that signed it; none where nothing is signed.
    pub(super) key: Option<PublicKey>,
    /// The first and the last record that nothing signed is about: an earlier version of the program left them, or somebody
    /// took the signature away.
    pub(super) unproven: Option<(u64, u64)>,
}

/// Finds the end of our log, and who signed it. Blocks.
///
/// # Errors
/// [`Code::Internal`], check `use-log.end`, where it is not what we wrote; [`Code::Unavailable`].
// INVARIANT(nothing-forged-is-signed): a log is written on only behind an end that a key of ours signed, or with a record that
// names what nobody signed.
pub(super) fn find_end(
    journal: &dyn Journal,
    own: &NamedNode,
    keys: &[PublicKey],
) -> Result<End, Refusal> {
    let tail = resume(journal, u64::MAX)?;
    let signed = |text: &str| signer(journal, own, keys, text);
    if let Some(text) = seal_text(journal)? {
        let (checkpoint, key) = signed(&text)?;
        compare(&checkpoint, &tail.peaks)?;
        return Ok(End {
            tail,
            key: Some(key),
            unproven: None,
        });
    }
    let Some(last) = last_sequence(journal)? else {
        return Ok(End {
            tail,
            key: None,
            unproven: None,
        });
    };
    let Some((at, entry)) = &tail.checkpoint else {
        let first = journal.read(0, 1)?.first().map(|(first, _)| *first);
        return Ok(End {
            tail,
            key: None,
            unproven: first.map(|first| (first, last)),
        });
    };
    let EntryKind::Checkpoint {
        size,
        peaks,
        checkpoint,
    } = &entry.kind
    else {
        return Err(not_ours("its last checkpoint is none"));
    };
    let (checkpoint, key) = signed(checkpoint)?;
    let root = Peaks::new(*size, peaks.clone()).map(|peaks| peaks.root());
    let is_of_it = (Some(checkpoint.root), checkpoint.size) == (root, *size)
        && checkpoint.time == entry.time
        && entry.salt.is_empty();
    if !is_of_it {
        return Err(not_ours("its last checkpoint was signed of another log"));
    }
    let unproven = (*at < last).then_some((at.saturating_add(1), last));
    Ok(End {
        tail,
        key: Some(key),
        unproven,
    })
}

/// Whether the end of a participant's log is as it wrote it, by its keys; gives the first and the last record that nothing
/// signed is about. Blocks.
///
/// # Errors
/// As [`super::Receipts::open`], for the same reasons.
pub fn check_end(
    journal: &dyn Journal,
    own: &NamedNode,
    keys: &[PublicKey],
) -> Result<Option<(u64, u64)>, Refusal> {
    Ok(find_end(journal, own, keys)?.unproven)
}

/// Checks a seal against the tree over all records.
pub(super) fn compare(seal: &Checkpoint, tree: &Peaks) -> Result<(), Refusal> {
    let (signed, found) = (seal.size, tree.size());
    if signed < found {
        let more = found - signed;
        return Err(not_ours(format_args!(
            "{more} records stand behind the last that was written here: somebody put them there"
        )));
    }
    if signed > found {
        let less = signed - found;
        return Err(not_ours(format_args!("its last {less} records are gone")));
    }
    match seal.root == tree.root() {
        true => Ok(()),
        false => Err(not_ours("its last records are not those that were signed")),
    }
}

/// Who of us signed a checkpoint.
fn signer(
    journal: &dyn Journal,
    own: &NamedNode,
    keys: &[PublicKey],
    text: &str,
) -> Result<(Checkpoint, PublicKey), Refusal> {
    let by = |keys: &[PublicKey]| {
        keys.iter().find_map(|key| {
            let checkpoint = verify_checkpoint(text, own, std::slice::from_ref(key)).ok()?;
            Some((checkpoint, key.clone()))
        })
    };
    if let Some(found) = by(keys) {
        return Ok(found);
    }
    by(&own_keys(journal, own, keys)?).ok_or_else(|| {
        let detail = "the end of the log of use is signed by none of our keys: after a change of key name the former one under \
                      `identity.overlapping_keys`; where there was none, somebody else wrote it: keep the store for evidence, \
                      and restore a backup in its place";
        Refusal::new(Code::Internal, "use-log.end", detail)
    })
}

fn not_ours(what: impl std::fmt::Display) -> Refusal {
    let detail = format_args!(
        "the end of the log of use is not as it was written: {what}; keep the store for evidence, and restore a backup in its place"
    );
    Refusal::new(Code::Internal, "use-log.end", detail)
}

/// What was signed of the journal up to its last record.
pub(super) fn seal_text(journal: &dyn Journal) -> Result<Option<String>, Refusal> {
    let seal = journal.seal()?;
    let text =
        seal.map(|seal| String::from_utf8(seal).map_err(|_| not_ours("its seal is no text")));
    text.transpose()
}
