//! A copy of a connector's store, as it arrives.

use crate::client::within;
use crate::{Client, Error};
use std::fmt;
use tokio::time::Instant;
use tonic::Streaming;
use twinlink_proto::v1::{self, backup_response::Part};

/// A copy on its way. It is one only once [`Backup::next`] has said that this was all.
pub struct Backup {
    entries: u64,
    messages: Streaming<v1::BackupResponse>,
    bytes: u64,
    deadline: Instant,
}

impl Client {
    /// Copies the connector's whole store, for a steward of its organisation.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Exhausted`] where another copy is being made.
    pub async fn back_up(&self, deadline: Instant) -> Result<Backup, Error> {
        let request = self.request(v1::BackupRequest {}, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.backup(request).await?) };
        let mut messages = within(deadline, call).await?.into_inner();
        match next(&mut messages, deadline).await? {
            Some(Part::Head(head)) => Ok(Backup {
                entries: head.entries,
                messages,
                bytes: 0,
                deadline,
            }),
            _ => Err(Error::nonsense(
                "a backup that does not begin with its head",
            )),
        }
    }
}

impl Backup {
    /// About how many entries are to come.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next bytes; none where that was all.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Broken`] where the copy ends before its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match next(&mut self.messages, self.deadline).await? {
            Some(Part::Chunk(chunk)) => {
                self.bytes += chunk.len() as u64;
                Ok(Some(chunk))
            }
            Some(Part::End(end)) if end.bytes == self.bytes => Ok(None),
            Some(Part::End(_)) => Err(Error::nonsense("a backup that counts itself wrongly")),
            Some(Part::Head(_)) => Err(Error::nonsense("a backup with a second head")),
            None => Err(Error::Broken("the backup ended before its end".to_owned())),
        }
    }
}

async fn next(
    messages: &mut Streaming<v1::BackupResponse>,
    deadline: Instant,
) -> Result<Option<Part>, Error> {
    match within(deadline, async { Ok(messages.message().await?) }).await? {
        None => Ok(None),
        Some(v1::BackupResponse { part: Some(part) }) => Ok(Some(part)),
        Some(v1::BackupResponse { part: None }) => Err(Error::nonsense("a message that is empty")),
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup").finish_non_exhaustive()
    }
}
