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
use spargebra::algebra::GraphPattern;
use spargebra::{Query, SparqlParser};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};
use twinlink_federation::FederationLimits;

/// How many times as many requests for data as members contribute to an answer there may be, on average.
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
    let (mut right, mut ratios, mut logarithms) = (0, Vec::new(), 0.0);
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
        ratios.push(count(figures.requests) / count(figures.floor));
        logarithms += figures.milliseconds.max(0.001).ln();
        queries.push(json!({
            "query": figures.name,
            "right": figures.is_right,
            "why": figures.why,
            "requests": figures.requests,
            "floor": figures.floor,
            "other_requests": figures.others,
            "milliseconds": figures.milliseconds,
        }));
    }
    let ratio = ratios.iter().sum::<f64>() / count(ratios.len().max(1));
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
    is_right: bool,
    why: Option<String>,
    requests: usize,
    /// How many members the rows rest on, without a limit on them: each must be asked at least once.
    floor: usize,
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
    let all = town.ask(&unlimited(query)).map_err(Fault::Measure)?;
    let contributors: BTreeSet<_> = all.row_sources.iter().flatten().collect();
    let same = same_answer(&expected, &told.answer);
    Ok(Figures {
        name: name.into_owned(),
        floor: contributors.len().max(1),
        is_right: same.is_ok(),
        why: same.err(),
        requests: told.requests,
        others: told.probes + told.summaries,
        milliseconds,
    })
}

/// The query without a limit on its rows.
fn unlimited(mut query: Query) -> Query {
    if let Query::Select { pattern, .. } = &mut query
        && let GraphPattern::Slice { inner, .. } = pattern
    {
        *pattern = (**inner).clone();
    }
    query
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
