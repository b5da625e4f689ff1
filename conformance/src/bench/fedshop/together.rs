//! The members in this process, asked through the ports that a network has its place behind: what is counted are
//! questions, not frames, and nothing is spent on trust.

use super::{Case, Figures, Measured, count, fault, files, quads, unlimited};
use crate::engine::Ours;
use crate::library::Fault;
use crate::members::{Member, Town, store};
use serde_json::{Value, json};
use spargebra::SparqlParser;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use twinlink_federation::FederationLimits;

/// What was measured of the members in this process.
pub(super) struct Together {
    pub(super) measured: Measured,
    pub(super) exchange: Value,
    /// What the summaries of all members take on the wire.
    pub(super) summary_bytes: usize,
    members: usize,
}

/// Asks each question as often as told; the medians count.
pub(super) fn measure(folder: &Path, cases: &[Case], rounds: usize) -> Result<Together, Fault> {
    let ours = Ours::new().map_err(Fault::Measure)?;
    let mut members = vec![member(&ours, Vec::new())?];
    for path in files(&folder.join("members"))? {
        members.push(member(&ours, quads(&path)?)?);
    }
    let town = Town::new(&members, limits(), true).map_err(Fault::Measure)?;
    let (exchange, summary_bytes) = exchange(&town)?;
    let mut all = Vec::new();
    for case in cases {
        all.push(ask(&town, case, rounds)?);
    }
    Ok(Together {
        measured: Measured(all),
        exchange,
        summary_bytes,
        members: members.len() - 1,
    })
}

impl Together {
    /// As the figures of a run of its own.
    pub(super) fn to_json(&self) -> Value {
        let measured = &self.measured;
        json!({
            "members": self.members,
            "processes": 1,
            "right": measured.right(),
            "exchange": self.exchange,
            "queries": measured.queries(),
            "requests_to_floor": measured.floors(),
            "geometric_mean_milliseconds": measured.geometric_mean(),
            "peers": "not compared in this run",
            "ok": measured.is_good(),
        })
    }
}

/// A member that shows all it has.
pub(super) fn member(ours: &Ours, quads: Vec<oxrdf::Quad>) -> Result<Member, Fault> {
    Ok(Member {
        store: store(quads, ours.modify()).map_err(Fault::Measure)?,
        permit: Some(ours.read().clone()),
    })
}

/// Nothing changes meanwhile.
pub(super) fn limits() -> FederationLimits {
    FederationLimits {
        summary_age: Duration::from_secs(3_600),
        ..FederationLimits::default()
    }
}

/// Has the summaries exchanged before; what they cost is told apart.
pub(super) fn exchange(town: &Town) -> Result<(Value, usize), Fault> {
    let started = Instant::now();
    let anything = SparqlParser::new().parse_query(super::NOTHING);
    let exchanged = town
        .ask(&anything.map_err(fault)?)
        .map_err(Fault::Measure)?;
    let figures = json!({
        "requests": exchanged.summaries,
        "bytes": exchanged.summary_bytes,
        "milliseconds": started.elapsed().as_secs_f64() * 1000.0,
    });
    Ok((figures, exchanged.summary_bytes))
}

fn ask(town: &Town, case: &Case, rounds: usize) -> Result<Figures, Fault> {
    let (mut times, mut last) = (Vec::new(), None);
    for _ in 0..rounds.max(1) {
        let started = Instant::now();
        let told = town.ask(&case.query).map_err(Fault::Measure)?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        last = Some(told);
    }
    let told = last.ok_or_else(|| Fault::Measure("nothing was asked".to_owned()))?;
    let all = town
        .ask(&unlimited(case.query.clone()))
        .map_err(Fault::Measure)?;
    let contributors: BTreeSet<_> = all.row_sources.iter().flatten().collect();
    Ok(Figures {
        name: case.name.clone(),
        why: case.compare(&told.answer).err(),
        requests: count(told.requests),
        floor: contributors.len().max(1),
        others: count(told.probes + told.summaries),
        milliseconds: super::median(times),
        first_row: None,
    })
}
