//! `Evidence`: what other connectors tell of their logs of use, and what they received of our answers.

use super::credentials;
use crate::evidence::Evidence;
use crate::status::status;
use oxrdf::NamedNode;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use twinlink_core::{Code, Connector, Refusal};
use twinlink_proto::v1::{self, witness_response::Result as Witnessed};
use twinlink_trust::{Digest256, Shown};

/// What the calls need.
pub(super) struct EvidenceDoor {
    pub(super) connector: Arc<Connector>,
    pub(super) evidence: Arc<Evidence>,
}

#[tonic::async_trait]
impl v1::evidence_server::Evidence for EvidenceDoor {
    async fn acknowledge(
        &self,
        request: Request<v1::AcknowledgeRequest>,
    ) -> Result<Response<v1::AcknowledgeResponse>, Status> {
        let taken = async {
            let consumer = self.participant(&request)?;
            let statement = request.into_inner().acknowledgement;
            let accepted = self.evidence.acknowledged(consumer, statement).await?;
            Ok(v1::AcknowledgeResponse { accepted })
        };
        respond(taken.await)
    }

    async fn witness(
        &self,
        request: Request<v1::WitnessRequest>,
    ) -> Result<Response<v1::WitnessResponse>, Status> {
        let witnessed = async {
            let peer = self.participant(&request)?;
            let message = request.into_inner();
            let proof = message.proof.iter();
            let proof: Option<Vec<_>> = proof.map(|one| Digest256::from_bytes(one)).collect();
            let proof = proof.ok_or_else(|| {
                Refusal::about_input("grpc.proof", "a digest of the proof has not 32 bytes")
            })?;
            let witnessed = self
                .evidence
                .witnessed(peer, message.checkpoint, (message.old_size, proof))
                .await?;
            let result = match witnessed {
                Shown::Cosigned(text) => Witnessed::Cosignature(text),
                Shown::Seen(size) => Witnessed::SeenSize(size),
            };
            Ok(v1::WitnessResponse {
                result: Some(result),
            })
        };
        respond(witnessed.await)
    }
}

impl EvidenceDoor {
    /// Who calls, for another organisation than ours.
    fn participant<T>(&self, request: &Request<T>) -> Result<NamedNode, Refusal> {
        let now = self.connector.clock.now();
        let caller = self
            .connector
            .authenticator
            .authenticate(&credentials(request)?, now)?;
        match caller.is_owner() {
            false => {
                self.evidence.call(caller.participant())?;
                Ok(caller.participant().clone())
            }
            true => Err(Refusal::new(
                Code::Forbidden,
                "evidence.own",
                "what our own log holds needs no word from us",
            )),
        }
    }
}

fn respond<T>(result: Result<T, Refusal>) -> Result<Response<T>, Status> {
    result
        .map(Response::new)
        .map_err(|refusal| status(&refusal, None))
}
