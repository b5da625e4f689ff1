//! The model: the merge of all members, and what a query is over a dataset.

use crate::fakes::iri;
use oxrdf::{Dataset, GraphName, Quad};
use spareval::{QueryEvaluator, QueryResults};
use spargebra::Query;
use std::sync::Arc;
use twinlink_core::{DatasetChoice, Head, Solution};
use twinlink_federation::Rows;

/// What the query is over the dataset, as the standard has it: the graphs of FROM are merged to a set.
pub(crate) fn evaluate(
    dataset: &Dataset,
    query: &Query,
    choice: Option<&DatasetChoice>,
) -> Result<(Head, Rows), String> {
    let choice = choice.cloned().or_else(|| {
        query.dataset().map(|dataset| DatasetChoice {
            default_graphs: dataset.default.clone(),
            named_graphs: dataset.named.clone().unwrap_or_default(),
        })
    });
    let mut chosen = dataset.clone();
    let merged = iri("urn:merged");
    // Near enough: whatever is compared is within the other.
    let within = iri("http://www.opengis.net/def/function/geosparql/sfWithin");
    let evaluator = QueryEvaluator::new()
        .with_custom_function(within, |_| Some(oxrdf::Literal::from(true).into()));
    let mut prepared = evaluator.prepare(query);
    if let Some(choice) = choice {
        for quad in dataset {
            if choice
                .default_graphs
                .iter()
                .any(|name| quad.graph_name == name.as_ref().into())
            {
                let mut quad = quad.into_owned();
                quad.graph_name = merged.clone().into();
                chosen.insert(&quad);
            }
        }
        let specification = prepared.dataset_mut();
        specification.set_default_graph(vec![merged.into()]);
        let names = choice.named_graphs.into_iter().map(Into::into);
        specification.set_available_named_graphs(names.collect());
    }
    let results = prepared
        .execute(&chosen)
        .map_err(|error| error.to_string())?;
    let mut rows = Rows::default();
    let head = match results {
        QueryResults::Boolean(value) => Head::Boolean(value),
        QueryResults::Graph(triples) => {
            for triple in triples {
                rows.triples
                    .push(triple.map_err(|error| error.to_string())?);
            }
            Head::Graph
        }
        QueryResults::Solutions(solutions) => {
            let variables = solutions.variables().to_vec();
            for solution in solutions {
                let solution = solution.map_err(|error| error.to_string())?;
                rows.solutions.push(Solution {
                    values: solution.values().to_vec(),
                    sources: Arc::from([0_u16]),
                });
            }
            Head::Solutions(variables)
        }
    };
    Ok((head, rows))
}

/// The merge, with blank nodes apart, named as the federator names them.
pub(crate) fn merge(members: &[Vec<Quad>]) -> Dataset {
    let apart = |blank: &oxrdf::BlankNode, member: usize| {
        oxrdf::BlankNode::new_unchecked(format!("m{member}x{}", blank.as_str()))
    };
    let mut merged = Dataset::new();
    for (member, quads) in members.iter().enumerate() {
        for quad in quads {
            let mut quad = quad.clone();
            if let oxrdf::NamedOrBlankNode::BlankNode(blank) = &quad.subject {
                quad.subject = apart(blank, member).into();
            }
            if let oxrdf::Term::BlankNode(blank) = &quad.object {
                quad.object = apart(blank, member).into();
            }
            if let GraphName::BlankNode(blank) = &quad.graph_name {
                quad.graph_name = apart(blank, member).into();
            }
            merged.insert(&quad);
        }
    }
    merged
}
