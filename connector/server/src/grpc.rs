//! The gRPC door: `twinlink.v1`, health and reflection on the one way of requests.

mod backup;
mod describe;
mod evidence;
mod health;
mod import;
mod log;
mod outcome;
mod purge;
mod query;
mod readmit;
mod stewardship;
mod summarize;

pub(crate) use outcome::told;
pub use outcome::{head, outcome};

use crate::backup::Archive;
use crate::evidence::Evidence;
use crate::readiness::Readiness;
use crate::shown;
use crate::status::status;
use evidence::EvidenceDoor;
use oxrdf::NamedNode;
use std::sync::Arc;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};
use tonic_health::server::HealthReporter;
use twinlink_client::MESSAGE_BYTES;
use twinlink_core::{Connector, Credentials, Refusal};
use twinlink_proto::v1::{
    self, connector_server::ConnectorServer, evidence_server::EvidenceServer,
    stewardship_server::StewardshipServer,
};

/// The participant ids of the peers there are now.
pub type Participants = Arc<dyn Fn() -> Vec<NamedNode> + Send + Sync>;

/// The largest message that a client may send: queries and chunks are far smaller.
const REQUEST_BYTES: usize = 4 * 1024 * 1024;

/// The largest message about logs of use.
const EVIDENCE_BYTES: usize = 128 * 1024;

/// The routes of the gRPC door. A path that is none of its own is left to whatever it is merged with.
pub fn routes(connector: Arc<Connector>, participants: Participants) -> Routes {
    routes_with(
        connector,
        participants,
        None,
        None,
        Readiness::default().health(),
    )
}

/// As [`routes`], with what stewards may take copies of, what peers tell of their logs, and what keeps the health service.
pub(crate) fn routes_with(
    connector: Arc<Connector>,
    participants: Participants,
    archive: Option<Archive>,
    evidence: Option<Arc<Evidence>>,
    reporter: HealthReporter,
) -> Routes {
    let peers = evidence.clone().map(|evidence| EvidenceDoor {
        connector: Arc::clone(&connector),
        evidence,
    });
    let door = Arc::new(Door {
        connector,
        participants,
        archive,
        evidence,
    });
    let stewardship = StewardshipServer::from_arc(Arc::clone(&door))
        .max_decoding_message_size(REQUEST_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES);
    let door = ConnectorServer::from_arc(door)
        .max_decoding_message_size(REQUEST_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES);
    let mut routes = Routes::new(door)
        .add_service(stewardship)
        .add_service(health::server(reporter));
    if let Some(peers) = peers {
        let peers = EvidenceServer::new(peers).max_decoding_message_size(EVIDENCE_BYTES);
        routes = routes.add_service(peers);
    }
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(twinlink_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    match reflection {
        Ok(reflection) => routes = routes.add_service(reflection),
        // The descriptors are compiled in and tested: without reflection all else still works.
        Err(error) => tracing::error!(%error, "no reflection"),
    }
    Routes::from(routes.into_axum_router().reset_fallback())
}

/// What the calls need.
struct Door {
    connector: Arc<Connector>,
    participants: Participants,
    archive: Option<Archive>,
    evidence: Option<Arc<Evidence>>,
}

#[tonic::async_trait]
impl v1::connector_server::Connector for Door {
    type QueryStream = query::Answers;

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<query::Answers>, Status> {
        query::query(&self.connector, request).await
    }

    async fn import(
        &self,
        request: Request<Streaming<v1::ImportRequest>>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        import::import(&self.connector, request)
            .await
            .map(Response::new)
            .map_err(|refusal| status(&refusal, None))
    }

    async fn describe(
        &self,
        request: Request<v1::DescribeRequest>,
    ) -> Result<Response<v1::DescribeResponse>, Status> {
        let peers = (&self.participants, self.evidence.as_deref());
        describe::describe(&self.connector, peers, request)
            .await
            .map(Response::new)
            .map_err(|refusal| status(&refusal, None))
    }

    async fn summarize(
        &self,
        request: Request<v1::SummarizeRequest>,
    ) -> Result<Response<v1::SummarizeResponse>, Status> {
        summarize::summarize(&self.connector, request)
            .await
            .map(Response::new)
            .map_err(|refusal| status(&refusal, None))
    }
}

/// What the call shows of who asks.
fn credentials<T>(request: &Request<T>) -> Result<Credentials, Refusal> {
    let headers = request.metadata().as_ref();
    shown::credentials("grpc.authorization", headers, request.extensions())
}

/// How long the client will wait, from `grpc-timeout`:
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>.
fn patience(metadata: &MetadataMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = metadata.get("grpc-timeout") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    parse_timeout(text).map(Some).ok_or_else(|| {
        Refusal::about_input(
            "grpc.timeout",
            "grpc-timeout is not up to 8 digits and a unit of H, M, S, m, u or n",
        )
    })
}

fn parse_timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        'H' => Duration::from_secs(number * 3600),
        'M' => Duration::from_secs(number * 60),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// A field that holds an IRI, or is empty.
fn iri(check: &'static str, field: &str, text: &str) -> Result<Option<NamedNode>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    NamedNode::new(text).map(Some).map_err(|error| {
        Refusal::about_input(
            check,
            format_args!("{field} `{text}` is not an IRI: {error}"),
        )
    })
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
pub(crate) mod tests;
