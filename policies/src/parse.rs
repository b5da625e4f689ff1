//! From a document to policies, or to everything that keeps it from being one.
//!
//! The profile is closed: a policy is published only if every statement about it is understood. What is not enforced
//! is refused here, by name, and never dropped.

mod actions;
mod area;
mod constraint;
pub(crate) mod document;
mod duty;
pub(crate) mod glass;
pub(crate) mod hash;
mod operand;
pub(crate) mod overlap;
mod party;
mod pattern;
pub(crate) mod reader;
mod refinement;
mod rule;
mod shape;
mod statistic;
mod target;
mod transform;

use crate::error::{Place, PolicyError};
use crate::model::{Conflict, Obliged, Policy, PolicyKind, Rule, RuleKind};
use document::Document;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, NamedOrBlankNodeRef, Term};
use oxrdfio::RdfFormat;
use reader::Reader;
use std::collections::HashSet;
use twinlink_vocab::{dcat, odrl, tl};

/// The longest document that is read, in bytes.
pub(crate) const MOST_BYTES: usize = 1 << 20;
/// The most rules of one policy.
const MOST_RULES: usize = 1024;
/// The most constraints of one policy, those inside logical constraints included.
const MOST_CONSTRAINTS: usize = 4096;
/// How deep logical constraints may nest.
pub(crate) const MOST_DEPTH: usize = 8;
/// The most values of one property.
const MOST_VALUES: usize = 1024;
/// The longest list. Shorter, as its cells are a chain that canonicalization walks in depth.
const MOST_ITEMS: usize = 256;
/// The most parts of the dataset that one target selects, after multiplying out.
const MOST_SELECTORS: usize = 1024;

impl Policy {
    /// Reads all policies of a Turtle, N-Triples or JSON-LD document.
    ///
    /// `base` resolves relative IRIs. A JSON-LD document must carry its context: none is fetched.
    ///
    /// # Errors
    /// Every reason found why the document is not published, not only the first.
    pub fn parse(
        text: &str,
        format: RdfFormat,
        base: Option<&str>,
    ) -> Result<Vec<Self>, Vec<PolicyError>> {
        let (policies, errors) = read(text, format, base);
        if errors.is_empty() {
            Ok(policies)
        } else {
            Err(errors)
        }
    }
}

/// The policies of a document that are in order, and all errors.
pub(crate) fn read(
    text: &str,
    format: RdfFormat,
    base: Option<&str>,
) -> (Vec<Policy>, Vec<PolicyError>) {
    let document = match Document::read(text, format, base) {
        Ok(document) => document,
        Err(error) => return (Vec::new(), vec![error]),
    };
    let (mut policies, mut errors) = (Vec::new(), Vec::new());
    let mut understood = HashSet::new();
    let mut found = false;
    for subject in document.subjects().filter(|s| is_policy(&document, s)) {
        found = true;
        let mut reader = Reader::new(&document, subject);
        let policy = policy(&mut reader, subject);
        let (read, mut faults) = reader.finish();
        match policy {
            Some(policy) if faults.is_empty() => policies.push(policy),
            // What a faulty policy refers to may not have been read: it is no fault of its own.
            _ => {
                understood.extend(document.reachable(subject));
                errors.append(&mut faults);
            }
        }
        understood.extend(read);
    }
    if !found {
        errors.push(PolicyError::NoPolicy);
    }
    for subject in document.subjects().filter(|s| !understood.contains(*s)) {
        errors.extend(leftover(&document, subject));
    }
    (policies, errors)
}

fn is_policy(document: &Document, subject: &NamedOrBlankNode) -> bool {
    const CLASSES: &[&str] = &[
        "Policy",
        "Set",
        "Agreement",
        "Offer",
        "Request",
        "Assertion",
        "Privacy",
        "Ticket",
    ];
    document.about(subject).iter().any(|(predicate, object)| {
        if *predicate == rdf::TYPE {
            matches!(object, Term::NamedNode(class)
                if class.as_str().strip_prefix(odrl::NAMESPACE).is_some_and(|name| CLASSES.contains(&name)))
        } else {
            *predicate == odrl::PERMISSION
                || *predicate == odrl::PROHIBITION
                || *predicate == odrl::OBLIGATION
        }
    })
}

fn policy(reader: &mut Reader<'_>, subject: &NamedOrBlankNode) -> Option<Policy> {
    reader.understand(
        subject,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::PROFILE,
            odrl::CONFLICT,
            odrl::PERMISSION,
            odrl::PROHIBITION,
            odrl::OBLIGATION,
            odrl::INHERIT_FROM,
            tl::NEEDS_LEGAL_BASIS,
            odrl::ASSIGNER,
            odrl::ASSIGNEE,
            odrl::TARGET,
            odrl::ACTION,
        ],
    );
    let uid = uid(reader, subject);
    let kind = kind(reader, subject);
    profile(reader, subject);
    let conflict = conflict(reader, subject);
    let parents = reader.values_or_list(subject, odrl::INHERIT_FROM);
    let parents = reader.iris(&parents, odrl::INHERIT_FROM);
    let needs_basis = glass::flag(reader, subject, tl::NEEDS_LEGAL_BASIS);
    let shared = rule::Shared::read(reader, subject);
    let rules = rules(reader, subject, &shared);
    let obligations = obligations(reader, subject, &shared, &rules);
    let assigners = shared.assigners(reader, subject);
    if parents.as_ref().is_some_and(Vec::is_empty)
        && reader.values(subject, odrl::PERMISSION).is_empty()
        && reader.values(subject, odrl::PROHIBITION).is_empty()
    {
        reader.malformed("the policy has no permission and no prohibition");
    }
    if kind == Some(PolicyKind::Agreement) {
        shared.check_agreement(reader, subject, &rules);
    }
    if needs_basis {
        lacking_basis(reader, &rules);
    }
    if !reader.is_clean() {
        return None;
    }
    let mut policy = Policy {
        uid: uid?,
        kind: kind?,
        conflict,
        assigners,
        parents: parents?,
        rules,
        obligations,
        actions: actions::taken(reader),
        hash: String::new(),
    };
    if policy.conflict == Conflict::Invalid
        && let Some(fault) = overlap::check(&policy.uid, &policy.rules, &policy.actions)
    {
        reader.fault(fault);
    }
    match hash::hash(&policy.uid, &reader.statements()) {
        Ok(hash) => policy.hash = hash,
        Err(error) => reader.fault(error),
    }
    Some(policy)
}

/// Its permissions and prohibitions.
fn rules(reader: &mut Reader<'_>, policy: &NamedOrBlankNode, shared: &rule::Shared) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (kind, predicate) in [
        (RuleKind::Permission, odrl::PERMISSION),
        (RuleKind::Prohibition, odrl::PROHIBITION),
    ] {
        let terms = reader.values(policy, predicate);
        if terms.len() > MOST_RULES {
            reader.too_many("rules", MOST_RULES);
            continue;
        }
        for (index, term) in terms.iter().enumerate() {
            reader.enter_rule(kind, index + 1);
            rules.extend(rule::rule(reader, term, kind, index + 1, shared));
            reader.leave_rule();
        }
    }
    rules
}

/// What it obliges to beside its permissions, about what its rules are about.
fn obligations(
    reader: &mut Reader<'_>,
    policy: &NamedOrBlankNode,
    shared: &rule::Shared,
    rules: &[Rule],
) -> Vec<Obliged> {
    let datasets: Vec<_> = rules
        .iter()
        .flat_map(|rule| &rule.targets)
        .map(|target| target.dataset.clone())
        .collect();
    let terms = reader.values(policy, odrl::OBLIGATION);
    if terms.len() > MOST_RULES {
        reader.too_many("rules", MOST_RULES);
    }
    terms
        .iter()
        .take(MOST_RULES)
        .filter_map(|term| shared.obliged(reader, term, &datasets))
        .collect()
}

/// Where every permission must name the legal basis that it rests on, names those that do not.
fn lacking_basis(reader: &mut Reader<'_>, rules: &[Rule]) {
    for rule in rules {
        if rule.kind == RuleKind::Permission && !glass::needs_basis(rule) {
            reader.enter_rule(rule.kind, rule.number);
            reader.malformed(
                "it needs a constraint on tl:legalBasis, which the policy makes mandatory",
            );
            reader.leave_rule();
        }
    }
}

/// The policy's IRI: the node itself or `odrl:uid`, which must agree.
fn uid(reader: &mut Reader<'_>, subject: &NamedOrBlankNode) -> Option<NamedNode> {
    let stated = reader.at_most_one(subject, odrl::UID);
    let stated = match stated {
        Some(term) => Some(reader.iri(&term, "odrl:uid")?),
        None => None,
    };
    match (subject, stated) {
        (NamedOrBlankNode::NamedNode(name), None) => Some(name.clone()),
        (NamedOrBlankNode::NamedNode(name), Some(stated)) if *name == stated => Some(stated),
        (NamedOrBlankNode::NamedNode(_), Some(stated)) => {
            reader.malformed(format_args!("odrl:uid says {stated}, which is another IRI"));
            None
        }
        (NamedOrBlankNode::BlankNode(_), Some(stated)) => {
            reader.name_policy(&stated);
            Some(stated)
        }
        (NamedOrBlankNode::BlankNode(_), None) => {
            reader.malformed("the policy has no IRI: name it or give it an odrl:uid");
            None
        }
    }
}

fn kind(reader: &mut Reader<'_>, subject: &NamedOrBlankNode) -> Option<PolicyKind> {
    let mut kind = None;
    let types = reader.values(subject, rdf::TYPE);
    for term in types {
        let class = reader.iri(term, "rdf:type")?;
        let stated = match class.as_ref() {
            odrl::SET => PolicyKind::Set,
            odrl::AGREEMENT => PolicyKind::Agreement,
            odrl::OFFER => PolicyKind::Offer,
            // Every kind is an odrl:Policy too; alone it means a set:
            // https://www.w3.org/TR/odrl-model/#policy-subclass
            odrl::POLICY => continue,
            _ => {
                reader.unsupported(
                    &class,
                    "a policy is an odrl:Set, odrl:Agreement or odrl:Offer",
                );
                return None;
            }
        };
        if kind.is_some_and(|known| known != stated) {
            reader.malformed("the policy has more than one kind");
            return None;
        }
        kind = Some(stated);
    }
    if types.is_empty() {
        reader
            .malformed("the policy has no type: make it an odrl:Set, odrl:Agreement or odrl:Offer");
        return None;
    }
    Some(kind.unwrap_or(PolicyKind::Set))
}

fn profile(reader: &mut Reader<'_>, subject: &NamedOrBlankNode) {
    for term in reader.values(subject, odrl::PROFILE) {
        let Some(profile) = reader.iri(term, "odrl:profile") else {
            continue;
        };
        if profile == tl::PROFILE {
            reader.declare_profile();
        } else {
            reader.unsupported(
                &profile,
                format_args!("the only known profile is {}", tl::PROFILE),
            );
        }
    }
}

/// Which rule wins: <https://www.w3.org/TR/odrl-model/#conflict>.
pub(crate) fn conflict(reader: &mut Reader<'_>, subject: &NamedOrBlankNode) -> Conflict {
    let Some(term) = reader.at_most_one(subject, odrl::CONFLICT) else {
        return Conflict::Invalid;
    };
    let Some(strategy) = reader.iri(&term, "odrl:conflict") else {
        return Conflict::Invalid;
    };
    match strategy.as_ref() {
        odrl::PERM => Conflict::Permit,
        odrl::PROHIBIT => Conflict::Prohibit,
        odrl::INVALID => Conflict::Invalid,
        _ => {
            reader.unsupported(
                &strategy,
                "odrl:conflict is odrl:perm, odrl:prohibit or odrl:invalid",
            );
            Conflict::Invalid
        }
    }
}

/// Statements about something that no policy of the document reaches. Labels, and what a party or an asset is, are
/// harmless; anything else was meant to have an effect.
fn leftover(document: &Document, subject: &NamedOrBlankNode) -> Option<PolicyError> {
    const HARMLESS: &[NamedNodeRef<'static>] = &[odrl::PARTY, odrl::ASSET, dcat::DATASET];
    let harmless = |(predicate, object): &&(NamedNode, Term)| {
        reader::is_annotation(predicate)
            || (*predicate == rdf::TYPE
                && HARMLESS
                    .iter()
                    .any(|class| matches!(object, Term::NamedNode(name) if name == class)))
    };
    let blank = matches!(subject.as_ref(), NamedOrBlankNodeRef::BlankNode(_));
    let (term, _) = document
        .about(subject)
        .iter()
        .find(|statement| blank || !harmless(statement))?;
    Some(PolicyError::Unsupported {
        place: Place::default(),
        term: term.as_str().to_owned(),
        advice: format!(
            "it is said of {subject}, and no policy of the document says what it means"
        ),
    })
}
