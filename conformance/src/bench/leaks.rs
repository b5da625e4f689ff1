//! What is hidden must cost no more time than what is not there: else the clock tells.
//!
//! Pairs of queries, one about something hidden and one about something absent, are asked in turn, many times; the
//! medians are compared. What a guard can decide before it looks at a row is bounded. What it must decide row by row is
//! measured too, and only printed: its rows are read before they are withheld.

use crate::library::Fault;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, Literal, NamedNode, Quad, Term};
use serde_json::{Value, json};
use spargebra::{Query, SparqlParser};
use std::fmt::Display;
use std::time::{Duration, Instant};
use twinlink_core::policy::{GraphNameKey, Guard, Selector};
use twinlink_core::{Budget, Piece, Refusal, Sink};
use twinlink_store::{EvaluationOptions, TwinStore};

/// Turns of each pair; the medians count.
const ROUNDS: usize = 401;
/// A question about the hidden may take so many times what one about the absent takes.
const RATIO: f64 = 1.25;
const E: &str = "http://e/";

/// A name, a query about the hidden, one about the absent, and whether the guard decides them before it reads rows.
const PAIRS: &[(&str, &str, &str, bool)] = &[
    (
        "property scanned",
        "SELECT * { ?s :secret ?o }",
        "SELECT * { ?s :absent ?o }",
        true,
    ),
    (
        "property counted",
        "SELECT (COUNT(*) AS ?n) { ?s :secret ?o }",
        "SELECT (COUNT(*) AS ?n) { ?s :absent ?o }",
        true,
    ),
    (
        "property of a node",
        "ASK { :s1 :secret ?o }",
        "ASK { :s1 :absent ?o }",
        true,
    ),
    (
        "property that must not exist",
        "SELECT * { :s1 :p1 ?o FILTER NOT EXISTS { :s1 :secret ?x } }",
        "SELECT * { :s1 :p1 ?o FILTER NOT EXISTS { :s1 :absent ?x } }",
        true,
    ),
    (
        "path over the property",
        "SELECT * { :s1 :secret+ ?o }",
        "SELECT * { :s1 :absent+ ?o }",
        true,
    ),
    (
        "graph scanned",
        "SELECT * { GRAPH :hidden { ?s ?p ?o } }",
        "SELECT * { GRAPH :absent { ?s ?p ?o } }",
        true,
    ),
    (
        "graph asked for",
        "ASK { GRAPH :hidden { } }",
        "ASK { GRAPH :absent { } }",
        true,
    ),
    (
        "graph counted",
        "SELECT (COUNT(*) AS ?n) { GRAPH :hidden { ?s :p1 ?o } }",
        "SELECT (COUNT(*) AS ?n) { GRAPH :absent { ?s :p1 ?o } }",
        true,
    ),
    (
        "graph in FROM",
        "SELECT (COUNT(*) AS ?n) FROM :hidden { ?s ?p ?o }",
        "SELECT (COUNT(*) AS ?n) FROM :absent { ?s ?p ?o }",
        true,
    ),
    (
        "subject of hidden quads only",
        "SELECT * { :only1 ?p ?o }",
        "SELECT * { :none1 ?p ?o }",
        false,
    ),
    (
        "value of hidden quads only",
        "SELECT * { ?s ?p 'secret 5' }",
        "SELECT * { ?s ?p 'absent 5' }",
        false,
    ),
    (
        "node described",
        "DESCRIBE :only1",
        "DESCRIBE :none1",
        false,
    ),
    (
        "instances of a hidden class",
        "SELECT * { ?s a :Hidden }",
        "SELECT * { ?s a :Absent }",
        true,
    ),
];

/// Measures over so many quads.
pub(super) fn run(quads: usize) -> Result<Value, Fault> {
    let twin = TwinStore::in_memory(EvaluationOptions::default()).map_err(fault)?;
    let everything = Guard::everything();
    let change = twinlink_core::Change::Insert((0..quads).map(quad).collect());
    twin.apply(&change, Some(&everything), &everything, &budget())
        .map_err(fault)?;
    let hidden = [
        Selector {
            property: Some(name("secret")),
            ..Selector::default()
        },
        Selector {
            graph: Some(GraphNameKey::Named(name("hidden"))),
            ..Selector::default()
        },
        Selector {
            class: Some(name("Hidden")),
            ..Selector::default()
        },
    ];
    let guard = Guard::new(vec![Selector::default()], hidden.to_vec());
    let mut ok = true;
    let mut pairs = Vec::new();
    for (about, hidden, absent, is_bounded) in PAIRS {
        let (hidden, absent) = (parse(hidden)?, parse(absent)?);
        let (mut of_hidden, mut of_absent) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            of_hidden.push(clock(&twin, &guard, &hidden)?);
            of_absent.push(clock(&twin, &guard, &absent)?);
        }
        let (of_hidden, of_absent) = (median(of_hidden), median(of_absent));
        let ratio = of_hidden / of_absent;
        ok &= !is_bounded || ratio <= RATIO;
        pairs.push(json!({
            "about": about,
            "hidden_microseconds": of_hidden,
            "absent_microseconds": of_absent,
            "ratio": ratio,
            "bounded": is_bounded,
        }));
    }
    Ok(json!({
        "quads": twin.snapshot().len(),
        "rounds": ROUNDS,
        "ratio_bound": RATIO,
        "pairs": pairs,
        "ok": ok,
    }))
}

/// One quad of the twin: some of a hidden property, some in a hidden graph, some about instances of a hidden class.
fn quad(number: usize) -> Quad {
    let subject = name(&format!("s{}", number / 8));
    let other = name(&format!("s{}", number * 7 % 1000));
    let property = |n: usize| name(&format!("p{n}"));
    let (property, object, graph): (NamedNode, Term, GraphName) = match number % 8 {
        0 => (name("secret"), other.into(), GraphName::DefaultGraph),
        1 => {
            let only = name(&format!("only{}", number / 8));
            let text = format!("secret {}", number / 8);
            return Quad::new(
                only,
                property(1),
                Literal::from(text),
                GraphName::from(name("hidden")),
            );
        }
        2 => (property(1), other.into(), name("hidden").into()),
        3 if number % 80 == 3 => (
            rdf::TYPE.into_owned(),
            name("Hidden").into(),
            GraphName::DefaultGraph,
        ),
        3 => (
            rdf::TYPE.into_owned(),
            name("Open").into(),
            GraphName::DefaultGraph,
        ),
        n => (property(n), other.into(), GraphName::DefaultGraph),
    };
    Quad::new(subject, property, object, graph)
}

fn name(local: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{E}{local}"))
}

fn parse(text: &str) -> Result<Query, Fault> {
    let parser = SparqlParser::new().with_prefix("", E).map_err(fault)?;
    parser.parse_query(text).map_err(fault)
}

/// Microseconds of one asking: the mean of some, so that one is not below what the clock can tell.
fn clock(twin: &TwinStore, guard: &Guard, query: &Query) -> Result<f64, Fault> {
    const TIMES: u32 = 8;
    let budget = budget();
    let started = Instant::now();
    for _ in 0..TIMES {
        twin.query(query, None, guard, &budget, &mut Drain)
            .map_err(fault)?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES))
}

struct Drain;

impl Sink for Drain {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        drop(std::hint::black_box(piece));
        Ok(())
    }
}

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(600), u64::MAX)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn fault(error: impl Display) -> Fault {
    Fault::Measure(error.to_string())
}
