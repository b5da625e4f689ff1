//! Makes the data of the Helsinki example from an extract: `cargo run -p twinlink-examples --bin helsinki-data --
//! Helsinki.osm.pbf examples/helsinki`.

use oxrdf::{GraphName, NamedNode, Quad};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use twinlink_examples::helsinki::{CITY, RESCUE, facts, residents_facts};
use twinlink_ingest::{OsmOptions, Syntax, WriteOptions, Writer, read_features};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: helsinki-data IN.osm.pbf OUT-DIRECTORY".into());
    };
    let options = OsmOptions {
        name: from.display().to_string(),
        base: NamedNode::new(CITY)?,
        graph: GraphName::DefaultGraph,
        limit: 10_000_000,
    };
    let (features, report) = read_features(BufReader::new(File::open(&from)?), &options, |_| {})?;
    eprintln!("{report}");
    write(&to.join("city.nq.gz"), facts(CITY, &features))?;
    write(&to.join("rescue.nq.gz"), facts(RESCUE, &features))?;
    write(
        &to.join("scenario/residents.nq.gz"),
        residents_facts(&features),
    )
}

/// Sorted, so that the same facts make the same file.
fn write(path: &Path, quads: Vec<Quad>) -> Result<(), Box<dyn Error>> {
    let mut quads: Vec<(String, Quad)> = quads
        .into_iter()
        .map(|quad| (format!("{} {quad}", quad.graph_name), quad))
        .collect();
    quads.sort_by(|(left, _), (right, _)| left.cmp(right));
    quads.dedup_by(|(left, _), (right, _)| left == right);
    let options = WriteOptions {
        syntax: Syntax::NQuads,
        gzip: true,
        prefixes: Vec::new(),
    };
    let mut writer = Writer::new(BufWriter::new(File::create(path)?), &options)?;
    for (_, quad) in &quads {
        writer.write(quad)?;
    }
    writer.finish()?;
    eprintln!("{}: {} facts", path.display(), quads.len());
    Ok(())
}
