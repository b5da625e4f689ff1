//! Wrong copies: what an engine would show that gets one sentence of the guard's documentation wrong.

use super::Fault;
use crate::noninterference::model::{Key, Model, is_until, materialise};
use crate::noninterference::scene::KEY;
use oxrdf::vocab::rdf;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use std::collections::{HashMap, HashSet};
use twinlink_core::policy::{Function, Guard, Statistic};

/// What an engine with this fault shows of the data.
pub(super) fn copy(
    fault: Option<Fault>,
    data: &[Quad],
    guard: &Guard,
    names: &HashSet<Term>,
) -> Result<Vec<Quad>, String> {
    let right = materialise(data, guard, names, KEY)?;
    let over = |whole: &[Quad], key: Key| {
        let model = Model {
            data,
            whole,
            names,
            key,
        };
        model.shown(guard)
    };
    let some = |keep: &dyn Fn(&Quad) -> bool| -> Vec<Quad> {
        data.iter().filter(|quad| keep(quad)).cloned().collect()
    };
    let also = |mut quads: Vec<Quad>, more: Vec<Quad>| {
        let known: HashSet<_> = quads.iter().cloned().collect();
        quads.extend(more.into_iter().filter(|quad| !known.contains(quad)));
        quads
    };
    let shown = |guard: &Guard| materialise(data, guard, names, KEY);
    match fault {
        Some(Fault::ClassesFromTheVisible) => {
            let told = |quad: &Quad| quad.predicate != rdf::TYPE || right.contains(quad);
            over(&some(&told), KEY)
        }
        Some(Fault::ClassesFromTheDefaultGraph) => {
            let told = |quad: &Quad| {
                quad.predicate != rdf::TYPE || quad.graph_name == GraphName::DefaultGraph
            };
            over(&some(&told), KEY)
        }
        Some(Fault::PatternsOverTheVisible) => over(&some(&|quad| right.contains(quad)), KEY),
        Some(Fault::OneOldTimeIsEnough) => {
            let recorded: Vec<_> = guard
                .selectors()
                .filter_map(|one| one.recorded.as_ref())
                .collect();
            let told = |quad: &Quad| {
                let mut about = recorded.iter().filter(|one| one.property == quad.predicate);
                about.all(|one| is_until(&quad.object, one.until))
            };
            over(&some(&told), KEY)
        }
        Some(Fault::PseudonymsWithoutAKey) => over(data, [0; 32]),
        Some(Fault::TransformsIgnoreProhibitions) => {
            let changed = guard.layers().flat_map(Guard::transformed);
            let changed = changed.cloned().collect();
            Ok(also(
                right,
                shown(&Guard::default().with_transformed(changed))?,
            ))
        }
        Some(Fault::StatisticsIgnoreProhibitions) => {
            let statistics = guard.layers().flat_map(Guard::statistics);
            let statistics = statistics.cloned().collect();
            let layers = guard.layers().cloned();
            let rest = Guard::union(layers.map(|one| one.with_statistics(Vec::new())));
            let told = Guard::default().with_statistics(statistics);
            Ok(also(shown(&rest)?, shown(&told)?))
        }
        Some(Fault::BrokenValuesShown) => {
            let changes: HashSet<_> = changes(data, guard, names)?
                .into_iter()
                .map(|(_, was)| was)
                .collect();
            let mut broken = Vec::new();
            for (layer, one) in each(guard, Guard::transformed) {
                let model = Model {
                    data,
                    whole: data,
                    names,
                    key: KEY,
                };
                let is_dropped = |quad: &Quad| !changes.contains(quad);
                let rows = model.allowed(&one.selector, layer)?;
                let hides = |function: &Function| {
                    matches!(function, Function::Suppress | Function::SuppressBelow(_))
                };
                if !one.steps.iter().any(|step| hides(&step.function)) {
                    broken.extend(rows.into_iter().filter(is_dropped));
                }
            }
            Ok(also(right, broken))
        }
        Some(Fault::ComplementForgotten) => {
            let count = "https://w3id.org/twinlink/ns#count";
            let mut more = Vec::new();
            for (layer, one) in each(guard, Guard::statistics) {
                let told = shown(&alone(layer, one, 1))?;
                let is_enough = |quad: &&Quad| match &quad.object {
                    Term::Literal(units) => {
                        units.value().parse().is_ok_and(|n: u32| n >= one.minimum)
                    }
                    _ => false,
                };
                let counts = told.iter().filter(|quad| quad.predicate.as_str() == count);
                let enough: HashSet<_> = counts
                    .filter(is_enough)
                    .map(|quad| quad.subject.clone())
                    .collect();
                more.extend(
                    told.into_iter()
                        .filter(|quad| enough.contains(&quad.subject)),
                );
            }
            Ok(also(right, more))
        }
        Some(Fault::FewMeasured) => {
            let seen: HashSet<_> = right.iter().map(|quad| quad.subject.clone()).collect();
            let mut more = Vec::new();
            for (layer, one) in each(guard, Guard::statistics) {
                let told = shown(&alone(layer, one, 1))?;
                more.extend(told.into_iter().filter(|quad| seen.contains(&quad.subject)));
            }
            Ok(also(right, more))
        }
        Some(Fault::DifferencesTold) => {
            let mut more = Vec::new();
            for (layer, one) in each(guard, Guard::statistics) {
                more.extend(shown(&alone(layer, one, one.minimum))?);
            }
            Ok(also(right, more))
        }
        _ => Ok(right),
    }
}

/// Something that layers have, each with its layer.
pub(super) fn each<'a, T: 'a>(
    guard: &'a Guard,
    of: fn(&'a Guard) -> &'a [T],
) -> impl Iterator<Item = (&'a Guard, &'a T)> {
    let layers = guard.layers();
    layers.flat_map(move |layer| of(layer).iter().map(move |one| (layer, one)))
}

/// One statistic and nothing else, with another minimum.
fn alone(guard: &Guard, statistic: &Statistic, minimum: u32) -> Guard {
    let statistic = Statistic {
        minimum,
        ..statistic.clone()
    };
    Guard::new(Vec::new(), guard.prohibitions().to_vec()).with_statistics(vec![statistic])
}

/// What is shown changed, with what it was.
pub(super) fn changes(
    data: &[Quad],
    guard: &Guard,
    names: &HashSet<Term>,
) -> Result<Vec<(Quad, Quad)>, String> {
    let right: HashSet<_> = materialise(data, guard, names, KEY)?.into_iter().collect();
    let model = Model {
        data,
        whole: data,
        names,
        key: KEY,
    };
    let mut pairs = Vec::new();
    for (layer, one) in each(guard, Guard::transformed) {
        let mut steps = one.steps.clone();
        // How many share a value is not told by one quad; what is dropped for it is not among the right ones.
        steps.retain(|step| !matches!(step.function, Function::SuppressBelow(_)));
        for was in model.allowed(&one.selector, layer)? {
            let now = model.changed(HashSet::from([was.clone()]), &steps)?;
            let shown = now.into_iter().filter(|quad| right.contains(quad));
            pairs.extend(shown.map(|quad| (quad, was.clone())));
        }
    }
    Ok(pairs)
}

/// What stands for which term, where that is the same everywhere.
pub(super) fn renamed(changes: &[(Quad, Quad)]) -> HashMap<Term, Term> {
    let node = |node: &NamedOrBlankNode| Term::from(node.clone());
    let ends = |(now, was): &(Quad, Quad)| {
        [
            (node(&was.subject), node(&now.subject)),
            (was.object.clone(), now.object.clone()),
        ]
    };
    let all = changes.iter().flat_map(ends);
    all.filter(|(was, now)| was != now).collect()
}
