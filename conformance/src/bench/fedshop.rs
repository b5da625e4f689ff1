//! The FedShop benchmark: shops and rating sites that each hold a part, asked together.
//!
//! Each member is a connector of its own, and so is the one that is asked. It holds nothing itself, so that every quad
//! comes from a peer. By default each runs as a process, as organisations run it; `--in-process` leaves out the network
//! and all that trust takes.

mod asking;
mod bare;
mod baselines;
mod breakdown;
mod growth;
mod network;
mod processes;
mod spread;
mod together;

use crate::answer::Answer;
use crate::compare::same_answer;
use crate::library::Fault;
use crate::members::deep;
use flate2::read::GzDecoder;
use oxrdf::Quad;
use oxrdfio::{RdfFormat, RdfParser};
use serde_json::{Value, json};
use sparesults::QueryResultsFormat;
use spargebra::algebra::GraphPattern;
use spargebra::{Query, SparqlParser};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// How many times as many requests for data as members contribute to an answer there may be, on average.
const RATIO: f64 = 1.2;
/// How many members have to be asked at least for the first instance of each question over the 20 members of the data:
/// those whose quads the rows of its answer are made of, as counted for the engines that are published. Our own count
/// goes by the sources of our own rows.
const PUBLISHED: [(&str, usize); 12] = [
    ("q01-0", 1),
    ("q02-0", 3),
    ("q03-0", 1),
    ("q04-0", 9),
    ("q05-0", 4),
    ("q06-0", 1),
    ("q07-0", 1),
    ("q08-0", 2),
    ("q09-0", 1),
    ("q10-0", 1),
    ("q11-0", 1),
    ("q12-0", 1),
];
/// How many times as fast as the better of the peers it has to be, by the geometric means.
const FASTER: f64 = 50.0;
/// The most bytes of a member's quads, unpacked.
const BYTES: u64 = 1 << 30;
/// How often each question is asked; the medians count.
const ROUNDS: usize = 5;
/// Matches nothing, so that whoever asks it only learns who holds what.
const NOTHING: &str = "ASK { ?s <urn:x-twinlink:nothing> ?o }";

/// What is measured, and over which data.
#[derive(Debug, Clone)]
pub struct FedShop {
    /// The folder of the data: `members`, `queries` and `answers`.
    pub folder: PathBuf,
    /// The folder of the peers' programs: `comunica.mjs` and `members_server.py`.
    pub programs: PathBuf,
    /// Whether the members are in this process only.
    pub in_process: bool,
    /// Whether the peers are installed and measured, too.
    pub peers: bool,
    /// Measures with more and more members instead, up to so many.
    pub growth: Option<usize>,
}

/// Measures over the data in a folder.
pub(super) fn run(given: &FedShop) -> Result<Value, Fault> {
    let folder = &given.folder;
    if !folder.join("members").is_dir() {
        return Ok(json!({ "skipped": format!("no members in {}", folder.display()) }));
    }
    deep(|| {
        let cases = cases(folder)?;
        if let Some(most) = given.growth {
            // First the one for which this process is to be small.
            let one_process = growth::measure(folder, &cases, most)?;
            Ok(if given.in_process {
                one_process
            } else {
                json!({ "one_process": one_process, "processes": spread::measure(folder, &cases, most)? })
            })
        } else if given.in_process {
            Ok(together::measure(folder, &cases, 1)?.to_json())
        } else {
            apart(given, &cases)
        }
    })
    .map_err(Fault::Measure)?
}

/// Each member in a process of its own, beside the same without trust, without a network, and beside the peers.
fn apart(given: &FedShop, cases: &[Case]) -> Result<Value, Fault> {
    let figures = processes::measure(&given.folder, cases, ROUNDS)?;
    let together = together::measure(&given.folder, cases, ROUNDS)?;
    let ours = figures.measured.geometric_mean();
    let one_process = together.measured.geometric_mean();
    let mut is_good = figures.measured.is_good();
    let mut told = figures.to_json(together.summary_bytes);
    let peers = if given.peers {
        let compared = baselines::measure(given, cases)?;
        let ratio = compared.best.map(|best| best / ours);
        is_good &= ratio.is_some_and(|ratio| ratio >= FASTER);
        json!({
            "each": compared.figures,
            "best_geometric_mean_milliseconds": compared.best,
            "times_as_fast": ratio,
            "times_as_fast_bound": FASTER,
        })
    } else {
        json!("not compared in this run: --peers")
    };
    if let Some(fields) = told.as_object_mut() {
        fields.insert(
            "sockets_and_processes".to_owned(),
            json!({
                "compared_with": "the same plans in one process: no sockets, no trust, and summaries that are not confirmed",
                "one_process_geometric_mean_milliseconds": one_process,
                "ratio_without_trust": figures.bare_geometric_mean() / one_process,
                "ratio_with_trust": ours / one_process,
            }),
        );
        fields.insert("peers".to_owned(), peers);
        fields.insert("ok".to_owned(), json!(is_good));
    }
    Ok(told)
}

/// A member's data.
#[derive(Clone)]
struct Source {
    name: String,
    /// N-Triples, compressed with gzip.
    path: PathBuf,
}

impl Source {
    /// Its participant id.
    fn participant(&self) -> String {
        format!("https://{}.example/", self.name)
    }
}

/// The members of a folder.
fn sources(folder: &Path) -> Result<Vec<Source>, Fault> {
    let paths = files(&folder.join("members"))?.into_iter();
    Ok(paths
        .map(|path| Source {
            name: name_of(&path),
            path,
        })
        .collect())
}

/// A question of the benchmark, and its answer over the merge.
struct Case {
    name: String,
    text: String,
    query: Query,
    expected: Answer,
}

impl Case {
    /// As multisets, and by value: whoever made the answers wrote numbers in their canonical form.
    fn compare(&self, answer: &Answer) -> Result<(), String> {
        same_answer(&self.expected, answer)
    }

    /// How many rows the answer has.
    fn rows(&self) -> usize {
        match &self.expected {
            Answer::Table(table) => table.rows.len(),
            Answer::Boolean(_) | Answer::Graph(_) => 0,
        }
    }
}

fn cases(folder: &Path) -> Result<Vec<Case>, Fault> {
    let paths = files(&folder.join("queries"))?;
    let cases = paths.iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(path).map_err(fault)?;
        let answer = folder.join("answers").join(format!("{name}.srj"));
        let answer = fs::read(answer).map_err(fault)?;
        Ok(Case {
            name: name.into_owned(),
            query: SparqlParser::new().parse_query(&text).map_err(fault)?,
            text,
            expected: Answer::parse(QueryResultsFormat::Json, &answer).map_err(Fault::Measure)?,
        })
    });
    cases.collect()
}

/// What one question took.
struct Figures {
    name: String,
    /// How its answer differs from the right one.
    why: Option<String>,
    /// For data, in one round.
    requests: f64,
    /// How many members the rows rest on, without a limit on them: each must be asked at least once.
    floor: usize,
    /// Probes and questions for summaries, in one round.
    others: f64,
    milliseconds: f64,
    first_row: Option<f64>,
}

/// What all questions took.
struct Measured(Vec<Figures>);

impl Measured {
    fn right(&self) -> usize {
        self.0.iter().filter(|one| one.why.is_none()).count()
    }

    fn ratio(&self) -> f64 {
        let ratios = self.0.iter().map(|one| one.requests / count(one.floor));
        ratios.sum::<f64>() / count(self.0.len().max(1))
    }

    /// The questions of which a floor is published, with it.
    fn published(&self) -> impl Iterator<Item = (&Figures, f64)> {
        self.0.iter().filter_map(|one| {
            let mut floors = PUBLISHED.iter();
            let (_, floor) = floors.find(|(name, _)| *name == one.name)?;
            Some((one, count(*floor)))
        })
    }

    /// As [`Self::ratio`], by the floors that are published; none where these are other questions.
    fn published_ratio(&self) -> Option<f64> {
        let ratios = self.published().map(|(one, floor)| one.requests / floor);
        let ratios: Vec<_> = ratios.collect();
        (!ratios.is_empty()).then(|| ratios.iter().sum::<f64>() / count(ratios.len()))
    }

    /// How many requests there were for each that has to be asked.
    fn floors(&self) -> Value {
        let each = self.published().map(
            |(one, floor)| json!({ "query": one.name, "requests": one.requests, "floor": floor }),
        );
        json!({
            "by_sources_of_rows": self.ratio(),
            "by_published_floors": self.published_ratio(),
            "bound": RATIO,
            "published": each.collect::<Vec<_>>(),
        })
    }

    fn geometric_mean(&self) -> f64 {
        geometric_mean(self.0.iter().map(|one| one.milliseconds))
    }

    fn is_good(&self) -> bool {
        let ratios = [Some(self.ratio()), self.published_ratio()];
        self.right() == self.0.len() && ratios.into_iter().flatten().all(|ratio| ratio <= RATIO)
    }

    fn queries(&self) -> Vec<Value> {
        let query = |one: &Figures| {
            json!({
                "query": one.name,
                "right": one.why.is_none(),
                "why": one.why,
                "requests": one.requests,
                "floor": one.floor,
                "other_requests": one.others,
                "first_row_milliseconds": one.first_row,
                "milliseconds": one.milliseconds,
            })
        };
        self.0.iter().map(query).collect()
    }
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
fn files(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = fs::read_dir(folder).map_err(fault)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(fault)?;
    paths.sort();
    Ok(paths)
}

/// What a member is called: the file's name up to its first dot.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

/// The quads of a member's file.
pub(crate) fn quads(path: &Path) -> Result<Vec<Quad>, Fault> {
    let reader = GzDecoder::new(File::open(path).map_err(fault)?);
    let reader = std::io::Read::take(reader, BYTES);
    RdfParser::from_format(RdfFormat::NTriples)
        .for_reader(reader)
        .collect::<Result<_, _>>()
        .map_err(fault)
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut logarithms, mut number) = (0.0, 0_usize);
    for value in values {
        logarithms += value.max(0.001).ln();
        number += 1;
    }
    (logarithms / count(number.max(1))).exp()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(number: usize) -> f64 {
    number as f64
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Measure(error.to_string())
}
