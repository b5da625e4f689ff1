//! A development authority: issues certificates to participants where no real one does.

use crate::{CertificateFacts, Identity, SigningKey, TrustError, pem};
use oxrdf::NamedNode;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use rustls_pki_types::CertificateDer;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use time::{Duration, OffsetDateTime};
use twinlink_core::Secret;

/// How long an authority lives.
const AUTHORITY_LIFETIME: Duration = Duration::days(3650);

/// How far before now a certificate begins, for clocks that are behind.
const BACKDATE: Duration = Duration::minutes(5);

/// A certificate authority of one organisation, for development and small networks.
pub struct Authority {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key: SigningKey,
}

/// Who a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The organisation; goes into the certificate as its one URI.
    pub participant: NamedNode,
    /// The host names and IP addresses under which its connector is reached.
    pub hosts: Vec<String>,
}

/// A certificate with its new private key.
#[derive(Debug)]
pub struct Issued {
    /// PEM, to be written by [`crate::write_public`].
    pub certificate_pem: String,
    /// PKCS#8 PEM, to be written by [`crate::write_private`].
    pub key_pem: Secret,
}

impl Authority {
    /// Makes a new authority, valid ten years. It can issue end-entity certificates only.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn create(name: &str, now: OffsetDateTime) -> Result<Self, TrustError> {
        let key = SigningKey::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.not_before = now - BACKDATE;
        params.not_after = now + AUTHORITY_LIFETIME;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params
            .self_signed(&key.pair()?)
            .map_err(|error| TrustError::cryptography("make an authority", error))?;
        Ok(Self {
            certificate: certificate.der().clone(),
            certificate_pem: certificate.pem(),
            key,
        })
    }

    /// Reads an authority that was saved.
    ///
    /// # Errors
    /// As [`SigningKey::load`].
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TrustError> {
        let certificate_pem = pem::read_file(certificate)?;
        let place = certificate.display();
        let certificates = pem::objects(&certificate_pem, &place, "CERTIFICATE")?;
        let [der] = certificates.as_slice() else {
            return Err(TrustError::content(place, "holds several certificates"));
        };
        Ok(Self {
            certificate: CertificateDer::clone(der),
            certificate_pem,
            key: SigningKey::load(key)?,
        })
    }

    /// Writes the certificate and, for its owner's eyes only, the private key. Overwrites nothing.
    ///
    /// # Errors
    /// [`TrustError::File`].
    pub fn save(&self, certificate: &Path, key: &Path) -> Result<(), TrustError> {
        pem::write_private(key, self.key.to_pem()?.reveal())?;
        pem::write_public(certificate, &self.certificate_pem)
    }

    /// The certificate, for the configuration of peers.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Issues a certificate with a new key, for both sides of a connection.
    ///
    /// # Errors
    /// [`TrustError::Issue`] for a participant id that is no https IRI, or a host that is neither name nor address.
    pub fn issue(
        &self,
        subject: &Subject,
        lifetime: Duration,
        now: OffsetDateTime,
    ) -> Result<Issued, TrustError> {
        let key = SigningKey::generate()?;
        let certificate_pem = self.certify(subject, &key, lifetime, now)?;
        Ok(Issued {
            certificate_pem,
            key_pem: key.to_pem()?,
        })
    }

    /// Issues a certificate for a key that exists, as on renewal.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub fn certify(
        &self,
        subject: &Subject,
        key: &SigningKey,
        lifetime: Duration,
        now: OffsetDateTime,
    ) -> Result<String, TrustError> {
        let mut params = subject.params()?;
        params.not_before = now - BACKDATE;
        params.not_after = now + lifetime;
        params.use_authority_key_identifier_extension = true;
        params
            .signed_by(&key.pair()?, &self.issuer()?)
            .map(|certificate| certificate.pem())
            .map_err(|error| TrustError::cryptography("issue a certificate", error))
    }

    /// A list of revoked certificates, in PEM, valid from now until `until`.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn revoke(
        &self,
        revoked: &[CertificateFacts],
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<String, TrustError> {
        let revoked_certs = revoked.iter().map(|facts| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&facts.serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now - BACKDATE,
            next_update: until,
            crl_number: SerialNumber::from(now.unix_timestamp().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer()?)
            .and_then(|list| list.pem())
            .map_err(|error| TrustError::cryptography("issue a revocation list", error))
    }

    fn issuer(&self) -> Result<Issuer<'static, KeyPair>, TrustError> {
        Issuer::from_ca_cert_der(&self.certificate, self.key.pair()?)
            .map_err(|error| TrustError::cryptography("use the authority", error))
    }
}

/// A signing request for a real authority, in PEM: <https://www.rfc-editor.org/rfc/rfc2986>.
///
/// # Errors
/// As [`Authority::issue`].
pub fn request_certificate(subject: &Subject, key: &SigningKey) -> Result<String, TrustError> {
    subject
        .params()?
        .serialize_request(&key.pair()?)
        .and_then(|request| request.pem())
        .map_err(|error| TrustError::cryptography("make a signing request", error))
}

impl Issued {
    /// The identity these two make.
    ///
    /// # Errors
    /// As [`Identity::from_pem`].
    pub fn identity(&self) -> Result<Identity, TrustError> {
        let key = SigningKey::from_pem(self.key_pem.reveal(), "the new key")?;
        Identity::from_pem(&self.certificate_pem, key, "the new certificate")
    }
}

impl Subject {
    fn params(&self) -> Result<CertificateParams, TrustError> {
        let participant = self.participant.as_str();
        if !participant.starts_with("https://") {
            return Err(TrustError::issue(format_args!(
                "participant id <{participant}> does not begin with https://"
            )));
        }
        let uri = participant.try_into().map_err(|_| {
            TrustError::issue(format_args!(
                "participant id <{participant}> has characters beyond ASCII: percent-encode them"
            ))
        })?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(participant);
        params.subject_alt_names.push(SanType::URI(uri));
        for host in &self.hosts {
            params.subject_alt_names.push(host_name(host)?);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Ok(params)
    }
}

fn host_name(host: &str) -> Result<SanType, TrustError> {
    if let Ok(address) = IpAddr::from_str(host) {
        return Ok(SanType::IpAddress(address));
    }
    let refuse = || {
        TrustError::issue(format_args!(
            "host {host} is neither a DNS name nor an IP address (no port, no scheme)"
        ))
    };
    rustls_pki_types::DnsName::try_from(host).map_err(|_| refuse())?;
    host.try_into().map(SanType::DnsName).map_err(|_| refuse())
}

/// X.520 allows 64 characters: <https://www.rfc-editor.org/rfc/rfc5280#appendix-A.1>.
fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    let name: String = name.chars().take(64).collect();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(participant: &str, hosts: &[&str]) -> Subject {
        Subject {
            participant: NamedNode::new_unchecked(participant),
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        }
    }

    #[test]
    fn issues_what_was_asked_for() {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create("City CA", now).unwrap();
        let subject = subject("https://city.example/", &["localhost", "127.0.0.1", "::1"]);
        let issued = authority.issue(&subject, Duration::days(90), now).unwrap();
        let identity = issued.identity().unwrap();
        assert_eq!(identity.participant(), &subject.participant);
        assert!((identity.not_after() - now - Duration::days(90)).abs() < Duration::minutes(1));
        let shown = format!("{authority:?} {issued:?} {identity:?}");
        assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    }

    #[test]
    fn refuses_bad_subjects() {
        let now = OffsetDateTime::now_utc();
        let authority = Authority::create("City CA", now).unwrap();
        for (subject, reason) in [
            (subject("urn:city", &[]), "https"),
            (subject("https://kärntal.example/", &[]), "percent-encode"),
            (
                subject("https://city.example/", &["localhost:80"]),
                "localhost:80",
            ),
            (subject("https://city.example/", &["a b"]), "a b"),
        ] {
            let error = authority
                .issue(&subject, Duration::days(1), now)
                .unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn is_saved_and_loaded() {
        let now = OffsetDateTime::now_utc();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
        let authority = Authority::create("City CA", now).unwrap();
        authority.save(&certificate, &key).unwrap();
        assert!(authority.save(&certificate, &key).is_err());
        let again = Authority::load(&certificate, &key).unwrap();
        let subject = subject("https://city.example/", &[]);
        again.issue(&subject, Duration::days(1), now).unwrap();
        assert_eq!(again.certificate_pem(), authority.certificate_pem());
    }

    #[test]
    fn a_signing_request_names_the_participant() {
        let key = SigningKey::generate().unwrap();
        let subject = subject("https://city.example/", &["connector.city.example"]);
        let request = request_certificate(&subject, &key).unwrap();
        let parsed = rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
        let names = format!("{:?}", parsed.params.subject_alt_names);
        assert!(names.contains("https://city.example/"), "{names}");
    }
}
