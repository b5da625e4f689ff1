use super::*;
use crate::testing::{Organisation, forge, now};
use crate::{
    Binding, Introspection, Revoked, SigningKey, TokenAuthenticator, TokenExchange, VerifiedToken,
    verify_bound_token,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

const URL: &str = "https://city.example/sparql";

/// An app of the police, without a certificate, at the city's door.
struct App {
    key: SigningKey,
    city: Organisation,
    police: Organisation,
    token: Secret,
    authenticator: TokenAuthenticator,
}

impl App {
    fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let city = Organisation::new("https://city.example/");
        let police = Organisation::new("https://police.example/");
        let thumbprint = key.public().thumbprint();
        let request = police.request(&city);
        let token = police
            .issuer()
            .issue_bound(&request, Binding::Key(&thumbprint), now());
        let authenticator = TokenAuthenticator::new(city.registry(&[&police]));
        Self {
            key,
            city,
            police,
            token: token.unwrap(),
            authenticator,
        }
    }

    fn header(&self) -> Value {
        let jwk: Value = serde_json::from_str(&self.key.public().to_jwk()).unwrap();
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
    }

    fn claims(&self) -> Value {
        let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(self.token.reveal()));
        json!({"jti": Uuid::new_v4().to_string(), "htm": "POST", "htu": URL,
               "iat": now().unix_timestamp(), "ath": ath})
    }

    fn proof(&self, header: &Value, claims: &Value) -> String {
        forge(&header.to_string(), &claims.to_string(), &self.key)
    }

    fn good(&self) -> String {
        self.proof(&self.header(), &self.claims())
    }

    /// The check that refuses, or "".
    fn check(&self, headers: &[&str]) -> &'static str {
        let of = ProofOf {
            method: "POST",
            url: URL,
            token: None,
            nonces: None,
        };
        let found = self
            .authenticator
            .authenticate_proof(&self.token, headers, &of, now());
        found.map_or_else(|refusal| refusal.check(), |_| "")
    }

    fn with(&self, name: &str, value: Value) -> &'static str {
        let mut claims = self.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        self.check(&[&self.proof(&self.header(), &claims)])
    }

    fn with_header(&self, name: &str, value: Value) -> &'static str {
        let mut header = self.header();
        match value {
            Value::Null => drop(header.as_object_mut().unwrap().remove(name)),
            value => header[name] = value,
        }
        self.check(&[&self.proof(&header, &self.claims())])
    }

    /// A token as its holder's own connector sees it.
    fn subject(&self) -> VerifiedToken {
        let thumbprint = self.key.public().thumbprint();
        let request = self.police.request(&self.police);
        let binding = Binding::Key(&thumbprint);
        let token = self
            .police
            .issuer()
            .issue_bound(&request, binding, now())
            .unwrap();
        let trusted = self.police.trusting(&[]);
        verify_bound_token(&token, &trusted, binding, now()).unwrap()
    }
}

#[test]
fn an_app_without_a_certificate_proves_its_key() {
    let app = App::new();
    let of = ProofOf {
        method: "POST",
        url: URL,
        token: None,
        nonces: None,
    };
    let proof = app.good();
    let caller = app
        .authenticator
        .authenticate_proof(&app.token, &[&proof], &of, now());
    assert_eq!(caller.unwrap().participant(), &app.police.id);
    assert_eq!(app.check(&[&proof]), "dpop.jti");
    assert_eq!(app.check(&[]), "dpop.header");
    assert_eq!(app.check(&[&app.good(), &app.good()]), "dpop.header");
}

#[test]
fn every_check_of_the_standard() {
    let app = App::new();
    let now = now().unix_timestamp();
    for (name, value, check) in [
        ("jti", Value::Null, "dpop.jti"),
        ("jti", json!(""), "dpop.jti"),
        ("jti", json!("a".repeat(129)), "dpop.jti"),
        ("htm", Value::Null, "dpop.htm"),
        ("htm", json!("GET"), "dpop.htm"),
        ("htm", json!("post"), "dpop.htm"),
        ("htu", Value::Null, "dpop.htu"),
        ("htu", json!("https://city.example/update"), "dpop.htu"),
        ("htu", json!("http://city.example/sparql"), "dpop.htu"),
        ("htu", json!("https://police.example/sparql"), "dpop.htu"),
        ("htu", json!("/sparql"), "dpop.htu"),
        (
            "htu",
            json!("HTTPS://City.example:443/sparql?query=x#y"),
            "",
        ),
        ("iat", Value::Null, "dpop.iat"),
        ("iat", json!(now - 300), "dpop.iat"),
        ("iat", json!(now + 300), "dpop.iat"),
        ("iat", json!(i64::MAX), "dpop.iat"),
        ("iat", json!(i64::MIN), "dpop.iat"),
        ("iat", json!(u64::MAX), "dpop.claims"),
        ("iat", json!(1e308), "dpop.claims"),
        ("ath", Value::Null, "dpop.ath"),
        ("ath", json!("AAAA"), "dpop.ath"),
    ] {
        let shown = format!("{name} {value}");
        assert_eq!(app.with(name, value), check, "{shown}");
    }
    let other = SigningKey::generate().unwrap();
    let other: Value = serde_json::from_str(&other.public().to_jwk()).unwrap();
    let mut private = app.header()["jwk"].clone();
    private["d"] = json!("AAAA");
    for (name, value, check) in [
        ("typ", Value::Null, "dpop.typ"),
        ("typ", json!("at+jwt"), "dpop.typ"),
        ("alg", json!("none"), "dpop.alg"),
        ("alg", json!("HS256"), "dpop.alg"),
        ("alg", json!("RS256"), "dpop.alg"),
        ("jwk", Value::Null, "dpop.jwk"),
        ("jwk", other, "dpop.signature"),
        ("jwk", private, "dpop.jwk"),
        (
            "jwk",
            json!({"kty": "oct", "k": "A".repeat(43), "alg": "HS256"}),
            "dpop.jwk",
        ),
        ("crit", json!(["b64"]), "dpop.jwk"),
        ("x5u", json!("https://127.0.0.1/"), "dpop.jwk"),
    ] {
        let shown = format!("{name} {value}");
        assert_eq!(app.with_header(name, value), check, "{shown}");
    }
    assert_eq!(app.check(&["secret"]), "dpop.form");
    assert_eq!(app.check(&[app.token.reveal()]), "dpop.typ");
    assert_eq!(app.check(&[&"a".repeat(5000)]), "dpop.form");
    // A good proof by a key that the token is not bound to.
    let other = App::new();
    let mut claims = app.claims();
    claims["ath"] = app.claims()["ath"].clone();
    assert_eq!(
        app.check(&[&other.proof(&other.header(), &claims)]),
        "token.cnf"
    );
    // Without it, the token is of no use to who found it, with whatever certificate.
    let trusted = app.city.trusting(&[&app.police]);
    let certificate = app.police.identity();
    let found = crate::verify_token(
        &app.token,
        &trusted,
        certificate.thumbprint(),
        super::tests::now(),
    );
    assert_eq!(found.unwrap_err().check(), "token.cnf");
}

#[test]
fn one_proof_one_request() {
    let app = App::new();
    let proof = app.good();
    let accepted = AtomicUsize::new(0);
    // Two doors of one connector share what was seen.
    let replica = app.authenticator.clone();
    std::thread::scope(|scope| {
        for door in [&app.authenticator, &replica] {
            for _ in 0..4 {
                scope.spawn(|| {
                    let of = ProofOf {
                        method: "POST",
                        url: URL,
                        token: None,
                        nonces: None,
                    };
                    let found = door.authenticate_proof(&app.token, &[&proof], &of, now());
                    accepted.fetch_add(usize::from(found.is_ok()), Ordering::SeqCst);
                });
            }
        }
    });
    assert_eq!(accepted.into_inner(), 1);
}

#[test]
fn nonces_are_ours_and_recent() {
    let app = App::new();
    let nonces = Nonces::new();
    let check = |nonce: Option<String>, later: i64| {
        let now = now() + Duration::seconds(later);
        let mut claims = app.claims();
        claims["iat"] = json!(now.unix_timestamp());
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let of = ProofOf {
            method: "POST",
            url: URL,
            token: None,
            nonces: Some(&nonces),
        };
        let proof = app.proof(&app.header(), &claims);
        let found = Proof::verify(&[&proof], &of, now);
        found.map_or_else(|refusal| refusal.check(), |_| "")
    };
    let given = nonces.now(now());
    assert_eq!(check(Some(given.clone()), 0), "");
    assert_eq!(check(Some(given.clone()), NONCE), "");
    assert_eq!(check(Some(given), 2 * NONCE), "dpop.nonce");
    assert_eq!(check(Some(Nonces::new().now(now())), 0), "dpop.nonce");
    assert_eq!(check(None, 0), "dpop.nonce");
}

#[test]
fn a_token_bound_to_both_or_to_nothing_is_refused() {
    let app = App::new();
    let trusted = app.city.trusting(&[&app.police]);
    let payload = app.token.reveal().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let key = app.police.identity().key().clone();
    let jkt = app.key.public().thumbprint();
    for cnf in [
        json!({"jkt": jkt, "x5t#S256": "AAAA"}),
        json!({}),
        json!({"jkt": "AAAA"}),
    ] {
        let mut claims = claims.clone();
        claims["cnf"] = cnf;
        let token = Secret::new(forge(
            r#"{"alg":"ES256","typ":"at+jwt"}"#,
            &claims.to_string(),
            &key,
        ));
        let refused = verify_bound_token(&token, &trusted, Binding::Key(&jkt), now());
        assert_eq!(refused.unwrap_err().check(), "token.cnf");
    }
    let chain = |names: &[&str]| {
        let inner = names
            .iter()
            .rev()
            .fold(Value::Null, |inner, name| match inner {
                Value::Null => json!({"sub": name}),
                inner => json!({"sub": name, "act": inner}),
            });
        let mut claims = claims.clone();
        claims["act"] = inner;
        let token = Secret::new(forge(
            r#"{"alg":"ES256","typ":"at+jwt"}"#,
            &claims.to_string(),
            &key,
        ));
        let found = verify_bound_token(&token, &trusted, Binding::Key(&jkt), now());
        found.map_or_else(|refusal| refusal.check(), |_| "")
    };
    assert_eq!(chain(&["a", "b", "c", "d"]), "");
    assert_eq!(chain(&["a", "b", "c", "d", "e"]), "token.act");
    assert_eq!(chain(&["a", "b", "a"]), "token.act");
    assert_eq!(chain(&["", "b"]), "token.act");
    assert_eq!(chain(&["a"; 100]), "token.act");
}

#[test]
fn exchange_narrows() {
    let app = App::new();
    let issuer = app.police.issuer();
    let subject = app.subject();
    let bound = SigningKey::generate().unwrap().public().thumbprint();
    let binding = Binding::Key(&bound);
    let wanted = |actor| TokenExchange {
        actor,
        audience: &app.city.id,
        binding,
        roles: None,
        lifetime: std::time::Duration::from_secs(3600),
    };
    let token = issuer
        .exchange(&subject, &wanted("dispatcher"), now())
        .unwrap()
        .token;
    let trusted = app.city.trusting(&[&app.police]);
    let got = verify_bound_token(&token, &trusted, binding, now()).unwrap();
    assert_eq!(got.actors, ["dispatcher"]);
    assert_eq!(
        (&got.subject, &got.purpose, &got.roles),
        (&subject.subject, &subject.purpose, &subject.roles)
    );
    assert!(got.expires <= subject.expires);
    // It is for the city alone, and for whoever holds the actor's key.
    let elsewhere = app.police.trusting(&[]);
    assert_eq!(
        verify_bound_token(&token, &elsewhere, binding, now())
            .unwrap_err()
            .check(),
        "token.aud"
    );
    let check = |subject: &VerifiedToken, wanted: &TokenExchange<'_>| {
        issuer.exchange(subject, wanted, now()).unwrap_err().check()
    };
    let more = [crate::testing::iri("https://roles.example/mayor")];
    assert_eq!(
        check(
            &subject,
            &TokenExchange {
                roles: Some(&more),
                ..wanted("a")
            }
        ),
        "exchange.roles"
    );
    let elsewhere = |audience: &str| VerifiedToken {
        audiences: vec![audience.to_owned()],
        ..subject.clone()
    };
    let of_another = elsewhere("https://rescue.example/");
    assert_eq!(check(&of_another, &wanted("a")), "exchange.aud");
    for audience in [&app.police.id, &app.city.id] {
        let of_it = elsewhere(audience.as_str());
        issuer.exchange(&of_it, &wanted("a"), now()).unwrap();
    }
    let named = VerifiedToken {
        may_act: Some("b".to_owned()),
        ..subject.clone()
    };
    assert_eq!(check(&named, &wanted("a")), "exchange.may_act");
    issuer.exchange(&named, &wanted("b"), now()).unwrap();
    let acted = VerifiedToken {
        actors: vec!["a".to_owned()],
        ..subject.clone()
    };
    assert_eq!(check(&acted, &wanted("a")), "exchange.act");
    let long = VerifiedToken {
        actors: ["a", "b", "c", "d"].map(str::to_owned).into(),
        ..subject.clone()
    };
    assert_eq!(check(&long, &wanted("e")), "exchange.act");
    let foreign = VerifiedToken {
        issuer: app.city.id.clone(),
        ..subject.clone()
    };
    assert_eq!(check(&foreign, &wanted("a")), "exchange.issuer");
    let ended = VerifiedToken {
        expires: now(),
        ..subject
    };
    assert_eq!(check(&ended, &wanted("a")), "token.exp");
}

#[test]
fn what_was_revoked_is_refused_and_not_active() {
    let app = App::new();
    let trusted = app.police.trusting(&[]);
    let revoked = Revoked::new(10);
    let ask = |asker| Introspection::of(&app.token, asker, (&trusted, &revoked), now());
    let found = serde_json::to_value(ask(&app.city.id)).unwrap();
    assert_eq!(found["active"], true);
    assert_eq!(found["token_type"], "DPoP");
    assert_eq!(found["cnf"]["jkt"], app.key.public().thumbprint());
    assert!(ask(&app.police.id).active);
    let stranger = crate::testing::iri("https://rescue.example/");
    let inactive = json!({"active": false});
    assert_eq!(serde_json::to_value(ask(&stranger)).unwrap(), inactive);
    let client = app.police.id.as_str();
    let refusal = revoked
        .revoke(&app.token, "another", &trusted, now())
        .unwrap_err();
    assert_eq!(refusal.check(), "revocation.client");
    revoked
        .revoke(&Secret::new("no token"), client, &trusted, now())
        .unwrap();
    for _ in 0..2 {
        revoked.revoke(&app.token, client, &trusted, now()).unwrap();
    }
    assert_eq!(serde_json::to_value(ask(&app.city.id)).unwrap(), inactive);
    // At its own connector such a token works no more.
    let own = TokenAuthenticator::new(app.police.registry(&[]));
    let thumbprint = app.key.public().thumbprint();
    let request = app.police.request(&app.police);
    let token = app
        .police
        .issuer()
        .issue_bound(&request, Binding::Key(&thumbprint), now())
        .unwrap();
    own.revoked()
        .revoke(&token, client, &trusted, now())
        .unwrap();
    let mut claims = app.claims();
    claims["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(token.reveal())));
    let proof = app.proof(&app.header(), &claims);
    let of = ProofOf {
        method: "POST",
        url: URL,
        token: None,
        nonces: None,
    };
    let refused = own
        .authenticate_proof(&token, &[&proof], &of, now())
        .unwrap_err();
    assert_eq!(refused.check(), "token.revoked");
}

#[test]
fn what_is_made_is_taken_and_what_is_changed_is_not() {
    let app = App::new();
    let nonces = Nonces::new();
    let of = ProofOf {
        method: "POST",
        url: URL,
        token: Some(&app.token),
        nonces: Some(&nonces),
    };
    let asked = ProofOf {
        url: "https://city.example/sparql?query=ASK%7B%7D#here",
        ..of
    };
    let nonce = nonces.now(now());
    let made = Proof::make(&app.key, &asked, Some(&nonce), now()).unwrap();
    let good = Proof::verify(&[made.reveal()], &of, now()).unwrap();
    assert_eq!(good.thumbprint, app.key.public().thumbprint());
    // Not one letter may be another: and whatever it is instead, there is an answer.
    for place in 0..made.reveal().len() {
        for letter in ['A', '.', '\u{e9}'] {
            let mut text: Vec<char> = made.reveal().chars().collect();
            if text[place] == letter {
                continue;
            }
            text[place] = letter;
            let text: String = text.into_iter().collect();
            let found = Proof::verify(&[&text], &of, now());
            assert!(found.is_err(), "{letter} at {place}");
        }
    }
}
