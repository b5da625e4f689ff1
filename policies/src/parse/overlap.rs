//! Finds a permission and a prohibition of one policy that can meet.

use crate::action::{self, Actions};
use crate::error::PolicyError;
use crate::guard::GraphNameKey;
use crate::model::{Constraint, Membership, Rule, RuleKind};
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::hash::Hash;

/// With the conflict strategy `invalid`, rules that can conflict make the policy void:
/// <https://www.w3.org/TR/odrl-model/#conflict>. Constraints are looked at only where they ask for different purposes or
/// opposite sides of a time: whether others can hold together would be known only when asked, and a policy must not become
/// void then. Who breaks the glass is told by other terms which of the two wins.
///
/// Rules that share no part of a dataset are never compared: prohibitions are found by what they are about. Those that share one and
/// are about others, or other actions, cost a comparison of names each. `bench decide` says what 2,000 rules take.
pub(crate) fn check<'a>(
    policy: &NamedNode,
    rules: impl IntoIterator<Item = &'a Rule> + Clone,
    actions: &Actions,
) -> Option<PolicyError> {
    let of = |kind| {
        let rules = rules.clone().into_iter();
        rules.filter(move |rule: &&'a Rule| rule.kind == kind)
    };
    let prohibitions = Prohibitions::new(of(RuleKind::Prohibition));
    let mut overlapping = HashMap::new();
    for permission in of(RuleKind::Permission).filter(|rule| rule.break_glass.is_none()) {
        let mut met = prohibitions.met(permission).into_iter();
        let prohibition = met.find(|prohibition| {
            let key = (&permission.actions, &prohibition.actions);
            *overlapping
                .entry(key)
                .or_insert_with_key(|(left, right)| actions_overlap(left, right, actions))
                && parties_overlap(permission, prohibition)
                && !are_apart(permission, prohibition)
        });
        if let Some(prohibition) = prohibition {
            // One pair tells the author what to do; a thousand hide it.
            return Some(PolicyError::Conflict {
                policy: policy.clone(),
                permission: permission.number,
                prohibition: prohibition.number,
            });
        }
    }
    None
}

/// Prohibitions, by dataset, property and graph; none stands for any.
struct Prohibitions<'a> {
    rules: Vec<&'a Rule>,
    places: HashMap<&'a NamedNode, ByProperty<'a>>,
}

type ByProperty<'a> = HashMap<Option<&'a NamedNode>, ByGraph<'a>>;
type ByGraph<'a> = HashMap<Option<&'a GraphNameKey>, Vec<usize>>;

impl<'a> Prohibitions<'a> {
    fn new(rules: impl Iterator<Item = &'a Rule>) -> Self {
        let rules: Vec<_> = rules.collect();
        let mut places: HashMap<_, ByProperty<'a>> = HashMap::new();
        for (place, rule) in rules.iter().enumerate() {
            for target in &rule.targets {
                let of_dataset = places.entry(&target.dataset).or_default();
                for selector in &target.selectors {
                    let of_property = of_dataset.entry(selector.property.as_ref()).or_default();
                    let known = of_property.entry(selector.graph.as_ref()).or_default();
                    if known.last() != Some(&place) {
                        known.push(place);
                    }
                }
            }
        }
        Self { rules, places }
    }

    /// Those about something that the permission is about too, in their order: of which the selectors are not
    /// [disjoint](crate::Selector::is_disjoint).
    fn met(&self, permission: &Rule) -> Vec<&'a Rule> {
        let mut met = Vec::new();
        for target in &permission.targets {
            let Some(of_dataset) = self.places.get(&target.dataset) else {
                continue;
            };
            for selector in &target.selectors {
                for of_property in near(of_dataset, selector.property.as_ref()) {
                    let of_graph = near(of_property, selector.graph.as_ref());
                    met.extend(of_graph.into_iter().flatten().copied());
                }
            }
            met.sort_unstable();
            met.dedup();
        }
        let rules = met.into_iter().filter_map(|place| self.rules.get(place));
        rules.copied().collect()
    }
}

/// What there is for the name and for any name; for any name, all.
fn near<K: Hash + Eq, V>(of: &HashMap<Option<K>, V>, name: Option<K>) -> Vec<&V> {
    match name {
        None => of.values().collect(),
        name => [of.get(&name), of.get(&None)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn actions_overlap(left: &[NamedNode], right: &[NamedNode], actions: &Actions) -> bool {
    any_pair(left, right, |left, right| {
        action::overlap(left, right)
            || actions.kinds(left).contains(right)
            || actions.kinds(right).contains(left)
            || actions.needs(left).contains(right)
    })
}

/// Whether their constraints cannot both hold.
fn are_apart(permission: &Rule, prohibition: &Rule) -> bool {
    any_pair(
        &permission.constraints,
        &prohibition.constraints,
        are_opposed,
    )
}

/// Whether the prohibition's constraint is false wherever the permission's is true.
fn are_opposed(permits: &Constraint, prohibits: &Constraint) -> bool {
    match (permits, prohibits) {
        (
            Constraint::Purpose(Membership::AnyOf, left),
            Constraint::Purpose(Membership::AnyOf, right),
        ) => !left.iter().any(|one| right.contains(one)),
        (
            Constraint::Purpose(Membership::AnyOf, left),
            Constraint::Purpose(Membership::NoneOf, right),
        ) => left.iter().all(|one| right.contains(one)),
        _ => false,
    }
}

fn parties_overlap(left: &Rule, right: &Rule) -> bool {
    let (left, right) = (&left.assignees, &right.assignees);
    left.is_empty()
        || right.is_empty()
        || any_pair(left, right, |left, right| {
            left.members().iter().any(|member| right.has(member))
        })
}

fn any_pair<T>(left: &[T], right: &[T], test: impl Fn(&T, &T) -> bool) -> bool {
    left.iter()
        .any(|left| right.iter().any(|right| test(left, right)))
}
