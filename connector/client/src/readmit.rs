//! A peer whose log is taken up again after it contradicted itself.

use crate::client::within;
use crate::{Client, Error};
use oxrdf::NamedNode;
use tokio::time::Instant;
use twinlink_proto::v1;

/// Where a peer's log goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readmitted {
    /// The number of the record that says so.
    pub recorded: u64,
    /// How many records the peer's log had at that checkpoint.
    pub size: u64,
}

impl Client {
    /// Has the connector take up the log of a peer again from a checkpoint that the peer signed, or from the first one that
    /// contradicted, with a reason for the record.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::NotFound`] for a peer that contradicts nothing.
    pub async fn readmit(
        &self,
        peer: NamedNode,
        checkpoint: Option<String>,
        reason: String,
        deadline: Instant,
    ) -> Result<Readmitted, Error> {
        let message = v1::ReadmitRequest {
            participant: peer.into_string(),
            checkpoint: checkpoint.unwrap_or_default(),
            reason,
        };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stewardship.clone();
        let call = async { Ok(stub.readmit(request).await?) };
        let response = within(deadline, call).await?.into_inner();
        Ok(Readmitted {
            recorded: response.recorded,
            size: response.size,
        })
    }
}
