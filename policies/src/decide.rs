//! Decides: which rules are active for a request, and what they leave visible.

mod evaluate;
mod explain;
mod horizon;
mod inherit;
mod request;
mod shown;
mod simplify;

pub use explain::{Explanation, RuleExplanation};

use crate::action::Actions;
use crate::error::{Place, PolicyError};
use crate::model::{Policy, PolicyKind, Rule, RuleKind};
use crate::parse::glass;
use crate::parse::hash::digest;
use crate::{Ask, Denied, NewWorld, Permit, PurposeHierarchy, PurposeRules, World};
use oxrdf::NamedNode;
use std::collections::BTreeSet;

/// All published policies of one connector, compiled. Empty, it denies everything.
///
/// A decision depends on the policies, on the [`Ask`] and on the [`World`], and on nothing else: no data, no clock.
#[derive(Debug, Clone)]
pub struct PolicySet {
    policies: Vec<Policy>,
    /// Of each policy itself and all that it inherits from, as indexes.
    origins: Vec<Vec<usize>>,
    purposes: PurposeHierarchy,
    purpose_rules: PurposeRules,
    actions: Actions,
    /// Whether some permission waits for the glass to be broken.
    has_glass: bool,
    version: String,
}

impl PolicySet {
    /// Takes policies into force for one dataset, with the standard hierarchy of purposes.
    ///
    /// # Errors
    /// [`PolicyError::UnknownTarget`] for every rule about another dataset, [`PolicyError::Duplicate`] for every uid that
    /// two policies share, [`PolicyError::Inheritance`] for every policy that cannot inherit as it says, and
    /// [`PolicyError::Conflict`] where what it inherits meets what it has.
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
        let origins = inherit::origins(&policies)?;
        let mut actions = Actions::default();
        for policy in &policies {
            actions.extend(&policy.actions);
        }
        let errors = inherit::conflicts(&policies, &origins, &actions);
        if !errors.is_empty() {
            return Err(errors);
        }
        let purpose_rules = PurposeRules::default();
        let version = version(&dataset, &policies, &purposes);
        let rules = policies.iter().flat_map(|policy| &policy.rules);
        let mut glass = rules.filter(|rule| rule.break_glass.is_some());
        Ok(Self {
            has_glass: glass.next().is_some(),
            policies,
            origins,
            purposes,
            purpose_rules,
            actions,
            version,
        })
    }

    /// With rules on who may state which purpose, and when. They change the version.
    #[must_use]
    pub fn with_purpose_rules(self, rules: PurposeRules) -> Self {
        let lines: Vec<_> = rules.statements().collect();
        let text = format!("{}\n{}", self.version, lines.join("\n"));
        let version = match rules.is_empty() {
            true => self.version,
            false => digest(text.as_bytes()),
        };
        Self {
            purpose_rules: rules,
            version,
            ..self
        }
    }

    /// The same, if every permission in force names the legal basis that it rests on.
    ///
    /// # Errors
    /// [`PolicyError::Malformed`] for every one that does not.
    pub fn with_legal_bases(self) -> Result<Self, Vec<PolicyError>> {
        let lacking = self
            .rules()
            .filter(|(_, _, rule)| rule.kind == RuleKind::Permission && !glass::needs_basis(rule));
        let errors: Vec<_> = lacking
            .map(|(_, policy, rule)| PolicyError::Malformed {
                place: place(policy, rule),
                detail: "it needs a constraint on tl:legalBasis, which is mandatory here"
                    .to_owned(),
            })
            .collect();
        match errors.is_empty() {
            true => Ok(self),
            false => Err(errors),
        }
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
    /// A permission is active if its action includes the action asked for, its assignees include the participant, its
    /// constraints are all true, and its duties before use are fulfilled or not due. A prohibition is active if its action
    /// includes, or is included in, the action asked for, its assignees include the participant, and no constraint is false:
    /// what is not known does not let anyone through. Offers have no effect:
    /// <https://www.w3.org/TR/odrl-model/#policy-offer>.
    ///
    /// The guard is what active permissions select less what active prohibitions select, whichever policy they are in. Two
    /// things are stronger than a prohibition: permissions of its own policy, if that says `odrl:conflict odrl:perm`, and
    /// those for which the caller breaks the glass, unless it is never overridden. Decisions that show the same by the same
    /// selectors have equal guards.
    ///
    /// # Errors
    /// [`Denied`] where nothing is left, and where the organisation left a duty undone past its deadline.
    pub fn decide_in(&self, ask: &Ask, world: &dyn World) -> Result<Permit, Denied> {
        request::decide(self, ask, world)
    }

    /// Tells of every rule whether it is active for the request, and why, in a world in which nothing has happened yet.
    pub fn explain(&self, ask: &Ask) -> Explanation {
        self.explain_in(ask, &NewWorld)
    }

    /// Tells of every rule whether it is active for the request in the world, and why.
    pub fn explain_in(&self, ask: &Ask, world: &dyn World) -> Explanation {
        explain::explain(self, ask, world)
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

    /// The rules that can have an effect: each with the policy that has it, which is counted from 0, and the policy that it
    /// stands in.
    pub(crate) fn rules(&self) -> impl Iterator<Item = ((usize, &Policy), &Policy, &Rule)> {
        let all = self.all_rules();
        all.filter(|((_, holder), _, _)| holder.kind != PolicyKind::Offer)
    }

    /// As [`PolicySet::rules`], offers too.
    pub(crate) fn all_rules(&self) -> impl Iterator<Item = ((usize, &Policy), &Policy, &Rule)> {
        let holders = self.policies.iter().zip(&self.origins).enumerate();
        holders.flat_map(|(number, (holder, origins))| {
            let origins = origins
                .iter()
                .filter_map(|origin| self.policies.get(*origin));
            origins.flat_map(move |origin| {
                let rules = origin.rules.iter();
                rules.map(move |rule| ((number, holder), origin, rule))
            })
        })
    }
}

impl Default for PolicySet {
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            origins: Vec::new(),
            purposes: PurposeHierarchy::standard(),
            purpose_rules: PurposeRules::default(),
            actions: Actions::default(),
            has_glass: false,
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
            place: place(policy, rule),
            target: target.dataset.clone(),
            dataset: dataset.clone(),
        })
        .collect()
}

fn place(policy: &Policy, rule: &Rule) -> Place {
    Place {
        policy: Some(policy.uid.to_string()),
        rule: Some((rule.kind, rule.number)),
    }
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
