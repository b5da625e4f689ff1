//! The outcome of a decision, as a value that only this crate can make.

use crate::guard::Guard;
use oxrdf::NamedNode;

/// What a caller wants to do, with all that a policy may ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The organisation that asks, by its participant id.
    pub participant: NamedNode,
    /// The person or program that asks on its behalf, as its organisation names it.
    pub subject: String,
    /// Roles the caller's token carries.
    pub roles: Vec<NamedNode>,
    /// The purpose the caller's token carries.
    pub purpose: Option<NamedNode>,
    /// The ODRL action, such as `odrl:read`.
    pub action: NamedNode,
    /// When, with its time zone.
    pub now: oxsdatatypes::DateTime,
}

/// Proof that the policies let a caller do an action, and the view in which it may.
///
/// Made by [`crate::PolicySet::decide`] and nowhere else: whoever holds one need not ask again.
// INVARIANT(no-permit-no-answer): the fields are private to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    guard: Guard,
    action: NamedNode,
    policies: Vec<NamedNode>,
    version: String,
}

/// Why there is no permit. For the operator: a peer learns only that it is not permitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no active permission for action <{}> of <{}> with purpose {}", .action.as_str(), .participant.as_str(), .purpose.as_ref().map_or("none", |p| p.as_str()))]
pub struct Denied {
    /// Who asked.
    pub participant: NamedNode,
    /// For what.
    pub action: NamedNode,
    /// With which purpose.
    pub purpose: Option<NamedNode>,
    /// The policies whose prohibitions decided, if any did.
    pub policies: Vec<NamedNode>,
}

impl Permit {
    pub(crate) fn new(
        guard: Guard,
        action: NamedNode,
        policies: Vec<NamedNode>,
        version: String,
    ) -> Self {
        Self {
            guard,
            action,
            policies,
            version,
        }
    }

    /// The visible part of the dataset.
    pub fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The action that is permitted.
    pub fn action(&self) -> &NamedNode {
        &self.action
    }

    /// The policies that granted or limited it, by their `odrl:uid`, sorted.
    pub fn policies(&self) -> &[NamedNode] {
        &self.policies
    }

    /// The version of the policy set that decided: changes whenever a policy changes.
    pub fn version(&self) -> &str {
        &self.version
    }
}
