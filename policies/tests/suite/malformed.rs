//! Known terms used in ways that have no meaning, and more of them than anyone needs.

use crate::support::{PROFILE, constraint, lines, refused, rule, turtle};
use twinlink_policy::{Policy, PolicyError, RdfFormat};

fn refinement(inside: &str) -> String {
    format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:source ex:twin ;
           odrl:refinement {inside} ] ] ."
    )
}

#[test]
fn malformed_constraints() {
    for (inside, part) in [
        ("odrl:operator odrl:eq ; odrl:rightOperand ex:a", "leftOperand> is missing"),
        ("odrl:leftOperand odrl:purpose ; odrl:rightOperand ex:a", "operator> is missing"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq", "rightOperand is missing"),
        ("odrl:leftOperand odrl:purpose, tl:role ; odrl:operator odrl:eq ; odrl:rightOperand ex:a", "more than one value"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq, odrl:neq ; odrl:rightOperand ex:a", "more than one value"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a, ex:b", "one right operand"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand \"emergency\"", "must be an IRI"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand []", "must be an IRI"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:isAnyOf ; odrl:rightOperand ()", "list is empty"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:isAnyOf ; odrl:rightOperand (ex:a), ex:b", "list and other values"),
        ("odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ; odrl:dataType xsd:string", "odrl:dataType"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"2026-13-01T00:00:00Z\"^^xsd:dateTime", "no xsd:dateTime"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"2026-01-01T00:00:00Z\"", "no xsd:dateTime"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand \"NaN\"^^xsd:double", "no xsd:dateTime"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:rightOperand ex:now", "not with <http://example.org/now>"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:lt ; odrl:dataType xsd:date ; odrl:rightOperand \"2026-01-01T00:00:00Z\"^^xsd:dateTime", "odrl:dataType says"),
        ("odrl:leftOperand odrl:dateTime ; odrl:operator odrl:isAnyOf ; odrl:rightOperand \"2026-01-01Z\"^^xsd:date", "odrl/2/isAnyOf"),
        ("odrl:and ()", "list is empty"),
        ("odrl:and ex:nothing", "leftOperand> is missing"),
        ("odrl:and \"true\"", "must be a node"),
        ("odrl:and ([ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]) ;
          odrl:or ([ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ])", "more than one of"),
        ("odrl:or ([ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]) ; odrl:leftOperand odrl:purpose", "odrl/2/leftOperand"),
    ] {
        refused(&constraint(inside), &["permission 1", part]);
    }
}

#[test]
fn malformed_lists() {
    let rdf = "@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .";
    let uses = constraint(
        "odrl:leftOperand odrl:purpose ; odrl:operator odrl:isAnyOf ; odrl:rightOperand _:l",
    );
    for (list, part) in [
        ("_:l rdf:first ex:a ; rdf:rest _:l .", "circle"),
        ("_:l rdf:first ex:a .", "rest> is missing"),
        ("_:l rdf:rest () .", "first> is missing"),
        (
            "_:l rdf:first ex:a, ex:b ; rdf:rest () .",
            "more than one value",
        ),
        (
            "_:l rdf:first ex:a ; rdf:rest (), (ex:b) .",
            "more than one value",
        ),
        (
            "_:l rdf:first ex:a ; rdf:rest () ; ex:note 1 .",
            "example.org/note",
        ),
        ("_:l rdf:first ex:a ; rdf:rest \"end\" .", "must be a node"),
    ] {
        refused(&format!("{rdf} {uses} {list}"), &[part]);
    }
}

#[test]
fn malformed_targets() {
    let graph = "[ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ]";
    for (inside, part) in [
        (
            format!(
                "{graph}, [ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:h ]"
            ),
            "two refinements",
        ),
        (
            "[ odrl:leftOperand tl:graph ; odrl:operator odrl:neq ; odrl:rightOperand ex:g ]"
                .to_owned(),
            "odrl/2/neq",
        ),
        (
            "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:g ]"
                .to_owned(),
            "odrl/2/purpose",
        ),
        (
            "[ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand \"g\" ]"
                .to_owned(),
            "must be an IRI",
        ),
        (
            "[ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ; odrl:rightOperand ex:g, ex:h ]"
                .to_owned(),
            "2 right operands",
        ),
        (
            "[ odrl:leftOperand tl:graph ; odrl:operator odrl:eq ]".to_owned(),
            "0 right operands",
        ),
        (format!("[ odrl:or ({graph} {graph}) ]"), "odrl/2/or"),
    ] {
        refused(&refinement(&inside), &["permission 1", part]);
    }
    let unsourced = format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:action odrl:read ; odrl:target [ odrl:refinement {graph} ] ] ."
    );
    refused(&unsourced, &["odrl:source is missing"]);
}

#[test]
fn bounds() {
    let long = format!("# {}", "x".repeat(1 << 20));
    let errors = Policy::parse(&long, RdfFormat::Turtle, None).unwrap_err();
    assert!(matches!(errors[..], [PolicyError::TooLarge { .. }]));

    let leaf = "[ odrl:leftOperand odrl:purpose ; odrl:operator odrl:eq ; odrl:rightOperand ex:a ]";
    let nested = |depth: usize| {
        let mut text = leaf.to_owned();
        for _ in 0..depth {
            text = format!("[ odrl:and ({text}) ]");
        }
        rule(&format!("odrl:constraint {text}"))
    };
    assert!(turtle(&nested(7)).is_ok());
    refused(&nested(8), &["more than 8 constraints inside one another"]);
    refused(
        &nested(2000),
        &["more than 8 constraints inside one another"],
    );

    refused(
        &format!(
            "{} ex:c odrl:and (ex:c {leaf}) .",
            rule("odrl:constraint ex:c")
        ),
        &["contains itself"],
    );

    let values = |count: usize| {
        let values: Vec<_> = (0..count).map(|i| format!("ex:v{i}")).collect();
        constraint(&format!(
            "odrl:leftOperand odrl:purpose ; odrl:operator odrl:isAnyOf ; odrl:rightOperand ({})",
            values.join(" ")
        ))
    };
    assert!(turtle(&values(256)).is_ok());
    refused(&values(257), &["more than 256 items in a list"]);

    let rules = |count: usize| {
        let rules: Vec<_> = (0..count)
            .map(|i| {
                format!("[ odrl:target ex:twin ; odrl:action odrl:read ; odrl:assignee ex:a{i} ]")
            })
            .collect();
        format!("ex:p a odrl:Set ; odrl:permission {} .", rules.join(", "))
    };
    assert!(turtle(&rules(1024)).is_ok());
    refused(&rules(1025), &["more than 1024 rules"]);

    // A graph small to write and large to walk: each level refers to the next twice.
    let mut wide = rule("odrl:constraint ex:c0");
    for level in 0..7 {
        let next: Vec<_> = (0..8)
            .map(|i| {
                format!(
                    "[ odrl:and (ex:c{} {leaf}) ; rdfs:label \"{i}\" ]",
                    level + 1
                )
            })
            .collect();
        wide += &format!(" ex:c{level} odrl:and {} .", next.join(", "));
    }
    wide += &format!(" ex:c7 odrl:and ({leaf}) .");
    refused(&wide, &["more than"]);
}

#[test]
fn syntax_errors_say_where() {
    refused("ex:p a odrl:Set", &["not valid Turtle"]);
    let errors = Policy::parse(
        "{\"@context\": \"https://www.w3.org/ns/odrl.jsonld\"}",
        json(),
        None,
    )
    .unwrap_err();
    assert!(
        lines(&errors).contains("is not fetched: write it into the document"),
        "{}",
        lines(&errors)
    );
    let errors = Policy::parse("<a> <b> <c> .", RdfFormat::TriG, None).unwrap_err();
    assert!(matches!(errors[..], [PolicyError::Format { .. }]));
    let errors = Policy::parse("", RdfFormat::Turtle, Some("no iri")).unwrap_err();
    assert!(lines(&errors).contains("base IRI <no iri>"));
}

fn json() -> RdfFormat {
    RdfFormat::from_media_type("application/ld+json").unwrap()
}

#[test]
fn deep_nesting_is_refused_without_overflow() {
    let turtle = format!(
        "<http://example.org/p> {}",
        "<http://example.org/q> [ ".repeat(40_000)
    );
    let json_ld = format!("{{\"@id\": {}", "[".repeat(1_000_000));
    let objects = "{\"http://example.org/q\":".repeat(40_000);
    for (text, format) in [
        (turtle.as_str(), RdfFormat::Turtle),
        (json_ld.as_str(), json()),
        (objects.as_str(), json()),
    ] {
        let errors = Policy::parse(text, format, None).unwrap_err();
        assert!(matches!(errors[..], [PolicyError::Syntax { .. }]));
    }
    let closed = format!(
        "ex:p a odrl:Set ; odrl:permission {} [] {} .",
        "[ odrl:constraint ".repeat(20_000),
        "]".repeat(20_000)
    );
    refused(&closed, &["policy <http://example.org/p>"]);
}
