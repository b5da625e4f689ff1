//! From a graph to policies. What is not understood refuses the policy: an evaluator that skips a term lies about it.

mod constraint;
mod rule;

use super::rulebook::{Kind, Policy, Rule};
use crate::action::{self, Actions};
use crate::error::PolicyError;
use crate::model::PolicyKind;
use crate::parse::conflict;
use crate::parse::document::Document;
use crate::parse::reader::Reader;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use rule::Parts;
use std::collections::{HashMap, HashSet};
use twinlink_vocab::{odrl, tl};

/// How long a chain of inheriting policies may be.
const MOST_PARENTS: usize = 16;
/// The most rules of one policy, those it inherits included.
const MOST_RULES: usize = 1024;

struct Stated {
    policy: Policy,
    parents: Vec<NamedNode>,
}

/// All policies of a graph, in order of their uids, with what they inherit; or everything wrong with them.
pub(super) fn policies(document: &Document) -> Result<Vec<Policy>, Vec<PolicyError>> {
    let mut stated = HashMap::new();
    let mut errors = Vec::new();
    for subject in document.subjects() {
        let Some(kind) = kind(document, subject) else {
            continue;
        };
        let mut reader = Reader::new(document, subject);
        let read = policy(&mut reader, subject, kind);
        let (_, faults) = reader.finish();
        match read {
            Some(read) if faults.is_empty() => {
                let policy = read.policy.uid.clone();
                if stated.insert(policy.clone(), read).is_some() {
                    errors.push(PolicyError::Duplicate { policy });
                }
            }
            _ => errors.extend(faults),
        }
    }
    if stated.is_empty() && errors.is_empty() {
        errors.push(PolicyError::NoPolicy);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut policies = Vec::new();
    for read in stated.values() {
        let mut policy = read.policy.clone();
        match inherit(&read.policy.uid, &stated) {
            Ok(rules) => {
                policy.rules = rules;
                policies.push(policy);
            }
            Err(detail) => errors.push(PolicyError::Malformed {
                place: crate::Place {
                    policy: Some(policy.uid.to_string()),
                    rule: None,
                },
                detail,
            }),
        }
    }
    policies.sort_by(|left, right| left.uid.cmp(&right.uid));
    if errors.is_empty() {
        Ok(policies)
    } else {
        Err(errors)
    }
}

/// What a profile in the graph says about actions of its own. What the vocabulary says of its actions stands.
pub(super) fn actions(document: &Document) -> Actions {
    let mut actions = Actions::default();
    for subject in document.subjects() {
        let NamedOrBlankNode::NamedNode(name) = subject else {
            continue;
        };
        for (property, value) in document.about(subject) {
            let Term::NamedNode(value) = value else {
                continue;
            };
            match property.as_ref() {
                _ if action::is_known(name.as_str()) => {}
                odrl::INCLUDED_IN => actions.include(name.clone(), value.clone()),
                odrl::IMPLIES => actions.imply(name.clone(), value.clone()),
                _ => {}
            }
        }
    }
    actions
}

/// The kind of policy a node is, if it is one. A request is none: <https://www.w3.org/TR/odrl-vocab/#term-Request>.
fn kind(document: &Document, subject: &NamedOrBlankNode) -> Option<PolicyKind> {
    let types = document.values(subject, rdf::TYPE);
    let is = |class: NamedNodeRef<'_>| {
        types
            .iter()
            .any(|stated| matches!(stated, Term::NamedNode(name) if *name == class))
    };
    if is(odrl::OFFER) {
        Some(PolicyKind::Offer)
    } else if is(odrl::AGREEMENT) {
        Some(PolicyKind::Agreement)
    } else {
        (is(odrl::SET) || is(odrl::POLICY)).then_some(PolicyKind::Set)
    }
}

fn policy(reader: &mut Reader<'_>, node: &NamedOrBlankNode, kind: PolicyKind) -> Option<Stated> {
    reader.understand(
        node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::PROFILE,
            odrl::CONFLICT,
            odrl::INHERIT_FROM,
            odrl::PERMISSION,
            odrl::PROHIBITION,
            odrl::OBLIGATION,
            odrl::ASSIGNER,
            odrl::ASSIGNEE,
            odrl::TARGET,
            odrl::ACTION,
        ],
    );
    reader.check_types(
        node,
        &[odrl::POLICY, odrl::SET, odrl::AGREEMENT, odrl::OFFER],
    );
    for profile in reader.values(node, odrl::PROFILE) {
        let profile = reader.iri(profile, "odrl:profile")?;
        if profile != tl::PROFILE {
            reader.unsupported(
                &profile,
                "a policy of a profile we do not know is not evaluated",
            );
        }
    }
    let conflict = conflict(reader, node);
    let uid = uid(reader, node)?;
    let parents = reader.values(node, odrl::INHERIT_FROM);
    let parents = reader.iris(parents, "odrl:inheritFrom")?;
    let shared = Parts::read(reader, node)?;
    let mut rules = Vec::new();
    for (kind, property) in [
        (Kind::Permission, odrl::PERMISSION),
        (Kind::Prohibition, odrl::PROHIBITION),
        (Kind::Duty, odrl::OBLIGATION),
    ] {
        for stated in reader.values(node, property) {
            rules.push(rule::rule(reader, stated, kind, &shared)?);
        }
    }
    if rules.len() > MOST_RULES {
        reader.too_many("rules", MOST_RULES);
    }
    let named = |rule: &Rule| !rule.assignees.is_empty();
    if kind == PolicyKind::Agreement && !rules.iter().all(named) {
        reader.malformed("an agreement needs an odrl:assignee");
    }
    let policy = Policy {
        uid,
        kind,
        conflict,
        rules,
    };
    Some(Stated { policy, parents })
}

fn uid(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<NamedNode> {
    let stated = reader.at_most_one(node, odrl::UID);
    match (node, stated) {
        (NamedOrBlankNode::NamedNode(name), None) => Some(name.clone()),
        (_, Some(stated)) => reader.iri(&stated, "odrl:uid"),
        (NamedOrBlankNode::BlankNode(_), None) => {
            reader.malformed("the policy has no IRI: name it or give it an odrl:uid");
            None
        }
    }
}

/// The rules of a policy and of all it inherits from: <https://www.w3.org/TR/odrl-model/#inheritance>.
fn inherit(policy: &NamedNode, all: &HashMap<NamedNode, Stated>) -> Result<Vec<Rule>, String> {
    let mut heir = Heir {
        all,
        above: Vec::new(),
        done: HashSet::new(),
        rules: Vec::new(),
    };
    heir.take(policy)?;
    let mut seen = HashSet::new();
    heir.rules.retain(|rule| seen.insert(rule.node.clone()));
    Ok(heir.rules)
}

struct Heir<'a> {
    all: &'a HashMap<NamedNode, Stated>,
    /// Which policies are on the way down to the one that is looked at.
    above: Vec<NamedNode>,
    /// Each policy is taken once, on however many ways it is inherited.
    done: HashSet<NamedNode>,
    rules: Vec<Rule>,
}

impl Heir<'_> {
    fn take(&mut self, policy: &NamedNode) -> Result<(), String> {
        if self.above.contains(policy) {
            return Err(format!("{policy} inherits from itself"));
        }
        if self.above.len() >= MOST_PARENTS {
            return Err(format!(
                "more than {MOST_PARENTS} policies inherit in a row"
            ));
        }
        let Some(stated) = self.all.get(policy) else {
            return Err(format!("it inherits from {policy}, which is not at hand"));
        };
        if !self.done.insert(policy.clone()) {
            return Ok(());
        }
        self.rules.extend_from_slice(&stated.policy.rules);
        if self.rules.len() > MOST_RULES {
            return Err(format!("more than {MOST_RULES} rules with those inherited"));
        }
        self.above.push(policy.clone());
        for parent in &stated.parents {
            self.take(parent)?;
            let strategy = self.all.get(parent).map(|parent| parent.policy.conflict);
            if strategy != Some(stated.policy.conflict) {
                return Err(format!(
                    "{policy} and {parent}, from which it inherits, have different odrl:conflict"
                ));
            }
        }
        self.above.pop();
        Ok(())
    }
}
