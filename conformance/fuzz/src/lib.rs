//! An organisation whose good signature stands under whatever a fuzzer makes up.
//!
//! Owns: what several targets need. Never: a check of its own. Enter at: [`Signer`].

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oxrdf::NamedNode;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use time::{Duration, OffsetDateTime};
use twinlink_trust::{Authority, Identity, PublicKey, Subject};

/// An organisation of which the fuzzer has the key: a peer that was taken over.
pub struct Signer {
    pub authority: Authority,
    pub identity: Identity,
    pub id: NamedNode,
    key: EcdsaKeyPair,
}

impl Signer {
    /// Makes an authority, and with it a certificate of a year.
    pub fn new(id: &str, now: OffsetDateTime) -> Self {
        let authority = Authority::create(id, now).unwrap();
        let id = NamedNode::new_unchecked(id);
        let subject = Subject {
            participant: id.clone(),
            hosts: vec!["localhost".to_owned()],
        };
        let issued = authority.issue(&subject, Duration::days(365), now).unwrap();
        let identity = issued.identity().unwrap();
        let pem = identity.key().to_pem().unwrap();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.reveal().as_bytes()).unwrap();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der()).unwrap();
        Self {
            authority,
            identity,
            id,
            key,
        }
    }

    /// What others verify with.
    pub fn public(&self) -> &PublicKey {
        self.identity.key().public()
    }

    /// A compact JWS of this type over any bytes.
    pub fn sign(&self, typ: &str, payload: &[u8]) -> String {
        let id = self.public().id();
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"{id}"}}"#);
        self.sign_under(header.as_bytes(), payload)
    }

    /// A compact JWS over any bytes that brings its key along: RFC 9449.
    pub fn sign_proof(&self, payload: &[u8]) -> String {
        let jwk = self.public().to_jwk();
        let header = format!(r#"{{"alg":"ES256","typ":"dpop+jwt","jwk":{jwk}}}"#);
        self.sign_under(header.as_bytes(), payload)
    }

    /// A compact JWS under any header.
    pub fn sign_under(&self, header: &[u8], payload: &[u8]) -> String {
        let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.unwrap()))
    }
}

/// A moment that is the same in every run.
pub fn moment() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}
