//! Queries and updates of a stranger: read within the limits, then evaluated over a small twin until a short deadline.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxrdf::{GraphName, Literal, NamedNode, Quad};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use twinlink_core::{Budget, Change, Limits, Piece, Refusal, Sink, parse_query, parse_update};
use twinlink_policy::{Guard, Selector};
use twinlink_store::{EvaluationOptions, TwinStore};

/// The stack of a worker: what the limits are made for.
const STACK: usize = 64 << 20;

struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, _: Piece) -> Result<(), Refusal> {
        Ok(())
    }
}

fn name(text: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://e/{text}"))
}

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_millis(100), 10_000)
}

static STORE: LazyLock<TwinStore> = LazyLock::new(|| {
    let store = TwinStore::in_memory(EvaluationOptions::default()).unwrap();
    let quads = (0..40).map(|n| {
        let graph = match n % 3 {
            0 => GraphName::DefaultGraph,
            n => name(&format!("g{n}")).into(),
        };
        let (subject, predicate) = (name(&format!("s{}", n % 7)), name(&format!("p{}", n % 5)));
        match n % 2 {
            0 => Quad::new(subject, predicate, name(&format!("s{}", n % 6)), graph),
            _ => Quad::new(subject, predicate, Literal::from(n), graph),
        }
    });
    let everything = Guard::everything();
    let change = Change::Insert(quads.collect());
    store
        .apply(&change, Some(&everything), &everything, &budget())
        .unwrap();
    store
});

fn ask(text: &str) {
    let hidden = Selector {
        property: Some(name("p1")),
        ..Selector::default()
    };
    let guard = Guard::new(vec![Selector::default()], vec![hidden]);
    if let Ok(query) = parse_query(text, Some("http://e/"), &Limits::default()) {
        drop(STORE.query(&query, None, &guard, &budget(), &mut Nowhere));
    }
    if parse_update(text, Some("http://e/"), &Limits::default()).is_ok() {
        let change = Change::Update {
            update: text.to_owned(),
            base: Some("http://e/".to_owned()),
            using: None,
        };
        // Nothing may be changed: the twin stays as it is from one run to the next.
        drop(STORE.apply(&change, Some(&guard), &Guard::nothing(), &budget()));
    }
}

fuzz_target!(|text: &str| {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        builder
            .spawn_scoped(scope, || ask(text))
            .unwrap()
            .join()
            .unwrap();
    });
});
