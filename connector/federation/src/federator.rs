//! One federated question, top to bottom.

mod alone;
mod gather;

use alone::{ask_alone, plan_alone};
use gather::{Found, not_held};

use crate::algebra::pattern;
use crate::collector::Collector;
use crate::describe::describe;
use crate::explain::{Before, choices, known};
use crate::fetch::{Fetcher, Spread, Whole};
use crate::gate::Gates;
use crate::members::{Form, Members, Patience};
use crate::merge::OverScratch;
use crate::needs::{Join, everything, needs};
use crate::peers::{FederationLimits, Peers};
use crate::plans::{Plan, Plans};
use crate::probe::Probe;
use crate::scratch::Scratch;
use crate::service::{Services, has_service};
use crate::summaries::{Cache, Key, Sent, Summaries, SummaryQuestion, SummaryReply};
use crate::summary::Summary;
use crate::text::{depth, query_text};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, try_join_all};
use oxrdf::NamedNode;
use spargebra::Query;
use std::sync::Arc;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Clock, Code, Conditions, DatasetChoice, Delegation, Federation, Gathered, Harvest,
    Merge, Overview, Refusal, Solution, SourceState, Step, StepKind, Twin, Workbench, Workers,
};

/// What is told of a plan that was made before.
const KEPT: &str = "as it was planned before";

/// Answers questions over this twin and its peers together.
pub struct Federator {
    participant: NamedNode,
    twin: Arc<dyn Twin>,
    workbench: Arc<dyn Workbench>,
    workers: Arc<dyn Workers>,
    peers: Arc<dyn Peers>,
    clock: Arc<dyn Clock>,
    limits: FederationLimits,
    summaries: Option<Arc<dyn Summaries>>,
    cache: Cache,
    sent: Sent,
    plans: Plans,
    gates: Arc<Gates>,
}

impl Federator {
    /// A federator for the organisation `participant`, whose twin is the first member of every federation.
    pub fn new(
        participant: NamedNode,
        twin: Arc<dyn Twin>,
        workbench: Arc<dyn Workbench>,
        workers: Arc<dyn Workers>,
        peers: Arc<dyn Peers>,
        clock: Arc<dyn Clock>,
        limits: FederationLimits,
    ) -> Self {
        Self {
            participant,
            twin,
            workbench,
            workers,
            peers,
            clock,
            limits,
            summaries: None,
            cache: Cache::default(),
            sent: Sent::default(),
            plans: Plans::default(),
            gates: Arc::default(),
        }
    }

    /// Plans by summaries of what the members show, where they give them.
    #[must_use]
    pub fn with_summaries(mut self, summaries: Arc<dyn Summaries>) -> Self {
        self.summaries = Some(summaries);
        self
    }
}

impl Federation for Federator {
    fn gather<'a>(
        &'a self,
        query: &'a Query,
        dataset: Option<&'a DatasetChoice>,
        permit: &'a Permit,
        delegation: &'a Delegation,
        budget: &'a Budget,
        conditions: &'a Conditions,
    ) -> BoxFuture<'a, Result<Harvest, Refusal>> {
        let question = self.question(query, dataset, (permit, delegation), budget, conditions);
        async move {
            match self.answer(query, question, false).await? {
                Gathered::Held(harvest) => Ok(harvest),
                Gathered::Streamed(_) => Err(not_held()),
            }
        }
        .boxed()
    }

    fn stream<'a>(
        &'a self,
        query: &'a Query,
        dataset: Option<&'a DatasetChoice>,
        permit: &'a Permit,
        delegation: &'a Delegation,
        budget: &'a Budget,
        conditions: &'a Conditions,
    ) -> BoxFuture<'a, Result<Gathered, Refusal>> {
        let question = self.question(query, dataset, (permit, delegation), budget, conditions);
        self.answer(query, question, true).boxed()
    }

    fn summarize<'a>(
        &'a self,
        permit: &'a Permit,
        delegation: &'a Delegation,
        held: Option<&'a str>,
        budget: &'a Budget,
    ) -> BoxFuture<'a, Option<Overview>> {
        async move {
            let question = SummaryQuestion {
                permit,
                delegation,
                budget,
                held,
                base: None,
            };
            let summaries = self.summaries.as_ref()?;
            let told = summaries.summary(&self.participant, &question).await;
            let told = told.ok().flatten()?;
            Some(Overview {
                bytes: match told.reply {
                    SummaryReply::Held => None,
                    SummaryReply::Other(summary) => Some(self.told(&summary, delegation, held)),
                },
                as_of: told.status.and_then(|status| status.as_of),
            })
        }
        .boxed()
    }
}

impl Federator {
    /// The bytes of a summary of ours for a caller: what is new since the one that it holds, where that is less.
    fn told(&self, summary: &Summary, delegation: &Delegation, held: Option<&str>) -> Vec<u8> {
        let key = Key::new(&self.participant, delegation);
        let whole = summary.encode();
        let held = held.and_then(|held| self.sent.get(&key, held));
        let since = held.map(|held| summary.encode_since(&held));
        self.sent.put(key, summary.version(), &whole);
        since
            .filter(|since| since.len() < whole.len())
            .unwrap_or(whole)
    }

    /// Gathers for a query that may name members by SERVICE; and whether a silent one failed.
    async fn with_services(
        &self,
        query: &Query,
        members: &Members<'_>,
        may_stream: bool,
    ) -> Result<(Found, bool), Refusal> {
        if !has_service(pattern(query)) {
            return Ok((
                self.harvest(query, query, members, may_stream).await?,
                false,
            ));
        }
        let services = Services::new(self, members, query);
        let (resolved, served) = services.resolve(query).await?;
        let is_silent = served.is_unsure;
        // What is fetched does not depend on what was served: that is nobody else's to know.
        let merge = self.held(query, &resolved, members).await?;
        let why = "a part of it is asked of a member by name";
        Ok((Found::Held(served.over(merge), Some(why)), is_silent))
    }

    /// The rows of a part of the question, for a next step of it.
    pub(crate) async fn rows(
        &self,
        query: &Query,
        members: &Members<'_>,
        most: usize,
    ) -> Result<Vec<Solution>, Refusal> {
        let merge = self.held(query, query, members).await?;
        let budget = members.budget.clone();
        let (sender, receiver) = oneshot::channel();
        self.workers.run(Box::new(move || {
            let mut sink = Collector::new(most);
            let end = merge.run(&budget, &mut sink);
            // The receiver is gone where the question was given up.
            drop(sender.send(end.map(|_| sink.rows.solutions)));
        }))?;
        receiver.await.unwrap_or_else(|_| {
            Err(Refusal::new(
                Code::Internal,
                "federation.rows",
                "the evaluation of a part ended without a result",
            ))
        })
    }

    /// Gathers what a query needs. What is evaluated over it at last is `resolved`, the same but for SERVICE.
    async fn harvest(
        &self,
        query: &Query,
        resolved: &Query,
        members: &Members<'_>,
        may_stream: bool,
    ) -> Result<Found, Refusal> {
        let names_nobody = !has_service(pattern(query));
        let needs = needs(query);
        let describes = matches!(query, Query::Describe { .. });
        // What describes a node may be any triple.
        let anything = describes.then(everything);
        let probe = Probe::new(needs.atoms().into_iter().chain(&anything));
        let learnt = self.learn(members, &probe).await?;
        let known = known(members, &learnt);
        let begun = members.clock.instant();
        let (matches, summaries): (Vec<_>, Vec<_>) = learnt.into_iter().unzip();
        let holders: Vec<_> = matches
            .iter()
            .enumerate()
            .filter(|(_, matches)| matches.contains(&true))
            .map(|(member, _)| member)
            .collect();
        let base_iri = query.base_iri().map(|base| base.as_str().to_owned());
        let summaries = if summaries.iter().any(Option::is_some) {
            summaries
        } else {
            Vec::new()
        };
        let fetcher = Fetcher::new(members, &probe, matches, summaries, base_iri);
        let (plan, is_kept) =
            self.plans
                .plan(query, members, &fetcher.summaries, &fetcher.matches, || {
                    // What describes a node may be anywhere.
                    let whole = (!describes).then(|| fetcher.whole(&needs)).flatten();
                    Plan {
                        can_ask: whole.as_ref().is_some_and(|whole| fetcher.can_ask(whole)),
                        push: fetcher.push(query),
                        spread: fetcher.spread(query).map(Arc::new),
                        whole,
                    }
                });
        let holders = plan.whole.as_ref().map_or(holders, Whole::members);
        let planned = members.clock.instant();
        members.teller.step(|| Step {
            elapsed: planned.saturating_duration_since(begun),
            word: if is_kept { KEPT } else { "" }.to_owned(),
            ..Step::new(StepKind::Plan, "what is asked of whom")
        });
        let streams = match (names_nobody, may_stream) {
            (false, _) => Err("a part of it is asked of a member by name"),
            (_, false) => Err("what is required of sources is held to before"),
            (true, true) => Ok(()),
        };
        let why = if let [member] = *holders
            && names_nobody
            && self.can_answer_alone(query, member, members)
        {
            let spread = streams.and_then(|()| members.streamed(Spread::alone(member, query)?));
            if members.teller.is_plan() {
                members.teller.step(|| plan_alone(&fetcher, member, query));
            } else {
                let why = match spread {
                    Ok(spread) => {
                        let expected = fetcher.expected_rows(&spread);
                        return Ok(Found::Spread(spread, Before { known, expected }));
                    }
                    Err(why) => why,
                };
                let answer = ask_alone(query, &fetcher, member).await?;
                members.teller.choose(|| choices(members, known));
                return Ok(Found::Held(answer, Some(why)));
            }
            spread.map(drop)
        } else {
            let spread = streams.and_then(|()| members.streamed(plan.spread.clone()?));
            match spread {
                Ok(spread) if !members.teller.is_plan() => {
                    let expected = fetcher.expected_rows(&spread);
                    return Ok(Found::Spread(spread, Before { known, expected }));
                }
                Ok(spread) => {
                    members.teller.step(|| fetcher.plan_spread(&spread));
                    Ok(())
                }
                Err(why) => {
                    if names_nobody
                        && let Some(push) = &plan.push
                        && let Some(pushed) = fetcher.pushed(query, push).await?
                    {
                        members.teller.choose(|| choices(members, known));
                        let merge = self.over(fetcher.into_scratch(), &pushed, members);
                        return Ok(Found::Held(merge, Some(why)));
                    }
                    if names_nobody && !describes {
                        let whole = plan.whole.as_ref().filter(|_| plan.can_ask);
                        fetcher.nothing_else(&needs, whole);
                    }
                    self.fetch(&fetcher, &plan, &needs, resolved).await?;
                    Err(why)
                }
            }
        };
        members.teller.choose(|| choices(members, known));
        let merge = self.over(fetcher.into_scratch(), resolved, members);
        Ok(Found::Held(merge, why.err()))
    }

    /// Fetches what a query needs, or tells what would be fetched.
    async fn fetch(
        &self,
        fetcher: &Fetcher<'_>,
        plan: &Plan,
        needs: &Join,
        query: &Query,
    ) -> Result<(), Refusal> {
        let whole = plan.whole.as_ref().filter(|_| plan.can_ask);
        let teller = fetcher.members.teller;
        if teller.is_plan() {
            let steps = match whole {
                Some(whole) => fetcher.plan_whole(whole),
                None => fetcher.plan_all(needs),
            };
            for step in steps {
                teller.step(|| step);
            }
            return Ok(());
        }
        match whole {
            Some(whole) => fetcher.fetch_whole(whole).await?,
            None => fetcher.fetch_all(needs).await?,
        }
        if matches!(query, Query::Describe { .. }) {
            describe(query, needs, fetcher, &self.workbench).await?;
        }
        Ok(())
    }

    fn over(&self, scratch: Scratch, query: &Query, members: &Members<'_>) -> Box<dyn Merge> {
        Box::new(OverScratch {
            workbench: Arc::clone(&self.workbench),
            scratch,
            query: query.clone(),
            dataset: members.dataset.clone(),
        })
    }

    /// Whether the only member that can match anything of the query may get the whole of it.
    fn can_answer_alone(&self, query: &Query, member: usize, members: &Members<'_>) -> bool {
        member == 0
            || (members.answers(member, query)
                && query_text(query).is_some_and(|text| {
                    text.len() <= self.limits.query_bytes && depth(&text) <= self.limits.nesting
                }))
    }
}

/// What is known of a member: for each pattern of the probe whether it can match it, and its summary.
type Learnt = (Vec<bool>, Option<Arc<Summary>>);

impl Federator {
    /// Learns from every member what it can match: by its summary, or by asking.
    async fn learn(&self, members: &Members<'_>, probe: &Probe) -> Result<Vec<Learnt>, Refusal> {
        if probe.len() == 0 {
            return Ok(Vec::new());
        }
        let summaries = self.summaries.as_deref();
        let begun = members.clock.instant();
        try_join_all((0..members.names.len()).map(|member| async move {
            // A broker's summary is of its own twin.
            let summaries = summaries.filter(|_| !members.is_broker(member));
            let summary = match summaries {
                Some(summaries) => self.cache.summary(members, summaries, member).await,
                None => Ok(None),
            };
            match summary {
                Ok(Some(summary)) => {
                    members.teller.step(|| Step {
                        at: members.names.get(member).cloned().into_iter().collect(),
                        requests: u64::from(member > 0),
                        // All are asked at once, by this one task: a later one waits for what is done for those before it.
                        elapsed: members.clock.instant().saturating_duration_since(begun),
                        ..Step::new(StepKind::Summary, "what it can contribute")
                    });
                    let matches = probe.matches(&summary, members.dataset.as_ref());
                    return Ok((matches, Some(summary)));
                }
                Ok(None) => {}
                // Whoever is silent here would be silent there.
                Err(why) => {
                    members.missed(member, why)?;
                    return Ok((Vec::new(), None));
                }
            }
            Ok((probe_one(members, probe, member).await?, None))
        }))
        .await
    }
}

/// Asks a member what it can match.
async fn probe_one(
    members: &Members<'_>,
    probe: &Probe,
    member: usize,
) -> Result<Vec<bool>, Refusal> {
    let form = Form::Solutions(probe.columns());
    let patience = Patience::Most(members.patience(member));
    let given = members
        .ask(member, &probe.query(), &form, patience, 1)
        .await?;
    let matches = given
        .as_ref()
        .map(|given| probe.read(&given.rows.solutions));
    match matches {
        Some(Some(matches)) => return Ok(matches),
        Some(None) => {
            let reason = "did not say what it can match";
            let state = SourceState::NotEvaluable;
            members.ledger.trouble(member, state, reason);
            members.required()?;
        }
        None => {}
    }
    members.ledger.leave_out(member);
    Ok(Vec::new())
}

impl std::fmt::Debug for Federator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Federator")
            .field("participant", &self.participant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
