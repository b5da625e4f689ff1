//! Which values go along with a sub-request, in how many requests, and when none do.
//!
//! Values that were learnt from one member tell the next what the first one shows: they are sent only where the first
//! one lets this caller tell the next. What a member gave itself is no news to it, nor is what the question says.

use super::Fetcher;
use super::group::Group;
use super::known::Known;
use spargebra::algebra::GraphPattern;
use std::collections::BTreeSet;

/// The most requests to one member for one group.
pub(super) const BATCHES: usize = 8;
/// About how many rows a value leads to.
const FANOUT: usize = 4;

/// The values for one member, a part of them with each request.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// None: one request without values.
    pub(super) batches: Vec<GraphPattern>,
    /// Whose data they rest on.
    pub(super) sources: BTreeSet<usize>,
}

impl Fetcher<'_> {
    /// Whether what one member shows this caller may be told another.
    // INVARIANT(bindings-by-policy): values learnt from one member go to another only where its policies let them.
    pub(crate) fn may_tell(&self, source: usize, recipient: usize) -> bool {
        // We have it anyway.
        if source == recipient || recipient == 0 {
            return true;
        }
        let (Some(Some(summary)), Some(name)) = (
            self.summaries.get(source),
            self.members.names.get(recipient),
        ) else {
            return false;
        };
        self.members.sending(recipient).learnt && summary.recipients().contains(name)
    }

    /// The values for a member that are worth sending: bound, in parts, or none where shipping all it has is cheaper.
    pub(super) fn bindings(
        &self,
        group: &Group,
        member: usize,
        known: &Known,
        is_trial: bool,
    ) -> Bindings {
        let may_send =
            |sources: &BTreeSet<usize>| sources.iter().all(|source| self.may_tell(*source, member));
        let Some(values) = known.smallest(&group.variables, &group.graphs(), may_send) else {
            return Bindings::default();
        };
        let sending = self.members.sending(member);
        if !sending.dialect.finds(values.terms.iter()) {
            return Bindings::default();
        }
        let most = sending.most;
        let rows = self.expected(group, member);
        let request = self.members.limits.request_rows;
        let Some(size) = batch(values.terms.len(), (most, request), rows, is_trial) else {
            return Bindings::default();
        };
        Bindings {
            batches: values.in_parts(size),
            sources: values.sources.clone(),
        }
    }

    /// About how many rows a member has for a group, by its summary.
    pub(super) fn expected(&self, group: &Group, member: usize) -> Option<usize> {
        let summary = self.summaries.get(member)?.as_ref()?;
        let dataset = self.members.dataset.as_ref();
        let atoms = group.atoms.iter();
        let least = atoms.map(|atom| summary.estimate(atom, dataset)).min()?;
        usize::try_from(least).ok()
    }
}

/// How many of so many values go with each request, at most `most`; none where it is cheaper to send none, as a request
/// costs as much as so many rows. More rows than are fetched at most never come of it: values only take rows away.
fn batch(
    values: usize,
    (most, request): (usize, usize),
    rows: Option<usize>,
    is_trial: bool,
) -> Option<usize> {
    if most == 0 {
        return None;
    }
    let requests = values.div_ceil(most).max(1);
    let Some(rows) = rows else {
        // Nobody knows how much there is: a request that is a little longer is a small price.
        return (requests == 1).then_some(most);
    };
    if requests > BATCHES || (is_trial && requests > 1) {
        return None;
    }
    let bound =
        requests.saturating_mul(request) + values / 2 + rows.min(values.saturating_mul(FANOUT));
    let shipped = request.saturating_add(rows);
    // As many values with each request.
    (bound <= shipped || requests == 1 && values <= rows).then(|| values.div_ceil(requests).max(1))
}

#[cfg(test)]
mod tests {
    use super::batch;

    #[test]
    fn what_is_cheaper_is_done() {
        // Few values of many rows are sent, and many values of few rows are not.
        assert_eq!(batch(10, (1_000, 100), Some(100_000), false), Some(10));
        assert_eq!(batch(900, (1_000, 100), Some(20), false), None);
        // Too many for one request go with several, as many with each, where there is much to be left out.
        assert_eq!(
            batch(2_500, (1_000, 100), Some(1_000_000), false),
            Some(834)
        );
        assert_eq!(batch(2_500, (1_000, 100), Some(3_000), false), None);
        assert_eq!(batch(20_000, (1_000, 100), Some(1_000_000), false), None);
        // Without a summary one request is tried.
        assert_eq!(batch(1_000, (1_000, 100), None, false), Some(1_000));
        assert_eq!(batch(1_001, (1_000, 100), None, false), None);
        assert_eq!(batch(2_500, (1_000, 100), Some(1_000_000), true), None);
        assert_eq!(batch(1, (0, 100), None, false), None);
    }
}
