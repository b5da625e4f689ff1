//! Compact JWS, read strictly: <https://www.rfc-editor.org/rfc/rfc7515#section-7.1>.
//!
//! Of josekit only the signature over bytes is used. What surrounds it (three parts, their alphabet, the header) is
//! read here: no member that points to a key (`jku x5u jwk x5c`) or changes the reading (`crit b64 zip`) is accepted.

use crate::{Algorithm, PublicKey, SigningKey, TrustError, json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use twinlink_core::{Code, Refusal};

/// The longest text that [`verify_jws`] looks at, in bytes.
const LENGTH: usize = 64 * 1024;

/// Why a JWS is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Longer than allowed.
    Length(usize),
    /// Not three parts of base64url.
    Form(&'static str),
    /// A header that is no JSON object, repeats a member or has one that is not allowed.
    Header(String),
    /// Made for something else.
    Type(String),
    /// Signed in another way.
    Algorithm(String),
    /// Names a key that its issuer does not have.
    Key,
    /// The signature is not that key's over these bytes.
    Signature,
}

/// A JWS that was read, not believed.
#[derive(Debug)]
pub(crate) struct Unverified<'a> {
    header: Header,
    payload: Vec<u8>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

/// All header members that are allowed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    /// Only in proofs, which are signed with a key that they bring themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<serde_json::Value>,
}

/// Signs the payload; the header holds `alg`, `typ` and the key's id.
pub(crate) fn sign(payload: &[u8], typ: &str, key: &SigningKey) -> Result<String, TrustError> {
    let header = Header {
        alg: Algorithm::ES256.name().to_owned(),
        typ: Some(typ.to_owned()),
        kid: Some(key.public().id().to_owned()),
        jwk: None,
    };
    sign_under(&header, payload, key)
}

/// Signs the payload; the header holds `alg`, `typ` and the public key itself.
pub(crate) fn sign_proof(
    payload: &[u8],
    typ: &str,
    key: &SigningKey,
) -> Result<String, TrustError> {
    let jwk = serde_json::from_str(&key.public().to_jwk())
        .map_err(|error| TrustError::cryptography("write a header", error))?;
    let header = Header {
        alg: Algorithm::ES256.name().to_owned(),
        typ: Some(typ.to_owned()),
        kid: None,
        jwk: Some(jwk),
    };
    sign_under(&header, payload, key)
}

fn sign_under(header: &Header, payload: &[u8], key: &SigningKey) -> Result<String, TrustError> {
    let header = serde_json::to_vec(header)
        .map_err(|error| TrustError::cryptography("write a header", error))?;
    let mut text = URL_SAFE_NO_PAD.encode(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(text)
}

/// The payload of a compact JWS, at most 64 KiB, that one of the keys signed with the algorithm it is for.
///
/// It may have been made for anything: for what a text counts is asked by [`crate::verify_token`] and
/// [`crate::verify_receipt`], each for its own `typ`.
///
/// # Errors
/// [`Code::Invalid`], check `jws`: not a compact JWS with `alg`, `typ` and `kid` alone in its header, another
/// algorithm, or not signed by the key that it names.
pub fn verify_jws(text: &str, keys: &[PublicKey]) -> Result<Vec<u8>, Refusal> {
    read_any(text, LENGTH)
        .and_then(|unverified| unverified.verify(keys))
        .map_err(|fault| Refusal::new(Code::Invalid, "jws", fault))
}

/// What a JWS claims, believed by nobody: for what was verified when it came in, or is verified beside.
pub(crate) fn unverified<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let unverified = read_any(text, LENGTH).ok()?;
    json::object(&unverified.payload).ok()
}

/// Reads a JWS of one of these types, at most `limit` bytes long.
pub(crate) fn read<'a>(
    text: &'a str,
    limit: usize,
    types: &[&str],
) -> Result<Unverified<'a>, Fault> {
    let unverified = read_any(text, limit)?;
    // Whoever is to be believed signs with a key that only it has.
    if Algorithm::from_name(&unverified.header.alg).is_none_or(Algorithm::is_symmetric) {
        return Err(Fault::Algorithm(json::clip(&unverified.header.alg)));
    }
    let typ = unverified.header.typ.as_deref().unwrap_or("none");
    if !types.contains(&typ) {
        return Err(Fault::Type(json::clip(typ)));
    }
    Ok(unverified)
}

/// Reads a JWS of this type that is signed with the key in its header, and verifies it: the payload, and the key, which
/// is nobody's yet.
pub(crate) fn read_proof(
    text: &str,
    limit: usize,
    typ: &str,
) -> Result<(Vec<u8>, PublicKey), Fault> {
    let mut unverified = read_parts(text, limit)?;
    if unverified.header.typ.as_deref() != Some(typ) {
        let other = unverified.header.typ.as_deref().unwrap_or("none");
        return Err(Fault::Type(json::clip(other)));
    }
    let jwk = unverified.header.jwk.take();
    let jwk = jwk.ok_or_else(|| Fault::Header("jwk is missing".to_owned()))?;
    let key = PublicKey::from_jwk(&jwk.to_string(), "jwk")
        .map_err(|error| Fault::Header(error.to_string()))?;
    unverified.header.kid = None;
    let payload = unverified.verify(std::slice::from_ref(&key))?;
    Ok((payload, key))
}

/// Reads a JWS whatever it was made for, but none that brings its own key.
fn read_any(text: &str, limit: usize) -> Result<Unverified<'_>, Fault> {
    let unverified = read_parts(text, limit)?;
    match unverified.header.jwk {
        None => Ok(unverified),
        Some(_) => Err(Fault::Header("jwk is not allowed here".to_owned())),
    }
}

fn read_parts(text: &str, limit: usize) -> Result<Unverified<'_>, Fault> {
    if text.len() > limit {
        return Err(Fault::Length(text.len()));
    }
    let mut parts = text.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Fault::Form("not three parts"));
    };
    let signed = text
        .as_bytes()
        .get(..header.len() + 1 + payload.len())
        .ok_or(Fault::Form("not three parts"))?;
    let header = decode(header)?;
    let header: Header = json::object(&header).map_err(Fault::Header)?;
    let payload = decode(payload)?;
    let signature = decode(signature)?;
    Ok(Unverified {
        header,
        payload,
        signed,
        signature,
    })
}

impl Unverified<'_> {
    /// The payload, to find out whose keys to verify it with, and for nothing else.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.payload
    }

    /// The payload, if one of the keys signed it: the one that the header names, or where it names none the only one.
    // INVARIANT(pinned-algorithm): a text is verified by the algorithm of its issuer's key, not by the one that it names.
    pub(crate) fn verify(self, keys: &[PublicKey]) -> Result<Vec<u8>, Fault> {
        let is_pinned = |key: &PublicKey| key.algorithm().name() == self.header.alg;
        if !keys.iter().any(is_pinned) {
            return Err(Fault::Algorithm(json::clip(&self.header.alg)));
        }
        let key = match (&self.header.kid, keys) {
            (Some(id), keys) => keys.iter().find(|key| key.id() == id),
            (None, [key]) => Some(key),
            (None, _) => None,
        };
        let key = key.ok_or(Fault::Key)?;
        if !is_pinned(key) {
            return Err(Fault::Algorithm(json::clip(&self.header.alg)));
        }
        if !key.verifies(self.signed, &self.signature) {
            return Err(Fault::Signature);
        }
        Ok(self.payload)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length(length) => write!(f, "{length} bytes are too long"),
            Self::Form(reason) => write!(f, "not a compact JWS: {reason}"),
            Self::Header(reason) => write!(f, "the header is not accepted: {reason}"),
            Self::Type(typ) => write!(f, "typ is {typ}: made for something else"),
            Self::Algorithm(alg) => write!(f, "alg is {alg}, not the one of the issuer's keys"),
            Self::Key => f.write_str("kid names none of the issuer's keys"),
            Self::Signature => f.write_str("the signature does not fit"),
        }
    }
}

/// No padding, no spaces, no bits left over: one text for one value.
fn decode(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Fault::Form("a part is not base64url"))
}

#[cfg(test)]
mod tests;
