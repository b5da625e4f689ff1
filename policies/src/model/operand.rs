//! Left operands that only the caller's claims or the world can tell.

use super::Comparison;
use crate::Truth;
use crate::compare::Operand;
use crate::operator::Operator;
use oxrdf::{NamedNode, NamedNodeRef, Term};
use oxsdatatypes::DayTimeDuration;
use std::collections::{HashMap, HashSet};
use twinlink_vocab::{odrl, tl};

/// A comparison with what the caller states, or with who it is (`odrl:recipient`).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) left: NamedNode,
    /// What it is where the caller does not state it: `odrl:status`.
    pub(crate) status: Vec<Operand>,
    pub(crate) operator: Operator,
    pub(crate) right: Vec<Operand>,
    /// What the document says is a part of what, as far as the operator asks for it.
    pub(crate) wholes: Wholes,
}

/// What is a part of what: each thing with the wholes that it is directly a part of.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Wholes(pub(crate) HashMap<Term, Vec<Term>>);

/// A length of time that earlier use, or a beginning, gives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Period {
    pub(crate) clock: Clock,
    pub(crate) comparison: Comparison,
    pub(crate) length: DayTimeDuration,
}

/// From when, or of what, a length of time is measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Clock {
    /// Since the first use under the rule: `odrl:elapsedTime`.
    SinceFirst,
    /// Since the last: `odrl:timeInterval`.
    SinceLast,
    /// How long all uses took: `odrl:meteredTime`.
    Metered,
    /// Since an instant: `odrl:delayPeriod` after `odrl:dateTime`.
    SinceInstant(oxsdatatypes::DateTime),
    /// Since an incident began: `odrl:delayPeriod` after `odrl:event`.
    SinceEvent(NamedNode),
}

/// Left operands that a caller may state.
const CLAIMS: &[NamedNodeRef<'static>] = &[
    odrl::DELIVERY_CHANNEL,
    odrl::DEVICE,
    odrl::FILE_FORMAT,
    odrl::INDUSTRY,
    odrl::LANGUAGE,
    odrl::MEDIA,
    odrl::PRODUCT,
    odrl::SPATIAL,
    odrl::SYSTEM,
    odrl::SYSTEM_DEVICE,
    odrl::VERSION,
    odrl::VIRTUAL_LOCATION,
    tl::CLEARANCE,
    tl::LEGAL_BASIS,
];

/// Whether a caller can state the left operand.
pub(crate) fn is_claim(left: &NamedNode) -> bool {
    CLAIMS.iter().any(|known| *known == *left)
}

impl Wholes {
    /// Whether the thing is the other, or a part of it. Unknown where nothing is said of what it is a part.
    pub(crate) fn is_part(&self, thing: &Term, whole: &Term) -> Truth {
        let mut seen = HashSet::new();
        let mut open = vec![thing];
        while let Some(next) = open.pop() {
            if next == whole {
                return Truth::True;
            }
            if seen.insert(next) {
                open.extend(self.0.get(next).into_iter().flatten());
            }
        }
        match self.0.contains_key(thing) {
            true => Truth::False,
            false => Truth::Unknown,
        }
    }
}
