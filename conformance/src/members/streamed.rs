//! As questions are asked that require nothing of sources: rows may leave as they come.

use super::{Kept, Member, RealTime, STACK, Told, Town, budget, conditions, delegation, word};
use futures::executor::block_on;
use spargebra::Query;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use twinlink_core::{
    Code, Federation as _, Gathered, Refusal, Requirement, Sink as _, Told as Ended, Workers,
};
use twinlink_federation::FederationLimits;

/// Asks the first of the members, which asks the others; and whether rows left as they came.
///
/// # Errors
/// A refusal, in words.
pub(crate) fn stream(
    members: &[Member],
    query: &Query,
    limits: FederationLimits,
) -> Result<(Told, bool), String> {
    let (clock, threads) = (Arc::new(RealTime), Arc::new(Threads));
    let town = Town::with_workers(members, limits, true, clock, threads, |others| others)?;
    let (budget, delegation) = (budget(), delegation());
    let conditions = conditions(Requirement::default(), None);
    let gathered =
        town.federator
            .stream(query, None, &town.permit, &delegation, &budget, &conditions);
    let mut kept = Kept::default();
    let (ended, is_streamed) = match block_on(gathered).map_err(word)? {
        Gathered::Held(harvest) => {
            harvest.merge.run(&budget, &mut kept).map_err(word)?;
            let ended = Ended {
                sources: harvest.sources,
                unsure: harvest.unsure,
                explanation: harvest.explanation,
            };
            (ended, false)
        }
        Gathered::Streamed(mut rows) => {
            while let Some(piece) = block_on(rows.next()).map_err(word)? {
                kept.put(piece).map_err(word)?;
            }
            (rows.told(), true)
        }
    };
    let sources = kept.rows.solutions.iter().map(|row| &row.sources);
    let told = Told {
        row_sources: sources
            .map(|sources| sources.iter().map(|source| usize::from(*source)).collect())
            .collect(),
        states: ended.sources.iter().map(|source| source.state).collect(),
        sources: ended.sources,
        unsure: ended.unsure,
        answer: kept.answer()?,
        requests: town.others.requests.load(Ordering::Relaxed),
        probes: town.others.probes.load(Ordering::Relaxed),
        summaries: town.others.summaries.load(Ordering::Relaxed),
        summary_bytes: town.others.bytes.load(Ordering::Relaxed),
    };
    Ok((told, is_streamed))
}

/// A thread for each job: whoever puts rows may wait for whoever reads them.
struct Threads;

impl Workers for Threads {
    fn run(&self, job: Box<dyn FnOnce() + Send>) -> Result<(), Refusal> {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(job);
        let made = thread.map(drop);
        made.map_err(|error| Refusal::new(Code::Exhausted, "threads", error))
    }
}
