//! The peers of a connector without trust: a connection each, and what they answer is taken as it comes.

use super::fault;
use crate::library::Fault;
use futures::future::BoxFuture;
use oxrdf::NamedNode;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::Endpoint;
use twinlink_client::{Client, Error, QueryOptions, SummaryOptions, SummaryReply as Told, Token};
use twinlink_core::{Head, Solution, SourceState, SourceStatus};
use twinlink_federation::{
    Peers, Rows, SubAnswer, SubQuery, Summaries, Summarized, Summary, SummaryLimits,
    SummaryQuestion, SummaryReply, Unanswered,
};

/// The peers, and what this twin shows in short.
pub(super) struct Plain {
    participant: NamedNode,
    summary: Arc<Summary>,
    peers: BTreeMap<NamedNode, Client>,
}

impl Plain {
    /// The peers that a file names. Must be called in a runtime.
    pub(super) fn read(
        participant: NamedNode,
        summary: Summary,
        file: Option<&Path>,
    ) -> Result<Self, Fault> {
        let text = file.map(std::fs::read_to_string).transpose();
        let text = text.map_err(fault)?.unwrap_or_default();
        let peers = text.lines().map(|line| {
            let (peer, url) = line
                .split_once(' ')
                .ok_or_else(|| fault("no peer and URL"))?;
            Ok((NamedNode::new(peer).map_err(fault)?, client(url)?))
        });
        Ok(Self {
            participant,
            summary: Arc::new(summary),
            peers: peers.collect::<Result<_, Fault>>()?,
        })
    }

    fn client(&self, peer: &NamedNode) -> Result<&Client, Unanswered> {
        self.peers.get(peer).ok_or_else(|| Unanswered::Unreachable {
            reason: "it is no peer".to_owned(),
        })
    }

    async fn answer(&self, peer: &NamedNode, question: &SubQuery) -> Result<SubAnswer, Unanswered> {
        // No question of the benchmark chooses a dataset, and nobody here is a broker.
        let deadline = question.budget.deadline().into();
        let options = QueryOptions::new(question.query.clone(), deadline);
        let mut answer = self.client(peer)?.query(options).await.map_err(failed)?;
        let head = match answer.head() {
            twinlink_client::Head::Solutions(variables) => Head::Solutions(variables.clone()),
            twinlink_client::Head::Graph => Head::Graph,
            twinlink_client::Head::Boolean(value) => Head::Boolean(*value),
        };
        let mut rows = Rows::default();
        while let Some(batch) = answer.next().await.map_err(failed)? {
            for row in batch {
                match head {
                    Head::Graph => rows.triples.extend(row.into_triple()),
                    Head::Solutions(_) | Head::Boolean(_) => rows.solutions.push(Solution {
                        values: row.values,
                        sources: row.sources,
                    }),
                }
            }
        }
        let outcome = answer.outcome().await.map_err(failed)?;
        Ok(SubAnswer {
            head,
            rows,
            status: status(peer, outcome.rows),
            beyond: Vec::new(),
        })
    }

    async fn summary(
        &self,
        member: &NamedNode,
        question: &SummaryQuestion<'_>,
    ) -> Option<Summarized> {
        if *member == self.participant {
            let is_held = question.held == Some(self.summary.version());
            return Some(if is_held {
                SummaryReply::Held.into()
            } else {
                SummaryReply::Other(Arc::clone(&self.summary)).into()
            });
        }
        let options = SummaryOptions {
            purpose: None,
            break_glass: None,
            request_id: None,
            envelope: None,
            held: question.held.map(str::to_owned),
            confirm: question.held.is_some(),
            deadline: question.budget.deadline().into(),
        };
        let told = self.client(member).ok()?.summarize(options).await.ok()?;
        let limits = SummaryLimits::default();
        Some(match told.reply {
            Told::Held => SummaryReply::Held.into(),
            Told::Bytes(bytes) => {
                let summary = Summary::read(&bytes, question.base, &limits).ok()?;
                SummaryReply::Other(Arc::new(summary)).into()
            }
            Told::None => return None,
        })
    }
}

impl Peers for Plain {
    fn list(&self) -> Vec<NamedNode> {
        self.peers.keys().cloned().collect()
    }

    fn ask<'a>(
        &'a self,
        peer: &'a NamedNode,
        question: &'a SubQuery,
    ) -> BoxFuture<'a, Result<SubAnswer, Unanswered>> {
        Box::pin(self.answer(peer, question))
    }
}

impl Summaries for Plain {
    fn summary<'a>(
        &'a self,
        member: &'a NamedNode,
        question: &'a SummaryQuestion<'a>,
    ) -> BoxFuture<'a, Result<Option<Summarized>, Unanswered>> {
        Box::pin(async move { Ok(self.summary(member, question).await) })
    }
}

/// A connection as connectors have it to each other, but for TLS.
pub(crate) fn client(url: &str) -> Result<Client, Fault> {
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(fault)?;
    let endpoint = endpoint
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    // Nobody looks at it.
    let nobody = Arc::new(Token::new("nobody"));
    Ok(Client::over(endpoint.connect_lazy(), nobody))
}

fn status(peer: &NamedNode, rows: u64) -> SourceStatus {
    SourceStatus {
        participant: peer.clone(),
        state: SourceState::Complete,
        rows,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: Vec::new(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

fn failed(error: Error) -> Unanswered {
    Unanswered::Unreachable {
        reason: error.to_string(),
    }
}
