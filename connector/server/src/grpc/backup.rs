//! `Backup`: a copy of the whole store as a stream, made on a thread of its own.

use super::{Door, credentials, patience};
use crate::backup::{Copying, Manifest};
use crate::status::status;
use futures::stream::{self, BoxStream, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use twinlink_core::{BackupUse, Code, Connector, Refusal, begin_backup};
use twinlink_proto::v1::{self, backup_response::Part};
use twinlink_store::StoreError;

/// The messages of one copy.
pub(super) type Copies = BoxStream<'static, Result<v1::BackupResponse, Status>>;

/// Messages that wait for a slow client before the copying waits too.
const IN_FLIGHT: usize = 4;

/// A client must take at least so many bytes a second, beside [`PATIENCE`]: the files' free pages wait for it.
const SLOWEST: u64 = 256 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

type Messages = mpsc::Sender<Result<v1::BackupResponse, Status>>;

/// Records the use and begins the copy.
pub(super) async fn backup(
    door: &Door,
    request: Request<v1::BackupRequest>,
) -> Result<Response<Copies>, Refusal> {
    let credentials = credentials(&request)?;
    let until = patience(request.metadata())?.map(|patience| Instant::now() + patience);
    let connector = Arc::clone(&door.connector);
    let used = begin_backup(&connector, &credentials).await?;
    let begun = match &door.archive {
        Some(archive) => archive.begin(),
        None => Err(Refusal::new(
            Code::Unavailable,
            "backup",
            "this connector keeps nothing on disk",
        )),
    };
    let copying = match begun {
        Ok(copying) => copying,
        Err(refusal) => {
            used.end(&connector, Err(&refusal)).await?;
            return Err(refusal);
        }
    };
    let (messages, received) = mpsc::channel(IN_FLIGHT);
    tokio::spawn(run(connector, used, copying, messages, until));
    let messages = stream::unfold(received, |mut received| async move {
        let message = received.recv().await?;
        Some((message, received))
    });
    Ok(Response::new(messages.boxed()))
}

/// Copies, records how that ended, and only then says that it was all.
async fn run(
    connector: Arc<Connector>,
    used: BackupUse,
    copying: Copying,
    messages: Messages,
    until: Option<Instant>,
) {
    let sender = Sender {
        messages: messages.clone(),
        runtime: tokio::runtime::Handle::current(),
        started: Instant::now(),
        until,
        sent: 0,
    };
    let copied = tokio::task::spawn_blocking(move || copy(&copying, sender)).await;
    let copied = copied
        .unwrap_or_else(|error| Err(Refusal::new(Code::Internal, "backup", error)))
        .map_err(|refusal| {
            tracing::warn!(%refusal, "a backup ended early");
            refusal
        });
    let counted = copied.as_ref().map(|(manifest, _)| {
        let entries = manifest.changes + manifest.log_of_use.size + manifest.ledger;
        (entries, manifest.sha256.as_str())
    });
    let recorded = used.end(&connector, counted).await;
    let last = match copied.and_then(|(_, bytes)| recorded.map(|()| bytes)) {
        Ok(bytes) => {
            tracing::info!(bytes, "a backup was taken");
            Ok(message(Part::End(v1::BackupEnd { bytes })))
        }
        Err(refusal) => Err(status(&refusal, None)),
    };
    // Whoever went away needs no end.
    drop(messages.send(last).await);
}

fn copy(copying: &Copying, sender: Sender) -> Result<(Manifest, u64), Refusal> {
    let sender = std::cell::RefCell::new(sender);
    let manifest = copying.copy(
        |entries| {
            let head = Part::Head(v1::BackupHead { entries });
            sender.borrow_mut().send(head)
        },
        &mut |chunk| sender.borrow_mut().send(Part::Chunk(chunk)),
    )?;
    Ok((manifest, sender.into_inner().sent))
}

/// The way to the client, from a thread that may wait.
struct Sender {
    messages: Messages,
    runtime: tokio::runtime::Handle,
    started: Instant,
    until: Option<Instant>,
    sent: u64,
}

impl Sender {
    fn send(&mut self, part: Part) -> Result<(), StoreError> {
        if let Part::Chunk(chunk) = &part {
            self.sent += chunk.len() as u64;
        }
        let slowest = self.started + PATIENCE + Duration::from_secs(self.sent / SLOWEST);
        let until = self.until.map_or(slowest, |until| until.min(slowest));
        let sending = timeout_at(until, self.messages.send(Ok(message(part))));
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(StoreError::Cancelled),
            Err(_) => Err(StoreError::Deadline),
        }
    }
}

fn message(part: Part) -> v1::BackupResponse {
    v1::BackupResponse { part: Some(part) }
}
