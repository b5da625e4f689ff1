//! What members find each by itself: such rows leave as they come.
//!
//! A part of a query is spread if its solutions over the merge are those that the members find over their own data,
//! each found by one of them. By [`Fetcher::are_together`] patterns are, where variables that join within members
//! connect them: a value that stands in two patterns is then one member's, and with it the solution. Of two parts that
//! are, a join, OPTIONAL and MINUS are spread too where a variable that both always bind joins within members:
//! solutions of different members differ in it, so they never meet. UNION always is, and so is what looks at one
//! solution at a time.

use super::Fetcher;
use super::group::variables_of;
use super::known::Known;
use super::push::is_simple;
use crate::algebra::{
    Context, certain, columns, conjuncts, expression_variables, expressions, is_portable, pattern,
    with_pattern,
};
use crate::members::{Form, Members, Patience};
use crate::needs::{Atom, needs_of};
use crate::text::{depth, query_text};
use oxrdf::Variable;
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use std::collections::BTreeSet;
use std::sync::Arc;
use twinlink_core::{Step, StepKind};

/// What members are asked for where their rows leave as they come.
#[derive(Debug)]
pub(crate) struct Spread {
    pub(crate) members: Vec<usize>,
    /// Asked of each of them.
    pub(crate) query: Query,
    pub(crate) form: Form,
    pub(crate) patience: Patience,
    /// How many rows of all are passed over.
    pub(crate) start: usize,
    /// How many leave at most.
    pub(crate) length: Option<usize>,
}

/// Why no row can leave before all have come.
pub(crate) type Why = &'static str;

/// A part of a query that is spread.
struct Part {
    /// The patterns that bind `bound`.
    atoms: Vec<Atom>,
    /// The variables that patterns bind in every solution.
    bound: BTreeSet<Variable>,
    /// Those of which solutions of different members have different values.
    apart: BTreeSet<Variable>,
    /// Whether no solution is found by two members.
    is_apart: bool,
    /// The members that can find a solution.
    members: Vec<usize>,
}

impl Spread {
    /// The whole of a query, asked of the one member that can answer it.
    ///
    /// # Errors
    /// Why its answer is not read as it comes.
    pub(crate) fn alone(member: usize, query: &Query) -> Result<Arc<Self>, Why> {
        let query = with_pattern(query, pattern(query).clone());
        let form = Form::of(&query);
        if form == Form::Boolean {
            return Err("it is one truth value");
        }
        Ok(Arc::new(Self {
            members: vec![member],
            query,
            form,
            patience: Patience::All,
            start: 0,
            length: None,
        }))
    }
}

impl Members<'_> {
    /// What may leave as it comes, by what is known of these members.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn streamed(&self, spread: Arc<Spread>) -> Result<Arc<Spread>, Why> {
        let are_several = spread.members.len() > 1;
        for member in spread.members.iter().filter(|member| **member > 0) {
            if self.is_broker(*member) {
                return Err("a broker tells at the end whose each row is");
            }
            let Some(peer) = self.names.get(*member) else {
                continue;
            };
            if are_several && !self.peers.traits(peer).keeps_labels {
                return Err("blank nodes of one answer of a member are others in the next");
            }
            if self.gate(peer).is_doubted() {
                return Err("a member gave rows before that were not to be believed");
            }
        }
        Ok(spread)
    }
}

impl Fetcher<'_> {
    /// What is asked for, told before it is asked.
    pub(crate) fn plan_spread(&self, spread: &Spread) -> Step {
        let asked = spread.members.iter();
        let names = asked.filter_map(|member| self.members.names.get(*member));
        Step {
            at: names.cloned().collect(),
            estimate: self.expected_of_all(&spread.query, &spread.members),
            requests: spread.members.iter().filter(|member| **member > 0).count() as u64,
            is_streamed: true,
            word: "rows leave as they come: none is of two".to_owned(),
            ..Step::new(StepKind::Fetch, spread.query.to_string())
        }
    }

    /// How many rows each of its members is expected to give, where anybody asks.
    pub(crate) fn expected_rows(&self, spread: &Spread) -> Vec<(usize, u64)> {
        let asked = spread.members.iter();
        asked
            .filter_map(|member| Some((*member, self.expected_of(&spread.query, *member)?)))
            .collect()
    }

    /// What to ask each member for, where the answer is what they find each by itself.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn spread(&self, query: &Query) -> Result<Spread, Why> {
        if self.summaries.is_empty() {
            return Err("no summary tells what the members hold");
        }
        let (start, length, body) = match pattern(query) {
            GraphPattern::Slice {
                inner,
                start,
                length,
            } => (*start, *length, &**inner),
            other => (0, None, other),
        };
        let (is_distinct, rows) = match body {
            GraphPattern::Distinct { inner } => (true, &**inner),
            other => (false, other),
        };
        let (members, asked, form) = match query {
            Query::Ask { .. } => {
                let inner = match pattern(query) {
                    GraphPattern::Project { inner, .. } => inner,
                    other => other,
                };
                let part = self.part_of(inner, &[])?;
                (part.members, pattern(query).clone(), Form::Boolean)
            }
            Query::Select { .. } => {
                let GraphPattern::Project { inner, variables } = rows else {
                    return Err("its rows are not those of patterns");
                };
                if length == Some(0) {
                    return Err("it asks for no row");
                }
                let part = self.part_of(inner, &[])?;
                if !part.is_apart {
                    return Err("a solution may be two members'");
                }
                if is_distinct && !variables.iter().any(|name| part.apart.contains(name)) {
                    return Err("a row that differs may be two members'");
                }
                let most = length.map(|length| start.saturating_add(length));
                let asked = match most {
                    None => body.clone(),
                    length => GraphPattern::Slice {
                        inner: Box::new(body.clone()),
                        start: 0,
                        length,
                    },
                };
                (part.members, asked, Form::Solutions(columns(body)))
            }
            Query::Construct { .. } | Query::Describe { .. } => {
                return Err("a triple may be two members'");
            }
        };
        let query = with_pattern(query, asked);
        let mut peers = members.iter().filter(|member| **member > 0);
        if !peers.all(|member| self.members.answers(*member, &query)) {
            return Err("a member may not evaluate it as we do");
        }
        let limits = &self.members.limits;
        let text = query_text(&query);
        text.filter(|text| text.len() <= limits.query_bytes && depth(text) <= limits.nesting)
            .ok_or("it is too long to be sent as a whole")?;
        Ok(Spread {
            members,
            query,
            form,
            patience: Patience::Share,
            start,
            length,
        })
    }

    /// The part, where it is spread. `filters` are conditions on all its solutions.
    fn part_of(&self, pattern: &GraphPattern, filters: &[Expression]) -> Result<Part, Why> {
        if !expressions(pattern).into_iter().all(is_portable) {
            return Err("a condition or value of it is found over all that the members hold");
        }
        if is_simple(pattern) {
            return self.patterns(pattern, filters);
        }
        match pattern {
            GraphPattern::Filter { expr, inner } => {
                let own = conjuncts(expr).into_iter().cloned();
                let filters: Vec<_> = filters.iter().cloned().chain(own).collect();
                self.part_of(inner, &filters)
            }
            GraphPattern::Extend { inner, .. } => self.part_of(inner, filters),
            GraphPattern::Join { left, right } if is_constant(left) => self.part_of(right, filters),
            GraphPattern::Join { left, right } if is_constant(right) => self.part_of(left, filters),
            GraphPattern::Join { left, right } => {
                let (left, right) = (self.part_of(left, filters)?, self.part_of(right, filters)?);
                let between = self.between(&left, &right)?;
                let mut members = left.members;
                members.retain(|member| right.members.contains(member));
                let apart = left.apart.into_iter().chain(right.apart).chain(between);
                Ok(Part {
                    atoms: left.atoms.into_iter().chain(right.atoms).collect(),
                    bound: left.bound.into_iter().chain(right.bound).collect(),
                    apart: apart.collect(),
                    // The value between them is one member's.
                    is_apart: true,
                    members,
                })
            }
            GraphPattern::LeftJoin { left, right, .. } | GraphPattern::Minus { left, right } => {
                let left = self.part_of(left, filters)?;
                if is_constant(right) {
                    return Ok(left);
                }
                let right = self.part_of(right, &[])?;
                self.between(&left, &right)?;
                Ok(left)
            }
            GraphPattern::Union { left, right } => {
                let (left, right) = (self.part_of(left, filters)?, self.part_of(right, filters)?);
                let atoms: Vec<_> = left.atoms.iter().chain(&right.atoms).cloned().collect();
                let both = left.apart.intersection(&right.apart);
                let apart = both.filter(|variable| self.is_local(variable, &atoms));
                let members: BTreeSet<_> = left.members.iter().chain(&right.members).collect();
                Ok(Part {
                    apart: apart.cloned().collect(),
                    bound: left.bound.intersection(&right.bound).cloned().collect(),
                    is_apart: left.is_apart && right.is_apart,
                    members: members.into_iter().copied().collect(),
                    atoms,
                })
            }
            GraphPattern::OrderBy { .. } => Err("its rows are put in order"),
            GraphPattern::Group { .. } => Err("it adds up what the members hold"),
            GraphPattern::Path { .. } => Err("a path may go from member to member"),
            _ => Err("a part of it needs all that the members hold"),
        }
    }

    /// Patterns, conditions and values.
    fn patterns(&self, pattern: &GraphPattern, filters: &[Expression]) -> Result<Part, Why> {
        let join = needs_of(pattern);
        if !join.is_plain() {
            return Err("a part of it needs all that the members hold");
        }
        let atoms = join.triples;
        if !self.are_together(&atoms) {
            return Err("a join may cross members");
        }
        let mut known = Known::default();
        for (variable, values) in &join.values {
            known.asked(variable, values, &self.members.limits);
        }
        let visible = certain(pattern, &Context::Default);
        let about = filters.iter();
        let about = about.filter(|filter| expression_variables(filter).is_subset(&visible));
        let filters: Vec<_> = join.filters.iter().chain(about).cloned().collect();
        let members = self.holders(&atoms, &filters, &known);
        let bound: BTreeSet<_> = atoms.iter().flat_map(variables_of).collect();
        let is_apart = |variable: &Variable| {
            let patterns = atoms.iter();
            let patterns = patterns.filter(|atom| variables_of(atom).contains(variable));
            members.len() < 2
                || (patterns.count() > 1 && self.is_local(variable, &atoms))
                || self.is_apart(variable, &atoms, &members)
        };
        let apart: BTreeSet<_> = bound
            .iter()
            .filter(|name| is_apart(name))
            .cloned()
            .collect();
        Ok(Part {
            is_apart: members.len() < 2 || !apart.is_empty(),
            atoms,
            bound,
            apart,
            members,
        })
    }

    /// The variables by which solutions of the two parts meet within members only.
    fn between(&self, left: &Part, right: &Part) -> Result<Vec<Variable>, Why> {
        let atoms: Vec<_> = left.atoms.iter().chain(&right.atoms).cloned().collect();
        let both = left.bound.intersection(&right.bound);
        let local: Vec<_> = both
            .filter(|name| self.is_local(name, &atoms))
            .cloned()
            .collect();
        if local.is_empty() {
            return Err("a join may cross members");
        }
        Ok(local)
    }
}

/// Whether the solutions are those that the query itself gives.
fn is_constant(pattern: &GraphPattern) -> bool {
    match pattern {
        GraphPattern::Values { .. } => true,
        GraphPattern::Bgp { patterns } => patterns.is_empty(),
        GraphPattern::Join { left, right } => is_constant(left) && is_constant(right),
        _ => false,
    }
}
