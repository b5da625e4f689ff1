//! Policies, peers and certificates are read again while the connector serves: all of them, or none.

use super::caller::PATIENCE;
use super::town::{Organisation, Permission};
use std::fs;
use time::OffsetDateTime;
use twinlink_client::{Error, SourceState};
use twinlink_trust::{Authority, Subject};
use twinlink_vocab::tl;

const ALL: &str = "SELECT * WHERE { ?s ?p ?o }";

async fn rescue() -> Organisation {
    let mut rescue = Organisation::new("rescue");
    rescue.import("<https://rescue.example/hydrant> a tl:Hydrant .", None);
    rescue.serve().await;
    rescue
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_holds_from_the_next_request_on() {
    let rescue = rescue().await;
    let anyone = rescue.caller(&[], None);
    // One connection, over which policies come and go.
    assert!(anyone.ask(&rescue, ALL).await.is_err());
    rescue.permit("all", Permission::default());
    assert!(anyone.ask(&rescue, ALL).await.is_err(), "not yet read");
    rescue.node().reload().unwrap();
    assert_eq!(anyone.ask(&rescue, ALL).await.unwrap().rows.len(), 1);
    fs::remove_file(rescue.path("policies/all.ttl")).unwrap();
    rescue.node().reload().unwrap();
    assert!(anyone.ask(&rescue, ALL).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_changes_nothing_and_is_named() {
    let rescue = rescue().await;
    let (anyone, steward) = (rescue.caller(&[], None), rescue.steward());
    let good = "policies/all.ttl";
    for (file, text) in [
        ("policies/broken.ttl", "<https://rescue.example/policy/broken> a"),
        (
            "policies/unknown.ttl",
            "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . <https://rescue.example/policy/unknown> a odrl:Set ;
             odrl:permission [ odrl:target <https://rescue.example/twin> ; odrl:action odrl:read ;
             <https://rescue.example/unknown> true ] .",
        ),
        ("policies/broken.jsonld", "{"),
        ("peers/broken.toml", "participant = 1"),
        (
            "peers/nobody.toml",
            "participant = \"https://nobody.example/\"\nauthority = \"\"\ntoken_keys = [\"{}\"]",
        ),
        (
            "peers/insecure.toml",
            "participant = \"https://nobody.example/\"\nurl = \"http://nobody.example\"\nauthority = \"\"\ntoken_keys = [\"{}\"]",
        ),
    ] {
        // With it comes a good one that must not take effect alone.
        rescue.permit("all", Permission::default());
        fs::write(rescue.path(file), text).unwrap();
        let error = rescue.node().reload().unwrap_err().to_string();
        let name = file.split('/').nth(1).unwrap();
        assert!(error.contains(name) || error.contains("nobody.example"), "{file}: {error}");
        assert!(anyone.ask(&rescue, ALL).await.is_err(), "{file}");
        assert_eq!(steward.ask(&rescue, ALL).await.unwrap().rows.len(), 1);
        fs::remove_file(rescue.path(file)).unwrap();
        fs::remove_file(rescue.path(good)).unwrap();
    }
    rescue.node().reload().unwrap();

    // A peer that is trusted rightly, at an address that is none.
    let mut city = Organisation::new("city");
    city.serve().await;
    city.introduce(&rescue, &[], &[]);
    let mut card = city.card();
    card.url = Some("https://[::".to_owned());
    rescue.introduce_card(&card, &[], &[]);
    rescue.permit("all", Permission::default());
    let error = rescue.node().reload().unwrap_err().to_string();
    assert!(error.contains(city.id.as_str()), "{error}");
    // Still a stranger: it does not get as far as being denied.
    let refused = city.caller(&[], None).ask(&rescue, ALL).await.unwrap_err();
    let is_stranger = matches!(refused, Error::Unreachable(_) | Error::Broken(_));
    assert!(is_stranger, "{refused}");
    assert!(anyone.ask(&rescue, ALL).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_added_is_asked_and_one_that_is_removed_is_not() {
    let rescue = rescue().await;
    let mut city = Organisation::new("city");
    city.import("<https://city.example/school> a tl:School .", None);
    city.permit("all", Permission::default());
    city.serve().await;
    let officer = rescue.caller(&[tl::STEWARD], None);
    let alone = officer.ask_all(&rescue, ALL, PATIENCE).await.unwrap();
    assert_eq!((alone.rows.len(), alone.outcome.sources.len()), (1, 1));

    city.introduce(&rescue, &[tl::STEWARD], &[]);
    city.node().reload().unwrap();
    rescue.introduce(&city, &[], &[]);
    rescue.node().reload().unwrap();
    let both = officer.ask_all(&rescue, ALL, PATIENCE).await.unwrap();
    assert_eq!((both.rows.len(), both.outcome.sources.len()), (2, 2));
    assert!(both.outcome.complete);

    // Its own side first: we are strangers there now.
    fs::remove_file(city.path("peers/rescue.example.toml")).unwrap();
    city.node().reload().unwrap();
    rescue.node().reload().unwrap();
    let refused = officer.ask_all(&rescue, ALL, PATIENCE).await.unwrap();
    assert_eq!(refused.outcome.sources[1].state, SourceState::Unreachable);

    fs::remove_file(rescue.path("peers/city.example.toml")).unwrap();
    rescue.node().reload().unwrap();
    let alone = officer.ask_all(&rescue, ALL, PATIENCE).await.unwrap();
    assert_eq!((alone.rows.len(), alone.outcome.sources.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_anothers_is_refused() {
    let rescue = rescue().await;
    let config = rescue.config();
    let authority = Authority::load(
        &config.identity.authority,
        &rescue.path("identity/authority-key.pem"),
    )
    .unwrap();
    let now = OffsetDateTime::now_utc();
    let renew = |participant: &str| {
        let subject = Subject {
            participant: oxrdf::NamedNode::new(participant).unwrap(),
            hosts: vec!["localhost".to_owned()],
        };
        let key = rescue.identity();
        let certificate = authority
            .certify(&subject, key.load().key(), time::Duration::DAY, now)
            .unwrap();
        fs::write(&config.identity.certificate, certificate).unwrap();
    };
    let before = rescue.identity().load().thumbprint().to_owned();
    renew(rescue.id.as_str());
    assert_ne!(before, rescue.identity().load().thumbprint());
    rescue.node().reload().unwrap();
    assert_eq!(
        rescue.steward().ask(&rescue, ALL).await.unwrap().rows.len(),
        1
    );

    let steward = rescue.steward();
    renew("https://other.example/");
    let error = rescue.node().reload().unwrap_err().to_string();
    assert!(error.contains("https://other.example/"), "{error}");
    assert_eq!(steward.ask(&rescue, ALL).await.unwrap().rows.len(), 1);
}
