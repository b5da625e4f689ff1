//! Where variables join: within members only, or across them; and the queries whose joins all stay within members.
//!
//! A variable joins within members if no place that its values can have is known of two members, other than of one
//! and the same pattern. Patterns that such variables connect are matched by quads of one member in every solution.
//! So they are fetched together, from each member that can match them all. If that holds for every part of a query,
//! one request fetches all that a member can contribute: the union of the parts, each joined with what it depends on.

mod between;
mod rename;

use super::Fetcher;
use super::group::{matches_triple, variables_of};
use super::known::Known;
use crate::algebra::{Context, expression_variables};
use crate::members::{Form, Patience};
use crate::needs::{Atom, Join, Part};
use crate::scratch;
use crate::summary::{Between, Mark, PIECES, Star};
use crate::text::{depth, query_text};
use between::between;
use futures::future::try_join_all;
use oxrdf::{GraphName, Literal, NamedNode, Term, Variable};
use rename::{rename_atom, rename_expression};
use rustc_hash::FxHashMap;
use spargebra::Query;
use spargebra::algebra::{Expression, Function, GraphPattern};
use spargebra::term::{GroundTerm, NamedNodePattern, TermPattern};
use std::collections::{BTreeMap, BTreeSet};
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
        if !join.others.is_empty() || whole.branches.len() > BRANCHES {
            return None;
        }
        let mut inside = outside.clone();
        inside.filters.extend(join.filters.iter().cloned());
        inside.values.extend(join.values.iter().cloned());
        inside.atoms.extend(join.triples.iter().cloned());
        let own = outside.atoms.len();
        let known = Known::default();
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
            if !shared(&atoms)
                .iter()
                .all(|variable| self.is_local(variable, &atoms))
            {
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

    /// The members that can match all the patterns together.
    pub(super) fn holders(
        &self,
        atoms: &[Atom],
        filters: &[Expression],
        known: &Known,
    ) -> Vec<usize> {
        let mut holders: Option<Vec<usize>> = None;
        for atom in atoms {
            let contributors = self.contributors(atom);
            match &mut holders {
                Some(holders) => holders.retain(|member| contributors.contains(member)),
                None => holders = Some(contributors),
            }
        }
        let mut holders = holders.unwrap_or_default();
        holders.retain(|member| self.may_hold(*member, atoms, filters, known));
        holders
    }

    /// Whether the member's summary leaves room for a solution of the patterns.
    pub(super) fn may_hold(
        &self,
        member: usize,
        atoms: &[Atom],
        filters: &[Expression],
        known: &Known,
    ) -> bool {
        let Some(Some(summary)) = self.summaries.get(member) else {
            return true;
        };
        let mut stars: BTreeMap<&Variable, Star> = BTreeMap::new();
        for atom in atoms {
            let NamedNodePattern::NamedNode(predicate) = &atom.triple.predicate else {
                continue;
            };
            let objects = objects(&atom.triple.object, known);
            if let Some(objects) = &objects
                && !objects.iter().any(|o| summary.may_have(predicate, o))
            {
                return false;
            }
            if let TermPattern::Variable(object) = &atom.triple.object {
                let mut texts = filters
                    .iter()
                    .filter_map(|filter| contained(filter, object));
                if texts.any(|text| !summary.may_contain(predicate, text)) {
                    return false;
                }
            }
            if let TermPattern::Variable(subject) = &atom.triple.subject {
                let star = stars.entry(subject).or_default();
                star.predicates.insert(predicate.clone());
                if let TermPattern::Variable(object) = &atom.triple.object
                    && let Some([least, greatest]) = between(object, filters, known)
                {
                    star.between.push(Between {
                        predicate: predicate.clone(),
                        least,
                        greatest,
                    });
                }
                star.marks.extend(mark(predicate, None, objects));
                for next in atoms {
                    if next.triple.subject == atom.triple.object
                        && let NamedNodePattern::NamedNode(then) = &next.triple.predicate
                    {
                        let objects = self::objects(&next.triple.object, known);
                        star.marks.extend(mark(predicate, Some(then), objects));
                    }
                }
            }
        }
        stars.values().all(|star| summary.may_hold(star))
    }

    /// Whether the variable has one value at one member only, wherever it stands in two of the patterns.
    pub(super) fn is_local(&self, variable: &Variable, atoms: &[Atom]) -> bool {
        // By place: a pattern and a member that it is known of, and whether another pattern, another member is.
        let mut places: FxHashMap<Option<String>, (usize, usize, bool, bool)> =
            FxHashMap::default();
        let mut everywhere = (BTreeSet::new(), false);
        for (number, atom) in atoms.iter().enumerate() {
            if !variables_of(atom).contains(variable) {
                continue;
            }
            for member in self.contributors(atom) {
                everywhere.0.insert(member);
                let summary = self.summaries.get(member).and_then(Option::as_ref);
                let known = summary.and_then(|summary| summary.places(atom, variable));
                let Some(known) = known.filter(|known| !known.is_anywhere) else {
                    everywhere.1 = true;
                    continue;
                };
                let authorities = known.authorities.into_iter().map(Some);
                for place in authorities.chain(known.has_literals.then_some(None)) {
                    let seen = places
                        .entry(place)
                        .or_insert((number, member, false, false));
                    seen.2 |= seen.0 != number;
                    seen.3 |= seen.1 != member;
                }
            }
        }
        everywhere.0.len() <= 1 || (!everywhere.1 && !places.values().any(|seen| seen.2 && seen.3))
    }

    /// Whether each member that is asked gets a query that it takes.
    pub(crate) fn can_ask(&self, whole: &Whole) -> bool {
        let limits = &self.members.limits;
        whole.members().into_iter().all(|member| {
            let text = query_text(&self.branches_query(whole, member).0);
            text.is_some_and(|text| {
                text.len() <= limits.query_bytes && depth(&text) <= limits.nesting
            })
        })
    }

    /// Fetches all that the members can contribute, with one request to each.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin.
    pub(crate) async fn fetch_whole(&self, whole: &Whole) -> Result<(), Refusal> {
        let members = whole.members();
        let asked = members.into_iter().map(|member| async move {
            let (query, wanted) = self.branches_query(whole, member);
            let rows = self.members.limits.rows_per_fetch;
            let given = self
                .members
                .ask(member, &query, &Form::Graph, Patience::Share, rows)
                .await?;
            let (Some(given), Ok(source)) = (given, u16::try_from(member)) else {
                return Ok(());
            };
            let quads = given.rows.triples.into_iter().map(|triple| {
                let is_wanted = wanted.iter().any(|atom| matches_triple(atom, &triple));
                let triple = scratch::triple_apart(triple, source);
                is_wanted.then(|| scratch::in_graph(triple, GraphName::DefaultGraph))
            });
            match quads.collect() {
                Some(quads) => self.keep(member, quads),
                None => {
                    let reason = "gave an answer that does not match the question";
                    let state = SourceState::NotEvaluable;
                    self.ledger.trouble(member, state, reason);
                }
            }
            Ok::<_, Refusal>(())
        });
        try_join_all(asked).await.map(drop)
    }

    /// The query that gives a member's quads of all branches, and the patterns that these match.
    fn branches_query(&self, whole: &Whole, member: usize) -> (Query, Vec<Atom>) {
        let mut wanted = Vec::new();
        let mut template = Vec::new();
        let mut patterns = Vec::new();
        let branches = whole.branches.iter().enumerate();
        for (number, branch) in branches.filter(|(_, b)| b.members.contains(&member)) {
            // The template is filled for each solution of each branch: what stands in one must be bound there only.
            let rename =
                |name: &Variable| Variable::new_unchecked(format!("{}_b{number}", name.as_str()));
            let apart = |atoms: &[Atom]| {
                let atoms = atoms.iter().map(|atom| rename_atom(atom, &rename).triple);
                atoms.collect::<Vec<_>>()
            };
            let own = apart(&branch.wanted);
            template.extend(own.iter().cloned());
            wanted.extend(branch.wanted.iter().cloned());
            let triples = own.into_iter().chain(apart(&branch.given));
            patterns.push(branch.pattern(triples.collect(), &rename, self.members.limits.bindings));
        }
        let pattern = patterns
            .into_iter()
            .reduce(|left, right| GraphPattern::Union {
                left: Box::new(left),
                right: Box::new(right),
            });
        let base_iri = self.base_iri.as_ref();
        let query = Query::Construct {
            template,
            dataset: None,
            pattern: pattern.unwrap_or_default(),
            base_iri: base_iri.and_then(|base| oxiri::Iri::parse(base.clone()).ok()),
        };
        (query, wanted)
    }
}

impl Branch {
    fn pattern(
        &self,
        triples: Vec<spargebra::term::TriplePattern>,
        rename: &impl Fn(&Variable) -> Variable,
        most: usize,
    ) -> GraphPattern {
        let atoms = self.wanted.iter().chain(&self.given);
        let variables: BTreeSet<_> = atoms.flat_map(variables_of).collect();
        let mut pattern = GraphPattern::Bgp { patterns: triples };
        for (variable, values) in &self.values {
            if variables.contains(variable) && values.len() <= most {
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
            if !about.is_empty() && about.is_subset(&variables) {
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

/// The variables that stand in two patterns.
pub(super) fn shared(atoms: &[Atom]) -> Vec<Variable> {
    let mut counts: BTreeMap<Variable, usize> = BTreeMap::new();
    for atom in atoms {
        for variable in variables_of(atom) {
            *counts.entry(variable).or_default() += 1;
        }
    }
    let shared = counts.into_iter().filter(|(_, count)| *count > 1);
    shared.map(|(variable, _)| variable).collect()
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

/// The terms that an object can be, where they are known.
fn objects(object: &TermPattern, known: &Known) -> Option<Vec<Term>> {
    match object {
        TermPattern::NamedNode(name) => Some(vec![name.clone().into()]),
        TermPattern::Literal(literal) => Some(vec![literal.clone().into()]),
        TermPattern::BlankNode(_) => None,
        TermPattern::Variable(variable) => {
            let terms = known.terms(variable)?.iter();
            let terms = terms.map(|term| match term {
                GroundTerm::NamedNode(name) => Term::from(name.clone()),
                GroundTerm::Literal(literal) => Term::from(literal.clone()),
            });
            Some(terms.collect())
        }
    }
}

/// Only IRIs are marked.
fn mark(first: &NamedNode, then: Option<&NamedNode>, objects: Option<Vec<Term>>) -> Option<Mark> {
    let objects = objects?;
    let are_names = objects
        .iter()
        .all(|term| matches!(term, Term::NamedNode(_)));
    are_names.then(|| Mark {
        first: first.clone(),
        then: then.cloned(),
        objects,
    })
}

/// The text that the variable's value must contain for the condition to hold.
fn contained<'a>(condition: &'a Expression, variable: &Variable) -> Option<&'a str> {
    let Expression::FunctionCall(function, arguments) = condition else {
        return None;
    };
    let [Expression::Variable(about), Expression::Literal(text)] = arguments.as_slice() else {
        return None;
    };
    let text = Literal::value(text);
    let is_plain = match function {
        Function::Contains | Function::StrStarts | Function::StrEnds => true,
        // Nothing in it means anything but itself.
        Function::Regex => text.chars().all(|c| c.is_alphanumeric() || c == ' '),
        _ => false,
    };
    (about == variable && is_plain && text.len() >= PIECES[0]).then_some(text)
}

/// Whether all patterns are about the default graph, which summaries are about.
pub(crate) fn are_summarised<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> bool {
    atoms
        .into_iter()
        .all(|atom| atom.context == Context::Default)
}
