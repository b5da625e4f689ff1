//! Backups that are taken while clients write, and while the program is killed.

use super::check_changes;
use crate::program::{Home, Program};
use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use twinlink_store::{EvaluationOptions, Ledger, TwinStore, backup};
use twinlink_trust::audit;

/// A backup that is on its way.
pub(super) struct Copying {
    file: PathBuf,
    /// What was acknowledged before it began.
    changes: HashMap<String, usize>,
    /// Whether it came to its end.
    taken: JoinHandle<bool>,
}

impl Copying {
    /// Begins a backup of the connector that runs here.
    pub(super) fn begin(
        program: &Program,
        (home, port): (&Home, u16),
        changes: &HashMap<String, usize>,
    ) -> Self {
        let file = home.path().join("crash.backup");
        // That of the round before.
        drop(std::fs::remove_file(&file));
        // Without one the backup fails, and is not counted.
        let config = home.config_for(port).unwrap_or_default();
        let mut command = program.command();
        command
            .arg("--config")
            .arg(config)
            .arg("backup")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self {
            file,
            changes: changes.clone(),
            taken: std::thread::spawn(move || {
                command.status().is_ok_and(|status| status.success())
            }),
        }
    }

    /// Waits until it has come to its end, or for so long.
    pub(super) fn wait(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.taken.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Checks that it holds all it should, where it came to its end; otherwise that nothing is left of it.
    pub(super) fn check(self) -> Result<bool, String> {
        let taken = self.taken.join().unwrap_or_default();
        if !taken {
            return match self.file.exists() {
                true => Err("a backup that broke off left a file".to_owned()),
                false => Ok(false),
            };
        }
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let place = folder.path().join("twin");
        let fault = |error: &dyn std::fmt::Display| format!("a backup: {error}");
        let file = File::open(&self.file).map_err(|error| fault(&error))?;
        backup::restore(BufReader::new(file), &place).map_err(|error| fault(&error))?;
        let store = TwinStore::open(&place, EvaluationOptions::default());
        let store = store.map_err(|error| fault(&error))?;
        Ledger::open(&place).map_err(|error| fault(&error))?;
        check_changes(&store, &self.changes).map_err(|error| fault(&error))?;
        audit(&store.journal()).map_err(|error| fault(&error))?;
        Ok(true)
    }
}
