//! The FedShop benchmark: shops and rating sites that each hold a part, asked together.
//!
//! The connector that is asked holds nothing itself, so that every quad comes from a peer. The members are asked in
//! this process, through the ports that a network has its place behind: what is counted are questions, not frames.

use crate::answer::Answer;
use crate::compare::same_answer;
use crate::engine::Ours;
use crate::library::Fault;
use crate::members::{Member, Town, deep, store};
use flate2::read::GzDecoder;
use oxrdf::Quad;
use oxrdfio::{RdfFormat, RdfParser};
use serde_json::{Value, json};
use sparesults::QueryResultsFormat;
use spargebra::SparqlParser;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};
use twinlink_federation::FederationLimits;

/// How many requests for data a query needs at least, q01 to q12: one for each group of patterns and member that
/// contributes to its answer.
const FLOOR: [usize; 12] = [1, 3, 1, 9, 4, 1, 1, 2, 1, 1, 1, 1];
/// How many times that many they may need on average.
const RATIO: f64 = 1.2;
/// The most bytes of a member's quads, unpacked.
const BYTES: u64 = 1 << 30;

/// Measures over the data in a folder.
pub(super) fn run(folder: &Path) -> Result<Value, Fault> {
    if !folder.join("members").is_dir() {
        return Ok(json!({ "skipped": format!("no members in {}", folder.display()) }));
    }
    deep(|| measure(folder)).map_err(Fault::Measure)?
}

fn measure(folder: &Path) -> Result<Value, Fault> {
    let ours = Ours::new().map_err(Fault::Measure)?;
    let member = |quads: Vec<Quad>| {
        Ok::<_, Fault>(Member {
            store: store(quads, ours.modify()).map_err(Fault::Measure)?,
            permit: Some(ours.read().clone()),
        })
    };
    let mut members = vec![member(Vec::new())?];
    for path in files(&folder.join("members"))? {
        members.push(member(quads(&path)?)?);
    }
    let limits = FederationLimits {
        // Nothing changes meanwhile.
        summary_age: Duration::from_secs(3_600),
        ..FederationLimits::default()
    };
    let town = Town::new(&members, limits, true).map_err(Fault::Measure)?;
    let mut queries = Vec::new();
    let (mut right, mut ratios, mut logarithms) = (0, BTreeMap::<usize, Vec<f64>>::new(), 0.0);
    // The summaries are exchanged before; what they cost is told apart.
    let started = Instant::now();
    let anything = SparqlParser::new().parse_query("ASK { ?s <urn:x-twinlink:nothing> ?o }");
    let exchanged = town
        .ask(&anything.map_err(fault)?)
        .map_err(Fault::Measure)?;
    let exchange = json!({
        "requests": exchanged.summaries,
        "bytes": exchanged.summary_bytes,
        "milliseconds": started.elapsed().as_secs_f64() * 1000.0,
    });
    let paths = files(&folder.join("queries"))?;
    for path in &paths {
        let figures = query(&town, folder, path)?;
        right += usize::from(figures.is_right);
        if let Some(floor) = figures.number.checked_sub(1).and_then(|n| FLOOR.get(n)) {
            let ratio = count(figures.requests) / count(*floor);
            ratios.entry(figures.number).or_default().push(ratio);
        }
        logarithms += figures.milliseconds.max(0.001).ln();
        queries.push(json!({
            "query": figures.name,
            "right": figures.is_right,
            "why": figures.why,
            "requests": figures.requests,
            "other_requests": figures.others,
            "milliseconds": figures.milliseconds,
        }));
    }
    let all: Vec<_> = ratios.values().flatten().collect();
    let ratio = all.iter().copied().sum::<f64>() / count(all.len().max(1));
    let is_complete = right == paths.len();
    Ok(json!({
        "members": members.len() - 1,
        "right": right,
        "exchange": exchange,
        "queries": queries,
        "requests_to_floor": ratio,
        "requests_to_floor_bound": RATIO,
        "geometric_mean_milliseconds": (logarithms / count(paths.len().max(1))).exp(),
        "peers": "not compared in this run",
        "ok": is_complete && ratio <= RATIO,
    }))
}

struct Figures {
    name: String,
    /// Of the template.
    number: usize,
    is_right: bool,
    why: Option<String>,
    requests: usize,
    /// Probes and questions for summaries.
    others: usize,
    milliseconds: f64,
}

fn query(town: &Town, folder: &Path, path: &Path) -> Result<Figures, Fault> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).map_err(fault)?;
    let query = SparqlParser::new().parse_query(&text).map_err(fault)?;
    let answer = folder.join("answers").join(format!("{name}.srj"));
    let answer = fs::read(answer).map_err(fault)?;
    let expected = Answer::parse(QueryResultsFormat::Json, &answer).map_err(Fault::Measure)?;
    let started = Instant::now();
    let told = town.ask(&query).map_err(Fault::Measure)?;
    let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
    // As multisets, and by value: whoever made the answers wrote numbers in their canonical form.
    let same = same_answer(&expected, &told.answer);
    Ok(Figures {
        number: name.get(1..3).unwrap_or_default().parse().unwrap_or(0),
        name: name.into_owned(),
        is_right: same.is_ok(),
        why: same.err(),
        requests: told.requests,
        others: told.probes + told.summaries,
        milliseconds,
    })
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>, Fault> {
    let entries = fs::read_dir(folder).map_err(fault)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(fault)?;
    paths.sort();
    Ok(paths)
}

fn quads(path: &Path) -> Result<Vec<Quad>, Fault> {
    let reader = GzDecoder::new(File::open(path).map_err(fault)?);
    let reader = std::io::Read::take(reader, BYTES);
    RdfParser::from_format(RdfFormat::NTriples)
        .for_reader(reader)
        .collect::<Result<_, _>>()
        .map_err(fault)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(number: usize) -> f64 {
    number as f64
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Measure(error.to_string())
}
