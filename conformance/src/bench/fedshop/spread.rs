//! What more members cost, each a connector in a process of its own: a few, all, and copies of all under other names.
//!
//! The copies are synthetic. They say the same of the products that all know, so that they contribute to the same answers.

use super::asking::{analyze, ask};
use super::growth::{STEPS, alternating, copied};
use super::network::Network;
use super::{Case, Source, count, fault, geometric_mean, quads, sources};
use crate::library::Fault;
use crate::program::{forget_peak, peak_megabytes, sockets};
use flate2::Compression;
use flate2::write::GzEncoder;
use oxrdfio::{RdfFormat, RdfSerializer};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// So much of the memory that is available may be taken by more members.
const SHARE: f64 = 0.6;

/// Measures, with more and more members, up to so many.
pub(super) fn measure(folder: &Path, cases: &[Case], most: usize) -> Result<Value, Fault> {
    let originals = alternating(sources(folder)?, |source| &source.name);
    let copies = tempfile::tempdir().map_err(fault)?;
    let mut network = Network::new()?;
    let (mut members, mut each) = (0, 0.0);
    let mut steps = Vec::new();
    for step in STEPS.into_iter().filter(|step| *step <= most) {
        let wanted = count(step - members) * each;
        let available = available()?;
        if wanted > available * SHARE {
            steps.push(json!({
                "members": step,
                "skipped": format!("{wanted:.0} MB more, and {available:.0} MB are available"),
            }));
            break;
        }
        let started = Instant::now();
        let more: Vec<_> = (members..step)
            .map(|number| source(&originals, number, copies.path()))
            .collect::<Result<_, _>>()?;
        network.join(&more, &|number| say(number, step))?;
        let starting = started.elapsed().as_secs_f64();
        members = step;
        let held = network.megabytes()?;
        each = held.iter().sum::<f64>() / count(step);
        let mut told = one(&network, cases)?;
        if let Some(fields) = told.as_object_mut() {
            fields.insert("members".to_owned(), json!(step));
            fields.insert("processes".to_owned(), json!(step + 1));
            fields.insert(
                "copies".to_owned(),
                json!(step.saturating_sub(originals.len())),
            );
            fields.insert("starting_seconds".to_owned(), json!(starting));
            fields.insert("member_mean_megabytes".to_owned(), json!(each));
            let most = held.into_iter().fold(0.0, f64::max);
            fields.insert("member_most_megabytes".to_owned(), json!(most));
        }
        steps.push(told);
    }
    network.stop()?;
    Ok(json!({ "steps": steps }))
}

/// One step.
fn one(network: &Network, cases: &[Case]) -> Result<Value, Fault> {
    let process = network.process()?.id();
    let before = network.process()?.megabytes()?;
    let (_, exchange) = network.exchange()?;
    let after = network.process()?.megabytes()?;
    forget_peak(process)?;
    let (runtime, client) = network.asking()?;
    let (mut planning, mut confirming) = (Vec::new(), Vec::new());
    let (mut all, mut firsts, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    let mut queries = Vec::new();
    for case in cases {
        // The first time nothing of it is planned yet.
        let told = runtime.block_on(analyze(client, &case.text, Uuid::now_v7()))?;
        let heard = runtime.block_on(ask(client, &case.text, Uuid::now_v7()))?;
        let planned = told.longest(&["plan"]);
        queries.push(json!({
            "query": case.name,
            "requests": told.requests(),
            "planning_milliseconds": planned,
            "first_row_milliseconds": heard.first_row,
            "milliseconds": heard.milliseconds,
        }));
        planning.push(planned);
        confirming.push(told.longest(&["summary", "probe"]));
        all.push(heard.milliseconds);
        firsts.extend(heard.first_row);
        requests.push(told.requests());
    }
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    Ok(json!({
        "exchange_milliseconds": exchange,
        "planning_geometric_mean_milliseconds": geometric_mean(planning.iter().copied()),
        "planning_most_milliseconds": most(&planning),
        "confirming_geometric_mean_milliseconds": geometric_mean(confirming.into_iter()),
        "first_row_geometric_mean_milliseconds": geometric_mean(firsts.into_iter()),
        "geometric_mean_milliseconds": geometric_mean(all.into_iter()),
        "requests_mean": requests.iter().sum::<f64>() / count(cases.len().max(1)),
        "requests_most": most(&requests),
        "asking_before_megabytes": before,
        "asking_with_summaries_megabytes": after,
        "asking_peak_megabytes": peak_megabytes(process)?,
        "asking_sockets": sockets(process)?,
        "queries": queries,
    }))
}

/// The data of a member: of an original, or of a copy under another name.
fn source(originals: &[Source], number: usize, folder: &Path) -> Result<Source, Fault> {
    let many = originals.len().max(1);
    let copy = number / many;
    let original = originals.get(number % many);
    let original = original.ok_or_else(|| fault("there are no members"))?;
    if copy == 0 {
        return Ok(original.clone());
    }
    let name = format!("{}-{copy}", original.name);
    let path = folder.join(format!("{name}.nt.gz"));
    let file = GzEncoder::new(File::create(&path).map_err(fault)?, Compression::fast());
    let mut writer = RdfSerializer::from_format(RdfFormat::NTriples).for_writer(file);
    for quad in copied(&quads(&original.path)?, &original.name, copy) {
        writer.serialize_quad(&quad).map_err(fault)?;
    }
    let file = writer.finish().map_err(fault)?;
    file.finish().map_err(fault)?;
    Ok(Source { name, path })
}

/// Whoever waits sees that it goes on.
fn say(number: usize, of: usize) {
    let mut error = std::io::stderr().lock();
    let end = if number == of { '\n' } else { '\r' };
    // Nothing hangs on it.
    drop(write!(error, "{number} of {of} members serve{end}"));
}

/// The memory that is available, in megabytes: <https://man7.org/linux/man-pages/man5/proc_meminfo.5.html>.
fn available() -> Result<f64, Fault> {
    let text = std::fs::read_to_string("/proc/meminfo").map_err(fault)?;
    let lines = text.lines();
    let kilobytes = lines
        .filter_map(|line| {
            line.strip_prefix("MemAvailable:")?
                .trim()
                .strip_suffix(" kB")
        })
        .find_map(|number| number.parse::<f64>().ok());
    let kilobytes = kilobytes.ok_or_else(|| fault("/proc/meminfo: no MemAvailable"))?;
    Ok(kilobytes / 1024.0)
}
