//! `twinlink demo`: an ammonia leak in Helsinki, played with three connectors that run as they would anywhere.

mod event;
mod expectation;
mod organisation;
mod play;
mod process;
mod show;
mod tour;
mod town;

use crate::cli::{Console, Failure};
use clap::Args;
use play::Report;
use show::Show;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};
use town::Town;

/// Options of the demo.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// End after the play: with exit code 0 if all went as expected, else 1.
    #[arg(long)]
    once: bool,
    /// Print what was asked and answered as JSON, and nothing else, to standard output.
    #[arg(long)]
    json: bool,
    /// Where to make the connectors: a folder that is empty or does not exist; it is kept. [default: a new temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the demo: makes three organisations, plays the leak, and leaves everything running until it is told to stop.
pub(crate) fn run(given: &DemoArguments, console: &Console) -> Result<ExitCode, Failure> {
    crate::wire::runtime()?.block_on(demo(given, &Show::new(console.clone(), given.json)))
}

async fn demo(given: &DemoArguments, show: &Show) -> Result<ExitCode, Failure> {
    // Before there is anything to clean up: from here on a signal ends the demo in order.
    let mut end = End::await_signals()?;
    // Declared before the town, so dropped after it: no connector writes into a folder that is being removed.
    let folder = Folder::make(given.folder.as_deref())?;
    let (mut town, report) = tokio::select! {
        biased;
        () = end.asked() => return Err("it was stopped before the end of the play".into()),
        played = perform(folder.path(), show) => played?,
    };
    show.end(&report);
    if !given.once {
        tokio::select! {
            biased;
            () = end.asked() => {}
            shown = tour::invite(&mut town, show) => {
                shown?;
                end.asked().await;
            }
        }
    }
    drop(town);
    let failed = report.failed();
    if failed.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(format!("not as expected: {}", failed.join("; ")).into())
    }
}

async fn perform(folder: &Path, show: &Show) -> Result<(Town, Report), Failure> {
    show.opening(folder);
    let mut town = Town::start(folder).await?;
    show.town(&town);
    let report = play::perform(&mut town, show).await?;
    Ok((town, report))
}

/// Where the demo lives.
enum Folder {
    /// Removed at the end, whatever the end is.
    Temporary(TempDir),
    /// Named by the caller, and kept.
    Given(PathBuf),
}

impl Folder {
    fn make(given: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = given else {
            let made = tempfile::Builder::new().prefix("twinlink-demo-").tempdir();
            return made.map(Self::Temporary).map_err(|error| {
                format!("cannot make a temporary folder: {error}; name one with --folder").into()
            });
        };
        let failed = |error| format!("cannot make {}: {error}", path.display());
        // Private keys will be in it.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        if fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(format!("{} is not empty: name another folder", path.display()).into());
        }
        // The connectors are started, and the commands to try are printed, with whole paths.
        Ok(Self::Given(path.canonicalize().map_err(failed)?))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }
}

/// The signals that end the demo. A hangup is one of them: to the connectors it would mean to read their files again.
struct End {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl End {
    fn await_signals() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Folder;

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let there = tempfile::tempdir().unwrap();
        assert!(Folder::make(Some(there.path())).is_ok());
        assert!(Folder::make(Some(&there.path().join("new/deeper"))).is_ok());
        let error = Folder::make(Some(there.path())).err().unwrap();
        assert!(error.to_string().contains("not empty"), "{error}");
    }
}
