//! PEM files: small, and private keys for their owner's eyes only.

use crate::TrustError;
use rustls_pki_types::pem::{Error, PemObject};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// The largest file of keys or certificates that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Reads a small text file, such as a PEM file or a JWK.
///
/// # Errors
/// [`TrustError::File`]; [`TrustError::Content`] where it is over 1 MiB.
pub fn read_file(path: &Path) -> Result<String, TrustError> {
    let file = fs::File::open(path).map_err(|error| fault(path, error))?;
    let mut text = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| fault(path, error))?;
    check_size(path, text.len())?;
    Ok(text)
}

/// Refuses what no key or certificate is as large as.
pub(crate) fn check_size(path: &Path, bytes: usize) -> Result<(), TrustError> {
    match bytes as u64 > LARGEST {
        false => Ok(()),
        true => Err(TrustError::content(
            path.display(),
            "the file is over 1 MiB: this is no key or certificate",
        )),
    }
}

/// Reads a private key file, refusing one that everyone on this machine can read.
pub(crate) fn read_private(path: &Path) -> Result<String, TrustError> {
    refuse_exposed(path)?;
    read_file(path)
}

/// Writes a new file that only its owner may read (mode 0600), durably. Never overwrites.
///
/// # Errors
/// [`TrustError::File`], also where the file exists.
pub fn write_private(path: &Path, text: &str) -> Result<(), TrustError> {
    write_new(path, text, 0o600)
}

/// Writes a new file that everyone may read (mode 0644), durably. Never overwrites.
///
/// # Errors
/// As [`write_private`].
pub fn write_public(path: &Path, text: &str) -> Result<(), TrustError> {
    write_new(path, text, 0o644)
}

/// All objects of one kind in a PEM text; none is an error.
pub(crate) fn objects<T: PemObject>(
    text: &str,
    place: impl std::fmt::Display,
    kind: &str,
) -> Result<Vec<T>, TrustError> {
    let objects = T::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<T>, Error>>()
        .map_err(|error| TrustError::content(&place, say(&error)))?;
    if objects.is_empty() {
        return Err(TrustError::content(
            place,
            format_args!("holds no PEM block \"{kind}\""),
        ));
    }
    Ok(objects)
}

/// rustls-pki-types prints lines of the file in some of its errors: those may be parts of a key.
fn say(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "a PEM block has no END line",
        Error::IllegalSectionStart { .. } => "a PEM block has a malformed BEGIN line",
        Error::Base64Decode(_) => "a PEM block is not valid base64",
        _ => "the PEM text cannot be read",
    }
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), TrustError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    set_mode(&mut options, mode);
    let write = || {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| fault(path, error))
}

pub(crate) fn fault(path: &Path, error: std::io::Error) -> TrustError {
    TrustError::File {
        path: path.display().to_string(),
        error,
    }
}

#[cfg(unix)]
fn set_mode(options: &mut fs::OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

#[cfg(not(unix))]
fn set_mode(_: &mut fs::OpenOptions, _: u32) {}

#[cfg(unix)]
pub(crate) fn refuse_exposed(path: &Path) -> Result<(), TrustError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|error| fault(path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(TrustError::Exposed {
            path: path.display().to_string(),
            mode,
        });
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn refuse_exposed(_: &Path) -> Result<(), TrustError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn private_files_are_private_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_private(&path, "first").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(write_private(&path, "second").is_err());
        assert_eq!(read_private(&path).unwrap(), "first");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read_private(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read_file(Path::new("no-such-folder/key.pem")).unwrap_err();
        assert!(error.to_string().contains("no-such-folder/key.pem"));
    }
}
