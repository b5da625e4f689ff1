use super::*;
use arc_swap::ArcSwap;
use axum::routing::get;
use oxrdf::NamedNode;
use std::sync::Arc;
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use twinlink_trust::{
    Authority, ClientCertificates, CurrentIdentity, Identity, Protocol, Registry, SigningKey,
    Subject, Trusted, TrustedParty, app_config, client_config, server_config,
};

/// Longer than all that has a bound here, and shorter than what has none.
const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

/// A listener of one organisation that serves a word.
struct Served {
    address: SocketAddr,
    id: NamedNode,
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Served {
    async fn new(bounds: Bounds, routes: Router) -> Self {
        let now = OffsetDateTime::now_utc();
        let id = NamedNode::new_unchecked("https://city.example/");
        let authority = Authority::create("city", now).unwrap();
        let subject = Subject {
            participant: id.clone(),
            hosts: vec!["localhost".to_owned()],
        };
        let issued = authority
            .issue(&subject, time::Duration::HOUR, now)
            .unwrap();
        let key = SigningKey::from_pem(issued.key_pem.reveal(), "key").unwrap();
        let identity = Identity::from_pem(&issued.certificate_pem, key, "certificate").unwrap();
        let party = TrustedParty::own(&identity, authority.certificate_pem().to_owned());
        let registry = Registry::new(Trusted::new(party, Vec::new()).unwrap());
        let identity = CurrentIdentity::new(identity);
        let tls = server_config(
            Arc::clone(&identity),
            Arc::clone(&registry),
            ClientCertificates::Optional,
        );
        let tls = Arc::new(ArcSwap::from_pointee(tls.unwrap()));
        let mut listener = Listener::bind(([127, 0, 0, 1], 0).into(), tls)
            .await
            .unwrap();
        listener.bounds = bounds;
        let (stop, stopped) = oneshot::channel::<()>();
        Self {
            address: listener.address().unwrap(),
            id,
            identity,
            registry,
            stop,
            task: tokio::spawn(listener.serve(routes, async move { drop(stopped.await) })),
        }
    }

    async fn with(bounds: Bounds) -> Self {
        Self::new(bounds, Router::new().route("/", get(|| async { "served" }))).await
    }

    async fn connect(
        &self,
        protocol: Protocol,
        is_known: bool,
    ) -> io::Result<client::TlsStream<TcpStream>> {
        let (registry, id) = (Arc::clone(&self.registry), self.id.clone());
        let config = match is_known {
            true => client_config(Arc::clone(&self.identity), registry, id, protocol),
            false => app_config(registry, id, protocol),
        };
        let tcp = TcpStream::connect(self.address).await?;
        let connector = TlsConnector::from(Arc::new(config.unwrap()));
        connector
            .connect("localhost".try_into().unwrap(), tcp)
            .await
    }

    async fn stop(self) {
        drop(self.stop);
        timeout(SOON, self.task).await.unwrap().unwrap();
    }
}

/// Reads until the other side closes; what came.
async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    // How it closes says nothing.
    drop(
        timeout(SOON, stream.read_to_end(&mut all))
            .await
            .expect("it is closed"),
    );
    all
}

async fn answers(stream: &mut client::TlsStream<TcpStream>) -> bool {
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let sent = stream.write_all(request).await;
    sent.is_ok() && read_all(stream).await.ends_with(b"served")
}

/// INVARIANT(first-bytes-in-time)
#[tokio::test]
async fn first_bytes_in_time() {
    let bounds = Bounds {
        handshake: SHORT,
        headers: SHORT,
        ..Bounds::default()
    };
    let served = Served::with(bounds).await;
    // Before the handshake, in the middle of it, and of the first bytes after it.
    for first in [&b""[..], b"\x16\x03\x01"] {
        let mut tcp = TcpStream::connect(served.address).await.unwrap();
        tcp.write_all(first).await.unwrap();
        read_all(&mut tcp).await;
    }
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for first in [
            &b""[..],
            b"P",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
            b"GET / HTTP/1.1\r\nhost: localhost\r\n",
        ] {
            let mut tls = served.connect(protocol, false).await.unwrap();
            tls.write_all(first).await.unwrap();
            read_all(&mut tls).await;
        }
    }
    assert!(answers(&mut served.connect(Protocol::Http1, false).await.unwrap()).await);
    served.stop().await;
}

#[tokio::test]
async fn an_address_has_its_share_and_who_is_known_is_not_counted_to_it() {
    let bounds = Bounds {
        seats: 32,
        ..Bounds::default()
    };
    let served = Served::with(bounds).await;
    let mut known = Vec::new();
    for _ in 0..4 {
        known.push(served.connect(Protocol::Http1, true).await.unwrap());
    }
    for stream in &mut known {
        assert!(answers(stream).await);
    }
    let mut silent = Vec::new();
    for _ in 0..32 / 8 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    // All are in the order of their arrival: the one more is closed without an answer.
    let mut more = TcpStream::connect(served.address).await.unwrap();
    assert!(read_all(&mut more).await.is_empty());
    drop(silent.pop());
    let again = async {
        loop {
            if let Ok(mut stream) = served.connect(Protocol::Http1, false).await {
                return answers(&mut stream).await;
            }
        }
    };
    assert!(timeout(SOON, again).await.unwrap());
    drop(silent);
    served.stop().await;
}

#[tokio::test]
async fn an_old_connection_ends_whatever_is_open_on_it() {
    let bounds = Bounds {
        oldest: SHORT,
        last: SHORT,
        ..Bounds::default()
    };
    let never = Router::new().route("/", get(std::future::pending::<&str>));
    let served = Served::new(bounds, never).await;
    let mut tls = served.connect(Protocol::Http1, false).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    tls.write_all(request).await.unwrap();
    assert!(read_all(&mut tls).await.is_empty());
    served.stop().await;
}

#[tokio::test]
async fn who_waits_for_the_end_of_a_connection_hears_of_it() {
    let bounds = Bounds {
        oldest: SHORT,
        ..Bounds::default()
    };
    let told = Router::new().route(
        "/",
        get(
            |axum::Extension(closing): axum::Extension<Closing>| async move {
                closing.soon().await;
                "served"
            },
        ),
    );
    let served = Served::new(bounds, told).await;
    assert!(answers(&mut served.connect(Protocol::Http1, true).await.unwrap()).await);
    served.stop().await;
}

/// INVARIANT(answers-are-taken)
#[tokio::test]
async fn answers_are_taken() {
    let bounds = Bounds {
        untaken: SHORT,
        ..Bounds::default()
    };
    // Ends only where it is dropped, which the channel tells.
    let (made, mut answers) = tokio::sync::mpsc::channel::<oneshot::Receiver<()>>(8);
    let endless = move || {
        let made = made.clone();
        async move {
            let (held, dropped) = oneshot::channel::<()>();
            made.send(dropped).await.unwrap();
            let pieces = futures::stream::repeat_with(move || {
                let _held = &held;
                Ok::<_, io::Error>(bytes::Bytes::from(vec![7; 16 * 1024]))
            });
            Body::from_stream(pieces)
        }
    };
    let served = Served::new(bounds, Router::new().route("/", get(endless))).await;
    let mut tls = served.connect(Protocol::Http1, true).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    tls.write_all(request).await.unwrap();
    let dropped = timeout(SOON, answers.recv()).await.unwrap().unwrap();
    assert!(timeout(SOON, dropped).await.unwrap().is_err());

    let tls = served.connect(Protocol::Http2, true).await.unwrap();
    let io = TokioIo::new(tls);
    let client = hyper::client::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new())
        .initial_stream_window_size(0_u32)
        .handshake::<_, http_body_util::Empty<bytes::Bytes>>(io);
    let (mut sender, connection) = client.await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://localhost/").body(http_body_util::Empty::new());
    let answer = sender.send_request(request.unwrap()).await.unwrap();
    let dropped = timeout(SOON, answers.recv()).await.unwrap().unwrap();
    assert!(timeout(SOON, dropped).await.unwrap().is_err());
    // The stream is reset, the connection goes on.
    let read = timeout(SOON, http_body_util::BodyExt::collect(answer.into_body())).await;
    assert!(read.unwrap().is_err() && !sender.is_closed());
    served.stop().await;
}

#[test]
fn connections_leave_files_to_others() {
    for (files, expected) in [
        (None, CONNECTIONS),
        (Some(u64::MAX), CONNECTIONS),
        (Some(1024), 768),
        (Some(8), FEWEST),
    ] {
        assert_eq!(connections(files), expected);
    }
}
