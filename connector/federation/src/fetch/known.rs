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

/// How many times as many values are kept as go with one request.
pub(super) const KEPT: usize = 8;
/// The most sets of values that are kept for one variable.
const SETS: usize = 4;

/// For some variables, all values that any solution can have for them. Never blank nodes: those mean nothing to
/// another member.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The smallest first; others that rest on less.
    values: BTreeMap<Variable, Vec<Values>>,
}

/// Values of a variable, and whose data they rest on: nobody's where the query itself names them.
#[derive(Debug, Clone)]
pub(super) struct Values {
    pub(super) terms: Arc<[GroundTerm]>,
    pub(super) sources: BTreeSet<usize>,
    variable: Variable,
}

impl Values {
    /// VALUES, so many at a time.
    pub(super) fn in_parts(&self, size: usize) -> Vec<GraphPattern> {
        let parts = self.terms.chunks(size.max(1));
        let parts = parts.map(|terms| GraphPattern::Values {
            variables: vec![self.variable.clone()],
            bindings: terms.iter().map(|term| vec![Some(term.clone())]).collect(),
        });
        parts.collect()
    }

    fn holds_for(&self, other: &Self) -> bool {
        self.terms.len() <= other.terms.len() && self.sources.is_subset(&other.sources)
    }
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
        self.values
            .values()
            .flatten()
            .any(|values| values.terms.is_empty())
    }

    /// The values that a variable can have, where they are few.
    pub(super) fn terms(&self, variable: &Variable) -> Option<&[GroundTerm]> {
        Some(&self.of(variable)?.terms)
    }

    /// The fewest values that a variable can have, where they are few.
    pub(super) fn of(&self, variable: &Variable) -> Option<&Values> {
        self.values.get(variable)?.first()
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
        let terms = terms.iter().cloned().collect();
        self.restrict(variable, terms, BTreeSet::new(), limits);
    }

    /// Takes what a round brought, which rests on the data of these members.
    pub(super) fn learn(
        &mut self,
        candidates: Candidates,
        sources: &BTreeSet<usize>,
        limits: &FederationLimits,
    ) {
        for (variable, terms) in candidates.values {
            if let Some(terms) = terms {
                self.restrict(&variable, terms, sources.clone(), limits);
            }
        }
    }

    /// Takes what a path led to, by the data of these members.
    pub(super) fn reached(
        &mut self,
        variable: &Variable,
        terms: FxHashSet<GroundTerm>,
        sources: BTreeSet<usize>,
        limits: &FederationLimits,
    ) {
        self.restrict(variable, terms, sources, limits);
    }

    fn restrict(
        &mut self,
        variable: &Variable,
        terms: FxHashSet<GroundTerm>,
        sources: BTreeSet<usize>,
        limits: &FederationLimits,
    ) {
        let mut sets = self.values.remove(variable).unwrap_or_default();
        // Which of them remain is news of all on whose data any of them rests.
        let both: Vec<_> = sets
            .iter()
            .map(|before| {
                let both = before.terms.iter().filter(|term| terms.contains(*term));
                let all = before.sources.union(&sources).copied().collect();
                (both.cloned().collect(), all)
            })
            .collect();
        for (terms, sources) in both
            .into_iter()
            .chain([(terms.into_iter().collect(), sources)])
        {
            let mut terms: Vec<GroundTerm> = terms;
            terms.sort_by_cached_key(ToString::to_string);
            let bytes: usize = terms.iter().map(|term| term.to_string().len()).sum();
            let fits = terms.len() <= limits.bindings.saturating_mul(KEPT)
                && bytes <= limits.query_bytes.saturating_mul(KEPT);
            let new = Values {
                terms: terms.into(),
                sources,
                variable: variable.clone(),
            };
            if fits && !sets.iter().any(|known| known.holds_for(&new)) {
                sets.retain(|known| !new.holds_for(known));
                sets.push(new);
            }
        }
        sets.sort_by_key(|values| (values.terms.len(), values.sources.len()));
        // The smallest, and that which rests on least.
        while sets.len() > SETS {
            let (most, _) = sets
                .iter()
                .enumerate()
                .skip(1)
                .max_by_key(|(_, values)| values.sources.len())
                .map_or((1, 0), |(place, _)| (place, 0));
            sets.remove(most);
        }
        if !sets.is_empty() {
            self.values.insert(variable.clone(), sets);
        }
    }

    /// The fewest values of one variable that may be sent, the graph's only where no other is known. More than one
    /// variable would be a product.
    pub(super) fn smallest(
        &self,
        variables: &BTreeSet<Variable>,
        graphs: &BTreeSet<Variable>,
        may_send: impl Fn(&BTreeSet<usize>) -> bool,
    ) -> Option<&Values> {
        let known = self.values.iter();
        known
            .filter(|(variable, _)| variables.contains(*variable))
            .filter_map(|(_, sets)| sets.iter().find(|values| may_send(&values.sources)))
            .min_by_key(|values| (graphs.contains(&values.variable), values.terms.len()))
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
        if self.values.is_empty() {
            return;
        }
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
