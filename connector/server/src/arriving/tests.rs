use super::*;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use http_body_util::BodyExt as _;
use oxrdf::NamedNode;
use std::convert::Infallible;
use tokio::sync::Notify;
use tower::ServiceExt as _;

type Pieces = BoxStream<'static, Result<Bytes, Infallible>>;

/// Longer than a test takes.
const MINUTE: Duration = Duration::from_secs(60);

/// A door that reads bodies and then waits until it is told to answer.
fn door(arrivals: &Arc<Arrivals>, answer: &Arc<Notify>) -> Router {
    let answer = Arc::clone(answer);
    let read = |body: Body| async move {
        let read = body.collect().await.map(|all| all.to_bytes().len());
        match read {
            Ok(length) => {
                answer.notified().await;
                length.to_string()
            }
            Err(error) => error.to_string(),
        }
    };
    let layer = from_fn_with_state(Arc::clone(arrivals), bound);
    Router::new().route("/", post(read)).layer(layer)
}

fn organisation(name: &str) -> Peer {
    Peer::Organisation(NamedNode::new_unchecked(name))
}

fn request(peer: Peer, kind: &str, pieces: Pieces) -> Request {
    let request = Request::post("/").header("content-type", kind);
    let request = request.extension(Arc::new(peer));
    request.body(Body::from_stream(pieces)).unwrap()
}

fn bytes(count: usize) -> Pieces {
    stream::iter([Ok(Bytes::from(vec![7; count]))]).boxed()
}

fn grpc_code(response: &Response) -> &str {
    response.headers()["grpc-status"].to_str().unwrap()
}

/// INVARIANT(arriving-together)
#[tokio::test]
async fn arriving_together() {
    let arrivals = Arrivals::new(1000, 100, MINUTE);
    let answer = Arc::new(Notify::new());
    let door = door(&arrivals, &answer);
    let send = |peer: Peer, count| {
        let request = request(peer, "application/grpc", bytes(count));
        let mut sent = Box::pin(door.clone().oneshot(request));
        async move {
            // What is read at once needs no second look.
            match futures::poll!(&mut sent) {
                Poll::Ready(response) => Err(response.unwrap()),
                Poll::Pending => Ok(sent),
            }
        }
    };
    let stranger = |last| Peer::stranger([192, 0, 2, last].into());
    let mut open = Vec::new();
    open.push(send(stranger(1), 200).await.unwrap());
    // RESOURCE_EXHAUSTED: its own share; UNAVAILABLE: that of all. Both say when to come again.
    let refused = send(stranger(1), 51).await.unwrap_err();
    assert_eq!(grpc_code(&refused), "8");
    assert!(refused.headers().contains_key("grpc-status-details-bin"));
    open.push(send(stranger(2), 250).await.unwrap());
    assert_eq!(grpc_code(&send(stranger(3), 51).await.unwrap_err()), "14");
    for name in ["https://a.example/", "https://b.example/"] {
        open.push(send(organisation(name), 250).await.unwrap());
    }
    let late = organisation("https://c.example/");
    assert_eq!(grpc_code(&send(late.clone(), 51).await.unwrap_err()), "14");
    // Who goes away, and who is answered, makes room.
    drop(open.pop());
    open.push(send(late.clone(), 100).await.unwrap());
    answer.notify_waiters();
    for sent in open {
        assert_eq!(sent.await.unwrap().status(), 200);
    }
    let held = arrivals.held.lock().unwrap();
    assert_eq!((held.all, held.strangers, held.peers.len()), (0, 0, 0));
}

/// INVARIANT(bodies-in-time)
#[tokio::test]
async fn bodies_in_time() {
    let millis = Duration::from_millis;
    let (piece, patience) = (millis(200), millis(600));
    let arrivals = Arc::new(Arrivals {
        piece,
        ..Arc::into_inner(Arrivals::new(usize::MAX, 1000, patience)).unwrap()
    });
    let answer = Arc::new(Notify::new());
    let door = door(&arrivals, &answer);
    let silent = || bytes(5).chain(stream::pending()).boxed();
    // A client that sends so much at a time, with a pause before it.
    let each = |count: usize| -> Pieces {
        let slowly = stream::iter(0..).then(move |_| async move {
            tokio::time::sleep(millis(50)).await;
            Ok(Bytes::from(vec![7; count]))
        });
        slowly.boxed()
    };
    let peer = || organisation("https://peer.example/");
    let much = bytes(1000 * SLOWEST).chain(stream::pending()).boxed();
    for (pieces, least) in [
        (stream::pending().boxed(), piece),
        (silent(), piece),
        // What came before buys no longer pause.
        (much, piece),
        (each(1), patience),
    ] {
        let started = Instant::now();
        let sent = door.clone().oneshot(request(peer(), "text/turtle", pieces));
        assert_eq!(sent.await.unwrap().status(), 408);
        assert!(started.elapsed() >= least);
    }
    let sent = door
        .clone()
        .oneshot(request(peer(), "application/grpc", silent()));
    assert_eq!(grpc_code(&sent.await.unwrap()), "4");
    // What is fast enough comes through, however long it takes.
    answer.notify_one();
    let fast = each(SLOWEST).take(20).boxed();
    let started = Instant::now();
    let sent = door.oneshot(request(peer(), "text/turtle", fast)).await;
    assert_eq!(sent.unwrap().status(), 200);
    assert!(started.elapsed() >= patience);
}
