//! Oxigraph's own engine over its own store.

use super::{Engine, Question};
use crate::answer::{Answer, Table};
use oxigraph::sparql::{
    DefaultServiceHandler, QueryEvaluationError, QueryResults, QuerySolutionIter, ServiceHandler,
    SparqlEvaluator,
};
use oxigraph::store::Store;
use oxiri::Iri;
use oxrdf::{Graph, NamedNode, Quad};
use spargebra::Query;
use spargebra::algebra::GraphPattern;
use std::sync::Arc;

/// The yardstick: a case that fails here too says nothing about us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference;

/// An endpoint that a SERVICE clause names, without a network between.
#[derive(Clone)]
pub(crate) struct Endpoint {
    store: Store,
    /// All endpoints, by name: one may ask another.
    all: Arc<[(NamedNode, Store)]>,
}

impl Engine for Reference {
    fn check_query(&self, text: &str, base: &str) -> Result<(), String> {
        evaluator(base)?.parse_query(text).map(drop).map_err(word)
    }

    fn check_update(&self, text: &str, base: &str) -> Result<(), String> {
        evaluator(base)?.parse_update(text).map(drop).map_err(word)
    }

    fn query(&self, question: &Question) -> Result<Answer, String> {
        let mut evaluator = evaluator(&question.base)?.with_default_service_handler(Nowhere);
        for (name, endpoint) in Endpoint::all(question)? {
            evaluator = evaluator.with_service_handler(name, endpoint);
        }
        let store = store(&question.data)?;
        let query = evaluator.parse_query(&question.text).map_err(word)?;
        collect(query.on_store(&store).execute().map_err(word)?)
    }

    fn update(&self, text: &str, base: &str, data: &[Quad]) -> Result<Vec<Quad>, String> {
        let store = store(data)?;
        let update = evaluator(base)?.parse_update(text).map_err(word)?;
        update.on_store(&store).execute().map_err(word)?;
        store.iter().collect::<Result<_, _>>().map_err(word)
    }
}

impl Endpoint {
    /// The endpoints that a question may name.
    pub(crate) fn all(question: &Question) -> Result<Vec<(NamedNode, Self)>, String> {
        let services = question.services.iter();
        let all: Arc<[(NamedNode, Store)]> = services
            .map(|(name, quads)| Ok((name.clone(), store(quads)?)))
            .collect::<Result<_, String>>()?;
        let endpoint = |(name, store): &(NamedNode, Store)| {
            let (store, all) = (store.clone(), Arc::clone(&all));
            (name.clone(), Self { store, all })
        };
        Ok(all.iter().map(endpoint).collect())
    }
}

/// What every other name leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nowhere;

impl DefaultServiceHandler for Nowhere {
    type Error = QueryEvaluationError;

    fn handle(
        &self,
        name: &NamedNode,
        _: &GraphPattern,
        _: Option<&Iri<String>>,
    ) -> Result<QuerySolutionIter<'static>, Self::Error> {
        let error = format!("there is no endpoint {name}");
        Err(QueryEvaluationError::Service(error.into()))
    }
}

impl ServiceHandler for Endpoint {
    type Error = QueryEvaluationError;

    fn handle(
        &self,
        pattern: &GraphPattern,
        base: Option<&Iri<String>>,
    ) -> Result<QuerySolutionIter<'static>, Self::Error> {
        let query = Query::Select {
            dataset: None,
            pattern: pattern.clone(),
            base_iri: base.cloned(),
        };
        let mut evaluator = SparqlEvaluator::new();
        for (name, store) in self.all.iter() {
            let (store, all) = (store.clone(), Arc::clone(&self.all));
            evaluator = evaluator.with_service_handler(name.clone(), Self { store, all });
        }
        let prepared = evaluator.for_query(query);
        match prepared.on_store(&self.store).execute()? {
            QueryResults::Solutions(solutions) => Ok(solutions),
            _ => Err(QueryEvaluationError::Service(
                "a SELECT query gave no solutions".into(),
            )),
        }
    }
}

fn evaluator(base: &str) -> Result<SparqlEvaluator, String> {
    SparqlEvaluator::new().with_base_iri(base).map_err(word)
}

fn store(quads: &[Quad]) -> Result<Store, String> {
    let store = Store::new().map_err(word)?;
    store.extend(quads.iter().cloned()).map_err(word)?;
    Ok(store)
}

/// Takes an answer in.
pub(crate) fn collect(results: QueryResults<'_>) -> Result<Answer, String> {
    Ok(match results {
        QueryResults::Boolean(value) => Answer::Boolean(value),
        QueryResults::Graph(triples) => {
            let triples: Result<Graph, _> = triples.collect();
            Answer::Graph(triples.map_err(word)?)
        }
        QueryResults::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            let rows = solutions
                .map(|row| row.map(|row| row.values().to_vec()))
                .collect::<Result<_, _>>()
                .map_err(word)?;
            Answer::Table(Table {
                variables,
                rows,
                ordered: false,
            })
        }
    })
}

fn word(error: impl ToString) -> String {
    error.to_string()
}
