//! Reads nodes of one policy, keeps count of what was understood, and collects every fault with its place.

use super::document::Document;
use super::{MOST_CONSTRAINTS, MOST_ITEMS, MOST_VALUES};
use crate::action::Actions;
use crate::error::{Place, PolicyError};
use crate::model::RuleKind;
use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term, Triple};
use std::collections::HashSet;
use std::fmt::Display;
use twinlink_vocab::{dcterms, odrl, sh, tl};

pub(crate) struct Reader<'a> {
    document: &'a Document,
    place: Place,
    understood: Vec<NamedOrBlankNode>,
    seen: HashSet<NamedOrBlankNode>,
    faults: Vec<PolicyError>,
    constraints: usize,
    profile: bool,
    actions: Actions,
}

/// Whether a property only describes, and has no effect on who may do what.
pub(crate) fn is_annotation(property: &NamedNode) -> bool {
    const ANNOTATIONS: &[NamedNodeRef<'static>] = &[
        rdfs::LABEL,
        rdfs::COMMENT,
        dcterms::TITLE,
        dcterms::DESCRIPTION,
        dcterms::CREATED,
        dcterms::CREATOR,
        dcterms::ISSUED,
        dcterms::MODIFIED,
        dcterms::PUBLISHER,
        dcterms::SOURCE,
    ];
    ANNOTATIONS.iter().any(|known| *known == *property)
}

impl<'a> Reader<'a> {
    pub(crate) fn new(document: &'a Document, policy: &NamedOrBlankNode) -> Self {
        Self {
            document,
            place: Place {
                policy: Some(policy.to_string()),
                rule: None,
            },
            understood: Vec::new(),
            seen: HashSet::new(),
            faults: Vec::new(),
            constraints: 0,
            profile: false,
            actions: Actions::default(),
        }
    }

    /// The nodes that were read, and what was wrong.
    pub(crate) fn finish(self) -> (Vec<NamedOrBlankNode>, Vec<PolicyError>) {
        (self.understood, self.faults)
    }

    /// All that is said, of this policy or not.
    pub(crate) fn document(&self) -> &'a Document {
        self.document
    }

    /// What was read of actions that the vocabulary does not have.
    pub(crate) fn actions(&mut self) -> &mut Actions {
        &mut self.actions
    }

    /// The kind of the rule that is read now.
    pub(crate) fn kind(&self) -> Option<RuleKind> {
        self.place.rule.map(|(kind, _)| kind)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// All statements about the nodes that were read: the policy's graph.
    pub(crate) fn statements(&self) -> Vec<Triple> {
        let about = |subject: &'_ NamedOrBlankNode| {
            let subject = subject.clone();
            self.document
                .about(&subject)
                .iter()
                .map(move |(predicate, object)| {
                    Triple::new(subject.clone(), predicate.clone(), object.clone())
                })
                .collect::<Vec<_>>()
        };
        self.understood.iter().flat_map(about).collect()
    }

    /// Takes responsibility for a node: each property that is not one of `known` and no annotation is a fault.
    pub(crate) fn understand(&mut self, node: &NamedOrBlankNode, known: &[NamedNodeRef<'_>]) {
        if self.seen.insert(node.clone()) {
            self.understood.push(node.clone());
        }
        for (property, _) in self.document.about(node) {
            if !known.iter().any(|known| *known == *property) && !is_annotation(property) {
                let advice = advice(property);
                self.unsupported(property, advice);
            }
        }
    }

    /// Whether anything is said about the node.
    pub(crate) fn is_described(&self, node: &NamedOrBlankNode) -> bool {
        !self.document.about(node).is_empty()
    }

    /// The values of a property, in document order.
    pub(crate) fn values(&self, node: &NamedOrBlankNode, property: NamedNodeRef<'_>) -> &'a [Term] {
        self.document.values(node, property)
    }

    /// The one value of a property that may have one.
    pub(crate) fn at_most_one(
        &mut self,
        node: &NamedOrBlankNode,
        property: NamedNodeRef<'_>,
    ) -> Option<Term> {
        match self.values(node, property) {
            [] => None,
            [value] => Some(value.clone()),
            _ => {
                self.malformed(format_args!("{property} has more than one value"));
                None
            }
        }
    }

    /// The one value of a property that must have one.
    pub(crate) fn exactly_one(
        &mut self,
        node: &NamedOrBlankNode,
        property: NamedNodeRef<'_>,
    ) -> Option<Term> {
        if self.values(node, property).is_empty() {
            self.malformed(format_args!("{property} is missing"));
        }
        self.at_most_one(node, property)
    }

    /// The left operand and the operator of a constraint or refinement.
    pub(crate) fn compared(&mut self, node: &NamedOrBlankNode) -> Option<(NamedNode, NamedNode)> {
        let left = self.exactly_one(node, odrl::LEFT_OPERAND)?;
        let left = self.iri(&left, "odrl:leftOperand")?;
        let operator = self.exactly_one(node, odrl::OPERATOR)?;
        Some((left, self.iri(&operator, "odrl:operator")?))
    }

    pub(crate) fn iri(&mut self, term: &Term, what: impl Display) -> Option<NamedNode> {
        if let Term::NamedNode(iri) = term {
            return Some(iri.clone());
        }
        self.malformed(format_args!("{what} must be an IRI, it is {term}"));
        None
    }

    pub(crate) fn iris(&mut self, terms: &[Term], what: impl Display) -> Option<Vec<NamedNode>> {
        terms.iter().map(|term| self.iri(term, &what)).collect()
    }

    pub(crate) fn node(&mut self, term: &Term, what: impl Display) -> Option<NamedOrBlankNode> {
        match term {
            Term::NamedNode(name) => Some(name.clone().into()),
            Term::BlankNode(blank) => Some(blank.clone().into()),
            other => {
                self.malformed(format_args!("{what} must be a node, it is {other}"));
                None
            }
        }
    }

    /// The types of a node must be among those `allowed`.
    pub(crate) fn check_types(&mut self, node: &NamedOrBlankNode, allowed: &[NamedNodeRef<'_>]) {
        for term in self.values(node, rdf::TYPE) {
            match term {
                Term::NamedNode(class) if allowed.iter().any(|known| *known == *class) => {}
                Term::NamedNode(class) => self.unsupported(class, "this type has no meaning here"),
                other => self.malformed(format_args!("rdf:type must be an IRI, it is {other}")),
            }
        }
    }

    /// Several values: repeated, or as one RDF list. Empty where there is none, or where they are malformed.
    pub(crate) fn values_or_list(
        &mut self,
        node: &NamedOrBlankNode,
        property: NamedNodeRef<'_>,
    ) -> Vec<Term> {
        let values = self.values(node, property).to_vec();
        let is_list = |term: &Term| match term {
            Term::NamedNode(name) => *name == rdf::NIL,
            Term::BlankNode(blank) => {
                let about = self.document.about(&blank.clone().into());
                about
                    .iter()
                    .any(|(p, _)| *p == rdf::FIRST || *p == rdf::REST)
            }
            _ => false,
        };
        let lists = values.iter().filter(|value| is_list(value)).count();
        let values = match (lists, values.as_slice()) {
            (0, _) => values,
            (1, [head]) => self.list(&head.clone()).unwrap_or_default(),
            _ => {
                self.malformed(format_args!(
                    "{property} has a list and other values besides"
                ));
                return Vec::new();
            }
        };
        if values.len() > MOST_VALUES {
            self.too_many("values of one property", MOST_VALUES);
            return Vec::new();
        }
        values
    }

    pub(crate) fn list(&mut self, head: &Term) -> Option<Vec<Term>> {
        let mut items = Vec::new();
        let mut next = head.clone();
        let mut cells = HashSet::new();
        loop {
            if matches!(&next, Term::NamedNode(name) if *name == rdf::NIL) {
                break;
            }
            let cell = self.node(&next, "a list cell")?;
            if !cells.insert(cell.clone()) {
                self.malformed("a list runs in a circle");
                return None;
            }
            if items.len() >= MOST_ITEMS {
                self.too_many("items in a list", MOST_ITEMS);
                return None;
            }
            self.understand(&cell, &[rdf::TYPE, rdf::FIRST, rdf::REST]);
            self.check_types(&cell, &[rdf::LIST]);
            items.push(self.exactly_one(&cell, rdf::FIRST)?);
            next = self.exactly_one(&cell, rdf::REST)?;
        }
        if items.is_empty() {
            self.malformed("a list is empty");
            return None;
        }
        Some(items)
    }

    /// Counts one constraint; false where there are too many.
    pub(crate) fn count_constraint(&mut self) -> bool {
        self.constraints += 1;
        if self.constraints == MOST_CONSTRAINTS + 1 {
            self.too_many("constraints", MOST_CONSTRAINTS);
        }
        self.constraints <= MOST_CONSTRAINTS
    }

    pub(crate) fn declare_profile(&mut self) {
        self.profile = true;
    }

    /// Terms of our profile are known only to policies that say so.
    pub(crate) fn needs_profile(&mut self, term: &NamedNode) {
        if !self.profile {
            self.malformed(format_args!(
                "{term} is a term of a profile: declare odrl:profile {}",
                tl::PROFILE
            ));
        }
    }

    pub(crate) fn name_policy(&mut self, uid: &NamedNode) {
        self.place.policy = Some(uid.to_string());
    }

    pub(crate) fn enter_rule(&mut self, kind: RuleKind, number: usize) {
        self.place.rule = Some((kind, number));
    }

    pub(crate) fn leave_rule(&mut self) {
        self.place.rule = None;
    }

    pub(crate) fn unsupported(&mut self, term: &NamedNode, advice: impl Display) {
        let place = self.place.clone();
        self.fault(PolicyError::Unsupported {
            place,
            term: term.as_str().to_owned(),
            advice: advice.to_string(),
        });
    }

    pub(crate) fn malformed(&mut self, detail: impl Display) {
        let place = self.place.clone();
        self.fault(PolicyError::Malformed {
            place,
            detail: detail.to_string(),
        });
    }

    pub(crate) fn too_many(&mut self, what: &'static str, most: usize) {
        let place = self.place.clone();
        self.fault(PolicyError::TooMany { place, what, most });
    }

    pub(crate) fn fault(&mut self, error: PolicyError) {
        // The same node may be reached twice; say it once.
        if !self.faults.contains(&error) {
            self.faults.push(error);
        }
    }
}

fn advice(property: &NamedNode) -> &'static str {
    if property.as_str().starts_with(sh::NAMESPACE) {
        return "this part of SHACL is not compiled here";
    }
    match property.as_str().strip_prefix(odrl::NAMESPACE) {
        Some("duty") => "give it to a permission; what goes for all is an odrl:obligation",
        Some("remedy") => "give it to a prohibition",
        Some("consequence") => "give it to a duty",
        Some("inheritAllowed" | "inheritRelation") => "use odrl:inheritFrom",
        Some("constraint") => "put constraints into the rules, or into odrl:and of one",
        Some("refinement") => "only a collection or an action can be refined",
        _ => "it would have no effect",
    }
}
