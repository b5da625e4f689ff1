//! Peers that are dead, silent, unwilling or not who they should be: the answer comes in time and says so.

use super::caller::Answered;
use super::town::{Organisation, Permission};
use oxrdf::NamedNode;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use twinlink::config::PeerFile;
use twinlink_client::{Error, SourceState, SourceStatus};
use twinlink_trust::{
    Authority, ClientCertificates, CurrentIdentity, Registry, Subject, server_config,
};
use twinlink_vocab::tl;

const ALL: &str = "SELECT * WHERE { ?s ?p ?o }";
const SHORT: Duration = Duration::from_secs(4);

/// An organisation with one fact, and a peer of this name that has none.
async fn pair(peer: &str) -> (Organisation, Organisation) {
    let mut ours = Organisation::new("rescue");
    ours.import("<https://rescue.example/hydrant> a tl:Hydrant .", None);
    ours.serve().await;
    let mut peer = Organisation::new(peer);
    peer.serve().await;
    (ours, peer)
}

fn at(card: PeerFile, port: u16) -> PeerFile {
    PeerFile {
        url: Some(format!("https://localhost:{port}")),
        ..card
    }
}

/// Asks with the peer of this card; gives the word on the peer.
async fn word_on(ours: &Organisation, card: &PeerFile) -> SourceStatus {
    ours.introduce_card(card, &[], &[]);
    ours.node().reload().unwrap();
    let started = Instant::now();
    let answered: Answered = ours.steward().ask_all(ours, ALL, SHORT).await.unwrap();
    assert!(started.elapsed() < SHORT, "{:?}", started.elapsed());
    assert_eq!(answered.rows.len(), 1);
    assert!(!answered.outcome.complete);
    let [own, peer] = answered.outcome.sources.as_slice() else {
        panic!("{answered:?}");
    };
    assert_eq!(own.state, SourceState::Complete);
    assert_eq!(peer.participant, card.participant());
    assert_eq!(peer.rows, 0);
    peer.clone()
}

fn reason(status: &SourceStatus) -> &str {
    status.reason.as_deref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_peer_is_unreachable() {
    let (ours, peer) = pair("police").await;
    // Closed again at the end of the statement.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let status = word_on(&ours, &at(peer.card(), port.unwrap().port())).await;
    assert_eq!(status.state, SourceState::Unreachable);
    assert!(reason(&status).contains(peer.id.as_str()), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_speaks_times_out() {
    let (ours, peer) = pair("police").await;
    // Connections are made in its backlog.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let status = word_on(&ours, &at(peer.card(), port)).await;
    assert_eq!(status.state, SourceState::TimedOut);
    drop(mute);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_answers_times_out() {
    let (ours, peer) = pair("police").await;
    let port = hold(peer.identity(), ours.registry()).await;
    let status = word_on(&ours, &at(peer.card(), port)).await;
    assert_eq!(status.state, SourceState::TimedOut);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_denies_is_said_to_deny() {
    let (ours, peer) = pair("police").await;
    peer.introduce(&ours, &[tl::STEWARD], &[]);
    peer.node().reload().unwrap();
    let status = word_on(&ours, &peer.card()).await;
    assert_eq!(status.state, SourceState::Denied);
    assert!(reason(&status).contains("not permitted"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_know_us_is_unreachable() {
    let (ours, mut peer) = pair("police").await;
    let status = word_on(&ours, &peer.card()).await;
    assert_eq!(status.state, SourceState::Unreachable);
    peer.stop().await;
    assert_eq!(peer.refusals(), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_answers_for_a_peer_must_be_it() {
    let (ours, police) = pair("police").await;
    // Another organisation, which we know too, listens at the address of the peer.
    let mut city = Organisation::new("city");
    city.permit("all", Permission::default());
    city.serve().await;
    city.introduce(&ours, &[tl::STEWARD], &[]);
    city.node().reload().unwrap();
    let status = word_on(&ours, &at(police.card(), city.address().1)).await;
    assert_eq!(status.state, SourceState::Unreachable);
    assert!(
        reason(&status).contains("not the expected connector"),
        "{status:?}"
    );
    assert!(reason(&status).contains(city.id.as_str()), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_speaks_for_its_own_participant_only() {
    let (ours, police) = pair("police").await;
    let now = OffsetDateTime::now_utc();
    let forger = Authority::create("forger", now).unwrap();
    let subject = Subject {
        participant: police.id.clone(),
        hosts: vec!["localhost".to_owned()],
    };
    let forged = forger.issue(&subject, time::Duration::HOUR, now).unwrap();
    let forged = CurrentIdentity::new(forged.identity().unwrap());
    let port = hold(forged, ours.registry()).await;
    let status = word_on(&ours, &at(police.card(), port)).await;
    assert_eq!(status.state, SourceState::Unreachable);
    assert!(
        reason(&status).contains("not the expected connector"),
        "{status:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_get_past_the_handshake() {
    let (mut ours, stranger) = pair("stranger").await;
    stranger.introduce(&ours, &[], &[]);
    let caller = stranger.caller(&[], None);
    let error = caller.ask(&ours, ALL).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable(_) | Error::Broken(_)),
        "{error}"
    );

    // Also one whose certificate says that it is somebody we know.
    let now = OffsetDateTime::now_utc();
    let forger = Authority::create("forger", now).unwrap();
    let subject = Subject {
        participant: ours.id.clone(),
        hosts: vec!["localhost".to_owned()],
    };
    let forged = forger.issue(&subject, time::Duration::HOUR, now).unwrap();
    let forged = CurrentIdentity::new(forged.identity().unwrap());
    let caller = super::caller::Caller::new(forged, stranger.registry(), &[tl::STEWARD], None);
    let error = caller.ask(&ours, ALL).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable(_) | Error::Broken(_)),
        "{error}"
    );

    ours.stop().await;
    let refusals = ours.refusals();
    assert!(
        !refusals.is_empty() && refusals.iter().all(|check| check == "tls.handshake"),
        "{refusals:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_without_a_certificate_do_not_get_past_the_handshake() {
    let (ours, _) = pair("police").await;
    let authority = std::fs::read(ours.config().identity.authority).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&authority).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(ours.address())
        .await
        .unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(tls))
        .connect("localhost".try_into().unwrap(), tcp)
        .await
        .unwrap();
    // Of TLS 1.3 a client learns this only when it reads.
    drop(
        stream
            .write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await,
    );
    let mut answer = Vec::new();
    assert!(stream.read_to_end(&mut answer).await.is_err());
    assert!(answer.is_empty());
}

/// Listens with this identity, shakes hands and then says nothing.
async fn hold(identity: Arc<CurrentIdentity>, clients: Arc<Registry>) -> u16 {
    let tls = server_config(identity, clients, ClientCertificates::Required).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            held.push(acceptor.accept(stream).await);
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_is_not_asked_in_place_of_another() {
    let (ours, peer) = pair("police").await;
    let card = PeerFile {
        participant: "https://liar.example/".to_owned(),
        ..peer.card()
    };
    peer.introduce(&ours, &[], &[]);
    peer.permit("all", Permission::default());
    peer.node().reload().unwrap();
    let status = word_on(&ours, &card).await;
    assert_eq!(
        status.participant,
        NamedNode::new("https://liar.example/").unwrap()
    );
    assert_eq!(status.state, SourceState::Unreachable);
    assert!(reason(&status).contains(peer.id.as_str()), "{status:?}");
}
