//! Endpoints behind TLS: the authority that the file names, and nobody else, says whose they are.

use super::*;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::PrivateKeyDer;
use std::path::PathBuf;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;
use twinlink_trust::{Authority, Issued, Subject};

/// A folder with what an endpoint's file names: an authority, and a secret.
struct Folder {
    folder: TempDir,
    authority: Authority,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Older than the oldest certificate of these tests.
        let made = OffsetDateTime::now_utc() - time::Duration::days(30);
        let authority = Authority::create("endpoint", made).unwrap();
        fs::write(
            folder.path().join("authority.pem"),
            authority.certificate_pem(),
        )
        .unwrap();
        fs::write(folder.path().join("secret"), "hunter2").unwrap();
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An endpoint's file, whose certificate this authority is to vouch for.
    fn file(&self, port: u16, login: &str) -> ForeignFile {
        let authority = format!("authority = \"{}\"\n", self.path("authority.pem").display());
        let login = login.replace("SECRET", &self.path("secret").display().to_string());
        file(&url(port, "sparql"), &format!("{authority}{login}"))
    }
}

fn url(port: u16, path: &str) -> String {
    format!("https://localhost:{port}/{path}")
}

/// A certificate for a name, good for an hour from so many days ago.
fn certificate(authority: &Authority, host: &str, days: i64) -> Issued {
    let subject = Subject {
        participant: node("https://data.example/"),
        hosts: vec![host.to_owned()],
    };
    let made = OffsetDateTime::now_utc() - time::Duration::days(days);
    authority
        .issue(&subject, time::Duration::HOUR, made)
        .unwrap()
}

/// Serves behind this certificate for as long as the test runs.
async fn serve_tls(issued: &Issued, service: Router) -> u16 {
    let chain = CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes());
    let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.reveal().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, service) = (acceptor.clone(), service.clone());
            tokio::spawn(async move {
                // Who does not believe the certificate hangs up.
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = TowerToHyperService::new(service);
                let builder = Builder::new(TokioExecutor::new());
                // Ends with the client.
                drop(
                    builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await,
                );
            });
        }
    });
    port
}

const BEARER: &str = "[auth]\nkind = \"bearer\"\nsecret_file = \"SECRET\"";

#[tokio::test]
async fn an_endpoint_that_its_authority_vouches_for_is_asked() {
    let folder = Folder::new();
    let (service, seen) = recorded(|_, _| json(EMPTY));
    let issued = certificate(&folder.authority, "localhost", 0);
    let port = serve_tls(&issued, service).await;
    let answer = ask(folder.file(port, BEARER), ROWS).await.unwrap();
    assert_eq!(answer.status.state, SourceState::Complete);
    let seen = seen.lock().unwrap();
    let [(path, headers, form)] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(path, "/sparql");
    assert_eq!(headers["authorization"], "Bearer hunter2");
    assert_eq!(form, &format!("query={ROWS}"));
}

/// INVARIANT(vouched-or-not-asked)
#[tokio::test]
async fn vouched_or_not_asked() {
    let folder = Folder::new();
    let other = Folder::new();
    let own = &folder.authority;
    for (what, issued) in [
        ("another name", certificate(own, "data.example", 0)),
        (
            "another authority",
            certificate(&other.authority, "localhost", 0),
        ),
        ("expired", certificate(own, "localhost", 2)),
        ("not yet valid", certificate(own, "localhost", -2)),
    ] {
        let (service, seen) = recorded(|_, _| json(EMPTY));
        let port = serve_tls(&issued, service).await;
        let why = ask(folder.file(port, BEARER), ROWS).await.unwrap_err();
        assert!(
            matches!(why, Unanswered::Unreachable { .. }),
            "{what}: {why}"
        );
        assert!(!why.to_string().contains("hunter2"), "{what}: {why}");
        assert!(seen.lock().unwrap().is_empty(), "{what}");
    }

    // Where no authority is named, those that browsers trust are, and ours is none of them.
    let (service, seen) = recorded(|_, _| json(EMPTY));
    let port = serve_tls(&certificate(own, "localhost", 0), service).await;
    let public = file(&url(port, "sparql"), "");
    let why = ask(public, ROWS).await.unwrap_err();
    assert!(matches!(why, Unanswered::Unreachable { .. }), "{why}");
    assert!(seen.lock().unwrap().is_empty());

    // Where TLS is meant, nothing goes out without.
    let (plain, seen) = super::serve(|_, _| json(EMPTY)).await;
    let port = plain
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches("/sparql");
    let why = ask(folder.file(port.parse().unwrap(), BEARER), ROWS).await;
    let why = why.unwrap_err();
    assert!(matches!(why, Unanswered::Unreachable { .. }), "{why}");
    assert!(seen.lock().unwrap().is_empty());

    // And beyond this machine nothing is configured that would.
    let error = Foreign::new(vec![file("http://data.example/sparql", "")]).unwrap_err();
    assert!(
        error.to_string().contains("https://data.example/"),
        "{error}"
    );
}

/// A file that has its tokens at a port of their own.
fn credentials(folder: &Folder, port: u16, tokens: u16) -> ForeignFile {
    let login = format!(
        "[auth]\nkind = \"client-credentials\"\ntoken_url = \"{}\"\nclient_id = \"twinlink\"\nsecret_file = \"SECRET\"",
        url(tokens, "token")
    );
    folder.file(port, &login)
}

#[tokio::test]
async fn credentials_go_to_who_is_vouched_for_only() {
    let folder = Folder::new();
    let tokens = |_: &str, form: &str| {
        assert!(form.contains("grant_type=client_credentials"));
        let token =
            r#"{ "access_token": "of-the-hour", "token_type": "Bearer", "expires_in": 600 }"#;
        with(200, "application/json", token)
    };
    let (endpoint, asked) = recorded(|_, _| json(EMPTY));
    let good = certificate(&folder.authority, "localhost", 0);
    let port = serve_tls(&good, endpoint).await;

    let (service, seen) = recorded(tokens);
    let issuer = serve_tls(&good, service).await;
    let answer = ask(credentials(&folder, port, issuer), ROWS).await.unwrap();
    assert_eq!(answer.status.state, SourceState::Complete);
    {
        let (seen, asked) = (seen.lock().unwrap(), asked.lock().unwrap());
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].1["authorization"], "Basic dHdpbmxpbms6aHVudGVyMg==");
        assert_eq!(asked[0].1["authorization"], "Bearer of-the-hour");
    }

    // Somebody else at the address of the tokens gets no secret, and the endpoint no question.
    let (service, seen) = recorded(tokens);
    let stranger = certificate(&Folder::new().authority, "localhost", 0);
    let issuer = serve_tls(&stranger, service).await;
    let why = ask(credentials(&folder, port, issuer), ROWS)
        .await
        .unwrap_err();
    assert!(matches!(why, Unanswered::Unreachable { .. }), "{why}");
    assert!(!why.to_string().contains("hunter2"), "{why}");
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(asked.lock().unwrap().len(), 1);
}
