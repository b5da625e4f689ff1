//! Errors as OAuth has them: <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>.

use super::HttpFault;
use crate::shown::{Refused, challenge};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use twinlink_core::{Code, Refusal};

/// A request without an answer.
#[derive(Debug)]
pub(in crate::http) enum Fault {
    /// Refused: what is said is derived from the check.
    Refused(Refusal),
    /// Turned away by the door, as any request could be.
    Door(HttpFault),
}

impl Fault {
    /// A malformed request.
    pub(super) fn invalid(detail: &str) -> Self {
        Refusal::about_input("oauth.request", detail).into()
    }

    /// A client that is none.
    pub(super) fn client(detail: &str) -> Self {
        Refusal::new(Code::Unauthenticated, "client", detail).into()
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<HttpFault> for Fault {
    fn from(fault: HttpFault) -> Self {
        Self::Door(fault)
    }
}

/// The status and the error code of a refusal. Which check it was tells no more than the code.
fn code(refusal: &Refusal) -> (StatusCode, &'static str) {
    let check = refusal.check();
    match (refusal.code(), check) {
        (_, "dpop.nonce") => (StatusCode::BAD_REQUEST, "use_dpop_nonce"),
        (Code::Unauthenticated, _) if check == "dpop" || check.starts_with("dpop.") => {
            (StatusCode::BAD_REQUEST, "invalid_dpop_proof")
        }
        // The subject's token, not the client: <https://www.rfc-editor.org/rfc/rfc8693#section-2.2.2>.
        (Code::Unauthenticated, _) if check.starts_with("token.") => {
            (StatusCode::BAD_REQUEST, "invalid_request")
        }
        (Code::Unauthenticated, _) => (StatusCode::UNAUTHORIZED, "invalid_client"),
        (_, "oauth.grant_type") => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        (_, "oauth.token_type") => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
        (_, "client.scope" | "client.purpose" | "exchange.roles") => {
            (StatusCode::BAD_REQUEST, "invalid_scope")
        }
        (_, "client.audience") => (StatusCode::BAD_REQUEST, "invalid_target"),
        (Code::Forbidden, _) => (StatusCode::BAD_REQUEST, "unauthorized_client"),
        (Code::Invalid, _) => (StatusCode::BAD_REQUEST, "invalid_request"),
        (Code::Exhausted | Code::Unavailable | Code::Timeout, _) => {
            (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::Refused(refusal) => refusal,
            Self::Door(fault) => return fault.into_response(),
        };
        let (status, error) = code(&refusal);
        let is_of_subject = error == "invalid_request" && refusal.code() == Code::Unauthenticated;
        let description = match is_of_subject {
            // The client is who it says: which check of the token failed is for the log.
            true => "the subject's token is not good here",
            false => refusal.public(),
        };
        let said = serde_json::json!({"error": error, "error_description": description});
        let mut response = (status, Json(said)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, challenge(refusal.check()));
        }
        if error == "use_dpop_nonce" {
            // Tells the layer outside to add a nonce.
            headers.insert(WWW_AUTHENTICATE, challenge(refusal.check()));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let refused = Refused::new(&refusal, refusal.is_recorded());
        response.extensions_mut().insert(refused);
        response
    }
}
