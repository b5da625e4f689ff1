//! Files that are there when they are whole.

use super::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that gets its name when it is whole, and is gone if it does not become so: nobody takes half of a backup or
/// of an export for the whole. Only its owner may read it.
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
        let mut name = wanted.as_os_str().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let path = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
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

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            drop(fs::remove_file(&self.path));
        }
    }
}
