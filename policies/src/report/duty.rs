//! Evaluates what must be done: duties of permissions, obligations, consequences, remedies.

use super::constraint::{About, Scope, evaluate, evaluate_all};
use super::premise::fits;
use super::rulebook::{Constraint, Kind, Logic, Operator, Rule, Test, term};
use super::statement::{Deontic, DutyReport, Performance};
use super::world::{Evidence, Performed};
use super::{DutyReading, Evaluator};
use crate::Truth;
use crate::model::Comparison;
use oxrdf::Term;
use twinlink_vocab::odrl;

/// When what was found was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    OnTime,
    Late,
}

impl DutyReport<'_> {
    /// Whether it stands in the way of the permission that it is a condition of.
    pub(super) fn allows(&self, reading: DutyReading) -> bool {
        match self.deontic {
            Deontic::Fulfilled => true,
            Deontic::Violated => false,
            Deontic::NonSet => !self.is_due || reading == DutyReading::InTheEnd,
        }
    }
}

/// In which state the duty of a permission is. Where nothing tells of it, a report about a rule that none of our policies
/// has may be about it by another name: it can keep the permission from holding, and cannot make it hold.
pub(super) fn condition<'a>(rule: &'a Rule, scope: Scope<'a>) -> DutyReport<'a> {
    let mut report = duty(rule, scope);
    if report.evidence.is_empty() && report.performance != Performance::Performed {
        let evidence = scope.world.evidence.iter();
        let unheard = evidence.filter(|one| one.is_duty && !scope.evaluator.has_rule(&one.rule));
        for one in unheard {
            report.evidence.push(&one.node);
            if one.deontic == Deontic::Violated {
                report.deontic = Deontic::Violated;
            }
        }
    }
    report
}

/// In which state a duty is.
pub(super) fn duty<'a>(rule: &'a Rule, scope: Scope<'a>) -> DutyReport<'a> {
    let scope = Scope {
        rule: &rule.node,
        ..scope
    };
    let consequences: Vec<_> = rule.duties.iter().map(|rule| duty(rule, scope)).collect();
    let own = term(&rule.node);
    let evidence = scope.world.evidence.iter();
    let evidence: Vec<&'a Evidence> = evidence
        .filter(|one| one.is_duty && one.rule == own)
        .collect();
    let done = done(rule, scope);
    let is_late = is_too_late(rule, scope);
    let says = |of: Deontic| evidence.iter().any(|one| one.deontic == of);
    let (is_reported, is_broken) = (says(Deontic::Fulfilled), says(Deontic::Violated));
    // A broken duty is made good by doing it after all and bearing the consequences.
    let is_made_good = !consequences.is_empty()
        && consequences
            .iter()
            .all(|one| one.deontic == Deontic::Fulfilled);
    let is_fulfilled = is_reported || done == Some(Done::OnTime);
    let has_failed = is_broken || done == Some(Done::Late) || (is_late && !is_fulfilled);
    let deontic = match (is_fulfilled, has_failed) {
        (true, false) => Deontic::Fulfilled,
        (false, false) => Deontic::NonSet,
        (_, true) if is_made_good && (is_fulfilled || done.is_some()) => Deontic::Fulfilled,
        (_, true) => Deontic::Violated,
    };
    let performance = if done.is_some() || is_performed(&evidence, Performance::Performed) {
        Performance::Performed
    } else if is_late || is_performed(&evidence, Performance::Unperformed) {
        Performance::Unperformed
    } else {
        Performance::Unknown
    };
    let (holds, _) = evaluate_all(&rule.constraints, scope);
    DutyReport {
        rule,
        evidence: evidence.iter().map(|one| &one.node).collect(),
        performance,
        deontic,
        is_due: holds != Truth::False,
        consequences,
    }
}

/// Whether a prohibition was broken before, and made good by its remedies; none where it was not broken.
pub(super) fn infringement<'a>(
    rule: &'a Rule,
    scope: Scope<'a>,
) -> Option<(Deontic, Vec<DutyReport<'a>>)> {
    let own = term(&rule.node);
    let mut reports = scope.world.evidence.iter().filter(|one| one.rule == own);
    reports.find(|one| {
        one.performance == Performance::Performed || one.deontic == Deontic::Violated
    })?;
    let remedies: Vec<_> = rule.duties.iter().map(|rule| duty(rule, scope)).collect();
    let is_made_good =
        !remedies.is_empty() && remedies.iter().all(|one| one.deontic == Deontic::Fulfilled);
    let deontic = if is_made_good {
        Deontic::Fulfilled
    } else {
        Deontic::Violated
    };
    Some((deontic, remedies))
}

fn is_performed(evidence: &[&Evidence], performance: Performance) -> bool {
    evidence.iter().any(|one| one.performance == performance)
}

/// Whether each of the duty's actions was done, and by the time that its constraints set.
fn done<'a>(rule: &'a Rule, scope: Scope<'a>) -> Option<Done> {
    if rule.actions.is_empty() || scope.world.performed.is_empty() {
        return None;
    }
    let mut worst = Done::OnTime;
    for index in 0..rule.actions.len() {
        let tries = scope.world.performed.iter();
        let tries: Vec<_> = tries
            .filter_map(|performed| done_by(rule, index, performed, scope))
            .collect();
        if tries.is_empty() {
            return None;
        }
        if !tries.contains(&Done::OnTime) {
            worst = Done::Late;
        }
    }
    Some(worst)
}

fn done_by<'a>(
    rule: &'a Rule,
    index: usize,
    performed: &'a Performed,
    scope: Scope<'a>,
) -> Option<Done> {
    let of = rule.actions.get(index)?;
    let evaluator: &'a Evaluator = scope.evaluator;
    if !evaluator
        .actions
        .kinds(&performed.action)
        .contains(&of.action)
    {
        return None;
    }
    let now = scope.world.now.as_ref()?;
    if performed.time.compare(Comparison::LessOrEqual, now) != Truth::True {
        return None;
    }
    let by: Option<&'a Term> = performed.party.as_ref();
    let by_whom = if rule.assignees.is_empty() {
        by.is_some() && by == scope.asked.and_then(|asked| asked.party.as_ref())
    } else {
        fits(&rule.assignees, by, scope).0 == Truth::True
    };
    let on_what = rule.targets.is_empty()
        || fits(&rule.targets, performed.target.as_ref(), scope).0 == Truth::True;
    let about = About::Performed(performed);
    let scope = Scope { about, ..scope };
    let node = term(&performed.node);
    let with_whom = rule.functions.iter().all(|(function, party)| {
        let said = scope.world.said_of(&node, function);
        said.iter().any(|one| one.term == *party)
    });
    let how = evaluate_all(&of.refinements, scope).0 == Truth::True;
    if !(by_whom && on_what && with_whom && how) {
        return None;
    }
    let in_time = evaluate_all(&rule.constraints, scope).0 == Truth::True;
    Some(if in_time { Done::OnTime } else { Done::Late })
}

/// Whether the time at which the duty could be done is over for good.
fn is_too_late(rule: &Rule, scope: Scope<'_>) -> bool {
    rule.kind == Kind::Duty && rule.constraints.iter().any(|one| is_over(one, scope))
}

fn is_over(constraint: &Constraint, scope: Scope<'_>) -> bool {
    match &constraint.test {
        Test::Compare { left, operator, .. } => {
            let is_deadline = *left == odrl::DATE_TIME
                && matches!(
                    operator,
                    Operator::Compare(Comparison::Less | Comparison::LessOrEqual)
                );
            is_deadline && evaluate(constraint, scope).holds == Truth::False
        }
        Test::Combine(Logic::And | Logic::AndSequence, parts) => {
            parts.iter().any(|part| is_over(part, scope))
        }
        Test::Combine(Logic::Or | Logic::Xone, parts) => {
            parts.iter().all(|part| is_over(part, scope))
        }
    }
}
