//! Converts an OpenStreetMap extract: `cargo run -p twinlink-ingest --example osm-to-rdf -- IN.osm.pbf OUT.nq.gz [BASE-IRI]`.

use oxrdf::{GraphName, NamedNode};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use twinlink_ingest::{Kind, OsmOptions, WriteOptions, Writer, read_osm};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("usage: osm-to-rdf IN.osm.pbf OUT.nq.gz [BASE-IRI]".into());
    };
    let Kind::Rdf(syntax) = Kind::from_file_name(&to)? else {
        return Err(format!("{to}: the output must be RDF").into());
    };
    let base = arguments
        .next()
        .unwrap_or_else(|| "https://example.com/id/".to_owned());
    let options = OsmOptions {
        name: from.clone(),
        base: NamedNode::new(base)?,
        graph: GraphName::DefaultGraph,
        limit: 100_000_000,
    };
    let (quads, report) = read_osm(BufReader::new(File::open(&from)?), &options, |_| {})?;
    let mut writer = Writer::new(
        BufWriter::new(File::create(&to)?),
        &WriteOptions {
            syntax,
            gzip: to.ends_with(".gz"),
            prefixes: Vec::new(),
        },
    )?;
    for quad in &quads {
        writer.write(quad)?;
    }
    writer.finish()?;
    eprintln!("{report}; {} facts", quads.len());
    Ok(())
}
