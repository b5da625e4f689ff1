//! Brings a guard into one form, so that decisions which show the same are the same.

use crate::guard::{Function, Guard, Selector, Statistic, Transformed};
use oxrdf::NamedNode;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts, and drops what makes no difference: a permit inside a prohibition or inside a wider permit, a prohibition
/// inside a wider one or apart from all that is shown, a transformed part or a statistic inside a prohibition, and a
/// transformed part inside a wider one that goes through the same steps; of a layer what another one shows too, and layers
/// that show nothing. Layers with the same prohibitions become one.
///
/// Of statistics that share a name but not what they tell, none is left: their observations could not be told apart.
// INVARIANT(simplify-shows-the-same): a quad is visible by the result if and only if it is by the argument.
pub(super) fn simplify(guard: &Guard) -> Guard {
    let mut layers: Vec<_> = guard.layers().map(layer).collect();
    let ambiguous = ambiguous(&layers);
    if !ambiguous.is_empty() {
        layers = layers.iter().map(|one| untold(one, &ambiguous)).collect();
    }
    if layers.len() > 1 {
        layers = merged(layers);
        // One after the other, or two that show the same would each go for the other's sake.
        for place in 0..layers.len() {
            let (before, rest) = layers.split_at(place);
            let Some((one, after)) = rest.split_first() else {
                break;
            };
            let others: Vec<&Guard> = before.iter().chain(after).collect();
            let left = layer(&without(one, &others));
            layers.splice(place..=place, [left]);
        }
        layers.retain(|layer| !layer.is_nothing());
        layers = merged(layers);
    }
    Guard::union(layers)
}

/// One layer by itself.
fn layer(guard: &Guard) -> Guard {
    let mut prohibitions = widest(guard.prohibitions().to_vec());
    let is_withheld = |selector: &Selector| prohibitions.iter().any(|one| one.covers(selector));
    let mut permits = widest(guard.permits().to_vec());
    permits.retain(|permit| !is_withheld(permit));
    let mut transformed = guard.transformed().to_vec();
    transformed.retain(|one| !is_withheld(&one.selector));
    let transformed = widest_transformed(transformed);
    let mut statistics = guard.statistics().to_vec();
    statistics.sort();
    statistics.dedup();
    statistics.retain(|one| !is_withheld(&one.selector));
    let shown: Vec<&Selector> = permits
        .iter()
        .chain(transformed.iter().map(|one| &one.selector))
        .chain(statistics.iter().map(|one| &one.selector))
        .collect();
    prohibitions.retain(|prohibited| shown.iter().any(|one| !one.is_disjoint(prohibited)));
    Guard::new(permits, prohibitions)
        .with_transformed(transformed)
        .with_statistics(statistics)
}

/// Sorted, those with the same prohibitions as one.
fn merged(mut layers: Vec<Guard>) -> Vec<Guard> {
    layers.sort_by(|left, right| left.prohibitions().cmp(right.prohibitions()));
    let same = layers.chunk_by(|left, right| left.prohibitions() == right.prohibitions());
    let merged = same.map(|same| {
        let all = |of: fn(&Guard) -> &[Selector]| same.iter().flat_map(of).cloned().collect();
        let transformed = same.iter().flat_map(Guard::transformed);
        let statistics = same.iter().flat_map(Guard::statistics);
        let prohibitions = same.first().map(|one| one.prohibitions().to_vec());
        let one = Guard::new(all(Guard::permits), prohibitions.unwrap_or_default())
            .with_transformed(transformed.cloned().collect())
            .with_statistics(statistics.cloned().collect());
        layer(&one)
    });
    merged.collect()
}

/// The layer without what one of the others shows in the same way.
fn without(layer: &Guard, others: &[&Guard]) -> Guard {
    // Whether the other withholds no more of what a selector selects.
    let is_freer = |other: &Guard, selector: &Selector| {
        let mut withheld = withheld_from(selector, other);
        withheld.all(|one| layer.prohibitions().iter().any(|own| own.covers(one)))
    };
    let mut permits = layer.permits().to_vec();
    permits.retain(|permit| {
        !others.iter().any(|other| {
            other.permits().iter().any(|wide| wide.covers(permit)) && is_freer(other, permit)
        })
    });
    let mut transformed = layer.transformed().to_vec();
    transformed.retain(|one| {
        !others.iter().any(|other| match counts(one) {
            true => {
                let withheld = withheld_from(&one.selector, other);
                other.transformed().contains(one)
                    && withheld.eq(withheld_from(&one.selector, layer))
            }
            false => {
                let mut wide = other.transformed().iter();
                wide.any(|wide| wide.steps == one.steps && wide.selector.covers(&one.selector))
                    && is_freer(other, &one.selector)
            }
        })
    });
    let mut statistics = layer.statistics().to_vec();
    // What shares its name and is not the same is gone already.
    statistics.retain(|one| !others.iter().any(|other| other.statistics().contains(one)));
    Guard::new(permits, layer.prohibitions().to_vec())
        .with_transformed(transformed)
        .with_statistics(statistics)
}

/// What of a layer is to be taken off what a selector selects.
fn withheld_from<'a>(
    selector: &'a Selector,
    layer: &'a Guard,
) -> impl Iterator<Item = &'a Selector> {
    let prohibitions = layer.prohibitions().iter();
    prohibitions.filter(|one| !one.is_disjoint(selector))
}

/// The names that statistics share which do not tell the same.
fn ambiguous(layers: &[Guard]) -> BTreeSet<NamedNode> {
    let mut told: BTreeMap<&NamedNode, BTreeSet<(&Statistic, Vec<&Selector>)>> = BTreeMap::new();
    for layer in layers {
        for one in layer.statistics() {
            let withheld = withheld_from(&one.selector, layer).collect();
            told.entry(&one.name).or_default().insert((one, withheld));
        }
    }
    let shared = told.into_iter().filter(|(_, told)| told.len() > 1);
    shared.map(|(name, _)| name.clone()).collect()
}

/// The layer without the statistics of these names.
fn untold(layer: &Guard, names: &BTreeSet<NamedNode>) -> Guard {
    let mut statistics = layer.statistics().to_vec();
    statistics.retain(|one| !names.contains(&one.name));
    self::layer(
        &Guard::new(layer.permits().to_vec(), layer.prohibitions().to_vec())
            .with_transformed(layer.transformed().to_vec())
            .with_statistics(statistics),
    )
}

fn widest(mut selectors: Vec<Selector>) -> Vec<Selector> {
    selectors.sort();
    selectors.dedup();
    let all = selectors.clone();
    selectors.retain(|one| !all.iter().any(|other| other != one && other.covers(one)));
    selectors
}

/// Small groups are counted among the quads of one selector, so those must stay as they are.
fn widest_transformed(mut parts: Vec<Transformed>) -> Vec<Transformed> {
    parts.sort();
    parts.dedup();
    let all = parts.clone();
    parts.retain(|one| {
        counts(one)
            || !all.iter().any(|other| {
                other != one && other.steps == one.steps && other.selector.covers(&one.selector)
            })
    });
    parts
}

/// Whether it looks at how many share a value.
fn counts(part: &Transformed) -> bool {
    let mut steps = part.steps.iter();
    steps.any(|step| matches!(step.function, Function::SuppressBelow(_)))
}

#[cfg(test)]
mod tests;
