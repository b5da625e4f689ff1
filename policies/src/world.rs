//! What a decision rests on beside the request: earlier use, declared incidents, duties.

use crate::model::RuleKind;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::time::Duration;

/// Whose use a rule counts: all use of one organisation under one rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Counter {
    /// The policy, by uid.
    pub policy: NamedNode,
    /// Whether the rule is a permission or a prohibition.
    pub kind: RuleKind,
    /// The rule's number among those of its kind, from 1.
    pub rule: usize,
    /// The organisation.
    pub participant: NamedNode,
}

/// Use so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many uses were let begin.
    pub count: u64,
    /// When the first began.
    pub first: Option<DateTime>,
    /// When the last began.
    pub last: Option<DateTime>,
    /// How long answers took, all uses together: `odrl:meteredTime`.
    pub metered: Duration,
}

/// A declared incident: the event that crisis rules wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its IRI.
    pub id: NamedNode,
    /// What it is: classes or events, such as a GRIP level, broader ones included.
    pub kinds: Vec<NamedNode>,
    /// Where: a WKT geometry in CRS84.
    pub area: Option<String>,
    /// From when.
    pub begins: DateTime,
    /// Until when; it never lasts longer, whoever forgets to end it.
    pub ends: DateTime,
    /// Who declared it.
    pub declared_by: NamedNode,
}

/// What is known of the world. Implementations tell a consistent state for as long as they are borrowed.
pub trait World {
    /// Use under a rule so far; none where that cannot be told, which grants nothing.
    fn usage(&self, counter: &Counter) -> Option<Usage>;

    /// Incidents that were declared: past ones too, as long as they are kept, with their end.
    fn incidents(&self) -> &[Incident];

    /// Whether the organisation has left a duty undone past its deadline: it gets no new permit until that is settled.
    fn has_violations(&self, participant: &NamedNode) -> bool;

    /// When a duty, named by the IRI of its action, was last done by the organisation, if ever.
    fn performed(&self, participant: &NamedNode, action: &NamedNode) -> Option<DateTime>;
}

/// A world in which nothing has happened yet and no incident is declared.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewWorld;

impl World for NewWorld {
    fn usage(&self, _: &Counter) -> Option<Usage> {
        Some(Usage::default())
    }

    fn incidents(&self) -> &[Incident] {
        &[]
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        false
    }

    fn performed(&self, _: &NamedNode, _: &NamedNode) -> Option<DateTime> {
        None
    }
}
