//! Kinds of policies, inheritance, conflict, the compact form, and what is refused.

use crate::support::{asking, case, refused};

#[test]
fn offers_are_not_evaluated() {
    let policy = |kind: &str| {
        format!(
            "ex:p a odrl:{kind} ; odrl:assigner ex:bob ; odrl:assignee ex:alice ; odrl:permission [ odrl:action odrl:read ] ."
        )
    };
    assert!(!case(&policy("Offer"), &asking(""), "").is_permitted());
    assert!(case(&policy("Offer"), &asking(""), "").report().is_empty());
    for kind in ["Set", "Agreement", "Policy"] {
        assert!(
            case(&policy(kind), &asking(""), "").is_permitted(),
            "{kind}"
        );
    }
}

#[test]
fn conflicts_are_decided_as_the_policy_says() {
    let policy = |conflict: &str| {
        format!(
            "ex:p a odrl:Set {conflict} ; odrl:permission ex:may ; odrl:prohibition ex:not .
             ex:may odrl:action odrl:use . ex:not odrl:action odrl:read ; odrl:target ex:x ."
        )
    };
    for (conflict, expected) in [
        ("", false),
        ("; odrl:conflict odrl:invalid", false),
        ("; odrl:conflict odrl:prohibit", false),
        ("; odrl:conflict odrl:perm", true),
    ] {
        let case = case(&policy(conflict), &asking(""), "");
        assert!(case.is_active("may") && case.is_active("not"));
        assert_eq!(case.is_permitted(), expected, "{conflict}");
    }
}

#[test]
fn a_prohibition_of_another_policy_wins() {
    let policies =
        "ex:p a odrl:Set ; odrl:conflict odrl:perm ; odrl:permission [ odrl:action odrl:use ] .
        ex:q a odrl:Set ; odrl:prohibition [ odrl:action odrl:read ] .";
    assert!(!case(policies, &asking(""), "").is_permitted());
}

#[test]
fn policies_inherit_rules() {
    let policies = |more: &str| {
        format!(
            "ex:child a odrl:Set ; odrl:inheritFrom ex:parent ; odrl:permission ex:may . ex:may odrl:action odrl:use .
             ex:parent a odrl:Offer ; odrl:prohibition ex:not {more} . ex:not odrl:action odrl:read ."
        )
    };
    assert!(!case(&policies(""), &asking(""), "").is_permitted());
    for (more, expected) in [
        ("; odrl:conflict odrl:perm", "have different odrl:conflict"),
        ("; odrl:inheritFrom ex:child", "inherits from itself"),
        ("; odrl:inheritFrom ex:elsewhere", "not at hand"),
    ] {
        let errors = refused(&policies(more));
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn policies_inherit_once_on_however_many_ways() {
    let mut policies = String::new();
    for layer in 0..12 {
        for one in 0..10 {
            policies +=
                &format!("ex:p{layer}-{one} a odrl:Set ; odrl:permission ex:r{layer}-{one} . ");
            policies += &format!("ex:r{layer}-{one} odrl:action odrl:read . ");
            for parent in (0..10).filter(|_| layer < 11) {
                policies += &format!(
                    "ex:p{layer}-{one} odrl:inheritFrom ex:p{}-{parent} . ",
                    layer + 1
                );
            }
        }
    }
    assert!(case(&policies, &asking(""), "").is_permitted());
}

#[test]
fn the_compact_form_is_for_all_rules() {
    let policy =
        "ex:p a odrl:Set ; odrl:target ex:x ; odrl:assignee ex:alice ; odrl:action odrl:read ;
        odrl:permission ex:rule . ex:rule a odrl:Permission .";
    assert!(case(policy, &asking(""), "").is_permitted());
    assert!(!case(&policy.replace("ex:alice", "ex:bob"), &asking(""), "").is_permitted());
    let twice = policy.replace("a odrl:Permission", "odrl:target ex:y");
    assert!(refused(&twice).contains("give it in one place"));
}

#[test]
fn what_is_not_understood_is_refused() {
    for (policy, expected) in [
        ("ex:p a odrl:Set ; odrl:profile ex:profile .", "a profile we do not know"),
        ("ex:p a odrl:Set ; ex:only-on-sundays true .", "only-on-sundays"),
        ("ex:p a odrl:Set ; odrl:constraint [] .", "odrl/2/constraint"),
        ("ex:p a odrl:Set ; odrl:conflict ex:whatever .", "odrl:conflict is"),
        ("ex:p a odrl:Set ; odrl:permission [ odrl:remedy [] ] .", "odrl/2/remedy"),
        ("ex:p a odrl:Set ; odrl:permission [ odrl:duty [] ] .", "has no odrl:action"),
        ("ex:p a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:constraint
            [ odrl:leftOperand odrl:purpose ; odrl:operator ex:near ; odrl:rightOperand ex:a ] ] .", "no operator"),
        ("ex:p a odrl:Set ; odrl:permission [ odrl:action [ odrl:refinement
            [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ] ] ] .", "without rdf:value"),
        ("ex:p a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:constraint
            [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a, ex:b ] ] .", "one right operand"),
        ("ex:p a odrl:Agreement ; odrl:permission [ odrl:action odrl:read ] .", "needs an odrl:assignee"),
        ("ex:a a ex:Thing .", "no policy"),
    ] {
        let errors = refused(policy);
        assert!(errors.contains(expected), "{policy}\n{errors}");
    }
}

#[test]
fn a_constraint_in_a_circle_is_refused() {
    let errors = refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:constraint ex:c ] . ex:c odrl:and ex:c .",
    );
    assert!(errors.contains("contains itself"), "{errors}");
}

#[test]
fn report_unknown_never_grants() {
    let policy = "ex:p a odrl:Set ; odrl:permission ex:may ; odrl:prohibition ex:not .
        ex:may odrl:action odrl:read ; odrl:constraint ex:c . ex:not odrl:action odrl:read ; odrl:constraint ex:c .
        ex:c odrl:leftOperand ex:weather ; odrl:operator odrl:eq ; odrl:rightOperand ex:fair .";
    let case = case(policy, &asking(""), "");
    assert!(!case.is_active("may"));
    assert!(case.is_active("not"));
}
