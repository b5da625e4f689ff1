//! Bodies over their limit, over HTTP/2: the client reads why, though it has not sent all, and its connection lives on.

use super::caller::{PATIENCE, Page};
use super::town::Organisation;
use bytes::Bytes;
use futures::stream;
use http::{Method, Request, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::time::timeout;
use twinlink_trust::Protocol;

const PIECE: usize = 16 * 1024;
/// Far more than the limit, and than every window of HTTP/2.
const LARGE: usize = 64 << 20;

type Body = BoxBody<Bytes, Infallible>;

/// A body that is sent in pieces, for ever, without a word on its length; and how much of it was taken.
fn endless() -> (Body, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let pieces = stream::repeat_with(move || {
        counted.fetch_add(PIECE, Ordering::SeqCst);
        Ok(Frame::data(Bytes::from(vec![b'#'; PIECE])))
    });
    (StreamBody::new(pieces).boxed(), sent)
}

/// What takes a body, by how it is asked.
const PLACES: [(Method, &str, &str); 5] = [
    (Method::POST, "/sparql", "application/sparql-query"),
    (Method::POST, "/sparql", "application/sparql-update"),
    (Method::POST, "/sparql", "application/x-www-form-urlencoded"),
    (Method::PUT, "/data?default", "text/turtle"),
    (Method::POST, "/data?default", "application/n-triples"),
];

async fn ask(sender: &http2::SendRequest<Body>, request: Request<Body>, case: &str) -> Page {
    let sent = sender.clone().send_request(request);
    let response = timeout(PATIENCE, sent).await.expect(case).expect(case);
    timeout(PATIENCE, Page::read(response)).await.expect(case)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_arrives_before_the_body_is_sent() {
    let mut city = Organisation::new("city");
    city.configure("[limits]\nquery_bytes = 20000\nbody_bytes = 50000");
    city.serve().await;
    let steward = city.steward();
    let stream = steward.connection(&city, Protocol::Http2).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (place, (method, path, kind)) in PLACES.into_iter().cycle().take(20).enumerate() {
        let is_announced = place < 5;
        let (body, sent) = match is_announced {
            true => (Full::new(vec![b'#'; LARGE].into()).boxed(), Arc::default()),
            false => endless(),
        };
        let case = format!("{method} {path} {kind}, {place}");
        let request = steward.request(&city, method, path, kind, "");
        let page = ask(&sender, request.map(|_| body), &case).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE, "{case}");
        assert_eq!(page.header("content-type"), "application/problem+json");
        assert!(
            page.text.contains("\"status\":413"),
            "{case}: {}",
            page.text
        );
        // The rest of it is not taken.
        assert!(sent.load(Ordering::SeqCst) < LARGE, "{case}");
    }
    // The connection is as good as before.
    let kind = "application/sparql-query";
    let good = steward.request(&city, Method::POST, "/sparql", kind, "ASK {}");
    let page = ask(&sender, good.map(BodyExt::boxed), "a good one").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
}
