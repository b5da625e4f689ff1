//! Reads what a rule is about: a dataset, or an asset collection that refines one.

use super::{MOST_SELECTORS, reader::Reader};
use crate::guard::{GraphNameKey, Selector};
use crate::model::{RuleKind, Target};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use twinlink_vocab::{odrl, tl};

/// A dataset's IRI, or a node with `odrl:source` and refinements, all of which must hold:
/// <https://www.w3.org/TR/odrl-model/#constraint-refinement>.
pub(super) fn target(reader: &mut Reader<'_>, term: &Term, _kind: RuleKind) -> Option<Target> {
    let node = reader.node(term, "odrl:target")?;
    let is_collection = !reader.values(&node, odrl::SOURCE).is_empty()
        || !reader.values(&node, odrl::REFINEMENT).is_empty();
    match node {
        NamedOrBlankNode::NamedNode(dataset) if !is_collection => Some(Target {
            dataset,
            selectors: vec![Selector::default()],
            figures: None,
        }),
        collection => refined(reader, &collection),
    }
}

fn refined(reader: &mut Reader<'_>, collection: &NamedOrBlankNode) -> Option<Target> {
    reader.understand(
        collection,
        &[rdf::TYPE, odrl::UID, odrl::SOURCE, odrl::REFINEMENT],
    );
    reader.check_types(collection, &[odrl::ASSET_COLLECTION, odrl::ASSET]);
    let source = reader.exactly_one(collection, odrl::SOURCE)?;
    let dataset = reader.iri(&source, "odrl:source")?;
    let mut selectors = vec![Selector::default()];
    for term in reader.values_or_list(collection, odrl::REFINEMENT) {
        let (dimension, values) = refinement(reader, &term)?;
        if selectors.iter().any(|selector| dimension.is_set(selector)) {
            reader.malformed(format_args!(
                "two refinements on {} cannot be combined: use one with odrl:isAnyOf",
                dimension.left_operand()
            ));
            return None;
        }
        if selectors.len() * values.len() > MOST_SELECTORS {
            reader.too_many("combinations of refinements", MOST_SELECTORS);
            return None;
        }
        selectors = selectors
            .iter()
            .flat_map(|selector| values.iter().map(|value| dimension.set(selector, value)))
            .collect();
    }
    selectors.sort();
    selectors.dedup();
    Some(Target {
        dataset,
        selectors,
        figures: None,
    })
}

#[derive(Clone, Copy)]
enum Dimension {
    Graph,
    Property,
    Class,
}

impl Dimension {
    fn left_operand(self) -> oxrdf::NamedNodeRef<'static> {
        match self {
            Self::Graph => tl::GRAPH,
            Self::Property => tl::PROPERTY,
            Self::Class => tl::CLASS,
        }
    }

    fn is_set(self, selector: &Selector) -> bool {
        match self {
            Self::Graph => selector.graph.is_some(),
            Self::Property => selector.property.is_some(),
            Self::Class => selector.class.is_some(),
        }
    }

    fn set(self, selector: &Selector, value: &NamedNode) -> Selector {
        let mut selector = selector.clone();
        match self {
            Self::Graph if *value == tl::DEFAULT_GRAPH => {
                selector.graph = Some(GraphNameKey::Default);
            }
            Self::Graph => selector.graph = Some(GraphNameKey::Named(value.clone())),
            Self::Property => selector.property = Some(value.clone()),
            Self::Class => selector.class = Some(value.clone()),
        }
        selector
    }
}

fn refinement(reader: &mut Reader<'_>, term: &Term) -> Option<(Dimension, Vec<NamedNode>)> {
    let node = reader.node(term, "odrl:refinement")?;
    reader.understand(
        &node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::LEFT_OPERAND,
            odrl::OPERATOR,
            odrl::RIGHT_OPERAND,
        ],
    );
    reader.check_types(&node, &[odrl::CONSTRAINT_CLASS]);
    let left = reader.exactly_one(&node, odrl::LEFT_OPERAND)?;
    let left = reader.iri(&left, "odrl:leftOperand")?;
    let dimension = match left.as_ref() {
        tl::GRAPH => Dimension::Graph,
        tl::PROPERTY => Dimension::Property,
        tl::CLASS => Dimension::Class,
        _ => {
            reader.unsupported(
                &left,
                "a dataset is refined by tl:graph, tl:property or tl:class",
            );
            return None;
        }
    };
    reader.needs_profile(&left);
    let operator = reader.exactly_one(&node, odrl::OPERATOR)?;
    let operator = reader.iri(&operator, "odrl:operator")?;
    let values = reader.values_or_list(&node, odrl::RIGHT_OPERAND);
    let values = reader.iris(&values, "odrl:rightOperand")?;
    let several = match operator.as_ref() {
        odrl::EQ => false,
        odrl::IS_ANY_OF => true,
        _ => {
            reader.unsupported(&operator, "refinements use odrl:eq or odrl:isAnyOf");
            return None;
        }
    };
    if values.is_empty() || (values.len() > 1 && !several) {
        reader.malformed(format_args!(
            "{left} with {operator} has {} right operands",
            values.len()
        ));
        return None;
    }
    Some((dimension, values))
}
