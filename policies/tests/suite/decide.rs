//! Policy, request, guard.

use crate::support::{ask, ex, odrl, permission, prohibition, set};
use oxrdf::NamedNode;
use twinlink_policy::{Ask, GraphNameKey, Guard, PolicySet, Selector};

fn selector(graph: Option<&str>, property: Option<&str>, class: Option<&str>) -> Selector {
    Selector {
        graph: graph.map(|name| match name {
            "" => GraphNameKey::Default,
            name => GraphNameKey::Named(ex(name)),
        }),
        property: property.map(ex),
        class: class.map(ex),
        ..Selector::default()
    }
}

#[test]
fn deny_by_default() {
    assert!(PolicySet::default().decide(&ask()).is_err());
    let set = permission("odrl:assignee ex:police");
    let denied = set.decide(&ask()).unwrap_err();
    assert_eq!(denied.participant, ex("fire"));
    assert!(denied.policies.is_empty());
}

#[test]
fn a_permit_names_its_policies_and_version() {
    let set = set("
        ex:b a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .
        ex:a a odrl:Set ; odrl:prohibition [ odrl:action odrl:read ; odrl:target
            [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ] ] ] ;
            odrl:profile <https://w3id.org/twinlink/profile/1> .
        ex:c a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:modify ] .");
    let permit = set.decide(&ask()).unwrap();
    assert_eq!(permit.policies(), [ex("a"), ex("b")]);
    assert_eq!(permit.version(), set.version());
    assert_eq!(permit.action(), &odrl("read"));
    assert_eq!(
        *permit.guard(),
        Guard::new(
            vec![Selector::default()],
            vec![selector(Some("g"), None, None)]
        )
    );
}

#[test]
fn actions_include_one_another() {
    for (permitted, asked, expected) in [
        ("use", "read", true),
        ("use", "modify", true),
        ("use", "extract", true),
        ("read", "read", true),
        ("read", "modify", false),
        ("read", "use", false),
        ("modify", "read", false),
        ("use", "sell", false),
        ("transfer", "sell", true),
        ("transfer", "read", false),
        ("use", "unheardOf", false),
    ] {
        let set = set(&format!(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:{permitted} ] ."
        ));
        let ask = Ask {
            action: odrl(asked),
            ..ask()
        };
        assert_eq!(set.decide(&ask).is_ok(), expected, "{permitted} {asked}");
    }
}

#[test]
fn prohibitions_reach_narrower_and_wider_actions() {
    for (prohibited, asked, expected) in [
        ("use", "read", false),
        ("use", "modify", false),
        ("read", "modify", true),
        ("read", "read", false),
        ("read", "use", false),
        ("sell", "read", true),
    ] {
        let set = set(&format!(
            "ex:p a odrl:Set ; odrl:conflict odrl:prohibit ;
               odrl:permission [ odrl:target ex:twin ; odrl:action odrl:use ] ;
               odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:{prohibited} ] ."
        ));
        let ask = Ask {
            action: odrl(asked),
            ..ask()
        };
        assert_eq!(set.decide(&ask).is_ok(), expected, "{prohibited} {asked}");
    }
}

#[test]
fn targets_become_selectors() {
    let refine = |left: &str, operator: &str, right: &str| {
        format!(
            "[ odrl:leftOperand tl:{left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
        )
    };
    for (refinements, expected) in [
        (
            refine("graph", "eq", "ex:g"),
            vec![selector(Some("g"), None, None)],
        ),
        (
            refine("graph", "eq", "tl:DefaultGraph"),
            vec![selector(Some(""), None, None)],
        ),
        (
            refine("property", "isAnyOf", "(ex:q ex:p)"),
            vec![
                selector(None, Some("p"), None),
                selector(None, Some("q"), None),
            ],
        ),
        (
            [
                refine("graph", "eq", "ex:g"),
                refine("class", "eq", "ex:C"),
                refine("property", "eq", "ex:p"),
            ]
            .join(", "),
            vec![selector(Some("g"), Some("p"), Some("C"))],
        ),
        (
            [
                refine("graph", "isAnyOf", "ex:g, ex:h"),
                refine("class", "isAnyOf", "(ex:C ex:D)"),
            ]
            .join(", "),
            vec![
                selector(Some("g"), None, Some("C")),
                selector(Some("g"), None, Some("D")),
                selector(Some("h"), None, Some("C")),
                selector(Some("h"), None, Some("D")),
            ],
        ),
    ] {
        let set = set(&format!(
            "ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:permission [ odrl:action odrl:read ;
               odrl:target [ a odrl:AssetCollection ; odrl:source ex:twin ; odrl:refinement {refinements} ] ] ."
        ));
        let permit = set.decide(&ask()).unwrap();
        assert_eq!(
            *permit.guard(),
            Guard::new(expected, Vec::new()),
            "{refinements}"
        );
    }
}

#[test]
fn prohibitions_win_between_policies() {
    let set = set("
        ex:a a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:use ] .
        ex:b a odrl:Set ; odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:fire ] .");
    let denied = set.decide(&ask()).unwrap_err();
    assert_eq!(denied.policies, [ex("b")]);
    let other = Ask {
        participant: ex("police"),
        ..ask()
    };
    assert!(set.decide(&other).unwrap().guard().is_everything());
}

#[test]
fn offers_grant_nothing_and_withhold_nothing() {
    let offer = "ex:o a odrl:Offer ; odrl:assigner ex:city ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:use ] .
        ex:o2 a odrl:Offer ; odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:use ] .";
    assert!(set(offer).decide(&ask()).is_err());
    let with_set = format!(
        "{offer} ex:s a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ."
    );
    assert_eq!(set(&with_set).decide(&ask()).unwrap().policies(), [ex("s")]);
}

#[test]
fn agreements_grant_to_their_assignee() {
    let set = set("ex:a a odrl:Agreement ; odrl:assigner ex:city ; odrl:assignee ex:fire ; odrl:target ex:twin ;
        odrl:permission [ odrl:action odrl:read ] .");
    assert!(set.decide(&ask()).is_ok());
    let other: NamedNode = ex("police");
    assert!(
        set.decide(&Ask {
            participant: other,
            ..ask()
        })
        .is_err()
    );
}

#[test]
fn equal_decisions_give_equal_guards() {
    let one =
        set("ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .");
    let same = set("
        ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read, odrl:use ] .
        ex:q a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:permission [ odrl:action odrl:read ; odrl:target
           [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ] ] ] .");
    let (one, same) = (one.decide(&ask()).unwrap(), same.decide(&ask()).unwrap());
    assert_eq!(one.guard(), same.guard());
    assert!(one.guard().is_everything());
}

#[test]
fn explanations_name_each_rule_with_its_truth() {
    let set = prohibition(
        "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand tl:UrbanPlanning ]",
    );
    let explanation = set.explain(&ask());
    assert!(explanation.decision.is_err());
    let [permission, prohibition] = &explanation.rules[..] else {
        panic!("{explanation}")
    };
    assert!(permission.active && permission.concerns && permission.constraints.is_empty());
    assert!(prohibition.active);
    assert_eq!(
        explanation.to_string(),
        "permission 1 of <http://example.org/p>: active: anyone may odrl:read all of <http://example.org/twin>\n\
         prohibition 1 of <http://example.org/p>: active: anyone must not odrl:read all of <http://example.org/twin>, \
         if the purpose is tl:UrbanPlanning (the purpose is tl:UrbanPlanning: unknown)\n\
         no active permission for action <http://www.w3.org/ns/odrl/2/read> of <http://example.org/fire> with purpose none"
    );
}
