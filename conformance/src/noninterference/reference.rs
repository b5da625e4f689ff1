//! What an answer and a change should be: oxigraph's own store over a copy without what is withheld.

use super::model::{Key, Model, materialise};
use super::question::{Dataset, Question, names};
use crate::answer::Answer;
use crate::engine::collect;
use oxigraph::sparql::SparqlEvaluator;
use oxigraph::store::Store;
use oxrdf::{GraphName, Quad, Term, Variable};
use spareval::{QueryEvaluator, QueryResults};
use spargebra::algebra::QueryDataset;
use spargebra::{GraphUpdateOperation, Query, SparqlParser, Update};
use spargeo::GEOSPARQL_EXTENSION_FUNCTIONS;
use std::collections::HashSet;
use twinlink_core::policy::Guard;
use twinlink_core::{Change, DatasetChoice};

/// What a change should do.
#[derive(Debug)]
pub(super) struct Changed {
    /// All quads afterwards, hidden ones too.
    pub(super) state: Vec<Quad>,
    /// Quads that came into sight.
    pub(super) inserted: u64,
    /// Quads that went out of sight.
    pub(super) removed: u64,
    /// Whether the graphs written to held nothing visible before.
    pub(super) created: bool,
    /// Whether, as the caller sees it, there was anything to do.
    pub(super) touched: bool,
}

/// Why a change should not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Not all of it is permitted.
    Forbidden,
    /// A graph to be created is there.
    Conflict,
}

/// Oxigraph's evaluator, with GeoSPARQL's functions.
pub(super) fn evaluator() -> SparqlEvaluator {
    let functions = GEOSPARQL_EXTENSION_FUNCTIONS.iter();
    functions.fold(SparqlEvaluator::new(), |evaluator, (name, function)| {
        evaluator.with_custom_function((*name).into_owned(), *function)
    })
}

/// The same, for any dataset.
pub(super) fn query_evaluator() -> QueryEvaluator {
    let functions = GEOSPARQL_EXTENSION_FUNCTIONS.iter();
    functions.fold(QueryEvaluator::new(), |evaluator, (name, function)| {
        evaluator.with_custom_function((*name).into_owned(), *function)
    })
}

/// A store of just these quads.
pub(super) fn store(quads: &[Quad]) -> Result<Store, String> {
    let store = Store::new().map_err(word)?;
    store.extend(quads.iter().cloned()).map_err(word)?;
    Ok(store)
}

/// The values of `?this` in an answer over these quads, each graph by its name and the union of all as the default graph.
pub(super) fn nodes(query: &Query, quads: &[Quad]) -> Result<HashSet<Term>, String> {
    let store = store(quads)?;
    for quad in quads {
        let mut merged = quad.clone();
        merged.graph_name = GraphName::DefaultGraph;
        store.insert(&merged).map_err(word)?;
    }
    let query = evaluator().for_query(query.clone()).on_store(&store);
    let QueryResults::Solutions(solutions) = query.execute().map_err(word)? else {
        return Err("a pattern is no SELECT".to_owned());
    };
    let this = Variable::new_unchecked("this");
    let mut nodes = HashSet::new();
    for solution in solutions {
        nodes.extend(solution.map_err(word)?.get(&this).cloned());
    }
    Ok(nodes)
}

/// The answer over a copy that holds what is visible. Without its page: all rows.
pub(super) fn answer(
    copy: &Store,
    visible: &[Quad],
    question: &Question,
) -> Result<Answer, String> {
    let chosen = match &question.dataset {
        Some(dataset) => self::chosen(visible, dataset)?,
        None => copy.clone(),
    };
    let query = evaluator()
        .parse_query(&question.plain_text())
        .map_err(word)?;
    collect(query.on_store(&chosen).execute().map_err(word)?)
}

/// The dataset that FROM and FROM NAMED describe, as a store of its own: the default graph is the RDF merge of some
/// graphs, and the named graphs are the others, empty or not. <https://www.w3.org/TR/sparql11-query/#rdfDataset>
fn chosen(quads: &[Quad], dataset: &Dataset) -> Result<Store, String> {
    let store = Store::new().map_err(word)?;
    for name in &dataset.named {
        store.insert_named_graph(name).map_err(word)?;
    }
    for quad in quads {
        let GraphName::NamedNode(name) = &quad.graph_name else {
            continue;
        };
        if dataset.named.contains(name) {
            store.insert(quad).map_err(word)?;
        }
        if dataset.default.contains(name) {
            let mut merged = quad.clone();
            merged.graph_name = GraphName::DefaultGraph;
            store.insert(&merged).map_err(word)?;
        }
    }
    Ok(store)
}

/// What the change should do to this state.
pub(super) fn change(
    (read, modify, key): (&Guard, &Guard, Key),
    state: &[Quad],
    change: &Change,
) -> Result<Result<Changed, Refused>, String> {
    let mut course = Course {
        read,
        modify,
        key,
        names: HashSet::new(),
        changed: Changed {
            state: state.to_vec(),
            inserted: 0,
            removed: 0,
            created: false,
            touched: false,
        },
    };
    let outcome = match change {
        Change::Update { update, using, .. } => course.update(update, using.as_ref())?,
        Change::Insert(new) => {
            let seen = course.seen()?;
            let graphs: HashSet<_> = new.iter().map(|quad| &quad.graph_name).collect();
            course.changed.created =
                !new.is_empty() && !seen.iter().any(|quad| graphs.contains(&quad.graph_name));
            course.step(&seen, seen.iter().chain(new).cloned().collect())?
        }
        Change::Replace(graph, new) => course.replace(graph, new)?,
        Change::Clear(graph) => {
            let outcome = course.replace(graph, &[])?;
            course.changed.created = false;
            outcome
        }
    };
    Ok(outcome.map(|()| course.changed))
}

/// A change on its way, one operation after another.
struct Course<'a> {
    read: &'a Guard,
    modify: &'a Guard,
    key: Key,
    /// What the operation names.
    names: HashSet<Term>,
    changed: Changed,
}

impl Course<'_> {
    fn seen(&self) -> Result<Vec<Quad>, String> {
        materialise(&self.changed.state, self.read, &self.names, self.key)
    }

    /// How many of the quads the guard covers, should they be there.
    fn covered(&self, guard: &Guard, quads: &HashSet<Quad>) -> Result<usize, String> {
        let data: Vec<_> = quads.iter().cloned().collect();
        let model = Model {
            data: &data,
            whole: &self.changed.state,
            names: &self.names,
            key: self.key,
        };
        Ok(model.shown(guard)?.len())
    }

    fn replace(&mut self, graph: &GraphName, new: &[Quad]) -> Result<Result<(), Refused>, String> {
        let seen = self.seen()?;
        let kept = seen.iter().filter(|quad| quad.graph_name != *graph);
        let after: HashSet<_> = kept.chain(new).cloned().collect();
        self.changed.created = !seen.iter().any(|quad| quad.graph_name == *graph);
        self.step(&seen, after)
    }

    fn update(
        &mut self,
        text: &str,
        using: Option<&DatasetChoice>,
    ) -> Result<Result<(), Refused>, String> {
        let update = SparqlParser::new().parse_update(text).map_err(word)?;
        for mut operation in update.operations {
            self.names.clear();
            match &mut operation {
                // Empty graphs are not recorded, so nobody can miss one.
                GraphUpdateOperation::Clear { silent, .. }
                | GraphUpdateOperation::Drop { silent, .. } => *silent = true,
                GraphUpdateOperation::Load { silent: true, .. } => continue,
                GraphUpdateOperation::DeleteInsert {
                    using: own,
                    pattern,
                    ..
                } => {
                    self.names = names::of_pattern(pattern);
                    if let Some(using) = using {
                        *own = Some(QueryDataset {
                            default: using.default_graphs.clone(),
                            named: Some(using.named_graphs.clone()),
                        });
                    }
                }
                _ => {}
            }
            let is_create = matches!(operation, GraphUpdateOperation::Create { .. });
            let seen = self.seen()?;
            let copy = store(&seen)?;
            let one = Update {
                base_iri: None,
                operations: vec![operation],
            };
            let done = evaluator().for_update(one).on_store(&copy);
            match done.execute() {
                Ok(()) => {}
                Err(_) if is_create => return Ok(Err(Refused::Conflict)),
                Err(error) => return Err(word(error)),
            }
            let after = copy.iter().collect::<Result<_, _>>().map_err(word)?;
            if let Err(refused) = self.step(&seen, after)? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }

    /// What was done to the copy is done to the whole, if it may be: what is added or removed must be permitted before,
    /// and what is added also after. What is seen changed, or in numbers only, is not there to be removed.
    fn step(&mut self, seen: &[Quad], after: HashSet<Quad>) -> Result<Result<(), Refused>, String> {
        let before: HashSet<_> = seen.iter().cloned().collect();
        let added: HashSet<_> = after.difference(&before).cloned().collect();
        let removed: HashSet<_> = before.difference(&after).cloned().collect();
        let plain = self.read.as_it_is();
        let both: HashSet<_> = added.union(&removed).cloned().collect();
        if self.covered(&plain, &removed)? < removed.len()
            || removed
                .iter()
                .any(|quad| !self.changed.state.contains(quad))
            || self.covered(self.modify, &both)? < both.len()
        {
            return Ok(Err(Refused::Forbidden));
        }
        let state: HashSet<_> = self.changed.state.drain(..).collect();
        let mut state: HashSet<_> = state.difference(&removed).cloned().collect();
        state.extend(added.iter().cloned());
        self.changed.state = state.into_iter().collect();
        if self.covered(self.modify, &added)? < added.len() {
            return Ok(Err(Refused::Forbidden));
        }
        let seen = self.seen()?;
        self.changed.inserted += seen.iter().filter(|quad| added.contains(quad)).count() as u64;
        self.changed.removed += removed.len() as u64;
        self.changed.touched |= !added.is_empty() || !removed.is_empty();
        Ok(Ok(()))
    }
}

fn word(error: impl ToString) -> String {
    error.to_string()
}
