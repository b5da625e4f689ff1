//! What can be wrong with a member, and what may become of it then.

use std::time::Duration;
use twinlink_core::SourceState;

/// How old a member may be, where that matters.
pub(super) const MAX_AGE: Duration = Duration::from_secs(3600);

/// What is wrong with a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Its clock is off.
    Skew,
    /// It takes long, and is in time: before its answer, or before each part of it.
    Slow,
    /// It takes more time than there is: before its answer, or in the middle of it.
    TooSlow,
    /// No connection.
    Refuses,
    /// The connection breaks in the middle of an answer.
    Resets,
    /// It never answers, or stops in the middle of its answer.
    Hangs,
    /// It answers a question and then no more.
    HangsLater,
    /// What it sends is no answer, from the start or behind good rows.
    Garbage,
    /// Its receipt is not of what it answered.
    Receipt,
    /// It gives rows that were not asked for.
    Lies,
    /// It answers in another form than it was asked.
    Swaps,
    /// It has a reason to say no.
    Denies,
    /// It says that its data are old.
    Stale,
    /// Its data are old.
    Old,
    /// It leaves rows out, and says so.
    Partial,
    /// It cannot evaluate some values.
    NotEvaluable,
    /// Asking it fails in a way that nobody thought of.
    Panics,
    /// One of its replicas cannot be reached.
    ReplicaRefuses,
    /// One of its replicas never answers.
    ReplicaHangs,
}

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    Fault::None,
    Fault::Skew,
    Fault::Slow,
    Fault::TooSlow,
    Fault::Refuses,
    Fault::Resets,
    Fault::Hangs,
    Fault::HangsLater,
    Fault::Garbage,
    Fault::Receipt,
    Fault::Lies,
    Fault::Swaps,
    Fault::Denies,
    Fault::Stale,
    Fault::Old,
    Fault::Partial,
    Fault::NotEvaluable,
    Fault::Panics,
    Fault::ReplicaRefuses,
    Fault::ReplicaHangs,
];

/// What can be wrong with the twin of who asks.
pub(super) const OWN: &[Fault] = &[Fault::Refuses, Fault::TooSlow, Fault::Resets];

/// How much of what a member holds is in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Had {
    All,
    Some,
    Nothing,
}

impl Fault {
    /// The states that a member with this fault may have beside those of one that did what it was asked, where it matters
    /// how old it is, or not.
    pub(super) fn states(self, is_dated: bool) -> &'static [SourceState] {
        use SourceState::{Denied, NotEvaluable, Partial, Stale, TimedOut, Unreachable};
        match self {
            Self::Skew | Self::Old if is_dated => &[Stale],
            Self::None | Self::Skew | Self::Old | Self::Slow => &[],
            Self::ReplicaRefuses | Self::ReplicaHangs => &[],
            // It gave rows and did not come to telling its age.
            Self::TooSlow | Self::Hangs | Self::HangsLater if is_dated => &[TimedOut, Stale],
            Self::TooSlow | Self::Hangs | Self::HangsLater => &[TimedOut],
            Self::Refuses => &[Unreachable],
            Self::Resets if is_dated => &[Partial, NotEvaluable, Stale],
            // Cut so short that it does not even say what it can match.
            Self::Resets | Self::Partial | Self::NotEvaluable => &[Partial, NotEvaluable],
            Self::Garbage | Self::Receipt | Self::Lies | Self::Swaps | Self::Panics => {
                &[NotEvaluable]
            }
            Self::Denies => &[Denied],
            Self::Stale => &[Stale],
        }
    }

    /// Whether a member that was asked anything shows its fault at once, whatever it holds.
    pub(super) fn shows_at_once(self, is_dated: bool) -> bool {
        let is_old = matches!(self, Self::Skew | Self::Old) && is_dated;
        let is_told = matches!(self, Self::Stale | Self::NotEvaluable);
        is_old || is_told || self.gives_nothing()
    }

    /// Whether no whole answer of it is to be had.
    pub(super) fn gives_nothing(self) -> bool {
        matches!(
            self,
            Self::TooSlow
                | Self::Refuses
                | Self::Hangs
                | Self::Garbage
                | Self::Receipt
                | Self::Denies
                | Self::Panics
        )
    }

    /// A word that the reason has for a member of this state, with this fault.
    pub(super) fn word(self, state: SourceState) -> &'static str {
        match (state, self) {
            (SourceState::Denied, _) => "denied it: as told",
            (SourceState::Unreachable, Self::Refuses) => "cannot be reached: ",
            (SourceState::TimedOut, _) => "did not answer within its share of the time",
            (SourceState::NotEvaluable, Self::Receipt) => "its receipt is not of what it answered",
            (SourceState::NotEvaluable, Self::Garbage) => "cannot evaluate it: as told",
            (SourceState::NotEvaluable, Self::Panics) => "failed while it was asked",
            (SourceState::NotEvaluable, Self::Swaps) => "another form",
            _ => "",
        }
    }

    /// How much of a member of this state is in the answer; `may_begin` where rows count before their end.
    pub(super) fn had(self, state: SourceState, may_begin: bool) -> Had {
        let is_whole = matches!(
            self,
            Self::None | Self::Slow | Self::Skew | Self::Old | Self::Stale
        );
        match state {
            _ if state.is_settled() => Had::All,
            SourceState::Stale if is_whole => Had::All,
            _ if self.gives_nothing() && !may_begin => Had::Nothing,
            SourceState::Denied | SourceState::Unreachable => Had::Nothing,
            _ => Had::Some,
        }
    }
}
