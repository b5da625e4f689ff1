//! Tokens that were made for a caller at a peer a moment ago: to sign one for each sub-request takes longer than to ask.
//!
//! They are the same in all that they say: for one peer, in the name of one caller, with the same roles, purpose, claims and
//! path, bound to the certificate that the connection shows. Whoever uses one was authenticated just now. What a request is
//! of says its signed envelope, and a token's id says for whom: an access token is no proof that counts once.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use twinlink_client::Token;
use twinlink_core::Delegation;
use uuid::Uuid;

/// How long a token is used again: a fraction of its life, so that none ends on its way.
const FRESH: Duration = Duration::from_secs(20);

/// The most callers of whom a peer's tokens are kept.
const CALLERS: usize = 64;

/// Of one peer, the oldest first. It goes with the peer's connection: with a new certificate there are none.
// INVARIANT(reused-for-the-same-caller): a token is used again for the same peer, caller, roles, purpose, claims and path only.
#[derive(Debug, Default)]
pub(super) struct Delegated(Mutex<VecDeque<Kept>>);

#[derive(Debug)]
struct Kept {
    caller: Delegation,
    token: Token,
    made: Instant,
}

impl Delegated {
    /// The token for this caller, made now where there is none of a moment ago.
    pub(super) fn token<E>(
        &self,
        delegation: &Delegation,
        make: impl FnOnce() -> Result<Token, E>,
    ) -> Result<Token, E> {
        let caller = caller(delegation);
        {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while kept.front().is_some_and(|one| one.made.elapsed() >= FRESH) {
                kept.pop_front();
            }
            if let Some(found) = kept.iter().find(|one| one.caller == caller) {
                return Ok(found.token.clone());
            }
        }
        let made = Instant::now();
        let token = make()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CALLERS {
            kept.pop_front();
        }
        kept.push_back(Kept {
            caller,
            token: token.clone(),
            made,
        });
        Ok(token)
    }
}

/// What of a delegation is in its token.
fn caller(delegation: &Delegation) -> Delegation {
    Delegation {
        request: Uuid::nil(),
        participant: delegation.participant.clone(),
        subject: delegation.subject.clone(),
        actors: delegation.actors.clone(),
        roles: delegation.roles.clone(),
        purpose: delegation.purpose.clone(),
        claims: delegation.claims.clone(),
        break_glass: None,
        on_behalf: delegation.on_behalf.clone(),
        left_out: Vec::new(),
    }
}
