use super::*;
use crate::testing::{Organisation, certify, now};
use crate::{CurrentIdentity, TokenIssuer};
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
