//! Whether the log of changes still leads to the states of the twin that the log of use names.

use crate::cli::Failure;
use std::collections::BTreeSet;
use twinlink_store::JournalFile;
use twinlink_trust::dataset_versions;

/// How many states were found to be as they were named.
///
/// # Errors
/// The first record that names a state which the log of changes does not lead to: it was changed or cut off.
pub(super) fn check(file: &JournalFile) -> Result<usize, Failure> {
    let named = dataset_versions(file)?;
    let number = |version: &str| -> Option<u64> { version.split_once('-')?.0.parse().ok() };
    let changes: BTreeSet<u64> = named.keys().filter_map(|version| number(version)).collect();
    let found = file.versions(&changes)?;
    let is_other = |version: &str| {
        let found = number(version).and_then(|change| found.get(&change));
        found.is_none_or(|found| found != version)
    };
    let wrong = named.iter().filter(|(version, _)| is_other(version));
    match wrong.min_by_key(|(_, record)| **record) {
        None => Ok(named.len()),
        Some((version, record)) => Err(format!(
            "record {record} of the log of use names {version} as the state of the twin, and the log of changes does not lead to \
             it: a change up to there was changed, removed or put in"
        )
        .into()),
    }
}
