//! What the first question after a change costs: with what is kept over it, and with all found anew. Turn by turn, in two
//! stores of the same quads.

use super::cases::Case;
use super::{PSEUDONYM_KEY, budget, city, fault, median};
use crate::library::Fault;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, Literal, NamedNode, Quad, Term};
use serde_json::{Value, json};
use std::time::Instant;
use twinlink_core::Change;
use twinlink_policy::Guard;
use twinlink_store::{EvaluationOptions, TwinStore};

/// Changes of each sort; the median counts.
const ROUNDS: u32 = 9;
/// Quads that are put in at once.
const TOGETHER: usize = 100_000;

/// Measures every guard after changes that do and do not concern it.
pub(super) fn run(quads: usize, cases: &[Case]) -> Result<Value, Fault> {
    let options = EvaluationOptions::default().with_pseudonym_key(&PSEUDONYM_KEY);
    let keeping = store(quads, options.clone())?;
    let anew = store(quads, options.without_upkeep())?;
    let mut number = 0;
    let mut figures = Vec::new();
    for case in cases {
        first_view(&keeping, &case.guard)?;
        first_view(&anew, &case.guard)?;
        let mut of_case = json!({ "guard": case.name });
        for (name, make) in CHANGES {
            let (mut kept, mut built) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                number += 1;
                put(&keeping, make(number))?;
                put(&anew, make(number))?;
                kept.push(first_view(&keeping, &case.guard)?);
                built.push(first_view(&anew, &case.guard)?);
            }
            let (kept, built) = (median(kept), median(built));
            let figure = json!({ "kept_ms": kept, "anew_ms": built, "ratio": kept / built });
            if let Some(members) = of_case.as_object_mut() {
                members.insert(name.to_owned(), figure);
            }
        }
        figures.push(of_case);
    }
    Ok(figures.into())
}

/// Makes the quads of the change of a number.
type Making = fn(u32) -> Vec<Quad>;

/// Changes, by what they concern.
const CHANGES: [(&str, Making); 2] = [
    ("after_a_reading", |number| {
        let value = Literal::from(f64::from(number) + 0.25);
        vec![quad(
            &format!("sensor/{number}"),
            city::name("value"),
            value.into(),
        )]
    }),
    ("after_a_person", |number| {
        let person = format!("person/new/{number}");
        let name = Literal::from(format!("Person {number}"));
        vec![
            quad(&person, rdf::TYPE.into_owned(), city::name("Person").into()),
            quad(&person, city::name("label"), name.into()),
        ]
    }),
];

fn quad(subject: &str, predicate: NamedNode, object: Term) -> Quad {
    Quad::new(
        city::name(subject),
        predicate,
        object,
        GraphName::DefaultGraph,
    )
}

fn store(quads: usize, options: EvaluationOptions) -> Result<TwinStore, Fault> {
    let store = TwinStore::in_memory(options).map_err(fault)?;
    let mut left = city::quads(quads).peekable();
    while left.peek().is_some() {
        put(&store, left.by_ref().take(TOGETHER).collect())?;
    }
    Ok(store)
}

fn put(store: &TwinStore, quads: Vec<Quad>) -> Result<(), Fault> {
    let everything = Guard::everything();
    let change = Change::Insert(quads);
    let applied = store.apply(&change, Some(&everything), &everything, &budget());
    applied.map(drop).map_err(fault)
}

/// Milliseconds until the newest snapshot can be looked at.
fn first_view(store: &TwinStore, guard: &Guard) -> Result<f64, Fault> {
    let snapshot = store.snapshot();
    let started = Instant::now();
    drop(snapshot.view(guard, &budget()).map_err(fault)?);
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}
