//! Reads actions: of the vocabulary, or included in one by the document, and what refines them.

use super::reader::Reader;
use crate::action::{self, Actions};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// The actions of a rule or a policy. If there is one only, it may be refined.
pub(super) fn actions(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
) -> (Vec<NamedNode>, Vec<Term>) {
    let terms = reader.values_or_list(node, odrl::ACTION);
    let mut refinements = Vec::new();
    let mut actions = Vec::new();
    for term in &terms {
        match term {
            Term::BlankNode(blank) => {
                let refined = NamedOrBlankNode::from(blank.clone());
                reader.understand(&refined, &[rdf::TYPE, rdf::VALUE, odrl::REFINEMENT]);
                reader.check_types(&refined, &[odrl::ACTION_CLASS]);
                let Some(value) = reader.exactly_one(&refined, rdf::VALUE) else {
                    continue;
                };
                actions.extend(reader.iri(&value, "rdf:value"));
                refinements.extend(reader.values_or_list(&refined, odrl::REFINEMENT));
            }
            other => actions.extend(reader.iri(other, odrl::ACTION)),
        }
    }
    if !refinements.is_empty() && terms.len() > 1 {
        reader.malformed("a refined action is the only one of its rule: write a rule for each");
    }
    for action in &actions {
        known(reader, action, &mut Vec::new());
    }
    (actions, refinements)
}

/// An action of the vocabulary that a guard can enforce, or one that the document says is included in such.
fn known(reader: &mut Reader<'_>, action: &NamedNode, path: &mut Vec<NamedNode>) {
    if action::is_supported(action) {
        return;
    }
    let node = NamedOrBlankNode::from(action.clone());
    let outer = reader.values(&node, odrl::INCLUDED_IN);
    let is_ours = !action::is_known(action.as_str()) && !outer.is_empty();
    if !is_ours || path.contains(action) || path.len() >= super::MOST_DEPTH {
        reader.unsupported(
            action,
            format_args!(
                "actions are odrl: {}, and what the document says is odrl:includedIn one of them",
                action::supported()
            ),
        );
        return;
    }
    path.push(action.clone());
    reader.understand(&node, &[rdf::TYPE, odrl::INCLUDED_IN, odrl::IMPLIES]);
    reader.check_types(&node, &[odrl::ACTION_CLASS]);
    let needed = reader.values(&node, odrl::IMPLIES);
    for (terms, is_included) in [(outer, true), (needed, false)] {
        for term in terms {
            let Some(other) = reader.iri(term, "an action") else {
                continue;
            };
            known(reader, &other, path);
            let actions = reader.actions();
            match is_included {
                true => actions.include(action.clone(), other),
                false => actions.imply(action.clone(), other),
            }
        }
    }
    path.pop();
}

/// What was read of actions that the vocabulary does not have.
pub(super) fn taken(reader: &mut Reader<'_>) -> Actions {
    std::mem::take(reader.actions())
}
