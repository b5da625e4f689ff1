//! Reads refinements, of assets and of actions: <https://www.w3.org/TR/odrl-model/#constraint-refinement>.

use super::reader::Reader;
use crate::model::sentence::short;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{Literal, NamedNode, NamedNodeRef, Term};
use oxsdatatypes::Decimal;
use std::str::FromStr;
use twinlink_vocab::{odrl, tl};

/// One refinement, as written.
pub(super) struct Refinement {
    pub(super) left: NamedNode,
    operator: NamedNode,
    values: Vec<Term>,
}

impl Refinement {
    pub(super) fn read(reader: &mut Reader<'_>, term: &Term) -> Option<Self> {
        let node = reader.node(term, "odrl:refinement")?;
        reader.understand(
            &node,
            &[
                rdf::TYPE,
                odrl::UID,
                odrl::LEFT_OPERAND,
                odrl::OPERATOR,
                odrl::RIGHT_OPERAND,
            ],
        );
        reader.check_types(&node, &[odrl::CONSTRAINT_CLASS]);
        let (left, operator) = reader.compared(&node)?;
        let values = reader.values_or_list(&node, odrl::RIGHT_OPERAND);
        Some(Self {
            left,
            operator,
            values,
        })
    }

    pub(super) fn is_with(&self, operator: NamedNodeRef<'_>) -> bool {
        self.operator == operator
    }

    /// The right operands of `odrl:eq`, one, or of `odrl:isAnyOf`.
    pub(super) fn any_of(&self, reader: &mut Reader<'_>) -> Option<&[Term]> {
        match self.operator.as_ref() {
            odrl::EQ => self.one_of(reader).map(std::slice::from_ref),
            odrl::IS_ANY_OF => self.some(reader),
            _ => self.other_operator(reader, "odrl:eq or odrl:isAnyOf"),
        }
    }

    /// The right operands of `odrl:eq`, one, or of `odrl:isAllOf`.
    pub(super) fn all_of(&self, reader: &mut Reader<'_>) -> Option<&[Term]> {
        match self.operator.as_ref() {
            odrl::EQ => self.one_of(reader).map(std::slice::from_ref),
            odrl::IS_ALL_OF => self.some(reader),
            _ => self.other_operator(reader, "odrl:eq or odrl:isAllOf"),
        }
    }

    /// The right operand of one operator.
    pub(super) fn one(&self, reader: &mut Reader<'_>, operator: NamedNode) -> Option<&Term> {
        if self.operator != operator {
            return self.other_operator(reader, &operator.to_string());
        }
        self.one_of(reader)
    }

    /// The right operand of `odrl:eq`, an IRI.
    pub(super) fn iri(&self, reader: &mut Reader<'_>) -> Option<NamedNode> {
        let value = self.one(reader, odrl::EQ.into_owned())?;
        reader.iri(value, &self.left)
    }

    /// The right operand of `odrl:eq`, a string.
    pub(super) fn text(&self, reader: &mut Reader<'_>) -> Option<String> {
        let literal = self.literal(reader, odrl::EQ.into_owned())?;
        if literal.datatype() == xsd::STRING {
            return Some(literal.value().to_owned());
        }
        self.not(reader, "a string")
    }

    /// The right operand of `odrl:eq`, a number above zero.
    pub(super) fn positive(&self, reader: &mut Reader<'_>) -> Option<Decimal> {
        let literal = self.literal(reader, odrl::EQ.into_owned())?;
        let is_number = [xsd::INTEGER, xsd::DECIMAL].contains(&literal.datatype());
        let number = Decimal::from_str(literal.value()).ok();
        match number.filter(|number| is_number && *number > Decimal::default()) {
            Some(number) => Some(number),
            None => self.not(reader, "a number above 0, xsd:integer or xsd:decimal"),
        }
    }

    /// The right operand of an operator, a whole number of at least `least`.
    pub(super) fn whole(
        &self,
        reader: &mut Reader<'_>,
        operator: NamedNode,
        least: u32,
    ) -> Option<u32> {
        let literal = self.literal(reader, operator)?;
        let is_number = literal.datatype() == xsd::INTEGER;
        let number = literal.value().parse().ok();
        match number.filter(|number| is_number && *number >= least) {
            Some(number) => Some(number),
            None => self.not(reader, &format!("an xsd:integer of {least} or more")),
        }
    }

    fn literal(&self, reader: &mut Reader<'_>, operator: NamedNode) -> Option<Literal> {
        match self.one(reader, operator)? {
            Term::Literal(literal) => Some(literal.clone()),
            _ => self.not(reader, "a literal"),
        }
    }

    /// Which nodes it is about, where it is about nodes.
    pub(super) fn words(&self) -> Option<String> {
        let word = match self.left.as_ref() {
            tl::SHAPE => "of shape",
            tl::PATTERN => "of the pattern",
            tl::AREA => "in the area",
            _ => return None,
        };
        let values: Vec<_> = self.values.iter().map(shortened).collect();
        Some(format!("{word} {}", values.join(" or ")))
    }

    /// Says that the left operand is compared with something else.
    pub(super) fn not<T>(&self, reader: &mut Reader<'_>, what: &str) -> Option<T> {
        let values: Vec<_> = self.values.iter().map(ToString::to_string).collect();
        reader.malformed(format_args!(
            "{} is compared with {what}, not with {}",
            self.left,
            values.join(", ")
        ));
        None
    }

    /// Says that the left operand is known, and not with this operator.
    pub(super) fn other_operator<T>(&self, reader: &mut Reader<'_>, with: &str) -> Option<T> {
        let advice = format!("refinements by {} use {with}", self.left);
        reader.unsupported(&self.operator, advice);
        None
    }

    fn one_of(&self, reader: &mut Reader<'_>) -> Option<&Term> {
        match self.values.as_slice() {
            [value] => Some(value),
            values => {
                self.number(reader, values.len());
                None
            }
        }
    }

    fn some(&self, reader: &mut Reader<'_>) -> Option<&[Term]> {
        if self.values.is_empty() {
            self.number(reader, 0);
            return None;
        }
        Some(&self.values)
    }

    fn number(&self, reader: &mut Reader<'_>, number: usize) {
        reader.malformed(format_args!(
            "{} with {} has {number} right operands",
            self.left, self.operator
        ));
    }
}

/// A right operand, to read rather than to use.
fn shortened(term: &Term) -> String {
    const MOST: usize = 240;
    let text = match term {
        Term::NamedNode(name) => short(name),
        Term::BlankNode(_) => return "that the policy describes".to_owned(),
        Term::Literal(literal) => {
            let words: Vec<_> = literal.value().split_whitespace().collect();
            words.join(" ")
        }
        #[allow(unreachable_patterns, reason = "a feature of oxrdf adds triple terms")]
        _ => String::new(),
    };
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} ...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
