//! What `check` tells the publisher.

use crate::support::{PREFIXES, dataset};
use twinlink_policy::{Finding, RdfFormat, check};

fn checked(text: &str) -> Vec<String> {
    let text = format!("{PREFIXES}{text}");
    check(&text, RdfFormat::Turtle, None, Some(&dataset()))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn policies_rules_warnings_and_errors_are_listed() {
    let lines = checked(
        "ex:a a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:permission [ odrl:action odrl:read ;
            odrl:target [ odrl:source ex:twin ; odrl:refinement [ odrl:leftOperand tl:class ; odrl:operator odrl:eq ;
              odrl:rightOperand tl:School ], [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand tl:DefaultGraph ] ] ;
            odrl:constraint [ odrl:or (
              [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:isA ; odrl:rightOperand tl:EmergencyResponse ]
              [ odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"2027-01-01T00:00:00\"^^xsd:dateTime ] ) ] ] .
         ex:b a odrl:Offer ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:elsewhere ; odrl:assignee ex:fire ] .
         ex:c a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ; odrl:duty ex:d ] .",
    );
    let expected = [
        "set <http://example.org/a> sha256:",
        "  permission 1: anyone may odrl:read the statements about instances of tl:School in the default graph of \
         <http://example.org/twin>, if any of (the purpose is a kind of tl:EmergencyResponse; the time is before 2027-01-01T00:00:00)",
        "  warning: policy <http://example.org/a>, permission 1: it names no assignee",
        "  warning: policy <http://example.org/a>, permission 1: a time without time zone",
        "offer <http://example.org/b> sha256:",
        "  warning: policy <http://example.org/b> is an offer",
        "  permission 1: <http://example.org/fire> may odrl:read all of <http://example.org/elsewhere>",
        "error: policy <http://example.org/c>, permission 1: nothing is said about duty <http://example.org/d>",
        "error: policy <http://example.org/b>, permission 1: unknown target <http://example.org/elsewhere>",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\nnot: {expected}");
    }
}

#[test]
fn terms_of_ours_that_are_none_are_warned_of() {
    for (left, name, is_term) in [
        ("odrl:purpose", "tl:EmergencyResponse", true),
        ("odrl:purpose", "tl:EmergencyRespons", false),
        ("odrl:purpose", "ex:Anything", true),
        ("tl:role", "tl:RescueOficer", false),
        (
            "tl:clearance",
            "<https://w3id.org/twinlink/nl#TLP-AMBER>",
            true,
        ),
        (
            "tl:clearance",
            "<https://w3id.org/twinlink/nl#TLP-AMBR>",
            false,
        ),
    ] {
        let text = crate::support::constraint(&format!(
            "odrl:leftOperand {left} ; odrl:operator odrl:eq ; odrl:rightOperand {name}"
        ));
        let findings = check(&format!("{PREFIXES}{text}"), RdfFormat::Turtle, None, None);
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        let is_warned = lines
            .iter()
            .any(|line| line.contains("look how it is spelt"));
        assert_eq!(is_warned, !is_term, "{lines:#?}");
    }
}

#[test]
fn errors_are_told_from_the_rest() {
    let findings = check("", RdfFormat::Turtle, None, None);
    assert!(matches!(findings[..], [Finding::Error(_)]));
    assert!(findings[0].is_error());
}
