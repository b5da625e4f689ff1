//! Constraints in units, and with what was before anything is on record.

use crate::stateful::{allows, left};
use crate::support::{ex, odrl, permission, refused, rule};
use crate::world::{State, stating, used};

fn with(operand: &str, operator: &str, right: &str, more: &str) -> String {
    left(operand, operator, right).replace(" ]", &format!(" ; {more} ]"))
}

#[test]
fn lengths_of_time_in_units() {
    for (number, unit) in [
        ("2", "<http://qudt.org/vocab/unit/HR>"),
        ("120.0", "<http://qudt.org/vocab/unit/MIN>"),
        ("7200", "<http://www.w3.org/2006/time#unitSecond>"),
        ("2", "\"h\""),
        ("2", "\"h\"^^<http://qudt.org/schema/qudt/UCUMcs>"),
    ] {
        let unit = format!("odrl:unit {unit}");
        let set = permission(&with("odrl:elapsedTime", "lteq", number, &unit));
        assert!(allows(&set, &used(1, Some(10), None)), "{number} {unit}");
        assert!(!allows(&set, &used(1, Some(9), None)), "{number} {unit}");
    }
    for (operand, right, more, why) in [
        ("odrl:elapsedTime", "2", "", "number and its odrl:unit"),
        (
            "odrl:elapsedTime",
            "2",
            "odrl:unit ex:fortnight",
            "http://example.org/fortnight> is not supported",
        ),
        (
            "odrl:elapsedTime",
            "2",
            "odrl:unit <http://qudt.org/vocab/unit/MO>",
            "units of time are",
        ),
        (
            "odrl:elapsedTime",
            "2",
            "odrl:unit \"fortnights\"",
            "no known unit",
        ),
        (
            "odrl:elapsedTime",
            "\"PT2H\"^^xsd:duration",
            "odrl:unit \"h\"",
            "says its units itself",
        ),
        ("odrl:count", "2", "odrl:unit \"h\"", "odrl/2/unit"),
        ("odrl:language", "ex:nl", "odrl:unit \"h\"", "odrl/2/unit"),
    ] {
        let constraint = match more {
            "" => left(operand, "lteq", right),
            more => with(
                operand,
                if operand == "odrl:language" {
                    "eq"
                } else {
                    "lteq"
                },
                right,
                more,
            ),
        };
        refused(&rule(&constraint), &[why]);
    }
}

/// `odrl:status`: what the left operand was before anything is on record of it.
#[test]
fn what_was_before_the_record() {
    for (operator, limit, status, before, expected) in [
        ("lteq", 5, 3, 1, true),
        ("lteq", 5, 3, 2, false),
        ("lteq", 2, 3, 0, false),
        ("eq", 2, 3, 0, false),
        ("gt", 5, 3, 2, true),
        ("gt", 5, 3, 1, false),
        ("gteq", 2, 3, 0, true),
        ("neq", 2, 3, 0, true),
    ] {
        let status = format!("odrl:status {status}");
        let set = permission(&with("odrl:count", operator, &limit.to_string(), &status));
        let case = format!("{operator} {limit} {status} after {before}");
        assert_eq!(allows(&set, &used(before, None, None)), expected, "{case}");
    }
    let set = permission(&with(
        "odrl:elapsedTime",
        "lteq",
        "2",
        "odrl:unit \"h\" ; odrl:status 1",
    ));
    assert!(allows(&set, &used(1, Some(11), None)));
    assert!(!allows(&set, &used(1, Some(10), None)));
    // What the token says is newer.
    let set = permission(&with("odrl:language", "eq", "ex:nl", "odrl:status ex:nl"));
    let language = |name| stating(odrl("language"), ex(name));
    assert!(allows(&set, &State::default()));
    assert!(!allows(&set, &language("fi")));
    let set = permission(&with("odrl:language", "eq", "ex:nl", "odrl:status ex:fi"));
    assert!(!allows(&set, &State::default()));
    assert!(allows(&set, &language("nl")));
    // A legal basis is the caller's to state, and what the request always says has no other value.
    for operand in ["tl:legalBasis", "odrl:recipient", "odrl:purpose"] {
        let constraint = with(operand, "eq", "ex:a", "odrl:status ex:a");
        refused(&rule(&constraint), &["odrl/2/status"]);
    }
}
