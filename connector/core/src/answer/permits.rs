//! Permits that were decided a moment ago: for as long as nothing that they rest on has changed.

use crate::recent::Recent;
use oxsdatatypes::DateTime;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use twinlink_policy::{Ask, Claims, Permit};

/// How many permits are kept: twice this, in two halves.
const HALF: usize = 1024;

/// Permits by all that was asked, in bounded memory.
///
/// Only permits that count no use and impose nothing are kept, and each is given again only under the policies and the
/// state of the world that it was decided by.
pub struct PermitCache(Mutex<Recent<Question, Kept>>);

/// All that was asked, but for the time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    ask: Ask,
    claims: Claims,
}

/// A permit and what it rests on.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) permit: Arc<Permit>,
    /// The version of the state of the world.
    pub(super) world: u64,
    /// When it was decided.
    pub(super) from: DateTime,
    /// The first moment at which it does not hold any longer.
    pub(super) until: Option<DateTime>,
}

impl PermitCache {
    /// The permit for what is asked, if it still holds. The time in `ask` is not part of the question.
    // INVARIANT(fresh-permits): a permit is given again only while policies, world and time are as it was decided.
    pub(super) fn get(
        &self,
        ask: &Ask,
        claims: &Claims,
        policies: &str,
        world: u64,
    ) -> Option<Kept> {
        let now = ask.now;
        let question = Question::new(ask, claims);
        let kept = self.kept().get(&question)?;
        let holds = kept.permit.version() == policies
            && kept.world == world
            // The clock may have been set back.
            && kept.from <= now
            && kept.until.is_none_or(|until| now < until);
        holds.then_some(kept)
    }

    /// Keeps a permit.
    pub(super) fn put(&self, ask: &Ask, claims: &Claims, kept: Kept) {
        self.kept().put(Question::new(ask, claims), kept);
    }

    fn kept(&self) -> MutexGuard<'_, Recent<Question, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for PermitCache {
    fn default() -> Self {
        Self(Mutex::new(Recent::new(HALF)))
    }
}

impl Question {
    fn new(ask: &Ask, claims: &Claims) -> Self {
        let ask = Ask {
            now: DateTime::MIN,
            ..ask.clone()
        };
        Self {
            ask,
            claims: claims.clone(),
        }
    }
}

/// Of what tells most questions apart; equality looks at all.
impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ask.participant.hash(state);
        self.ask.subject.hash(state);
        self.ask.roles.hash(state);
        self.ask.purpose.hash(state);
        self.ask.action.hash(state);
    }
}

impl std::fmt::Debug for PermitCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PermitCache").finish_non_exhaustive()
    }
}
