//! What a report says: of each policy, rule, premise and constraint, in which state it is.

use super::rulebook::{Conflict, Constraint, Kind, Policy, Rule};
use crate::Truth;
use crate::compare::Operand;
use oxrdf::vocab::xsd;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use std::borrow::Cow;
use twinlink_vocab::compliance_report as cr;

/// The evaluation of all policies for one request.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    pub(super) request: &'a NamedOrBlankNode,
    pub(super) created: Option<&'a Operand>,
    pub(super) policies: Vec<PolicyReport<'a>>,
}

/// The evaluation of one policy.
#[derive(Debug, Clone)]
pub struct PolicyReport<'a> {
    pub(super) policy: &'a Policy,
    pub(super) rules: Vec<RuleReport<'a>>,
}

/// The evaluation of one rule for one use that is asked for.
#[derive(Debug, Clone)]
pub struct RuleReport<'a> {
    pub(super) rule: &'a Rule,
    /// The use asked for; none for an obligation, which is due whatever is asked.
    pub(super) asked: Option<&'a NamedOrBlankNode>,
    pub(super) is_active: bool,
    pub(super) premises: Vec<Premise<'a>>,
    pub(super) conditions: Vec<DutyReport<'a>>,
    /// Of an obligation whether it is fulfilled, of a prohibition that was broken whether that was made good.
    pub(super) deontic: Option<(Performance, Deontic)>,
}

#[derive(Debug, Clone)]
pub(super) struct Premise<'a> {
    pub(super) kind: PremiseKind,
    pub(super) holds: Truth,
    pub(super) parts: Vec<ConstraintReport<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PremiseKind {
    Party,
    Target,
    Action,
    /// A constraint of the rule: the only part.
    Constraint,
}

#[derive(Debug, Clone)]
pub(super) struct ConstraintReport<'a> {
    pub(super) constraint: &'a Constraint,
    /// What the left operand is, as far as it is known.
    pub(super) left: Cow<'a, [Operand]>,
    pub(super) holds: Truth,
    pub(super) parts: Vec<Self>,
}

#[derive(Debug, Clone)]
pub(super) struct DutyReport<'a> {
    pub(super) rule: &'a Rule,
    /// Reports in the state of the world that say so.
    pub(super) evidence: Vec<&'a NamedOrBlankNode>,
    pub(super) performance: Performance,
    pub(super) deontic: Deontic,
    /// Whether its constraints let it be due.
    pub(super) is_due: bool,
    pub(super) consequences: Vec<Self>,
}

/// Whether what a rule is about was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performance {
    /// It was.
    Performed,
    /// It was not, and it is too late.
    Unperformed,
    /// Nobody knows.
    Unknown,
}

/// Whether a rule was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deontic {
    /// It was.
    Fulfilled,
    /// It was broken.
    Violated,
    /// Neither, so far.
    NonSet,
}

impl Report<'_> {
    /// Whether what is asked for is permitted: each use by at least one policy, and prohibited by none.
    pub fn is_permitted(&self) -> bool {
        let permits = |of: &dyn Fn(&PolicyReport<'_>) -> bool| self.policies.iter().any(of);
        let uses: Vec<_> = self
            .policies
            .iter()
            .flat_map(|policy| &policy.rules)
            .filter_map(|rule| rule.asked)
            .collect();
        !uses.is_empty()
            && uses
                .iter()
                .all(|asked| permits(&|policy| policy.permits(asked)))
            && !uses
                .iter()
                .any(|asked| permits(&|policy| policy.prohibits(asked)))
    }

    /// The evaluations of the policies, in order of their uids. Offers have none:
    /// <https://www.w3.org/TR/odrl-model/#policy-offer>.
    pub fn policies(&self) -> &[PolicyReport<'_>] {
        &self.policies
    }
}

impl PolicyReport<'_> {
    /// The policy.
    pub fn policy(&self) -> &NamedNode {
        &self.policy.uid
    }

    /// The evaluations of its rules.
    pub fn rules(&self) -> &[RuleReport<'_>] {
        &self.rules
    }

    /// Whether a permission and a prohibition both apply, and the policy says by `odrl:conflict odrl:invalid`, or by
    /// saying nothing, that it is void then: <https://www.w3.org/TR/odrl-model/#conflict>.
    pub fn is_void(&self) -> bool {
        let mut uses = self.rules.iter().filter_map(|rule| rule.asked);
        self.policy.conflict == Conflict::Invalid
            && uses.any(|asked| {
                self.has_active(Kind::Permission, asked)
                    && self.has_active(Kind::Prohibition, asked)
            })
    }

    fn permits(&self, asked: &NamedOrBlankNode) -> bool {
        self.has_active(Kind::Permission, asked) && !self.is_void()
    }

    // A void policy still prohibits: what cannot be told must not let anyone through.
    fn prohibits(&self, asked: &NamedOrBlankNode) -> bool {
        let outweighed =
            self.policy.conflict == Conflict::Permit && self.has_active(Kind::Permission, asked);
        self.has_active(Kind::Prohibition, asked) && !outweighed
    }

    fn has_active(&self, kind: Kind, asked: &NamedOrBlankNode) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.is_active && rule.rule.kind == kind && rule.asked == Some(asked))
    }
}

impl RuleReport<'_> {
    /// The rule, as the policy's graph names it.
    pub fn rule(&self) -> &NamedOrBlankNode {
        &self.rule.node
    }

    /// Whether it has an effect: a permission where all is true, a prohibition and an obligation where nothing is false.
    pub fn is_active(&self) -> bool {
        self.is_active
    }

    /// Of an obligation, or a prohibition that was broken: whether it was kept.
    pub fn deontic(&self) -> Option<Deontic> {
        self.deontic.map(|(_, deontic)| deontic)
    }

    /// Whether a duty of it is open and broken.
    pub fn has_violation(&self) -> bool {
        let broken = |duty: &DutyReport<'_>| duty.deontic == Deontic::Violated;
        self.deontic() == Some(Deontic::Violated) || self.conditions.iter().any(broken)
    }
}

impl Performance {
    /// What a report says, the worst where it says several things.
    pub(super) fn of(stated: &[Term]) -> Self {
        let says = |state: NamedNodeRef<'static>| stated.contains(&state.into());
        if says(cr::PERFORMED) {
            Self::Performed
        } else if says(cr::UNPERFORMED) {
            Self::Unperformed
        } else {
            Self::Unknown
        }
    }

    pub(super) fn name(self) -> NamedNodeRef<'static> {
        match self {
            Self::Performed => cr::PERFORMED,
            Self::Unperformed => cr::UNPERFORMED,
            Self::Unknown => cr::UNKNOWN,
        }
    }
}

impl Deontic {
    /// What a report says: broken where it says something that we do not know.
    pub(super) fn of(stated: &[Term]) -> Self {
        let only = |state: NamedNodeRef<'static>| stated.iter().all(|one| *one == state.into());
        if stated.is_empty() || only(cr::NON_SET) {
            Self::NonSet
        } else if only(cr::FULFILLED) {
            Self::Fulfilled
        } else {
            Self::Violated
        }
    }

    pub(super) fn name(self) -> NamedNodeRef<'static> {
        match self {
            Self::Fulfilled => cr::FULFILLED,
            Self::Violated => cr::VIOLATED,
            Self::NonSet => cr::NON_SET,
        }
    }
}

/// A whole number as an operand.
pub(super) fn integer(number: i64) -> Operand {
    let literal = oxrdf::Literal::new_typed_literal(number.to_string(), xsd::INTEGER);
    Operand::new(literal.into())
}
