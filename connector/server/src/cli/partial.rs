//! Files that are there when they are whole.

use super::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What the name of a file ends with that is not whole.
const ENDING: &str = ".twinlink-partial";

/// A file that gets its name when it is whole, and is gone if it does not become so: nobody takes half of a backup or
/// of an export for the whole. Only its owner may read it. What a process that was stopped leaves of one, the next that
/// makes one in the same folder removes.
pub(super) struct Partial {
    wanted: PathBuf,
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl Partial {
    /// A file of another name beside the wanted one, which must not be there.
    pub(super) fn create(wanted: &Path) -> Result<Self, Failure> {
        if wanted.exists() {
            return Err(format!("{} is there already", wanted.display()).into());
        }
        let folder = wanted.parent().unwrap_or(Path::new(""));
        remove_abandoned(match folder == Path::new("") {
            true => Path::new("."),
            false => folder,
        });
        let mut name = wanted.as_os_str().to_owned();
        name.push(format!(".{}{ENDING}", std::process::id()));
        let path = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        // Held for as long as the file is written. A file system without locks has none to be abandoned.
        drop(file.try_lock());
        Ok(Self {
            wanted: wanted.to_owned(),
            path,
            file,
            is_kept: false,
        })
    }

    /// Where it is until it is whole.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// For a writer of its own, which writes after what was written before.
    pub(super) fn file(&self) -> Result<File, Failure> {
        let cannot = |error| format!("cannot write {}: {error}", self.path.display());
        Ok(self.file.try_clone().map_err(cannot)?)
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(chunk);
        written.map_err(|error| format!("cannot write {}: {error}", self.path.display()).into())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        let synced = self.file.sync_all();
        synced.map_err(|error| format!("cannot write {}: {error}", self.path.display()).into())
    }

    /// Gives it its name. Call [`Partial::sync`] first.
    pub(super) fn keep(mut self) -> Result<(), Failure> {
        // Fails where somebody was faster, and never takes another file's place.
        fs::hard_link(&self.path, &self.wanted)
            .map_err(|error| format!("cannot make {}: {error}", self.wanted.display()))?;
        fs::remove_file(&self.path)?;
        self.is_kept = true;
        let folder = self.wanted.parent();
        let folder = folder.filter(|folder| *folder != Path::new(""));
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(())
    }
}

/// Removes what nobody writes any more: what a process holds is locked, and its lock is gone when it is.
fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_partial = path.to_string_lossy().ends_with(ENDING);
        if is_partial
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
        {
            // Whoever may not remove it may not have made it either.
            drop(fs::remove_file(&path));
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            drop(fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stopped_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old.backup.1.twinlink-partial"), "half").unwrap();
        fs::write(at("old.backup"), "whole").unwrap();
        fs::write(at("other.1.partial"), "of another program").unwrap();
        let mut first = Partial::create(&at("first")).unwrap();
        assert!(!at("old.backup.1.twinlink-partial").exists());
        assert!(at("old.backup").exists() && at("other.1.partial").exists());
        // What is being written stays.
        first.write(b"some").unwrap();
        let second = Partial::create(&at("second")).unwrap();
        assert!(first.path().exists() && second.path().exists());
        first.sync().unwrap();
        first.keep().unwrap();
        assert_eq!(fs::read(at("first")).unwrap(), b"some");
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists() && !at("second").exists());
    }
}
