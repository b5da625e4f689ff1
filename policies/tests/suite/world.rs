//! A world to decide in: what was used, what happened, what was done.

use crate::support::ex;
use oxrdf::{NamedNode, Term};
use oxsdatatypes::DateTime;
use std::collections::BTreeMap;
use twinlink_policy::{Claims, Counter, Incident, Usage, World};

#[derive(Default)]
pub(crate) struct State {
    pub(crate) usage: BTreeMap<(String, usize), Usage>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) performed: BTreeMap<NamedNode, DateTime>,
    pub(crate) has_violations: bool,
    pub(crate) claims: Claims,
}

impl World for State {
    fn usage(&self, counter: &Counter) -> Option<Usage> {
        let key = (counter.kind.to_string(), counter.rule);
        Some(self.usage.get(&key).copied().unwrap_or_default())
    }

    fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn has_violations(&self, _: &NamedNode) -> bool {
        self.has_violations
    }

    fn performed(&self, _: &NamedNode, action: &NamedNode) -> Option<DateTime> {
        self.performed.get(action).copied()
    }

    fn claims(&self) -> &Claims {
        &self.claims
    }
}

pub(crate) fn at(hour: u32) -> DateTime {
    format!("2026-11-20T{hour:02}:00:00Z").parse().unwrap()
}

/// `ex:leak`, a `tl:`-less `ex:Grip3`, between two hours.
pub(crate) fn incident(begins: u32, ends: u32) -> State {
    State {
        incidents: vec![Incident {
            id: ex("leak"),
            kinds: vec![ex("Grip3"), ex("Grip")],
            area: None,
            begins: at(begins),
            ends: at(ends),
            declared_by: ex("city"),
        }],
        ..State::default()
    }
}

pub(crate) fn used(count: u64, first: Option<u32>, last: Option<u32>) -> State {
    let usage = Usage {
        count,
        first: first.map(at),
        last: last.map(at),
        ..Usage::default()
    };
    State {
        usage: BTreeMap::from([(("permission".to_owned(), 1), usage)]),
        ..State::default()
    }
}

pub(crate) fn stating(left: NamedNode, value: impl Into<Term>) -> State {
    State {
        claims: Claims {
            breaks_glass: None,
            values: BTreeMap::from([(left, vec![value.into()])]),
        },
        ..State::default()
    }
}

impl State {
    pub(crate) fn breaking(mut self) -> Self {
        self.claims.breaks_glass = Some(ex("leak"));
        self
    }
}
