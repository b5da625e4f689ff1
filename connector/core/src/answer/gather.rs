//! The evaluation of a plan, here or over the peers too, up to the head of its answer.

mod attempt;

use super::arrivals::Arrivals;
use super::body::{Body, Ended, Feed, feed};
use super::decide::Granted;
use super::{Connector, Plan, Reply};
use crate::explain::Discard;
use crate::ports::{Evaluated, Harvest, Intent};
use crate::{
    Age, Budget, Choice, Conditions, Delegation, Explain, Explanation, Freshness, Gathered,
    Refusal, Requirement, Seat, SourceState, SourceStatus, Step, StepKind,
};
use spargebra::Query;
use std::sync::Arc;
use std::time::{Duration, Instant};
use twinlink_policy::Permit;

/// Evaluates and opens the reply: returns when the head is known.
pub(super) async fn gather(
    connector: &Connector,
    plan: Plan,
    granted: Granted,
    intent: Intent,
    seat: Seat,
    budget: &Budget,
    started: Instant,
) -> Result<Reply, Refusal> {
    let request = plan.request.id;
    let permit = granted.permit();
    let feed = if plan.request.federated {
        gather_federated(connector, &plan, &permit, seat, budget).await?
    } else {
        gather_here(connector, plan, permit, seat, budget, started)?
    };
    let (head, body) = Body::open(connector.clone(), granted, intent, budget.clone(), feed).await?;
    Ok(Reply {
        request,
        head,
        body,
    })
}

fn gather_here(
    connector: &Connector,
    plan: Plan,
    permit: Arc<Permit>,
    seat: Seat,
    budget: &Budget,
    started: Instant,
) -> Result<Feed, Refusal> {
    let ourselves = ourselves(connector, &permit);
    let age = Age::of(connector, &permit);
    let clock = Arc::clone(&connector.clock);
    let most = plan.request.require.max_age;
    let fresh = most.map(|most| Freshness::new(most, clock.now()));
    plan.request
        .require
        .check(std::slice::from_ref(&ourselves), &[])?;
    let explain = plan.request.explain;
    if explain.is_none()
        && let Some((pieces, evaluated)) = attempt::attempt(connector, &plan, &permit, budget)
    {
        let elapsed = clock.instant().saturating_duration_since(started);
        let end = ended_here(&plan, ourselves, (age, fresh), &evaluated, elapsed);
        return Ok(Feed::Over {
            pieces,
            end: Some(end),
        });
    }
    let twin = Arc::clone(&connector.twin);
    feed(connector, seat, budget, move |budget, sink| {
        let mut discard = Discard;
        let sink = match explain {
            None => sink,
            Some(_) => {
                sink.put(Discard::head())?;
                &mut discard
            }
        };
        let query = &plan.question.query;
        let explanation = explain.map(|explain| this_twin_alone(&ourselves, explain, query));
        if explain == Some(Explain::Plan) {
            return Ok(Ended {
                sources: vec![ourselves],
                unsure: Vec::new(),
                explanation,
            });
        }
        let dataset = plan.request.dataset.as_ref();
        let evaluated = twin.evaluate(query, dataset, &permit, budget, sink)?;
        let elapsed = clock.instant().saturating_duration_since(started);
        let ended = ended_here(&plan, ourselves, (age, fresh), &evaluated, elapsed)?;
        Ok(Ended {
            explanation: explanation.map(|told| finished(told, evaluated.rows, elapsed)),
            ..ended
        })
    })
}

/// What is said at the end of an answer over this twin alone: how old it is only as exactly, and within the bound, as given.
fn ended_here(
    plan: &Plan,
    ourselves: SourceStatus,
    (age, fresh): (Age, Option<Freshness>),
    evaluated: &Evaluated,
    elapsed: Duration,
) -> Result<Ended, Refusal> {
    let mut status = settle(ourselves, evaluated, elapsed);
    status.as_of = age.told(status.as_of);
    if let Some(fresh) = fresh {
        fresh.judge(&mut status);
    }
    let sources = vec![status];
    plan.request.require.check(&sources, &[])?;
    Ok(Ended {
        sources,
        unsure: Vec::new(),
        explanation: None,
    })
}

async fn gather_federated(
    connector: &Connector,
    plan: &Plan,
    permit: &Permit,
    seat: Seat,
    budget: &Budget,
) -> Result<Feed, Refusal> {
    let delegation = Delegation {
        request: plan.request.id,
        participant: plan.caller.participant().clone(),
        subject: plan.caller.subject().to_owned(),
        actors: plan.caller.means().actors.clone(),
        roles: plan.caller.roles().to_vec(),
        claims: plan.caller.claims(),
        purpose: plan.caller.purpose().cloned(),
        break_glass: plan.request.break_glass.clone(),
        on_behalf: plan.caller.on_behalf().to_vec(),
        left_out: plan.request.left_out.clone(),
    };
    let age = Age::of(connector, permit);
    let conditions = Conditions {
        require: plan.request.require.clone(),
        age,
        explain: plan.request.explain,
    };
    let dataset = plan.request.dataset.as_ref();
    let (query, federation) = (&plan.question.query, &connector.federation);
    // What the caller requires of sources is held to before a row leaves, so all have answered then.
    let gathered = if conditions.require == Requirement::default() {
        let gathered = federation.stream(query, dataset, permit, &delegation, budget, &conditions);
        gathered.await?
    } else {
        let gathered = federation.gather(query, dataset, permit, &delegation, budget, &conditions);
        Gathered::Held(gathered.await?)
    };
    match gathered {
        Gathered::Held(harvest) => merge(connector, harvest, conditions, seat, budget),
        Gathered::Streamed(rows) => {
            let mut arrivals = Arrivals::new(rows, seat, budget, age);
            if conditions.explain.is_some() {
                arrivals = arrivals.explained(&connector.clock);
            }
            Ok(Feed::Arrivals(Box::new(arrivals)))
        }
    }
}

/// Makes the answer of what was gathered.
fn merge(
    connector: &Connector,
    harvest: Harvest,
    conditions: Conditions,
    seat: Seat,
    budget: &Budget,
) -> Result<Feed, Refusal> {
    let Conditions {
        require,
        age,
        explain,
    } = conditions;
    let mut sources = harvest.sources;
    if let Some(ourselves) = sources.first_mut() {
        ourselves.as_of = age.told(ourselves.as_of);
    }
    if explain != Some(Explain::Plan) {
        require.check(&sources, &harvest.unsure)?;
    }
    let clock = Arc::clone(&connector.clock);
    feed(connector, seat, budget, move |budget, sink| {
        let started = clock.instant();
        let mut explanation = harvest.explanation;
        let evaluated = match explain {
            None => harvest.merge.run(budget, sink)?,
            Some(explain) => {
                sink.put(Discard::head())?;
                if explain == Explain::Plan {
                    return Ok(Ended {
                        sources,
                        unsure: harvest.unsure,
                        explanation,
                    });
                }
                let evaluated = harvest.merge.run(budget, &mut Discard)?;
                let elapsed = clock.instant().saturating_duration_since(started);
                explanation = explanation.map(|mut told| {
                    // The federation may have told why that is needed.
                    if told
                        .steps
                        .last()
                        .is_none_or(|last| last.kind != StepKind::Evaluate)
                    {
                        told.push(Step::new(StepKind::Evaluate, "over what was fetched"));
                    }
                    finished(told, evaluated.rows, elapsed)
                });
                evaluated
            }
        };
        if let Some(ourselves) = sources.first_mut() {
            could_not(ourselves, evaluated.not_evaluable);
        }
        // What could not be evaluated shows at the end only: the answer ends without its outcome then.
        require.check(&sources, &harvest.unsure)?;
        Ok(Ended {
            sources,
            unsure: harvest.unsure,
            explanation,
        })
    })
}

/// The explanation of an answer over this twin alone.
fn this_twin_alone(ourselves: &SourceStatus, explain: Explain, query: &Query) -> Explanation {
    Explanation {
        is_run: explain == Explain::Analyze,
        choices: vec![Choice {
            participant: ourselves.participant.clone(),
            is_asked: true,
            why: "the question is about this twin alone".to_owned(),
        }],
        steps: vec![Step::new(StepKind::Evaluate, query.to_string())],
        is_cut: false,
    }
}

/// What became of the last step.
pub(super) fn finished(mut told: Explanation, rows: u64, elapsed: Duration) -> Explanation {
    if let Some(step) = told
        .steps
        .last_mut()
        .filter(|step| step.kind == StepKind::Evaluate)
    {
        step.rows = Some(rows);
        step.elapsed = elapsed;
    }
    told
}

pub(super) fn ourselves(connector: &Connector, permit: &Permit) -> SourceStatus {
    SourceStatus {
        participant: connector.participant.clone(),
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: permit.policies().to_vec(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

fn settle(mut status: SourceStatus, evaluated: &Evaluated, elapsed: Duration) -> SourceStatus {
    status.rows = evaluated.rows;
    status.as_of = evaluated.as_of;
    status.elapsed = elapsed;
    if evaluated.rows == 0 {
        status.state = SourceState::Empty;
    }
    could_not(&mut status, evaluated.not_evaluable);
    status
}

/// Values that could not be evaluated are missing from the answer.
fn could_not(status: &mut SourceStatus, values: u64) {
    if values == 0 {
        return;
    }
    status.not_evaluable += values;
    if status.state.is_settled() {
        status.state = SourceState::Partial;
        status.reason = Some(format!("{values} values could not be evaluated"));
    }
}
