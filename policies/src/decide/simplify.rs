//! Brings a guard into one form, so that decisions which show the same are the same.

use crate::guard::{Guard, Selector};

/// Sorts, and drops what makes no difference: a permit inside a prohibition or inside a wider permit, a prohibition
/// inside a wider one or apart from every permit.
// INVARIANT(simplify-shows-the-same): a quad is visible by the result if and only if it is by the arguments.
pub(super) fn simplify(permits: Vec<Selector>, prohibitions: Vec<Selector>) -> Guard {
    let mut prohibitions = widest(prohibitions);
    let mut permits = widest(permits);
    permits.retain(|permit| {
        !prohibitions
            .iter()
            .any(|prohibited| prohibited.covers(permit))
    });
    prohibitions.retain(|prohibited| permits.iter().any(|permit| !permit.is_disjoint(prohibited)));
    Guard::new(permits, prohibitions)
}

fn widest(mut selectors: Vec<Selector>) -> Vec<Selector> {
    selectors.sort();
    selectors.dedup();
    let all = selectors.clone();
    selectors.retain(|one| !all.iter().any(|other| other != one && other.covers(one)));
    selectors
}
