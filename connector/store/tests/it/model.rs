//! The model: an answer over the guarded view equals the answer over a copy without what the guard withholds.

use crate::support::{
    SHAPES, budget, class, graph, insert, iri, materialise, property, quad, rows, store, visible,
};
use proptest::prelude::*;
use twinlink_core::policy::{GraphNameKey, Guard, Selector};

fn selector() -> impl Strategy<Value = Selector> {
    let graph = prop_oneof![
        3 => Just(None),
        1 => Just(Some(GraphNameKey::Default)),
        2 => (1..5_u32).prop_map(|n| Some(GraphNameKey::Named(iri(&format!("g{n}"))))),
    ];
    let property = prop_oneof![
        3 => Just(None),
        3 => (0..6_u32).prop_map(|n| Some(iri(&format!("p{n}")))),
        1 => Just(Some(oxrdf::vocab::rdf::TYPE.into_owned())),
    ];
    let class = prop_oneof![
        3 => Just(None),
        2 => (0..5_u32).prop_map(|n| Some(iri(&format!("C{n}")))),
    ];
    (graph, property, class).prop_map(|(graph, property, class)| Selector {
        graph,
        property,
        class,
        ..Selector::default()
    })
}

fn guard() -> impl Strategy<Value = Guard> {
    let permits = prop_oneof![
        2 => Just(vec![Selector::default()]),
        1 => proptest::collection::vec(selector(), 0..4),
    ];
    let layer = (permits, proptest::collection::vec(selector(), 0..3))
        .prop_map(|(permits, prohibitions)| Guard::new(permits, prohibitions))
        .boxed();
    let count = prop_oneof![3 => Just(1..2_usize), 1 => Just(2..4)];
    count.prop_flat_map(move |count| {
        proptest::collection::vec(layer.clone(), count).prop_map(Guard::union)
    })
}

fn cases() -> u32 {
    std::env::var("TWINLINK_MODEL_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn non_interference(first in 0..1_000_000_u64, size in 1..400_u64, guard in guard(), parts in 1..5_usize) {
        let quads = (0..size).map(|n| quad(first + n)).collect::<Vec<_>>();
        let guarded = store();
        for part in quads.chunks(quads.len().div_ceil(parts)) {
            insert(&guarded, part.to_vec());
        }
        let copy = store();
        insert(&copy, materialise(&quads, &guard));
        prop_assert_eq!(visible(&guarded, &guard), visible(&copy, &Guard::everything()));
        prop_assert_eq!(guarded.snapshot().summary(&guard, &budget()).unwrap(), copy.snapshot().summary(&Guard::everything(), &budget()).unwrap());
        for shape in SHAPES {
            prop_assert_eq!(
                rows(&guarded, &guard, shape),
                rows(&copy, &Guard::everything(), shape),
                "{}", shape
            );
        }
    }
}

/// Splitting by graph and predicate begins at a size that random small worlds do not reach.
#[test]
fn non_interference_with_many_rows() {
    let mut quads = (0..6_000).map(quad).collect::<Vec<_>>();
    for number in 0..3_000_u64 {
        let mut wide = quad(number * 31);
        wide.subject = iri(&format!("wide{}", number % 500)).into();
        quads.push(wide);
    }
    let guarded = store();
    insert(&guarded, quads.clone());
    let guards = [
        Guard::nothing(),
        Guard::new(
            vec![graph("g1"), property("p1"), class("C1")],
            vec![property("p2")],
        ),
        Guard::new(vec![Selector::default()], vec![graph("g2"), property("p1")]),
        Guard::new(vec![Selector::default()], vec![class("C2")]),
        Guard::new(vec![graph("")], vec![class("C0"), property("p3")]),
    ];
    for guard in guards {
        let copy = store();
        insert(&copy, materialise(&quads, &guard));
        for shape in SHAPES {
            let ours = rows(&guarded, &guard, shape);
            assert_eq!(
                ours,
                rows(&copy, &Guard::everything(), shape),
                "{shape} under {guard:?}"
            );
        }
    }
}

#[test]
fn deny_by_default() {
    let store = store();
    insert(&store, (0..200).map(quad).collect());
    assert!(visible(&store, &Guard::nothing()).is_empty());
    for query in [
        "SELECT * { ?s ?p ?o }",
        "SELECT * { GRAPH ?g { } }",
        "SELECT * { GRAPH ?g { ?s ?p ?o } }",
    ] {
        assert!(rows(&store, &Guard::nothing(), query).is_empty(), "{query}");
    }
    assert_eq!(
        rows(&store, &Guard::nothing(), "ASK { ?s ?p ?o }"),
        ["false"]
    );
}
