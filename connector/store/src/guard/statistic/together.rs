//! Which cells of several statistics can be told together, beside what else is shown of their units.
//!
//! Whoever is told numbers can add and subtract them. What comes out is about the units that do not cancel out, and must be
//! about none of them, or about as many as the minimum. So numbers are told together only if the parts of the population
//! that are alike to all of them (each unit in the same cells) and have at least the minimum of units determine all the others:
//! a sum of multiples of numbers that is not zero for every unit is then not zero for a whole such part. This
//! covers every difference of cells, of unions of cells, of partitions, and every other way to calculate with the numbers,
//! for counts and for measures of one property; it hides more than it must where small parts happen to be covered by each other.
//!
//! Units of which all that a number rests on is shown besides are known, and are taken off; what is shown changed, once
//! as if it were and once as if it were not.
//!
//! Not covered: what the same caller is told for another purpose, or of another state of the twin; what it knows from
//! elsewhere; measures of different properties that depend on each other.

use super::{Cell, Member, Partition};
use crate::StoreError;
use crate::dictionary::Id;
use crate::guard::overlay::Seen;
use crate::watch::Watch;
use oxrdf::NamedNode;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;

/// A cell: the place of its partition, and its own.
type Row = (usize, usize);

/// What is known besides: nothing, what is shown as it is, what is shown at all.
const KNOWN: [Seen; 3] = [Seen::NOTHING, Seen::AS_IT_IS, Seen::OR_CHANGED];

/// Units that are alike to all numbers.
struct Part {
    /// The cells that they are in, ascending.
    rows: Vec<Row>,
    units: u64,
}

/// Hides cells, and measures of cells, that cannot be told beside those before them: the statistics in their order, the
/// cells of each from the largest on. Statistics that have units in common are told with the largest of their minimums.
// INVARIANT(no-small-difference-of-statistics): no sum of multiples of told numbers is about some units, but fewer than the minimum.
pub(super) fn hide_differences(
    partitions: &mut [Partition<'_>],
    watch: &Watch,
) -> Result<(), StoreError> {
    for group in overlapping(partitions) {
        let (counts, measures) = kept(partitions, &group, watch)?;
        for place in group {
            let Some(partition) = partitions.get_mut(place) else {
                continue;
            };
            for (number, cell) in partition.cells.iter_mut().enumerate() {
                cell.is_told = counts.contains(&(place, number));
                if !measures.contains(&(place, number)) {
                    cell.measured = None;
                }
            }
        }
    }
    Ok(())
}

/// The cells of a group of partitions of which the number of units is told, and those of which the measure is.
fn kept(
    partitions: &[Partition<'_>],
    group: &[usize],
    watch: &Watch,
) -> Result<(FxHashSet<Row>, FxHashSet<Row>), StoreError> {
    let of_group = || {
        let places = group.iter();
        places.filter_map(|place| Some((*place, partitions.get(*place)?)))
    };
    let minimums = of_group().map(|(_, partition)| partition.statistic.minimum);
    let minimum = u64::from(minimums.max().unwrap_or(u32::MAX));
    let units = parts(of_group(), watch, |_, member, known| {
        (!member.seen.is(known)).then_some(&[][..])
    })?;
    let told = rows(of_group(), |_, cell| cell.is_told);
    let counts = admit(&told, &units, minimum, watch)?;
    let mut properties: Vec<_> = of_group().filter_map(|(_, one)| property(one)).collect();
    properties.sort_unstable();
    properties.dedup();
    let mut measures = FxHashSet::default();
    for property in properties {
        let is_about = |partition: &Partition<'_>| self::property(partition) == Some(property);
        let units = parts(of_group(), watch, |partition, member, known| {
            let is_measured = is_about(partition) && !member.values.is_empty();
            (is_measured && !member.values_seen.is(known)).then_some(member.values.as_slice())
        })?;
        let mut told = rows(of_group(), |partition, cell| {
            is_about(partition) && cell.measured.is_some()
        });
        told.retain(|row| counts.contains(row));
        measures.extend(admit(&told, &units, minimum, watch)?);
    }
    Ok((counts, measures))
}

/// The partitions, those together that have units in common, directly or by way of others; each group ascending.
fn overlapping(partitions: &[Partition<'_>]) -> Vec<Vec<usize>> {
    let mut group_of: Vec<usize> = (0..partitions.len()).collect();
    let mut first: FxHashMap<Id, usize> = FxHashMap::default();
    for (place, partition) in partitions.iter().enumerate() {
        let mut met: FxHashSet<usize> = FxHashSet::default();
        for member in &partition.members {
            met.insert(*first.entry(member.unit).or_insert(place));
        }
        let met: FxHashSet<usize> = met
            .iter()
            .filter_map(|one| group_of.get(*one).copied())
            .collect();
        for group in &mut group_of {
            if met.contains(group) {
                *group = place;
            }
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, group) in group_of.into_iter().enumerate() {
        groups.entry(group).or_default().push(place);
    }
    groups.into_values().collect()
}

/// What is measured.
fn property<'a>(partition: &Partition<'a>) -> Option<&'a NamedNode> {
    let measure = partition.statistic.measure.as_ref();
    measure.map(|measure| &measure.property)
}

/// The cells that are so, in order.
fn rows<'p, 'a: 'p>(
    partitions: impl Iterator<Item = (usize, &'p Partition<'a>)>,
    is_so: impl Fn(&Partition<'a>, &Cell) -> bool,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, partition) in partitions {
        let cells = partition.cells.iter().enumerate();
        let cells = cells.filter(|(_, cell)| is_so(partition, cell));
        rows.extend(cells.map(|(number, _)| (place, number)));
    }
    rows
}

/// The parts of the population for each thing that may be known. `value` is what a unit adds to the number of its cell; none
/// where that is nothing, or known.
///
/// A unit that does not add the same to all is a part for each thing that it adds, of no unit: such parts must be determined by
/// others, and determine none.
fn parts<'p, 'a: 'p>(
    partitions: impl Iterator<Item = (usize, &'p Partition<'a>)> + Clone,
    watch: &Watch,
    value: impl for<'m> Fn(&Partition<'a>, &'m Member, Seen) -> Option<&'m [Id]>,
) -> Result<Vec<Vec<Part>>, StoreError> {
    let mut all = Vec::with_capacity(KNOWN.len());
    for known in KNOWN {
        let mut units: FxHashMap<Id, Vec<(&[Id], Row)>> = FxHashMap::default();
        for (place, partition) in partitions.clone() {
            for member in &partition.members {
                watch.step()?;
                if let Some(value) = value(partition, member, known) {
                    let row = (place, member.cell);
                    units.entry(member.unit).or_default().push((value, row));
                }
            }
        }
        let mut parts: FxHashMap<Vec<Row>, u64> = FxHashMap::default();
        for (_, mut added) in units {
            watch.step()?;
            added.sort_unstable();
            let same: Vec<_> = added
                .chunk_by(|(left, _), (right, _)| left == right)
                .collect();
            let units = u64::from(same.len() == 1);
            for rows in same {
                let rows = rows.iter().map(|(_, row)| *row).collect();
                *parts.entry(rows).or_default() += units;
            }
        }
        let parts = parts.into_iter().map(|(rows, units)| Part { rows, units });
        all.push(parts.collect());
    }
    Ok(all)
}

/// Those of the cells that can be told with all that were admitted before them. What cannot be told with some cannot be told
/// with more, so halves are tried before single ones.
fn admit(
    cells: &[Row],
    parts: &[Vec<Part>],
    minimum: u64,
    watch: &Watch,
) -> Result<FxHashSet<Row>, StoreError> {
    let mut kept = FxHashSet::default();
    let mut left = vec![cells];
    while let Some(cells) = left.pop() {
        let mut with = kept.clone();
        with.extend(cells.iter().copied());
        let mut can_be_told = true;
        for parts in parts {
            can_be_told = can_be_told && are_determined(parts, &with, minimum, watch)?;
        }
        if can_be_told {
            kept = with;
        } else if cells.len() > 1 {
            let (first, second) = cells.split_at(cells.len() / 2);
            left.push(second);
            left.push(first);
        }
    }
    Ok(kept)
}

/// Whether the parts with at least the minimum of units determine, in numbers about these cells, all others.
fn are_determined(
    parts: &[Part],
    cells: &FxHashSet<Row>,
    minimum: u64,
    watch: &Watch,
) -> Result<bool, StoreError> {
    let mut projected: FxHashMap<Vec<Row>, u64> = FxHashMap::default();
    for part in parts {
        watch.step()?;
        let rows = part.rows.iter().filter(|row| cells.contains(*row));
        *projected.entry(rows.copied().collect()).or_default() += part.units;
    }
    let mut projected: Vec<_> = projected.into_iter().collect();
    // In one order, whatever the table's.
    projected.sort_unstable();
    let mut span = Span::default();
    for (rows, _) in projected.iter().filter(|(_, units)| *units >= minimum) {
        span.add(rows, watch)?;
    }
    for (rows, _) in projected.iter().filter(|(_, units)| *units < minimum) {
        if !span.left(rows, watch)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// All sums of multiples of some vectors of cells, calculated modulo a large prime.
#[derive(Default)]
struct Span {
    /// For the first cell of a vector the others, as multiples of it: no two vectors have the same first cell.
    vectors: FxHashMap<Row, Vec<(Row, u64)>>,
}

impl Span {
    const PRIME: u64 = (1 << 61) - 1;

    fn add(&mut self, rows: &[Row], watch: &Watch) -> Result<(), StoreError> {
        let mut left = self.left(rows, watch)?;
        let Some((first, lead)) = left.pop_first() else {
            return Ok(());
        };
        let inverse = inverse(lead);
        let others = left
            .into_iter()
            .map(|(row, one)| (row, product(one, inverse)));
        self.vectors.insert(first, others.collect());
        Ok(())
    }

    /// What is left of the vector that is one at these cells when as much as can be is taken off it.
    fn left(&self, rows: &[Row], watch: &Watch) -> Result<BTreeMap<Row, u64>, StoreError> {
        let mut vector: BTreeMap<Row, u64> = rows.iter().map(|row| (*row, 1)).collect();
        let mut left = BTreeMap::new();
        while let Some((row, times)) = vector.pop_first() {
            watch.step()?;
            let Some(others) = self.vectors.get(&row) else {
                left.insert(row, times);
                continue;
            };
            for (other, one) in others {
                let known = vector.remove(other).unwrap_or(0);
                let taken = Self::PRIME - product(*one, times);
                let sum = (known + taken) % Self::PRIME;
                if sum != 0 {
                    vector.insert(*other, sum);
                }
            }
        }
        Ok(left)
    }
}

fn product(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right) % u128::from(Span::PRIME);
    u64::try_from(product).unwrap_or(0)
}

/// By Fermat's little theorem.
fn inverse(of: u64) -> u64 {
    let (mut power, mut left, mut inverse) = (of, Span::PRIME - 2, 1);
    while left > 0 {
        if left & 1 == 1 {
            inverse = product(inverse, power);
        }
        power = product(power, power);
        left >>= 1;
    }
    inverse
}
