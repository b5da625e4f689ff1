//! Reads rules with all inside them: parties, assets, actions, duties.

use super::super::rulebook::{Action, Collection, Kind, Rule, term};
use super::constraint::constraints;
use crate::parse::reader::Reader;
use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::{dcterms, odrl};

/// What a rule, or a policy for all its rules, is about: <https://www.w3.org/TR/odrl-model/#composition-compact>.
#[derive(Default)]
pub(super) struct Parts {
    assignees: Vec<Collection>,
    targets: Vec<Collection>,
    actions: Vec<Action>,
}

/// What a duty's action can be about, beside its target.
const FUNCTIONS: &[NamedNodeRef<'static>] = &[
    odrl::ATTRIBUTED_PARTY,
    odrl::ATTRIBUTING_PARTY,
    odrl::COMPENSATED_PARTY,
    odrl::COMPENSATING_PARTY,
    odrl::CONSENTED_PARTY,
    odrl::CONSENTING_PARTY,
    odrl::CONTRACTED_PARTY,
    odrl::CONTRACTING_PARTY,
    odrl::INFORMED_PARTY,
    odrl::INFORMING_PARTY,
    odrl::OUTPUT,
    odrl::TRACKED_PARTY,
    odrl::TRACKING_PARTY,
];

/// What every rule can have.
const RULE: &[NamedNodeRef<'static>] = &[
    rdf::TYPE,
    odrl::UID,
    odrl::TARGET,
    odrl::ACTION,
    odrl::ASSIGNER,
    odrl::ASSIGNEE,
    odrl::CONSTRAINT,
];

impl Parts {
    pub(super) fn read(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<Self> {
        Some(Self {
            assignees: collections(reader, node, odrl::ASSIGNEE)?,
            targets: collections(reader, node, odrl::TARGET)?,
            actions: actions(reader, node)?,
        })
    }

    /// What the rule says, or else what the policy says for all. Both at once could mean more, or less.
    fn or(self, reader: &mut Reader<'_>, shared: &Self) -> Self {
        Self {
            assignees: one_place(reader, odrl::ASSIGNEE, self.assignees, &shared.assignees),
            targets: one_place(reader, odrl::TARGET, self.targets, &shared.targets),
            actions: one_place(reader, odrl::ACTION, self.actions, &shared.actions),
        }
    }
}

/// A rule of a policy.
pub(super) fn rule(
    reader: &mut Reader<'_>,
    stated: &Term,
    kind: Kind,
    shared: &Parts,
) -> Option<Rule> {
    let duties = match kind {
        Kind::Permission => odrl::DUTY,
        Kind::Prohibition => odrl::REMEDY,
        Kind::Duty => odrl::CONSEQUENCE,
    };
    let mut rule = stated_rule(reader, stated, kind, shared, Some(duties))?;
    let node = rule.node.clone();
    for stated in reader.values(&node, duties) {
        // Only an obligation and a permission's duty have consequences, and those have none:
        // https://www.w3.org/TR/odrl-model/#consequence-duty
        let below = (kind == Kind::Permission).then_some(odrl::CONSEQUENCE);
        let alone = Parts::default();
        let mut duty = stated_rule(reader, stated, Kind::Duty, &alone, below)?;
        let node = duty.node.clone();
        let consequences = below.map_or(&[][..], |below| reader.values(&node, below));
        for stated in consequences {
            let consequence = stated_rule(reader, stated, Kind::Duty, &alone, None)?;
            duty.duties.push(consequence);
        }
        rule.duties.push(duty);
    }
    Some(rule)
}

fn stated_rule(
    reader: &mut Reader<'_>,
    stated: &Term,
    kind: Kind,
    shared: &Parts,
    duties: Option<NamedNodeRef<'_>>,
) -> Option<Rule> {
    let node = reader.node(stated, "a rule")?;
    let class = match kind {
        Kind::Permission => odrl::PERMISSION_CLASS,
        Kind::Prohibition => odrl::PROHIBITION_CLASS,
        Kind::Duty => odrl::DUTY_CLASS,
    };
    let mut known = RULE.to_vec();
    known.extend(duties);
    if kind == Kind::Duty {
        known.extend(FUNCTIONS);
    }
    reader.understand(&node, &known);
    reader.check_types(&node, &[odrl::RULE, class]);
    let parts = Parts::read(reader, &node)?.or(reader, shared);
    if kind == Kind::Duty && parts.actions.is_empty() {
        reader.malformed(format_args!("the duty {node} has no odrl:action"));
    }
    let mut functions = Vec::new();
    for function in FUNCTIONS.iter().filter(|_| kind == Kind::Duty) {
        let values = reader.values(&node, *function).iter();
        functions.extend(values.map(|value| (function.into_owned(), value.clone())));
    }
    let constraints = constraints(reader, &node, odrl::CONSTRAINT)?;
    Some(Rule {
        node,
        kind,
        assignees: parts.assignees,
        targets: parts.targets,
        actions: parts.actions,
        constraints,
        duties: Vec::new(),
        functions,
    })
}

fn one_place<T: Clone>(
    reader: &mut Reader<'_>,
    property: NamedNodeRef<'_>,
    own: Vec<T>,
    shared: &[T],
) -> Vec<T> {
    if own.is_empty() {
        return shared.to_vec();
    }
    if !shared.is_empty() {
        reader.malformed(format_args!(
            "{property} is given by the policy and by the rule: give it in one place"
        ));
    }
    own
}

/// Parties or assets: an IRI, or a collection with its source and refinements.
fn collections(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Option<Vec<Collection>> {
    let stated = reader.values_or_list(node, property);
    stated
        .iter()
        .map(|stated| collection(reader, stated, property))
        .collect()
}

fn collection(
    reader: &mut Reader<'_>,
    stated: &Term,
    property: NamedNodeRef<'_>,
) -> Option<Collection> {
    let node = reader.node(stated, property)?;
    let is_class = |class: NamedNodeRef<'_>| {
        let mut types = reader.values(&node, rdf::TYPE).iter();
        types.any(|stated| matches!(stated, Term::NamedNode(name) if *name == class))
    };
    let is_collection = is_class(odrl::PARTY_COLLECTION)
        || is_class(odrl::ASSET_COLLECTION)
        || !reader.values(&node, odrl::SOURCE).is_empty()
        || !reader.values(&node, odrl::REFINEMENT).is_empty();
    if is_collection {
        reader.understand(
            &node,
            &[
                rdf::TYPE,
                odrl::UID,
                odrl::SOURCE,
                odrl::REFINEMENT,
                odrl::PART_OF,
                odrl::HAS_POLICY,
                dcterms::IS_PART_OF,
                dcterms::HAS_PART,
            ],
        );
    } else if matches!(node, NamedOrBlankNode::BlankNode(_)) {
        reader.malformed(format_args!(
            "{property} is a node without a name that is no collection"
        ));
    }
    Some(Collection {
        is_collection,
        source: reader.at_most_one(&node, odrl::SOURCE),
        refinements: constraints(reader, &node, odrl::REFINEMENT)?,
        node: term(&node),
    })
}

/// Actions: an IRI, or a node with `rdf:value` and refinements, <https://www.w3.org/TR/odrl-model/#constraint-action>.
fn actions(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<Vec<Action>> {
    let stated = reader.values_or_list(node, odrl::ACTION);
    stated.iter().map(|stated| action(reader, stated)).collect()
}

fn action(reader: &mut Reader<'_>, stated: &Term) -> Option<Action> {
    let node = reader.node(stated, "odrl:action")?;
    let value = reader.at_most_one(&node, rdf::VALUE);
    let refinements = constraints(reader, &node, odrl::REFINEMENT)?;
    let action = match (&node, value) {
        (_, Some(value)) => {
            reader.understand(&node, &[rdf::TYPE, rdf::VALUE, odrl::UID, odrl::REFINEMENT]);
            reader.iri(&value, "rdf:value")?
        }
        (NamedOrBlankNode::NamedNode(name), None) => {
            if !refinements.is_empty() {
                reader.malformed(format_args!(
                    "{node} has an odrl:refinement and no rdf:value that says which action is refined"
                ));
            }
            // What a profile may say of its actions.
            reader.understand(
                &node,
                &[
                    rdf::TYPE,
                    odrl::INCLUDED_IN,
                    odrl::IMPLIES,
                    odrl::REFINEMENT,
                    rdfs::IS_DEFINED_BY,
                ],
            );
            name.clone()
        }
        (NamedOrBlankNode::BlankNode(_), None) => {
            reader.malformed("an action is a node without rdf:value");
            return None;
        }
    };
    Some(Action {
        action,
        // Known when all that the graph says of actions is.
        kinds: Vec::new(),
        refinements,
    })
}
