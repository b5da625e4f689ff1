//! What lies on the disk: parts of the change log, and records of the log of use.
#![no_main]

use futures::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use twinlink_core::{Journal, Refusal};
use twinlink_trust::{audit, list_entries};

/// A journal that holds what it is given, a record after each 0xFF.
struct Given(Vec<Vec<u8>>);

impl Journal for Given {
    fn append(&self, _: Vec<Vec<u8>>, _: Vec<u8>) -> BoxFuture<'_, Result<Vec<u64>, Refusal>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What is given may be a seal as well as a record.
    fn seal(&self) -> Result<Option<Vec<u8>>, Refusal> {
        Ok(self.0.last().cloned())
    }

    fn read(&self, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, Refusal> {
        let records = (0..).zip(&self.0).skip_while(|(at, _)| *at < from);
        Ok(records
            .take(most)
            .map(|(at, record)| (at, record.clone()))
            .collect())
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    if mode % 2 == 0 {
        twinlink_store::read_part(rest);
        return;
    }
    let journal = Given(
        rest.split(|byte| *byte == 0xFF)
            .map(<[u8]>::to_vec)
            .collect(),
    );
    drop(list_entries(&journal, 0, 100));
    drop(audit(&journal));
});
