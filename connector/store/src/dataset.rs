//! Which graphs a query is about.

use crate::View;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode};
use spareval::QueryDatasetSpecification;
use spargebra::algebra::QueryDataset;
use twinlink_core::DatasetChoice;

/// The dataset that a query is about: <https://www.w3.org/TR/sparql11-query/#specifyingDataset>.
pub(crate) struct Choice(Option<(Vec<NamedNode>, Option<Vec<NamedNode>>)>);

impl Choice {
    /// The protocol's choice wins over the text's.
    pub(crate) fn new(protocol: Option<&DatasetChoice>, text: Option<&QueryDataset>) -> Self {
        let protocol = protocol.map(|choice| {
            (
                choice.default_graphs.clone(),
                Some(choice.named_graphs.clone()),
            )
        });
        Self(protocol.or_else(|| text.map(|text| (text.default.clone(), text.named.clone()))))
    }

    /// The graphs of which the default graph is the RDF merge, if it is one of several.
    fn merged(&self) -> Option<&[NamedNode]> {
        match &self.0 {
            Some((default, Some(_))) if default.len() > 1 => Some(default),
            _ => None,
        }
    }

    /// The view with this dataset.
    pub(crate) fn seen_in<'a>(&self, view: View<'a>) -> View<'a> {
        match self.merged() {
            Some(graphs) => view.merging(graphs),
            None => view,
        }
    }

    /// The same in the evaluator's terms.
    pub(crate) fn specification(&self) -> QueryDatasetSpecification {
        let mut specification = QueryDatasetSpecification::new();
        let Some((default, named)) = &self.0 else {
            return specification;
        };
        if self.merged().is_some() {
            // The evaluator would give a triple as often as it is in one of the graphs; the view gives it once.
            specification.set_default_graph_as_union();
        } else {
            specification.set_default_graph(default.iter().cloned().map(GraphName::from).collect());
        }
        if let Some(named) = named {
            specification.set_available_named_graphs(
                named.iter().cloned().map(NamedOrBlankNode::from).collect(),
            );
        }
        specification
    }
}
