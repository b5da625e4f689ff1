//! The HTTP door: SPARQL 1.1 Protocol, Graph Store Protocol and Service Description on the one way of requests.

mod body;
mod description;
mod fault;
mod graph_store;
mod lines;
mod negotiate;
pub(crate) mod oauth;
mod outcome;
mod parameters;
mod protocol;
mod receipts;
mod stream;
mod writer;

pub(crate) use outcome::told;

use crate::readiness::Readiness;
use crate::shown;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use axum::{Json, Router};
use fault::Fault;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{Extensions, HeaderMap, Method, StatusCode};
use oauth::AuthorizationServer;
use std::any::Any;
use std::sync::Arc;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use twinlink_core::{Code, Connector, Credentials, Refusal};

/// What the door must know besides the connector.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How others reach us: an absolute URL without a slash at its end. Names the endpoints and the graphs below `/data`.
    pub public_url: String,
    /// What `/ready` says.
    pub ready: Arc<Readiness>,
}

/// The longest URL taken, in bytes. A longer query goes by POST.
const URL_BYTES: usize = 32 * 1024;

/// What is said of a body that did not come in time.
pub(crate) const TOO_SLOW: &str = "the body came too slowly";

/// What every handler needs.
#[derive(Debug)]
struct Door {
    connector: Arc<Connector>,
    settings: HttpSettings,
    server: Option<AuthorizationServer>,
}

/// The routes of the HTTP door.
///
/// `/sparql` is the endpoint of queries and updates, `/data` the graph store, `/receipts/ID` has the receipt of a request,
/// `/health` says that the process lives, `/ready` that it serves. Any other path is not found.
pub fn router(connector: Arc<Connector>, settings: HttpSettings) -> Router {
    routes(connector, settings, None)
}

/// As [`router`], with the token endpoints of an authorization server.
pub(crate) fn routes(
    connector: Arc<Connector>,
    settings: HttpSettings,
    server: Option<AuthorizationServer>,
) -> Router {
    let door = Arc::new(Door {
        connector,
        settings,
        server,
    });
    table()
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| {
            router.route(path, handler)
        })
        .fallback(unknown)
        .with_state(door)
        // Our own limits are lower for texts and higher for RDF than the framework's one limit for all.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn(short_url))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(finished))
}

/// The paths of the HTTP door, as its router matches them: whoever tests them all forgets none.
pub fn paths() -> Vec<&'static str> {
    table().into_iter().map(|(path, _)| path).collect()
}

/// All there is behind the HTTP door.
fn table() -> [(&'static str, MethodRouter<Arc<Door>>); 14] {
    [
        ("/", any(about)),
        ("/health", any(health)),
        ("/ready", any(ready)),
        ("/sparql", any(protocol::handle)),
        ("/sparql/", any(protocol::handle)),
        ("/data", any(graph_store::handle)),
        ("/data/", any(graph_store::handle)),
        ("/data/{*path}", any(graph_store::handle)),
        (receipts::PATH, any(receipts::handle)),
        (
            oauth::TOKEN,
            any(|State(door), request| oauth::token(door, request)),
        ),
        (
            oauth::INTROSPECT,
            any(|State(door), request| oauth::introspect(door, request)),
        ),
        (
            oauth::REVOKE,
            any(|State(door), request| oauth::revoke(door, request)),
        ),
        (
            oauth::JWKS,
            any(|State(door), request| oauth::jwks(door, request)),
        ),
        (
            oauth::METADATA,
            any(|State(door), request| oauth::metadata(door, request)),
        ),
    ]
}

impl HttpSettings {
    /// Settings of a door that is ready at once.
    pub fn new(public_url: impl Into<String>) -> Self {
        let public_url: String = public_url.into();
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            ready: Arc::default(),
        }
    }
}

impl Door {
    /// The absolute URL of a path.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.public_url)
    }

    /// The authorization server; without one its paths are not found.
    fn server(&self) -> Result<&AuthorizationServer, Fault> {
        let none = || Refusal::new(Code::NotFound, "http.path", "there is no such path").into();
        self.server.as_ref().ok_or_else(none)
    }

    /// When an answer that begins to leave now must be out.
    fn latest(&self) -> Instant {
        self.connector.clock.instant() + self.connector.limits.deadline
    }

    /// The SPARQL endpoint: also the base of relative IRIs in queries and updates.
    fn endpoint(&self) -> String {
        self.url("/sparql")
    }
}

/// What the request shows of who asks.
fn credentials(headers: &HeaderMap, extensions: &Extensions) -> Result<Credentials, Fault> {
    Ok(shown::credentials(
        "http.authorization",
        headers,
        extensions,
    )?)
}

/// The answer to OPTIONS.
fn options(allow: &'static str) -> Response {
    (StatusCode::NO_CONTENT, [(ALLOW, allow)]).into_response()
}

async fn about(State(door): State<Arc<Door>>, method: Method) -> Result<Response, Fault> {
    reading_only(&method)?;
    Ok(Json(serde_json::json!({
        "connector": "Twinlink",
        "version": env!("CARGO_PKG_VERSION"),
        "participant": door.connector.participant.as_str(),
        "sparql": door.endpoint(),
        "data": door.url("/data"),
        "health": door.url("/health"),
        "ready": door.url("/ready"),
    }))
    .into_response())
}

async fn health(method: Method) -> Result<&'static str, Fault> {
    reading_only(&method)?;
    Ok("ok")
}

async fn ready(State(door): State<Arc<Door>>, method: Method) -> Result<&'static str, Fault> {
    reading_only(&method)?;
    let lacking = door.settings.ready.lacking().await;
    if lacking.is_empty() {
        return Ok("ready");
    }
    let detail = format!("not ready: {}", lacking.join(", "));
    Err(Refusal::new(Code::Unavailable, "ready", detail)
        .open()
        .into())
}

fn reading_only(method: &Method) -> Result<(), Fault> {
    if matches!(*method, Method::GET | Method::HEAD) {
        Ok(())
    } else {
        Err(Fault::method("GET, HEAD"))
    }
}

/// The answer to a body that did not come in time.
pub(crate) fn too_slow() -> Response {
    Fault::too_slow().into_response()
}

async fn unknown() -> Fault {
    Refusal::new(Code::NotFound, "http.path", "there is no such path").into()
}

async fn short_url(request: Request, next: Next) -> Result<Response, Fault> {
    let length = request
        .uri()
        .path_and_query()
        .map_or(0, |path| path.as_str().len());
    if length > URL_BYTES {
        return Err(Fault::turned_away(
            StatusCode::URI_TOO_LONG,
            "http.url",
            format!("the URL has {length} bytes, the limit is {URL_BYTES}: send the query by POST"),
        ));
    }
    Ok(next.run(request).await)
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler of the HTTP door panicked");
    Fault::from(Refusal::new(Code::Internal, "http", "a handler panicked")).into_response()
}

/// Answers depend on who asks: no cache may keep them.
async fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;
