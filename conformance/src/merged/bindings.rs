//! Whether a peer was told only what it may be told: of each value in what it was asked somebody lets it know.

use super::model::Model;
use crate::members::{Member, participant};
use crate::noninterference::names_of;
use oxrdf::{NamedNode, Term};
use spargebra::{Query, SparqlParser};
use std::collections::HashSet;

/// To whom the caller may tell what each member shows.
pub(super) type Recipients = Vec<Vec<NamedNode>>;

/// How many questions had values that their peer does not show itself, and that the caller did not say.
///
/// # Errors
/// A value that only those show who do not let this peer know.
pub(super) fn check(
    query: &Query,
    asked: &[(usize, String)],
    shown: &[HashSet<Term>],
    recipients: &Recipients,
) -> Result<usize, String> {
    let said = query.to_string();
    let mut told = 0;
    for (peer, text) in asked {
        let question = SparqlParser::new().parse_query(text);
        let question = question.map_err(|error| error.to_string())?;
        let mut has_news = false;
        for name in names_of(&question) {
            if said.contains(&name.to_string()) {
                continue;
            }
            let shows = |member: &usize| shown.get(*member).is_some_and(|of| of.contains(&name));
            let holders: Vec<_> = (0..shown.len()).filter(shows).collect();
            let may_tell = |holder: &usize| {
                let to = recipients.get(*holder);
                holder == peer || to.is_some_and(|to| to.contains(&participant(*peer)))
            };
            if !holders.is_empty() && !holders.iter().any(may_tell) {
                return Err(format!(
                    "member {peer} was told {name}, of {holders:?}: {text}"
                ));
            }
            has_news |= !holders.is_empty() && !holders.contains(peer);
        }
        told += usize::from(has_news);
    }
    Ok(told)
}

/// What each member shows by itself.
pub(super) fn shown(members: &[Member], over: impl Fn(&[Member]) -> Model) -> Vec<HashSet<Term>> {
    let one = |number: usize| {
        let alone: Vec<_> = members
            .iter()
            .enumerate()
            .map(|(other, member)| Member {
                store: member.store.clone(),
                permit: member.permit.clone().filter(|_| other == number),
            })
            .collect();
        over(&alone).terms()
    };
    (0..members.len()).map(one).collect()
}
