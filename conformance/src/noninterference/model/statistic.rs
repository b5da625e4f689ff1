//! What is told of groups of units.

use super::subject;
use crate::noninterference::function::{nearest, number};
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{NamedNode, Quad, Term};
use oxsdatatypes::Decimal;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;
use twinlink_core::policy::{MeasureKind, Statistic};

const CUBE: &str = "http://purl.org/linked-data/cube#";
const TL: &str = "https://w3id.org/twinlink/ns#";

/// A statistic with the quads that it is about, and its groups.
pub(super) struct Told<'a> {
    pub(super) statistic: &'a Statistic,
    pub(super) quads: HashSet<Quad>,
    /// The largest first, by their names where they are as large.
    pub(super) groups: Vec<Group>,
}

/// The units with the same values of the dimensions.
pub(super) struct Group {
    /// The values in N-Triples form.
    names: Vec<String>,
    pub(super) units: Vec<Term>,
    /// Whether the number of units is told, and whether the measure is.
    pub(super) is_told: bool,
    pub(super) is_measured: bool,
}

impl<'a> Told<'a> {
    /// All groups that are not told because they, or what is hidden with them, are too small.
    pub(super) fn new(statistic: &'a Statistic, quads: HashSet<Quad>) -> Self {
        let mut groups: BTreeMap<Vec<String>, Group> = BTreeMap::new();
        for unit in quads.iter().map(subject).collect::<HashSet<_>>() {
            let only = |dimension: &NamedNode| {
                let mut values = values(&quads, &unit, dimension).into_iter();
                values.next().filter(|_| values.next().is_none())
            };
            let place = statistic.dimensions.iter().map(only);
            let names = place.map(|value| value.map(|value| value.to_string()));
            if let Some(names) = names.collect::<Option<Vec<_>>>() {
                let group = groups.entry(names.clone()).or_insert(Group {
                    names,
                    units: Vec::new(),
                    is_told: true,
                    is_measured: true,
                });
                group.units.push(unit);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by(|a, b| (b.units.len(), &a.names).cmp(&(a.units.len(), &b.names)));
        let least = statistic.minimum as usize;
        for group in &mut groups {
            group.is_told = group.units.len() >= least;
        }
        loop {
            let hidden = groups.iter().filter(|group| !group.is_told);
            let count = hidden.clone().count();
            let units = hidden.map(|group| group.units.len()).sum::<usize>();
            if units == 0 || (units >= least && count > 1) {
                break;
            }
            let told = groups.iter_mut().filter(|group| group.is_told);
            let Some(smallest) = told.min_by(|a, b| size(a).cmp(&size(b))) else {
                break;
            };
            smallest.is_told = false;
        }
        for group in &mut groups {
            group.is_measured =
                group.is_told && measured(statistic, &quads, &group.units).is_some();
        }
        Self {
            statistic,
            quads,
            groups,
        }
    }

    pub(super) fn observations(&self) -> Vec<Quad> {
        let told = self.groups.iter().filter(|group| group.is_told);
        let told = told.map(|group| observation(self.statistic, &self.quads, group));
        told.flatten().collect()
    }
}

fn size(group: &Group) -> (usize, Vec<String>) {
    (group.units.len(), group.names.clone())
}

/// The values of a unit's property, each once.
pub(super) fn values(quads: &HashSet<Quad>, unit: &Term, property: &NamedNode) -> HashSet<Term> {
    let states = |quad: &&Quad| subject(quad) == *unit && quad.predicate == *property;
    quads
        .iter()
        .filter(states)
        .map(|quad| quad.object.clone())
        .collect()
}

fn observation(statistic: &Statistic, quads: &HashSet<Quad>, group: &Group) -> Vec<Quad> {
    let text: String = group.names.iter().map(|name| format!("{name}\n")).collect();
    let name = format!("<{}#{:x}>", statistic.name.as_str(), Sha256::digest(text));
    let mut told = vec![
        format!("<{}> <{CUBE}Observation>", rdf::TYPE.as_str()),
        format!("<{CUBE}dataSet> {}", statistic.name),
        format!("<{TL}count> \"{}\"^^{}", group.units.len(), xsd::INTEGER),
    ];
    let place = statistic.dimensions.iter().zip(&group.names);
    told.extend(place.map(|(dimension, value)| format!("{dimension} {value}")));
    let measured = measured(statistic, quads, &group.units).filter(|_| group.is_measured);
    if let Some((kind, value, property)) = measured {
        told.push(format!("<{TL}{kind}> \"{value}\"^^{}", xsd::DECIMAL));
        told.push(format!("<{TL}measured> {property}"));
    }
    let parse = |told: &String| Quad::from_str(&format!("{name} {told} .")).ok();
    told.iter().filter_map(parse).collect()
}

/// The sum or the mean of all values of the group's units.
fn measured<'a>(
    statistic: &'a Statistic,
    quads: &HashSet<Quad>,
    units: &[Term],
) -> Option<(&'static str, Decimal, &'a NamedNode)> {
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
        MeasureKind::Sum => Some(("sum", sum, &measure.property)),
        MeasureKind::Average => {
            let mean = nearest(sum.checked_div(count)?, "0.000001".parse().ok()?)?;
            Some(("average", mean, &measure.property))
        }
    }
}
