//! Actions: what includes what, what implies what, and refinements.

use crate::support::case;

const SCAN: &str = "ex:scan odrl:includedIn odrl:reproduce ; odrl:implies odrl:distribute .";

fn active(rule: &str, action: &str, asked: &str, profile: &str) -> bool {
    let policy = format!(
        "ex:p a odrl:Set ; odrl:{rule} ex:rule . ex:rule odrl:target ex:x ; odrl:action {action} . {profile}"
    );
    let request = format!(
        "ex:request a odrl:Request ; odrl:permission [ odrl:action {asked} ; odrl:target ex:x ] ."
    );
    case(&policy, &request, "").is_active("rule")
}

#[test]
fn actions_include_others() {
    for (action, asked, permitted, prohibited) in [
        ("odrl:use", "odrl:read", true, true),
        ("odrl:use", "odrl:write", true, true),
        ("odrl:modify", "odrl:write", true, true),
        ("odrl:use", "odrl:extract", true, true),
        ("odrl:play", "odrl:display", true, true),
        // Who may do all may do what is prohibited.
        ("odrl:read", "odrl:use", false, true),
        ("odrl:read", "odrl:print", false, false),
        ("odrl:use", "odrl:sell", false, false),
    ] {
        assert_eq!(
            active("permission", action, asked, ""),
            permitted,
            "{action} {asked}"
        );
        assert_eq!(
            active("prohibition", action, asked, ""),
            prohibited,
            "{action} {asked}"
        );
    }
}

#[test]
fn a_profile_adds_actions() {
    assert!(active("permission", "odrl:use", "ex:scan", SCAN));
    assert!(!active("permission", "odrl:use", "ex:scan", ""));
}

#[test]
fn no_policy_redefines_the_vocabulary() {
    let profile = "odrl:sell odrl:includedIn odrl:use .";
    assert!(!active("permission", "odrl:use", "odrl:sell", profile));
}

#[test]
fn what_an_action_implies_must_not_be_prohibited() {
    assert!(active("prohibition", "odrl:distribute", "ex:scan", SCAN));
    assert!(!active("permission", "odrl:distribute", "ex:scan", SCAN));
}

#[test]
fn refinements_are_of_the_action() {
    let coarse = "[ rdf:value odrl:print ; odrl:refinement
        [ odrl:leftOperand odrl:resolution ; odrl:operator odrl:lteq ; odrl:rightOperand 1200 ] ]";
    let asked = |resolution: u16| {
        format!(
            "[ rdf:value odrl:print ; odrl:refinement
               [ odrl:leftOperand odrl:resolution ; odrl:operator odrl:eq ; odrl:rightOperand {resolution} ] ]"
        )
    };
    assert!(active("permission", coarse, &asked(600), ""));
    assert!(!active("permission", coarse, &asked(2400), ""));
    assert!(!active("permission", coarse, "odrl:print", ""));
    assert!(active("prohibition", coarse, "odrl:print", ""));
    assert!(!active("prohibition", coarse, &asked(2400), ""));
}
