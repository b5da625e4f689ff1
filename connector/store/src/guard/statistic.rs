//! Observations about groups of units: see [`twinlink_policy::Statistic`].

mod together;

use super::Layer;
use super::function::{decimal, nearest, number, of_parts, parts};
use super::overlay::{Making, Seen};
use super::pseudonym::hex;
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::run::IdQuad;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, NamedNodeRef, Term};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::cmp::Reverse;
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

/// A statistic, with the cells of its partition.
pub(super) struct Partition<'a> {
    statistic: &'a Statistic,
    /// Largest first.
    cells: Vec<Cell>,
    /// The units that are in one of the cells.
    members: Vec<Member>,
}

/// The group of units with the same values of the dimensions.
struct Cell {
    values: Vec<Id>,
    /// The values in N-Triples form.
    names: Vec<String>,
    group: Group,
    /// Whether its number of units is told.
    is_told: bool,
    /// What is told of it beside, in parts of a decimal.
    measured: Option<i128>,
}

/// A unit, and what else the guard shows of it.
struct Member {
    unit: Id,
    cell: usize,
    /// How its place in the partition can be seen besides.
    seen: Seen,
    /// The values of the measured property, ascending.
    values: Vec<Id>,
    /// How they can be.
    values_seen: Seen,
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

/// The selected quads of one unit.
struct Unit {
    /// For each dimension its value, and how that can be seen.
    place: Vec<(Id, Seen)>,
    /// How any of its quads can be seen.
    any: Seen,
    measured: Vec<(Id, Seen)>,
}

/// Adds the observations of statistics, each with the layer that it is of, to `quads`.
// INVARIANT(no-small-difference): what is hidden of all groups of a statistic together is nobody, or at least the minimum.
pub(super) fn observe<'a>(
    statistics: impl IntoIterator<Item = (&'a Layer, &'a Statistic)>,
    making: &mut Making<'a>,
    quads: &mut Vec<IdQuad>,
) -> Result<(), StoreError> {
    let mut partitions = Vec::new();
    for (layer, statistic) in statistics {
        making.layer = layer;
        let mut partition = Partition::new(statistic, making)?;
        partition.hide_small();
        partitions.push(partition);
    }
    partitions.sort_by_key(|partition| partition.statistic);
    together::hide_differences(&mut partitions, &making.watch)?;
    for Partition {
        statistic, cells, ..
    } in &partitions
    {
        for cell in cells.iter().filter(|cell| cell.is_told) {
            making.watch.step()?;
            tell(statistic, making, cell, quads)?;
        }
    }
    Ok(())
}

impl<'a> Partition<'a> {
    fn new(statistic: &'a Statistic, making: &Making<'_>) -> Result<Self, StoreError> {
        let mut places: FxHashMap<Vec<Id>, usize> = FxHashMap::default();
        let (mut groups, mut members) = (Vec::new(), Vec::new());
        for (id, unit) in units(statistic, making)? {
            making.watch.step()?;
            let values: Vec<Id> = unit.place.iter().map(|(value, _)| *value).collect();
            if values.contains(&NONE) || values.contains(&MANY) {
                continue;
            }
            let place = *places.entry(values).or_insert(groups.len());
            if place == groups.len() {
                groups.push(Group {
                    sum: Some(0),
                    ..Group::default()
                });
            }
            if let Some(group) = groups.get_mut(place) {
                group.add(&unit, making)?;
            }
            members.push(unit.member(id, place));
        }
        let mut cells = Vec::with_capacity(groups.len());
        let mut values: Vec<_> = places.into_iter().collect();
        values.sort_unstable_by_key(|(_, place)| *place);
        for ((values, _), group) in values.into_iter().zip(groups) {
            let terms = values.iter().map(|value| making.term(*value));
            let names = terms.map(|term| Ok(term?.to_string()));
            cells.push(Cell {
                names: names.collect::<Result<_, StoreError>>()?,
                values,
                measured: measured(statistic, &group),
                group,
                is_told: true,
            });
        }
        let mut partition = Self {
            statistic,
            cells,
            members,
        };
        partition.sort();
        Ok(partition)
    }

    /// Largest cells first, and of two as large the first by its names.
    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.cells.len()).collect();
        let key = |place: &usize| {
            let cell = self.cells.get(*place);
            cell.map(|cell| (Reverse(cell.group.units), &cell.names))
        };
        order.sort_by(|left, right| key(left).cmp(&key(right)));
        let mut places = vec![0; order.len()];
        for (now, before) in order.iter().enumerate() {
            if let Some(place) = places.get_mut(*before) {
                *place = now;
            }
        }
        let place = |before: usize| places.get(before).copied().unwrap_or(before);
        for member in &mut self.members {
            member.cell = place(member.cell);
        }
        let mut cells: Vec<_> = std::mem::take(&mut self.cells)
            .into_iter()
            .enumerate()
            .collect();
        cells.sort_unstable_by_key(|(before, _)| place(*before));
        self.cells = cells.into_iter().map(|(_, cell)| cell).collect();
    }

    /// Hides what is too small, and so much more that all that is hidden is not.
    fn hide_small(&mut self) {
        // Cells that may be told last, the smallest of them first.
        let mut smallest: Vec<&mut Cell> = self.cells.iter_mut().collect();
        smallest.sort_by(|a, b| (a.group.units, &a.names).cmp(&(b.group.units, &b.names)));
        let minimum = u64::from(self.statistic.minimum);
        let (mut hidden, mut hidden_units) = (0, 0);
        for cell in smallest {
            let is_telling = hidden_units > 0 && (hidden_units < minimum || hidden == 1);
            if cell.group.units >= minimum && !is_telling {
                break;
            }
            hidden += 1;
            hidden_units += cell.group.units;
            cell.is_told = false;
            cell.measured = None;
        }
    }
}

impl Unit {
    fn member(self, unit: Id, cell: usize) -> Member {
        let all = |seen: &mut dyn Iterator<Item = Seen>| seen.fold(Seen::ALL, Seen::and);
        let seen = match self.place.is_empty() {
            true => self.any,
            false => all(&mut self.place.iter().map(|(_, seen)| *seen)),
        };
        let values_seen = seen.and(all(&mut self.measured.iter().map(|(_, seen)| *seen)));
        Member {
            unit,
            cell,
            seen,
            values: self.measured.into_iter().map(|(value, _)| value).collect(),
            values_seen,
        }
    }
}

impl Group {
    fn add(&mut self, unit: &Unit, making: &Making<'_>) -> Result<(), StoreError> {
        self.units += 1;
        self.having += u64::from(!unit.measured.is_empty());
        for (value, _) in &unit.measured {
            let value = match making.term(*value)? {
                Term::Literal(literal) => number(&literal),
                Term::NamedNode(_) | Term::BlankNode(_) => None,
            };
            let both = self.sum.zip(value.map(parts));
            self.sum = both.and_then(|(sum, value)| sum.checked_add(value));
            self.count += 1;
        }
        Ok(())
    }
}

fn units(statistic: &Statistic, making: &Making<'_>) -> Result<FxHashMap<Id, Unit>, StoreError> {
    let id = |node: &NamedNode| making.snapshot.dictionary.id(node.as_ref().into());
    let dimensions = statistic.dimensions.iter().map(id).collect::<Vec<_>>();
    let measured = statistic.measure.as_ref();
    let measured = measured.and_then(|measure| id(&measure.property));
    let mut units: FxHashMap<Id, Unit> = FxHashMap::default();
    making.select(&statistic.selector, |quad| {
        let [_, s, p, o] = quad;
        let seen = making.seen(quad);
        let unit = units.entry(s).or_insert_with(|| Unit {
            place: dimensions.iter().map(|_| (NONE, Seen::default())).collect(),
            any: Seen::default(),
            measured: Vec::new(),
        });
        unit.any = unit.any.or(seen);
        for (dimension, (value, value_seen)) in dimensions.iter().zip(&mut unit.place) {
            if *dimension == Some(p) {
                *value = match *value {
                    NONE => o,
                    one if one == o => o,
                    _ => MANY,
                };
                *value_seen = value_seen.or(seen);
            }
        }
        if measured == Some(p) {
            unit.measured.push((o, seen));
        }
        Ok(())
    })?;
    for unit in units.values_mut() {
        unit.measured.sort_unstable_by_key(|(value, _)| *value);
        unit.measured.dedup_by(|(value, seen), (kept, kept_seen)| {
            let is_same = value == kept;
            if is_same {
                *kept_seen = kept_seen.or(*seen);
            }
            is_same
        });
    }
    Ok(units)
}

/// Adds the quads of one observation.
fn tell(
    statistic: &Statistic,
    making: &mut Making<'_>,
    cell: &Cell,
    quads: &mut Vec<IdQuad>,
) -> Result<(), StoreError> {
    let mut digest = Sha256::new();
    for name in &cell.names {
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
    let count = Literal::new_typed_literal(cell.group.units.to_string(), xsd::INTEGER);
    say(node(COUNT), count.into())?;
    if let Some((measure, value)) = statistic.measure.as_ref().zip(cell.measured) {
        let told = match measure.kind {
            MeasureKind::Sum => SUM,
            MeasureKind::Average => AVERAGE,
        };
        say(node(told), decimal(of_parts(value)).into())?;
        say(node(MEASURED), measure.property.clone().into())?;
    }
    for (dimension, value) in statistic.dimensions.iter().zip(&cell.values) {
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
