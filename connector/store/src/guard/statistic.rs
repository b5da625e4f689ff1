//! Observations about groups of units: see [`twinlink_policy::Statistic`].

use super::function::{decimal, nearest, number, of_parts, parts};
use super::overlay::Making;
use super::pseudonym::hex;
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::run::IdQuad;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, NamedNodeRef, Term};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use twinlink_policy::{Measure, MeasureKind, Statistic};

/// Of the RDF Data Cube vocabulary.
const OBSERVATION: &str = "http://purl.org/linked-data/cube#Observation";
const DATA_SET: &str = "http://purl.org/linked-data/cube#dataSet";
/// Ours.
const COUNT: &str = "https://w3id.org/twinlink/ns#count";
const SUM: &str = "https://w3id.org/twinlink/ns#sum";
const AVERAGE: &str = "https://w3id.org/twinlink/ns#average";
const MEASURED: &str = "https://w3id.org/twinlink/ns#measured";

/// A mean is rounded to so many parts of a decimal: 6 digits.
const MICRO: i128 = 1_000_000_000_000;

/// Stands for "more than one value". No term has it: half of the ids stay free.
const MANY: Id = Id::MAX;
/// Stands for "no value yet". No term has it.
const NONE: Id = DEFAULT_GRAPH;

/// The selected quads, by unit.
struct Units {
    /// The place of each unit.
    places: FxHashMap<Id, usize>,
    /// For each unit a value for each dimension.
    values: Vec<Id>,
    /// The unit's place and a value of the measured property.
    measured: Vec<(usize, Id)>,
}

#[derive(Default)]
struct Group {
    units: u64,
    /// What is measured, in parts of a decimal; none if a value is no number.
    sum: Option<i128>,
    /// How many values there are.
    count: u64,
    /// How many units have a value.
    having: u64,
}

/// Adds the observations of a statistic to `quads`.
// INVARIANT(no-small-difference): what is hidden of all groups together is nobody, or at least the minimum.
pub(super) fn observe(
    statistic: &Statistic,
    making: &mut Making<'_>,
    quads: &mut Vec<IdQuad>,
) -> Result<(), StoreError> {
    let units = units(statistic, making)?;
    let groups = groups(statistic, making, &units)?;
    let mut named = Vec::with_capacity(groups.len());
    for (values, group) in groups {
        let terms = values.iter().map(|value| making.term(*value));
        let terms = terms.collect::<Result<Vec<_>, _>>()?;
        let names = terms.iter().map(Term::to_string).collect::<Vec<_>>();
        named.push((group.units, names, values, group));
    }
    // Groups that may be shown last, the smallest of them first.
    named.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let minimum = u64::from(statistic.minimum);
    let (mut hidden, mut hidden_units) = (0, 0);
    for (units, ..) in &named {
        let is_told = hidden_units > 0 && (hidden_units < minimum || hidden == 1);
        if *units >= minimum && !is_told {
            break;
        }
        hidden += 1;
        hidden_units += units;
    }
    for (_, names, values, group) in named.iter().skip(hidden) {
        making.watch.step()?;
        tell(statistic, making, names, values, group, quads)?;
    }
    Ok(())
}

fn units(statistic: &Statistic, making: &Making<'_>) -> Result<Units, StoreError> {
    let id = |node: &NamedNode| making.snapshot.dictionary.id(node.as_ref().into());
    let dimensions = statistic.dimensions.iter().map(id).collect::<Vec<_>>();
    let measured = statistic.measure.as_ref();
    let measured = measured.and_then(|measure| id(&measure.property));
    let mut units = Units {
        places: FxHashMap::default(),
        values: Vec::new(),
        measured: Vec::new(),
    };
    making.select(&statistic.selector, |[_, s, p, o]| {
        let next = units.places.len();
        let place = *units.places.entry(s).or_insert(next);
        if place == next {
            units.values.extend(dimensions.iter().map(|_| NONE));
        }
        let values = units.values.iter_mut().skip(place * dimensions.len());
        for (dimension, value) in dimensions.iter().zip(values) {
            if *dimension == Some(p) {
                *value = match *value {
                    NONE => o,
                    one if one == o => o,
                    _ => MANY,
                };
            }
        }
        if measured == Some(p) {
            units.measured.push((place, o));
        }
        Ok(())
    })?;
    units.measured.sort_unstable();
    units.measured.dedup();
    Ok(units)
}

fn groups(
    statistic: &Statistic,
    making: &Making<'_>,
    units: &Units,
) -> Result<FxHashMap<Vec<Id>, Group>, StoreError> {
    let width = statistic.dimensions.len();
    let mut groups: FxHashMap<Vec<Id>, Group> = FxHashMap::default();
    let group_of = |place: usize| {
        let values = units.values.get(place * width..(place + 1) * width)?;
        (!values.contains(&NONE) && !values.contains(&MANY)).then(|| values.to_vec())
    };
    for place in 0..units.places.len() {
        making.watch.step()?;
        if let Some(values) = group_of(place) {
            let group = groups.entry(values).or_insert_with(|| Group {
                sum: Some(0),
                ..Group::default()
            });
            group.units += 1;
        }
    }
    let mut last = None;
    for (place, value) in &units.measured {
        making.watch.step()?;
        let Some(group) = group_of(*place).and_then(|values| groups.get_mut(&values)) else {
            continue;
        };
        let value = match making.term(*value)? {
            Term::Literal(literal) => number(&literal),
            Term::NamedNode(_) | Term::BlankNode(_) => None,
        };
        let both = group.sum.zip(value.map(parts));
        group.sum = both.and_then(|(sum, value)| sum.checked_add(value));
        group.count += 1;
        group.having += u64::from(last.replace(place) != Some(place));
    }
    Ok(groups)
}

/// Adds the quads of one observation.
fn tell(
    statistic: &Statistic,
    making: &mut Making<'_>,
    names: &[String],
    values: &[Id],
    group: &Group,
    quads: &mut Vec<IdQuad>,
) -> Result<(), StoreError> {
    let mut digest = Sha256::new();
    for name in names {
        digest.update(name);
        digest.update("\n");
    }
    let digits = hex(&digest.finalize());
    let name = format!("{}#{digits}", statistic.name.as_str());
    let subject = making
        .terms
        .id(NamedNode::new_unchecked(name).as_ref().into())?;
    let mut say = |predicate: NamedNodeRef<'_>, object: Term| {
        let predicate = making.terms.id(predicate.into())?;
        let object = making.terms.id(object.as_ref())?;
        quads.push([DEFAULT_GRAPH, subject, predicate, object]);
        Ok::<_, StoreError>(())
    };
    let node = NamedNodeRef::new_unchecked;
    say(rdf::TYPE, node(OBSERVATION).into_owned().into())?;
    say(node(DATA_SET), statistic.name.clone().into())?;
    let count = Literal::new_typed_literal(group.units.to_string(), xsd::INTEGER);
    say(node(COUNT), count.into())?;
    if let Some((measure, value)) = statistic.measure.as_ref().zip(measured(statistic, group)) {
        let told = match measure.kind {
            MeasureKind::Sum => SUM,
            MeasureKind::Average => AVERAGE,
        };
        say(node(told), decimal(of_parts(value)).into())?;
        say(node(MEASURED), measure.property.clone().into())?;
    }
    for (dimension, value) in statistic.dimensions.iter().zip(values) {
        let predicate = making.terms.id(dimension.as_ref().into())?;
        quads.push([DEFAULT_GRAPH, subject, predicate, *value]);
    }
    Ok(())
}

/// What is told of a group beside its number of units, in parts of a decimal.
fn measured(statistic: &Statistic, group: &Group) -> Option<i128> {
    let Measure { kind, .. } = statistic.measure.as_ref()?;
    let sum = group.sum?;
    if group.having < u64::from(statistic.minimum) {
        return None;
    }
    match kind {
        MeasureKind::Sum => Some(sum),
        MeasureKind::Average => {
            // Rounded once: the nearest multiple of (count x micro) is count times the mean.
            let count = i128::from(group.count);
            let unit = count.checked_mul(MICRO)?;
            nearest(sum, unit)?.checked_div(count)
        }
    }
}
