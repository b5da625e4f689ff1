//! Attacks on the token endpoints: who is no client gets nothing, and a client no more than is configured.

use super::app::App;
use super::forge::{Forger, join, signed};
use super::{Organisation, fault};
use crate::http::{Remote, Request, Target as _, percent_encoded};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::{EMERGENCY, OFFICER, Town};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use time::OffsetDateTime;
use uuid::Uuid;

pub(super) const TOKEN: &str = "/oauth/token";
pub(super) const INTROSPECT: &str = "/oauth/introspect";
pub(super) const REVOKE: &str = "/oauth/revoke";
const ASSERTED: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Two clients of the city: one that may have a role, and one that may exchange what names it.
pub(super) struct Clients {
    app: Forger,
    backend: Forger,
}

type Form = Vec<(&'static str, String)>;
type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;

/// A form, whether a proof comes along, the error that it must end in, and the check that has to refuse it.
struct Attack {
    name: String,
    path: &'static str,
    form: Form,
    is_proven: bool,
    error: &'static str,
    check: &'static str,
}

impl Clients {
    pub(super) fn new() -> Result<Self, Fault> {
        let forger = || {
            Forger::new(
                &Organisation::new("https://client.example/")?
                    .identity
                    .load(),
            )
        };
        Ok(Self {
            app: forger()?,
            backend: forger()?,
        })
    }

    /// Lets the city know them.
    pub(super) fn configure(&self, home: &Path) -> Result<(), Fault> {
        fs::create_dir(home.join("clients")).map_err(fault)?;
        let may = format!("roles = [\"{OFFICER}\"]\nmay_act = \"backend\"\n");
        for (name, key, more) in [
            ("app", &self.app, may.as_str()),
            ("backend", &self.backend, "exchange = true\n"),
        ] {
            let text = format!("id = \"{name}\"\nkeys = ['{}']\n{more}", key.jwk);
            fs::write(home.join(format!("clients/{name}.toml")), text).map_err(fault)?;
        }
        Ok(())
    }

    /// Tries every attack, by somebody without a certificate and by a peer that has a good one.
    pub(super) fn attack(
        &self,
        town: &Town,
        app: &App,
        peer: &Remote,
        cases: &mut Cases,
        expected: &mut Expected,
    ) -> Result<(), Fault> {
        let nonce = app.nonce()?;
        expected.push((usize::MAX, "certificate"));
        for attack in self.attacks(town, app)? {
            expected.push((cases.len(), attack.check));
            let proof = match attack.is_proven {
                false => None,
                true => {
                    let claims = app.claims_of("POST", attack.path, &nonce, None);
                    Some(app.proof(&app.header(), &claims)?)
                }
            };
            let (status, _, text) =
                app.post(attack.path, &encoded(&attack.form), proof.as_deref())?;
            let verdict = judge(status.as_u16(), &text, attack.error);
            cases.push((format!("{}: {}", attack.path, attack.name), verdict));
        }
        for (path, form, error, check) in [
            (
                TOKEN,
                vec![("grant_type", "client_credentials".to_owned())],
                "unauthorized_client",
                "client.participant",
            ),
            (
                INTROSPECT,
                vec![("token", app.token.clone())],
                "unauthorized_client",
                "client.introspect",
            ),
            (
                REVOKE,
                vec![("token", app.token.clone())],
                "unauthorized_client",
                "client.participant",
            ),
        ] {
            expected.push((cases.len(), check));
            let kind = "application/x-www-form-urlencoded";
            let response = peer.send(&Request::with_body("POST", path, kind, encoded(&form)))?;
            let text = String::from_utf8_lossy(&response.body).into_owned();
            let verdict = judge(response.status, &text, error);
            cases.push((format!("{path}: by another organisation"), verdict));
        }
        Ok(())
    }

    fn attacks(&self, town: &Town, app: &App) -> Result<Vec<Attack>, Fault> {
        let mut made = Vec::new();
        let mut add = |name: &str, path, form: Form, is_proven, error, check| {
            made.push(Attack {
                name: name.to_owned(),
                path,
                form,
                is_proven,
                error,
                check,
            });
        };
        let city = town.city.id.as_str();
        let grant = || vec![("grant_type", "client_credentials".to_owned())];
        // Nobody.
        for path in [TOKEN, INTROSPECT, REVOKE] {
            add("no client", path, grant(), true, "invalid_client", "client");
            let named = [grant(), vec![("client_id", "app".to_owned())]].concat();
            add(
                "a name alone",
                path,
                named,
                true,
                "invalid_client",
                "client",
            );
            let secret = vec![
                ("client_id", "app".to_owned()),
                ("client_secret", "x".to_owned()),
            ];
            add("a password", path, secret, true, "invalid_client", "client");
        }
        // Assertions that are none of a client's.
        let header = json!({"alg": "ES256", "typ": "JWT"});
        for (name, changes, check) in [
            (
                "of nobody",
                json!({"iss": "nobody", "sub": "nobody"}),
                "client",
            ),
            (
                "of another client",
                json!({"iss": "backend", "sub": "backend"}),
                "assertion.signature",
            ),
            (
                "whose subject is another client",
                json!({"sub": "backend"}),
                "assertion.signature",
            ),
            (
                "whose subject is a person",
                json!({"sub": "person-7"}),
                "client",
            ),
            (
                "by another issuer",
                json!({"iss": "backend"}),
                "assertion.iss",
            ),
            (
                "for another server",
                json!({"aud": "https://rescue.example/"}),
                "assertion.aud",
            ),
            ("for nobody", json!({"aud": null}), "assertion.aud"),
            ("that is over", json!({"exp": 1}), "assertion.exp"),
            ("that never ends", json!({"exp": i64::MAX}), "assertion.exp"),
            ("without an end", json!({"exp": null}), "assertion.exp"),
            ("of the future", json!({"iat": i64::MAX}), "assertion.exp"),
            ("without a name", json!({"jti": null}), "assertion.jti"),
        ] {
            let mut claims = claims("app", city);
            merge(&mut claims, &changes);
            let text = self.app.sign(&header.to_string(), &claims.to_string())?;
            let form = asserted(text, grant());
            add(
                &format!("an assertion {name}"),
                TOKEN,
                form,
                true,
                "invalid_client",
                check,
            );
        }
        for (name, header, check) in [
            (
                "of a token's type",
                json!({"alg": "ES256", "typ": "at+jwt"}),
                "client",
            ),
            (
                "of a proof's type",
                json!({"alg": "ES256", "typ": "dpop+jwt"}),
                "client",
            ),
            (
                "with another algorithm",
                json!({"alg": "RS256", "typ": "JWT"}),
                "assertion.signature",
            ),
            (
                "with a key of its own",
                json!({"alg": "ES256", "typ": "JWT", "jwk": {}}),
                "client",
            ),
        ] {
            let text = self
                .app
                .sign(&header.to_string(), &claims("app", city).to_string())?;
            let form = asserted(text, grant());
            add(
                &format!("an assertion {name}"),
                TOKEN,
                form,
                true,
                "invalid_client",
                check,
            );
        }
        let none = json!({"alg": "none", "typ": "JWT"}).to_string();
        let unsigned = join(&signed(&none, &claims("app", city).to_string()), &[]);
        add(
            "an assertion that is not signed",
            TOKEN,
            asserted(unsigned, grant()),
            true,
            "invalid_client",
            "client",
        );
        let once = self.assertion("app", city)?;
        // A good client that asks for too much; the assertion is used by the first.
        let wants =
            |name: &'static str, value: &str| [grant(), vec![(name, value.to_owned())]].concat();
        let mayor = asserted(once.clone(), wants("scope", "https://roles.example/mayor"));
        add(
            "a role that it may not have",
            TOKEN,
            mayor,
            true,
            "invalid_scope",
            "client.scope",
        );
        add(
            "an assertion, again",
            TOKEN,
            asserted(once, grant()),
            true,
            "invalid_client",
            "assertion.jti",
        );
        for (name, form, error, check) in [
            (
                "a purpose that it may not state",
                wants("purpose", EMERGENCY),
                "invalid_scope",
                "client.purpose",
            ),
            (
                "a token for another connector",
                wants("audience", town.police.id.as_str()),
                "invalid_target",
                "client.audience",
            ),
            (
                "two recipients",
                [
                    wants("audience", city),
                    vec![("resource", EMERGENCY.to_owned())],
                ]
                .concat(),
                "invalid_request",
                "oauth.request",
            ),
            (
                "a grant that there is not",
                vec![("grant_type", "password".to_owned())],
                "unsupported_grant_type",
                "oauth.grant_type",
            ),
            ("no grant", Vec::new(), "invalid_request", "oauth.request"),
            (
                "two grants",
                [grant(), grant()].concat(),
                "invalid_request",
                "oauth.request",
            ),
            (
                "another client's name",
                wants("client_id", "backend"),
                "invalid_client",
                "client.id",
            ),
            (
                "an exchange that it may not make",
                exchange(&app.token),
                "unauthorized_client",
                "client.exchange",
            ),
        ] {
            let form = asserted(self.assertion("app", city)?, form);
            add(name, TOKEN, form, true, error, check);
        }
        let form = asserted(self.assertion("app", city)?, grant());
        add(
            "no key to bind the token to",
            TOKEN,
            form,
            false,
            "invalid_dpop_proof",
            "dpop.header",
        );
        // Who acts for somebody.
        let stranger = Organisation::new("https://stranger.example/")?
            .identity
            .load();
        let thumbprint = stranger.key().public().thumbprint();
        let others = town
            .city
            .token_for_key(&town.city.id, OFFICER, &thumbprint)?;
        let police = town.police.token(&town.police.id, OFFICER)?;
        for (name, form, error, check) in [
            (
                "a token that names no actor",
                exchange(others.reveal()),
                "unauthorized_client",
                "exchange.may_act",
            ),
            (
                "another organisation's token",
                exchange(police.reveal()),
                "unauthorized_client",
                "exchange.may_act",
            ),
            (
                "a token that is none",
                exchange("x.y.z"),
                "invalid_request",
                "token.form",
            ),
            (
                "a proof for a token",
                exchange(&self.assertion("app", city)?),
                "invalid_request",
                "token.typ",
            ),
        ] {
            let form = asserted(self.assertion("backend", city)?, form);
            add(name, TOKEN, form, true, error, check);
        }
        let wrong = [
            exchange(&app.token),
            vec![(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:refresh_token".to_owned(),
            )],
        ]
        .concat();
        add(
            "another kind of token",
            TOKEN,
            asserted(self.assertion("backend", city)?, wrong),
            true,
            "invalid_request",
            "oauth.request",
        );
        // Looking, and taking back.
        let look = vec![("token", app.token.clone())];
        let form = asserted(self.assertion("app", city)?, look.clone());
        add(
            "a client that may not look",
            INTROSPECT,
            form,
            true,
            "unauthorized_client",
            "client.introspect",
        );
        let form = asserted(self.assertion("backend", city)?, look);
        add(
            "another's token",
            REVOKE,
            form,
            true,
            "unauthorized_client",
            "revocation.client",
        );
        Ok(made)
    }

    fn assertion(&self, name: &str, city: &str) -> Result<String, Fault> {
        let key = if name == "app" {
            &self.app
        } else {
            &self.backend
        };
        key.sign(
            r#"{"alg":"ES256","typ":"JWT"}"#,
            &claims(name, city).to_string(),
        )
    }
}

fn claims(name: &str, city: &str) -> Value {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    json!({"iss": name, "sub": name, "aud": city, "jti": Uuid::new_v4().to_string(), "iat": now, "exp": now + 120})
}

fn asserted(assertion: String, more: Form) -> Form {
    let own = vec![
        ("client_assertion", assertion),
        ("client_assertion_type", ASSERTED.to_owned()),
    ];
    [own, more].concat()
}

fn exchange(token: &str) -> Form {
    vec![
        ("grant_type", EXCHANGE.to_owned()),
        ("subject_token", token.to_owned()),
        ("subject_token_type", ACCESS.to_owned()),
    ]
}

/// Members of the second in place of those of the first; null takes one away.
fn merge(object: &mut Value, changes: &Value) {
    let (Some(members), Some(changes)) = (object.as_object_mut(), changes.as_object()) else {
        return;
    };
    for (name, value) in changes {
        match value {
            Value::Null => drop(members.remove(name)),
            value => drop(members.insert(name.clone(), value.clone())),
        }
    }
}

fn encoded(form: &Form) -> String {
    let pair = |(name, value): &(&str, String)| format!("{name}={}", percent_encoded(value));
    form.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Passed where the error is the standard's and tells nothing of ours.
fn judge(status: u16, text: &str, error: &str) -> Verdict {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let expected = if error == "invalid_client" { 401 } else { 400 };
    let tells = [
        "assertion.",
        "client.",
        "exchange.",
        "dpop.",
        "access_token",
    ];
    if status == expected
        && said.get("error") == Some(&json!(error))
        && !tells.iter().any(|told| text.contains(told))
    {
        return Verdict::Passed;
    }
    Verdict::Failed(format!("{status} {text}, expected {error}"))
}
