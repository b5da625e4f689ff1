//! What an endpoint can do, as it was found to: by cheap questions whose answers are known, asked again now and then.

use super::{Member, NO_GRAPH};
use oxrdf::NamedNode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use twinlink_client::{Dataset, EndpointRows, Error};
use twinlink_federation::{SubQuery, SubQueryForm, Unanswered};

/// For how long it is believed that it can.
const BELIEVED: Duration = Duration::from_secs(3600);

/// For how long it is believed that it cannot, the first time; doubled each time that it is found so again.
const DOUBTED: Duration = Duration::from_secs(60);

/// Is true, by VALUES and by the conditions that are sent to endpoints.
const TEST: &str = "ASK { VALUES ?x { 1 } FILTER(?x IN (1, 2) && CONTAINS(\"ab\", \"b\") && STRSTARTS(\"ab\", \"a\") && STRENDS(\"ab\", \"b\") && REGEX(STR(?x), \"1\") && !ISIRI(?x)) }";
/// As [`TEST`], of VALUES alone.
const VALUES: &str = "ASK { VALUES ?x { 1 } FILTER(?x = 1) }";
/// As [`TEST`], of the conditions alone.
const CONDITIONS: &str = "ASK { FILTER(1 IN (1, 2) && CONTAINS(\"ab\", \"b\") && STRSTARTS(\"ab\", \"a\") && STRENDS(\"ab\", \"b\") && REGEX(STR(1), \"1\") && !ISIRI(1)) }";
/// Are false of a dataset of one graph that is not there, with no named graph.
const DEFAULT: &str = "ASK { ?s ?p ?o }";
const NAMED: &str = "ASK { GRAPH ?g { ?s ?p ?o } }";

/// What one endpoint can do.
#[derive(Debug, Default)]
pub(super) struct Abilities {
    /// EXISTS as a value: else it is asked pattern by pattern.
    pub(super) exists: Ability,
    /// VALUES.
    pub(super) values: Ability,
    /// The conditions that came with SPARQL 1.1.
    pub(super) conditions: Ability,
    /// Whether a dataset that is chosen is the one whose default graph it asks,
    default_graph: Ability,
    /// and whose named graphs.
    named_graphs: Ability,
}

/// One thing that it can do or not.
#[derive(Debug, Default)]
pub(super) struct Ability(Mutex<Option<Found>>);

#[derive(Debug, Clone, Copy)]
struct Found {
    is_there: bool,
    at: Instant,
    believed: Duration,
}

impl Ability {
    /// Whether it was found not to be there.
    pub(super) fn is_lacking(&self) -> bool {
        self.found().is_some_and(|found| !found.is_there)
    }

    /// Whether it is to be found out, or found out again.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.found()
            .is_none_or(|found| now.saturating_duration_since(found.at) >= found.believed)
    }

    pub(super) fn find(&self, is_there: bool, now: Instant) {
        let mut kept = self.found();
        let before = kept.filter(|found| !found.is_there);
        let believed = match (is_there, before) {
            (true, _) => BELIEVED,
            (false, None) => DOUBTED,
            // Those that asked at the same time found out together.
            (false, Some(before)) if now.saturating_duration_since(before.at) < before.believed => {
                before.believed
            }
            (false, Some(before)) => before.believed.saturating_mul(2).min(BELIEVED),
        };
        *kept = Some(Found {
            is_there,
            at: now,
            believed,
        });
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        // One value: it is whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Finds out what conditions and values it takes, where that is due. Where it does not answer, nothing is found.
    pub(super) async fn try_out(&self, question: &SubQuery) {
        let Abilities {
            values, conditions, ..
        } = &*self.abilities;
        let now = Instant::now();
        if !values.is_due(now) && !conditions.is_due(now) {
            return;
        }
        if self.says(TEST, None, question).await.is_ok_and(|is| is) {
            values.find(true, now);
            conditions.find(true, now);
            return;
        }
        for (ability, test) in [(values, VALUES), (conditions, CONDITIONS)] {
            match self.says(test, None, question).await {
                Ok(is_there) => ability.find(is_there, now),
                Err(error) if is_inability(&error) => ability.find(false, now),
                Err(_) => {}
            }
        }
    }

    /// Makes sure that it asks the dataset that is chosen, and not its own instead without a word.
    // INVARIANT(dataset-or-nothing): an endpoint that pays no heed to the graphs that are chosen is not asked about them.
    pub(super) async fn heeds(
        &self,
        dataset: Option<&Dataset>,
        question: &SubQuery,
    ) -> Result<(), Unanswered> {
        if dataset.is_none() {
            return Ok(());
        }
        let no_graph = Dataset {
            default_graphs: vec![NamedNode::new_unchecked(NO_GRAPH)],
            named_graphs: Vec::new(),
        };
        let Abilities {
            default_graph,
            named_graphs,
            ..
        } = &*self.abilities;
        // A text that only speaks of graphs in a literal costs a question more.
        let has_graphs = question.query.contains("GRAPH");
        let named = has_graphs.then_some((named_graphs, NAMED));
        for (ability, test) in [(default_graph, DEFAULT)].into_iter().chain(named) {
            let now = Instant::now();
            if ability.is_due(now) {
                match self.says(test, Some(&no_graph), question).await {
                    Ok(is_found) => ability.find(!is_found, now),
                    // It does not pass over what it does not take.
                    Err(Error::Invalid(_)) => ability.find(true, now),
                    Err(error) => return Err(self.unanswered(error)),
                }
            }
            if ability.is_lacking() {
                return Err(Unanswered::NotEvaluable {
                    reason: "it pays no heed to which of its graphs are asked".to_owned(),
                });
            }
        }
        Ok(())
    }

    async fn says(
        &self,
        test: &str,
        dataset: Option<&Dataset>,
        question: &SubQuery,
    ) -> Result<bool, Error> {
        let answer = self.send_about(test, dataset, &SubQueryForm::Boolean, question);
        match answer.await?.rows {
            EndpointRows::Boolean(value) => Ok(value),
            _ => Err(Error::Nonsense("no truth value".to_owned())),
        }
    }
}

/// Whether it is there and cannot do it.
pub(super) fn is_inability(error: &Error) -> bool {
    matches!(
        error,
        Error::Invalid(_) | Error::Failed(_) | Error::Nonsense(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_found_out_again() {
        let ability = Ability::default();
        let mut now = Instant::now();
        assert!(ability.is_due(now) && !ability.is_lacking());
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            ability.find(false, now);
            // Nor does who found out at the same time make it longer.
            ability.find(false, now);
            assert!(ability.is_lacking());
            let later = now + Duration::from_secs(minutes * 60);
            assert!(!ability.is_due(later - Duration::from_secs(1)));
            assert!(ability.is_due(later), "{minutes}");
            now = later;
        }
        ability.find(true, now);
        assert!(!ability.is_lacking() && !ability.is_due(now));
        assert!(ability.is_due(now + BELIEVED));
        // A fault of a moment is forgotten in a minute again.
        ability.find(false, now);
        assert!(ability.is_due(now + DOUBTED));
    }
}
