//! What an operator can follow a request by: the log, and the trace that goes with it from connector to connector.
//!
//! Neither holds a token, a query's text or a row: what is told of a request is its door, its operation, how it ended and
//! which check refused it.

mod context;
mod export;
mod flood;
mod followed;

use crate::config::LogFormat;
use crate::shown::Refused;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use oxrdf::NamedNode;
use std::error::Error as _;
use std::sync::Arc;
use tracing::Instrument as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use context::{Context, Place, current};
pub(crate) use context::{in_same_trace, trace_id, traceparent};
pub(crate) use export::Traces;
pub(crate) use flood::Flood;
use followed::Followed;

/// What the operations of the HTTP door are called.
const OPERATIONS: [&str; 12] = [
    "/sparql",
    "/data",
    "/receipts",
    "/health",
    "/ready",
    "/oauth/token",
    "/oauth/introspect",
    "/oauth/revoke",
    "/oauth/jwks",
    "/.well-known/oauth-authorization-server",
    "/twinlink.v1.",
    "/grpc.",
];

/// The variable of the environment that says how much is logged.
const LEVEL: &str = "TWINLINK_LOG";

/// Begins to log to standard error. How much says [`LEVEL`]. Gives what counts the lines that are left out.
pub(crate) fn log(format: LogFormat) -> Arc<Flood> {
    let asked = EnvFilter::try_from_env(LEVEL);
    let fault = asked.as_ref().err().map(ToString::to_string);
    let wanted = asked.unwrap_or_else(|_| "info".into());
    // INVARIANT(no-secret-in-logs): the libraries that see headers and bodies say no more than that something went wrong,
    // whatever level is asked for.
    let own = filter_fn(|metadata| {
        metadata.target().starts_with("twinlink") || *metadata.level() <= LevelFilter::INFO
    });
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let flood = Arc::new(Flood::default());
    let filter = own.and(flood::Few(Arc::clone(&flood)));
    registry()
        .with(wanted)
        .with(lines.with_filter(filter))
        .init();
    if let Some(fault) = fault.filter(|_| std::env::var_os(LEVEL).is_some()) {
        tracing::warn!(
            fault,
            "{LEVEL} is not understood: what is logged is of level info"
        );
    }
    flood
}

/// Follows a request: its place in the trace that it came with, or in a new one, is in the log, goes to the peers that are
/// asked for it, and to the collector where there is one.
pub(crate) async fn trace(State(traces): State<Traces>, request: Request, next: Next) -> Response {
    let operation = operation(request.uri().path());
    let came_with = Context::of(request.headers());
    let (context, span) = traces.begin(operation, came_with);
    let logged =
        tracing::info_span!("request", operation, trace = %context.trace(), span = %context.span());
    let work = Place { context, traces }.during(next.run(request));
    let response = work.instrument(logged.clone()).await;
    tracing::debug!(parent: &logged, status = response.status().as_u16(), "answered");
    let refused = refused(&response);
    if span.is_none() {
        return response;
    }
    let (head, body) = response.into_parts();
    let body = Body::new(Followed::new(body, span, &head, refused));
    Response::from_parts(head, body)
}

/// Asks a peer for the request that is being worked for: a step of its trace.
pub(crate) async fn asking<T, E>(
    peer: &NamedNode,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(Place { context, traces }) = current() else {
        return asked.await;
    };
    let (context, mut span) = traces.asks(peer, context);
    let answered = Place { context, traces }.during(asked).await;
    if answered.is_err() {
        span.fail("not answered");
    }
    span.end();
    answered
}

/// Which operation a path is of: of a bounded number, as it is told to others.
fn operation(path: &str) -> &'static str {
    let found = OPERATIONS.into_iter().find(|one| path.starts_with(one));
    found.unwrap_or("other")
}

/// The check that refused.
fn refused(response: &Response) -> Option<&'static str> {
    let extensions = response.extensions();
    if let Some(refused) = extensions.get::<Refused>() {
        return Some(refused.check);
    }
    let source = extensions.get::<tonic::Status>()?.source()?;
    source
        .downcast_ref::<Refused>()
        .map(|refused| refused.check)
}
