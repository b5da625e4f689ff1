//! Who may change what: all or nothing, and nothing told of what is hidden.

use crate::support::{
    all, budget, class, graph, insert, iri, property, rows, store, update, update_as, visible,
    without,
};
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::sync::Arc;
use twinlink_core::policy::{Guard, Selector};
use twinlink_core::{Change, Code, DatasetChoice};

const EVERYTHING: &str = "SELECT * { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }";

fn everything() -> Guard {
    Guard::everything()
}

fn only(selectors: &[Selector]) -> Guard {
    Guard::new(selectors.to_vec(), Vec::new())
}

#[test]
fn operations_see_each_other_and_fail_together() {
    let store = store();
    let applied = update(
        &store,
        "INSERT DATA { :a :p 1 } ; INSERT { ?s :q 2 } WHERE { ?s :p 1 }",
    )
    .unwrap();
    assert_eq!(
        (applied.sequence, applied.inserted, applied.removed),
        (1, 2, 0)
    );
    let refusal = update(
        &store,
        "INSERT DATA { :b :p 1 } ; CLEAR ALL ; LOAD <http://x/>",
    )
    .unwrap_err();
    assert_eq!(
        (refusal.code(), refusal.check()),
        (Code::Invalid, "sparql.load")
    );
    assert_eq!(all(&store).len(), 2);
    assert_eq!(store.snapshot().sequence(), 1);
    assert_eq!(
        update(&store, "LOAD SILENT <http://x/>").unwrap().sequence,
        1
    );
    let applied = update(&store, "INSERT DATA { :c :p 1 } ; DELETE DATA { :c :p 1 }").unwrap();
    assert_eq!((applied.inserted, applied.removed), (1, 1));
    assert_eq!(all(&store).len(), 2);
}

// INVARIANT(nothing-changed-unpermitted)
#[test]
fn nothing_changed_unpermitted() {
    let store = store();
    update(
        &store,
        "INSERT DATA { :a :p 1 ; :secret 2 . GRAPH :g1 { :a :p 3 } }",
    )
    .unwrap();
    let before = all(&store);
    let modify = only(&[property("p")]);
    for change in [
        "INSERT DATA { :b :q 1 }",
        "INSERT DATA { :b :p 1 . :b :q 1 }",
        "INSERT DATA { :b :p 1 } ; INSERT DATA { :b :q 1 }",
        "DELETE DATA { :a :secret 2 }",
        "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "CLEAR DEFAULT",
        "DROP ALL",
        "INSERT DATA { :b :q 1 } ; DELETE DATA { :b :q 1 }",
    ] {
        let refusal = update_as(&store, Some(&everything()), &modify, change).expect_err(change);
        assert_eq!(
            (refusal.code(), refusal.check()),
            (Code::Forbidden, "policy.modify"),
            "{change}"
        );
        assert_eq!(refusal.public(), "not permitted");
        assert_eq!(all(&store), before, "{change}");
    }
    update_as(
        &store,
        Some(&everything()),
        &modify,
        "DELETE { ?s :p ?o } WHERE { ?s :p ?o }",
    )
    .unwrap();
    assert_eq!(all(&store).len(), 2);
    assert_eq!(
        update_as(
            &store,
            Some(&everything()),
            &Guard::nothing(),
            "INSERT DATA { :x :p 1 }"
        )
        .unwrap_err()
        .code(),
        Code::Forbidden
    );
}

#[test]
fn what_is_hidden_is_as_if_absent() {
    let store = store();
    update(
        &store,
        "INSERT DATA { :a :p 1 ; :secret 2 . GRAPH :hidden { :a :p 3 } }",
    )
    .unwrap();
    let read = without(&[property("secret"), graph("hidden")]);
    // WHERE does not see it, deleting it does nothing, clearing leaves it.
    update_as(
        &store,
        Some(&read),
        &everything(),
        "INSERT { ?s :copy ?o } WHERE { ?s :secret ?o }",
    )
    .unwrap();
    update_as(
        &store,
        Some(&read),
        &everything(),
        "DELETE DATA { :a :secret 2 }",
    )
    .unwrap();
    update_as(&store, Some(&read), &everything(), "DROP GRAPH :hidden").unwrap();
    assert_eq!(all(&store).len(), 3);
    let applied = update_as(&store, Some(&read), &everything(), "CLEAR ALL").unwrap();
    assert_eq!((applied.inserted, applied.removed), (0, 1));
    assert_eq!(all(&store).len(), 2);
    // Whether it is there cannot be probed by what a change reports.
    let there = update_as(
        &store,
        Some(&read),
        &everything(),
        "INSERT DATA { :a :secret 2 }",
    )
    .unwrap();
    let absent = update_as(
        &store,
        Some(&read),
        &everything(),
        "INSERT DATA { :a :secret 9 }",
    )
    .unwrap();
    assert_eq!((there.inserted, absent.inserted), (0, 0));
    assert_eq!(there.sequence + 1, absent.sequence);
    update_as(&store, Some(&read), &everything(), "CREATE GRAPH :hidden").unwrap();
    // Without a permit to read nothing can be removed, and nothing is seen.
    update_as(&store, None, &everything(), "DELETE WHERE { ?s ?p ?o }").unwrap();
    assert_eq!(all(&store).len(), 3);
}

#[test]
fn a_class_cannot_be_taken_to_gain_a_right() {
    let store = store();
    update(
        &store,
        "INSERT DATA { :h a :Hydrant ; :pressure 3 . :m :name 'M' . :x a :Secret ; :of 1 }",
    )
    .unwrap();
    let modify = only(&[class("Hydrant")]);
    let change = |text: &str| update_as(&store, Some(&everything()), &modify, text);
    change("DELETE { :h :pressure ?p } INSERT { :h :pressure 4 } WHERE { :h :pressure ?p }")
        .unwrap();
    for text in [
        "INSERT DATA { :m a :Hydrant }",
        "INSERT DATA { :m a :Hydrant ; :name 'N' }",
        "INSERT DATA { :m a :Hydrant } ; DELETE DATA { :m :name 'M' } ; DELETE DATA { :m a :Hydrant }",
        "DELETE DATA { :m :name 'M' }",
    ] {
        assert_eq!(
            change(text).expect_err(text).code(),
            Code::Forbidden,
            "{text}"
        );
    }
    let modify = without(&[class("Secret")]);
    let change = |text: &str| update_as(&store, Some(&everything()), &modify, text);
    for text in [
        "DELETE DATA { :x a :Secret }",
        "INSERT DATA { :x :of 2 }",
        "INSERT DATA { :new a :Secret }",
    ] {
        assert_eq!(
            change(text).expect_err(text).code(),
            Code::Forbidden,
            "{text}"
        );
    }
    change("INSERT DATA { :new a :Public ; :of 2 }").unwrap();
}

#[test]
fn a_guard_on_a_new_graph_covers_its_first_quad() {
    let store = store();
    let modify = only(&[graph("g1")]);
    let applied = update_as(
        &store,
        Some(&everything()),
        &modify,
        "INSERT DATA { GRAPH :g1 { :a :p 1 } }",
    )
    .unwrap();
    assert_eq!(applied.inserted, 1);
    let modify = without(&[graph("g2"), property("never")]);
    for text in [
        "INSERT DATA { GRAPH :g2 { :a :p 1 } }",
        "INSERT DATA { :a :never 1 }",
    ] {
        let refusal = update_as(&store, Some(&everything()), &modify, text).expect_err(text);
        assert_eq!(refusal.code(), Code::Forbidden);
    }
}

#[test]
fn graphs_are_replaced_inserted_into_and_cleared() {
    let store = store();
    let graph_name = GraphName::from(iri("g"));
    let quad = |number: i32| {
        Quad::new(
            iri("s"),
            iri("p"),
            Literal::from(number),
            graph_name.clone(),
        )
    };
    let apply = |change: &Change| {
        store
            .apply(change, Some(&everything()), &everything(), &budget())
            .unwrap()
    };
    let applied = apply(&Change::Replace(graph_name.clone(), vec![quad(1), quad(2)]));
    assert_eq!(
        (applied.inserted, applied.removed, applied.created),
        (2, 0, true)
    );
    let applied = apply(&Change::Replace(graph_name.clone(), vec![quad(2), quad(3)]));
    assert_eq!(
        (applied.inserted, applied.removed, applied.created),
        (1, 1, false)
    );
    let applied = apply(&Change::Insert(vec![quad(3), quad(4)]));
    assert_eq!(
        (applied.inserted, applied.removed, applied.created),
        (1, 0, false)
    );
    let applied = apply(&Change::Insert(vec![quad(3)]));
    assert_eq!((applied.sequence, applied.inserted), (3, 0));
    let stray = Change::Replace(GraphName::DefaultGraph, vec![quad(1)]);
    assert_eq!(
        store
            .apply(&stray, None, &everything(), &budget())
            .unwrap_err()
            .code(),
        Code::Invalid
    );
    let applied = apply(&Change::Clear(graph_name));
    assert_eq!((applied.sequence, applied.removed), (4, 3));
    assert!(all(&store).is_empty());
}

#[test]
fn created_graphs_and_blank_nodes() {
    let store = store();
    update(
        &store,
        "CREATE GRAPH :g ; INSERT DATA { GRAPH :g { _:a :p _:a . _:b :p 1 } }",
    )
    .unwrap();
    update(&store, "INSERT DATA { GRAPH :g { _:a :p _:a } }").unwrap();
    assert_eq!(all(&store).len(), 3);
    assert_eq!(
        rows(&store, &everything(), "SELECT ?x { GRAPH :g { ?x :p ?x } }").len(),
        2
    );
    assert_eq!(
        update(&store, "CREATE GRAPH :g").unwrap_err().code(),
        Code::Conflict
    );
    update(&store, "CREATE SILENT GRAPH :g").unwrap();
    let copies = || {
        let quad = Quad::new(
            oxrdf::BlankNode::new_unchecked("a"),
            iri("p"),
            oxrdf::BlankNode::new_unchecked("a"),
            GraphName::DefaultGraph,
        );
        twinlink_store::with_fresh_blank_nodes([quad.clone(), quad]).collect::<Vec<_>>()
    };
    let (first, second) = (copies(), copies());
    assert_eq!(first[0], first[1]);
    assert_eq!(first[0].object, first[0].subject.clone().into());
    assert_ne!(first, second);
}

#[test]
fn the_protocol_chooses_what_where_sees() {
    let store = store();
    update(
        &store,
        "INSERT DATA { :a :p 1 . GRAPH :g1 { :b :p 1 } GRAPH :g2 { :b :p 1 . :c :p 1 } }",
    )
    .unwrap();
    let change = Change::Update {
        update: "PREFIX : <http://e/> INSERT { ?s :seen ?n } WHERE { SELECT ?s (COUNT(*) AS ?n) { ?s :p 1 } GROUP BY ?s }"
            .to_owned(),
        base: None,
        using: Some(DatasetChoice {
            default_graphs: vec![iri("g1"), iri("g2")],
            named_graphs: Vec::new(),
        }),
    };
    store
        .apply(&change, Some(&everything()), &everything(), &budget())
        .unwrap();
    let seen = rows(
        &store,
        &everything(),
        "SELECT ?s (STR(?n) AS ?t) { ?s :seen ?n }",
    );
    assert_eq!(seen, ["<http://e/b> \"1\"", "<http://e/c> \"1\""]);
}

#[test]
fn writers_take_turns_and_readers_do_not_wait() {
    let store = Arc::new(store());
    let node = NamedNode::new_unchecked("http://e/counter");
    insert(
        &store,
        vec![Quad::new(
            node,
            iri("value"),
            Literal::from(0),
            GraphName::DefaultGraph,
        )],
    );
    let threads = (0..4).map(|_| {
        let store = Arc::clone(&store);
        std::thread::spawn(move || {
            for _ in 0..25 {
                update(&store, "DELETE { ?c :value ?n } INSERT { ?c :value ?m } WHERE { ?c :value ?n BIND(?n + 1 AS ?m) }")
                    .unwrap();
                assert_eq!(visible(&store, &everything()).len(), 1);
            }
        })
    });
    threads
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(
        rows(
            &store,
            &everything(),
            "SELECT (STR(?n) AS ?t) { ?c :value ?n }"
        ),
        ["\"100\""]
    );
    assert_eq!(store.snapshot().sequence(), 101);
    assert_eq!(rows(&store, &everything(), EVERYTHING).len(), 1);
}
