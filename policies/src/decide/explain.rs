//! Why a decision came out as it did, for the operator.

use super::PolicySet;
use super::evaluate::Asked;
use super::horizon::Horizon;
use super::request::{glass, is_active, stated};
use crate::model::duty::Phase;
use crate::model::{Policy, Rule, RuleKind};
use crate::{Ask, Denied, Permit, Truth, World};
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

pub(super) fn explain(set: &PolicySet, ask: &Ask, world: &dyn World) -> Explanation {
    let stated = stated(set, ask, world, &mut Horizon::new(ask.now));
    let asked = Asked {
        ask: &stated,
        world,
        purposes: &set.purposes,
        actions: &set.actions,
        glass: glass(set, ask, world),
    };
    Explanation {
        rules: set
            .rules()
            .map(|(_, origin, rule)| one(&asked, origin, rule))
            .collect(),
        decision: set.decide_in(ask, world),
    }
}

fn one(asked: &Asked<'_>, policy: &Policy, rule: &Rule) -> RuleExplanation {
    let concerns = asked.concerns(rule);
    let conditions = rule.conditions();
    let conditions = conditions.map(|condition| {
        let holds = asked.constraint(condition, policy, rule);
        (condition.to_string(), holds)
    });
    let duties = rule.duties.iter();
    let duties = duties.filter(|duty| duty.phase == Phase::Before);
    let duties = duties.map(|duty| (duty.to_string(), asked.duty(duty)));
    let glass = rule.break_glass.map(|_| {
        let is_broken = asked.glass.is_some();
        ("the glass is broken".to_owned(), is_broken.into())
    });
    RuleExplanation {
        policy: policy.uid.clone(),
        kind: rule.kind,
        number: rule.number,
        rule: rule.to_string(),
        concerns,
        holds: asked.holds(policy, rule),
        active: concerns && is_active(asked, policy, rule),
        constraints: conditions.chain(duties).chain(glass).collect(),
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
