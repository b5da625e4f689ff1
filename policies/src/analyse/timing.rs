//! What times have to do with each other: metered time passes while time elapses, and so do the delays of a sequence.

use super::formula::Axis;
use super::interval::{End, Intervals};
use super::solve::State;
use super::vocabulary::{DELAY_PERIOD, ELAPSED_TIME, METERED_TIME};
use super::{Value, Verdict};
use oxsdatatypes::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Whether the times can add up. Chooses values that do, where ends that belong to their intervals allow it.
pub(super) fn check(state: &State, values: &mut BTreeMap<Axis, Option<Value>>) -> Verdict {
    let elapsed_axis = Axis::of(ELAPSED_TIME);
    let Some(elapsed) = state.get(&elapsed_axis) else {
        return Verdict::Compatible;
    };
    let mut left = elapsed.points.clone();
    for parts in sums(state) {
        let (mut total, mut is_reached) = (Some(Decimal::default()), true);
        for axis in &parts {
            let low = state
                .get(axis)
                .map_or(End::Unbounded, |cell| cell.points.low());
            is_reached &= low.is_closed();
            total = total.and_then(|total| total.checked_add(low.point()?));
            let lowest = low.point().filter(|_| low.is_closed());
            let scale = state.get(axis).map(|cell| &cell.scale);
            let value = lowest
                .zip(scale)
                .and_then(|(low, scale)| Value::of(scale, low));
            values.insert((*axis).clone(), value);
        }
        // Not bounded from below, or beyond all numbers: then nothing can be told.
        let Some(total) = total else {
            return Verdict::Unknown;
        };
        let from = if is_reached {
            End::Closed(total)
        } else {
            End::Open(total)
        };
        left = left.intersection(&Intervals::between(from, End::Unbounded));
    }
    if left.is_empty() {
        return Verdict::Conflict;
    }
    let value = left
        .pick()
        .and_then(|point| Value::of(&elapsed.scale, point));
    values.insert(elapsed_axis, value);
    Verdict::Compatible
}

/// The axes whose values, taken together, are no more than the time elapsed.
fn sums(state: &State) -> Vec<Vec<&Axis>> {
    let sequences: BTreeSet<usize> = state
        .keys()
        .filter_map(|axis| axis.step.map(|(sequence, _)| sequence))
        .collect();
    let delays = sequences.into_iter().map(|sequence| {
        let of_it = |axis: &&Axis| {
            axis.operand == DELAY_PERIOD && axis.step.is_some_and(|(its, _)| its == sequence)
        };
        state.keys().filter(of_it).collect()
    });
    let metered = state
        .keys()
        .filter(|axis| axis.operand == METERED_TIME)
        .map(|axis| vec![axis]);
    delays.chain(metered).collect()
}
