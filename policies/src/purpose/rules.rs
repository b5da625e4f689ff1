//! Who may state which purpose, and when.

use super::PurposeHierarchy;
use crate::Truth;
use crate::error::PolicyError;
use crate::parse::document::Document;
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use oxrdfio::RdfFormat;
use std::collections::{BTreeMap, BTreeSet};
use twinlink_vocab::tl;

/// Which roles may state which purposes, and which purposes hold during incidents only.
///
/// A purpose that a caller may not state counts as not stated: permissions that need it do not grant, prohibitions that ask
/// for it apply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurposeRules {
    /// By role.
    may_state: BTreeMap<NamedNode, BTreeSet<NamedNode>>,
    /// By purpose, the kinds of incidents.
    requires: BTreeMap<NamedNode, BTreeSet<NamedNode>>,
}

impl PurposeRules {
    /// Reads the statements `ROLE tl:mayState PURPOSE` and `PURPOSE tl:requiresIncident KIND` of a Turtle document; takes no
    /// notice of others.
    ///
    /// # Errors
    /// Where it does not parse, or a statement is not about IRIs.
    pub fn parse(turtle: &str) -> Result<Self, PolicyError> {
        let document = Document::read(turtle, RdfFormat::Turtle, None)?;
        let mut rules = Self::default();
        for subject in document.subjects() {
            for (property, value) in document.about(subject) {
                let table = match property.as_ref() {
                    tl::MAY_STATE => &mut rules.may_state,
                    tl::REQUIRES_INCIDENT => &mut rules.requires,
                    _ => continue,
                };
                let (NamedOrBlankNode::NamedNode(subject), Term::NamedNode(value)) =
                    (subject, value)
                else {
                    return Err(PolicyError::Malformed {
                        place: crate::Place::default(),
                        detail: format!("{property} is between IRIs, not {subject} and {value}"),
                    });
                };
                table
                    .entry(subject.clone())
                    .or_default()
                    .insert(value.clone());
            }
        }
        Ok(rules)
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (mine, others) in [
            (&mut self.may_state, other.may_state),
            (&mut self.requires, other.requires),
        ] {
            for (key, values) in others {
                mine.entry(key).or_default().extend(values);
            }
        }
        self
    }

    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        self.may_state.is_empty() && self.requires.is_empty()
    }

    /// Whether callers with these roles may state the purpose.
    pub(crate) fn may_state(
        &self,
        roles: &[NamedNode],
        purpose: &NamedNode,
        hierarchy: &PurposeHierarchy,
    ) -> bool {
        let covers = |wide: &NamedNode| hierarchy.is_a(purpose, wide) == Truth::True;
        let is_governed = self.may_state.values().flatten().any(covers);
        !is_governed
            || self.may_state.iter().any(|(role, purposes)| {
                let has_role = |own: &NamedNode| hierarchy.is_a(own, role) == Truth::True;
                roles.iter().any(has_role) && purposes.iter().any(covers)
            })
    }

    /// The kinds of incidents of each of which one must be active for the purpose to be rightly stated.
    pub(crate) fn incidents<'a>(
        &'a self,
        purpose: &'a NamedNode,
        hierarchy: &'a PurposeHierarchy,
    ) -> impl Iterator<Item = &'a BTreeSet<NamedNode>> {
        let requires = self.requires.iter();
        let of = requires.filter(|(wide, _)| hierarchy.is_a(purpose, wide) == Truth::True);
        of.map(|(_, kinds)| kinds)
    }

    /// Every statement, in a fixed order.
    pub(crate) fn statements(&self) -> impl Iterator<Item = String> {
        let lines = |table: &BTreeMap<NamedNode, BTreeSet<NamedNode>>, word: &'static str| {
            let lines = table.iter().flat_map(move |(one, others)| {
                others
                    .iter()
                    .map(move |other| format!("{one} {word} {other}"))
            });
            lines.collect::<Vec<_>>()
        };
        let may = lines(&self.may_state, "may state");
        may.into_iter().chain(lines(&self.requires, "requires"))
    }
}
