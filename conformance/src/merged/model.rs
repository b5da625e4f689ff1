//! The model: what each member shows by the meaning of its guard, merged by the meaning of RDF, and one evaluation.

use super::world::World;
use crate::answer::{Answer, Table};
use crate::members::{Member, participant};
use oxrdf::vocab::rdf;
use oxrdf::{
    BlankNode, Dataset, GraphName, GraphNameRef, NamedNode, NamedOrBlankNode, Quad, QuadRef, Term,
    TermRef,
};
use spareval::{QueryEvaluator, QueryResults};
use spargebra::Query;
use std::collections::HashSet;
use twinlink_core::policy::{Guard, Selector};

/// The merge of what the members show.
pub(crate) struct Model {
    merged: Dataset,
    /// How many quads they do not show.
    pub(super) withheld: usize,
}

impl Model {
    pub(crate) fn new(world: &World, members: &[Member]) -> Self {
        let mut merged = Dataset::new();
        let mut withheld = 0;
        for (number, (quads, member)) in world.members.iter().zip(members).enumerate() {
            let Some(permit) = &member.permit else {
                withheld += quads.len();
                continue;
            };
            for quad in quads {
                if shows(permit.guard(), quad, quads) {
                    merged.insert(&apart(quad, number));
                } else {
                    withheld += 1;
                }
            }
        }
        Self { merged, withheld }
    }

    /// The merge of what the members show, as it is.
    pub(super) fn of(members: &[Vec<Quad>], withheld: usize) -> Self {
        let mut merged = Dataset::new();
        for (number, quads) in members.iter().enumerate() {
            for quad in quads {
                merged.insert(&apart(quad, number));
            }
        }
        Self { merged, withheld }
    }

    /// The same, with what each member that answers has in its default graph as a graph of its name.
    pub(crate) fn with_endpoints(world: &World, members: &[Member]) -> Self {
        let mut model = Self::new(world, members);
        for (number, (quads, member)) in world.members.iter().zip(members).enumerate() {
            let quads = quads
                .iter()
                .filter(|quad| quad.graph_name.is_default_graph());
            for quad in quads.filter(|_| member.permit.is_some()) {
                // Blank nodes of an answer to SERVICE are no others.
                let mut quad = named_apart(quad, &format!("c{number}x"));
                quad.graph_name = participant(number).into();
                model.merged.insert(&quad);
            }
        }
        model
    }

    /// Its terms.
    pub(super) fn terms(&self) -> HashSet<Term> {
        let quads = self.merged.iter().map(QuadRef::into_owned);
        let terms = quads.flat_map(|quad| {
            let graph = match quad.graph_name {
                GraphName::NamedNode(name) => Some(name.into()),
                GraphName::BlankNode(_) | GraphName::DefaultGraph => None,
            };
            let ends = [quad.subject.into(), quad.predicate.into(), quad.object];
            ends.into_iter().chain(graph)
        });
        terms.collect()
    }

    /// What the query is over the merge. The graphs of FROM are merged to a set:
    /// <https://www.w3.org/TR/sparql11-query/#unnamedGraph>.
    pub(crate) fn evaluate(&self, query: &Query) -> Result<Answer, String> {
        let mut data = self.merged.clone();
        let evaluator = QueryEvaluator::new();
        let mut prepared = evaluator.prepare(query);
        if let Some(chosen) = query.dataset() {
            let default = NamedNode::new_unchecked("urn:default");
            for name in &chosen.default {
                let graph = GraphNameRef::from(name);
                for quad in self.merged.quads_for_graph_name(graph) {
                    let graph_name = default.clone().into();
                    data.insert(&Quad {
                        graph_name,
                        ..quad.into_owned()
                    });
                }
            }
            let specification = prepared.dataset_mut();
            specification.set_default_graph(vec![default.into()]);
            let named = chosen.named.iter().flatten().cloned();
            specification.set_available_named_graphs(named.map(NamedOrBlankNode::from).collect());
        }
        let word = |error: spareval::QueryEvaluationError| error.to_string();
        Ok(match prepared.execute(&data).map_err(word)? {
            QueryResults::Boolean(value) => Answer::Boolean(value),
            QueryResults::Graph(triples) => {
                Answer::Graph(triples.collect::<Result<_, _>>().map_err(word)?)
            }
            QueryResults::Solutions(solutions) => Answer::Table(Table {
                variables: solutions.variables().to_vec(),
                rows: solutions
                    .map(|row| row.map(|row| row.values().to_vec()))
                    .collect::<Result<_, _>>()
                    .map_err(word)?,
                ordered: false,
            }),
        })
    }
}

/// Whether a guard shows a quad of some quads, by the words of [`Selector`] and nothing else.
fn shows(guard: &Guard, quad: &Quad, all: &[Quad]) -> bool {
    let is_a = |class: &NamedNode| {
        all.iter().any(|other| {
            other.subject == quad.subject
                && other.predicate == rdf::TYPE
                && other.object.as_ref() == TermRef::from(class)
        })
    };
    let covers = |selector: &Selector| {
        let graph = selector.graph.as_ref();
        graph.is_none_or(|graph| graph.to_graph_name() == quad.graph_name)
            && selector
                .property
                .as_ref()
                .is_none_or(|property| *property == quad.predicate)
            && selector.class.as_ref().is_none_or(is_a)
    };
    guard
        .layers()
        .any(|layer| layer.permits().iter().any(covers) && !layer.prohibitions().iter().any(covers))
}

/// The quad with the blank nodes of its member: no other has them.
fn apart(quad: &Quad, member: usize) -> Quad {
    // The name that the federation gives them, so that most answers can be compared by their text.
    named_apart(quad, &format!("m{member}x"))
}

/// The quad with names of blank nodes that begin like this.
fn named_apart(quad: &Quad, prefix: &str) -> Quad {
    let own = |node: &BlankNode| BlankNode::new_unchecked(format!("{prefix}{}", node.as_str()));
    let mut quad = quad.clone();
    if let NamedOrBlankNode::BlankNode(node) = &quad.subject {
        quad.subject = own(node).into();
    }
    if let Term::BlankNode(node) = &quad.object {
        quad.object = own(node).into();
    }
    if let GraphName::BlankNode(node) = &quad.graph_name {
        quad.graph_name = own(node).into();
    }
    quad
}

/// The rows as text, sorted.
pub(crate) fn lines(table: &Table) -> Vec<String> {
    let rows = table.rows.iter().map(|row| {
        let values = row.iter().map(|value| match value {
            Some(term) => term.to_string(),
            None => "-".to_owned(),
        });
        values.collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<_> = rows.collect();
    lines.sort();
    lines
}

/// Compares the number of rows; each must be one that the query without its limit has, where that is known.
pub(super) fn count_only(
    expected: &Answer,
    all: Option<&Answer>,
    actual: &Answer,
) -> Result<(), String> {
    let (Answer::Table(expected), Answer::Table(actual)) = (expected, actual) else {
        return Err("not rows".to_owned());
    };
    let (wanted, got) = (expected.rows.len(), actual.rows.len());
    if wanted != got {
        return Err(format!("expected {wanted} rows, got {got}"));
    }
    if let Some(Answer::Table(all)) = all {
        let mut all = lines(all);
        for line in lines(actual) {
            let place = all.binary_search(&line);
            let place = place.map_err(|_| format!("{line} is no row of it"))?;
            all.remove(place);
        }
    }
    Ok(())
}
