//! How answers leave: head first, in batches, with what could not be evaluated counted.

use crate::support::{
    Collected, ask, budget, insert, iri, parse, property, quad, rows, store, update, without,
};
use oxrdf::{NamedNode, Quad};
use twinlink_core::policy::Guard;
use twinlink_core::{Code, DatasetChoice, Head, Workbench};

#[test]
fn the_head_comes_first_and_the_first_batch_is_small() {
    let store = store();
    let quads = (0..2_000).map(|n| {
        Quad::new(
            iri(&n.to_string()),
            iri("p"),
            iri("o"),
            oxrdf::GraphName::DefaultGraph,
        )
    });
    insert(&store, quads.collect());
    let (collected, evaluated) =
        ask(&store, &Guard::everything(), "SELECT ?s { ?s ?p ?o }").unwrap();
    assert_eq!(evaluated.rows, 2_000);
    assert_eq!(evaluated.as_of, store.snapshot().time());
    assert_eq!(collected.batches, [32, 512, 512, 512, 432]);
    let (collected, evaluated) = ask(&store, &Guard::everything(), "ASK { ?s ?p ?o }").unwrap();
    assert_eq!(collected.head, Some(Head::Boolean(true)));
    assert_eq!(evaluated.rows, 1);
}

#[test]
fn the_protocol_chooses_the_dataset() {
    let store = store();
    update(
        &store,
        "INSERT DATA { :a :p 1 . GRAPH :g1 { :b :p 2 } GRAPH :g2 { :c :p 3 } }",
    )
    .unwrap();
    let choice = |default: &[&str], named: &[&str]| DatasetChoice {
        default_graphs: default.iter().map(|name| iri(name)).collect(),
        named_graphs: named.iter().map(|name| iri(name)).collect(),
    };
    let ask = |query: &str, choice: &DatasetChoice| {
        let mut collected = Collected::default();
        store
            .query(
                &parse(query),
                Some(choice),
                &Guard::everything(),
                &budget(),
                &mut collected,
            )
            .unwrap();
        collected.rows.sort();
        collected.rows
    };
    let query = "SELECT ?s FROM :g2 { ?s :p ?o }";
    assert_eq!(ask(query, &choice(&["g1"], &[])), ["<http://e/b>"]);
    assert_eq!(
        ask(query, &choice(&["g1", "g2"], &[])),
        ["<http://e/b>", "<http://e/c>"]
    );
    assert!(ask(query, &choice(&[], &["g1"])).is_empty());
    assert_eq!(
        ask("SELECT ?s { GRAPH ?g { ?s :p ?o } }", &choice(&[], &["g1"])),
        ["<http://e/b>"]
    );
}

#[test]
fn service_is_refused_everywhere() {
    let store = store();
    for query in [
        "SELECT * { SERVICE <http://x/> { ?s ?p ?o } }",
        "SELECT * { SERVICE SILENT <http://x/> { ?s ?p ?o } }",
        "SELECT * { ?s ?p ?o FILTER EXISTS { SERVICE <http://x/> { ?s ?p ?o } } }",
        "SELECT * { ?s ?p ?o } ORDER BY (EXISTS { SERVICE <http://x/> { ?s ?p ?o } })",
    ] {
        let refusal = ask(&store, &Guard::everything(), query).unwrap_err();
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Invalid, "sparql.service"),
            "{query}"
        );
    }
    let refusal = update(
        &store,
        "INSERT { ?s ?p ?o } WHERE { SERVICE <http://x/> { ?s ?p ?o } }",
    )
    .unwrap_err();
    assert_eq!(refusal.check(), "sparql.service");
}

#[test]
fn unknown_functions_are_the_askers_fault() {
    let refusal = ask(&store(), &Guard::everything(), "SELECT (:f(1) AS ?x) {}").unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Invalid, "sparql.function")
    );
}

#[test]
fn nothing_dropped_in_silence_geometries_are_counted_once_each() {
    let store = store();
    update(
        &store,
        r#"PREFIX geo: <http://www.opengis.net/ont/geosparql#> INSERT DATA {
            :in :at "POINT(1 1)"^^geo:wktLiteral . :out :at "POINT(9 9)"^^geo:wktLiteral .
            :rd :at "<http://www.opengis.net/def/crs/EPSG/0/28992> POINT(1 1)"^^geo:wktLiteral .
            :rd2 :at "<http://www.opengis.net/def/crs/EPSG/0/28992> POINT(1 1)"^^geo:wktLiteral .
            :plain :at "POINT(1 1)" . :broken :at "POINT(1"^^geo:wktLiteral .
        }"#,
    )
    .unwrap();
    let query = r#"PREFIX geo: <http://www.opengis.net/ont/geosparql#>
        PREFIX geof: <http://www.opengis.net/def/function/geosparql/>
        SELECT ?s { ?s :at ?at FILTER(geof:sfWithin(?at, "POLYGON((0 0,2 0,2 2,0 2,0 0))"^^geo:wktLiteral)) }"#;
    let (collected, evaluated) = ask(&store, &Guard::everything(), query).unwrap();
    assert_eq!(collected.rows, ["<http://e/in>"]);
    assert_eq!(evaluated.not_evaluable, 3);
    let (_, evaluated) = ask(&store, &without(&[property("at")]), query).unwrap();
    assert_eq!(evaluated.not_evaluable, 0);
}

#[test]
fn a_reader_keeps_its_snapshot() {
    let store = store();
    update(&store, "INSERT DATA { :a :p 1 }").unwrap();
    let before = store.snapshot();
    update(&store, "DELETE DATA { :a :p 1 } ; INSERT DATA { :b :p 2 }").unwrap();
    let quads = |snapshot: &twinlink_store::Snapshot| {
        snapshot
            .quads(&Guard::everything(), &budget())
            .unwrap()
            .map(|quad| quad.subject.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(quads(&before), ["<http://e/a>"]);
    assert_eq!(quads(&store.snapshot()), ["<http://e/b>"]);
    assert_eq!((before.sequence(), store.snapshot().sequence()), (1, 2));
    assert_eq!((before.len(), store.snapshot().len()), (1, 1));
}

#[test]
fn the_workbench_evaluates_over_just_its_quads() {
    let store = store();
    update(&store, "INSERT DATA { :a :p 1 }").unwrap();
    let quads = (0..100)
        .map(quad)
        .chain((0..100).map(quad))
        .collect::<Vec<_>>();
    let mut expected = quads.clone();
    expected.sort_by_key(ToString::to_string);
    expected.dedup();
    let expected = expected
        .iter()
        .filter(|quad| quad.graph_name.is_default_graph())
        .count();
    let mut collected = Collected::default();
    store
        .evaluate_over(
            quads,
            &parse("SELECT * { ?s ?p ?o }"),
            &budget(),
            &mut collected,
        )
        .unwrap();
    assert_eq!(collected.rows.len(), expected);
}

#[test]
fn terms_of_a_query_stay_out_of_the_twin() {
    let store = store();
    update(&store, "INSERT DATA { :a :p 1 }").unwrap();
    let bytes = store.snapshot().bytes();
    let query = "SELECT ?x (COUNT(*) AS ?n) { VALUES ?v { :q1 :q2 'made up' 1 } OPTIONAL { ?a :p ?v } BIND(CONCAT(STR(?v), 'x') AS ?x) } GROUP BY ?x";
    assert_eq!(rows(&store, &Guard::everything(), query).len(), 4);
    assert_eq!(store.snapshot().bytes(), bytes);
    let named = "SELECT * { VALUES ?g { :nowhere } GRAPH ?g { ?s ?p ?o } }";
    assert!(rows(&store, &Guard::everything(), named).is_empty());
    let _ = NamedNode::new("http://e/").unwrap();
}
