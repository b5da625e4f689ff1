//! Collections of assets whose parts the document names, and assets and parties that say of which policy they are.

use crate::support::{PROFILE, ask, ex, policies, refused, set};
use oxrdf::NamedNode;
use std::collections::BTreeSet;
use twinlink_policy::{Guard, PolicySet, Selector};

fn part(name: &str, left: &str, value: &str) -> String {
    format!(
        "ex:{name} a odrl:AssetCollection ; odrl:source ex:twin ; odrl:partOf ex:all ;
            odrl:refinement [ odrl:leftOperand tl:{left} ; odrl:operator odrl:eq ; odrl:rightOperand ex:{value} ] ."
    )
}

fn rule(kind: &str) -> String {
    format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ;
           odrl:{kind} [ odrl:action odrl:read ; odrl:target ex:all ] ."
    )
}

fn guard(text: &str) -> Guard {
    let set: PolicySet = set(text);
    set.decide(&ask()).unwrap().guard().clone()
}

fn named(permits: &[Selector]) -> BTreeSet<(Option<NamedNode>, Option<NamedNode>)> {
    let names = permits
        .iter()
        .map(|one| (one.property.clone(), one.class.clone()));
    names.collect()
}

#[test]
fn a_rule_about_a_collection_is_about_each_of_its_parts() {
    let parts = [part("a", "property", "p1"), part("b", "class", "C1")].join(" ");
    let collection = "ex:all a odrl:AssetCollection .";
    let permitted = guard(&format!("{} {collection} {parts}", rule("permission")));
    let expected = BTreeSet::from([(Some(ex("p1")), None), (None, Some(ex("C1")))]);
    assert_eq!(named(permitted.permits()), expected);
    let everything =
        "ex:q a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ] .";
    let prohibited = guard(&format!(
        "{} {everything} {collection} {parts}",
        rule("prohibition")
    ));
    assert_eq!(named(prohibited.prohibitions()), expected);
}

#[test]
fn collections_nest_and_what_refines_them_holds_for_all_parts() {
    let nested = "ex:all a odrl:AssetCollection ; odrl:refinement
            [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ] .
        ex:some a odrl:AssetCollection ; odrl:partOf ex:all .
        ex:twin odrl:partOf ex:some .";
    let shown = guard(&format!(
        "{} {nested} {}",
        rule("permission"),
        part("a", "property", "p1")
    ));
    // The other part is inside all of the twin, within the graph.
    assert_eq!(shown.permits().len(), 1);
    assert!(shown.permits()[0].graph.is_some() && shown.permits()[0].property.is_none());
    let narrow = nested.replace(
        "ex:twin odrl:partOf ex:some",
        "ex:twin odrl:partOf ex:other",
    );
    refused(
        &format!(
            "{} {narrow} {}",
            rule("permission"),
            part("a", "property", "p1")
        ),
        &["odrl:source is missing, and nothing is stated to be odrl:partOf"],
    );
}

#[test]
fn unclear_collections_are_refused() {
    let one = part("a", "property", "p1");
    for (more, why) in [
        (
            "ex:all a odrl:AssetCollection ; odrl:source ex:twin .",
            "and parts",
        ),
        ("", "say that it is an odrl:AssetCollection"),
        (
            "ex:all a odrl:AssetCollection ; odrl:partOf ex:a . ex:twin odrl:partOf ex:a .",
            "and parts",
        ),
    ] {
        refused(&format!("{} {one} {more}", rule("permission")), &[why]);
    }
    let round = "ex:all a odrl:AssetCollection ; odrl:partOf ex:b . ex:b a odrl:AssetCollection ; odrl:partOf ex:all .";
    refused(
        &format!("{} {round}", rule("permission")),
        &["a part of itself"],
    );
    let empty = "ex:all a odrl:AssetCollection .";
    refused(
        &format!("{} {empty}", rule("permission")),
        &["nothing says what is in"],
    );
    // What no policy reaches has no effect, and is refused.
    let twin =
        "ex:p a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ] .";
    refused(&format!("{twin} {one}"), &["no policy"]);
    assert_eq!(policies(twin).len(), 1);
}

/// `odrl:hasPolicy`, `odrl:assigneeOf`, `odrl:assignerOf`: what the policy would say for all its rules.
#[test]
fn assets_and_parties_can_say_of_which_policy_they_are() {
    let policy = |rule: &str| {
        format!(
            "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:action odrl:read ; {rule} ] ."
        )
    };
    let said = "ex:twin odrl:hasPolicy ex:p . ex:fire odrl:assigneeOf ex:p . ex:owner a odrl:Party ; odrl:assignerOf ex:p .";
    let permitted = set(&format!("{} {said}", policy("")));
    assert!(permitted.decide(&ask()).unwrap().guard().is_everything());
    let police = twinlink_policy::Ask {
        participant: ex("police"),
        ..ask()
    };
    assert!(permitted.decide(&police).is_err());
    assert_eq!(permitted.policies()[0].assigners(), [ex("owner")]);
    // The same again is the same; anything else could mean more or less.
    let again = format!("{} {said}", policy("odrl:target ex:twin"));
    assert!(set(&again).decide(&ask()).is_ok());
    let part = "odrl:target [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ] ]";
    refused(
        &format!("{} {said}", policy(part)),
        &["give it in one place"],
    );
    // It is a part of the policy, whose hash it changes.
    let without = policies(&policy("odrl:target ex:twin"));
    assert_ne!(without[0].hash(), policies(&again)[0].hash());
    refused(
        &format!("{} {said} ex:twin ex:other ex:x .", policy("")),
        &["http://example.org/other"],
    );
}
