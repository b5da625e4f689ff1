//! Reads which permissions wait for the glass to be broken, and which prohibitions are never overridden.

use super::operand;
use super::reader::Reader;
use crate::model::operand::Claim;
use crate::model::{Comparison, Constraint, Rule, RuleKind};
use crate::operator::Operator;
use oxrdf::vocab::xsd;
use oxrdf::{NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::tl;

/// Adds to a rule what it says of breaking the glass.
pub(super) fn read(reader: &mut Reader<'_>, node: &NamedOrBlankNode, rule: &mut Rule) {
    let is_glass = flag(reader, node, tl::BREAK_GLASS);
    rule.never_overridden = flag(reader, node, tl::NEVER_OVERRIDDEN);
    let length = reader.at_most_one(node, tl::BREAK_GLASS_FOR);
    match rule.kind {
        RuleKind::Prohibition if is_glass || length.is_some() => {
            reader.unsupported(
                &tl::BREAK_GLASS.into_owned(),
                "only permissions wait for it",
            );
        }
        RuleKind::Permission if rule.never_overridden => {
            let term = tl::NEVER_OVERRIDDEN.into_owned();
            reader.unsupported(&term, "only prohibitions are overridden");
        }
        RuleKind::Permission if is_glass => {
            let Some(length) = length else {
                reader.malformed("tl:breakGlass needs tl:breakGlassFor: how long it lasts");
                return;
            };
            let term = tl::BREAK_GLASS_FOR.into_owned();
            rule.break_glass = operand::duration(reader, node, &length, &term);
            check(reader, rule);
        }
        _ if length.is_some() => {
            let term = tl::BREAK_GLASS_FOR.into_owned();
            reader.unsupported(&term, "it has no effect without tl:breakGlass true");
        }
        _ => {}
    }
    for duty in &rule.duties {
        if rule.break_glass.is_none() && !is_glass && duty.action == tl::REVIEW {
            let term = tl::REVIEW.into_owned();
            reader.unsupported(
                &term,
                "only what was seen by breaking the glass is reviewed",
            );
        }
    }
}

fn check(reader: &mut Reader<'_>, rule: &Rule) {
    let names_incident = rule
        .constraints
        .iter()
        .any(|one| matches!(one, Constraint::Event(Comparison::Equal, _)));
    if !names_incident {
        reader.malformed("tl:breakGlass needs a constraint on odrl:event with odrl:eq: the incidents that it is for");
    }
    let mut duties = rule.duties.iter();
    if !duties.any(|duty| duty.action == tl::REVIEW && !duty.deadlines.is_empty()) {
        reader.malformed("tl:breakGlass needs a duty tl:review with a deadline");
    }
}

/// Whether a property is stated to be true.
pub(super) fn flag(
    reader: &mut Reader<'_>,
    node: &NamedOrBlankNode,
    property: NamedNodeRef<'_>,
) -> bool {
    let Some(term) = reader.at_most_one(node, property) else {
        return false;
    };
    reader.needs_profile(&property.into_owned());
    match &term {
        Term::Literal(literal) if literal.datatype() == xsd::BOOLEAN => {
            match literal.value().parse::<oxsdatatypes::Boolean>() {
                Ok(value) => return bool::from(value),
                Err(_) => reader.malformed(format_args!("{property} is no xsd:boolean: {term}")),
            }
        }
        _ => reader.malformed(format_args!("{property} is true or false, not {term}")),
    }
    false
}

/// Whether a permission holds only on a legal basis that it names.
pub(crate) fn needs_basis(rule: &Rule) -> bool {
    fn names(constraint: &Constraint) -> bool {
        match constraint {
            Constraint::Claim(claim) => is_basis(claim),
            Constraint::And(parts) | Constraint::Sequence(parts) => parts.iter().any(names),
            Constraint::Or(parts) => parts.iter().all(names),
            _ => false,
        }
    }
    rule.conditions().any(names)
}

fn is_basis(claim: &Claim) -> bool {
    claim.left == tl::LEGAL_BASIS
        && matches!(
            claim.operator,
            Operator::Compare(Comparison::Equal)
                | Operator::IsAnyOf
                | Operator::IsAllOf
                | Operator::IsA
        )
}
