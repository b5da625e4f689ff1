//! Apps without a certificate, and clients of the token endpoints.

mod clients;
mod proofs;
mod receipts;
mod signed;

use super::caller::Page;
use super::town::{Organisation, Permission};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use twinlink_core::Secret;
use twinlink_trust::{Authority, CurrentIdentity, Proof, ProofOf, SigningKey, Subject};

const ASK: &str = "/sparql?query=ASK%7B%7D";
const DESCRIBE: &str = "/twinlink.v1.Connector/Describe";
const TOKEN: &str = "/oauth/token";

/// An app: a key, and no certificate.
struct App {
    key: SigningKey,
    tls: rustls::ClientConfig,
}

/// How a request shows its token.
#[derive(Clone, Copy)]
enum Shown<'a> {
    Nothing,
    Bearer(&'a str),
    Proven(&'a str, &'a str),
    /// Only the proof: as at a token endpoint.
    Proof(&'a str),
}

impl App {
    fn new(of: &Organisation) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        let authority = of.path("identity/authority.pem");
        roots
            .add(CertificateDer::from_pem_file(authority).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            key: SigningKey::generate().unwrap(),
            tls,
        }
    }

    fn proof(
        &self,
        at: &Organisation,
        method: &str,
        path: &str,
        token: Option<&str>,
        nonce: &str,
    ) -> String {
        let token = token.map(Secret::new);
        let of = ProofOf {
            method,
            url: &format!("{}{path}", at.url()),
            token: token.as_ref(),
            nonces: None,
        };
        let nonce = (!nonce.is_empty()).then_some(nonce);
        let proof = Proof::make(&self.key, &of, nonce, OffsetDateTime::now_utc());
        proof.unwrap().reveal().to_owned()
    }

    /// Sends over HTTP/1.1, or HTTP/2 where the path is a call's.
    async fn send(&self, at: &Organisation, request: Request<Full<Bytes>>) -> Page {
        let is_call = request.uri().path() == DESCRIBE;
        let mut tls = self.tls.clone();
        let protocol: &[u8] = if is_call { b"h2" } else { b"http/1.1" };
        tls.alpn_protocols = vec![protocol.to_vec()];
        let tcp = TcpStream::connect(at.address()).await.unwrap();
        let stream = TlsConnector::from(Arc::new(tls))
            .connect("localhost".try_into().unwrap(), tcp)
            .await
            .unwrap();
        if is_call {
            let io = TokioIo::new(stream);
            let opened = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
            let (mut sender, connection) = opened.unwrap();
            tokio::spawn(connection);
            Page::read(sender.send_request(request).await.unwrap()).await
        } else {
            let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = opened.unwrap();
            tokio::spawn(connection);
            Page::read(sender.send_request(request).await.unwrap()).await
        }
    }

    async fn ask(&self, at: &Organisation, path: &str, shown: Shown<'_>) -> Page {
        let is_call = path == DESCRIBE;
        let mut request = Request::builder().uri(path).header("host", "localhost");
        if is_call {
            request = Request::builder()
                .uri(format!("{}{path}", at.url()))
                .header("content-type", "application/grpc")
                .header("te", "trailers");
        }
        request = match shown {
            Shown::Nothing => request,
            Shown::Bearer(token) => request.header("authorization", format!("Bearer {token}")),
            Shown::Proven(token, proof) => request
                .header("authorization", format!("DPoP {token}"))
                .header("dpop", proof),
            Shown::Proof(proof) => request.header("dpop", proof),
        };
        let (method, body) = match is_call {
            true => (Method::POST, Bytes::from_static(&[0; 5])),
            false => (Method::GET, Bytes::new()),
        };
        self.send(at, request.method(method).body(Full::new(body)).unwrap())
            .await
    }

    async fn form(
        &self,
        at: &Organisation,
        path: &str,
        form: &[(&str, &str)],
        shown: Shown<'_>,
    ) -> Page {
        let mut request = post(path, form);
        if let Shown::Proof(proof) = shown {
            request.headers_mut().insert("dpop", proof.parse().unwrap());
        }
        self.send(at, request).await
    }
}

fn post(path: &str, form: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(pairs.join("&").into()))
        .unwrap()
}

fn nonce(headers: &HeaderMap) -> String {
    headers["dpop-nonce"].to_str().unwrap().to_owned()
}

/// What a door said: answered, or its challenge.
fn said(page: &Page) -> &str {
    let refused = page.status == StatusCode::UNAUTHORIZED || page.header("grpc-status") == "16";
    match (refused, page.header("www-authenticate")) {
        (false, _) if page.status == StatusCode::OK && page.header("grpc-status").is_empty() => {
            "ok"
        }
        (false, _) => "another",
        (true, text) if text.contains("use_dpop_nonce") => "nonce",
        (true, text) if text.contains("invalid_dpop_proof") => "proof",
        (true, _) => "no",
    }
}

/// The city, whose apps may do without a certificate.
async fn city(more: &str) -> Organisation {
    let city = Organisation::new("city");
    city.permit("all", Permission::default());
    city.configure(&format!("[apps]\ndpop = true\n{more}"));
    city
}

/// An assertion by which a client authenticates.
fn assertion(key: &SigningKey, client: &str, at: &Organisation, id: &str) -> String {
    // A proof is a JWT by another name: the same library writes both, and only this test needs the other.
    twinlink_trust::Assertion {
        client,
        audience: at.id.as_str(),
        id,
    }
    .sign(key, OffsetDateTime::now_utc())
    .unwrap()
    .reveal()
    .to_owned()
}

fn json(page: &Page) -> Value {
    serde_json::from_str(&page.text).unwrap_or_else(|_| panic!("{page:?}"))
}
