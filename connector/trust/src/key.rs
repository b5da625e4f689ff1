//! Keys: one private key of ours, on the curve P-256, and public keys of those we trust.

mod algorithm;
mod jwk;
mod modulus;

use crate::TrustError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use josekit::jws::alg::ecdsa::EcdsaJwsSigner;
use josekit::jws::{ES256, JwsSigner, JwsVerifier};
use jwk::Members;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::PrivatePkcs8KeyDer;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

pub use algorithm::Algorithm;

/// A private key on P-256. It proves the connector in TLS and signs its tokens and receipts with ES256.
///
/// One key may do all three: TLS 1.3 signs under a prefix of its own, and every JWS of ours has a `typ`, so no
/// signature passes for one of another kind.
#[derive(Clone)]
pub struct SigningKey {
    pkcs8: Arc<PrivatePkcs8KeyDer<'static>>,
    signer: EcdsaJwsSigner,
    public: PublicKey,
}

/// A public key of a party, for one algorithm.
#[derive(Clone)]
pub struct PublicKey {
    id: String,
    members: Members,
    verifier: Box<dyn JwsVerifier>,
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`TrustError::Cryptography`] where there is no randomness.
    pub fn generate() -> Result<Self, TrustError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| TrustError::cryptography("generate a key", error))?;
        Self::from_pair(&pair, "the new key")
    }

    /// Reads an unencrypted PKCS#8 PEM text; `place` names it in errors.
    ///
    /// # Errors
    /// [`TrustError::Content`] for anything but a P-256 key.
    pub fn from_pem(text: &str, place: impl fmt::Display) -> Result<Self, TrustError> {
        let keys: Vec<PrivatePkcs8KeyDer<'static>> =
            crate::pem::objects(text, &place, "PRIVATE KEY")?;
        let [key] = keys.as_slice() else {
            return Err(TrustError::content(place, "holds several private keys"));
        };
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(key, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| TrustError::content(&place, "is not a key on the curve P-256"))?;
        Self::from_pair(&pair, place)
    }

    /// Reads a key file, refusing one that everyone can read.
    ///
    /// # Errors
    /// As [`SigningKey::from_pem`]; [`TrustError::Exposed`], [`TrustError::File`].
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        Self::from_pem(&crate::pem::read_private(path)?, path.display())
    }

    /// The public part.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key as PKCS#8 PEM, to be written by [`crate::write_private`].
    ///
    /// # Errors
    /// [`TrustError::Cryptography`].
    pub fn to_pem(&self) -> Result<twinlink_core::Secret, TrustError> {
        Ok(twinlink_core::Secret::new(self.pair()?.serialize_pem()))
    }

    pub(crate) fn pair(&self) -> Result<KeyPair, TrustError> {
        KeyPair::from_pkcs8_der_and_sign_algo(&self.pkcs8, &PKCS_ECDSA_P256_SHA256)
            .map_err(|error| TrustError::cryptography("use the private key", error))
    }

    pub(crate) fn to_der(&self) -> PrivatePkcs8KeyDer<'static> {
        self.pkcs8.clone_key()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TrustError> {
        catch_unwind(AssertUnwindSafe(|| self.signer.sign(message)))
            .map_err(|_| TrustError::cryptography("sign", "the library panicked"))?
            .map_err(|error| TrustError::cryptography("sign", error))
    }

    fn from_pair(pair: &KeyPair, place: impl fmt::Display) -> Result<Self, TrustError> {
        let public = PublicKey::from_point(pair.public_key_raw(), &place)?;
        let pkcs8 = pair.serialize_der();
        let signer = ES256
            .signer_from_der(&pkcs8)
            .map_err(|_| TrustError::content(&place, "cannot be used to sign with ES256"))?;
        Ok(Self {
            pkcs8: Arc::new(PrivatePkcs8KeyDer::from(pkcs8)),
            signer,
            public,
        })
    }
}

impl PublicKey {
    /// Reads a JWK of a party: <https://www.rfc-editor.org/rfc/rfc7517>. `place` names it in errors.
    ///
    /// What it is for says its `alg`, or where it has none the curve: a text that it verifies has that algorithm, or
    /// is refused.
    ///
    /// # Errors
    /// [`TrustError::Content`] for a symmetric key, a private part, an algorithm that we do not know or that is not the
    /// key's, a point off the curve, RSA with under 2048 bits, with e = 1 or of the ROCA generator, or members that we do
    /// not know.
    pub fn from_jwk(text: &str, place: impl fmt::Display) -> Result<Self, TrustError> {
        Self::read(text, None, place)
    }

    /// As [`PublicKey::from_jwk`], for a key that must be for this algorithm. This alone takes symmetric keys, for who
    /// pins one: nothing that the connector is configured with does.
    ///
    /// # Errors
    /// As [`PublicKey::from_jwk`].
    pub fn pinned(
        text: &str,
        algorithm: Algorithm,
        place: impl fmt::Display,
    ) -> Result<Self, TrustError> {
        Self::read(text, Some(algorithm), place)
    }

    /// Reads all keys of one party: all for one algorithm, no two with one id, so that old and new may overlap while
    /// they are rotated.
    ///
    /// # Errors
    /// As [`PublicKey::pinned`]; [`TrustError::Content`] for keys of several algorithms and for ids that repeat.
    pub fn set(
        texts: &[String],
        pinned: Option<Algorithm>,
        place: impl fmt::Display,
    ) -> Result<Vec<Self>, TrustError> {
        let mut keys: Vec<Self> = Vec::with_capacity(texts.len());
        for (number, text) in texts.iter().enumerate() {
            let key = Self::read(
                text,
                pinned,
                format_args!("{place} token key {}", number + 1),
            )?;
            if keys.iter().any(|other| other.id() == key.id()) {
                return Err(TrustError::content(
                    place,
                    "has two token keys with one kid",
                ));
            }
            // A second algorithm is a second way in.
            if keys
                .iter()
                .any(|other| other.algorithm() != key.algorithm())
            {
                return Err(TrustError::content(
                    place,
                    "has token keys of several algorithms",
                ));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// What the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.members.algorithm()
    }

    /// The key as a JWK, for a peer's configuration.
    pub fn to_jwk(&self) -> String {
        self.members.write(&self.id)
    }

    /// The key's id: its `kid`, or where the JWK had none its thumbprint.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key's thumbprint: <https://www.rfc-editor.org/rfc/rfc7638#section-3>.
    pub fn thumbprint(&self) -> String {
        self.members.thumbprint()
    }

    /// The point on the curve, uncompressed: <https://www.rfc-editor.org/rfc/rfc5480#section-2.2>.
    pub(crate) fn is_point(&self, point: &[u8]) -> bool {
        point == self.members.point()
    }

    /// Whether the signature is this key's over the message. A panic of the library is a no.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.algorithm().is_pair() {
            let width = self.algorithm().width();
            let Some((r, s)) = signature.split_at_checked(width) else {
                return false;
            };
            // Zero is no valid half of a signature, and josekit would build an empty integer of it.
            let zero = |half: &[u8]| half.iter().all(|byte| *byte == 0);
            if s.len() != width || zero(r) || zero(s) {
                return false;
            }
        }
        catch_unwind(AssertUnwindSafe(|| {
            self.verifier.verify(message, signature).is_ok()
        }))
        .unwrap_or(false)
    }

    fn read(
        text: &str,
        pinned: Option<Algorithm>,
        place: impl fmt::Display,
    ) -> Result<Self, TrustError> {
        Members::read(text, pinned)
            .and_then(Self::from_members)
            .map_err(|reason| TrustError::content(place, reason))
    }

    fn from_point(point: &[u8], place: impl fmt::Display) -> Result<Self, TrustError> {
        let (Some((4, xy)), 65) = (point.split_first().map(|(f, r)| (*f, r)), point.len()) else {
            return Err(TrustError::content(
                place,
                "is not a key on the curve P-256",
            ));
        };
        let (x, y) = xy.split_at(32);
        Self::from_members(Members::new(
            URL_SAFE_NO_PAD.encode(x),
            URL_SAFE_NO_PAD.encode(y),
        ))
        .map_err(|reason| TrustError::content(place, reason))
    }

    fn from_members(members: Members) -> Result<Self, String> {
        let jwk = josekit::jwk::Jwk::from_bytes(members.write(""))
            .map_err(|_| "is not a JWK".to_owned())?;
        let verifier = members
            .algorithm()
            .verifier(&jwk)
            .ok_or_else(|| "is not a key of its algorithm, or not on its curve".to_owned())?;
        let id = members
            .id()
            .map_or_else(|| members.thumbprint(), str::to_owned);
        Ok(Self {
            id,
            members,
            verifier,
        })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.members.is_same(&other.members)
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.public.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_verifies() {
        let key = SigningKey::generate().unwrap();
        let signature = key.sign(b"message").unwrap();
        assert_eq!(signature.len(), 64);
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        let other = SigningKey::generate().unwrap();
        assert!(!other.public().verifies(b"message", &signature));
    }

    #[test]
    fn signatures_that_are_no_pair_of_numbers_are_refused() {
        let key = SigningKey::generate().unwrap();
        let good = key.sign(b"message").unwrap();
        let half = vec![0_u8; 32];
        let order = vec![0xff_u8; 32];
        for bad in [
            Vec::new(),
            vec![0; 64],
            vec![0; 63],
            vec![1; 65],
            [half.clone(), good[32..].to_vec()].concat(),
            [good[..32].to_vec(), half].concat(),
            [order.clone(), good[32..].to_vec()].concat(),
            [good[..32].to_vec(), order].concat(),
        ] {
            assert!(!key.public().verifies(b"message", &bad));
        }
    }

    #[test]
    fn pem_goes_out_and_comes_back() {
        let key = SigningKey::generate().unwrap();
        let pem = key.to_pem().unwrap();
        assert!(pem.reveal().starts_with("-----BEGIN PRIVATE KEY-----"));
        let again = SigningKey::from_pem(pem.reveal(), "test").unwrap();
        assert_eq!(key.public(), again.public());
    }

    #[test]
    fn a_key_file_of_another_kind_is_named_without_its_content() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pem = other.serialize_pem();
        let error = SigningKey::from_pem(&pem, "key.pem")
            .unwrap_err()
            .to_string();
        assert_eq!(error, "key.pem: is not a key on the curve P-256");
        let broken = pem.replace("-----END", "-----EDN");
        let error = SigningKey::from_pem(&broken, "key.pem")
            .unwrap_err()
            .to_string();
        let content = pem.lines().nth(1).unwrap();
        assert!(!error.contains(content.split_at(16).0), "{error}");
    }

    #[test]
    fn debug_shows_no_key() {
        let key = SigningKey::generate().unwrap();
        let shown = format!("{key:?} {:?}", key.to_pem().unwrap());
        assert!(shown.len() < 200, "{shown}");
        assert!(!shown.contains("BEGIN"), "{shown}");
    }
}
