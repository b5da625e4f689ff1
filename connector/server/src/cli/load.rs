//! `twinlink import` and `twinlink export`: files into the twin, and the twin into files.

mod sent;

use super::ask::PersonArguments;
use super::console::Output;
use super::partial::Partial;
use super::{Console, Failure, app_key};
use crate::config::{self, Config};
use crate::wire;
use clap::{Args, ValueEnum};
use oxrdf::{GraphName, NamedNode, Quad};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use twinlink_core::{Budget, Change, Twin as _};
use twinlink_ingest::{Kind, OsmOptions, ReadOptions, Syntax, WriteOptions, Writer};
use twinlink_store::{EvaluationOptions, StoreError, TwinStore};
use twinlink_vocab::odrl;

/// How long a running connector may take to make an import durable.
const PATIENCE: Duration = Duration::from_secs(3600);

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// The files, each by its ending: .ttl .nt .nq .trig .rdf .xml .jsonld .json, with .gz too; .osm.pbf.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The graph for triples of formats that have none. [default: the default graph]
    #[arg(long, value_name = "IRI")]
    graph: Option<String>,
    /// Resolves relative IRIs. [default: none]
    #[arg(long, value_name = "IRI")]
    base: Option<String>,
    #[command(flatten)]
    person: PersonArguments,
    /// Ask the running connector as an app without a certificate, with the key in this file: see `twinlink app-key`. The import
    /// proves the key and is signed with it; without this, both are done with the connector's own certificate and key.
    #[arg(long, value_name = "FILE")]
    app_key: Option<PathBuf>,
    /// Ask the running connector, and keep its signed receipt in this file, for `twinlink audit verify --receipt`. A file that is
    /// there is left alone, and nothing is imported.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// As JSON: how many quads were read, and how many of them are new.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// Where to write: a file that is not there yet. It is there once all is in it. [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only this graph.
    #[arg(long, value_name = "IRI")]
    graph: Option<String>,
    /// The syntax.
    #[arg(long, value_enum, default_value = "nquads")]
    format: ExportFormat,
    /// Compress with gzip.
    #[arg(long)]
    gzip: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    Nquads,
    Trig,
    Ntriples,
    Turtle,
    Rdfxml,
    Jsonld,
}

/// Reads all files first: a broken one leaves the twin as it was.
pub(super) fn import(
    file: &Path,
    given: &ImportArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let graph = match &given.graph {
        Some(graph) => config::iri(graph)
            .map_err(|problem| format!("--graph {problem}"))?
            .into(),
        None => GraphName::DefaultGraph,
    };
    if let Some(base) = &given.base {
        config::iri(base).map_err(|problem| format!("--base {problem}"))?;
    }
    let app = given.app_key.as_deref().map(app_key::load).transpose()?;
    let receipt = given.receipt.as_deref().map(Partial::create).transpose()?;
    let mut quads = Vec::new();
    for path in &given.files {
        quads.extend(read(path, given, &graph, console)?);
    }
    let read = quads.len();
    let spinner = console.spinner(&format!("adding {read} quads"));
    // An app has no store, and a store gives no receipt: they ask, and are refused where nobody serves.
    let opened = match app.is_some() || receipt.is_some() {
        true => Err(StoreError::InUse(config.store.clone())),
        false => open(&config),
    };
    let inserted = match opened {
        Ok(store) => insert(&config, &store, quads),
        Err(StoreError::InUse(_)) => {
            let person = given.person.person();
            sent::send(&config, &person, app.as_ref(), quads, receipt)
        }
        Err(error) => Err(error.into()),
    };
    spinner.finish_and_clear();
    let inserted = inserted?;
    if given.json {
        console.say(json!({"read": read, "added": inserted}));
    } else {
        console.say(format_args!("{inserted} quads added, on disk"));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(
    path: &Path,
    given: &ImportArguments,
    graph: &GraphName,
    console: &Console,
) -> Result<Vec<Quad>, Failure> {
    let name = path.display().to_string();
    let unreadable = |error: io::Error| format!("cannot read {name}: {error}");
    let input = File::open(path).map_err(unreadable)?;
    let bar = console.bar(input.metadata().map_err(unreadable)?.len(), &name);
    let watch = bar.clone();
    let progress = move |bytes| watch.set_position(bytes);
    let quads = match Kind::from_file_name(&name)? {
        Kind::Rdf(syntax) => {
            let options = ReadOptions {
                name,
                syntax,
                base: given.base.clone(),
                graph: graph.clone(),
                named_graphs: true,
                limit: u64::MAX,
            };
            twinlink_ingest::quads(BufReader::new(input), &options, progress)?
                .collect::<Result<_, _>>()?
        }
        Kind::OsmPbf => {
            let options = OsmOptions {
                name,
                base: NamedNode::new_unchecked("https://www.openstreetmap.org/"),
                graph: graph.clone(),
                limit: u64::MAX,
            };
            let (quads, report) = twinlink_ingest::read_osm(input, &options, progress)?;
            console.note(report);
            quads
        }
    };
    bar.finish_and_clear();
    Ok(quads)
}

/// The store, made where there is none.
pub(super) fn open(config: &Config) -> Result<TwinStore, StoreError> {
    TwinStore::open(&config.store, options(config)?)
}

/// The store that is there.
pub(super) fn open_existing(config: &Config) -> Result<TwinStore, StoreError> {
    TwinStore::open_existing(&config.store, options(config)?)
}

fn options(config: &Config) -> Result<EvaluationOptions, StoreError> {
    wire::evaluation_options(config).map_err(|error| StoreError::Open {
        path: config.store.clone(),
        reason: error.to_string(),
    })
}

/// No connector runs: the quads go into the store at once, if the policies let a steward do that.
pub(crate) fn insert(config: &Config, store: &TwinStore, quads: Vec<Quad>) -> Result<u64, Failure> {
    let modify = wire::steward(config, odrl::MODIFY)?;
    // What a steward may not see is not counted either.
    let read = wire::steward(config, odrl::READ).ok();
    let budget = Budget::new(std::time::Instant::now() + PATIENCE, u64::MAX);
    let applied = store
        .change(&Change::Insert(quads), read.as_ref(), &modify, &budget)
        .map_err(|refusal| Failure::from(refusal.to_string()))?;
    Ok(applied.inserted)
}

/// Reads the store itself, so the connector must not run: what a steward may export of a running one is a query.
pub(super) fn export(
    file: &Path,
    given: &ExportArguments,
    console: &Console,
) -> Result<ExitCode, Failure> {
    let config = Config::load(file)?;
    let store = open(&config).map_err(|error| match error {
        StoreError::InUse(_) => Failure::from(
            "the connector is running: stop it, or export by `twinlink query 'CONSTRUCT ...'`",
        ),
        error => error.into(),
    })?;
    let permit = wire::steward(&config, odrl::READ)?;
    let graph = match &given.graph {
        Some(graph) => Some(GraphName::NamedNode(
            config::iri(graph).map_err(|problem| format!("--graph {problem}"))?,
        )),
        None => None,
    };
    let partial = given.output.as_deref().map(Partial::create).transpose()?;
    let out: Box<dyn Write> = match &partial {
        Some(partial) => Box::new(partial.file()?),
        None => Box::new(Output::new()),
    };
    let options = WriteOptions {
        syntax: given.format.syntax(),
        gzip: given.gzip,
        prefixes: Vec::new(),
    };
    let mut writer = Writer::new(BufWriter::new(out), &options)?;
    let snapshot = store.snapshot();
    let budget = Budget::new(std::time::Instant::now() + PATIENCE, u64::MAX);
    let bar = console.count(snapshot.len(), "exporting");
    for quad in snapshot.quads(permit.guard(), &budget)? {
        bar.inc(1);
        if let Some(graph) = &graph {
            if &quad.graph_name == graph {
                // A single graph goes out as triples: the file's reader says where they belong.
                writer.write(&Quad::new(
                    quad.subject,
                    quad.predicate,
                    quad.object,
                    GraphName::DefaultGraph,
                ))?;
            }
        } else {
            writer.write(&quad)?;
        }
    }
    writer.finish()?.flush()?;
    bar.finish_and_clear();
    if let Some(partial) = partial {
        partial.sync()?;
        partial.keep()?;
    }
    Ok(ExitCode::SUCCESS)
}

impl ExportFormat {
    fn syntax(self) -> Syntax {
        match self {
            Self::Nquads => Syntax::NQuads,
            Self::Trig => Syntax::TriG,
            Self::Ntriples => Syntax::NTriples,
            Self::Turtle => Syntax::Turtle,
            Self::Rdfxml => Syntax::RdfXml,
            Self::Jsonld => Syntax::JsonLd,
        }
    }
}
