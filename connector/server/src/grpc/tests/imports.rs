use super::fakes::{TOKEN, World};
use super::soon;
use bytes::Bytes;
use futures::stream;
use oxrdf::{GraphName, NamedNode, NamedOrBlankNode, Quad};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use tonic::{Code, Request, Status};
use twinlink_client::{Error, ImportOptions, Imported};
use twinlink_core::Change;
use twinlink_proto::v1::{self, connector_client::ConnectorClient, import_request::Part};

type Changes = Arc<Mutex<Vec<Change>>>;

fn turtle() -> ImportOptions {
    ImportOptions {
        media_type: "text/turtle".to_owned(),
        base: Some("https://city.example/base/".to_owned()),
        graph: None,
        gzip: false,
        replace: false,
        purpose: None,
        deadline: soon(),
    }
}

async fn import(
    limit: usize,
    options: ImportOptions,
    content: impl Into<Bytes>,
) -> (Result<Imported, Error>, Changes) {
    let mut world = World::with_rows(&[]);
    world.limits.body_bytes = limit;
    let changes = Arc::clone(&world.changes);
    let client = world.client().await;
    let result = client
        .import(options, stream::iter([Ok(content.into())]))
        .await;
    (result, changes)
}

async fn refused(limit: usize, options: ImportOptions, content: impl Into<Bytes>) -> Error {
    let (result, changes) = import(limit, options, content).await;
    assert!(changes.lock().unwrap().is_empty());
    result.unwrap_err()
}

fn inserted(changes: &Changes) -> Vec<Quad> {
    match changes.lock().unwrap().as_slice() {
        [Change::Insert(quads)] => quads.clone(),
        other => panic!("not one insertion: {other:?}"),
    }
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn rdf_is_applied_as_one_change() {
    let (result, changes) = import(1000, turtle(), "<a> <b> <c> , [] .").await;
    let imported = result.unwrap();
    assert_eq!((imported.inserted, imported.sequence), (2, 7));
    let quads = inserted(&changes);
    assert_eq!(
        quads[0].subject,
        NamedNode::new("https://city.example/base/a")
            .unwrap()
            .into()
    );
    assert_eq!(quads[0].graph_name, GraphName::DefaultGraph);
}

#[tokio::test]
async fn a_graph_is_replaced_where_asked() {
    let graph = NamedNode::new("https://city.example/graph").unwrap();
    let options = ImportOptions {
        graph: Some(graph.clone()),
        replace: true,
        ..turtle()
    };
    let (result, changes) = import(1000, options, "<a> <b> <c> .").await;
    result.unwrap();
    let changes = changes.lock().unwrap();
    let [Change::Replace(name, quads)] = changes.as_slice() else {
        panic!("not one replacement");
    };
    assert_eq!(*name, GraphName::from(graph.clone()));
    assert_eq!(quads[0].graph_name, GraphName::from(graph));
}

#[tokio::test]
async fn blank_nodes_of_two_imports_stay_apart() {
    let mut subjects = Vec::new();
    for _ in 0..2 {
        let (result, changes) = import(1000, turtle(), "_:x <b> <c> .").await;
        result.unwrap();
        subjects.push(inserted(&changes)[0].subject.clone());
    }
    assert!(matches!(subjects[0], NamedOrBlankNode::BlankNode(_)));
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn broken_rdf_is_refused_with_line_and_column() {
    let error = refused(1000, turtle(), "<a> <b> <c> .\n<d> <e> oops .").await;
    let Error::Invalid(text) = &error else {
        panic!("{error}");
    };
    assert!(text.contains("2:9"), "{text}");
}

#[tokio::test]
async fn unknown_syntaxes_and_graphs_in_the_wrong_place_are_refused() {
    let options = ImportOptions {
        media_type: "text/csv".to_owned(),
        ..turtle()
    };
    let error = refused(1000, options, "a,b").await;
    assert!(error.to_string().contains("text/turtle"), "{error}");
    let options = ImportOptions {
        media_type: "application/n-quads".to_owned(),
        graph: Some(NamedNode::new("https://city.example/graph").unwrap()),
        ..turtle()
    };
    let quad = "<http://a/> <http://b/> <http://c/> <http://g/> .";
    let error = refused(1000, options, quad).await;
    assert!(matches!(error, Error::Invalid(_)), "{error}");
}

#[tokio::test]
async fn too_much_is_refused_packed_or_not() {
    let long = "# comment\n".repeat(1000);
    let error = refused(1000, turtle(), long.clone()).await;
    assert!(matches!(error, Error::Exhausted(_)), "{error}");
    let packed_long = packed(long.as_bytes());
    assert!(packed_long.len() < 1000);
    let options = ImportOptions {
        gzip: true,
        ..turtle()
    };
    let error = refused(1000, options.clone(), packed_long.clone()).await;
    assert!(matches!(error, Error::Exhausted(_)), "{error}");
    let (result, _) = import(100_000, options.clone(), packed_long).await;
    assert_eq!(result.unwrap().inserted, 0);
    let error = refused(1000, options, "<a> <b> <c> .").await;
    assert!(error.to_string().contains("gzip"), "{error}");
}

/// What any other program could send.
async fn send(parts: Vec<Option<Part>>) -> (Result<(), Status>, Changes) {
    let world = World::with_rows(&[]);
    let changes = Arc::clone(&world.changes);
    let messages = parts.into_iter().map(|part| v1::ImportRequest { part });
    let mut request = Request::new(stream::iter(messages));
    let token = format!("Bearer {TOKEN}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut stub = ConnectorClient::new(world.open().await);
    (stub.import(request).await.map(drop), changes)
}

fn head() -> Option<Part> {
    Some(Part::Head(v1::ImportHead {
        media_type: "text/turtle".to_owned(),
        ..v1::ImportHead::default()
    }))
}

fn chunk(text: &'static str) -> Option<Part> {
    Some(Part::Chunk(Bytes::from_static(text.as_bytes())))
}

fn end(bytes: u64) -> Option<Part> {
    Some(Part::End(v1::ImportEnd {
        bytes,
        envelope: String::new(),
    }))
}

/// INVARIANT(whole-imports)
#[tokio::test]
async fn whole_imports() {
    let triple = "<http://a/> <http://b/> <http://c/> .";
    let length = triple.len() as u64;
    let (result, changes) = send(vec![head(), chunk(triple), end(length)]).await;
    result.unwrap();
    assert_eq!(changes.lock().unwrap().len(), 1);
    for (parts, word) in [
        (vec![head(), chunk(triple)], "without its last message"),
        (vec![head(), chunk(triple), end(length - 1)], "counts"),
        (vec![chunk(triple), end(length)], "not the head"),
        (vec![head(), head(), end(0)], "second head"),
        (vec![head(), end(0), chunk(triple)], "after the last"),
        (vec![head(), None, end(0)], "empty"),
        (vec![], "not the head"),
    ] {
        let (result, changes) = send(parts).await;
        let status = result.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(
            status.message().contains(word),
            "{status} should say {word}"
        );
        assert!(changes.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn who_may_not_change_need_not_send() {
    let mut world = World::with_rows(&[]);
    world.is_permitted = false;
    let client = world.client().await;
    // The chunks never end: the answer comes all the same.
    let error = client
        .import(turtle(), stream::pending())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error}");
}
