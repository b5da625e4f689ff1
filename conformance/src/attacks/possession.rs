//! Attacks on proofs of possession (DPoP): <https://www.rfc-editor.org/rfc/rfc9449#section-11>.

use super::app::{App, Door, Shown};
use super::forge::{Forger, hmac, join, signed};
use super::{Organisation, Taken, fault, refused};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{OFFICER, Town};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// What is shown, and the check that has to refuse it.
struct Attack {
    name: String,
    shown: Shown,
    check: &'static str,
}

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// Tries every attack at both doors, and the good request between them.
pub(super) fn attack(
    town: &Town,
    app: &App,
    bearer: &str,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    cases.extend(app.good("a good request of an app before"));
    // The nonces are asked for without a token: refused too, and recorded.
    expected.extend([(usize::MAX, "certificate"); 2]);
    let nonce = app.nonce()?;
    expected.push((usize::MAX, "certificate"));
    for door in Door::BOTH {
        for attack in attacks(town, app, (door, &nonce), bearer)? {
            expected.push((cases.len(), attack.check));
            let name = format!("{}: DPoP: {}", door.name(), attack.name);
            cases.push((name, refused(app.ask(door, &attack.shown))));
        }
        replay(app, door, &nonce, cases, expected)?;
    }
    Ok(())
}

/// One proof, again and at once.
fn replay(
    app: &App,
    door: Door,
    nonce: &str,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let proof = app.proof(&app.header(), &app.claims(door, nonce))?;
    let shown = app.proven(proof);
    let first = match app.ask(door, &shown) {
        Taken::Answered => Verdict::Passed,
        other => Verdict::Failed(format!("{other:?}")),
    };
    cases.push((format!("{}: DPoP: a proof, once", door.name()), first));
    expected.push((cases.len(), "dpop.jti"));
    let again = refused(app.ask(door, &shown));
    cases.push((format!("{}: DPoP: a proof, again", door.name()), again));
    const TIMES: usize = 12;
    let proof = app.proof(&app.header(), &app.claims(door, nonce))?;
    let verdict = match app.ask_at_once(door, &app.proven(proof), TIMES) {
        1 => Verdict::Passed,
        other => Verdict::Failed(format!("{other} of {TIMES} were answered")),
    };
    expected.extend([(cases.len(), "dpop.jti"); TIMES - 1]);
    cases.push((
        format!("{}: DPoP: a proof, {TIMES} times at once", door.name()),
        verdict,
    ));
    Ok(())
}

fn attacks(
    town: &Town,
    app: &App,
    (door, nonce): (Door, &str),
    bearer: &str,
) -> Result<Vec<Attack>, Fault> {
    let mut made = Vec::new();
    let claims = || app.claims(door, nonce);
    let mut add = |name: &str, shown: Shown, check| {
        made.push(Attack {
            name: name.to_owned(),
            shown,
            check,
        });
    };
    for (name, value, check) in spoilt(app, door) {
        let mut spoilt = claims();
        set(&mut spoilt, name, value.clone());
        let shown = app.proven(app.proof(&app.header(), &spoilt)?);
        let value: String = value.to_string().chars().take(48).collect();
        add(&format!("{name} {value}"), shown, check);
    }
    for (name, value, check) in headers(app)? {
        let mut spoilt = app.header();
        set(&mut spoilt, name, value.clone());
        let shown = app.proven(app.proof(&spoilt, &claims())?);
        let value: String = value.to_string().chars().take(48).collect();
        add(&format!("header {name} {value}"), shown, check);
    }
    // Unsigned, and signed with what is public.
    let none = with(&app.header(), "alg", json!("none"));
    let text = signed(&none.to_string(), &claims().to_string());
    add(
        "alg none without signature",
        app.proven(join(&text, &[])),
        "dpop.alg",
    );
    let symmetric = with(&app.header(), "alg", json!("HS256"));
    let text = signed(&symmetric.to_string(), &claims().to_string());
    let tag = hmac(app.key.jwk.as_bytes(), text.as_bytes());
    add(
        "HS256 with the public key",
        app.proven(join(&text, &tag)),
        "dpop.alg",
    );
    let text = signed(&app.header().to_string(), &claims().to_string());
    add(
        "no signature",
        app.proven(join(&text, &[])),
        "dpop.signature",
    );
    add("not a JWS", app.proven("proof".to_owned()), "dpop.form");
    add("an empty proof", app.proven(String::new()), "dpop.form");
    add("a long proof", app.proven("A".repeat(5000)), "dpop.form");
    add(
        "the token as its own proof",
        app.proven(app.token.clone()),
        "dpop.typ",
    );
    let twice = claims().to_string().replacen('{', "{\"htm\":\"PUT\",", 1);
    let shown = app.proven(app.key.sign(&app.header().to_string(), &twice)?);
    add("a member twice", shown, "dpop.claims");
    // Somebody else's key: its signature under our key, and a good proof of it.
    let thief = Forger::new(&Organisation::new("https://thief.example/")?.identity.load())?;
    let stolen = thief.sign(&app.header().to_string(), &claims().to_string())?;
    add(
        "signed by another key",
        app.proven(stolen),
        "dpop.signature",
    );
    let jwk: Value = serde_json::from_str(&thief.jwk).map_err(fault)?;
    let header = with(&app.header(), "jwk", public(&jwk));
    let other = thief.sign(&header.to_string(), &claims().to_string())?;
    add(
        "a good proof of another key",
        app.proven(other),
        "token.cnf",
    );
    // Headers.
    let good = || app.proof(&app.header(), &claims());
    let mut shown = app.proven(good()?);
    shown.proofs.push(good()?);
    add("two proofs", shown, "dpop.header");
    let mut shown = app.proven(good()?);
    shown.proofs.clear();
    add("no proof", shown, "dpop.header");
    // Downgrades.
    let mut shown = app.proven(good()?);
    shown.authorization = format!("Bearer {}", app.token);
    add(
        "the token as a bearer's, with a proof",
        shown.clone(),
        "certificate",
    );
    shown.proofs.clear();
    add("the token as a bearer's", shown.clone(), "certificate");
    shown.authorization = format!("Bearer {bearer}");
    add("a token of a certificate, without it", shown, "certificate");
    let mut claims_of_bearer = app.claims_of(door.method(), door.path(), nonce, Some(bearer));
    set(&mut claims_of_bearer, "jti", json!("of-bearer"));
    let proof = app.proof(&app.header(), &claims_of_bearer)?;
    let shown = Shown {
        authorization: format!("DPoP {bearer}"),
        proofs: vec![proof],
        envelope: None,
    };
    add("a token of a certificate, with a proof", shown, "token.cnf");
    // Another organisation's app, which may not do without a certificate here.
    let jkt = app.thumbprint();
    let foreign = town.police.token_for_key(&town.city.id, OFFICER, jkt)?;
    let claims = app.claims_of(door.method(), door.path(), nonce, Some(foreign.reveal()));
    let shown = Shown {
        authorization: format!("DPoP {}", foreign.reveal()),
        proofs: vec![app.proof(&app.header(), &claims)?],
        envelope: None,
    };
    add("an app of another organisation", shown, "token.participant");
    Ok(made)
}

/// Claims that are not those of this request, each with its check.
fn spoilt(app: &App, door: Door) -> Vec<(&'static str, Value, &'static str)> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let url = |path: &str| json!(format!("{}{path}", app.url()));
    let host = app.url().replace("https://", "");
    let mut all = vec![
        ("htm", json!("DELETE"), "dpop.htm"),
        ("htm", json!(door.method().to_lowercase()), "dpop.htm"),
        ("htm", Value::Null, "dpop.htm"),
        ("htm", json!(["GET", "POST"]), "dpop.claims"),
        ("htu", url("/data"), "dpop.htu"),
        ("htu", url(&format!("{}/", door.path())), "dpop.htu"),
        ("htu", url(&door.path().to_uppercase()), "dpop.htu"),
        (
            "htu",
            json!(format!("http://{host}{}", door.path())),
            "dpop.htu",
        ),
        (
            "htu",
            json!(format!("https://user@{host}{}", door.path())),
            "dpop.htu",
        ),
        (
            "htu",
            json!(format!("https://localhost.evil.example{}", door.path())),
            "dpop.htu",
        ),
        ("htu", json!(door.path()), "dpop.htu"),
        ("htu", json!(""), "dpop.htu"),
        ("htu", Value::Null, "dpop.htu"),
        ("jti", Value::Null, "dpop.jti"),
        ("jti", json!(""), "dpop.jti"),
        ("jti", json!("x".repeat(129)), "dpop.jti"),
        ("jti", json!(7), "dpop.claims"),
        ("nonce", Value::Null, "dpop.nonce"),
        ("nonce", json!(""), "dpop.nonce"),
        ("nonce", json!("A".repeat(43)), "dpop.nonce"),
        ("iat", Value::Null, "dpop.iat"),
        ("iat", json!(1e308), "dpop.claims"),
        ("iat", json!("now"), "dpop.claims"),
        ("iat", json!(u64::MAX), "dpop.claims"),
        ("ath", Value::Null, "dpop.ath"),
        ("ath", json!(""), "dpop.ath"),
        ("ath", json!(URL_SAFE_NO_PAD.encode([0; 32])), "dpop.ath"),
    ];
    let times = [
        0,
        -1,
        i64::MIN,
        i64::MAX,
        now - 3600,
        now - 300,
        now + 300,
        now + 3600,
    ];
    all.extend(times.map(|time| ("iat", json!(time), "dpop.iat")));
    all
}

/// Members of the header, each with its check.
fn headers(app: &App) -> Result<Vec<(&'static str, Value, &'static str)>, Fault> {
    let jwk = app.header().get("jwk").cloned().unwrap_or_default();
    let x = jwk.get("x").cloned().unwrap_or_default();
    let mut all = vec![
        ("typ", Value::Null, "dpop.typ"),
        ("typ", json!("JWT"), "dpop.typ"),
        ("typ", json!("at+jwt"), "dpop.typ"),
        ("typ", json!("DPOP+JWT"), "dpop.typ"),
        ("alg", json!("None"), "dpop.alg"),
        ("alg", json!("ES384"), "dpop.alg"),
        ("alg", json!("RS256"), "dpop.alg"),
        ("alg", json!(""), "dpop.alg"),
        ("alg", Value::Null, "dpop.jwk"),
        ("jwk", Value::Null, "dpop.jwk"),
        ("jwk", json!("key"), "dpop.jwk"),
        ("jwk", json!({}), "dpop.jwk"),
        // In private form: whoever sends that has no secret any more.
        ("jwk", with(&jwk, "d", x), "dpop.jwk"),
        ("jwk", json!({"kty": "oct", "k": "AAAA"}), "dpop.jwk"),
        ("jwk", with(&jwk, "crv", json!("P-384")), "dpop.jwk"),
        ("jwk", with(&jwk, "y", json!("AAAA")), "dpop.jwk"),
    ];
    for name in ["jku", "x5u", "x5c", "crit", "b64", "zip"] {
        all.push((name, json!("https://localhost/"), "dpop.jwk"));
    }
    Ok(all)
}

/// A key without what only its holder may know.
fn public(jwk: &Value) -> Value {
    let member = |name: &str| jwk.get(name).cloned().unwrap_or_default();
    json!({"kty": member("kty"), "crv": member("crv"), "x": member("x"), "y": member("y")})
}

pub(super) fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut changed = object.clone();
    set(&mut changed, name, value);
    changed
}

/// Sets a member; null takes it away.
pub(super) fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.to_owned(), value)),
        }
    }
}
