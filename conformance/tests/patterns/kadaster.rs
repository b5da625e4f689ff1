//! Properties, regions, directions, numbers only.

use crate::city::{City, State, ask, by, part};

/// Persons, without the number that identifies them.
#[test]
fn kadaster_vertical() {
    let city = City::under(&format!(
        "odrl:permission [ odrl:action odrl:read ; odrl:target :twin ] ;
         odrl:prohibition [ odrl:action odrl:read ; odrl:target {} ]",
        part(&[by("tl:property", "isAnyOf", "(:number :income)")])
    ));
    let rows = |query: &str| city.rows(&ask(), &State::default(), query).unwrap();
    assert_eq!(rows("SELECT ?n { :jan :name ?n }"), ["\"Jan\""]);
    for query in [
        "SELECT * { :jan :number ?n }",
        "SELECT * { ?p :number '111' }",
        "SELECT * { ?p ?q '111' }",
        "SELECT * { ?p :name ?n FILTER EXISTS { ?p :income ?i } }",
        "SELECT * { ?p (:number|:income)/^(:number|:income) ?q }",
    ] {
        assert!(rows(query).is_empty(), "{query}");
    }
    assert_eq!(rows("SELECT (COUNT(*) AS ?n) { ?p :income ?i }"), ["0"]);
}

/// The parcels of one region, with all about them, and no others.
#[test]
fn kadaster_horizontal() {
    let city = City::under(&format!(
        "odrl:permission [ odrl:action odrl:read ; odrl:target {} ]",
        part(&[by(
            "tl:pattern",
            "eq",
            "\"{ ?this <http://e/region> <http://e/south> }\""
        )])
    ));
    let rows = |query: &str| city.rows(&ask(), &State::default(), query).unwrap();
    assert_eq!(
        rows("SELECT ?p ?o { ?p :owner ?o }"),
        [":parcel2 :jan", ":parcel3 :els"]
    );
    assert_eq!(rows("SELECT (SUM(?s) AS ?n) { ?p :size ?s }"), ["175"]);
    assert!(rows("SELECT * { :parcel1 ?p ?o }").is_empty());
    assert!(rows("SELECT * { ?p :region :north }").is_empty());
    assert!(rows("SELECT * { ?p a :Person }").is_empty());
}

/// Who owns a parcel may be asked, which parcels someone owns may not; nor may all be listed.
#[test]
fn kadaster_direction() {
    let city = City::under(&format!(
        "odrl:permission [ odrl:action odrl:read ; odrl:target {} ] , [ odrl:action odrl:read ; odrl:target {} ]",
        part(&[by("tl:property", "eq", "rdf:type")]),
        part(&[
            by("tl:property", "eq", ":owner"),
            by("tl:named", "eq", "tl:Subject")
        ])
    ));
    let rows = |query: &str| city.rows(&ask(), &State::default(), query).unwrap();
    assert_eq!(rows("SELECT ?o { :parcel1 :owner ?o }"), [":jan"]);
    assert_eq!(
        rows("SELECT ?o { VALUES ?p { :parcel2 :parcel3 } ?p :owner ?o }"),
        [":els", ":jan"]
    );
    for query in [
        "SELECT * { ?p :owner :jan }",
        "SELECT * { :jan ^:owner ?p }",
        "SELECT * { ?p :owner ?o }",
        "SELECT * { ?p a :Parcel ; :owner ?o }",
        "SELECT * { ?p :owner ?o FILTER(?o = :jan) }",
    ] {
        assert!(rows(query).is_empty(), "{query}");
    }
    // Naming one parcel opens that one only.
    assert_eq!(
        rows("SELECT ?p { :parcel1 :owner ?o . ?p :owner ?o }"),
        [":parcel1"]
    );
    // Whoever names many names none: a list of all parcels is no question about a parcel.
    let many: String = (1..=17).map(|number| format!(":parcel{number} ")).collect();
    let listed = format!("SELECT * {{ VALUES ?p {{ {many} }} ?p :owner ?o }}");
    assert!(rows(&listed).is_empty());
}

/// How many persons live in a district and what they earn on average, of three or more; nothing of anybody.
#[test]
fn kadaster_aggregate() {
    let city = City::under(&format!(
        "odrl:permission [ odrl:action odrl:aggregate ; odrl:target {} ]",
        part(&[
            by("tl:class", "eq", ":Person"),
            by("tl:dimension", "eq", ":district"),
            by("tl:measure", "eq", ":income"),
            by("tl:measureKind", "eq", "tl:average"),
            by("tl:minimumGroupSize", "gteq", "3"),
        ])
    ));
    let rows = |query: &str| city.rows(&ask(), &State::default(), query).unwrap();
    // West has two and south one, three together: neither can be told from a total.
    assert_eq!(
        rows("SELECT ?d ?n ?a { ?o :district ?d ; tl:count ?n ; tl:average ?a }"),
        [":oost 3 30"]
    );
    assert_eq!(rows("SELECT (SUM(?n) AS ?t) { ?o tl:count ?n }"), ["3"]);
    for query in [
        "SELECT * { ?p a :Person }",
        "SELECT * { ?p :income ?i }",
        "SELECT * { ?p :name ?n }",
        "SELECT * { :jan ?p ?o }",
        "SELECT * { ?o :district :west }",
    ] {
        assert!(rows(query).is_empty(), "{query}");
    }
}
