//! What an issuer says of its tokens after they are out: introspection, <https://www.rfc-editor.org/rfc/rfc7662>, and
//! revocation, <https://www.rfc-editor.org/rfc/rfc7009>. Whoever asks was authenticated at the door.

use super::LONGEST;
use super::claims::{Claims, Confirmation};
use super::verify::{Good, read};
use crate::receipt::read_entry;
use crate::{By, Entry, EntryKind, NotOnce, OnceStore, Trusted};
use oxrdf::NamedNode;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use twinlink_core::{Code, Journal, Refusal, Secret};

/// Clocks may be apart: a verifier takes a token a little longer than it lives.
const SKEW: time::Duration = time::Duration::minutes(2);

/// The action of the record of use that says that a token was revoked.
pub const REVOKE: &str = "https://w3id.org/twinlink/ns#revokeToken";

/// How many records are read at a time.
const PAGE: usize = 1000;

/// Tokens that were revoked before they expired.
#[derive(Debug)]
pub struct Revoked(OnceStore);

/// The answer to who asked for a token: of one that is not active, nothing but that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Introspection {
    /// Whether the token is good now.
    pub active: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    more: Option<Box<More>>,
}

/// <https://www.rfc-editor.org/rfc/rfc7662#section-2.2>
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct More {
    iss: String,
    sub: String,
    client_id: String,
    aud: Vec<String>,
    exp: i64,
    iat: i64,
    jti: String,
    token_type: &'static str,
    cnf: Option<Confirmation>,
}

impl Revoked {
    /// Remembers so many tokens, each until it expires.
    pub fn new(most: usize) -> Self {
        Self(OnceStore::new(most))
    }

    /// Whether a token was revoked.
    pub fn holds(&self, issuer: &NamedNode, token_id: &str, now: OffsetDateTime) -> bool {
        self.0.holds(issuer.as_str(), token_id, now)
    }

    /// Takes one in again by its id, until it must have expired.
    pub(crate) fn restore(
        &self,
        issuer: &NamedNode,
        token_id: &str,
        when: OffsetDateTime,
        now: OffsetDateTime,
    ) {
        // Where too many are remembered the doors refuse to revoke more; here there is nobody to tell.
        let until = when + LONGEST + SKEW;
        let (Ok(()) | Err(_)) = self.0.restore((issuer.as_str(), token_id), until, now);
    }

    /// Takes in again from the log of use what was revoked before a restart and may not have expired. Reads the whole log, and
    /// decodes the few records that matter: times tell nothing of where they are, as a clock may have been set back. Blocks.
    ///
    /// # Errors
    /// [`Code::Internal`], where the log cannot be read.
    // INVARIANT(revoked-for-good): a token that was revoked is refused until it expires, over restarts too.
    pub fn restore_all(
        &self,
        journal: &dyn Journal,
        own: &NamedNode,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let mut from = 0;
        loop {
            let records = journal.read(from, PAGE)?;
            let Some((last, _)) = records.last() else {
                return Ok(());
            };
            from = last + 1;
            for (sequence, bytes) in &records {
                if may_revoke(bytes)
                    && let Some((id, when)) = revocation(*sequence, bytes)?
                    && when + LONGEST + SKEW > now
                {
                    self.restore(own, &id, when, now);
                }
            }
        }
    }

    /// Revokes a token of our own, for the client that holds it. A token that is none, or not good any more, is as
    /// revoked as can be: <https://www.rfc-editor.org/rfc/rfc7009#section-2.2>. Gives the id of one that was good.
    ///
    /// # Errors
    /// [`Code::Forbidden`], check `revocation.client`, for another client's token; [`Code::Exhausted`] where too many are
    /// remembered.
    pub fn revoke(
        &self,
        token: &Secret,
        client_id: &str,
        trusted: &Trusted,
        now: OffsetDateTime,
    ) -> Result<Option<String>, Refusal> {
        let Some(claims) = own(token, trusted, now) else {
            return Ok(None);
        };
        // Who holds the key that signs our tokens may take back any of them.
        let is_ours = client_id == trusted.own().as_str();
        if !is_ours && claims.client_id.as_deref() != Some(client_id) {
            let reason = "the token is another client's";
            return Err(Refusal::new(Code::Forbidden, "revocation.client", reason));
        }
        let until = OffsetDateTime::from_unix_timestamp(claims.exp.unwrap_or_default())
            .map_or(now + LONGEST, |end| end + SKEW);
        let id = claims.jti.unwrap_or_default();
        let own = trusted.own().as_str();
        let by = By {
            organisation: own,
            client: client_id,
        };
        match self.0.admit(by, (own, &id), until, now) {
            Ok(()) | Err(NotOnce::Again) => Ok(Some(id)),
            Err(full) => Err(full.refusal("revocation", "revoked tokens", "")),
        }
    }
}

impl Introspection {
    /// Looks at a token of our own for a connector that it is for, or for ourselves; for others no token is active.
    pub fn of(
        token: &Secret,
        asker: &NamedNode,
        (trusted, revoked): (&Trusted, &Revoked),
        now: OffsetDateTime,
    ) -> Self {
        let Some(claims) = own(token, trusted, now) else {
            return Self::default();
        };
        let id = claims.jti.clone().unwrap_or_default();
        let aud = claims.aud.as_ref().map(|aud| aud.all()).unwrap_or_default();
        let may_ask = asker == trusted.own() || aud.iter().any(|one| one == asker.as_str());
        if !may_ask || revoked.holds(trusted.own(), &id, now) {
            return Self::default();
        }
        let is_proven = claims.cnf.as_ref().is_some_and(|cnf| cnf.key.is_some());
        Self {
            active: true,
            more: Some(Box::new(More {
                iss: claims.iss.unwrap_or_default(),
                sub: claims.sub.unwrap_or_default(),
                client_id: claims.client_id.unwrap_or_default(),
                aud,
                exp: claims.exp.unwrap_or_default(),
                iat: claims.iat.unwrap_or_default(),
                jti: id,
                token_type: if is_proven { "DPoP" } else { "Bearer" },
                cnf: claims.cnf,
            })),
        }
    }
}

impl Introspection {
    /// The id of a token that is active, and that the asker may know of.
    pub fn token_id(&self) -> Option<&str> {
        self.more.as_ref().map(|more| more.jti.as_str())
    }
}

/// Until when a record keeps a token revoked; none where it revokes none.
pub(crate) fn revokes_until(entry: &Entry) -> Option<OffsetDateTime> {
    let (_, when) = revoked_by(entry)?;
    Some(when + LONGEST + SKEW)
}

/// The token that a record revokes, and when it was made.
fn revoked_by(entry: &Entry) -> Option<(String, OffsetDateTime)> {
    let EntryKind::Intent {
        used,
        token: Some(id),
        refused: None,
        ..
    } = &entry.kind
    else {
        return None;
    };
    let when = OffsetDateTime::parse(&entry.time, &Rfc3339).ok()?;
    (used.action == REVOKE).then(|| (id.clone(), when))
}

fn revocation(sequence: u64, bytes: &[u8]) -> Result<Option<(String, OffsetDateTime)>, Refusal> {
    Ok(read_entry(sequence, bytes)?.and_then(|entry| revoked_by(&entry)))
}

/// Whether the action is named in a record at all.
fn may_revoke(record: &[u8]) -> bool {
    record
        .windows(REVOKE.len())
        .any(|window| window == REVOKE.as_bytes())
}

/// The claims of a good token that we issued.
fn own(token: &Secret, trusted: &Trusted, now: OffsetDateTime) -> Option<Claims> {
    let Good { claims, issuer, .. } = read(token, trusted, now).ok()?;
    (&issuer == trusted.own()).then_some(claims)
}

#[cfg(test)]
mod tests;
