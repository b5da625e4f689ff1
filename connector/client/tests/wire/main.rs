//! The client against a server that follows a script: over real TLS on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and their helpers fail by panic"
)]

mod server;

use bytes::Bytes;
use futures::stream;
use oxrdf::{Literal, Term};
use server::{Script, Server, batch, boolean, outcome, variables};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Status};
use twinlink_client::{
    Answer, Client, ClientConfig, Error, Head, ImportOptions, QueryOptions, Token,
};
use twinlink_proto::v1::{self, query_response::Part};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn config(server: &Server) -> ClientConfig {
    ClientConfig {
        endpoint: server.url().parse().unwrap(),
        tls: server.client_tls(),
        verify_peer: Arc::new(|_| Ok(())),
        tokens: Arc::new(Token::new("a.b.c")),
        connect_timeout: Duration::from_secs(10),
    }
}

async fn ask(script: Vec<Result<Part, Status>>) -> Result<Answer, Error> {
    let server = Server::start(Script::answering(script)).await;
    let client = Client::connect(&config(&server)).await?;
    client.query(QueryOptions::new("ASK {}", soon())).await
}

async fn ask_all(script: Vec<Result<Part, Status>>) -> Error {
    match ask(script).await {
        Ok(answer) => answer.outcome().await.unwrap_err(),
        Err(error) => error,
    }
}

fn refused(code: Code, text: &str) -> Status {
    Status::with_details(code, text, Bytes::from_static(b"details"))
}

#[tokio::test]
async fn rows_arrive_with_their_sources_and_an_outcome() {
    let script = vec![
        Ok(variables(&["a"])),
        Ok(batch(&["x", "y"])),
        Ok(batch(&["z"])),
        Ok(outcome(3)),
    ];
    let mut answer = ask(script).await.unwrap();
    assert!(matches!(answer.head(), Head::Solutions(names) if names[0].as_str() == "a"));
    let first = answer.next().await.unwrap().unwrap();
    assert_eq!(
        first[1].values,
        [Some(Term::from(Literal::new_simple_literal("y")))]
    );
    assert_eq!(*first[1].sources, [0]);
    assert_eq!(answer.next().await.unwrap().unwrap().len(), 1);
    assert!(answer.next().await.unwrap().is_none());
    let outcome = answer.outcome().await.unwrap();
    assert!(outcome.complete);
    assert_eq!(
        outcome.sources[0].participant.as_str(),
        "https://city.example/"
    );
}

#[tokio::test]
async fn an_answer_without_an_outcome_is_broken() {
    let error = ask_all(vec![Ok(variables(&["a"])), Ok(batch(&["x"]))]).await;
    assert!(matches!(error, Error::Broken(_)), "{error}");
    let error = ask_all(vec![]).await;
    assert!(matches!(error, Error::Broken(_)), "{error}");
}

#[tokio::test]
async fn a_refusal_in_the_middle_ends_the_answer_for_good() {
    let mut answer = ask(vec![
        Ok(variables(&["a"])),
        Ok(batch(&["x"])),
        Err(refused(Code::ResourceExhausted, "too many rows")),
    ])
    .await
    .unwrap();
    assert!(answer.next().await.unwrap().is_some());
    let error = answer.next().await.unwrap_err();
    assert!(
        matches!(&error, Error::Exhausted(text) if text == "too many rows"),
        "{error}"
    );
    assert!(matches!(answer.outcome().await, Err(Error::Broken(_))));
}

#[tokio::test]
async fn refusals_keep_their_kind() {
    let kind = async |code| ask_all(vec![Err(refused(code, "text\nof two lines"))]).await;
    assert!(matches!(
        kind(Code::Unauthenticated).await,
        Error::Unauthenticated(_)
    ));
    assert!(matches!(
        kind(Code::PermissionDenied).await,
        Error::Denied(_)
    ));
    assert!(matches!(
        kind(Code::InvalidArgument).await,
        Error::Invalid(_)
    ));
    assert!(matches!(
        kind(Code::Unavailable).await,
        Error::Unavailable(_)
    ));
    assert!(matches!(kind(Code::Internal).await, Error::Failed(_)));
    assert!(matches!(
        kind(Code::DeadlineExceeded).await,
        Error::TimedOut
    ));
    assert!(!kind(Code::NotFound).await.to_string().contains('\n'));
}

#[tokio::test]
async fn lies_are_told_apart_from_failures() {
    let head = || Ok(variables(&["a"]));
    let mut unknown_source = batch(&["x"]);
    if let Part::Batch(batch) = &mut unknown_source {
        batch.source_sets[0].sources = vec![1];
    }
    let lies = [
        vec![Ok(outcome(0))],
        vec![head(), head()],
        vec![head(), Ok(batch(&["x"])), Ok(outcome(2))],
        vec![head(), Ok(unknown_source), Ok(outcome(1))],
        vec![head(), Ok(outcome(0)), Ok(batch(&["x"]))],
        vec![Ok(boolean(true)), Ok(batch(&["x"]))],
        vec![Ok(variables(&["no variable"]))],
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let error = ask_all(lie).await;
        assert!(matches!(error, Error::Nonsense(_)), "lie {number}: {error}");
    }
}

#[tokio::test]
async fn the_deadline_holds_to_the_end_of_the_answer() {
    let server = Server::start(Script::answering(vec![Ok(variables(&["a"]))]).then_silent()).await;
    let client = Client::connect(&config(&server)).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    let answer = client
        .query(QueryOptions::new("ASK {}", deadline))
        .await
        .unwrap();
    let error = answer.outcome().await.unwrap_err();
    assert!(matches!(error, Error::TimedOut), "{error}");
    assert!(Instant::now() >= deadline);
}

#[tokio::test]
async fn token_and_deadline_travel_with_the_call() {
    let mut server =
        Server::start(Script::answering(vec![Ok(boolean(true)), Ok(outcome(1))])).await;
    let client = Client::lazy(&config(&server)).unwrap();
    let answer = client
        .query(QueryOptions::new("ASK {}", soon()))
        .await
        .unwrap();
    assert_eq!(*answer.head(), Head::Boolean(true));
    answer.outcome().await.unwrap();
    let seen = server.next_call().await;
    assert_eq!(seen.get("authorization").unwrap(), "Bearer a.b.c");
    assert!(seen.get("grpc-timeout").is_some());
}

#[tokio::test]
async fn only_the_expected_connector_is_talked_to() {
    let server = Server::start(Script::answering(vec![])).await;
    let mut other = config(&server);
    other.verify_peer = Arc::new(|certificate| {
        assert!(!certificate.is_empty());
        Err("the certificate is of another participant".to_owned())
    });
    let error = Client::connect(&other).await.unwrap_err();
    assert!(
        matches!(&error, Error::Impostor(text) if text.contains("another participant")),
        "{error}"
    );
    let lazy = Client::lazy(&other).unwrap();
    let error = lazy
        .query(QueryOptions::new("ASK {}", soon()))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Impostor(_)), "{error}");

    let stranger = Server::start(Script::answering(vec![])).await;
    let mut wrong_root = config(&server);
    wrong_root.tls = stranger.client_tls();
    let error = Client::connect(&wrong_root).await.unwrap_err();
    assert!(matches!(error, Error::Impostor(_)), "{error}");
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let server = Server::start(Script::answering(vec![])).await;
    let mut config = config(&server);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.endpoint = format!("https://localhost:{}", free.local_addr().unwrap().port())
        .parse()
        .unwrap();
    drop(free);
    let error = Client::connect(&config).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    config.endpoint = "http://localhost:1".parse().unwrap();
    let error = Client::lazy(&config).unwrap_err();
    assert!(matches!(error, Error::Configuration(_)), "{error}");
}

fn turtle() -> ImportOptions {
    ImportOptions {
        media_type: "text/turtle".to_owned(),
        base: None,
        graph: None,
        gzip: false,
        replace: false,
        purpose: None,
        deadline: soon(),
    }
}

#[tokio::test]
async fn an_import_arrives_whole() {
    let mut server = Server::start(Script::answering(vec![])).await;
    let client = Client::connect(&config(&server)).await.unwrap();
    let big = Bytes::from(vec![b'a'; 600_000]);
    let chunks = [Ok(big), Ok(Bytes::new()), Ok(Bytes::from_static(b"end"))];
    let imported = client.import(turtle(), stream::iter(chunks)).await.unwrap();
    assert_eq!(imported.inserted, 600_003);
    assert!(server.next_import().await);
}

#[tokio::test]
async fn an_import_whose_source_fails_is_never_taken_for_whole() {
    let mut server = Server::start(Script::answering(vec![])).await;
    let client = Client::connect(&config(&server)).await.unwrap();
    let chunks = [
        Ok(Bytes::from_static(b"half")),
        Err(std::io::Error::other("disk fault")),
    ];
    let error = client
        .import(turtle(), stream::iter(chunks))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error}");
    assert!(
        !server.next_import().await,
        "the server saw the last message"
    );
}

#[tokio::test]
async fn a_description_is_checked() {
    let description = v1::DescribeResponse {
        participant: "https://city.example/".to_owned(),
        classes: vec!["no iri".to_owned()],
        ..v1::DescribeResponse::default()
    };
    let server = Server::start(Script::answering(vec![]).describing(description)).await;
    let client = Client::connect(&config(&server)).await.unwrap();
    let error = client.describe(None, soon()).await.unwrap_err();
    assert!(matches!(error, Error::Nonsense(_)), "{error}");
}
