//! What others signed and our log keeps: each checked for what it stands for there, with the keys of who signed it.

use super::audit::walk;
use super::checkpoint::{Checkpoint, verify_checkpoint, verify_cosignature};
use super::entry::{Entry, EntryKind, Record, Used};
use super::envelope::{Acknowledgement, verify_envelope};
use super::keys::peers_keys;
use super::verify_receipt;
use crate::{PublicKey, verify_held_request};
use oxrdf::NamedNode;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use twinlink_core::{Code, Journal, Refusal};

/// What was found of others' statements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Statements {
    /// Requests that consumers signed.
    pub envelopes: u64,
    /// Requests that apps signed.
    pub held: u64,
    /// Receipts of what we were answered.
    pub receipts: u64,
    /// Acknowledgements of what we answered.
    pub acknowledgements: u64,
    /// Checkpoints of peers' logs that we saw.
    pub witnessed: u64,
    /// Contradictions of peers with themselves, both signatures at hand.
    pub contradicted: u64,
    /// The peers among them that were readmitted since: by whom, and why.
    pub readmitted: BTreeMap<String, (String, String)>,
    /// The peers among them that were not.
    pub unsettled: BTreeSet<String>,
    /// For each peer the size of our log that it last signed to have seen.
    pub cosigned: BTreeMap<String, u64>,
    /// Statements of participants whose keys are not at hand.
    pub unknown: u64,
}

/// Checks every statement of others in a log: that it was signed by whom it is said to be, and is of what it stands beside.
/// `keys` gives a participant's keys; none for one that is not known. Those that it had before are in the log, where they
/// changed while this connector ran. Gives also the
/// checkpoints of this log that others signed: for [`super::verify_log`], as what others hold. Blocks.
///
/// # Errors
/// [`Code::Internal`], check `audit.statement`, naming the first record with one that is not.
// INVARIANT(statements-are-checked): a statement of another, changed or put beside something else, does not pass.
pub fn verify_statements(
    journal: &dyn Journal,
    own: &NamedNode,
    keys: impl Fn(&NamedNode) -> Vec<PublicKey>,
) -> Result<(Statements, Vec<Checkpoint>), Refusal> {
    let former = peers_keys(journal)?;
    let mut checker = Checker {
        own,
        keys: |participant: &NamedNode| {
            let mut all = keys(participant);
            all.extend(
                former
                    .get(participant.as_str())
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
            all
        },
        known: BTreeMap::new(),
        found: Statements::default(),
        held: Vec::new(),
    };
    walk(journal, |sequence, record, _| {
        let Record::Entry(entry) = record else {
            return Ok(());
        };
        checker.check(entry).map_err(|reason| {
            let detail = format_args!("record {sequence} of the log of use: {reason}");
            Refusal::new(Code::Internal, "audit.statement", detail)
        })
    })?;
    Ok((checker.found, checker.held))
}

struct Checker<'a, K> {
    own: &'a NamedNode,
    keys: K,
    known: BTreeMap<String, (NamedNode, Vec<PublicKey>)>,
    found: Statements,
    held: Vec<Checkpoint>,
}

type Checked = Result<(), String>;

impl<K: Fn(&NamedNode) -> Vec<PublicKey>> Checker<'_, K> {
    fn check(&mut self, entry: &Entry) -> Checked {
        match &entry.kind {
            EntryKind::Intent {
                used,
                envelope: Some(envelope),
                ..
            } => self.envelope(used, envelope),
            EntryKind::Intent {
                used,
                token,
                held: Some(held),
                ..
            } => self.held(used, token.as_deref(), held),
            EntryKind::Answered { .. } => self.receipt(&entry.kind),
            EntryKind::Acknowledged {
                participant,
                transactions,
                acknowledgement,
            } => {
                let own = self.own.clone();
                let said = self.of(participant, |id, keys| {
                    Acknowledgement::verify(acknowledgement, (id, keys), &own)
                })?;
                let Some(said) = said else { return Ok(()) };
                let is_said = |transaction: &String| {
                    let mut received = said.received.iter();
                    received.any(|one| one.transaction == *transaction)
                };
                if !transactions.iter().all(is_said) {
                    return Err("is an acknowledgement of something else".to_owned());
                }
                self.found.acknowledgements += 1;
                Ok(())
            }
            EntryKind::Cosigned {
                participant,
                cosignature,
            } => {
                let seen = self.of(participant, |id, keys| {
                    verify_cosignature(cosignature, id, keys)
                })?;
                let Some(seen) = seen else { return Ok(()) };
                if seen.log != self.own.as_str() {
                    return Err("is a cosignature of another log".to_owned());
                }
                let cosigned = &mut self.found.cosigned;
                cosigned.insert(participant.clone(), seen.size);
                self.held.push(seen);
                Ok(())
            }
            EntryKind::Witnessed {
                participant,
                checkpoint,
            } => {
                let seen = self.of(participant, |id, keys| {
                    verify_checkpoint(checkpoint, id, keys)
                })?;
                self.found.witnessed += u64::from(seen.is_some());
                Ok(())
            }
            EntryKind::Contradicted {
                participant,
                seen,
                shown,
            } => {
                let both = self.of(participant, |id, keys| {
                    let seen = verify_checkpoint(seen, id, keys)?;
                    Ok((seen, verify_checkpoint(shown, id, keys)?))
                })?;
                if both.as_ref().is_some_and(|(seen, shown)| seen == shown) {
                    return Err("is no contradiction".to_owned());
                }
                self.found.contradicted += u64::from(both.is_some());
                self.found.readmitted.remove(participant);
                self.found.unsettled.insert(participant.clone());
                Ok(())
            }
            EntryKind::Readmitted {
                participant,
                seen,
                checkpoint,
                by,
                reason,
            } => {
                self.of(participant, |id, keys| {
                    verify_checkpoint(seen, id, keys)?;
                    verify_checkpoint(checkpoint, id, keys)
                })?;
                if !self.found.unsettled.remove(participant) {
                    return Err("readmits a peer that contradicted nothing".to_owned());
                }
                let why = (by.clone(), reason.clone());
                self.found.readmitted.insert(participant.clone(), why);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn envelope(&mut self, used: &Used, envelope: &str) -> Checked {
        let consumer = used.participant.as_deref().unwrap_or_default();
        let claims = self.of(consumer, |id, keys| verify_envelope(envelope, id, keys))?;
        let Some(claims) = claims else { return Ok(()) };
        let is_of_it = Some(&claims.transaction) == used.transaction.as_ref()
            && claims.provider == self.own.as_str()
            && claims.request_digest == used.request_digest
            && used
                .subject
                .as_deref()
                .is_some_and(|subject| is_of(subject, &claims.subject))
            && claims.purpose == used.purpose;
        if !is_of_it {
            return Err("has the envelope of another request".to_owned());
        }
        self.found.envelopes += 1;
        Ok(())
    }

    fn held(&mut self, used: &Used, token: Option<&str>, held: &str) -> Checked {
        let issuer = used.participant.as_deref().unwrap_or_default();
        let said = self.of(issuer, |id, keys| verify_held_request(held, id, keys))?;
        let Some(said) = said else { return Ok(()) };
        let is_of_it = Some(&said.id) == used.transaction.as_ref()
            && said.audience == self.own.as_str()
            && said.request_digest == used.request_digest
            && said.options == used.options
            && said.purpose == used.purpose
            && Some(said.token_id.as_str()) == token;
        if !is_of_it {
            return Err("has another request that an app signed".to_owned());
        }
        self.found.held += 1;
        Ok(())
    }

    fn receipt(&mut self, answered: &EntryKind) -> Checked {
        let EntryKind::Answered {
            participant,
            transaction,
            result_digest,
            rows,
            receipt,
            fault: None,
            ..
        } = answered
        else {
            // It says itself that it is wrong.
            return Ok(());
        };
        let claims = self.of(participant, |id, keys| verify_receipt(receipt, id, keys))?;
        let Some(claims) = claims else { return Ok(()) };
        let is_of_it = claims.used.transaction.as_ref() == Some(transaction)
            && claims.used.participant.as_deref() == Some(self.own.as_str())
            && claims.result_digest == *result_digest
            && claims.rows == *rows;
        if !is_of_it {
            return Err("has the receipt of another answer".to_owned());
        }
        self.found.receipts += 1;
        Ok(())
    }

    /// With the keys of a participant; nothing where there are none.
    fn of<T>(
        &mut self,
        participant: &str,
        verify: impl FnOnce(&NamedNode, &[PublicKey]) -> Result<T, Refusal>,
    ) -> Result<Option<T>, String> {
        if !self.known.contains_key(participant) {
            let id = NamedNode::new(participant).map_err(|error| error.to_string())?;
            let keys = (self.keys)(&id);
            self.known.insert(participant.to_owned(), (id, keys));
        }
        match self.known.get(participant) {
            Some((id, keys)) if !keys.is_empty() => verify(id, keys)
                .map(Some)
                .map_err(|refusal| refusal.to_string()),
            _ => {
                self.found.unknown += 1;
                Ok(None)
            }
        }
    }
}

/// Whether a record is of this person: in the broker's own envelope the name stands alone, in the record of whom it asks with
/// the organisation that the person is of.
fn is_of(recorded: &str, subject: &str) -> bool {
    let rest = recorded.strip_prefix(subject);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" of <"))
}
