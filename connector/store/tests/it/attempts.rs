//! What is tried within a number of steps is the whole answer or nothing.

use crate::support::{
    Collected, SHAPES, budget, class, graph, insert, parse, property, quad, store,
};
use twinlink_core::Refusal;
use twinlink_core::policy::{Guard, Selector};
use twinlink_store::TwinStore;

fn evaluate(
    store: &TwinStore,
    guard: &Guard,
    shape: &str,
    steps: Option<u32>,
) -> Result<Vec<String>, Refusal> {
    let budget = match steps {
        Some(steps) => budget().with_steps(steps),
        None => budget(),
    };
    let mut collected = Collected::default();
    store.query(&parse(shape), None, guard, &budget, &mut collected)?;
    collected.rows.sort();
    collected.rows.push(format!("{:?}", collected.head));
    Ok(collected.rows)
}

#[test]
fn attempts_give_the_whole_answer_or_nothing() {
    let store = store();
    insert(&store, (0..400).map(quad).collect());
    let guards = [
        Guard::everything(),
        Guard::new(vec![graph("g1"), class("C1")], vec![property("p2")]),
        Guard::new(vec![Selector::default()], vec![class("C2")]),
    ];
    let (mut whole, mut nothing) = (0, 0);
    for guard in guards {
        for shape in SHAPES {
            let expected = evaluate(&store, &guard, shape, None).expect(shape);
            for steps in [0, 1, 3, 10, 40, 200, 5_000] {
                match evaluate(&store, &guard, shape, Some(steps)) {
                    Ok(rows) => {
                        assert_eq!(rows, expected, "{shape} within {steps}");
                        whole += 1;
                    }
                    Err(refusal) => {
                        assert_eq!(refusal.check(), "limits.steps", "{shape}: {refusal}");
                        nothing += 1;
                    }
                }
            }
        }
    }
    assert!(whole > 100 && nothing > 100, "{whole} and {nothing}");
}

#[test]
fn attempts_make_nothing_that_others_wait_for() {
    let store = store();
    insert(&store, (0..400).map(quad).collect());
    let guard = Guard::new(vec![Selector::default()], vec![class("C2")]);
    let attempt = || evaluate(&store, &guard, "ASK { ?s :p1 ?o }", Some(1_000_000));
    assert_eq!(attempt().unwrap_err().check(), "policy.ready");
    evaluate(&store, &guard, "ASK { ?s :p1 ?o }", None).unwrap();
    attempt().unwrap();
    // After a change there is something to find out again.
    insert(&store, vec![quad(1_000)]);
    assert_eq!(attempt().unwrap_err().check(), "policy.ready");
}
