//! Shapes select the nodes that conform.

use crate::nodes::{both, data, selected};

const BY_SHAPE: &str =
    "[ odrl:leftOperand tl:shape ; odrl:operator odrl:eq ; odrl:rightOperand ex:shape ]";

fn twin() -> oxrdf::Dataset {
    data(
        "ex:Hospital rdfs:subClassOf ex:Building . ex:Building rdfs:subClassOf ex:Thing .
         ex:a a ex:Hospital ; ex:name \"A\" ; ex:beds 12 ; ex:near ex:b , ex:c ; ex:label \"een\"@nl , \"one\"@en .
         ex:b a ex:Building ; ex:name \"Bee\" , \"B\" ; ex:beds 3 ; ex:near ex:c ; ex:floors 3 ; ex:opened \"2020-01-01\"^^xsd:date .
         ex:c a ex:Tree ; ex:name \"Cee\" ; ex:beds \"many\" ; ex:label \"un\"@fr , \"deux\"@fr ; ex:floors 5 .
         ex:d ex:name ex:a ; ex:beds \"x\"^^xsd:integer ; ex:opened \"never\"^^xsd:date .",
    )
}

#[test]
fn each_component_selects_what_conforms() {
    let data = twin();
    for (shape, expected) in [
        ("", "Building Hospital a b c d"),
        ("sh:targetClass ex:Building", "a b"),
        ("sh:targetClass ex:Thing , ex:Tree", "a b c"),
        ("sh:targetNode ex:d , ex:absent", "absent d"),
        ("sh:targetSubjectsOf ex:near", "a b"),
        ("sh:targetObjectsOf ex:near", "b c"),
        ("sh:targetSubjectsOf ex:near ; sh:class ex:Hospital", "a"),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:near ; sh:class ex:Building ]",
            "b_ c d",
        ),
        (
            "sh:class ex:Building ; sh:property [ sh:path ex:beds ; sh:datatype xsd:integer ]",
            "a b",
        ),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:datatype xsd:integer ]",
            "a b",
        ),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:datatype xsd:string ]",
            "c",
        ),
        (
            "sh:targetSubjectsOf ex:opened ; sh:property [ sh:path ex:opened ; sh:datatype xsd:date ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:label ; sh:property [ sh:path ex:label ; sh:datatype <http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> ]",
            "a c",
        ),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:minInclusive 4 ]",
            "a",
        ),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:maxExclusive 12.0 ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:maxInclusive 12.0 ; sh:minExclusive 3 ]",
            "a",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:nodeKind sh:Literal ]",
            "a b c",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:nodeKind sh:BlankNodeOrIRI ]",
            "d",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:minLength 3 ]",
            "c d",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:maxLength 1 ]",
            "a",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:pattern \"^b\" ; sh:flags \"i\" ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:minCount 2 ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:name ; sh:maxCount 1 ]",
            "a c d",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:near ; sh:maxCount 0 ]",
            "c d",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:property [ sh:path ex:near ; sh:hasValue ex:b ]",
            "a",
        ),
        ("sh:hasValue ex:b", "b"),
        ("sh:in (ex:a ex:c ex:absent)", "a c"),
        (
            "sh:targetSubjectsOf ex:beds ; sh:property [ sh:path ex:beds ; sh:in (3 \"many\") ]",
            "b c",
        ),
        (
            "sh:targetSubjectsOf ex:label ; sh:property [ sh:path ex:label ; sh:languageIn (\"nl\" \"en\") ]",
            "a",
        ),
        (
            "sh:targetSubjectsOf ex:label ; sh:property [ sh:path ex:label ; sh:uniqueLang true ]",
            "a",
        ),
        (
            "sh:targetSubjectsOf ex:floors ; sh:property [ sh:path ex:floors ; sh:equals ex:beds ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:floors ; sh:property [ sh:path ex:floors ; sh:disjoint ex:beds ]",
            "c",
        ),
        (
            "sh:targetSubjectsOf ex:floors ; sh:property [ sh:path ex:floors ; sh:lessThanOrEquals ex:beds ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:floors ; sh:property [ sh:path ex:floors ; sh:lessThan ex:beds ]",
            "",
        ),
        (
            "sh:not [ sh:class ex:Thing ] ; sh:targetSubjectsOf ex:name",
            "c d",
        ),
        (
            "sh:or ([ sh:class ex:Tree ] [ sh:class ex:Hospital ])",
            "a c",
        ),
        (
            "sh:and ([ sh:class ex:Building ] [ sh:class ex:Hospital ])",
            "a",
        ),
        (
            "sh:xone ([ sh:class ex:Building ] [ sh:class ex:Hospital ] [ sh:class ex:Tree ])",
            "b c",
        ),
        (
            "sh:targetSubjectsOf ex:near ; sh:property [ sh:path ex:near ; sh:node [ sh:class ex:Tree ] ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:near ; sh:property [ sh:path ex:near ; sh:property [ sh:path ex:beds ; sh:datatype xsd:string ] ]",
            "b",
        ),
        (
            "sh:property [ sh:path [ sh:inversePath ex:near ] ; sh:minCount 2 ]",
            "c",
        ),
        (
            "sh:property [ sh:path ( ex:near ex:near ) ; sh:hasValue ex:c ]",
            "a",
        ),
        (
            "sh:property [ sh:path [ sh:oneOrMorePath ex:near ] ; sh:hasValue ex:c ]",
            "a b",
        ),
        (
            "sh:property [ sh:path [ sh:zeroOrMorePath ex:near ] ; sh:hasValue ex:c ]",
            "a b c",
        ),
        (
            "sh:property [ sh:path [ sh:zeroOrOnePath ex:near ] ; sh:hasValue ex:b ]",
            "a b",
        ),
        (
            "sh:property [ sh:path [ sh:alternativePath ( ex:beds ex:floors ) ] ; sh:hasValue 3 ]",
            "b",
        ),
        (
            "sh:targetSubjectsOf ex:name ; sh:closed true ; sh:ignoredProperties ( ex:opened ) ; sh:property [ sh:path ex:name ] , [ sh:path ex:beds ]",
            "d",
        ),
    ] {
        let expected = expected.replace("b_", "").trim().to_owned();
        both(
            BY_SHAPE,
            &format!("ex:shape a sh:NodeShape ; {shape} ."),
            &data,
            &expected,
        );
    }
}

/// The engine knows numbers and times by value: what was written is sure only where it is the one way to write it.
#[test]
fn what_the_engine_cannot_tell_falls_to_the_safe_side() {
    let data = data(
        "ex:a ex:p 7 . ex:b ex:p \"07\"^^xsd:integer . ex:c ex:p \"7\"^^xsd:int . ex:d ex:p 7.5 . ex:e ex:p \"7\" .",
    );
    for (component, permitted, prohibited) in [
        ("sh:datatype xsd:integer", "a", "a b c"),
        ("sh:not [ sh:datatype xsd:integer ]", "d e", "b c d e"),
        ("sh:maxLength 1", "a e", "a b c e"),
        ("sh:pattern \"^7$\"", "a e", "a b c e"),
        ("sh:pattern \"^0\"", "", "b c"),
        (
            "sh:xone ( [ sh:datatype xsd:integer ] [ sh:datatype xsd:string ] )",
            "a e",
            "a b c e",
        ),
    ] {
        let shape =
            format!("ex:shape a sh:NodeShape ; sh:property [ sh:path ex:p ; {component} ] .");
        let [left, right] = selected(BY_SHAPE, &shape, &data);
        assert_eq!(
            (left.as_str(), right.as_str()),
            (permitted, prohibited),
            "{component}"
        );
    }
}
