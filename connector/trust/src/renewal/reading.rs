//! Files as they were when they were read: each once, so that what was made of them can be held against the disk.

use crate::{Identity, SigningKey, TrustError, pem};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reads files and folders, each once: whoever asks for the same one again gets what the first one got.
#[derive(Default)]
pub struct Reading(Mutex<BTreeMap<PathBuf, Seen>>);

/// The largest text that is read, in bytes: policies may be long.
const LARGEST: u64 = 64 * 1024 * 1024;

/// How the names of files end that count.
type Endings = &'static [&'static str];

/// What was there.
#[derive(Clone)]
enum Seen {
    Text(String),
    Folder(Endings, Vec<PathBuf>),
    Nothing(ErrorKind, String),
}

/// What files and folders held when they were read: equal to another only if no byte differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, Mark>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    Text([u8; 32]),
    Folder(Endings, Vec<PathBuf>),
    Nothing(ErrorKind),
}

impl Reading {
    /// A file's text.
    ///
    /// # Errors
    /// Those of the system.
    pub fn text(&self, path: &Path) -> io::Result<String> {
        match self.seen(path, text) {
            Seen::Text(text) => Ok(text),
            Seen::Folder(..) => Err(ErrorKind::IsADirectory.into()),
            Seen::Nothing(kind, error) => Err(io::Error::new(kind, error)),
        }
    }

    /// The files in a folder whose names end so, in order. What else lies there is no matter, nor is it watched.
    ///
    /// # Errors
    /// Those of the system.
    pub fn folder(&self, path: &Path, endings: Endings) -> io::Result<Vec<PathBuf>> {
        match self.seen(path, |path| folder(path, endings)) {
            Seen::Folder(_, paths) => Ok(paths),
            Seen::Text(_) => Err(ErrorKind::NotADirectory.into()),
            Seen::Nothing(kind, error) => Err(io::Error::new(kind, error)),
        }
    }

    /// A small file, such as one of keys or certificates, as [`crate::read_file`] reads it.
    ///
    /// # Errors
    /// [`TrustError::File`]; [`TrustError::Content`] where it is over 1 MiB.
    pub fn small(&self, path: &Path) -> Result<String, TrustError> {
        let text = self.text(path).map_err(|error| pem::fault(path, error))?;
        pem::check_size(path, text.len())?;
        Ok(text)
    }

    /// A certificate and its key, as [`Identity::load`] reads them.
    ///
    /// # Errors
    /// As there.
    pub fn identity(&self, certificate: &Path, key: &Path) -> Result<Identity, TrustError> {
        let text = self.small(certificate)?;
        pem::refuse_exposed(key)?;
        let key = SigningKey::from_pem(&self.small(key)?, key.display())?;
        Identity::from_pem(&text, key, certificate.display())
    }

    /// What was read until now.
    pub fn fingerprint(&self) -> Fingerprint {
        let seen = self.lock();
        let marks = seen
            .iter()
            .map(|(path, seen)| (path.clone(), Mark::of(seen)));
        Fingerprint(marks.collect())
    }

    fn seen(&self, path: &Path, read: impl FnOnce(&Path) -> Seen) -> Seen {
        let mut seen = self.lock();
        let known = seen.entry(path.to_owned()).or_insert_with(|| read(path));
        known.clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Seen>> {
        // Whole after every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Never what was read: keys are among it.
impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

impl Fingerprint {
    /// What is not as it was read. Reads it all again.
    pub fn changes(&self) -> Vec<&Path> {
        let changed = self.0.iter().filter(|(path, mark)| {
            let now = match mark {
                Mark::Folder(endings, _) => folder(path, endings),
                Mark::Text(_) | Mark::Nothing(_) => text(path),
            };
            Mark::of(&now) != **mark
        });
        changed.map(|(path, _)| path.as_path()).collect()
    }

    /// Whether something was there that the other one does not have.
    pub(super) fn has_more_than(&self, other: &Self) -> bool {
        let is_text = |mark: Option<&Mark>| matches!(mark, Some(Mark::Text(_)));
        let mut texts = self.0.iter().filter(|(_, mark)| is_text(Some(mark)));
        texts.any(|(path, _)| !is_text(other.0.get(path)))
    }
}

impl Mark {
    fn of(seen: &Seen) -> Self {
        match seen {
            Seen::Text(text) => Self::Text(Sha256::digest(text).into()),
            Seen::Folder(endings, paths) => Self::Folder(endings, paths.clone()),
            Seen::Nothing(kind, _) => Self::Nothing(*kind),
        }
    }
}

fn text(path: &Path) -> Seen {
    let read = fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        match file.take(LARGEST + 1).read_to_string(&mut text)? {
            length if length as u64 > LARGEST => Err(ErrorKind::FileTooLarge.into()),
            _ => Ok(text),
        }
    });
    match read {
        Ok(text) => Seen::Text(text),
        Err(error) => Seen::Nothing(error.kind(), error.to_string()),
    }
}

fn folder(path: &Path, endings: Endings) -> Seen {
    let counts = |path: &PathBuf| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| endings.contains(&ending))
    };
    let paths = fs::read_dir(path).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
        paths.retain(counts);
        paths.sort();
        Ok(paths)
    });
    match paths {
        Ok(paths) => Seen::Folder(endings, paths),
        Err(error) => Seen::Nothing(error.kind(), error.to_string()),
    }
}
