//! Reads duties that say how a permission shows what it selects: transforms.

use super::reader::Reader;
use crate::model::treatment::Treatment;
use crate::model::{RuleKind, Target};
use oxrdf::{NamedNode, NamedOrBlankNode, Term};
use twinlink_vocab::odrl;

/// Whether a duty is a transform: its action is one of this profile's.
pub(super) fn is_transform(_reader: &Reader<'_>, _duty: &Term) -> bool {
    false
}

/// All transforms among the duties of a rule.
pub(super) fn treatment(
    reader: &mut Reader<'_>,
    rule: &NamedOrBlankNode,
    _kind: RuleKind,
    _actions: &[NamedNode],
    _targets: &[Target],
) -> Treatment {
    let duties = reader.values(rule, odrl::DUTY);
    let _transforms = duties.iter().filter(|duty| is_transform(reader, duty));
    Treatment::default()
}
