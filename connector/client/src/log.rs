//! The connector's log of use, for its own stewards.

use crate::client::within;
use crate::{Client, Error};
use tokio::time::Instant;
use tonic::codec::Streaming;
use twinlink_proto::v1;

/// Records of the log of use as they come. What they say is for whoever has the keys to find out.
#[derive(Debug)]
pub struct LogReader {
    stream: Streaming<v1::ReadLogResponse>,
    first: Option<v1::ReadLogResponse>,
    last: u64,
    /// The least sequence number that the next may have.
    next: u64,
    deadline: Instant,
}

impl Client {
    /// Reads the log from a sequence number on, up to the last record that there is now; `limit` 0 is no limit.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn read_log(
        &self,
        from: u64,
        limit: u64,
        deadline: Instant,
    ) -> Result<LogReader, Error> {
        let request = self
            .request(v1::ReadLogRequest { from, limit }, deadline)
            .await?;
        let mut stub = self.stewardship.clone();
        let stream = within(deadline, async { Ok(stub.read_log(request).await?) }).await?;
        let mut stream = stream.into_inner();
        let first = within(deadline, async { Ok(stream.message().await?) }).await?;
        let first = first.ok_or_else(|| Error::nonsense("a log without its end"))?;
        Ok(LogReader {
            last: first.last,
            stream,
            first: Some(first),
            next: from,
            deadline,
        })
    }
}

impl LogReader {
    /// The last sequence number that there was when reading began; 0 where the log was empty.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The next records, in order; `None` at the end.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn next(&mut self) -> Result<Option<Vec<(u64, Vec<u8>)>>, Error> {
        let message = match self.first.take() {
            Some(first) => Some(first),
            None => within(self.deadline, async { Ok(self.stream.message().await?) }).await?,
        };
        let Some(message) = message else {
            return Ok(None);
        };
        let mut records = Vec::with_capacity(message.records.len());
        for one in message.records {
            if one.sequence < self.next || one.sequence > self.last {
                return Err(Error::nonsense("records out of order"));
            }
            self.next = one.sequence.saturating_add(1);
            records.push((one.sequence, one.record));
        }
        Ok(Some(records))
    }
}
