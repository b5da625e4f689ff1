use super::*;
use crate::{EvaluationOptions, TwinStore};
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use spargebra::SparqlParser;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_core::Budget;
use twinlink_policy::{Function, Recorded, Step, Transformed};

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(60), u64::MAX)
}

fn iri(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://e/{name}"))
}

fn quad(subject: &str, predicate: &str, object: &str) -> Quad {
    Quad::new(
        iri(subject),
        iri(predicate),
        Literal::from(object),
        GraphName::DefaultGraph,
    )
}

fn add(store: &TwinStore, quads: Vec<Quad>) {
    let everything = Guard::everything();
    let change = twinlink_core::Change::Insert(quads);
    store
        .apply(&change, Some(&everything), &everything, &budget())
        .unwrap();
}

fn delete(store: &TwinStore, text: &str) {
    let everything = Guard::everything();
    let change = twinlink_core::Change::Update {
        update: format!("PREFIX : <http://e/> DELETE DATA {{ {text} }}"),
        base: None,
        using: None,
    };
    store
        .apply(&change, Some(&everything), &everything, &budget())
        .unwrap();
}

fn people() -> TwinStore {
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let mut quads = vec![quad("a", "name", "Ann"), quad("b", "name", "Bo")];
    quads.push(quad("a", "age", "7"));
    quads.push(Quad::new(
        iri("a"),
        oxrdf::vocab::rdf::TYPE,
        iri("Person"),
        GraphName::DefaultGraph,
    ));
    add(&store, quads);
    store
}

fn named() -> NodePattern {
    let query = "SELECT ?this { ?this <http://e/name> ?name }";
    NodePattern::new(SparqlParser::new().parse_query(query).unwrap())
}

/// Names are masked.
fn masked() -> Guard {
    let selector = Selector {
        property: Some(iri("name")),
        ..Selector::default()
    };
    let step = Step {
        part: Part::Values(Vec::new()),
        function: Function::Mask("***".to_owned()),
    };
    let transformed = Transformed {
        selector,
        steps: vec![step],
    };
    Guard::nothing().with_transformed(vec![transformed])
}

/// Whether the compiled guard's transformed quads lie where those of the one before did.
fn is_kept(store: &TwinStore, before: &Snapshot, guard: &Guard) -> bool {
    let compile = |snapshot: &Snapshot| {
        let names = crate::guard::Names::default();
        snapshot.compile(guard, &names, &budget()).unwrap()
    };
    let (old, new) = (compile(before), compile(&store.snapshot()));
    old.overlay().unwrap().is_same_place(new.overlay().unwrap())
}

#[test]
fn sets_are_kept_where_nothing_of_theirs_changed() {
    let store = people();
    let before = store.snapshot();
    let class = before.dictionary.id(iri("Person").as_ref().into()).unwrap();
    let nodes = before.nodes(&named(), &budget()).unwrap();
    let persons = before.instances(class, &budget()).unwrap();
    add(&store, vec![quad("b", "age", "9")]);
    let after = store.snapshot();
    assert!(Arc::ptr_eq(&nodes, &after.sets.nodes_of(&named()).unwrap()));
    assert!(Arc::ptr_eq(
        &persons,
        &after.sets.instances_of(class).unwrap()
    ));
    add(&store, vec![quad("c", "name", "Cy")]);
    let after = store.snapshot();
    assert!(after.sets.nodes_of(&named()).is_none());
    assert!(after.sets.instances_of(class).is_some());
    delete(&store, ":a a :Person");
    assert!(store.snapshot().sets.instances_of(class).is_none());
}

#[test]
fn overlays_are_kept_where_nothing_of_theirs_changed() {
    let store = people();
    let guard = masked();
    let before = store.snapshot();
    let names = crate::guard::Names::default();
    before.compile(&guard, &names, &budget()).unwrap();
    // New terms, and a snapshot in between that nobody asks.
    add(
        &store,
        vec![quad("b", "age", "9"), quad("d", "height", "2")],
    );
    assert!(is_kept(&store, &before, &guard));
    add(&store, vec![quad("b", "age", "10")]);
    add(&store, vec![quad("b", "age", "11")]);
    assert!(is_kept(&store, &before, &guard));
    // A name more.
    add(&store, vec![quad("c", "name", "Cy")]);
    assert!(!is_kept(&store, &before, &guard));
}

#[test]
fn a_term_that_was_made_and_is_now_there_makes_it_anew() {
    let store = people();
    let guard = masked();
    let before = store.snapshot();
    let names = crate::guard::Names::default();
    before.compile(&guard, &names, &budget()).unwrap();
    add(&store, vec![quad("x", "other", "***")]);
    assert!(!is_kept(&store, &before, &guard));
}

#[test]
fn large_changes_are_not_looked_through() {
    let store = people();
    let before = store.snapshot();
    before.nodes(&named(), &budget()).unwrap();
    let many = (0..=MOST).map(|n| quad("x", "other", &n.to_string()));
    add(&store, many.collect());
    assert!(store.snapshot().sets.nodes_of(&named()).is_none());
}

#[test]
fn time_alone_builds_nothing_anew_until_it_shows_more() {
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let time = |text: &str| {
        let moment = Literal::new_typed_literal(text, oxrdf::vocab::xsd::DATE_TIME);
        Quad::new(iri(text), iri("time"), moment, GraphName::DefaultGraph)
    };
    add(
        &store,
        vec![time("2026-01-01T00:00:00Z"), time("2026-03-01T00:00:00Z")],
    );
    let snapshot = store.snapshot();
    let until = |text: &str| {
        let recorded = Recorded {
            property: iri("time"),
            until: text.parse().unwrap(),
        };
        let selector = Selector {
            recorded: Some(recorded),
            ..Selector::default()
        };
        let guard = Guard::new(vec![selector], Vec::new());
        let names = crate::guard::Names::default();
        let shown = snapshot.quads(&guard, &budget()).unwrap().count();
        let compiled = snapshot.compile(&guard, &names, &budget()).unwrap();
        (shown, compiled)
    };
    let (none, first) = until("2025-12-31T23:59:59Z");
    let (none_again, second) = until("2025-01-01T00:00:00Z");
    assert!(Arc::ptr_eq(&first, &second) && none == 0 && none_again == 0);
    let (one, first) = until("2026-01-01T00:00:00Z");
    let (one_again, second) = until("2026-02-28T23:59:59Z");
    assert!(Arc::ptr_eq(&first, &second) && one == 1 && one_again == 1);
    let (two, third) = until("2026-03-01T01:00:00+01:00");
    assert!(!Arc::ptr_eq(&second, &third) && two == 2);
}
