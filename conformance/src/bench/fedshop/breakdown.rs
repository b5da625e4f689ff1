//! Where the time of a federated question goes, with trust and without, and what single things cost that trust takes.

use super::asking::{Analyzed, alone};
use super::network::token;
use super::{count, fault, median};
use crate::bench::auth::checks;
use crate::bench::receipts::fsync;
use crate::library::Fault;
use crate::program::Home;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use twinlink::config::Config;
use twinlink::wire::{Node, runtime};
use twinlink_client::Client;
use twinlink_trust::{CurrentIdentity, Identity};

/// How often a single thing is done; the medians count.
const TIMES: usize = 200;
/// In bytes.
const MEGABYTE: f64 = 1024.0 * 1024.0;

/// What was told of the questions with trust, and without.
#[derive(Default)]
pub(super) struct Breakdown {
    pub(super) with: Phases,
    pub(super) without: Phases,
}

/// What took how long, in milliseconds, by question.
#[derive(Default)]
pub(super) struct Phases {
    all: BTreeMap<usize, Vec<f64>>,
    summaries: BTreeMap<usize, Vec<f64>>,
    planning: BTreeMap<usize, Vec<f64>>,
    evaluation: BTreeMap<usize, Vec<f64>>,
    /// The slowest of the requests for data.
    slowest: BTreeMap<usize, Vec<f64>>,
    /// Bytes of the terms that came.
    bytes: BTreeMap<usize, f64>,
    /// Requests for data.
    requests: BTreeMap<usize, f64>,
    /// What a connector's own part takes.
    own: Vec<f64>,
    /// Processor time for one question, of the one that asks and of the members together.
    processor: (f64, f64),
}

impl Phases {
    /// What was told of a question once.
    pub(super) fn add(&mut self, question: usize, told: &Analyzed) {
        let of = |phase: &mut BTreeMap<usize, Vec<f64>>, took: f64| {
            phase.entry(question).or_default().push(took);
        };
        of(&mut self.all, told.milliseconds);
        of(&mut self.summaries, told.longest(&["summary", "probe"]));
        of(&mut self.planning, told.longest(&["plan"]));
        of(&mut self.evaluation, told.longest(&["evaluate"]));
        of(&mut self.slowest, told.longest(&["fetch", "whole"]));
        self.bytes.insert(question, told.bytes());
        self.requests.insert(question, told.requests());
    }

    /// Measures what a connector's own part of a question takes.
    pub(super) fn alone(&mut self, runtime: &Runtime, client: &Client) -> Result<(), Fault> {
        for _ in 0..10 {
            self.own.push(runtime.block_on(alone(client))?);
        }
        Ok(())
    }

    /// What was on the processors before so many questions, and after.
    pub(super) fn took(&mut self, questions: usize, before: (f64, f64), after: (f64, f64)) {
        let each = |before: f64, after: f64| (after - before) * 1e3 / count(questions.max(1));
        self.processor = (each(before.0, after.0), each(before.1, after.1));
    }

    /// The most that came for one question, in megabytes.
    pub(super) fn fetched_most(&self) -> f64 {
        self.bytes.values().copied().fold(0.0, f64::max) / MEGABYTE
    }

    /// What came for all questions once, in megabytes.
    pub(super) fn fetched_in_a_round(&self) -> f64 {
        self.bytes.values().sum::<f64>() / MEGABYTE
    }

    fn to_json(&self) -> Value {
        let own = median(self.own.clone());
        let of = |phase: &BTreeMap<usize, Vec<f64>>| median(medians(phase).collect());
        let phases = [&self.all, &self.summaries, &self.planning, &self.evaluation];
        let [all, summaries, planning, evaluation] =
            phases.map(|phase| medians(phase).collect::<Vec<_>>());
        let others = summaries.iter().zip(&planning).zip(&evaluation);
        let rest = all
            .iter()
            .zip(others)
            .map(|(all, ((summaries, planning), evaluation))| {
                all - own - summaries - planning - evaluation
            });
        json!({
            "question": of(&self.all),
            "own_door_decision_record_and_receipt": own,
            "confirming_summaries": of(&self.summaries),
            "planning": of(&self.planning),
            "requests_for_data": median(rest.collect()),
            "slowest_request_for_data": of(&self.slowest),
            "evaluation": of(&self.evaluation),
            "processor_time_of_asking_mean": self.processor.0,
            "processor_time_of_members_mean": self.processor.1,
        })
    }
}

impl Breakdown {
    pub(super) fn to_json(&self, members: usize) -> Value {
        let requests = self.with.requests.values().sum::<f64>();
        let requests = requests / count(self.with.requests.len().max(1));
        json!({
            "unit": "milliseconds: medians over the questions, of the medians of each; requests for data are what the other phases leave",
            "with_trust": self.with.to_json(),
            "without_trust": self.without.to_json(),
            "each_question": {
                "summaries_confirmed": members,
                "requests_for_data": requests,
                "tokens_signed_and_verified": count(members) + requests,
            },
        })
    }
}

/// What single things cost, on this machine in this run.
pub(super) struct Units {
    sign_us: f64,
    verify_us: f64,
    known_us: f64,
    fsync_ms: f64,
}

impl Units {
    /// Measures with the keys of a connector that has stopped.
    pub(super) fn measure(home: &Home) -> Result<Self, Fault> {
        let [certificate, key, _] = crate::embedded::files(home.path());
        let identity = Identity::load(&certificate, &key).map_err(fault)?;
        let shown = identity.certificate().to_vec();
        let identity = CurrentIdentity::new(identity);
        let runtime = runtime().map_err(fault)?;
        let _inside = runtime.enter();
        let config = Config::load(&home.path().join("twinlink.toml")).map_err(fault)?;
        let connector = Node::open(config).map_err(fault)?.connector();
        let mut signing = Vec::new();
        let fresh = || token(&identity);
        for _ in 0..TIMES {
            let started = Instant::now();
            fresh()?;
            signing.push(microseconds(started.elapsed()));
        }
        let (first, again) = checks(&connector, &fresh()?, &shown, fresh)?;
        Ok(Self {
            sign_us: median(signing),
            verify_us: first,
            known_us: again,
            fsync_ms: fsync(home.path())?,
        })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "sign_a_token_microseconds": self.sign_us,
            "verify_a_new_token_microseconds": self.verify_us,
            "verify_a_known_token_microseconds": self.known_us,
            "fsync_milliseconds": self.fsync_ms,
        })
    }
}

/// The median of each question.
fn medians(of: &BTreeMap<usize, Vec<f64>>) -> impl Iterator<Item = f64> {
    of.values().map(|times| median(times.clone()))
}

fn microseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}
