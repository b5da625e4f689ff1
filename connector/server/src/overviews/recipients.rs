//! To whom a caller may tell what it is shown: decided once for each peer and purpose, for as long as policies and time
//! leave it so.

use super::lock;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;
use std::collections::HashMap;
use std::sync::Mutex;
use twinlink_policy::{Ask, Basis, Guard, Permit, PolicySet};

/// Purposes are the callers' to name: with more of them than that all is decided anew.
const PURPOSES: usize = 256;

/// What was decided so far.
#[derive(Debug, Default)]
pub(super) struct Recipients(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// Of the policies that decided.
    version: String,
    of: HashMap<Option<NamedNode>, HashMap<NamedNode, Decided>>,
}

/// What of the twin may be distributed to one peer.
#[derive(Debug)]
struct Decided {
    guard: Option<Guard>,
    from: DateTime,
    until: Option<DateTime>,
}

impl Recipients {
    /// The peers to whom the caller may tell what it is shown: those to whom policies permit to distribute all of it, for
    /// the same purpose, without counting or asking for anything.
    // INVARIANT(told-on-by-policy): a summary names as recipients those only to whom policies let everything in it be
    // distributed.
    pub(super) fn of(
        &self,
        policies: &PolicySet,
        peers: Vec<NamedNode>,
        permit: &Permit,
        purpose: Option<&NamedNode>,
        now: DateTime,
    ) -> Vec<NamedNode> {
        let mut kept = lock(&self.0);
        if kept.version != policies.version() || kept.of.len() > PURPOSES {
            policies.version().clone_into(&mut kept.version);
            kept.of.clear();
        }
        let decided = kept.of.entry(purpose.cloned()).or_default();
        let are_gone = decided.len() > peers.len();
        decided.retain(|peer, one| one.holds(now) && (!are_gone || peers.contains(peer)));
        let may_have = |peer: &&NamedNode| {
            let peer = *peer;
            if !decided.contains_key(peer) {
                decided.insert(peer.clone(), decide(policies, peer, purpose, now));
            }
            let guard = decided.get(peer).and_then(|one| one.guard.as_ref());
            guard.is_some_and(|guard| guard == permit.guard() || guard.is_everything())
        };
        peers.iter().filter(may_have).cloned().collect()
    }
}

impl Decided {
    fn holds(&self, now: DateTime) -> bool {
        // The clock may have been set back.
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

fn decide(
    policies: &PolicySet,
    peer: &NamedNode,
    purpose: Option<&NamedNode>,
    now: DateTime,
) -> Decided {
    let ask = Ask {
        participant: peer.clone(),
        subject: String::new(),
        roles: Vec::new(),
        purpose: purpose.cloned(),
        action: twinlink_vocab::odrl::DISTRIBUTE.into_owned(),
        now,
    };
    let (guard, until) = match policies.decide(&ask) {
        Ok(permit) => {
            let is_free = permit.charges().is_empty()
                && permit.obligations().is_empty()
                && *permit.basis() == Basis::Ordinary;
            (
                is_free.then(|| permit.guard().clone()),
                permit.valid_until(),
            )
        }
        Err(denied) => (None, denied.outlook.valid_until),
    };
    Decided {
        guard,
        from: now,
        until,
    }
}
