//! The bytes of summaries that callers were sent last: the next one is sent as what is new in it.

use super::Key;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes that are kept.
const MOST: usize = 64 << 20;

/// What was sent last, by whom it was sent to. Nobody gets a difference to what somebody else was sent.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    turn: u64,
    bytes: usize,
    of: FxHashMap<Key, Last>,
}

#[derive(Debug)]
struct Last {
    turn: u64,
    version: String,
    bytes: Arc<[u8]>,
}

impl Sent {
    /// The bytes of this version, if it is what was sent last.
    pub(crate) fn get(&self, key: &Key, version: &str) -> Option<Arc<[u8]>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept.of.get(key)?;
        (last.version == version).then(|| Arc::clone(&last.bytes))
    }

    /// Takes what is sent now. What was sent longest ago goes where there is too much.
    pub(crate) fn put(&self, key: Key, version: &str, bytes: &[u8]) {
        if bytes.len() > MOST {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.turn += 1;
        kept.bytes += bytes.len();
        let last = Last {
            turn: kept.turn,
            version: version.to_owned(),
            bytes: bytes.into(),
        };
        if let Some(before) = kept.of.insert(key, last) {
            kept.bytes -= before.bytes.len();
        }
        while kept.bytes > MOST {
            let oldest = kept.of.iter().min_by_key(|(_, last)| last.turn);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some(gone) = kept.of.remove(&oldest) {
                kept.bytes -= gone.bytes.len();
            }
        }
    }
}
