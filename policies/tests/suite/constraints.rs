//! Constraint, request, truth: each alone on a permission, and alone on a prohibition.

use crate::support::{ask, ask_as, ask_for, ex, permission, policies, prohibition, tl};
use twinlink_policy::{Ask, PolicySet, PurposeHierarchy};

#[test]
fn purposes() {
    let purpose = |operator: &str, right: &str| {
        format!(
            "odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
        )
    };
    let none = || ask();
    let emergency = || ask_for(tl("EmergencyResponse"));
    let unheard = || ask_for(ex("unheard"));
    // For each: is the permission active, does the prohibition leave the permission standing.
    for (operator, right, ask, permits, spares) in [
        ("eq", "tl:EmergencyResponse", emergency(), true, false),
        ("eq", "tl:UrbanPlanning", emergency(), false, true),
        ("eq", "tl:EmergencyResponse", none(), false, false),
        ("neq", "tl:UrbanPlanning", emergency(), true, false),
        ("neq", "tl:EmergencyResponse", emergency(), false, true),
        ("neq", "tl:EmergencyResponse", none(), false, false),
        (
            "isAnyOf",
            "tl:UrbanPlanning, tl:EmergencyResponse",
            emergency(),
            true,
            false,
        ),
        (
            "isAnyOf",
            "(tl:UrbanPlanning tl:EmergencyResponse)",
            emergency(),
            true,
            false,
        ),
        (
            "isAnyOf",
            "(tl:UrbanPlanning ex:other)",
            emergency(),
            false,
            true,
        ),
        (
            "isNoneOf",
            "(tl:UrbanPlanning ex:other)",
            emergency(),
            true,
            false,
        ),
        (
            "isNoneOf",
            "(tl:UrbanPlanning tl:EmergencyResponse)",
            emergency(),
            false,
            true,
        ),
        ("isA", "tl:EmergencyResponse", emergency(), true, false),
        (
            "isA",
            "sector-infra:CriticalEmergencyResponseManagement",
            emergency(),
            true,
            false,
        ),
        ("isA", "dpv:Purpose", emergency(), true, false),
        ("isA", "dpv:PublicBenefit", emergency(), false, true),
        // A purpose nobody defined may be narrower for all we know.
        ("isA", "dpv:PublicBenefit", unheard(), false, false),
        ("isA", "ex:unheard", unheard(), true, false),
        ("isA", "ex:unheard", emergency(), false, false),
        // Equal is not narrower.
        ("eq", "dpv:Purpose", emergency(), false, true),
    ] {
        let constraint = purpose(operator, right);
        let case = format!("{operator} {right} {:?}", ask.purpose);
        assert_eq!(
            permission(&constraint).decide(&ask).is_ok(),
            permits,
            "permission {case}"
        );
        assert_eq!(
            prohibition(&constraint).decide(&ask).is_ok(),
            spares,
            "prohibition {case}"
        );
    }
}

#[test]
fn purposes_of_ones_own() {
    let mut purposes = PurposeHierarchy::standard();
    purposes.add(ex("triage"), tl("EmergencyResponse"));
    purposes.add(tl("EmergencyResponse"), ex("triage"));
    let set = PolicySet::compile_with(
        ex("twin"),
        policies(
            "ex:p a odrl:Set ; odrl:permission [ odrl:target ex:twin ; odrl:action odrl:read ; odrl:constraint
               [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand dpv:Purpose ] ] .",
        ),
        purposes,
    )
    .unwrap();
    assert!(set.decide(&ask_for(ex("triage"))).is_ok());
}

#[test]
fn roles() {
    let role = |operator: &str, right: &str| {
        format!(
            "odrl:constraint [ odrl:leftOperand tl:role ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
        )
    };
    let both = || Ask {
        roles: vec![tl("Steward"), tl("RescueOfficer")],
        ..ask()
    };
    for (operator, right, ask, permits, spares) in [
        ("eq", "tl:Steward", ask_as(tl("Steward")), true, false),
        ("eq", "tl:Steward", both(), true, false),
        ("eq", "tl:Steward", ask_as(tl("CityPlanner")), false, true),
        ("eq", "tl:Steward", ask(), false, false),
        ("neq", "tl:Steward", both(), false, true),
        ("neq", "tl:Steward", ask_as(tl("CityPlanner")), true, false),
        ("neq", "tl:Steward", ask(), false, false),
        (
            "isAnyOf",
            "(tl:CityPlanner tl:RescueOfficer)",
            both(),
            true,
            false,
        ),
        (
            "isNoneOf",
            "(tl:CityPlanner tl:RescueOfficer)",
            both(),
            false,
            true,
        ),
        ("isNoneOf", "(tl:CityPlanner)", both(), true, false),
        // The same local name in another namespace is another role.
        ("eq", "tl:Steward", ask_as(ex("Steward")), false, true),
    ] {
        let constraint = role(operator, right);
        let case = format!("{operator} {right} {:?}", ask.roles);
        assert_eq!(
            permission(&constraint).decide(&ask).is_ok(),
            permits,
            "permission {case}"
        );
        assert_eq!(
            prohibition(&constraint).decide(&ask).is_ok(),
            spares,
            "prohibition {case}"
        );
    }
}

#[test]
fn times_are_compared_as_instants() {
    let at = |now: &str| Ask {
        now: now.parse().unwrap(),
        ..ask()
    };
    let noon = || at("2026-11-20T12:00:00Z");
    for (operator, right, ask, permits, spares) in [
        (
            "lt",
            "\"2026-11-20T12:00:01Z\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "lt",
            "\"2026-11-20T12:00:00Z\"^^xsd:dateTime",
            noon(),
            false,
            true,
        ),
        (
            "lteq",
            "\"2026-11-20T12:00:00Z\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "gt",
            "\"2026-11-20T11:59:59.999Z\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "gteq",
            "\"2026-11-20T12:00:00Z\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "neq",
            "\"2026-11-20T12:00:00Z\"^^xsd:dateTime",
            noon(),
            false,
            true,
        ),
        // Another zone, the same instant: text order would say otherwise.
        (
            "eq",
            "\"2026-11-20T14:00:00+02:00\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "gt",
            "\"2026-11-20T13:00:00+02:00\"^^xsd:dateTime",
            noon(),
            true,
            false,
        ),
        (
            "eq",
            "\"2026-11-20T12:00:00Z\"^^xsd:dateTimeStamp",
            noon(),
            true,
            false,
        ),
        // A day lasts 24 hours from its midnight.
        ("eq", "\"2026-11-20Z\"^^xsd:date", noon(), true, false),
        (
            "lteq",
            "\"2026-11-20Z\"^^xsd:date",
            at("2026-11-20T23:59:59Z"),
            true,
            false,
        ),
        (
            "lteq",
            "\"2026-11-20Z\"^^xsd:date",
            at("2026-11-21T00:00:00Z"),
            false,
            true,
        ),
        (
            "gt",
            "\"2026-11-20Z\"^^xsd:date",
            at("2026-11-21T00:00:00Z"),
            true,
            false,
        ),
        ("gt", "\"2026-11-20Z\"^^xsd:date", noon(), false, true),
        ("lt", "\"2026-11-20Z\"^^xsd:date", noon(), false, true),
        (
            "gteq",
            "\"2026-11-20+02:00\"^^xsd:date",
            at("2026-11-19T22:00:00Z"),
            true,
            false,
        ),
        (
            "gteq",
            "\"2026-11-20+02:00\"^^xsd:date",
            at("2026-11-19T21:59:59Z"),
            false,
            true,
        ),
        // Without a zone on either side nothing is known.
        (
            "lt",
            "\"2030-01-01T00:00:00\"^^xsd:dateTime",
            noon(),
            false,
            false,
        ),
        ("gt", "\"2030-01-01\"^^xsd:date", noon(), false, false),
        (
            "lt",
            "\"2030-01-01T00:00:00Z\"^^xsd:dateTime",
            at("2026-11-20T12:00:00"),
            false,
            false,
        ),
    ] {
        let constraint = format!(
            "odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:{operator} ; odrl:rightOperand {right} ]"
        );
        let case = format!("{operator} {right} at {}", ask.now);
        assert_eq!(
            permission(&constraint).decide(&ask).is_ok(),
            permits,
            "permission {case}"
        );
        assert_eq!(
            prohibition(&constraint).decide(&ask).is_ok(),
            spares,
            "prohibition {case}"
        );
    }
}

#[test]
fn all_constraints_count_not_only_the_first() {
    let set = permission(
        "odrl:constraint
           [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand tl:EmergencyResponse ] ,
           [ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand tl:Steward ]",
    );
    let (purpose, roles) = (Some(tl("EmergencyResponse")), vec![tl("Steward")]);
    for (purpose, roles, expected) in [
        (purpose.clone(), roles.clone(), true),
        (purpose, Vec::new(), false),
        (None, roles, false),
    ] {
        let ask = Ask {
            purpose,
            roles,
            ..ask()
        };
        assert_eq!(set.decide(&ask).is_ok(), expected, "{ask:?}");
    }
}

#[test]
fn logical_constraints() {
    let yes = "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand tl:EmergencyResponse ]";
    let no = "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand tl:UrbanPlanning ]";
    let unknown =
        "[ odrl:leftOperand tl:role ; odrl:operator odrl:eq ; odrl:rightOperand tl:Steward ]";
    for (logical, permits, spares) in [
        (format!("odrl:and ({yes} {yes})"), true, false),
        (format!("odrl:and {yes}, {no}"), false, true),
        (format!("odrl:and ({yes} {unknown})"), false, false),
        (format!("odrl:and ({no} {unknown})"), false, true),
        (format!("odrl:or ({no} {yes})"), true, false),
        (format!("odrl:or {no}, {unknown}"), false, false),
        (format!("odrl:or ({yes} {unknown})"), true, false),
        (format!("odrl:xone ({yes} {no})"), true, false),
        (format!("odrl:xone ({yes} {yes})"), false, true),
        (format!("odrl:xone ({yes} {unknown})"), false, false),
        (format!("odrl:xone ({yes} {yes} {unknown})"), false, true),
        (
            format!("odrl:and ([ odrl:or ({no} {yes}) ] [ odrl:xone ({yes} {no}) ])"),
            true,
            false,
        ),
    ] {
        let constraint = format!("odrl:constraint [ {logical} ]");
        let ask = ask_for(tl("EmergencyResponse"));
        assert_eq!(
            permission(&constraint).decide(&ask).is_ok(),
            permits,
            "permission {logical}"
        );
        assert_eq!(
            prohibition(&constraint).decide(&ask).is_ok(),
            spares,
            "prohibition {logical}"
        );
    }
}
