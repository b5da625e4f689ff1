//! Reads permissions and prohibitions: <https://www.w3.org/TR/odrl-model/#rule>.

use super::{constraint, reader::Reader, target, transform};
use crate::action;
use crate::model::{Rule, RuleKind};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// What the policy says once for all its rules: <https://www.w3.org/TR/odrl-model/#composition-compact>.
pub(super) struct Shared {
    assigners: Vec<NamedNode>,
    assignees: Vec<NamedNode>,
    actions: Vec<NamedNode>,
    /// As written: what they select depends on the kind of the rule.
    targets: Vec<Term>,
}

impl Shared {
    pub(super) fn read(reader: &mut Reader<'_>, policy: &NamedOrBlankNode) -> Self {
        Self {
            assigners: parties(reader, policy, odrl::ASSIGNER),
            assignees: parties(reader, policy, odrl::ASSIGNEE),
            actions: actions(reader, policy),
            targets: reader.values_or_list(policy, odrl::TARGET),
        }
    }

    /// An agreement is between an assigner and an assignee: <https://www.w3.org/TR/odrl-model/#policy-agreement>.
    pub(super) fn check_agreement(
        &self,
        reader: &mut Reader<'_>,
        policy: &NamedOrBlankNode,
        rules: &[Rule],
    ) {
        if rules.iter().any(|rule| rule.assignees.is_empty()) {
            reader.malformed("an agreement needs an odrl:assignee");
        }
        let assigned = |predicate| {
            let rules = reader.values(policy, predicate);
            rules.iter().all(|term| match term {
                Term::NamedNode(name) => has_assigner(reader, &name.clone().into()),
                Term::BlankNode(blank) => has_assigner(reader, &blank.clone().into()),
                _ => false,
            })
        };
        if self.assigners.is_empty() && !(assigned(odrl::PERMISSION) && assigned(odrl::PROHIBITION))
        {
            reader.malformed("an agreement needs an odrl:assigner");
        }
    }
}

fn has_assigner(reader: &Reader<'_>, rule: &NamedOrBlankNode) -> bool {
    !reader.values(rule, odrl::ASSIGNER).is_empty()
}

pub(super) fn rule(
    reader: &mut Reader<'_>,
    term: &Term,
    kind: RuleKind,
    number: usize,
    shared: &Shared,
) -> Option<Rule> {
    let node = reader.node(term, "a rule")?;
    if !reader.is_described(&node) {
        reader.malformed(format_args!("nothing is said about rule {node}"));
        return None;
    }
    reader.understand(
        &node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::TARGET,
            odrl::ACTION,
            odrl::ASSIGNER,
            odrl::ASSIGNEE,
            odrl::CONSTRAINT,
            odrl::DUTY,
        ],
    );
    let class = match kind {
        RuleKind::Permission => odrl::PERMISSION_CLASS,
        RuleKind::Prohibition => odrl::PROHIBITION_CLASS,
    };
    reader.check_types(&node, &[odrl::RULE, class]);
    let assigners = parties(reader, &node, odrl::ASSIGNER);
    one_place(reader, odrl::ASSIGNER, assigners, &shared.assigners);
    let assignees = parties(reader, &node, odrl::ASSIGNEE);
    let assignees = one_place(reader, odrl::ASSIGNEE, assignees, &shared.assignees);
    let actions = actions(reader, &node);
    let actions = one_place(reader, odrl::ACTION, actions, &shared.actions);
    let targets = reader.values_or_list(&node, odrl::TARGET);
    let targets = one_place(reader, odrl::TARGET, targets, &shared.targets);
    let targets: Vec<_> = targets
        .iter()
        .filter_map(|term| target::target(reader, term, kind))
        .collect();
    if actions.is_empty() {
        reader.malformed("the rule has no odrl:action");
    }
    if targets.is_empty() {
        reader.malformed("the rule has no odrl:target");
    }
    let terms = reader.values(&node, odrl::CONSTRAINT);
    let constraints = terms
        .iter()
        .filter_map(|term| constraint::constraint(reader, term, &mut Vec::new()))
        .collect();
    let treatment = transform::treatment(reader, &node, kind, &actions, &targets);
    for duty in reader.values(&node, odrl::DUTY) {
        if !transform::is_transform(reader, duty) {
            let advice = "of duties, only the transforms of the profile are enforced";
            reader.unsupported(&odrl::DUTY.into_owned(), advice);
        }
    }
    Some(Rule {
        kind,
        number,
        assignees,
        actions,
        targets,
        constraints,
        treatment,
    })
}

/// What the rule says, or else what the policy says for all. Both at once could mean more, or less: say which.
fn one_place<T: Clone>(
    reader: &mut Reader<'_>,
    property: NamedNodeRef<'_>,
    own: Vec<T>,
    shared: &[T],
) -> Vec<T> {
    match (own.is_empty(), shared.is_empty()) {
        (true, _) => shared.to_vec(),
        (false, true) => own,
        (false, false) => {
            reader.malformed(format_args!(
                "{property} is given by the policy and by the rule: give it in one place"
            ));
            own
        }
    }
}

fn parties(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Vec<NamedNode> {
    let terms = reader.values_or_list(node, property);
    reader.iris(&terms, property).unwrap_or_default()
}

fn actions(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Vec<NamedNode> {
    let terms = reader.values_or_list(node, odrl::ACTION);
    let actions = reader.iris(&terms, odrl::ACTION).unwrap_or_default();
    for unknown in actions.iter().filter(|known| !action::is_supported(known)) {
        reader.unsupported(
            unknown,
            format_args!("actions are odrl: {}", action::supported()),
        );
    }
    actions
}
