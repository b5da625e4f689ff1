//! The connector's own identity: its certificate and the key that proves it, replaceable while it serves.

use crate::{CertificateFacts, SigningKey, TrustError, pem};
use arc_swap::ArcSwap;
use oxrdf::NamedNode;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureScheme, crypto};
use rustls_pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use time::OffsetDateTime;

/// A certificate, what it says, and its private key.
#[derive(Debug, Clone)]
pub struct Identity {
    facts: CertificateFacts,
    certificate: CertificateDer<'static>,
    key: SigningKey,
    certified: Arc<CertifiedKey>,
}

/// The identity now in force: shared by the doors, the token issuer and the log of use, and swapped on renewal.
#[derive(Debug)]
pub struct CurrentIdentity(ArcSwap<Identity>);

impl Identity {
    /// Reads a certificate file (PEM, the connector's own certificate first) and a key file.
    ///
    /// # Errors
    /// [`TrustError`], naming the file and what is wrong with it.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TrustError> {
        let text = pem::read_file(certificate)?;
        Self::from_pem(&text, SigningKey::load(key)?, certificate.display())
    }

    /// As [`Identity::load`], from text; `place` names it in errors.
    ///
    /// # Errors
    /// [`TrustError::Content`], also where the key is not the certificate's.
    pub fn from_pem(
        certificate: &str,
        key: SigningKey,
        place: impl std::fmt::Display,
    ) -> Result<Self, TrustError> {
        let chain: Vec<CertificateDer<'static>> = pem::objects(certificate, &place, "CERTIFICATE")?;
        let certificate = chain
            .first()
            .cloned()
            .ok_or_else(|| TrustError::content(&place, "holds no certificate"))?;
        let facts = CertificateFacts::read(&certificate)
            .map_err(|reason| TrustError::content(&place, reason))?;
        if !key.public().is_point(&facts.public_key) {
            return Err(TrustError::content(
                place,
                "does not fit the private key: they were not made together",
            ));
        }
        let certified = CertifiedKey::from_der(
            chain,
            key.to_der().into(),
            &crypto::aws_lc_rs::default_provider(),
        )
        .map_err(|error| TrustError::content(place, error))?;
        Ok(Self {
            facts,
            certificate,
            key,
            certified: Arc::new(certified),
        })
    }

    /// The organisation.
    pub fn participant(&self) -> &NamedNode {
        &self.facts.participant
    }

    /// What the certificate says.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// When the certificate ends.
    pub fn not_after(&self) -> OffsetDateTime {
        self.facts.not_after
    }

    /// The certificate's `x5t#S256`.
    pub fn thumbprint(&self) -> &str {
        &self.facts.thumbprint
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The key that signs tokens and receipts.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl CurrentIdentity {
    /// Puts an identity in force.
    pub fn new(identity: Identity) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(identity)))
    }

    /// The identity in force.
    pub fn load(&self) -> Arc<Identity> {
        self.0.load_full()
    }

    /// Puts a renewed identity in force: for new connections, tokens and receipts at once.
    ///
    /// # Errors
    /// [`TrustError::Content`] where it is another organisation's.
    pub fn replace(&self, identity: Identity) -> Result<(), TrustError> {
        let present = self.load();
        if present.participant() != identity.participant() {
            return Err(TrustError::content(
                identity.participant(),
                format_args!("is not this connector's id {}", present.participant()),
            ));
        }
        self.0.store(Arc::new(identity));
        Ok(())
    }
}

impl ResolvesServerCert for CurrentIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }
}

impl ResolvesClientCert for CurrentIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Subject};
    use time::Duration;

    fn issued(participant: &str) -> crate::Issued {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create("test", now).unwrap();
        let subject = Subject {
            participant: NamedNode::new_unchecked(participant),
            hosts: Vec::new(),
        };
        authority.issue(&subject, Duration::days(1), now).unwrap()
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, other) = (issued("https://a.example/"), issued("https://a.example/"));
        let key = SigningKey::from_pem(other.key_pem.reveal(), "test").unwrap();
        let error = Identity::from_pem(&one.certificate_pem, key, "certificate.pem").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("certificate.pem: does not fit"),
            "{error}"
        );
    }

    #[test]
    fn an_identity_is_replaced_by_the_same_organisations_only() {
        let current = CurrentIdentity::new(issued("https://a.example/").identity().unwrap());
        let renewed = issued("https://a.example/").identity().unwrap();
        let thumbprint = renewed.thumbprint().to_owned();
        current.replace(renewed).unwrap();
        assert_eq!(current.load().thumbprint(), thumbprint);
        let error = current.replace(issued("https://b.example/").identity().unwrap());
        assert!(error.is_err());
        assert_eq!(current.load().thumbprint(), thumbprint);
    }
}
