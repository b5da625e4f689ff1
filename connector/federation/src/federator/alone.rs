//! Questions that one member can answer alone.

use crate::algebra::{pattern, with_pattern};
use crate::fetch::Fetcher;
use crate::members::{Form, Patience};
use crate::merge::{Relay, nothing};
use spargebra::Query;
use twinlink_core::{Head, Merge, Pushed, Refusal, Step, StepKind};

/// That the one member is to be asked.
pub(super) fn plan_alone(fetcher: &Fetcher<'_>, member: usize, query: &Query) -> Step {
    Step {
        estimate: fetcher.expected_of(query, member),
        at: fetcher
            .members
            .names
            .get(member)
            .cloned()
            .into_iter()
            .collect(),
        requests: u64::from(member > 0),
        pushed: Some(Pushed::Question),
        word: "nobody else can match anything of it".to_owned(),
        ..Step::new(StepKind::Whole, query.to_string())
    }
}

/// Asks the one member for the whole answer.
pub(super) async fn ask_alone(
    query: &Query,
    fetcher: &Fetcher<'_>,
    member: usize,
) -> Result<Box<dyn Merge>, Refusal> {
    let members = fetcher.members;
    let estimate = fetcher.expected_of(query, member);
    let whole = with_pattern(query, pattern(query).clone());
    let form = Form::of(&whole);
    let most = usize::try_from(members.budget.rows()).unwrap_or(usize::MAX - 1);
    let given = members
        .ask_expecting(estimate, member, &whole, &form, Patience::All, most)
        .await?;
    if let Some(given) = &given {
        // A "yes" is something that it gave.
        let yes = usize::from(given.head == Head::Boolean(true));
        let rows = given.rows.solutions.len() + given.rows.triples.len();
        match &given.sources {
            None => members.ledger.rows(member, rows + yes),
            Some(everyone) => {
                // Whose each triple is nobody tells, and whose a truth value is neither.
                let all = everyone.iter().map(|source| (source, rows + yes));
                let all = all.filter(|_| given.rows.solutions.is_empty());
                let by_row = given.rows.solutions.iter();
                let by_row = by_row.flat_map(|row| row.sources.iter().map(|source| (source, 1)));
                for (source, rows) in all.chain(by_row) {
                    members.ledger.rows(usize::from(*source), rows);
                }
            }
        }
    }
    Ok(Box::new(Relay {
        // The list of names is no longer than that.
        member: u16::try_from(member).unwrap_or(u16::MAX),
        given: given.unwrap_or_else(|| nothing(query)),
    }))
}
