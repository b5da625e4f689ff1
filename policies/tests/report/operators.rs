//! The twelve operators and the four ways to combine constraints.

use crate::support::{holds, prohibits, refused};

fn constraint(left: &str, operator: &str, right: &str) -> String {
    format!("odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand {right}")
}

fn purpose(value: &str) -> String {
    claim("odrl:purpose", value)
}

fn claim(left: &str, value: &str) -> String {
    format!(
        "; odrl:constraint [ odrl:leftOperand {left} ; odrl:operator odrl:eq ; odrl:rightOperand {value} ]"
    )
}

#[test]
fn numbers_are_compared_by_value() {
    for (operator, right, expected) in [
        ("eq", "5.0", true),
        ("eq", "6", false),
        ("neq", "6", true),
        ("neq", "5.0", false),
        ("lt", "6", true),
        ("lt", "5", false),
        ("lteq", "5", true),
        ("gt", "4.9", true),
        ("gt", "5", false),
        ("gteq", "5", true),
        ("gteq", "\"NaN\"^^xsd:double", false),
        ("lt", "\"six\"", false),
    ] {
        let constraint = constraint("odrl:resolution", operator, right);
        let outcome = holds(&constraint, &claim("odrl:resolution", "5"), "");
        assert_eq!(outcome, expected, "5 {operator} {right}");
    }
}

#[test]
fn sets_are_compared_by_members() {
    let two = format!("{} {}", purpose("ex:a"), purpose("ex:b"));
    for (operator, right, expected) in [
        ("isAnyOf", "ex:b, ex:c", true),
        ("isAnyOf", "ex:c, ex:d", false),
        ("isAllOf", "ex:a, ex:b", true),
        ("isAllOf", "ex:a, ex:c", false),
        ("isNoneOf", "ex:c, ex:d", true),
        ("isNoneOf", "ex:b, ex:c", false),
        ("isNoneOf", "(ex:c ex:d)", true),
        // Two purposes are not one: whether it is eq cannot be told.
        ("eq", "ex:a", false),
    ] {
        let outcome = holds(&constraint("odrl:purpose", operator, right), &two, "");
        assert_eq!(outcome, expected, "a and b {operator} {right}");
    }
}

#[test]
fn kinds_and_parts_come_from_the_state() {
    let state = "ex:cat a ex:Feline . ex:Feline rdfs:subClassOf ex:Animal . ex:stone a ex:Thing .
                 ex:street dcterms:isPartOf ex:district . ex:city dcterms:hasPart ex:district . ex:sea dcterms:isPartOf ex:world .";
    for (value, operator, right, grants, fires) in [
        ("ex:cat", "isA", "ex:Animal", true, true),
        ("ex:stone", "isA", "ex:Animal", false, false),
        ("ex:unheard", "isA", "ex:Animal", false, true),
        ("ex:street", "isPartOf", "ex:city", true, true),
        ("ex:sea", "isPartOf", "ex:city", false, false),
        ("ex:unheard", "isPartOf", "ex:city", false, true),
        ("ex:city", "hasPart", "ex:street", true, true),
        ("ex:city", "hasPart", "ex:sea", false, false),
    ] {
        let constraint = constraint("odrl:spatial", operator, right);
        let asked = claim("odrl:spatial", value);
        assert_eq!(
            holds(&constraint, &asked, state),
            grants,
            "{value} {operator} {right}"
        );
        assert_eq!(
            prohibits(&constraint, &asked, state),
            fires,
            "{value} {operator} {right}"
        );
    }
}

#[test]
fn purposes_have_the_standard_hierarchy() {
    let asked = purpose("tl:UrbanPlanning");
    assert!(holds(
        &constraint("odrl:purpose", "isA", "dpv:PublicBenefit"),
        &asked,
        ""
    ));
    assert!(!holds(
        &constraint("odrl:purpose", "isA", "tl:EmergencyResponse"),
        &asked,
        ""
    ));
}

#[test]
fn constraints_combine_in_three_valued_logic() {
    let (yes, no, unknown) = (
        "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]",
        "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:b ]",
        "[ odrl:leftOperand odrl:language ; odrl:operator odrl:eq ; odrl:rightOperand \"nl\" ]",
    );
    for (logic, parts, grants, fires) in [
        ("and", [yes, yes], true, true),
        ("and", [yes, unknown], false, true),
        ("and", [no, unknown], false, false),
        ("or", [no, yes], true, true),
        ("or", [unknown, yes], true, true),
        ("or", [unknown, no], false, true),
        ("or", [no, no], false, false),
        ("xone", [yes, no], true, true),
        ("xone", [yes, yes], false, false),
        ("xone", [yes, unknown], false, true),
        ("andSequence", [yes, yes], true, true),
        ("andSequence", [unknown, no], false, true),
        ("andSequence", [no, yes], false, false),
    ] {
        let [first, second] = parts;
        let constraint = format!("odrl:{logic} ( {first} {second} )");
        let asked = purpose("ex:a");
        assert_eq!(holds(&constraint, &asked, ""), grants, "{constraint}");
        assert_eq!(prohibits(&constraint, &asked, ""), fires, "{constraint}");
    }
}

#[test]
fn a_sequence_needs_an_order() {
    let errors = refused(
        "ex:p a odrl:Set ; odrl:permission [ odrl:constraint [ odrl:andSequence
           [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ] ,
           [ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:b ] ] ] .",
    );
    assert!(errors.contains("andSequence needs an RDF list"), "{errors}");
}
