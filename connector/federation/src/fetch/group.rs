//! Patterns that are matched together, at the members that can match them.

use super::Fetcher;
use super::hold::shared;
use super::known::Known;
use crate::algebra::{Context, expression_variables, triple_variables};
use crate::members::{Form, Given, Sending};
use crate::needs::{Atom, Join};
use crate::probe::{atom_pattern, in_graph};
use crate::scratch;
use oxrdf::{GraphName, NamedOrBlankNode, Quad, Term, Triple, Variable};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::term::{NamedNodePattern, TermPattern, TriplePattern};
use std::collections::BTreeSet;
use twinlink_core::Head;

/// Patterns that are matched by quads of one member in every solution, and the members that can match them: one
/// pattern, or several that only one member can match, or that join within members.
pub(super) struct Group {
    pub(super) atoms: Vec<Atom>,
    pub(super) members: Vec<usize>,
    pub(super) variables: BTreeSet<Variable>,
}

/// Splits the patterns of a join into groups. Those of one member are a group if variables connect them: a product of
/// unconnected ones is not shipped.
pub(super) fn groups(fetcher: &Fetcher<'_>, join: &Join) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for atom in &join.triples {
        let mut group = Group::alone(fetcher, atom);
        if group.members.len() == 1 {
            let (same, rest): (Vec<_>, Vec<_>) = groups
                .into_iter()
                .partition(|other| other.is_one_with(&group));
            groups = rest;
            for other in same {
                group.atoms.extend(other.atoms);
                group.variables.extend(other.variables);
            }
        }
        groups.push(group);
    }
    if !fetcher.summaries.is_empty() {
        groups = together(fetcher, join, groups);
    }
    groups
}

/// Joins groups that variables connect which join within members only.
fn together(fetcher: &Fetcher<'_>, join: &Join, mut groups: Vec<Group>) -> Vec<Group> {
    for variable in shared(&join.triples) {
        if fetcher.is_local(&variable, &join.triples) {
            let (same, rest): (Vec<_>, Vec<_>) = groups
                .into_iter()
                .partition(|group| group.variables.contains(&variable));
            groups = rest;
            groups.extend(same.into_iter().reduce(|mut one, other| {
                one.atoms.extend(other.atoms);
                one.variables.extend(other.variables);
                one
            }));
        }
    }
    for group in &mut groups {
        group.members = fetcher.holders(&group.atoms, &join.filters, &Known::default());
    }
    groups
}

/// All variables of a pattern, that of its graph too.
pub(super) fn variables_of(atom: &Atom) -> BTreeSet<Variable> {
    let mut variables: BTreeSet<_> = triple_variables(&atom.triple).collect();
    if let Context::Any(graph) = &atom.context {
        variables.insert(graph.clone());
    }
    variables
}

impl Group {
    pub(super) fn alone(fetcher: &Fetcher<'_>, atom: &Atom) -> Self {
        Self {
            atoms: vec![atom.clone()],
            members: fetcher.contributors(atom),
            variables: variables_of(atom),
        }
    }

    fn is_one_with(&self, other: &Self) -> bool {
        self.members == other.members && !self.variables.is_disjoint(&other.variables)
    }

    /// The graph that it is about, where it is known and one.
    fn graph(&self) -> Option<GraphName> {
        let mut contexts = self.atoms.iter().map(|atom| &atom.context);
        let first = contexts.next()?;
        let graph = match first {
            Context::Default => GraphName::DefaultGraph,
            Context::Named(name) => name.clone().into(),
            Context::Any(_) => return None,
        };
        contexts.all(|context| context == first).then_some(graph)
    }

    /// The variables that stand for graphs.
    pub(super) fn graphs(&self) -> BTreeSet<Variable> {
        let graphs = self.atoms.iter().filter_map(|atom| match &atom.context {
            Context::Any(graph) => Some(graph.clone()),
            Context::Default | Context::Named(_) => None,
        });
        graphs.collect()
    }

    /// Whether enough is known to fetch little of it.
    pub(super) fn is_bound(&self, known: &Known) -> bool {
        known.binds(&self.variables, &self.graphs())
    }

    /// Roughly how many rows it has at most, as the summaries say; none where they do not.
    pub(super) fn estimate(&self, fetcher: &Fetcher<'_>) -> Option<u64> {
        let mut sum = 0_u64;
        for member in &self.members {
            let summary = fetcher.summaries.get(*member)?.as_ref()?;
            let dataset = fetcher.members.dataset.as_ref();
            let atoms = self
                .atoms
                .iter()
                .map(|atom| summary.estimate(atom, dataset));
            sum = sum.saturating_add(atoms.min().unwrap_or_default());
        }
        Some(sum)
    }

    /// Whether it has a condition to check.
    pub(super) fn is_checked(&self, filters: &[Expression]) -> bool {
        self.filters(filters).next().is_some()
    }

    fn filters<'a>(&'a self, filters: &'a [Expression]) -> impl Iterator<Item = &'a Expression> {
        filters.iter().filter(|filter| {
            let variables = expression_variables(filter);
            !variables.is_empty() && variables.is_subset(&self.variables)
        })
    }

    /// The sub-query that gives its quads: triples where the graph is known; rows where it is not, or where they are
    /// to be counted because they may be `most`, or come from a broker, which tells the sources of rows. Conditions that
    /// the member may find otherwise are left to us.
    pub(super) fn query(
        &self,
        fetcher: &Fetcher<'_>,
        filters: &[Expression],
        values: Option<GraphPattern>,
        most: Option<usize>,
        sending: &Sending,
    ) -> (Query, Form) {
        let mut pattern = match self.atoms.as_slice() {
            [atom] => atom_pattern(atom),
            atoms => joined(atoms),
        };
        if let Some(values) = values {
            pattern = GraphPattern::Join {
                left: Box::new(values),
                right: Box::new(pattern),
            };
        }
        let filters = self.filters(filters);
        for filter in filters.filter(|filter| sending.dialect.decides(filter)) {
            pattern = GraphPattern::Filter {
                expr: filter.clone(),
                inner: Box::new(pattern),
            };
        }
        let base_iri = fetcher
            .base_iri
            .as_ref()
            .and_then(|base| oxiri::Iri::parse(base.clone()).ok());
        let is_witness = self.atoms.iter().all(|atom| atom.is_witness);
        let variables: Vec<_> = self.variables.iter().cloned().collect();
        let is_counted = most.is_some() && !variables.is_empty();
        let is_of_rows = sending.tells_sources && !variables.is_empty();
        if is_counted || is_of_rows || self.graph().is_none() {
            let mut pattern = GraphPattern::Project {
                inner: Box::new(pattern),
                variables: variables.clone(),
            };
            if let Some(most) = most.or(is_witness.then_some(1)) {
                pattern = GraphPattern::Slice {
                    inner: Box::new(pattern),
                    start: 0,
                    length: Some(most),
                };
            }
            let query = Query::Select {
                dataset: None,
                pattern,
                base_iri,
            };
            return (query, Form::Solutions(variables));
        }
        if is_witness {
            pattern = GraphPattern::Slice {
                inner: Box::new(GraphPattern::Project {
                    inner: Box::new(pattern),
                    variables,
                }),
                start: 0,
                length: Some(1),
            };
        }
        let query = Query::Construct {
            template: self.atoms.iter().map(|atom| atom.triple.clone()).collect(),
            dataset: None,
            pattern,
            base_iri,
        };
        (query, Form::Graph)
    }

    /// The quads of an answer; none where one of them cannot be what was asked for.
    pub(super) fn quads(&self, given: &Given, member: usize) -> Option<Vec<Quad>> {
        let member = u16::try_from(member).ok()?;
        if matches!(given.head, Head::Solutions(_)) {
            return self.quads_of_rows(given, member);
        }
        let graph = self.graph()?;
        given
            .rows
            .triples
            .iter()
            .map(|triple| {
                let is_asked = self.atoms.iter().any(|atom| matches_triple(atom, triple));
                let triple = scratch::triple_apart(triple.clone(), member);
                is_asked.then(|| scratch::in_graph(triple, graph.clone()))
            })
            .collect()
    }

    fn quads_of_rows(&self, given: &Given, member: u16) -> Option<Vec<Quad>> {
        let mut quads = Vec::new();
        for row in &given.rows.solutions {
            let value = |variable: &Variable| {
                let column = self.variables.iter().position(|name| name == variable)?;
                row.values.get(column)?.clone()
            };
            quads.extend(quads_of_row(&self.atoms, value, member)?);
        }
        Some(quads)
    }
}

/// The patterns joined, each in its graph.
pub(super) fn joined(atoms: &[Atom]) -> GraphPattern {
    let mut contexts: Vec<(&Context, Vec<TriplePattern>)> = Vec::new();
    for atom in atoms {
        let triple = atom.triple.clone();
        match contexts
            .iter_mut()
            .find(|(context, _)| *context == &atom.context)
        {
            Some((_, patterns)) => patterns.push(triple),
            None => contexts.push((&atom.context, vec![triple])),
        }
    }
    let patterns = contexts
        .into_iter()
        .map(|(context, patterns)| in_graph(context, GraphPattern::Bgp { patterns }));
    let all = patterns.reduce(|left, right| GraphPattern::Join {
        left: Box::new(left),
        right: Box::new(right),
    });
    all.unwrap_or_default()
}

/// The quads of one solution; none where it cannot be one.
pub(super) fn quads_of_row(
    atoms: &[Atom],
    value: impl Fn(&Variable) -> Option<Term>,
    member: u16,
) -> Option<Vec<Quad>> {
    let quads = atoms.iter().map(|atom| {
        let graph = match &atom.context {
            Context::Any(graph) => scratch::graph_apart(&value(graph)?, member)?,
            Context::Named(name) => name.clone().into(),
            Context::Default => GraphName::DefaultGraph,
        };
        let triple = Triple {
            subject: match term(&atom.triple.subject, &value)? {
                Term::NamedNode(name) => name.into(),
                Term::BlankNode(blank) => NamedOrBlankNode::BlankNode(blank),
                Term::Literal(_) => return None,
            },
            predicate: match &atom.triple.predicate {
                NamedNodePattern::NamedNode(name) => name.clone(),
                NamedNodePattern::Variable(variable) => match value(variable)? {
                    Term::NamedNode(name) => name,
                    _ => return None,
                },
            },
            object: term(&atom.triple.object, &value)?,
        };
        let triple = scratch::triple_apart(triple, member);
        Some(scratch::in_graph(triple, graph))
    });
    quads.collect()
}

fn term(pattern: &TermPattern, value: impl Fn(&Variable) -> Option<Term>) -> Option<Term> {
    match pattern {
        TermPattern::NamedNode(name) => Some(name.clone().into()),
        TermPattern::Literal(literal) => Some(literal.clone().into()),
        TermPattern::BlankNode(_) => None,
        TermPattern::Variable(variable) => value(variable),
    }
}

pub(super) fn matches_triple(atom: &Atom, triple: &Triple) -> bool {
    let predicate = match &atom.triple.predicate {
        NamedNodePattern::NamedNode(name) => *name == triple.predicate,
        NamedNodePattern::Variable(_) => !atom.except.contains(&triple.predicate),
    };
    let subject = match &atom.triple.subject {
        TermPattern::NamedNode(name) => {
            matches!(&triple.subject, NamedOrBlankNode::NamedNode(found) if found == name)
        }
        TermPattern::Variable(_) => true,
        TermPattern::BlankNode(_) | TermPattern::Literal(_) => false,
    };
    let object = match &atom.triple.object {
        TermPattern::NamedNode(name) => {
            matches!(&triple.object, Term::NamedNode(found) if found == name)
        }
        TermPattern::Literal(literal) => {
            matches!(&triple.object, Term::Literal(found) if found == literal)
        }
        TermPattern::Variable(_) => true,
        TermPattern::BlankNode(_) => false,
    };
    predicate && subject && object
}
