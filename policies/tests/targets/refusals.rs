//! What is not enforced is refused when it is published, with the term and the rule.

use crate::nodes::SHACL;
use crate::support::{PROFILE, lines, turtle};

fn refused(text: &str, part: &str) {
    let errors = match turtle(&format!("{SHACL}{text}")) {
        Ok(_) => panic!("published: {text}"),
        Err(errors) => lines(&errors),
    };
    assert!(errors.contains(part), "{text}\nsays: {errors}\nnot: {part}");
    assert!(
        errors.contains("permission 1") || errors.contains("prohibition 1"),
        "{text}\nnames no rule: {errors}"
    );
}

fn rule(kind: &str, inside: &str) -> String {
    format!("ex:p a odrl:Set ; {PROFILE} ; odrl:{kind} [ odrl:action odrl:read ; {inside} ] .")
}

fn target(refinement: &str) -> String {
    format!("odrl:target [ odrl:source ex:twin ; odrl:refinement {refinement} ]")
}

fn by(operand: &str, operator: &str, value: &str) -> String {
    format!(
        "[ odrl:leftOperand tl:{operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]"
    )
}

#[test]
fn shapes() {
    let of = |shape: &str| {
        let target = target(&by("shape", "eq", "ex:s"));
        format!(
            "{} ex:s a sh:NodeShape ; {shape} .",
            rule("permission", &target)
        )
    };
    for (shape, part) in [
        (
            "sh:sparql [ sh:select 'x' ]",
            "<http://www.w3.org/ns/shacl#sparql> is not supported",
        ),
        ("sh:deactivated true", "shacl#deactivated"),
        ("sh:qualifiedMinCount 1", "shacl#qualifiedMinCount"),
        (
            "sh:property [ sh:path ex:p ; sh:qualifiedValueShape [ sh:class ex:C ] ]",
            "shacl#qualifiedValueShape",
        ),
        ("a ex:Shape", "<http://example.org/Shape> is not supported"),
        ("sh:minCount 1", "shacl#minCount"),
        ("sh:path ex:p", "has a path"),
        ("sh:property [ sh:class ex:C ]", "has no sh:path"),
        (
            "sh:property [ sh:path ex:p ; sh:minCount 5 ]",
            "whole number up to 4",
        ),
        (
            "sh:property [ sh:path ex:p ; sh:maxCount -1 ]",
            "whole number up to 3",
        ),
        (
            "sh:property [ sh:path ex:p ; sh:minCount 1 , 2 ]",
            "more than one value",
        ),
        (
            "sh:property [ sh:path [ sh:inversePath ex:p ; sh:oneOrMorePath ex:p ] ]",
            "here are 2",
        ),
        ("sh:property [ sh:path [ ex:otherPath ex:p ] ]", "otherPath"),
        (
            "sh:property [ sh:path ex:p ; sh:pattern '(' ]",
            "does not compile",
        ),
        (
            "sh:property [ sh:path ex:p ; sh:pattern 'a' ; sh:flags 'z' ]",
            "sh:flags",
        ),
        ("sh:datatype xsd:int", "XMLSchema#int"),
        ("sh:nodeKind sh:Thing", "shacl#Thing"),
        ("sh:class [ ]", "must be an IRI"),
        ("sh:hasValue [ ]", "blank node"),
        ("sh:in ( ex:a [ ] )", "blank node"),
        ("sh:minInclusive ex:a", "must be a literal"),
        ("sh:node ex:s", "contains itself"),
        (
            "sh:node ex:t",
            "nothing is said about shape <http://example.org/t>",
        ),
        ("sh:node [ sh:targetClass ex:C ]", "shacl#targetClass"),
        (
            "sh:not [ sh:not [ sh:not [ sh:not [ sh:not [ sh:not [ sh:not [ sh:not [ sh:class ex:C ] ] ] ] ] ] ] ]",
            "more than 8 shapes inside one another",
        ),
        ("sh:xone ([ ] [ ])", "nothing is said about shape"),
        ("sh:closed 'maybe'", "true or false"),
    ] {
        refused(&of(shape), part);
    }
    let undescribed = rule("permission", &target(&by("shape", "eq", "ex:s")));
    refused(
        &undescribed,
        "nothing is said about shape <http://example.org/s>",
    );
    refused(
        &rule("permission", &target(&by("shape", "neq", "ex:s"))),
        "odrl:eq or odrl:isAnyOf",
    );
    let many = (0..70).map(|number| format!("sh:class ex:C{number}"));
    refused(
        &of(&many.collect::<Vec<_>>().join(" ; ")),
        "more than 64 conditions",
    );
    // Alternatives inside alternatives double at every level.
    let mut nested = "[ sh:class ex:C ]".to_owned();
    for _ in 0..6 {
        nested = format!(
            "[ sh:xone ( {nested} [ sh:class ex:D ] [ sh:class ex:E ] [ sh:class ex:F ] ) ]"
        );
    }
    refused(&of(&format!("sh:not {nested}")), "more than");
    // A shape that no rule reaches has no effect, and is not part of the hash.
    let alone = format!(
        "{} ex:s a sh:NodeShape .",
        rule("permission", "odrl:target ex:twin")
    );
    let errors = lines(&turtle(&format!("{SHACL}{alone}")).unwrap_err());
    assert!(
        errors.contains("no policy of the document says what it means"),
        "{errors}"
    );
}

#[test]
fn the_hash_covers_shapes() {
    let hash = |most: u32| {
        let target = target(&by("shape", "eq", "ex:s"));
        let text = format!(
            "{SHACL}{} ex:s a sh:NodeShape ; sh:property [ sh:path ( ex:p ex:q ) ; sh:maxInclusive {most} ] .",
            rule("permission", &target)
        );
        turtle(&text).unwrap()[0].hash().to_owned()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn patterns_areas_and_directions() {
    let patterns = [
        ("'{ ?this ex:p ?x }'", "no SPARQL"),
        ("'ASK { ?this ?p ?o }'", "SELECT"),
        ("'SELECT ?x { ?this ?p ?x }'", "?this"),
        ("'SELECT ?this FROM <http://a/> { ?this ?p ?x }'", "FROM"),
        ("'{ ?this ?p ?x OPTIONAL { ?x ?q ?y } }'", "OPTIONAL"),
        ("'{ ?this ?p ?x BIND(?x AS ?y) }'", "BIND"),
        ("'{ ?this ?p ?x } LIMIT 1'", "LIMIT"),
        ("'SELECT ?this { ?this ?p ?x } ORDER BY ?x'", "ORDER BY"),
        ("'SELECT ?this { ?this ?p ?x } GROUP BY ?this'", "GROUP BY"),
        (
            "'{ ?this ?p ?x { SELECT ?x { ?x ?q ?y } } }'",
            "a SELECT inside",
        ),
        ("'{ SERVICE <http://a/> { ?this ?p ?x } }'", "SERVICE"),
        ("'{ ?this ?p ?x FILTER(RAND() > 0.5) }'", "RAND"),
        ("'{ ?this ?p ?x FILTER(?x < NOW()) }'", "NOW"),
        ("'{ ?this ?p ?x FILTER(?x = UUID()) }'", "UUID"),
        ("'{ ?this ?p ?x FILTER(?x = BNODE()) }'", "BNODE"),
        ("'{ ?this ?p ?x FILTER(<http://a/f>(?x)) }'", "<http://a/f>"),
        ("'{ { ?this ?p ?x } UNION { ?x ?p ?y } }'", "without ?this"),
        ("'{ ?x ?p ?y MINUS { ?this ?p ?x } }'", "without ?this"),
        ("'{ ?this ?p ?__anonymous1 }'", "__anonymous"),
        ("'x'@en", "xsd:string"),
        ("ex:x", "is a text of SPARQL"),
    ];
    for (value, part) in patterns {
        refused(
            &rule("permission", &target(&by("pattern", "eq", value))),
            part,
        );
    }
    let long = format!("'{{ ?this ?p ?x }} #{}'", "x".repeat(9_000));
    let deep = format!(
        "'{{ ?this ?p ?x FILTER({}1{}) }}'",
        "(".repeat(40),
        ")".repeat(40)
    );
    let chain = format!("'{{ ?this ?p ?x FILTER({}true) }}'", "true||".repeat(500));
    for (value, part) in [(long, "bytes"), (deep, "brackets"), (chain, "operators")] {
        refused(
            &rule("permission", &target(&by("pattern", "eq", &value))),
            part,
        );
    }
    refused(
        &rule(
            "permission",
            &target(&by("area", "eq", "'POINT(1 1)'^^geo:wktLiteral")),
        ),
        "POLYGON",
    );
    refused(
        &rule(
            "permission",
            &target(&by("area", "eq", "'POLYGON((0 0,1 0,1 1,0 0))'")),
        ),
        "geo:wktLiteral",
    );
    for (kind, operator, value, part) in [
        ("permission", "neq", "tl:Subject", "odrl:eq in a permission"),
        (
            "prohibition",
            "eq",
            "tl:Subject",
            "odrl:neq in a prohibition",
        ),
        (
            "permission",
            "isAnyOf",
            "tl:Subject",
            "odrl:eq in a permission",
        ),
        ("permission", "eq", "ex:Subject", "tl:Subject or tl:Object"),
    ] {
        refused(&rule(kind, &target(&by("named", operator, value))), part);
    }
}

#[test]
fn transforms() {
    let duty = |action: &str, more: &str| format!("odrl:duty [ odrl:action {action} ; {more} ]");
    let with = |name: &str, refinements: &str| {
        duty(
            &format!("[ rdf:value tl:{name} ; odrl:refinement {refinements} ]"),
            "",
        )
    };
    let about = |refinement: &str| duty("tl:suppress", &target(refinement));
    let step = |number: &str| by("step", "eq", number);
    for (duties, part) in [
        (
            duty("tl:round", ""),
            "needs a refinement by <https://w3id.org/twinlink/ns#multiple>",
        ),
        (
            with("round", &by("multiple", "eq", "0")),
            "a number above 0",
        ),
        (with("round", &by("multiple", "gteq", "1")), "gteq"),
        (with("round", &by("cellSize", "eq", "1")), "cellSize"),
        (with("suppress", &by("step", "eq", "0")), "1 or more"),
        (
            with("truncate", &by("timeUnit", "eq", "ex:week")),
            "time:unitYear",
        ),
        (with("mask", &by("replacement", "eq", "ex:x")), "a literal"),
        (
            with("suppressSmallGroups", &by("minimumGroupSize", "gteq", "1")),
            "2 or more",
        ),
        (
            with("delay", &by("recordedBy", "eq", "ex:time")),
            "delayPeriod",
        ),
        (
            with(
                "delay",
                &format!(
                    "{} , [ odrl:leftOperand odrl:delayPeriod ; odrl:operator odrl:eq ; odrl:rightOperand 'P1M'^^xsd:duration ]",
                    by("recordedBy", "eq", "ex:time")
                ),
            ),
            "without years and months",
        ),
        (about(&by("graph", "eq", "ex:g")), "a transform is about"),
        (
            about(&format!(
                "{} , {}",
                by("property", "eq", "ex:p"),
                by("class", "eq", "ex:C")
            )),
            "more than one value",
        ),
        (
            duty("tl:suppress", "odrl:target ex:other"),
            "about the dataset of its rule",
        ),
        (duty("tl:suppress", "odrl:constraint [ ]"), "constraint"),
        (
            format!("{} ; {}", with("mask", &step("1")), duty("tl:suppress", "")),
            "none has one",
        ),
        (
            format!(
                "{} ; {}",
                with("mask", &step("1")),
                with("pseudonymise", &step("1"))
            ),
            "none has one",
        ),
        (
            format!(
                "{} ; {}",
                with("mask", &by("replacement", "eq", "'a'")),
                with("mask", &by("replacement", "eq", "'b'"))
            ),
            "may meet",
        ),
    ] {
        let text = format!(
            "@prefix rdf: <{}> . {}",
            "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
            rule("permission", &format!("odrl:target ex:twin ; {duties}"))
        );
        refused(&text, part);
    }
    for action in ["use", "modify", "delete"] {
        let text = format!(
            "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:action odrl:{action} ; odrl:target ex:twin ; {} ] .",
            duty("tl:mask", "")
        );
        refused(&text, "name odrl:read");
    }
    refused(
        &rule(
            "prohibition",
            &format!("odrl:target ex:twin ; {}", duty("tl:mask", "")),
        ),
        "",
    );
    let undeclared = format!(
        "ex:p a odrl:Set ; odrl:permission [ odrl:action odrl:read ; odrl:target ex:twin ; {} ] .",
        duty("tl:mask", "")
    );
    refused(&undeclared, "declare odrl:profile");
}

#[test]
fn statistics() {
    let minimum = by("minimumGroupSize", "gteq", "10");
    let text = |kind: &str, action: &str, refinements: &str| {
        format!(
            "ex:p a odrl:Set ; {PROFILE} ; odrl:{kind} [ odrl:action {action} ; {} ] .",
            target(refinements)
        )
    };
    for (kind, action, refinements, part) in [
        (
            "permission",
            "odrl:aggregate",
            by("dimension", "eq", "ex:p"),
            "needs a <https://w3id.org/twinlink/ns#minimumGroupSize>",
        ),
        (
            "permission",
            "odrl:aggregate",
            by("minimumGroupSize", "gteq", "1"),
            "2 or more",
        ),
        (
            "permission",
            "odrl:aggregate",
            by("minimumGroupSize", "eq", "10"),
            "eq> is not supported",
        ),
        (
            "permission",
            "odrl:aggregate",
            format!("{minimum} , {minimum}"),
            "two refinements",
        ),
        (
            "permission",
            "odrl:aggregate",
            format!("{minimum} , {}", by("measure", "eq", "ex:p")),
            "given together",
        ),
        (
            "permission",
            "odrl:aggregate",
            format!(
                "{minimum} , {} , {}",
                by("measure", "eq", "ex:p"),
                by("measureKind", "eq", "ex:median")
            ),
            "tl:sum or tl:average",
        ),
        (
            "permission",
            "odrl:aggregate",
            format!("{minimum} , {}", by("class", "isAnyOf", "ex:A , ex:B")),
            "one part",
        ),
        (
            "permission",
            "odrl:read",
            minimum.clone(),
            "permits odrl:aggregate",
        ),
        (
            "permission",
            "odrl:aggregate , odrl:read",
            minimum.clone(),
            "permits odrl:aggregate",
        ),
        (
            "prohibition",
            "odrl:aggregate",
            minimum.clone(),
            "prohibition is about data",
        ),
    ] {
        refused(&text(kind, action, &refinements), part);
    }
    let fragment = format!(
        "ex:p a odrl:Set ; {PROFILE} ; odrl:permission [ odrl:action odrl:aggregate ;
           odrl:target [ odrl:uid <http://example.org/a#b> ; odrl:source ex:twin ; odrl:refinement {minimum} ] ] ."
    );
    refused(&fragment, "fragment");
}
