//! Evaluates one rule for one request.

use super::shown;
use crate::action::{self, Actions};
use crate::compare::{self, Operand};
use crate::model::duty::{Duty, Phase, State};
use crate::model::operand::{Claim, Clock, Period};
use crate::model::party::Party;
use crate::model::{Comparison, Constraint, Membership, Moment, Policy, Rule, RuleKind};
use crate::world::{Counter, Incident, Usage};
use crate::{Ask, PurposeHierarchy, Truth, World};
use oxrdf::NamedNode;
use oxsdatatypes::{DateTime, DayTimeDuration};
use std::cmp::Ordering;
use twinlink_vocab::odrl;

/// A request, and all that a decision about it rests on.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) ask: &'a Ask,
    pub(super) world: &'a dyn World,
    pub(super) purposes: &'a PurposeHierarchy,
    pub(super) actions: &'a Actions,
    /// The incident for which the glass is broken: it is active.
    pub(super) glass: Option<&'a Incident>,
}

impl<'a> Asked<'a> {
    /// Whether the rule is about this action and this participant at all.
    ///
    /// A prohibition also concerns a request for a wider action: whoever asks to use may not be let read.
    pub(super) fn concerns(&self, rule: &Rule) -> bool {
        let asked = &self.ask.action;
        let about_action = rule.actions.iter().any(|action| match rule.kind {
            RuleKind::Permission => action::includes(action, asked),
            RuleKind::Prohibition => action::overlap(action, asked),
        });
        let about_action = about_action
            || shown::concerns_statistics(rule, self.ask)
            || (!self.actions.is_standard() && self.concerns_added(rule));
        about_action
            && (rule.assignees.is_empty()
                || rule
                    .assignees
                    .iter()
                    .any(|party| party.has(&self.ask.participant)))
    }

    /// As documents add to the vocabulary's actions.
    fn concerns_added(&self, rule: &Rule) -> bool {
        let asked = &self.ask.action;
        let (kinds, needs) = (self.actions.kinds(asked), self.actions.needs(asked));
        rule.actions.iter().any(|action| match rule.kind {
            RuleKind::Permission => self.actions.has(asked) && kinds.contains(action),
            RuleKind::Prohibition => {
                needs.contains(action) || self.actions.kinds(action).contains(asked)
            }
        })
    }

    /// Whether all that the rule asks for holds: of its assignees, its constraints, and its duties before use.
    pub(super) fn holds(&self, policy: &Policy, rule: &Rule) -> Truth {
        let constraints = rule.constraints.iter();
        let truth = Truth::all(constraints.map(|one| self.constraint(one, policy, rule)));
        if truth == Truth::False {
            return truth;
        }
        let party = match rule.assignees.is_empty() {
            true => Truth::True,
            false => self.party(policy, rule),
        };
        let duties = rule.duties.iter();
        let duties = duties.filter(|duty| duty.phase == Phase::Before);
        Truth::all(
            [truth, party]
                .into_iter()
                .chain(duties.map(|duty| self.duty(duty))),
        )
    }

    fn party(&self, policy: &Policy, rule: &Rule) -> Truth {
        let parties = rule.assignees.iter();
        let parties = parties.filter(|party| party.has(&self.ask.participant));
        Truth::any(parties.map(|party| {
            let refinements = party.refinements().iter();
            Truth::all(refinements.map(|one| self.constraint(one, policy, rule)))
        }))
    }

    /// Whether someone is obliged.
    pub(super) fn is_obliged(&self, assignees: &[Party]) -> bool {
        assignees.is_empty()
            || assignees
                .iter()
                .any(|party| party.has(&self.ask.participant))
    }

    /// Whether a duty does not stand in the way of the permission that it is a condition of.
    pub(super) fn duty(&self, duty: &Duty) -> Truth {
        matches!(self.state(duty), State::Fulfilled | State::NotDue).into()
    }

    /// How a duty stands.
    pub(super) fn state(&self, duty: &Duty) -> State {
        duty.state(
            &|action| self.done(action),
            &|constraints, at| {
                let at = at.unwrap_or(self.ask.now);
                Truth::all(constraints.iter().map(|one| timing(one, at)))
            },
            &|constraints| constraints.iter().any(|one| is_over(one, self.ask.now)),
        )
    }

    /// When an action, or one included in it, was last done.
    fn done(&self, action: &NamedNode) -> Option<DateTime> {
        let inner = action::inside(action).map(NamedNode::new_unchecked);
        let actions = std::iter::once(action.clone()).chain(inner);
        let times = actions.filter_map(|one| self.world.performed(&self.ask.participant, &one));
        let past = times.filter(|at| *at <= self.ask.now);
        past.reduce(|one, other| if other > one { other } else { one })
    }

    /// Whether a constraint holds, by Kleene's logic.
    pub(super) fn constraint(&self, condition: &Constraint, policy: &Policy, rule: &Rule) -> Truth {
        let each = |parts: &'_ [Constraint]| -> Vec<Truth> {
            let parts = parts.iter();
            parts
                .map(|part| self.constraint(part, policy, rule))
                .collect()
        };
        match condition {
            Constraint::Purpose(membership, values) => self.purpose(*membership, values),
            Constraint::Role(membership, values) => self.role(*membership, values),
            Constraint::DateTime(comparison, moment) => {
                date_time(*comparison, *moment, self.ask.now)
            }
            Constraint::Claim(claim) => self.claim(claim),
            Constraint::Event(comparison, events) => self.event(*comparison, events, rule),
            Constraint::Count(comparison, limit) => match self.usage(policy, rule) {
                // The use that is asked for counts: "at most five times" does not let a sixth through.
                Some(usage) => comparison
                    .holds(usage.count.saturating_add(1).cmp(limit))
                    .into(),
                None => Truth::Unknown,
            },
            Constraint::Period(period) => self.period(period, policy, rule),
            Constraint::And(parts) => Truth::all(each(parts)),
            Constraint::Or(parts) => Truth::any(each(parts)),
            Constraint::Xone(parts) => Truth::exactly_one(each(parts)),
            Constraint::Sequence(parts) => {
                let mut states = parts.iter().map(|part| self.constraint(part, policy, rule));
                states
                    .find(|state| *state != Truth::True)
                    .unwrap_or(Truth::True)
            }
        }
    }

    /// Unknown where the request states no purpose.
    fn purpose(&self, membership: Membership, values: &[NamedNode]) -> Truth {
        let Some(purpose) = &self.ask.purpose else {
            return Truth::Unknown;
        };
        match membership {
            Membership::AnyOf => values.contains(purpose).into(),
            Membership::NoneOf => (!values.contains(purpose)).into(),
            Membership::IsA => {
                Truth::any(values.iter().map(|kind| self.purposes.is_a(purpose, kind)))
            }
        }
    }

    /// Unknown where the request states no role. Where it states some, it states them all.
    fn role(&self, membership: Membership, values: &[NamedNode]) -> Truth {
        let roles = &self.ask.roles;
        if roles.is_empty() {
            return Truth::Unknown;
        }
        let has_one = || roles.iter().any(|role| values.contains(role));
        match membership {
            Membership::AnyOf => has_one().into(),
            Membership::NoneOf => (!has_one()).into(),
            Membership::IsA => Truth::any(
                roles
                    .iter()
                    .flat_map(|role| values.iter().map(|kind| self.purposes.is_a(role, kind))),
            ),
        }
    }

    /// Unknown where the caller does not state it.
    fn claim(&self, claim: &Claim) -> Truth {
        let left: Vec<Operand> = if claim.left == odrl::RECIPIENT {
            vec![Operand::new(self.ask.participant.clone().into())]
        } else {
            let values = self.world.claims().values.get(&claim.left);
            let values = values.into_iter().flatten().cloned();
            values.map(Operand::new).collect()
        };
        let left = match left.is_empty() {
            true => &claim.status,
            false => &left,
        };
        claim.operator.holds(
            left,
            &claim.right,
            |thing, kind| match (thing, kind) {
                (oxrdf::Term::NamedNode(thing), oxrdf::Term::NamedNode(kind)) => {
                    self.purposes.is_a(thing, kind)
                }
                _ => Truth::Unknown,
            },
            |part, whole| claim.wholes.is_part(part, whole),
        )
    }

    /// When the use is, against when incidents of a kind are. An incident is active from its begin to its end. All that
    /// are active are declared: where none is, none is. Of one that nobody declared it is not known whether it is past
    /// or to come; of several that disagree, neither.
    fn event(&self, comparison: Comparison, events: &[NamedNode], rule: &Rule) -> Truth {
        let mut orders = self
            .incidents(events, rule)
            .map(|incident| incident.order(self.ask.now));
        if events.iter().any(|event| *event == odrl::POLICY_USAGE) {
            return comparison.holds(Ordering::Equal).into();
        }
        match comparison {
            Comparison::Equal => orders.any(|order| order == Ordering::Equal).into(),
            Comparison::NotEqual => orders.all(|order| order != Ordering::Equal).into(),
            _ => {
                let Some(first) = orders.next() else {
                    return Truth::Unknown;
                };
                let first = comparison.holds(first);
                match orders.all(|order| comparison.holds(order) == first) {
                    true => first.into(),
                    false => Truth::Unknown,
                }
            }
        }
    }

    /// The incidents that an event may mean to a rule: one that waits for the glass to be broken looks at the one for which
    /// it is.
    pub(super) fn incidents(
        &self,
        events: &[NamedNode],
        rule: &Rule,
    ) -> impl Iterator<Item = &'a Incident> {
        let all = match (&rule.break_glass, self.glass) {
            (Some(_), Some(glass)) => std::slice::from_ref(glass),
            _ => self.world.incidents(),
        };
        all.iter()
            .filter(move |incident| incident.is_one_of(events))
    }

    fn period(&self, period: &Period, policy: &Policy, rule: &Rule) -> Truth {
        let now = self.ask.now;
        let since = |start: DateTime| now.checked_sub(start);
        let usage = || self.usage(policy, rule);
        let (length, has_begun) = match &period.clock {
            Clock::SinceFirst => match usage() {
                Some(usage) => (since(usage.first.unwrap_or(now)), true),
                None => return Truth::Unknown,
            },
            Clock::SinceLast => match usage().map(|usage| usage.last) {
                Some(Some(last)) => (since(last), true),
                // Before the first use, longer than any interval.
                Some(None) => return period.comparison.holds(Ordering::Greater).into(),
                None => return Truth::Unknown,
            },
            Clock::Metered => match usage() {
                Some(usage) => (DayTimeDuration::try_from(usage.metered).ok(), true),
                None => return Truth::Unknown,
            },
            Clock::SinceInstant(start) => (since(*start), now >= *start),
            Clock::SinceEvent(event) => {
                let mut of = self.incidents(std::slice::from_ref(event), rule);
                match (of.next(), of.next()) {
                    (Some(incident), None) => (since(incident.begins), now >= incident.begins),
                    // Of several, or of none, it is not known since when.
                    _ => return Truth::Unknown,
                }
            }
        };
        match length {
            _ if !has_begun => Truth::False,
            Some(length) => match length.partial_cmp(&period.length) {
                Some(order) => period.comparison.holds(order).into(),
                None => Truth::Unknown,
            },
            None => Truth::Unknown,
        }
    }

    /// Use under the rule so far.
    pub(super) fn usage(&self, policy: &Policy, rule: &Rule) -> Option<Usage> {
        self.world.usage(&self.counter(policy, rule))
    }

    /// What counts use under the rule.
    pub(super) fn counter(&self, policy: &Policy, rule: &Rule) -> Counter {
        Counter {
            policy: policy.uid.clone(),
            kind: rule.kind,
            rule: rule.number,
            participant: self.ask.participant.clone(),
        }
    }
}

impl Incident {
    /// Whether it is one of these, or of one of these kinds.
    pub(super) fn is_one_of(&self, events: &[NamedNode]) -> bool {
        let mut events = events.iter();
        events.any(|event| *event == self.id || self.kinds.contains(event))
    }

    /// Where a moment is: before it, in it, after it.
    pub(super) fn order(&self, at: DateTime) -> Ordering {
        if at < self.begins {
            Ordering::Less
        } else if at < self.ends {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }
}

/// Unknown where either side has no time zone.
fn date_time(comparison: Comparison, moment: Moment, now: DateTime) -> Truth {
    match compare::order_moments(Moment::Instant(now), moment) {
        Some(order) => comparison.holds(order).into(),
        None => Truth::Unknown,
    }
}

/// Whether a constraint on time only holds at a moment.
fn timing(condition: &Constraint, at: DateTime) -> Truth {
    let each = |parts: &[Constraint]| -> Vec<Truth> {
        parts.iter().map(|part| timing(part, at)).collect()
    };
    match condition {
        Constraint::DateTime(comparison, moment) => date_time(*comparison, *moment, at),
        Constraint::And(parts) => Truth::all(each(parts)),
        Constraint::Or(parts) => Truth::any(each(parts)),
        Constraint::Xone(parts) => Truth::exactly_one(each(parts)),
        Constraint::Sequence(parts) => {
            let mut states = parts.iter().map(|part| timing(part, at));
            states
                .find(|state| *state != Truth::True)
                .unwrap_or(Truth::True)
        }
        // Parsing lets no other constraint time a duty.
        _ => Truth::Unknown,
    }
}

/// Whether the time that a constraint leaves for a duty is over for good.
fn is_over(condition: &Constraint, now: DateTime) -> bool {
    match condition {
        Constraint::DateTime(Comparison::Less | Comparison::LessOrEqual, _) => {
            timing(condition, now) == Truth::False
        }
        Constraint::And(parts) | Constraint::Sequence(parts) => {
            parts.iter().any(|part| is_over(part, now))
        }
        Constraint::Or(parts) | Constraint::Xone(parts) => {
            parts.iter().all(|part| is_over(part, now))
        }
        _ => false,
    }
}
