//! Requests that apps sign: what the signature is of is what is done.

use super::super::caller::PATIENCE;
use super::*;
use tokio::time::Instant;
use twinlink_client::{Error, ImportOptions};
use twinlink_core::{
    DatasetChoice, Operation, Signable, content_digest, operation_digest, request_digest,
};
use twinlink_trust::{RequestOf, sign_request, verify_receipt};

const PREFIX: &str = "https://city.example/graph/";

/// An app of a city where every request must be signed.
struct Signing {
    city: Organisation,
    app: App,
    token: String,
    nonce: String,
}

/// One request, without what shows who asks.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    query: &'a str,
    media_type: &'a str,
    body: &'a str,
}

impl Signing {
    async fn new() -> Self {
        let mut city = city("require_signed_requests = true\n").await;
        let modify = Permission {
            action: "modify",
            ..Permission::default()
        };
        city.permit("modify", modify);
        city.serve().await;
        let app = App::new(&city);
        let made = city
            .program()
            .args(["token", "--jkt", &app.key.public().thumbprint()])
            .output()
            .unwrap();
        let token = String::from_utf8(made.stdout).unwrap();
        let nonce = super::nonce(&app.ask(&city, ASK, Shown::Nothing).await.headers);
        Self {
            token: token.trim().to_owned(),
            city,
            app,
            nonce,
        }
    }

    fn sign(&self, signable: &Signable) -> String {
        let of = RequestOf {
            audience: &self.city.id,
            signable,
            purpose: None,
            token: &Secret::new(&self.token),
        };
        let signed = sign_request(&self.app.key, &of, OffsetDateTime::now_utc());
        signed.unwrap().1
    }

    async fn send(&self, asked: &Asked<'_>, signed: Option<&Signable>) -> StatusCode {
        let method = asked.method.as_str();
        let proof = self.app.proof(
            &self.city,
            method,
            asked.path,
            Some(&self.token),
            &self.nonce,
        );
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(format!("{}{}", asked.path, asked.query))
            .header("host", "localhost")
            .header("authorization", format!("DPoP {}", self.token))
            .header("dpop", proof);
        if !asked.media_type.is_empty() {
            request = request.header("content-type", asked.media_type);
        }
        if let Some(signable) = signed {
            request = request.header("twinlink-envelope", self.sign(signable));
        }
        let body = Full::new(Bytes::from(asked.body.to_owned()));
        self.app
            .send(&self.city, request.body(body).unwrap())
            .await
            .status
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_update_is_of_its_dataset_too() {
    let mut app = Signing::new().await;
    let update = "DELETE WHERE { ?s ?p ?o }";
    let base = format!("{}/sparql", app.city.url());
    let using = DatasetChoice {
        default_graphs: vec![oxrdf::NamedNode::new_unchecked(format!("{PREFIX}a"))],
        named_graphs: Vec::new(),
    };
    let plain = Signable::new(request_digest(update, Some(&base), None));
    let of_graph = Signable::new(request_digest(update, Some(&base), Some(&using)));
    let asked = |query| Asked {
        method: Method::POST,
        path: "/sparql",
        query,
        media_type: "application/sparql-update",
        body: update,
    };
    let query = format!("?using-graph-uri={PREFIX}a");
    for (query, signed, expected) in [
        ("", &plain, StatusCode::NO_CONTENT),
        (&query, &of_graph, StatusCode::NO_CONTENT),
        (&query, &plain, StatusCode::UNAUTHORIZED),
        ("", &of_graph, StatusCode::UNAUTHORIZED),
        (
            "",
            &Signable::new(request_digest(update, None, None)),
            StatusCode::UNAUTHORIZED,
        ),
    ] {
        let status = app.send(&asked(query), Some(signed)).await;
        assert_eq!(status, expected, "{query}");
    }
    let status = app.send(&asked(""), None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    app.city.stop().await;
    let refusals = app.city.refusals();
    let digests = refusals.iter().filter(|check| *check == "envelope.digest");
    assert_eq!(digests.count(), 3, "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_a_question_is_signed() {
    let app = Signing::new().await;
    let base = format!("{}/sparql", app.city.url());
    fn ask(query: &str) -> Asked<'_> {
        Asked {
            method: Method::GET,
            path: "/sparql",
            query,
            media_type: "",
            body: "",
        }
    }
    let with = |options: &[&str]| Signable {
        options: options.iter().map(|&option| option.to_owned()).collect(),
        ..Signable::new(request_digest("ASK{}", Some(&base), None))
    };
    let query = "?query=ASK%7B%7D&max-age=5m&federated=true&require=1";
    let signed = with(&["federated=true", "require=1", "max-age=300"]);
    assert_eq!(app.send(&ask(query), Some(&signed)).await, StatusCode::OK);
    for more in [
        "&federated=true",
        "&max-age=300",
        "&require=all",
        "&break-glass=urn:a",
    ] {
        let query = format!("?query=ASK%7B%7D{more}");
        let status = app.send(&ask(&query), Some(&with(&[]))).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_store_takes_what_is_signed() {
    let app = Signing::new().await;
    let graph = format!("{PREFIX}a");
    let query = format!("?graph={graph}");
    let body = "<urn:s> <urn:p> 1 .";
    let asked = |method: Method, body| Asked {
        media_type: if method == Method::GET || method == Method::DELETE {
            ""
        } else {
            "text/turtle"
        },
        method,
        path: "/data",
        query: &query,
        body,
    };
    let signed = |kind, body: &str| {
        Signable::new(operation_digest(&Operation {
            kind,
            graph: &graph,
            media_type: "text/turtle",
            base: "",
            body: &content_digest(body.as_bytes()),
        }))
    };
    let clear = Signable::new(operation_digest(&Operation {
        kind: "clear",
        graph: &graph,
        ..Operation::default()
    }));
    let read = format!("CONSTRUCT {{ ?s ?p ?o }} WHERE {{ GRAPH <{graph}> {{ ?s ?p ?o }} }}");
    let read = Signable::new(request_digest(&read, None, None));
    let no = StatusCode::UNAUTHORIZED;
    for (method, body, signed, expected) in [
        (
            Method::PUT,
            body,
            Some(signed("replace", body)),
            StatusCode::CREATED,
        ),
        (
            Method::POST,
            body,
            Some(signed("insert", body)),
            StatusCode::NO_CONTENT,
        ),
        (Method::PUT, body, Some(signed("insert", body)), no),
        (
            Method::PUT,
            "<urn:s> <urn:p> 2 .",
            Some(signed("replace", body)),
            no,
        ),
        (Method::PUT, body, None, no),
        (Method::GET, "", Some(read), StatusCode::OK),
        (Method::DELETE, "", Some(signed("replace", "")), no),
        (Method::DELETE, "", Some(clear), StatusCode::NO_CONTENT),
    ] {
        let asked = asked(method, body);
        let status = app.send(&asked, signed.as_ref()).await;
        assert_eq!(status, expected, "{} {body}", asked.method);
    }
    // A graph that gets its name from us.
    let create = Signable::new(operation_digest(&Operation {
        kind: "create",
        media_type: "text/turtle",
        body: &content_digest(body.as_bytes()),
        ..Operation::default()
    }));
    let asked = Asked {
        method: Method::POST,
        path: "/data",
        query: "",
        media_type: "text/turtle",
        body,
    };
    assert_eq!(app.send(&asked, Some(&create)).await, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_of_the_bytes_that_were_signed() {
    let app = Signing::new().await;
    let city = &app.city;
    let token = city.steward().token(city);
    let caller = city.steward().with_token(token.clone());
    let client = caller.client(city).await.unwrap();
    let graph = oxrdf::NamedNode::new_unchecked(format!("{PREFIX}a"));
    let body = "<urn:s> <urn:p> 1 .";
    let options = || ImportOptions {
        media_type: "text/turtle".to_owned(),
        base: None,
        graph: Some(graph.clone()),
        gzip: false,
        replace: true,
        purpose: None,
        deadline: Instant::now() + PATIENCE,
    };
    let chunks = || futures::stream::iter([Ok(Bytes::from_static(body.as_bytes()))]);
    let import = async |kind: &str, signed: &str| {
        let signable = Signable::new(operation_digest(&Operation {
            kind,
            graph: graph.as_str(),
            media_type: "text/turtle",
            base: "",
            body: &content_digest(signed.as_bytes()),
        }));
        let of = RequestOf {
            audience: &city.id,
            signable: &signable,
            purpose: None,
            token: &Secret::new(&token),
        };
        let identity = city.identity().load();
        let signed = sign_request(identity.key(), &of, OffsetDateTime::now_utc());
        let envelope = signed.unwrap().1;
        client
            .import_signed(options(), chunks(), move || Ok(envelope))
            .await
    };
    let imported = import("replace", body).await.unwrap();
    assert_eq!(imported.inserted, 1);
    let receipt = verify_receipt(&imported.receipt, &city.id, &city.keys()).unwrap();
    assert_eq!(receipt.rows, 1);
    let refused = [
        import("insert", body).await,
        import("replace", "<urn:s> <urn:p> 2 .").await,
        client.import(options(), chunks()).await,
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Err(Error::Unauthenticated(_))),
            "{refused:?}"
        );
    }
}
