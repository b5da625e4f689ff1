//! How long a decision takes once a policy is compiled, beside how long it takes to compile one.

use crate::evaluation::{Case, cases};
use crate::library::{Fault, Library};
use oxrdf::{Graph, NamedNode, NamedNodeRef, TermRef};
use oxsdatatypes::DateTime;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};
use twinlink_policy::report::Evaluator;
use twinlink_policy::{Ask, Policy, PolicySet, RdfFormat};
use twinlink_vocab::{dcterms, odrl};

/// How often each thing is measured; the median counts.
const ROUNDS: usize = 15;
/// What is done often enough to take this long is measured as one.
const ROUND: Duration = Duration::from_millis(1);
/// Median over the cases below this many nanoseconds.
const MEDIAN_NANOS: f64 = 1_000.0;
/// The largest policy below this many nanoseconds.
const LARGEST_NANOS: f64 = 1_000_000.0;

/// How many rules there are in the policy of which the overlap is checked.
const RULES: usize = 2_000;

/// What one case takes, in nanoseconds.
struct Figures {
    triples: usize,
    decide: f64,
    report: f64,
    compile: f64,
    guard: Option<f64>,
}

/// Measures.
pub(super) fn run(library: &Library) -> Result<Value, Fault> {
    let cases = cases(library)?;
    let figures: Vec<_> = cases
        .iter()
        .map(|case| measure(case, library))
        .collect::<Result<_, _>>()?;
    let Some(largest) = figures.iter().max_by_key(|figures| figures.triples) else {
        return Err(Fault::Measure(
            "the suite odrl-evaluation is not there".to_owned(),
        ));
    };
    let of = |take: fn(&Figures) -> f64| median(figures.iter().map(take).collect());
    let decide = of(|figures| figures.decide);
    let guards: Vec<_> = figures.iter().filter_map(|figures| figures.guard).collect();
    // Of the many cases of the largest policy, the slowest counts.
    let slowest = figures
        .iter()
        .filter(|figures| figures.triples == largest.triples)
        .map(|figures| figures.decide)
        .fold(0.0, f64::max);
    Ok(json!({
        "cases": figures.len(),
        "decide_ns": decide,
        "decide_ns_bound": MEDIAN_NANOS,
        "largest_triples": largest.triples,
        "largest_decide_ns": slowest,
        "largest_decide_ns_bound": LARGEST_NANOS,
        "report_graph_ns": of(|figures| figures.report),
        "compile_ns": of(|figures| figures.compile),
        "compile_to_decide_ratio": of(|figures| figures.compile / figures.decide),
        "guard_cases": guards.len(),
        "guard_decide_ns": median(guards),
        "rules": RULES,
        "rules_published_ms": published(true)?,
        "rules_published_without_overlap_check_ms": published(false)?,
        "ok": decide < MEDIAN_NANOS && slowest < LARGEST_NANOS,
    }))
}

fn measure(case: &Case, library: &Library) -> Result<Figures, Fault> {
    let fault = |detail: String| Fault::content(&case.id, detail);
    let (evaluator, request, world) = case
        .prepare()
        .map_err(|errors| fault(format!("{errors:?}")))?;
    let compile = || -> Result<Evaluator, Fault> {
        let graph = library.graph(&case.policy_file)?;
        Evaluator::read(&graph).map_err(|errors| fault(format!("{errors:?}")))
    };
    compile()?;
    Ok(Figures {
        triples: case.policies.len(),
        decide: nanos(|| evaluator.evaluate(&request, &world).is_permitted()),
        report: nanos(|| evaluator.evaluate(&request, &world).to_graph()),
        compile: nanos(|| compile().is_ok()),
        guard: guard(case, library)?,
    })
}

/// What the connector's own decision takes; none where a guard cannot enforce the policy.
fn guard(case: &Case, library: &Library) -> Result<Option<f64>, Fault> {
    let text = library.text(&case.policy_file)?;
    let Ok(policies) = Policy::parse(&text, RdfFormat::Turtle, None) else {
        return Ok(None);
    };
    let Some(dataset) = policies.first().and_then(Policy::dataset).cloned() else {
        return Ok(None);
    };
    let (Ok(set), Some(ask)) = (PolicySet::compile(dataset, policies), ask(case)) else {
        return Ok(None);
    };
    Ok(Some(nanos(|| set.decide(&ask).is_ok())))
}

fn ask(case: &Case) -> Option<Ask> {
    let name = |property| only(&case.request, property);
    let time = case.state.triples_for_predicate(dcterms::ISSUED).next()?;
    let TermRef::Literal(time) = time.object else {
        return None;
    };
    let now: DateTime = time.value().parse().ok()?;
    Some(Ask {
        participant: name(odrl::ASSIGNEE)?,
        subject: "somebody".to_owned(),
        roles: Vec::new(),
        purpose: None,
        action: name(odrl::ACTION)?,
        now,
    })
}

fn only(graph: &Graph, property: NamedNodeRef<'_>) -> Option<NamedNode> {
    match graph.triples_for_predicate(property).next()?.object {
        TermRef::NamedNode(name) => Some(name.into_owned()),
        _ => None,
    }
}

/// How many milliseconds it takes to publish a policy of many rules of which none overlap: half permissions, half prohibitions,
/// half of them of the same participants and half of the same properties. Where prohibitions win, nothing is checked.
fn published(is_checked: bool) -> Result<f64, Fault> {
    let strategy = if is_checked { "invalid" } else { "prohibit" };
    let mut text = format!(
        "@prefix odrl: <http://www.w3.org/ns/odrl/2/> . @prefix tl: <https://w3id.org/twinlink/ns#> . @prefix ex: <http://example.org/> .
         ex:p a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ; odrl:conflict odrl:{strategy}"
    );
    for number in 0..RULES {
        let kind = match number % 2 {
            0 => "permission",
            _ => "prohibition",
        };
        text += &format!(" ; odrl:{kind} ex:rule{number}");
    }
    text += " .\n";
    for number in 0..RULES {
        let (is_prohibition, is_of_property) = (number % 2, number % 4 / 2);
        // Apart by property, or by participant.
        let (property, party) = match is_of_property {
            0 => (number, 0),
            _ => (0, number),
        };
        text += &format!(
            "ex:rule{number} odrl:action odrl:read ; odrl:assignee ex:party{party}x{} ; odrl:target ex:target{number} .
             ex:target{number} odrl:source ex:twin ; odrl:refinement ex:refinement{number} .
             ex:refinement{number} odrl:leftOperand tl:property ; odrl:operator odrl:eq ; odrl:rightOperand ex:p{property} .\n",
            is_of_property * is_prohibition,
        );
    }
    let started = Instant::now();
    let policies = Policy::parse(&text, RdfFormat::Turtle, None);
    let policies = policies.map_err(|errors| Fault::Measure(format!("{errors:?}")))?;
    black_box(policies);
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// What it takes to do something, in nanoseconds.
fn nanos<T>(mut task: impl FnMut() -> T) -> f64 {
    let once = Instant::now();
    black_box(task());
    let once = once.elapsed().max(Duration::from_nanos(1));
    let often = (ROUND.as_nanos() / once.as_nanos()).clamp(1, 10_000);
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        for _ in 0..often {
            black_box(task());
        }
        started.elapsed().as_secs_f64() * 1e9 / often as f64
    });
    median(rounds.collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
