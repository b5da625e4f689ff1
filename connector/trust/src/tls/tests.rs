use super::*;
use crate::testing::{Organisation, certify, iri};
use rustls::{ClientConnection, ServerConnection};
use std::io::ErrorKind;
use time::Duration;

/// Both sides over memory, until nothing moves any more. Gives the server's view of the client's certificate.
pub(crate) fn shake(client: ClientConfig, server: ServerConfig) -> Result<Option<Vec<u8>>, Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    for _ in 0..10 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        deliver(&wire, |rest| server.read_tls(rest))?;
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        deliver(&wire, |rest| client.read_tls(rest))?;
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    assert_eq!(client.tls13_tickets_received(), 0);
    assert_eq!(client.alpn_protocol(), server.alpn_protocol());
    let certificate = server.peer_certificates().and_then(|chain| chain.first());
    Ok(certificate.map(|certificate| certificate.to_vec()))
}

fn deliver(
    mut wire: &[u8],
    mut read: impl FnMut(&mut &[u8]) -> std::io::Result<usize>,
) -> Result<(), Error> {
    while !wire.is_empty() {
        match read(&mut wire) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Other => break,
            Err(error) => return Err(Error::General(error.to_string())),
        }
    }
    Ok(())
}

struct Network {
    city: Organisation,
    police: Organisation,
}

impl Network {
    fn new() -> Self {
        Self {
            city: Organisation::new("https://city.example/"),
            police: Organisation::new("https://police.example/"),
        }
    }

    fn server(&self, clients: ClientCertificates) -> ServerConfig {
        let registry = self.city.registry(&[&self.police]);
        server_config(Arc::clone(&self.city.current), registry, clients).unwrap()
    }

    fn client(&self, identity: Arc<CurrentIdentity>, peer: &str) -> ClientConfig {
        let registry = self.police.registry(&[&self.city]);
        client_config(identity, registry, iri(peer), Protocol::Http2).unwrap()
    }

    fn as_client(&self, identity: crate::Identity) -> Result<Option<Vec<u8>>, Error> {
        let client = self.client(CurrentIdentity::new(identity), "https://city.example/");
        shake(client, self.server(ClientCertificates::Required))
    }
}

#[test]
fn two_connectors_with_authorities_of_their_own_meet() {
    let network = Network::new();
    let client = network.client(Arc::clone(&network.police.current), "https://city.example/");
    let seen = shake(client, network.server(ClientCertificates::Required)).unwrap();
    assert_eq!(
        seen.as_deref(),
        Some(network.police.identity().certificate())
    );
}

#[test]
fn clients_that_lie_about_their_id_are_refused() {
    let network = Network::new();
    let day = Duration::days(1);
    let authority = &network.police.authority;
    for (id, lifetime) in [
        ("https://city.example/", day),
        ("https://rescue.example/", day),
        ("https://police.example", day),
        ("https://police.example/", Duration::minutes(-1)),
    ] {
        let error = network
            .as_client(certify(authority, id, lifetime))
            .unwrap_err();
        assert!(
            matches!(error, Error::InvalidCertificate(_)),
            "{id}: {error}"
        );
    }
    let stranger = Organisation::new("https://police.example/");
    let error = network
        .as_client((*stranger.identity()).clone())
        .unwrap_err();
    assert!(matches!(error, Error::InvalidCertificate(_)), "{error}");
    network
        .as_client(certify(authority, "https://police.example/", day))
        .unwrap();
}

#[test]
fn servers_that_are_not_the_expected_peer_are_refused() {
    let network = Network::new();
    let server = || network.server(ClientCertificates::Required);
    // The city answers where the police is expected.
    let client = network.client(
        Arc::clone(&network.police.current),
        "https://police.example/",
    );
    let error = shake(client, server()).unwrap_err();
    assert!(
        error.to_string().contains("https://city.example/"),
        "{error}"
    );
    // Nobody we know.
    let client = network.client(Arc::clone(&network.police.current), "https://x.example/");
    shake(client, server()).unwrap_err();
    // The police's authority certifies a city.
    let day = Duration::days(1);
    let liar = certify(&network.police.authority, "https://city.example/", day);
    let registry = network.city.registry(&[&network.police]);
    let required = ClientCertificates::Required;
    let liar = server_config(CurrentIdentity::new(liar), registry, required).unwrap();
    let client = network.client(Arc::clone(&network.police.current), "https://city.example/");
    let error = shake(client, liar).unwrap_err();
    assert!(matches!(error, Error::InvalidCertificate(_)), "{error}");
}

#[test]
fn a_server_under_another_host_name_is_refused() {
    let network = Network::new();
    let client = network.client(Arc::clone(&network.police.current), "https://city.example/");
    let name = ServerName::try_from("elsewhere.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let server = network.server(ClientCertificates::Required);
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    deliver(&wire, |rest| server.read_tls(rest)).unwrap();
    server.process_new_packets().unwrap();
    let mut wire = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut wire).unwrap();
    }
    deliver(&wire, |rest| client.read_tls(rest)).unwrap();
    let error = client.process_new_packets().unwrap_err();
    assert!(matches!(error, Error::InvalidCertificate(_)), "{error}");
}

/// A client that knows TLS and the server's authority, and has no certificate.
fn anonymous(network: &Network) -> ClientConfig {
    let registry = network.police.registry(&[&network.city]);
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer {
            peer: network.city.id.clone(),
            registry,
            algorithms: provider().signature_verification_algorithms,
        }))
        .with_no_client_auth()
}

#[test]
fn a_client_without_certificate_is_refused_where_one_is_required() {
    let network = Network::new();
    let required = network.server(ClientCertificates::Required);
    shake(anonymous(&network), required).unwrap_err();
    for clients in [ClientCertificates::Optional, ClientCertificates::None] {
        let seen = shake(anonymous(&network), network.server(clients)).unwrap();
        assert_eq!(seen, None);
    }
}

#[test]
fn optional_does_not_mean_unchecked() {
    let network = Network::new();
    let day = Duration::days(1);
    let liar = certify(&network.police.authority, "https://city.example/", day);
    let client = network.client(CurrentIdentity::new(liar), "https://city.example/");
    shake(client, network.server(ClientCertificates::Optional)).unwrap_err();
}

#[test]
fn no_resumption() {
    let network = Network::new();
    let server = network.server(ClientCertificates::Required);
    assert_eq!(server.send_tls13_tickets, 0);
    assert!(!server.session_storage.can_cache());
    assert!(!server.ticketer.enabled());
    assert_eq!(server.max_early_data_size, 0);
}

#[test]
fn identity_and_registry_change_while_serving() {
    let network = Network::new();
    let registry = network.city.registry(&[]);
    let required = ClientCertificates::Required;
    let current = Arc::clone(&network.city.current);
    let server = server_config(current, Arc::clone(&registry), required).unwrap();
    let client = || network.client(Arc::clone(&network.police.current), "https://city.example/");
    shake(client(), server.clone()).unwrap_err();
    registry.replace(network.city.trusting(&[&network.police]));
    shake(client(), server.clone()).unwrap();
    let day = Duration::days(1);
    let renewed = certify(&network.police.authority, "https://police.example/", day);
    let thumbprint = renewed.thumbprint().to_owned();
    network.police.current.replace(renewed).unwrap();
    let seen = shake(client(), server).unwrap().unwrap();
    assert_eq!(crate::thumbprint(&seen), thumbprint);
}
