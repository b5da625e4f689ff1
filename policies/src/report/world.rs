//! What is the case: the time, who belongs to what, what was done, what earlier evaluations found.

use super::rulebook::term;
use super::statement::{Deontic, Performance};
use crate::compare::Operand;
use crate::parse::document::Document;
use oxrdf::vocab::{rdf, rdfs, xsd};
use oxrdf::{Graph, Literal, NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use oxsdatatypes::DateTime;
use std::collections::{HashMap, HashSet};
use twinlink_vocab::{compliance_report as cr, dcterms, odrl, skos, sotw};

/// The state of the world at the time of an evaluation. It is taken to be whole: what it does not say of membership and
/// of what was done is not so; what it does not say of an operand is not known.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(super) now: Option<Operand>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) performed: Vec<Performed>,
    pub(super) links: Links,
    facts: Document,
    features: HashMap<NamedNode, Vec<Operand>>,
}

/// A report of an earlier evaluation about a rule.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) node: NamedOrBlankNode,
    pub(super) rule: Term,
    pub(super) is_duty: bool,
    pub(super) performance: Performance,
    pub(super) deontic: Deontic,
}

/// Something that was done: a node with `odrl:action` and the time in `dcterms:issued`.
#[derive(Debug, Clone)]
pub(super) struct Performed {
    pub(super) node: NamedOrBlankNode,
    pub(super) action: NamedNode,
    pub(super) party: Option<Term>,
    pub(super) target: Option<Term>,
    pub(super) time: Operand,
}

/// What belongs to what, and what is a kind of what.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    wholes: HashMap<Term, Vec<Term>>,
    kinds: HashMap<Term, Vec<Term>>,
}

/// The node that says the time by `dcterms:issued`, as the drafts' test cases have it.
const CURRENT_TIME: &str = "http://example.com/request/currentTime";

impl World {
    /// Reads the state of the world.
    pub fn read(graph: &Graph) -> Self {
        let facts = Document::of(graph);
        let mut world = Self {
            now: now(&facts),
            links: Links::of(&facts),
            ..Self::default()
        };
        for subject in facts.subjects() {
            world.evidence.extend(evidence(&facts, subject));
            world.performed.extend(performed(&facts, subject));
            for feature in facts.values(subject, sotw::DESCRIBES_FEATURE) {
                let Term::NamedNode(feature) = feature else {
                    continue;
                };
                let values = stated(&facts, subject, sotw::VALUE);
                let known = world.features.entry(feature.clone()).or_default();
                known.extend(values);
            }
        }
        world.facts = facts;
        world
    }

    /// The same world at another time: that of the connector's clock, where the state does not say.
    #[must_use]
    pub fn at(self, now: DateTime) -> Self {
        let literal = Literal::new_typed_literal(now.to_string(), xsd::DATE_TIME);
        Self {
            now: Some(Operand::new(literal.into())),
            ..self
        }
    }

    /// What the state says of a left operand at large.
    pub(super) fn feature(&self, left: &NamedNode) -> &[Operand] {
        self.features.get(left).map_or(&[], Vec::as_slice)
    }

    /// What the state says of a thing.
    pub(super) fn said_of(&self, thing: &Term, property: &NamedNode) -> Vec<Operand> {
        let node = match thing {
            Term::NamedNode(name) => name.clone().into(),
            Term::BlankNode(blank) => blank.clone().into(),
            Term::Literal(_) => return Vec::new(),
        };
        stated(&self.facts, &node, property.as_ref())
    }

    /// How often a rule was used before, where the state tells: by `odrl:count`, or by reports of uses.
    pub(super) fn uses(&self, rule: &NamedOrBlankNode) -> Option<i64> {
        let rule = term(rule);
        let said = self.said_of(&rule, &odrl::COUNT.into_owned());
        match said.as_slice() {
            [] => {}
            [count] => match &count.term {
                Term::Literal(literal) => return literal.value().parse().ok(),
                _ => return None,
            },
            _ => return None,
        }
        let mut reports = self
            .evidence
            .iter()
            .filter(|one| one.rule == rule)
            .peekable();
        reports.peek()?;
        let performed = reports.filter(|one| one.performance == Performance::Performed);
        i64::try_from(performed.count()).ok()
    }
}

impl Links {
    pub(super) fn of(facts: &Document) -> Self {
        let mut links = Self::default();
        for subject in facts.subjects() {
            let from = term(subject);
            for (property, to) in facts.about(subject) {
                match property.as_ref() {
                    odrl::PART_OF | dcterms::IS_PART_OF => {
                        links
                            .wholes
                            .entry(from.clone())
                            .or_default()
                            .push(to.clone());
                    }
                    dcterms::HAS_PART => {
                        links
                            .wholes
                            .entry(to.clone())
                            .or_default()
                            .push(from.clone());
                    }
                    rdf::TYPE | rdfs::SUB_CLASS_OF | skos::BROADER => {
                        links
                            .kinds
                            .entry(from.clone())
                            .or_default()
                            .push(to.clone());
                    }
                    _ => {}
                }
            }
        }
        links
    }

    /// Whether a thing is a part of the other, by one statement or by many.
    pub(super) fn is_part(&self, other: &Self, thing: &Term, whole: &Term) -> bool {
        reaches(&[&self.wholes, &other.wholes], thing, whole)
    }

    /// Whether a thing is of a kind, or a narrower kind.
    pub(super) fn is_kind(&self, other: &Self, thing: &Term, kind: &Term) -> bool {
        reaches(&[&self.kinds, &other.kinds], thing, kind)
    }

    /// Whether it is said of what the thing is a part.
    pub(super) fn knows_wholes_of(&self, thing: &Term) -> bool {
        self.wholes.contains_key(thing)
    }

    /// Whether it is said of what kind the thing is.
    pub(super) fn knows_kinds_of(&self, thing: &Term) -> bool {
        self.kinds.contains_key(thing)
    }
}

fn reaches(edges: &[&HashMap<Term, Vec<Term>>], from: &Term, to: &Term) -> bool {
    if from == to {
        return true;
    }
    let mut seen = HashSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(edges.iter().filter_map(|edges| edges.get(next)).flatten());
        }
    }
    false
}

/// The time, where all that the state says of it agrees.
fn now(facts: &Document) -> Option<Operand> {
    let named = NamedNode::new_unchecked(CURRENT_TIME).into();
    let mut stated: Vec<_> = facts.values(&named, dcterms::ISSUED).to_vec();
    for subject in facts.subjects() {
        stated.extend_from_slice(facts.values(subject, sotw::CURRENT_TIME));
    }
    stated.dedup();
    match (stated.pop(), stated.pop()) {
        (Some(now), None) => Some(Operand::new(now)).filter(|now| now.instant().is_some()),
        _ => None,
    }
}

fn stated(
    facts: &Document,
    subject: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Vec<Operand> {
    let values = facts.values(subject, property);
    if values.is_empty() {
        return Vec::new();
    }
    let unit = facts.values(subject, odrl::UNIT).first();
    let values = values.iter().cloned();
    values
        .map(|value| Operand::new(value).with_unit(unit.cloned()))
        .collect()
}

fn evidence(facts: &Document, subject: &NamedOrBlankNode) -> Option<Evidence> {
    let [rule] = facts.values(subject, cr::RULE) else {
        return None;
    };
    let of = |property| facts.values(subject, property);
    Some(Evidence {
        node: subject.clone(),
        rule: rule.clone(),
        is_duty: of(rdf::TYPE).contains(&cr::DUTY_REPORT.into()),
        performance: Performance::of(of(cr::PERFORMANCE_STATE)),
        deontic: Deontic::of(of(cr::DEONTIC_STATE)),
    })
}

fn performed(facts: &Document, subject: &NamedOrBlankNode) -> Option<Performed> {
    let [Term::NamedNode(action)] = facts.values(subject, odrl::ACTION) else {
        return None;
    };
    let [time] = facts.values(subject, dcterms::ISSUED) else {
        return None;
    };
    let one = |property| match facts.values(subject, property) {
        [value] => Some(value.clone()),
        _ => None,
    };
    Some(Performed {
        node: subject.clone(),
        action: action.clone(),
        party: one(odrl::ASSIGNEE),
        target: one(odrl::TARGET),
        time: Operand::new(time.clone()),
    })
}
