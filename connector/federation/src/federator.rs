//! One federated question, top to bottom.

use crate::algebra::{columns, pattern, with_pattern};
use crate::collector::Collector;
use crate::describe::describe;
use crate::explain::{Teller, choices, known};
use crate::fetch::{Fetcher, Whole};
use crate::gate::{Bulkhead, Gates};
use crate::ledger::Ledger;
use crate::members::{Form, Members, Patience};
use crate::merge::{OverScratch, Relay, nothing};
use crate::needs::{everything, needs};
use crate::peers::{FederationLimits, Peers};
use crate::plans::{Plan, Plans};
use crate::probe::Probe;
use crate::scratch::Scratch;
use crate::service::{Services, has_service};
use crate::summaries::{Cache, Key, Sent, Summaries, SummaryQuestion, SummaryReply};
use crate::summary::Summary;
use crate::text::{depth, is_portable, query_text};
use crate::unsure::needs_all;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, try_join_all};
use oxrdf::NamedNode;
use rustc_hash::FxHashSet;
use spargebra::Query;
use std::sync::Arc;
use std::time::Duration;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Clock, Code, Conditions, DatasetChoice, Delegation, Federation, Freshness, Harvest,
    Head, Merge, Overview, Pushed, Refusal, Solution, SourceState, Step, StepKind, Twin, Workbench,
    Workers,
};

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
    gates: Gates,
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
            gates: Gates::default(),
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
        let mut names = vec![self.participant.clone()];
        let mut known: FxHashSet<_> = names.iter().cloned().collect();
        for peer in self.peers.list() {
            let is_asked = delegation.left_out.contains(&peer);
            if !is_asked && names.len() < usize::from(u16::MAX) && known.insert(peer.clone()) {
                names.push(peer);
            }
        }
        async move {
            let ledger = self.ledger(&names, conditions);
            let teller = Teller::new(conditions.explain);
            let operators = needs_all(query);
            let members = Members {
                ourselves: &self.participant,
                twin: &self.twin,
                workers: &self.workers,
                peers: &self.peers,
                clock: &self.clock,
                limits: self.limits,
                turns: names
                    .iter()
                    .map(|_| Bulkhead::new(self.limits.concurrency, usize::MAX))
                    .collect(),
                gates: &self.gates,
                teller: &teller,
                names,
                dataset: choice(query, dataset),
                permit,
                delegation,
                budget,
                ledger: &ledger,
                conditions,
                operators: &operators,
            };
            members.required()?;
            let (merge, is_silent) = self.with_services(query, &members).await?;
            Ok(Harvest {
                sources: ledger.statuses(),
                unsure: {
                    let mut unsure = if ledger.is_settled() {
                        Vec::new()
                    } else {
                        operators
                    };
                    unsure.extend(is_silent.then(|| "SERVICE SILENT".to_owned()));
                    unsure
                },
                explanation: teller.told(),
                merge,
            })
        }
        .boxed()
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
            let told = summaries.summary(&self.participant, &question).await?;
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
    /// What each member may be like: as old as the caller says, or else as the member's own entry has it.
    fn ledger(&self, names: &[NamedNode], conditions: &Conditions) -> Ledger {
        let now = self.clock.now();
        let fresh = |most: Option<Duration>| most.map(|most| Freshness::new(most, now));
        let stated = conditions.require.max_age;
        let names = names.iter().enumerate().map(|(member, name)| {
            let most = stated.or_else(|| match member {
                0 => None,
                _ => self.peers.traits(name).max_age,
            });
            (name.clone(), fresh(most))
        });
        Ledger::new(names, fresh(stated), conditions.age)
    }

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
    ) -> Result<(Box<dyn Merge>, bool), Refusal> {
        if !has_service(pattern(query)) {
            return Ok((self.harvest(query, query, members).await?, false));
        }
        let services = Services::new(self, members, query);
        let (resolved, served) = services.resolve(query).await?;
        let is_silent = served.is_unsure;
        // What is fetched does not depend on what was served: that is nobody else's to know.
        let merge = self.harvest(query, &resolved, members).await?;
        Ok((served.over(merge), is_silent))
    }

    /// The rows of a part of the question, for a next step of it.
    pub(crate) async fn rows(
        &self,
        query: &Query,
        members: &Members<'_>,
        most: usize,
    ) -> Result<Vec<Solution>, Refusal> {
        let merge = self.harvest(query, query, members).await?;
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
    ) -> Result<Box<dyn Merge>, Refusal> {
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
        let plan = self.plans.plan(query, members, &fetcher.summaries, || {
            // What describes a node may be anywhere.
            let whole = (!describes).then(|| fetcher.whole(&needs)).flatten();
            Plan {
                can_ask: whole.as_ref().is_some_and(|whole| fetcher.can_ask(whole)),
                push: fetcher.push(query),
                whole,
            }
        });
        let holders = plan.whole.as_ref().map_or(holders, Whole::members);
        let planned = members.clock.instant();
        members.teller.step(|| Step {
            elapsed: planned.saturating_duration_since(begun),
            ..Step::new(StepKind::Plan, "what is asked of whom")
        });
        if let [member] = *holders
            && names_nobody
            && self.can_answer_alone(query, member)
        {
            if !members.teller.is_plan() {
                let answer = ask_alone(query, members, member).await?;
                members.teller.choose(|| choices(members, known));
                return Ok(answer);
            }
            members.teller.step(|| Step {
                at: members.names.get(member).cloned().into_iter().collect(),
                requests: u64::from(member > 0),
                pushed: Some(Pushed::Question),
                word: "nobody else can match anything of it".to_owned(),
                ..Step::new(StepKind::Whole, query.to_string())
            });
        } else {
            if names_nobody
                && let Some(push) = &plan.push
                && let Some(pushed) = fetcher.pushed(query, push).await?
            {
                members.teller.choose(|| choices(members, known));
                return Ok(self.over(fetcher.into_scratch(), &pushed, members));
            }
            let whole = plan.whole.as_ref().filter(|_| plan.can_ask);
            if members.teller.is_plan() {
                let steps = match whole {
                    Some(whole) => fetcher.plan_whole(whole),
                    None => fetcher.plan_all(&needs),
                };
                for step in steps {
                    members.teller.step(|| step);
                }
            } else {
                match whole {
                    Some(whole) => fetcher.fetch_whole(whole).await?,
                    None => fetcher.fetch_all(&needs).await?,
                }
                if describes {
                    describe(resolved, &needs, &fetcher, &self.workbench).await?;
                }
            }
        }
        members.teller.choose(|| choices(members, known));
        Ok(self.over(fetcher.into_scratch(), resolved, members))
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
    fn can_answer_alone(&self, query: &Query, member: usize) -> bool {
        member == 0
            || (is_portable(query)
                && query_text(query).is_some_and(|text| {
                    text.len() <= self.limits.query_bytes && depth(&text) <= self.limits.nesting
                }))
    }
}

/// The dataset that is chosen: the protocol's wins over the query's.
fn choice(query: &Query, dataset: Option<&DatasetChoice>) -> Option<DatasetChoice> {
    let is_given = |choice: &&DatasetChoice| {
        !choice.default_graphs.is_empty() || !choice.named_graphs.is_empty()
    };
    dataset.filter(is_given).cloned().or_else(|| {
        query.dataset().map(|dataset| DatasetChoice {
            default_graphs: dataset.default.clone(),
            named_graphs: dataset.named.clone().unwrap_or_default(),
        })
    })
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
            if !members.is_cut_off(member)
                // Its summary is of its own twin.
                && !members.is_broker(member)
                && let Some(summaries) = summaries
                && let Some(summary) = self.cache.summary(members, summaries, member).await
            {
                members.teller.step(|| Step {
                    at: members.names.get(member).cloned().into_iter().collect(),
                    requests: u64::from(member > 0),
                    // All are asked at once, by this one task: a later one waits for what is done for those before it.
                    elapsed: members.clock.instant().saturating_duration_since(begun),
                    ..Step::new(StepKind::Summary, "what it can contribute")
                });
                return Ok((
                    probe.matches(&summary, members.dataset.as_ref()),
                    Some(summary),
                ));
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
    let patience = Patience::Most(members.limits.probe_patience);
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

/// Asks the one member for the whole answer.
async fn ask_alone(
    query: &Query,
    members: &Members<'_>,
    member: usize,
) -> Result<Box<dyn Merge>, Refusal> {
    let whole = with_pattern(query, crate::algebra::pattern(query).clone());
    let form = match &whole {
        Query::Select { pattern, .. } => Form::Solutions(columns(pattern)),
        Query::Ask { .. } => Form::Boolean,
        Query::Construct { .. } | Query::Describe { .. } => Form::Graph,
    };
    let most = usize::try_from(members.budget.rows()).unwrap_or(usize::MAX - 1);
    let given = members
        .ask(member, &whole, &form, Patience::All, most)
        .await?;
    if let Some(given) = &given {
        // A "yes" is something that it gave.
        let yes = usize::from(given.head == Head::Boolean(true));
        let rows = given.rows.solutions.len() + given.rows.triples.len();
        match &given.sources {
            None => members.ledger.rows(member, rows + yes),
            Some(everyone) => {
                // Whose each triple is nobody tells, and whose a truth value is neither.
                let all = everyone.iter().map(|source| (source, rows + yes));
                let all = all.filter(|_| given.rows.solutions.is_empty());
                let by_row = given.rows.solutions.iter();
                let by_row = by_row.flat_map(|row| row.sources.iter().map(|source| (source, 1)));
                for (source, rows) in all.chain(by_row) {
                    members.ledger.rows(usize::from(*source), rows);
                }
            }
        }
    }
    Ok(Box::new(Relay {
        // The list of names is no longer than that.
        member: u16::try_from(member).unwrap_or(u16::MAX),
        given: given.unwrap_or_else(|| nothing(query)),
    }))
}

impl std::fmt::Debug for Federator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Federator")
            .field("participant", &self.participant)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
