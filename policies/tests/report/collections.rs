//! Parties, assets, and collections of them.

use crate::support::{asking, case};

fn permits(assignee: &str, target: &str, state: &str) -> bool {
    let policy = format!(
        "ex:p a odrl:Set ; odrl:permission ex:rule .
         ex:rule odrl:action odrl:read ; odrl:assignee {assignee} ; odrl:target {target} .
         ex:staff a odrl:PartyCollection ; odrl:source ex:register ."
    );
    case(&policy, &asking(""), state).is_permitted()
}

#[test]
fn membership_is_stated_and_transitive() {
    for (state, expected) in [
        ("", false),
        ("ex:alice odrl:partOf ex:staff .", true),
        ("ex:alice odrl:partOf ex:register .", true),
        (
            "ex:alice odrl:partOf ex:team . ex:team odrl:partOf ex:staff .",
            true,
        ),
        ("ex:staff odrl:partOf ex:alice .", false),
        (
            "ex:alice odrl:partOf ex:team . ex:team odrl:partOf ex:alice .",
            false,
        ),
        ("ex:bob odrl:partOf ex:staff .", false),
    ] {
        assert_eq!(permits("ex:staff", "ex:x", state), expected, "{state}");
    }
}

#[test]
fn one_of_several_assignees_is_enough() {
    assert!(permits("ex:bob, ex:alice", "ex:x", ""));
    assert!(!permits("ex:bob, ex:carol", "ex:x", ""));
}

#[test]
fn refinements_are_of_the_member() {
    let adults = "[ a odrl:PartyCollection ; odrl:source ex:register ; odrl:refinement
        [ odrl:leftOperand ex:age ; odrl:operator odrl:gteq ; odrl:rightOperand 18 ] ]";
    for (state, expected) in [
        ("ex:alice odrl:partOf ex:register ; ex:age 20 .", true),
        ("ex:alice odrl:partOf ex:register ; ex:age 17 .", false),
        ("ex:alice odrl:partOf ex:register .", false),
        ("ex:alice ex:age 20 .", false),
        ("ex:alice odrl:partOf ex:register . ex:x ex:age 20 .", false),
    ] {
        assert_eq!(permits(adults, "ex:x", state), expected, "{state}");
    }
    let small = "[ a odrl:AssetCollection ; odrl:source ex:library ; odrl:refinement
        [ odrl:leftOperand odrl:absoluteSize ; odrl:operator odrl:lt ; odrl:rightOperand 100 ] ]";
    let size = |size: u8| format!("ex:x odrl:partOf ex:library ; odrl:absoluteSize {size} .");
    assert!(permits("ex:alice", small, &size(99)));
    assert!(!permits("ex:alice", small, &size(100)));
}

#[test]
fn who_does_not_say_who_they_are_gets_nothing() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:may ; odrl:prohibition ex:not .
        ex:may odrl:assignee ex:alice ; odrl:action odrl:read . ex:not odrl:assignee ex:bob ; odrl:action odrl:read .";
    let nobody = "ex:request a odrl:Request ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:x ] .";
    let case = case(policy, nobody, "");
    assert!(!case.is_active("may"));
    assert!(case.is_active("not"));
}
