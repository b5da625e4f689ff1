//! What a peer answers: taken in within bounds, believed about the peer itself only.

use super::Peer;
use oxrdf::NamedNode;
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_client::{Answer, Error, Outcome, Row};
use twinlink_core::{Head, ResultDigest, Solution, SourceState, SourceStatus};
use twinlink_federation::{Rows, SubAnswer, Unanswered};

/// The most memory that one answer of a peer may take, in bytes.
const ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// Takes a peer's answer in, within bounds; with the number of its rows and the digest over them as they came.
pub(super) async fn receive(
    from: &Peer,
    mut answer: Answer,
    most: u64,
    started: Instant,
) -> Result<(SubAnswer, u64, String), Unanswered> {
    let peer = &from.participant;
    let head = match answer.head() {
        twinlink_client::Head::Solutions(variables) => Head::Solutions(variables.clone()),
        twinlink_client::Head::Graph => Head::Graph,
        twinlink_client::Head::Boolean(value) => Head::Boolean(*value),
    };
    let mut rows = Rows::default();
    let mut digest = ResultDigest::default();
    digest.head(&head);
    let mut count = 0;
    loop {
        let batch = match answer.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => return Err(broken_off(peer, error, head, rows)),
        };
        let before = (rows.solutions.len(), rows.triples.len());
        for row in batch {
            if count == most {
                return Err(cut(format!("more than {most} rows"), head, rows));
            }
            count += 1;
            take(&mut rows, row, &head);
        }
        digest.solutions(rows.solutions.get(before.0..).unwrap_or_default());
        digest.triples(rows.triples.get(before.1..).unwrap_or_default());
        if answer.bytes() > ANSWER_BYTES {
            return Err(cut(format!("more than {ANSWER_BYTES} bytes"), head, rows));
        }
    }
    match answer.outcome().await {
        Ok(outcome) => {
            let (status, beyond) = if from.is_broker {
                statuses(peer, outcome, started)?
            } else {
                (own_status(peer, outcome, started)?, Vec::new())
            };
            let answer = SubAnswer {
                head,
                rows,
                status,
                beyond,
            };
            Ok((answer, digest.rows(), digest.finish()))
        }
        Err(error) => Err(broken_off(peer, error, head, rows)),
    }
}

fn take(rows: &mut Rows, row: Row, head: &Head) {
    match head {
        Head::Graph => rows.triples.extend(row.into_triple()),
        Head::Solutions(_) | Head::Boolean(_) => rows.solutions.push(Solution {
            values: row.values,
            sources: row.sources,
        }),
    }
}

/// What the peer says of itself. A sub-answer rests on the peer's own twin, so it says nothing of others.
// INVARIANT(peer-speaks-for-itself): a status that a peer gave of another source is not taken.
pub(super) fn own_status(
    peer: &NamedNode,
    outcome: Outcome,
    started: Instant,
) -> Result<SourceStatus, Unanswered> {
    if outcome.sources.len() > 1 {
        let reason = "its answer rests on other sources than itself";
        return Err(lie(peer, reason.to_owned()));
    }
    let rows = outcome.rows;
    let (own, _) = statuses(peer, outcome, started)?;
    Ok(SourceStatus { rows, ..own })
}

fn lie(peer: &NamedNode, reason: String) -> Unanswered {
    tracing::warn!(
        peer = peer.as_str(),
        reason,
        "a peer's answer was thrown away"
    );
    Unanswered::NotEvaluable { reason }
}

/// What a broker says of itself, and of the members that it asked.
fn statuses(
    peer: &NamedNode,
    outcome: Outcome,
    started: Instant,
) -> Result<(SourceStatus, Vec<SourceStatus>), Unanswered> {
    let mut sources = outcome.sources.into_iter();
    let Some(own) = sources.next() else {
        return Err(lie(peer, "its answer rests on no source".to_owned()));
    };
    if &own.participant != peer {
        let reason = format!("it answered as <{}>", own.participant.as_str());
        return Err(lie(peer, reason));
    }
    let beyond: Vec<_> = sources
        .map(|status| SourceStatus {
            participant: status.participant,
            state: state(status.state),
            rows: status.rows,
            elapsed: status.elapsed,
            as_of: status.as_of.map(OffsetDateTime::from),
            policies: status.policies,
            not_evaluable: status.not_evaluable,
            reason: status.reason,
            receipt: status.receipt,
        })
        .collect();
    let mut state = state(own.state);
    let mut reason = own.reason;
    let is_explained = beyond.iter().any(|status| !status.state.is_settled());
    if !outcome.complete && state.is_settled() && !is_explained {
        state = SourceState::Partial;
        reason.get_or_insert_with(|| "it calls its answer incomplete".to_owned());
    }
    let own = SourceStatus {
        participant: own.participant,
        state,
        rows: own.rows,
        elapsed: started.elapsed(),
        as_of: own.as_of.map(OffsetDateTime::from),
        policies: own.policies,
        not_evaluable: own.not_evaluable,
        reason,
        receipt: Some(outcome.receipt).filter(|receipt| !receipt.is_empty()),
    };
    Ok((own, beyond))
}

fn state(state: twinlink_client::SourceState) -> SourceState {
    use twinlink_client::SourceState as Theirs;
    match state {
        Theirs::Complete => SourceState::Complete,
        Theirs::Partial => SourceState::Partial,
        Theirs::Empty => SourceState::Empty,
        Theirs::Denied => SourceState::Denied,
        Theirs::Unreachable => SourceState::Unreachable,
        Theirs::TimedOut => SourceState::TimedOut,
        Theirs::Stale => SourceState::Stale,
        Theirs::NotEvaluable => SourceState::NotEvaluable,
    }
}

/// Why there is no answer, in the words of the federation.
pub(super) fn unanswered(peer: &NamedNode, error: Error) -> Unanswered {
    tracing::info!(peer = peer.as_str(), %error, "a peer did not answer");
    let reason = match &error {
        Error::Denied(text) | Error::Unreachable(text) | Error::Invalid(text) => text.clone(),
        other => other.to_string(),
    };
    match error {
        Error::TimedOut => Unanswered::TimedOut,
        Error::Denied(_) | Error::Unauthenticated(_) | Error::NotFound(_) => {
            Unanswered::Denied { reason }
        }
        Error::Configuration(_)
        | Error::Token(_)
        | Error::Unreachable(_)
        | Error::Impostor(_)
        | Error::Unavailable(_)
        | Error::Broken(_)
        | Error::Source(_) => Unanswered::Unreachable { reason },
        Error::Invalid(_)
        | Error::Conflict(_)
        | Error::Exhausted(_)
        | Error::Insufficient { .. }
        | Error::Failed(_)
        | Error::Nonsense(_) => Unanswered::NotEvaluable { reason },
    }
}

/// After the head. What came before is good, unless the peer turned out to send nonsense or to deny.
fn broken_off(peer: &NamedNode, error: Error, head: Head, rows: Rows) -> Unanswered {
    match error {
        Error::Nonsense(_)
        | Error::Denied(_)
        | Error::Unauthenticated(_)
        | Error::Impostor(_)
        | Error::TimedOut => unanswered(peer, error),
        other => {
            tracing::info!(peer = peer.as_str(), error = %other, "a peer broke off its answer");
            cut(other.to_string(), head, rows)
        }
    }
}

fn cut(reason: String, head: Head, rows: Rows) -> Unanswered {
    Unanswered::Broken {
        reason,
        head: Some(head),
        rows,
    }
}
