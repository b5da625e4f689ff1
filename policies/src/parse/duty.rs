//! Reads what is to be done: <https://www.w3.org/TR/odrl-model/#duty>.

use super::reader::Reader;
use super::{constraint, operand, party};
use crate::model::duty::{Deadline, Duty, Phase};
use crate::model::party::Party;
use crate::model::{Constraint, Moment};
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use oxsdatatypes::{DateTime, DayTimeDuration};
use twinlink_vocab::{odrl, tl};

/// Whom and what the rule is about that the duty belongs to.
pub(super) struct Owed<'a> {
    pub(super) assignees: &'a [Party],
    pub(super) datasets: &'a [NamedNode],
}

/// Those towards whom something is done.
const TOWARDS: &[NamedNodeRef<'static>] = &[
    odrl::INFORMED_PARTY,
    odrl::COMPENSATED_PARTY,
    odrl::CONSENTING_PARTY,
    odrl::TRACKING_PARTY,
    odrl::ATTRIBUTED_PARTY,
];

/// One duty with its consequences, which have none.
pub(super) fn duty(reader: &mut Reader<'_>, term: &Term, owed: &Owed<'_>) -> Option<Duty> {
    read(reader, term, owed, true)
}

fn read(
    reader: &mut Reader<'_>,
    term: &Term,
    owed: &Owed<'_>,
    may_have_consequences: bool,
) -> Option<Duty> {
    let node = reader.node(term, "a duty")?;
    if !reader.is_described(&node) {
        reader.malformed(format_args!("nothing is said about duty {node}"));
        return None;
    }
    let mut known = vec![
        rdf::TYPE,
        odrl::UID,
        odrl::ACTION,
        odrl::ASSIGNER,
        odrl::ASSIGNEE,
        odrl::TARGET,
        odrl::CONSTRAINT,
    ];
    known.extend_from_slice(TOWARDS);
    if may_have_consequences {
        known.push(odrl::CONSEQUENCE);
    }
    reader.understand(&node, &known);
    reader.check_types(&node, &[odrl::DUTY_CLASS, odrl::RULE]);
    let (action, refinements) = action(reader, &node)?;
    let Some(phase) = Phase::of(&action) else {
        reader.unsupported(
            &action,
            format_args!(
                "duties are transforms of this profile, and {}",
                Phase::actions()
            ),
        );
        return None;
    };
    same_party(reader, &node, &action, owed)?;
    same_target(reader, &node, owed)?;
    let towards = towards(reader, &node, phase)?;
    let mut terms = reader.values(&node, odrl::CONSTRAINT).to_vec();
    terms.extend(refinements);
    let (mut constraints, mut deadlines) = (Vec::new(), Vec::new());
    for term in &terms {
        match phase {
            Phase::Before => constraints.push(timing(reader, term)?),
            Phase::After => deadlines.push(deadline(reader, term)?),
        }
    }
    let consequences = reader.values(&node, odrl::CONSEQUENCE).iter();
    let consequences: Option<Vec<_>> = consequences
        .map(|term| read(reader, term, owed, false))
        .collect();
    Some(Duty {
        action,
        phase,
        constraints,
        deadlines,
        towards,
        consequences: consequences?,
    })
}

/// What is done is done about what the rule is about.
fn same_target(reader: &mut Reader<'_>, node: &NamedOrBlankNode, owed: &Owed<'_>) -> Option<()> {
    for target in reader.values(node, odrl::TARGET) {
        let target = reader.iri(target, "odrl:target")?;
        if !owed.datasets.contains(&target) {
            reader.unsupported(&target, "a duty is about what its rule is about");
            return None;
        }
    }
    Some(())
}

/// Those towards whom it is done.
fn towards(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    phase: Phase,
) -> Option<Vec<NamedNode>> {
    let mut towards = Vec::new();
    for property in TOWARDS {
        for party in reader.values(node, *property) {
            towards.push(reader.iri(party, property)?);
        }
        if phase == Phase::Before && !towards.is_empty() {
            reader.unsupported(
                &property.into_owned(),
                "it is not on record towards whom something was done before use",
            );
            return None;
        }
    }
    Some(towards)
}

/// The one action, and what refines it.
fn action(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<(NamedNode, Vec<Term>)> {
    let term = reader.exactly_one(node, odrl::ACTION)?;
    let Term::BlankNode(blank) = &term else {
        return Some((reader.iri(&term, "odrl:action")?, Vec::new()));
    };
    let refined = NamedOrBlankNode::from(blank.clone());
    reader.understand(&refined, &[rdf::TYPE, rdf::VALUE, odrl::REFINEMENT]);
    reader.check_types(&refined, &[odrl::ACTION_CLASS]);
    let value = reader.exactly_one(&refined, rdf::VALUE)?;
    let refinements = reader.values_or_list(&refined, odrl::REFINEMENT);
    Some((reader.iri(&value, "rdf:value")?, refinements))
}

/// Whoever uses owes it; a review, the owner.
fn same_party(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    action: &NamedNode,
    owed: &Owed<'_>,
) -> Option<()> {
    let assignees = party::parties(reader, node, odrl::ASSIGNEE);
    let is_same = assignees.iter().all(|party| owed.assignees.contains(party));
    if !is_same || (*action == tl::REVIEW && !assignees.is_empty()) {
        reader.unsupported(
            &odrl::ASSIGNEE.into_owned(),
            "a duty is owed by whom its rule is about, a review by the owner",
        );
        return None;
    }
    let assigners = reader.values_or_list(node, odrl::ASSIGNER);
    reader.iris(&assigners, odrl::ASSIGNER)?;
    Some(())
}

/// When a duty before use is done in time.
fn timing(reader: &mut Reader<'_>, term: &Term) -> Option<Constraint> {
    let constraint = constraint::constraint(reader, term, &mut Vec::new())?;
    let is_time = !constraint
        .any(&mut |one| !matches!(one, Constraint::DateTime(..)) && one.parts().is_empty());
    if !is_time {
        reader.unsupported(
            &odrl::CONSTRAINT.into_owned(),
            "of what was done before use only the time is on record: use odrl:dateTime",
        );
        return None;
    }
    Some(constraint)
}

/// Until when a duty after use is to be done.
fn deadline(reader: &mut Reader<'_>, term: &Term) -> Option<Deadline> {
    let node = reader.node(term, "odrl:constraint")?;
    if !reader.count_constraint() {
        return None;
    }
    reader.understand(
        &node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::LEFT_OPERAND,
            odrl::OPERATOR,
            odrl::RIGHT_OPERAND,
            odrl::RIGHT_OPERAND_REFERENCE,
            odrl::DATA_TYPE,
            odrl::UNIT,
        ],
    );
    reader.check_types(&node, &[odrl::CONSTRAINT_CLASS]);
    let (left, operator) = reader.compared(&node)?;
    operand::check_unit(reader, &node, &left)?;
    if ![odrl::LT, odrl::LTEQ, odrl::EQ]
        .iter()
        .any(|known| *known == operator)
    {
        reader.unsupported(
            &operator,
            "a duty after use has a deadline: odrl:lt, lteq or eq",
        );
        return None;
    }
    let values = operand::right(reader, &node)?;
    let [value] = values.as_slice() else {
        reader.malformed("a deadline is one value");
        return None;
    };
    match left.as_ref() {
        odrl::DATE_TIME => {
            let moment = constraint::moment(reader, &node, value)?;
            let end = end(moment, operator == odrl::LT);
            if end.is_none() {
                reader.malformed("a deadline needs a time zone");
            }
            end.map(Deadline::At)
        }
        odrl::ELAPSED_TIME | odrl::DELAY_PERIOD => {
            operand::duration(reader, &node, value, &left).map(Deadline::After)
        }
        _ => {
            reader.unsupported(
                &left,
                "a duty after use has a deadline: odrl:dateTime, odrl:elapsedTime or odrl:delayPeriod",
            );
            None
        }
    }
}

/// The last instant before which something is done that is done before a moment, or in its course; none where that
/// depends on a time zone that is not given.
fn end(moment: Moment, is_before: bool) -> Option<DateTime> {
    let end = match moment {
        Moment::Instant(instant) => Some(instant),
        Moment::Day(day) => {
            let begin = DateTime::try_from(day).ok();
            match is_before {
                true => begin,
                false => begin.and_then(|begin| {
                    begin.checked_add_day_time_duration(DayTimeDuration::new(86_400))
                }),
            }
        }
    };
    end.filter(|end| end.timezone_offset().is_some())
}
