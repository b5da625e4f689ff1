//! Stewards and what is in their hands.

use crate::fakes::{World, block_on, caller};
use oxrdf::NamedNode;
use twinlink_core::{
    Code, Declaration, admit_log_reader, declare_incident, end_incident, list_incidents,
    list_obligations,
};

const STEWARD: &str = "https://w3id.org/twinlink/ns#Steward";

fn declaration() -> Declaration {
    Declaration {
        id: NamedNode::new_unchecked("https://city.example/leak"),
        kinds: vec![NamedNode::new_unchecked("https://city.example/Grip3")],
        area: None,
        begins: None,
        ends: "2026-11-20T14:00:00Z".parse().unwrap(),
    }
}

/// INVARIANT(stewards-only)
#[test]
fn stewards_only() {
    let mut world = World::new();
    for (participant, roles, is_owner) in [
        ("https://fire.example/", &[STEWARD][..], false),
        (
            "https://city.example/",
            &["https://city.example/Clerk"],
            true,
        ),
        ("https://city.example/", &[], true),
    ] {
        world.caller = caller(participant, roles, is_owner);
        let (connector, credentials) = (world.connector(), world.credentials());
        let refusal = block_on(declare_incident(&connector, &credentials, declaration()));
        let refusal = refusal.unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Forbidden, "steward")
        );
        assert!(block_on(list_obligations(&connector, &credentials, true)).is_err());
        assert!(block_on(list_incidents(&connector, &credentials)).is_err());
        assert!(block_on(end_incident(&connector, &credentials, declaration().id)).is_err());
    }
    assert!(
        world
            .log()
            .intents
            .iter()
            .all(|intent| intent.refused.is_some())
    );
    assert!(twinlink_core::StateOfWorld::incidents(&*world.ledger).is_empty());
}

#[test]
fn what_stewards_do_is_on_record() {
    let mut world = World::new();
    world.caller = caller("https://city.example/", &[STEWARD], true);
    let (connector, credentials) = (world.connector(), world.credentials());
    let declared = block_on(declare_incident(&connector, &credentials, declaration())).unwrap();
    assert_eq!(declared.begins, "2026-11-20T12:00:00Z".parse().unwrap());
    assert_eq!(declared.declared_by, connector.participant);
    let ended = block_on(end_incident(&connector, &credentials, declared.id)).unwrap();
    let listed = block_on(list_incidents(&connector, &credentials)).unwrap();
    assert_eq!(listed, vec![ended]);
    let log = world.log();
    let actions: Vec<_> = log.intents.iter().map(|one| one.action.as_str()).collect();
    assert!(actions[0].ends_with("declareIncident"), "{actions:?}");
    assert!(actions[1].ends_with("endIncident"), "{actions:?}");
    assert_eq!(log.completed.len(), 3);
    world.log_is_full = true;
    let refused = block_on(declare_incident(
        &world.connector(),
        &credentials,
        declaration(),
    ));
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
}

/// What happened is read while nothing can be recorded; nobody else reads it, and nothing else is done.
#[test]
fn a_full_disk_does_not_hide_the_log() {
    let mut world = World::new();
    world.log_is_full = true;
    for (participant, roles, is_owner, reads) in [
        ("https://city.example/", &[STEWARD][..], true, true),
        ("https://city.example/", &[], true, false),
        ("https://fire.example/", &[STEWARD], false, false),
    ] {
        world.caller = caller(participant, roles, is_owner);
        let (connector, credentials) = (world.connector(), world.credentials());
        let read = block_on(admit_log_reader(&connector, &credentials, 0));
        assert_eq!(read.is_ok(), reads, "{participant} {roles:?}: {read:?}");
        assert!(block_on(list_incidents(&connector, &credentials)).is_err());
    }
}
