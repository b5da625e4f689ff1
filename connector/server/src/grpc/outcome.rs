//! The head and the end of an answer, on the wire.

use std::time::SystemTime;
use twinlink_core::{Direction, Explanation, Head, Outcome, SourceState, SourceStatus};
use twinlink_proto::Message as _;
use twinlink_proto::v1::{self, query_response::Part};

/// The most bytes of sources in a trailer: well below what clients take for all of them together.
const TRAILER_BYTES: usize = 6 * 1024;

/// The first message of an answer.
pub fn head(head: &Head) -> Part {
    let kind = match head {
        Head::Solutions(variables) => v1::head::Kind::Variables(v1::Variables {
            names: variables
                .iter()
                .map(|variable| variable.as_str().to_owned())
                .collect(),
        }),
        Head::Graph => v1::head::Kind::Graph(v1::Graph {}),
        Head::Boolean(value) => v1::head::Kind::Boolean(*value),
    };
    Part::Head(v1::Head { kind: Some(kind) })
}

/// The last message of an answer, or what comes with a summary.
pub fn outcome(outcome: Outcome) -> v1::Outcome {
    v1::Outcome {
        sources: outcome.sources.into_iter().map(source).collect(),
        rows: outcome.rows,
        complete: outcome.complete,
        unsure: outcome.unsure,
        explanation: outcome.explanation.map(|told| explanation(*told)),
        receipt: outcome.receipt,
    }
}

fn explanation(told: Explanation) -> v1::Explanation {
    let texts = |nodes: Vec<oxrdf::NamedNode>| -> Vec<String> {
        let nodes = nodes.into_iter();
        nodes.map(oxrdf::NamedNode::into_string).collect()
    };
    let choices = told.choices.into_iter();
    let steps = told.steps.into_iter();
    v1::Explanation {
        is_run: told.is_run,
        choices: choices
            .map(|choice| v1::SourceChoice {
                participant: choice.participant.into_string(),
                is_asked: choice.is_asked,
                why: choice.why,
            })
            .collect(),
        steps: steps
            .map(|step| v1::ExplanationStep {
                kind: step.kind.as_str().to_owned(),
                at: texts(step.at),
                what: step.what,
                estimate: step.estimate,
                rows: step.rows,
                requests: step.requests,
                bytes: step.bytes,
                elapsed: step.elapsed.try_into().ok(),
                word: step.word,
                pushed: step
                    .pushed
                    .map_or_else(String::new, |pushed| pushed.as_str().to_owned()),
                directions: step.directions.into_iter().map(direction).collect(),
                is_streamed: step.is_streamed,
            })
            .collect(),
        is_cut: told.is_cut,
    }
}

fn direction(direction: Direction) -> v1::ExplanationDirection {
    v1::ExplanationDirection {
        from: direction.from.into_string(),
        to: direction.to.into_string(),
        is_permitted: direction.is_permitted,
    }
}

/// The sources of an answer that was refused, those that are missing first, as many as a trailer may hold.
pub(crate) fn told(sources: &[SourceStatus]) -> Vec<u8> {
    let mut order: Vec<_> = sources.iter().collect();
    order.sort_by_key(|status| status.state.is_settled());
    let mut told = v1::Outcome::default();
    for status in order {
        told.sources.push(source(status.clone()));
        if told.encoded_len() > TRAILER_BYTES {
            told.sources.pop();
            break;
        }
    }
    told.encode_to_vec()
}

fn source(status: SourceStatus) -> v1::SourceStatus {
    let state = match status.state {
        SourceState::Complete => v1::SourceState::Complete,
        SourceState::Partial => v1::SourceState::Partial,
        SourceState::Empty => v1::SourceState::Empty,
        SourceState::Denied => v1::SourceState::Denied,
        SourceState::Unreachable => v1::SourceState::Unreachable,
        SourceState::TimedOut => v1::SourceState::TimedOut,
        SourceState::Stale => v1::SourceState::Stale,
        SourceState::NotEvaluable => v1::SourceState::NotEvaluable,
    };
    v1::SourceStatus {
        participant: status.participant.into_string(),
        state: state.into(),
        rows: status.rows,
        elapsed: status.elapsed.try_into().ok(),
        as_of: status.as_of.map(|time| SystemTime::from(time).into()),
        policies: status
            .policies
            .into_iter()
            .map(oxrdf::NamedNode::into_string)
            .collect(),
        not_evaluable: status.not_evaluable,
        reason: status.reason.unwrap_or_default(),
        receipt: status.receipt.unwrap_or_default(),
    }
}
