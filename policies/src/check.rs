//! What a document of policies would do, for the person who is about to publish it.

use crate::error::PolicyError;
use crate::model::{Constraint, Moment, Policy, PolicyKind, Rule, RuleKind};
use crate::{PolicySet, parse};
use oxrdf::NamedNode;
use oxrdfio::RdfFormat;
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
    if rule.constraints.iter().any(lacks_time_zone) {
        warn(if grants {
            "a time without time zone cannot be compared, so it grants nothing by that condition"
        } else {
            "a time without time zone cannot be compared, so that condition always counts as met"
        });
    }
    warnings
}

fn lacks_time_zone(condition: &Constraint) -> bool {
    match condition {
        Constraint::DateTime(_, Moment::Instant(instant)) => instant.timezone_offset().is_none(),
        Constraint::DateTime(_, Moment::Day(day)) => day.timezone_offset().is_none(),
        Constraint::And(parts) | Constraint::Or(parts) | Constraint::Xone(parts) => {
            parts.iter().any(lacks_time_zone)
        }
        Constraint::Purpose(..) | Constraint::Role(..) => false,
    }
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
