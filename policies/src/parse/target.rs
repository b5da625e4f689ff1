//! Reads what a rule is about: a dataset, or an asset collection that refines one.

use super::pattern::polarity::Side;
use super::refinement::Refinement;
use super::statistic::Draft;
use super::{MOST_DEPTH, MOST_SELECTORS, area, pattern, reader::Reader, shape};
use crate::guard::{End, GraphNameKey, Named, NodePattern, Selector};
use crate::model::{RuleKind, Target};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::{dcterms, odrl, tl};

/// What a dataset is refined by.
const REFINEMENTS: &str = "a dataset is refined by tl:graph, tl:property, tl:class, tl:shape, tl:pattern, tl:area, \
     tl:named, and for statistics by tl:dimension, tl:measure, tl:measureKind, tl:minimumGroupSize";

/// A dataset's IRI; or a collection of assets: a node with `odrl:source`, or of which others are `odrl:partOf`, and with
/// refinements, all of which must hold: <https://www.w3.org/TR/odrl-model/#asset>,
/// <https://www.w3.org/TR/odrl-model/#constraint-refinement>.
pub(super) fn targets(reader: &mut Reader<'_>, term: &Term, kind: RuleKind) -> Option<Vec<Target>> {
    targets_in(reader, term, kind, &mut Vec::new())
}

/// As [`targets`]; `path` holds the collections that it is a part of.
fn targets_in(
    reader: &mut Reader<'_>,
    term: &Term,
    kind: RuleKind,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Vec<Target>> {
    let node = reader.node(term, "odrl:target")?;
    let has = |property| !reader.values(&node, property).is_empty();
    let is_refined = has(odrl::SOURCE) || has(odrl::REFINEMENT);
    let types = reader.values(&node, rdf::TYPE);
    let is_collection = types.contains(&odrl::ASSET_COLLECTION.into());
    if is_refined || is_collection {
        return collection(reader, term, &node, kind, path);
    }
    let NamedOrBlankNode::NamedNode(dataset) = &node else {
        return collection(reader, term, &node, kind, path);
    };
    if reader.document().has_parts(term) {
        reader.malformed(format_args!(
            "{node} has parts: say that it is an odrl:AssetCollection, of these parts, or leave them out"
        ));
        return None;
    }
    let mut known: Vec<_> = reader.document().inverse(&node).collect();
    if !path.is_empty() || !known.is_empty() {
        known.extend([rdf::TYPE, odrl::UID, odrl::PART_OF, dcterms::IS_PART_OF]);
        reader.understand(&node, &known);
        reader.check_types(&node, &[odrl::ASSET]);
    }
    Some(vec![Target {
        dataset: dataset.clone(),
        selectors: vec![Selector::default()],
        about: Vec::new(),
        figures: None,
    }])
}

fn collection(
    reader: &mut Reader<'_>,
    term: &Term,
    node: &NamedOrBlankNode,
    kind: RuleKind,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Vec<Target>> {
    let mut known: Vec<_> = reader.document().inverse(node).collect();
    known.extend([rdf::TYPE, odrl::UID, odrl::SOURCE, odrl::REFINEMENT]);
    known.extend([odrl::PART_OF, dcterms::IS_PART_OF]);
    reader.understand(node, &known);
    reader.check_types(node, &[odrl::ASSET_COLLECTION, odrl::ASSET]);
    let mut targets = members(reader, term, node, kind, path)?;
    let mut draft = Draft::default();
    for term in reader.values_or_list(node, odrl::REFINEMENT) {
        let refinement = Refinement::read(reader, &term)?;
        reader.needs_profile(&refinement.left);
        if draft.takes(&refinement.left) {
            draft.read(reader, &refinement)?;
            continue;
        }
        let conditions = conditions(reader, &refinement, kind)?;
        for target in &mut targets {
            target.about.extend(refinement.words());
            target.selectors = narrowed(reader, target, &refinement, &conditions)?;
        }
    }
    let count = targets.iter().map(|target| target.selectors.len()).sum();
    let figures = draft.finish(reader, node, kind, count)?;
    for target in &mut targets {
        target.selectors.sort();
        target.selectors.dedup();
        if target.figures.is_some() {
            reader.malformed("a statistic is no part of a collection: give it a rule of its own");
            return None;
        }
        target.figures.clone_from(&figures);
    }
    Some(targets)
}

/// What a collection is of, before it is refined: the dataset that is its source, or all that the document says is a part of it.
fn members(
    reader: &mut Reader<'_>,
    term: &Term,
    node: &NamedOrBlankNode,
    kind: RuleKind,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Vec<Target>> {
    let source = reader.at_most_one(node, odrl::SOURCE);
    let wholes: Vec<&Term> = std::iter::once(term).chain(&source).collect();
    let document = reader.document();
    let is_part = |subject: &&NamedOrBlankNode| {
        let mut of = [odrl::PART_OF, dcterms::IS_PART_OF].into_iter();
        of.any(|property| {
            let mut values = document.values(subject, property).iter();
            values.any(|whole| wholes.contains(&whole))
        })
    };
    let parts: Vec<Term> = match wholes.iter().any(|whole| document.has_parts(whole)) {
        true => document
            .subjects()
            .filter(is_part)
            .cloned()
            .map(Term::from)
            .collect(),
        false => Vec::new(),
    };
    match (source, parts.as_slice()) {
        (None, []) => {
            reader.malformed(
                "nothing says what is in the asset collection: odrl:source is missing, and nothing is stated to be odrl:partOf it",
            );
            None
        }
        (Some(source), []) => Some(vec![Target {
            dataset: reader.iri(&source, "odrl:source")?,
            selectors: vec![Selector::default()],
            about: Vec::new(),
            figures: None,
        }]),
        (Some(source), _) => {
            reader.malformed(format_args!(
                "the asset collection has the odrl:source {source}, and parts: it is either all of a dataset or these parts"
            ));
            None
        }
        (None, parts) => {
            if path.contains(node) {
                reader.malformed(format_args!(
                    "the asset collection {node} is a part of itself"
                ));
                return None;
            }
            if path.len() >= MOST_DEPTH {
                reader.too_many("asset collections inside one another", MOST_DEPTH);
                return None;
            }
            path.push(node.clone());
            let mut targets = Vec::new();
            for part in parts {
                targets.extend(targets_in(reader, part, kind, path)?);
                let count = targets.iter().map(|target| target.selectors.len());
                if count.sum::<usize>() > MOST_SELECTORS {
                    reader.too_many("parts of an asset collection", MOST_SELECTORS);
                    return None;
                }
            }
            path.pop();
            Some(targets)
        }
    }
}

/// What the target selects, and one of the conditions holds for.
fn narrowed(
    reader: &mut Reader<'_>,
    target: &Target,
    refinement: &Refinement,
    conditions: &[Condition],
) -> Option<Vec<Selector>> {
    let selectors = &target.selectors;
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
    let narrow = |selector| {
        conditions
            .iter()
            .map(move |one: &Condition| one.narrow(selector))
    };
    Some(selectors.iter().flat_map(narrow).collect())
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
