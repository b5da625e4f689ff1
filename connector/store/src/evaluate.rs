//! Queries over a guarded view, in pieces into a sink.

use crate::algebra::{ALIVE, BRIEF, Bounded, LONG, SHORT};
use crate::dataset::Choice;
use crate::guard::{GuardOptions, Names, PseudonymKey};
use crate::spatial::{self, Unevaluable};
use crate::{Health, Snapshot, StoreError, TwinStore};
use oxrdf::{Literal, NamedNode, Quad, Term};
use spareval::{
    DefaultServiceHandler, QueryEvaluationError, QueryEvaluator, QueryResults, ServiceHandler,
};
use spargebra::Query;
use spargebra::algebra::GraphPattern;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use twinlink_core::{
    Budget, Code, DatasetChoice, Evaluated, Head, Piece, Refusal, Sink, Solution, Sources, Twin,
    Workbench,
};
use twinlink_policy::{Guard, Permit};

/// Rows in the first piece: the first rows should not wait for many others.
const FIRST_BATCH: usize = 32;
/// Rows in every other piece.
const BATCH: usize = 512;

/// The most bytes of the text and the pattern of REPLACE, and of what it puts in: the result is as long as their product.
const REPLACED_BYTES: usize = 16 << 10;
const REPLACEMENT_BYTES: usize = 1 << 10;
/// The most bytes of a text that others are joined to.
const JOINED_BYTES: usize = 8 << 20;

/// How queries are evaluated beyond what every store does.
#[derive(Clone, Default)]
pub struct EvaluationOptions {
    evaluator: QueryEvaluator,
    services: bool,
    pub(crate) guard: Arc<GuardOptions>,
}

/// Evaluates over quads that belong to no store. The whole of them is visible.
#[derive(Debug, Clone, Default)]
pub struct QuadWorkbench {
    options: EvaluationOptions,
}

impl EvaluationOptions {
    /// Answers `SERVICE <name>` with the handler. Without any handler, queries with `SERVICE` are refused.
    #[must_use]
    pub fn with_service_handler(
        mut self,
        name: NamedNode,
        handler: impl ServiceHandler + 'static,
    ) -> Self {
        self.evaluator = self.evaluator.with_service_handler(name, handler);
        self.services = true;
        self
    }

    /// Answers every `SERVICE` that has no handler of its own.
    #[must_use]
    pub fn with_default_service_handler(
        mut self,
        handler: impl DefaultServiceHandler + 'static,
    ) -> Self {
        self.evaluator = self.evaluator.with_default_service_handler(handler);
        self.services = true;
        self
    }

    /// Makes the pseudonyms that policies ask for with this secret. Without one, such policies show nothing.
    ///
    /// Who has the secret can find out by trying who is meant, so keep it as safe as a signing key; with another secret
    /// everybody has other pseudonyms.
    #[must_use]
    pub fn with_pseudonym_key(mut self, secret: &[u8; 32]) -> Self {
        self.guard = Arc::new(GuardOptions {
            key: Some(PseudonymKey::new(secret)),
            ..(*self.guard).clone()
        });
        self
    }

    /// Refuses policies that change more quads than this before they show them: they are kept in memory. Else 5 million.
    #[must_use]
    pub fn with_most_transformed(mut self, quads: usize) -> Self {
        self.guard = Arc::new(GuardOptions {
            overlay_quads: quads,
            ..(*self.guard).clone()
        });
        self
    }

    /// Finds what policies show anew after every change, whatever the change was: to compare with what is kept over it.
    #[must_use]
    pub fn without_upkeep(mut self) -> Self {
        self.guard = Arc::new(GuardOptions {
            keeps: false,
            ..(*self.guard).clone()
        });
        self
    }

    /// The pattern with places to stop. Refuses one with `SERVICE` where there is no handler: nothing of a query may
    /// leave by this way.
    pub(crate) fn bound(&self, pattern: &GraphPattern) -> Result<Bounded, Refusal> {
        let bounded = Bounded::new(pattern);
        if bounded.calls_service && !self.services {
            return Err(Refusal::about_input(
                "sparql.service",
                "SERVICE is not supported: ask for a federated answer instead, which asks the peers by itself",
            ));
        }
        Ok(bounded)
    }

    /// An evaluator for one request, with functions beside SPARQL's own where it calls any.
    pub(crate) fn evaluator(
        &self,
        health: &Health,
        unevaluable: &Unevaluable,
        calls_functions: bool,
    ) -> QueryEvaluator {
        if !calls_functions {
            return self.evaluator.clone();
        }
        let truth = Term::from(Literal::from(true));
        let most = |bytes: usize| {
            let health = health.clone();
            move |arguments: &[Term]| match arguments {
                [Term::Literal(literal)] if literal.value().len() > bytes => {
                    health.fail(StoreError::Terms(bytes));
                    None
                }
                [argument] => Some(argument.clone()),
                _ => None,
            }
        };
        let evaluator = self
            .evaluator
            .clone()
            .with_custom_function(ALIVE.into_owned(), move |_| Some(truth.clone()))
            .with_custom_function(SHORT.into_owned(), most(REPLACED_BYTES))
            .with_custom_function(BRIEF.into_owned(), most(REPLACEMENT_BYTES))
            .with_custom_function(LONG.into_owned(), most(JOINED_BYTES));
        spatial::register(evaluator, unevaluable)
    }
}

impl std::fmt::Debug for EvaluationOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvaluationOptions")
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl QuadWorkbench {
    /// A workbench with these options.
    pub fn new(options: EvaluationOptions) -> Self {
        Self { options }
    }
}

impl Workbench for QuadWorkbench {
    fn evaluate_over(
        &self,
        quads: Vec<Quad>,
        query: &Query,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        let snapshot = Snapshot::of(&quads)?;
        drop(quads);
        // What was gathered counts for as long as it is evaluated over.
        let mut gathered = budget.reserve();
        gathered
            .resize(snapshot.bytes())
            .map_err(StoreError::Together)?;
        evaluate(
            &snapshot,
            query,
            None,
            &Guard::everything(),
            &self.options,
            budget,
            sink,
        )
    }
}

impl Workbench for TwinStore {
    fn evaluate_over(
        &self,
        quads: Vec<Quad>,
        query: &Query,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        QuadWorkbench::new(self.options.clone()).evaluate_over(quads, query, budget, sink)
    }
}

impl TwinStore {
    /// Evaluates a query over what the guard shows of the newest snapshot.
    ///
    /// # Errors
    /// As [`Twin::evaluate`].
    pub fn query(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        guard: &Guard,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        evaluate(
            &self.snapshot(),
            query,
            dataset,
            guard,
            &self.options,
            budget,
            sink,
        )
    }
}

impl Twin for TwinStore {
    fn version(&self) -> Option<Arc<str>> {
        self.snapshot().version()
    }

    fn evaluate(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        permit: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        self.query(query, dataset, permit.guard(), budget, sink)
    }

    fn attempt(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        permit: &Permit,
        budget: &Budget,
        sink: &mut dyn Sink,
    ) -> Result<Evaluated, Refusal> {
        // The budget has steps: nothing below blocks on what others make then.
        self.query(query, dataset, permit.guard(), budget, sink)
    }

    fn change(
        &self,
        change: &twinlink_core::Change,
        read: Option<&Permit>,
        modify: &Permit,
        budget: &Budget,
    ) -> Result<twinlink_core::Applied, Refusal> {
        self.apply(change, read.map(Permit::guard), modify.guard(), budget)
    }
}

/// Evaluates a query over what the guard shows of a snapshot.
fn evaluate(
    snapshot: &Snapshot,
    query: &Query,
    dataset: Option<&DatasetChoice>,
    guard: &Guard,
    options: &EvaluationOptions,
    budget: &Budget,
    sink: &mut dyn Sink,
) -> Result<Evaluated, Refusal> {
    let names = Names::of_query(query);
    let (query, calls_functions) = bounded(query, options)?;
    let choice = Choice::new(dataset, query.dataset());
    let view = snapshot.view_for(guard, &names, budget)?;
    let view = choice.seen_in(view).unwinding();
    let health = view.health();
    health.look()?;
    let unevaluable = Unevaluable::default();
    let evaluator = options.evaluator(&health, &unevaluable, calls_functions);
    let rows = stoppable(&health, || {
        let mut prepared = evaluator.prepare(&query);
        *prepared.dataset_mut() = choice.specification();
        let results = prepared
            .execute(view)
            .map_err(|error| refusal(&health, error))?;
        put(results, &health, sink)
    })?;
    Ok(Evaluated {
        rows,
        not_evaluable: unevaluable.count(),
        as_of: snapshot.time(),
    })
}

/// Catches what unwinds an evaluation that is to stop; other panics go on.
pub(crate) fn stoppable<T, E: From<StoreError>>(
    health: &Health,
    evaluation: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(evaluation)).unwrap_or_else(|panic| {
        // Whatever broke while an evaluation was being stopped is no news.
        health.check()?;
        resume_unwind(panic)
    })
}

/// The query with places to stop, and whether it calls functions beside SPARQL's own.
pub(crate) fn bounded(
    query: &Query,
    options: &EvaluationOptions,
) -> Result<(Query, bool), Refusal> {
    let mut query = query.clone();
    let (Query::Select { pattern, .. }
    | Query::Construct { pattern, .. }
    | Query::Describe { pattern, .. }
    | Query::Ask { pattern, .. }) = &mut query;
    let bounded = options.bound(pattern)?;
    *pattern = bounded.pattern;
    Ok((query, bounded.calls_functions))
}

fn put(results: QueryResults<'_>, health: &Health, sink: &mut dyn Sink) -> Result<u64, Refusal> {
    match results {
        QueryResults::Boolean(value) => {
            health.check()?;
            sink.put(Piece::Head(Head::Boolean(value)))?;
            Ok(1)
        }
        QueryResults::Solutions(solutions) => {
            sink.put(Piece::Head(Head::Solutions(solutions.variables().to_vec())))?;
            let ourselves: Sources = Arc::new([0]);
            let rows = solutions.map(|row| {
                row.map(|row| Solution {
                    values: row.values().to_vec(),
                    sources: Arc::clone(&ourselves),
                })
            });
            put_all(rows, Piece::Solutions, health, sink)
        }
        QueryResults::Graph(triples) => {
            sink.put(Piece::Head(Head::Graph))?;
            put_all(triples, Piece::Triples, health, sink)
        }
    }
}

/// Checks the health before every piece: an error inside EXISTS or an expression does not end the evaluation, and
/// rows that rest on it must not leave.
fn put_all<T>(
    items: impl Iterator<Item = Result<T, QueryEvaluationError>>,
    piece: impl Fn(Vec<T>) -> Piece,
    health: &Health,
    sink: &mut dyn Sink,
) -> Result<u64, Refusal> {
    let mut rows = 0;
    let mut batch = Vec::with_capacity(FIRST_BATCH);
    let mut size = FIRST_BATCH;
    for item in items {
        batch.push(item.map_err(|error| refusal(health, error))?);
        if batch.len() >= size {
            health.look()?;
            rows += batch.len() as u64;
            size = BATCH;
            let full = piece(std::mem::replace(&mut batch, Vec::with_capacity(size)));
            health.hand_over(full.bytes());
            sink.put(full)?;
        }
    }
    health.check()?;
    if !batch.is_empty() {
        rows += batch.len() as u64;
        sink.put(piece(batch))?;
    }
    Ok(rows)
}

/// What the evaluator's error is to the one who asked.
pub(crate) fn refusal(health: &Health, error: QueryEvaluationError) -> Refusal {
    if let Err(error) = health.check() {
        return error.into();
    }
    match error {
        QueryEvaluationError::Dataset(error) => match error.downcast::<StoreError>() {
            Ok(error) => (*error).into(),
            Err(error) => Refusal::new(Code::Internal, "evaluation", error),
        },
        QueryEvaluationError::UnsupportedCustomFunction(_)
        | QueryEvaluationError::UnsupportedCustomFunctionArity { .. } => {
            Refusal::about_input("sparql.function", error)
        }
        QueryEvaluationError::UnboundService
        | QueryEvaluationError::InvalidServiceName(_)
        | QueryEvaluationError::UnsupportedService(_) => {
            Refusal::new(Code::Invalid, "sparql.service", error)
        }
        QueryEvaluationError::Service(error) => {
            Refusal::new(Code::Unavailable, "sparql.service", error)
        }
        error => Refusal::new(Code::Internal, "evaluation", error),
    }
}
