//! `Summarize`: what of its twin the caller may see, in short.

use super::{credentials, iri, outcome, patience, some};
use prost::Message as _;
use std::sync::Arc;
use tonic::Request;
use twinlink_client::MESSAGE_BYTES;
use twinlink_core::{Connector, Refusal, SummaryRequest, summarize as answer};
use twinlink_proto::v1::{self, summarize_response::Kind};
use uuid::Uuid;

/// What a message takes beside the summary in it, at most.
const AROUND: usize = 1024;

pub(super) async fn summarize(
    connector: &Arc<Connector>,
    request: Request<v1::SummarizeRequest>,
) -> Result<v1::SummarizeResponse, Refusal> {
    let credentials = credentials(&request)?;
    let patience = patience(request.metadata())?;
    let message = request.into_inner();
    let id = match some(message.request_id) {
        None => Uuid::now_v7(),
        Some(text) => Uuid::try_parse(&text)
            .map_err(|_| Refusal::about_input("grpc.request_id", "request_id is not a UUID"))?,
    };
    let question = SummaryRequest {
        id,
        purpose: iri("grpc.purpose", "purpose", &message.purpose)?,
        break_glass: iri("grpc.break_glass", "break_glass", &message.break_glass)?,
        envelope: some(message.envelope),
        held: some(message.held),
        confirm: message.confirm,
        patience,
    };
    let (overview, outcome) = answer(connector, &credentials, question).await?;
    let outcome = outcome::outcome(outcome);
    let room = (MESSAGE_BYTES - AROUND).saturating_sub(outcome.encoded_len());
    let kind = overview.and_then(|overview| match overview.bytes {
        None => Some(Kind::IsHeld(true)),
        Some(bytes) => (bytes.len() <= room).then_some(Kind::Summary(bytes)),
    });
    Ok(v1::SummarizeResponse {
        kind,
        outcome: Some(outcome),
    })
}
