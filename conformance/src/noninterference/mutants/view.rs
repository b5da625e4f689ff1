//! A view around the engine's view, with a hole in it.

use super::Fault;
use crate::answer::Answer;
use crate::engine::collect;
use crate::noninterference::question::{Dataset, Question};
use crate::noninterference::reference::query_evaluator;
use crate::noninterference::subject::budget;
use oxrdf::{GraphName, NamedOrBlankNode, Term};
use spareval::{ExpressionTerm, InternalQuad, QueryDatasetSpecification, QueryableDataset};
use spargebra::Query;
use twinlink_core::policy::Guard;
use twinlink_store::{StoreError, TwinStore, View};

/// How the engine's view calls terms.
type Id = <View<'static> as QueryableDataset<'static>>::InternalTerm;
type Quads = Vec<Result<InternalQuad<Id>, StoreError>>;

/// What the guard shows, and all that it hides.
struct Holed<'a> {
    fault: Option<Fault>,
    guarded: View<'a>,
    open: View<'a>,
    /// Whether a path of length zero is asked for.
    has_path: bool,
    is_describe: bool,
    has_dataset: bool,
}

/// Answers over a view with this fault in it.
pub(super) fn answer(
    fault: Option<Fault>,
    twin: &TwinStore,
    guard: &Guard,
    query: &Query,
    question: &Question,
) -> Result<Answer, String> {
    let snapshot = twin.snapshot();
    let (mut guarded, mut open) = (
        snapshot
            .view(guard, &budget())
            .map_err(|error| error.to_string())?,
        snapshot
            .view(&Guard::everything(), &budget())
            .map_err(|error| error.to_string())?,
    );
    let mut specification = QueryDatasetSpecification::new();
    if let Some(Dataset { default, named, .. }) = &question.dataset {
        if default.len() > 1 && fault != Some(Fault::FromCountedTwice) {
            (guarded, open) = (guarded.merging(default), open.merging(default));
            specification.set_default_graph_as_union();
        } else {
            specification.set_default_graph(default.iter().cloned().map(GraphName::from).collect());
        }
        let named = named.iter().cloned().map(NamedOrBlankNode::from);
        specification.set_available_named_graphs(named.collect());
    }
    let algebra = query.to_sse();
    let view = Holed {
        fault,
        guarded,
        open,
        has_path: ["path*", "path?"].iter().any(|path| algebra.contains(path)),
        is_describe: matches!(query, Query::Describe { .. }),
        has_dataset: question.dataset.is_some(),
    };
    let evaluator = query_evaluator();
    let mut prepared = evaluator.prepare(query);
    *prepared.dataset_mut() = specification;
    let results = prepared.execute(view).map_err(|error| error.to_string())?;
    collect(results)
}

impl<'a> Holed<'a> {
    fn scan(view: &View<'a>, [s, p, o]: [Option<&Id>; 3], graph: Option<Option<&Id>>) -> Quads {
        view.internal_quads_for_pattern(s, p, o, graph).collect()
    }

    fn quads(&self, spo: [Option<&Id>; 3], graph: Option<Option<&Id>>) -> Quads {
        let [s, p, o] = spo;
        let Some(fault) = self.fault else {
            return Self::scan(&self.guarded, spo, graph);
        };
        let is_open = match fault {
            Fault::SubjectLookupsUnguarded => s.is_some() && p.is_some(),
            Fault::ObjectLookupsUnguarded => s.is_none() && o.is_some(),
            Fault::VariablePredicateUnguarded => p.is_none() && s.is_none(),
            Fault::AnyGraphUnguarded => graph.is_none(),
            Fault::NamedGraphUnguarded => matches!(graph, Some(Some(_))),
            Fault::PathNodesUnguarded => self.has_path && spo == [None; 3],
            Fault::DescribeUnguarded => {
                self.is_describe && s.is_some() && p.is_none() && o.is_none()
            }
            Fault::FromUnguarded => self.has_dataset,
            _ => false,
        };
        if is_open {
            return Self::scan(&self.open, spo, graph);
        }
        let mut quads = Self::scan(&self.guarded, spo, graph);
        let open = || Self::scan(&self.open, spo, graph);
        match fault {
            // What is partly visible is shown whole.
            Fault::ResidualSkipped if !quads.is_empty() => open(),
            Fault::RowsCountedTwice if graph.is_none() => {
                let again = match quads.first() {
                    Some(Ok(quad)) => Some(Ok(InternalQuad {
                        subject: quad.subject,
                        predicate: quad.predicate,
                        object: quad.object,
                        graph_name: quad.graph_name,
                    })),
                    _ => None,
                };
                quads.extend(again);
                quads
            }
            Fault::RowsLost if quads.len() > 1 && quads.len() < open().len() => {
                quads.pop();
                quads
            }
            _ => quads,
        }
    }
}

impl<'a> QueryableDataset<'a> for Holed<'a> {
    type InternalTerm = Id;
    type Error = StoreError;

    fn internal_quads_for_pattern(
        &self,
        subject: Option<&Id>,
        predicate: Option<&Id>,
        object: Option<&Id>,
        graph_name: Option<Option<&Id>>,
    ) -> impl Iterator<Item = Result<InternalQuad<Id>, StoreError>> + use<'a> {
        self.quads([subject, predicate, object], graph_name)
            .into_iter()
    }

    fn internal_named_graphs(&self) -> impl Iterator<Item = Result<Id, StoreError>> + use<'a> {
        let view = match self.fault {
            Some(Fault::EnumerationUnguarded) => &self.open,
            _ => &self.guarded,
        };
        let graphs: Vec<_> = view.internal_named_graphs().collect();
        graphs.into_iter()
    }

    fn contains_internal_graph_name(&self, graph_name: &Id) -> Result<bool, StoreError> {
        match self.fault {
            Some(Fault::ContainsSaysYes) => self.open.contains_internal_graph_name(graph_name),
            _ => self.guarded.contains_internal_graph_name(graph_name),
        }
    }

    fn internalize_term(&self, term: Term) -> Result<Id, StoreError> {
        self.guarded.internalize_term(term)
    }

    fn externalize_term(&self, term: Id) -> Result<Term, StoreError> {
        self.guarded.externalize_term(term)
    }

    fn externalize_expression_term(&self, term: Id) -> Result<ExpressionTerm, StoreError> {
        self.guarded.externalize_expression_term(term)
    }

    fn internalize_expression_term(&self, term: ExpressionTerm) -> Result<Id, StoreError> {
        self.guarded.internalize_expression_term(term)
    }

    fn internal_term_effective_boolean_value(&self, term: Id) -> Result<Option<bool>, StoreError> {
        self.guarded.internal_term_effective_boolean_value(term)
    }
}
