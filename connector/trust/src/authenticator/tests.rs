use super::*;
use crate::testing::{Organisation, certify, forge, now};
use crate::{CurrentIdentity, SigningKey, TokenIssuer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use twinlink_core::Secret;

struct Case {
    city: Organisation,
    police: Organisation,
    rescue: Organisation,
    authenticator: TokenAuthenticator,
}

impl Case {
    fn new() -> Self {
        let city = Organisation::new("https://city.example/");
        let police = Organisation::new("https://police.example/");
        let rescue = Organisation::new("https://rescue.example/");
        let authenticator = TokenAuthenticator::new(city.registry(&[&police, &rescue]));
        Self {
            city,
            police,
            rescue,
            authenticator,
        }
    }

    fn token(&self, of: &Organisation) -> Secret {
        of.issuer().issue(&of.request(&self.city), now()).unwrap()
    }

    fn ask(&self, token: Option<Secret>, certificate: Option<&[u8]>) -> Result<Caller, Refusal> {
        let credentials = Credentials {
            token,
            certificate: certificate.map(<[u8]>::to_vec),
            possession: None,
            envelope: None,
            trace: None,
        };
        self.authenticator.authenticate(&credentials, now())
    }
}

#[test]
fn a_peer_and_an_own_user_are_told_apart() {
    let case = Case::new();
    let police = case.police.identity();
    let caller = case
        .ask(Some(case.token(&case.police)), Some(police.certificate()))
        .unwrap();
    assert_eq!(caller.participant(), &case.police.id);
    assert_eq!(caller.subject(), "officer-7");
    assert!(!caller.is_owner());
    let city = case.city.identity();
    let caller = case
        .ask(Some(case.token(&case.city)), Some(city.certificate()))
        .unwrap();
    assert!(caller.is_owner());
}

#[test]
fn both_certificate_and_token_are_needed() {
    let case = Case::new();
    let police = case.police.identity();
    let check = |token, certificate| case.ask(token, certificate).unwrap_err().check();
    assert_eq!(check(Some(case.token(&case.police)), None), "certificate");
    assert_eq!(check(None, Some(police.certificate())), "token");
    assert_eq!(check(None, None), "certificate");
    assert_eq!(
        check(Some(Secret::new("")), Some(police.certificate())),
        "token.form"
    );
}

#[test]
fn a_token_of_another_client_is_refused_over_a_valid_certificate() {
    let case = Case::new();
    let rescue = case.rescue.identity();
    let refused = case.ask(Some(case.token(&case.police)), Some(rescue.certificate()));
    assert_eq!(refused.unwrap_err().check(), "token.cnf");
    // Nor with a second certificate of the same organisation: the token is bound to one.
    let second = certify(
        &case.police.authority,
        "https://police.example/",
        time::Duration::days(1),
    );
    let refused = case.ask(Some(case.token(&case.police)), Some(second.certificate()));
    assert_eq!(refused.unwrap_err().check(), "token.cnf");
}

#[test]
fn own_tokens_only() {
    // The police binds a token of its own to the rescue department's certificate, so that its officer can pass there.
    let case = Case::new();
    let rescue = case.rescue.identity();
    let mut request = case.police.request(&case.city);
    request.thumbprint = rescue.thumbprint().to_owned();
    let lent = case.police.issuer().issue(&request, now()).unwrap();
    let refusal = case
        .ask(Some(lent), Some(rescue.certificate()))
        .unwrap_err();
    assert_eq!(refusal.check(), "token.participant");
    assert_eq!(refusal.code(), Code::Unauthenticated);
}

#[test]
fn an_own_user_may_have_a_certificate_of_its_own() {
    let case = Case::new();
    let own = certify(
        &case.city.authority,
        "https://city.example/",
        time::Duration::days(1),
    );
    let mut request = case.city.request(&case.city);
    request.thumbprint = own.thumbprint().to_owned();
    let token = case.city.issuer().issue(&request, now()).unwrap();
    assert!(
        case.ask(Some(token), Some(own.certificate()))
            .unwrap()
            .is_owner()
    );
    // Its own key does not sign tokens, though.
    let self_made = TokenIssuer::new(CurrentIdentity::new(own.clone()));
    let token = self_made.issue(&request, now()).unwrap();
    let refused = case.ask(Some(token), Some(own.certificate()));
    assert_eq!(refused.unwrap_err().check(), "token.kid");
}

#[test]
fn a_peer_that_is_removed_is_out_at_the_next_request() {
    let case = Case::new();
    let police = case.police.identity();
    case.ask(Some(case.token(&case.police)), Some(police.certificate()))
        .unwrap();
    case.authenticator
        .registry
        .replace(case.city.trusting(&[&case.rescue]));
    let refused = case.ask(Some(case.token(&case.police)), Some(police.certificate()));
    assert_eq!(refused.unwrap_err().check(), "certificate.participant");
}

/// A proof of this key for a request with this token.
fn proof(key: &SigningKey, token: &Secret, nonce: &str) -> Possession {
    let jwk: serde_json::Value = serde_json::from_str(&key.public().to_jwk()).unwrap();
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let url = "https://city.example/sparql";
    let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token.reveal()));
    let claims = json!({"jti": uuid::Uuid::new_v4().to_string(), "htm": "POST", "htu": url,
        "iat": now().unix_timestamp(), "ath": ath, "nonce": nonce});
    Possession {
        proofs: vec![Secret::new(forge(
            &header.to_string(),
            &claims.to_string(),
            key,
        ))],
        method: "POST".to_owned(),
        url: url.to_owned(),
        proven: Arc::default(),
    }
}

#[test]
fn no_downgrade() {
    let case = Case::new();
    let key = SigningKey::generate().unwrap();
    let thumbprint = key.public().thumbprint();
    let bound = |of: &Organisation| {
        let request = of.request(&case.city);
        let binding = Binding::Key(&thumbprint);
        of.issuer().issue_bound(&request, binding, now()).unwrap()
    };
    let (own, foreign) = (bound(&case.city), bound(&case.police));
    let nonces = Arc::new(Nonces::new());
    let apps = |peers| Apps {
        nonces: Arc::clone(&nonces),
        peers,
    };
    let registry = || case.city.registry(&[&case.police]);
    let off = TokenAuthenticator::new(registry());
    let on = TokenAuthenticator::new(registry()).with_apps(apps(false));
    let open = TokenAuthenticator::new(registry()).with_apps(apps(true));
    let nonce = nonces.now(now());
    let police = case.police.identity();
    let ask =
        |by: &TokenAuthenticator, token: &Secret, proves: bool, certificate: Option<&[u8]>| {
            let credentials = Credentials {
                token: Some(token.clone()),
                certificate: certificate.map(<[u8]>::to_vec),
                possession: proves.then(|| proof(&key, token, &nonce)),
                envelope: None,
                trace: None,
            };
            let found = by.authenticate(&credentials, now());
            found.map_or_else(|refusal| refusal.check(), |_| "")
        };
    // By default nobody does without a certificate, however good the proof.
    assert_eq!(ask(&off, &own, true, None), "dpop");
    assert_eq!(ask(&off, &own, false, None), "certificate");
    assert_eq!(ask(&on, &own, true, None), "");
    // The same token as a bearer's is refused, with a certificate too, and so is a certificate's without one.
    assert_eq!(ask(&on, &own, false, None), "certificate");
    assert_eq!(
        ask(&on, &own, false, Some(case.city.identity().certificate())),
        "token.cnf"
    );
    let of_certificate = case.token(&case.police);
    assert_eq!(
        ask(&on, &of_certificate, true, Some(police.certificate())),
        "token.cnf"
    );
    // Other organisations' apps come in by their own switch.
    assert_eq!(ask(&on, &foreign, true, None), "token.participant");
    assert_eq!(ask(&on, &foreign, true, Some(police.certificate())), "");
    assert_eq!(ask(&open, &foreign, true, None), "");
    assert_eq!(
        ask(&on, &own, true, Some(police.certificate())),
        "token.participant"
    );
    let stale = Credentials {
        token: Some(own.clone()),
        certificate: None,
        possession: Some(proof(&key, &own, "no nonce of ours")),
        envelope: None,
        trace: None,
    };
    assert_eq!(
        on.authenticate(&stale, now()).unwrap_err().check(),
        "dpop.nonce"
    );
}
