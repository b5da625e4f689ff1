//! A world that is only supposed: what incidents go on, and what a caller states, for looking at policies.

use super::term;
use oxrdf::{Literal, NamedNode, Term};
use oxsdatatypes::{DateTime, DayTimeDuration};
use std::collections::BTreeMap;
use twinlink_policy::{Claims, Counter, Incident, PurposeHierarchy, Usage, World};

/// How long before and after the moment of the question a supposed incident lasts, in seconds.
const LASTS: i64 = 3600;

/// Nothing was used, done or left undone; some incidents go on.
#[derive(Debug, Default)]
pub(super) struct Supposed {
    incidents: Vec<Incident>,
    claims: Claims,
}

/// The one incident there is, where one is supposed.
fn id() -> NamedNode {
    NamedNode::new_unchecked("https://example.org/incident")
}

impl Supposed {
    /// An incident of these kinds, and of all that is broader, goes on at a moment: for an hour before and after it.
    pub(super) fn during(
        mut self,
        kinds: &[NamedNode],
        area: Option<String>,
        now: DateTime,
        hierarchy: &PurposeHierarchy,
    ) -> Self {
        let hour = DayTimeDuration::new(LASTS);
        let (Some(begins), Some(ends)) = (
            now.checked_sub_day_time_duration(hour),
            now.checked_add_day_time_duration(hour),
        ) else {
            return self;
        };
        if !kinds.is_empty() {
            self.incidents.push(Incident {
                id: id(),
                kinds: kinds
                    .iter()
                    .flat_map(|kind| hierarchy.kinds(kind))
                    .collect(),
                area,
                begins,
                ends,
                declared_by: NamedNode::new_unchecked("https://example.org/"),
            });
        }
        self
    }

    /// The caller breaks the glass for that incident.
    pub(super) fn breaking_glass(mut self, does: bool) -> Self {
        self.claims.breaks_glass = does.then(id);
        self
    }

    /// The caller's token says these, too.
    pub(super) fn claiming(mut self, values: BTreeMap<NamedNode, Vec<Term>>) -> Self {
        self.claims.values = values;
        self
    }
}

impl World for Supposed {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage::default())
    }

    fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        false
    }

    fn performed(&self, _: &NamedNode, _: &NamedNode) -> Option<DateTime> {
        None
    }

    fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// `OPERAND=VALUE`: a left operand and an IRI, or else a text.
pub(super) fn claim(text: &str) -> Result<(NamedNode, Term), String> {
    let (operand, value) = text
        .split_once('=')
        .ok_or_else(|| format!("is `{text}`, expected OPERAND=VALUE, such as tl:legalBasis=IRI"))?;
    Ok((term(operand)?, self::value(value)))
}

/// An IRI or a name with a prefix, or else a text.
pub(super) fn value(text: &str) -> Term {
    match term(text) {
        Ok(node) => node.into(),
        Err(_) => Literal::from(text).into(),
    }
}
