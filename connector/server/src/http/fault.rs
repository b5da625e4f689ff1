//! Why a request was turned away: refusals of the request's way, and what only HTTP can get wrong.

use crate::shown::Refused;
use crate::status;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use twinlink_core::Refusal;
use uuid::Uuid;

/// A request without an answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The request's way refused it.
    Refused(Refusal, Option<Uuid>),
    /// The door turned it away before that.
    TurnedAway {
        /// Of the 4xx class.
        status: StatusCode,
        /// Which check failed.
        check: &'static str,
        /// What was wrong with the request: only about the request itself.
        detail: String,
        /// The methods the resource has, where the method was wrong.
        allow: Option<&'static str>,
    },
}

impl Fault {
    /// The door's own no.
    pub(super) fn turned_away(
        status: StatusCode,
        check: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::TurnedAway {
            status,
            check,
            detail: detail.into(),
            allow: None,
        }
    }

    /// A malformed request: 400.
    pub(super) fn invalid(check: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Refused(Refusal::about_input(check, detail), None)
    }

    /// A media type, charset or encoding that is not taken: 415.
    pub(super) fn unsupported(detail: impl Into<String>) -> Self {
        Self::turned_away(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "http.content-type",
            detail,
        )
    }

    /// A body over its limit: 413.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::turned_away(
            StatusCode::PAYLOAD_TOO_LARGE,
            "limits.body_bytes",
            format!("the body is larger than {limit} bytes"),
        )
    }

    /// A body that comes too slowly: 408.
    pub(super) fn too_slow() -> Self {
        Self::turned_away(StatusCode::REQUEST_TIMEOUT, "http.body", super::TOO_SLOW)
    }

    /// A method the resource does not have: 405.
    pub(super) fn method(allow: &'static str) -> Self {
        Self::TurnedAway {
            status: StatusCode::METHOD_NOT_ALLOWED,
            check: "http.method",
            detail: format!("the methods are {allow}"),
            allow: Some(allow),
        }
    }

    /// Says which request it was.
    pub(super) fn of(request: Uuid) -> impl Fn(Refusal) -> Self {
        move |refusal| Self::Refused(refusal, Some(request))
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal, request) => status::problem(&refusal, request),
            Self::TurnedAway {
                status,
                check,
                detail,
                allow,
            } => {
                // <https://www.rfc-editor.org/rfc/rfc9457>
                let problem = serde_json::json!({
                    "type": "about:blank",
                    "title": status.canonical_reason().unwrap_or("error"),
                    "status": status.as_u16(),
                    "detail": detail,
                });
                let mut response = (
                    status,
                    [(CONTENT_TYPE, "application/problem+json")],
                    problem.to_string(),
                )
                    .into_response();
                response.extensions_mut().insert(Refused {
                    check,
                    detail: detail.escape_debug().to_string().into(),
                    is_recorded: false,
                });
                if let Some(allow) = allow {
                    response
                        .headers_mut()
                        .insert(ALLOW, HeaderValue::from_static(allow));
                }
                response
            }
        }
    }
}
