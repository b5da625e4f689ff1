//! The wire of a connector, for whoever comes.

use futures::stream::{self, BoxStream};
use oxrdf::{NamedNode, Term};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};
use twinlink::grpc;
use twinlink::runtime::Threads;
use twinlink_client::{Encoder, Sources};
use twinlink_core::policy::Permit;
use twinlink_core::{
    Age, Budget, Code, Conditions, Delegation, Evaluated, Explain, Explanation, Federation as _,
    Head, Limits, Outcome, Piece, Refusal, Requirement, Sink, SourceState, SourceStatus, Step,
    StepKind, Twin as _, Workers as _, parse_query,
};
use twinlink_federation::Federator;
use twinlink_proto::v1::{self, query_response::Part, summarize_response::Kind};
use twinlink_store::TwinStore;
use uuid::Uuid;

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most rows of an answer.
const ROWS: u64 = 1_000_000;
/// Messages that wait for a slow reader before the evaluation waits too.
const IN_FLIGHT: usize = 2;

/// Answers everybody.
pub(super) struct Door {
    participant: NamedNode,
    twin: Arc<TwinStore>,
    permit: Permit,
    federator: Federator,
    workers: Arc<Threads>,
    asked: Arc<AtomicUsize>,
}

type Message = Result<v1::QueryResponse, Status>;

impl Door {
    pub(super) fn new(
        participant: NamedNode,
        twin: Arc<TwinStore>,
        permit: Permit,
        federator: Federator,
        workers: Arc<Threads>,
    ) -> Self {
        Self {
            participant,
            twin,
            permit,
            federator,
            workers,
            asked: Arc::default(),
        }
    }

    /// How many questions for data there were so far.
    pub(super) fn asked(&self) -> impl Fn() -> usize + use<> {
        let asked = Arc::clone(&self.asked);
        move || asked.load(Ordering::Relaxed)
    }

    /// Everybody is the same.
    fn delegation(&self) -> Delegation {
        Delegation {
            request: Uuid::nil(),
            participant: self.participant.clone(),
            subject: String::new(),
            actors: Vec::new(),
            roles: Vec::new(),
            purpose: None,
            claims: BTreeMap::new(),
            break_glass: None,
            on_behalf: Vec::new(),
            left_out: Vec::new(),
        }
    }

    async fn federated(
        &self,
        asked: v1::QueryRequest,
        mut rows: Rows,
        budget: Budget,
    ) -> Result<(), Refusal> {
        let query = parse_query(&asked.query, None, &Limits::default())?;
        let analyzes = asked.explain == i32::from(v1::Explain::Analyze);
        let conditions = Conditions {
            require: Requirement::default(),
            age: Age::EXACT,
            explain: analyzes.then_some(Explain::Analyze),
        };
        let (permit, delegation) = (&self.permit, self.delegation());
        let federator = &self.federator;
        let harvest = federator.gather(&query, None, permit, &delegation, &budget, &conditions);
        let harvest = harvest.await?;
        self.workers.run(Box::new(move || {
            rows.is_counted_only = analyzes;
            let begun = Instant::now();
            let end = harvest.merge.run(&budget, &mut rows);
            let explanation = harvest.explanation.map(|mut told| {
                told.push(Step {
                    elapsed: begun.elapsed(),
                    ..Step::new(StepKind::Evaluate, "over what was fetched")
                });
                told
            });
            rows.end(end, harvest.sources, explanation);
        }))
    }

    fn own(&self, text: String, mut rows: Rows, budget: Budget) -> Result<(), Refusal> {
        let (twin, permit) = (Arc::clone(&self.twin), self.permit.clone());
        let participant = self.participant.clone();
        self.workers.run(Box::new(move || {
            let end = parse_query(&text, None, &Limits::default())
                .and_then(|query| twin.evaluate(&query, None, &permit, &budget, &mut rows));
            rows.end(end, vec![status(participant)], None);
        }))
    }
}

#[tonic::async_trait]
impl v1::connector_server::Connector for Door {
    type QueryStream = BoxStream<'static, Message>;

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let message = request.into_inner();
        let (messages, to_send) = mpsc::channel(IN_FLIGHT);
        let rows = Rows {
            messages,
            rows: 0,
            is_counted_only: false,
        };
        let begun = if message.federated {
            self.federated(message, rows, budget()).await
        } else {
            self.own(message.query, rows, budget())
        };
        begun.map_err(|refusal| failed(&refusal))?;
        let messages = stream::unfold(to_send, |mut to_send| async move {
            let message = to_send.recv().await?;
            Some((message, to_send))
        });
        Ok(Response::new(Box::pin(messages)))
    }

    async fn summarize(
        &self,
        request: Request<v1::SummarizeRequest>,
    ) -> Result<Response<v1::SummarizeResponse>, Status> {
        let held = Some(request.get_ref().held.as_str()).filter(|held| !held.is_empty());
        let (permit, delegation, budget) = (&self.permit, self.delegation(), budget());
        let summary = self.federator.summarize(permit, &delegation, held, &budget);
        let kind = summary.await.map(|overview| match overview.bytes {
            None => Kind::IsHeld(true),
            Some(bytes) => Kind::Summary(bytes),
        });
        let told = outcome(0, vec![status(self.participant.clone())], None);
        Ok(Response::new(v1::SummarizeResponse {
            kind,
            outcome: Some(grpc::outcome(told)),
        }))
    }

    async fn describe(
        &self,
        _: Request<v1::DescribeRequest>,
    ) -> Result<Response<v1::DescribeResponse>, Status> {
        Err(Status::unimplemented("no part of the benchmark"))
    }

    async fn import(
        &self,
        _: Request<Streaming<v1::ImportRequest>>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        Err(Status::unimplemented("no part of the benchmark"))
    }
}

/// Rows on their way out.
struct Rows {
    messages: mpsc::Sender<Message>,
    rows: u64,
    /// How they were come by is told in their place.
    is_counted_only: bool,
}

impl Rows {
    fn send(&self, part: Part) -> Result<(), Refusal> {
        let message = v1::QueryResponse { part: Some(part) };
        let sent = self.messages.blocking_send(Ok(message));
        sent.map_err(|_| Refusal::new(Code::Timeout, "reader", "the reader went away"))
    }

    fn end(
        self,
        end: Result<Evaluated, Refusal>,
        sources: Vec<SourceStatus>,
        explanation: Option<Explanation>,
    ) {
        let message = match end {
            Ok(_) => Ok(last(outcome(self.rows, sources, explanation))),
            Err(refusal) => Err(failed(&refusal)),
        };
        // Where the reader is gone nobody is left to tell.
        drop(self.messages.blocking_send(message));
    }
}

impl Sink for Rows {
    fn put(&mut self, piece: Piece) -> Result<(), Refusal> {
        match piece {
            Piece::Head(_) if self.is_counted_only => {
                self.send(grpc::head(&Head::Solutions(Vec::new())))
            }
            _ if self.is_counted_only => Ok(()),
            Piece::Head(head) => {
                self.rows = u64::from(matches!(head, Head::Boolean(_)));
                self.send(grpc::head(&head))
            }
            Piece::Solutions(solutions) => {
                let rows = solutions.into_iter();
                self.batches(rows.map(|row| (row.values, Some(row.sources))))
            }
            Piece::Triples(triples) => self.batches(triples.into_iter().map(|triple| {
                let subject = Some(triple.subject.into());
                let predicate = Some(triple.predicate.into());
                (vec![subject, predicate, Some(triple.object)], None)
            })),
        }
    }
}

impl Rows {
    fn batches(
        &mut self,
        rows: impl Iterator<Item = (Vec<Option<Term>>, Option<Sources>)>,
    ) -> Result<(), Refusal> {
        let mut encoder = Encoder::default();
        for (values, sources) in rows {
            self.rows += 1;
            encoder.push(values, sources.as_ref());
            if encoder.is_full() {
                self.send(Part::Batch(encoder.finish()))?;
            }
        }
        match encoder.is_empty() {
            true => Ok(()),
            false => self.send(Part::Batch(encoder.finish())),
        }
    }
}

fn last(outcome: Outcome) -> v1::QueryResponse {
    v1::QueryResponse {
        part: Some(Part::Outcome(grpc::outcome(outcome))),
    }
}

fn outcome(rows: u64, sources: Vec<SourceStatus>, explanation: Option<Explanation>) -> Outcome {
    Outcome {
        complete: sources.iter().all(|source| source.state.is_settled()),
        sources,
        rows,
        unsure: Vec::new(),
        explanation: explanation.map(Box::new),
        receipt: String::new(),
    }
}

fn status(participant: NamedNode) -> SourceStatus {
    SourceStatus {
        participant,
        state: SourceState::Complete,
        rows: 0,
        elapsed: Duration::ZERO,
        as_of: None,
        policies: Vec::new(),
        not_evaluable: 0,
        reason: None,
        receipt: None,
    }
}

fn budget() -> Budget {
    Budget::new(Instant::now() + PATIENCE, ROWS)
}

fn failed(refusal: &Refusal) -> Status {
    Status::internal(refusal.to_string())
}
