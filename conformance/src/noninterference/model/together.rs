//! What several statistics may tell together, beside what is shown: one number after the other, each tried with all before it.

use super::statistic::{Told, values};
use super::subject;
use oxrdf::{NamedNode, Quad, Term};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A group: the place of its statistic, and its own.
type Number = (usize, usize);

/// Hides what cannot be told together. `known` says what may be seen besides, in several ways.
pub(super) fn hide_differences(told: &mut [Told<'_>], known: &[HashSet<Quad>]) {
    told.sort_by_key(|one| one.statistic);
    let measures = told.iter().filter_map(|one| one.statistic.measure.as_ref());
    let measures: BTreeSet<_> = measures.map(|measure| measure.property.clone()).collect();
    // First how many units there are, then what is measured of them.
    for property in std::iter::once(None).chain(measures.into_iter().map(Some)) {
        let mut kept: Vec<Number> = Vec::new();
        let mut hidden: Vec<Number> = Vec::new();
        for (place, one) in told.iter().enumerate() {
            let least = least(told, one);
            let measure = one.statistic.measure.as_ref();
            let is_about =
                property.is_none() || measure.map(|one| &one.property) == property.as_ref();
            for (number, group) in one.groups.iter().enumerate().filter(|_| is_about) {
                if !group.is_told || (property.is_some() && !group.is_measured) {
                    continue;
                }
                kept.push((place, number));
                let is_safe = |known| is_safe(told, &kept, property.as_ref(), known, least);
                if !known.iter().all(is_safe) {
                    hidden.extend(kept.pop());
                }
            }
        }
        for (place, number) in hidden {
            let one = told.get_mut(place);
            if let Some(group) = one.and_then(|one| one.groups.get_mut(number)) {
                group.is_told &= property.is_some();
                group.is_measured = false;
            }
        }
    }
}

/// The largest minimum of the statistics that one shares units with, directly or by way of others.
fn least(told: &[Told<'_>], one: &Told<'_>) -> usize {
    let units = |one: &Told<'_>| -> HashSet<Term> {
        let units = one.groups.iter().flat_map(|group| &group.units);
        units.cloned().collect()
    };
    let (mut met, mut before) = (units(one), 0);
    while met.len() > before {
        before = met.len();
        for other in told.iter().map(units) {
            if !met.is_disjoint(&other) {
                met.extend(other);
            }
        }
    }
    let near = told.iter().filter(|other| !met.is_disjoint(&units(other)));
    near.map(|one| one.statistic.minimum).max().unwrap_or(0) as usize
}

/// Whether all that can be calculated from the numbers is about no unit, or about a part of at least so many that are in the same
/// groups: those parts tell all others.
fn is_safe(
    told: &[Told<'_>],
    numbers: &[Number],
    property: Option<&NamedNode>,
    known: &HashSet<Quad>,
    least: usize,
) -> bool {
    // For each unit what it adds to which number.
    let mut units: BTreeMap<String, BTreeMap<BTreeSet<String>, Vec<i128>>> = BTreeMap::new();
    for (column, (place, number)) in numbers.iter().enumerate() {
        let Some(one) = told.get(*place) else {
            continue;
        };
        for unit in one
            .groups
            .get(*number)
            .iter()
            .flat_map(|group| &group.units)
        {
            let added: BTreeSet<String> = match property {
                None => BTreeSet::new(),
                Some(property) => {
                    let values = values(&one.quads, unit, property);
                    values.iter().map(ToString::to_string).collect()
                }
            };
            let adds_nothing = property.is_some() && added.is_empty();
            if adds_nothing || is_known(one, unit, property, known) {
                continue;
            }
            let of_unit = units.entry(unit.to_string()).or_default();
            let row = of_unit
                .entry(added)
                .or_insert_with(|| vec![0; numbers.len()]);
            row.iter_mut().skip(column).take(1).for_each(|one| *one = 1);
        }
    }
    let mut parts: BTreeMap<Vec<i128>, usize> = BTreeMap::new();
    for rows in units.into_values() {
        // What adds now this, now that, is in no part.
        let weight = usize::from(rows.len() == 1);
        for row in rows.into_values() {
            *parts.entry(row).or_default() += weight;
        }
    }
    let large = parts.iter().filter(|(_, units)| **units >= least);
    rank(large.map(|(row, _)| row.clone()).collect()) == rank(parts.into_keys().collect())
}

/// Whether all that the number rests on can be seen.
fn is_known(
    told: &Told<'_>,
    unit: &Term,
    property: Option<&NamedNode>,
    known: &HashSet<Quad>,
) -> bool {
    let seen: HashSet<Quad> = told.quads.intersection(known).cloned().collect();
    let dimensions = &told.statistic.dimensions;
    let has_place = match dimensions.is_empty() {
        true => seen.iter().any(|quad| subject(quad) == *unit),
        false => dimensions
            .iter()
            .all(|one| !values(&seen, unit, one).is_empty()),
    };
    let has_values = property.is_none_or(|property| {
        values(&seen, unit, property) == values(&told.quads, unit, property)
    });
    has_place && has_values
}

/// How many of the rows are no sum of multiples of the others: modulo a prime far larger than any determinant of so few zeros and
/// ones.
fn rank(mut rows: Vec<Vec<i128>>) -> usize {
    const PRIME: i128 = (1 << 61) - 1;
    let (width, all) = (rows.first().map_or(0, Vec::len), rows.len());
    for column in 0..width {
        let at = |row: &Vec<i128>| row.get(column).copied().unwrap_or(0);
        let Some(place) = rows.iter().position(|row| at(row) != 0) else {
            continue;
        };
        let lead = rows.swap_remove(place);
        for row in &mut rows {
            let times = at(row);
            for (one, leading) in row.iter_mut().zip(&lead) {
                *one = (*one * at(&lead) - times * leading).rem_euclid(PRIME);
            }
        }
    }
    all - rows.len()
}
