//! What is asked: an `odrl:Request`, or an evaluation request as the drafts have it.

use crate::action::Actions;
use crate::compare::Operand;
use crate::error::PolicyError;
use crate::parse::document::Document;
use crate::parse::reader::Reader;
use oxrdf::vocab::rdf;
use oxrdf::{Graph, NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use std::collections::HashMap;
use twinlink_vocab::{odrl, sotw};

/// What a party asks to do: one use, or several.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) node: NamedOrBlankNode,
    pub(super) uses: Vec<Use>,
}

/// One action by one party on one asset. What is not said is not known.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) node: NamedOrBlankNode,
    pub(super) party: Option<Term>,
    pub(super) target: Option<Term>,
    pub(super) action: Option<NamedNode>,
    /// The action, and the actions of the vocabulary that it is included in.
    pub(super) kinds: Vec<NamedNode>,
    values: HashMap<NamedNode, Vec<Operand>>,
}

/// What only the state of the world can tell: a request that says so itself proves nothing.
const NOT_CLAIMED: &[NamedNodeRef<'static>] = &[
    odrl::COUNT,
    odrl::DATE_TIME,
    odrl::DELAY_PERIOD,
    odrl::ELAPSED_TIME,
    odrl::EVENT,
    odrl::METERED_TIME,
    odrl::TIME_INTERVAL,
];

impl Request {
    /// The one request in a graph: an `odrl:Request` whose permissions are what is asked for, with what is known of the
    /// circumstances as constraints with `odrl:eq`; or a `sotw:EvaluationRequest` with its parameters.
    ///
    /// # Errors
    /// Everything wrong with it; [`PolicyError::NoPolicy`] where there is none.
    pub fn read(graph: &Graph) -> Result<Self, Vec<PolicyError>> {
        let document = Document::of(graph);
        let is_request = |node: &&NamedOrBlankNode| {
            let mut types = document.values(node, rdf::TYPE).iter();
            types.any(|class| {
                matches!(class, Term::NamedNode(name)
                    if name.as_str() == REQUEST || *name == sotw::EVALUATION_REQUEST)
            })
        };
        let mut found = document.subjects().filter(is_request);
        let node = match (found.next(), found.next()) {
            (Some(node), None) => node,
            (None, _) => return Err(vec![PolicyError::NoPolicy]),
            (Some(node), Some(_)) => {
                let mut reader = Reader::new(&document, node);
                reader.malformed("the graph holds more than one request");
                return Err(reader.finish().1);
            }
        };
        let mut reader = Reader::new(&document, node);
        let uses = uses(&mut reader, node);
        match (uses, reader.finish().1) {
            (Some(uses), faults) if faults.is_empty() => Ok(Self {
                node: node.clone(),
                uses,
            }),
            (_, faults) => Err(faults),
        }
    }
}

const REQUEST: &str = "http://www.w3.org/ns/odrl/2/Request";

impl Use {
    /// What the request says of a left operand.
    pub(super) fn values(&self, left: &NamedNode) -> &[Operand] {
        self.values.get(left).map_or(&[], Vec::as_slice)
    }
}

fn uses(reader: &mut Reader<'_>, request: &NamedOrBlankNode) -> Option<Vec<Use>> {
    let asked = reader.values(request, odrl::PERMISSION);
    if asked.is_empty() {
        let names = [
            &[
                odrl::ASSIGNEE,
                sotw::REQUESTING_PARTY,
                sotw::EVALUATED_PARTY,
            ][..],
            &[odrl::TARGET, sotw::REQUESTED_TARGET, sotw::EVALUATED_TARGET],
            &[odrl::ACTION, sotw::REQUESTED_ACTION, sotw::EVALUATED_ACTION],
        ];
        return Some(vec![one(reader, request, names)?]);
    }
    let names = [&[odrl::ASSIGNEE][..], &[odrl::TARGET], &[odrl::ACTION]];
    asked
        .iter()
        .map(|asked| {
            let node = reader.node(asked, "odrl:permission")?;
            one(reader, &node, names)
        })
        .collect()
}

fn one(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    [party, target, action]: [&[NamedNodeRef<'_>]; 3],
) -> Option<Use> {
    let mut values = HashMap::new();
    let party = only(reader, node, party)?;
    let target = only(reader, node, target)?;
    let action = match only(reader, node, action)? {
        None => None,
        Some(stated) => {
            let refined = reader.node(&stated, "odrl:action")?;
            claims(reader, &refined, odrl::REFINEMENT, &mut values)?;
            let action = reader.at_most_one(&refined, rdf::VALUE).unwrap_or(stated);
            Some(reader.iri(&action, "odrl:action")?)
        }
    };
    claims(reader, node, odrl::CONSTRAINT, &mut values)?;
    for parameter in reader.values(node, sotw::REQUEST_PARAMETER) {
        let parameter = reader.node(parameter, sotw::REQUEST_PARAMETER)?;
        let feature = reader.exactly_one(&parameter, sotw::DESCRIBES_FEATURE)?;
        let stated = reader.values_or_list(&parameter, sotw::VALUE);
        let unit = reader.at_most_one(&parameter, odrl::UNIT);
        claim(reader, &feature, &stated, unit.as_ref(), &mut values)?;
    }
    let standard = Actions::default();
    Some(Use {
        node: node.clone(),
        party,
        target,
        kinds: action
            .as_ref()
            .map(|action| standard.kinds(action))
            .unwrap_or_default(),
        action,
        values,
    })
}

/// The one value of a property that goes by several names; none where there is none.
fn only(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    names: &[NamedNodeRef<'_>],
) -> Option<Option<Term>> {
    let mut values: Vec<_> = names
        .iter()
        .flat_map(|name| reader.values(node, *name))
        .cloned()
        .collect();
    values.dedup();
    match (values.pop(), values.pop()) {
        (value, None) => Some(value),
        _ => {
            reader.malformed(format_args!(
                "a request is for one action by one party on one asset, {node} has more: ask for each"
            ));
            None
        }
    }
}

/// Circumstances as constraints: `[ leftOperand X ; operator eq ; rightOperand Y ]` says that X is Y.
fn claims(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
    values: &mut HashMap<NamedNode, Vec<Operand>>,
) -> Option<()> {
    for stated in reader.values_or_list(node, property) {
        let stated = reader.node(&stated, property)?;
        let left = reader.exactly_one(&stated, odrl::LEFT_OPERAND)?;
        let operator = reader.exactly_one(&stated, odrl::OPERATOR)?;
        if operator != Term::from(odrl::EQ) {
            reader.malformed(format_args!(
                "a request says what is the case with odrl:eq, not with {operator}"
            ));
            return None;
        }
        let right = reader.values_or_list(&stated, odrl::RIGHT_OPERAND);
        let unit = reader.at_most_one(&stated, odrl::UNIT);
        claim(reader, &left, &right, unit.as_ref(), values)?;
    }
    Some(())
}

fn claim(
    reader: &mut Reader<'_>,
    left: &Term,
    stated: &[Term],
    unit: Option<&Term>,
    values: &mut HashMap<NamedNode, Vec<Operand>>,
) -> Option<()> {
    let left = reader.iri(left, "what a request says something of")?;
    if NOT_CLAIMED.iter().any(|known| *known == left) {
        reader.unsupported(&left, "the state of the world says it, no request");
        return None;
    }
    let known: &mut Vec<Operand> = values.entry(left).or_default();
    for value in stated {
        let operand = Operand::new(value.clone()).with_unit(unit.cloned());
        if !known.contains(&operand) {
            known.push(operand);
        }
    }
    Some(())
}
