//! Ways in which stores have told of what they hide, one test each: `connector/ARCHITECTURE.md` has the list.

mod asked;
mod changed;

use crate::support::{
    Collected, all, ask, budget, class, graph, parse, property, rows, store, update, update_as,
    visible, without,
};
use spargebra::SparqlParser;
use twinlink_core::policy::Guard;
use twinlink_core::{Change, Code};
use twinlink_store::TwinStore;

/// Everybody's statements.
const OPEN: &str = "
    :a :knows :b ; :name 'Ann' ; :age 30 . :b :knows :c ; :name 'Bob' .
    GRAPH :open { :a :near :b . :d :knows :a }";
/// What is hidden: a property, a graph, and all about persons.
const HIDDEN: &str = "
    :a :secret 7 , 'aaa' . :b :secret 9 . :c :secret :a .
    GRAPH :hidden { :a :near :c . :only :knows :a . :only :name 'Aaron' } GRAPH :open { :b :secret :only }
    :p a :Person ; :name 'Abe' ; :knows :a ; :age 99 .";

fn guard() -> Guard {
    without(&[property("secret"), graph("hidden"), class("Person")])
}

fn holding(data: &str) -> TwinStore {
    let store = store();
    update(&store, &format!("INSERT DATA {{ {data} }}")).unwrap();
    store
}

/// Asks the guarded twin, and one that never held what is hidden. Each query could tell them apart: without a guard it
/// does.
fn tell_nothing(queries: &[&str]) {
    let twin = holding(&format!("{OPEN} {HIDDEN}"));
    let copy = holding(OPEN);
    let everything = Guard::everything();
    for query in queries {
        let expected = rows(&copy, &everything, query);
        assert_ne!(
            rows(&twin, &everything, query),
            expected,
            "no probe: {query}"
        );
        assert_eq!(rows(&twin, &guard(), query), expected, "{query}");
    }
}

#[test]
fn aggregates_count_the_visible_only() {
    tell_nothing(&[
        "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
        "SELECT (COUNT(*) AS ?n) { ?s :secret ?o }",
        "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s :name ?o }",
        "SELECT (SUM(?o) AS ?n) (MIN(?o) AS ?m) (MAX(?o) AS ?x) (AVG(?o) AS ?a) { ?s ?p ?o FILTER(isNumeric(?o)) }",
        "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p HAVING(COUNT(*) > 2)",
        "SELECT (GROUP_CONCAT(?o) AS ?n) { :p :name ?o }",
        "SELECT (SAMPLE(?o) AS ?n) { :b :secret ?o }",
        "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }",
    ]);
}

#[test]
fn existence_is_that_of_the_visible() {
    tell_nothing(&[
        "ASK { :a :secret ?o }",
        "SELECT ?s { ?s :name ?o FILTER EXISTS { ?s :secret ?x } }",
        "SELECT ?s { ?s :name ?o FILTER NOT EXISTS { ?s :secret ?x } }",
        "SELECT ?s { ?s :name ?o MINUS { ?s :secret ?x } }",
        "SELECT * { ?s :name ?o OPTIONAL { ?s :secret ?x } }",
        "SELECT ?s (COALESCE(?x, 'none') AS ?y) { ?s :name ?o OPTIONAL { ?s :secret ?x } }",
        "SELECT (EXISTS { ?s a :Person } AS ?x) {}",
    ]);
}

#[test]
fn paths_walk_over_the_visible() {
    tell_nothing(&[
        "SELECT * { :p :knows+ ?o }",
        "SELECT * { ?s :knows* ?o }",
        "SELECT * { ?s :knows? ?o }",
        "SELECT * { :c (:secret|:knows)+ ?o }",
        "SELECT * { ?s !(:name|:age) ?o }",
        "SELECT * { ?s !(^:knows) ?o }",
        "SELECT * { ?s ^:secret/:name ?o }",
        "SELECT * { GRAPH ?g { ?s :knows* ?o } }",
    ]);
}

#[test]
fn hidden_graphs_are_as_graphs_that_are_not_there() {
    tell_nothing(&[
        "SELECT ?g { GRAPH ?g { } }",
        "SELECT ?g { GRAPH ?g { ?s ?p ?o } }",
        "ASK { GRAPH :hidden { } }",
        "ASK { GRAPH :hidden { ?s ?p ?o } }",
        "SELECT ?g { VALUES ?g { :open :hidden :absent } GRAPH ?g { } }",
    ]);
    // Of a graph that only hidden quads are in, not even the name is seen: there are no empty graphs.
    let twin = holding("GRAPH :g { :a :secret 1 }");
    assert!(rows(&twin, &guard(), "SELECT ?g { GRAPH ?g { } }").is_empty());
    assert!(
        twin.snapshot()
            .summary(&guard(), &budget())
            .unwrap()
            .graphs
            .is_empty()
    );
}

#[test]
fn from_opens_no_hidden_graph() {
    tell_nothing(&[
        "SELECT * FROM :hidden { ?s ?p ?o }",
        "SELECT (COUNT(*) AS ?n) FROM :open FROM :hidden { ?s ?p ?o }",
        "SELECT * FROM NAMED :hidden { GRAPH ?g { ?s ?p ?o } }",
        "SELECT * FROM :open FROM NAMED :hidden { ?s ?p ?o GRAPH ?g { ?x ?y ?o } }",
        "ASK FROM :open { ?s :secret ?o }",
    ]);
}

#[test]
fn descriptions_are_of_the_visible() {
    tell_nothing(&[
        "DESCRIBE :a",
        "DESCRIBE :p",
        "DESCRIBE ?s { ?s :name ?o }",
        "DESCRIBE :only FROM :hidden",
    ]);
}

#[test]
fn constructed_graphs_rest_on_the_visible() {
    tell_nothing(&[
        "CONSTRUCT { ?s :told ?o } WHERE { ?s :secret ?o }",
        "CONSTRUCT WHERE { ?s :name ?o }",
        "CONSTRUCT { ?s :told ?o } WHERE { GRAPH ?g { ?s :near ?o } }",
    ]);
}

/// Nothing of an answer leaves with a sub-request of the evaluator: there are none.
#[test]
fn no_binding_leaves_by_service() {
    let twin = holding(&format!("{OPEN} {HIDDEN}"));
    let query = "SELECT * { ?s :name ?o SERVICE SILENT <http://x/> { ?s ?p ?o } }";
    let refusal = ask(&twin, &guard(), query).unwrap_err();
    assert_eq!(refusal.check(), "sparql.service");
}

#[test]
fn functions_see_visible_values_only() {
    tell_nothing(&[
        "SELECT (SHA256(STR(?o)) AS ?x) { :a ?p ?o }",
        "SELECT ?s { ?s ?p ?o FILTER(sameTerm(?o, 7)) }",
        "SELECT ?s { ?s ?p ?o FILTER(STRSTARTS(STR(?o), 'A')) }",
        "SELECT (?x + 1 AS ?y) { :b :secret ?x }",
        "SELECT ?x { BIND(EXISTS { :a :secret 7 } AS ?x) }",
    ]);
}

/// Hidden rows take no place on a page.
#[test]
fn pages_are_of_the_visible() {
    tell_nothing(&[
        "SELECT ?o { ?s :name ?o } ORDER BY ?o LIMIT 1",
        "SELECT ?o { ?s :name ?o } ORDER BY ?o LIMIT 1 OFFSET 1",
        "SELECT ?o { ?s :age ?o } ORDER BY DESC(?o) LIMIT 1",
        "SELECT ?s { ?s :knows ?x OPTIONAL { ?s :secret ?o } } ORDER BY BOUND(?o) ?s LIMIT 1",
    ]);
}

/// There is no index of geometries beside the view, and no count of those that are hidden.
#[test]
fn spatial_functions_see_visible_geometries_only() {
    let at = |node: &str, text: &str| {
        format!("{node} :at \"{text}\"^^<http://www.opengis.net/ont/geosparql#wktLiteral> .")
    };
    let twin = holding(&format!(
        "{} {} {} :p a :Person .",
        at(":a", "POINT(1 1)"),
        at(":p", "POINT(1 1)"),
        at(":p", "POINT(broken"),
    ));
    let query = "PREFIX geof: <http://www.opengis.net/def/function/geosparql/> \
        SELECT ?s { ?s :at ?x . ?t :at ?y FILTER(geof:sfEquals(?x, ?y)) }";
    let (collected, evaluated) = ask(&twin, &guard(), query).unwrap();
    assert_eq!(collected.rows, ["<http://e/a>"]);
    assert_eq!(evaluated.not_evaluable, 0);
}

/// No statement is visible because a hidden one entails it.
#[test]
fn nothing_is_inferred() {
    let schema = "PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> ";
    let twin = store();
    let data = ":secret rdfs:subPropertyOf :open ; rdfs:range :Told . :a :secret :b .";
    let insert = format!("{schema} INSERT DATA {{ {data} }}");
    let change = Change::Update {
        update: format!("PREFIX : <http://e/> {insert}"),
        base: None,
        using: None,
    };
    let everything = Guard::everything();
    twin.apply(&change, Some(&everything), &everything, &budget())
        .unwrap();
    assert!(rows(&twin, &guard(), "SELECT * { ?s :open ?o }").is_empty());
    assert!(rows(&twin, &guard(), "SELECT * { ?s a ?o }").is_empty());
}

/// RDF 1.2's triple terms could quote hidden statements: there are none, in queries or in changes.
#[test]
fn triple_terms_are_refused() {
    let parser = SparqlParser::new;
    let quoted = "PREFIX : <http://e/> SELECT * { ?s :says <<( :a :secret ?o )>> }";
    assert!(parser().parse_query(quoted).is_err());
    assert!(
        parser()
            .parse_query("PREFIX : <http://e/> SELECT * { << :a :secret ?o >> ?p ?x }")
            .is_err()
    );
    let inserted = "INSERT DATA { :a :says <<( :a :secret 7 )>> }";
    assert_eq!(
        update(&store(), inserted).unwrap_err().check(),
        "sparql.syntax"
    );
}

#[test]
fn errors_are_the_same_for_the_hidden_and_the_absent() {
    let twin = holding(&format!("{OPEN} {HIDDEN}"));
    let modify = guard();
    let told = |change: &str| match update_as(&twin, Some(&guard()), &modify, change) {
        Ok(applied) => format!("{} {}", applied.inserted, applied.removed),
        Err(refusal) => format!(
            "{:?} {} {}",
            refusal.code(),
            refusal.check(),
            refusal.public()
        ),
    };
    for (hidden, absent) in [
        (
            "DELETE DATA { :a :secret 7 }",
            "DELETE DATA { :a :secret 8 }",
        ),
        (
            "INSERT DATA { :a :secret 7 }",
            "INSERT DATA { :a :secret 8 }",
        ),
        ("CLEAR GRAPH :hidden", "CLEAR GRAPH :absent"),
        ("DROP GRAPH :hidden", "DROP GRAPH :absent"),
        ("CREATE GRAPH :hidden", "CREATE GRAPH :absent"),
        ("COPY :hidden TO :copy", "COPY :absent TO :copy"),
        (
            "INSERT DATA { GRAPH :hidden { :a :near :c } }",
            "INSERT DATA { GRAPH :hidden { :a :near :d } }",
        ),
    ] {
        assert_eq!(told(hidden), told(absent), "{hidden}");
    }
    // A limit that only hidden quads would exceed is not exceeded.
    let mut few = Collected::default();
    let narrow = twinlink_core::Budget::new(budget().deadline(), 5);
    let everything = Guard::everything();
    let clear = Change::Update {
        update: "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }".to_owned(),
        base: None,
        using: None,
    };
    let refusal = twin
        .apply(&clear, Some(&everything), &everything, &narrow)
        .unwrap_err();
    assert_eq!(refusal.code(), Code::Exhausted);
    twin.apply(&clear, Some(&guard()), &everything, &narrow)
        .unwrap();
    let query = parse("SELECT * { ?s ?p ?o }");
    twin.query(&query, None, &guard(), &narrow, &mut few)
        .unwrap();
    assert!(few.rows.is_empty());
}

#[test]
fn statistics_are_of_the_visible() {
    let twin = holding(&format!("{OPEN} {HIDDEN}"));
    let copy = holding(OPEN);
    let everything = Guard::everything();
    assert_eq!(
        twin.snapshot().summary(&guard(), &budget()).unwrap(),
        copy.snapshot().summary(&everything, &budget()).unwrap()
    );
    assert_ne!(
        twin.snapshot().summary(&everything, &budget()).unwrap(),
        copy.snapshot().summary(&everything, &budget()).unwrap()
    );
    assert_eq!(visible(&twin, &guard()), all(&copy));
}

/// The oldest probe of all: write what may be there, and see whether anything happened.
#[test]
fn inserting_what_is_hidden_looks_like_inserting_what_is_new() {
    let twin = holding(&format!("{OPEN} {HIDDEN}"));
    let everything = Guard::everything();
    let mut last = twin.snapshot().sequence();
    for change in [
        "INSERT DATA { :a :secret 7 }",
        "INSERT DATA { :a :secret 8 }",
        "INSERT DATA { GRAPH :hidden { :a :near :c } }",
        "INSERT DATA { GRAPH :hidden { :a :near :d } }",
    ] {
        let applied = update_as(&twin, Some(&guard()), &everything, change).unwrap();
        let (inserted, removed) = (applied.inserted, applied.removed);
        assert_eq!(
            (inserted, removed, applied.sequence),
            (0, 0, last + 1),
            "{change}"
        );
        last = applied.sequence;
    }
}

#[test]
fn where_of_updates_sees_the_visible_only() {
    for (change, told) in [
        (
            "INSERT { ?s :told ?o } WHERE { ?s :secret ?o }",
            "SELECT * { ?s :told ?o }",
        ),
        (
            "INSERT { :x :told ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } }",
            "SELECT * { ?s :told ?o }",
        ),
        (
            "COPY :hidden TO :copy",
            "SELECT * { GRAPH :copy { ?s ?p ?o } }",
        ),
        (
            "INSERT { ?s :told ?o } USING :hidden WHERE { ?s :near ?o }",
            "SELECT * { ?s :told ?o }",
        ),
        (
            "WITH :hidden DELETE { ?s ?p ?o } INSERT { :x :told ?o } WHERE { ?s ?p ?o }",
            "SELECT * { GRAPH ?g { :x :told ?o } }",
        ),
    ] {
        let (twin, copy) = (holding(&format!("{OPEN} {HIDDEN}")), holding(OPEN));
        let everything = Guard::everything();
        update_as(&twin, Some(&guard()), &everything, change).unwrap();
        update_as(&copy, Some(&everything), &everything, change).unwrap();
        let expected = rows(&copy, &everything, told);
        assert_eq!(rows(&twin, &guard(), told), expected, "{change}");
        assert!(
            visible(&twin, &property_only("secret")).len() == 5,
            "{change}"
        );
    }
}

fn property_only(name: &str) -> Guard {
    Guard::new(vec![property(name)], Vec::new())
}
