//! Proof of possession by a client without a certificate: DPoP, <https://www.rfc-editor.org/rfc/rfc9449>.

use super::verify::same;
use crate::{By, OnceStore, SigningKey, TrustError, json, jws};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use time::{Duration, OffsetDateTime};
use twinlink_core::{Code, Refusal, Secret};
use uuid::Uuid;

const TYPE: &str = "dpop+jwt";

/// The longest proof, and the longest `jti` in it, in bytes.
const LENGTH: usize = 4096;
const ID_LENGTH: usize = 128;

/// How old a proof may be, and how far its clock may be ahead, in seconds.
const AGE: i64 = 120;
const LEEWAY: i64 = 30;

/// How long a nonce is given out, in seconds; it is good for as long again.
const NONCE: i64 = 300;

/// What a proof must be of.
#[derive(Debug, Clone, Copy)]
pub struct ProofOf<'a> {
    /// The HTTP method; `POST` for gRPC.
    pub method: &'a str,
    /// The URL that the client asked, as others reach us; for gRPC `https://host/package.Service/Method`.
    pub url: &'a str,
    /// The access token that came along; none at a token endpoint.
    pub token: Option<&'a Secret>,
    /// Where the client must show a nonce of ours.
    pub nonces: Option<&'a Nonces>,
}

/// A proof that holds, not yet that it is the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The thumbprint of its key: what `cnf.jkt` of the token must be.
    pub thumbprint: String,
    id: String,
    issued: i64,
}

/// Nonces that we give out and know again without keeping them: <https://www.rfc-editor.org/rfc/rfc9449#section-8>.
pub struct Nonces {
    /// By chance, at each start.
    secret: [u8; 32],
}

/// All optional, so that each missing one is refused under its own name.
#[derive(Serialize, Deserialize)]
struct Claims {
    jti: Option<String>,
    htm: Option<String>,
    htu: Option<String>,
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
}

impl Proof {
    /// Verifies the `DPoP` headers of a request: all checks of <https://www.rfc-editor.org/rfc/rfc9449#section-4.3> but
    /// that the token is bound to this key, which [`crate::verify_bound_token`] does, and that it was not seen before.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `dpop.header`, `dpop.form`, `dpop.typ`, `dpop.jwk`, `dpop.alg`,
    /// `dpop.signature`, `dpop.claims`, `dpop.htm`, `dpop.htu`, `dpop.nonce`, `dpop.iat`, `dpop.ath` or `dpop.jti`.
    pub fn verify(
        headers: &[&str],
        of: &ProofOf<'_>,
        now: OffsetDateTime,
    ) -> Result<Self, Refusal> {
        let [header] = headers else {
            return Err(refuse(
                "dpop.header",
                "there is not exactly one DPoP header",
            ));
        };
        let (payload, key) = jws::read_proof(header, LENGTH, TYPE).map_err(malformed)?;
        let claims: Claims =
            json::object(&payload).map_err(|reason| refuse("dpop.claims", reason))?;
        let missing = |check| move || refuse(check, "is missing");
        let id = claims.jti.ok_or_else(missing("dpop.jti"))?;
        if id.is_empty() || id.len() > ID_LENGTH {
            return Err(refuse("dpop.jti", "is not 1 to 128 bytes"));
        }
        if claims.htm.ok_or_else(missing("dpop.htm"))? != of.method {
            return Err(refuse("dpop.htm", "is another method"));
        }
        let shown = claims.htu.ok_or_else(missing("dpop.htu"))?;
        match (normal(&shown), normal(of.url)) {
            (Some(shown), Some(asked)) if shown == asked => {}
            _ => return Err(refuse("dpop.htu", "is another URL")),
        }
        if let Some(nonces) = of.nonces {
            let nonce = claims.nonce.ok_or_else(missing("dpop.nonce"))?;
            if !nonces.knows(&nonce, now) {
                return Err(refuse("dpop.nonce", "is not one that we gave out lately"));
            }
        }
        let issued = claims.iat.ok_or_else(missing("dpop.iat"))?;
        let now = now.unix_timestamp();
        if !(now.saturating_sub(AGE)..=now.saturating_add(LEEWAY)).contains(&issued) {
            return Err(refuse("dpop.iat", "is of another time"));
        }
        if let Some(token) = of.token {
            let ath = claims.ath.ok_or_else(missing("dpop.ath"))?;
            if !same(ath.as_bytes(), hash(token).as_bytes()) {
                return Err(refuse("dpop.ath", "is of another token"));
            }
        }
        Ok(Self {
            thumbprint: key.thumbprint(),
            id,
            issued,
        })
    }

    /// Makes the `DPoP` header of a request, as a client does; `nonce` is the last one that the server gave.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn make(
        key: &SigningKey,
        of: &ProofOf<'_>,
        nonce: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Secret, TrustError> {
        let claims = Claims {
            jti: Some(Uuid::new_v4().to_string()),
            htm: Some(of.method.to_owned()),
            // Without query and fragment: <https://www.rfc-editor.org/rfc/rfc9449#section-4.2>.
            htu: of.url.split(['?', '#']).next().map(str::to_owned),
            iat: Some(now.unix_timestamp()),
            ath: of.token.map(hash),
            nonce: nonce.map(str::to_owned),
        };
        let payload = serde_json::to_vec(&claims)
            .map_err(|error| TrustError::cryptography("write a proof", error))?;
        Ok(Secret::new(jws::sign_proof(&payload, TYPE, key)?))
    }

    /// Takes the proof as used: the last step, so that only who holds a good token can fill the store.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], check `dpop.jti`, where it was used before; [`Code::Exhausted`] where too many are
    /// remembered, of its client or of all.
    pub fn use_once(
        &self,
        by: By<'_>,
        store: &OnceStore,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let until = OffsetDateTime::from_unix_timestamp(self.issued)
            .map_or(now, |issued| issued + Duration::seconds(AGE + 1));
        store
            .admit(by, (&self.thumbprint, &self.id), until, now)
            .map_err(|not| not.refusal("dpop.jti", "proofs", "the proof was used before"))
    }
}

impl Nonces {
    /// With a secret by chance.
    pub fn new() -> Self {
        let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
        let secret = Sha256::new().chain_update(one).chain_update(two).finalize();
        Self {
            secret: secret.into(),
        }
    }

    /// What goes out in `DPoP-Nonce`.
    pub fn now(&self, now: OffsetDateTime) -> String {
        self.of(now.unix_timestamp().div_euclid(NONCE))
    }

    fn knows(&self, nonce: &str, now: OffsetDateTime) -> bool {
        let period = now.unix_timestamp().div_euclid(NONCE);
        let is = |period| same(self.of(period).as_bytes(), nonce.as_bytes());
        // Both, whichever it is.
        is(period) | is(period.saturating_sub(1))
    }

    /// All inputs are of one length, so a hash under a secret prefix cannot be extended.
    fn of(&self, period: i64) -> String {
        let hasher = Sha256::new().chain_update(self.secret);
        URL_SAFE_NO_PAD.encode(hasher.chain_update(period.to_be_bytes()).finalize())
    }
}

impl Default for Nonces {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nonces").finish_non_exhaustive()
    }
}

/// <https://www.rfc-editor.org/rfc/rfc9449#section-4.2>
pub(super) fn hash(token: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.reveal()))
}

/// A URL without query and fragment, as <https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2> and 6.2.3 make two equal:
/// letters of scheme and host, default ports, an empty path.
fn normal(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end)?;
    let (host, path) = match rest.find('/') {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "/"),
    };
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = host.strip_suffix(port).unwrap_or(&host);
    (!host.is_empty()).then(|| format!("{scheme}://{host}{path}"))
}

fn malformed(fault: jws::Fault) -> Refusal {
    let check = match &fault {
        jws::Fault::Length(_) | jws::Fault::Form(_) => "dpop.form",
        jws::Fault::Header(_) => "dpop.jwk",
        jws::Fault::Type(_) => "dpop.typ",
        jws::Fault::Algorithm(_) => "dpop.alg",
        jws::Fault::Key | jws::Fault::Signature => "dpop.signature",
    };
    refuse(check, fault)
}

fn refuse(check: &'static str, detail: impl fmt::Display) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;
