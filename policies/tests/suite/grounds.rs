//! On which grounds something is asked, and who gives a policy.

use crate::support::{
    PROFILE, ask, ask_for, dataset, ex, permission, policies, prohibition, refused, tl,
};
use crate::world::{State, at, incident, stating};
use twinlink_policy::{Ask, PolicyError, PolicySet, PurposeHierarchy, PurposeRules};

fn left(operand: &str, operator: &str, right: &str) -> String {
    format!(
        "odrl:constraint [ odrl:leftOperand {operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

fn allows(set: &PolicySet, state: &State) -> bool {
    set.decide_in(&ask(), state).is_ok()
}

#[test]
fn purposes_that_a_caller_may_not_state_count_as_not_stated() {
    let rules = PurposeRules::parse(
        "@prefix tl: <https://w3id.org/twinlink/ns#> . @prefix ex: <http://example.org/> .
         tl:RescueOfficer tl:mayState tl:EmergencyResponse .
         tl:EmergencyResponse tl:requiresIncident ex:Grip .",
    )
    .unwrap();
    let constraint = left("odrl:purpose", "isA", "tl:EmergencyResponse");
    let plain = permission(&constraint);
    let set = plain.clone().with_purpose_rules(rules.clone());
    assert_ne!(set.version(), plain.version());
    let emergency = Ask {
        roles: vec![tl("RescueOfficer")],
        ..ask_for(tl("EmergencyResponse"))
    };
    let going_on = incident(11, 13);
    let permit = set.decide_in(&emergency, &going_on).unwrap();
    assert_eq!(permit.valid_until(), Some(at(13)));
    assert!(set.decide_in(&emergency, &incident(9, 12)).is_err());
    assert!(
        set.decide_in(&ask_for(tl("EmergencyResponse")), &going_on)
            .is_err()
    );
    // What nobody governs, anybody may state.
    let planning = permission(&left("odrl:purpose", "eq", "tl:UrbanPlanning"));
    let planning = planning.with_purpose_rules(rules.clone());
    assert!(planning.decide(&ask_for(tl("UrbanPlanning"))).is_ok());
    // A prohibition fires where the purpose that would keep it away is not believed.
    let not_for =
        prohibition(&left("odrl:purpose", "neq", "tl:EmergencyResponse")).with_purpose_rules(rules);
    assert!(not_for.decide_in(&emergency, &going_on).is_ok());
    assert!(not_for.decide(&emergency).is_err());
}

#[test]
fn legal_bases_can_be_mandatory() {
    let basis = left("tl:legalBasis", "isA", "ex:wvr");
    let text = |addition: &str| {
        format!(
            "ex:p a odrl:Set ; {PROFILE} ; tl:needsLegalBasis true ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; {addition} ] ."
        )
    };
    refused(&text(""), &["permission 1", "tl:legalBasis"]);
    refused(
        &text(&left("tl:legalBasis", "neq", "ex:wvr")),
        &["tl:legalBasis"],
    );
    let policies = policies(&text(&basis));
    let mut hierarchy = PurposeHierarchy::standard();
    hierarchy.add(ex("wvr25"), ex("wvr"));
    let set = PolicySet::compile_with(dataset(), policies, hierarchy).unwrap();
    let set = set.with_legal_bases().unwrap();
    assert!(allows(&set, &stating(tl("legalBasis"), ex("wvr25"))));
    assert!(!allows(&set, &stating(tl("legalBasis"), ex("other"))));
    assert!(!allows(&set, &State::default()));
    let lacking = permission("").with_legal_bases().unwrap_err();
    assert!(matches!(lacking[..], [PolicyError::Malformed { .. }]));
}

#[test]
fn assigners_are_told() {
    let agreement = policies(
        "ex:p a odrl:Agreement ; odrl:assignee ex:fire ; odrl:permission
           [ odrl:assigner ex:city ; odrl:target ex:twin ; odrl:action odrl:read ] .",
    );
    assert_eq!(agreement[0].assigners(), [ex("city")]);
}
