//! What a certificate says: whose it is, until when, and its thumbprint.

use crate::json::clip;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oxrdf::NamedNode;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The longest participant id, in bytes.
const PARTICIPANT_LENGTH: usize = 512;

/// What an end-entity certificate says. Whether it may say so is another question: [`crate::Trusted`] answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The organisation: the one URI among the subject's alternative names.
    pub participant: NamedNode,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
    /// SHA-256 of the certificate, as `x5t#S256`: <https://www.rfc-editor.org/rfc/rfc8705#section-3.1>.
    pub thumbprint: String,
    /// The subject's public key, as the bytes in the certificate.
    pub(crate) public_key: Vec<u8>,
    /// The serial number, big-endian.
    pub(crate) serial: Vec<u8>,
}

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// What is wrong, in words: not a certificate, or none or several URIs among its names.
    // INVARIANT(one-name): a certificate with none or several participant ids is nobody's.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|_| "is not an X.509 certificate".to_owned())?;
        if !rest.is_empty() {
            return Err("has bytes after its end".to_owned());
        }
        let validity = certificate.validity();
        Ok(Self {
            participant: participant(&certificate)?,
            not_before: validity.not_before.to_datetime(),
            not_after: validity.not_after.to_datetime(),
            thumbprint: thumbprint(der),
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            serial: certificate.raw_serial().to_vec(),
        })
    }
}

/// SHA-256 of a certificate in DER, in base64url: the `x5t#S256` of <https://www.rfc-editor.org/rfc/rfc8705#section-3.1>.
pub fn thumbprint(der: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(der))
}

fn participant(certificate: &X509Certificate<'_>) -> Result<NamedNode, String> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| "has malformed subject alternative names".to_owned())?
        .ok_or_else(|| "names no participant: it has no subject alternative name".to_owned())?;
    let mut uris = names
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
    match (uris.next(), uris.next()) {
        (Some(uri), None) if uri.len() <= PARTICIPANT_LENGTH => NamedNode::new(uri)
            .map_err(|_| format!("names no participant: {} is not an absolute IRI", clip(uri))),
        (Some(_), None) => Err("names a participant with over 512 bytes".to_owned()),
        (None, _) => Err("names no participant: it has no URI among its names".to_owned()),
        (Some(_), Some(_)) => Err("names several participants: it has several URIs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        for uri in uris {
            params
                .subject_alt_names
                .push(SanType::URI((*uri).try_into().unwrap()));
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn one_name() {
        let one = CertificateFacts::read(&certificate(&["https://city.example/"])).unwrap();
        assert_eq!(one.participant.as_str(), "https://city.example/");
        for (uris, reason) in [
            (&[][..], "no URI"),
            (&["not an iri"][..], "absolute IRI"),
            (&["/relative"][..], "absolute IRI"),
            (&["https://a.example/", "https://b.example/"][..], "several"),
            (&["https://a.example/", "https://a.example/"][..], "several"),
        ] {
            let error = CertificateFacts::read(&certificate(uris)).unwrap_err();
            assert!(error.contains(reason), "{uris:?}: {error}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        let good = certificate(&["https://city.example/"]);
        for bad in [
            &[][..],
            b"hello",
            &good[..good.len() - 1],
            &[good.clone(), vec![0]].concat(),
        ] {
            CertificateFacts::read(bad).unwrap_err();
        }
        for at in 0..good.len() {
            // Any answer will do, as long as there is one.
            let mut flipped = good.clone();
            flipped[at] ^= 0xff;
            drop(CertificateFacts::read(&flipped));
        }
    }
}
