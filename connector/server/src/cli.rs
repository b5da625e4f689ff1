//! The command line: arguments in, exit code out. Data goes to standard output, all else to standard error.

mod app_key;
mod ask;
mod audit;
mod backup;
mod check;
mod console;
pub(crate) mod incident;
pub(crate) mod init;
pub(crate) mod load;
pub(crate) mod network;
mod obligation;
mod partial;
mod policy;
mod proof;
mod restore;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

pub use console::Console;

/// The connector of an Internet of Twins: answer questions about your twin and your peers' twins, under your policies.
#[derive(Debug, Parser)]
#[command(
    name = "twinlink",
    version,
    after_help = "Exit codes: 0 done; 1 it failed, the reason is on standard error; 2 the command line is wrong;\n\
                  3 a source is missing from the answer, or there is none for that (query).\n\
                  Start here: twinlink demo"
)]
struct Arguments {
    /// The connector's configuration file.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "twinlink.toml",
        env = "TWINLINK_CONFIG"
    )]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new connector: participant id, keys, configuration, policies that permit nobody but its own stewards.
    Init(init::InitArguments),
    /// Run the connector until it is told to stop (Ctrl-C, SIGTERM). SIGHUP reads policies, peers and certificates again.
    Serve(ServeArguments),
    /// Load RDF (Turtle, N-Triples, N-Quads, TriG, RDF/XML, JSON-LD; gzip too) or OpenStreetMap extracts (.osm.pbf).
    Import(load::ImportArguments),
    /// Write the twin, or one graph of it, as RDF.
    Export(load::ExportArguments),
    /// Copy the store of this connector, while it runs or while it does not, to one file that can be checked by itself.
    Backup(backup::BackupArguments),
    /// Check a backup and make a store of it.
    Restore(restore::RestoreArguments),
    /// Ask a SPARQL question of this connector, or with --federated of its peers too.
    Query(ask::QueryArguments),
    /// Add or list the organisations that this connector knows.
    #[command(subcommand)]
    Peer(network::PeerCommand),
    /// Issue an access token for a person or program of this organisation.
    Token(ask::TokenArguments),
    /// Make a key for an app without a certificate, or show the public part of one.
    AppKey(app_key::AppKeyArguments),
    /// Print a proof of possession (the DPoP header, RFC 9449) for one request of an app without a certificate. The token
    /// is read from standard input.
    Proof(proof::ProofArguments),
    /// Look at policies: what they do, whether it is what you expect, and what a change of them would do.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look at the log of use: list, show, verify, reconcile with a peer, export. Works offline.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Declare, end or list incidents: what crisis rules wait for.
    #[command(subcommand)]
    Incident(incident::IncidentCommand),
    /// List what is owed for the use of the twin, or note that it was done.
    #[command(subcommand)]
    Obligation(obligation::ObligationCommand),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(check::ConfigCommand),
    /// Check certificate, clock, port, peers and policies, and name what fails.
    Doctor(check::DoctorArguments),
    /// Play an ammonia leak in Helsinki with three connectors, then leave them running.
    Demo(crate::demo::DemoArguments),
}

#[derive(Debug, clap::Args)]
struct ServeArguments {
    /// How the log is written to standard error; by default as the configuration says, or as text. TWINLINK_LOG says how
    /// much of it.
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<crate::config::LogFormat>,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new();
    let config = &arguments.config;
    let result = match arguments.command {
        Command::Init(given) => init::run(&given, &console),
        Command::Serve(given) => crate::wire::run(config, given.log_format),
        Command::Import(given) => load::import(config, &given, &console),
        Command::Export(given) => load::export(config, &given, &console),
        Command::Backup(given) => backup::run(config, &given, &console),
        Command::Restore(given) => restore::run(config, &given, &console),
        Command::Query(given) => ask::query(config, &given, &console),
        Command::Peer(given) => network::run(config, &given, &console),
        Command::Token(given) => ask::token(config, &given, &console),
        Command::AppKey(given) => app_key::run(&given, &console),
        Command::Proof(given) => proof::run(&given, &console),
        Command::Policy(given) => policy::run(config, &given, &console),
        Command::Audit(given) => audit::run(config, &given, &console),
        Command::Incident(given) => incident::run(config, given, &console),
        Command::Obligation(given) => obligation::run(config, given, &console),
        Command::Config(given) => check::config(config, &given, &console),
        Command::Doctor(given) => check::doctor(config, &given, &console),
        Command::Demo(given) => crate::demo::run(&given, &console),
    };
    match result {
        Ok(code) => match console.lost() {
            None => code,
            Some(why) => {
                console.note(format_args!("error: {why}"));
                ExitCode::FAILURE
            }
        },
        Err(failure) => {
            console.error(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Why a command failed: one line for a person, that says what to do.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
