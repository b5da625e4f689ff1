//! Fetching what a query needs: groups of patterns from the members that can match them, in rounds.
//!
//! A join keeps its value if every quad that one of its solutions uses is fetched. So a triple pattern is fetched from
//! every member that can match it; patterns that one member alone can match are matched there together; conditions
//! on all solutions go along; and a variable that has few candidates after one round restricts the next.

mod bindings;
mod estimate;
mod explain;
mod group;
mod hold;
mod known;
mod push;
mod rename;
mod spread;
mod walk;
mod whole;

use crate::ledger::Ledger;
use crate::members::{Given, Members, Patience};
use crate::needs::{Atom, Join, Part, everything};
use crate::probe::{Probe, normal};
use crate::scratch::Scratch;
use crate::summary::Summary;
use futures::future::{BoxFuture, try_join_all, try_join3};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use group::{Group, groups};
use hold::Wanted;
use known::{Candidates, KEPT, Known};
use oxrdf::Variable;
pub(crate) use push::Push;
use rustc_hash::FxHashSet;
pub(crate) use spread::{Spread, Why};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twinlink_core::{Refusal, SourceState};
pub(crate) use whole::Whole;

/// What each member can match, and what has been fetched.
pub(crate) struct Fetcher<'a> {
    pub(crate) members: &'a Members<'a>,
    pub(crate) ledger: &'a Ledger,
    pub(crate) probe: &'a Probe,
    /// By member, then by the number of the pattern in the probe.
    pub(crate) matches: Vec<Vec<bool>>,
    /// By member; empty where the query is planned without them. A member without one can match what it says.
    pub(crate) summaries: Vec<Option<Arc<Summary>>>,
    pub(crate) base_iri: Option<String>,
    scratch: Mutex<Scratch>,
    begun: Mutex<FxHashSet<Atom>>,
    /// Whether one answer of one member is all that is fetched.
    is_single: AtomicBool,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(
        members: &'a Members<'a>,
        probe: &'a Probe,
        matches: Vec<Vec<bool>>,
        summaries: Vec<Option<Arc<Summary>>>,
        base_iri: Option<String>,
    ) -> Self {
        Self {
            members,
            ledger: members.ledger,
            probe,
            matches,
            summaries,
            base_iri,
            scratch: Mutex::default(),
            begun: Mutex::default(),
            is_single: AtomicBool::new(false),
        }
    }

    pub(crate) fn into_scratch(self) -> Scratch {
        self.scratch
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The members that can match a pattern.
    pub(crate) fn contributors(&self, atom: &Atom) -> Vec<usize> {
        let Some(number) = self.probe.number(atom) else {
            return Vec::new();
        };
        self.matches
            .iter()
            .enumerate()
            .filter(|(_, matches)| matches.get(number).copied().unwrap_or(false))
            .map(|(member, _)| member)
            .collect()
    }

    /// Whether the join has no solution, because some of it matches nowhere.
    fn is_empty(&self, join: &Join) -> bool {
        join.triples
            .iter()
            .any(|atom| self.contributors(atom).is_empty())
            || join.values.iter().any(|(_, values)| values.is_empty())
            || join.parts.iter().any(|part| match part {
                Part::Union(joins) => joins.iter().all(|join| self.is_empty(join)),
                Part::Select(join, _) => self.is_empty(join),
                Part::Dependent(..) => false,
            })
    }

    /// Tells that nothing else is fetched than what the query needs, at once or in parts.
    pub(crate) fn nothing_else(&self, needs: &Join, whole: Option<&Whole>) {
        let is_single = match whole {
            Some(whole) => whole.members().len() == 1,
            None => self.is_one_group(needs),
        };
        self.is_single.store(is_single, Ordering::Relaxed);
    }

    /// Whether one group of one member is all that it needs.
    fn is_one_group(&self, join: &Join) -> bool {
        let is_plain = join.others.is_empty() && join.walks.is_empty();
        is_plain
            && match (join.triples.is_empty(), join.parts.as_slice()) {
                (true, [Part::Select(inner, _) | Part::Dependent(inner, _)]) => {
                    self.is_one_group(inner)
                }
                (false, []) => {
                    matches!(&*groups(self, join), [group] if group.members.len() == 1)
                }
                _ => false,
            }
    }

    /// How long each of so many requests at once may take.
    fn patience(&self, requests: usize) -> Patience {
        match requests == 1 && self.is_single.load(Ordering::Relaxed) {
            true => Patience::Only,
            false => Patience::Share,
        }
    }

    /// Fetches all that the query needs.
    ///
    /// # Errors
    /// What the query did wrong, found by our own twin.
    pub(crate) async fn fetch_all(&self, needs: &Join) -> Result<(), Refusal> {
        self.fetch(needs, Known::default()).await
    }

    fn fetch<'b>(&'b self, join: &'b Join, inherited: Known) -> BoxFuture<'b, Result<(), Refusal>> {
        async move {
            if self.is_empty(join) || inherited.is_impossible() {
                return Ok(());
            }
            let walks = join.walks.iter();
            let (walked, shipped): (Vec<_>, Vec<_>) =
                walks.partition(|walk| self.is_worth_walking(walk));
            let alone = try_join_all(join.others.iter().map(|atom| self.alone(atom)));
            let steps = try_join_all(shipped.into_iter().map(|walk| self.all_steps(walk)));
            let rounds = async {
                let mut known = inherited;
                for (variable, values) in &join.values {
                    known.asked(variable, values, &self.members.limits);
                }
                // Those from what the question names, which may lead to what others need, and those from what came of it.
                let left = self.walks(walked, &mut known).await?;
                let mut known = self.rounds(join, known).await?;
                let left = self.walks(left, &mut known).await?;
                if known.is_impossible() {
                    return Ok(Vec::new());
                }
                try_join_all(left.into_iter().map(|walk| self.all_steps(walk))).await?;
                try_join_all(join.parts.iter().map(|part| self.part(part, &known))).await
            };
            try_join3(alone, steps, rounds).await.map(drop)
        }
        .boxed()
    }

    async fn part(&self, part: &Part, known: &Known) -> Result<(), Refusal> {
        match part {
            Part::Union(joins) => {
                try_join_all(joins.iter().map(|join| self.fetch(join, known.clone()))).await?;
                Ok(())
            }
            Part::Select(join, visible) | Part::Dependent(join, visible) => {
                self.fetch(join, known.only(visible)).await
            }
        }
    }

    /// Fetches the groups of a join; gives what is known of its variables then.
    ///
    /// Each round fetches the groups that are bound by what is known. Where none is, all that are left are tried with
    /// a limit: what comes whole is fetched, and may bind the others. What is too large for that is fetched when it
    /// is bound, or at last as it is.
    async fn rounds(&self, join: &Join, mut known: Known) -> Result<Known, Refusal> {
        let limits = &self.members.limits;
        let mut groups = groups(self, join);
        let mut may_try = limits.bindings > 0;
        while !groups.is_empty() && !known.is_impossible() {
            let (bound, rest): (Vec<_>, Vec<_>) =
                groups.into_iter().partition(|group| group.is_bound(&known));
            let is_trial = bound.is_empty() && may_try && connects(&rest);
            let (round, rest, most) = if is_trial {
                // Conditions are checked where few rows are left of them: a function may take long, and what it cannot
                // evaluate counts against a member even where no solution comes near it.
                let (checked, mut free): (Vec<_>, Vec<_>) = rest
                    .into_iter()
                    .partition(|group| group.is_checked(&join.filters));
                let mut later = checked;
                if free.is_empty() {
                    std::mem::swap(&mut free, &mut later);
                }
                later.extend(self.larger(&mut free));
                may_try = false;
                (free, later, Some(limits.bindings.saturating_mul(2)))
            } else if bound.is_empty() {
                (rest, Vec::new(), None)
            } else {
                (bound, rest, None)
            };
            // What a last round brings binds nothing any more.
            let is_last = most.is_none() && rest.is_empty() && join.parts.is_empty();
            let learnt = |group: &Group| match is_last {
                true => BTreeSet::new(),
                false => group.variables.clone(),
            };
            let fetches = round
                .iter()
                .map(|group| self.group(group, join, &known, most, learnt(group)));
            let fetched = try_join_all(fetches).await?;
            groups = rest;
            for (group, candidates) in round.into_iter().zip(fetched) {
                match candidates {
                    Some((candidates, sources)) => known.learn(candidates, &sources, limits),
                    None => groups.push(group),
                }
            }
        }
        Ok(known)
    }

    /// Takes away the groups that are much larger than the smallest, where the summaries tell: what that brings may
    /// bind them.
    fn larger(&self, groups: &mut Vec<Group>) -> Vec<Group> {
        let estimates = groups.iter().map(|group| group.estimate(self));
        let Some(estimates) = estimates.collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let least = estimates.iter().copied().min().unwrap_or_default();
        let mut estimates = estimates.into_iter();
        let is_larger = |estimate: u64| estimate > least.saturating_add(1).saturating_mul(2);
        let (larger, smaller): (Vec<_>, Vec<_>) = groups
            .drain(..)
            .partition(|_| estimates.next().is_some_and(is_larger));
        *groups = smaller;
        larger
    }

    /// Fetches a group from all members that can match it, and learns the candidates of some variables; none, and
    /// nothing is kept, where one of them has as many rows as `most`.
    async fn group(
        &self,
        group: &Group,
        join: &Join,
        known: &Known,
        most: Option<usize>,
        learnt: BTreeSet<Variable>,
    ) -> Result<Option<(Candidates, BTreeSet<usize>)>, Refusal> {
        let wanted = Wanted::new(&group.atoms, &join.filters, known);
        let members = group.members.iter();
        let holders = members.filter(|member| self.may_hold(**member, &wanted));
        let mut sources = BTreeSet::new();
        let mut requests = Vec::new();
        for member in holders {
            let bindings = self.bindings(group, *member, known, most.is_some());
            sources.insert(*member);
            sources.extend(bindings.sources);
            if bindings.batches.is_empty() {
                requests.push((*member, None));
            }
            let batches = bindings.batches.into_iter();
            requests.extend(batches.map(|values| (*member, Some(values))));
        }
        let patience = self.patience(requests.len());
        let asked = requests.into_iter().map(|(member, values)| async move {
            let sending = self.members.sending(member);
            let (query, form) = group.query(self, &join.filters, values, most, &sending);
            let rows = self.members.limits.rows_per_fetch;
            let estimate = self.estimate_at(group, member);
            let given = self
                .members
                .ask_expecting(estimate, member, &query, &form, patience, rows)
                .await?;
            Ok::<_, Refusal>((member, given))
        });
        let kept = self.members.limits.bindings.saturating_mul(KEPT);
        let mut candidates = Candidates::new(&learnt, kept);
        let mut keep = |member, given: Given| {
            for (sources, given) in given.by_sources(member) {
                let Some(quads) = group.quads(&given, member) else {
                    let reason = "gave an answer that does not match the question";
                    let state = SourceState::NotEvaluable;
                    self.ledger.trouble(member, state, reason);
                    continue;
                };
                candidates.see(&group.atoms, &quads);
                self.keep(member, &sources, quads);
            }
        };
        let mut asked: FuturesUnordered<_> = asked.collect();
        // Of a trial, which has few rows, nothing is kept before all is known to be there.
        let mut tried = Vec::new();
        let mut is_cut = false;
        while let Some(given) = asked.next().await {
            match (given?, most) {
                ((_, None), _) => {}
                ((member, Some(given)), None) => keep(member, given),
                ((member, Some(given)), Some(most)) => {
                    is_cut |= given.rows.solutions.len() >= most;
                    tried.push((member, given));
                }
            }
        }
        if is_cut {
            return Ok(None);
        }
        for (member, given) in tried {
            keep(member, given);
        }
        Ok(Some((candidates, sources)))
    }

    /// The quads so far.
    pub(crate) fn snapshot(&self) -> Scratch {
        self.lock().clone()
    }

    /// Fetches one pattern, whatever is known.
    pub(crate) async fn alone(&self, atom: &Atom) -> Result<(), Refusal> {
        let is_new = self
            .begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(normal(atom));
        if !is_new {
            return Ok(());
        }
        let group = Group::alone(self, atom);
        self.group(
            &group,
            &Join::default(),
            &Known::default(),
            None,
            BTreeSet::new(),
        )
        .await
        .map(drop)
    }

    /// Fetches the whole default graph of one member.
    pub(crate) async fn everything_of(&self, member: usize) -> Result<(), Refusal> {
        let mut group = Group::alone(self, &everything());
        group.members = vec![member];
        self.group(
            &group,
            &Join::default(),
            &Known::default(),
            None,
            BTreeSet::new(),
        )
        .await
        .map(drop)
    }

    /// Takes quads that a member gave, and those whose they are: itself, or those that it asked as a broker.
    pub(crate) fn keep(&self, member: usize, sources: &[u16], quads: Vec<oxrdf::Quad>) {
        for source in sources {
            self.ledger.rows(usize::from(*source), quads.len());
        }
        let room = self.members.limits.quads;
        let mut scratch = self.lock();
        let mut is_whole = true;
        for quad in quads {
            is_whole &= scratch.insert_of(&quad, sources, room);
        }
        drop(scratch);
        if !is_whole {
            let reason = format!("has more than fits: {room} quads are fetched at most");
            self.ledger.trouble(member, SourceState::Partial, &reason);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Scratch> {
        // Inserting a quad does not panic half way.
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether some variable stands in two of the groups.
fn connects(groups: &[Group]) -> bool {
    groups.iter().enumerate().any(|(place, group)| {
        groups
            .iter()
            .skip(place + 1)
            .any(|other| !group.variables.is_disjoint(&other.variables))
    })
}
