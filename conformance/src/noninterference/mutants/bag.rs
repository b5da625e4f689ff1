//! A dataset that gives what it is told to, twice if told twice: what indexes over changed quads could get wrong.

use crate::answer::Answer;
use crate::engine::collect;
use crate::noninterference::reference::query_evaluator;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term};
use spareval::{InternalQuad, QueryableDataset};
use spargebra::Query;
use std::convert::Infallible;

/// Quads to be given, each with another that it is found by as well.
pub(super) struct Bag {
    pub(super) quads: Vec<(Quad, Quad)>,
    /// Graphs that are listed although nothing is in them.
    pub(super) graphs: Vec<GraphName>,
}

impl Bag {
    /// Answers over it.
    pub(super) fn answer(&self, query: &Query) -> Result<Answer, String> {
        let evaluator = query_evaluator();
        let results = evaluator.prepare(query).execute(self);
        collect(results.map_err(|error| error.to_string())?)
    }
}

fn graph(name: &GraphName) -> Option<Term> {
    match name {
        GraphName::NamedNode(name) => Some(name.clone().into()),
        GraphName::BlankNode(node) => Some(node.clone().into()),
        GraphName::DefaultGraph => None,
    }
}

fn subject(node: &NamedOrBlankNode) -> Term {
    node.clone().into()
}

impl<'a> QueryableDataset<'a> for &'a Bag {
    type InternalTerm = Term;
    type Error = Infallible;

    fn internal_quads_for_pattern(
        &self,
        s: Option<&Term>,
        p: Option<&Term>,
        o: Option<&Term>,
        g: Option<Option<&Term>>,
    ) -> impl Iterator<Item = Result<InternalQuad<Term>, Infallible>> + use<'a> {
        let is = |wanted: Option<&Term>, one: Term| wanted.is_none_or(|wanted| *wanted == one);
        let matches = |quad: &Quad| {
            let name = graph(&quad.graph_name);
            is(s, subject(&quad.subject))
                && is(p, quad.predicate.clone().into())
                && is(o, quad.object.clone())
                && g.map_or(name.is_some(), |wanted| wanted == name.as_ref())
        };
        let given = self
            .quads
            .iter()
            .filter(|(now, was)| matches(now) || matches(was));
        let found: Vec<_> = given
            .map(|(quad, _)| {
                Ok(InternalQuad {
                    subject: subject(&quad.subject),
                    predicate: quad.predicate.clone().into(),
                    object: quad.object.clone(),
                    graph_name: graph(&quad.graph_name),
                })
            })
            .collect();
        found.into_iter()
    }

    fn internal_named_graphs(&self) -> impl Iterator<Item = Result<Term, Infallible>> + use<'a> {
        let quads = self.quads.iter().map(|(quad, _)| &quad.graph_name);
        let mut names: Vec<_> = quads.chain(&self.graphs).filter_map(graph).collect();
        names.sort_by_cached_key(ToString::to_string);
        names.dedup();
        names.into_iter().map(Ok)
    }

    fn internalize_term(&self, term: Term) -> Result<Term, Infallible> {
        Ok(term)
    }

    fn externalize_term(&self, term: Term) -> Result<Term, Infallible> {
        Ok(term)
    }
}
