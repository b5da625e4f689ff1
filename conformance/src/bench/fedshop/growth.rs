//! What more members cost, all in one process: the same questions with a few, with all, and with copies of all under other names.

use super::together::{exchange, limits, member};
use super::{Case, count, geometric_mean, quads, sources};
use crate::engine::Ours;
use crate::library::Fault;
use crate::members::{Member, Town};
use oxrdf::{NamedNode, NamedOrBlankNode, Quad, Term};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;
use twinlink_core::{Explain, StepKind};

/// How many members there are, one after the other.
pub(super) const STEPS: [usize; 5] = [5, 10, 20, 100, 200];

/// Measures, with more and more members, up to so many.
pub(super) fn measure(folder: &Path, cases: &[Case], most: usize) -> Result<Value, Fault> {
    let ours = Ours::new().map_err(Fault::Measure)?;
    let mut originals = Vec::new();
    for source in alternating(sources(folder)?, |source| &source.name) {
        originals.push((source.name, quads(&source.path)?));
    }
    let empty = resident()?;
    let (mut members, mut steps) = (vec![member(&ours, Vec::new())?], Vec::new());
    for step in STEPS.into_iter().filter(|step| *step <= most) {
        while members.len() <= step {
            let number = members.len() - 1;
            let (Some((name, quads)), copy) = (
                originals.get(number % originals.len().max(1)),
                number / originals.len().max(1),
            ) else {
                return Err(Fault::Measure("there are no members".to_owned()));
            };
            members.push(member(&ours, copied(quads, name, copy))?);
        }
        steps.push(one(&members, cases, empty)?);
    }
    Ok(json!({ "steps": steps, "processes": 1 }))
}

/// One step.
fn one(members: &[Member], cases: &[Case], empty: f64) -> Result<Value, Fault> {
    let before = resident()?;
    let town = Town::new(members, limits(), true).map_err(Fault::Measure)?;
    let (exchange, _) = exchange(&town)?;
    let after = resident()?;
    let (mut planning, mut all, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    let mut queries = Vec::new();
    for case in cases {
        // The first time nothing of it is planned yet.
        let planned = time_to_plan(&town, case)?;
        let started = Instant::now();
        let told = town.ask(&case.query).map_err(Fault::Measure)?;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        queries.push(json!({
            "query": case.name,
            "requests": told.requests,
            "other_requests": told.probes + told.summaries,
            "planning_milliseconds": planned,
            "milliseconds": milliseconds,
        }));
        planning.push(planned);
        all.push(milliseconds);
        requests.push(count(told.requests));
    }
    let number = count(cases.len().max(1));
    Ok(json!({
        "members": members.len() - 1,
        "exchange": exchange,
        "planning_geometric_mean_milliseconds": geometric_mean(planning.iter().copied()),
        "planning_most_milliseconds": planning.iter().copied().fold(0.0, f64::max),
        "geometric_mean_milliseconds": geometric_mean(all.into_iter()),
        "requests_mean": requests.iter().sum::<f64>() / number,
        "requests_most": requests.iter().copied().fold(0.0, f64::max),
        "twins_megabytes": before - empty,
        "summaries_megabytes": after - before,
        "after_all_megabytes": resident()? - before,
        "queries": queries,
    }))
}

/// How long it takes to see by summaries what is asked of whom, in milliseconds.
fn time_to_plan(town: &Town, case: &Case) -> Result<f64, Fault> {
    let told = town.explain(&case.query, Explain::Plan);
    let told = told
        .map_err(Fault::Measure)?
        .explanation
        .unwrap_or_default();
    let longest = |kind: StepKind| {
        let steps = told.steps.iter().filter(|step| step.kind == kind);
        let longest = steps.map(|step| step.elapsed).max();
        longest.unwrap_or_default().as_secs_f64() * 1e3
    };
    Ok(longest(StepKind::Summary) + longest(StepKind::Plan))
}

/// Shops and rating sites by turns, so that a few members are some of both.
pub(super) fn alternating<T>(members: Vec<T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let (shops, others): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|member| name(member).starts_with("vendor"));
    let (mut shops, mut others) = (shops.into_iter(), others.into_iter());
    let mut all = Vec::new();
    loop {
        let pair = (shops.next(), others.next());
        if let (None, None) = pair {
            return all;
        }
        all.extend(pair.0);
        all.extend(pair.1);
    }
}

/// The quads of a member with what is its own under another name. What it says of the products that all know is the
/// same, so that copies answer the same questions. The first is the member itself.
pub(super) fn copied(quads: &[Quad], name: &str, copy: usize) -> Vec<Quad> {
    if copy == 0 {
        return quads.to_vec();
    }
    let (old, new) = (
        format!("http://www.{name}.fr/"),
        format!("http://www.{name}-{copy}.fr/"),
    );
    let named = |node: &NamedNode| match node.as_str().strip_prefix(&old) {
        Some(rest) => NamedNode::new_unchecked(format!("{new}{rest}")),
        None => node.clone(),
    };
    let copied = quads.iter().map(|quad| {
        let mut quad = quad.clone();
        if let NamedOrBlankNode::NamedNode(node) = &quad.subject {
            quad.subject = named(node).into();
        }
        if let Term::NamedNode(node) = &quad.object {
            quad.object = named(node).into();
        }
        quad
    });
    copied.collect()
}

/// What this process holds in memory, in megabytes.
fn resident() -> Result<f64, Fault> {
    crate::program::megabytes(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::GraphName;

    #[test]
    fn copies_have_names_of_their_own_and_share_what_all_know() {
        let iri = |text: &str| NamedNode::new_unchecked(text);
        let quad = |subject: &str, object: &str| {
            Quad::new(
                iri(subject),
                iri("http://e/p"),
                iri(object),
                GraphName::DefaultGraph,
            )
        };
        let given = [quad("http://www.vendor1.fr/Offer1", "http://e/Product7")];
        assert_eq!(copied(&given, "vendor1", 0), given);
        let copy = [quad("http://www.vendor1-2.fr/Offer1", "http://e/Product7")];
        assert_eq!(copied(&given, "vendor1", 2), copy);
    }
}
