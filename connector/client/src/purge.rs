//! What a steward has the log of use forget.

use crate::client::within;
use crate::{Client, Error};
use tokio::time::Instant;
use twinlink_proto::v1;

/// What was purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The records, by their numbers.
    pub records: Vec<u64>,
    /// The number of the record that says so; none where all were purged already.
    pub recorded: Option<u64>,
}

impl Client {
    /// Has the connector's log forget what it says of requests and of records, with a reason for the record.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::NotFound`] where the log has nothing of one of them.
    pub async fn purge(
        &self,
        requests: Vec<String>,
        records: Vec<u64>,
        reason: String,
        deadline: Instant,
    ) -> Result<Purge, Error> {
        let message = v1::PurgeRequest {
            requests,
            records,
            reason,
        };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.purge(request).await?) };
        let response = within(deadline, call).await?.into_inner();
        Ok(Purge {
            records: response.records,
            recorded: (response.recorded > 0).then_some(response.recorded),
        })
    }
}
