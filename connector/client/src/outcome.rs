//! The end of an answer, checked.

use crate::Error;
use crate::Explanation;
use crate::error::clean;
use oxrdf::NamedNode;
use std::time::{Duration, SystemTime};
use twinlink_proto::v1;

/// What became of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceState {
    /// All that the caller may see and the question needs is in.
    Complete,
    /// Some of it is missing.
    Partial,
    /// The source answered and has nothing.
    Empty,
    /// The source does not permit this to this caller.
    Denied,
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// The answer rests on data older than the caller accepts.
    Stale,
    /// The source cannot evaluate the question.
    NotEvaluable,
}

/// One source's part in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Participant id of whose twin it is.
    pub participant: NamedNode,
    /// What became of it.
    pub state: SourceState,
    /// Rows or triples it gave.
    pub rows: u64,
    /// How long it took, as the connector that was asked saw it.
    pub elapsed: Duration,
    /// When its twin last changed.
    pub as_of: Option<SystemTime>,
    /// The policies that let its rows through.
    pub policies: Vec<NamedNode>,
    /// Items that could not be evaluated, such as geometries with an unknown coordinate system.
    pub not_evaluable: u64,
    /// A plain word where the state is neither complete nor empty.
    pub reason: Option<String>,
    /// The source's own receipt, where it gave one.
    pub receipt: Option<String>,
}

/// The end of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Every source that was asked, the connector itself first.
    pub sources: Vec<SourceStatus>,
    /// Rows or triples released; one for a truth value.
    pub rows: u64,
    /// Whether every source gave all that the caller may see.
    pub complete: bool,
    /// Operators that lacked a source they need: rows may be wrong, not only missing.
    pub unsure: Vec<String>,
    /// How the answer is come by, where that was asked for.
    pub explanation: Option<Explanation>,
    /// Signed receipt: the signed checkpoint of the log of use, `~`, and the record with its path to it.
    pub receipt: String,
}

impl SourceState {
    /// The word for the reader.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Empty => "empty",
            Self::Denied => "denied",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::Stale => "stale",
            Self::NotEvaluable => "not evaluable",
        }
    }

    /// Whether all that the caller may see of this source is in the answer.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Complete | Self::Empty)
    }
}

impl std::fmt::Display for SourceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<v1::Outcome> for Outcome {
    type Error = Error;

    fn try_from(outcome: v1::Outcome) -> Result<Self, Error> {
        let sources = outcome
            .sources
            .into_iter()
            .map(SourceStatus::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        if sources.is_empty() {
            return Err(Error::nonsense("an outcome without sources"));
        }
        if outcome.complete && !sources.iter().all(|source| source.state.is_settled()) {
            return Err(Error::nonsense(
                "a complete answer of which a source is missing",
            ));
        }
        Ok(Self {
            sources,
            rows: outcome.rows,
            complete: outcome.complete,
            unsure: outcome.unsure.iter().map(|text| clean(text)).collect(),
            explanation: outcome.explanation.map(Explanation::try_from).transpose()?,
            receipt: outcome.receipt,
        })
    }
}

impl TryFrom<v1::SourceStatus> for SourceStatus {
    type Error = Error;

    fn try_from(status: v1::SourceStatus) -> Result<Self, Error> {
        let state = status.state();
        let nonsense = |what: &str| Error::nonsense(format_args!("{what} of a source"));
        Ok(Self {
            participant: node(status.participant)?,
            state: state.try_into()?,
            rows: status.rows,
            elapsed: status
                .elapsed
                .unwrap_or_default()
                .try_into()
                .map_err(|_| nonsense("a negative duration"))?,
            as_of: status
                .as_of
                .map(time)
                .transpose()
                .map_err(|()| nonsense("a time out of range"))?,
            policies: status
                .policies
                .into_iter()
                .map(node)
                .collect::<Result<_, _>>()?,
            not_evaluable: status.not_evaluable,
            reason: present(status.reason).map(|text| clean(&text)),
            receipt: present(status.receipt),
        })
    }
}

impl TryFrom<v1::SourceState> for SourceState {
    type Error = Error;

    fn try_from(state: v1::SourceState) -> Result<Self, Error> {
        Ok(match state {
            v1::SourceState::Unspecified => {
                return Err(Error::nonsense("a source without a known state"));
            }
            v1::SourceState::Complete => Self::Complete,
            v1::SourceState::Partial => Self::Partial,
            v1::SourceState::Empty => Self::Empty,
            v1::SourceState::Denied => Self::Denied,
            v1::SourceState::Unreachable => Self::Unreachable,
            v1::SourceState::TimedOut => Self::TimedOut,
            v1::SourceState::Stale => Self::Stale,
            v1::SourceState::NotEvaluable => Self::NotEvaluable,
        })
    }
}

/// Only the years 1 to 9999, as the message's definition has it: calendars overflow beyond.
pub(crate) fn time(stamp: prost_types::Timestamp) -> Result<SystemTime, ()> {
    let within = (-62_135_596_800..=253_402_300_799).contains(&stamp.seconds);
    if !within || !(0..1_000_000_000).contains(&stamp.nanos) {
        return Err(());
    }
    SystemTime::try_from(stamp).map_err(|_| ())
}

/// An IRI that the server sent.
pub(crate) fn node(iri: String) -> Result<NamedNode, Error> {
    NamedNode::new(iri.as_str()).map_err(|_| Error::nonsense(format_args!("`{iri}` as an IRI")))
}

pub(crate) fn present(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_beyond_the_calendar_are_refused() {
        let stamp = |seconds, nanos| prost_types::Timestamp { seconds, nanos };
        assert!(time(stamp(1_700_000_000, 5)).is_ok());
        for (seconds, nanos) in [(i64::MAX, 0), (i64::MIN, 0), (253_402_300_800, 0), (0, -1)] {
            assert!(time(stamp(seconds, nanos)).is_err());
        }
    }
}
