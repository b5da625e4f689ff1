//! The authorization server of the own organisation: tokens for its clients, and what becomes of them.
//!
//! RFC 6749 with client credentials, RFC 8705 (clients by their certificate), RFC 7523 (by their signature), RFC 8693 (token
//! exchange), RFC 9449 (tokens bound to a key), RFC 7662 (introspection), RFC 7009 (revocation), RFC 8414 (metadata). Who is
//! no configured client gets nothing.

mod clients;
mod fault;
mod grant;
mod inspect;

use super::fault::Fault as HttpFault;
use super::parameters::Parameters;
use super::{Door, body, reading_only};
use crate::shown;
use arc_swap::ArcSwap;
use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use clients::Authenticated;
use fault::Fault;
use http::header::{AUTHORIZATION, ETAG};
use http::request::Parts;
use http::{HeaderValue, Method};
use oxrdf::NamedNode;
use std::sync::Arc;
use time::OffsetDateTime;
use twinlink_core::{Connector, Possession, Refusal, Secret, UseRecord};
use twinlink_trust::{
    Algorithm, By, CurrentIdentity, Nonces, OnceStore, Proof, ProofOf, Registry, Revoked,
    TokenIssuer,
};
use twinlink_vocab::tl;

pub(crate) use clients::Clients;

/// The longest form, in bytes: three tokens, percent-encoded, and more.
const FORM: usize = 64 * 1024;

pub(super) const TOKEN: &str = "/oauth/token";
pub(super) const INTROSPECT: &str = "/oauth/introspect";
pub(super) const REVOKE: &str = "/oauth/revoke";
pub(super) const JWKS: &str = "/oauth/jwks";
pub(super) const METADATA: &str = "/.well-known/oauth-authorization-server";

/// What the token endpoints work with: shared with whoever verifies tokens.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationServer {
    /// What signs.
    pub(crate) identity: Arc<CurrentIdentity>,
    /// Whom we trust.
    pub(crate) registry: Arc<Registry>,
    /// What was taken back.
    pub(crate) revoked: Arc<Revoked>,
    /// The proofs and assertions that were used.
    pub(crate) used: Arc<OnceStore>,
    /// The nonces of proofs; none where no app may do without a certificate.
    pub(crate) nonces: Option<Arc<Nonces>>,
    /// Who may get what.
    pub(crate) clients: Arc<ArcSwap<Clients>>,
}

/// A request to one of the endpoints, read.
struct Asked {
    head: Parts,
    form: Parameters,
    /// The form as it came: what the digest of the record is of.
    text: String,
}

/// What a client holds, for the token to be bound to.
enum Holds {
    Certificate(String),
    Key(String),
}

impl AuthorizationServer {
    fn issuer(&self) -> TokenIssuer {
        TokenIssuer::new(Arc::clone(&self.identity))
    }

    /// What the request proves to hold: a key where it says so, or else its certificate. Takes the proof as used.
    fn holds(
        &self,
        possession: &Possession,
        client: &Authenticated,
        now: OffsetDateTime,
    ) -> Result<Holds, Refusal> {
        if possession.proofs.is_empty() {
            return client
                .thumbprint
                .clone()
                .map(Holds::Certificate)
                .ok_or_else(|| {
                    let detail = "a client without a certificate proves a key";
                    Refusal::new(twinlink_core::Code::Unauthenticated, "dpop.header", detail)
                });
        }
        let Some(nonces) = &self.nonces else {
            let detail = "this connector takes no proofs of possession";
            return Err(Refusal::new(
                twinlink_core::Code::Unauthenticated,
                "dpop",
                detail,
            ));
        };
        let headers: Vec<&str> = possession.proofs.iter().map(Secret::reveal).collect();
        let of = ProofOf {
            method: &possession.method,
            url: &possession.url,
            token: None,
            nonces: Some(nonces),
        };
        let proof = Proof::verify(&headers, &of, now)?;
        let identity = self.identity.load();
        let by = By {
            organisation: identity.participant().as_str(),
            client: client.id(),
        };
        proof.use_once(by, &self.used, now)?;
        Ok(Holds::Key(proof.thumbprint))
    }
}

/// `/oauth/token`: <https://www.rfc-editor.org/rfc/rfc6749#section-3.2>.
pub(super) async fn token(door: Arc<Door>, request: Request) -> Result<Response, Fault> {
    let (server, asked) = read(&door, request).await?;
    grant::grant(&door, server, &asked).await
}

/// `/oauth/introspect`: <https://www.rfc-editor.org/rfc/rfc7662#section-2>.
pub(super) async fn introspect(door: Arc<Door>, request: Request) -> Result<Response, Fault> {
    let (server, asked) = read(&door, request).await?;
    inspect::introspect(&door, server, &asked).await
}

/// `/oauth/revoke`: <https://www.rfc-editor.org/rfc/rfc7009#section-2>.
pub(super) async fn revoke(door: Arc<Door>, request: Request) -> Result<Response, Fault> {
    let (server, asked) = read(&door, request).await?;
    inspect::revoke(&door, server, &asked).await
}

/// `/oauth/jwks`: the keys that our tokens are signed with, old and new while they are rotated:
/// <https://www.rfc-editor.org/rfc/rfc7517#section-5>.
pub(super) async fn jwks(door: Arc<Door>, request: Request) -> Result<Response, HttpFault> {
    reading_only(request.method())?;
    let server = door.server()?;
    let trusted = server.registry.current();
    let keys: Vec<serde_json::Value> = trusted
        .keys(trusted.own())
        .iter()
        .filter_map(|key| serde_json::from_str(&key.to_jwk()).ok())
        .collect();
    let mut response = Json(serde_json::json!({ "keys": keys })).into_response();
    // Changes when the keys do: whoever keeps them sees at once that they are the same.
    let ids: Vec<&str> = trusted
        .keys(trusted.own())
        .iter()
        .map(|key| key.id())
        .collect();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", ids.join("+"))) {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// `/.well-known/oauth-authorization-server`: <https://www.rfc-editor.org/rfc/rfc8414#section-2>.
pub(super) async fn metadata(door: Arc<Door>, request: Request) -> Result<Response, HttpFault> {
    reading_only(request.method())?;
    let server = door.server()?;
    let algorithms = Algorithm::asymmetric();
    let methods = ["tls_client_auth", "private_key_jwt"];
    let mut metadata = serde_json::json!({
        "issuer": door.connector.participant.as_str(),
        "token_endpoint": door.url(TOKEN),
        "introspection_endpoint": door.url(INTROSPECT),
        "revocation_endpoint": door.url(REVOKE),
        "jwks_uri": door.url(JWKS),
        "response_types_supported": [],
        "grant_types_supported": [grant::CLIENT_CREDENTIALS, grant::EXCHANGE],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "tls_client_certificate_bound_access_tokens": true,
    });
    if let (Some(_), Some(members)) = (&server.nonces, metadata.as_object_mut()) {
        members.insert(
            "dpop_signing_alg_values_supported".to_owned(),
            serde_json::json!(algorithms),
        );
    }
    Ok(Json(metadata).into_response())
}

/// Reads a form by POST: bounded, in time, each parameter once.
async fn read(door: &Door, request: Request) -> Result<(&AuthorizationServer, Asked), Fault> {
    let server = door.server()?;
    if request.method() != Method::POST {
        return Err(HttpFault::method("POST").into());
    }
    let (head, payload) = request.into_parts();
    let essence = body::essence(&head.headers)?;
    if essence.as_deref() != Some("application/x-www-form-urlencoded") {
        let detail = "the body is no form: application/x-www-form-urlencoded is taken";
        return Err(Fault::invalid(detail));
    }
    if head.headers.contains_key(AUTHORIZATION) {
        return Err(Fault::client(
            "clients authenticate by certificate or private_key_jwt",
        ));
    }
    let text = body::text(&door.connector, &head, payload, FORM).await?;
    let form = Parameters::decode(&text)?;
    Ok((server, Asked { head, form, text }))
}

impl Asked {
    fn possession(&self) -> Possession {
        shown::proofs(&self.head.headers, &self.head.extensions)
    }

    /// A parameter that must be there once.
    fn required(&self, name: &str) -> Result<&str, Refusal> {
        let found = self.optional(name)?;
        found.ok_or_else(|| about(format_args!("`{name}` is missing")))
    }

    /// A parameter that may be there once; one without a value counts as left out:
    /// <https://www.rfc-editor.org/rfc/rfc6749#section-3.2>.
    fn optional(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.form.one(name) {
            Ok(found) => Ok(found.filter(|value| !value.is_empty())),
            Err(_) => Err(about(format_args!("`{name}` is given more than once"))),
        }
    }

    /// A parameter that is an IRI.
    fn iri(&self, name: &str) -> Result<Option<NamedNode>, Refusal> {
        let iri =
            |text| NamedNode::new(text).map_err(|_| about(format_args!("`{name}` is no IRI")));
        self.optional(name)?.map(iri).transpose()
    }

    /// Does what was asked, on record.
    async fn serve<T>(
        &self,
        connector: &Connector,
        action: &NamedNode,
        work: impl FnOnce(&mut UseRecord) -> Result<T, Refusal>,
    ) -> Result<T, Fault> {
        Ok(twinlink_core::serve(connector, action, &self.text, work).await?)
    }
}

/// What is recorded as done.
fn action(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("{}{name}", tl::NAMESPACE))
}

fn about(detail: impl std::fmt::Display) -> Refusal {
    Refusal::about_input("oauth.request", detail)
}
