//! Ways in which stores tell of what they show changed, or in numbers only; the list is that of `leaks.rs`.

use crate::support::{
    all, ask, budget, class, graph, insert, iri, property, quad, rows, store, update, update_as,
};
use oxrdf::{Literal, Quad};
use oxsdatatypes::Decimal;
use twinlink_core::policy::{Function, Guard, Part, Selector, Statistic, Step, Transformed};
use twinlink_core::{Change, Code};
use twinlink_store::{EvaluationOptions, TwinStore};

/// Persons with numbers that only masks, pseudonyms and rounded values may tell of.
pub(super) const PERSONS: &str = "
    :ann a :Person ; :number '1111' ; :age 31 ; :lives :here ; :knows :bob .
    :bob a :Person ; :number '2222' ; :age 44 ; :lives :here ; :knows :cem .
    :cem a :Person ; :number '3333' ; :age 45 ; :lives :there .
    :here :name 'Here' . :there :name 'There' .";

fn options() -> EvaluationOptions {
    EvaluationOptions::default().with_pseudonym_key(&[7; 32])
}

pub(super) fn holding(data: &str) -> TwinStore {
    let twin = TwinStore::in_memory(options()).unwrap();
    update(&twin, &format!("INSERT DATA {{ {data} }}")).unwrap();
    twin
}

pub(super) fn of(selector: Selector, part: Part, function: Function) -> Transformed {
    Transformed {
        selector,
        steps: vec![Step { part, function }],
    }
}

pub(super) fn values(selector: Selector, function: Function) -> Transformed {
    of(selector, Part::Values(Vec::new()), function)
}

pub(super) fn mask() -> Function {
    Function::Mask("***".to_owned())
}

fn pseudonymise(recipient: &str, purpose: Option<&str>) -> Function {
    Function::Pseudonymise {
        recipient: iri(recipient),
        purpose: purpose.map(iri),
    }
}

/// Numbers are masked, ages rounded to tens; all else is open.
fn changed() -> Guard {
    let open = ["lives", "name", "knows"].map(property);
    let mut permits = open.to_vec();
    permits.push(Selector {
        property: Some(oxrdf::vocab::rdf::TYPE.into_owned()),
        ..Selector::default()
    });
    Guard::new(permits, Vec::new()).with_transformed(vec![
        values(property("number"), mask()),
        values(property("age"), Function::Round(Decimal::from(10))),
    ])
}

/// The twin that the caller should think there is.
const SHOWN: &str = "
    :ann a :Person ; :number '***' ; :age 30 ; :lives :here ; :knows :bob .
    :bob a :Person ; :number '***' ; :age 40 ; :lives :here ; :knows :cem .
    :cem a :Person ; :number '***' ; :age 50 ; :lives :there .
    :here :name 'Here' . :there :name 'There' .";

/// Asks the guarded twin, and one that only ever held what is shown.
fn tell_the_shown_only(queries: &[&str]) {
    let (twin, copy) = (holding(PERSONS), holding(SHOWN));
    let everything = Guard::everything();
    for query in queries {
        let expected = rows(&copy, &everything, query);
        assert_ne!(
            rows(&twin, &everything, query),
            expected,
            "no probe: {query}"
        );
        assert_eq!(rows(&twin, &changed(), query), expected, "{query}");
    }
}

#[test]
fn functions_see_masked_values_only() {
    tell_the_shown_only(&[
        "SELECT ?s (SHA256(STR(?o)) AS ?x) (STRLEN(?o) AS ?l) { ?s :number ?o }",
        "SELECT ?s { ?s :number ?o FILTER(sameTerm(?o, '1111')) }",
        "SELECT ?s { ?s :number ?o FILTER(STRSTARTS(STR(?o), '2')) }",
        "SELECT ?s { ?s :number ?o FILTER(?o IN ('1111', '2222')) }",
        "SELECT ?s { ?s :age ?o FILTER(?o = 31) }",
        "SELECT ?s ?t { ?s :number ?x . ?t :number ?x }",
        "SELECT (EXISTS { ?s :age 44 } AS ?x) {}",
        "SELECT ?s { ?s :age ?a FILTER NOT EXISTS { ?s :number '3333' } }",
        "SELECT ?s (?a + 1 AS ?b) { ?s :age ?a }",
        "CONSTRUCT { ?s :told ?o } WHERE { ?s :number ?o }",
        "DESCRIBE :ann",
    ]);
}

#[test]
fn sorts_and_pages_see_masked_values_only() {
    tell_the_shown_only(&[
        "SELECT ?s { ?s :number ?o } ORDER BY DESC(?o) ?s LIMIT 1",
        "SELECT ?o { ?s :number ?o } ORDER BY ?o LIMIT 1 OFFSET 1",
        "SELECT ?s ?a { ?s :age ?a } ORDER BY ?a LIMIT 2",
        "SELECT (MIN(?a) AS ?least) (SUM(?a) AS ?sum) { ?s :age ?a }",
        "SELECT ?a (COUNT(*) AS ?n) { ?s :age ?a } GROUP BY ?a",
        "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s :number ?o }",
    ]);
}

#[test]
fn lookups_by_the_original_value_find_nothing() {
    let twin = holding(PERSONS);
    for (original, shown) in [("'1111'", "'***'"), ("44", "40"), ("45", "50")] {
        for lookup in [
            "{ ?s ?p @ }",
            "{ :bob ?p @ }",
            "{ VALUES ?x { @ } ?s ?p ?x }",
        ] {
            let ask = |value: &str| {
                let query = format!("SELECT * {}", lookup.replace('@', value));
                rows(&twin, &changed(), &query)
            };
            assert!(ask(original).is_empty(), "{lookup} {original}");
            let is_of_bob = lookup.contains(":bob") && shown == "50";
            assert_eq!(ask(shown).is_empty(), is_of_bob, "{lookup} {shown}");
        }
    }
    let asked = rows(&twin, &changed(), "ASK { :ann :number '1111' }");
    assert_eq!(asked, ["false"]);
}

/// What stands for a person differs by recipient, by purpose and by connector, and is the same wherever it stands.
#[test]
fn pseudonyms_cannot_be_joined_across_recipients_and_purposes() {
    let twin = holding(PERSONS);
    let seen = |recipient: &str, purpose: Option<&str>| {
        let step = of(
            Selector::default(),
            Part::Instances(iri("Person")),
            pseudonymise(recipient, purpose),
        );
        let guard = Guard::default().with_transformed(vec![step]);
        let known = rows(&twin, &guard, "SELECT * { ?s :knows ?o . ?o :knows ?x }");
        assert_eq!(known.len(), 1, "joins hold");
        let none = rows(
            &twin,
            &guard,
            "SELECT * { { :ann ?p ?o } UNION { ?s ?p :ann } }",
        );
        assert!(none.is_empty());
        rows(&twin, &guard, "SELECT ?s { ?s :lives :here }")
    };
    let all = [
        seen("r1", None),
        seen("r2", None),
        seen("r1", Some("p1")),
        seen("r1", Some("p2")),
    ];
    for (place, one) in all.iter().enumerate() {
        assert_eq!(one.len(), 2);
        for other in &all[..place] {
            assert!(one.iter().all(|name| !other.contains(name)));
        }
    }
    assert_eq!(seen("r1", None), all[0]);
}

#[test]
fn without_a_secret_nothing_is_shown_under_a_pseudonym() {
    let keyless = store();
    let guard = Guard::everything()
        .with_transformed(vec![values(property("absent"), pseudonymise("r", None))]);
    // Even where there is nothing to name: else it would tell that there is something.
    for data in ["", ":a :absent 1"] {
        update(&keyless, &format!("INSERT DATA {{ {data} }}")).unwrap();
        let refusal = ask(&keyless, &guard, "SELECT * { ?s ?p ?o }").unwrap_err();
        assert_eq!(refusal.check(), "policy.pseudonym");
        let read = twin_read(&keyless, &guard, "INSERT { :x :y ?o } WHERE { ?s ?p ?o }");
        assert_eq!(read.unwrap_err().check(), "policy.pseudonym");
    }
    assert!(keyless.snapshot().quads(&guard, &budget()).is_err());
    assert!(keyless.snapshot().summary(&guard, &budget()).is_err());
}

pub(super) fn twin_read(
    twin: &TwinStore,
    read: &Guard,
    change: &str,
) -> Result<twinlink_core::Applied, twinlink_core::Refusal> {
    update_as(twin, Some(read), &Guard::everything(), change)
}

/// The caller sees a value that is nowhere: to change it is refused, and tells nothing of the one behind it.
#[test]
fn transformed_values_cannot_be_changed() {
    let twin = holding(PERSONS);
    let before = all(&twin);
    for change in [
        "DELETE DATA { :ann :number '***' }",
        "DELETE DATA { :bob :age 40 }",
        "DELETE { ?s :number ?n } WHERE { ?s :number ?n }",
        "DELETE { ?s :number ?n } INSERT { ?s :number '9' } WHERE { ?s :number ?n }",
        "CLEAR ALL",
    ] {
        let refusal = twin_read(&twin, &changed(), change).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Forbidden, "policy.transformed")
        );
        assert_eq!(all(&twin), before, "{change}");
    }
    // The original counts as absent: deleting it is doing nothing, as with a wrong guess.
    for guess in ["'1111'", "'1112'"] {
        let applied = twin_read(
            &twin,
            &changed(),
            &format!("DELETE DATA {{ :ann :number {guess} }}"),
        );
        assert_eq!(applied.unwrap().removed, 0);
    }
    // What is seen is there already; what is not seen counts as new, the original value too.
    let put = |data: &str| {
        let applied = twin_read(&twin, &changed(), &format!("INSERT DATA {{ {data} }}")).unwrap();
        (applied.inserted, applied.sequence)
    };
    let (_, sequence) = put(":ann :number '***'");
    assert_eq!(sequence, twin.snapshot().sequence());
    assert_eq!(put(":ann :number '1111'"), (0, sequence + 1));
    assert_eq!(put(":ann :number '1113'"), (0, sequence + 2));
    assert_eq!(put(":dan :lives :here"), (1, sequence + 3));
    assert_eq!(put(":dan :age 18"), (0, sequence + 4));
    assert_eq!(
        rows(&twin, &changed(), "SELECT ?a { :dan :age ?a }").len(),
        1
    );
}

/// The WHERE part of an update copies what is shown, and nothing else.
#[test]
fn updates_read_transformed_values() {
    let (twin, copy) = (holding(PERSONS), holding(SHOWN));
    let change = "INSERT { GRAPH :told { ?s ?p ?o } } WHERE { ?s ?p ?o }";
    twin_read(&twin, &changed(), change).unwrap();
    twin_read(&copy, &Guard::everything(), change).unwrap();
    let told = "SELECT * { GRAPH :told { ?s ?p ?o } }";
    let everything = Guard::everything();
    assert_eq!(
        rows(&twin, &everything, told),
        rows(&copy, &everything, told)
    );
}

/// What is forbidden is forbidden transformed too, and does not count.
#[test]
fn prohibitions_hold_for_transforms_and_statistics() {
    let twin = holding(PERSONS);
    let guard = Guard::new(Vec::new(), vec![class("Person")])
        .with_transformed(vec![values(Selector::default(), mask())])
        .with_statistics(vec![Statistic {
            name: iri("all"),
            selector: Selector::default(),
            dimensions: Vec::new(),
            measure: None,
            minimum: 2,
        }]);
    assert!(rows(&twin, &guard, "SELECT ?s { ?s a :Person }").is_empty());
    assert!(rows(&twin, &guard, "SELECT ?s { ?s :lives ?x }").is_empty());
    let counted = "SELECT (STR(?n) AS ?count) { ?x <https://w3id.org/twinlink/ns#count> ?n }";
    assert_eq!(rows(&twin, &guard, counted), ["\"2\""]);
}

/// More than may be kept in memory is refused, whatever is asked, and not shown in part.
#[test]
fn too_many_transformed_quads_are_refused() {
    let twin = TwinStore::in_memory(options().with_most_transformed(3)).unwrap();
    insert(
        &twin,
        (0..4)
            .map(|n| {
                Quad::new(
                    iri(&format!("s{n}")),
                    iri("p"),
                    Literal::from(n),
                    oxrdf::GraphName::DefaultGraph,
                )
            })
            .collect(),
    );
    let guard = Guard::default().with_transformed(vec![values(property("p"), mask())]);
    let refusal = ask(&twin, &guard, "ASK { :absent :p ?o }").unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Exhausted, "limits.transformed")
    );
    update(&twin, "DELETE DATA { :s0 :p 0 }").unwrap();
    assert_eq!(rows(&twin, &guard, "SELECT ?s { ?s :p '***' }").len(), 3);
}

/// Names of a graph that only transformed quads are in are seen, and of none else.
#[test]
fn graphs_of_transformed_quads_are_named() {
    let twin = holding("GRAPH :shown { :a :number '1' } GRAPH :dropped { :a :number :b }");
    let round = values(property("number"), Function::Round(Decimal::from(10)));
    let mask = values(graph("shown"), mask());
    let seen = |one: &Transformed| {
        let guard = Guard::default().with_transformed(vec![one.clone()]);
        let summary = twin.snapshot().summary(&guard, &budget()).unwrap();
        let named = rows(&twin, &guard, "SELECT ?g { GRAPH ?g { } }");
        assert_eq!(summary.graphs.len(), named.len());
        named
    };
    assert_eq!(seen(&mask), ["<http://e/shown>"]);
    assert!(seen(&round).is_empty());
}

/// The guard of a change shows what may be changed, and transforms nothing.
#[test]
fn transforms_permit_no_change() {
    let twin = holding(PERSONS);
    let modify = Guard::default().with_transformed(vec![values(Selector::default(), mask())]);
    let everything = Guard::everything();
    let insert = Change::Insert(vec![quad(1)]);
    let refusal = twin
        .apply(&insert, Some(&everything), &modify, &budget())
        .unwrap_err();
    assert_eq!(refusal.check(), "policy.modify");
}
