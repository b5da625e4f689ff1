//! `Query`: a reply of the request's way as a stream of messages.

use super::{credentials, iri, outcome, patience, some};
use crate::status::status;
use crate::telemetry::in_same_trace;
use futures::Stream;
use futures::stream::{self, BoxStream, StreamExt as _};
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use twinlink_client::Encoder;
use twinlink_core::{
    Code, Connector, DatasetChoice, Explain, Head, Piece, Refusal, Reply, Request as Question,
    Requirement, Solution, answer,
};
use twinlink_proto::v1::{self, query_response::Part};
use uuid::Uuid;

/// The messages of one answer.
pub(super) type Answers = BoxStream<'static, Result<v1::QueryResponse, Status>>;

/// Messages that wait for a slow client before the evaluation waits too.
const IN_FLIGHT: usize = 2;

/// The most graphs that a request may choose.
const GRAPHS: usize = 1000;

/// The most participants that are left out.
const PARTICIPANTS: usize = 4096;

/// Opens the answer; returns when its head is known.
pub(super) async fn query(
    connector: &Arc<Connector>,
    request: Request<v1::QueryRequest>,
) -> Result<Response<Answers>, Status> {
    let asked = credentials(&request)
        .and_then(|credentials| Ok((credentials, patience(request.metadata())?)))
        .and_then(|(credentials, patience)| {
            let mut question = question(request.into_inner())?;
            question.patience = patience;
            Ok((credentials, question))
        });
    let (credentials, question) = asked.map_err(|refusal| status(&refusal, None))?;
    let id = question.id;
    let limit = connector.limits.deadline;
    let deadline = Instant::now() + question.patience.map_or(limit, |p| p.min(limit));
    let reply = answer(connector, &credentials, question)
        .await
        .map_err(|refusal| status(&refusal, Some(id)))?;
    if let Head::Boolean(_) = reply.head() {
        return at_once(reply, deadline).await;
    }
    Ok(Response::new(send(reply, deadline).boxed()))
}

/// A head that is the whole answer, together with its outcome: nothing of it can be waited for by a slow client.
async fn at_once(reply: Reply, deadline: Instant) -> Result<Response<Answers>, Status> {
    let request = reply.request();
    let head = outcome::head(reply.head());
    let end = tokio::time::timeout_at(deadline, reply.finish()).await;
    let end = end.unwrap_or_else(|_| Err(late()));
    let end = end.map_err(|refusal| {
        tracing::info!(%request, code = ?refusal.code(), check = refusal.check(), %refusal, "an answer ended early");
        status(&refusal, Some(request))
    })?;
    let parts = [head, Part::Outcome(outcome::outcome(end))];
    let messages = parts.map(|part| Ok(v1::QueryResponse { part: Some(part) }));
    Ok(Response::new(stream::iter(messages).boxed()))
}

fn late() -> Refusal {
    let detail = "the deadline passed while the answer was read";
    Refusal::new(Code::Timeout, "deadline", detail)
}

fn question(message: v1::QueryRequest) -> Result<Question, Refusal> {
    let id = match some(message.request_id) {
        None => Uuid::now_v7(),
        Some(text) => Uuid::try_parse(&text)
            .map_err(|_| Refusal::about_input("grpc.request_id", "request_id is not a UUID"))?,
    };
    let explain = match v1::Explain::try_from(message.explain) {
        Ok(v1::Explain::Unspecified) => None,
        Ok(v1::Explain::Plan) => Some(Explain::Plan),
        Ok(v1::Explain::Analyze) => Some(Explain::Analyze),
        Err(_) => {
            return Err(Refusal::about_input(
                "grpc.explain",
                "there is no such explanation",
            ));
        }
    };
    Ok(Question {
        id,
        query: message.query,
        digest: None,
        base: some(message.base_iri),
        dataset: message.dataset.map(dataset).transpose()?,
        federated: message.federated,
        left_out: left_out(message.left_out)?,
        require: message
            .require
            .map(required)
            .transpose()?
            .unwrap_or_default(),
        purpose: iri("grpc.purpose", "purpose", &message.purpose)?,
        break_glass: iri("grpc.break_glass", "break_glass", &message.break_glass)?,
        explain,
        envelope: some(message.envelope),
        patience: None,
    })
}

fn left_out(participants: Vec<String>) -> Result<Vec<NamedNode>, Refusal> {
    if participants.len() > PARTICIPANTS {
        return Err(Refusal::about_input(
            "grpc.left_out",
            format_args!("more than {PARTICIPANTS} participants are left out"),
        ));
    }
    let participants = participants.iter();
    let nodes = participants.map(|text| iri("grpc.left_out", "left_out", text));
    Ok(nodes
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn required(message: v1::Requirement) -> Result<Requirement, Refusal> {
    let mut requirement = Requirement {
        all: message.all,
        at_least: usize::try_from(message.at_least).unwrap_or(usize::MAX),
        exact: message.exact,
        max_age: message.max_age.map(age).transpose()?,
        ..Requirement::default()
    };
    for text in &message.participants {
        if let Some(participant) = iri("grpc.require", "participants", text)? {
            let required = requirement.require(participant);
            required.map_err(|problem| Refusal::about_input("grpc.require", problem))?;
        }
    }
    Ok(requirement)
}

fn age(most: prost_types::Duration) -> Result<Duration, Refusal> {
    let most = Duration::try_from(most).ok().filter(|most| !most.is_zero());
    most.ok_or_else(|| Refusal::about_input("grpc.require", "max_age is not above zero"))
}

fn dataset(message: v1::Dataset) -> Result<DatasetChoice, Refusal> {
    let count = message.default_graph_iris.len() + message.named_graph_iris.len();
    if count > GRAPHS {
        return Err(Refusal::about_input(
            "grpc.dataset",
            format_args!("the dataset has {count} graphs, the limit is {GRAPHS}"),
        ));
    }
    let graphs = |field: &str, iris: Vec<String>| {
        iris.iter()
            .map(|text| {
                iri("grpc.dataset", field, text)?.ok_or_else(|| {
                    Refusal::about_input("grpc.dataset", format_args!("{field} is empty"))
                })
            })
            .collect::<Result<_, _>>()
    };
    Ok(DatasetChoice {
        default_graphs: graphs("default_graph_iris", message.default_graph_iris)?,
        named_graphs: graphs("named_graph_iris", message.named_graph_iris)?,
    })
}

/// The reply as messages, made by a task of its own: a client that reads nothing stops it at the deadline all the
/// same, and one that goes away stops it at once.
// INVARIANT(deadline-to-the-end): no reply is held beyond its deadline, whatever its client does.
fn send(reply: Reply, deadline: Instant) -> impl Stream<Item = Result<v1::QueryResponse, Status>> {
    let request = reply.request();
    let (messages_in, messages) = mpsc::channel(IN_FLIGHT);
    let (failure_in, failure) = oneshot::channel();
    let task = async move {
        let work = pump(reply, &messages_in);
        let result = tokio::select! {
            result = work => result,
            () = tokio::time::sleep_until(deadline) => Err(late()),
            // Dropping the reply stops its evaluation.
            () = messages_in.closed() => return,
        };
        if let Err(refusal) = result {
            tracing::info!(%request, code = ?refusal.code(), check = refusal.check(), %refusal, "an answer ended early");
            // The receiver is gone where the client went away meanwhile.
            drop(failure_in.send(status(&refusal, Some(request))));
        }
    };
    tokio::spawn(in_same_trace(task).in_current_span());
    let messages = stream::unfold(messages, |mut messages| async move {
        let message = messages.recv().await?;
        Some((Ok(message), messages))
    });
    let failure =
        stream::once(failure).filter_map(|failure| std::future::ready(failure.ok().map(Err)));
    messages.chain(failure)
}

type Messages = mpsc::Sender<v1::QueryResponse>;

async fn pump(mut reply: Reply, messages: &Messages) -> Result<(), Refusal> {
    put(messages, outcome::head(reply.head())).await?;
    let is_boolean = matches!(reply.head(), Head::Boolean(_));
    while let Some(piece) = reply.next().await? {
        match piece {
            Piece::Solutions(rows) if !is_boolean => put_solutions(messages, rows).await?,
            Piece::Triples(triples) if !is_boolean => {
                let mut encoder = Encoder::default();
                for triple in triples {
                    let row = [
                        Some(triple.subject.into()),
                        Some(triple.predicate.into()),
                        Some(triple.object),
                    ];
                    encoder.push(row, None);
                    put_if_full(messages, &mut encoder).await?;
                }
                put_rest(messages, &mut encoder).await?;
            }
            Piece::Head(_) | Piece::Solutions(_) | Piece::Triples(_) => {
                return Err(Refusal::new(
                    Code::Internal,
                    "evaluation",
                    "a piece that does not fit the head",
                ));
            }
        }
    }
    let end = reply.finish().await?;
    put(messages, Part::Outcome(outcome::outcome(end))).await
}

async fn put_solutions(messages: &Messages, rows: Vec<Solution>) -> Result<(), Refusal> {
    let mut encoder = Encoder::default();
    for row in rows {
        encoder.push(row.values, Some(&row.sources));
        put_if_full(messages, &mut encoder).await?;
    }
    put_rest(messages, &mut encoder).await
}

async fn put_if_full(messages: &Messages, encoder: &mut Encoder) -> Result<(), Refusal> {
    if encoder.is_full() {
        put_rest(messages, encoder).await?;
    }
    Ok(())
}

async fn put_rest(messages: &Messages, encoder: &mut Encoder) -> Result<(), Refusal> {
    if encoder.is_empty() {
        return Ok(());
    }
    if encoder.is_too_large() {
        return Err(Refusal::new(
            Code::Exhausted,
            "limits.message",
            "a row is larger than a message may be",
        )
        .open());
    }
    put(messages, Part::Batch(encoder.finish())).await
}

async fn put(messages: &Messages, part: Part) -> Result<(), Refusal> {
    messages
        .send(v1::QueryResponse { part: Some(part) })
        .await
        .map_err(|_| Refusal::new(Code::Timeout, "reader", "the reader went away"))
}
