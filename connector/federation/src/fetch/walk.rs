//! Paths step by step: of what members hold, only what can be reached from where a path starts is fetched.
//!
//! Every quad that a solution of a path uses can be reached from either end by the path's steps. So each round asks for
//! the steps that lead on from where the last one led, until nothing new is reached. A member that may not be told
//! where that is, or on whose blank nodes it leads, gives all its steps instead, once. And so does every member as soon as
//! the rounds have cost as much as that would: at most about twice what the better way costs, whichever that is.

use super::Fetcher;
use super::bindings::BATCHES;
use super::group::Group;
use super::hold::Wanted;
use super::known::Known;
use crate::members::Patience;
use crate::needs::{Walk, WalkStep};
use crate::scratch::owner;
use futures::future::try_join_all;
use oxrdf::{Quad, Term, Variable};
use rustc_hash::{FxHashMap, FxHashSet};
use spargebra::algebra::GraphPattern;
use spargebra::term::{GroundTerm, TermPattern};
use std::collections::BTreeSet;
use twinlink_core::{Refusal, SourceState, Sources};

/// The most rounds: each is a round trip, whatever it brings.
const ROUNDS: usize = 32;
/// How many rows a member without a summary is taken to have for a step.
const UNKNOWN: usize = 10_000;

/// Where a path starts, and whose data that rests on.
struct Start {
    /// Its second end, walked against the direction of its steps.
    is_last: bool,
    terms: Vec<GroundTerm>,
    sources: BTreeSet<usize>,
}

/// What the steps of a path have led to.
#[derive(Default)]
struct Trail {
    reached: FxHashSet<Term>,
    /// What was reached since they were last taken.
    new: Vec<Term>,
    /// Where steps lead from what is not reached so far.
    beyond: FxHashMap<Term, Vec<Term>>,
}

/// A step, and a member that holds some.
struct Holder<'a> {
    step: &'a WalkStep,
    group: Group,
    member: usize,
}

/// A path on the way.
struct Way<'a> {
    /// Those who may have more steps than they gave.
    holders: Vec<Holder<'a>>,
    is_last: bool,
    sources: BTreeSet<usize>,
    trail: Trail,
    /// What it has cost so far, in rows.
    spent: usize,
}

impl Fetcher<'_> {
    /// Fetches the paths that start from what is known and are worth it, one after another where one leads to the next;
    /// adds what they lead to. Gives those that are left.
    pub(super) async fn walks<'b>(
        &self,
        mut walks: Vec<&'b Walk>,
        known: &mut Known,
    ) -> Result<Vec<&'b Walk>, Refusal> {
        loop {
            let (begun, left): (Vec<_>, Vec<_>) = walks
                .into_iter()
                .partition(|walk| Start::of(walk, known).is_some());
            walks = left;
            if begun.is_empty() || known.is_impossible() {
                return Ok(walks);
            }
            let starts = begun.iter().filter_map(|walk| Start::of(walk, known));
            let fetched = begun.iter().zip(starts);
            let fetched = fetched.map(|(walk, start)| self.walk(walk, start));
            let learnt = try_join_all(fetched).await?;
            for (variable, terms, sources) in learnt.into_iter().flatten() {
                known.reached(&variable, terms, sources, &self.members.limits);
            }
        }
    }

    /// Whether it costs less to look where it leads than to fetch all its steps, as far as can be told before.
    pub(super) fn is_worth_walking(&self, walk: &Walk) -> bool {
        let limits = &self.members.limits;
        let holders = self.step_holders(walk);
        let are_several = holders.iter().any(|holder| holder.member > 0);
        let requests = limits.request_rows.saturating_mul(holders.len());
        limits.bindings > 0 && are_several && self.steps_held(&holders) > requests.saturating_mul(2)
    }

    /// Fetches all steps of a path, wherever they lead.
    pub(super) async fn all_steps(&self, walk: &Walk) -> Result<(), Refusal> {
        let steps = walk.steps.iter().map(|step| self.alone(&step.atom));
        try_join_all(steps).await.map(drop)
    }

    fn step_holders<'b>(&self, walk: &'b Walk) -> Vec<Holder<'b>> {
        let steps = walk.steps.iter().flat_map(|step| {
            let members = Group::alone(self, &step.atom).members.into_iter();
            members.map(move |member| Holder {
                step,
                group: Group::alone(self, &step.atom),
                member,
            })
        });
        steps.collect()
    }

    /// About how many rows all the steps are.
    fn steps_held(&self, holders: &[Holder<'_>]) -> usize {
        let rows = holders.iter().map(|holder| {
            let rows = self.expected(&holder.group, holder.member);
            rows.unwrap_or(UNKNOWN)
        });
        rows.fold(0, usize::saturating_add)
    }

    /// Fetches what a path leads to; tells what its other end can be, where that is known.
    async fn walk(&self, walk: &Walk, start: Start) -> Result<Option<Learnt>, Refusal> {
        let holders = self.step_holders(walk);
        let price = self
            .members
            .limits
            .request_rows
            .saturating_mul(holders.len());
        let price = price.saturating_add(self.steps_held(&holders));
        let longest = walk.longest.unwrap_or(usize::MAX);
        let mut way = Way {
            holders,
            is_last: start.is_last,
            sources: start.sources,
            trail: Trail::default(),
            spent: 0,
        };
        for term in start.terms {
            way.trail.reach(term.into());
        }
        for round in 1..=longest {
            let from = std::mem::take(&mut way.trail.new);
            if from.is_empty() || way.holders.is_empty() {
                break;
            }
            let is_over = way.spent >= price || (round >= ROUNDS && round < longest);
            self.go_on(&mut way, &from, is_over).await?;
        }
        let end = walk.ends.get(usize::from(!way.is_last));
        let Some(TermPattern::Variable(end)) = end else {
            return Ok(None);
        };
        let terms = way.trail.reached.into_iter();
        let terms: Result<_, _> = terms.map(GroundTerm::try_from).collect();
        Ok(terms.ok().map(|terms| (end.clone(), terms, way.sources)))
    }

    /// Asks for the steps that lead on from here, or for all that there are.
    async fn go_on(&self, way: &mut Way<'_>, from: &[Term], is_over: bool) -> Result<(), Refusal> {
        let mut requests = Vec::new();
        let mut done = BTreeSet::new();
        for (place, holder) in way.holders.iter().enumerate() {
            let onward = self.onward(holder, way, from).filter(|_| !is_over);
            match onward {
                Some(parts) => requests.extend(parts.into_iter().map(|part| (place, Some(part)))),
                None => {
                    done.insert(place);
                    requests.push((place, None));
                }
            }
        }
        let price = self.members.limits.request_rows;
        way.spent = way
            .spent
            .saturating_add(price.saturating_mul(requests.len()));
        let holders = &way.holders;
        let asked = requests.into_iter().filter_map(|(place, values)| {
            let holder = holders.get(place)?;
            Some(async move { Ok::<_, Refusal>((place, self.steps(holder, values).await?)) })
        });
        for (place, given) in try_join_all(asked).await? {
            let Some(holder) = way.holders.get(place) else {
                continue;
            };
            // What came of it, or did not, is its news.
            way.sources.insert(holder.member);
            // Who failed is not asked again: what is missing is told.
            if given.is_none() {
                done.insert(place);
            }
            let is_reverse = holder.step.is_reverse != way.is_last;
            for (sources, quads) in given.into_iter().flatten() {
                way.spent = way.spent.saturating_add(quads.len());
                way.sources
                    .extend(sources.iter().map(|source| usize::from(*source)));
                for quad in &quads {
                    way.trail.lead(quad, is_reverse);
                }
                self.keep(holder.member, &sources, quads);
            }
        }
        let mut places = 0..;
        way.holders
            .retain(|_| places.next().is_some_and(|place| !done.contains(&place)));
        Ok(())
    }

    /// VALUES for the steps that lead on from here, in parts; none where the member has to give all its steps.
    // INVARIANT(bindings-by-policy): where a path has led by one member's data is told another only where it may be.
    fn onward(
        &self,
        holder: &Holder<'_>,
        way: &Way<'_>,
        from: &[Term],
    ) -> Option<Vec<GraphPattern>> {
        let Holder { step, member, .. } = holder;
        let triple = &step.atom.triple;
        let (near, is_of_subjects) = if step.is_reverse == way.is_last {
            (&triple.subject, true)
        } else {
            (&triple.object, false)
        };
        let TermPattern::Variable(near) = near else {
            return None;
        };
        let mut terms = Vec::new();
        for term in from {
            match term {
                // Nobody else has steps from there.
                Term::BlankNode(blank) if owner(blank) == Some(*member) => return None,
                Term::BlankNode(_) => {}
                Term::Literal(_) if is_of_subjects => {}
                Term::NamedNode(name) => terms.push(GroundTerm::from(name.clone())),
                Term::Literal(literal) => terms.push(GroundTerm::from(literal.clone())),
            }
        }
        let mut here = Known::default();
        here.asked(near, &terms, &self.members.limits);
        let wanted = Wanted::new(&holder.group.atoms, &[], &here);
        if terms.is_empty() || !self.may_hold(*member, &wanted) {
            return Some(Vec::new());
        }
        let sending = self.members.sending(*member);
        let most = sending.most;
        let may_tell = way
            .sources
            .iter()
            .all(|source| self.may_tell(*source, *member));
        let is_found = sending.dialect.finds(&terms);
        if !may_tell || !is_found || terms.len() > most.saturating_mul(BATCHES) {
            return None;
        }
        Some(parts(
            near,
            terms,
            most,
            self.members.limits.query_bytes / 2,
        ))
    }

    /// Asks for steps; none where the member did not give them.
    async fn steps(
        &self,
        holder: &Holder<'_>,
        values: Option<GraphPattern>,
    ) -> Result<Option<Given>, Refusal> {
        let Holder { group, member, .. } = holder;
        let sending = self.members.sending(*member);
        let (query, form) = group.query(self, &[], values, None, &sending);
        let rows = self.members.limits.rows_per_fetch;
        let asked = self
            .members
            .ask(*member, &query, &form, Patience::Share, rows);
        let Some(given) = asked.await? else {
            return Ok(None);
        };
        let parts = given.by_sources(*member).into_iter();
        let parts = parts.map(|(sources, given)| Some((sources, group.quads(&given, *member)?)));
        let quads: Option<Vec<_>> = parts.collect();
        if quads.is_none() {
            let reason = "gave an answer that does not match the question";
            let state = SourceState::NotEvaluable;
            self.ledger.trouble(*member, state, reason);
        }
        Ok(quads)
    }
}

/// Quads, and those whose they are.
type Given = Vec<(Sources, Vec<Quad>)>;
/// What the other end of a path can be, and whose data that rests on.
type Learnt = (Variable, FxHashSet<GroundTerm>, BTreeSet<usize>);

/// VALUES, so many and of so many bytes at a time.
fn parts(
    variable: &Variable,
    terms: Vec<GroundTerm>,
    most: usize,
    bytes: usize,
) -> Vec<GraphPattern> {
    let mut parts = Vec::new();
    let mut part: Vec<Vec<Option<GroundTerm>>> = Vec::new();
    let mut size = 0;
    for term in terms {
        let length = term.to_string().len();
        if !part.is_empty() && (part.len() >= most || size + length > bytes) {
            parts.push(std::mem::take(&mut part));
            size = 0;
        }
        size += length;
        part.push(vec![Some(term)]);
    }
    parts.push(part);
    let parts = parts.into_iter().map(|bindings| GraphPattern::Values {
        variables: vec![variable.clone()],
        bindings,
    });
    parts.collect()
}

impl Start {
    /// The end with fewer terms, where any are known.
    fn of(walk: &Walk, known: &Known) -> Option<Self> {
        let ends = walk.ends.iter().enumerate();
        let starts = ends.filter_map(|(place, end)| {
            let constant = |term: GroundTerm| (vec![term], BTreeSet::new());
            let (terms, sources) = match end {
                TermPattern::NamedNode(name) => constant(name.clone().into()),
                TermPattern::Literal(literal) => constant(literal.clone().into()),
                TermPattern::BlankNode(_) => return None,
                TermPattern::Variable(variable) => {
                    let values = known.of(variable)?;
                    (values.terms.to_vec(), values.sources.clone())
                }
            };
            Some(Self {
                is_last: place == 1,
                terms,
                sources,
            })
        });
        starts.min_by_key(|start| start.terms.len())
    }
}

impl Trail {
    fn lead(&mut self, quad: &Quad, is_reverse: bool) {
        let (subject, object) = (Term::from(quad.subject.clone()), quad.object.clone());
        let (near, far) = if is_reverse {
            (object, subject)
        } else {
            (subject, object)
        };
        if self.reached.contains(&near) {
            self.reach(far);
        } else {
            self.beyond.entry(near).or_default().push(far);
        }
    }

    fn reach(&mut self, term: Term) {
        let mut reached = vec![term];
        while let Some(term) = reached.pop() {
            if self.reached.insert(term.clone()) {
                reached.extend(self.beyond.remove(&term).into_iter().flatten());
                self.new.push(term);
            }
        }
    }
}
