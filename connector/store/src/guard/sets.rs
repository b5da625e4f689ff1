//! The sets of nodes that selectors speak of: found once per snapshot, shared by all guards, whoever asks first.

use super::IdGuard;
use super::upkeep::Change;
use crate::StoreError;
use crate::dictionary::{DEFAULT_GRAPH, Id};
use crate::evaluate::{self, EvaluationOptions};
use crate::id_set::IdSet;
use crate::once::Once;
use crate::run::{IdQuad, Range};
use crate::snapshot::Snapshot;
use crate::spatial::Unevaluable;
use crate::term;
use crate::view::View;
use crate::watch::Watch;
use oxrdf::NamedOrBlankNode;
use oxsdatatypes::DateTime;
use rustc_hash::{FxHashMap, FxHashSet};
use spareval::{QueryDatasetSpecification, QueryEvaluationError, QueryResults};
use std::cmp::Ordering;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twinlink_core::Budget;
use twinlink_policy::{Guard, NodePattern};

/// The most sets of a kind that a snapshot keeps.
const SETS: usize = 256;

/// The sets of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    classes: Cache<Id, IdSet>,
    patterns: Cache<NodePattern, IdSet>,
    times: Cache<Id, Times>,
}

impl Sets {
    /// Those of the snapshot before that a change cannot have altered.
    pub(crate) fn kept(before: &Self, change: &Change<'_>) -> Self {
        let touches = |pattern: &NodePattern| change.touches_pattern(pattern);
        Self {
            classes: before.classes.without(|class| change.touches_class(*class)),
            patterns: before.patterns.without(touches),
            times: before
                .times
                .without(|property| change.touches_property(*property)),
        }
    }

    /// The instances of a class, if they were found already.
    pub(super) fn instances_of(&self, class: Id) -> Option<Arc<IdSet>> {
        self.classes.get(&class)
    }

    /// The nodes of a pattern, if they were found already.
    pub(super) fn nodes_of(&self, pattern: &NodePattern) -> Option<Arc<IdSet>> {
        self.patterns.get(pattern)
    }

    /// Whether the times of a property were found already.
    pub(super) fn has_times_of(&self, property: Id) -> bool {
        self.times.get(&property).is_some()
    }
}

/// When the subjects that have a value of some property were recorded.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// The latest of each; none if one of the values is no time with a zone.
    latest: FxHashMap<Id, Option<DateTime>>,
    /// All that are the latest of a subject, ascending.
    moments: Vec<DateTime>,
}

impl Times {
    fn new(latest: FxHashMap<Id, Option<DateTime>>) -> Self {
        let mut moments: Vec<_> = latest.values().flatten().copied().collect();
        // All have a zone, so each is before or after another.
        moments.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        moments.dedup();
        Self { latest, moments }
    }

    /// Whether the subject was recorded at or before a moment.
    #[inline]
    pub(super) fn is_until(&self, subject: Id, until: DateTime) -> bool {
        let latest = self.latest.get(&subject).copied().flatten();
        latest.is_some_and(|latest| latest <= until)
    }

    /// The first moment until which as much was recorded as until this one.
    fn first_like(&self, until: DateTime) -> DateTime {
        let before = self.moments.partition_point(|moment| *moment <= until);
        let last = before
            .checked_sub(1)
            .and_then(|last| self.moments.get(last));
        // Until then nothing was: whatever is recorded is after `until`.
        last.copied().unwrap_or(DateTime::MIN)
    }
}

#[derive(Debug)]
struct Cache<K, T>(Mutex<FxHashMap<K, Arc<Once<Arc<T>>>>>);

impl<K, T> Default for Cache<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, T> Cache<K, T> {
    fn get(&self, key: &K) -> Option<Arc<T>> {
        self.known().get(key)?.get()
    }

    /// What is found already, without some.
    fn without(&self, mut is_touched: impl FnMut(&K) -> bool) -> Self {
        let known = self.known();
        let kept = known
            .iter()
            .filter(|(key, once)| once.get().is_some() && !is_touched(key))
            .map(|(key, once)| (key.clone(), Arc::clone(once)));
        Self(Mutex::new(kept.collect()))
    }

    fn known(&self) -> MutexGuard<'_, FxHashMap<K, Arc<Once<Arc<T>>>>> {
        // A poisoned cache is still a right cache: entries are whole before they go in.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_or_make(
        &self,
        key: &K,
        budget: &Budget,
        make: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let once = {
            let mut known = self.known();
            if known.len() >= SETS && !known.contains_key(key) {
                known.clear();
            }
            Arc::clone(known.entry(key.clone()).or_default())
        };
        once.get_or_make(budget, || make().map(Arc::new))
    }
}

impl Snapshot {
    /// The subjects of `rdf:type class` in any graph, visible or not.
    pub(super) fn instances(&self, class: Id, budget: &Budget) -> Result<Arc<IdSet>, StoreError> {
        self.sets.classes.get_or_make(&class, budget, || {
            let Some(rdf_type) = self.dictionary.id(oxrdf::vocab::rdf::TYPE.into()) else {
                return Ok(IdSet::new(FxHashSet::default()));
            };
            let mut ids = FxHashSet::default();
            self.each(Some(rdf_type), Some(class), budget, |[_, s, ..]| {
                ids.insert(s);
            })?;
            Ok(IdSet::new(ids))
        })
    }

    /// The nodes of a pattern that are terms of the snapshot.
    pub(super) fn nodes(
        &self,
        pattern: &NodePattern,
        budget: &Budget,
    ) -> Result<Arc<IdSet>, StoreError> {
        self.sets.patterns.get_or_make(pattern, budget, || {
            let nodes = nodes(self, pattern, budget)?;
            tracing::debug!(nodes = nodes.len(), "evaluated a pattern of a policy");
            Ok(nodes)
        })
    }

    /// When the subjects that have a value of the property were recorded.
    pub(super) fn times(&self, property: Id, budget: &Budget) -> Result<Arc<Times>, StoreError> {
        self.sets.times.get_or_make(&property, budget, || {
            let mut times: FxHashMap<Id, Option<DateTime>> = FxHashMap::default();
            self.each(Some(property), None, budget, |[_, s, _, o]| {
                let time = self.dictionary.text(o).and_then(term::zoned_time);
                times
                    .entry(s)
                    .and_modify(|latest| {
                        *latest = latest.zip(time).map(|(a, b)| if a >= b { a } else { b });
                    })
                    .or_insert(time);
            })?;
            Ok(Times::new(times))
        })
    }

    /// A guard that shows the same here, and is the same for as long as time alone does not show more or less.
    ///
    /// # Errors
    /// As [`Snapshot::times`].
    pub(crate) fn settled(&self, guard: &Guard, budget: &Budget) -> Result<Guard, StoreError> {
        let mut known = FxHashMap::default();
        for recorded in guard.selectors().filter_map(|one| one.recorded.as_ref()) {
            let property = self.dictionary.id(recorded.property.as_ref().into());
            let times = property.map(|property| self.times(property, budget));
            known.insert(recorded.property.clone(), times.transpose()?);
        }
        let guard = guard.clone();
        if known.is_empty() {
            return Ok(guard);
        }
        Ok(guard.with_moments(|recorded| {
            let times = known.get(&recorded.property).and_then(Option::as_ref);
            times.map_or(DateTime::MIN, |times| times.first_like(recorded.until))
        }))
    }

    /// Calls `each` with the quads of a predicate and object in any graph, visible or not.
    fn each(
        &self,
        predicate: Option<Id>,
        object: Option<Id>,
        budget: &Budget,
        mut each: impl FnMut(IdQuad),
    ) -> Result<(), StoreError> {
        let watch = Watch::new(budget);
        let ranges = [
            Range::in_graph(DEFAULT_GRAPH, None, predicate, object),
            Range::in_named(None, predicate, object),
        ];
        for quad in ranges.iter().flat_map(|range| self.index.rows(range)) {
            watch.step()?;
            each(quad);
        }
        Ok(())
    }
}

// INVARIANT(patterns-fail-closed): a pattern whose evaluation errs, or is cut short, gives an error and never a part.
fn nodes(snapshot: &Snapshot, pattern: &NodePattern, budget: &Budget) -> Result<IdSet, StoreError> {
    // A pattern of a policy calls nobody: these options have no handler of SERVICE.
    let options = EvaluationOptions::default();
    let (query, calls_functions) = evaluate::bounded(pattern.query(), &options)
        .map_err(|refusal| StoreError::Pattern(refusal.to_string()))?;
    let view = View::new(snapshot, Arc::new(IdGuard::everything()), budget)
        .merging_all()
        .unwinding();
    let health = view.health();
    health.look()?;
    let mut specification = QueryDatasetSpecification::new();
    specification.set_default_graph_as_union();
    let graphs = snapshot.index.named_graphs().into_iter();
    specification.set_available_named_graphs(
        graphs
            .filter_map(|graph| term::node(snapshot.term(graph)?))
            .collect::<Vec<NamedOrBlankNode>>(),
    );
    let evaluator = options.evaluator(&health, &Unevaluable::default(), calls_functions);
    let fault = |error: QueryEvaluationError| match health.check() {
        Err(error) => error,
        Ok(()) => StoreError::Pattern(error.to_string()),
    };
    let ids = evaluate::stoppable(&health, || {
        let mut prepared = evaluator.prepare(&query);
        *prepared.dataset_mut() = specification;
        let QueryResults::Solutions(solutions) = prepared.execute(view).map_err(fault)? else {
            return Err(StoreError::Pattern("it is no SELECT".to_owned()));
        };
        let mut ids = FxHashSet::default();
        for solution in solutions {
            let solution = solution.map_err(fault)?;
            if let Some(node) = solution.get("this") {
                ids.extend(snapshot.dictionary.id(node.as_ref()));
            }
        }
        Ok(ids)
    })?;
    health.check()?;
    Ok(IdSet::new(ids))
}
