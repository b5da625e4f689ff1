//! One question to one replica of a peer: recorded before it is sent, believed when its receipt was verified.

use super::Peer;
use super::reply::{self, End, Incoming};
use crate::evidence::{Answered, Evidence};
use futures::StreamExt as _;
use futures::stream;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Instant;
use twinlink_client::{Dataset, QueryOptions, Token};
use twinlink_core::{Code, Delegation, Refusal, SignedRequest, request_digest};
use twinlink_federation::{Opened, Part, Room, SubAnswer, SubQuery, Unanswered};

/// A question of which the answer began. Each is a use of its own at the provider.
pub(super) struct Asked {
    incoming: Incoming,
    peer: NamedNode,
    delegation: Delegation,
    evidence: Arc<Evidence>,
    signed: SignedRequest,
    digest: String,
}

impl Asked {
    /// Asks a replica, and waits for the head of its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn begin(
        from: &Peer,
        replica: usize,
        token: Token,
        question: &SubQuery,
        evidence: &Arc<Evidence>,
    ) -> Result<Self, Unanswered> {
        let started = Instant::now();
        let (peer, delegation) = (&from.participant, &question.delegation);
        let client = from.client(replica, token)?;
        let digest = request_digest(&question.query, None, question.dataset.as_ref());
        let signed = evidence
            .ask(peer, delegation, &digest)
            .await
            .map_err(|refusal| not_asked(peer, &refusal))?;
        let mut options = options(question);
        options.envelope = Some(signed.envelope.clone());
        let answer = client
            .query(options)
            .await
            .map_err(|error| reply::unanswered(peer, error))?;
        Ok(Self {
            incoming: Incoming::new(from, answer, question.budget.rows(), started),
            peer: peer.clone(),
            delegation: delegation.clone(),
            evidence: Arc::clone(evidence),
            signed,
            digest,
        })
    }

    /// The whole answer, as far as there is room for it.
    ///
    /// # Errors
    /// How it broke off, with the rows before; and why it is not believed.
    pub(super) async fn whole(mut self, room: &Room) -> Result<SubAnswer, Unanswered> {
        let head = self.incoming.head().clone();
        let rows = self.incoming.rest(room).await?;
        let End { status, beyond, .. } = self.end().await?;
        Ok(SubAnswer {
            head,
            rows,
            status,
            beyond,
        })
    }

    /// The answer as it comes.
    pub(super) fn opened(self) -> Opened {
        let head = self.incoming.head().clone();
        let parts = stream::try_unfold(Some(self), |asked| async {
            let Some(mut asked) = asked else {
                return Ok(None);
            };
            if let Some(rows) = asked.incoming.next().await? {
                return Ok(Some((Part::Rows(rows), Some(asked))));
            }
            let end = asked.end().await?;
            Ok(Some((Part::End(Box::new(end.status)), None)))
        });
        Opened {
            head,
            parts: parts.boxed(),
        }
    }

    /// Its end, once its receipt was found to be of what came.
    async fn end(self) -> Result<End, Unanswered> {
        let end = self.incoming.end().await?;
        let receipt = end.status.receipt.as_deref().unwrap_or_default();
        let answered = Answered {
            peer: &self.peer,
            delegation: &self.delegation,
            signed: &self.signed,
            request_digest: &self.digest,
            result_digest: &end.digest,
            rows: end.rows,
            receipt,
        };
        let believed = self.evidence.answered(answered).await;
        believed.map_err(|refusal| not_believed(&refusal))?;
        Ok(end)
    }
}

/// Our own log cannot take the intent: what is not on record is not asked.
pub(super) fn not_asked(peer: &NamedNode, refusal: &Refusal) -> Unanswered {
    tracing::error!(peer = peer.as_str(), check = refusal.check(), %refusal, "a peer was not asked");
    let reason = "it was not asked: the intent to ask could not be recorded".to_owned();
    Unanswered::NotEvaluable { reason }
}

pub(super) fn not_believed(refusal: &Refusal) -> Unanswered {
    let reason = match refusal.code() {
        Code::Unavailable => "its answer could not be recorded",
        _ => "its receipt is not of what it answered",
    };
    Unanswered::NotEvaluable {
        reason: reason.to_owned(),
    }
}

pub(super) fn options(question: &SubQuery) -> QueryOptions {
    let mut options = QueryOptions::new(question.query.clone(), question.budget.deadline().into());
    options.dataset = question.dataset.as_ref().map(|dataset| Dataset {
        default_graphs: dataset.default_graphs.clone(),
        named_graphs: dataset.named_graphs.clone(),
    });
    options.federated = question.left_out.is_some();
    options.left_out = question.left_out.clone().unwrap_or_default();
    options.purpose = question.delegation.purpose.clone();
    options.break_glass = question.delegation.break_glass.clone();
    options.request_id = Some(question.delegation.request.to_string());
    options
}
