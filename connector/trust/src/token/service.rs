//! What an issuer says of its tokens after they are out: introspection, <https://www.rfc-editor.org/rfc/rfc7662>, and
//! revocation, <https://www.rfc-editor.org/rfc/rfc7009>. Whoever asks was authenticated at the door.

use super::LONGEST;
use super::claims::{Claims, Confirmation};
use super::verify::{Good, read};
use crate::{NotOnce, OnceStore, Trusted};
use oxrdf::NamedNode;
use serde::Serialize;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, Secret};

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

    /// Revokes a token of our own, for the client that holds it. A token that is none, or not good any more, is as
    /// revoked as can be: <https://www.rfc-editor.org/rfc/rfc7009#section-2.2>.
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
    ) -> Result<(), Refusal> {
        let Some(claims) = own(token, trusted, now) else {
            return Ok(());
        };
        if claims.client_id.as_deref() != Some(client_id) {
            let reason = "the token is another client's";
            return Err(Refusal::new(Code::Forbidden, "revocation.client", reason));
        }
        // Clocks may be apart: a verifier takes it a little longer than it lives.
        let until = OffsetDateTime::from_unix_timestamp(claims.exp.unwrap_or_default())
            .map_or(now + LONGEST, |end| end + time::Duration::minutes(2));
        let id = claims.jti.unwrap_or_default();
        match self.0.admit(trusted.own().as_str(), &id, until, now) {
            Ok(()) | Err(NotOnce::Again) => Ok(()),
            Err(NotOnce::Full) => Err(Refusal::new(
                Code::Exhausted,
                "revocation",
                "too many revoked tokens are remembered",
            )),
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

/// The claims of a good token that we issued.
fn own(token: &Secret, trusted: &Trusted, now: OffsetDateTime) -> Option<Claims> {
    let Good { claims, issuer, .. } = read(token, trusted, now).ok()?;
    (&issuer == trusted.own()).then_some(claims)
}
