//! What is to be done: <https://www.w3.org/TR/odrl-model/#duty>.

use super::Constraint;
use crate::Truth;
use oxrdf::{NamedNode, NamedNodeRef};
use oxsdatatypes::{DateTime, DayTimeDuration};
use twinlink_vocab::{odrl, tl};

/// A duty of a permission, a consequence of one, a remedy of a prohibition, or an obligation of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Duty {
    pub(crate) action: NamedNode,
    pub(crate) phase: Phase,
    /// When a duty before use counts as done in time. Constraints on `odrl:dateTime` only. All must hold.
    pub(crate) constraints: Vec<Constraint>,
    /// Until when a duty after use is to be done, the earliest counts.
    pub(crate) deadlines: Vec<Deadline>,
    /// Who is to be told, paid, asked.
    pub(crate) towards: Vec<NamedNode>,
    /// What is to be done besides, once it was not done in time.
    pub(crate) consequences: Vec<Self>,
}

/// When a duty is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before use: the permission waits for it.
    Before,
    /// Because of use: it is owed after it.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Deadline {
    At(DateTime),
    /// So long after the use.
    After(DayTimeDuration),
}

const BEFORE: &[NamedNodeRef<'static>] = &[
    odrl::ACCEPT_TRACKING,
    odrl::COMPENSATE,
    odrl::OBTAIN_CONSENT,
    odrl::PAY,
    odrl::REVIEW_POLICY,
];

const AFTER: &[NamedNodeRef<'static>] = &[
    odrl::ANONYMIZE,
    odrl::ATTRIBUTE,
    odrl::DELETE,
    odrl::ENSURE_EXCLUSIVITY,
    odrl::INFORM,
    odrl::NEXT_POLICY,
    odrl::UNINSTALL,
    odrl::WATERMARK,
    tl::REPORT_USE,
    tl::REVIEW,
];

impl Phase {
    /// When a duty with this action is to be done; none where we know of no such duty.
    pub(crate) fn of(action: &NamedNode) -> Option<Self> {
        let is_in = |known: &[NamedNodeRef<'static>]| known.iter().any(|one| *one == *action);
        match (is_in(BEFORE), is_in(AFTER)) {
            (true, _) => Some(Self::Before),
            (false, true) => Some(Self::After),
            (false, false) => None,
        }
    }

    /// The actions, for messages.
    pub(crate) fn actions() -> String {
        let names = BEFORE.iter().chain(AFTER).map(|action| {
            let name = action.as_str();
            let short = name.strip_prefix(odrl::NAMESPACE);
            let own = name.strip_prefix(tl::NAMESPACE);
            match (short, own) {
                (Some(short), _) => format!("odrl:{short}"),
                (None, Some(own)) => format!("tl:{own}"),
                (None, None) => name.to_owned(),
            }
        });
        names.collect::<Vec<_>>().join(", ")
    }
}

/// How a duty before use stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It is done, or was made good.
    Fulfilled,
    /// It can no longer be done in time.
    Violated,
    /// It can still be done.
    Pending,
    /// It need not be done yet.
    NotDue,
}

impl Duty {
    /// How it stands, given when its action was last done and how constraints come out at a moment; as
    /// [`crate::report`] has it.
    pub(crate) fn state(
        &self,
        done: &dyn Fn(&NamedNode) -> Option<DateTime>,
        holds: &dyn Fn(&[Constraint], Option<DateTime>) -> Truth,
        is_over: &dyn Fn(&[Constraint]) -> bool,
    ) -> State {
        let done_at = done(&self.action);
        let in_time = done_at.is_some_and(|at| holds(&self.constraints, Some(at)) == Truth::True);
        if in_time {
            return State::Fulfilled;
        }
        if done_at.is_some() || is_over(&self.constraints) {
            let is_made_good = done_at.is_some()
                && !self.consequences.is_empty()
                && self
                    .consequences
                    .iter()
                    .all(|one| one.state(done, holds, is_over) == State::Fulfilled);
            return match is_made_good {
                true => State::Fulfilled,
                false => State::Violated,
            };
        }
        match holds(&self.constraints, None) {
            Truth::False => State::NotDue,
            Truth::True | Truth::Unknown => State::Pending,
        }
    }

    /// Until when it is to be done if use is now.
    pub(crate) fn due(&self, now: DateTime) -> Option<DateTime> {
        let moments = self.deadlines.iter().filter_map(|deadline| match deadline {
            Deadline::At(at) => Some(*at),
            Deadline::After(period) => now.checked_add_day_time_duration(*period),
        });
        moments.reduce(|one, other| if other < one { other } else { one })
    }
}
