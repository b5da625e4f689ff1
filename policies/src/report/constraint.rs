//! Evaluates constraints and refinements, by Kleene's logic.

use super::rulebook::{Constraint, Logic, Operator, Right, Test, term};
use super::statement::{ConstraintReport, integer};
use super::world::Performed;
use super::{Evaluator, Use, World};
use crate::Truth;
use crate::compare::Operand;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use std::borrow::Cow;
use twinlink_vocab::{dcterms, odrl};

/// What an evaluation looks at.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) evaluator: &'a Evaluator,
    pub(super) world: &'a World,
    /// None where an obligation is evaluated, which nobody asked about.
    pub(super) asked: Option<&'a Use>,
    pub(super) rule: &'a NamedOrBlankNode,
    pub(super) about: About<'a>,
}

/// Whose operands are compared.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    /// The use that is asked for: constraints of rules, refinements of actions.
    Use,
    /// A party or an asset: refinements of collections.
    Thing(&'a Term),
    /// What was done: the actions of duties.
    Performed(&'a Performed),
}

/// Whether a constraint holds, with all that went into it.
pub(super) fn evaluate<'a>(constraint: &'a Constraint, scope: Scope<'a>) -> ConstraintReport<'a> {
    match &constraint.test {
        Test::Compare {
            left,
            status,
            operator,
            right,
        } => {
            let mut left_values = left_values(left, scope);
            if left_values.is_empty() {
                left_values = Cow::Borrowed(status);
            }
            let holds = match right {
                Right::Values(values) => compare(left, &left_values, *operator, values, scope),
                Right::Reference(reference, unit) => {
                    let values = referred(reference, unit.as_ref(), scope.world);
                    if values.len() > 1 && !operator.takes_several() {
                        Truth::Unknown
                    } else {
                        compare(left, &left_values, *operator, &values, scope)
                    }
                }
            };
            ConstraintReport {
                constraint,
                left: left_values,
                holds,
                parts: Vec::new(),
            }
        }
        Test::Combine(logic, parts) => combine(constraint, *logic, parts, scope),
    }
}

/// Whether all constraints hold, with what went into it.
pub(super) fn evaluate_all<'a>(
    constraints: &'a [Constraint],
    scope: Scope<'a>,
) -> (Truth, Vec<ConstraintReport<'a>>) {
    let reports: Vec<_> = constraints
        .iter()
        .map(|constraint| evaluate(constraint, scope))
        .collect();
    (
        Truth::all(reports.iter().map(|report| report.holds)),
        reports,
    )
}

fn combine<'a>(
    constraint: &'a Constraint,
    logic: Logic,
    parts: &'a [Constraint],
    scope: Scope<'a>,
) -> ConstraintReport<'a> {
    let mut reports = Vec::with_capacity(parts.len());
    for part in parts {
        let report = evaluate(part, scope);
        // In a sequence, what comes later is not looked at before the earlier holds.
        let ends = logic == Logic::AndSequence && report.holds != Truth::True;
        reports.push(report);
        if ends {
            break;
        }
    }
    let states = reports.iter().map(|report| report.holds);
    let holds = match logic {
        Logic::And | Logic::AndSequence => Truth::all(states),
        Logic::Or => Truth::any(states),
        Logic::Xone => Truth::exactly_one(states),
    };
    ConstraintReport {
        constraint,
        left: Cow::Borrowed(&[]),
        holds,
        parts: reports,
    }
}

/// What the left operand is; empty where that is not known.
fn left_values<'a>(left: &NamedNode, scope: Scope<'a>) -> Cow<'a, [Operand]> {
    let world = scope.world;
    match scope.about {
        About::Performed(done) if *left == odrl::DATE_TIME => {
            Cow::Borrowed(std::slice::from_ref(&done.time))
        }
        _ if *left == odrl::DATE_TIME => Cow::Borrowed(world.now.as_slice()),
        About::Performed(done) => Cow::Owned(world.said_of(&term(&done.node), left)),
        About::Thing(thing) => Cow::Owned(world.said_of(thing, left)),
        About::Use if *left == odrl::COUNT => {
            // The use that is asked for counts: "at most five times" does not let a sixth through.
            let uses = world.uses(scope.rule).and_then(|uses| uses.checked_add(1));
            uses.map_or(Cow::Borrowed(&[]), |uses| Cow::Owned(vec![integer(uses)]))
        }
        About::Use => said_of_use(left, scope),
    }
}

/// What the request says, or else the state: at large, of the rule, of the party, of the asset.
fn said_of_use<'a>(left: &NamedNode, scope: Scope<'a>) -> Cow<'a, [Operand]> {
    if let Some(asked) = scope.asked
        && !asked.values(left).is_empty()
    {
        return Cow::Borrowed(asked.values(left));
    }
    let feature = scope.world.feature(left);
    if !feature.is_empty() {
        return Cow::Borrowed(feature);
    }
    let of_rule = scope.world.said_of(&term(scope.rule), left);
    if !of_rule.is_empty() {
        return Cow::Owned(of_rule);
    }
    let things = scope
        .asked
        .map(|asked| [asked.party.as_ref(), asked.target.as_ref()]);
    let said = things
        .into_iter()
        .flatten()
        .flatten()
        .map(|thing| scope.world.said_of(thing, left));
    let mut said = said.filter(|values| !values.is_empty());
    said.next().map_or(Cow::Borrowed(&[]), Cow::Owned)
}

/// What the state of the world says is the value of a reference, in the unit that the constraint is in.
fn referred(reference: &NamedNode, unit: Option<&Term>, world: &World) -> Vec<Operand> {
    let reference = reference.clone().into();
    let values = world.said_of(&reference, &rdf::VALUE.into_owned());
    values
        .into_iter()
        .filter(|value| value.unit.as_ref().is_none_or(|own| Some(own) == unit))
        .map(|value| value.with_unit(unit.cloned()))
        .collect()
}

fn compare(
    name: &NamedNode,
    left: &[Operand],
    operator: Operator,
    right: &[Operand],
    scope: Scope<'_>,
) -> Truth {
    if *name == odrl::EVENT {
        return event(operator, right, scope);
    }
    operator.holds(
        left,
        right,
        |one, kind| is_a(one, kind, scope),
        |one, whole| is_part(one, whole, scope),
    )
}

/// By what the state and the policies say of classes and concepts, or by the hierarchy of purposes. Unknown where neither
/// knows the thing.
fn is_a(thing: &Term, kind: &Term, scope: Scope<'_>) -> Truth {
    let (state, policies) = (&scope.world.links, &scope.evaluator.links);
    if state.is_kind(policies, thing, kind) {
        return Truth::True;
    }
    let known = match (thing, kind) {
        (Term::NamedNode(thing), Term::NamedNode(kind)) => {
            scope.evaluator.purposes.is_a(thing, kind)
        }
        _ => Truth::Unknown,
    };
    if known == Truth::Unknown && state.knows_kinds_of(thing) {
        Truth::False
    } else {
        known
    }
}

/// By what the state and the policies say of parts. A thing is a part of itself. Unknown where nothing is said of it.
fn is_part(thing: &Term, whole: &Term, scope: Scope<'_>) -> Truth {
    let (state, policies) = (&scope.world.links, &scope.evaluator.links);
    if state.is_part(policies, thing, whole) {
        Truth::True
    } else if state.knows_wholes_of(thing) {
        Truth::False
    } else {
        Truth::Unknown
    }
}

/// When the use is, against when an event was: before it, at it, after it. An event of which no time is known may come
/// any time.
fn event(operator: Operator, right: &[Operand], scope: Scope<'_>) -> Truth {
    let now = match scope.about {
        About::Performed(done) => Some(&done.time),
        _ => scope.world.now.as_ref(),
    };
    let (Operator::Compare(comparison), [event], Some(now)) = (operator, right, now) else {
        return Truth::Unknown;
    };
    let times = if event.term == odrl::POLICY_USAGE.into_owned().into() {
        scope.world.now.iter().cloned().collect()
    } else {
        scope
            .world
            .said_of(&event.term, &dcterms::ISSUED.into_owned())
    };
    match times.as_slice() {
        [time] => now.compare(comparison, time),
        _ => Truth::Unknown,
    }
}
