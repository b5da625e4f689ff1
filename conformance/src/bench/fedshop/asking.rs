//! Asking a connector as a client does: what came, when, and by which steps.

use super::fault;
use crate::answer::{Answer, Table};
use crate::library::Fault;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use twinlink_client::{Client, Explain, Head, Outcome, QueryOptions, Step};
use uuid::Uuid;

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, as the client had it.
pub(super) struct Heard {
    pub(super) answer: Answer,
    pub(super) milliseconds: f64,
    pub(super) first_row: Option<f64>,
    /// The participants that rows rest on.
    pub(super) sources: BTreeSet<String>,
}

/// How an answer came about.
pub(super) struct Analyzed {
    pub(super) milliseconds: f64,
    pub(super) steps: Vec<Step>,
}

impl Analyzed {
    /// How long the longest step of these kinds took, in milliseconds.
    pub(super) fn longest(&self, kinds: &[&str]) -> f64 {
        let steps = self.steps.iter();
        let of_kind = steps.filter(|step| kinds.contains(&step.kind.as_str()));
        let longest = of_kind.map(|step| step.elapsed).max();
        longest.unwrap_or_default().as_secs_f64() * 1e3
    }

    /// The requests for data.
    pub(super) fn data(&self) -> impl Iterator<Item = &Step> {
        let is_data = |step: &&Step| matches!(step.kind.as_str(), "fetch" | "whole");
        self.steps.iter().filter(is_data)
    }

    /// How many requests for data went to others.
    pub(super) fn requests(&self) -> f64 {
        float(self.data().map(|step| step.requests).sum())
    }

    /// How many bytes the terms have that came from others.
    pub(super) fn bytes(&self) -> f64 {
        float(self.data().map(|step| step.bytes).sum())
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Asks a connector, and its peers.
pub(super) async fn ask(client: &Client, query: &str, id: Uuid) -> Result<Heard, Fault> {
    let options = QueryOptions {
        federated: true,
        request_id: Some(id.to_string()),
        ..options(query)
    };
    let started = Instant::now();
    let milliseconds = || started.elapsed().as_secs_f64() * 1000.0;
    let mut answer = client.query(options).await.map_err(fault)?;
    let head = answer.head().clone();
    let (mut rows, mut first_row) = (Vec::new(), None);
    while let Some(batch) = answer.next().await.map_err(fault)? {
        if first_row.is_none() && !batch.is_empty() {
            first_row = Some(milliseconds());
        }
        rows.extend(batch);
    }
    let outcome = answer.outcome().await.map_err(fault)?;
    let milliseconds = milliseconds();
    complete(&outcome)?;
    let sources = rows.iter().flat_map(|row| row.sources.iter());
    let sources = sources.filter_map(|source| outcome.sources.get(usize::from(*source)));
    Ok(Heard {
        sources: sources
            .map(|source| source.participant.as_str().to_owned())
            .collect(),
        answer: match head {
            Head::Boolean(value) => Answer::Boolean(value),
            Head::Graph => return Err(fault("a graph")),
            Head::Solutions(variables) => Answer::Table(Table {
                variables,
                rows: rows.into_iter().map(|row| row.values).collect(),
                ordered: false,
            }),
        },
        milliseconds,
        first_row,
    })
}

/// Has the same done, and told how.
pub(super) async fn analyze(client: &Client, query: &str, id: Uuid) -> Result<Analyzed, Fault> {
    let options = QueryOptions {
        federated: true,
        request_id: Some(id.to_string()),
        explain: Some(Explain::Analyze),
        ..options(query)
    };
    let started = Instant::now();
    let outcome = client.query(options).await.map_err(fault)?.outcome().await;
    let outcome = outcome.map_err(fault)?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    complete(&outcome)?;
    let told = outcome.explanation.ok_or_else(|| fault("no explanation"))?;
    Ok(Analyzed {
        milliseconds,
        steps: told.steps,
    })
}

/// Asks a connector, and nobody else, for nothing: what its own part of every question takes, in milliseconds.
pub(super) async fn alone(client: &Client) -> Result<f64, Fault> {
    let started = Instant::now();
    let answer = client.query(options(super::NOTHING)).await.map_err(fault)?;
    answer.outcome().await.map_err(fault)?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

fn options(query: &str) -> QueryOptions {
    QueryOptions::new(query, tokio::time::Instant::now() + PATIENCE)
}

/// What lacks a source is measured as what it is not.
fn complete(outcome: &Outcome) -> Result<(), Fault> {
    if outcome.complete {
        return Ok(());
    }
    let states = outcome.sources.iter().filter(|one| !one.state.is_settled());
    let states: Vec<_> = states
        .map(|one| format!("<{}> {}", one.participant.as_str(), one.state))
        .collect();
    let states = states.join(", ");
    Err(fault(format!("an answer lacks sources: {states}")))
}
