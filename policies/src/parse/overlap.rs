//! Finds a permission and a prohibition of one policy that can meet.

use crate::action::{self, Actions};
use crate::error::PolicyError;
use crate::model::{Constraint, Membership, Rule, RuleKind};
use oxrdf::NamedNode;

/// With the conflict strategy `invalid`, rules that can conflict make the policy void:
/// <https://www.w3.org/TR/odrl-model/#conflict>. Constraints are looked at only where they ask for different purposes or
/// opposite sides of a time: whether others can hold together would be known only when asked, and a policy must not become
/// void then. Who breaks the glass is told by other terms which of the two wins.
pub(crate) fn check<'a>(
    policy: &NamedNode,
    rules: impl IntoIterator<Item = &'a Rule> + Clone,
    actions: &Actions,
) -> Option<PolicyError> {
    let of = |kind| {
        let rules = rules.clone().into_iter();
        rules.filter(move |rule: &&'a Rule| rule.kind == kind)
    };
    for permission in of(RuleKind::Permission).filter(|rule| rule.break_glass.is_none()) {
        for prohibition in of(RuleKind::Prohibition) {
            if overlaps(permission, prohibition, actions) {
                // One pair tells the author what to do; a thousand hide it.
                return Some(PolicyError::Conflict {
                    policy: policy.clone(),
                    permission: permission.number,
                    prohibition: prohibition.number,
                });
            }
        }
    }
    None
}

fn overlaps(permission: &Rule, prohibition: &Rule, actions: &Actions) -> bool {
    let (left, right) = (permission, prohibition);
    parties_overlap(left, right)
        && any_pair(&left.actions, &right.actions, |left, right| {
            action::overlap(left, right)
                || actions.kinds(left).contains(right)
                || actions.kinds(right).contains(left)
                || actions.needs(left).contains(right)
        })
        && any_pair(&left.targets, &right.targets, |left, right| {
            left.dataset == right.dataset
                && any_pair(&left.selectors, &right.selectors, |left, right| {
                    !left.is_disjoint(right)
                })
        })
        && !left.constraints.iter().any(|one| {
            right
                .constraints
                .iter()
                .any(|other| are_opposed(one, other))
        })
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
