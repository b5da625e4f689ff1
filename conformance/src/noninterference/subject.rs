//! What is tested: the twin store, with the guards that the policies give.

use super::question::{Dataset, Question};
use super::scene::{self, Scene};
use crate::answer::Answer;
use crate::engine::Collector;
use spargebra::{Query, SparqlParser};
use std::time::{Duration, Instant};
use twinlink_core::policy::Guard;
use twinlink_core::{Applied, Budget, Change, DatasetChoice, Refusal};
use twinlink_store::TwinStore;

/// The longest that one case may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine under test. Faulty ones take another way here or there.
pub(super) trait Subject: Sync {
    /// The policies that it takes for published.
    fn published(&self, scene: &Scene) -> Vec<scene::Policy> {
        scene.policies.clone()
    }

    /// The guard that it takes another for.
    fn guard(&self, guard: &Guard) -> Guard {
        guard.clone()
    }

    /// Answers a query.
    fn answer(
        &self,
        twin: &TwinStore,
        guard: &Guard,
        question: &Question,
    ) -> Result<Answer, String>;

    /// Makes a change.
    fn change(
        &self,
        twin: &TwinStore,
        read: Option<&Guard>,
        modify: &Guard,
        change: &Change,
    ) -> Result<Applied, Refusal>;
}

/// The engine as it is.
#[derive(Debug)]
pub(super) struct Engine;

impl Subject for Engine {
    fn answer(
        &self,
        twin: &TwinStore,
        guard: &Guard,
        question: &Question,
    ) -> Result<Answer, String> {
        let query = parse(question)?;
        let choice = choice(question.dataset.as_ref());
        let mut collected = Collector::default();
        let evaluated = twin
            .query(&query, choice.as_ref(), guard, &budget(), &mut collected)
            .map_err(|refusal| refusal.to_string())?;
        if evaluated.rows != collected.rows() {
            return Err(format!(
                "{} rows are told and {} were put",
                evaluated.rows,
                collected.rows()
            ));
        }
        collected.answer()
    }

    fn change(
        &self,
        twin: &TwinStore,
        read: Option<&Guard>,
        modify: &Guard,
        change: &Change,
    ) -> Result<Applied, Refusal> {
        twin.apply(change, read, modify, &budget())
    }
}

pub(super) fn parse(question: &Question) -> Result<Query, String> {
    let query = SparqlParser::new().parse_query(&question.text());
    query.map_err(|error| error.to_string())
}

/// The dataset, where the protocol says it.
pub(super) fn choice(dataset: Option<&Dataset>) -> Option<DatasetChoice> {
    dataset
        .filter(|dataset| dataset.by_protocol)
        .map(|dataset| DatasetChoice {
            default_graphs: dataset.default.clone(),
            named_graphs: dataset.named.clone(),
        })
}

pub(super) fn budget() -> Budget {
    Budget::new(Instant::now() + PATIENCE, 10_000_000)
}
