//! Brokers: members that are asked together with their own members, whose answers say whose each row is.

use crate::members::{Given, Members};
use crate::peers::{Rows, SubAnswer};
use oxrdf::NamedNode;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use twinlink_core::{Head, Solution, Sources};

impl Members<'_> {
    /// Whether a member is asked together with its own peers.
    pub(crate) fn is_broker(&self, member: usize) -> bool {
        let peer = self.names.get(member).filter(|_| member > 0);
        peer.is_some_and(|peer| self.peers.traits(peer).is_broker)
    }

    /// Whom a broker is to leave out: all that are asked here, or were left out by who asked us.
    pub(crate) fn left_out_by(&self, member: usize) -> Option<Vec<NamedNode>> {
        if !self.is_broker(member) {
            return None;
        }
        let broker = self.names.get(member);
        let ours = self.names.iter().filter(|name| Some(*name) != broker);
        let theirs = self.delegation.left_out.iter();
        Some(ours.chain(theirs).cloned().collect())
    }

    /// Takes in what a broker says of the members that it asked, and counts the sources of its rows as we do; gives
    /// all that gave something. None where it speaks of a member that is asked here, or of rows of nobody.
    pub(crate) fn take_beyond(&self, member: usize, answer: &mut SubAnswer) -> Option<Sources> {
        let own = u16::try_from(member).ok()?;
        let mut numbers = vec![own];
        for status in &answer.beyond {
            let number = self.ledger.beyond(member, &status.participant)?;
            let number = u16::try_from(number).ok()?;
            self.ledger.says(number.into(), status);
            self.ledger.took(number.into(), status.elapsed);
            numbers.push(number);
        }
        let gave = answer.beyond.iter().zip(numbers.iter().skip(1));
        let gave = gave.filter(|(status, _)| status.rows > 0);
        let mut everyone: Vec<u16> = gave.map(|(_, number)| *number).collect();
        if everyone.is_empty() || answer.status.rows > 0 {
            everyone.insert(0, own);
        }
        let everyone: Sources = everyone.into();
        for row in &mut answer.rows.solutions {
            let sources = row.sources.iter();
            let sources: Option<Vec<u16>> = sources
                .map(|source| numbers.get(usize::from(*source)).copied())
                .collect();
            row.sources = match sources {
                None => return None,
                Some(sources) if sources.is_empty() => Arc::clone(&everyone),
                Some(mut sources) => {
                    sources.sort_unstable();
                    sources.dedup();
                    sources.into()
                }
            };
        }
        Some(everyone)
    }
}

impl Given {
    /// The answer in parts, each of the rows that rest on the same members.
    pub(crate) fn by_sources(self, member: usize) -> Vec<(Sources, Self)> {
        let own = || u16::try_from(member).map_or_else(|_| Arc::from([]), |own| Arc::from([own]));
        if self.sources.is_none() || !matches!(self.head, Head::Solutions(_)) {
            let sources = self.sources.clone().unwrap_or_else(own);
            return vec![(sources, self)];
        }
        let mut parts: FxHashMap<Sources, Vec<Solution>> = FxHashMap::default();
        for row in self.rows.solutions {
            parts.entry(Arc::clone(&row.sources)).or_default().push(row);
        }
        let part = |(sources, solutions)| {
            let rows = Rows {
                solutions,
                ..Rows::default()
            };
            let (head, none) = (self.head.clone(), None);
            (
                sources,
                Self {
                    head,
                    rows,
                    sources: none,
                },
            )
        };
        parts.into_iter().map(part).collect()
    }
}
