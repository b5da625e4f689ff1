//! What was good until it was taken back: keys, and agreements. And keys of a kind that invites confusion.

use super::forge::{Forger, hmac, join, signed};
use super::tokens::part;
use super::{Doors, Organisation, Taken, fault, refused};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{OFFICER, Town, agreement, card};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use std::fs;

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// The public half of a key whose private half nobody has kept.
const RSA: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA72WJqRg8Tke2gi/Olirh
ytTQljkJihNI/QnyfqQ+qi6ZQRVU/dRQDr3eK9dA0ZZ6Me6bBUZadPePZvtHCUJ4
ebhRA82AxwMCUcVMjFP05Qq4hYf5QM+irxzkEm7yUoSgUFkCaDiytOFUy3E+wl32
OxPbMRjIPYc4c5PJzcVLE/tk7t0s/BVx7uXjQDMax75uZVsNwn3TZ6RmEWuqDzIm
VQF0b3rrCvbrhpEVPlnBqDwSDIn/SbNzPlHW5/rlsXG1IiSqmNIGAfqdFlKsyZZH
BBwJI9ETNuC6Rf6FN4QGAAdAdE9OAD0GZpNM6p+heYcwYpQrKsea9OL6rgbHD/NE
vQIDAQAB";
/// Where its parts are in that: <https://www.rfc-editor.org/rfc/rfc8017#appendix-A.1.1> after the name of the algorithm.
const PKCS1: usize = 24;
const MODULUS: std::ops::Range<usize> = 33..289;

/// Takes back what the rescue department had, a thing at a time.
pub(super) fn attack(
    town: &Town,
    rescue: &Doors,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let good = town.rescue.token(&town.city.id, OFFICER)?;
    let (header, claims) = (part(good.reveal(), 0)?, part(good.reveal(), 1)?);
    let identity = town.rescue.identity.load();
    let now = identity.key().public().to_jwk();
    let introduce = |keys: &[&str]| -> Result<(), Fault> {
        let authority = town.rescue.authority.certificate_pem();
        let file = town.home().join("peers/rescue.toml");
        fs::write(file, card(&town.rescue.id, keys, authority)).map_err(fault)?;
        town.reload()
    };
    let mut refuse = |name: &str, token: &str, check| {
        for (door, taken) in rescue.both(Some(token)) {
            expected.push((cases.len(), check));
            cases.push((format!("{door}: {name}"), refused(taken)));
        }
    };

    // A key that was taken out of the peer's set: what it signed was good a moment ago, and remembered as such.
    let next = Organisation::new(town.rescue.id.as_str())?.identity.load();
    let mut header = header;
    if let Some(members) = header.as_object_mut() {
        members.insert("kid".to_owned(), json!(next.key().public().id()));
    }
    let token = Forger::new(&next)?.sign(&header.to_string(), &claims.to_string())?;
    refuse("a key that is not announced yet", &token, "token.kid");
    introduce(&[&now, &next.key().public().to_jwk()])?;
    let announced = rescue.good(&token, "a good token of a key that is announced");
    introduce(&[&now])?;
    refuse("a key that was taken out", &token, "token.kid");

    // Only an RSA key counts now: its public parts are no secret to make a tag with.
    let der = STANDARD.decode(RSA.replace('\n', "")).map_err(fault)?;
    let modulus = der.get(MODULUS).unwrap_or_default();
    let jwk = json!({"kty": "RSA", "alg": "RS256", "kid": "rsa", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode(modulus)});
    let jwk = jwk.to_string();
    introduce(&[&jwk])?;
    refuse("ES256 where the key is RSA", good.reveal(), "token.alg");
    let text = signed(
        r#"{"alg":"HS256","typ":"at+jwt","kid":"rsa"}"#,
        &claims.to_string(),
    );
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{RSA}\n-----END PUBLIC KEY-----");
    for (spelling, secret) in [
        ("PEM", format!("{pem}\n").into_bytes()),
        ("PEM without its last line end", pem.into_bytes()),
        ("DER", der.clone()),
        ("PKCS#1", der.get(PKCS1..).unwrap_or_default().to_vec()),
        ("JWK", jwk.into_bytes()),
        ("modulus", modulus.to_vec()),
    ] {
        let token = join(&text, &hmac(&secret, text.as_bytes()));
        let name = format!("key confusion: HS256 with the public RSA key as {spelling}");
        refuse(&name, &token, "token.alg");
    }
    let text = text.replace(
        &URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256""#),
        &URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256""#),
    );
    let tag = hmac(modulus, text.as_bytes());
    refuse(
        "key confusion: RS256 with a tag",
        &join(&text, &tag),
        "token.signature",
    );
    introduce(&[&now])?;
    cases.extend(announced);
    withdraw(town, rescue, cases, expected)
}

/// An agreement that was revoked: who still names it in a token gets nothing by it.
fn withdraw(
    town: &Town,
    rescue: &Doors,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let good = town.rescue.token(&town.city.id, OFFICER)?;
    let (header, mut claims) = (part(good.reveal(), 0)?, part(good.reveal(), 1)?);
    let (uid, text) = agreement(&town.city, &town.rescue);
    if let Some(members) = claims.as_object_mut() {
        members.insert("agreement".to_owned(), json!(uid));
    }
    let forger = Forger::new(&town.rescue.identity.load())?;
    let token = forger.sign(&header.to_string(), &claims.to_string())?;
    let file = town.home().join("policies/agreement.ttl");
    fs::write(&file, text).map_err(fault)?;
    town.permit(&[&town.police])?;
    cases.extend(rescue.good(&token, "a good token under an agreement"));
    fs::remove_file(&file).map_err(fault)?;
    town.reload()?;
    for (door, taken) in rescue.both(Some(&token)) {
        expected.push((cases.len(), "policy"));
        let verdict = match taken {
            Taken::Otherwise(text) if !text.contains(&uid) => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        };
        cases.push((format!("{door}: an agreement that was revoked"), verdict));
    }
    town.permit(&[&town.police, &town.rescue])?;
    cases.extend(rescue.good(good.reveal(), "a good request after what was taken back"));
    Ok(())
}
