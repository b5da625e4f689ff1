//! Queries whose joins all stay within members.
//!
//! If the patterns of every part of a query are connected within members, one request fetches all that a member can
//! contribute: the union of the parts, each joined with what it depends on.

use super::Fetcher;
use super::group::{joined, matches_triple, quads_of_row, variables_of};
use super::known::Known;
use super::rename::{rename_atom, rename_expression};
use crate::algebra::{Context, expression_variables};
use crate::members::{Form, Given, Sending};
use crate::needs::{Atom, Join, Part};
use crate::scratch;
use crate::text::{depth, query_text};
use futures::future::try_join_all;
use oxrdf::{GraphName, Literal, Quad, Term, Variable};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::term::GroundTerm;
use std::collections::BTreeSet;
use twinlink_core::{Refusal, SourceState};

/// The most parts of a query that are fetched with one request.
const BRANCHES: usize = 32;

/// A query whose joins all stay within members, in parts.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    branches: Vec<Branch>,
}

/// Patterns that are connected.
#[derive(Debug)]
struct Branch {
    /// These are fetched,
    wanted: Vec<Atom>,
    /// where they join with these, which other branches fetch.
    given: Vec<Atom>,
    filters: Vec<Expression>,
    values: Vec<(Variable, Vec<GroundTerm>)>,
    /// The members that can match it.
    members: Vec<usize>,
}

/// What holds for a part from outside.
#[derive(Debug, Clone, Default)]
struct Outside {
    atoms: Vec<Atom>,
    filters: Vec<Expression>,
    values: Vec<(Variable, Vec<GroundTerm>)>,
}

impl Whole {
    /// The members that can contribute anything.
    pub(crate) fn members(&self) -> Vec<usize> {
        let members = self.branches.iter().flat_map(|branch| &branch.members);
        let members: BTreeSet<_> = members.copied().collect();
        members.into_iter().collect()
    }

    /// The patterns of each part that a member can match: what is fetched, what that joins with, and how many rows a
    /// solution is.
    pub(super) fn atoms_at(&self, member: usize) -> impl Iterator<Item = (&[Atom], &[Atom], u64)> {
        let own = self.branches.iter();
        let own = own.filter(move |branch| branch.members.contains(&member));
        let wanted: Vec<_> = own.clone().map(|branch| branch.wanted.clone()).collect();
        let is_triples = one_graph(&wanted).is_some();
        own.map(move |branch| {
            let width = if is_triples { branch.wanted.len() } else { 1 };
            (&*branch.wanted, &*branch.given, width as u64)
        })
    }
}

impl Fetcher<'_> {
    /// The query in parts, if all its joins stay within members.
    pub(crate) fn whole(&self, needs: &Join) -> Option<Whole> {
        if self.summaries.is_empty() {
            return None;
        }
        let mut whole = Whole::default();
        let mut fresh = 0;
        self.branches(needs, &Outside::default(), &mut fresh, &mut whole)?;
        Some(whole)
    }

    fn branches(
        &self,
        join: &Join,
        outside: &Outside,
        fresh: &mut usize,
        whole: &mut Whole,
    ) -> Option<()> {
        if !join.has_only_patterns() || whole.branches.len() > BRANCHES {
            return None;
        }
        let mut inside = outside.clone();
        inside.filters.extend(join.filters.iter().cloned());
        inside.values.extend(join.values.iter().cloned());
        inside.atoms.extend(join.triples.iter().cloned());
        let own = outside.atoms.len();
        let mut known = Known::default();
        for (variable, values) in &inside.values {
            known.asked(variable, values, &self.members.limits);
        }
        let mut branches = Vec::new();
        for component in components(&inside.atoms) {
            let is_wanted = |place: &usize| *place >= own;
            if !component.iter().any(is_wanted) {
                continue;
            }
            let pick = |is: bool| {
                let picked = component.iter().filter(|place| is_wanted(place) == is);
                let picked = picked.filter_map(|place| inside.atoms.get(*place).cloned());
                picked.collect::<Vec<_>>()
            };
            let (wanted, given) = (pick(true), pick(false));
            let atoms: Vec<_> = wanted.iter().chain(&given).cloned().collect();
            if !self.are_together(&atoms) {
                return None;
            }
            let members = self.holders(&atoms, &inside.filters, &known);
            if members.is_empty() {
                // Then the join has no solution, whatever else belongs to it.
                return Some(());
            }
            branches.push(Branch {
                wanted,
                given,
                filters: inside.filters.clone(),
                values: inside.values.clone(),
                members,
            });
        }
        if inside.values.iter().any(|(_, values)| values.is_empty()) {
            return Some(());
        }
        whole.branches.append(&mut branches);
        for part in &join.parts {
            match part {
                Part::Union(joins) => {
                    for join in joins {
                        self.branches(join, &inside, fresh, whole)?;
                    }
                }
                Part::Select(join, visible) | Part::Dependent(join, visible) => {
                    *fresh += 1;
                    let seen = inside.seen_through(visible, *fresh);
                    self.branches(join, &seen, fresh, whole)?;
                }
            }
        }
        Some(())
    }

    /// Whether each member that is asked gets a query that it takes.
    pub(crate) fn can_ask(&self, whole: &Whole) -> bool {
        let limits = &self.members.limits;
        whole.members().into_iter().all(|member| {
            let text = query_text(&self.branches_query(whole, member).query);
            text.is_some_and(|text| {
                text.len() <= limits.query_bytes && depth(&text) <= limits.nesting
            })
        })
    }

    /// What a member is asked for, as text.
    pub(super) fn asked_of(&self, whole: &Whole, member: usize) -> String {
        query_text(&self.branches_query(whole, member).query).unwrap_or_default()
    }

    /// Fetches all that the members can contribute, with one request to each.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin.
    pub(crate) async fn fetch_whole(&self, whole: &Whole) -> Result<(), Refusal> {
        let members = whole.members();
        let patience = self.patience(members.len());
        let asked = members.into_iter().map(|member| async move {
            let parts = self.branches_query(whole, member);
            let rows = self.members.limits.rows_per_fetch;
            let estimate = self.expected_whole(whole, member);
            let (query, form) = (&parts.query, &parts.form);
            let given = self
                .members
                .ask_expecting(estimate, member, query, form, patience, rows)
                .await?;
            let Some(given) = given else { return Ok(()) };
            for (sources, given) in given.by_sources(member) {
                match parts.quads(given, member) {
                    Some(quads) => self.keep(member, &sources, quads),
                    None => {
                        let reason = "gave an answer that does not match the question";
                        let state = SourceState::NotEvaluable;
                        self.ledger.trouble(member, state, reason);
                    }
                }
            }
            Ok::<_, Refusal>(())
        });
        try_join_all(asked).await.map(drop)
    }

    /// The query that gives a member's quads of all branches.
    fn branches_query(&self, whole: &Whole, member: usize) -> Parts {
        let sending = self.members.sending(member);
        let mut branches = Vec::new();
        let mut patterns = Vec::new();
        let own = whole.branches.iter();
        for branch in own.filter(|branch| branch.members.contains(&member)) {
            // What stands in one must be bound there only: the template is filled for each solution of each branch.
            let number = branches.len();
            let rename =
                |name: &Variable| Variable::new_unchecked(format!("{}_b{number}", name.as_str()));
            let apart = |atoms: &[Atom]| {
                let atoms = atoms.iter().map(|atom| rename_atom(atom, &rename));
                atoms.collect::<Vec<_>>()
            };
            let wanted = apart(&branch.wanted);
            let atoms: Vec<_> = wanted.iter().cloned().chain(apart(&branch.given)).collect();
            patterns.push(branch.pattern(&atoms, &rename, &sending));
            branches.push(wanted);
        }
        let base_iri = self.base_iri.as_ref();
        let base_iri = base_iri.and_then(|base| oxiri::Iri::parse(base.clone()).ok());
        let union = |left, right| GraphPattern::Union {
            left: Box::new(left),
            right: Box::new(right),
        };
        if let Some(graph) = one_graph(&branches).filter(|_| !sending.tells_sources) {
            let template = branches.iter().flatten().map(|atom| atom.triple.clone());
            let query = Query::Construct {
                template: template.collect(),
                dataset: None,
                pattern: patterns.into_iter().reduce(union).unwrap_or_default(),
                base_iri,
            };
            return Parts {
                query,
                form: Form::Graph,
                columns: Vec::new(),
                branches,
                graph,
            };
        }
        let tag = Variable::new_unchecked("branch");
        let patterns =
            patterns
                .into_iter()
                .enumerate()
                .map(|(number, pattern)| GraphPattern::Extend {
                    inner: Box::new(pattern),
                    variable: tag.clone(),
                    expression: Expression::Literal(Literal::from(number as u64)),
                });
        let variables: BTreeSet<_> = branches.iter().flatten().flat_map(variables_of).collect();
        let columns: Vec<_> = std::iter::once(tag.clone()).chain(variables).collect();
        let query = Query::Select {
            dataset: None,
            // Rows that differ in nothing that is fetched are one.
            pattern: GraphPattern::Distinct {
                inner: Box::new(GraphPattern::Project {
                    inner: Box::new(patterns.reduce(union).unwrap_or_default()),
                    variables: columns.clone(),
                }),
            },
            base_iri,
        };
        Parts {
            query,
            form: Form::Solutions(columns.clone()),
            columns,
            branches,
            graph: GraphName::DefaultGraph,
        }
    }
}

/// The graph that all the patterns are about, where it is known and one.
fn one_graph(branches: &[Vec<Atom>]) -> Option<GraphName> {
    let mut contexts = branches.iter().flatten().map(|atom| &atom.context);
    let first = contexts.next()?;
    let graph = match first {
        Context::Default => GraphName::DefaultGraph,
        Context::Named(name) => name.clone().into(),
        Context::Any(_) => return None,
    };
    contexts.all(|context| context == first).then_some(graph)
}

/// What one member is asked for.
struct Parts {
    query: Query,
    form: Form,
    /// Where it is rows: the number of the branch, then the variables.
    columns: Vec<Variable>,
    /// The patterns of each branch whose quads are wanted.
    branches: Vec<Vec<Atom>>,
    /// Where it is triples: of which graph.
    graph: GraphName,
}

impl Parts {
    /// The quads of an answer; none where one of them cannot be what was asked for.
    fn quads(&self, given: Given, member: usize) -> Option<Vec<Quad>> {
        let member = u16::try_from(member).ok()?;
        if self.form == Form::Graph {
            let triples = given.rows.triples.into_iter().map(|triple| {
                let mut wanted = self.branches.iter().flatten();
                let is_wanted = wanted.any(|atom| matches_triple(atom, &triple));
                let triple = scratch::triple_apart(triple, member);
                is_wanted.then(|| scratch::in_graph(triple, self.graph.clone()))
            });
            return triples.collect();
        }
        let mut quads = Vec::new();
        for row in &given.rows.solutions {
            let Some(Some(Term::Literal(number))) = row.values.first() else {
                return None;
            };
            let branch = number.value().parse::<usize>().ok()?;
            let value = |variable: &Variable| {
                let column = self.columns.iter().position(|name| name == variable)?;
                row.values.get(column)?.clone()
            };
            quads.extend(quads_of_row(self.branches.get(branch)?, value, member)?);
        }
        Some(quads)
    }
}

impl Branch {
    fn pattern(
        &self,
        renamed: &[Atom],
        rename: &impl Fn(&Variable) -> Variable,
        sending: &Sending,
    ) -> GraphPattern {
        let atoms = self.wanted.iter().chain(&self.given);
        let variables: BTreeSet<_> = atoms.flat_map(variables_of).collect();
        let mut pattern = joined(renamed);
        for (variable, values) in &self.values {
            if variables.contains(variable)
                && values.len() <= sending.most
                && sending.dialect.finds(values)
            {
                let rows = values.iter().map(|value| vec![Some(value.clone())]);
                let values = GraphPattern::Values {
                    variables: vec![rename(variable)],
                    bindings: rows.collect(),
                };
                pattern = GraphPattern::Join {
                    left: Box::new(values),
                    right: Box::new(pattern),
                };
            }
        }
        for filter in &self.filters {
            let about = expression_variables(filter);
            let is_about = !about.is_empty() && about.is_subset(&variables);
            if is_about && sending.dialect.decides(filter) {
                pattern = GraphPattern::Filter {
                    expr: rename_expression(filter, rename),
                    inner: Box::new(pattern),
                };
            }
        }
        pattern
    }
}

impl Outside {
    /// As it is for a part that shares only some of its variables: the others are others there.
    fn seen_through(&self, visible: &BTreeSet<Variable>, fresh: usize) -> Self {
        let rename = |name: &Variable| {
            if visible.contains(name) {
                name.clone()
            } else {
                Variable::new_unchecked(format!("{}_o{fresh}", name.as_str()))
            }
        };
        let filters = self.filters.iter();
        let values = self.values.iter();
        Self {
            atoms: self
                .atoms
                .iter()
                .map(|atom| rename_atom(atom, &rename))
                .collect(),
            filters: filters
                .map(|filter| rename_expression(filter, &rename))
                .collect(),
            values: values
                .map(|(name, values)| (rename(name), values.clone()))
                .collect(),
        }
    }
}

/// The places of patterns that variables connect, component by component.
fn components(atoms: &[Atom]) -> Vec<Vec<usize>> {
    let mut components: Vec<(Vec<usize>, BTreeSet<Variable>)> = Vec::new();
    for (place, atom) in atoms.iter().enumerate() {
        let variables = variables_of(atom);
        let (connected, rest): (Vec<_>, Vec<_>) = components
            .into_iter()
            .partition(|(_, known)| !known.is_disjoint(&variables));
        components = rest;
        let mut joined = (vec![place], variables);
        for (places, known) in connected {
            joined.0.extend(places);
            joined.1.extend(known);
        }
        joined.0.sort_unstable();
        components.push(joined);
    }
    components.into_iter().map(|(places, _)| places).collect()
}
