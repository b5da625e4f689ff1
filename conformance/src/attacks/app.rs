//! An app without a certificate: its key, its token, and both doors as it sees them.

use super::{Forger, PATIENCE, QUERY, Taken, fault};
use crate::http::{SPARQL, percent_encoded};
use crate::library::Fault;
use crate::report::Verdict;
use crate::town::Town;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use twinlink_proto::{Message as _, v1};
use twinlink_trust::{Binding, TokenIssuer, TokenRequest};
use twinlink_vocab::tl;
use uuid::Uuid;

const CALL: &str = "/twinlink.v1.Connector/Query";

/// The doors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Http,
    Grpc,
}

/// An app of the city, and the means to lie in its proofs.
pub(super) struct App {
    pub(super) runtime: Runtime,
    tls: ClientConfig,
    url: String,
    pub(super) port: u16,
    pub(super) key: Forger,
    thumbprint: String,
    /// Bound to its key.
    pub(super) token: String,
}

/// What is shown with a request.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) authorization: String,
    pub(super) proofs: Vec<String>,
    /// The request as the app signed it.
    pub(super) envelope: Option<String>,
}

impl Door {
    pub(super) const BOTH: [Self; 2] = [Self::Grpc, Self::Http];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Grpc => "gRPC",
        }
    }

    pub(super) fn method(self) -> &'static str {
        match self {
            Self::Http => "GET",
            Self::Grpc => "POST",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Http => SPARQL,
            Self::Grpc => CALL,
        }
    }
}

impl App {
    pub(super) fn new(town: &Town) -> Result<Self, Fault> {
        let identity = super::Organisation::new("https://app.example/")?
            .identity
            .load();
        let mut roots = RootCertStore::empty();
        let pem = town.city.authority.certificate_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(fault)?)
            .map_err(fault)?;
        let tls =
            ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(fault)?
                .with_root_certificates(roots)
                .with_no_client_auth();
        let url = town.url();
        let uri: http::Uri = url.parse().map_err(fault)?;
        let thumbprint = identity.key().public().thumbprint();
        let request = TokenRequest {
            claims: BTreeMap::new(),
            subject: "app".to_owned(),
            client_id: "app".to_owned(),
            audience: town.city.id.clone(),
            roles: vec![tl::STEWARD.into_owned()],
            purpose: None,
            thumbprint: String::new(),
            lifetime: std::time::Duration::from_secs(900),
            agreement: None,
            request: None,
        };
        let issuer = TokenIssuer::new(Arc::clone(&town.city.identity));
        let binding = Binding::Key(&thumbprint);
        let token = issuer
            .issue_bound(&request, binding, OffsetDateTime::now_utc())
            .map_err(fault)?;
        Ok(Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(fault)?,
            tls,
            port: uri.port_u16().unwrap_or(443),
            url,
            key: Forger::new(&identity)?,
            thumbprint,
            token: token.reveal().to_owned(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// A nonce that the doors gave out.
    pub(super) fn nonce(&self) -> Result<String, Fault> {
        let shown = self.nothing();
        let (_, headers, _) = self.send(Door::Http, &shown)?;
        let nonce = headers
            .get("dpop-nonce")
            .and_then(|nonce| nonce.to_str().ok());
        nonce
            .map(str::to_owned)
            .ok_or_else(|| fault("no nonce was given out"))
    }

    pub(super) fn nothing(&self) -> Shown {
        Shown {
            authorization: String::new(),
            proofs: Vec::new(),
            envelope: None,
        }
    }

    pub(super) fn proven(&self, proof: String) -> Shown {
        Shown {
            authorization: format!("DPoP {}", self.token),
            proofs: vec![proof],
            envelope: None,
        }
    }

    pub(super) fn header(&self) -> Value {
        let jwk: Value = serde_json::from_str(&self.key.jwk).unwrap_or_default();
        // As public as it gets: no member but those of the point.
        let member = |name: &str| jwk.get(name).cloned().unwrap_or_default();
        let jwk =
            json!({"kty": member("kty"), "crv": member("crv"), "x": member("x"), "y": member("y")});
        json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk})
    }

    /// The claims of a good proof.
    pub(super) fn claims(&self, door: Door, nonce: &str) -> Value {
        self.claims_of(door.method(), door.path(), nonce, Some(&self.token))
    }

    pub(super) fn claims_of(
        &self,
        method: &str,
        path: &str,
        nonce: &str,
        token: Option<&str>,
    ) -> Value {
        let mut claims = json!({"jti": Uuid::new_v4().to_string(), "htm": method,
            "htu": format!("{}{path}", self.url), "iat": OffsetDateTime::now_utc().unix_timestamp(),
            "nonce": nonce});
        if let (Some(token), Some(members)) = (token, claims.as_object_mut()) {
            let ath = URL_SAFE_NO_PAD.encode(Sha256::digest(token));
            members.insert("ath".to_owned(), ath.into());
        }
        claims
    }

    pub(super) fn proof(&self, header: &Value, claims: &Value) -> Result<String, Fault> {
        self.key.sign(&header.to_string(), &claims.to_string())
    }

    /// Asks by a door.
    pub(super) fn ask(&self, door: Door, shown: &Shown) -> Taken {
        match self.send(door, shown) {
            Ok(answer) => taken(door, answer),
            Err(error) => Taken::Closed(error.to_string()),
        }
    }

    /// Asks so many times at once: how many are answered.
    pub(super) fn ask_at_once(&self, door: Door, shown: &Shown, times: usize) -> usize {
        self.ask_all_at_once(door, &vec![shown.clone(); times])
    }

    /// Shows all of these at once: how many are answered.
    pub(super) fn ask_all_at_once(&self, door: Door, shown: &[Shown]) -> usize {
        let tries = shown
            .iter()
            .map(|shown| self.answer_at(self.port, door, shown));
        let answers = self.runtime.block_on(futures::future::join_all(tries));
        let is_answered = |answer| matches!(taken(door, answer), Taken::Answered);
        answers
            .into_iter()
            .flatten()
            .filter(|answer| is_answered(answer.clone()))
            .count()
    }

    pub(super) fn good(&self, name: &str) -> Vec<(String, Verdict)> {
        let cases = Door::BOTH.into_iter().map(|door| {
            let asked = self
                .nonce()
                .and_then(|nonce| self.proof(&self.header(), &self.claims(door, &nonce)));
            let verdict = match asked.map(|proof| self.ask(door, &self.proven(proof))) {
                Ok(Taken::Answered) => Verdict::Passed,
                other => Verdict::Failed(format!("not answered: {other:?}")),
            };
            (format!("{}: {name}", door.name()), verdict)
        });
        cases.collect()
    }

    fn send(&self, door: Door, shown: &Shown) -> Result<(StatusCode, HeaderMap, String), Fault> {
        self.runtime
            .block_on(self.answer_at(self.port, door, shown))
    }

    /// As it comes from who answers at a port under our one URL.
    pub(super) async fn answer_at(
        &self,
        port: u16,
        door: Door,
        shown: &Shown,
    ) -> Result<(StatusCode, HeaderMap, String), Fault> {
        let mut request = match door {
            Door::Http => Request::builder()
                .uri(format!("{SPARQL}?query={}", percent_encoded(QUERY)))
                .header("host", format!("localhost:{}", self.port)),
            Door::Grpc => Request::builder()
                .method(Method::POST)
                .uri(format!("{}{CALL}", self.url))
                .header("content-type", "application/grpc")
                .header("te", "trailers"),
        };
        if !shown.authorization.is_empty() {
            request = request.header("authorization", &shown.authorization);
        }
        for proof in &shown.proofs {
            request = request.header("dpop", proof);
        }
        let body = match door {
            Door::Http => Bytes::new(),
            Door::Grpc => message(shown.envelope.as_deref().unwrap_or_default()),
        };
        if let (Door::Http, Some(envelope)) = (door, &shown.envelope) {
            request = request.header("twinlink-envelope", envelope);
        }
        let request = request.body(Full::new(body)).map_err(fault)?;
        tokio::time::timeout(PATIENCE, exchange((&self.tls, port), door, request))
            .await
            .map_err(fault)?
    }

    /// Posts a form.
    pub(super) fn post(
        &self,
        path: &str,
        form: &str,
        proof: Option<&str>,
    ) -> Result<(StatusCode, HeaderMap, String), Fault> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", format!("localhost:{}", self.port))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        let request = request
            .body(Full::new(form.to_owned().into()))
            .map_err(fault)?;
        self.runtime.block_on(async {
            tokio::time::timeout(
                PATIENCE,
                exchange((&self.tls, self.port), Door::Http, request),
            )
            .await
            .map_err(fault)?
        })
    }
}

/// Sends a request over a connection of its own.
pub(super) async fn exchange(
    (tls, port): (&ClientConfig, u16),
    door: Door,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, HeaderMap, String), Fault> {
    let mut tls = tls.clone();
    let protocol: &[u8] = match door {
        Door::Http => b"http/1.1",
        Door::Grpc => b"h2",
    };
    tls.alpn_protocols = vec![protocol.to_vec()];
    let tcp = TcpStream::connect(("localhost", port))
        .await
        .map_err(fault)?;
    let name = "localhost".try_into().map_err(fault)?;
    let tls = TlsConnector::from(Arc::new(tls)).connect(name, tcp).await;
    let io = TokioIo::new(tls.map_err(fault)?);
    let response = match door {
        Door::Http => {
            let opened = hyper::client::conn::http1::handshake(io).await;
            let (mut sender, connection) = opened.map_err(fault)?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Door::Grpc => {
            let opened = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
            let (mut sender, connection) = opened.map_err(fault)?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    let (head, body) = response.map_err(fault)?.into_parts();
    let body = body.collect().await.map_err(fault)?;
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    Ok((head.status, headers, text))
}

/// The question as a message of gRPC: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn message(envelope: &str) -> Bytes {
    let message = v1::QueryRequest {
        query: QUERY.to_owned(),
        envelope: envelope.to_owned(),
        ..v1::QueryRequest::default()
    };
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap_or_default();
    let mut bytes = vec![0];
    bytes.extend(length.to_be_bytes());
    bytes.extend(message);
    bytes.into()
}

pub(super) fn taken(door: Door, (status, headers, text): (StatusCode, HeaderMap, String)) -> Taken {
    let field = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let said = match door {
        Door::Http => (status == StatusCode::OK, status == StatusCode::UNAUTHORIZED),
        Door::Grpc => (field("grpc-status") == "0", field("grpc-status") == "16"),
    };
    match said {
        (true, _) => Taken::Answered,
        (_, true) => {
            let message = field("grpc-message").replace("%20", " ");
            Taken::Refused(format!("{} {message} {text}", field("www-authenticate")))
        }
        _ => Taken::Otherwise(format!("{status} {headers:?} {text}")),
    }
}
