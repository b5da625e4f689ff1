//! Brings a guard into one form, so that decisions which show the same are the same.

use crate::guard::{Function, Guard, Selector, Statistic, Transformed};

/// Sorts, and drops what makes no difference: a permit inside a prohibition or inside a wider permit, a prohibition
/// inside a wider one or apart from all that is shown, a transformed part or a statistic inside a prohibition, and a
/// transformed part inside a wider one that goes through the same steps.
///
/// Of statistics that share a name but not what they tell, none is left: their observations could not be told apart.
// INVARIANT(simplify-shows-the-same): a quad is visible by the result if and only if it is by the argument.
pub(super) fn simplify(guard: &Guard) -> Guard {
    let mut prohibitions = widest(guard.prohibitions().to_vec());
    let is_withheld = |selector: &Selector| prohibitions.iter().any(|one| one.covers(selector));
    let mut permits = widest(guard.permits().to_vec());
    permits.retain(|permit| !is_withheld(permit));
    let mut transformed = guard.transformed().to_vec();
    transformed.retain(|one| !is_withheld(&one.selector));
    let transformed = widest_transformed(transformed);
    let mut statistics = distinct(guard.statistics().to_vec());
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
    let counts = |one: &Transformed| {
        let mut steps = one.steps.iter();
        steps.any(|step| matches!(step.function, Function::SuppressBelow(_)))
    };
    let all = parts.clone();
    parts.retain(|one| {
        counts(one)
            || !all.iter().any(|other| {
                other != one && other.steps == one.steps && other.selector.covers(&one.selector)
            })
    });
    parts
}

fn distinct(mut statistics: Vec<Statistic>) -> Vec<Statistic> {
    statistics.sort();
    statistics.dedup();
    let all = statistics.clone();
    statistics.retain(|one| all.iter().filter(|other| other.name == one.name).count() == 1);
    statistics
}

#[cfg(test)]
mod tests;
