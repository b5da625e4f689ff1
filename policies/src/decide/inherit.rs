//! Which policies have whose rules: <https://www.w3.org/TR/odrl-model/#inheritance>.

use super::place;
use crate::action::Actions;
use crate::error::PolicyError;
use crate::model::{Conflict, Policy, PolicyKind};
use crate::parse::overlap;
use oxrdf::NamedNode;
use std::collections::HashMap;

/// How many policies may inherit from one another in a row.
const MOST_GENERATIONS: usize = 16;

/// Of each policy itself and all that it inherits from, as indexes.
pub(super) fn origins(policies: &[Policy]) -> Result<Vec<Vec<usize>>, Vec<PolicyError>> {
    let numbers = policies.iter().enumerate();
    let numbers: HashMap<&NamedNode, usize> = numbers
        .map(|(number, policy)| (&policy.uid, number))
        .collect();
    let mut errors = Vec::new();
    let mut origins = Vec::new();
    for (number, policy) in policies.iter().enumerate() {
        let mut found = Vec::new();
        let mut path = Vec::new();
        if let Err(detail) = collect(number, policies, &numbers, &mut path, &mut found) {
            errors.push(PolicyError::Inheritance {
                policy: policy.uid.clone(),
                detail,
            });
        }
        errors.extend(unassigned(policy, &found, policies));
        origins.push(found);
    }
    match errors.is_empty() {
        true => Ok(origins),
        false => Err(errors),
    }
}

fn collect(
    number: usize,
    policies: &[Policy],
    numbers: &HashMap<&NamedNode, usize>,
    path: &mut Vec<usize>,
    found: &mut Vec<usize>,
) -> Result<(), String> {
    if path.contains(&number) {
        return Err("it inherits from itself".to_owned());
    }
    if path.len() >= MOST_GENERATIONS {
        return Err(format!(
            "more than {MOST_GENERATIONS} policies inherit in a row"
        ));
    }
    if found.contains(&number) {
        return Ok(());
    }
    found.push(number);
    let Some(policy) = policies.get(number) else {
        return Ok(());
    };
    path.push(number);
    for parent in &policy.parents {
        let Some(parent_number) = numbers.get(parent) else {
            return Err(format!(
                "{parent} is not among the policies: publish both together"
            ));
        };
        let strategy = policies.get(*parent_number).map(|parent| parent.conflict);
        if strategy != Some(policy.conflict) {
            return Err(format!("{parent} has another odrl:conflict"));
        }
        collect(*parent_number, policies, numbers, path, found)?;
    }
    path.pop();
    Ok(())
}

/// An agreement is between two: a rule for everyone does not become one by being agreed on.
fn unassigned(policy: &Policy, origins: &[usize], policies: &[Policy]) -> Option<PolicyError> {
    if policy.kind != PolicyKind::Agreement {
        return None;
    }
    let inherited = origins
        .iter()
        .skip(1)
        .filter_map(|origin| policies.get(*origin));
    let mut rules =
        inherited.flat_map(|origin| origin.rules.iter().map(move |rule| (origin, rule)));
    let (origin, rule) = rules.find(|(_, rule)| rule.assignees.is_empty())?;
    Some(PolicyError::Inheritance {
        policy: policy.uid.clone(),
        detail: format!(
            "{}: a rule of an agreement needs an odrl:assignee",
            place(origin, rule)
        ),
    })
}

/// What is inherited can meet what the policy has.
pub(super) fn conflicts(
    policies: &[Policy],
    origins: &[Vec<usize>],
    actions: &Actions,
) -> Vec<PolicyError> {
    let mut errors = Vec::new();
    for (policy, origins) in policies.iter().zip(origins) {
        let is_alone = origins.len() < 2 && actions.is_standard();
        if policy.conflict == Conflict::Invalid && !is_alone {
            let own = origins.iter().filter_map(|origin| policies.get(*origin));
            let rules = own.flat_map(|origin| &origin.rules);
            errors.extend(overlap::check(&policy.uid, rules, actions));
        }
    }
    errors
}
