//! The keys that a log was signed with: a key that is ours says of the one before it that it was ours too, in the log
//! itself, so that old signatures are verified after a change of key without anybody having kept the old one.

use super::EntryKind;
use super::audit::read_entry;
use super::checkpoint::signed;
use super::witness::is_of;
use crate::{Identity, PublicKey, TrustError, jws};
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use twinlink_core::{Journal, Refusal};

/// No other JWS of ours has this type.
const STATEMENT: &str = "twinlink-key+jwt";
/// The longest, in bytes.
const LENGTH: usize = 8 << 10;
/// How many records are read at once.
const BATCH: usize = 1024;

/// What says that a key is an organisation's: signed with another key of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    iss: String,
    iat: i64,
    /// The key, as a JWK.
    key: String,
}

/// The record in which an identity says that a key is its organisation's too.
pub(super) fn vouch(
    identity: &Identity,
    key: &PublicKey,
    now: OffsetDateTime,
) -> Result<EntryKind, TrustError> {
    let said = Statement {
        iss: identity.participant().as_str().to_owned(),
        iat: now.unix_timestamp(),
        key: key.to_jwk(),
    };
    let payload = serde_json::to_vec(&said)
        .map_err(|error| TrustError::cryptography("write a statement on a key", error))?;
    Ok(EntryKind::Key {
        key: said.key,
        statement: jws::sign(&payload, STATEMENT, identity.key())?,
    })
}

/// The keys that may have signed a participant's log: those that are known to be its own, and those that one of them says
/// in the log were too, and so on back. A key that only the log names counts for nothing. Reads the whole log. Blocks.
///
/// # Errors
/// [`twinlink_core::Code::Internal`], naming the record that cannot be read.
// INVARIANT(keys-by-keys): a log is verified with keys given by whoever verifies, and keys that one of these signed for.
pub fn own_keys(
    journal: &dyn Journal,
    own: &NamedNode,
    keys: &[PublicKey],
) -> Result<Vec<PublicKey>, Refusal> {
    let mut said = Vec::new();
    each(journal, b"\"kind\":\"key\"", |kind| {
        if let EntryKind::Key { key, statement } = kind
            && let Ok(key) = PublicKey::from_jwk(&key, "the log of use")
        {
            said.push((key, statement));
        }
    })?;
    let mut known = keys.to_vec();
    let mut next = 0;
    while let Some(by) = known.get(next).cloned() {
        next += 1;
        for (key, statement) in &said {
            if !known.contains(key) && is_vouched(statement, own, key, &by) {
                known.push(key.clone());
            }
        }
    }
    Ok(known)
}

/// The keys that peers had before, by participant id, as our own log says. Reads the whole log. Blocks.
///
/// # Errors
/// As [`own_keys`].
pub fn peers_keys(journal: &dyn Journal) -> Result<BTreeMap<String, Vec<PublicKey>>, Refusal> {
    let mut known: BTreeMap<String, Vec<PublicKey>> = BTreeMap::new();
    each(journal, b"\"kind\":\"known\"", |kind| {
        if let EntryKind::Known { participant, key } = kind
            && let Ok(key) = PublicKey::from_jwk(&key, "the log of use")
        {
            known.entry(participant).or_default().push(key);
        }
    })?;
    Ok(known)
}

/// Calls for what each record of a kind says.
fn each(
    journal: &dyn Journal,
    named: &[u8],
    mut visit: impl FnMut(EntryKind),
) -> Result<(), Refusal> {
    let mut from = 0;
    loop {
        let batch = journal.read(from, BATCH)?;
        if batch.is_empty() {
            return Ok(());
        }
        for (sequence, bytes) in batch {
            from = sequence.saturating_add(1);
            if is_of(&bytes, &[named])
                && let Some(entry) = read_entry(sequence, &bytes)?
            {
                visit(entry.kind);
            }
        }
    }
}

fn is_vouched(statement: &str, own: &NamedNode, key: &PublicKey, by: &PublicKey) -> bool {
    let said: Result<Statement, _> = signed(statement, LENGTH, STATEMENT, std::slice::from_ref(by));
    said.is_ok_and(|said| said.iss == own.as_str() && said.key == key.to_jwk())
}
