//! Where other engines are known to break: each a case that must come out right here.

use crate::support::{
    ask, ask_for, dataset, ex, lines, permission, policies, prohibition, refused, rule, set, tl,
    turtle,
};
use crate::world::State;
use twinlink_policy::{Ask, PolicySet};

fn purpose(operator: &str, right: &str) -> String {
    format!(
        "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
    )
}

/// Matching by local names takes `ex:read` for `odrl:read`, and one participant for another.
#[test]
fn names_are_whole_iris() {
    let set = permission(&purpose("eq", "ex:EmergencyResponse"));
    assert!(set.decide(&ask_for(tl("EmergencyResponse"))).is_err());
    let foreign = Ask {
        action: ex("read"),
        ..ask()
    };
    assert!(permission("").decide(&foreign).is_err());
    refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action ex:read ] .",
        &["is not supported"],
    );
}

/// An engine that reads one constraint of several lets the others go.
#[test]
fn every_constraint_counts() {
    let both = format!("{} ; {}", purpose("neq", "ex:b"), purpose("neq", "ex:a"));
    let set = permission(&both);
    assert!(set.decide(&ask_for(ex("a"))).is_err());
    assert!(set.decide(&ask_for(ex("b"))).is_err());
    assert!(set.decide(&ask_for(ex("c"))).is_ok());
}

/// A right operand that is an IRI, read as an empty text, equals nothing, and differs from everything.
#[test]
fn a_right_operand_may_be_an_iri() {
    assert!(
        permission(&purpose("eq", "ex:a"))
            .decide(&ask_for(ex("a")))
            .is_ok()
    );
    assert!(
        permission(&purpose("neq", "ex:a"))
            .decide(&ask_for(ex("a")))
            .is_err()
    );
}

/// A duty without a name is a duty.
#[test]
fn a_blank_node_duty_binds() {
    let set = permission("odrl:duty [ odrl:action odrl:obtainConsent ]");
    assert!(set.decide(&ask()).is_err());
}

/// An obligation that is not read is not owed.
#[test]
fn an_obligation_of_a_policy_is_read() {
    let set = set(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ;
           odrl:obligation [ odrl:action odrl:inform ] .",
    );
    assert_eq!(set.decide(&ask()).unwrap().obligations().len(), 1);
}

/// A remedy, or a violation, does not lift a prohibition.
#[test]
fn a_prohibition_with_a_remedy_withholds() {
    let set = prohibition("odrl:remedy [ odrl:action odrl:delete ]");
    assert!(set.decide(&ask()).is_err());
    let broken = State {
        has_violations: true,
        ..State::default()
    };
    assert!(set.decide_in(&ask(), &broken).is_err());
}

/// A filter that drops constraints it has no function for makes the rule hold always.
#[test]
fn an_operand_without_function_is_refused() {
    for operand in [
        "ex:membership",
        "odrl:payAmount",
        "odrl:percentage",
        "odrl:absoluteSize",
        "odrl:relativePosition",
        "odrl:resolution",
        "odrl:unitOfCount",
        "odrl:spatialCoordinates",
    ] {
        let text = rule(&format!(
            "odrl:constraint [ odrl:leftOperand {operand} ; odrl:operator odrl:eq ; odrl:rightOperand 1 ]"
        ));
        let (_, name) = operand.split_once(':').unwrap();
        refused(&text, &["permission 1", name, "is not supported"]);
    }
}

/// A placeholder that is always true "allows the validation of policies": what nobody states is not true here.
#[test]
fn no_constraint_is_true_by_default() {
    for operand in [
        "odrl:spatial",
        "odrl:industry",
        "odrl:product",
        "odrl:media",
        "odrl:language",
        "odrl:system",
        "odrl:systemDevice",
        "odrl:device",
        "odrl:deliveryChannel",
        "odrl:virtualLocation",
        "odrl:fileFormat",
        "odrl:version",
        "tl:legalBasis",
    ] {
        for operator in ["eq", "neq", "isAnyOf", "isNoneOf", "isAllOf", "isA"] {
            let constraint = format!(
                "odrl:constraint [ odrl:leftOperand {operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand ex:a ]"
            );
            let case = format!("{operand} {operator}");
            assert!(permission(&constraint).decide(&ask()).is_err(), "{case}");
            assert!(prohibition(&constraint).decide(&ask()).is_err(), "{case}");
        }
    }
}

/// A period that ended is over for every question, not for transfers only; and whoever holds a permit knows when.
#[test]
fn a_period_ends_for_everything() {
    let set = permission(
        "odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
           odrl:rightOperand \"2026-11-20T13:00:00Z\"^^xsd:dateTime ]",
    );
    let end = "2026-11-20T13:00:00Z".parse().unwrap();
    assert_eq!(set.decide(&ask()).unwrap().valid_until(), Some(end));
    let late = Ask { now: end, ..ask() };
    let denied = set.decide(&late).unwrap_err();
    assert!(denied.outlook.break_glass.is_empty());
}

/// An operator without function is an error when published, not when asked.
#[test]
fn an_operator_without_function_is_refused() {
    for (operand, operator) in [
        ("odrl:purpose", "hasPart"),
        ("odrl:dateTime", "isAnyOf"),
        ("odrl:count", "isA"),
        ("odrl:event", "isPartOf"),
        ("odrl:elapsedTime", "neq"),
    ] {
        let text = rule(&format!(
            "odrl:constraint [ odrl:leftOperand {operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand ex:a ]"
        ));
        refused(&text, &["permission 1", operator, "is not supported"]);
    }
}

/// Prohibitions are read, not permissions only.
#[test]
fn prohibitions_are_read() {
    assert!(prohibition("").decide(&ask()).is_err());
    let other = policies(
        "ex:may a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] .
         ex:not a odrl:Set ; odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:use ] .",
    );
    let set = PolicySet::compile(dataset(), other).unwrap();
    assert!(set.decide(&ask()).is_err());
}

/// The default strategy for conflicts is to be void, which is told when published.
#[test]
fn a_conflict_is_told_when_published() {
    let errors = turtle(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ] ;
           odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ] .",
    )
    .unwrap_err();
    assert!(lines(&errors).contains("can apply to the same use"));
    // Two purposes exclude each other.
    let apart = format!(
        "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; {} ] ;
           odrl:prohibition [ odrl:target ex:twin ; odrl:action odrl:read ; {} ] .",
        purpose("eq", "ex:a"),
        purpose("eq", "ex:b")
    );
    assert!(turtle(&apart).is_ok());
}
