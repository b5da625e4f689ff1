//! What is known of variables after a round: their candidates, where they are few.

use super::group::matches_triple;
use crate::needs::Atom;
use crate::peers::FederationLimits;
use oxrdf::{Quad, Term, Triple, Variable};
use rustc_hash::FxHashSet;
use spargebra::algebra::GraphPattern;
use spargebra::term::{GroundTerm, NamedNodePattern, TermPattern};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// For some variables, all values that any solution can have for them. Never blank nodes: those mean nothing to
/// another member.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    values: BTreeMap<Variable, Values>,
}

#[derive(Debug, Clone)]
struct Values {
    terms: Arc<[GroundTerm]>,
    /// Whether the query itself names them: they tell a peer nothing else.
    are_asked: bool,
}

/// The values that the quads of a group have for its variables.
#[derive(Debug)]
pub(super) struct Candidates {
    most: usize,
    /// None where they are too many or one is a blank node.
    values: BTreeMap<Variable, Option<FxHashSet<GroundTerm>>>,
}

impl Known {
    /// Whether some variable has no value left: then there is no solution.
    pub(super) fn is_impossible(&self) -> bool {
        self.values.values().any(|values| values.terms.is_empty())
    }

    /// The values that a variable can have, where they are few.
    pub(super) fn terms(&self, variable: &Variable) -> Option<&[GroundTerm]> {
        let values = self.values.get(variable)?;
        Some(&values.terms)
    }

    /// What is known of these variables.
    pub(super) fn only(&self, visible: &BTreeSet<Variable>) -> Self {
        let mut values = self.values.clone();
        values.retain(|variable, _| visible.contains(variable));
        Self { values }
    }

    /// Whether some variable other than the graph is known. The few graphs there are hold nearly all there is.
    pub(super) fn binds(
        &self,
        variables: &BTreeSet<Variable>,
        graphs: &BTreeSet<Variable>,
    ) -> bool {
        variables
            .iter()
            .any(|variable| !graphs.contains(variable) && self.values.contains_key(variable))
    }

    /// Takes values that the query gives.
    pub(super) fn asked(
        &mut self,
        variable: &Variable,
        terms: &[GroundTerm],
        limits: &FederationLimits,
    ) {
        self.restrict(variable, terms.iter().cloned().collect(), true, limits);
    }

    /// Takes what a round brought.
    pub(super) fn learn(&mut self, candidates: Candidates, limits: &FederationLimits) {
        for (variable, terms) in candidates.values {
            if let Some(terms) = terms {
                self.restrict(&variable, terms, false, limits);
            }
        }
    }

    fn restrict(
        &mut self,
        variable: &Variable,
        mut terms: FxHashSet<GroundTerm>,
        mut are_asked: bool,
        limits: &FederationLimits,
    ) {
        if let Some(before) = self.values.get(variable) {
            let kept: FxHashSet<_> = before.terms.iter().collect();
            terms.retain(|term| kept.contains(term));
            // Which of the query's values remain is news of some member.
            are_asked &= before.are_asked;
        }
        let mut terms: Vec<_> = terms.into_iter().collect();
        terms.sort_by_cached_key(ToString::to_string);
        let bytes: usize = terms.iter().map(|term| term.to_string().len()).sum();
        if terms.len() <= limits.bindings && bytes <= limits.query_bytes {
            let values = Values {
                terms: terms.into(),
                are_asked,
            };
            self.values.insert(variable.clone(), values);
        }
    }

    /// VALUES for the one variable with the fewest, the graph's only where no other is known. More than one would be a
    /// product.
    pub(super) fn smallest(
        &self,
        variables: &BTreeSet<Variable>,
        graphs: &BTreeSet<Variable>,
        may_share: bool,
    ) -> Option<GraphPattern> {
        let (variable, values) = self
            .values
            .iter()
            .filter(|(variable, values)| {
                variables.contains(*variable) && (may_share || values.are_asked)
            })
            .min_by_key(|(variable, values)| (graphs.contains(*variable), values.terms.len()))?;
        Some(GraphPattern::Values {
            variables: vec![variable.clone()],
            bindings: values
                .terms
                .iter()
                .map(|term| vec![Some(term.clone())])
                .collect(),
        })
    }
}

impl Candidates {
    pub(super) fn new(variables: &BTreeSet<Variable>, most: usize) -> Self {
        Self {
            most,
            values: variables
                .iter()
                .map(|variable| (variable.clone(), Some(FxHashSet::default())))
                .collect(),
        }
    }

    /// Takes the quads of one member. A quad that another pattern of the group matched as well adds a candidate too
    /// many, which does no harm.
    pub(super) fn see(&mut self, atoms: &[Atom], quads: &[Quad]) {
        for quad in quads {
            let triple = Triple::from(quad.clone());
            for atom in atoms {
                if matches_triple(atom, &triple) {
                    self.add(&atom.triple.subject, || Some(triple.subject.clone().into()));
                    self.add(&atom.triple.object, || Some(triple.object.clone()));
                    if let NamedNodePattern::Variable(variable) = &atom.triple.predicate {
                        let variable = TermPattern::Variable(variable.clone());
                        self.add(&variable, || Some(triple.predicate.clone().into()));
                    }
                    if let crate::algebra::Context::Any(graph) = &atom.context {
                        let graph = TermPattern::Variable(graph.clone());
                        self.add(&graph, || match &quad.graph_name {
                            oxrdf::GraphName::NamedNode(name) => Some(name.clone().into()),
                            _ => None,
                        });
                    }
                }
            }
        }
    }

    fn add(&mut self, pattern: &TermPattern, term: impl Fn() -> Option<Term>) {
        let TermPattern::Variable(variable) = pattern else {
            return;
        };
        let Some(place) = self.values.get_mut(variable) else {
            return;
        };
        let Some(values) = place else { return };
        match term().and_then(|term| GroundTerm::try_from(term).ok()) {
            Some(term) => {
                values.insert(term);
                if values.len() > self.most {
                    *place = None;
                }
            }
            None => *place = None,
        }
    }
}
