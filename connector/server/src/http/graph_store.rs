//! SPARQL 1.1 Graph Store HTTP Protocol: <https://www.w3.org/TR/sparql11-http-rdf-update/>.

use super::fault::Fault;
use super::negotiate::{Accept, GRAPHS, content_type};
use super::parameters::{OF_GRAPHS, Options, Parameters};
use super::protocol::{admit, done};
use super::stream::{Carries, Delivery, deliver};
use super::{Door, body, credentials, options, outcome};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use oxrdf::{GraphName, NamedNode};
use std::sync::Arc;
use twinlink_core::{
    Applied, Change, ChangeRequest, Changed, Code, Head, Operation, Refusal, Reply, answer, change,
    operation_digest,
};
use uuid::Uuid;

const METHODS: &str = "GET, HEAD, PUT, POST, DELETE, OPTIONS";

/// What a request is about.
enum Target {
    /// A graph of the store.
    Graph(GraphName),
    /// The store itself: to POST to it makes a graph with a new name.
    Store,
}

/// `/data?graph=IRI`, `/data?default`, and `/data/...` for a graph named by its own URL.
pub(super) async fn handle(
    State(door): State<Arc<Door>>,
    request: Request,
) -> Result<Response, Fault> {
    if request.method() == Method::OPTIONS {
        return Ok(options(METHODS));
    }
    let parameters = Parameters::decode(request.uri().query().unwrap_or_default())?;
    parameters.known(&OF_GRAPHS)?;
    let target = target(&door, request.uri(), &parameters)?;
    match (request.method(), target) {
        (&Method::GET, Target::Graph(graph)) => get(&door, request, &parameters, &graph).await,
        (&Method::HEAD, Target::Graph(graph)) => head(&door, request, &parameters, &graph).await,
        (&Method::PUT, Target::Graph(graph)) => put(&door, request, &parameters, graph).await,
        (&Method::POST, Target::Graph(graph)) => post(&door, request, &parameters, graph).await,
        (&Method::POST, Target::Store) => create(&door, request, &parameters).await,
        (&Method::DELETE, Target::Graph(graph)) => delete(&door, request, &parameters, graph).await,
        (&Method::GET | &Method::HEAD | &Method::PUT | &Method::DELETE, Target::Store) => {
            Err(Fault::invalid(
                "http.graph",
                "which graph is not said: add `?graph=IRI` or `?default`",
            ))
        }
        _ => Err(Fault::method(METHODS)),
    }
}

/// <https://www.w3.org/TR/sparql11-http-rdf-update/#graph-identification>.
fn target(door: &Door, uri: &Uri, parameters: &Parameters) -> Result<Target, Fault> {
    let indirect = (parameters.iri("graph")?, parameters.has("default"));
    let direct = !matches!(uri.path(), "/data" | "/data/");
    match (direct, indirect) {
        (true, (None, false)) => {
            let name = door.url(uri.path());
            NamedNode::new(name)
                .map(|name| Target::Graph(name.into()))
                .map_err(|error| {
                    Fault::invalid(
                        "http.graph",
                        format_args!("the URL is no graph's name: {error}"),
                    )
                })
        }
        (false, (Some(name), false)) => Ok(Target::Graph(name.into())),
        (false, (None, true)) => Ok(Target::Graph(GraphName::DefaultGraph)),
        (false, (None, false)) => Ok(Target::Store),
        _ => Err(Fault::invalid(
            "http.graph",
            "the request names more than one graph: its path, `graph` and `default` exclude each other",
        )),
    }
}

async fn get(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: &GraphName,
) -> Result<Response, Fault> {
    let (head, _) = request.into_parts();
    let accept = Accept::of(&head.headers);
    accept.choose(&GRAPHS)?;
    let query = match graph {
        GraphName::DefaultGraph => "CONSTRUCT WHERE { ?s ?p ?o }".to_owned(),
        named => format!("CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH {named} {{ ?s ?p ?o }} }}"),
    };
    let reply = ask(door, &head, parameters.options()?, query).await?;
    let delivery = Delivery {
        accept,
        until: door.latest(),
        carries: Carries::of(head.version, &head.headers),
        // The default graph always exists.
        empty_is_missing: *graph != GraphName::DefaultGraph,
    };
    deliver(reply, delivery).await
}

/// As GET says, without reading the graph.
async fn head(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: &GraphName,
) -> Result<Response, Fault> {
    let (head, _) = request.into_parts();
    let (media_type, _) = Accept::of(&head.headers).choose(&GRAPHS)?;
    let query = match graph {
        GraphName::DefaultGraph => "ASK {}".to_owned(),
        named => format!("ASK {{ GRAPH {named} {{ ?s ?p ?o }} }}"),
    };
    let reply = ask(door, &head, parameters.options()?, query).await?;
    let id = reply.request();
    let exists = *reply.head() == Head::Boolean(true);
    let outcome = reply.finish().await.map_err(Fault::of(id))?;
    if !exists {
        return Err(Fault::of(id)(missing()));
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.extend(outcome::fields(&outcome));
    headers.insert(outcome::REQUEST, outcome::request(id));
    headers.insert(CONTENT_TYPE, content_type(media_type));
    Ok(response)
}

async fn put(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: GraphName,
) -> Result<Response, Fault> {
    let (changed, _) = write(door, request, parameters, graph, "replace").await?;
    Ok(done(created_or_changed(&changed.applied), changed))
}

async fn post(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: GraphName,
) -> Result<Response, Fault> {
    let (changed, _) = write(door, request, parameters, graph, "insert").await?;
    Ok(done(created_or_changed(&changed.applied), changed))
}

/// <https://www.w3.org/TR/sparql11-http-rdf-update/#http-post>: a graph with a name of our making.
async fn create(door: &Door, request: Request, parameters: &Parameters) -> Result<Response, Fault> {
    let name = NamedNode::new(door.url(&format!("/data/{}", Uuid::new_v4())))
        .map_err(|error| Refusal::new(Code::Internal, "http.graph", error))?;
    let (changed, name) = write(door, request, parameters, name.into(), "create").await?;
    if changed.applied.inserted == 0 {
        return Err(Fault::invalid(
            "http.graph",
            "the body has no triples, and a graph without triples does not exist",
        ));
    }
    let mut response = done(StatusCode::CREATED, changed);
    if let GraphName::NamedNode(name) = name
        && let Ok(location) = HeaderValue::from_str(name.as_str())
    {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn delete(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: GraphName,
) -> Result<Response, Fault> {
    let (head, _) = request.into_parts();
    let is_default = graph == GraphName::DefaultGraph;
    let signed = Operation {
        kind: "clear",
        graph: name(&graph),
        ..Operation::default()
    };
    let digest = operation_digest(&signed);
    let changed = apply(door, &head, parameters, Change::Clear(graph), digest).await?;
    if changed.applied.removed == 0 && !is_default {
        return Err(missing().into());
    }
    Ok(done(StatusCode::NO_CONTENT, changed))
}

async fn write(
    door: &Door,
    request: Request,
    parameters: &Parameters,
    graph: GraphName,
    kind: &str,
) -> Result<(Changed, GraphName), Fault> {
    let (head, payload) = request.into_parts();
    admit(door, &head, parameters).await?;
    // <https://www.w3.org/TR/sparql11-http-rdf-update/#graph-identification>: relative IRIs start at the graph's own.
    let base = match &graph {
        GraphName::NamedNode(name) => name.as_str().to_owned(),
        _ => door.url("/data"),
    };
    let request = Request::from_parts(head.clone(), payload);
    let taken = body::quads(&door.connector, request, graph.clone(), base).await?;
    let signed = Operation {
        kind,
        // Of a graph that is about to get its name, nobody could sign that.
        graph: if kind == "create" { "" } else { name(&graph) },
        media_type: &taken.media_type,
        base: "",
        body: &taken.digest,
    };
    let digest = operation_digest(&signed);
    let write = match kind {
        "replace" => Change::Replace(graph.clone(), taken.quads),
        _ => Change::Insert(taken.quads),
    };
    Ok((apply(door, &head, parameters, write, digest).await?, graph))
}

fn name(graph: &GraphName) -> &str {
    match graph {
        GraphName::NamedNode(name) => name.as_str(),
        _ => "",
    }
}

async fn apply(
    door: &Door,
    head: &Parts,
    parameters: &Parameters,
    write: Change,
    digest: String,
) -> Result<Changed, Fault> {
    let stated = parameters.options()?;
    let credentials = credentials(&head.headers, &head.extensions)?;
    let request = ChangeRequest {
        purpose: stated.purpose,
        patience: stated.patience,
        ..ChangeRequest::new(write, digest)
    };
    Ok(change(&door.connector, &credentials, request).await?)
}

async fn ask(door: &Door, head: &Parts, stated: Options, query: String) -> Result<Reply, Fault> {
    let request = twinlink_core::Request {
        purpose: stated.purpose,
        break_glass: stated.break_glass,
        patience: stated.patience,
        ..twinlink_core::Request::new(query)
    };
    let id = request.id;
    let credentials = credentials(&head.headers, &head.extensions)?;
    answer(&door.connector, &credentials, request)
        .await
        .map_err(Fault::of(id))
}

/// A graph without triples does not exist: to write none creates none.
fn created_or_changed(applied: &Applied) -> StatusCode {
    if applied.created && applied.inserted > 0 {
        StatusCode::CREATED
    } else {
        StatusCode::NO_CONTENT
    }
}

/// The same whether there is no such graph or the caller sees nothing of it.
fn missing() -> Refusal {
    Refusal::new(Code::NotFound, "graph", "the caller sees no such graph")
}
