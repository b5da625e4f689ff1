//! What connectors tell each other about their logs of use. Texts are signed by whoever calls; nothing here reads them.

use crate::client::within;
use crate::{Client, Error};
use tokio::time::Instant;
use twinlink_proto::v1::{self, witness_response::Result as Witnessed};

/// What a witness says of a checkpoint that it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessReply {
    /// It saw the log grow to it: a signed statement.
    Cosigned(String),
    /// The proof must be from this size: the last one that it saw. 0: it saw none.
    Seen(u64),
}

impl Client {
    /// Tells a provider what we received of its answers. Gives how many of them it knew, and had not been told of.
    ///
    /// # Errors
    /// Any [`Error`]; connectors of older versions do not know the call.
    pub async fn acknowledge(
        &self,
        acknowledgement: String,
        deadline: Instant,
    ) -> Result<u32, Error> {
        let message = v1::AcknowledgeRequest { acknowledgement };
        let request = self.request(message, deadline).await?;
        let mut stub = self.evidence.clone();
        let response = within(deadline, async { Ok(stub.acknowledge(request).await?) }).await?;
        Ok(response.into_inner().accepted)
    }

    /// Shows a peer our log at some size, with the proof that it grew from `old_size` to there.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Conflict`] where the peer saw another past of our log.
    pub async fn witness(
        &self,
        checkpoint: String,
        (old_size, proof): (u64, Vec<[u8; 32]>),
        deadline: Instant,
    ) -> Result<WitnessReply, Error> {
        let message = v1::WitnessRequest {
            checkpoint,
            old_size,
            proof: proof.into_iter().map(|digest| digest.to_vec()).collect(),
        };
        let request = self.request(message, deadline).await?;
        let mut stub = self.evidence.clone();
        let response = within(deadline, async { Ok(stub.witness(request).await?) }).await?;
        match response.into_inner().result {
            Some(Witnessed::Cosignature(text)) => Ok(WitnessReply::Cosigned(text)),
            Some(Witnessed::SeenSize(size)) => Ok(WitnessReply::Seen(size)),
            None => Err(Error::nonsense("neither a cosignature nor a size")),
        }
    }
}
