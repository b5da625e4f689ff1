//! Whether a rule is about this party, this asset and this action.

use super::constraint::{About, Scope, evaluate_all};
use super::rulebook::{Action, Collection, Kind, Rule};
use super::statement::{ConstraintReport, Premise, PremiseKind};
use crate::Truth;
use oxrdf::{NamedNode, Term};

/// What a rule asks of a use: each part that it names, then its constraints.
pub(super) fn premises<'a>(rule: &'a Rule, scope: Scope<'a>) -> Vec<Premise<'a>> {
    let mut premises = Vec::with_capacity(3 + rule.constraints.len());
    let asked = scope.asked;
    for (kind, collections, thing) in [
        (
            PremiseKind::Target,
            &rule.targets,
            asked.and_then(|asked| asked.target.as_ref()),
        ),
        (
            PremiseKind::Party,
            &rule.assignees,
            asked.and_then(|asked| asked.party.as_ref()),
        ),
    ] {
        if !collections.is_empty() {
            let (holds, parts) = fits(collections, thing, scope);
            premises.push(Premise { kind, holds, parts });
        }
    }
    if !rule.actions.is_empty() {
        let (holds, parts) = does(rule, scope);
        let kind = PremiseKind::Action;
        premises.push(Premise { kind, holds, parts });
    }
    for constraint in &rule.constraints {
        let report = super::constraint::evaluate(constraint, scope);
        premises.push(Premise {
            kind: PremiseKind::Constraint,
            holds: report.holds,
            parts: vec![report],
        });
    }
    premises
}

/// Whether a party or an asset is one of these, or in one of them.
pub(super) fn fits<'a>(
    collections: &'a [Collection],
    thing: Option<&'a Term>,
    scope: Scope<'a>,
) -> (Truth, Vec<ConstraintReport<'a>>) {
    let Some(thing) = thing else {
        return (Truth::Unknown, Vec::new());
    };
    any(collections
        .iter()
        .map(|collection| fit(collection, thing, scope)))
}

fn fit<'a>(
    collection: &'a Collection,
    thing: &'a Term,
    scope: Scope<'a>,
) -> (Truth, Vec<ConstraintReport<'a>>) {
    if !collection.is_collection {
        return ((*thing == collection.node).into(), Vec::new());
    }
    let (state, policies) = (&scope.world.links, &scope.evaluator.links);
    // A thing is in a collection if it is said to be a part of it, or of where it comes from.
    let is_member = [Some(&collection.node), collection.source.as_ref()]
        .into_iter()
        .flatten()
        .any(|whole| state.is_part(policies, thing, whole));
    if !is_member {
        return (Truth::False, Vec::new());
    }
    let about = About::Thing(thing);
    evaluate_all(&collection.refinements, Scope { about, ..scope })
}

/// Whether what is asked for is one of the rule's actions.
fn does<'a>(rule: &'a Rule, scope: Scope<'a>) -> (Truth, Vec<ConstraintReport<'a>>) {
    let Some(asked) = scope.asked else {
        return (Truth::Unknown, Vec::new());
    };
    let Some(action) = &asked.action else {
        return (Truth::Unknown, Vec::new());
    };
    let known = &scope.evaluator.actions;
    if known.is_standard() {
        return any(rule
            .actions
            .iter()
            .map(|of| one(of, rule.kind, action, &asked.kinds, &asked.kinds, scope)));
    }
    let (kinds, needs) = (known.kinds(action), known.needs(action));
    any(rule
        .actions
        .iter()
        .map(|of| one(of, rule.kind, action, &kinds, &needs, scope)))
}

fn one<'a>(
    of: &'a Action,
    kind: Kind,
    asked: &NamedNode,
    kinds: &[NamedNode],
    needs: &[NamedNode],
    scope: Scope<'a>,
) -> (Truth, Vec<ConstraintReport<'a>>) {
    let is = match kind {
        Kind::Prohibition => needs.contains(&of.action),
        Kind::Permission | Kind::Duty => kinds.contains(&of.action),
    };
    if is {
        return evaluate_all(&of.refinements, scope);
    }
    // Who asks for a wider action than is prohibited may be about to do what is prohibited.
    let may_be = kind == Kind::Prohibition && of.kinds.contains(asked);
    let holds = if may_be { Truth::Unknown } else { Truth::False };
    (holds, Vec::new())
}

/// True where one is true; with the parts of that one, or else of all.
fn any<'a>(
    tries: impl Iterator<Item = (Truth, Vec<ConstraintReport<'a>>)>,
) -> (Truth, Vec<ConstraintReport<'a>>) {
    let mut outcome = Truth::False;
    let mut parts = Vec::new();
    for (holds, tried) in tries {
        match holds {
            Truth::True => return (Truth::True, tried),
            Truth::Unknown => outcome = Truth::Unknown,
            Truth::False => {}
        }
        parts.extend(tried);
    }
    (outcome, parts)
}
