//! What members are asked with, and how the answer leaves: when all has come, or as it comes.

use super::Federator;
use crate::explain::{Before, Teller};
use crate::fetch::{Spread, Why};
use crate::gate::Bulkhead;
use crate::ledger::Ledger;
use crate::members::Members;
use crate::question::Question;
use crate::room::Room;
use crate::stream::Arriving;
use crate::unsure::needs_all;
use oxrdf::NamedNode;
use rustc_hash::FxHashSet;
use spargebra::Query;
use std::sync::Arc;
use std::time::Duration;
use twinlink_core::policy::Permit;
use twinlink_core::{
    Budget, Code, Conditions, DatasetChoice, Delegation, Evaluated, Freshness, Gathered, Harvest,
    Merge, Refusal, Sink, Step, StepKind,
};

/// What is to be done last.
pub(super) enum Found {
    /// The last step, and why nothing left before, where that is so.
    Held(Box<dyn Merge>, Option<Why>),
    /// Members are to be asked for rows that leave as they come.
    Spread(Arc<Spread>, Before),
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

    /// Our twin and all peers, for one question.
    pub(super) fn question(
        &self,
        query: &Query,
        dataset: Option<&DatasetChoice>,
        (permit, delegation): (&Permit, &Delegation),
        budget: &Budget,
        conditions: &Conditions,
    ) -> Question {
        let mut names = vec![self.participant.clone()];
        let mut known: FxHashSet<_> = names.iter().cloned().collect();
        for peer in self.peers.list() {
            let is_asked = delegation.left_out.contains(&peer);
            if !is_asked && names.len() < usize::from(u16::MAX) && known.insert(peer.clone()) {
                names.push(peer);
            }
        }
        let turn = |_| Bulkhead::new(self.limits.concurrency, usize::MAX);
        Question {
            ourselves: self.participant.clone(),
            twin: Arc::clone(&self.twin),
            workers: Arc::clone(&self.workers),
            peers: Arc::clone(&self.peers),
            clock: Arc::clone(&self.clock),
            limits: self.limits,
            dataset: choice(query, dataset),
            permit: permit.clone(),
            delegation: delegation.clone(),
            budget: budget.clone(),
            room: Room::of(budget),
            ledger: self.ledger(&names, conditions),
            turns: names.iter().map(turn).collect(),
            names,
            gates: Arc::clone(&self.gates),
            teller: Teller::new(conditions.explain),
            conditions: conditions.clone(),
            operators: needs_all(query),
        }
    }

    pub(super) async fn answer(
        &self,
        query: &Query,
        question: Question,
        may_stream: bool,
    ) -> Result<Gathered, Refusal> {
        let members = question.members();
        members.required()?;
        let (found, is_silent) = self.with_services(query, &members, may_stream).await?;
        drop(members);
        let (merge, why) = match found {
            Found::Held(merge, why) => (merge, why),
            Found::Spread(spread, before) => {
                let arriving = Arriving::new(question, spread, before);
                return Ok(Gathered::Streamed(Box::new(arriving)));
            }
        };
        if let Some(why) = why {
            question.teller.step(|| Step {
                word: format!("no row leaves before all have come: {why}"),
                ..Step::new(StepKind::Evaluate, "over what was fetched")
            });
        }
        Ok(Gathered::Held(Harvest {
            sources: question.ledger.statuses(),
            unsure: {
                let mut unsure = if question.ledger.is_settled() {
                    Vec::new()
                } else {
                    question.operators
                };
                unsure.extend(is_silent.then(|| "SERVICE SILENT".to_owned()));
                unsure
            },
            explanation: question.teller.told(),
            merge: Box::new(Held {
                merge,
                _room: question.room,
            }),
        }))
    }

    /// As [`Self::harvest`], where nothing leaves before all have come.
    pub(super) async fn held(
        &self,
        query: &Query,
        resolved: &Query,
        members: &Members<'_>,
    ) -> Result<Box<dyn Merge>, Refusal> {
        match self.harvest(query, resolved, members, false).await? {
            Found::Held(merge, _) => Ok(merge),
            Found::Spread(..) => Err(not_held()),
        }
    }
}

/// The last step, over what takes this room.
struct Held {
    merge: Box<dyn Merge>,
    _room: Room,
}

impl Merge for Held {
    fn run(self: Box<Self>, budget: &Budget, sink: &mut dyn Sink) -> Result<Evaluated, Refusal> {
        self.merge.run(budget, sink)
    }
}

/// Whoever asks for what is held gets no rows on their way.
pub(super) fn not_held() -> Refusal {
    let detail = "rows came that were to be held";
    Refusal::new(Code::Internal, "federation.stream", detail)
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
