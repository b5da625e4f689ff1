//! Every door there is: each method of gRPC and each path of HTTP, shown a token of each kind that opens none.
//!
//! What there is is asked of the descriptors and of the router themselves: a door that is new is attacked, or missed.

use super::app::{self, Door};
use super::clients::{INTROSPECT, REVOKE, TOKEN};
use super::tokens::Forged;
use super::{PATIENCE, QUERY, Taken, fault, refused};
use crate::http::{SPARQL, percent_encoded};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::Runtime;
use tokio_rustls::rustls::ClientConfig;
use twinlink_proto::{Message as _, v1};
use twinlink_trust::{CurrentIdentity, Protocol};

type Cases = Vec<(String, Verdict)>;
type Expected = Vec<(usize, &'static str)>;
/// A kind, a token of it, and the check that refuses it.
type Shown<'a> = (&'static str, Option<&'a str>, &'static str);

/// Paths that tell nothing of the twin, and ask nobody who it is; nor does `/sparql` where it only describes itself.
const OPEN: [&str; 5] = [
    "/",
    "/health",
    "/ready",
    "/oauth/jwks",
    "/.well-known/oauth-authorization-server",
];

/// An organisation with a good certificate, and any request by either door.
pub(super) struct Peer {
    pub(super) runtime: Runtime,
    http: ClientConfig,
    grpc: ClientConfig,
    url: String,
    port: u16,
}

/// A request of HTTP.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// Shows each door a sample of what was forged, and nothing at all.
pub(super) fn attack(
    town: &Town,
    forged: &[Forged],
    cases: &mut Cases,
    expected: &mut Expected,
) -> Result<(), Fault> {
    let police = Peer::new(town, &town.police.identity)?;
    let sample = sample(town, forged)?;
    let mut show = |name: String, door: Door, ask: &Ask| {
        for (kind, token, check) in &sample {
            expected.push((cases.len(), check));
            let taken = police.send(door, ask, *token);
            cases.push((format!("{}: {name}: {kind}", door.name()), refused(taken)));
        }
    };
    let methods = twinlink_proto::methods().map_err(fault)?;
    for path in &methods {
        show(path.clone(), Door::Grpc, &Ask::call(path, message(path)));
    }
    let mut unknown = Vec::new();
    for path in twinlink::http::paths() {
        let asks = requests(path);
        for (what, ask) in &asks {
            show(format!("{} {path} {what}", ask.method), Door::Http, ask);
        }
        // Clients have attacks of their own.
        let is_known = OPEN.contains(&path) || [TOKEN, INTROSPECT, REVOKE].contains(&path);
        if asks.is_empty() != is_known {
            unknown.push(path);
        }
    }
    let verdict = match (unknown.is_empty(), methods.len()) {
        (true, 1..) => Verdict::Passed,
        _ => Verdict::Failed(format!("nobody attacks {unknown:?}")),
    };
    cases.push(("every door is attacked".to_owned(), verdict));
    Ok(())
}

/// One of each kind.
fn sample<'a>(town: &Town, forged: &'a [Forged]) -> Result<Vec<Shown<'a>>, Fault> {
    let other = town.rescue.identity.load();
    let start: String = other.thumbprint().chars().take(30).collect();
    let mut sample = vec![("no token", None, "token")];
    for (kind, name) in [
        (
            "a bad signature",
            "signature of another party's key".to_owned(),
        ),
        (
            "another connector's",
            "aud \"https://rescue.example/\"".to_owned(),
        ),
        ("one that is over", "expired two minutes ago".to_owned()),
        (
            "another certificate's",
            format!("cnf {{\"x5t#S256\":\"{start}"),
        ),
        ("not signed", "alg none without signature".to_owned()),
    ] {
        let found = forged.iter().find(|one| one.name.starts_with(&name));
        let found = found.ok_or_else(|| fault(format!("nobody forged `{name}`")))?;
        sample.push((kind, Some(found.token.as_str()), found.check));
    }
    Ok(sample)
}

/// All that a path is for; nothing where there is no way in to attack.
fn requests(path: &str) -> Vec<(&'static str, Ask)> {
    let (query, update) = (percent_encoded(QUERY), percent_encoded("CLEAR ALL"));
    let form = "application/x-www-form-urlencoded";
    match path {
        "/sparql" | "/sparql/" => vec![
            ("query", Ask::get(format!("{path}?query={query}"))),
            (
                "federated",
                Ask::get(format!("{path}?query={query}&federated=true")),
            ),
            (
                "query in a form",
                Ask::send("POST", path, form, format!("query={query}")),
            ),
            (
                "query as a text",
                Ask::send("POST", path, "application/sparql-query", QUERY),
            ),
            (
                "update in a form",
                Ask::send("POST", path, form, format!("update={update}")),
            ),
            (
                "update as a text",
                Ask::send("POST", path, "application/sparql-update", "CLEAR ALL"),
            ),
        ],
        "/data" | "/data/" | "/data/{*path}" => {
            let (name, graph) = match path.strip_suffix("{*path}") {
                Some(folder) => (format!("{folder}graph"), ""),
                None => (path.to_owned(), "?default"),
            };
            let at = format!("{name}{graph}");
            let turtle = |method| Ask::send(method, &at, "text/turtle", "<a:a> <a:b> <a:c> .");
            let mut all = vec![
                ("a graph", Ask::get(at.clone())),
                ("a graph", turtle("PUT")),
                ("a graph", turtle("POST")),
                ("a graph", Ask::send("DELETE", &at, "text/turtle", "")),
            ];
            if !graph.is_empty() {
                let new = Ask::send("POST", &name, "text/turtle", "<a:a> <a:b> <a:c> .");
                all.push(("a new graph", new));
            }
            all
        }
        "/receipts/{*request}" => {
            let path = "/receipts/00000000-0000-4000-8000-000000000000";
            vec![("a receipt", Ask::get(path.to_owned()))]
        }
        _ => Vec::new(),
    }
}

/// A message that nothing is wrong with, where an empty one is none.
fn message(path: &str) -> Bytes {
    let incident = "urn:uuid:00000000-0000-4000-8000-000000000000";
    let bytes = match path.rsplit('/').next().unwrap_or_default() {
        "Import" => {
            let head = v1::ImportHead {
                media_type: "text/turtle".to_owned(),
                ..v1::ImportHead::default()
            };
            let part = Some(v1::import_request::Part::Head(head));
            v1::ImportRequest { part }.encode_to_vec()
        }
        "DeclareIncident" => v1::DeclareIncidentRequest {
            ends: Some(SystemTime::UNIX_EPOCH.into()),
            ..v1::DeclareIncidentRequest::default()
        }
        .encode_to_vec(),
        "EndIncident" => v1::EndIncidentRequest {
            id: incident.to_owned(),
        }
        .encode_to_vec(),
        "FulfilObligation" => v1::FulfilObligationRequest {
            id: incident.trim_start_matches("urn:uuid:").to_owned(),
            ..v1::FulfilObligationRequest::default()
        }
        .encode_to_vec(),
        _ => Vec::new(),
    };
    bytes.into()
}

impl Ask {
    pub(super) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    fn send(method: &str, path: &str, kind: &str, body: impl Into<Bytes>) -> Self {
        Self {
            method: method.parse().unwrap_or_default(),
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
            ..Self::get(path.to_owned())
        }
    }

    /// A call of gRPC with one message: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
    pub(super) fn call(path: &str, message: Bytes) -> Self {
        let length = u32::try_from(message.len()).unwrap_or_default();
        let framed = [&[0], length.to_be_bytes().as_slice(), &message].concat();
        let mut call = Self::send("POST", path, "application/grpc", framed);
        call.headers.push(("te", "trailers".to_owned()));
        call
    }
}

impl Peer {
    pub(super) fn new(town: &Town, identity: &Arc<CurrentIdentity>) -> Result<Self, Fault> {
        let url = town.url();
        let uri: http::Uri = url.parse().map_err(fault)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Ok(Self {
            runtime: runtime.map_err(fault)?,
            http: town.tls(identity, Protocol::Http1)?,
            grpc: town.tls(identity, Protocol::Http2)?,
            port: uri.port_u16().unwrap_or(443),
            url,
        })
    }

    /// The endpoint of queries, as the connector names it.
    pub(super) fn endpoint(&self) -> String {
        format!("{}{SPARQL}", self.url)
    }

    pub(super) fn send(&self, door: Door, ask: &Ask, token: Option<&str>) -> Taken {
        match self.runtime.block_on(self.answer(door, ask, token)) {
            Ok(taken) => taken,
            Err(error) => Taken::Closed(error.to_string()),
        }
    }

    pub(super) async fn answer(
        &self,
        door: Door,
        ask: &Ask,
        token: Option<&str>,
    ) -> Result<Taken, Fault> {
        let (tls, root) = match door {
            Door::Http => (&self.http, ""),
            Door::Grpc => (&self.grpc, self.url.as_str()),
        };
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(format!("{root}{}", ask.path));
        if door == Door::Http {
            request = request.header("host", format!("localhost:{}", self.port));
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(ask.body.clone())).map_err(fault)?;
        let exchanged = app::exchange((tls, self.port), door, request);
        let answer = tokio::time::timeout(PATIENCE, exchanged).await;
        Ok(app::taken(door, answer.map_err(fault)??))
    }
}
