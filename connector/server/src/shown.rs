//! What a request shows of who asks, at either door: nothing of it is believed here.

use crate::serve::PeerCertificate;
use crate::telemetry::trace_id;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Extensions, HeaderMap, StatusCode};
use std::sync::{Arc, OnceLock};
use time::OffsetDateTime;
use twinlink_core::{Code, Credentials, Possession, Refusal, Secret};
use twinlink_trust::{Algorithm, Nonces};

/// <https://www.rfc-editor.org/rfc/rfc9449#section-4.1>
pub(crate) const DPOP: HeaderName = HeaderName::from_static("dpop");

/// <https://www.rfc-editor.org/rfc/rfc9449#section-8>
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The request as the client signed it: [`twinlink_trust::sign_request`].
pub(crate) const ENVELOPE: HeaderName = HeaderName::from_static("twinlink-envelope");

/// The most proofs that are looked at: more than one is refused anyway.
const PROOFS: usize = 2;

/// What was asked, as the client must have signed it: in the extensions of every request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    method: String,
    url: String,
    proven: Arc<OnceLock<String>>,
}

/// Why a response is none, in its extensions: for the layers outside of the handlers.
#[derive(Clone, thiserror::Error)]
#[error("refused")]
pub(crate) struct Refused {
    /// The check that failed.
    pub(crate) check: &'static str,
    /// For the operator's log.
    pub(crate) detail: Arc<str>,
    /// Whether the log of use has it already.
    pub(crate) is_recorded: bool,
}

impl Refused {
    /// What is logged of a refusal. A text about what the client sent is for the client: it may repeat it.
    pub(crate) fn new(refusal: &Refusal, is_recorded: bool) -> Self {
        Self {
            check: refusal.check(),
            detail: match refusal.code() {
                Code::Invalid => "what was sent is not valid".into(),
                _ => refusal.to_string().into(),
            },
            is_recorded,
        }
    }
}

/// As a source of a gRPC status it is shown by whoever shows the status: it says nothing.
impl std::fmt::Debug for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refused(..)")
    }
}

/// What the doors know of apps without a certificate.
#[derive(Debug, Clone, Default)]
pub(crate) struct AppsDoor {
    /// How others reach us, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// The nonces to give out; none where no app may do without a certificate.
    pub(crate) nonces: Option<Arc<Nonces>>,
}

/// Notes what is asked, and tells clients what they need to prove their key.
pub(crate) async fn possession(
    axum::extract::State(door): axum::extract::State<AppsDoor>,
    mut request: Request,
    next: Next,
) -> Response {
    let asked = Asked {
        method: request.method().as_str().to_owned(),
        url: format!("{}{}", door.public_url, request.uri().path()),
        proven: Arc::default(),
    };
    let proves = request.headers().contains_key(DPOP);
    request.extensions_mut().insert(asked);
    let mut response = next.run(request).await;
    if let Some(nonces) = &door.nonces {
        let is_refused = response.status() == StatusCode::UNAUTHORIZED
            || response.headers().contains_key(WWW_AUTHENTICATE);
        if is_refused || proves {
            let nonce = nonces.now(OffsetDateTime::now_utc());
            if let Ok(value) = HeaderValue::from_str(&nonce) {
                response.headers_mut().insert(DPOP_NONCE, value);
            }
        }
        if response.status() == StatusCode::UNAUTHORIZED && !proves {
            // Who did not know learns that it can do without a certificate.
            let challenge = challenge("dpop.offer");
            response.headers_mut().append(WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

/// How to authenticate, after this check failed: <https://www.rfc-editor.org/rfc/rfc9449#section-7.1> and
/// <https://www.rfc-editor.org/rfc/rfc6750#section-3>.
pub(crate) fn challenge(check: &str) -> HeaderValue {
    let error = match check {
        "dpop.offer" => "",
        "dpop.nonce" => "error=\"use_dpop_nonce\", ",
        check if check.starts_with("dpop.") => "error=\"invalid_dpop_proof\", ",
        _ => return HeaderValue::from_static("Bearer"),
    };
    let text = format!("DPoP {error}algs=\"{}\"", Algorithm::asymmetric().join(" "));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("DPoP"))
}

/// What the connection and the headers show of who asks. A token in the URL would end up in logs: it is not read.
///
/// # Errors
/// `authorization` where there is more than one such header; `envelope` where there is more than one of those.
pub(crate) fn credentials(
    check: &'static str,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Credentials, Refusal> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let shown = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(one), None) => scheme(one),
        (Some(_), Some(_)) => {
            return Err(Refusal::about_input(
                check,
                "there is more than one authorization header: send one",
            ));
        }
    };
    let (token, is_proven) = match shown {
        None => (None, false),
        Some((token, is_proven)) => (Some(token), is_proven),
    };
    Ok(Credentials {
        token,
        certificate: certificate(extensions),
        possession: is_proven.then(|| proofs(headers, extensions)),
        envelope: envelope(headers)?,
        trace: trace_id(),
    })
}

/// One that cannot be read is one that is wrong.
fn envelope(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let mut given = headers.get_all(ENVELOPE).iter();
    match (given.next(), given.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => Ok(Some(one.to_str().unwrap_or_default().to_owned())),
        (Some(_), Some(_)) => Err(Refusal::about_input(
            "envelope.header",
            "there is more than one twinlink-envelope header: send one",
        )),
    }
}

/// The client's certificate, DER.
pub(crate) fn certificate(extensions: &Extensions) -> Option<Vec<u8>> {
    let certificate = extensions.get::<PeerCertificate>();
    certificate.map(|PeerCertificate(der)| der.to_vec())
}

/// The proofs that came along, and what they must be of.
pub(crate) fn proofs(headers: &HeaderMap, extensions: &Extensions) -> Possession {
    let asked = extensions.get::<Asked>();
    let given = headers.get_all(DPOP).iter().take(PROOFS);
    Possession {
        proofs: given
            .map(|value| Secret::new(value.to_str().unwrap_or_default()))
            .collect(),
        method: asked.map(|asked| asked.method.clone()).unwrap_or_default(),
        url: asked.map(|asked| asked.url.clone()).unwrap_or_default(),
        proven: asked
            .map(|asked| Arc::clone(&asked.proven))
            .unwrap_or_default(),
    }
}

/// <https://www.rfc-editor.org/rfc/rfc6750#section-2.1> and <https://www.rfc-editor.org/rfc/rfc9449#section-7.1>: the
/// token, and whether it is to be proven; of another scheme there is no token, which trust then refuses.
fn scheme(value: &HeaderValue) -> Option<(Secret, bool)> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = Secret::new(token.trim());
    match () {
        () if scheme.eq_ignore_ascii_case("bearer") => Some((token, false)),
        () if scheme.eq_ignore_ascii_case("dpop") => Some((token, true)),
        () => None,
    }
}
