//! Requests at both doors, past the sockets: forms of the token endpoints, SPARQL over HTTP, the graph store, gRPC
//! messages. With and without a good certificate, token, proof and assertion. None is a fault of ours.
#![no_main]

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use twinlink::config::Config;
use twinlink::http::HttpSettings;
use twinlink::serve::PeerCertificate;
use twinlink::wire::{Node, runtime};
use twinlink_core::Secret;
use twinlink_fuzz::Signer;
use twinlink_policy::owner_policy;
use twinlink_trust::{
    Assertion, CurrentIdentity, Identity, Proof, ProofOf, SigningKey, TokenIssuer, TokenRequest,
};
use twinlink_vocab::tl;
use uuid::Uuid;

const CITY: &str = "https://city.example/";
const URL: &str = "https://localhost:7443";
const FORM: &str = "application/x-www-form-urlencoded";
const PLACES: [(&str, &str, &str); 14] = [
    ("POST", "/oauth/token", FORM),
    ("POST", "/oauth/introspect", FORM),
    ("POST", "/oauth/revoke", FORM),
    ("POST", "/sparql", FORM),
    ("POST", "/sparql", "application/sparql-query"),
    ("POST", "/sparql", "application/sparql-update"),
    ("POST", "/data?default", "text/turtle"),
    ("PUT", "/data?graph=http%3A%2F%2Fe%2Fg", "application/ld+json"),
    ("POST", "/data", "multipart/form-data; boundary=x"),
    ("POST", "/twinlink.v1.Connector/Query", GRPC),
    ("POST", "/twinlink.v1.Connector/Summarize", GRPC),
    ("POST", "/twinlink.v1.Connector/Import", GRPC),
    ("POST", "/twinlink.v1.Evidence/Acknowledge", GRPC),
    ("POST", "/twinlink.v1.Evidence/Witness", GRPC),
];
const GRPC: &str = "application/grpc";

struct World {
    runtime: Runtime,
    service: Router,
    identity: Arc<Identity>,
    /// Of a program without a certificate.
    app: SigningKey,
    token: Secret,
    nonce: String,
    _node: Node,
    _folder: TempDir,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let now = OffsetDateTime::now_utc();
    let signer = Signer::new(CITY, now);
    let app = SigningKey::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    furnish(folder.path(), &signer, &app);
    let identity = CurrentIdentity::new(signer.identity);
    let request = TokenRequest {
        claims: BTreeMap::new(),
        subject: "fuzzer".to_owned(),
        client_id: CITY.to_owned(),
        audience: signer.id,
        roles: vec![tl::STEWARD.into_owned()],
        purpose: None,
        thumbprint: identity.load().thumbprint().to_owned(),
        lifetime: Duration::from_secs(3600),
        agreement: None,
        request: None,
    };
    let token = TokenIssuer::new(Arc::clone(&identity)).issue(&request, now);
    let runtime = runtime().unwrap();
    let (node, service) = {
        let _inside = runtime.enter();
        let config = Config::load(&folder.path().join("twinlink.toml")).unwrap();
        let node = Node::open(config).unwrap();
        let service = node.service(HttpSettings::new(URL));
        (node, service)
    };
    // Who does not authenticate is told the nonce that proofs must have.
    let first = Request::post("/oauth/token").header("content-type", FORM);
    let first = first.body(Body::empty()).unwrap();
    let told = runtime.block_on(service.clone().oneshot(first)).unwrap();
    let nonce = told.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    World {
        runtime,
        service,
        identity: identity.load(),
        app,
        token: token.unwrap(),
        nonce,
        _node: node,
        _folder: folder,
    }
});

fn furnish(home: &Path, signer: &Signer, app: &SigningKey) {
    for name in ["identity", "policies", "peers", "clients"] {
        fs::create_dir(home.join(name)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(home.join(name), text).unwrap();
    let pem = pem(signer.identity.certificate());
    write("identity/certificate.pem", &pem);
    let key = signer.identity.key().to_pem().unwrap();
    twinlink_trust::write_private(&home.join("identity/key.pem"), key.reveal()).unwrap();
    write("identity/authority.pem", signer.authority.certificate_pem());
    let dataset = oxrdf::NamedNode::new_unchecked(format!("{CITY}twin"));
    write("policies/owner.ttl", &owner_policy(&signer.id, &dataset));
    let role = tl::STEWARD.as_str();
    write(
        "clients/app.toml",
        &format!(
            "id = \"app\"\nkeys = ['{}']\nroles = [\"{role}\"]\nexchange = true\nintrospect = true\n",
            app.public().to_jwk()
        ),
    );
    let config = format!(
        "version = 1\nparticipant = \"{CITY}\"\ndataset = \"{CITY}twin\"\nlisten = \"127.0.0.1:0\"\n\
         public_url = \"{URL}\"\n[identity]\ncertificate = \"identity/certificate.pem\"\n\
         key = \"identity/key.pem\"\nauthority = \"identity/authority.pem\"\n\
         [apps]\ndpop = true\n[limits]\ndeadline_seconds = 1\n"
    );
    write("twinlink.toml", &config);
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).collect();
    let body = lines.join(&b'\n');
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        String::from_utf8(body).unwrap()
    )
}

impl World {
    /// `%A` is a new assertion of the app, `%T` a good token: what makes up forms knows neither.
    fn fill(&self, text: &[u8], now: OffsetDateTime) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(text) else {
            return text.to_vec();
        };
        let id = Uuid::new_v4().to_string();
        let assertion = Assertion {
            client: "app",
            audience: CITY,
            id: &id,
        };
        let text = match text.contains("%A") {
            true => {
                let signed = assertion.sign(&self.app, now).unwrap();
                text.replace("%A", signed.reveal())
            }
            false => text.to_owned(),
        };
        text.replace("%T", self.token.reveal()).into_bytes()
    }

    fn request(&self, place: u8, shows: u8, rest: &[u8]) -> Request<Body> {
        let (method, path, kind) = PLACES[usize::from(place) % PLACES.len()];
        let now = OffsetDateTime::now_utc();
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("content-type", kind);
        if shows & 1 != 0 {
            let of = ProofOf {
                method,
                url: &format!("{URL}{path}"),
                token: None,
                nonces: None,
            };
            let proof = Proof::make(&self.app, &of, Some(&self.nonce), now).unwrap();
            request = request.header("dpop", proof.reveal());
        }
        if shows & 2 != 0 {
            request = request.header("authorization", format!("Bearer {}", self.token.reveal()));
        }
        if shows & 4 != 0 {
            let certificate = Arc::new(self.identity.certificate().to_vec());
            request = request.extension(PeerCertificate(certificate));
        }
        let body = match kind {
            FORM => self.fill(rest, now),
            GRPC => {
                let length = u32::try_from(rest.len()).unwrap();
                [&[0], length.to_be_bytes().as_slice(), rest].concat()
            }
            _ => rest.to_vec(),
        };
        request.body(Body::from(body)).unwrap()
    }
}

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let [place, shows, rest @ ..] = data else {
        return;
    };
    let request = world.request(*place, *shows, rest);
    world.runtime.block_on(async {
        let response = world.service.clone().oneshot(request).await.unwrap();
        let status = response.status();
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR);
        let grpc = |headers: &http::HeaderMap| {
            let status = headers.get("grpc-status").cloned();
            // <https://grpc.io/docs/guides/status-codes/>: INTERNAL.
            assert_ne!(status, Some(http::HeaderValue::from_static("13")));
        };
        grpc(response.headers());
        // An answer may break off: at its deadline, for one.
        if let Ok(whole) = response.into_body().collect().await {
            whole.trailers().inspect(|trailers| grpc(trailers));
        }
    });
});
