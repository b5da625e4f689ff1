//! Clients that speak HTTP/2 to do harm, frame by frame: <https://www.rfc-editor.org/rfc/rfc9113#section-10.5>. Each one's
//! connection is closed, or no more is taken from it, while others are served.

use super::caller::{Caller, PATIENCE};
use super::town::Organisation;
use http::StatusCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use twinlink_trust::Protocol;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Types and flags of frames: <https://www.rfc-editor.org/rfc/rfc9113#section-6>.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What is far beyond all buffers on the way.
const MOST: usize = 64 << 20;

/// Of a server that reads, no write takes so long: longer is a server that waits for us.
const STALL: Duration = Duration::from_secs(3);

/// How a flood ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The server closed the connection.
    Closed,
    /// It takes no more.
    Stalled,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head[..], &stream.to_be_bytes()[..], payload].concat()
}

/// A header without compression: <https://www.rfc-editor.org/rfc/rfc7541#section-6.2.2>.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        match text.len() {
            short @ 0..127 => bytes.push(u8::try_from(short).unwrap()),
            long => {
                bytes.push(127);
                let mut rest = long - 127;
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).unwrap());
            }
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn request(method: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", method),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
    ];
    fields.map(|(name, value)| header(name, value)).concat()
}

/// A connection on which HTTP/2 has begun.
async fn open(caller: &Caller, city: &Organisation, settings: &[u8]) -> TlsStream<TcpStream> {
    let mut stream = caller.connection(city, Protocol::Http2).await.unwrap();
    let first = [PREFACE, &frame(SETTINGS, 0, 0, settings)[..]].concat();
    stream.write_all(&first).await.unwrap();
    stream
}

/// The types of the frames that come, and their streams, until the connection ends or `enough` of them came.
async fn frames(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    enough: impl Fn(&[(u8, u32)]) -> bool,
) -> Vec<(u8, u32)> {
    let mut seen = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).await.is_err() {
            break;
        }
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        seen.push((head[3], id));
        if head[3] == GOAWAY || enough(&seen) {
            break;
        }
    }
    seen
}

/// Sends as fast as it can; reads what comes, or does not.
async fn flood(
    stream: TlsStream<TcpStream>,
    is_read: bool,
    mut next: impl FnMut() -> Vec<u8>,
) -> End {
    let (mut read, mut write) = tokio::io::split(stream);
    let patience = if is_read { PATIENCE } else { STALL };
    let sending = async {
        let mut sent = 0;
        while sent < MOST {
            let mut piece = Vec::new();
            while piece.len() < 16 * 1024 {
                piece.extend(next());
            }
            match timeout(patience, write.write_all(&piece)).await {
                Err(_) => return End::Stalled,
                Ok(Err(_)) => return End::Closed,
                Ok(Ok(())) => sent += piece.len(),
            }
        }
        panic!("{MOST} bytes are taken");
    };
    let reading = async {
        match is_read {
            true => drop(frames(&mut read, |_| false).await),
            false => std::future::pending().await,
        }
    };
    tokio::select! {
        end = sending => end,
        () = reading => End::Closed,
    }
}

/// That somebody else is served, again and again while a flood goes on.
async fn others_are_served(
    city: &Organisation,
    caller: &Caller,
    during: impl Future<Output = End>,
) -> End {
    let mut during = std::pin::pin!(during);
    let served = async || {
        let page = timeout(PATIENCE, caller.query(city, "ASK {}"))
            .await
            .unwrap();
        assert_eq!(page.status, StatusCode::OK);
    };
    let end = loop {
        tokio::select! {
            end = during.as_mut() => break end,
            () = served() => {}
        }
    };
    served().await;
    end
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_end() {
    let mut city = Organisation::new("city");
    city.serve().await;
    let steward = city.steward();
    let get = request("GET", "/health");

    // CVE-2023-44487: requests that are taken back at once.
    let mut number = 0_u32;
    let rapid = || {
        number += 1;
        let id = 2 * number - 1;
        let asked = frame(HEADERS, END_HEADERS | END_STREAM, id, &get);
        [asked, frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat()
    };
    let flooded = flood(open(&steward, &city, &[]).await, true, rapid);
    let end = others_are_served(&city, &steward, flooded).await;
    assert_eq!(end, End::Closed, "rapid reset");

    // Headers that never end, by frames that are none of them too large: CVE-2024-2758 and others.
    let mut is_first = true;
    let endless = || match std::mem::take(&mut is_first) {
        true => frame(HEADERS, 0, 1, &get),
        false => frame(CONTINUATION, 0, 1, &header("x-more", "0123456789")),
    };
    let flooded = flood(open(&steward, &city, &[]).await, true, endless);
    let end = others_are_served(&city, &steward, flooded).await;
    assert_eq!(end, End::Closed, "CONTINUATION");

    // Frames without data on a body that never ends: CVE-2019-9518.
    let post = [
        request("POST", "/sparql"),
        header("content-type", "application/sparql-query"),
    ]
    .concat();
    let mut is_first = true;
    let empty = || match std::mem::take(&mut is_first) {
        true => frame(HEADERS, END_HEADERS, 1, &post),
        false => frame(DATA, 0, 1, &[]),
    };
    let flooded = flood(open(&steward, &city, &[]).await, true, empty);
    let end = others_are_served(&city, &steward, flooded).await;
    assert_eq!(end, End::Closed, "empty DATA");

    // What must be answered each time, to a client that reads no answer: CVE-2019-9512 and CVE-2019-9515.
    let ping = || frame(PING, 0, 0, b"12345678");
    let flooded = flood(open(&steward, &city, &[]).await, false, ping);
    others_are_served(&city, &steward, flooded).await;
    let settings = || frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
    let flooded = flood(open(&steward, &city, &[]).await, false, settings);
    others_are_served(&city, &steward, flooded).await;

    // Headers larger than we say that we take: of this request there is no answer but that.
    let large: Vec<u8> = (0..40)
        .flat_map(|_| header("x-large", &"x".repeat(4000)))
        .collect();
    let mut connection = open(&steward, &city, &[]).await;
    let pieces: Vec<&[u8]> = large.chunks(16_000).collect();
    let id = 1;
    let mut sent = frame(HEADERS, END_STREAM, id, &get);
    for (place, piece) in pieces.iter().enumerate() {
        let last = if place + 1 == pieces.len() {
            END_HEADERS
        } else {
            0
        };
        sent.extend(frame(CONTINUATION, last, id, piece));
    }
    // It may be closed before all is sent.
    drop(connection.write_all(&sent).await);
    let ends = |seen: &[(u8, u32)]| {
        seen.last()
            .is_some_and(|(kind, of)| *of == id && *kind != DATA)
    };
    let seen = timeout(PATIENCE, frames(&mut connection, ends))
        .await
        .unwrap();
    assert!(!seen.contains(&(DATA, id)), "{seen:?}");
    city.stop().await;
}
