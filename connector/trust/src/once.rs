//! What may be seen once: identifiers of proofs, envelopes and revoked tokens, until they expire anyway.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use time::OffsetDateTime;

/// Identifiers until they expire: bounded, and atomic, so that of two requests with one identifier one is the first.
#[derive(Debug)]
pub struct OnceStore {
    most: usize,
    seen: Mutex<Seen>,
}

/// Why an identifier was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOnce {
    /// It is there already.
    Again,
    /// Too many others are: who cannot remember must refuse.
    Full,
}

/// Digests, not texts: each as long as the other, whatever a client sends.
#[derive(Debug, Default)]
struct Seen {
    until: HashMap<[u8; 32], i64>,
    ends: BTreeMap<(i64, [u8; 32]), ()>,
}

impl OnceStore {
    /// Remembers so many at a time, about 150 bytes each.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            seen: Mutex::default(),
        }
    }

    /// Takes an identifier of this scope, such as its issuer or key, to be remembered until it expires.
    ///
    /// # Errors
    /// [`NotOnce`].
    // INVARIANT(at-most-once): of any number of calls with one identifier before it expires, one succeeds.
    pub fn admit(
        &self,
        scope: &str,
        id: &str,
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), NotOnce> {
        let key = key(scope, id);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now.unix_timestamp());
        if seen.until.contains_key(&key) {
            return Err(NotOnce::Again);
        }
        if seen.until.len() >= self.most {
            return Err(NotOnce::Full);
        }
        seen.until.insert(key, until.unix_timestamp());
        seen.ends.insert((until.unix_timestamp(), key), ());
        Ok(())
    }

    /// Whether an identifier of this scope was taken and has not expired.
    pub fn holds(&self, scope: &str, id: &str, now: OffsetDateTime) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let until = seen.until.get(&key(scope, id));
        until.is_some_and(|until| *until >= now.unix_timestamp())
    }
}

impl Seen {
    fn forget(&mut self, now: i64) {
        while let Some(first) = self.ends.first_entry() {
            let (until, key) = *first.key();
            if until >= now {
                break;
            }
            first.remove();
            self.until.remove(&key);
        }
    }
}

fn key(scope: &str, id: &str) -> [u8; 32] {
    let length = (scope.len() as u64).to_be_bytes();
    let hasher = Sha256::new().chain_update(length).chain_update(scope);
    hasher.chain_update(id).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use time::Duration;

    #[test]
    fn at_most_once() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let store = OnceStore::new(1000);
        let first = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for id in 0..100 {
                        let admitted = store.admit("a", &id.to_string(), now, now);
                        first.fetch_add(usize::from(admitted.is_ok()), Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(first.into_inner(), 100);
        assert!(store.holds("a", "7", now) && !store.holds("b", "7", now));
        // Where scope ends and id begins cannot be shifted.
        store.admit("ab", "1", now, now).unwrap();
        store.admit("a", "b1", now, now).unwrap();
    }

    #[test]
    fn a_full_store_refuses_until_something_expires() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let store = OnceStore::new(2);
        let minute = Duration::minutes(1);
        store.admit("a", "1", now + minute, now).unwrap();
        store.admit("a", "2", now + minute * 2, now).unwrap();
        assert_eq!(store.admit("a", "3", now + minute, now), Err(NotOnce::Full));
        let later = now + Duration::seconds(61);
        assert!(!store.holds("a", "1", later));
        store.admit("a", "3", later + minute, later).unwrap();
        assert_eq!(store.admit("a", "2", later, later), Err(NotOnce::Again));
    }
}
