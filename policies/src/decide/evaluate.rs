//! Evaluates one rule for one request.

use super::shown;
use crate::model::{Comparison, Constraint, Membership, Moment, Rule, RuleKind};
use crate::{Ask, PurposeHierarchy, Truth, action, compare};
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;

/// Whether the rule is about this action and this participant at all.
///
/// A prohibition also concerns a request for a wider action: whoever asks to use may not be let read.
pub(super) fn concerns(rule: &Rule, ask: &Ask) -> bool {
    let about_action = rule.actions.iter().any(|action| match rule.kind {
        RuleKind::Permission => action::includes(action, &ask.action),
        RuleKind::Prohibition => action::overlap(action, &ask.action),
    });
    let about_action = about_action || shown::concerns_statistics(rule, ask);
    about_action && (rule.assignees.is_empty() || rule.assignees.contains(&ask.participant))
}

/// Whether all constraints of the rule hold.
pub(super) fn constraints(rule: &Rule, ask: &Ask, purposes: &PurposeHierarchy) -> Truth {
    Truth::all(
        rule.constraints
            .iter()
            .map(|c| constraint(c, ask, purposes)),
    )
}

/// Whether a constraint holds, by Kleene's logic.
pub(super) fn constraint(condition: &Constraint, ask: &Ask, purposes: &PurposeHierarchy) -> Truth {
    let each = |parts: &[Constraint]| -> Vec<Truth> {
        parts
            .iter()
            .map(|part| constraint(part, ask, purposes))
            .collect()
    };
    match condition {
        Constraint::Purpose(membership, values) => purpose(*membership, values, ask, purposes),
        Constraint::Role(membership, values) => role(*membership, values, ask),
        Constraint::DateTime(comparison, moment) => date_time(*comparison, *moment, ask.now),
        Constraint::And(parts) => Truth::all(each(parts)),
        Constraint::Or(parts) => Truth::any(each(parts)),
        Constraint::Xone(parts) => Truth::exactly_one(each(parts)),
    }
}

/// Unknown where the request states no purpose.
fn purpose(
    membership: Membership,
    values: &[NamedNode],
    ask: &Ask,
    purposes: &PurposeHierarchy,
) -> Truth {
    let Some(purpose) = &ask.purpose else {
        return Truth::Unknown;
    };
    match membership {
        Membership::AnyOf => values.contains(purpose).into(),
        Membership::NoneOf => (!values.contains(purpose)).into(),
        Membership::IsA => Truth::any(values.iter().map(|kind| purposes.is_a(purpose, kind))),
    }
}

/// Unknown where the request states no role. Where it states some, it states them all.
fn role(membership: Membership, values: &[NamedNode], ask: &Ask) -> Truth {
    if ask.roles.is_empty() {
        return Truth::Unknown;
    }
    let has_one = ask.roles.iter().any(|role| values.contains(role));
    match membership {
        Membership::AnyOf => has_one.into(),
        Membership::NoneOf => (!has_one).into(),
        // Parsing refuses it: roles have no hierarchy.
        Membership::IsA => Truth::Unknown,
    }
}

/// Unknown where either side has no time zone.
fn date_time(comparison: Comparison, moment: Moment, now: DateTime) -> Truth {
    match compare::order_moments(Moment::Instant(now), moment) {
        Some(order) => comparison.holds(order).into(),
        None => Truth::Unknown,
    }
}
