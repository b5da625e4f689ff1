//! What members do for us exactly: the first rows, rows that differ, groups and what they add up to.
//!
//! Where variables that join within members connect all the patterns of a query, every member that holds the quads
//! of a solution finds that solution by itself. So the solutions over the merge are those of the members, equal ones
//! counted once, and
//! - the first rows of all are among the first rows of each member;
//! - the rows that differ are those of the members;
//! - where no solution can be two members', what the members' groups add up to adds up to the groups of all;
//! - where no group can be two members', the groups are the members'.
//!
//! Such rows are fetched instead of quads; they stand in the scratch dataset as a table, and the query is evaluated
//! with the table in the place of what the members did.

mod partial;
mod table;

use super::Fetcher;
use super::group::variables_of;
use super::known::Known;
use crate::algebra::{
    expression_variables, expressions, is_portable, pattern as pattern_of, unblanked, with_pattern,
};
use crate::members::{Form, Patience};
use crate::needs::{Atom, needs_of};
use crate::summary::Place;
use crate::text::{depth, query_text};
use futures::future::try_join_all;
use oxrdf::Variable;
use partial::{Column, merged, partials};
use rustc_hash::FxHashMap;
use spargebra::Query;
use spargebra::algebra::{GraphPattern, OrderExpression};
use std::collections::BTreeSet;
use table::Table;
use twinlink_core::{Pushed, Refusal, SourceState, Step, StepKind};

/// What members are asked for instead of quads.
#[derive(Debug)]
pub(crate) struct Push {
    members: Vec<usize>,
    /// Gives the rows.
    query: Query,
    columns: Vec<Variable>,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Solutions, as many as are wanted.
    Solutions,
    /// Rows that differ.
    Distinct,
    /// Groups of which each is one member's.
    Groups,
    /// What the solutions of each member add up to.
    Partials(Vec<Column>),
}

impl What {
    fn pushed(&self) -> Pushed {
        match self {
            Self::Solutions => Pushed::FirstRows,
            Self::Distinct => Pushed::DistinctRows,
            Self::Groups => Pushed::Groups,
            Self::Partials(_) => Pushed::Aggregates,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Solutions => "each gives its first solutions",
            Self::Distinct => "each gives the rows that differ",
            Self::Groups => "each gives its groups: none is of two",
            Self::Partials(_) => "each gives what its solutions add up to: none is of two",
        }
    }
}

impl Fetcher<'_> {
    /// The query over the rows that the members made of it; none where they cannot do so exactly.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin.
    pub(crate) async fn pushed(
        &self,
        query: &Query,
        push: &Push,
    ) -> Result<Option<Query>, Refusal> {
        if self.members.teller.is_plan() {
            let names = &self.members.names;
            let at = push.members.iter().filter_map(|member| names.get(*member));
            self.members.teller.step(|| Step {
                at: at.cloned().collect(),
                estimate: self.expected_of_all(&push.query, &push.members),
                requests: push.members.iter().filter(|member| **member > 0).count() as u64,
                pushed: Some(push.what.pushed()),
                word: push.what.word().to_owned(),
                ..Step::new(StepKind::Fetch, push.query.to_string())
            });
            return Ok(Some(query.clone()));
        }
        self.fetch_pushed(query, push).await
    }

    /// What members can do of the query, if that is exact and saves anything.
    pub(crate) fn push(&self, query: &Query) -> Option<Push> {
        if self.summaries.is_empty() {
            return None;
        }
        let pattern = pattern_of(query);
        let (what, asked, members) = match query {
            Query::Describe { .. } => return None,
            Query::Ask { .. } => self.first(pattern, 1)?,
            Query::Select { .. } | Query::Construct { .. } => {
                self.sliced(pattern).or_else(|| self.grouped(pattern))?
            }
        };
        // A broker says whose its rows are, and not whose it made others of.
        if members.iter().any(|member| self.members.is_broker(*member)) {
            return None;
        }
        let base_iri = query.base_iri().cloned();
        let columns = crate::algebra::columns(&asked);
        let push = Push {
            members,
            query: Query::Select {
                dataset: None,
                pattern: asked,
                base_iri,
            },
            columns,
            what,
        };
        // Whose order, sums or comparisons may be others gives quads.
        let mut peers = push.members.iter().filter(|member| **member > 0);
        if !peers.all(|member| self.members.answers(*member, &push.query)) {
            return None;
        }
        let text = query_text(&push.query)?;
        let limits = &self.members.limits;
        (text.len() <= limits.query_bytes && depth(&text) <= limits.nesting).then_some(push)
    }

    /// The first solutions, or the first rows that differ.
    fn sliced(&self, pattern: &GraphPattern) -> Option<(What, GraphPattern, Vec<usize>)> {
        let (most, inner) = match pattern {
            GraphPattern::Slice {
                inner,
                start,
                length,
            } => ((*length)?.checked_add(*start), &**inner),
            other => (None, other),
        };
        match inner {
            GraphPattern::Distinct { inner: rows } => {
                let GraphPattern::Project { inner, variables } = &**rows else {
                    return None;
                };
                let (order, body) = ordered(inner)?;
                let visible: BTreeSet<_> = variables.iter().cloned().collect();
                let is_told = order
                    .iter()
                    .all(|by| expression_variables(key(by)).is_subset(&visible));
                let (_, members) = self.together(body)?;
                // In what order there are all of them does not matter.
                let rows = if is_told && most.is_some() {
                    (**rows).clone()
                } else if most.is_none() {
                    project(body.clone(), variables.clone())
                } else {
                    return None;
                };
                let rows = GraphPattern::Distinct {
                    inner: Box::new(rows),
                };
                Some((What::Distinct, slice(rows, most), members))
            }
            GraphPattern::Reduced { .. } => None,
            other => self.first(other, most?),
        }
    }

    fn first(
        &self,
        pattern: &GraphPattern,
        most: usize,
    ) -> Option<(What, GraphPattern, Vec<usize>)> {
        let inner = match pattern {
            GraphPattern::Project { inner, .. } => inner,
            other => other,
        };
        let (order, body) = ordered(inner)?;
        let (_, members) = self.together(body)?;
        let body = unblanked(body);
        // All its variables: rows that are equal are one solution of several members.
        let columns = crate::algebra::columns(&body);
        let rows = if order.is_empty() {
            body
        } else {
            GraphPattern::OrderBy {
                inner: Box::new(body),
                expression: order.to_vec(),
            }
        };
        let rows = slice(project(rows, columns), Some(most));
        Some((What::Solutions, rows, members))
    }

    /// Groups, or what they add up to.
    fn grouped(&self, pattern: &GraphPattern) -> Option<(What, GraphPattern, Vec<usize>)> {
        let GraphPattern::Group {
            inner,
            variables,
            aggregates,
        } = group_of(pattern)?
        else {
            return None;
        };
        if !expressions(group_of(pattern)?).into_iter().all(is_portable) {
            return None;
        }
        let (atoms, members) = self.together(inner)?;
        let is_apart = |variable: &Variable| self.is_apart(variable, &atoms, &members);
        if variables.iter().any(is_apart) {
            let mut columns = variables.clone();
            columns.extend(aggregates.iter().map(|(name, _)| name.clone()));
            let rows = project(group_of(pattern)?.clone(), columns);
            return Some((What::Groups, rows, members));
        }
        let all: BTreeSet<_> = atoms.iter().flat_map(variables_of).collect();
        if !all.iter().any(is_apart) {
            return None;
        }
        let (columns, rows) = partials(inner, variables, aggregates)?;
        Some((What::Partials(columns), rows, members))
    }

    /// The patterns of a part of a query and the members that can match them, where variables that join within members
    /// connect them all and members find each of its solutions once.
    fn together(&self, body: &GraphPattern) -> Option<(Vec<Atom>, Vec<usize>)> {
        if !is_simple(body) {
            return None;
        }
        let join = needs_of(body);
        if !join.is_plain() {
            return None;
        }
        if !self.are_together(&join.triples) {
            return None;
        }
        let mut known = Known::default();
        for (variable, values) in &join.values {
            known.asked(variable, values, &self.members.limits);
        }
        let members = self.holders(&join.triples, &join.filters, &known);
        Some((join.triples, members))
    }

    /// Whether no value of the variable can be two members'.
    pub(super) fn is_apart(&self, variable: &Variable, atoms: &[Atom], members: &[usize]) -> bool {
        let dataset = self.members.dataset.as_ref();
        let mut with = atoms
            .iter()
            .filter(|atom| variables_of(atom).contains(variable));
        with.any(|atom| {
            let mut seen: FxHashMap<Place<'_>, usize> = FxHashMap::default();
            members.iter().all(|member| {
                let Some(Some(summary)) = self.summaries.get(*member) else {
                    return false;
                };
                let places = summary.places(atom, variable, dataset);
                places.into_iter().all(|place| {
                    place != Place::Anywhere && seen.entry(place).or_insert(*member) == member
                })
            })
        })
    }

    /// Fetches the rows, and gives the query over them; none, and nothing is kept, where the rows turn out to be such
    /// that it would not be exact.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin.
    async fn fetch_pushed(&self, query: &Query, push: &Push) -> Result<Option<Query>, Refusal> {
        let form = &Form::Solutions(push.columns.clone());
        let asked = push.members.iter().map(|member| async move {
            let rows = self.members.limits.rows_per_fetch;
            let estimate = self.expected_of(&push.query, *member);
            let given = self
                .members
                .ask_expecting(estimate, *member, &push.query, form, Patience::Share, rows)
                .await?;
            Ok::<_, Refusal>((*member, given))
        });
        let given = try_join_all(asked).await?;
        let is_apart = matches!(push.what, What::Groups | What::Partials(_));
        let mut table = Table::new(push.columns.clone(), is_apart);
        for (member, given) in given {
            let (Some(given), Ok(source)) = (given, u16::try_from(member)) else {
                continue;
            };
            for row in given.rows.solutions {
                if let What::Partials(columns) = &push.what {
                    match partial::check(columns, &push.columns, &row.values) {
                        partial::Checked::Nothing => continue,
                        partial::Checked::Exact => {}
                        partial::Checked::Inexact => return Ok(None),
                    }
                }
                table.insert(row.values, source);
            }
        }
        if let What::Partials(columns) = &push.what
            && !partial::are_alike(columns, &table)
        {
            return Ok(None);
        }
        let pattern = table.pattern();
        for (member, rows, quads) in table.into_quads() {
            self.keep_table(usize::from(member), rows, quads);
        }
        let mut whole = pattern_of(query).clone();
        let place = match &push.what {
            What::Solutions | What::Distinct => body_mut(&mut whole),
            What::Groups | What::Partials(_) => group_mut(&mut whole),
        };
        let Some(place) = place else { return Ok(None) };
        *place = match (&push.what, &*place) {
            (
                What::Partials(columns),
                GraphPattern::Group {
                    variables,
                    aggregates,
                    ..
                },
            ) => merged(columns, variables, aggregates, pattern),
            _ => pattern,
        };
        Ok(Some(with_pattern(query, whole)))
    }

    /// Takes rows of a table that a member gave.
    fn keep_table(&self, member: usize, rows: usize, quads: Vec<oxrdf::Quad>) {
        self.ledger.rows(member, rows);
        let Ok(source) = u16::try_from(member) else {
            return;
        };
        // There are no more rows than may be fetched.
        let mut scratch = self.lock();
        let mut is_whole = true;
        for quad in quads {
            is_whole &= scratch.insert(quad, source, self.members.limits.quads);
        }
        drop(scratch);
        if !is_whole {
            let reason = "has more than fits";
            self.ledger.trouble(member, SourceState::Partial, reason);
        }
    }
}

/// Patterns, conditions and values that every member evaluates alike, of which the solutions all differ.
pub(super) fn is_simple(body: &GraphPattern) -> bool {
    let are_portable = expressions(body).into_iter().all(is_portable);
    are_portable
        && match body {
            GraphPattern::Bgp { patterns } => !patterns.is_empty(),
            GraphPattern::Join { left, right } => is_simple(left) && is_simple(right),
            GraphPattern::Filter { inner, .. }
            | GraphPattern::Extend { inner, .. }
            | GraphPattern::Graph { inner, .. } => is_simple(inner),
            GraphPattern::Values { bindings, .. } => {
                let rows: BTreeSet<_> = bindings.iter().map(|row| format!("{row:?}")).collect();
                rows.len() == bindings.len() && bindings.iter().flatten().all(Option::is_some)
            }
            _ => false,
        }
}

/// The order of rows, and what is ordered; none where members may order otherwise.
fn ordered(pattern: &GraphPattern) -> Option<(&[OrderExpression], &GraphPattern)> {
    match pattern {
        GraphPattern::OrderBy { inner, expression } => {
            let is_same = expression.iter().map(key).all(is_portable);
            is_same.then_some((expression.as_slice(), &**inner))
        }
        other => Some((&[], other)),
    }
}

fn key(order: &OrderExpression) -> &spargebra::algebra::Expression {
    match order {
        OrderExpression::Asc(key) | OrderExpression::Desc(key) => key,
    }
}

fn project(inner: GraphPattern, variables: Vec<Variable>) -> GraphPattern {
    GraphPattern::Project {
        inner: Box::new(inner),
        variables,
    }
}

fn slice(inner: GraphPattern, most: Option<usize>) -> GraphPattern {
    match most {
        None => inner,
        length => GraphPattern::Slice {
            inner: Box::new(inner),
            start: 0,
            length,
        },
    }
}

/// The group that the rows of a query are made of, where nothing else is: what stands above looks at no data.
fn group_of(pattern: &GraphPattern) -> Option<&GraphPattern> {
    match pattern {
        GraphPattern::Group { .. } => Some(pattern),
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Project { inner, .. } => group_of(inner),
        GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::Filter { inner, .. } => {
            let looks = expressions(pattern).into_iter().any(|expression| {
                let mut looks = false;
                crate::algebra::exists_patterns(expression, &mut |_| looks = true);
                looks
            });
            group_of(inner).filter(|_| !looks)
        }
        _ => None,
    }
}

fn group_mut(pattern: &mut GraphPattern) -> Option<&mut GraphPattern> {
    match pattern {
        GraphPattern::Group { .. } => Some(pattern),
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Project { inner, .. }
        | GraphPattern::OrderBy { inner, .. }
        | GraphPattern::Extend { inner, .. }
        | GraphPattern::Filter { inner, .. } => group_mut(inner),
        _ => None,
    }
}

fn body_mut(pattern: &mut GraphPattern) -> Option<&mut GraphPattern> {
    match pattern {
        GraphPattern::Slice { inner, .. }
        | GraphPattern::Distinct { inner }
        | GraphPattern::Project { inner, .. }
        | GraphPattern::OrderBy { inner, .. } => body_mut(inner),
        body => Some(body),
    }
}
