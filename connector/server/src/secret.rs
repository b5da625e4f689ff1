//! Secrets in files of their own: 32 bytes as 64 hexadecimal digits.

use crate::cli::Failure;
use std::fs;
use std::path::Path;
use uuid::Uuid;

/// How many bytes a secret has.
const BYTES: usize = 32;

/// A new secret, as [`read`] reads it: 244 of its bits come from the system's source of randomness, 12 are fixed.
pub(crate) fn new() -> String {
    format!("{}{}\n", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Reads a secret. What is wrong with it is told without it.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn read(path: &Path) -> Result<[u8; BYTES], Failure> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    parse(text.trim())
        .ok_or_else(|| format!("{} is no secret of 64 hexadecimal digits", path.display()).into())
}

fn parse(digits: &str) -> Option<[u8; BYTES]> {
    if digits.len() != 2 * BYTES {
        return None;
    }
    let mut secret = [0; BYTES];
    let values: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let values = values?;
    for (byte, pair) in secret.iter_mut().zip(values.chunks_exact(2)) {
        let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
        *byte = u8::try_from(value).ok()?;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_secrets_are_read_and_differ() {
        let secret = parse(new().trim()).unwrap();
        assert_ne!(secret, parse(new().trim()).unwrap());
        assert_eq!(parse(&"0f".repeat(32)).unwrap(), [15; BYTES]);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_telling_it() {
        for text in [
            "",
            "+f",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"0f".repeat(33),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "hunter2").unwrap();
        assert!(
            !read(file.path())
                .unwrap_err()
                .to_string()
                .contains("hunter2")
        );
    }
}
