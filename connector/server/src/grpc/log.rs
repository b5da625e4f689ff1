//! `ReadLog`: the log of use for the owner's stewards, as a stream; on record like every other use.

use super::{Door, credentials};
use crate::status::status;
use futures::stream::{self, BoxStream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status};
use twinlink_core::{Code, Refusal, admit_log_reader};
use twinlink_proto::v1;
use twinlink_trust::Receipts;

/// The messages of one reading.
pub(super) type Pages = BoxStream<'static, Result<v1::ReadLogResponse, Status>>;

/// How many records are in a message.
const PAGE: usize = 512;

/// About how many bytes of records: one more may be on top.
const PAGE_BYTES: usize = 4 << 20;

/// Messages that wait for a slow client before the reading waits too.
const IN_FLIGHT: usize = 2;

/// How long a client may take for one message.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn read_log(
    door: &Door,
    request: Request<v1::ReadLogRequest>,
) -> Result<Response<Pages>, Refusal> {
    let credentials = credentials(&request)?;
    let v1::ReadLogRequest { from, limit } = request.into_inner();
    admit_log_reader(&door.connector, &credentials, from).await?;
    let receipts = match &door.evidence {
        Some(evidence) => Arc::clone(evidence.receipts()),
        None => {
            let detail = "this connector keeps no log of use";
            return Err(Refusal::new(Code::Unavailable, "log", detail));
        }
    };
    let (messages, received) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(pages(receipts, from, limit, messages));
    let messages = stream::unfold(received, |mut received| async move {
        let message = received.recv().await?;
        Some((message, received))
    });
    Ok(Response::new(messages.boxed()))
}

type Messages = mpsc::Sender<Result<v1::ReadLogResponse, Status>>;

async fn pages(receipts: Arc<Receipts>, from: u64, limit: u64, messages: Messages) {
    let mut left = if limit == 0 { u64::MAX } else { limit };
    let (mut from, mut last) = (from, None);
    loop {
        let reader = Arc::clone(&receipts);
        let most = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = tokio::task::spawn_blocking(move || page(&reader, from, most, last)).await;
        let page = page.unwrap_or_else(|error| Err(Refusal::new(Code::Internal, "log", error)));
        let is_first = last.is_none();
        let message = page.map_err(|refusal| status(&refusal, None));
        let next = message.as_ref().ok().and_then(|page| {
            last = Some(page.last);
            left = left.saturating_sub(page.records.len() as u64);
            page.records
                .last()
                .map(|one| one.sequence.saturating_add(1))
        });
        if (is_first || next.is_some() || message.is_err())
            && messages.send_timeout(message, PATIENCE).await.is_err()
        {
            return;
        }
        match next {
            Some(next) if left > 0 => from = next,
            _ => return,
        }
    }
}

/// The next records, none behind the end that there was at the beginning.
fn page(
    receipts: &Receipts,
    from: u64,
    most: usize,
    last: Option<u64>,
) -> Result<v1::ReadLogResponse, Refusal> {
    let last = match last {
        Some(last) => last,
        None => receipts.last()?.unwrap_or_default(),
    };
    let records = receipts.records(from, most)?.into_iter();
    let mut bytes = 0;
    let records = records.take_while(|(sequence, record)| {
        let has_room = bytes < PAGE_BYTES;
        bytes += record.len();
        has_room && *sequence <= last
    });
    Ok(v1::ReadLogResponse {
        records: records
            .map(|(sequence, record)| v1::LogRecord { sequence, record })
            .collect(),
        last,
    })
}
