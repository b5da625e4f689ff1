//! What would be fetched, by what is known before.

use super::group::{Group, groups};
use super::known::Known;
use super::{Fetcher, Whole};
use crate::explain::patterns;
use crate::needs::{Join, Part};
use oxrdf::Variable;
use std::collections::BTreeSet;
use twinlink_core::{Direction, Pushed, Step, StepKind};

/// What is fetched before, and so may bind what comes after.
#[derive(Debug, Clone)]
struct Before {
    variables: BTreeSet<Variable>,
    members: Vec<usize>,
}

/// What of it can be seen within a part.
fn seen_through(before: &[Before], visible: &BTreeSet<Variable>) -> Vec<Before> {
    let seen = before.iter().map(|before| Before {
        variables: before.variables.intersection(visible).cloned().collect(),
        members: before.members.clone(),
    });
    seen.collect()
}

impl Fetcher<'_> {
    /// The steps that would fetch a query whose joins stay within members.
    pub(crate) fn plan_whole(&self, whole: &Whole) -> Vec<Step> {
        let members = whole.members().into_iter();
        members
            .map(|member| Step {
                at: self.names(&[member]),
                estimate: self.expected_whole(whole, member),
                requests: u64::from(member > 0),
                pushed: Some(Pushed::Joins),
                word: "all joins stay within members: one request for all that it can contribute"
                    .to_owned(),
                ..Step::new(StepKind::Fetch, self.asked_of(whole, member))
            })
            .collect()
    }

    /// The steps that would fetch what a query needs, in their likely order. Which come bound by others shows only when
    /// those are there.
    pub(crate) fn plan_all(&self, needs: &Join) -> Vec<Step> {
        let mut steps = Vec::new();
        self.plan(needs, "", &[], &mut steps);
        steps
    }

    /// `before` is what binds the part from outside.
    fn plan(&self, join: &Join, within: &str, before: &[Before], steps: &mut Vec<Step>) {
        if self.is_empty(join) {
            let atoms: Vec<_> = join.triples.clone();
            if !atoms.is_empty() {
                steps.push(Step {
                    word: format!("{within}nobody can match all of it: nothing is fetched"),
                    ..Step::new(StepKind::Fetch, patterns(&atoms))
                });
            }
            return;
        }
        for atom in &join.others {
            let group = Group::alone(self, atom);
            let word = format!("{within}whole, whatever is known");
            steps.push(self.plan_group(&group, &[], word));
        }
        for walk in &join.walks {
            let word = if self.is_worth_walking(walk) {
                "step by step from where the path starts, as far as it leads, if that is known"
            } else {
                "all steps of a path, wherever they lead"
            };
            for step in &walk.steps {
                let group = Group::alone(self, &step.atom);
                steps.push(self.plan_group(&group, before, format!("{within}{word}")));
            }
        }
        let mut groups = groups(self, join);
        groups.sort_by_key(|group| group.estimate(self).unwrap_or(u64::MAX));
        let least = groups.first().and_then(|group| group.estimate(self));
        let mut known = Known::default();
        for (variable, values) in &join.values {
            known.asked(variable, values, &self.members.limits);
        }
        let mut before = before.to_vec();
        for (place, group) in groups.iter().enumerate() {
            let estimate = group.estimate(self);
            let is_large = matches!((estimate, least), (Some(this), Some(least)) if this > least.saturating_add(1).saturating_mul(2));
            let word = if group.is_bound(&known) {
                "bound by values of the question"
            } else if place == 0 || !is_large {
                "first, tried with a limit: what comes whole may bind the others"
            } else {
                "after smaller ones, bound by their values where these are few"
            };
            steps.push(self.plan_group(group, &before, format!("{within}{word}")));
            before.push(Before {
                variables: group.variables.clone(),
                members: group.members.clone(),
            });
        }
        for part in &join.parts {
            match part {
                Part::Union(joins) => {
                    for join in joins {
                        self.plan(join, "in a UNION: ", &before, steps);
                    }
                }
                Part::Select(join, visible) => {
                    let before = seen_through(&before, visible);
                    self.plan(join, "in a sub-select: ", &before, steps);
                }
                Part::Dependent(join, visible) => {
                    let before = seen_through(&before, visible);
                    self.plan(join, "for each solution so far: ", &before, steps);
                }
            }
        }
    }

    /// How many rows of a group a member has at most, as its summary says; asked only for explanations.
    pub(super) fn estimate_at(&self, group: &Group, member: usize) -> Option<u64> {
        let atoms = group.atoms.iter();
        let quads: Option<Vec<_>> = atoms.map(|atom| self.quads_at(atom, member)).collect();
        quads?.into_iter().min()
    }

    fn plan_group(&self, group: &Group, before: &[Before], word: String) -> Step {
        let peers = group.members.iter().filter(|member| **member > 0).count();
        Step {
            at: self.names(&group.members),
            estimate: group.estimate(self),
            requests: peers as u64,
            directions: self.directions(group, before),
            word,
            ..Step::new(StepKind::Fetch, patterns(&group.atoms))
        }
    }

    /// From whom to whom values that a group shares with what comes before it could go. To ourselves all come anyway.
    fn directions(&self, group: &Group, before: &[Before]) -> Vec<Direction> {
        let binds = before
            .iter()
            .filter(|before| !before.variables.is_disjoint(&group.variables));
        let sources: BTreeSet<_> = binds.flat_map(|before| &before.members).copied().collect();
        let recipients = group.members.iter().filter(|member| **member > 0);
        let pairs = recipients.flat_map(|to| sources.iter().map(move |from| (*from, *to)));
        let names = &self.members.names;
        let direction = |(from, to): (usize, usize)| {
            Some(Direction {
                from: names.get(from)?.clone(),
                to: names.get(to)?.clone(),
                is_permitted: self.may_tell(from, to),
            })
        };
        let pairs = pairs.filter(|(from, to)| from != to);
        pairs.filter_map(direction).collect()
    }

    fn names(&self, members: &[usize]) -> Vec<oxrdf::NamedNode> {
        let names = members.iter();
        names
            .filter_map(|member| self.members.names.get(*member).cloned())
            .collect()
    }
}
