//! What policy enforcement costs: our guarded view against oxigraph's in-memory store without any guard.
//!
//! Same quads, same questions, same run, turn by turn. Both drain the same evaluator, so what is compared is the
//! store beneath it. Every guarded answer is compared with oxigraph's over a copy without the withheld quads, and with
//! the changed ones. From [`ALONE`] quads on there is no memory for two stores: ours is measured alone.

mod cases;
mod city;
mod shapes;
mod upkeep;

use crate::library::Fault;
use cases::Case;
use city::CITY;
use oxigraph::sparql::{QueryResults as OxigraphResults, SparqlEvaluator};
use oxigraph::store::Store;
use serde_json::{Value, json};
use shapes::SHAPES;
use spareval::{QueryEvaluator, QueryResults};
use spargebra::{Query, SparqlParser};
use std::fmt::Display;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant};
use twinlink_core::Budget;
use twinlink_policy::Guard;
use twinlink_store::{EvaluationOptions, Snapshot};

/// Turns of each question; the median counts.
const ROUNDS: usize = 7;
/// Quick questions are asked so often in a turn that it takes about this long.
const TURN: Duration = Duration::from_millis(20);
/// The geometric mean of the ratios must not exceed this.
const RATIO: f64 = 0.8;
/// A quad must not take more bytes of memory than this.
const BYTES: f64 = 150.0;
/// From so many quads on oxigraph's side is skipped.
const ALONE: usize = 4_000_000;
/// Made up as the city is.
const PSEUDONYM_KEY: [u8; 32] = *b"the key of the city of benchmark";

/// Measures with so many quads.
pub(super) fn run(quads: usize) -> Result<Value, Fault> {
    let before = resident()?;
    let started = Instant::now();
    let options = EvaluationOptions::default().with_pseudonym_key(&PSEUDONYM_KEY);
    let snapshot = Snapshot::of(city::quads(quads))
        .map_err(fault)?
        .with_options(&options);
    let built = started.elapsed();
    let ours = resident()?.saturating_sub(before);
    let theirs = if quads < ALONE {
        let before = resident()?;
        let started = Instant::now();
        let store = oxigraph(city::quads(quads))?;
        let built = started.elapsed();
        Some((store, built, resident()?.saturating_sub(before)))
    } else {
        None
    };

    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let per_quad = |bytes: usize| bytes as f64 / quads as f64;
    let mut guards = Vec::new();
    let mut ok = true;
    for case in cases::all()? {
        let started = Instant::now();
        let view = snapshot.view(&case.guard, &budget()).map_err(fault)?;
        let compiled = started.elapsed();
        let figures = match &theirs {
            Some((store, ..)) => {
                let copy = copy(&snapshot, &case, quads)?;
                compare(&snapshot, &case.guard, store, &copy)?
            }
            None => alone(&snapshot, &case.guard)?,
        };
        ok &= figures.ratio.is_none_or(|ratio| ratio <= RATIO);
        guards.push(json!({
            "guard": case.name,
            "geometric_mean_ratio": figures.ratio,
            "first_view_ms": compiled.as_secs_f64() * 1000.0,
            "kept_bytes_per_quad": per_quad(view.kept_bytes()),
            "shapes": figures.shapes,
        }));
    }
    ok &= per_quad(ours) <= BYTES;
    // Each of two more stores has its log in memory, too.
    let upkeep = match theirs.is_some() {
        true => upkeep::run(quads, &cases::all()?)?,
        false => "skipped: too many quads for two stores".into(),
    };
    Ok(json!({
        "quads": quads,
        "ratio_bound": RATIO,
        "bytes_per_quad_bound": BYTES,
        "oxigraph": if theirs.is_some() { "measured" } else { "skipped: too many quads for two stores" },
        "memory": {
            "bytes_per_quad": per_quad(ours),
            "counted_bytes_per_quad": per_quad(snapshot.bytes()),
            "oxigraph_bytes_per_quad": theirs.as_ref().map(|(.., bytes)| per_quad(*bytes)),
        },
        "build": {
            "seconds": built.as_secs_f64(),
            "oxigraph_seconds": theirs.as_ref().map(|(_, built, _)| built.as_secs_f64()),
        },
        "microseconds": hidden(&snapshot)?,
        "guards": guards,
        "first_view_after_a_change": upkeep,
        "ok": ok,
    }))
}

/// What the guard should show.
fn copy(snapshot: &Snapshot, case: &Case, quads: usize) -> Result<Store, Fault> {
    match case.is_withheld {
        Some(is_withheld) => oxigraph(city::quads(quads).filter(|quad| !is_withheld(quad))),
        None => oxigraph(snapshot.quads(&case.guard, &budget()).map_err(fault)?),
    }
}

/// What is hidden as a whole must cost no more time than what is not there. Microseconds, measured in turn.
fn hidden(snapshot: &Snapshot) -> Result<Value, Fault> {
    let guard = cases::whole();
    let pairs = [
        (
            "property",
            "SELECT * { ?s :citizenNumber ?o }",
            "SELECT * { ?s :citizenNothing ?o }",
        ),
        (
            "graph",
            "SELECT * { GRAPH <http://city.example/graph/police> { ?s ?p ?o } }",
            "SELECT * { GRAPH <http://city.example/graph/nobody> { ?s ?p ?o } }",
        ),
    ];
    let mut figures = serde_json::Map::new();
    for (name, hidden, absent) in pairs {
        let (hidden, absent) = (parse(hidden)?, parse(absent)?);
        if ask(snapshot, &guard, &hidden)?.0 > 0
            || ask(snapshot, &Guard::everything(), &hidden)?.0 == 0
        {
            return Err(Fault::Measure(format!(
                "the {name} is not hidden, or not there"
            )));
        }
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS * 7 {
            times
                .0
                .push(clock(100, || drain(snapshot, &guard, &hidden))? * 1000.0);
            times
                .1
                .push(clock(100, || drain(snapshot, &guard, &absent))? * 1000.0);
        }
        figures.insert(format!("hidden_{name}"), median(times.0).into());
        figures.insert(format!("absent_{name}"), median(times.1).into());
    }
    Ok(figures.into())
}

struct Figures {
    /// None where there is nothing to compare with.
    ratio: Option<f64>,
    shapes: Vec<Value>,
}

/// Asks once, without oxigraph beside.
fn alone(snapshot: &Snapshot, guard: &Guard) -> Result<Figures, Fault> {
    let mut shapes = Vec::new();
    for (name, text) in SHAPES {
        let query = parse(text)?;
        let started = Instant::now();
        let (rows, _) = ask(snapshot, guard, &query)?;
        let time = started.elapsed().as_secs_f64() * 1000.0;
        shapes.push(json!({ "shape": name, "rows": rows, "ms": time }));
    }
    Ok(Figures {
        ratio: None,
        shapes,
    })
}

/// Asks both in turn; our answers must be the copy's.
fn compare(
    snapshot: &Snapshot,
    guard: &Guard,
    store: &Store,
    copy: &Store,
) -> Result<Figures, Fault> {
    let mut shapes = Vec::new();
    let mut logarithms = 0.0;
    for (name, text) in SHAPES {
        let query = parse(text)?;
        let (rows, digest) = ask(snapshot, guard, &query)?;
        // A LIMIT without an order is free to give other rows.
        let expected = ask_oxigraph(copy, &query)?;
        let same = if text.contains("LIMIT 20000") {
            rows == expected.0
        } else {
            (rows, digest) == expected
        };
        if !same {
            return Err(Fault::Measure(format!(
                "{name}: the guarded view gives {rows} rows, a copy without what is withheld {}, or not the same",
                expected.0
            )));
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let times = turns(|| ask(snapshot, guard, &query))?;
        let their_times = turns(|| ask_oxigraph(store, &query))?;
        for _ in 0..ROUNDS {
            theirs.push(clock(their_times, || drain_oxigraph(store, &query))?);
            ours.push(clock(times, || drain(snapshot, guard, &query))?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        logarithms += (ours / theirs).ln();
        shapes.push(json!({
            "shape": name,
            "rows": rows,
            "ms": ours,
            "oxigraph_ms": theirs,
            "ratio": ours / theirs,
        }));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few shapes")]
    let ratio = (logarithms / shapes.len() as f64).exp();
    Ok(Figures {
        ratio: Some(ratio),
        shapes,
    })
}

fn parse(text: &str) -> Result<Query, Fault> {
    SparqlParser::new()
        .with_prefix("", CITY)
        .map_err(fault)?
        .parse_query(text)
        .map_err(fault)
}

fn oxigraph(quads: impl Iterator<Item = oxrdf::Quad>) -> Result<Store, Fault> {
    let store = Store::new().map_err(fault)?;
    let mut loader = store.bulk_loader();
    loader.load_quads(quads).map_err(fault)?;
    loader.commit().map_err(fault)?;
    Ok(store)
}

fn budget() -> Budget {
    Budget::new(Instant::now() + Duration::from_secs(600), u64::MAX)
}

/// The number of rows, and a digest that does not depend on their order.
fn ask(snapshot: &Snapshot, guard: &Guard, query: &Query) -> Result<(usize, u64), Fault> {
    let mut answer = (0, 0);
    each(snapshot, guard, query, |row| add(&mut answer, row))?;
    Ok(answer)
}

fn ask_oxigraph(store: &Store, query: &Query) -> Result<(usize, u64), Fault> {
    let mut answer = (0, 0);
    each_oxigraph(store, query, |row| add(&mut answer, row))?;
    Ok(answer)
}

fn drain(snapshot: &Snapshot, guard: &Guard, query: &Query) -> Result<(), Fault> {
    each(snapshot, guard, query, |row| {
        drop(std::hint::black_box(row))
    })
}

fn drain_oxigraph(store: &Store, query: &Query) -> Result<(), Fault> {
    each_oxigraph(store, query, |row| drop(std::hint::black_box(row)))
}

fn each(
    snapshot: &Snapshot,
    guard: &Guard,
    query: &Query,
    mut row: impl FnMut(spareval::QuerySolution),
) -> Result<(), Fault> {
    let evaluator = QueryEvaluator::new();
    let view = snapshot.view(guard, &budget()).map_err(fault)?;
    let results = evaluator.prepare(query).execute(view).map_err(fault)?;
    if let QueryResults::Solutions(solutions) = results {
        for solution in solutions {
            row(solution.map_err(fault)?);
        }
    }
    Ok(())
}

fn each_oxigraph(
    store: &Store,
    query: &Query,
    mut row: impl FnMut(spareval::QuerySolution),
) -> Result<(), Fault> {
    let prepared = SparqlEvaluator::new().for_query(query.clone());
    if let OxigraphResults::Solutions(solutions) =
        prepared.on_store(store).execute().map_err(fault)?
    {
        for solution in solutions {
            row(solution.map_err(fault)?);
        }
    }
    Ok(())
}

fn add((rows, digest): &mut (usize, u64), row: spareval::QuerySolution) {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(row.values());
    *rows += 1;
    *digest = digest.wrapping_add(hash);
}

/// How often to ask in one turn.
fn turns<T>(ask: impl Fn() -> Result<T, Fault>) -> Result<u32, Fault> {
    let started = Instant::now();
    ask()?;
    let once = started.elapsed().max(Duration::from_micros(1));
    Ok(u32::try_from((TURN.as_micros() / once.as_micros()).clamp(1, 2_000)).unwrap_or(1))
}

/// Milliseconds of one asking.
fn clock(times: u32, ask: impl Fn() -> Result<(), Fault>) -> Result<f64, Fault> {
    let started = Instant::now();
    for _ in 0..times {
        ask()?;
    }
    Ok(started.elapsed().as_secs_f64() * 1000.0 / f64::from(times))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Bytes of this process in memory.
fn resident() -> Result<usize, Fault> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(fault)?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| Fault::Measure("no VmRSS".to_owned()))
}

fn fault(error: impl Display) -> Fault {
    Fault::Measure(error.to_string())
}
