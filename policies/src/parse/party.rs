//! Reads whom a rule is about: <https://www.w3.org/TR/odrl-model/#party>.

use super::reader::Reader;
use super::{constraint, operand};
use crate::Truth;
use crate::model::RuleKind;
use crate::model::party::{Collection, Party};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// The parties that a property names.
pub(super) fn parties(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Vec<Party> {
    let terms = reader.values_or_list(node, property);
    let parties = terms.iter().map(|term| party(reader, term, property));
    let parties: Option<Vec<_>> = parties.collect();
    parties.unwrap_or_default()
}

/// The party that a term names.
pub(super) fn party(
    reader: &mut Reader<'_>,
    term: &Term,
    property: NamedNodeRef<'_>,
) -> Option<Party> {
    let node = reader.node(term, property)?;
    let has = |reader: &Reader<'_>, property| !reader.values(&node, property).is_empty();
    let types = reader.values(&node, rdf::TYPE);
    let is_collection = has(reader, odrl::SOURCE)
        || has(reader, odrl::REFINEMENT)
        || types.contains(&odrl::PARTY_COLLECTION.into());
    match &node {
        NamedOrBlankNode::NamedNode(name) if !is_collection => {
            if reader.document().has_parts(term) {
                reader.malformed(format_args!(
                    "{node} has members: say that it is an odrl:PartyCollection"
                ));
                return None;
            }
            let mut known: Vec<_> = reader.document().inverse(&node).collect();
            if !known.is_empty() {
                known.extend([rdf::TYPE, odrl::UID, odrl::PART_OF]);
                reader.understand(&node, &known);
                reader.check_types(&node, &[odrl::PARTY]);
            }
            Some(Party::One(name.clone()))
        }
        NamedOrBlankNode::BlankNode(_) if !is_collection => {
            reader.malformed(format_args!("{property} must be an IRI or a collection"));
            None
        }
        _ => collection(reader, term, &node),
    }
}

fn collection(reader: &mut Reader<'_>, term: &Term, node: &NamedOrBlankNode) -> Option<Party> {
    let mut known: Vec<_> = reader.document().inverse(node).collect();
    known.extend([
        rdf::TYPE,
        odrl::UID,
        odrl::SOURCE,
        odrl::REFINEMENT,
        odrl::PART_OF,
    ]);
    reader.understand(node, &known);
    reader.check_types(node, &[odrl::PARTY_COLLECTION, odrl::PARTY]);
    let mut wholes = vec![term.clone()];
    let mut name = match node {
        NamedOrBlankNode::NamedNode(name) => Some(name.clone()),
        NamedOrBlankNode::BlankNode(_) => None,
    };
    let source = reader.at_most_one(node, odrl::SOURCE);
    if let Some(source) = &source {
        let source = reader.iri(source, "odrl:source")?;
        wholes.push(source.clone().into());
        name.get_or_insert(source);
    }
    let members = members(reader, &wholes);
    let is_listed = members
        .iter()
        .any(|member| !wholes.contains(&member.clone().into()));
    let is_prohibited = reader.kind() == Some(RuleKind::Prohibition);
    if !is_listed && (source.is_none() || is_prohibited) {
        reader.malformed(format_args!(
            "nothing says who belongs to the party collection {node}: state it with odrl:partOf"
        ));
        return None;
    }
    let terms = reader.values_or_list(node, odrl::REFINEMENT);
    let refinements: Option<Vec<_>> = terms
        .iter()
        .map(|term| constraint::constraint(reader, term, &mut Vec::new()))
        .collect();
    Some(Party::Collection(Collection {
        name,
        members,
        refinements: refinements?,
    }))
}

/// These, and all that the document says are parts of them. Sorted.
fn members(reader: &mut Reader<'_>, of: &[Term]) -> Vec<NamedNode> {
    let is_mentioned = of.iter().any(|whole| reader.document().has_parts(whole));
    let name = |term: &Term| match term {
        Term::NamedNode(name) => Some(name.clone()),
        _ => None,
    };
    let mut members: Vec<_> = of.iter().filter_map(name).collect();
    if is_mentioned {
        let wholes = operand::wholes(reader);
        let parts = wholes.0.keys().filter(|part| {
            let is_in = |whole| wholes.is_part(part, whole) == Truth::True;
            of.iter().any(is_in)
        });
        members.extend(parts.filter_map(name));
    }
    members.sort();
    members.dedup();
    members
}
