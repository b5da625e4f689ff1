//! Duties, obligations, consequences and remedies.

use crate::support::{Case, asking, case};
use twinlink_policy::report::Deontic;

const POLICY: &str = "ex:p a odrl:Set ; odrl:permission ex:rule .
    ex:rule odrl:action odrl:read ; odrl:target ex:x ; odrl:duty ex:pay .
    ex:pay odrl:action [ rdf:value odrl:compensate ; odrl:refinement
        [ odrl:leftOperand odrl:payAmount ; odrl:operator odrl:gteq ; odrl:rightOperand 5.00 ; odrl:unit ex:euro ] ] ;
      odrl:compensatedParty ex:bank ;
      odrl:constraint [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lteq ;
                        odrl:rightOperand \"2026-11-20T13:00:00Z\"^^xsd:dateTime ] ;
      odrl:consequence ex:fine . ex:fine odrl:action odrl:inform .";

const PAID: &str = "ex:payment odrl:action odrl:compensate ; odrl:assignee ex:alice ; odrl:compensatedParty ex:bank ;
    odrl:payAmount 5.00 ; odrl:unit ex:euro ; dcterms:issued \"2026-11-20T11:00:00Z\"^^xsd:dateTime .";

const INFORMED: &str = "ex:letter odrl:action odrl:inform ; odrl:assignee ex:alice ;
    dcterms:issued \"2026-11-20T11:30:00Z\"^^xsd:dateTime .";

fn with(state: &str) -> Case {
    case(POLICY, &asking(""), state)
}

fn report(rule: &str, state: &str) -> String {
    format!(
        "ex:report-{rule}-{state} a cr:DutyReport ; cr:rule ex:{rule} ; cr:deonticState cr:{state} . "
    )
}

#[test]
fn a_duty_comes_before_the_use() {
    assert!(!with("").is_active("rule"));
    assert!(with("").in_the_end().is_active("rule"));
    assert!(with(PAID).is_active("rule"));
}

#[test]
fn only_the_duty_itself_fulfils_it() {
    for other in [
        PAID.replace("5.00", "4.99"),
        PAID.replace("ex:euro", "ex:cent"),
        PAID.replace("ex:alice", "ex:bob"),
        PAID.replace("ex:bank", "ex:mob"),
        PAID.replace("odrl:compensate", "odrl:inform"),
        // Not yet.
        PAID.replace("11:00", "12:30"),
    ] {
        assert!(!with(&other).is_active("rule"), "{other}");
    }
}

#[test]
fn reports_of_earlier_evaluations_count() {
    assert!(with(&report("pay", "Fulfilled")).is_active("rule"));
    assert!(!with(&report("pay", "NonSet")).is_active("rule"));
    assert!(
        with(&report("pay", "NonSet"))
            .in_the_end()
            .is_active("rule")
    );
    let violated = with(&report("pay", "Violated")).in_the_end();
    assert!(!violated.is_active("rule"));
    assert!(violated.has_violation("rule"));
}

#[test]
fn a_report_about_a_rule_nobody_knows_can_only_withhold() {
    assert!(!with(&report("unheard", "Fulfilled")).is_active("rule"));
    assert!(
        !with(&report("unheard", "Violated"))
            .in_the_end()
            .is_active("rule")
    );
    assert!(with(&format!("{PAID}{}", report("unheard", "Violated"))).is_active("rule"));
}

#[test]
fn a_state_we_do_not_know_is_no_fulfilment() {
    assert!(
        !with(&report("pay", "Fulfilment"))
            .in_the_end()
            .is_active("rule")
    );
}

#[test]
fn after_the_deadline_only_the_consequence_makes_good() {
    let policy = POLICY.replace("13:00", "10:00");
    let late = |state: &str| case(&policy, &asking(""), state).in_the_end();
    assert!(!late("").is_active("rule"));
    assert!(!late(PAID).is_active("rule"));
    assert!(!late(INFORMED).is_active("rule"));
    assert!(late(&format!("{PAID}{INFORMED}")).is_active("rule"));
    assert!(late(&PAID.replace("11:00", "09:00")).is_active("rule"));
}

#[test]
fn a_duty_that_is_not_due_does_not_stand_in_the_way() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:rule .
        ex:rule odrl:action odrl:read ; odrl:duty [ odrl:action odrl:inform ; odrl:constraint
          [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:research ] ] .";
    let asked = |purpose: &str| {
        asking(&format!(
            "; odrl:constraint [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand {purpose} ]"
        ))
    };
    assert!(case(policy, &asked("ex:care"), "").is_active("rule"));
    assert!(!case(policy, &asked("ex:research"), "").is_active("rule"));
    assert!(!case(policy, &asking(""), "").is_active("rule"));
}

#[test]
fn obligations_are_due_whatever_is_asked() {
    let policy = "ex:p a odrl:Set ; odrl:obligation ex:must .
        ex:must odrl:assignee ex:alice ; odrl:action odrl:delete ; odrl:target ex:x ; odrl:constraint
          [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"2026-11-20T10:00:00Z\"^^xsd:dateTime ] .";
    let deleted = |time: &str, whose: &str| {
        format!(
            "ex:d odrl:action odrl:delete ; odrl:assignee ex:{whose} ; odrl:target ex:x ;
               dcterms:issued \"2026-11-20T{time}:00Z\"^^xsd:dateTime ."
        )
    };
    for (state, expected) in [
        (String::new(), Deontic::Violated),
        (deleted("09:00", "alice"), Deontic::Fulfilled),
        (deleted("09:00", "bob"), Deontic::Violated),
        (deleted("10:30", "alice"), Deontic::Violated),
    ] {
        let outcome = case(policy, &asking(""), &state);
        assert_eq!(outcome.deontic("must"), Some(expected), "{state}");
        assert!(!outcome.is_permitted());
    }
    let open = policy.replace("T10:00", "T14:00");
    assert_eq!(
        case(&open, &asking(""), "").deontic("must"),
        Some(Deontic::NonSet)
    );
}

#[test]
fn a_remedy_makes_a_broken_prohibition_good() {
    let policy = "ex:p a odrl:Set ; odrl:prohibition ex:not .
        ex:not odrl:assignee ex:alice ; odrl:action odrl:index ; odrl:target ex:x ; odrl:remedy ex:undo .
        ex:undo odrl:action odrl:anonymize .";
    let broken =
        "ex:b a cr:ProhibitionReport ; cr:rule ex:not ; cr:performanceState cr:Performed . ";
    let undone = "ex:u odrl:action odrl:anonymize ; odrl:assignee ex:alice ;
        dcterms:issued \"2026-11-20T11:00:00Z\"^^xsd:dateTime .";
    assert_eq!(case(policy, &asking(""), "").deontic("not"), None);
    assert_eq!(
        case(policy, &asking(""), broken).deontic("not"),
        Some(Deontic::Violated)
    );
    let made_good = case(policy, &asking(""), &format!("{broken}{undone}"));
    assert_eq!(made_good.deontic("not"), Some(Deontic::Fulfilled));
}
