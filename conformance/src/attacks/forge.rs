//! Making tokens that no honest issuer makes: any header over any payload, signed in any way.

use crate::library::Fault;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio_rustls::rustls::SignatureScheme;
use tokio_rustls::rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::sign::SigningKey;
use twinlink_trust::Identity;

/// What stands before the point of a key on P-256: <https://www.rfc-editor.org/rfc/rfc5480#section-2>.
const KEY_INFORMATION: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// An organisation's key in the hands of someone who signs anything with it.
#[derive(Debug)]
pub(crate) struct Forger {
    key: Arc<dyn SigningKey>,
    /// Its public part, as a JWK.
    pub(super) jwk: String,
    /// Its public part: bytes before the point are those of `DER`.
    der: Vec<u8>,
}

impl Forger {
    pub(crate) fn new(identity: &Identity) -> Result<Self, Fault> {
        let pem = identity.key().to_pem().map_err(fault)?;
        let key = PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(fault)?;
        let jwk = identity.key().public().to_jwk();
        let members: Value = serde_json::from_str(&jwk).map_err(fault)?;
        let mut der = [KEY_INFORMATION.as_slice(), &[4]].concat();
        for name in ["x", "y"] {
            let member = members.get(name).and_then(Value::as_str);
            let coordinate = URL_SAFE_NO_PAD.decode(member.unwrap_or_default());
            der.extend(coordinate.map_err(fault)?);
        }
        Ok(Self {
            key: any_ecdsa_type(&key).map_err(fault)?,
            jwk,
            der,
        })
    }

    /// A compact JWS, signed with ES256 whatever its header says.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> Result<String, Fault> {
        let signed = signed(header, payload);
        let der = self.der_signature(&signed)?;
        Ok(join(&signed, &flat(&der)))
    }

    /// The signature in the form that X.509 has, and JWS has not.
    pub(super) fn der_signature(&self, signed: &str) -> Result<Vec<u8>, Fault> {
        let scheme = [SignatureScheme::ECDSA_NISTP256_SHA256];
        let signer = self.key.choose_scheme(&scheme);
        let signer = signer.ok_or_else(|| fault("the key does not sign with ES256"))?;
        signer.sign(signed.as_bytes()).map_err(fault)
    }

    /// The public key in all spellings that a verifier might take for a secret.
    pub(super) fn public_spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let text = STANDARD.encode(&self.der);
        let (first, second) = text.split_at_checked(64).unwrap_or((&text, ""));
        let pem =
            format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----");
        let point = self.der.get(KEY_INFORMATION.len()..).unwrap_or_default();
        vec![
            ("PEM", format!("{pem}\n").into_bytes()),
            ("PEM without its last line end", pem.into_bytes()),
            ("DER", self.der.clone()),
            ("JWK", self.jwk.clone().into_bytes()),
            ("point", point.to_vec()),
            ("nothing", Vec::new()),
        ]
    }
}

/// What a signature is over.
pub(super) fn signed(header: &str, payload: &str) -> String {
    let (header, payload) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload),
    );
    format!("{header}.{payload}")
}

/// A compact JWS with this signature.
pub(super) fn join(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// <https://www.rfc-editor.org/rfc/rfc2104#section-2>, with SHA-256.
pub(super) fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = if secret.len() > BLOCK {
        Sha256::digest(secret).to_vec()
    } else {
        secret.to_vec()
    };
    key.resize(BLOCK, 0);
    let padded = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<_>>();
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message);
    let outer = Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner.finalize());
    outer.finalize().to_vec()
}

/// Both numbers of a DER signature, 32 bytes each: <https://www.rfc-editor.org/rfc/rfc7518#section-3.4>.
fn flat(der: &[u8]) -> Vec<u8> {
    let mut rest = der.get(2..).unwrap_or_default();
    let mut both = Vec::new();
    for _ in 0..2 {
        let length = rest.get(1).copied().map_or(0, usize::from);
        let number = rest.get(2..2 + length).unwrap_or_default();
        let significant = number
            .get(number.len().saturating_sub(32)..)
            .unwrap_or_default();
        both.resize(both.len() + 32 - significant.len(), 0);
        both.extend(significant);
        rest = rest.get(2 + length..).unwrap_or_default();
    }
    both
}

fn fault(error: impl ToString) -> Fault {
    Fault::Target(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_the_standard() {
        // <https://www.rfc-editor.org/rfc/rfc4231#section-4.3>
        let tag = hmac(b"Jefe", b"what do ya want for nothing?");
        let text: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn short_numbers_are_filled_up() {
        let der = [0x30, 8, 2, 2, 0, 0x80, 2, 2, 1, 2];
        let flat = flat(&der);
        assert_eq!(flat.len(), 64);
        assert_eq!(flat.get(30..32), Some([0, 0x80].as_slice()));
        assert_eq!(flat.get(62..), Some([1, 2].as_slice()));
    }
}
