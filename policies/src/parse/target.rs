//! Reads what a rule is about: a dataset, or an asset collection that refines one.

use super::pattern::polarity::Side;
use super::refinement::Refinement;
use super::statistic::Draft;
use super::{MOST_SELECTORS, area, pattern, reader::Reader, shape};
use crate::guard::{End, GraphNameKey, Named, NodePattern, Selector};
use crate::model::{RuleKind, Target};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::{odrl, tl};

/// What a dataset is refined by.
const REFINEMENTS: &str = "a dataset is refined by tl:graph, tl:property, tl:class, tl:shape, tl:pattern, tl:area, \
     tl:named, and for statistics by tl:dimension, tl:measure, tl:measureKind, tl:minimumGroupSize";

/// A dataset's IRI, or a node with `odrl:source` and refinements, all of which must hold:
/// <https://www.w3.org/TR/odrl-model/#constraint-refinement>.
pub(super) fn target(reader: &mut Reader<'_>, term: &Term, kind: RuleKind) -> Option<Target> {
    let node = reader.node(term, "odrl:target")?;
    let is_collection = !reader.values(&node, odrl::SOURCE).is_empty()
        || !reader.values(&node, odrl::REFINEMENT).is_empty();
    match node {
        NamedOrBlankNode::NamedNode(dataset) if !is_collection => Some(Target {
            dataset,
            selectors: vec![Selector::default()],
            about: Vec::new(),
            figures: None,
        }),
        collection => refined(reader, &collection, kind),
    }
}

fn refined(
    reader: &mut Reader<'_>,
    collection: &NamedOrBlankNode,
    kind: RuleKind,
) -> Option<Target> {
    reader.understand(
        collection,
        &[rdf::TYPE, odrl::UID, odrl::SOURCE, odrl::REFINEMENT],
    );
    reader.check_types(collection, &[odrl::ASSET_COLLECTION, odrl::ASSET]);
    let source = reader.exactly_one(collection, odrl::SOURCE)?;
    let dataset = reader.iri(&source, "odrl:source")?;
    let mut selectors = vec![Selector::default()];
    let mut about = Vec::new();
    let mut draft = Draft::default();
    for term in reader.values_or_list(collection, odrl::REFINEMENT) {
        let refinement = Refinement::read(reader, &term)?;
        reader.needs_profile(&refinement.left);
        if draft.takes(&refinement.left) {
            draft.read(reader, &refinement)?;
            continue;
        }
        let conditions = conditions(reader, &refinement, kind)?;
        about.extend(refinement.words());
        let is_set = |condition: &Condition| selectors.iter().any(|one| condition.is_set(one));
        if conditions.iter().any(is_set) {
            reader.malformed(format_args!(
                "two refinements on {} cannot be combined: use one with odrl:isAnyOf",
                refinement.left
            ));
            return None;
        }
        if selectors.len() * conditions.len() > MOST_SELECTORS {
            reader.too_many("combinations of refinements", MOST_SELECTORS);
            return None;
        }
        selectors = selectors
            .iter()
            .flat_map(|selector| conditions.iter().map(|one| one.narrow(selector)))
            .collect();
    }
    selectors.sort();
    selectors.dedup();
    let figures = draft.finish(reader, collection, kind, selectors.len())?;
    Some(Target {
        dataset,
        selectors,
        about,
        figures,
    })
}

/// What one right operand asks of a quad.
enum Condition {
    Graph(GraphNameKey),
    Property(NamedNode),
    Class(NamedNode),
    Nodes(NodePattern),
    Named(Named),
}

impl Condition {
    /// Whether the selector asks something of the kind already, so that both cannot be asked. Sets of nodes can.
    fn is_set(&self, selector: &Selector) -> bool {
        match self {
            Self::Graph(_) => selector.graph.is_some(),
            Self::Property(_) => selector.property.is_some(),
            Self::Class(_) => selector.class.is_some(),
            Self::Nodes(_) => false,
            Self::Named(_) => selector.named.is_some(),
        }
    }

    fn narrow(&self, selector: &Selector) -> Selector {
        let mut selector = selector.clone();
        match self {
            Self::Graph(graph) => selector.graph = Some(graph.clone()),
            Self::Property(property) => selector.property = Some(property.clone()),
            Self::Class(class) => selector.class = Some(class.clone()),
            Self::Nodes(nodes) => {
                let nodes = match &selector.nodes {
                    Some(known) => pattern::both(known, nodes),
                    None => nodes.clone(),
                };
                selector.nodes = Some(nodes);
            }
            Self::Named(named) => selector.named = Some(*named),
        }
        selector
    }
}

/// What a permission cannot evaluate it does not select; a prohibition does.
fn side(kind: RuleKind) -> Side {
    match kind {
        RuleKind::Permission => Side::Under,
        RuleKind::Prohibition => Side::Over,
    }
}

fn conditions(
    reader: &mut Reader<'_>,
    refinement: &Refinement,
    kind: RuleKind,
) -> Option<Vec<Condition>> {
    let named = |reader: &mut Reader<'_>, condition: fn(NamedNode) -> Condition| {
        let values = refinement.any_of(reader)?;
        let names = reader.iris(values, "odrl:rightOperand")?;
        Some(names.into_iter().map(condition).collect())
    };
    match refinement.left.as_ref() {
        tl::GRAPH => named(reader, |name| {
            Condition::Graph(match name == tl::DEFAULT_GRAPH {
                true => GraphNameKey::Default,
                false => GraphNameKey::Named(name),
            })
        }),
        tl::PROPERTY => named(reader, Condition::Property),
        tl::CLASS => named(reader, Condition::Class),
        tl::NAMED => relation(reader, refinement, kind).map(|one| vec![Condition::Named(one)]),
        _ => {
            let nodes = node_patterns(reader, refinement, side(kind))?;
            Some(nodes.into_iter().map(Condition::Nodes).collect())
        }
    }
}

/// The nodes that a refinement by shape, pattern or area selects, for each right operand.
pub(super) fn node_patterns(
    reader: &mut Reader<'_>,
    refinement: &Refinement,
    side: Side,
) -> Option<Vec<NodePattern>> {
    let compile = match refinement.left.as_ref() {
        tl::SHAPE => shape::shape,
        tl::PATTERN => pattern::pattern,
        tl::AREA => area::area,
        _ => {
            reader.unsupported(&refinement.left, REFINEMENTS);
            return None;
        }
    };
    let values = refinement.any_of(reader)?;
    values
        .iter()
        .map(|value| compile(reader, value, side))
        .collect()
}

/// A permission shows what the question names; a prohibition withholds what it does not. The other two would show to
/// those who ask without a name what they hide from those who know one.
fn relation(reader: &mut Reader<'_>, refinement: &Refinement, kind: RuleKind) -> Option<Named> {
    let (operator, is_negated, advice) = match kind {
        RuleKind::Permission => (
            odrl::EQ,
            false,
            "odrl:eq in a permission: it shows what the question names",
        ),
        RuleKind::Prohibition => (
            odrl::NEQ,
            true,
            "odrl:neq in a prohibition: it withholds what the question does not name",
        ),
    };
    if !refinement.is_with(operator) {
        return refinement.other_operator(reader, advice);
    }
    let value = refinement.one(reader, operator.into_owned())?;
    let value = reader.iri(value, tl::NAMED)?;
    let end = match value.as_ref() {
        tl::SUBJECT => End::Subject,
        tl::OBJECT => End::Object,
        _ => return refinement.not(reader, "tl:Subject or tl:Object"),
    };
    Some(Named { end, is_negated })
}

/// The terms that a duty is about, in `odrl:target` of it.
pub(super) fn is_dataset(reader: &Reader<'_>, node: &NamedOrBlankNode) -> bool {
    let about: [NamedNodeRef<'_>; 2] = [odrl::SOURCE, odrl::REFINEMENT];
    about
        .iter()
        .all(|property| reader.values(node, *property).is_empty())
}
