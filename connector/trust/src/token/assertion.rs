//! A client's own signature in place of a secret (`private_key_jwt`): <https://www.rfc-editor.org/rfc/rfc7523#section-3>.

use crate::{By, OnceStore, PublicKey, SigningKey, TrustError, json, jws};
use serde::Deserialize;
use std::fmt;
use time::{Duration, OffsetDateTime};
use twinlink_core::{Code, Refusal, Secret};

/// The longest assertion, and the longest `jti` in it, in bytes.
const LENGTH: usize = 4096;
const ID_LENGTH: usize = 128;

/// How long an assertion may be good for, and how far its clock may be ahead, in seconds.
const LONGEST: i64 = 300;
const LEEWAY: i64 = 30;

/// As most clients write it, not at all, or as <https://datatracker.ietf.org/doc/draft-ietf-oauth-rfc7523bis> has it.
const TYPES: [&str; 3] = ["JWT", "none", "client-authentication+jwt"];

/// What an assertion must be of.
#[derive(Debug, Clone, Copy)]
pub struct AssertionOf<'a> {
    /// The client.
    pub client: &'a str,
    /// Its keys, as registered.
    pub keys: &'a [PublicKey],
    /// Who we are: our id, and the URL of the endpoint.
    pub audiences: &'a [&'a str],
}

/// An assertion to be made, as a client does.
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// The client.
    pub client: &'a str,
    /// The server that it is for.
    pub audience: &'a str,
    /// A name by chance.
    pub id: &'a str,
}

impl Assertion<'_> {
    /// Signs it, for a minute.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn sign(&self, key: &SigningKey, now: OffsetDateTime) -> Result<Secret, TrustError> {
        let now = now.unix_timestamp();
        let claims = serde_json::json!({"iss": self.client, "sub": self.client, "aud": self.audience,
            "jti": self.id, "iat": now, "exp": now.saturating_add(60)});
        jws::sign(claims.to_string().as_bytes(), "JWT", key).map(Secret::new)
    }
}

/// All optional, so that each missing one is refused under its own name.
#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<super::Audience>,
    exp: Option<i64>,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: Option<String>,
}

/// Which client an assertion claims to be of: to find its keys, and for nothing else.
pub fn claimed_client(assertion: &Secret) -> Option<String> {
    let unverified = jws::read(assertion.reveal(), LENGTH, &TYPES).ok()?;
    let claims: Claims = json::object(unverified.peek()).ok()?;
    claims.sub
}

/// Verifies an assertion, and takes it as used.
///
/// # Errors
/// [`Code::Unauthenticated`], check `assertion.form`, `assertion.signature`, `assertion.iss`, `assertion.aud`,
/// `assertion.exp` or `assertion.jti`; [`Code::Exhausted`] where too many are remembered.
// INVARIANT(one-assertion-one-request): an assertion authenticates its client once, and for us alone.
pub fn verify_assertion(
    assertion: &Secret,
    of: &AssertionOf<'_>,
    store: &OnceStore,
    now: OffsetDateTime,
) -> Result<(), Refusal> {
    let unverified = jws::read(assertion.reveal(), LENGTH, &TYPES)
        .map_err(|fault| refuse("assertion.form", fault))?;
    let payload = unverified
        .verify(of.keys)
        .map_err(|fault| refuse("assertion.signature", fault))?;
    let claims: Claims =
        json::object(&payload).map_err(|reason| refuse("assertion.form", reason))?;
    if claims.iss.as_deref() != Some(of.client) || claims.sub.as_deref() != Some(of.client) {
        return Err(refuse("assertion.iss", "iss and sub are not the client"));
    }
    let is_for_us = |aud: &super::Audience| of.audiences.iter().any(|one| aud.contains(one));
    if !claims.aud.as_ref().is_some_and(is_for_us) {
        return Err(refuse("assertion.aud", "is for somebody else"));
    }
    let until = check_time(&claims, now.unix_timestamp())?;
    let id = claims.jti.unwrap_or_default();
    if id.is_empty() || id.len() > ID_LENGTH {
        return Err(refuse("assertion.jti", "is not 1 to 128 bytes"));
    }
    // Its scope is no key's thumbprint and no issuer: what is remembered of others does not count here.
    let scope = format!("client {}", of.client);
    // Who signs assertions is a client of ours.
    let by = By {
        organisation: "",
        client: of.client,
    };
    store
        .admit(by, (&scope, &id), until, now)
        .map_err(|not| not.refusal("assertion.jti", "assertions", "was used before"))
}

/// Until when it must be remembered.
fn check_time(claims: &Claims, now: i64) -> Result<OffsetDateTime, Refusal> {
    let exp = claims
        .exp
        .ok_or_else(|| refuse("assertion.exp", "is missing"))?;
    let latest = now.saturating_add(LONGEST + LEEWAY);
    if exp <= now.saturating_sub(LEEWAY) || exp > latest {
        return Err(refuse(
            "assertion.exp",
            "is over, or more than five minutes away",
        ));
    }
    let ahead = now.saturating_add(LEEWAY);
    if claims.iat.is_some_and(|iat| iat > ahead) || claims.nbf.is_some_and(|nbf| nbf > ahead) {
        return Err(refuse("assertion.exp", "is of the future"));
    }
    // In range: it is within minutes of now.
    let end = OffsetDateTime::from_unix_timestamp(exp)
        .map_err(|_| refuse("assertion.exp", "is out of range"))?;
    Ok(end + Duration::seconds(LEEWAY))
}

fn refuse(check: &'static str, detail: impl fmt::Display) -> Refusal {
    Refusal::new(Code::Unauthenticated, check, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{forge, now};
    use serde_json::{Value, json};

    const US: [&str; 2] = ["https://city.example/", "https://localhost/oauth/token"];

    fn claims() -> Value {
        let seconds = now().unix_timestamp();
        json!({"iss": "app", "sub": "app", "aud": US[0], "jti": "1", "iat": seconds, "exp": seconds + 60})
    }

    #[test]
    fn one_assertion_one_request() {
        let key = SigningKey::generate().unwrap();
        let keys = [key.public().clone()];
        let other = [SigningKey::generate().unwrap().public().clone()];
        let header = r#"{"alg":"ES256","typ":"JWT"}"#;
        let store = OnceStore::new(10);
        let check = |text: &str, client: &str, keys: &[PublicKey]| {
            let of = AssertionOf {
                client,
                keys,
                audiences: &US,
            };
            let found = verify_assertion(&Secret::new(text), &of, &store, now());
            found.map_or_else(|refusal| refusal.check(), |()| "")
        };
        let good = forge(header, &claims().to_string(), &key);
        assert_eq!(claimed_client(&Secret::new(good.as_str())).unwrap(), "app");
        assert_eq!(check(&good, "app", &other), "assertion.signature");
        assert_eq!(check(&good, "other", &keys), "assertion.iss");
        assert_eq!(check(&good, "app", &keys), "");
        assert_eq!(check(&good, "app", &keys), "assertion.jti");
        for (name, value, expected) in [
            ("iss", json!("other"), "assertion.iss"),
            ("sub", Value::Null, "assertion.iss"),
            ("aud", json!("https://rescue.example/"), "assertion.aud"),
            ("aud", Value::Null, "assertion.aud"),
            ("exp", Value::Null, "assertion.exp"),
            ("exp", json!(1), "assertion.exp"),
            ("exp", json!(i64::MAX), "assertion.exp"),
            ("exp", json!(i64::MIN), "assertion.exp"),
            ("iat", json!(i64::MAX), "assertion.exp"),
            ("nbf", json!(i64::MAX), "assertion.exp"),
            ("jti", json!(""), "assertion.jti"),
            ("jti", Value::Null, "assertion.jti"),
            ("jti", json!("x".repeat(200)), "assertion.jti"),
        ] {
            let mut changed = claims();
            changed["jti"] = json!("2");
            changed[name] = value;
            let text = forge(header, &changed.to_string(), &key);
            assert_eq!(check(&text, "app", &keys), expected, "{changed}");
        }
        for header in [
            r#"{"alg":"none","typ":"JWT"}"#,
            r#"{"alg":"ES256","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","typ":"dpop+jwt"}"#,
        ] {
            let text = forge(header, &claims().to_string(), &key);
            assert_eq!(check(&text, "app", &keys), "assertion.form", "{header}");
        }
    }
}
