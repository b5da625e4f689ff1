//! Comparing policies: what depends on shapes, patterns and transforms is told only where it is sure.

use crate::support::{PREFIXES, PROFILE, set};
use twinlink_policy::analyse::comparison::{Answer, changes, equivalent, extent, within};
use twinlink_policy::{Guard, PolicySet, RdfFormat, Selector, check};

fn by(operand: &str, value: &str) -> String {
    format!("[ odrl:leftOperand tl:{operand} ; odrl:operator odrl:eq ; odrl:rightOperand {value} ]")
}

fn text(refinements: &str, more: &str) -> String {
    format!(
        "odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ; odrl:refinement {refinements} ] ; {more} ]"
    )
}

fn policy(rules: &str) -> PolicySet {
    set(&format!("ex:p a odrl:Set ; {PROFILE} ; {rules} ."))
}

#[test]
fn equal_patterns_cover_each_other_and_others_cannot_be_told() {
    let has = |property: &str| {
        by(
            "pattern",
            &format!("'{{ ?this <http://example.org/{property}> ?x }}'"),
        )
    };
    let all = policy(&text(&by("property", "ex:a"), ""));
    let p = policy(&text(
        &format!("{} , {}", by("property", "ex:a"), has("p")),
        "",
    ));
    let q = policy(&text(
        &format!("{} , {}", by("property", "ex:a"), has("q")),
        "",
    ));
    let elsewhere = policy(&text(&by("property", "ex:b"), ""));
    assert_eq!(within(&p, &p), Answer::Yes);
    assert_eq!(within(&p, &all), Answer::Yes);
    assert_eq!(within(&p, &q), Answer::Unknown);
    assert_eq!(within(&all, &p), Answer::Unknown);
    assert!(matches!(within(&elsewhere, &p), Answer::No(_)));
    assert_eq!(equivalent(&p, &q), Answer::Unknown);
    let gained = changes(&p, &q);
    assert_eq!(gained.len(), 2);
    assert!(gained.iter().all(|change| change.example.is_none()));
}

#[test]
fn what_is_changed_or_late_is_less_than_the_same_as_it_is() {
    let about = by("property", "ex:a");
    let raw = policy(&text(&about, ""));
    let masked = policy(&text(&about, "odrl:duty [ odrl:action tl:mask ]"));
    let left_out = policy(&text(&about, "odrl:duty [ odrl:action tl:suppress ]"));
    assert_eq!(within(&masked, &raw), Answer::Yes);
    assert_eq!(within(&masked, &masked), Answer::Yes);
    assert_ne!(within(&raw, &masked), Answer::Yes);
    assert_ne!(within(&masked, &left_out), Answer::Yes);
    let guard: Guard = masked
        .decide(&crate::support::ask())
        .unwrap()
        .guard()
        .clone();
    let shown = extent(&guard, &Selector::default());
    assert_eq!(format!("{shown:?}"), "Part");
}

#[test]
fn rules_that_undo_one_another_are_warned_of() {
    let warned = |rules: &str, part: &str| {
        let text = format!("{PREFIXES} ex:p a odrl:Set ; {PROFILE} ; {rules} .");
        let findings = check(&text, RdfFormat::Turtle, None, None);
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.iter().all(|line| !line.starts_with("error")),
            "{lines:#?}"
        );
        lines
            .iter()
            .any(|line| line.contains("warning") && line.contains(part))
    };
    let about = by("property", "ex:a");
    let masked = text(&about, "odrl:duty [ odrl:action tl:mask ]");
    let raw = "shows the same as it is";
    assert!(warned(&format!("{masked} ; {}", text(&about, "")), raw));
    assert!(warned(
        &format!("{masked} ; odrl:permission [ odrl:action odrl:use ; odrl:target ex:twin ]"),
        raw
    ));
    assert!(!warned(
        &format!("{masked} ; {}", text(&about, "odrl:assignee ex:fire")),
        raw
    ));
    assert!(!warned(
        &format!("{masked} ; {}", text(&by("property", "ex:b"), "")),
        raw
    ));
    let statistic = |dimension: &str| {
        format!(
            "odrl:permission [ odrl:action odrl:aggregate ; odrl:target [ odrl:source ex:twin ; odrl:refinement {} , {} ,
               [ odrl:leftOperand tl:minimumGroupSize ; odrl:operator odrl:gteq ; odrl:rightOperand 10 ] ] ]",
            by("class", "ex:House"),
            by("dimension", dimension),
        )
    };
    assert!(warned(
        &format!("{} ; {}", statistic("ex:a"), statistic("ex:b")),
        "can be taken from the other"
    ));
    assert!(!warned(&statistic("ex:a"), "can be taken from the other"));
    assert!(warned(&text(&by("named", "tl:Subject"), ""), "guess names"));
}
