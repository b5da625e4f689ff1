//! Why a decision came out as it did, for the operator.

use super::{PolicySet, evaluate};
use crate::model::{Rule, RuleKind};
use crate::{Ask, Denied, Permit, Truth};
use oxrdf::NamedNode;
use std::fmt;

/// A decision with the part each rule had in it. For the operator only: it names policies that the caller may not know.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The rules, by policy uid and then in document order. Offers are not among them.
    pub rules: Vec<RuleExplanation>,
    /// What was decided.
    pub decision: Result<Permit, Denied>,
}

/// The part one rule had in a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleExplanation {
    /// The policy's uid.
    pub policy: NamedNode,
    /// Whether the rule grants or withholds.
    pub kind: RuleKind,
    /// Its number among its kind in the policy, from 1.
    pub number: usize,
    /// The rule in a sentence.
    pub rule: String,
    /// Whether it is about the action and the participant.
    pub concerns: bool,
    /// Whether its constraints hold.
    pub holds: Truth,
    /// Whether it had an effect.
    pub active: bool,
    /// Each of its constraints in words, with whether it holds.
    pub constraints: Vec<(String, Truth)>,
}

pub(super) fn explain(set: &PolicySet, ask: &Ask) -> Explanation {
    let rules = set
        .rules()
        .map(|(policy, rule)| one(set, &policy.uid, rule, ask))
        .collect();
    Explanation {
        rules,
        decision: set.decide(ask),
    }
}

fn one(set: &PolicySet, policy: &NamedNode, rule: &Rule, ask: &Ask) -> RuleExplanation {
    RuleExplanation {
        policy: policy.clone(),
        kind: rule.kind,
        number: rule.number,
        rule: rule.to_string(),
        concerns: evaluate::concerns(rule, ask),
        holds: evaluate::constraints(rule, ask, &set.purposes),
        active: set.is_active(rule, ask),
        constraints: rule
            .constraints
            .iter()
            .map(|condition| {
                let holds = evaluate::constraint(condition, ask, &set.purposes);
                (condition.to_string(), holds)
            })
            .collect(),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            writeln!(f, "{rule}")?;
        }
        match &self.decision {
            Ok(permit) if permit.guard().is_everything() => f.write_str("permitted: everything"),
            Ok(_) => f.write_str("permitted: a part"),
            Err(denied) => denied.fmt(f),
        }
    }
}

impl fmt::Display for RuleExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.active { "active" } else { "not active" };
        write!(
            f,
            "{} {} of {}: {state}: {}",
            self.kind, self.number, self.policy, self.rule
        )?;
        if !self.concerns {
            return f.write_str(" (about another action or participant)");
        }
        for (constraint, holds) in &self.constraints {
            write!(f, " ({constraint}: {holds})")?;
        }
        Ok(())
    }
}
