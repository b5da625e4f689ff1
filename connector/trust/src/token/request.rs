//! A request as whoever holds its token signed it, with the key that the token is bound to: a JWS in a header or a field.
//!
//! HTTP Message Signatures (<https://www.rfc-editor.org/rfc/rfc9421>) would cover the headers of one door and say nothing at
//! the other. This signs the question, whichever way it came, in the form of a proof of possession
//! (<https://www.rfc-editor.org/rfc/rfc9449#section-4.2>): the key is in the header, and `ath` names the token. What is kept of
//! it is the token too, as in <https://www.rfc-editor.org/rfc/rfc9901#section-4.3>: the organisation's word on whose key it is.

use super::claims::{Audience, Claims};
use super::proof::hash;
use super::verify::{self, Binding, is_bound, same};
use crate::{CertificateFacts, PublicKey, SigningKey, TrustError, json, jws, thumbprint};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oxrdf::NamedNode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal, Secret, Signable};
use uuid::Uuid;

/// No other JWS of ours has this type.
const TYPE: &str = "twinlink-request+jwt";

/// The longest of them, and the longest `jti` in it, in bytes.
const LENGTH: usize = 4096;
const ID_LENGTH: usize = 128;

/// How old a request may be, and how far its clock may be ahead, in seconds.
pub(crate) const AGE: i64 = 120;
pub(crate) const LEEWAY: i64 = 60;

/// What a signed request is of.
#[derive(Debug, Clone, Copy)]
pub struct RequestOf<'a> {
    /// The connector that is asked, by participant id.
    pub audience: &'a NamedNode,
    /// What is asked.
    pub signable: &'a Signable,
    /// The purpose that the token names.
    pub purpose: Option<&'a NamedNode>,
    /// The access token that goes along.
    pub token: &'a Secret,
}

/// What a door found the client to hold: the token is bound to it already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Holder<'a> {
    /// A key, by its thumbprint.
    Key(&'a str),
    /// A certificate, DER.
    Certificate(&'a [u8]),
}

/// A request that an app signed, as a log keeps it: whoever holds it can show that this app asked this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRequest {
    /// By the app, unlike any other of its requests: the id that both sides know.
    pub id: String,
    /// The connector that was asked, by participant id.
    pub audience: String,
    /// When: seconds since 1970.
    pub time: i64,
    /// SHA-256 of the request, lower-case hex.
    pub request_digest: String,
    /// What else was asked.
    pub options: Vec<String>,
    /// The purpose.
    pub purpose: Option<String>,
    /// The person or program, as the organisation's token names it.
    pub subject: String,
    /// The `jti` of that token.
    pub token_id: String,
    /// The thumbprint of the key.
    pub key: String,
}

/// All optional, so that each missing one is refused under its own name.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    jti: Option<String>,
    aud: Option<String>,
    iat: Option<i64>,
    ath: Option<String>,
    request_digest: Option<String>,
    /// Missing where nothing else is asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

/// One that holds, not yet that it is the first time.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) issued: i64,
    /// What a log keeps of it.
    pub(crate) evidence: String,
}

/// Signs a request as an app does, with the key that its token is bound to. Gives its id and what goes along with it.
///
/// # Errors
/// [`TrustError::Cryptography`].
pub fn sign_request(
    key: &SigningKey,
    of: &RequestOf<'_>,
    now: OffsetDateTime,
) -> Result<(String, String), TrustError> {
    let id = Uuid::now_v7().to_string();
    let claims = Signed {
        jti: Some(id.clone()),
        aud: Some(of.audience.as_str().to_owned()),
        iat: Some(now.unix_timestamp()),
        ath: Some(hash(of.token)),
        request_digest: Some(of.signable.digest.clone()),
        options: of.signable.options.clone(),
        purpose: of.purpose.map(|purpose| purpose.as_str().to_owned()),
    };
    let payload = serde_json::to_vec(&claims)
        .map_err(|error| TrustError::cryptography("write a request", error))?;
    Ok((id, jws::sign_proof(&payload, TYPE, key)?))
}

/// Verifies a request that was signed by who holds the token, which the client proved to be.
///
/// # Errors
/// [`Code::Unauthenticated`]: `envelope.form`, none; `envelope.signature`, not of the key that it brings; `envelope.key`, that
/// is not the token's; `envelope.token`, of another token; `envelope.aud`, `envelope.time`, `envelope.digest`,
/// `envelope.options`, `envelope.purpose`, of another connector, time, request, options of it or purpose.
// INVARIANT(signed-by-the-holder): a request counts as signed by an app only with the key that the app's token is bound to.
pub(crate) fn verify_request(
    text: &str,
    of: &RequestOf<'_>,
    holder: Holder<'_>,
    now: OffsetDateTime,
) -> Result<Fresh, Refusal> {
    let (claims, key) = read(text)?;
    let holds = match holder {
        Holder::Key(thumbprint) => same(thumbprint.as_bytes(), key.thumbprint().as_bytes()),
        Holder::Certificate(der) => is_key_of(&key, der),
    };
    if !holds {
        return Err(refuse(
            "envelope.key",
            "is signed with another key than the token's",
        ));
    }
    if claims.ath.as_deref() != Some(&hash(of.token)) {
        return Err(refuse("envelope.token", "is of another token"));
    }
    if claims.aud.as_deref() != Some(of.audience.as_str()) {
        return Err(refuse("envelope.aud", "is a request to another connector"));
    }
    let issued = claims.iat.unwrap_or(i64::MIN);
    let now = now.unix_timestamp();
    if !(now.saturating_sub(AGE)..=now.saturating_add(LEEWAY)).contains(&issued) {
        return Err(refuse("envelope.time", "is of another time"));
    }
    if claims.request_digest.as_deref() != Some(of.signable.digest.as_str()) {
        return Err(refuse("envelope.digest", "is of another request"));
    }
    if claims.options != of.signable.options {
        let detail = "does not name what else is asked, as its member `options` must";
        return Err(refuse("envelope.options", detail));
    }
    if claims.purpose.as_deref() != of.purpose.map(NamedNode::as_str) {
        return Err(refuse(
            "envelope.purpose",
            "is for another purpose than the token",
        ));
    }
    let token = of.token.reveal();
    let evidence = match holder {
        Holder::Key(_) => format!("{token}~{text}"),
        Holder::Certificate(der) => format!("{token}~{}~{text}", URL_SAFE_NO_PAD.encode(der)),
    };
    Ok(Fresh {
        id: claims.jti.unwrap_or_default(),
        key: key.thumbprint(),
        issued,
        evidence,
    })
}

/// Verifies what a log keeps of a request that an app signed: that an organisation with these keys says whose key signed it.
/// When it was made, and of what, is in what this gives. Needs nothing but the text and the keys.
///
/// # Errors
/// [`Code::Unauthenticated`]: as for a request that comes in, and `envelope.token` for a token that the organisation did not
/// sign.
pub fn verify_held_request(
    evidence: &str,
    issuer: &NamedNode,
    keys: &[PublicKey],
) -> Result<HeldRequest, Refusal> {
    let verify = || {
        let form = || refuse("envelope.form", "is no token with a request");
        let (token, rest) = evidence.split_once('~').ok_or_else(form)?;
        let (certificate, request) = match rest.split_once('~') {
            Some((certificate, request)) => (Some(certificate), request),
            None => (None, rest),
        };
        let payload = jws::read(token, verify::LENGTH, &verify::TYPES)
            .and_then(|unverified| unverified.verify(keys))
            .map_err(|fault| refuse("envelope.token", &fault.to_string()))?;
        let of: Claims =
            json::object(&payload).map_err(|reason| refuse("envelope.token", &reason))?;
        let (claims, key) = read(request)?;
        let binds = |shown: Binding<'_>| of.cnf.as_ref().is_some_and(|cnf| is_bound(cnf, shown));
        let bound = match certificate {
            None => binds(Binding::Key(&key.thumbprint())),
            Some(text) => {
                let der = URL_SAFE_NO_PAD.decode(text).map_err(|_| form())?;
                binds(Binding::Certificate(&thumbprint(&der))) && is_key_of(&key, &der)
            }
        };
        if !bound {
            return Err(refuse(
                "envelope.key",
                "is signed with another key than the token's",
            ));
        }
        let audience = claims.aud.unwrap_or_default();
        let is_for = |aud: &Audience| aud.contains(&audience);
        let fits = of.iss.as_deref() == Some(issuer.as_str())
            && of.aud.as_ref().is_some_and(is_for)
            && claims.ath.as_deref() == Some(&hash(&Secret::new(token)))
            && claims.purpose == of.purpose;
        if !fits {
            return Err(refuse("envelope.token", "is of another token"));
        }
        Ok(HeldRequest {
            id: claims.jti.unwrap_or_default(),
            audience,
            time: claims.iat.unwrap_or_default(),
            request_digest: claims.request_digest.unwrap_or_default(),
            options: claims.options,
            purpose: claims.purpose,
            subject: of.sub.unwrap_or_default(),
            token_id: of.jti.unwrap_or_default(),
            key: key.thumbprint(),
        })
    };
    verify().map_err(|refusal: Refusal| refusal.at(issuer.as_str()))
}

/// What it says, and the key that it is signed with, which is nobody's yet.
fn read(text: &str) -> Result<(Signed, PublicKey), Refusal> {
    let (payload, key) = jws::read_proof(text, LENGTH, TYPE).map_err(|fault| {
        let check = match fault {
            jws::Fault::Signature => "envelope.signature",
            _ => "envelope.form",
        };
        refuse(check, &fault.to_string())
    })?;
    let claims: Signed =
        json::object(&payload).map_err(|reason| refuse("envelope.form", &reason))?;
    let length = claims.jti.as_ref().map_or(0, String::len);
    match length {
        1..=ID_LENGTH => Ok((claims, key)),
        _ => Err(refuse("envelope.form", "has no id of 1 to 128 bytes")),
    }
}

fn is_key_of(key: &PublicKey, certificate: &[u8]) -> bool {
    CertificateFacts::read(certificate).is_ok_and(|facts| key.is_point(&facts.public_key))
}

fn refuse(check: &'static str, detail: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests;
