//! What a peer answers: taken in within bounds, believed about the peer itself only.

use super::Peer;
use oxrdf::NamedNode;
use std::time::Instant;
use time::OffsetDateTime;
use twinlink_client::{Answer, Error, Outcome, Row};
use twinlink_core::{Head, ResultDigest, Solution, SourceState, SourceStatus};
use twinlink_federation::{Room, Rows, Unanswered};

/// The most memory that one answer of a peer may take, in bytes.
const ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// A peer's answer on its way, taken in within bounds.
pub(super) struct Incoming {
    peer: NamedNode,
    is_broker: bool,
    answer: Answer,
    head: Head,
    digest: ResultDigest,
    count: u64,
    most: u64,
    started: Instant,
}

/// How a peer's answer ended.
pub(super) struct End {
    /// What the peer says of itself.
    pub(super) status: SourceStatus,
    /// Of a broker: what it says of others.
    pub(super) beyond: Vec<SourceStatus>,
    /// How many rows came.
    pub(super) rows: u64,
    /// The digest over them as they came.
    pub(super) digest: String,
}

impl Incoming {
    /// An answer of which no more than `most` rows are taken.
    pub(super) fn new(from: &Peer, answer: Answer, most: u64, started: Instant) -> Self {
        let head = match answer.head() {
            twinlink_client::Head::Solutions(variables) => Head::Solutions(variables.clone()),
            twinlink_client::Head::Graph => Head::Graph,
            twinlink_client::Head::Boolean(value) => Head::Boolean(*value),
        };
        let mut digest = ResultDigest::default();
        digest.head(&head);
        Self {
            peer: from.participant.clone(),
            is_broker: from.is_broker,
            answer,
            head,
            digest,
            count: 0,
            most,
            started,
        }
    }

    /// Its form.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// The next rows; none when all are out.
    ///
    /// # Errors
    /// How it broke off. The rows before are not in it.
    pub(super) async fn next(&mut self) -> Result<Option<Rows>, Unanswered> {
        if self.count > self.most {
            let reason = format!("more than {} rows", self.most);
            return Err(cut(reason, self.head.clone()));
        }
        let batch = match self.answer.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(None),
            Err(error) => return Err(broken_off(&self.peer, error, self.head.clone())),
        };
        let mut rows = Rows::default();
        for row in batch {
            self.count += 1;
            if self.count > self.most {
                break;
            }
            take(&mut rows, row, &self.head);
        }
        self.digest.solutions(&rows.solutions);
        self.digest.triples(&rows.triples);
        Ok(Some(rows))
    }

    /// All its rows together, as far as there is room for them.
    ///
    /// # Errors
    /// How it broke off, with the rows before.
    pub(super) async fn rest(&mut self, room: &Room) -> Result<Rows, Unanswered> {
        let mut all = Rows::default();
        loop {
            let next = self.next().await;
            let is_much = self.answer.bytes() > ANSWER_BYTES;
            match next {
                Ok(None) => return Ok(all),
                Ok(Some(mut rows)) => {
                    if let Err(full) = room.take(rows.bytes()) {
                        return Err(Unanswered::Broken {
                            reason: full.to_string(),
                            head: Some(self.head.clone()),
                            rows: all,
                        });
                    }
                    all.solutions.append(&mut rows.solutions);
                    all.triples.append(&mut rows.triples);
                }
                Err(Unanswered::Broken { reason, head, .. }) => {
                    return Err(Unanswered::Broken {
                        reason,
                        head,
                        rows: all,
                    });
                }
                Err(other) => return Err(other),
            }
            if is_much {
                return Err(Unanswered::Broken {
                    reason: format!("more than {ANSWER_BYTES} bytes"),
                    head: Some(self.head.clone()),
                    rows: all,
                });
            }
        }
    }

    /// How it ended.
    ///
    /// # Errors
    /// As [`Incoming::next`]; and what is wrong with what the peer says.
    pub(super) async fn end(mut self) -> Result<End, Unanswered> {
        let outcome = match self.answer.outcome().await {
            Ok(outcome) => outcome,
            Err(error) => return Err(broken_off(&self.peer, error, self.head)),
        };
        let (status, beyond) = if self.is_broker {
            statuses(&self.peer, outcome, self.started)?
        } else {
            (own_status(&self.peer, outcome, self.started)?, Vec::new())
        };
        Ok(End {
            status,
            beyond,
            rows: self.digest.rows(),
            digest: self.digest.finish(),
        })
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
        Error::NotSent(_) => Unanswered::NotAsked { reason },
        Error::Invalid(_)
        | Error::Conflict(_)
        | Error::Exhausted(_)
        | Error::Insufficient { .. }
        | Error::Failed(_)
        | Error::Nonsense(_) => Unanswered::NotEvaluable { reason },
    }
}

/// After the head. What came before is good, unless the peer turned out to send nonsense or to deny.
fn broken_off(peer: &NamedNode, error: Error, head: Head) -> Unanswered {
    match error {
        Error::Nonsense(_)
        | Error::Denied(_)
        | Error::Unauthenticated(_)
        | Error::Impostor(_)
        | Error::TimedOut => unanswered(peer, error),
        other => {
            tracing::info!(peer = peer.as_str(), error = %other, "a peer broke off its answer");
            cut(other.to_string(), head)
        }
    }
}

fn cut(reason: String, head: Head) -> Unanswered {
    Unanswered::Broken {
        reason,
        head: Some(head),
        rows: Rows::default(),
    }
}
