//! Requests that apps sign: each lie under its own name, live and in the log.

use super::*;
use crate::testing::{Organisation, forge, iri, now};
use crate::{Apps, MustSign, Nonces, Proof, ProofOf, TokenAuthenticator};
use serde_json::{Value, json};
use std::sync::Arc;
use twinlink_core::{Authenticator as _, Caller, Credentials, Possession, SignedRequest, Signer};

const DIGEST: &str = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
const URL: &str = "https://city.example/sparql";

struct Case {
    city: Organisation,
    police: Organisation,
    key: SigningKey,
    /// Of the police's app, bound to its key.
    token: Secret,
    nonces: Arc<Nonces>,
    authenticator: TokenAuthenticator,
}

impl Case {
    fn new() -> Self {
        let key = SigningKey::generate().unwrap();
        let [city, police] =
            ["city", "police"].map(|name| Organisation::new(&format!("https://{name}.example/")));
        let thumbprint = key.public().thumbprint();
        let request = police.request(&city);
        let token = police
            .issuer()
            .issue_bound(&request, Binding::Key(&thumbprint), now());
        let nonces = Arc::new(Nonces::new());
        let authenticator = TokenAuthenticator::new(city.registry(&[&police])).with_apps(Apps {
            nonces: Arc::clone(&nonces),
            peers: true,
        });
        Self {
            token: token.unwrap(),
            city,
            police,
            key,
            nonces,
            authenticator,
        }
    }

    /// As the door leaves them: the proof is taken.
    fn credentials(&self) -> (Credentials, Caller) {
        let of = ProofOf {
            method: "GET",
            url: URL,
            token: Some(&self.token),
            nonces: None,
        };
        let nonce = self.nonces.now(now());
        let proof = Proof::make(&self.key, &of, Some(&nonce), now()).unwrap();
        let credentials = Credentials {
            token: Some(self.token.clone()),
            certificate: None,
            possession: Some(Possession {
                proofs: vec![proof],
                method: "GET".to_owned(),
                url: URL.to_owned(),
                proven: Arc::default(),
            }),
            envelope: None,
            trace: None,
        };
        let caller = self
            .authenticator
            .authenticate(&credentials, now())
            .unwrap();
        (credentials, caller)
    }

    /// As the police ask with their certificate.
    fn certified(&self) -> (Credentials, Caller) {
        let token = self
            .police
            .issuer()
            .issue(&self.police.request(&self.city), now())
            .unwrap();
        let credentials = Credentials {
            token: Some(token),
            certificate: Some(self.police.identity().certificate().to_vec()),
            possession: None,
            envelope: None,
            trace: None,
        };
        let caller = self
            .authenticator
            .authenticate(&credentials, now())
            .unwrap();
        (credentials, caller)
    }

    fn sign(&self, key: &SigningKey, token: &Secret) -> (String, String) {
        let of = RequestOf {
            audience: &self.city.id,
            signable: &Signable::new(DIGEST),
            purpose: Some(&iri("https://purposes.example/emergency")),
            token,
        };
        sign_request(key, &of, now()).unwrap()
    }

    fn claims(&self) -> Value {
        json!({"jti": Uuid::now_v7().to_string(), "aud": self.city.id.as_str(),
            "iat": now().unix_timestamp(), "ath": hash(&self.token), "request_digest": DIGEST,
            "purpose": "https://purposes.example/emergency"})
    }

    fn forge(&self, typ: &str, claims: &Value) -> String {
        let jwk: Value = serde_json::from_str(&self.key.public().to_jwk()).unwrap();
        let header = json!({"alg": "ES256", "typ": typ, "jwk": jwk});
        forge(&header.to_string(), &claims.to_string(), &self.key)
    }

    fn verify(
        &self,
        text: &str,
        (shown, caller): &(Credentials, Caller),
    ) -> Result<SignedRequest, Refusal> {
        let found = self.authenticator.signed_request(
            Some(text),
            shown,
            caller,
            &Signable::new(DIGEST),
            now(),
        );
        found.map(Option::unwrap)
    }

    fn held(&self, evidence: &str) -> Result<HeldRequest, Refusal> {
        let keys = [self.police.identity().key().public().clone()];
        verify_held_request(evidence, &self.police.id, &keys)
    }
}

fn check<T>(found: Result<T, Refusal>) -> &'static str {
    found.map_or_else(|refusal| refusal.check(), |_| "")
}

#[test]
fn what_an_app_signed_is_kept_and_can_be_shown_to_anybody() {
    let case = Case::new();
    let shown = case.credentials();
    let (id, text) = case.sign(&case.key, &case.token);
    let signed = case.verify(&text, &shown).unwrap();
    assert_eq!((signed.by, &signed.transaction), (Signer::App, &id));
    let held = case.held(&signed.envelope).unwrap();
    assert_eq!(held.id, id);
    assert_eq!(held.audience, case.city.id.as_str());
    assert_eq!(held.request_digest, DIGEST);
    assert_eq!(held.subject, shown.1.subject());
    assert_eq!(held.token_id, shown.1.token_id());
    assert_eq!(held.key, case.key.public().thumbprint());
    // With a certificate as well: what is kept holds it.
    let shown = case.certified();
    let key = case.police.identity().key().clone();
    let (id, text) = case.sign(&key, shown.0.token.as_ref().unwrap());
    let signed = case.verify(&text, &shown).unwrap();
    assert_eq!(case.held(&signed.envelope).unwrap().id, id);
    // It is nobody else's, and every letter of it counts.
    let keys = [case.city.identity().key().public().clone()];
    let other = verify_held_request(&signed.envelope, &case.city.id, &keys);
    assert_eq!(check(other), "envelope.token");
    for at in (0..signed.envelope.len()).step_by(7) {
        let mut bytes = signed.envelope.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let spoilt = String::from_utf8(bytes).unwrap();
        assert_ne!(check(case.held(&spoilt)), "", "{at}");
    }
}

/// INVARIANT(signed-by-the-holder)
#[test]
fn signed_by_the_holder() {
    let case = Case::new();
    let shown = case.credentials();
    let thief = SigningKey::generate().unwrap();
    assert_eq!(
        check(case.verify(&case.sign(&thief, &case.token).1, &shown)),
        "envelope.key"
    );
    // Nor with a certificate's key for an app's token, or the other way round.
    let own = case.police.identity().key().clone();
    assert_eq!(
        check(case.verify(&case.sign(&own, &case.token).1, &shown)),
        "envelope.key"
    );
    let certified = case.certified();
    let token = certified.0.token.clone().unwrap();
    assert_eq!(
        check(case.verify(&case.sign(&case.key, &token).1, &certified)),
        "envelope.key"
    );
    // What was not proven to this door is nobody's.
    let (credentials, caller) = shown;
    let unproven = Credentials {
        possession: Some(Possession {
            proven: Arc::default(),
            ..credentials.possession.unwrap()
        }),
        ..credentials
    };
    let text = case.sign(&case.key, &case.token).1;
    assert_eq!(
        check(case.verify(&text, &(unproven, caller))),
        "envelope.key"
    );
}

/// What changes the request is signed, and nothing that was not signed is asked.
#[test]
fn options_count_as_they_were_signed() {
    let case = Case::new();
    let shown = case.credentials();
    let iri = |text: &str| json!([text]);
    let asked = |options: &[&str], signed: Value| {
        let mut claims = case.claims();
        claims["options"] = signed;
        let text = case.forge(TYPE, &claims);
        let signable = Signable {
            options: options.iter().map(|&option| option.to_owned()).collect(),
            ..Signable::new(DIGEST)
        };
        let (credentials, caller) = &shown;
        check(
            case.authenticator
                .signed_request(Some(&text), credentials, caller, &signable, now()),
        )
    };
    assert_eq!(asked(&["federated=true"], iri("federated=true")), "");
    assert_eq!(asked(&[], json!([])), "");
    for (options, signed) in [
        (&["federated=true"][..], json!([])),
        (&[], iri("federated=true")),
        (&["break-glass=urn:a"], iri("break-glass=urn:b")),
        (&["federated=true", "require=all"], iri("federated=true")),
    ] {
        assert_eq!(asked(options, signed), "envelope.options", "{options:?}");
    }
    assert_eq!(asked(&[], json!("federated=true")), "envelope.form");
    // An envelope that says nothing of it allows nothing of it.
    let signable = Signable {
        options: vec!["break-glass=urn:a".to_owned()],
        ..Signable::new(DIGEST)
    };
    let (_, text) = case.sign(&case.key, &case.token);
    let (credentials, caller) = &shown;
    let found =
        case.authenticator
            .signed_request(Some(&text), credentials, caller, &signable, now());
    assert_eq!(check(found), "envelope.options");
}

#[test]
fn requests_of_others_times_and_places_are_refused() {
    let case = Case::new();
    let shown = case.credentials();
    let seconds = now().unix_timestamp();
    for (name, value, expected) in [
        ("jti", json!(null), "envelope.form"),
        ("jti", json!(""), "envelope.form"),
        ("jti", json!("x".repeat(129)), "envelope.form"),
        ("aud", json!("https://police.example/"), "envelope.aud"),
        ("aud", json!("https://city.example"), "envelope.aud"),
        ("aud", json!(null), "envelope.aud"),
        ("iat", json!(seconds - 300), "envelope.time"),
        ("iat", json!(seconds + 300), "envelope.time"),
        ("iat", json!(i64::MIN), "envelope.time"),
        ("iat", json!(i64::MAX), "envelope.time"),
        ("iat", json!(1e308), "envelope.form"),
        ("iat", json!(null), "envelope.time"),
        ("ath", json!(hash(&Secret::new("other"))), "envelope.token"),
        ("ath", json!(null), "envelope.token"),
        ("request_digest", json!("00"), "envelope.digest"),
        ("request_digest", json!(null), "envelope.digest"),
        (
            "purpose",
            json!("https://purposes.example/other"),
            "envelope.purpose",
        ),
        ("purpose", json!(null), "envelope.purpose"),
    ] {
        let mut claims = case.claims();
        claims[name] = value.clone();
        let text = case.forge(TYPE, &claims);
        assert_eq!(
            check(case.verify(&text, &shown)),
            expected,
            "{name} {value}"
        );
    }
    assert_eq!(
        check(case.verify(&case.forge("dpop+jwt", &case.claims()), &shown)),
        "envelope.form"
    );
    let good = case.forge(TYPE, &case.claims());
    let cut = good.rsplit_once('.').unwrap().0;
    let other = case.forge(TYPE, &case.claims());
    let spliced = format!("{cut}.{}", other.rsplit('.').next().unwrap());
    assert_eq!(check(case.verify(&spliced, &shown)), "envelope.signature");
    assert_eq!(check(case.verify(&good, &shown)), "");
    assert_eq!(check(case.verify(&good, &shown)), "envelope.once");
}

/// INVARIANT(must-sign)
#[test]
fn must_sign() {
    let case = Case::new();
    let shown = case.certified();
    let text = || {
        let key = case.police.identity().key().clone();
        case.sign(&key, shown.0.token.as_ref().unwrap()).1
    };
    let role = |role: &str| MustSign::Roles(vec![iri(role)]);
    for (must, expected) in [
        (MustSign::Nobody, ""),
        (role("https://roles.example/other"), ""),
        (role("https://roles.example/officer"), "envelope.missing"),
        (MustSign::Everybody, "envelope.missing"),
    ] {
        let authenticator = case.authenticator.clone().requiring(must.clone());
        let asked = |envelope: Option<&str>| {
            authenticator.signed_request(
                envelope,
                &shown.0,
                &shown.1,
                &Signable::new(DIGEST),
                now(),
            )
        };
        assert_eq!(check(asked(None)), expected, "{must:?}");
        assert_eq!(check(asked(Some(&text()))), "", "{must:?}");
        assert_eq!(check(asked(Some(""))), "envelope.form", "{must:?}");
    }
}
