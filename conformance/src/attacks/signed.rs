//! Attacks on requests that apps sign: a good proof goes with each, so that it is the signature that is looked at.

use super::app::{App, Door, Shown};
use super::forge::{Forger, join, signed};
use super::possession::{set, with};
use super::{Organisation, QUERY, Taken, fault, refused};
use crate::http::SPARQL;
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use serde_json::{Value, json};
use time::OffsetDateTime;
use twinlink_core::request_digest;
use uuid::Uuid;

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// Tries every attack at both doors, and a good request before each lot.
pub(super) fn attack(
    town: &Town,
    app: &App,
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let nonce = app.nonce()?;
    expected.push((usize::MAX, "certificate"));
    for door in Door::BOTH {
        let name = |what: &str| format!("{}: signed request: {what}", door.name());
        let show = |envelope: String| -> Result<Shown, Fault> {
            let proof = app.proof(&app.header(), &app.claims(door, &nonce))?;
            let envelope = Some(envelope);
            Ok(Shown {
                envelope,
                ..app.proven(proof)
            })
        };
        let good = app.proof(&header(app), &claims(town, app, door))?;
        let first = match app.ask(door, &show(good.clone())?) {
            Taken::Answered => Verdict::Passed,
            other => Verdict::Failed(format!("{other:?}")),
        };
        cases.push((name("a good one, once"), first));
        let mut attacks = attacks(town, app, door)?;
        attacks.push(("a good one, again".to_owned(), good, "envelope.once"));
        for (what, envelope, check) in attacks {
            expected.push((cases.len(), check));
            cases.push((name(&what), refused(app.ask(door, &show(envelope)?))));
        }
        const TIMES: usize = 8;
        let once = app.proof(&header(app), &claims(town, app, door))?;
        let shown = (0..TIMES)
            .map(|_| show(once.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let verdict = match app.ask_all_at_once(door, &shown) {
            1 => Verdict::Passed,
            other => Verdict::Failed(format!("{other} of {TIMES} were answered")),
        };
        expected.extend([(cases.len(), "envelope.once"); TIMES - 1]);
        cases.push((
            name(&format!("one, {TIMES} times at once with as many proofs")),
            verdict,
        ));
    }
    Ok(())
}

/// What is shown, and the check that has to refuse it.
fn attacks(
    town: &Town,
    app: &App,
    door: Door,
) -> Result<Vec<(String, String, &'static str)>, Fault> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut made = Vec::new();
    let mut add = |what: &str, envelope, check| made.push((what.to_owned(), envelope, check));
    let spoilt = [
        ("aud", json!(town.police.id.as_str()), "envelope.aud"),
        ("aud", json!([town.city.id.as_str()]), "envelope.form"),
        ("aud", Value::Null, "envelope.aud"),
        ("iat", json!(now - 3600), "envelope.time"),
        ("iat", json!(now + 3600), "envelope.time"),
        ("iat", json!(i64::MIN), "envelope.time"),
        ("iat", json!(u64::MAX), "envelope.form"),
        ("iat", Value::Null, "envelope.time"),
        ("ath", json!("AAAA"), "envelope.token"),
        ("ath", Value::Null, "envelope.token"),
        (
            "request_digest",
            json!(digest("ASK {}", door, app)),
            "envelope.digest",
        ),
        ("request_digest", Value::Null, "envelope.digest"),
        (
            "purpose",
            json!("https://w3id.org/twinlink/ns#EmergencyResponse"),
            "envelope.purpose",
        ),
        ("options", json!(["federated=true"]), "envelope.options"),
        ("options", json!("federated=true"), "envelope.form"),
        ("jti", Value::Null, "envelope.form"),
        ("jti", json!("x".repeat(129)), "envelope.form"),
    ];
    for (member, value, check) in spoilt {
        let mut claims = claims(town, app, door);
        set(&mut claims, member, value.clone());
        let value: String = value.to_string().chars().take(48).collect();
        let envelope = app.proof(&header(app), &claims)?;
        add(&format!("{member} {value}"), envelope, check);
    }
    let claims = claims(town, app, door);
    let thief = Forger::new(&Organisation::new("https://thief.example/")?.identity.load())?;
    let stolen = thief.sign(&header(app).to_string(), &claims.to_string())?;
    add("under our key, by another", stolen, "envelope.signature");
    let mut jwk: Value = serde_json::from_str(&thief.jwk).map_err(fault)?;
    for member in ["kid", "use", "alg"] {
        set(&mut jwk, member, Value::Null);
    }
    let theirs = with(&header(app), "jwk", jwk);
    let other = thief.sign(&theirs.to_string(), &claims.to_string())?;
    add("a good one of another key", other, "envelope.key");
    let none = with(&header(app), "alg", json!("none"));
    let none = join(&signed(&none.to_string(), &claims.to_string()), &[]);
    add("alg none", none, "envelope.form");
    let no_key = with(&header(app), "jwk", Value::Null);
    add("no key", app.proof(&no_key, &claims)?, "envelope.form");
    let proof = with(&header(app), "typ", json!("dpop+jwt"));
    add(
        "a proof of possession",
        app.proof(&proof, &claims)?,
        "envelope.form",
    );
    add("the token", app.token.clone(), "envelope.form");
    add("not a JWS", "request".to_owned(), "envelope.form");
    add("a long one", "A".repeat(5000), "envelope.form");
    let checkpoint = format!("{}~0.0..", app.proof(&header(app), &claims)?);
    add("as if it were of a log", checkpoint, "envelope.signature");
    Ok(made)
}

fn header(app: &App) -> Value {
    with(&app.header(), "typ", json!("twinlink-request+jwt"))
}

fn claims(town: &Town, app: &App, door: Door) -> Value {
    // The hash of the token is that of its proofs.
    let proof = app.claims(door, "");
    let ath = proof.get("ath").cloned().unwrap_or_default();
    json!({"jti": Uuid::new_v4().to_string(), "aud": town.city.id.as_str(), "ath": ath,
        "iat": OffsetDateTime::now_utc().unix_timestamp(), "request_digest": digest(QUERY, door, app)})
}

/// Over HTTP the endpoint is the base of the question.
fn digest(query: &str, door: Door, app: &App) -> String {
    let base = format!("{}{SPARQL}", app.url());
    let base = (door == Door::Http).then_some(base.as_str());
    request_digest(query, base, None)
}
