//! Decides: which rules are active for a request, and what they leave visible.

mod evaluate;
mod explain;
mod shown;
mod simplify;

pub use explain::{Explanation, RuleExplanation};

use crate::error::{Place, PolicyError};
use crate::model::{Policy, PolicyKind, Rule, RuleKind};
use crate::parse::hash::digest;
use crate::permit::{Outlook, Terms};
use crate::{Ask, Denied, NewWorld, Permit, PurposeHierarchy, Truth, World};
use oxrdf::NamedNode;
use shown::Shown;
use std::collections::BTreeSet;

/// All published policies of one connector, compiled. Empty, it denies everything.
///
/// A decision depends on the policies and on the [`Ask`], and on nothing else: no data, no clock, no earlier decision.
#[derive(Debug, Clone)]
pub struct PolicySet {
    policies: Vec<Policy>,
    purposes: PurposeHierarchy,
    version: String,
}

impl PolicySet {
    /// Takes policies into force for one dataset, with the standard hierarchy of purposes.
    ///
    /// # Errors
    /// [`PolicyError::UnknownTarget`] for every rule about another dataset, [`PolicyError::Duplicate`] for every uid that
    /// two policies share.
    pub fn compile(dataset: NamedNode, policies: Vec<Policy>) -> Result<Self, Vec<PolicyError>> {
        Self::compile_with(dataset, policies, PurposeHierarchy::standard())
    }

    /// As [`PolicySet::compile`], with purposes of one's own.
    ///
    /// # Errors
    /// As [`PolicySet::compile`].
    pub fn compile_with(
        dataset: NamedNode,
        mut policies: Vec<Policy>,
        purposes: PurposeHierarchy,
    ) -> Result<Self, Vec<PolicyError>> {
        let mut errors = Vec::new();
        let mut uids = BTreeSet::new();
        for policy in &policies {
            if !uids.insert(&policy.uid) {
                let policy = policy.uid.clone();
                errors.push(PolicyError::Duplicate { policy });
            }
            errors.extend(unknown_targets(policy, &dataset));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        policies.sort_by(|left, right| left.uid.cmp(&right.uid));
        let version = version(&dataset, &policies, &purposes);
        Ok(Self {
            policies,
            purposes,
            version,
        })
    }

    /// Decides what the caller may see or change in a world in which nothing has happened yet and no incident is declared.
    ///
    /// # Errors
    /// As [`PolicySet::decide_in`].
    pub fn decide(&self, ask: &Ask) -> Result<Permit, Denied> {
        self.decide_in(ask, &NewWorld)
    }

    /// Decides what the caller may see or change.
    ///
    /// A permission is active if its action includes the action asked for, its assignees include the participant, and
    /// its constraints are all true. A prohibition is active if its action includes, or is included in, the action asked
    /// for, its assignees include the participant, and no constraint is false: what is not known does not let anyone
    /// through. Offers have no effect: <https://www.w3.org/TR/odrl-model/#policy-offer>.
    ///
    /// The guard is what active permissions select less what active prohibitions select, whichever policy they are in.
    /// Decisions that show the same by the same selectors have equal guards.
    ///
    /// # Errors
    /// [`Denied`] where nothing is left, and where the organisation left a duty undone past its deadline.
    pub fn decide_in(&self, ask: &Ask, world: &dyn World) -> Result<Permit, Denied> {
        let denied = Denied {
            participant: ask.participant.clone(),
            action: ask.action.clone(),
            purpose: ask.purpose.clone(),
            policies: Vec::new(),
            outlook: Box::default(),
        };
        if world.has_violations(&ask.participant) {
            return Err(Denied {
                outlook: Box::new(Outlook {
                    has_violations: true,
                    ..Outlook::default()
                }),
                ..denied
            });
        }
        let mut shown = Shown::new(ask);
        let (mut deciding, mut against) = (BTreeSet::new(), BTreeSet::new());
        for (policy, rule) in self.rules() {
            if !self.is_active(rule, ask) {
                continue;
            }
            deciding.insert(&policy.uid);
            if rule.kind == RuleKind::Prohibition {
                against.insert(&policy.uid);
            }
            shown.add(policy, rule);
        }
        let guard = shown.guard();
        if guard.is_nothing() {
            return Err(Denied {
                policies: against.into_iter().cloned().collect(),
                ..denied
            });
        }
        Ok(Permit {
            guard,
            action: ask.action.clone(),
            policies: deciding.into_iter().cloned().collect(),
            version: self.version.clone(),
            terms: Terms::default(),
        })
    }

    /// Tells of every rule whether it is active for the request, and why.
    pub fn explain(&self, ask: &Ask) -> Explanation {
        explain::explain(self, ask)
    }

    /// The policies, sorted by uid.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Which purpose is a kind of which.
    pub fn purposes(&self) -> &PurposeHierarchy {
        &self.purposes
    }

    /// `sha256:` and the lower-case hex digest of all that decisions depend on: the dataset's IRI, the hashes of the
    /// policies, and the hierarchy of purposes. The order in which policies were given makes no difference.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rules that can have an effect.
    fn rules(&self) -> impl Iterator<Item = (&Policy, &Rule)> {
        self.policies
            .iter()
            .filter(|policy| policy.kind != PolicyKind::Offer)
            .flat_map(|policy| policy.rules.iter().map(move |rule| (policy, rule)))
    }

    // INVARIANT(unknown-never-grants): a permission needs every condition to be true, a prohibition only that none is
    // false.
    fn is_active(&self, rule: &Rule, ask: &Ask) -> bool {
        if !evaluate::concerns(rule, ask) {
            return false;
        }
        let truth = evaluate::constraints(rule, ask, &self.purposes);
        match rule.kind {
            RuleKind::Permission => truth == Truth::True,
            RuleKind::Prohibition => truth != Truth::False,
        }
    }
}

impl Default for PolicySet {
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            purposes: PurposeHierarchy::standard(),
            version: digest(b""),
        }
    }
}

fn unknown_targets(policy: &Policy, dataset: &NamedNode) -> Vec<PolicyError> {
    let targets = policy
        .rules
        .iter()
        .flat_map(|rule| rule.targets.iter().map(move |target| (rule, target)));
    targets
        .filter(|(_, target)| target.dataset != *dataset)
        .map(|(rule, target)| PolicyError::UnknownTarget {
            place: Place {
                policy: Some(policy.uid.to_string()),
                rule: Some((rule.kind, rule.number)),
            },
            target: target.dataset.clone(),
            dataset: dataset.clone(),
        })
        .collect()
}

fn version(dataset: &NamedNode, policies: &[Policy], purposes: &PurposeHierarchy) -> String {
    let mut hashes: Vec<_> = policies.iter().map(|policy| policy.hash.as_str()).collect();
    hashes.sort_unstable();
    let mut text = format!("{dataset}\n{}\n", hashes.join("\n"));
    for (narrow, broad) in purposes.statements() {
        text += &format!("{narrow} {broad}\n");
    }
    digest(text.as_bytes())
}
