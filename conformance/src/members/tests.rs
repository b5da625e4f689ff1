//! What the questions of the example cost over its three twins.

use super::*;
use crate::engine::Ours;
use flate2::read::GzDecoder;
use oxrdfio::{RdfFormat, RdfParser};
use std::fs::{self, File};
use std::path::Path;
use twinlink_core::{Limits, parse_query};

/// The rescue department asks; the city and the police are its peers.
const MEMBERS: [&[&str]; 3] = [
    &["rescue.nq.gz", "scenario/rescue.trig"],
    &["city.nq.gz", "scenario/residents.nq.gz"],
    &["scenario/police.trig"],
];

fn read(path: &Path) -> Vec<Quad> {
    let file = File::open(path).unwrap();
    let quads: Result<_, _> = if path.extension().is_some_and(|end| end == "gz") {
        let reader = GzDecoder::new(file);
        let parser = RdfParser::from_format(RdfFormat::NQuads);
        parser.for_reader(reader).collect()
    } else {
        let parser = RdfParser::from_format(RdfFormat::TriG);
        parser.for_reader(file).collect()
    };
    quads.unwrap()
}

/// Peers that show nothing of what is asked are not asked, and one request fetches all that a peer has to give.
/// `cargo test -p twinlink-conformance summaries_save -- --nocapture` tells how many there are.
#[test]
fn summaries_save_requests_for_named_graphs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/helsinki");
    let ours = Ours::new().unwrap();
    let members = MEMBERS.map(|files| {
        let quads = files.iter().flat_map(|file| read(&folder.join(file)));
        Member {
            store: store(quads.collect(), ours.modify()).unwrap(),
            permit: Some(ours.read().clone()),
        }
    });
    let limits = FederationLimits {
        summary_age: Duration::from_secs(3_600),
        ..FederationLimits::default()
    };
    let mut questions: Vec<_> = fs::read_dir(folder.join("questions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    questions.sort();
    let ask_all = |is_summarised| {
        let town = Town::new(&members, limits, is_summarised).unwrap();
        let told = questions.iter().map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let query = parse_query(&text, None, &Limits::default()).unwrap();
            let told = town.ask(&query).unwrap();
            let rows = told.row_sources.len();
            (rows, told.requests + told.probes)
        });
        told.unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (rows, without) = deep(|| ask_all(false)).unwrap();
    let (same, with) = deep(|| ask_all(true)).unwrap();
    assert_eq!(rows, same);
    let [without, with] = [without, with].map(|counts| {
        let sum: usize = counts.iter().sum();
        eprintln!("{sum} requests to peers: {counts:?}");
        sum
    });
    assert!(with * 2 < without, "{with} of {without}");
}
