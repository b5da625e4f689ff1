//! What may be seen once: identifiers of proofs, envelopes and revoked tokens, until they expire anyway.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;
use twinlink_core::{Code, Refusal};

/// When who was refused may come again: by then some of what is remembered has expired.
const ADVICE: Duration = Duration::from_secs(10);

/// Identifiers until they expire: bounded, and atomic, so that of two requests with one identifier one is the first.
///
/// Who fills it is refused itself: an organisation is remembered no more of than there is room left, and one person or
/// program of it no more than half of that. So one that floods gets half of all, two a third each, and there is always
/// room for others. <https://doi.org/10.1109/90.664262>
#[derive(Debug)]
pub struct OnceStore {
    most: usize,
    seen: Mutex<Seen>,
}

/// Whose identifier it is: proven, so that nobody fills another one's share.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// The organisation.
    pub organisation: &'a str,
    /// The person or program of it.
    pub client: &'a str,
}

/// Why an identifier was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOnce {
    /// It is there already.
    Again,
    /// Too many others of the same organisation or client are.
    Share,
    /// Too many others are: who cannot remember must refuse.
    Full,
}

/// Digests, not texts: each as long as the other, whatever a client sends.
type Key = [u8; 32];

#[derive(Debug, Default)]
struct Seen {
    until: HashMap<Key, i64>,
    ends: BTreeMap<(i64, Key), Option<[Arc<Count>; 2]>>,
    counts: HashMap<Key, Arc<Count>>,
}

/// How many are an organisation's or a client's.
#[derive(Debug)]
struct Count {
    of: Key,
    held: AtomicUsize,
}

impl NotOnce {
    /// The refusal of what was not taken: `what` are the identifiers, `again` says that this one was there.
    pub(crate) fn refusal(self, check: &'static str, what: &str, again: &str) -> Refusal {
        let detail = match self {
            Self::Again => return Refusal::new(Code::Unauthenticated, check, again),
            Self::Share => {
                format!("too many {what} of the same client or organisation are remembered")
            }
            Self::Full => format!("too many {what} are remembered"),
        };
        Refusal::new(Code::Exhausted, check, detail).retry_after(ADVICE)
    }
}

impl OnceStore {
    /// Remembers so many at a time, about 170 bytes each.
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
    // INVARIANT(room-for-others): whatever one organisation or client shows, others are still taken.
    pub fn admit(
        &self,
        by: By<'_>,
        (scope, id): (&str, &str),
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), NotOnce> {
        self.take(Some(by), key(scope, id), until, now)
    }

    /// As [`Self::admit`], of what was taken before a restart: whose it was does not count.
    ///
    /// # Errors
    /// [`NotOnce`].
    pub(crate) fn restore(
        &self,
        (scope, id): (&str, &str),
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), NotOnce> {
        self.take(None, key(scope, id), until, now)
    }

    fn take(
        &self,
        by: Option<By<'_>>,
        key: Key,
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), NotOnce> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now.unix_timestamp());
        if seen.until.contains_key(&key) {
            return Err(NotOnce::Again);
        }
        let free = self.most.saturating_sub(seen.until.len());
        if free == 0 {
            return Err(NotOnce::Full);
        }
        let counts = by.map(|by| seen.counts(by, free)).transpose()?;
        let until = until.unix_timestamp();
        seen.until.insert(key, until);
        seen.ends.insert((until, key), counts);
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
            let counts = first.remove();
            self.until.remove(&key);
            for count in counts.into_iter().flatten() {
                if count.held.fetch_sub(1, Ordering::Relaxed) == 1 {
                    self.counts.remove(&count.of);
                }
            }
        }
    }

    /// Counts one more of this organisation and client, where there is room for it.
    fn counts(&mut self, by: By<'_>, free: usize) -> Result<[Arc<Count>; 2], NotOnce> {
        let organisation = key("", by.organisation);
        let client = key(by.organisation, by.client);
        let held = |of: &Key| {
            let count = self.counts.get(of);
            count.map_or(0, |count| count.held.load(Ordering::Relaxed))
        };
        if held(&organisation) >= free || held(&client) >= free.div_ceil(2) {
            return Err(NotOnce::Share);
        }
        Ok([organisation, client].map(|of| {
            let fresh = || {
                Arc::new(Count {
                    of,
                    held: AtomicUsize::new(0),
                })
            };
            let count = self.counts.entry(of).or_insert_with(fresh);
            count.held.fetch_add(1, Ordering::Relaxed);
            Arc::clone(count)
        }))
    }
}

fn key(scope: &str, id: &str) -> Key {
    let length = (scope.len() as u64).to_be_bytes();
    let hasher = Sha256::new().chain_update(length).chain_update(scope);
    hasher.chain_update(id).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;

    const BY: By<'_> = By {
        organisation: "organisation",
        client: "client",
    };

    #[test]
    fn at_most_once() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let store = OnceStore::new(1000);
        let first = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for id in 0..100 {
                        let admitted = store.admit(BY, ("a", &id.to_string()), now, now);
                        first.fetch_add(usize::from(admitted.is_ok()), Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(first.into_inner(), 100);
        assert!(store.holds("a", "7", now) && !store.holds("b", "7", now));
        // Where scope ends and id begins cannot be shifted.
        store.admit(BY, ("ab", "1"), now, now).unwrap();
        store.admit(BY, ("a", "b1"), now, now).unwrap();
    }

    #[test]
    fn a_full_store_refuses_until_something_expires() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let store = OnceStore::new(2);
        let minute = Duration::minutes(1);
        let by = |organisation| By {
            organisation,
            client: "client",
        };
        let admit =
            |organisation, id, until, now| store.admit(by(organisation), ("a", id), until, now);
        admit("one", "1", now + minute, now).unwrap();
        admit("two", "2", now + minute * 2, now).unwrap();
        assert_eq!(admit("three", "3", now + minute, now), Err(NotOnce::Full));
        let later = now + Duration::seconds(61);
        assert!(!store.holds("a", "1", later));
        admit("three", "3", later + minute, later).unwrap();
        assert_eq!(admit("four", "2", later, later), Err(NotOnce::Again));
    }

    /// INVARIANT(room-for-others)
    #[test]
    fn room_for_others() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let minute = Duration::minutes(1);
        let store = OnceStore::new(12_000);
        // As many as are taken, of so many clients of an organisation in turn.
        let flood = |organisation: &str, name: &str, clients: usize| {
            let mut taken = 0;
            loop {
                let client = format!("{name} {}", taken % clients);
                let by = By {
                    organisation,
                    client: &client,
                };
                let id = format!("{organisation} {name} {taken}");
                match store.admit(by, ("scope", &id), now + minute, now) {
                    Ok(()) => taken += 1,
                    Err(not) => {
                        assert_eq!(not, NotOnce::Share);
                        return taken;
                    }
                }
            }
        };
        assert_eq!(flood("one", "ada", 1), 4000);
        // Others of it are still taken, other organisations too, each less while others hold much.
        assert_eq!(flood("one", "others", 100), 2000);
        assert_eq!(flood("two", "bob", 1), 2000);
        for number in 0..12 {
            assert!(flood(&format!("more {number}"), "eve", 1) > 0);
        }
        // What is taken in again is nobody's, and when all has expired nothing is counted.
        store
            .restore(("scope", "restored"), now + minute, now)
            .unwrap();
        let later = now + minute * 2;
        store.restore(("scope", "other"), later, later).unwrap();
        let seen = store.seen.lock().unwrap();
        assert_eq!(
            (seen.until.len(), seen.ends.len(), seen.counts.len()),
            (1, 1, 0)
        );
    }
}
