//! `Purge`: has records of use forgotten, for the owner's stewards; on record twice: as their use, and in the log itself.

use super::{Door, credentials};
use std::sync::Arc;
use tonic::Request;
use twinlink_core::{Code, Refusal, purge_records};
use twinlink_proto::v1;
use twinlink_trust::{Receipts, find_purgeable};

/// The most requests in one call.
const REQUESTS: usize = 1000;

pub(super) async fn purge(
    door: &Door,
    request: Request<v1::PurgeRequest>,
) -> Result<v1::PurgeResponse, Refusal> {
    let credentials = credentials(&request)?;
    let message = request.into_inner();
    let connector = &door.connector;
    let receipts = match &door.evidence {
        Some(evidence) => Arc::clone(evidence.receipts()),
        None => {
            let detail = "this connector keeps no log of use";
            return Err(Refusal::new(Code::Unavailable, "log", detail));
        }
    };
    let text = format!("{message:?}");
    let purged = purge_records(connector, &credentials, &text, async |by| {
        let (requests, mut places) = (message.requests, message.records);
        let reader = Arc::clone(&receipts);
        let find = tokio::task::spawn_blocking(move || find(&reader, &requests)).await;
        let found = find.map_err(|error| Refusal::new(Code::Internal, "purge", error))?;
        places.extend(found?);
        let now = connector.clock.now();
        receipts.purge(&places, &by, &message.reason, now).await
    });
    let purged = purged.await?;
    Ok(v1::PurgeResponse {
        records: purged.records,
        recorded: purged.recorded.unwrap_or_default(),
    })
}

fn find(receipts: &Receipts, requests: &[String]) -> Result<Vec<u64>, Refusal> {
    if requests.len() > REQUESTS {
        let detail = format_args!("at most {REQUESTS} requests are purged at once");
        return Err(Refusal::about_input("purge.request", detail));
    }
    let mut places = Vec::new();
    for request in requests {
        let found = find_purgeable(receipts.journal(), request)?;
        if found.is_empty() {
            let detail = format_args!("the log says nothing of {request}");
            return Err(Refusal::new(Code::NotFound, "purge.request", detail).open());
        }
        places.extend(found);
    }
    Ok(places)
}
