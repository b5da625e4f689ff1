//! SPARQL 1.1 Protocol: <https://www.w3.org/TR/sparql11-protocol/>.

use super::fault::Fault;
use super::lines;
use super::negotiate::{Accept, GRAPHS, RESULTS, not_acceptable};
use super::outcome::{self, told_explanation};
use super::parameters::{OF_SPARQL, Parameters};
use super::stream::{Carries, Delivery, deliver};
use super::{Door, body, credentials, description, options};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode};
use std::sync::Arc;
use twinlink_core::{ChangeRequest, Changed, Reply, admit_change, answer, change};
use uuid::Uuid;

const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// What a POST to the endpoint holds.
enum Operation {
    Query(String),
    Update(String),
}

/// `/sparql`: queries by GET and POST, updates by POST, and the service description.
pub(super) async fn handle(
    State(door): State<Arc<Door>>,
    request: Request,
) -> Result<Response, Fault> {
    match *request.method() {
        Method::GET | Method::HEAD => by_get(&door, request).await,
        Method::POST => by_post(&door, request).await,
        Method::OPTIONS => Ok(options(METHODS)),
        _ => Err(Fault::method(METHODS)),
    }
}

async fn by_get(door: &Door, request: Request) -> Result<Response, Fault> {
    let (head, _) = request.into_parts();
    let parameters = Parameters::decode(head.uri.query().unwrap_or_default())?;
    parameters.known(&OF_SPARQL)?;
    if parameters.has("update") {
        return Err(Fault::invalid(
            "http.parameters",
            "an update is sent by POST",
        ));
    }
    match parameters.one("query")? {
        Some(query) => run_query(door, &head, &parameters, query.to_owned()).await,
        None if parameters.is_empty() => description::respond(door, &head.headers),
        None => Err(Fault::invalid(
            "http.parameters",
            "the parameter `query` is missing",
        )),
    }
}

async fn by_post(door: &Door, request: Request) -> Result<Response, Fault> {
    let (head, payload) = request.into_parts();
    let mut parameters = Parameters::decode(head.uri.query().unwrap_or_default())?;
    parameters.known(&OF_SPARQL)?;
    let connector = &door.connector;
    let limit = connector.limits.query_bytes;
    let text = |limit| body::text(connector, &head, payload, limit);
    let operation = match body::essence(&head.headers)?.as_deref() {
        Some("application/sparql-query") => {
            none_of(&parameters, &["query", "update"])?;
            Operation::Query(text(limit).await?)
        }
        Some("application/sparql-update") => {
            none_of(&parameters, &["query", "update"])?;
            admit(door, &head, &parameters).await?;
            Operation::Update(text(limit).await?)
        }
        Some("application/x-www-form-urlencoded") => {
            // Percent-encoding makes a text up to three times as long; graph names come on top.
            let form = text(limit.saturating_mul(3).saturating_add(super::URL_BYTES)).await?;
            parameters = parameters.and(Parameters::decode(&form)?);
            parameters.known(&OF_SPARQL)?;
            match (parameters.one("query")?, parameters.one("update")?) {
                (Some(query), None) => Operation::Query(query.to_owned()),
                (None, Some(update)) => Operation::Update(update.to_owned()),
                _ => {
                    return Err(Fault::invalid(
                        "http.parameters",
                        "a form holds either `query` or `update`",
                    ));
                }
            }
        }
        other => {
            return Err(Fault::unsupported(format!(
                "the body is {}: taken are application/sparql-query, application/sparql-update and \
                 application/x-www-form-urlencoded",
                other.unwrap_or("of no stated type")
            )));
        }
    };
    match operation {
        Operation::Query(query) => run_query(door, &head, &parameters, query).await,
        Operation::Update(update) => run_update(door, &head, &parameters, update).await,
    }
}

async fn run_query(
    door: &Door,
    head: &Parts,
    parameters: &Parameters,
    query: String,
) -> Result<Response, Fault> {
    none_of(parameters, &["using-graph-uri", "using-named-graph-uri"])?;
    let stated = parameters.options()?;
    let accept = Accept::of(&head.headers);
    let is_any = accept.best(&RESULTS).is_some() || accept.best(&GRAPHS).is_some();
    if !is_any && !accept.takes_lines() {
        // Which of the two it would be shows only in the query, but none of either is asked for.
        let rows = RESULTS.iter().map(|offer| (offer.0, ()));
        let graphs = GRAPHS.iter().map(|offer| (offer.0, ()));
        let lines = std::iter::once((lines::MEDIA_TYPE, ()));
        let offers: Vec<_> = rows.chain(graphs).chain(lines).collect();
        return Err(not_acceptable(&offers));
    }
    let id = Uuid::now_v7();
    let request = twinlink_core::Request {
        id,
        query,
        digest: None,
        base: Some(door.endpoint()),
        dataset: parameters.dataset("default-graph-uri", "named-graph-uri")?,
        federated: stated.federated,
        left_out: Vec::new(),
        require: stated.require,
        explain: stated.explain,
        purpose: stated.purpose,
        break_glass: stated.break_glass,
        envelope: None,
        patience: stated.patience,
    };
    let credentials = credentials(&head.headers, &head.extensions)?;
    let reply = answer(&door.connector, &credentials, request)
        .await
        .map_err(Fault::of(id))?;
    if stated.explain.is_some() {
        return explain(reply).await;
    }
    let delivery = Delivery {
        accept,
        until: door.latest(),
        carries: Carries::of(head.version, &head.headers),
        empty_is_missing: false,
    };
    deliver(reply, delivery).await
}

/// How the answer is come by, and its outcome.
async fn explain(reply: Reply) -> Result<Response, Fault> {
    let id = reply.request();
    let outcome = reply.finish().await.map_err(Fault::of(id))?;
    let mut response = Json(told_explanation(&outcome)).into_response();
    let headers = response.headers_mut();
    headers.insert(outcome::REQUEST, outcome::request(id));
    headers.extend(outcome::fields(&outcome));
    Ok(response)
}

async fn run_update(
    door: &Door,
    head: &Parts,
    parameters: &Parameters,
    update: String,
) -> Result<Response, Fault> {
    none_of(parameters, &["default-graph-uri", "named-graph-uri"])?;
    let stated = parameters.options()?;
    if stated.federated
        || stated.break_glass.is_some()
        || !stated.require.is_nothing()
        || stated.explain.is_some()
    {
        return Err(Fault::invalid(
            "http.parameters",
            "an update changes this twin only, and breaks no glass: it is not federated, and requires no source",
        ));
    }
    let using = parameters.dataset("using-graph-uri", "using-named-graph-uri")?;
    let request = ChangeRequest {
        purpose: stated.purpose,
        patience: stated.patience,
        ..ChangeRequest::update(update, Some(door.endpoint()), using)
    };
    let credentials = credentials(&head.headers, &head.extensions)?;
    let changed = change(&door.connector, &credentials, request).await?;
    Ok(done(StatusCode::NO_CONTENT, changed))
}

/// Turns away before the body is read who may not change anything.
pub(super) async fn admit(door: &Door, head: &Parts, parameters: &Parameters) -> Result<(), Fault> {
    let credentials = credentials(&head.headers, &head.extensions)?;
    let purpose = parameters.options()?.purpose;
    Ok(admit_change(&door.connector, &credentials, purpose.as_ref()).await?)
}

/// A change is on disk.
pub(super) fn done(status: StatusCode, changed: Changed) -> Response {
    let applied = changed.applied;
    let number = |name, value: u64| (HeaderName::from_static(name), HeaderValue::from(value));
    let mut response = status.into_response();
    if applied.sequence > 0 {
        let (name, value) = number("twinlink-sequence", applied.sequence);
        response.headers_mut().insert(name, value);
    }
    let headers = response.headers_mut();
    headers.extend([
        number("twinlink-inserted", applied.inserted),
        number("twinlink-removed", applied.removed),
    ]);
    headers.insert(outcome::REQUEST, outcome::request(changed.request));
    outcome::receipt(headers, changed.receipt);
    response
}

fn none_of(parameters: &Parameters, names: &[&str]) -> Result<(), Fault> {
    match names.iter().find(|name| parameters.has(name)) {
        None => Ok(()),
        Some(name) => Err(Fault::invalid(
            "http.parameters",
            format_args!("`{name}` does not belong to this operation"),
        )),
    }
}
