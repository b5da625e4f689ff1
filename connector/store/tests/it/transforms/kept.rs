//! What is kept over changes equals what would be found anew.

use super::{KEY, MORE, guard, prefixed, rich};
use crate::support::{SHAPES, budget, insert, rows, visible};
use oxrdf::Quad;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use twinlink_core::Change;
use twinlink_core::policy::Guard;
use twinlink_store::{EvaluationOptions, TwinStore};

/// One change of both stores, and whether they are asked after it.
#[derive(Debug, Clone)]
enum Batch {
    Insert(Vec<u64>),
    Remove(Vec<Index>),
    /// Of what the guard shows, some that may be transformed: then it is there as it is.
    InsertShown(Vec<Index>),
}

fn batch() -> impl Strategy<Value = (Batch, bool)> {
    let batch = prop_oneof![
        3 => vec(0..600_u64, 1..4).prop_map(Batch::Insert),
        2 => vec(any::<Index>(), 1..3).prop_map(Batch::Remove),
        1 => vec(any::<Index>(), 1..3).prop_map(Batch::InsertShown),
    ];
    (batch, prop::bool::weighted(0.7))
}

fn store(options: EvaluationOptions, quads: &[Quad]) -> TwinStore {
    let store = TwinStore::in_memory(options.with_pseudonym_key(&KEY)).unwrap();
    insert(&store, quads.to_vec());
    store
}

fn shown(store: &TwinStore, guard: &Guard) -> Vec<Quad> {
    let snapshot = store.snapshot();
    let mut quads = snapshot
        .quads(guard, &budget())
        .unwrap()
        .collect::<Vec<_>>();
    quads.sort_by_key(ToString::to_string);
    quads
}

fn remove(store: &TwinStore, quads: &[Quad]) {
    let everything = Guard::everything();
    for quad in quads {
        let update = match &quad.graph_name {
            oxrdf::GraphName::DefaultGraph => format!(
                "DELETE DATA {{ {} {} {} }}",
                quad.subject, quad.predicate, quad.object
            ),
            graph => format!(
                "DELETE DATA {{ GRAPH {graph} {{ {} {} {} }} }}",
                quad.subject, quad.predicate, quad.object
            ),
        };
        let change = Change::Update {
            update,
            base: None,
            using: None,
        };
        store
            .apply(&change, Some(&everything), &everything, &budget())
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // INVARIANT(kept-guards-equal-those-built-anew)
    #[test]
    fn kept_guards_equal_those_built_anew(
        seeds in vec(0..600_u64, 20..60),
        guards in vec(guard(), 1..4),
        batches in vec(batch(), 1..8),
        questions in vec(any::<Index>(), 3),
    ) {
        let quads: Vec<_> = seeds.into_iter().map(rich).collect();
        let keeping = store(EvaluationOptions::default(), &quads);
        let anew = store(EvaluationOptions::default().without_upkeep(), &quads);
        let everything = Guard::everything();
        let texts: Vec<_> = SHAPES.iter().chain(MORE).copied().filter(|text| {
            // Which of equals comes first, and which of unlike is least, is left to the evaluator.
            !text.contains("ORDER") && !text.contains("MIN(")
        }).collect();
        let compare = || -> Result<(), TestCaseError> {
            for guard in &guards {
                prop_assert_eq!(visible(&keeping, guard), visible(&anew, guard));
                for question in &questions {
                    let text = prefixed(question.get::<&str>(&texts));
                    prop_assert_eq!(rows(&keeping, guard, &text), rows(&anew, guard, &text), "{}", text);
                }
            }
            Ok(())
        };
        compare()?;
        for (batch, is_asked) in batches {
            match batch {
                Batch::Insert(seeds) => {
                    let quads: Vec<_> = seeds.into_iter().map(rich).collect();
                    insert(&keeping, quads.clone());
                    insert(&anew, quads);
                }
                Batch::Remove(places) => {
                    let all = shown(&anew, &everything);
                    if all.is_empty() { continue }
                    let quads: Vec<_> = places.iter().map(|place| place.get(&all).clone()).filter(|quad| {
                        !quad.subject.is_blank_node() && !quad.object.is_blank_node()
                    }).collect();
                    remove(&keeping, &quads);
                    remove(&anew, &quads);
                }
                Batch::InsertShown(places) => {
                    let all: Vec<_> = guards.iter().flat_map(|guard| shown(&anew, guard)).collect();
                    if all.is_empty() { continue }
                    let quads: Vec<_> = places.iter().map(|place| place.get(&all).clone()).collect();
                    insert(&keeping, quads.clone());
                    insert(&anew, quads);
                }
            }
            if is_asked {
                compare()?;
            }
        }
        compare()?;
    }
}
