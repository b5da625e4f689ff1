//! A connector as a process of its own: started, waited for, and killed when nobody needs it any more.

use crate::cli::Failure;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a connector may take to get ready. Measured in milliseconds; the rest is for a machine under load.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lines of a log that an error shows.
const TAIL: usize = 15;

/// A running `twinlink serve`. Dropping it kills it and waits until it is gone.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    first_line: Option<oneshot::Receiver<io::Result<String>>>,
}

impl Process {
    /// Starts a connector with a configuration. What it logs is added to `log`.
    ///
    /// # Errors
    /// The log cannot be written, or this program cannot be started again.
    pub(super) fn spawn(config: &Path, log: &Path) -> Result<Self, Failure> {
        let to_log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--config")
            .arg(config)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(to_log)
            .spawn()
            .map_err(|error| format!("cannot start a connector: {error}"))?;
        let first_line = child.stdout.take().map(listen);
        Ok(Self {
            child,
            log: log.to_owned(),
            first_line,
        })
    }

    /// Waits until the connector says that it serves.
    ///
    /// # Errors
    /// It ended, or said something else or nothing; with the end of its log.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        let Some(line) = self.first_line.take() else {
            return Ok(());
        };
        match tokio::time::timeout(PATIENCE, line).await {
            Ok(Ok(Ok(line))) if line.starts_with("ready <") => Ok(()),
            Ok(Ok(Ok(line))) if line.is_empty() => {
                let status = self.child.wait()?;
                Err(self.complaint(&format!("a connector did not start ({status})")))
            }
            Ok(Ok(Ok(line))) => Err(self.complaint(&format!(
                "a connector said `{}` instead of being ready",
                line.trim_end()
            ))),
            Ok(Ok(Err(error))) => {
                Err(self.complaint(&format!("a connector cannot be heard: {error}")))
            }
            Ok(Err(_)) => Err(self.complaint("a connector cannot be heard")),
            Err(_) => {
                Err(self.complaint(&format!("a connector was not ready within {PATIENCE:?}")))
            }
        }
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn complaint(&self, what: &str) -> Failure {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(TAIL)..)
            .unwrap_or_default();
        format!(
            "{what}; the end of {}:\n{}",
            self.log.display(),
            tail.join("\n")
        )
        .into()
    }
}

// INVARIANT(no-orphans): a connector that the demo started does not outlive its place in the demo.
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to do.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Reads the first line, and goes on reading, so that the connector never writes into a closed pipe.
fn listen(stdout: ChildStdout) -> oneshot::Receiver<io::Result<String>> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line).map(|_| line);
        // Nobody may be waiting any more.
        drop(tell.send(read));
        drop(io::copy(&mut reader, &mut io::sink()));
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_early_end_is_told_with_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serve.log");
        // This program is the tests' own: it knows no such option, and ends.
        let mut process = Process::spawn(Path::new("twinlink.toml"), &log).unwrap();
        let error = process.ready().await.unwrap_err().to_string();
        assert!(error.contains("did not start"), "{error}");
        assert!(error.contains("config"), "{error}");
    }

    #[test]
    fn no_orphans_are_left() {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let process = Process {
            child,
            log: PathBuf::new(),
            first_line: None,
        };
        let place = PathBuf::from(format!("/proc/{}", process.id()));
        assert!(place.exists());
        drop(process);
        assert!(!place.exists());
    }
}
