//! Decides one request.

use super::PolicySet;
use super::evaluate::Asked;
use super::horizon::Horizon;
use super::shown::Shown;
use crate::model::duty::{Deadline, Duty, Phase, State};
use crate::model::{Comparison, Constraint, Policy, PolicyKind, Rule, RuleKind};
use crate::permit::{Outlook, Terms};
use crate::world::{Claimed, Claims, Incident};
use crate::{Ask, Basis, BreakGlass, Charge, Debtor, Denied, Obligation, Permit, Truth, World};
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use twinlink_vocab::tl;

/// How many ways to break the glass one denial tells of.
const MOST_GLASS: usize = 16;

pub(super) fn decide(set: &PolicySet, ask: &Ask, world: &dyn World) -> Result<Permit, Denied> {
    let denied = |policies, outlook| Denied {
        participant: ask.participant.clone(),
        action: ask.action.clone(),
        purpose: ask.purpose.clone(),
        policies,
        outlook: Box::new(outlook),
    };
    if world.has_violations(&ask.participant) {
        let outlook = Outlook {
            has_violations: true,
            depends_on_world: true,
            ..Outlook::default()
        };
        return Err(denied(Vec::new(), outlook));
    }
    let mut horizon = Horizon::new(ask.now);
    let stated = stated(set, ask, world, &mut horizon);
    let asked = Asked {
        ask: &stated,
        world,
        purposes: &set.purposes,
        actions: &set.actions,
        glass: glass(set, ask, world),
    };
    match weigh(set, &asked, &mut horizon) {
        Ok(permit) => Ok(permit),
        Err(policies) => {
            let outlook = Outlook {
                has_violations: false,
                break_glass: available(set, &asked),
                valid_until: horizon.next(),
                depends_on_world: horizon.depends_on_world(),
            };
            Err(denied(policies, outlook))
        }
    }
}

/// What is asked, without a purpose that the caller may not state now.
pub(super) fn stated<'a>(
    set: &PolicySet,
    ask: &'a Ask,
    world: &dyn World,
    horizon: &mut Horizon,
) -> Cow<'a, Ask> {
    let Some(purpose) = ask
        .purpose
        .as_ref()
        .filter(|_| !set.purpose_rules.is_empty())
    else {
        return Cow::Borrowed(ask);
    };
    let rules = &set.purpose_rules;
    let mut is_right = rules.may_state(&ask.roles, purpose, &set.purposes);
    for kinds in rules.incidents(purpose, &set.purposes) {
        horizon.world();
        let mut is_going_on = false;
        for incident in world.incidents() {
            let kinds: Vec<NamedNode> = kinds.iter().cloned().collect();
            if incident.is_one_of(&kinds) {
                horizon.at(incident.begins);
                horizon.at(incident.ends);
                is_going_on |= incident.order(ask.now) == Ordering::Equal;
            }
        }
        is_right &= is_going_on;
    }
    match is_right {
        true => Cow::Borrowed(ask),
        false => Cow::Owned(Ask {
            purpose: None,
            ..ask.clone()
        }),
    }
}

/// The incident for which the glass is broken: none where that is not active.
pub(super) fn glass<'a>(set: &PolicySet, ask: &Ask, world: &'a dyn World) -> Option<&'a Incident> {
    let named = world
        .claims()
        .breaks_glass
        .as_ref()
        .filter(|_| set.has_glass)?;
    let mut incidents = world.incidents().iter();
    incidents.find(|one| one.id == *named && one.order(ask.now) == Ordering::Equal)
}

/// Whether the rule has an effect.
// INVARIANT(unknown-never-grants): a permission needs every condition to be true, a prohibition only that none is false.
pub(super) fn is_active(asked: &Asked<'_>, policy: &Policy, rule: &Rule) -> bool {
    if rule.break_glass.is_some() && asked.glass.is_none() {
        return false;
    }
    let truth = asked.holds(policy, rule);
    match rule.kind {
        RuleKind::Permission => truth == Truth::True,
        RuleKind::Prohibition => truth != Truth::False,
    }
}

/// What active rules leave, or the policies whose prohibitions left nothing.
fn weigh(
    set: &PolicySet,
    asked: &Asked<'_>,
    horizon: &mut Horizon,
) -> Result<Permit, Vec<NamedNode>> {
    let now = asked.ask.now;
    let mut shown = Shown::new(asked.ask);
    let mut terms = Terms::default();
    let (mut deciding, mut against) = (BTreeSet::new(), BTreeSet::new());
    let (mut granting, mut withholding) = (BTreeSet::new(), Vec::new());
    let mut box_end = None;
    let broken = broken_obligations(set, asked, horizon);
    for ((number, holder), origin, rule) in set.rules() {
        if !asked.concerns(rule) {
            continue;
        }
        horizon.rule(origin, rule, asked);
        let is_permission = rule.kind == RuleKind::Permission;
        let is_active = is_active(asked, origin, rule);
        let counts = rule
            .conditions()
            .any(|one| one.any(&mut Constraint::is_of_use));
        if counts && (is_active || !is_permission) {
            charge(&mut terms, asked, origin, rule);
        }
        if !is_active || (is_permission && broken.contains(&number)) {
            continue;
        }
        deciding.insert(&origin.uid);
        if is_permission {
            granting.insert(number);
            let duties = rule.duties.iter().filter(|duty| duty.phase == Phase::After);
            let source = Some((rule.kind, rule.number));
            terms
                .obligations
                .extend(duties.map(|duty| owed(duty, origin, source, now)));
            if let (Some(length), Some(glass)) = (rule.break_glass, asked.glass) {
                let end = now.checked_add_day_time_duration(length);
                let end = end.filter(|end| *end < glass.ends).unwrap_or(glass.ends);
                box_end = Some(box_end.map_or(end, |known| if known < end { known } else { end }));
                terms.basis = Basis::BreakGlass(glass.id.clone());
            }
        } else {
            against.insert(&origin.uid);
            withholding.push((origin, rule));
        }
        shown.add((number, holder), origin, rule);
    }
    if let Some(end) = box_end {
        horizon.world();
        horizon.at(end);
        for (origin, rule) in withholding {
            if shown.is_overridden(rule) {
                let source = Some((rule.kind, rule.number));
                let remedies = rule.duties.iter();
                terms
                    .obligations
                    .extend(remedies.map(|duty| owed(duty, origin, source, now)));
            }
        }
    }
    let guard = shown.guard();
    if guard.is_nothing() {
        return Err(against.into_iter().cloned().collect());
    }
    oblige(set, asked, &granting, &mut terms);
    terms.valid_until = horizon.next();
    terms.depends_on_world = horizon.depends_on_world();
    Ok(Permit {
        guard,
        action: asked.ask.action.clone(),
        policies: deciding.into_iter().cloned().collect(),
        version: set.version.clone(),
        terms,
    })
}

/// The policies, by number, of which someone left an obligation undone past its deadline: they permit nothing to it.
fn broken_obligations(
    set: &PolicySet,
    asked: &Asked<'_>,
    horizon: &mut Horizon,
) -> BTreeSet<usize> {
    let mut broken = BTreeSet::new();
    for (number, _, duty) in obligations(set, asked) {
        if duty.phase == Phase::Before {
            horizon.world();
            let conditions = duty.constraints.iter();
            for condition in conditions {
                condition.each(&mut |one| {
                    if let Constraint::DateTime(_, moment) = one {
                        horizon.moment(*moment);
                    }
                });
            }
            if asked.state(duty) == State::Violated {
                broken.insert(number);
            }
            continue;
        }
        // One that is owed after use, and by a certain day.
        let due = duty.deadlines.iter().filter_map(|deadline| match deadline {
            Deadline::At(at) => Some(*at),
            Deadline::After(_) => None,
        });
        for due in due {
            horizon.world();
            horizon.at(due);
            let done = asked.world.performed(&asked.ask.participant, &duty.action);
            if asked.ask.now >= due && done.is_none() {
                broken.insert(number);
            }
        }
    }
    broken
}

/// The obligations of policies that the participant has, each with the number of the policy that has it.
fn obligations<'a>(
    set: &'a PolicySet,
    asked: &Asked<'a>,
) -> impl Iterator<Item = (usize, &'a Policy, &'a Duty)> {
    let holders = set.policies.iter().zip(&set.origins).enumerate();
    let holders = holders.filter(|(_, (holder, _))| holder.kind != PolicyKind::Offer);
    let asked = *asked;
    holders.flat_map(move |(number, (_, origins))| {
        let origins = origins
            .iter()
            .filter_map(|origin| set.policies.get(*origin));
        origins.flat_map(move |origin| {
            let obliged = origin.obligations.iter();
            let obliged = obliged.filter(move |one| asked.is_obliged(&one.assignees));
            obliged.map(move |one| (number, origin, &one.duty))
        })
    })
}

/// Adds what the granting policies oblige the participant to.
fn oblige(set: &PolicySet, asked: &Asked<'_>, granting: &BTreeSet<usize>, terms: &mut Terms) {
    for (number, origin, duty) in obligations(set, asked) {
        let is_open = duty.phase == Phase::After || asked.state(duty) == State::Pending;
        if granting.contains(&number) && is_open {
            terms
                .obligations
                .push(owed(duty, origin, None, asked.ask.now));
        }
    }
    // A rule that two policies have is owed for once.
    let mut known: Vec<Obligation> = Vec::with_capacity(terms.obligations.len());
    for one in terms.obligations.drain(..) {
        if !known.contains(&one) {
            known.push(one);
        }
    }
    terms.obligations = known;
}

fn owed(
    duty: &Duty,
    policy: &Policy,
    rule: Option<(RuleKind, usize)>,
    now: DateTime,
) -> Obligation {
    let debtor = match duty.action == tl::REVIEW {
        true => Debtor::Owner,
        false => Debtor::Caller,
    };
    Obligation {
        action: duty.action.clone(),
        policy: policy.uid.clone(),
        rule,
        debtor,
        towards: duty.towards.clone(),
        due: duty.due(now),
        consequences: duty
            .consequences
            .iter()
            .map(|one| one.action.clone())
            .collect(),
    }
}

/// A permission is charged where it is active; a prohibition whenever it is about the use, so that it is never late.
fn charge(terms: &mut Terms, asked: &Asked<'_>, policy: &Policy, rule: &Rule) {
    let counter = asked.counter(policy, rule);
    if terms.charges.iter().any(|charge| charge.counter == counter) {
        return;
    }
    let limits = rule.constraints.iter().filter_map(|one| match one {
        Constraint::Count(Comparison::Less, limit) => limit.checked_sub(1),
        Constraint::Count(Comparison::LessOrEqual | Comparison::Equal, limit) => Some(*limit),
        _ => None,
    });
    let limit = match rule.kind {
        RuleKind::Permission => limits.min(),
        RuleKind::Prohibition => None,
    };
    terms.charges.push(Charge { counter, limit });
}

/// For which incidents the caller would get a permit by breaking the glass.
fn available(set: &PolicySet, asked: &Asked<'_>) -> Vec<BreakGlass> {
    if !set.has_glass || asked.glass.is_some() {
        return Vec::new();
    }
    let now = asked.ask.now;
    let incidents = asked.world.incidents().iter();
    let active = incidents.filter(|incident| incident.order(now) == Ordering::Equal);
    let found = active.filter_map(|incident| {
        let claims = Claims {
            breaks_glass: Some(incident.id.clone()),
            values: asked.world.claims().values.clone(),
        };
        let world = Claimed::new(asked.world, &claims);
        let asked = Asked {
            world: &world,
            glass: Some(incident),
            ..*asked
        };
        let permit = weigh(set, &asked, &mut Horizon::new(now)).ok()?;
        Some(BreakGlass {
            incident: incident.id.clone(),
            until: permit.valid_until().unwrap_or(incident.ends),
            obligations: permit.obligations().to_vec(),
        })
    });
    found.take(MOST_GLASS).collect()
}
