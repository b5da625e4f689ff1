//! A peer whose log contradicts what it signed before is believed again once our own operator says so: on record, with the
//! reason, and from which of its checkpoints on. The contradiction stays in the log as it is.

use super::Witnessed;
use super::checkpoint::{Checkpoint, verify_checkpoint};
use super::entry::EntryKind;
use crate::PublicKey;
use oxrdf::NamedNode;
use twinlink_core::{Code, Refusal};

/// The longest reason, in bytes.
const REASON: usize = 4 << 10;

/// Who takes a peer's log up again, why, and from where on.
#[derive(Debug, Clone, Copy)]
pub struct Readmission<'a> {
    /// The peer.
    pub participant: &'a NamedNode,
    /// The peer's checkpoint from which its log goes on, as it signed it. None: the first one that contradicted.
    pub from: Option<&'a str>,
    /// The person or program.
    pub by: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Readmission<'_> {
    /// The record of it, and the checkpoint from which on the peer's log must grow.
    ///
    /// # Errors
    /// [`Code::NotFound`], check `readmit.peer`, for a peer that contradicts nothing; [`Code::Invalid`], check
    /// `readmit.reason` without a reason, `checkpoint` for one that the peer did not sign.
    // INVARIANT(readmitted-on-record): a log that contradicts itself is cosigned again only from what our operator named on record.
    pub fn record(
        &self,
        known: &Witnessed,
        keys: &[PublicKey],
    ) -> Result<(EntryKind, Checkpoint), Refusal> {
        if self.reason.trim().is_empty() || self.reason.len() > REASON {
            let detail = format_args!("it has a reason, of at most {REASON} bytes");
            return Err(Refusal::about_input("readmit.reason", detail));
        }
        let participant = self.participant.as_str();
        let Some((seen, shown)) = known.contradicted.get(participant) else {
            let detail = format_args!("the log of <{participant}> contradicts nothing that we saw");
            return Err(Refusal::new(Code::NotFound, "readmit.peer", detail).open());
        };
        let from = self.from.unwrap_or(shown).trim();
        let checkpoint = verify_checkpoint(from, self.participant, keys)?;
        let kind = EntryKind::Readmitted {
            participant: participant.to_owned(),
            seen: known.seen.get(participant).unwrap_or(seen).clone(),
            checkpoint: from.to_owned(),
            by: self.by.to_owned(),
            reason: self.reason.to_owned(),
        };
        Ok((kind, checkpoint))
    }
}
