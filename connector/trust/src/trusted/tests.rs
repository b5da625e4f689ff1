use super::*;
use crate::testing::{Organisation, certify, iri, now};
use time::Duration;

fn check(trusted: &Trusted, certificate: &[u8]) -> &'static str {
    match trusted.client(certificate, now()) {
        Ok(_) => "accepted",
        Err(refusal) => {
            assert_eq!(refusal.code(), Code::Unauthenticated);
            assert_eq!(refusal.public(), "authentication failed");
            refusal.check()
        }
    }
}

#[test]
fn pinned_participant() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let rescue = Organisation::new("https://rescue.example/");
    let trusted = city.trusting(&[&police, &rescue]);
    assert_eq!(check(&trusted, police.identity().certificate()), "accepted");
    assert_eq!(check(&trusted, city.identity().certificate()), "accepted");

    let day = Duration::days(1);
    let lying = certify(&police.authority, "https://rescue.example/", day);
    assert_eq!(check(&trusted, lying.certificate()), "certificate");
    let lying = certify(&police.authority, "https://city.example/", day);
    assert_eq!(check(&trusted, lying.certificate()), "certificate");
    let unknown = certify(&police.authority, "https://elsewhere.example/", day);
    assert_eq!(
        check(&trusted, unknown.certificate()),
        "certificate.participant"
    );
    // One letter more or less is another participant.
    for id in [
        "https://police.example",
        "https://police.example//",
        "https://Police.example/",
    ] {
        let near = certify(&police.authority, id, day);
        assert_eq!(
            check(&trusted, near.certificate()),
            "certificate.participant"
        );
    }
}

#[test]
fn certificates_outside_their_time_are_refused() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let trusted = city.trusting(&[&police]);
    let expired = certify(
        &police.authority,
        "https://police.example/",
        Duration::minutes(-1),
    );
    assert_eq!(check(&trusted, expired.certificate()), "certificate");
    let good = police.identity();
    let later = trusted.client(good.certificate(), now() + Duration::days(2));
    assert_eq!(later.unwrap_err().check(), "certificate");
    let before = trusted.client(good.certificate(), now() - Duration::days(2));
    assert_eq!(before.unwrap_err().check(), "certificate");
    let long_before = OffsetDateTime::from_unix_timestamp(-1).unwrap();
    assert!(trusted.client(good.certificate(), long_before).is_err());
}

#[test]
fn what_is_no_certificate_is_refused() {
    let city = Organisation::new("https://city.example/");
    let trusted = city.trusting(&[]);
    for bytes in [&[][..], b"certificate", &[0x30; 4096]] {
        assert_eq!(check(&trusted, bytes), "certificate");
    }
}

#[test]
fn revoked_certificates_are_refused_and_so_is_an_expired_list() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let other = certify(
        &police.authority,
        "https://police.example/",
        Duration::days(1),
    );
    let revoked = [police.identity().facts().clone()];
    let trusting = |until| {
        let list = police.authority.revoke(&revoked, now(), until).unwrap();
        let peer = TrustedParty {
            revocations_pem: Some(list),
            ..police.peer()
        };
        Trusted::new(city.party(), vec![peer]).unwrap()
    };
    let trusted = trusting(now() + Duration::hours(1));
    assert_eq!(
        check(&trusted, police.identity().certificate()),
        "certificate"
    );
    assert_eq!(check(&trusted, other.certificate()), "accepted");
    let trusted = trusting(now() - Duration::minutes(1));
    assert_eq!(check(&trusted, other.certificate()), "certificate");
}

#[test]
fn bounded_staleness() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let day = Duration::days(1);
    let other = certify(&police.authority, "https://police.example/", day * 3);
    let revoked = [police.identity().facts().clone()];
    let end = now() - Duration::minutes(1);
    let list = police.authority.revoke(&revoked, now() - day, end).unwrap();
    let peer = TrustedParty {
        revocations_pem: Some(list),
        ..police.peer()
    };
    let trusted = Trusted::new(city.party(), vec![peer]).unwrap();
    let shown = trusted.expiries(now());
    assert_eq!((shown[0].what, shown[0].days), ("revocation list", -1));
    let trusted = trusted.tolerating(day);
    let at = |certificate: &[u8], now| match trusted.client(certificate, now) {
        Ok(_) => "accepted",
        Err(refusal) => refusal.check(),
    };
    assert_eq!(at(other.certificate(), now()), "accepted");
    // A stale list still revokes whom it names, and one may not be stale for ever.
    assert_eq!(at(police.identity().certificate(), now()), "certificate");
    assert_eq!(
        at(other.certificate(), end + day - Duration::seconds(5)),
        "accepted"
    );
    assert_eq!(
        at(other.certificate(), end + day + Duration::seconds(5)),
        "certificate"
    );
}

#[test]
fn a_set_that_contradicts_itself_is_refused() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let refused = |peers| Trusted::new(city.party(), peers).unwrap_err().to_string();

    let error = refused(vec![police.peer(), police.peer()]);
    assert!(
        error.contains("police") && error.contains("another participant"),
        "{error}"
    );
    let mut twice = police.peer();
    twice.token_keys.clear();
    let error = refused(vec![police.peer(), twice]);
    assert!(error.contains("twice"), "{error}");
    let mut borrowed = police.peer();
    borrowed.token_keys = city.party().token_keys;
    let error = refused(vec![borrowed]);
    assert!(error.contains("another participant"), "{error}");
    let mut doubled = police.peer();
    doubled.token_keys.extend(police.peer().token_keys);
    let error = refused(vec![doubled]);
    assert!(error.contains("one kid"), "{error}");
    for (authorities, reason) in [
        ("", "no PEM block"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "cannot be used",
        ),
    ] {
        let peer = TrustedParty {
            authorities_pem: authorities.to_owned(),
            ..police.peer()
        };
        let error = refused(vec![peer]);
        assert!(
            error.contains("police") && error.contains(reason),
            "{error}"
        );
    }
    let peer = TrustedParty {
        revocations_pem: Some("no list".to_owned()),
        ..police.peer()
    };
    assert!(refused(vec![peer]).contains("X509 CRL"));
}

#[test]
fn a_registry_changes_at_once() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let registry = city.registry(&[]);
    let certificate = police.identity();
    assert_eq!(
        check(&registry.current(), certificate.certificate()),
        "certificate.participant"
    );
    registry.replace(city.trusting(&[&police]));
    assert_eq!(
        check(&registry.current(), certificate.certificate()),
        "accepted"
    );
    assert!(registry.current().knows(&iri("https://police.example/")));
    assert_eq!(registry.current().keys(&police.id).len(), 1);
    assert!(
        registry
            .current()
            .keys(&iri("https://x.example/"))
            .is_empty()
    );
}

/// INVARIANT(no-older-list)
#[test]
fn no_older_list() {
    let city = Organisation::new("https://city.example/");
    let police = Organisation::new("https://police.example/");
    let facts = police.identity().facts().clone();
    let by = |lists: Option<&str>| {
        let peer = TrustedParty {
            revocations_pem: lists.map(str::to_owned),
            ..police.peer()
        };
        Trusted::new(city.party(), vec![peer]).unwrap()
    };
    let list = |revoked: &[CertificateFacts], age: Duration| {
        let issued = now() - age;
        police
            .authority
            .revoke(revoked, issued, now() + Duration::DAY)
            .unwrap()
    };
    let revoking = list(std::slice::from_ref(&facts), Duration::minutes(10));
    let old = list(&[], Duration::minutes(20));
    let new = list(&[], Duration::ZERO);
    let state = |trusted: &Trusted| check(trusted, police.identity().certificate());
    let in_force = by(Some(&revoking));
    assert_eq!(state(&in_force), "certificate");
    let kept = by(Some(&old)).keeping_newer_lists(&in_force).unwrap();
    assert_eq!(state(&kept), "certificate");
    // It is the one in force from then on, too.
    let kept = by(Some(&old)).keeping_newer_lists(&kept).unwrap();
    assert_eq!(state(&kept), "certificate");
    for given in [Some(&revoking), Some(&old), Some(&new), None] {
        let given = by(given.map(String::as_str));
        let expected = state(&given);
        let first = by(None);
        // Nothing older is in force: what is given counts.
        assert_eq!(state(&given.keeping_newer_lists(&first).unwrap()), expected);
    }
    let renewed = by(Some(&new)).keeping_newer_lists(&in_force).unwrap();
    assert_eq!(state(&renewed), "accepted");
    // Another authority's list says nothing of this one's.
    let other = city
        .authority
        .revoke(&[], now(), now() + Duration::DAY)
        .unwrap();
    let both = format!("{old}{other}");
    let kept = by(Some(&both)).keeping_newer_lists(&in_force).unwrap();
    assert_eq!(state(&kept), "certificate");
}
