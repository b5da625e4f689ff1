//! Reads constraints: <https://www.w3.org/TR/odrl-model/#constraint>.

use super::{MOST_DEPTH, operand, reader::Reader};
use crate::model::operand::Clock;
use crate::model::{Comparison, Constraint, Membership, Moment};
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use twinlink_vocab::{odrl, tl};

/// One constraint with all inside it; `path` holds the nodes it is inside of.
pub(super) fn constraint(
    reader: &mut Reader<'_>,
    term: &Term,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Constraint> {
    timed(reader, term, path, None)
}

/// As [`constraint`], where what comes before it in a sequence says when a delay begins.
fn timed(
    reader: &mut Reader<'_>,
    term: &Term,
    path: &mut Vec<NamedOrBlankNode>,
    start: Option<&Clock>,
) -> Option<Constraint> {
    let node = reader.node(term, "odrl:constraint")?;
    if path.contains(&node) {
        reader.malformed("a constraint contains itself");
        return None;
    }
    if path.len() >= MOST_DEPTH {
        reader.too_many("constraints inside one another", MOST_DEPTH);
        return None;
    }
    if !reader.count_constraint() {
        return None;
    }
    let logical = [odrl::AND, odrl::OR, odrl::XONE, odrl::AND_SEQUENCE];
    if !logical
        .iter()
        .any(|property| !reader.values(&node, *property).is_empty())
    {
        return atomic(reader, &node, start);
    }
    reader.understand(
        &node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::AND,
            odrl::OR,
            odrl::XONE,
            odrl::AND_SEQUENCE,
        ],
    );
    reader.check_types(&node, &[odrl::LOGICAL_CONSTRAINT, odrl::CONSTRAINT_CLASS]);
    let mut found = None;
    for (property, combine) in logical.into_iter().zip([
        Constraint::And as fn(_) -> _,
        Constraint::Or,
        Constraint::Xone,
        Constraint::Sequence,
    ]) {
        let operands = reader.values_or_list(&node, property);
        if operands.is_empty() {
            continue;
        }
        if found.is_some() {
            reader.malformed(
                "a logical constraint has more than one of odrl:and, odrl:or, odrl:xone, odrl:andSequence",
            );
            return None;
        }
        path.push(node.clone());
        let mut start = None;
        let operands: Option<Vec<_>> = operands
            .iter()
            .map(|operand| {
                let operand = timed(reader, operand, path, start.as_ref())?;
                if property == odrl::AND_SEQUENCE {
                    start = beginning(&operand).or_else(|| start.take());
                }
                Some(operand)
            })
            .collect();
        path.pop();
        found = Some(combine(operands?));
    }
    found
}

/// When a delay begins that stands after this in a sequence.
fn beginning(constraint: &Constraint) -> Option<Clock> {
    use Comparison::{Equal, Greater, GreaterOrEqual};
    match constraint {
        Constraint::DateTime(Equal | Greater | GreaterOrEqual, Moment::Instant(instant)) => {
            instant.timezone_offset()?;
            Some(Clock::SinceInstant(*instant))
        }
        Constraint::Event(Equal | Greater | GreaterOrEqual, events) => match events.as_slice() {
            [event] => Some(Clock::SinceEvent(event.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn atomic(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    start: Option<&Clock>,
) -> Option<Constraint> {
    reader.understand(
        node,
        &[
            rdf::TYPE,
            odrl::UID,
            odrl::LEFT_OPERAND,
            odrl::OPERATOR,
            odrl::RIGHT_OPERAND,
            odrl::RIGHT_OPERAND_REFERENCE,
            odrl::DATA_TYPE,
            odrl::UNIT,
            odrl::STATUS,
        ],
    );
    reader.check_types(node, &[odrl::CONSTRAINT_CLASS]);
    let (left, operator) = reader.compared(node)?;
    operand::check_unit(reader, node, &left)?;
    operand::check_status(reader, node, &left)?;
    let values = operand::right(reader, node)?;
    let takes_several = [odrl::IS_ANY_OF, odrl::IS_NONE_OF, odrl::IS_ALL_OF];
    if values.len() > 1 && !takes_several.iter().any(|several| *several == operator) {
        reader.malformed(format_args!(
            "{operator} compares with one right operand, here are {}",
            values.len()
        ));
        return None;
    }
    match left.as_ref() {
        odrl::PURPOSE => {
            let names = names(reader, node, &values)?;
            if operator == odrl::IS_ALL_OF {
                return Some(all_of(names, Constraint::Purpose));
            }
            let membership = membership(reader, &left, &operator)?;
            Some(Constraint::Purpose(membership, names))
        }
        tl::ROLE => {
            reader.needs_profile(&left);
            let names = names(reader, node, &values)?;
            if operator == odrl::IS_ALL_OF {
                return Some(all_of(names, Constraint::Role));
            }
            let membership = membership(reader, &left, &operator)?;
            Some(Constraint::Role(membership, names))
        }
        odrl::DATE_TIME => {
            let comparison = comparison(reader, &left, &operator)?;
            Some(Constraint::DateTime(
                comparison,
                moment(reader, node, values.first()?)?,
            ))
        }
        tl::GRAPH | tl::PROPERTY | tl::CLASS => {
            reader.unsupported(&left, "use it in a refinement of the target");
            None
        }
        _ => operand::constraint(reader, node, &left, &operator, &values, start),
    }
}

/// The one thing that is there is each of these.
fn all_of(
    names: Vec<NamedNode>,
    constraint: fn(Membership, Vec<NamedNode>) -> Constraint,
) -> Constraint {
    let each = names.into_iter();
    Constraint::And(
        each.map(|name| constraint(Membership::AnyOf, vec![name]))
            .collect(),
    )
}

fn membership(
    reader: &mut Reader<'_>,
    left: &NamedNode,
    operator: &NamedNode,
) -> Option<Membership> {
    match operator.as_ref() {
        odrl::EQ | odrl::IS_ANY_OF => Some(Membership::AnyOf),
        odrl::NEQ | odrl::IS_NONE_OF => Some(Membership::NoneOf),
        odrl::IS_A => Some(Membership::IsA),
        _ => {
            reader.unsupported(
                operator,
                format_args!(
                    "{left} is compared with odrl:eq, neq, isAnyOf, isNoneOf, isAllOf, isA"
                ),
            );
            None
        }
    }
}

pub(super) fn comparison(
    reader: &mut Reader<'_>,
    left: &NamedNode,
    operator: &NamedNode,
) -> Option<Comparison> {
    Some(match operator.as_ref() {
        odrl::EQ => Comparison::Equal,
        odrl::NEQ => Comparison::NotEqual,
        odrl::LT => Comparison::Less,
        odrl::LTEQ => Comparison::LessOrEqual,
        odrl::GT => Comparison::Greater,
        odrl::GTEQ => Comparison::GreaterOrEqual,
        _ => {
            reader.unsupported(
                operator,
                format_args!("{left} is compared with odrl:eq, neq, lt, lteq, gt, gteq"),
            );
            return None;
        }
    })
}

pub(super) fn names(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    values: &[Term],
) -> Option<Vec<NamedNode>> {
    if !reader.values(node, odrl::DATA_TYPE).is_empty() {
        reader.malformed("odrl:dataType is given, and the right operand is an IRI, no literal");
        return None;
    }
    let mut names = reader.iris(values, "odrl:rightOperand")?;
    names.sort();
    names.dedup();
    Some(names)
}

pub(super) fn moment(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    value: &Term,
) -> Option<Moment> {
    let Term::Literal(literal) = value else {
        reader.malformed(format_args!(
            "odrl:dateTime is compared with an xsd:dateTime or xsd:date, not with {value}"
        ));
        return None;
    };
    operand::check_data_type(reader, node, literal)?;
    let moment = match literal.datatype() {
        xsd::DATE_TIME | xsd::DATE_TIME_STAMP => literal.value().parse().ok().map(Moment::Instant),
        xsd::DATE => literal.value().parse().ok().map(Moment::Day),
        _ => None,
    };
    if moment.is_none() {
        reader.malformed(format_args!("{literal} is no xsd:dateTime and no xsd:date"));
    }
    moment
}
