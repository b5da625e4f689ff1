//! `/receipts/ID`: the receipt of a request, for clients that cannot read it in a trailer, or whose connection broke.

use super::fault::Fault;
use super::{Door, credentials};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::Method;
use http::header::CONTENT_TYPE;
use std::sync::Arc;
use twinlink_core::receipt;
use uuid::Uuid;

/// Where they are.
pub(super) const PATH: &str = "/receipts/{*request}";

/// The request's id is in the head of its answer, as `Twinlink-Request`.
pub(super) async fn handle(
    State(door): State<Arc<Door>>,
    request: Request,
) -> Result<Response, Fault> {
    if request.method() != Method::GET {
        return Err(Fault::method("GET"));
    }
    let id = request.uri().path().rsplit('/').next().unwrap_or_default();
    let id = Uuid::try_parse(id)
        .map_err(|_| Fault::invalid("http.receipt", "the path is not `/receipts/` and a UUID"))?;
    let credentials = credentials(request.headers(), request.extensions())?;
    let receipt = receipt(&door.connector, &credentials, id).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=us-ascii")], receipt).into_response())
}
