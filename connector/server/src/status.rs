//! Refusals as the two doors say them: the one place that knows gRPC statuses and HTTP problems.
//!
//! Only [`Refusal::public`] leaves by here.

use crate::shown::{self, Refused};
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tonic_types::{ErrorDetails, StatusExt as _};
use twinlink_core::{Code, Refusal};
use twinlink_proto::OUTCOME;
use uuid::Uuid;

/// Who says the reason: <https://google.aip.dev/193#errorinfo>.
const DOMAIN: &str = "twinlink";

/// When trying again may help.
const RETRY: Duration = Duration::from_secs(1);

/// One code, as the doors say it.
struct Face {
    /// The reason of `google.rpc.ErrorInfo`.
    reason: &'static str,
    /// Names the problem's type.
    slug: &'static str,
    title: &'static str,
    grpc: tonic::Code,
    http: StatusCode,
}

/// The refusal as a gRPC status, with `google.rpc.ErrorInfo` (reason, domain, request id) and `google.rpc.RetryInfo`
/// as its details: <https://google.aip.dev/193>.
pub fn status(refusal: &Refusal, request: Option<Uuid>) -> Status {
    let face = face(refusal.code());
    let metadata: HashMap<_, _> = request
        .map(|id| ("request".to_owned(), id.to_string()))
        .into_iter()
        .collect();
    let mut details = ErrorDetails::with_error_info(face.reason, DOMAIN, metadata);
    if let Some(delay) = retry(refusal) {
        details.set_retry_info(Some(delay));
    }
    let mut status = Status::with_error_details(face.grpc, refusal.public(), details);
    if !refusal.sources().is_empty() {
        let value = MetadataValue::from_bytes(&crate::grpc::told(refusal.sources()));
        status.metadata_mut().insert_bin(OUTCOME, value);
    }
    status.set_source(Arc::new(refused(refusal, request)));
    if refusal.check().starts_with("dpop.") {
        // <https://www.rfc-editor.org/rfc/rfc9449#section-7.1>, as far as a call that is always 200 can say it.
        let challenge = shown::challenge(refusal.check());
        if let Ok(challenge) = challenge.to_str().unwrap_or_default().parse() {
            status.metadata_mut().insert("www-authenticate", challenge);
        }
    }
    status
}

/// The refusal as an HTTP problem: <https://www.rfc-editor.org/rfc/rfc9457>.
pub fn problem(refusal: &Refusal, request: Option<Uuid>) -> Response {
    let face = face(refusal.code());
    let mut problem = serde_json::json!({
        "type": format!("https://w3id.org/twinlink/problem/{}", face.slug),
        "title": face.title,
        "status": face.http.as_u16(),
        "detail": refusal.public(),
    });
    if let (Some(id), Some(members)) = (request, problem.as_object_mut()) {
        members.insert("instance".to_owned(), format!("urn:uuid:{id}").into());
    }
    if let (false, Some(members)) = (refusal.sources().is_empty(), problem.as_object_mut()) {
        let sources = crate::http::told(refusal.sources());
        members.insert("sources".to_owned(), sources);
    }
    let mut response = Response::new(Body::from(problem.to_string()));
    *response.status_mut() = face.http;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(delay) = retry(refusal) {
        headers.insert(RETRY_AFTER, HeaderValue::from(delay.as_secs()));
    }
    if face.http == StatusCode::UNAUTHORIZED {
        // <https://www.rfc-editor.org/rfc/rfc6750#section-3>
        headers.insert(WWW_AUTHENTICATE, shown::challenge(refusal.check()));
    }
    response.extensions_mut().insert(refused(refusal, request));
    response
}

/// For the layers outside. What has a request's id went the request's way, which records it.
fn refused(refusal: &Refusal, request: Option<Uuid>) -> Refused {
    Refused::new(refusal, refusal.is_recorded() || request.is_some())
}

fn face(code: Code) -> Face {
    let (reason, slug, title, grpc, http) = match code {
        Code::Invalid => (
            "INVALID",
            "invalid",
            "The request is not valid",
            tonic::Code::InvalidArgument,
            StatusCode::BAD_REQUEST,
        ),
        Code::Unauthenticated => (
            "UNAUTHENTICATED",
            "unauthenticated",
            "Authentication failed",
            tonic::Code::Unauthenticated,
            StatusCode::UNAUTHORIZED,
        ),
        Code::Forbidden => (
            "FORBIDDEN",
            "forbidden",
            "Not permitted",
            tonic::Code::PermissionDenied,
            StatusCode::FORBIDDEN,
        ),
        Code::NotFound => (
            "NOT_FOUND",
            "not-found",
            "Not found",
            tonic::Code::NotFound,
            StatusCode::NOT_FOUND,
        ),
        Code::Conflict => (
            "CONFLICT",
            "conflict",
            "Conflict with the present state",
            tonic::Code::FailedPrecondition,
            StatusCode::CONFLICT,
        ),
        Code::Exhausted => (
            "EXHAUSTED",
            "exhausted",
            "A limit was reached",
            tonic::Code::ResourceExhausted,
            StatusCode::TOO_MANY_REQUESTS,
        ),
        Code::Timeout => (
            "TIMEOUT",
            "timeout",
            "The deadline passed",
            tonic::Code::DeadlineExceeded,
            StatusCode::GATEWAY_TIMEOUT,
        ),
        Code::Unavailable => (
            "UNAVAILABLE",
            "unavailable",
            "Not available now",
            tonic::Code::Unavailable,
            StatusCode::SERVICE_UNAVAILABLE,
        ),
        Code::Internal => (
            "INTERNAL",
            "internal",
            "Internal error",
            tonic::Code::Internal,
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
    };
    Face {
        reason,
        slug,
        title,
        grpc,
        http,
    }
}

fn retry(refusal: &Refusal) -> Option<Duration> {
    // What reached a limit of its own will reach it again.
    let by_itself = (refusal.code() == Code::Unavailable).then_some(RETRY);
    refusal.retry().or(by_itself)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use oxrdf::NamedNode;
    use twinlink_core::{SourceState, SourceStatus};

    const CODES: [Code; 9] = [
        Code::Invalid,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::NotFound,
        Code::Conflict,
        Code::Exhausted,
        Code::Timeout,
        Code::Unavailable,
        Code::Internal,
    ];

    #[test]
    fn neither_door_tells_what_is_for_the_operator() {
        for code in CODES {
            let refusal = Refusal::new(code, "check-name", "secret detail").at("https://secret/");
            let status = status(&refusal, Some(Uuid::nil()));
            let shown = format!("{status:?} {}", String::from_utf8_lossy(status.details()));
            assert!(
                !shown.contains("secret") && !shown.contains("check-name"),
                "{shown}"
            );
            assert_eq!(status.message(), refusal.public());
        }
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_its_standard() {
        for code in CODES {
            let refusal = Refusal::new(code, "check", "secret detail");
            let response = problem(&refusal, Some(Uuid::nil()));
            let status = response.status();
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            let retry = code == Code::Unavailable;
            assert_eq!(response.headers().contains_key(RETRY_AFTER), retry);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["status"], status.as_u16());
            assert_eq!(json["detail"], refusal.public());
            assert_eq!(json["instance"], format!("urn:uuid:{}", Uuid::nil()));
            assert!(json["type"].as_str().unwrap().starts_with("https://"));
        }
    }

    #[test]
    fn missing_sources_are_told_within_bounds() {
        let sources: Vec<_> = (0..400)
            .map(|number| SourceStatus {
                participant: NamedNode::new(format!("https://m{number}.example/")).unwrap(),
                state: match number {
                    399 => SourceState::Unreachable,
                    _ => SourceState::Empty,
                },
                rows: 0,
                elapsed: Duration::ZERO,
                as_of: None,
                policies: Vec::new(),
                not_evaluable: 0,
                reason: Some("no route".repeat(20)),
                receipt: None,
            })
            .collect();
        let refusal = Refusal::new(Code::Unavailable, "require", "detail").over(&sources);
        let status = status(&refusal, None);
        let value = status.metadata().get_bin(OUTCOME).unwrap();
        assert!(value.to_bytes().unwrap().len() < 8 * 1024);
        let error = twinlink_client::Error::from(status);
        let twinlink_client::Error::Insufficient { sources, .. } = error else {
            panic!("{error}");
        };
        // What is missing comes first.
        assert_eq!(sources[0].participant.as_str(), "https://m399.example/");
        assert!(sources.len() > 20);
    }

    #[test]
    fn both_doors_say_when_to_come_again() {
        let wait = Duration::from_secs(7);
        for code in [Code::Exhausted, Code::Unavailable] {
            let refusal = Refusal::new(code, "limits.waiting", "busy").retry_after(wait);
            assert_eq!(problem(&refusal, None).headers()[RETRY_AFTER], "7");
            let details = status(&refusal, None).get_error_details();
            assert_eq!(details.retry_info().unwrap().retry_delay, Some(wait));
        }
        let full = Refusal::new(Code::Exhausted, "limits.rows", "too many rows");
        assert!(!problem(&full, None).headers().contains_key(RETRY_AFTER));
        assert!(
            status(&full, None)
                .get_error_details()
                .retry_info()
                .is_none()
        );
    }

    #[test]
    fn a_status_says_its_reason_and_request_to_programs() {
        let refusal = Refusal::new(Code::Unavailable, "check", "detail");
        let details = status(&refusal, Some(Uuid::nil())).get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(
            (info.reason.as_str(), info.domain.as_str()),
            ("UNAVAILABLE", "twinlink")
        );
        assert_eq!(info.metadata["request"], Uuid::nil().to_string());
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(RETRY));
    }
}
