//! A server that says what a script tells it to.

use futures::stream::{self, BoxStream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use twinlink_proto::v1::{
    self, connector_server::ConnectorServer, head, import_request, query_response::Part, term,
};

/// What a server will do.
pub(crate) struct Script {
    answer: Vec<Result<Part, Status>>,
    silent: bool,
    description: v1::DescribeResponse,
}

impl Script {
    pub(crate) fn answering(answer: Vec<Result<Part, Status>>) -> Self {
        Self {
            answer,
            silent: false,
            description: v1::DescribeResponse::default(),
        }
    }

    pub(crate) fn describing(mut self, description: v1::DescribeResponse) -> Self {
        self.description = description;
        self
    }

    /// After the last message of an answer the stream stays open.
    pub(crate) fn then_silent(mut self) -> Self {
        self.silent = true;
        self
    }
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    port: u16,
    certificate: CertificateDer<'static>,
    calls: mpsc::UnboundedReceiver<MetadataMap>,
    imports: mpsc::UnboundedReceiver<bool>,
}

impl Server {
    pub(crate) async fn start(script: Script) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap()
            .der()
            .clone();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], private)
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (call, calls) = mpsc::unbounded_channel();
        let (import, imports) = mpsc::unbounded_channel();
        let fake = Fake {
            script: Arc::new(script),
            call,
            import,
        };
        let router = tonic::service::Routes::new(ConnectorServer::new(fake)).into_axum_router();
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let (acceptor, router) = (acceptor.clone(), router.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(tcp).await {
                        // A client that goes away in the middle is part of the tests.
                        drop(
                            Builder::new(TokioExecutor::new())
                                .serve_connection(
                                    TokioIo::new(stream),
                                    TowerToHyperService::new(router),
                                )
                                .await,
                        );
                    }
                });
            }
        });
        Self {
            port,
            certificate,
            calls,
            imports,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Trusts this server alone.
    pub(crate) fn client_tls(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        Arc::new(
            rustls::ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        )
    }

    /// The metadata of the next query.
    pub(crate) async fn next_call(&mut self) -> MetadataMap {
        self.calls.recv().await.unwrap()
    }

    /// Whether the next import came with its end, and that with the right count.
    pub(crate) async fn next_import(&mut self) -> bool {
        self.imports.recv().await.unwrap()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

struct Fake {
    script: Arc<Script>,
    call: mpsc::UnboundedSender<MetadataMap>,
    import: mpsc::UnboundedSender<bool>,
}

#[tonic::async_trait]
impl v1::connector_server::Connector for Fake {
    type QueryStream = BoxStream<'static, Result<v1::QueryResponse, Status>>;

    async fn query(
        &self,
        request: Request<v1::QueryRequest>,
    ) -> Result<Response<Self::QueryStream>, Status> {
        self.call.send(request.metadata().clone()).ok();
        let parts = self.script.answer.clone().into_iter();
        let messages =
            stream::iter(parts.map(|part| part.map(|part| v1::QueryResponse { part: Some(part) })));
        Ok(Response::new(if self.script.silent {
            messages.chain(stream::pending()).boxed()
        } else {
            messages.boxed()
        }))
    }

    async fn import(
        &self,
        request: Request<Streaming<v1::ImportRequest>>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        let (mut stream, mut bytes) = (request.into_inner(), 0);
        let mut end = End(self.import.clone(), false);
        // A stream that the client resets ends like one that it closes, or the call is dropped.
        while let Some(message) = stream.message().await? {
            match message.part {
                Some(import_request::Part::Chunk(chunk)) => bytes += chunk.len() as u64,
                Some(import_request::Part::End(last)) => end.1 = last.bytes == bytes,
                _ => {}
            }
        }
        Ok(Response::new(v1::ImportResponse {
            inserted: bytes,
            removed: 0,
            sequence: 1,
            ..v1::ImportResponse::default()
        }))
    }

    /// As a connector of an older version.
    async fn summarize(
        &self,
        _: Request<v1::SummarizeRequest>,
    ) -> Result<Response<v1::SummarizeResponse>, Status> {
        Err(Status::unimplemented("summarize"))
    }

    async fn describe(
        &self,
        _: Request<v1::DescribeRequest>,
    ) -> Result<Response<v1::DescribeResponse>, Status> {
        Ok(Response::new(self.script.description.clone()))
    }
}

/// Tells at its end whether an import was whole.
struct End(mpsc::UnboundedSender<bool>, bool);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send(self.1).ok();
    }
}

pub(crate) fn variables(names: &[&str]) -> Part {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Part::Head(v1::Head {
        kind: Some(head::Kind::Variables(v1::Variables { names })),
    })
}

pub(crate) fn boolean(value: bool) -> Part {
    Part::Head(v1::Head {
        kind: Some(head::Kind::Boolean(value)),
    })
}

/// One row of one value for each text, all of source 0.
pub(crate) fn batch(texts: &[&str]) -> Part {
    let literal = |text: &&str| v1::Term {
        kind: Some(term::Kind::Literal(v1::Literal {
            value: (*text).to_owned(),
            ..v1::Literal::default()
        })),
    };
    let count = u32::try_from(texts.len()).unwrap();
    Part::Batch(v1::Batch {
        terms: texts.iter().map(literal).collect(),
        values: (1..=count).collect(),
        rows: count,
        source_sets: vec![v1::SourceSet { sources: vec![0] }],
        row_sources: vec![],
    })
}

pub(crate) fn outcome(rows: u64) -> Part {
    Part::Outcome(v1::Outcome {
        sources: vec![v1::SourceStatus {
            participant: "https://city.example/".to_owned(),
            state: v1::SourceState::Complete.into(),
            rows,
            ..v1::SourceStatus::default()
        }],
        rows,
        complete: true,
        ..v1::Outcome::default()
    })
}
