//! The last step: the query over what was fetched, or the rows of the one member that answered alone.

use crate::algebra::{columns, pattern, with_pattern};
use crate::members::Given;
use crate::scratch::{Scratch, term_apart, triple_apart};
use crate::source::{Distinct, Labels, trace};
use oxrdf::{GraphName, NamedNode, Quad};
use rustc_hash::FxHashMap;
use spargebra::Query;
use spargebra::algebra::QueryDataset;
use std::sync::Arc;
use twinlink_core::{
    Budget, Code, DatasetChoice, Evaluated, Head, Merge, Piece, Refusal, Sink, Solution, Workbench,
};

/// Rows put at once.
const PIECE: usize = 512;

/// Evaluates the query over the scratch dataset.
pub(crate) struct OverScratch {
    pub(crate) workbench: Arc<dyn Workbench>,
    pub(crate) scratch: Scratch,
    pub(crate) query: Query,
    pub(crate) dataset: Option<DatasetChoice>,
}

/// Hands on what one member answered to the whole query.
pub(crate) struct Relay {
    pub(crate) member: u16,
    pub(crate) given: Given,
}

impl Merge for OverScratch {
    fn run(self: Box<Self>, budget: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal> {
        let everyone = self.scratch.members();
        let sets = self.scratch.sets().to_vec();
        // The chosen dataset was applied by the members: what is here is its default graph and its named graphs.
        let traced = trace(&self.query, &self.scratch, self.dataset.as_ref());
        let columns = traced.as_ref().map(|traced| traced.columns);
        let is_distinct = traced.as_ref().is_some_and(|traced| traced.is_distinct);
        let (query, quads) = match traced {
            Some(traced) => {
                let quads = traced.dataset(self.scratch);
                (traced.query, quads)
            }
            None => in_dataset(self.scratch, &self.query, self.dataset),
        };
        let mut labels = Labels {
            sink,
            columns,
            sets,
            everyone,
            unions: FxHashMap::default(),
            distinct: is_distinct.then(|| Distinct::new(budget.rows())),
            rows: 0,
        };
        let evaluated = self
            .workbench
            .evaluate_over(quads, &query, budget, &mut labels)?;
        labels.finish()?;
        Ok(Evaluated {
            rows: if columns.is_some() {
                labels.rows
            } else {
                evaluated.rows
            },
            ..evaluated
        })
    }
}

/// With a chosen dataset, its default graph gets a name, so that its list of named graphs can be said too: those
/// count even where they are empty.
pub(crate) fn in_dataset(
    scratch: Scratch,
    query: &Query,
    dataset: Option<DatasetChoice>,
) -> (Query, Vec<Quad>) {
    let quads = scratch.into_quads().map(|(quad, _)| quad);
    let mut query = with_pattern(query, pattern(query).clone());
    let Some(choice) = dataset else {
        return (query, quads.collect());
    };
    let merged = NamedNode::new_unchecked("urn:x-twinlink:merged");
    let quads = quads
        .map(|quad| match quad.graph_name {
            GraphName::DefaultGraph => Quad {
                graph_name: merged.clone().into(),
                ..quad
            },
            _ => quad,
        })
        .collect();
    let specified = Some(QueryDataset {
        default: vec![merged],
        named: Some(choice.named_graphs),
    });
    match &mut query {
        Query::Select { dataset, .. }
        | Query::Construct { dataset, .. }
        | Query::Describe { dataset, .. }
        | Query::Ask { dataset, .. } => *dataset = specified,
    }
    (query, quads)
}

impl Merge for Relay {
    fn run(self: Box<Self>, budget: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal> {
        let Self { member, given } = *self;
        let rows = match &given.head {
            Head::Boolean(_) => 1,
            _ => given.rows.solutions.len() + given.rows.triples.len(),
        };
        sink.put(Piece::Head(given.head))?;
        let own: Arc<[u16]> = Arc::from([member]);
        let is_told = given.sources.is_some();
        let mut solutions = given.rows.solutions.into_iter().map(|row| Solution {
            values: row
                .values
                .into_iter()
                .map(|value| value.map(|term| term_apart(term, member)))
                .collect(),
            sources: if is_told {
                row.sources
            } else {
                Arc::clone(&own)
            },
        });
        in_pieces(&mut solutions, budget, |rows| {
            sink.put(Piece::Solutions(rows))
        })?;
        let mut triples = given
            .rows
            .triples
            .into_iter()
            .map(|triple| triple_apart(triple, member));
        in_pieces(&mut triples, budget, |rows| sink.put(Piece::Triples(rows)))?;
        Ok(Evaluated {
            rows: rows as u64,
            not_evaluable: 0,
            as_of: None,
        })
    }
}

fn in_pieces<T>(
    rows: &mut impl Iterator<Item = T>,
    budget: &Budget,
    mut put: impl FnMut(Vec<T>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    loop {
        let piece: Vec<T> = rows.take(PIECE).collect();
        if piece.is_empty() {
            return Ok(());
        }
        if budget.is_cancelled() {
            return Err(Refusal::new(Code::Timeout, "deadline", "the deadline passed").open());
        }
        put(piece)?;
    }
}

/// The answer of a member that gave none: no rows.
pub(crate) fn nothing(query: &Query) -> Given {
    Given {
        head: match query {
            Query::Select { pattern, .. } => Head::Solutions(columns(pattern)),
            Query::Ask { .. } => Head::Boolean(false),
            Query::Construct { .. } | Query::Describe { .. } => Head::Graph,
        },
        rows: crate::peers::Rows::default(),
        sources: None,
    }
}
