//! How often peers may tell us of their logs and of what they received: no more than it takes, whether it is right or not.

use oxrdf::NamedNode;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use twinlink_core::{Code, Refusal};

/// Calls of one peer in a row.
const BURST: u32 = 64;

/// The time after which there may be one more: an acknowledgement is sent five times a second at most, a log shown once.
const EACH: Duration = Duration::from_millis(100);

/// What peers may call still. Of peers alone, so it is as bounded as they are.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<HashMap<NamedNode, Left>>);

#[derive(Debug)]
struct Left {
    calls: u32,
    filled: Instant,
}

impl Calls {
    // INVARIANT(bounded-calls): of one peer no more is looked at than its share, whatever it says.
    pub(super) fn admit(&self, peer: &NamedNode, now: Instant) -> Result<(), Refusal> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = peers.entry(peer.clone()).or_insert(Left {
            calls: BURST,
            filled: now,
        });
        let passed = now.saturating_duration_since(left.filled).as_millis() / EACH.as_millis();
        let more = u32::try_from(passed).unwrap_or(u32::MAX);
        left.filled += EACH.saturating_mul(more);
        left.calls = left.calls.saturating_add(more).min(BURST);
        let Some(rest) = left.calls.checked_sub(1) else {
            let detail =
                "a peer tells of its log, and of what it received, ten times a second at most";
            return Err(Refusal::new(Code::Exhausted, "evidence.rate", detail)
                .open()
                .retry_after(Duration::from_secs(1))
                .at(peer.as_str()));
        };
        left.calls = rest;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INVARIANT(bounded-calls)
    #[test]
    fn bounded_calls() {
        let (calls, start) = (Calls::default(), Instant::now());
        let of = |name: &str| NamedNode::new_unchecked(name);
        let taken = |peer: &NamedNode, at: Instant| {
            (0..1000).filter(|_| calls.admit(peer, at).is_ok()).count()
        };
        let (one, other) = (of("https://one.example/"), of("https://other.example/"));
        assert_eq!(taken(&one, start), BURST as usize);
        assert_eq!(taken(&one, start + Duration::from_secs(1)), 10);
        assert_eq!(
            taken(&other, start + Duration::from_secs(1)),
            BURST as usize
        );
        assert_eq!(
            taken(&one, start + Duration::from_secs(3600)),
            BURST as usize
        );
        let refusal = calls.admit(&one, start).unwrap_err();
        assert!(refusal.check() == "evidence.rate" && refusal.retry().is_some());
    }
}
