//! The outcome of a decision, as a value that only this crate can make.

use crate::guard::Guard;
use crate::model::RuleKind;
use crate::world::Counter;
use oxrdf::NamedNode;
use oxsdatatypes::DateTime;

/// What a caller wants to do, with all that most policies ask about. What else it states is in [`crate::Claims`].
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
    pub now: DateTime,
}

/// Proof that the policies let a caller do an action, and the view in which it may.
///
/// Made by [`crate::PolicySet::decide_in`] and nowhere else: whoever holds one need not ask again before
/// [`Permit::valid_until`], as long as the world is as it was and nothing is to be charged.
// INVARIANT(no-permit-no-answer): the fields are private to this crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    pub(crate) guard: Guard,
    pub(crate) action: NamedNode,
    pub(crate) policies: Vec<NamedNode>,
    pub(crate) version: String,
    pub(crate) terms: Terms,
}

/// On what terms a permit is given. Most are given on none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Terms {
    pub(crate) charges: Vec<Charge>,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) valid_until: Option<DateTime>,
    pub(crate) depends_on_world: bool,
    pub(crate) basis: Basis,
}

/// A rule that counts this use: it is to be counted, in one step with the decision, before anything is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// What to count by.
    pub counter: Counter,
    /// The most uses that may ever be counted for this permit to be given, this one included, where the rule is as simple
    /// as that. A decision on the newest state has looked already: this only helps to notice a mistake.
    pub limit: Option<u64>,
}

/// Something that is to be done because of this use: a duty after it, a remedy, a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obligation {
    /// What: an ODRL action such as `odrl:delete`, `odrl:inform`, `tl:reportUse`, or `tl:review`.
    pub action: NamedNode,
    /// The policy that asks for it.
    pub policy: NamedNode,
    /// The rule of that policy that it belongs to, with its number among its kind; none for a policy's `odrl:obligation`.
    pub rule: Option<(RuleKind, usize)>,
    /// Who owes it.
    pub debtor: Debtor,
    /// Who is to be told, paid or asked, where the policy says so.
    pub towards: Vec<NamedNode>,
    /// Until when; none: some time.
    pub due: Option<DateTime>,
    /// What is to be done besides, once it is late: `odrl:consequence`.
    pub consequences: Vec<NamedNode>,
}

/// Who owes an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Debtor {
    /// The organisation that asked. While it leaves this undone past the deadline, it gets no permit.
    Caller,
    /// The owner of the twin: a review.
    Owner,
}

/// On what grounds a permit is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Basis {
    /// Permissions that hold for the caller as it is.
    #[default]
    Ordinary,
    /// The caller broke the glass: permissions that hold only for who says so, for this incident.
    BreakGlass(NamedNode),
}

/// The third decision: what a caller that is denied, or not shown all, may have by breaking the glass. It states so with
/// [`crate::Claims::breaks_glass`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlass {
    /// The incident to name.
    pub incident: NamedNode,
    /// Until when at most a permit on this basis would last.
    pub until: DateTime,
    /// What would be to be done because of it.
    pub obligations: Vec<Obligation>,
}

/// Why there is no permit. For the operator: a peer learns only that it is not permitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} for action <{}> of <{}> with purpose {}", self.reason(), .action.as_str(), .participant.as_str(), .purpose.as_ref().map_or("none", |p| p.as_str()))]
pub struct Denied {
    /// Who asked.
    pub participant: NamedNode,
    /// For what.
    pub action: NamedNode,
    /// With which purpose.
    pub purpose: Option<NamedNode>,
    /// The policies whose prohibitions decided, if any did.
    pub policies: Vec<NamedNode>,
    /// What may change it.
    pub outlook: Box<Outlook>,
}

/// What else there is to a denial.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook {
    /// Whether it is because the organisation left a duty undone past its deadline: then no policy was looked at.
    pub has_violations: bool,
    /// By breaking the glass for which incidents the caller would get a permit. A caller may be told of these.
    pub break_glass: Vec<BreakGlass>,
    /// The first moment at which the answer could be another by time alone; none: never. As [`Permit::valid_until`].
    pub valid_until: Option<DateTime>,
    /// Whether it could be another by what else happens. As [`Permit::depends_on_world`].
    pub depends_on_world: bool,
}

impl Denied {
    fn reason(&self) -> &'static str {
        match (
            self.outlook.has_violations,
            self.outlook.break_glass.is_empty(),
        ) {
            (true, _) => "a duty is left undone past its deadline, so no permission",
            (false, true) => "no active permission",
            (false, false) => "no active permission but by breaking the glass",
        }
    }
}

impl Permit {
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

    /// The rules that count this use. The decision was made on the uses before it. So where there are any: decide again in
    /// the step that counts, and use the permit once.
    pub fn charges(&self) -> &[Charge] {
        &self.terms.charges
    }

    /// What is to be done because of this use. They arise for each use anew.
    pub fn obligations(&self) -> &[Obligation] {
        &self.terms.obligations
    }

    /// The permit holds before this moment, as far as time alone goes: the first at which the same question could be decided
    /// otherwise, be it wider or narrower. Never too late, perhaps too early. None: time makes no difference.
    ///
    /// What lasts, such as an open stream, ends then or asks again.
    pub fn valid_until(&self) -> Option<DateTime> {
        self.terms.valid_until
    }

    /// Whether the decision rests on more than the policies, the [`Ask`], the [`crate::Claims`] and the time: on earlier use,
    /// incidents, or what was done. Then it is to be made again when the [`crate::World`] changes. Whether the organisation
    /// has violations counts always, and is not said here.
    pub fn depends_on_world(&self) -> bool {
        self.terms.depends_on_world
    }

    /// On what grounds it is given.
    pub fn basis(&self) -> &Basis {
        &self.terms.basis
    }
}
