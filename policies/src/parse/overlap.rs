//! Finds a permission and a prohibition of one policy that can meet.

use super::reader::Reader;
use crate::action;
use crate::error::PolicyError;
use crate::model::{Policy, Rule, RuleKind};
use oxrdf::NamedNode;

/// With the conflict strategy `invalid`, rules that can conflict make the policy void:
/// <https://www.w3.org/TR/odrl-model/#conflict>. Constraints are not looked at: whether they can hold together would
/// be known only when asked, and a policy must not become void then.
pub(super) fn check(reader: &mut Reader<'_>, policy: &Policy) {
    let of = |kind| policy.rules.iter().filter(move |rule| rule.kind == kind);
    for permission in of(RuleKind::Permission) {
        for prohibition in of(RuleKind::Prohibition) {
            if overlaps(permission, prohibition) {
                reader.fault(PolicyError::Conflict {
                    policy: policy.uid.clone(),
                    permission: permission.number,
                    prohibition: prohibition.number,
                });
                // One pair tells the author what to do; a thousand hide it.
                return;
            }
        }
    }
}

fn overlaps(left: &Rule, right: &Rule) -> bool {
    parties_overlap(&left.assignees, &right.assignees)
        && any_pair(&left.actions, &right.actions, action::overlap)
        && any_pair(&left.targets, &right.targets, |left, right| {
            left.dataset == right.dataset
                && any_pair(&left.selectors, &right.selectors, |left, right| {
                    !left.is_disjoint(right)
                })
        })
}

fn parties_overlap(left: &[NamedNode], right: &[NamedNode]) -> bool {
    left.is_empty() || right.is_empty() || left.iter().any(|party| right.contains(party))
}

fn any_pair<T>(left: &[T], right: &[T], test: impl Fn(&T, &T) -> bool) -> bool {
    left.iter()
        .any(|left| right.iter().any(|right| test(left, right)))
}
