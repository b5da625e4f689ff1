//! What is told of groups of units.

use super::subject;
use super::transform::{nearest, number};
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{GraphName, Literal, NamedNode, Quad, Term};
use oxsdatatypes::Decimal;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use twinlink_core::policy::{MeasureKind, Statistic};

const CUBE: &str = "http://purl.org/linked-data/cube#";
const TL: &str = "https://w3id.org/twinlink/ns#";

/// The observations about the units of these quads.
pub(super) fn observations(statistic: &Statistic, quads: &HashSet<Quad>) -> Vec<Quad> {
    // Values in N-Triples form, with the values and the units.
    let mut groups: BTreeMap<Vec<String>, (Vec<Term>, Vec<Term>)> = BTreeMap::new();
    for unit in quads.iter().map(subject).collect::<HashSet<_>>() {
        let only = |dimension: &NamedNode| {
            let mut values = values(quads, &unit, dimension).into_iter();
            values.next().filter(|_| values.next().is_none())
        };
        let place = statistic.dimensions.iter().map(only);
        if let Some(place) = place.collect::<Option<Vec<_>>>() {
            let names = place.iter().map(ToString::to_string).collect();
            let group = groups.entry(names).or_insert((place, Vec::new()));
            group.1.push(unit);
        }
    }
    let least = statistic.minimum as usize;
    let size = |names: &Vec<String>| groups.get(names).map_or(0, |(_, units)| units.len());
    let names = groups.keys().filter(|names| size(names) >= least);
    let mut shown: BTreeSet<_> = names.cloned().collect();
    loop {
        let hidden = groups.keys().filter(|names| !shown.contains(*names));
        let (count, units) = (hidden.clone().count(), hidden.map(size).sum::<usize>());
        let smallest = shown.iter().min_by_key(|names| (size(names), *names));
        let Some(smallest) = smallest.cloned() else {
            break;
        };
        if units == 0 || (units >= least && count > 1) {
            break;
        }
        shown.remove(&smallest);
    }
    groups.retain(|names, _| shown.contains(names));
    let groups = groups.iter();
    let told =
        groups.map(|(names, (place, units))| observation(statistic, quads, names, place, units));
    told.flatten().collect()
}

/// The values of a unit's property, each once.
fn values(quads: &HashSet<Quad>, unit: &Term, property: &NamedNode) -> HashSet<Term> {
    let states = |quad: &&Quad| subject(quad) == *unit && quad.predicate == *property;
    quads
        .iter()
        .filter(states)
        .map(|quad| quad.object.clone())
        .collect()
}

fn observation(
    statistic: &Statistic,
    quads: &HashSet<Quad>,
    names: &[String],
    place: &[Term],
    units: &[Term],
) -> Vec<Quad> {
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    let name = format!("{}#{:x}", statistic.name.as_str(), Sha256::digest(text));
    let name = NamedNode::new_unchecked(name);
    let iri = |space: &str, name: &str| NamedNode::new_unchecked(format!("{space}{name}"));
    let count = Literal::new_typed_literal(units.len().to_string(), xsd::INTEGER);
    let mut told: Vec<(NamedNode, Term)> = vec![
        (rdf::TYPE.into_owned(), iri(CUBE, "Observation").into()),
        (iri(CUBE, "dataSet"), statistic.name.clone().into()),
        (iri(TL, "count"), count.into()),
    ];
    told.extend(
        statistic
            .dimensions
            .iter()
            .cloned()
            .zip(place.iter().cloned()),
    );
    if let Some((kind, value)) = measured(statistic, quads, units) {
        let value = Literal::new_typed_literal(value.to_string(), xsd::DECIMAL);
        told.push((iri(TL, kind), value.into()));
        let property = statistic
            .measure
            .iter()
            .map(|measure| measure.property.clone());
        told.extend(property.map(|property| (iri(TL, "measured"), property.into())));
    }
    let quad =
        |(property, value)| Quad::new(name.clone(), property, value, GraphName::DefaultGraph);
    told.into_iter().map(quad).collect()
}

/// The sum or the mean of all values of the group's units.
fn measured(
    statistic: &Statistic,
    quads: &HashSet<Quad>,
    units: &[Term],
) -> Option<(&'static str, Decimal)> {
    let measure = statistic.measure.as_ref()?;
    let of_units = units
        .iter()
        .map(|unit| values(quads, unit, &measure.property));
    let of_units: Vec<_> = of_units.filter(|values| !values.is_empty()).collect();
    if of_units.len() < statistic.minimum as usize {
        return None;
    }
    let (mut sum, mut count) = (Decimal::from(0), 0);
    for value in of_units.iter().flatten() {
        let Term::Literal(literal) = value else {
            return None;
        };
        sum = sum.checked_add(number(literal)?)?;
        count += 1;
    }
    match measure.kind {
        MeasureKind::Sum => Some(("sum", sum)),
        MeasureKind::Average => {
            let mean = nearest(sum.checked_div(count)?, "0.000001".parse().ok()?)?;
            Some(("average", mean))
        }
    }
}
