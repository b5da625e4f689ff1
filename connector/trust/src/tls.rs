//! TLS between connectors: both sides prove who they are, to verifiers that pin each participant to its authority.

use crate::{CertificateFacts, CurrentIdentity, Registry, TrustError};
use oxrdf::NamedNode;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error,
    OtherError, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::fmt;
use std::sync::Arc;

/// The only version: a client's certificate goes encrypted, and there is nothing to downgrade to.
static VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// What a listener wants of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificates {
    /// No certificate, no connection.
    #[default]
    Required,
    /// A client without one may connect, for what needs no caller; requests that need one are refused.
    Optional,
    /// Clients are not asked: such as the operator's own listener on loopback.
    None,
}

/// Told of each client whose certificate names a participant and does not hold, in the middle of its handshake. Who it was
/// is not known: anybody can write a name into a certificate.
pub type Watcher = Arc<dyn Fn(&NamedNode) + Send + Sync>;

/// What is spoken inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `h2`: gRPC.
    Http2,
    /// `http/1.1`.
    Http1,
}

/// The configuration of a listener: `h2` and `http/1.1`, TLS 1.3, no resumption.
///
/// Identity and registry are looked at on each handshake, so both may change while it serves.
///
/// # Errors
/// [`TrustError::Cryptography`].
// INVARIANT(no-resumption): a session that resumed would bring back a client without looking at its certificate again.
pub fn server_config(
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    clients: ClientCertificates,
) -> Result<ServerConfig, TrustError> {
    server_config_watched(identity, registry, clients, Arc::new(|_| ()))
}

/// As [`server_config`], with somebody who is told of certificates that do not hold.
///
/// # Errors
/// As [`server_config`].
pub fn server_config_watched(
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    clients: ClientCertificates,
    watcher: Watcher,
) -> Result<ServerConfig, TrustError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|error| TrustError::cryptography("set up TLS", error))?;
    let builder = match clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Required | ClientCertificates::Optional => builder
            .with_client_cert_verifier(Arc::new(PinnedClients {
                mandatory: clients == ClientCertificates::Required,
                registry,
                algorithms: provider().signature_verification_algorithms,
                watcher,
            })),
    };
    let mut config = builder.with_cert_resolver(identity);
    config.alpn_protocols = vec![Protocol::Http2.name(), Protocol::Http1.name()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The configuration of a connection to one participant: whoever answers must be that participant.
///
/// # Errors
/// [`TrustError::Cryptography`].
pub fn client_config(
    identity: Arc<CurrentIdentity>,
    registry: Arc<Registry>,
    peer: NamedNode,
    protocol: Protocol,
) -> Result<ClientConfig, TrustError> {
    client_config_of(registry, peer, protocol, |builder| {
        builder.with_client_cert_resolver(identity)
    })
}

/// As [`client_config`], for an app that shows no certificate.
///
/// # Errors
/// [`TrustError::Cryptography`].
pub fn app_config(
    registry: Arc<Registry>,
    peer: NamedNode,
    protocol: Protocol,
) -> Result<ClientConfig, TrustError> {
    client_config_of(registry, peer, protocol, |builder| {
        builder.with_no_client_auth()
    })
}

fn client_config_of(
    registry: Arc<Registry>,
    peer: NamedNode,
    protocol: Protocol,
    shows: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig,
) -> Result<ClientConfig, TrustError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .map_err(|error| TrustError::cryptography("set up TLS", error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer {
            peer,
            registry,
            algorithms: provider().signature_verification_algorithms,
        }));
    let mut config = shows(builder);
    config.alpn_protocols = vec![protocol.name()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

impl Protocol {
    /// <https://www.iana.org/assignments/tls-extensiontype-values/tls-extensiontype-values.xhtml#alpn-protocol-ids>
    fn name(self) -> Vec<u8> {
        match self {
            Self::Http2 => b"h2".to_vec(),
            Self::Http1 => b"http/1.1".to_vec(),
        }
    }
}

/// Named, not installed as the process's default: another library in the process may want another one.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(crypto::aws_lc_rs::default_provider())
}

struct PinnedClients {
    mandatory: bool,
    registry: Arc<Registry>,
    algorithms: WebPkiSupportedAlgorithms,
    watcher: Watcher,
}

#[derive(Debug)]
struct PinnedServer {
    peer: NamedNode,
    registry: Arc<Registry>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Why a certificate is not accepted, for our own log: the other side sees an alert only.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotPinned(String);

fn not_pinned(reason: String) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(NotPinned(
        reason,
    )))))
}

impl ClientCertVerifier for PinnedClients {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// None: they would tell every stranger with whom we work.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let facts = CertificateFacts::read(end_entity).map_err(not_pinned)?;
        let trusted = self.registry.current();
        let verified = match trusted.party(&facts.participant) {
            Some(party) => party.verify_client(end_entity, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        };
        if let Err(error) = verified {
            (self.watcher)(&facts.participant);
            return Err(error);
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for PinnedClients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedClients")
            .field("mandatory", &self.mandatory)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let facts = CertificateFacts::read(end_entity).map_err(not_pinned)?;
        if facts.participant != self.peer {
            return Err(not_pinned(format!(
                "the certificate is of {}, not of {}",
                facts.participant, self.peer
            )));
        }
        let trusted = self.registry.current();
        let party = trusted
            .party(&self.peer)
            .ok_or(CertificateError::UnknownIssuer)?;
        party.verify_server(end_entity, server_name, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(crate) mod tests;
