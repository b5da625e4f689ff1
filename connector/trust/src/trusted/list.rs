//! Revocation lists: whose they are, and which of two is the newer one.

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use std::fmt;
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer, ParsedExtension, X509Certificate};

/// A list that was read. Whether its authority signed it, the verifier sees.
#[derive(Debug, Clone)]
pub(super) struct RevocationList {
    pub(super) der: CertificateRevocationListDer<'static>,
    /// When the next one is to come.
    pub(super) ends: OffsetDateTime,
    issued: OffsetDateTime,
    /// Its number, big-endian: <https://www.rfc-editor.org/rfc/rfc5280#section-5.2.3>.
    number: Option<Vec<u8>>,
    issuer: Vec<u8>,
    /// The id of the key that signs it.
    key: Option<Vec<u8>>,
}

impl RevocationList {
    pub(super) fn read(der: CertificateRevocationListDer<'static>) -> Result<Self, &'static str> {
        let (_, list) = CertificateRevocationList::from_der(&der)
            .map_err(|_| "a revocation list cannot be read")?;
        let end = list
            .next_update()
            .ok_or("a revocation list does not say when the next one comes")?;
        let mut extensions = list.extensions().iter();
        let key = extensions.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                id.key_identifier.as_ref().map(|id| id.0.to_vec())
            }
            _ => None,
        });
        let (ends, issued) = (end.to_datetime(), list.last_update().to_datetime());
        let number = list.crl_number().map(|number| number.to_bytes_be());
        let issuer = list.issuer().as_raw().to_vec();
        Ok(Self {
            ends,
            issued,
            number,
            issuer,
            key,
            der,
        })
    }

    /// Whether it is, by name and key id, of this authority.
    pub(super) fn is_of(&self, authority: &CertificateDer<'_>) -> bool {
        let Ok((_, authority)) = X509Certificate::from_der(authority) else {
            return false;
        };
        let mut extensions = authority.extensions().iter();
        let own = extensions.find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        });
        let named = self.key.as_deref();
        self.issuer == authority.subject().as_raw()
            && own.zip(named).is_none_or(|(own, named)| own == named)
    }

    /// Whether the same authority issued it before the other one.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        let is_same = self.issuer == other.issuer && self.key == other.key;
        // Without its zeros in front, of two numbers the one with more bytes is larger.
        let of = |list: &Self| {
            list.number
                .as_ref()
                .map(|bytes| (bytes.len(), bytes.clone()))
        };
        let is_before = match of(self).zip(of(other)) {
            Some((own, other)) => own < other,
            None => self.issued < other.issued,
        };
        is_same && is_before
    }
}

impl fmt::Display for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "issued {}", self.issued)
    }
}
