//! Decisions that rest on earlier use, incidents, claims, and what was done.

use crate::support::{
    PROFILE, ask, ask_as, dataset, ex, odrl, permission, policies, prohibition, refused, set, tl,
};
use crate::world::{State, at, incident, stating, used};
use oxrdf::Literal;
use std::collections::BTreeMap;
use std::time::Duration;
use twinlink_policy::{Ask, Debtor, PolicySet, Usage};

pub(crate) fn left(operand: &str, operator: &str, right: &str) -> String {
    format!(
        "odrl:constraint [ odrl:leftOperand {operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

pub(crate) fn allows(set: &PolicySet, state: &State) -> bool {
    set.decide_in(&ask(), state).is_ok()
}

#[test]
fn counts() {
    for (operator, limit, before, expected) in [
        ("lteq", 5, 4, true),
        ("lteq", 5, 5, false),
        ("lt", 5, 3, true),
        ("lt", 5, 4, false),
        ("eq", 1, 0, true),
        ("eq", 1, 1, false),
        ("gt", 2, 1, false),
        ("gt", 2, 2, true),
    ] {
        let set = permission(&left("odrl:count", operator, &limit.to_string()));
        let case = format!("{operator} {limit} after {before}");
        assert_eq!(allows(&set, &used(before, None, None)), expected, "{case}");
    }
    let five = permission(&left("odrl:count", "lteq", "5"));
    let permit = five.decide_in(&ask(), &used(4, None, None)).unwrap();
    assert_eq!(permit.charges().len(), 1);
    assert_eq!(permit.charges()[0].limit, Some(5));
    assert_eq!(permit.charges()[0].counter.participant, ex("fire"));
    assert!(permit.depends_on_world());
    // A prohibition counts what it is about from the first use on.
    let third = prohibition(&left("odrl:count", "gt", "2"));
    let permit = third.decide(&ask()).unwrap();
    assert_eq!(permit.charges().len(), 1);
    assert_eq!(permit.charges()[0].limit, None);
    assert!(permission("").decide(&ask()).unwrap().charges().is_empty());
}

#[test]
fn lengths_of_time() {
    let hours = |operand: &str, operator: &str| {
        permission(&left(operand, operator, "\"PT2H\"^^xsd:dayTimeDuration"))
    };
    let elapsed = hours("odrl:elapsedTime", "lteq");
    assert!(allows(&elapsed, &State::default()));
    assert!(allows(&elapsed, &used(1, Some(10), None)));
    assert!(!allows(&elapsed, &used(1, Some(9), None)));
    let until = |state: &State| elapsed.decide_in(&ask(), state).unwrap().valid_until();
    assert_eq!(until(&State::default()), Some(at(14)));
    assert_eq!(until(&used(1, Some(11), None)), Some(at(13)));
    // What ODRL writes with eq is "at most" of time that passes, "at least" of time to wait.
    assert!(allows(
        &hours("odrl:elapsedTime", "eq"),
        &used(1, Some(11), None)
    ));
    let interval = hours("odrl:timeInterval", "eq");
    assert!(allows(&interval, &State::default()));
    assert!(!allows(&interval, &used(1, None, Some(11))));
    assert!(allows(&interval, &used(1, None, Some(10))));
    let metered = hours("odrl:meteredTime", "lt");
    let spent = |hours: u64| {
        let metered = Duration::from_secs(hours * 3600);
        let usage = Usage {
            metered,
            ..Usage::default()
        };
        State {
            usage: BTreeMap::from([(("permission".to_owned(), 1), usage)]),
            ..State::default()
        }
    };
    assert!(allows(&metered, &spent(1)));
    assert!(!allows(&metered, &spent(2)));
    let permit = metered.decide_in(&ask(), &spent(1)).unwrap();
    assert_eq!(permit.valid_until(), Some(at(13)));
}

#[test]
fn a_delay_begins_where_the_sequence_says() {
    let after = |start: &str| {
        permission(&format!(
            "odrl:constraint [ odrl:andSequence ( [ {start} ]
               [ odrl:leftOperand odrl:delayPeriod ; odrl:operator odrl:gteq ; odrl:rightOperand \"PT1H\"^^xsd:duration ] ) ]"
        ))
    };
    let noon = |hour: u32| {
        after(&format!(
            "odrl:leftOperand odrl:dateTime ; odrl:operator odrl:gteq ; odrl:rightOperand \"2026-11-20T{hour}:00:00Z\"^^xsd:dateTime"
        ))
    };
    assert!(noon(11).decide(&ask()).is_ok());
    let denied = noon(12).decide(&ask()).unwrap_err();
    assert_eq!(denied.outlook.valid_until, Some(at(12)));
    let event =
        after("odrl:leftOperand odrl:event ; odrl:operator odrl:eq ; odrl:rightOperand ex:leak");
    assert!(allows(&event, &incident(11, 15)));
    assert!(!allows(&event, &incident(12, 15)));
    assert!(!allows(&event, &State::default()));
}

#[test]
fn events_are_declared_incidents() {
    for (operator, event, before, during, after, none) in [
        ("eq", "ex:leak", false, true, false, false),
        ("eq", "ex:Grip", false, true, false, false),
        ("eq", "ex:Other", false, false, false, false),
        ("neq", "ex:leak", true, false, true, true),
        ("lt", "ex:Grip3", true, false, false, false),
        ("lteq", "ex:leak", true, true, false, false),
        ("gt", "ex:leak", false, false, true, false),
        ("gteq", "ex:leak", false, true, true, false),
    ] {
        let set = permission(&left("odrl:event", operator, event));
        for (state, expected) in [
            (incident(13, 15), before),
            (incident(11, 15), during),
            (incident(9, 12), after),
            (State::default(), none),
        ] {
            let case = format!("{operator} {event} {:?}", state.incidents);
            assert_eq!(allows(&set, &state), expected, "{case}");
        }
    }
    let set = permission(&left("odrl:event", "eq", "ex:Grip3"));
    let permit = set.decide_in(&ask(), &incident(11, 15)).unwrap();
    assert_eq!(permit.valid_until(), Some(at(15)));
    let denied = set.decide_in(&ask(), &incident(13, 15)).unwrap_err();
    assert_eq!(denied.outlook.valid_until, Some(at(13)));
    assert!(denied.outlook.depends_on_world);
    // No incident is declared, so none is going on: the prohibition does not apply.
    assert!(
        prohibition(&left("odrl:event", "eq", "ex:Grip3"))
            .decide(&ask())
            .is_ok()
    );
}

#[test]
fn claims_are_compared_and_silence_is_unknown() {
    let spatial = "ex:fire odrl:partOf ex:zone . ex:quay odrl:partOf ex:harbour . ex:harbour odrl:partOf ex:city .";
    let within = |kind: &str| {
        set(&format!(
            "ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:prohibit ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ;
             odrl:{kind} [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint [ odrl:leftOperand odrl:spatial ;
               odrl:operator odrl:isPartOf ; odrl:rightOperand ex:city ] ] . {spatial}"
        ))
    };
    let abroad = within("prohibition");
    let at_place = |name: &str| stating(odrl("spatial"), ex(name));
    assert!(!allows(&abroad, &at_place("quay")));
    assert!(allows(&abroad, &at_place("fire")));
    // Nothing is said of what it is a part, or nothing is said: it may be.
    assert!(!allows(&abroad, &at_place("elsewhere")));
    assert!(!allows(&abroad, &State::default()));
    let format = permission(&left("odrl:fileFormat", "isAnyOf", "(ex:csv ex:turtle)"));
    assert!(allows(&format, &stating(odrl("fileFormat"), ex("csv"))));
    assert!(!allows(&format, &stating(odrl("fileFormat"), ex("pdf"))));
    assert!(!allows(&format, &State::default()));
    let version = permission(&left("odrl:version", "gteq", "2.5"));
    assert!(allows(
        &version,
        &stating(odrl("version"), Literal::from(3))
    ));
    assert!(!allows(
        &version,
        &stating(odrl("version"), Literal::from(2))
    ));
    let recipient = permission(&left("odrl:recipient", "eq", "ex:fire"));
    // Who asks is known; what it states about itself is not looked at.
    assert!(allows(&recipient, &State::default()));
    let other = Ask {
        participant: ex("police"),
        ..ask()
    };
    assert!(
        recipient
            .decide_in(&other, &stating(odrl("recipient"), ex("fire")))
            .is_err()
    );
}

#[test]
fn a_right_operand_by_reference_is_in_the_document() {
    let set = set(&format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint
           [ odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperandReference ex:limit ] ] .
         ex:limit <http://www.w3.org/1999/02/22-rdf-syntax-ns#value> 2 ."
    ));
    assert!(allows(&set, &used(1, None, None)));
    assert!(!allows(&set, &used(2, None, None)));
}

#[test]
fn duties_before_use() {
    let paid = |hour| State {
        performed: BTreeMap::from([(odrl("pay"), at(hour))]),
        ..State::default()
    };
    let set = permission("odrl:duty [ odrl:action odrl:compensate ]");
    assert!(!allows(&set, &State::default()));
    // To pay is to compensate.
    assert!(allows(&set, &paid(11)));
    assert!(!allows(&set, &paid(13)));
    let by_ten = "odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
        odrl:rightOperand \"2026-11-20T10:00:00Z\"^^xsd:dateTime ]";
    let in_time = permission(&format!(
        "odrl:duty [ odrl:action odrl:compensate ; {by_ten} ]"
    ));
    assert!(allows(&in_time, &paid(9)));
    assert!(!allows(&in_time, &paid(11)));
    let made_good = permission(&format!(
        "odrl:duty [ odrl:action odrl:compensate ; {by_ten} ; odrl:consequence [ odrl:action odrl:obtainConsent ] ]"
    ));
    assert!(!allows(&made_good, &paid(11)));
    let mut both = paid(11);
    both.performed.insert(odrl("obtainConsent"), at(11));
    assert!(allows(&made_good, &both));
}

#[test]
fn duties_after_use() {
    let set = permission(
        "odrl:duty [ odrl:action [ <http://www.w3.org/1999/02/22-rdf-syntax-ns#value> odrl:delete ; odrl:refinement
           [ odrl:leftOperand odrl:elapsedTime ; odrl:operator odrl:lteq ; odrl:rightOperand \"PT3H\"^^xsd:duration ] ] ] ,
         [ odrl:action odrl:inform ; odrl:informedParty ex:owner ; odrl:consequence [ odrl:action odrl:delete ] ] ,
         [ odrl:action tl:reportUse ]",
    );
    let permit = set.decide(&ask()).unwrap();
    let owed: Vec<_> = permit
        .obligations()
        .iter()
        .map(|one| (one.action.clone(), one.due, one.debtor))
        .collect();
    assert_eq!(owed.len(), 3);
    assert!(owed.contains(&(odrl("delete"), Some(at(15)), Debtor::Caller)));
    assert!(owed.contains(&(tl("reportUse"), None, Debtor::Caller)));
    let inform = permit
        .obligations()
        .iter()
        .find(|one| one.action == odrl("inform"))
        .unwrap();
    assert_eq!(inform.towards, [ex("owner")]);
    assert_eq!(inform.consequences, [odrl("delete")]);
    assert_eq!(inform.policy, ex("p"));
    // They do not arise where nothing is permitted by the rule that asks for them.
    let other = Ask {
        action: odrl("modify"),
        ..ask()
    };
    assert!(set.decide(&other).is_err());
}

#[test]
fn an_open_violation_blocks() {
    let state = State {
        has_violations: true,
        ..State::default()
    };
    let denied = permission("").decide_in(&ask(), &state).unwrap_err();
    assert!(denied.outlook.has_violations);
    assert!(denied.to_string().contains("left undone"), "{denied}");
}

#[test]
fn obligations_of_policies() {
    let set = set(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ;
           odrl:obligation [ odrl:action odrl:delete ; odrl:assignee ex:fire ; odrl:constraint [ odrl:leftOperand odrl:dateTime ;
             odrl:operator odrl:lteq ; odrl:rightOperand \"2026-11-20T15:00:00Z\"^^xsd:dateTime ] ] .",
    );
    let permit = set.decide(&ask()).unwrap();
    assert_eq!(permit.obligations().len(), 1);
    assert_eq!(permit.obligations()[0].due, Some(at(15)));
    assert_eq!(permit.valid_until(), Some(at(15)));
    let late = Ask {
        now: at(16),
        ..ask()
    };
    assert!(set.decide(&late).is_err());
    let done = State {
        performed: BTreeMap::from([(odrl("delete"), at(14))]),
        ..State::default()
    };
    assert!(set.decide_in(&late, &done).is_ok());
    let police = Ask {
        participant: ex("police"),
        ..late
    };
    assert!(set.decide(&police).unwrap().obligations().is_empty());
}

#[test]
fn collections_of_parties() {
    let set = set(&format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ;
           odrl:assignee [ a odrl:PartyCollection ; odrl:source ex:services ; odrl:refinement
             [ odrl:leftOperand tl:role ; odrl:operator odrl:isA ; odrl:rightOperand tl:RescueOfficer ] ] ] .
         ex:brigades odrl:partOf ex:services . ex:fire odrl:partOf ex:brigades ."
    ));
    assert!(set.decide(&ask_as(tl("RescueOfficer"))).is_ok());
    assert!(set.decide(&ask_as(tl("PoliceOfficer"))).is_err());
    assert!(set.decide(&ask()).is_err());
    let police = Ask {
        participant: ex("police"),
        ..ask_as(tl("RescueOfficer"))
    };
    assert!(set.decide(&police).is_err());
    // Who belongs to it is part of the policy.
    let with = |more: &str| {
        policies(&format!(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:services ] .
             ex:services a odrl:PartyCollection . ex:fire odrl:partOf ex:services . {more}"
        ))[0]
            .hash()
            .to_owned()
    };
    assert_ne!(with(""), with("ex:police odrl:partOf ex:services ."));
    refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:services ] .
         ex:fire odrl:partOf ex:services .",
        &["permission 1", "say that it is an odrl:PartyCollection"],
    );
    refused(
        "ex:p a odrl:Set ; odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee
           [ a odrl:PartyCollection ; odrl:source ex:suspects ] ] .",
        &["prohibition 1", "who belongs to"],
    );
}

#[test]
fn inheritance() {
    let parent = "ex:general a odrl:Offer ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:fire ] .";
    let child = |more: &str| {
        policies(&format!(
            "{parent} ex:child a odrl:Set ; odrl:inheritFrom ex:general ; {more} ."
        ))
    };
    let compile = |policies| PolicySet::compile(dataset(), policies);
    assert!(compile(policies(parent)).unwrap().decide(&ask()).is_err());
    let set = compile(child("rdfs:label \"child\"")).unwrap();
    assert_eq!(set.decide(&ask()).unwrap().policies(), [ex("general")]);
    let refusals = [
        (child("odrl:conflict odrl:prohibit"), "another odrl:conflict"),
        (child("odrl:inheritFrom ex:missing"), "missing> is not among"),
        (
            child("odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ]"),
            "can apply to the same use",
        ),
        (
            policies("ex:a a odrl:Set ; odrl:inheritFrom ex:b . ex:b a odrl:Set ; odrl:inheritFrom ex:a ."),
            "inherits from itself",
        ),
        (
            policies("ex:all a odrl:Offer ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .
                ex:deal a odrl:Agreement ; odrl:assigner ex:city ; odrl:assignee ex:fire ; odrl:inheritFrom ex:all ."),
            "needs an odrl:assignee",
        ),
    ];
    for (policies, part) in refusals {
        let errors = compile(policies).unwrap_err();
        assert!(
            errors[0].to_string().contains(part),
            "{errors:?}\nnot: {part}"
        );
    }
}

#[test]
fn permissions_win_within_their_policy_only() {
    let graph = |name: &str| {
        format!(
            "[ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:{name} ] ]"
        )
    };
    let text = format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:conflict odrl:perm ;
           odrl:permission [ odrl:target {} ; odrl:action odrl:read ] ;
           odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ] .",
        graph("open")
    );
    let alone = set(&text).decide(&ask()).unwrap();
    assert_eq!(alone.guard().permits().len(), 1);
    assert!(alone.guard().prohibitions().is_empty());
    let beside = |graph: String, kind: &str| {
        set(&format!(
            "{text} ex:q a odrl:Set ; {PROFILE} ; odrl:{kind} [ odrl:target {graph} ; odrl:action odrl:read ] ."
        ))
    };
    // What another policy permits, the prohibition withholds; what it prohibits, no permission here opens.
    let other = beside(graph("closed"), "permission")
        .decide(&ask())
        .unwrap();
    assert_eq!(other.guard(), alone.guard());
    assert!(beside(graph("open"), "prohibition").decide(&ask()).is_err());
}

#[test]
fn actions_that_a_document_adds() {
    let text = "ex:scan a odrl:Action ; odrl:includedIn odrl:read ; odrl:implies odrl:index .";
    let scan = Ask {
        action: ex("scan"),
        ..ask()
    };
    let with = |rules: &str| {
        set(&format!(
            "ex:p a odrl:Set ; odrl:conflict odrl:prohibit ; {rules} . {text}"
        ))
    };
    let may =
        |action: &str| format!("odrl:permission [ odrl:target ex:twin ; odrl:action {action} ]");
    let not =
        |action: &str| format!("odrl:prohibition [ odrl:target ex:twin ; odrl:action {action} ]");
    let scans = with(&may("ex:scan"));
    assert!(scans.decide(&scan).is_ok());
    assert!(scans.decide(&ask()).is_err());
    let without = with(&format!("{} ; {}", may("ex:scan"), not("odrl:index")));
    assert!(without.decide(&scan).is_err());
    // Who reads may scan.
    let reads = with(&format!("{} ; {}", may("odrl:read"), not("ex:scan")));
    assert!(reads.decide(&ask()).is_err());
    // Of an action that nobody describes nothing is known.
    assert!(permission("").decide(&scan).is_err());
}
