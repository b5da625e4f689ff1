//! `Readmit`: takes a peer's log up again that contradicted itself, for the owner's stewards, on record.

use super::{Door, credentials, iri, some};
use std::sync::Arc;
use tonic::Request;
use twinlink_core::{Code, Refusal, readmit_peer};
use twinlink_proto::v1;

pub(super) async fn readmit(
    door: &Door,
    request: Request<v1::ReadmitRequest>,
) -> Result<v1::ReadmitResponse, Refusal> {
    let credentials = credentials(&request)?;
    let message = request.into_inner();
    let evidence = match &door.evidence {
        Some(evidence) => Arc::clone(evidence),
        None => {
            let detail = "this connector watches no logs";
            return Err(Refusal::new(Code::Unavailable, "log", detail));
        }
    };
    let text = format!("{message:?}");
    let readmitted = readmit_peer(&door.connector, &credentials, &text, async |by| {
        let peer = iri("readmit.peer", "participant", &message.participant)?
            .ok_or_else(|| Refusal::about_input("readmit.peer", "participant is empty"))?;
        let why = (by, message.reason);
        evidence.readmit(peer, some(message.checkpoint), why).await
    });
    let (recorded, size) = readmitted.await?;
    Ok(v1::ReadmitResponse { recorded, size })
}
