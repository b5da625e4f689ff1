//! The command line of the conformance runner.

use clap::{Args, Parser, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use twinlink_conformance::bench::{BENCHES, Bench, Effort, FedShop, to_json, to_text};
use twinlink_conformance::http::{Remote, RemoteSettings, Target, tls};
use twinlink_conformance::plain::{PlainConnector, serve};
use twinlink_conformance::report::Report;
use twinlink_conformance::suite::{Fault, SUITES, Setting, Suite};
use twinlink_conformance::{Library, embedded};
use twinlink_core::Secret;

/// Runs conformance suites against the connector, and measures it.
#[derive(Debug, Parser)]
#[command(version, after_help = names())]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs suites by name, or `all`. Exit code 1 where a case failed.
    #[command(after_help = names())]
    Suite(SuiteArgs),
    /// Measures by name, or `all`. Exit code 1 where a bound was missed.
    #[command(after_help = names())]
    Bench(BenchArgs),
    /// A connector without trust, for `bench fedshop` to compare with.
    #[command(hide = true)]
    Plain(PlainArgs),
}

#[derive(Debug, Args)]
struct PlainArgs {
    /// Its participant id.
    #[arg(long, value_name = "IRI")]
    participant: String,
    /// Its twin.
    #[arg(long, value_name = "FILE")]
    quads: Option<PathBuf>,
    /// Its peers: a participant id, a space and a URL in each line.
    #[arg(long, value_name = "FILE")]
    peers: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct SuiteArgs {
    /// Names of suites, or `all`.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Print one JSON object a suite; why cases were skipped goes to standard error.
    #[arg(long)]
    json: bool,
    /// The folder of suites.
    #[arg(long, value_name = "DIR", default_value = "../shared/suites")]
    suites: PathBuf,
    /// How many cases are made, where a suite makes them by chance.
    #[arg(long, value_name = "NUMBER")]
    cases: Option<usize>,
    /// Makes the same cases again, with the seed that a report names.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    target: TargetArgs,
}

/// Which connector the suites over HTTP test. They empty its twin. Without these, one that is started for them.
#[derive(Debug, Args)]
struct TargetArgs {
    /// Scheme and authority of a connector whose twin may be emptied.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    /// A file that holds the access token.
    #[arg(long, value_name = "FILE", requires = "target")]
    token_file: Option<PathBuf>,
    /// Our certificate, PEM.
    #[arg(long, value_name = "FILE", requires_all = ["target", "key", "ca"])]
    cert: Option<PathBuf>,
    /// Its key, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The authority of the connector's certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "cert")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct BenchArgs {
    /// Names of benchmarks, or `all`.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Print one JSON object a benchmark.
    #[arg(long)]
    json: bool,
    /// Quads in the twin, where that is what is measured.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000)]
    quads: usize,
    /// The folder of suites, where their cases are what is measured.
    #[arg(long, value_name = "DIR", default_value = "../shared/suites")]
    suites: PathBuf,
    /// The folder of the FedShop data.
    #[arg(long, value_name = "DIR", default_value = "../shared/bench/fedshop20")]
    fedshop: PathBuf,
    /// For `fedshop`: the members in this process, without a network and without what trust takes.
    #[arg(long)]
    in_process: bool,
    /// For `fedshop`: install Comunica and RDF4J FedX under `target/peers`, and ask them the same questions.
    #[arg(long, conflicts_with_all = ["in_process", "growth"])]
    peers: bool,
    /// The folder of the peers' programs.
    #[arg(long, value_name = "DIR", default_value = "../shared/bench/peers")]
    programs: PathBuf,
    /// For `fedshop`: what 5, 10, 20, 100 and 200 members cost, or only up to so many: in this process, and as processes of
    /// their own as far as memory goes; with `--in-process` in this process only.
    #[arg(long, value_name = "MOST", num_args = 0..=1, require_equals = true, default_missing_value = "200")]
    growth: Option<usize>,
}

/// Exit code where a case failed or a bound was missed.
const FAILED: u8 = 1;
/// Exit code for a command line that asks for what is not there.
const MISUSED: u8 = 2;

fn main() -> ExitCode {
    let Cli { task } = Cli::parse();
    let code = match task {
        Task::Suite(args) => suites(&args),
        Task::Bench(args) => benches(&args),
        Task::Plain(args) => plain(args),
    };
    code.unwrap_or_else(|error| {
        // Nobody reads us any more, or the disk is full: say so if anybody can still hear it.
        drop(writeln!(io::stderr(), "twinlink-conformance: {error}"));
        ExitCode::from(FAILED)
    })
}

fn suites(args: &SuiteArgs) -> io::Result<ExitCode> {
    let all = SUITES.iter().map(|suite| suite.name);
    let Some(chosen) = choose(&args.names, all.collect(), Suite::find) else {
        return misused("suite", &args.names);
    };
    let setting = Setting {
        library: Library::new(&args.suites),
        target: Box::new(|| args.target.connect()),
        cases: args.cases,
        seed: args.seed,
    };
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for suite in chosen {
        let report = suite.run(&setting);
        let report = report.unwrap_or_else(|fault| Report::broken(suite.name, &fault));
        passed += report.passed();
        failed += report.failures().count();
        skipped += report.skips().count();
        if args.json {
            for line in report.remarks() {
                writeln!(io::stderr(), "{line}")?;
            }
            writeln!(io::stdout(), "{}", report.to_json())?;
        } else {
            writeln!(io::stdout(), "{}", report.to_text())?;
        }
    }
    if !args.json {
        let line = format!("{passed} passed, {failed} failed, {skipped} skipped");
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(code(failed == 0))
}

fn benches(args: &BenchArgs) -> io::Result<ExitCode> {
    let all = BENCHES.iter().map(|bench| bench.name);
    let Some(chosen) = choose(&args.names, all.collect(), Bench::find) else {
        return misused("benchmark", &args.names);
    };
    let effort = Effort {
        quads: args.quads,
        library: Library::new(&args.suites),
        fedshop: FedShop {
            folder: args.fedshop.clone(),
            programs: args.programs.clone(),
            in_process: args.in_process,
            peers: args.peers,
            growth: args.growth,
        },
    };
    let mut is_good = true;
    for bench in chosen {
        match bench.run(&effort) {
            Ok(figures) => {
                is_good &= figures.get("ok").is_none_or(|ok| ok == true);
                let text = if args.json {
                    to_json(bench.name, figures).to_string()
                } else {
                    to_text(bench.name, &figures)
                };
                writeln!(io::stdout(), "{text}")?;
            }
            Err(fault) => {
                is_good = false;
                let line = format!("twinlink-conformance: {}: {fault}", bench.name);
                writeln!(io::stderr(), "{line}")?;
            }
        }
    }
    Ok(code(is_good))
}

fn plain(args: PlainArgs) -> io::Result<ExitCode> {
    let served = serve(&PlainConnector {
        participant: args.participant,
        quads: args.quads,
        peers: args.peers,
    });
    served.map(|()| ExitCode::SUCCESS).map_err(io::Error::other)
}

impl TargetArgs {
    fn connect(&self) -> Result<Box<dyn Target>, Fault> {
        let Some(url) = &self.target else {
            return Ok(Box::new(embedded::Embedded::start()?));
        };
        let tls = match (&self.cert, &self.key, &self.ca) {
            (Some(cert), Some(key), Some(ca)) => Some(tls(cert, key, ca)?),
            _ => None,
        };
        let token = match &self.token_file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| Fault::File {
                    path: path.clone(),
                    error,
                })?;
                Some(Secret::new(text.trim()))
            }
        };
        let url = url.clone();
        Ok(Box::new(Remote::new(RemoteSettings { url, tls, token })?))
    }
}

/// What has these names; none where one of them names nothing.
fn choose<T>(
    names: &[String],
    all: Vec<&'static str>,
    find: fn(&str) -> Option<&'static T>,
) -> Option<Vec<&'static T>> {
    if names.iter().any(|name| name == "all") {
        return all.into_iter().map(find).collect();
    }
    names.iter().map(|name| find(name)).collect()
}

fn misused(what: &str, asked: &[String]) -> io::Result<ExitCode> {
    let asked = asked.join(" ");
    writeln!(io::stderr(), "no such {what} among: {asked}\n\n{}", names())?;
    Ok(ExitCode::from(MISUSED))
}

fn code(is_good: bool) -> ExitCode {
    if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    }
}

fn names() -> String {
    let suites = SUITES.iter().map(|suite| (suite.name, suite.about));
    let benches = BENCHES.iter().map(|bench| (bench.name, bench.about));
    let names = suites.clone().chain(benches.clone());
    let widest = names.map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, about): (&str, &str)| format!("  {name:<widest$}  {about}");
    let lines = ["Suites:".to_owned()].into_iter().chain(suites.map(line));
    let lines = lines.chain(["Benchmarks:".to_owned()]);
    let codes = "Exit codes: 0 all is well; 1 a case failed, or a bound was missed; 2 the command line is wrong.";
    let lines = lines.chain(benches.map(line));
    let lines = lines.chain([codes.to_owned()]);
    lines.collect::<Vec<_>>().join("\n")
}
