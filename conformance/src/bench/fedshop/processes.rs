//! Every member as a connector in a process of its own, beside the same members in processes without trust, in turns.
//!
//! Requests are counted where they arrive: in the members' own logs of use, read when the members have stopped.

use super::asking::{Heard, analyze, ask};
use super::bare::Bare;
use super::breakdown::{Breakdown, Units};
use super::network::Network;
use super::{Case, Figures, Measured, count, fault, geometric_mean, sources, unlimited};
use crate::library::Fault;
use crate::program::{Home, forget_peak, peak_megabytes};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use twinlink_client::{Client, Step};
use twinlink_store::{EvaluationOptions, TwinStore};
use twinlink_trust::{EntryKind, list_entries};
use uuid::Uuid;

/// What a request for a summary has for its text in the log of use.
const SUMMARY: &str = "summary";

/// What was measured of connectors in processes.
pub(super) struct Apart {
    pub(super) measured: Measured,
    /// The same without trust: in milliseconds, by question.
    pub(super) bare: Vec<f64>,
    members: usize,
    exchange_requests: usize,
    exchange_milliseconds: f64,
    /// For data, of the rounds that were compared: with trust, and without.
    requests: (usize, usize),
    /// By question: who was asked beyond the floor.
    beyond: Vec<Vec<Value>>,
    breakdown: Breakdown,
    units: Units,
    memory: Value,
}

/// How many requests of one question reached the members.
#[derive(Default, Clone, Copy)]
pub(super) struct Arrived {
    pub(super) data: usize,
    pub(super) summaries: usize,
}

/// What was heard of one question.
#[derive(Default)]
struct Asked {
    with: Vec<(Uuid, Heard)>,
    without: Vec<f64>,
    analyzed: Vec<Uuid>,
    /// By which steps it was answered the last time.
    told: Vec<Step>,
    /// The members that rows of its answer without a limit rest on.
    contributors: BTreeSet<String>,
}

/// Asks each question as often as told; the medians count.
pub(super) fn measure(folder: &Path, cases: &[Case], rounds: usize) -> Result<Apart, Fault> {
    let sources = sources(folder)?;
    let mut network = Network::new()?;
    network.join(&sources, &|_| ())?;
    let bare = Bare::start(&sources)?;
    let (first, exchange) = network.exchange()?;
    let (bare_runtime, bare_client) = bare.asking();
    bare_runtime.block_on(ask(bare_client, super::NOTHING, Uuid::now_v7()))?;
    let process = network.process()?.id();
    let before = network.process()?.megabytes()?;
    forget_peak(process)?;

    let (runtime, client) = network.asking()?;
    let processor = (network.processor()?, bare.processor()?);
    let mut asked: Vec<Asked> = cases.iter().map(|_| Asked::default()).collect();
    for round in 0..rounds.max(1) {
        for (case, asked) in cases.iter().zip(&mut asked) {
            // Whoever is second finds the processor's caches as the first one left them.
            let mut turns = [true, false];
            turns.rotate_left(round % 2);
            for with_trust in turns {
                let id = Uuid::now_v7();
                if with_trust {
                    let heard = runtime.block_on(ask(client, &case.text, id))?;
                    asked.with.push((id, heard));
                } else {
                    let heard = bare_runtime.block_on(ask(bare_client, &case.text, id))?;
                    case.compare(&heard.answer).map_err(fault)?;
                    asked.without.push(heard.milliseconds);
                }
            }
        }
    }
    let peak = peak_megabytes(process)?;
    let mut breakdown = Breakdown::default();
    let questions = rounds.max(1) * cases.len();
    breakdown
        .with
        .took(questions, processor.0, network.processor()?);
    breakdown
        .without
        .took(questions, processor.1, bare.processor()?);
    for _ in 0..rounds.max(1) {
        for (number, (case, asked)) in cases.iter().zip(&mut asked).enumerate() {
            let id = Uuid::now_v7();
            let told = runtime.block_on(analyze(client, &case.text, id))?;
            breakdown.with.add(number, &told);
            asked.analyzed.push(id);
            asked.told = told.steps;
            let told = bare_runtime.block_on(analyze(bare_client, &case.text, id))?;
            breakdown.without.add(number, &told);
        }
        breakdown.with.alone(runtime, client)?;
        breakdown.without.alone(bare_runtime, bare_client)?;
    }
    for (case, asked) in cases.iter().zip(&mut asked) {
        asked.contributors = contributors(&network, client, case)?;
    }
    let memory = json!({
        "asking_before_megabytes": before,
        "asking_peak_megabytes": peak,
        "fetched_most_megabytes": breakdown.with.fetched_most(),
        "fetched_in_a_round_megabytes": breakdown.with.fetched_in_a_round(),
        "members_megabytes": network.megabytes()?.iter().sum::<f64>(),
    });
    let bare_requests = bare.stop()?;
    let members = sources.len();
    let (home, homes) = network.stop()?;
    let mut arrived = BTreeMap::new();
    for home in &homes {
        read(home, &mut arrived)?;
    }
    let of = |id: &Uuid| arrived.get(&id.to_string()).copied().unwrap_or_default();
    let ids = |asked: &Asked| -> Vec<Uuid> {
        let with = asked.with.iter().map(|(id, _)| *id);
        with.chain(asked.analyzed.iter().copied()).collect()
    };
    let requests = asked.iter().flat_map(ids).map(|id| of(&id).data).sum();
    let without = asked.iter().map(|one| super::median(one.without.clone()));
    Ok(Apart {
        bare: without.collect(),
        beyond: asked.iter().map(beyond).collect(),
        measured: Measured(
            cases
                .iter()
                .zip(asked)
                .map(|(case, asked)| figures(case, asked, of))
                .collect(),
        ),
        members,
        exchange_requests: of(&first).summaries,
        exchange_milliseconds: exchange,
        requests: (requests, bare_requests),
        breakdown,
        units: Units::measure(&home)?,
        memory,
    })
}

/// The members that rows of an answer without a limit rest on.
fn contributors(
    network: &Network,
    client: &Client,
    case: &Case,
) -> Result<BTreeSet<String>, Fault> {
    let all = unlimited(case.query.clone()).to_string();
    let (runtime, _) = network.asking()?;
    let heard = runtime.block_on(ask(client, &all, Uuid::now_v7()))?;
    Ok(heard.sources)
}

/// Which members were asked for data and are in no row of the answer, with how much they gave.
fn beyond(asked: &Asked) -> Vec<Value> {
    let steps = asked
        .told
        .iter()
        .filter(|step| step.requests > 0 && step.rows.is_some());
    let others = steps.filter_map(|step| {
        let [member] = step.at.as_slice() else {
            return None;
        };
        let is_beyond = !asked.contributors.contains(member.as_str());
        let why = match step.rows.unwrap_or_default() {
            0 => "had nothing, which its summary could not tell",
            _ => "gave what joins with nothing of others, or what a part needs that only excludes rows",
        };
        is_beyond.then(|| json!({ "member": member.as_str(), "gave": step.rows, "why": why }))
    });
    others.collect()
}

fn figures(case: &Case, asked: Asked, of: impl Fn(&Uuid) -> Arrived) -> Figures {
    let rounds = count(asked.with.len());
    let (ids, heard): (Vec<_>, Vec<_>) = asked.with.into_iter().unzip();
    let data: usize = ids.iter().map(|id| of(id).data).sum();
    let others: usize = ids.iter().map(|id| of(id).summaries).sum();
    let firsts: Vec<_> = heard.iter().filter_map(|heard| heard.first_row).collect();
    Figures {
        name: case.name.clone(),
        why: heard
            .iter()
            .find_map(|heard| case.compare(&heard.answer).err()),
        requests: count(data) / rounds,
        floor: asked.contributors.len().max(1),
        others: count(others) / rounds,
        milliseconds: super::median(heard.iter().map(|heard| heard.milliseconds).collect()),
        first_row: (!firsts.is_empty()).then(|| super::median(firsts)),
    }
}

impl Apart {
    pub(super) fn to_json(&self, summary_bytes: usize) -> Value {
        let measured = &self.measured;
        let firsts = measured.0.iter().filter_map(|one| one.first_row);
        let mut queries = measured.queries();
        let beside = self.bare.iter().zip(&self.beyond);
        for (query, (bare, beyond)) in queries.iter_mut().zip(beside) {
            let ours = query.get("milliseconds").and_then(Value::as_f64);
            if let (Some(fields), Some(ours)) = (query.as_object_mut(), ours) {
                fields.insert("without_trust_milliseconds".to_owned(), json!(bare));
                fields.insert("trust_ratio".to_owned(), json!(ours / bare));
                if !beyond.is_empty() {
                    fields.insert("asked_beyond_the_floor".to_owned(), json!(beyond));
                }
            }
        }
        json!({
            "members": self.members,
            "processes": self.members + 1,
            "rounds": super::ROUNDS,
            "right": measured.right(),
            "exchange": {
                "requests": self.exchange_requests,
                "bytes": summary_bytes,
                "milliseconds": self.exchange_milliseconds,
            },
            "queries": queries,
            "requests_to_floor": measured.floors(),
            "geometric_mean_milliseconds": measured.geometric_mean(),
            "geometric_mean_first_row_milliseconds": geometric_mean(firsts),
            "trust": self.trust(),
            "breakdown": self.breakdown.to_json(self.members),
            "unit_costs": self.units.to_json(),
            "memory": self.memory,
        })
    }

    /// What trust costs.
    fn trust(&self) -> Value {
        let ours = self.measured.geometric_mean();
        let bare = self.bare_geometric_mean();
        json!({
            "compared_with": "as many processes, the same store, plans and wire, in turns, over plain TCP: no TLS, tokens, policies or receipts",
            "without_geometric_mean_milliseconds": bare,
            "ratio": ours / bare,
            "requests_with": self.requests.0,
            "requests_without": self.requests.1,
        })
    }

    /// Of the processes without trust.
    pub(super) fn bare_geometric_mean(&self) -> f64 {
        geometric_mean(self.bare.iter().copied())
    }
}

/// Adds what a member's log of use says.
pub(super) fn read(home: &Home, arrived: &mut BTreeMap<String, Arrived>) -> Result<(), Fault> {
    let summary = Sha256::digest(SUMMARY)
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let store = TwinStore::open(&home.path().join("twin"), EvaluationOptions::default());
    let journal = store.map_err(fault)?.journal();
    for (_, entry) in list_entries(&journal, 0, usize::MAX).map_err(fault)? {
        if let EntryKind::Intent { used, .. } = entry.kind {
            let arrived: &mut Arrived = arrived.entry(used.request).or_default();
            if used.request_digest == summary {
                arrived.summaries += 1;
            } else {
                arrived.data += 1;
            }
        }
    }
    Ok(())
}
