//! Evaluates any ODRL 2.2 policy for a request and a state of the world, and reports how each rule came out.
//!
//! [`crate::PolicySet`] decides by what a guard can enforce and refuses the rest when it is published. Here all of ODRL is
//! evaluated, and told: <https://w3c.github.io/odrl/formal-semantics/>.

mod constraint;
mod duty;
mod graph;
mod premise;
mod read;
mod request;
mod rulebook;
mod statement;
mod world;

pub use request::Request;
pub use statement::{Deontic, Performance, PolicyReport, Report, RuleReport};
pub use world::World;

use crate::action::Actions;
use crate::error::PolicyError;
use crate::model::PolicyKind;
use crate::parse::document::Document;
use crate::{PurposeHierarchy, Truth};
use constraint::{About, Scope};
use oxrdf::{Graph, Term};
use request::Use;
use rulebook::{Kind, Policy, Rule, term};
use std::collections::HashSet;
use world::Links;

/// Policies, read once and evaluated often.
#[derive(Debug, Clone)]
pub struct Evaluator {
    policies: Vec<Policy>,
    actions: Actions,
    links: Links,
    purposes: PurposeHierarchy,
    rules: HashSet<Term>,
    reading: DutyReading,
}

/// When a permission with a duty holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DutyReading {
    /// After the duty is fulfilled, as the formal semantics has it.
    #[default]
    Before,
    /// Unless the duty is violated: it is to be fulfilled in the end.
    InTheEnd,
}

/// Evaluates policies for a request, and gives the report as a graph.
///
/// # Errors
/// Everything wrong with the policies, or with the request.
pub fn evaluate(
    policies: &Graph,
    request: &Graph,
    state: &World,
    reading: DutyReading,
) -> Result<Graph, Vec<PolicyError>> {
    let evaluator = Evaluator::read(policies)?.with_duties(reading);
    let request = Request::read(request)?;
    Ok(evaluator.evaluate(&request, state).to_graph())
}

impl Evaluator {
    /// Reads all policies of a graph, with what it says of actions, of parts and of kinds.
    ///
    /// # Errors
    /// Everything wrong with them. A term that is not understood refuses its policy.
    pub fn read(graph: &Graph) -> Result<Self, Vec<PolicyError>> {
        let document = Document::of(graph);
        let mut policies = read::policies(&document)?;
        let actions = read::actions(&document);
        let mut rules = HashSet::new();
        for rule in policies.iter_mut().flat_map(|policy| &mut policy.rules) {
            prepare(rule, &actions, &mut rules);
        }
        Ok(Self {
            policies,
            actions,
            links: Links::of(&document),
            purposes: PurposeHierarchy::standard(),
            rules,
            reading: DutyReading::default(),
        })
    }

    /// With another reading of duties than [`DutyReading::Before`].
    #[must_use]
    pub fn with_duties(self, reading: DutyReading) -> Self {
        Self { reading, ..self }
    }

    /// Evaluates every set and agreement: <https://www.w3.org/TR/odrl-model/#policy-subclass>.
    // INVARIANT(report-unknown-never-grants): a permission is active only where all is true; a prohibition is, unless
    // something is false.
    pub fn evaluate<'a>(&'a self, request: &'a Request, world: &'a World) -> Report<'a> {
        let policies = self.policies.iter();
        let policies = policies.filter(|policy| policy.kind != PolicyKind::Offer);
        Report {
            request: &request.node,
            created: world.now.as_ref(),
            policies: policies
                .map(|policy| self.policy(policy, request, world))
                .collect(),
        }
    }

    fn policy<'a>(
        &'a self,
        policy: &'a Policy,
        request: &'a Request,
        world: &'a World,
    ) -> PolicyReport<'a> {
        let mut rules = Vec::with_capacity(policy.rules.len());
        for rule in &policy.rules {
            let scope = |asked| Scope {
                evaluator: self,
                world,
                asked,
                rule: &rule.node,
                about: About::Use,
            };
            if rule.kind == Kind::Duty {
                rules.push(obligation(rule, scope(None)));
            } else {
                let uses = request.uses.iter();
                rules.extend(uses.map(|asked| self.rule(rule, asked, scope(Some(asked)))));
            }
        }
        PolicyReport { policy, rules }
    }

    fn rule<'a>(&'a self, rule: &'a Rule, asked: &'a Use, scope: Scope<'a>) -> RuleReport<'a> {
        let premises = premise::premises(rule, scope);
        let holds = Truth::all(premises.iter().map(|premise| premise.holds));
        let (is_active, conditions, deontic) = if rule.kind == Kind::Prohibition {
            let broken = duty::infringement(rule, scope);
            let deontic = broken.as_ref().map(|(deontic, _)| *deontic);
            let remedies = broken.map(|(_, remedies)| remedies).unwrap_or_default();
            (holds != Truth::False, remedies, deontic)
        } else {
            let duties = rule.duties.iter();
            let conditions: Vec<_> = duties.map(|one| duty::condition(one, scope)).collect();
            let allowed = conditions.iter().all(|one| one.allows(self.reading));
            (holds == Truth::True && allowed, conditions, None)
        };
        RuleReport {
            rule,
            asked: Some(&asked.node),
            is_active,
            premises,
            conditions,
            deontic: deontic.map(|deontic| (Performance::Performed, deontic)),
        }
    }

    /// Whether some policy here has this rule.
    fn has_rule(&self, rule: &Term) -> bool {
        self.rules.contains(rule)
    }
}

fn obligation<'a>(rule: &'a Rule, scope: Scope<'a>) -> RuleReport<'a> {
    let found = duty::duty(rule, scope);
    let premises = rule.constraints.iter().map(|constraint| {
        let report = constraint::evaluate(constraint, scope);
        statement::Premise {
            kind: statement::PremiseKind::Constraint,
            holds: report.holds,
            parts: vec![report],
        }
    });
    RuleReport {
        rule,
        asked: None,
        is_active: found.is_due,
        premises: premises.collect(),
        deontic: Some((found.performance, found.deontic)),
        conditions: found.consequences,
    }
}

/// Notes a rule and the duties inside it, and finds what their actions are included in.
fn prepare(rule: &mut Rule, actions: &Actions, rules: &mut HashSet<Term>) {
    rules.insert(term(&rule.node));
    for action in &mut rule.actions {
        action.kinds = actions.kinds(&action.action);
    }
    for duty in &mut rule.duties {
        prepare(duty, actions, rules);
    }
}
