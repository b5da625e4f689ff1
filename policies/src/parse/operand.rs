//! Reads constraints on what the caller states or the world tells, and right operands.

use super::constraint::{comparison, names};
use super::reader::Reader;
use crate::compare::Operand;
use crate::model::operand::{Claim, Clock, Period, Wholes, is_claim};
use crate::model::{Comparison, Constraint, RuleKind};
use crate::operator::Operator;
use crate::unit;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, NamedOrBlankNode, Term};
use oxsdatatypes::{DayTimeDuration, Duration};
use std::cmp::Ordering;
use twinlink_vocab::{dcterms, odrl, tl};

/// The right operands, given as such or as the `rdf:value` of a thing that the document describes.
pub(super) fn right(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<Vec<Term>> {
    let mut values = reader.values_or_list(node, odrl::RIGHT_OPERAND);
    for reference in reader.values(node, odrl::RIGHT_OPERAND_REFERENCE) {
        let thing = reader.node(reference, "odrl:rightOperandReference")?;
        let referred = reader.values_or_list(&thing, rdf::VALUE);
        if referred.is_empty() {
            reader.unsupported(
                &odrl::RIGHT_OPERAND_REFERENCE.into_owned(),
                format_args!("the document gives {thing} no rdf:value, and nothing is fetched"),
            );
            return None;
        }
        reader.understand(&thing, &[rdf::VALUE]);
        values.extend(referred);
    }
    if values.is_empty() {
        reader.malformed("odrl:rightOperand is missing");
        return None;
    }
    Some(values)
}

/// A constraint on a left operand that is neither purpose, role nor time.
pub(super) fn constraint(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    left: &NamedNode,
    operator: &NamedNode,
    values: &[Term],
    start: Option<&Clock>,
) -> Option<Constraint> {
    match left.as_ref() {
        odrl::COUNT => {
            let comparison = comparison(reader, left, operator)?;
            let limit = number(reader, node, values.first()?)?;
            let before = match reader.at_most_one(node, odrl::STATUS) {
                Some(status) => number(reader, node, &status)?,
                None => 0,
            };
            Some(left_to_count(comparison, limit, before))
        }
        odrl::EVENT => event(reader, node, operator, values),
        odrl::ELAPSED_TIME => period(
            reader,
            node,
            (left, operator),
            values,
            Clock::SinceFirst,
            Comparison::LessOrEqual,
        ),
        odrl::METERED_TIME => period(
            reader,
            node,
            (left, operator),
            values,
            Clock::Metered,
            Comparison::LessOrEqual,
        ),
        odrl::TIME_INTERVAL => period(
            reader,
            node,
            (left, operator),
            values,
            Clock::SinceLast,
            Comparison::GreaterOrEqual,
        ),
        odrl::DELAY_PERIOD => {
            let Some(start) = start else {
                reader.unsupported(
                    left,
                    "say when it begins: in an odrl:andSequence, after odrl:dateTime or odrl:event with odrl:gt, gteq or eq",
                );
                return None;
            };
            let clock = start.clone();
            period(
                reader,
                node,
                (left, operator),
                values,
                clock,
                Comparison::GreaterOrEqual,
            )
        }
        odrl::RECIPIENT => claim(reader, node, left, operator, values),
        _ if is_claim(left) => {
            if left.as_str().starts_with(tl::NAMESPACE) {
                reader.needs_profile(left);
            }
            claim(reader, node, left, operator, values)
        }
        _ => {
            reader.unsupported(left, untold(left));
            None
        }
    }
}

/// Why no request can tell a left operand: the rule would never hold as it is meant.
fn untold(left: &NamedNode) -> &'static str {
    match left.as_str().strip_prefix(odrl::NAMESPACE) {
        Some("payAmount") => {
            "of a payment it is on record that it was made and when, not how much: use a duty odrl:compensate or odrl:pay"
        }
        Some("unitOfCount" | "timedCount") => {
            "uses are counted for each participant: use odrl:count, odrl:meteredTime or odrl:elapsedTime"
        }
        Some("spatialCoordinates") => {
            "where the caller is, it states as odrl:spatial; where a thing is, a refinement of the target by tl:area tells"
        }
        Some(
            "absolutePosition"
            | "absoluteSize"
            | "absoluteSpatialPosition"
            | "absoluteTemporalPosition"
            | "relativePosition"
            | "relativeSize"
            | "relativeSpatialPosition"
            | "relativeTemporalPosition"
            | "percentage"
            | "resolution",
        ) => {
            "it measures a part of a work, and an answer has none: say what may be shown by refinements of the target and by transforms"
        }
        _ => {
            "no request can tell it, so the rule would never hold as it is meant; the README lists the left operands"
        }
    }
}

/// What is compared here in units.
pub(super) fn check_unit(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    left: &NamedNode,
) -> Option<()> {
    let of_time = [
        odrl::ELAPSED_TIME,
        odrl::METERED_TIME,
        odrl::TIME_INTERVAL,
        odrl::DELAY_PERIOD,
    ];
    if !reader.values(node, odrl::UNIT).is_empty() && !of_time.iter().any(|known| *known == *left) {
        reader.unsupported(
            &odrl::UNIT.into_owned(),
            format_args!("{left} is known without one; lengths of time can have one"),
        );
        return None;
    }
    Some(())
}

/// What can have a value before anything is known of it: <https://www.w3.org/TR/odrl-vocab/#term-status>.
pub(super) fn check_status(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    left: &NamedNode,
) -> Option<()> {
    let of_use = [odrl::COUNT, odrl::ELAPSED_TIME, odrl::METERED_TIME];
    let is_claim = is_claim(left) && !left.as_str().starts_with(tl::NAMESPACE);
    let takes_one = is_claim || of_use.iter().any(|known| *known == *left);
    if !reader.values(node, odrl::STATUS).is_empty() && !takes_one {
        reader.unsupported(
            &odrl::STATUS.into_owned(),
            format_args!("{left} is always known when it is asked for; counts, elapsed and metered time and what a token claims can have one"),
        );
        return None;
    }
    Some(())
}

/// A limit to uses of which some were before the record of use.
fn left_to_count(comparison: Comparison, limit: u64, before: u64) -> Constraint {
    match limit.checked_sub(before) {
        Some(left) => Constraint::Count(comparison, left),
        // It is passed already: the use that is asked for is one more, whatever is on record.
        None if comparison.holds(Ordering::Greater) => {
            Constraint::Count(Comparison::GreaterOrEqual, 0)
        }
        None => Constraint::Count(Comparison::Less, 0),
    }
}

fn event(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    operator: &NamedNode,
    values: &[Term],
) -> Option<Constraint> {
    let events = names(reader, node, values)?;
    let comparison = match operator.as_ref() {
        odrl::IS_ANY_OF | odrl::IS_A => Comparison::Equal,
        odrl::IS_NONE_OF => Comparison::NotEqual,
        _ => comparison(reader, &odrl::EVENT.into_owned(), operator)?,
    };
    Some(Constraint::Event(comparison, events))
}

/// ODRL says `odrl:eq` of periods where it means "at most" or "at least": <https://www.w3.org/TR/odrl-vocab/#term-delayPeriod>.
fn period(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    (left, operator): (&NamedNode, &NamedNode),
    values: &[Term],
    clock: Clock,
    meant: Comparison,
) -> Option<Constraint> {
    let comparison = match comparison(reader, left, operator)? {
        Comparison::Equal if reader.kind() == Some(RuleKind::Permission) => meant,
        Comparison::Equal | Comparison::NotEqual => {
            reader.unsupported(
                operator,
                format_args!("{left} is compared here with odrl:lt, lteq, gt, gteq"),
            );
            return None;
        }
        comparison => comparison,
    };
    let length = duration(reader, node, values.first()?, left)?;
    let length = match reader.at_most_one(node, odrl::STATUS) {
        Some(status) => length.checked_sub(duration(reader, node, &status, left)?)?,
        None => length,
    };
    Some(Constraint::Period(Box::new(Period {
        clock,
        comparison,
        length,
    })))
}

/// Days and less: how long a month is differs.
pub(super) fn duration(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    value: &Term,
    left: &NamedNode,
) -> Option<DayTimeDuration> {
    let literal = typed(reader, node, value)?;
    let unit = reader.at_most_one(node, odrl::UNIT);
    let duration = match (literal.datatype(), unit) {
        (xsd::DURATION | xsd::DAY_TIME_DURATION, None) => {
            let duration = literal.value().parse::<Duration>().ok();
            duration.and_then(|duration| DayTimeDuration::try_from(duration).ok())
        }
        (xsd::DURATION | xsd::DAY_TIME_DURATION, Some(_)) => {
            reader.malformed(format_args!(
                "{literal} says its units itself: leave odrl:unit out, or give a number"
            ));
            return None;
        }
        (_, Some(unit)) => {
            let number = Operand::new(literal.clone().into()).decimal();
            let length = number.and_then(|number| unit::time(number, &unit));
            if number.is_some() && length.is_none() {
                match unit {
                    Term::NamedNode(unit) => reader.unsupported(&unit, unit::KNOWN),
                    other => {
                        reader.malformed(format_args!("{other} is no known unit: {}", unit::KNOWN))
                    }
                }
                return None;
            }
            length
        }
        (_, None) => None,
    };
    let zero = DayTimeDuration::new(0);
    let duration = duration.filter(|duration| *duration >= zero);
    if duration.is_none() {
        reader.malformed(format_args!(
            "{left} is compared with an xsd:dayTimeDuration, or with a number and its odrl:unit, not with {value}"
        ));
    }
    duration
}

fn number(reader: &mut Reader<'_>, node: &NamedOrBlankNode, value: &Term) -> Option<u64> {
    let literal = typed(reader, node, value)?;
    let is_whole = [
        xsd::INTEGER,
        xsd::NON_NEGATIVE_INTEGER,
        xsd::POSITIVE_INTEGER,
        xsd::LONG,
        xsd::INT,
        xsd::SHORT,
        xsd::BYTE,
        xsd::UNSIGNED_LONG,
        xsd::UNSIGNED_INT,
    ]
    .contains(&literal.datatype());
    let number = literal.value().parse().ok().filter(|_| is_whole);
    if number.is_none() {
        reader.malformed(format_args!(
            "odrl:count is compared with a whole number from 0, not with {value}"
        ));
    }
    number
}

/// A literal of the type that `odrl:dataType` says, if it says one.
fn typed(reader: &mut Reader<'_>, node: &NamedOrBlankNode, value: &Term) -> Option<Literal> {
    let Term::Literal(literal) = value else {
        reader.malformed(format_args!(
            "the right operand must be a literal, it is {value}"
        ));
        return None;
    };
    check_data_type(reader, node, literal)?;
    Some(literal.clone())
}

/// What `odrl:dataType` says, if it says anything, is what the right operand is.
pub(super) fn check_data_type(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    literal: &Literal,
) -> Option<()> {
    let Some(stated) = reader.at_most_one(node, odrl::DATA_TYPE) else {
        return Some(());
    };
    let stated = reader.iri(&stated, "odrl:dataType")?;
    if stated.as_ref() != literal.datatype() {
        reader.malformed(format_args!(
            "odrl:dataType says {stated}, the right operand is of type {}",
            literal.datatype()
        ));
        return None;
    }
    Some(())
}

fn claim(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    left: &NamedNode,
    operator: &NamedNode,
    values: &[Term],
) -> Option<Constraint> {
    let Some(known) = Operator::named(operator) else {
        reader.unsupported(operator, "it is no operator of ODRL");
        return None;
    };
    for value in values {
        match value {
            Term::NamedNode(_) => {}
            Term::Literal(_) => {
                typed(reader, node, value)?;
            }
            other => {
                reader.malformed(format_args!(
                    "odrl:rightOperand must be an IRI or a literal, it is {other}"
                ));
                return None;
            }
        }
    }
    if matches!(
        known,
        Operator::IsA | Operator::IsPartOf | Operator::HasPart
    ) {
        names(reader, node, values)?;
    }
    let wholes = match known {
        Operator::IsPartOf | Operator::HasPart => wholes(reader),
        _ => Wholes::default(),
    };
    let status = reader.values_or_list(node, odrl::STATUS);
    Some(Constraint::Claim(Box::new(Claim {
        left: left.clone(),
        status: status.into_iter().map(Operand::new).collect(),
        operator: known,
        right: values.iter().cloned().map(Operand::new).collect(),
        wholes,
    })))
}

/// All that the document says of what is a part of what. It is a part of each policy that asks.
pub(super) fn wholes(reader: &mut Reader<'_>) -> Wholes {
    let mut wholes = Wholes::default();
    let document = reader.document();
    for subject in document.subjects() {
        let NamedOrBlankNode::NamedNode(name) = subject else {
            continue;
        };
        let mut parts = Vec::new();
        for property in [odrl::PART_OF, dcterms::IS_PART_OF] {
            parts.extend_from_slice(document.values(subject, property));
        }
        if parts.is_empty() {
            continue;
        }
        reader.understand(
            subject,
            &[
                rdf::TYPE,
                odrl::PART_OF,
                dcterms::IS_PART_OF,
                odrl::SOURCE,
                odrl::REFINEMENT,
            ],
        );
        wholes.0.insert(name.clone().into(), parts);
    }
    wholes
}
