//! Reads permissions and prohibitions: <https://www.w3.org/TR/odrl-model/#rule>.

use super::duty::{self, Owed};
use super::party::{self, parties};
use super::{actions, constraint, glass, reader::Reader, target, transform};
use crate::model::duty::{Duty, Phase};
use crate::model::party::Party;
use crate::model::{Obliged, Rule, RuleKind, Target};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::{odrl, tl};

/// What the policy says once for all its rules: <https://www.w3.org/TR/odrl-model/#composition-compact>.
pub(super) struct Shared {
    assigners: Vec<NamedNode>,
    assignees: Vec<Party>,
    actions: Vec<NamedNode>,
    /// As written: what they select depends on the kind of the rule.
    targets: Vec<Term>,
}

impl Shared {
    pub(super) fn read(reader: &mut Reader<'_>, policy: &NamedOrBlankNode) -> Self {
        let term = Term::from(policy.clone());
        let stated = |property| reader.document().with(property, &term).iter().cloned();
        // An asset or a party can say it of itself: <https://www.w3.org/TR/odrl-model/#asset>.
        let having: Vec<Term> = stated(odrl::HAS_POLICY).map(Term::from).collect();
        let giving: Vec<Term> = stated(odrl::ASSIGNER_OF).map(Term::from).collect();
        let given: Vec<Term> = stated(odrl::ASSIGNEE_OF).map(Term::from).collect();
        let mut assigners = named(reader, policy, odrl::ASSIGNER);
        for party in &giving {
            let own = party::party(reader, party, odrl::ASSIGNER);
            assigners.extend(own.iter().flat_map(|own| own.members().iter().cloned()));
        }
        let mut assignees = parties(reader, policy, odrl::ASSIGNEE);
        for party in &given {
            assignees.extend(party::party(reader, party, odrl::ASSIGNEE));
        }
        let mut targets = reader.values_or_list(policy, odrl::TARGET);
        targets.extend(having);
        Self {
            assigners,
            assignees,
            actions: plain_actions(reader, policy),
            targets,
        }
    }

    /// Whoever gives the rules: as the policy says for all, and as each rule says.
    pub(super) fn assigners(
        &self,
        reader: &mut Reader<'_>,
        policy: &NamedOrBlankNode,
    ) -> Vec<NamedNode> {
        let mut assigners = self.assigners.clone();
        for property in [odrl::PERMISSION, odrl::PROHIBITION, odrl::OBLIGATION] {
            for rule in reader.values(policy, property) {
                if let Some(rule) = reader.node(rule, "a rule") {
                    assigners.extend(named(reader, &rule, odrl::ASSIGNER));
                }
            }
        }
        assigners.sort();
        assigners.dedup();
        assigners
    }

    /// A policy's obligation, which stands beside its permissions.
    pub(super) fn obliged(
        &self,
        reader: &mut Reader<'_>,
        term: &Term,
        datasets: &[NamedNode],
    ) -> Option<Obliged> {
        let node = reader.node(term, "an obligation")?;
        let own = parties(reader, &node, odrl::ASSIGNEE);
        let assignees = one_place(reader, odrl::ASSIGNEE, own, &self.assignees);
        let owed = Owed {
            assignees: &assignees,
            datasets,
        };
        let duty = duty::duty(reader, term, &owed)?;
        Some(Obliged { assignees, duty })
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
    understand(reader, &node, kind);
    let assigners = named(reader, &node, odrl::ASSIGNER);
    one_place(reader, odrl::ASSIGNER, assigners, &shared.assigners);
    let assignees = parties(reader, &node, odrl::ASSIGNEE);
    let assignees = one_place(reader, odrl::ASSIGNEE, assignees, &shared.assignees);
    let (actions, refinements) = actions::actions(reader, &node);
    let actions = one_place(reader, odrl::ACTION, actions, &shared.actions);
    let targets = targets(reader, &node, kind, shared);
    if actions.is_empty() {
        reader.malformed("the rule has no odrl:action");
    }
    // What refines the only action holds of the use that is asked for, as a constraint does.
    let mut terms = reader.values(&node, odrl::CONSTRAINT).to_vec();
    terms.extend(refinements);
    let constraints: Vec<_> = terms
        .iter()
        .filter_map(|term| constraint::constraint(reader, term, &mut Vec::new()))
        .collect();
    let treatment = transform::treatment(reader, &node, kind, &actions, &targets);
    let duties = duties(reader, &node, kind, &assignees, &targets);
    let mut rule = Rule {
        kind,
        number,
        assignees,
        actions,
        targets,
        constraints,
        treatment,
        duties,
        break_glass: None,
        never_overridden: false,
    };
    glass::read(reader, &node, &mut rule);
    Some(rule)
}

/// The property that names what is to be done for a rule of this kind.
fn duty_property(kind: RuleKind) -> NamedNodeRef<'static> {
    match kind {
        RuleKind::Permission => odrl::DUTY,
        RuleKind::Prohibition => odrl::REMEDY,
    }
}

fn understand(reader: &mut Reader<'_>, rule: &NamedOrBlankNode, kind: RuleKind) {
    reader.understand(
        rule,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::TARGET,
            odrl::ACTION,
            odrl::ASSIGNER,
            odrl::ASSIGNEE,
            odrl::CONSTRAINT,
            duty_property(kind),
            tl::BREAK_GLASS,
            tl::BREAK_GLASS_FOR,
            tl::NEVER_OVERRIDDEN,
        ],
    );
    let class = match kind {
        RuleKind::Permission => odrl::PERMISSION_CLASS,
        RuleKind::Prohibition => odrl::PROHIBITION_CLASS,
    };
    reader.check_types(rule, &[odrl::RULE, class]);
}

/// What the rule is about; one at least.
fn targets(
    reader: &mut Reader<'_>,
    rule: &NamedOrBlankNode,
    kind: RuleKind,
    shared: &Shared,
) -> Vec<Target> {
    let terms = reader.values_or_list(rule, odrl::TARGET);
    let terms = one_place(reader, odrl::TARGET, terms, &shared.targets);
    if terms.is_empty() {
        reader.malformed("the rule has no odrl:target");
    }
    terms
        .iter()
        .filter_map(|term| target::targets(reader, term, kind))
        .flatten()
        .collect()
}

/// The duties of a permission that are no transforms, or the remedies of a prohibition.
fn duties(
    reader: &mut Reader<'_>,
    rule: &NamedOrBlankNode,
    kind: RuleKind,
    assignees: &[Party],
    targets: &[Target],
) -> Vec<Duty> {
    let datasets: Vec<_> = targets
        .iter()
        .map(|target| target.dataset.clone())
        .collect();
    let owed = Owed {
        assignees,
        datasets: &datasets,
    };
    let terms = reader.values(rule, duty_property(kind)).iter();
    let terms: Vec<_> = terms
        .filter(|term| kind == RuleKind::Prohibition || !transform::is_transform(reader, term))
        .collect();
    let duties: Vec<_> = terms
        .into_iter()
        .filter_map(|term| duty::duty(reader, term, &owed))
        .collect();
    if kind == RuleKind::Prohibition && duties.iter().any(|duty| duty.phase == Phase::Before) {
        reader.malformed("a remedy is done after the use that was prohibited");
    }
    duties
}

/// What the rule says, or else what the policy says for all. Both at once could mean more, or less: say which.
fn one_place<T: Clone + PartialEq>(
    reader: &mut Reader<'_>,
    property: NamedNodeRef<'_>,
    own: Vec<T>,
    shared: &[T],
) -> Vec<T> {
    match (own.is_empty(), shared.is_empty()) {
        (true, _) => shared.to_vec(),
        (false, true) => own,
        (false, false) if shared.iter().all(|one| own.contains(one)) => own,
        (false, false) => {
            reader.malformed(format_args!(
                "{property} is given by the policy and by the rule: give it in one place"
            ));
            own
        }
    }
}

fn named(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Vec<NamedNode> {
    let terms = reader.values_or_list(node, property);
    reader.iris(&terms, property).unwrap_or_default()
}

fn plain_actions(reader: &mut Reader<'_>, policy: &NamedOrBlankNode) -> Vec<NamedNode> {
    let (actions, refinements) = actions::actions(reader, policy);
    if !refinements.is_empty() {
        reader.malformed("give a refined action to the rule that it is of");
    }
    actions
}
