//! Reads constraints and refinements, all operators and operands: <https://www.w3.org/TR/odrl-model/#constraint>.

use super::super::rulebook::{Constraint, Logic, Operator, Right, Test};
use crate::compare::Operand;
use crate::parse::MOST_DEPTH;
use crate::parse::reader::Reader;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// The constraints that a property of a node names. All must hold.
pub(super) fn constraints(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> Option<Vec<Constraint>> {
    let stated = reader.values_or_list(node, property);
    stated
        .iter()
        .map(|stated| constraint(reader, stated, &mut Vec::new()))
        .collect()
}

/// One constraint with all inside it; `path` holds the nodes it is inside of.
fn constraint(
    reader: &mut Reader<'_>,
    stated: &Term,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Constraint> {
    let node = reader.node(stated, "a constraint")?;
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
    let mut logics = Logic::all().filter(|(name, _)| !reader.values(&node, *name).is_empty());
    let test = match (logics.next(), logics.next()) {
        (None, _) => compare(reader, &node)?,
        (Some((name, logic)), None) => {
            reader.understand(&node, &[rdf::TYPE, odrl::UID, name]);
            reader.check_types(&node, &[odrl::LOGICAL_CONSTRAINT, odrl::CONSTRAINT_CLASS]);
            path.push(node.clone());
            let parts = combined(reader, &node, name, logic, path);
            path.pop();
            Test::Combine(logic, parts?)
        }
        (Some(_), Some(_)) => {
            reader.malformed(
                "a logical constraint has more than one of odrl:and, odrl:or, odrl:xone, odrl:andSequence",
            );
            return None;
        }
    };
    Some(Constraint { node, test })
}

fn combined(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    name: NamedNodeRef<'_>,
    logic: Logic,
    path: &mut Vec<NamedOrBlankNode>,
) -> Option<Vec<Constraint>> {
    let parts = reader.values_or_list(node, name);
    if logic == Logic::AndSequence && reader.values(node, name).len() > 1 {
        reader.malformed("odrl:andSequence needs an RDF list: repeated values have no order");
        return None;
    }
    if parts.is_empty() {
        return None;
    }
    parts
        .iter()
        .map(|part| constraint(reader, part, path))
        .collect()
}

fn compare(reader: &mut Reader<'_>, node: &NamedOrBlankNode) -> Option<Test> {
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
    let (left, name) = reader.compared(node)?;
    let Some(operator) = Operator::named(&name) else {
        reader.unsupported(&name, "it is no operator of the ODRL vocabulary");
        return None;
    };
    let unit = reader.at_most_one(node, odrl::UNIT);
    let status = reader.values_or_list(node, odrl::STATUS).into_iter();
    let status = status.map(|value| Operand::new(value).with_unit(unit.clone()));
    let status = status.collect();
    let right = right(reader, node, operator, unit)?;
    Some(Test::Compare {
        left,
        status,
        operator,
        right,
    })
}

fn right(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    operator: Operator,
    unit: Option<Term>,
) -> Option<Right> {
    let values = reader.values_or_list(node, odrl::RIGHT_OPERAND);
    let reference = reader.at_most_one(node, odrl::RIGHT_OPERAND_REFERENCE);
    match (values.as_slice(), reference) {
        ([], Some(reference)) => {
            let reference = reader.iri(&reference, "odrl:rightOperandReference")?;
            Some(Right::Reference(reference, unit))
        }
        ([], None) | ([_, ..], Some(_)) => {
            reader.malformed(
                "a constraint has either odrl:rightOperand or odrl:rightOperandReference",
            );
            None
        }
        ([_, _, ..], None) if !operator.takes_several() => {
            let (operator, count) = (operator.name(), values.len());
            reader.malformed(format_args!(
                "{operator} compares with one right operand, here are {count}"
            ));
            None
        }
        (_, None) => {
            let values: Option<Vec<_>> = values
                .iter()
                .map(|value| {
                    let value = typed(reader, node, value)?;
                    Some(Operand::new(value).with_unit(unit.clone()))
                })
                .collect();
            values.map(Right::Values)
        }
    }
}

/// The right operand in the datatype that `odrl:dataType` gives to what is written without one.
fn typed(reader: &mut Reader<'_>, node: &NamedOrBlankNode, value: &Term) -> Option<Term> {
    let Some(stated) = reader.at_most_one(node, odrl::DATA_TYPE) else {
        return Some(value.clone());
    };
    let stated = reader.iri(&stated, "odrl:dataType")?;
    match value {
        Term::Literal(literal) if literal.datatype() == stated.as_ref() => Some(value.clone()),
        Term::Literal(literal) if literal.datatype() == xsd::STRING => {
            Some(Literal::new_typed_literal(literal.value(), stated).into())
        }
        other => {
            reader.malformed(format_args!(
                "odrl:dataType says {stated}, the right operand is {other}"
            ));
            None
        }
    }
}
