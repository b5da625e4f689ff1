//! How a left operand is compared with right operands: <https://www.w3.org/TR/odrl-vocab/#constraintRelationalOperators>.

use crate::Truth;
use crate::compare::Operand;
use crate::model::Comparison;
use oxrdf::{NamedNode, NamedNodeRef, Term};
use twinlink_vocab::odrl;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Compare(Comparison),
    IsA,
    HasPart,
    IsPartOf,
    IsAllOf,
    IsAnyOf,
    IsNoneOf,
}

const OPERATORS: &[(NamedNodeRef<'static>, Operator)] = &[
    (odrl::EQ, Operator::Compare(Comparison::Equal)),
    (odrl::NEQ, Operator::Compare(Comparison::NotEqual)),
    (odrl::LT, Operator::Compare(Comparison::Less)),
    (odrl::LTEQ, Operator::Compare(Comparison::LessOrEqual)),
    (odrl::GT, Operator::Compare(Comparison::Greater)),
    (odrl::GTEQ, Operator::Compare(Comparison::GreaterOrEqual)),
    (odrl::IS_A, Operator::IsA),
    (odrl::HAS_PART, Operator::HasPart),
    (odrl::IS_PART_OF, Operator::IsPartOf),
    (odrl::IS_ALL_OF, Operator::IsAllOf),
    (odrl::IS_ANY_OF, Operator::IsAnyOf),
    (odrl::IS_NONE_OF, Operator::IsNoneOf),
];

impl Operator {
    pub(crate) fn named(name: &NamedNode) -> Option<Self> {
        let line = OPERATORS.iter().find(|(known, _)| *known == *name);
        line.map(|(_, operator)| *operator)
    }

    pub(crate) fn name(self) -> NamedNodeRef<'static> {
        let line = OPERATORS.iter().find(|(_, known)| *known == self);
        line.map_or(odrl::OPERATOR, |(name, _)| *name)
    }

    /// Whether the right operand may have several values.
    pub(crate) fn takes_several(self) -> bool {
        matches!(self, Self::IsAllOf | Self::IsAnyOf | Self::IsNoneOf)
    }

    /// Whether it holds between all that the left operand is and the right operands. Nothing is known of an operand
    /// without values.
    pub(crate) fn holds(
        self,
        left: &[Operand],
        right: &[Operand],
        is_a: impl Fn(&Term, &Term) -> Truth,
        is_part: impl Fn(&Term, &Term) -> Truth,
    ) -> Truth {
        if left.is_empty() || right.is_empty() {
            return Truth::Unknown;
        }
        let equals = |one: &Operand, other: &Operand| one.compare(Comparison::Equal, other);
        let contains = |value: &Operand| Truth::any(left.iter().map(|one| equals(one, value)));
        match self {
            Self::Compare(comparison) => match (left, right) {
                ([left], [right]) => left.compare(comparison, right),
                // A comparison of several values could hold for one and not for another.
                _ => Truth::Unknown,
            },
            Self::IsAnyOf => Truth::any(right.iter().map(contains)),
            Self::IsAllOf => Truth::all(right.iter().map(contains)),
            Self::IsNoneOf => !Truth::any(right.iter().map(contains)),
            Self::IsA => related(left, right, is_a),
            Self::IsPartOf => related(left, right, is_part),
            Self::HasPart => related(left, right, |one, part| is_part(part, one)),
        }
    }
}

fn related(left: &[Operand], right: &[Operand], relation: impl Fn(&Term, &Term) -> Truth) -> Truth {
    Truth::any(left.iter().flat_map(|one| {
        let relation = &relation;
        right
            .iter()
            .map(move |other| relation(&one.term, &other.term))
    }))
}
