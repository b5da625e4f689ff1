//! What a document of policies would do, for the person who is about to publish it.

use crate::action;
use crate::error::PolicyError;
use crate::model::treatment::Treatment;
use crate::model::{Constraint, Moment, Policy, PolicyKind, Rule, RuleKind};
use crate::purpose::is_misspelt;
use crate::{PolicySet, parse};
use oxrdf::{NamedNode, Term};
use oxrdfio::RdfFormat;
use std::collections::BTreeSet;
use std::fmt;

/// One thing found in a document of policies. `Display` is one line.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// A policy that can be published.
    Policy {
        /// Its uid.
        uid: NamedNode,
        /// What kind of policy.
        kind: PolicyKind,
        /// Its hash, as [`Policy::hash`].
        hash: String,
    },
    /// A rule of the policy before.
    Rule {
        /// Whether it grants or withholds.
        kind: RuleKind,
        /// Its number among its kind, from 1.
        number: usize,
        /// What it says, in a sentence.
        sentence: String,
    },
    /// Legal, and perhaps not what was meant.
    Warning(String),
    /// Keeps the document from being published.
    Error(PolicyError),
}

impl Finding {
    /// Whether the document cannot be published because of it.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// Reads a document as [`Policy::parse`] does, and lists all that is in it: each policy with its rules in plain words,
/// warnings, and every error. With `dataset`, rules about another dataset are errors.
pub fn check(
    text: &str,
    format: RdfFormat,
    base: Option<&str>,
    dataset: Option<&NamedNode>,
) -> Vec<Finding> {
    let (policies, errors) = parse::read(text, format, base);
    let mut findings: Vec<_> = policies.iter().flat_map(described).collect();
    findings.extend(errors.into_iter().map(Finding::Error));
    if let Some(dataset) = dataset
        && let Err(errors) = PolicySet::compile(dataset.clone(), policies)
    {
        findings.extend(errors.into_iter().map(Finding::Error));
    }
    findings
}

fn described(policy: &Policy) -> Vec<Finding> {
    let mut findings = vec![Finding::Policy {
        uid: policy.uid.clone(),
        kind: policy.kind,
        hash: policy.hash.clone(),
    }];
    if policy.kind == PolicyKind::Offer {
        findings.push(Finding::Warning(format!(
            "policy {} is an offer: it grants nothing until it is agreed on",
            policy.uid
        )));
    }
    for rule in &policy.rules {
        findings.push(Finding::Rule {
            kind: rule.kind,
            number: rule.number,
            sentence: rule.to_string(),
        });
        findings.extend(warnings(policy, rule));
    }
    findings.extend(together(policy));
    findings
}

fn warnings(policy: &Policy, rule: &Rule) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let mut warn = |detail: &str| {
        warnings.push(Finding::Warning(format!(
            "policy {}, {} {}: {detail}",
            policy.uid, rule.kind, rule.number
        )));
    };
    let grants = rule.kind == RuleKind::Permission;
    if grants && rule.assignees.is_empty() {
        warn("it names no assignee, so it is for every participant");
    }
    let mut misspelt = BTreeSet::new();
    for condition in rule.conditions() {
        condition.each(&mut |one| {
            let names = names(one);
            misspelt.extend(names.filter(|name| is_misspelt(name)).cloned());
        });
    }
    for name in misspelt {
        warn(&format!(
            "{name} is no term of that vocabulary: look how it is spelt"
        ));
    }
    if rule.constraints.iter().any(lacks_time_zone) {
        warn(if grants {
            "a time without time zone cannot be compared, so it grants nothing by that condition"
        } else {
            "a time without time zone cannot be compared, so that condition always counts as met"
        });
    }
    warnings
}

/// The IRIs that something is compared with.
fn names(condition: &Constraint) -> impl Iterator<Item = &NamedNode> {
    let (names, right) = match condition {
        Constraint::Purpose(_, names)
        | Constraint::Role(_, names)
        | Constraint::Event(_, names) => (names.as_slice(), &[][..]),
        Constraint::Claim(claim) => (&[][..], claim.right.as_slice()),
        _ => (&[][..], &[][..]),
    };
    let right = right.iter().filter_map(|operand| match &operand.term {
        Term::NamedNode(name) => Some(name),
        _ => None,
    });
    names.iter().chain(right)
}

/// What rules of one policy undo for one another.
fn together(policy: &Policy) -> Vec<Finding> {
    let permissions = || {
        let rules = policy.rules.iter();
        rules.filter(|rule| rule.kind == RuleKind::Permission)
    };
    let mut warnings = Vec::new();
    let mut warn = |rule: &Rule, detail: String| {
        warnings.push(Finding::Warning(format!(
            "policy {}, {} {}: {detail}",
            policy.uid, rule.kind, rule.number
        )));
    };
    for rule in permissions() {
        let is_changed = rule.treatment != Treatment::default();
        if is_changed && let Some(raw) = permissions().find(|other| shows_raw(other, rule)) {
            let detail = format!(
                "permission {} shows the same as it is, so nothing of it is hidden by being changed or late",
                raw.number
            );
            warn(rule, detail);
        }
        let mut others = permissions().filter(|other| other.number > rule.number);
        if let Some(other) = others.find(|other| is_subtractable(other, rule)) {
            let detail = format!(
                "it tells statistics of data that permission {} tells others of: to one caller for one purpose both are told only as far \
                 as nothing can be taken from the other; for two purposes it may be",
                other.number
            );
            warn(rule, detail);
        }
        let selectors = || rule.targets.iter().flat_map(|target| &target.selectors);
        if selectors().any(|selector| selector.named.is_some()) {
            let detail = "who can guess names can ask for one after the other".to_owned();
            warn(rule, detail);
        }
    }
    warnings
}

/// Whether one permission surely shows, as it is, to all whom another lets see it, all that the other selects.
fn shows_raw(raw: &Rule, changed: &Rule) -> bool {
    let parties = raw.assignees.is_empty()
        || (!changed.assignees.is_empty()
            && changed
                .assignees
                .iter()
                .all(|party| raw.assignees.contains(party)));
    let actions = changed.actions.iter().all(|inner| {
        let mut outer = raw.actions.iter();
        outer.any(|outer| action::includes(outer, inner))
    });
    let targets = raw.targets.iter().filter(|target| target.figures.is_none());
    let selectors: Vec<_> = targets.flat_map(|target| &target.selectors).collect();
    let mut inner = changed.targets.iter().flat_map(|target| &target.selectors);
    parties
        && actions
        && raw.treatment == Treatment::default()
        && raw.duties.is_empty()
        && raw.break_glass.is_none()
        && (raw.constraints.is_empty() || raw.constraints == changed.constraints)
        && inner.all(|inner| selectors.iter().any(|outer| outer.covers(inner)))
}

/// Whether somebody may be told two statistics of the same data.
fn is_subtractable(left: &Rule, right: &Rule) -> bool {
    let told = |rule: &Rule| {
        let targets = rule
            .targets
            .iter()
            .filter(|target| target.figures.is_some());
        targets
            .flat_map(|target| target.selectors.clone())
            .collect::<Vec<_>>()
    };
    let parties = left.assignees.is_empty()
        || right.assignees.is_empty()
        || left
            .assignees
            .iter()
            .any(|party| right.assignees.contains(party));
    let right = told(right);
    parties
        && told(left)
            .iter()
            .any(|one| right.iter().any(|other| !one.is_disjoint(other)))
}

fn lacks_time_zone(condition: &Constraint) -> bool {
    condition.any(&mut |one| match one {
        Constraint::DateTime(_, Moment::Instant(instant)) => instant.timezone_offset().is_none(),
        Constraint::DateTime(_, Moment::Day(day)) => day.timezone_offset().is_none(),
        _ => false,
    })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy { uid, kind, hash } => write!(f, "{kind} {uid} {hash}"),
            Self::Rule {
                kind,
                number,
                sentence,
            } => write!(f, "  {kind} {number}: {sentence}"),
            Self::Warning(detail) => write!(f, "  warning: {detail}"),
            Self::Error(error) => write!(f, "error: {error}"),
        }
    }
}
