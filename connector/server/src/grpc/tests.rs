pub(crate) mod fakes;
mod imports;

use super::*;
use fakes::{CITY, TOKEN, World, head, row};
use std::sync::mpsc;
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::Channel;
use twinlink_client::{Client, Error, Head, QueryOptions, SourceState, Token};
use twinlink_core::{Evaluated, Piece};
use twinlink_proto::v1::connector_client::ConnectorClient;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn ask() -> QueryOptions {
    QueryOptions::new("SELECT ?x WHERE { ?x ?y ?z }", soon())
}

/// A call as any other program would make it.
fn raw(query: &str) -> Request<v1::QueryRequest> {
    let mut request = Request::new(v1::QueryRequest {
        query: query.to_owned(),
        ..v1::QueryRequest::default()
    });
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    request
}

#[tokio::test]
async fn rows_sources_and_outcome_reach_the_client() {
    let client = World::with_rows(&["a", "b"]).client().await;
    let mut answer = client.query(ask()).await.unwrap();
    assert!(matches!(answer.head(), Head::Solutions(names) if names[0].as_str() == "x"));
    let rows = answer.next().await.unwrap().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(*rows[1].sources, [0]);
    let outcome = answer.outcome().await.unwrap();
    assert_eq!((outcome.rows, outcome.complete), (2, true));
    assert_eq!(outcome.sources[0].participant.as_str(), CITY);
    assert_eq!(outcome.sources[0].state, SourceState::Complete);
    assert_eq!(
        outcome.sources[0].policies[0].as_str(),
        "https://city.example/policy"
    );
    assert_eq!(outcome.receipt, "receipt for 2 rows");
}

#[tokio::test]
async fn many_rows_come_in_many_batches() {
    let world = World::new(|_, _, sink| {
        let rows = (0..20_000).map(|number| row(&number.to_string())).collect();
        sink.put(head())?;
        sink.put(Piece::Solutions(rows))?;
        Ok(Evaluated {
            rows: 20_000,
            ..Evaluated::default()
        })
    });
    let mut answer = world.client().await.query(ask()).await.unwrap();
    let (mut batches, mut next) = (0, 0);
    while let Some(rows) = answer.next().await.unwrap() {
        batches += 1;
        for found in rows {
            assert_eq!(found.values, row(&next.to_string()).values);
            next += 1;
        }
    }
    assert_eq!(next, 20_000);
    assert!(batches >= 5, "{batches}");
}

#[tokio::test]
async fn truth_values_and_triples_have_their_own_heads() {
    let world = World::new(|query, _, sink| {
        let head = match query {
            spargebra::Query::Ask { .. } => twinlink_core::Head::Boolean(true),
            _ => twinlink_core::Head::Graph,
        };
        let is_graph = head == twinlink_core::Head::Graph;
        sink.put(Piece::Head(head))?;
        if is_graph {
            let node = NamedNode::new_unchecked(CITY);
            sink.put(Piece::Triples(vec![oxrdf::Triple::new(
                node.clone(),
                node.clone(),
                node,
            )]))?;
        }
        Ok(Evaluated {
            rows: 1,
            ..Evaluated::default()
        })
    });
    let client = world.client().await;
    let answer = client
        .query(QueryOptions::new("ASK { ?s ?p ?o }", soon()))
        .await
        .unwrap();
    assert_eq!(*answer.head(), Head::Boolean(true));
    assert_eq!(answer.outcome().await.unwrap().rows, 1);
    let construct = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }";
    let mut answer = client
        .query(QueryOptions::new(construct, soon()))
        .await
        .unwrap();
    assert_eq!(*answer.head(), Head::Graph);
    let rows = answer.next().await.unwrap().unwrap();
    assert!(rows[0].clone().into_triple().is_some());
    answer.outcome().await.unwrap();
}

#[tokio::test]
async fn a_refusal_in_the_middle_ends_the_stream_with_its_status() {
    let world = World::new(|_, _, sink| {
        sink.put(head())?;
        sink.put(Piece::Solutions(vec![row("a")]))?;
        Err(Refusal::new(
            twinlink_core::Code::Exhausted,
            "memory",
            "secret detail",
        ))
    });
    let mut answer = world.client().await.query(ask()).await.unwrap();
    assert_eq!(answer.next().await.unwrap().unwrap().len(), 1);
    let error = answer.next().await.unwrap_err();
    assert!(
        matches!(&error, Error::Exhausted(text) if text == "a limit was reached"),
        "{error}"
    );
}

/// A twin that gives one row, then nothing until it is stopped; and word of that, however it is
/// stopped: the client may be gone before the row is.
fn endless() -> (World, mpsc::Receiver<()>) {
    let (stopped, word) = mpsc::channel();
    let world = World::new(move |_, budget, sink| {
        let begun = sink
            .put(head())
            .and_then(|()| sink.put(Piece::Solutions(vec![row("a")])));
        while begun.is_ok() && !budget.is_cancelled() {
            std::thread::yield_now();
        }
        stopped.send(()).ok();
        begun.and(Err(Refusal::new(
            twinlink_core::Code::Timeout,
            "deadline",
            "stopped",
        )))
    });
    (world, word)
}

async fn hear(word: mpsc::Receiver<()>) {
    let heard = tokio::task::spawn_blocking(move || word.recv_timeout(Duration::from_secs(20)));
    heard.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_deadline_holds_to_the_end_of_the_stream() {
    let (world, word) = endless();
    let mut stub = ConnectorClient::new(world.open().await);
    let mut request = raw("SELECT ?x WHERE { ?x ?y ?z }");
    request.set_timeout(Duration::from_secs(3));
    let mut stream = stub.query(request).await.unwrap().into_inner();
    let status = loop {
        match stream.message().await {
            Ok(message) => assert!(message.is_some(), "the stream ended without a status"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    hear(word).await;
}

/// INVARIANT(deadline-to-the-end)
#[tokio::test]
async fn deadline_to_the_end() {
    let (stopped, word) = mpsc::channel();
    let world = World::new(move |_, _, sink| {
        sink.put(head())?;
        let long = "a".repeat(100_000);
        loop {
            if let Err(refusal) = sink.put(Piece::Solutions(vec![row(&long)])) {
                stopped.send(()).ok();
                return Err(refusal);
            }
        }
    });
    let mut stub = ConnectorClient::new(world.open().await);
    let mut request = raw("SELECT ?x WHERE { ?x ?y ?z }");
    request.set_timeout(Duration::from_secs(3));
    let stream = stub.query(request).await.unwrap().into_inner();
    // Nothing is read, and nothing closed.
    hear(word).await;
    drop(stream);
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_evaluation() {
    let (world, word) = endless();
    let answer = world.client().await.query(ask()).await.unwrap();
    drop(answer);
    hear(word).await;
}

#[tokio::test]
async fn strangers_and_the_unpermitted_learn_nothing() {
    let stranger = |channel| Client::over(channel, Arc::new(Token::new("x.y.z")));
    let error = stranger(World::with_rows(&["a"]).open().await)
        .query(ask())
        .await
        .unwrap_err();
    assert!(
        matches!(&error, Error::Unauthenticated(text) if text == "authentication failed"),
        "{error}"
    );
    let mut world = World::with_rows(&["a"]);
    world.is_permitted = false;
    let client = world.client().await;
    let error = client.query(ask()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Denied(text) if text == "not permitted"),
        "{error}"
    );
    let error = client.describe(None, soon()).await.unwrap_err();
    assert!(matches!(&error, Error::Denied(_)), "{error}");
}

async fn refused(channel: &Channel, request: Request<v1::QueryRequest>) -> Status {
    let mut stub = ConnectorClient::new(channel.clone());
    stub.query(request).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn malformed_requests_are_named() {
    let channel = World::with_rows(&[]).open().await;
    let with = |change: fn(&mut v1::QueryRequest)| {
        let mut request = raw("SELECT ?x WHERE { ?x ?y ?z }");
        change(request.get_mut());
        request
    };
    let graphs = |iris: Vec<String>| v1::Dataset {
        default_graph_iris: iris,
        named_graph_iris: vec![],
    };
    let mut bad_timeout = raw("ASK {}");
    bad_timeout
        .metadata_mut()
        .insert("grpc-timeout", "soon".parse().unwrap());
    let mut two_tokens = raw("ASK {}");
    two_tokens
        .metadata_mut()
        .append("authorization", "Bearer b".parse().unwrap());
    let mut many_graphs = raw("ASK {}");
    many_graphs.get_mut().dataset = Some(graphs(vec![CITY.to_owned(); 1001]));
    let mut no_iri = raw("ASK {}");
    no_iri.get_mut().dataset = Some(graphs(vec!["no iri".to_owned()]));
    for (request, word) in [
        (with(|m| m.request_id = "7".to_owned()), "UUID"),
        (with(|m| m.purpose = "rescue".to_owned()), "`rescue`"),
        (with(|m| m.base_iri = "base".to_owned()), "IRI"),
        (with(|m| m.query = "SELECT".to_owned()), "1:7"),
        (with(|m| m.query.clear()), "empty"),
        (with(|m| m.require = older_than(0)), "max_age"),
        (with(|m| m.require = older_than(-1)), "max_age"),
        (bad_timeout, "grpc-timeout"),
        (two_tokens, "more than one"),
        (many_graphs, "1001"),
        (no_iri, "`no iri`"),
    ] {
        let status = refused(&channel, request).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(
            status.message().contains(word),
            "{status} should say {word}"
        );
    }
    let large = "#".repeat(REQUEST_BYTES + 1);
    let status = refused(&channel, raw(&large)).await;
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
}

fn older_than(seconds: i64) -> Option<v1::Requirement> {
    Some(v1::Requirement {
        max_age: Some(prost_types::Duration { seconds, nanos: 0 }),
        ..v1::Requirement::default()
    })
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_clients_fault() {
    let channel = World::with_rows(&[]).open().await;
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    // An import's head is no query: field 1 is a message there and text here.
    let request = Request::new(v1::Term {
        kind: Some(v1::term::Kind::Iri("\u{0}".to_owned())),
    });
    let path = http::uri::PathAndQuery::from_static("/twinlink.v1.Connector/Import");
    let codec = twinlink_proto::Codec::<v1::Term, v1::ImportResponse>::default();
    let status = grpc
        .unary(request, path, codec)
        .await
        .map(drop)
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test]
async fn a_description_tells_what_the_caller_may_see() {
    let world = || {
        World::new(|_, _, sink| {
            sink.put(Piece::Head(twinlink_core::Head::Solutions(vec![
                oxrdf::Variable::new_unchecked("list"),
                oxrdf::Variable::new_unchecked("item"),
            ])))?;
            sink.put(Piece::Solutions(vec![twinlink_core::Solution {
                values: vec![
                    Some(oxrdf::Literal::from("class").into()),
                    Some(NamedNode::new_unchecked("https://city.example/School").into()),
                ],
                sources: Arc::from([0]),
            }]))?;
            Ok(Evaluated {
                rows: 1,
                ..Evaluated::default()
            })
        })
    };
    let described = world().client().await.describe(None, soon()).await.unwrap();
    assert_eq!(described.participant.as_str(), CITY);
    assert_eq!(described.classes[0].as_str(), "https://city.example/School");
    assert_eq!(described.caller, "ada of <https://fire.example/>");
    assert!(described.properties.is_empty());
    assert!(described.peers.is_empty() && !described.truncated);
    let mut own = world();
    own.is_owner = true;
    let described = own.client().await.describe(None, soon()).await.unwrap();
    assert_eq!(described.peers.len(), 1);
}

#[tokio::test]
async fn health_and_reflection_answer() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let channel = World::with_rows(&[]).open().await;
    let check = HealthCheckRequest {
        service: "twinlink.v1.Connector".to_owned(),
    };
    let health = HealthClient::new(channel.clone())
        .check(check)
        .await
        .unwrap();
    assert_eq!(health.into_inner().status, 1);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(futures::stream::iter([list]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("not a list");
    };
    let names: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
    assert!(
        names.contains(&"twinlink.v1.Connector".to_owned()),
        "{names:?}"
    );
}

#[test]
fn timeouts_are_read_as_the_protocol_has_them() {
    for (text, expected) in [
        ("1H", Some(Duration::from_secs(3600))),
        ("2M", Some(Duration::from_secs(120))),
        ("3S", Some(Duration::from_secs(3))),
        ("4m", Some(Duration::from_millis(4))),
        ("5u", Some(Duration::from_micros(5))),
        ("99999999n", Some(Duration::from_nanos(99_999_999))),
        ("123456789n", None),
        ("m", None),
        ("", None),
        ("-1S", None),
        ("1x", None),
        ("1é", None),
    ] {
        assert_eq!(parse_timeout(text), expected, "{text}");
    }
}
