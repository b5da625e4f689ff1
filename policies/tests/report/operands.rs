//! Left operands, right operands, units: what is known, and what is not.

use crate::support::{asking, case, graph, holds, prohibits, refused};
use twinlink_policy::report::Request;

#[test]
fn what_nobody_says_is_unknown() {
    for left in [
        "odrl:purpose",
        "odrl:count",
        "odrl:elapsedTime",
        "odrl:spatial",
        "ex:anything",
    ] {
        let constraint =
            format!("odrl:leftOperand {left} ; odrl:operator odrl:lteq ; odrl:rightOperand 5");
        assert!(!holds(&constraint, "", ""), "{left}");
        assert!(prohibits(&constraint, "", ""), "{left}");
    }
}

#[test]
fn the_time_is_that_of_the_state() {
    for (operator, right, expected) in [
        ("lt", "\"2026-11-20T12:00:00.001Z\"^^xsd:dateTime", true),
        ("eq", "\"2026-11-20T13:00:00+01:00\"^^xsd:dateTime", true),
        ("eq", "\"2026-11-20Z\"^^xsd:date", true),
        ("gt", "\"2026-11-20Z\"^^xsd:date", false),
        ("lt", "\"2027-01-01T00:00:00\"^^xsd:dateTime", false),
    ] {
        let constraint = format!(
            "odrl:leftOperand odrl:dateTime ; odrl:operator odrl:{operator} ; odrl:rightOperand {right}"
        );
        assert_eq!(holds(&constraint, "", ""), expected, "{constraint}");
    }
}

#[test]
fn two_times_are_no_time() {
    let constraint = "odrl:leftOperand odrl:dateTime ; odrl:operator odrl:gt ;
                      odrl:rightOperand \"2000-01-01T00:00:00Z\"^^xsd:dateTime";
    let other = "ex:other sotw:currentTime \"2027-01-01T00:00:00Z\"^^xsd:dateTime .";
    assert!(holds(constraint, "", ""));
    assert!(!holds(constraint, "", other));
}

#[test]
fn the_use_that_is_asked_for_counts() {
    let constraint = "odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperand 2";
    assert!(holds(constraint, "", "ex:rule odrl:count 0 ."));
    assert!(holds(constraint, "", "ex:rule odrl:count 1 ."));
    assert!(!holds(constraint, "", "ex:rule odrl:count 2 ."));
    let performed = |count: usize| -> String {
        (0..count)
            .map(|number| {
                format!("ex:r{number} a cr:PermissionReport ; cr:rule ex:rule ; cr:performanceState cr:Performed . ")
            })
            .collect()
    };
    assert!(holds(constraint, "", &performed(1)));
    assert!(!holds(constraint, "", &performed(2)));
}

#[test]
fn a_request_cannot_claim_what_the_state_must_say() {
    let asked = asking(
        "; odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:eq ; odrl:rightOperand 0 ]",
    );
    assert!(Request::read(&graph(&asked)).is_err());
}

#[test]
fn states_describe_features() {
    let constraint = "odrl:leftOperand odrl:elapsedTime ; odrl:operator odrl:lteq ;
                      odrl:rightOperand \"P30D\"^^xsd:duration";
    let elapsed = |time: &str| {
        format!(
            "ex:f sotw:describesFeature odrl:elapsedTime ; sotw:value \"{time}\"^^xsd:duration ."
        )
    };
    assert!(holds(constraint, "", &elapsed("P10D")));
    assert!(!holds(constraint, "", &elapsed("P31D")));
    // A month is 28 to 31 days.
    assert!(!holds(constraint, "", &elapsed("P1M")));
}

#[test]
fn events_are_before_and_after() {
    let constraint = |operator: &str| {
        format!(
            "odrl:leftOperand odrl:event ; odrl:operator odrl:{operator} ; odrl:rightOperand ex:fire"
        )
    };
    let fire = "ex:fire dcterms:issued \"2026-11-20T11:00:00Z\"^^xsd:dateTime .";
    assert!(holds(&constraint("gt"), "", fire));
    assert!(!holds(&constraint("lt"), "", fire));
    assert!(!holds(&constraint("lt"), "", ""));
    assert!(!holds(&constraint("gt"), "", ""));
}

#[test]
fn units_must_agree() {
    let constraint = "odrl:leftOperand odrl:resolution ; odrl:operator odrl:lteq ;
                      odrl:rightOperand 300 ; odrl:unit ex:dpi";
    let claim = |unit: &str| {
        format!(
            "; odrl:constraint [ odrl:leftOperand odrl:resolution ; odrl:operator odrl:eq ; odrl:rightOperand 200 {unit} ]"
        )
    };
    assert!(holds(constraint, &claim("; odrl:unit ex:dpi"), ""));
    assert!(!holds(constraint, &claim("; odrl:unit ex:dpcm"), ""));
    assert!(!holds(constraint, &claim(""), ""));
}

#[test]
fn a_reference_is_looked_up_in_the_state() {
    let constraint = "odrl:leftOperand odrl:resolution ; odrl:operator odrl:lteq ;
                      odrl:rightOperandReference ex:limit";
    let asked = "; odrl:constraint [ odrl:leftOperand odrl:resolution ; odrl:operator odrl:eq ; odrl:rightOperand 200 ]";
    assert!(holds(constraint, asked, "ex:limit rdf:value 300 ."));
    assert!(!holds(constraint, asked, "ex:limit rdf:value 100 ."));
    assert!(!holds(constraint, asked, ""));
}

#[test]
fn data_types_apply_to_plain_values() {
    let constraint = "odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
                      odrl:rightOperand \"2027-01-01T00:00:00Z\" ; odrl:dataType xsd:dateTime";
    assert!(holds(constraint, "", ""));
    let errors = refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ;
           odrl:rightOperand 5 ; odrl:dataType xsd:dateTime ] ] .",
    );
    assert!(errors.contains("dataType"), "{errors}");
}

#[test]
fn evaluation_requests_have_parameters() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:rule .
        ex:rule odrl:assignee ex:alice ; odrl:action odrl:use ; odrl:target ex:x ; odrl:constraint
          [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:research ] .";
    let request = |purpose: &str| {
        format!(
            "ex:request a sotw:EvaluationRequest ; sotw:evaluatedParty ex:alice ; sotw:evaluatedAction odrl:read ;
               sotw:evaluatedTarget ex:x ; sotw:requestParameter [ sotw:describesFeature odrl:purpose ; sotw:value {purpose} ] ."
        )
    };
    assert!(case(policy, &request("ex:research"), "").is_permitted());
    assert!(!case(policy, &request("ex:marketing"), "").is_permitted());
}
